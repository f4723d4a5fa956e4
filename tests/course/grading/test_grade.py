# ruff: noqa: E501, RUF005 made-up files stand on long lines
"""The grader on small notebooks made here: what is found in outputs, what hostile files do, what a class leaves."""

import contextlib
import csv
import io
import json
import os
import re
import shutil
from pathlib import Path

import nbformat
import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from course import assignments
from course.__main__ import app
from course.assignments import ASSIGNMENTS, HINTS
from course.assignments.a1 import ASSIGNMENT as A1
from course.assignments.a1 import TOY_BANDS
from course.assignments.a2 import NUMPY_MISTAKES, NUMPY_VALUES
from course.grading import evidence, feedback, outputs
from course.grading import grade as grading
from course.grading.corpus import attacks, grade_class, variants
from course.grading.corpus.attacks import bomb, text_bomb
from course.grading.corpus.notebooks import NAME, RESULTS, cell, class_cells, notebook, picture_output, png, text_output
from course.grading.grade import Options, grade_content
from course.handin import submit as submission

ROOT = Path(__file__).resolve().parents[3]


def graded(cells: list[dict], name: str = NAME, **options) -> dict:
    return grade_content(name, notebook(cells), Options(**options)).verdict


def codes(verdict: dict, task: str, level: str | None = None) -> set[str]:
    return {f["code"] for f in verdict["tasks"][task]["findings"] if level in (None, f["level"])}


# ---------------------------------------------------------------- the rubric


def test_every_hint_that_can_be_given_is_there_and_every_hint_can_be_given():
    modules = ("oracles", "outputs", "grading", "rubric")
    source = "".join((ROOT / "helpers" / "course" / f"{m}.py").read_text(encoding="utf-8") for m in modules)
    source = source[: source.index("HINTS = {")] + source[source.index("}  # fmt: skip", source.index("HINTS = {")) :]
    given = {word for word in HINTS if re.search(rf'"{word}[" ]', source)}
    assert given | {"trains_on_val"} == set(HINTS), set(HINTS) - given
    assert all(hint.endswith(".") and len(hint) < 130 for hint in HINTS.values())
    assert {c for m in variants.MISTAKES for c in m.codes} <= HINTS.keys()
    assert set(NUMPY_MISTAKES) <= HINTS.keys()


def test_the_tasks_are_those_that_submit_and_release_know():
    assert ASSIGNMENTS.keys() == assignments.ASSIGNMENTS.keys()
    for key, about in assignments.ASSIGNMENTS.items():
        assert {t.name for t in about.tasks} <= {t.name for t in ASSIGNMENTS[key].tasks}
    assert [t.name for t in A1.tasks] == ["file", "A1", "A2", "B1", "B2", "B3", "B4", "B5"]
    assert all(t.requires.endswith(".") for a in ASSIGNMENTS.values() for t in a.tasks)
    figures = {n for a in ASSIGNMENTS.values() for t in a.tasks for n in t.expected}
    assert all((ROOT / "student_figures" / "expected" / f"{n}.png").is_file() for n in figures)


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
    verdict = graded([cell("train_vae()", text_output("done"))] + class_cells()[4:])
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
    cells[-1]["outputs"] = [picture_output(png(blank=True))]
    assert "figure_blank" in codes(graded(cells), "B5", "FAIL")
    cells = class_cells()
    cells[-1]["outputs"] = cells[-2]["outputs"]
    assert "figure_twice" in codes(graded(cells), "B5", "FAIL")
    cells = class_cells()
    cells[-1]["outputs"] *= 2  # the same figure shown twice by one cell is nobody's mistake
    assert graded(cells)["verdict"] == "PASS"
    cells = class_cells()
    cells[-3]["outputs"] = [picture_output(png(77, 1, 2))]
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


@pytest.fixture(scope="module")
def own() -> dict[str, bytes]:
    """This repository's own submissions, with the outputs that are stored."""
    made = {}
    for key in assignments.ASSIGNMENTS:
        about = ASSIGNMENTS[key]
        nb, _ = submission.join(submission.stored_notebooks(about), about, "Max Mustermann", executed=False)
        made[key] = nbformat.writes(nb).encode()
    return made


@pytest.mark.parametrize("key", assignments.ASSIGNMENTS)
def test_our_own_submissions_pass_by_the_names_that_submit_gives(own, key):
    verdict = grade_content(f"max_mustermann_{key}.ipynb", own[key], Options()).verdict
    assert verdict["verdict"] == "PASS" and verdict["assignment"] == key, verdict["tasks"]


