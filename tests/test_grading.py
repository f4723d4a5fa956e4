# ruff: noqa: E501, RUF005 made-up files stand on long lines
"""The grader on small notebooks made here: what is found in outputs, what hostile files do, what a class leaves."""

import base64
import csv
import io
import json
import os
import shutil
import struct
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner

from helpers.__main__ import app
from helpers.course import evidence, feedback, grading, outputs
from helpers.course.grading import Options, grade_content
from helpers.course.rubric import A1, ASSIGNMENTS, HINTS, TOY_BANDS
from tests.grading import variants

ROOT = Path(__file__).resolve().parents[1]
NAME = "max_mustermann_a1.ipynb"
RESULTS = (
    "Final test performance: ELBO = -4.45188, KL = 0.17864, NLL = 4.27325\n",
    "Final test performance: ELBO = -4.47891, KL = 1.61863, NLL = 2.86028\n",
    "Final test performance: ELBO = -2.75772, KL = 0.92723, NLL = 1.83049\n",
)


def png(seed: int = 0, rows: int = 1, columns: int = 3, blank: bool = False) -> bytes:
    figure = Figure(figsize=(8, 3))
    if not blank:
        rand = np.random.RandomState(seed)
        for ax in figure.subplots(rows, columns, squeeze=False).flat:
            ax.plot(rand.randn(30))
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=60)
    return buffer.getvalue()


def cell(source: str, *outs, count: int | None = None) -> dict:
    return {"cell_type": "code", "source": source, "execution_count": count, "metadata": {}, "outputs": list(outs)}


def said(text: str) -> dict:
    return {"output_type": "stream", "name": "stdout", "text": text}


def drawn(picture: bytes) -> dict:
    return {"output_type": "display_data", "metadata": {}, "data": {"image/png": base64.b64encode(picture).decode()}}


def notebook(cells: list[dict]) -> bytes:
    for number, c in enumerate((c for c in cells if c["cell_type"] == "code"), start=1):
        c["execution_count"] = c["execution_count"] or number
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def class_cells(results=RESULTS) -> list[dict]:
    """An honest notebook that never saw our helpers, its outputs made up."""
    made = [cell("class VAE: pass")]
    for i, text in enumerate(results, start=1):
        made.append(cell(f"train_vae(dataset{i})\nfig.savefig('part_a_vae_dataset{i}.png')", drawn(png(i)), said(text)))
    made.append(cell("train_ae(autoencoder)\nfor beta in [1, 3, 10]: train_vae(beta=beta)"))
    for i, (name, shape) in enumerate(
        {"latent_space": (1, 4), "reconstructions": (1, 4), "interpolations": (4, 1)}.items()
    ):
        made.append(cell(f"plt.savefig('part_b_{name}.png')", drawn(png(10 + i, *shape))))
    return made


def graded(cells: list[dict], name: str = NAME, **options) -> dict:
    return grade_content(name, notebook(cells), Options(**options)).verdict


def codes(verdict: dict, task: str, level: str | None = None) -> set[str]:
    return {f["code"] for f in verdict["tasks"][task]["findings"] if level in (None, f["level"])}


# ---------------------------------------------------------------- the rubric


def test_every_hint_that_can_be_given_is_there_and_tasks_are_the_assignments():
    source = "".join((ROOT / "helpers" / "course" / f"{m}.py").read_text() for m in ("oracles", "outputs", "grading"))
    given = {word for word in HINTS if f'"{word}' in source}
    assert given | {"trains_on_val"} == set(HINTS) and all(
        hint.endswith(".") and len(hint) < 130 for hint in HINTS.values()
    )
    assert [t.name for t in A1.tasks] == ["file", "A1", "A2", "B1", "B2", "B3", "B4", "B5"]
    assert all(t.requires.endswith(".") for a in ASSIGNMENTS.values() for t in a.tasks)
    assert {c for m in variants.MISTAKES for c in m.codes} <= HINTS.keys()


# ---------------------------------------------------------------- printed numbers


@pytest.mark.parametrize(
    "text",
    [
        "Final test performance: ELBO = -4.45188, KL = 0.17864, NLL = 4.27325",
        "Dataset 1 | test ELBO: -4.4519 | KL: 0.1786 | NLL: 4.2733",
        "kl=0.17864 nll=4.27325 elbo=-4.45188",
        "test elbo -4.452\ntest kl divergence 0.179\ntest nll 4.273",
        "Negative ELBO: 4.4519, KL divergence: 0.1786, reconstruction loss: 4.2733",
        "-ELBO 4.4519  KLD 0.1786  negative log-likelihood 4.2733",
        "ELBO: −4.4519, KL-Divergenz: 0.1786, NLL: 4.2733",
    ],
)
def test_three_numbers_are_found_however_they_are_printed(text):
    (found,) = evidence.triples(text)
    assert (found.elbo, found.kl, found.nll) == pytest.approx((-4.452, 0.179, 4.273), abs=2e-3)


def test_words_that_only_look_like_it_are_not_taken():
    assert list(evidence.triples("elbow 3 klaus 4 nllx 5")) == []
    assert list(evidence.triples("ELBO over 10 epochs\nKL\nNLL")) == []


def test_an_honest_notebook_without_our_helpers_passes():
    verdict = graded(class_cells())
    assert verdict["verdict"] == "PASS", verdict["tasks"]
    assert verdict["name"] == "max mustermann"


@pytest.mark.parametrize(
    ("line", "task", "code", "level"),
    [
        ("ELBO = 4.45188, KL = 0.17864, NLL = 4.27325", "A1", "elbo_sign", "FAIL"),
        ("ELBO = -4.09461, KL = 0.17864, NLL = 4.27325", "A1", "elbo_kl_sign", "FAIL"),
        ("ELBO = -4.27325, KL = -0.17864, NLL = 4.45188", "A1", "kl_sign", "FAIL"),
        ("ELBO = -3.10000, KL = 0.50000, NLL = 2.60000", "A2", "below_entropy", "LOOK"),
        ("ELBO = -9.10000, KL = 0.50000, NLL = 8.60000", "A2", "out_of_band", "LOOK"),
    ],
)
def test_a_wrong_line_is_told_apart(line, task, code, level):
    verdict = graded(class_cells((line, *RESULTS[1:])))
    assert code in codes(verdict, task, level), verdict["tasks"][task]


def test_collapse_on_the_second_set_is_recognised():
    line = "ELBO = -5.40281, KL = 0.00012, NLL = 5.40269"
    assert "collapsed" in codes(graded(class_cells((RESULTS[0], line, RESULTS[2]))), "A1", "FAIL")


def test_a_squared_error_and_a_dropped_constant_are_honest():
    for lines in (
        (
            "ELBO = -3.35, KL = 2.30, NLL = 1.05",
            "ELBO = -3.40, KL = 2.30, NLL = 1.10",
            "ELBO = -1.9, KL = 1.0, NLL = 0.9",
        ),
        (
            "ELBO = -2.62, KL = 0.20, NLL = 2.42",
            "ELBO = -2.64, KL = 1.62, NLL = 1.02",
            "ELBO = -0.92, KL = 0.92, NLL = 0",
        ),
    ):
        verdict = graded(class_cells(lines))
        assert verdict["verdict"] == "PASS", verdict["tasks"]["A2"]


def test_bands_hold_what_is_exactly_known():
    """The least -ELBO under each convention lies just inside its band: theory and band are two sources."""
    least_squared = 1.0 + 0.5 * np.log(25 / 0.5) + 0.5 * np.log(1 / 0.5)
    for number in (1, 2):
        full, dropped, squared = TOY_BANDS[number]
        entropy = np.log(2 * np.pi * np.e) + np.log(5)
        assert full.low < entropy < full.high and entropy - full.low < 5 / np.sqrt(5000)
        assert dropped.low < entropy - np.log(2 * np.pi) < dropped.high
        assert squared.low < least_squared < squared.high
    assert TOY_BANDS[3][0].low < 1.333929