def test_a_downloaded_copy_is_graded_and_its_name_looked_at():
    verdict = graded(class_cells(), "max_mustermann_a1 (1).ipynb")
    assert verdict["assignment"] == "a1" and codes(verdict, "file", "LOOK") == {"file_name"}
    assert graded(class_cells(), "max_mustermann_final.ipynb")["tasks"]["file"]["verdict"] == "LOOK"


def test_the_hand_computed_vae_is_graded_by_its_numbers(own):
    off = own["a2"].replace(b"8.639", b"4.639").replace(b"8.69", b"4.69")
    verdict = grade_content("max_mustermann_a2.ipynb", off, Options()).verdict
    assert verdict["tasks"]["3"]["verdict"] == "PASS"


@pytest.mark.parametrize("mistake", [m for m in variants.MISTAKES if m.assignment == "a2"], ids=lambda m: m.name)
def test_mistakes_by_hand_are_named_by_their_numbers(mistake):
    if mistake.task != "1":  # whose points only a rerun can count
        assert mistake.codes[0] in {f.code for f in printed_by(mistake.swaps) if f.level == "FAIL"}


@pytest.mark.parametrize("name", variants.HONEST["a2"])
def test_honest_computations_by_hand_pass_by_their_numbers(name):
    assert {f.level for f in printed_by(variants.HONEST["a2"][name])} == {"PASS"}