def test_missing_numbers_and_figures_are_looked_for_not_failed():
    verdict = graded([cell("train_vae()", said("done"))] + class_cells()[4:])
    assert codes(verdict, "A1", "LOOK") >= {"numbers_missing"} and not codes(verdict, "A1", "FAIL")
    verdict = graded(class_cells()[:6])
    assert codes(verdict, "B5", "LOOK") == {"figure_missing"}


def test_cells_out_of_order_not_executed_or_failing():
    cells = class_cells()
    cells[2]["execution_count"] = 40
    assert "order" in codes(graded(cells), "file", "LOOK")
    bare = [{**c, "outputs": []} for c in class_cells()]
    raw = json.dumps({"cells": [{**c, "execution_count": None} for c in bare]}).encode()
    verdict = grade_content(NAME, raw, Options()).verdict
    assert verdict["verdict"] == "FAIL" and "not_executed" in codes(verdict, "file", "FAIL")
    broken = class_cells()
    broken[-1]["outputs"] = [{"output_type": "error", "ename": "NameError", "evalue": "x", "traceback": []}]
    assert "error_output" in codes(graded(broken), "file", "FAIL")


def test_blank_and_repeated_figures():
    cells = class_cells()
    cells[-1]["outputs"] = [drawn(png(blank=True))]
    assert "figure_blank" in codes(graded(cells), "B5", "FAIL")
    cells = class_cells()
    cells[-1]["outputs"] = cells[-2]["outputs"]
    assert "figure_twice" in codes(graded(cells), "B5", "FAIL")
    cells = class_cells()
    cells[-1]["outputs"] *= 2  # the same figure shown twice by one cell is nobody's mistake
    assert graded(cells)["verdict"] == "PASS"
    cells = class_cells()
    cells[-3]["outputs"] = [drawn(png(77, 1, 2))]
    assert "figure_panels" in codes(graded(cells), "B3", "LOOK")


def test_static_signs_of_training_on_the_test_set_and_of_no_zero_grad():
    cells = class_cells()
    cells[0]["source"] = "train_loader = DataLoader(test_dataset1, batch_size=512)"
    assert "trains_on_test" in codes(graded(cells), "A2", "FAIL")
    cells[0]["source"] = "for x in test_loader:\n    loss(x).backward()\n    opt.step()\n    opt.zero_grad()"
    assert "trains_on_test" in codes(graded(cells), "A2", "FAIL")
    cells[0]["source"] = "for x in train_loader:\n    loss(x).backward()\n    opt.step()"
    assert "zero_grad" in codes(graded(cells), "A2", "FAIL")
    cells[0]["source"] = "def train(m, train_loader, test_loader):\n    for x in train_loader:\n" \
                         "        opt.zero_grad(); loss(x).backward(); opt.step()\n    for x in test_loader: m(x)"  # fmt: skip
    assert graded(cells)["verdict"] == "PASS"


@pytest.mark.parametrize("names", [("02_toy_vae", "04_mnist_beta_vae")])
def test_our_own_notebooks_joined_pass(names):
    assert grade_content(NAME, joined(), Options()).verdict["verdict"] == "PASS"


def joined() -> bytes:
    cells = [
        c for n in ("02_toy_vae", "04_mnist_beta_vae")
        for c in json.loads((ROOT / "notebooks" / f"{n}.ipynb").read_text(encoding="utf-8"))["cells"]
    ]  # fmt: skip
    for number, c in enumerate((c for c in cells if c["cell_type"] == "code"), start=1):
        c["execution_count"] = number
    return json.dumps({"cells": cells, "nbformat": 4}).encode()


def test_the_hand_computed_vae_is_graded_by_its_numbers():
    raw = (ROOT / "notebooks" / "01_numpy_vae.ipynb").read_bytes()
    verdict = grade_content("max_mustermann_numpy.ipynb", raw, Options()).verdict
    assert verdict["verdict"] == "PASS", verdict["tasks"]
    off = raw.replace(b"8.639", b"4.639").replace(b"8.69", b"4.69")
    verdict = grade_content("max_mustermann_numpy.ipynb", off, Options()).verdict
    assert verdict["tasks"]["standard"]["verdict"] == "PASS"


# ---------------------------------------------------------------- forgeries and hostile files


def test_forged_claims_are_worth_nothing():
    lie = "✓ holds | dataset 1: gap of -ELBO to the true density | measured 0.001 nats | accepted -0.01 to 0.05 (band: x)\n"
    cells = [cell("print('✓ holds')", said(lie * 20))]
    verdict = graded(cells)
    assert verdict["verdict"] != "PASS"
    assert all(t["verdict"] != "PASS" for name, t in verdict["tasks"].items() if name not in ("file",))


def test_a_forged_fingerprint_on_a_blank_picture_is_a_blank_picture():
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    for key in ("fingerprint", "vae-fingerprint", "figure"):
        info.add_text(key, json.dumps({"axes": [{"title": "Latent space", "artists": [{"kind": "scatter"}] * 4}] * 4}))
    buffer = io.BytesIO()
    Image.new("RGB", (400, 100), "white").save(buffer, "PNG", pnginfo=info)
    cells = class_cells()
    cells[-1]["outputs"] = [drawn(buffer.getvalue())]
    assert "figure_blank" in codes(graded(cells), "B5", "FAIL")


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(width: int = 60_000, height: int = 60_000) -> bytes:
    """A PNG of a few kilobytes whose header promises 3.6 gigapixels."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 1_000_000)) + chunk(b"IEND", b"")


def text_bomb() -> bytes:
    """A small picture with a compressed text that unpacks to 200 MB."""
    plain = io.BytesIO()
    Image.new("L", (8, 8), 128).save(plain, "PNG")
    raw = plain.getvalue()
    at = 8 + 25
    return raw[:at] + chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"\0" * 200_000_000, 9)) + raw[at:]


@pytest.mark.parametrize("picture", [bomb(), text_bomb(), b"\x89PNG\r\n\x1a\n" + b"x" * 100, b"", b"GIF89a", bomb(0, 5)],
                         ids=["pixels", "text", "broken", "empty", "gif", "no width"])  # fmt: skip
def test_hostile_pictures_cost_nothing_and_are_looked_at_by_a_person(picture):
    started = time.monotonic()
    cells = class_cells()
    cells[-1]["outputs"] = [drawn(picture)]
    made = grade_content(NAME, notebook(cells), Options())
    assert made.verdict["tasks"]["B5"]["verdict"] in ("LOOK", "FAIL") and time.monotonic() - started < 5
    assert all(evidence.safe_size(p) for _, p in made.pictures)


HOSTILE = {
    "deep": b'{"cells":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    "many cells": b'{"cells":[' + b'{"cell_type":"code"},' * 1_000_000 + b"{}]}",
    "many items": b'{"cells":[' + b"0," * 1_000_000 + b"0]}",
    "not json": b"\xff\xfe nonsense",
    "empty": b"",
    "a list": b"[]",
    "wrong types": json.dumps({"cells": [1, None, {"cell_type": "code", "source": {"a": 1}, "outputs": [3, {"output_type": "stream", "text": 5}], "execution_count": "x"}]}).encode(),
    "big number": b'{"cells": ' + b"9" * 100_000 + b"}",
    "pickle": b"\x80\x04\x95\x1e\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x8c\x06system\x93.",
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_files_get_a_verdict(kind):
    verdict = grade_content(NAME, HOSTILE[kind], Options()).verdict
    assert verdict["verdict"] in ("LOOK", "FAIL") and verdict["tasks"]["file"]["findings"]


def test_patterns_do_not_explode_on_long_lines():
    started = time.monotonic()
    for text in (
        "elbo " * 100_000,
        "ELBO" + " " * 500_000,
        "kl-" * 100_000,
        "1" * 500_000,
        "data " * 100_000,
        "loss" * 100_000,
    ):
        graded([cell(text, said(text + "\n" + text))])
    assert time.monotonic() - started < 20


def quiet() -> Console:
    return Console(quiet=True)


def test_links_special_files_and_names_with_path_parts(tmp_path):
    home = tmp_path / "in"
    home.mkdir()
    secret = tmp_path / "secret.ipynb"
    secret.write_bytes(notebook(class_cells()))
    (home / "link_link_a1.ipynb").symlink_to(secret)
    os.mkfifo(home / "pipe_pipe_a1.ipynb")
    names = [
        "..\\..\\evil_name_a1.ipynb",
        "=cmd()_x_a1.ipynb",
        "<script>alert(1)_x_a1.ipynb",
        "a\nb_c_a1.ipynb",
        "ä" * 80 + ".ipynb",
    ]
    for name in names:
        (home / name).write_bytes(notebook(class_cells()))
    out = tmp_path / "out"
    verdicts = grading.grade([str(home)], out, Options(), workers=1, console=quiet())
    assert len(verdicts) == len(names) + 2
    by_name = {v["file"]: v for v in verdicts}
    assert codes(by_name["link_link_a1.ipynb"], "file") == {"unreadable"}
    assert codes(by_name["pipe_pipe_a1.ipynb"], "file") == {"unreadable"}
    inside = {p.relative_to(out).parts[0] for p in out.rglob("*")}
    assert inside <= {"verdicts", "feedback", "figures", "expected", "grades.csv", "index.html"}
    assert {p.name for p in tmp_path.iterdir()} == {"in", "out", "secret.ipynb"}
    page = (out / "index.html").read_text(encoding="utf-8")
    assert "<script" not in page and "&lt;script&gt;" in page
    rows = list(csv.reader((out / "grades.csv").open(encoding="utf-8")))
    assert rows[0][:5] == ["file", "name", "assignment", "verdict", "file"] and len(rows) == len(verdicts) + 1
    assert not any(c.startswith(("=", "+", "@")) for row in rows for c in row)


# ---------------------------------------------------------------- a class


def hand_in(folder: Path, count: int) -> Path:
    folder.mkdir()
    for n in range(count):
        results = RESULTS if n % 3 else ("nothing", "to", "see")
        (folder / f"student_{'abcdefghij'[n % 10]}{n}_a1.ipynb").write_bytes(notebook(class_cells(results)))
    return folder


def test_a_class_leaves_verdicts_feedback_a_table_and_a_page_and_resumes(tmp_path, monkeypatch):
    folder, out = hand_in(tmp_path / "in", 4), tmp_path / "out"
    (folder / "broken_file_a1.ipynb").write_text("{not json")
    verdicts = grading.grade([str(folder)], out, Options(), workers=2, console=quiet())
    assert [v["verdict"] for v in verdicts].count("PASS") == 2 and len(verdicts) == 5
    assert len(list((out / "verdicts").iterdir())) == len(list((out / "feedback").iterdir())) == 5
    page = (out / "index.html").read_text(encoding="utf-8")
    assert page.index(">LOOK</span></summary>") < page.index(">PASS</span></summary>")
    assert "expected/part_b_reconstructions.png" in page and (out / "expected/part_b_reconstructions.png").is_file()

    calls = []
    monkeypatch.setattr(grading, "run_loky", lambda todo, *a: calls.append([e.path.name for e in todo]) or iter(()))
    grading.grade([str(folder)], out, Options(), workers=2, console=quiet())
    assert calls == [[]]  # nothing left to do
    next((out / "verdicts").glob("broken*")).unlink()
    (folder / "student_b1_a1.ipynb").write_bytes(notebook(class_cells(RESULTS[::-1])))  # handed in again
    grading.grade([str(folder)], out, Options(), workers=2, console=quiet())
    assert sorted(calls[1]) == ["broken_file_a1.ipynb", "student_b1_a1.ipynb"]


def test_feedback_names_what_is_wrong_and_escapes_what_it_quotes():
    cells = class_cells(("ELBO = 4.45188, KL = 0.17864, NLL = 4.27325 <b>*x*</b>", *RESULTS[1:]))
    text = feedback.markdown(graded(cells))
    assert HINTS["elbo_sign"] in text and "<b>" not in text.replace("\\<b\\>", "") and text.startswith("# max")


def test_a_mistake_of_ours_is_not_the_students(monkeypatch):
    monkeypatch.setattr(outputs, "judge", lambda *a: 1 / 0)
    verdict = graded(class_cells())
    assert verdict["verdict"] == "LOOK" and "the grader failed on it" in verdict["note"]


def test_the_command_line_says_what_it_needs(tmp_path):
    cli = CliRunner()
    empty = tmp_path / "empty"
    empty.mkdir()
    for arguments, words in (
        (["nowhere"], "does not exist"),
        ([str(empty)], "no notebook found"),
        ([str(hand_in(tmp_path / "in", 1)), "--assignment", "a9"], "no assignment 'a9'"),
        ([str(tmp_path / "in"), "--engine", "ray"], "expected loky or dask"),
        ([str(tmp_path / "in"), "--engine", "dask"], "needs --scheduler"),
    ):
        result = cli.invoke(app, ["grade", *arguments, "--out", str(tmp_path / "out")])
        assert result.exit_code == 1 and words in str(result.exception), arguments
    good = cli.invoke(app, ["grade", str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--workers", "1"])
    assert good.exit_code == 0 and "1 submissions: " in good.output and (tmp_path / "out" / "grades.csv").is_file()


@pytest.mark.slow
@pytest.mark.long
def test_three_hundred_submissions_take_less_than_a_minute_and_little_memory(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    raw = joined()
    for n in range(300):
        (folder / f"student_{chr(97 + n % 26)}{n}_a1.ipynb").write_bytes(raw)
    import psutil

    started, before = time.monotonic(), psutil.Process().memory_info().rss
    verdicts = grading.grade([str(folder)], tmp_path / "out", Options(), workers=2, console=quiet())
    seconds, grown = time.monotonic() - started, psutil.Process().memory_info().rss - before
    print(f"300 submissions: {seconds:.0f} s, {grown / 1e6:.0f} MB more in the grader's process", file=sys.stderr)
    assert len(verdicts) == 300 and {v["verdict"] for v in verdicts} == {"PASS"}
    assert seconds < 60 and grown < 300e6
    shutil.rmtree(tmp_path / "out")


@pytest.mark.slow
@pytest.mark.long
def test_a_dask_cluster_that_loses_a_worker_loses_no_verdict(tmp_path):
    distributed = pytest.importorskip("distributed")
    folder, out = hand_in(tmp_path / "in", 24), tmp_path / "out"
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        stored: list[str] = []
        plain = grading.store

        def store(where, e, made):
            stored.append(e.key)
            if len(stored) == 5:
                os.kill(next(iter(cluster.workers.values())).pid, 9)
            plain(where, e, made)

        grading.store = store
        try:
            options = Options()
            verdicts = grading.grade([str(folder)], out, options, engine="dask", scheduler=cluster.scheduler_address,
                                     console=quiet())  # fmt: skip
        finally:
            grading.store = plain
    assert len(verdicts) == 24 and len(stored) == len(set(stored)) == 24
    assert [v["verdict"] for v in verdicts].count("PASS") == 16
    assert not any(v["note"] for v in verdicts)