def printed_by(swaps) -> list:
    """Findings about what the reference prints with these swaps: our own program, so it may run here."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        exec(variants.apply(swaps, variants.REFERENCES["a2"]), {})
    made = evidence.Submission("", "", None, [evidence.Cell("", 1, text.getvalue(), None, "")])
    return list(outputs.judge_numpy(made, "rerun: "))


def test_what_mistakes_make_of_the_numbers_is_right():
    """The closed forms against a million points."""
    rand, n = np.random.default_rng(0), 1_000_000
    x = rand.standard_normal((n, 2)) + [3, 2]

    def terms(spread, matrix_side=False):
        found = {}
        for task, W, b, a, c in (("3", 0.5 * np.eye(2), [-0.5, -0.25], 0.1, -1.0),
                                 ("4", np.array([[0.01, 0.01], [-0.01, -0.01]]), [0.05, -0.05], 0.0, -0.1)):  # fmt: skip
            mu, logvar = x @ (W if matrix_side else W.T) + b, a * x + c
            x_prime = 1.4 * (mu + spread(logvar) * rand.standard_normal((n, 2))) + [1.5, 1.0]
            kl = 0.5 * (np.exp(logvar) + mu**2 - logvar - 1)
            found[task] = {"L_recon": ((x - x_prime) ** 2).sum(1).mean(), "L_KL": kl.sum(1).mean()}
            found[task]["Loss"] = found[task]["L_recon"] + found[task]["L_KL"]
        return found

    right = terms(lambda v: np.exp(v / 2))
    for task, values in right.items():
        for name, value in values.items():
            mean, error = NUMPY_VALUES[task][name]
            assert value == pytest.approx(mean, abs=5 * error / np.sqrt(n / 1000))
    wrong = {
        "no_noise": terms(lambda v: 0 * v), "logvar_as_std": terms(lambda v: v), "std_no_half": terms(np.exp),
        "matrix_side": terms(lambda v: np.exp(v / 2), matrix_side=True),
    }  # fmt: skip
    for code, found in wrong.items():
        for task, values in NUMPY_MISTAKES[code].items():
            for name, value in values.items():
                assert value == pytest.approx(found[task][name], rel=0.01), (code, task, name)
    for code, factor, name in (("kl_no_half", 2, "L_KL"), ("kl_halved", 0.5, "L_KL"), ("kl_sign", -1, "L_KL"),
                               ("recon_mean", 0.5, "L_recon"), ("nll_sum_batch", 1000, "L_recon")):  # fmt: skip
        for task, values in NUMPY_MISTAKES[code].items():
            assert values[name] == pytest.approx(factor * NUMPY_VALUES[task][name][0], rel=1e-4)
    (recon, kl), (recon_c, kl_c) = ((NUMPY_VALUES[t]["L_recon"][0], NUMPY_VALUES[t]["L_KL"][0]) for t in "34")
    assert NUMPY_MISTAKES["loss_kl_sign"]["3"]["Loss"] == pytest.approx(recon - kl, abs=1e-5)
    beta = NUMPY_MISTAKES["beta_on_nll"]["5"].values()
    assert list(beta) == pytest.approx([0.2 * recon + kl, 0.2 * recon_c + kl_c], abs=1e-5)


# ---------------------------------------------------------------- forgeries and hostile files


def test_forged_claims_are_worth_nothing():
    verdict = graded([cell("print('✓ holds')", text_output(attacks.LIE * 20))])
    assert verdict["verdict"] != "PASS"
    assert all(t["verdict"] != "PASS" for name, t in verdict["tasks"].items() if name not in ("file",))


def test_a_forged_fingerprint_on_a_blank_picture_is_a_blank_picture():
    cells = class_cells()
    cells[-1]["outputs"] = [picture_output(attacks.forged_fingerprint())]
    assert "figure_blank" in codes(graded(cells), "B5", "FAIL")


@pytest.mark.parametrize("picture", [bomb(), text_bomb(), b"\x89PNG\r\n\x1a\n" + b"x" * 100, b"", b"GIF89a", bomb(0, 5)],
                         ids=["pixels", "text", "broken", "empty", "gif", "no width"])  # fmt: skip
def test_hostile_pictures_cost_nothing_and_are_looked_at_by_a_person(picture):
    cells = class_cells()
    cells[-1]["outputs"] = [picture_output(picture)]
    made = grade_content(NAME, notebook(cells), Options())
    assert made.verdict["tasks"]["B5"]["verdict"] in ("LOOK", "FAIL")
    assert all(evidence.safe_size(png) for _, png, _ in made.pictures)


HOSTILE = {
    "deep": attacks.DEEP,
    "many cells": attacks.MILLION,
    "many items": b'{"cells":[' + b"0," * 1_000_000 + b"0]}",
    "not json": b"\xff\xfe nonsense",
    "empty": b"",
    "a list": b"[]",
    "wrong types": json.dumps({"cells": [1, None, {"cell_type": "code", "source": {"a": 1}, "outputs": [3, {"output_type": "stream", "text": 5}], "execution_count": "x"}]}).encode(),
    "big number": b'{"cells": ' + b"9" * 100_000 + b"}",
    "pickle": attacks.PICKLE,
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_files_get_a_verdict(kind):
    verdict = grade_content(NAME, HOSTILE[kind], Options()).verdict
    assert verdict["verdict"] in ("LOOK", "FAIL") and verdict["tasks"]["file"]["findings"]


def test_patterns_do_not_explode_on_long_lines():
    """One that did would never end."""
    for text in (
        "elbo " * 100_000,
        "ELBO" + " " * 500_000,
        "kl-" * 100_000,
        "1" * 500_000,
        "data " * 100_000,
        "loss" * 100_000,
    ):
        assert graded([cell(text, text_output(text + "\n" + text))])["verdict"] != "PASS"


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
    summaries = re.findall(r"a1.ipynb</b> [^<]*<span class='(\w+)'", page)
    assert sorted(summaries, key=["LOOK", "FAIL", "PASS"].index) == summaries and len(summaries) == 5
    assert "expected/part_b_reconstructions.png" in page and (out / "expected/part_b_reconstructions.png").is_file()

    calls = []
    monkeypatch.setattr(grading, "run_loky", lambda todo, *a: calls.append([e.path.name for e in todo]) or iter(()))
    grading.grade([str(folder)], out, Options(), workers=2, console=quiet())
    assert calls == [[]]  # nothing left to do
    next((out / "verdicts").glob("broken*")).unlink()
    (folder / "student_b1_a1.ipynb").write_bytes(notebook(class_cells(RESULTS[::-1])))  # handed in again
    grading.grade([str(folder)], out, Options(), workers=2, console=quiet())
    assert sorted(calls[1]) == ["broken_file_a1.ipynb", "student_b1_a1.ipynb"]


def test_pictures_stand_beside_those_that_they_are_named_after():
    pairs = feedback.side_by_side([("x.png", ""), ("b.png", "two")], ["one", "two"])
    assert pairs == [("", "one"), ("b.png", "two"), ("x.png", "")]
    assert feedback.side_by_side([("x.png", "")], ["one", "two"]) == [("x.png", "one"), ("", "two")]


def test_a_figure_of_part_a_does_not_stand_for_one_of_part_b():
    cells = class_cells()
    cells[-3] = cell("plt.savefig('part_a_vae_dataset3_latent_space.png')", picture_output(png(5, 1, 1)))
    assert codes(graded(cells), "B3") == {"figure_missing"}


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
def test_of_three_hundred_submissions_none_is_lost_and_memory_stays_flat(tmp_path):
    found = grade_class.measure(tmp_path, 300, workers=2)
    assert len(found.verdicts) == 300 and {v["verdict"] for v in found.verdicts} == {"PASS"}
    early, late = grade_class.most(found.samples, 50, 150), grade_class.most(found.samples, 200, 300)
    assert sum(late) < 1.3 * sum(early) and early[0] < 1e9
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
