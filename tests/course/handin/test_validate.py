"""What a finished notebook is told: a good one made by hand, and one thing wrong with it at a time."""

import json
import re
import subprocess
import sys
import time
import tracemalloc
from itertools import chain
from pathlib import Path

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from typer.testing import CliRunner

from course.__main__ import app
from course.assignments import ASSIGNMENTS
from course.grading.corpus.notebooks import RESULTS, clouds, picture_output, png
from course.handin import validate as validation


def picture(rows=1, columns=3, seed=0):
    return new_output("display_data", data=picture_output(png(seed, rows, columns))["data"])


def drawn(name, seed):
    return (
        new_output("display_data", data=picture_output(clouds(seed))["data"])
        if "samples" in name
        else picture(seed=seed)
    )


MODEL = """
class VAE(nn.Module):
    def forward(self, x):
        ### START CODE HERE ###
        z = x
        ### END CODE HERE ###
        return z

    def sample(self, n):
        return n
"""
AUTOENCODER = """
class Encoder(nn.Module):
    def forward(self, x):
        return x

class Decoder(nn.Module):
    def forward(self, x):
        return x

class Autoencoder(nn.Module):
    pass

def train_ae(autoencoder, data, opt, num_epochs=20):
    for x, _ in data:
        loss = ((autoencoder(x) - x) ** 2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    return autoencoder
"""
START, END = "### START CODE HERE ###", "### END CODE HERE ###"
FIGURES = [
    name for name in chain.from_iterable(t.figures for t in ASSIGNMENTS["a1"].tasks) if name.startswith("part_a")
]


def by_hand():
    """A submission as the assignment's template leads to it: pyplot, savefig, no helpers."""
    cells = [
        new_markdown_cell("# My solution"),
        new_code_cell("%matplotlib inline\nimport torch\nfrom torch import nn\nimport matplotlib.pyplot as plt"),
        new_code_cell(MODEL),
        new_code_cell(
            "def train_vae(model):\n    return model.beta", outputs=[new_output("stream", text="".join(RESULTS))]
        ),
        *(
            new_code_cell(f"plt.savefig(outdir / '{name}.png', bbox_inches='tight')", outputs=[drawn(name, n)])
            for n, name in enumerate(FIGURES)
        ),
        new_code_cell(AUTOENCODER),
        new_code_cell("ae = train_ae(Autoencoder(), None, None)\nvaes = {b: train_vae(VAE()) for b in (1, 3, 10)}"),
        new_code_cell(
            "def plot_latent2D(model, data):\n    plt.scatter(1, 2)\n\nplot_latent2D(ae, None)",
            outputs=[picture(1, 4, 31)],
        ),
        new_code_cell(
            "def plot_reconstructed(model):\n    return 1\n\nplot_reconstructed(ae)", outputs=[picture(1, 4, 32)]
        ),
        new_code_cell("def interpolate(model):\n    return 1\n\ninterpolate(ae)", outputs=[picture(4, 1, 33)]),
        new_code_cell(""),
    ]
    return numbered(new_notebook(cells=cells))


def numbered(nb):
    code = [c for c in nb.cells if c.cell_type == "code" and c.source]
    for i, cell in enumerate(code, 1):
        cell.execution_count = i
    return nb


def cell_with(nb, text):
    return next(c for c in nb.cells if text in c.source)


def texts(content, assignment="a1"):
    content = nbformat.writes(content).encode() if isinstance(content, dict) else content
    return [f.text for f in validation.check(content, assignment) if f.problem]


def test_a_good_notebook_made_by_hand_is_ready(tmp_path):
    path = tmp_path / "max_mustermann_a1.ipynb"
    nbformat.write(by_hand(), path)
    assert validation.validate(path) == []
    run = CliRunner().invoke(app, ["validate", str(path)])
    assert run.exit_code == 0 and "ready to hand in" in run.output


def mistake(change):
    nb = by_hand()
    change(nb)
    return nb


def set_source(text, new):
    return lambda nb: cell_with(nb, text).update(source=new)


def swap_runs(nb):
    first, second = cell_with(nb, "class VAE"), cell_with(nb, "def train_vae")
    first.execution_count, second.execution_count = second.execution_count, first.execution_count


def later_counts(nb):
    for cell in nb.cells[5:]:
        if cell.cell_type == "code" and cell.execution_count:
            cell.execution_count += 3


def without(text):
    def change(nb):
        nb.cells.remove(cell_with(nb, text))
        numbered(nb)

    return change


def add(cell):
    def change(nb):
        nb.cells.append(cell)
        numbered(nb)

    return change


def error(nb):
    cell_with(nb, "ae = train_ae").outputs = [
        new_output("error", ename="ValueError", evalue="wrong \x1b[31mshape\x1b[0m", traceback=[])
    ]


MISTAKES = {
    "unrun": (
        lambda nb: cell_with(nb, "def train_vae").update(execution_count=None),
        r"You have not run cell 4 \(def tr",
    ),
    "none run": (
        lambda nb: [c.update(execution_count=None, outputs=[]) for c in nb.cells if "outputs" in c],
        "No cell has been run",
    ),
    "out of order": (swap_runs, r"out of order: cell 4 \(def train_vae.* as number 2, before cell 3"),
    "error": (error, r"Cell 13 \(ae = train_ae.* ended in an error: ValueError: wrong shape"),
    "no Python": (set_source("def train_vae", "def train_vae(:"), "Cell 4 .* is not valid Python"),
    "missing task": (without("def plot_latent2D"), r"Task B3 \(draw the latent spaces .*was not found"),
    "one beta": (
        set_source("ae = train_ae", "ae = train_ae(Autoencoder(), None, None)\nvaes = train_vae(VAE())"),
        "Task B2 .*beta",
    ),
    "no results": (lambda nb: cell_with(nb, "def train_vae").update(outputs=[]), "Task A1 .*No printed result"),
    "stub": (
        set_source("class VAE", MODEL.replace("z = x", "raise NotImplementedError('A1')")),
        "The file .*forward is still a stub",
    ),
    "pass": (set_source("def train_vae", "def train_vae(m):\n    '''doc'''\n    pass"), "train_vae is still a stub"),
    "empty region": (
        set_source("def train_vae", f"def train_vae(m):\n    {START}\n    {END}\n    return m"),
        "Cell 4 .*nothing stands between START and END",
    ),
    "no picture": (lambda nb: cell_with(nb, "def interpolate").update(outputs=[]), "Task B5 .*was not found"),
    "emptied": (set_source("def interpolate", ""), r"Cell \d+ shows an output, but the code that made it is gone"),
    "comments only": (set_source("def interpolate", "# todo"), "the code that made it is gone"),
    "no Python that shows something": (set_source("def interpolate", "interpolate(("), "not valid Python"),
    "path": (add(new_code_cell("d = '/home/max/data'")), r"code of cell 18 .* one machine \(/home/max\)"),
    "Windows path": (add(new_code_cell("d = 'C:\\\\Users\\\\Max\\\\data'")), "one machine"),
    "path in text": (add(new_markdown_cell("![f](/home/max/x.png)")), "The text of cell 18 names"),
    "secret": (add(new_code_cell("t = 'ghp_" + "a" * 36 + "'")), "looks like a GitHub token"),
    "key": (add(new_markdown_cell("-----BEGIN RSA PRIVATE KEY-----")), "a private key"),
    "password": (add(new_code_cell('db_password = "hunter22"')), "looks like a password"),
    "helpers": (add(new_code_cell("from helpers.toy_vae import VAE")), "imports the helpers"),
    "no code": (lambda nb: nb.update(cells=[new_markdown_cell("x")]), "no code cells"),
    "no cells": (lambda nb: nb.update(cells=[]), "The notebook has no cells"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_each_mistake_is_named(name):
    change, message = MISTAKES[name]
    sentences = texts(mistake(change))
    assert any(re.search(message, text, re.DOTALL) for text in sentences), sentences
    assert not any("ghp_" in text or "hunter22" in text for text in sentences), "a secret is not repeated"


WARNINGS = {  # that a student's own cell, or Python's library, prints
    "Windows": "C:\\Users\\Max\\AppData\\Local\\Temp\\ipykernel_4711\\12.py:1: UserWarning: mine\n",
    "library": "/opt/conda/lib/python3.11/random.py:370: DeprecationWarning: non-integer arguments\n",
    "own": "saved to /Users/max/fig.png\n",
}


@pytest.mark.parametrize("name", WARNINGS)
def test_a_path_in_an_output_is_a_note(name):
    nb = by_hand()
    nb.cells.append(new_code_cell("x", outputs=[new_output("stream", name="stderr", text=WARNINGS[name])]))
    (remark,) = validation.check(nbformat.writes(numbered(nb)).encode(), "a1")
    assert not remark.problem and "names a folder of one machine" in remark.text


def test_an_error_that_is_meant_is_a_note():
    nb = by_hand()
    error(nb)
    cell_with(nb, "ae = train_ae").metadata["tags"] = ["raises-exception"]
    (remark,) = validation.check(nbformat.writes(numbered(nb)).encode(), "a1")
    assert not remark.problem and "ended in an error: ValueError" in remark.text


def test_stripped_of_its_outputs_a_notebook_is_told_that_and_no_more():
    nb = by_hand()
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    (sentence,) = texts(nb)
    assert sentence.startswith("No cell has been run")


def test_a_table_is_an_output_as_good_as_a_printed_line():
    """Colab counts nothing, and pandas may print nothing beside its table: the notebook was run all the same."""
    table = new_output("display_data", data={"text/html": "<table><tr><td>KL</td><td>1.25</td></tr></table>"})
    nb = new_notebook(cells=[new_code_cell("display(results)", outputs=[table])])
    said = [remark.text for remark in validation.check(nbformat.writes(nb).encode(), "a2")]
    assert any("as files of Colab do" in text for text in said) and not any("No cell has been run" in t for t in said)


NOTES = {
    "run twice": (later_counts, "run more than once, or some are gone: the numbers go from 1 to 18 over 15 cells"),
    "two classes": (add(new_code_cell("class VAE:\n    pass")), "class VAE is defined 2 times, in cells 3, 18"),
    "two functions": (add(new_code_cell("def train_vae():\n    return 1")), "function train_vae is defined 2 times"),
    "show": (add(new_code_cell('show(fig, "my_figure", alt="x")')), "shows my_figure, but no picture"),
    "Colab": (lambda nb: [c.update(execution_count=None) for c in nb.cells if "outputs" in c], "as files of Colab do"),
    "newer Python": (add(new_code_cell("d = {'a': 1}\nprint(f'{d['a']}')")), "newer Python"),
    "SVG": (lambda nb: as_svg(nb, "def interpolate"), "Task B5 .*a tutor will look at it"),
}


def as_svg(nb, text):
    cell_with(nb, text).outputs = [new_output("display_data", data={"image/svg+xml": "<svg/>"})]


@pytest.mark.parametrize("name", NOTES)
def test_what_a_tutor_lets_pass_is_a_note(name):
    change, message = NOTES[name]
    nb = mistake(change)
    remarks = validation.check(nbformat.writes(nb).encode(), "a1")
    assert not any(remark.problem for remark in remarks), remarks
    assert any(re.search(message, remark.text, re.DOTALL) for remark in remarks), remarks


def test_nothing_else_is_said_about_what_is_no_mistake():
    harmless = [
        new_code_cell("u = 'https://example.org/home/max'; r = 3 / 4; tokenizer = 'a-long-name'; p = '/100'"),
        new_markdown_cell("$\\mathbb{E}/home$ and a/tmp/b, at 50 %/work"),
        new_code_cell("drive.mount('/content/drive')", outputs=[new_output("stream", text="/kaggle/working/x.png")]),
        new_code_cell("x", outputs=[new_output("stream", text="/tmp/ipykernel_4711/1.py:1: UserWarning: old")]),
        new_code_cell(
            "x", outputs=[new_output("stream", name="stderr", text="/usr/lib/python3/dist-packages/tqdm/a.py: W\n")]
        ),
        new_code_cell("def helper(): return 1"),
        new_code_cell("def helper(): return 2"),
    ]
    nb = by_hand()
    nb.cells += harmless
    assert texts(numbered(nb)) == []


BROKEN = {
    "empty": (b"  ", "The file is empty"),
    "cut off": (nbformat.writes(new_notebook(cells=[new_markdown_cell(500 * "x")])).encode()[:500], "breaks off or is"),
    "zip": (b"PK\x03\x04...", "zip archive: hand in the notebook itself"),
    "html": (b"\n<!DOCTYPE html><html>", "web page"),
    "Latin-1": ('{"a": "ü"}'.encode("latin-1"), "not text in UTF-8"),
    "a list": (b"[1, 2]", "no notebook"),
    "number": (b'{"nbformat": 4, "cells": 3}', "list of at most"),
    "old": (b'{"nbformat": 3, "worksheets": []}', r"an old format \(nbformat 3, expected 4\)"),
    "newer": (b'{"nbformat": 5, "cells": []}', "unknown, newer format"),
    "deep": (b"[" * 100_000, "nested too deeply|damaged"),
    "long number": (b"1" * 100_000, "nested too deeply, or holds too long a number"),
    "many cells": (json.dumps({"nbformat": 4, "nbformat_minor": 5, "cells": [{}] * 2001}).encode(), "at most 2000"),
    "strange cell": (b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": 3}]}', "cell 1 has no text"),
    "strange output": (
        b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": "x", "outputs": [{"output_type": "stream"}]}]}',
        "an output of cell 1 is of no known kind",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_notebook_is_told_what_it_is(name):
    content, message = BROKEN[name]
    (text,) = texts(content)
    assert re.search(message, text), text


KEYS = ("cells", "cell_type", "source", "outputs", "output_type", "data", "text", "execution_count", "traceback")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=20,
)
CELLS = st.fixed_dictionaries(
    {"cell_type": st.sampled_from(["code", "markdown", "raw", "x"]), "source": st.text(max_size=30) | JSON},
    optional={"outputs": st.lists(JSON, max_size=3) | JSON, "execution_count": JSON, "metadata": JSON},
)


@settings(max_examples=100, deadline=None)
@given(st.lists(CELLS | JSON, max_size=4), JSON)
def test_no_notebook_however_strange_stops_the_check(cells, metadata):
    content = json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells}).encode()
    assert all(isinstance(f.text, str) for f in validation.check(content, "a1"))


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=200))
def test_no_file_however_strange_stops_the_check(content):
    assert validation.check(content, "a1")


def test_a_secret_is_not_repeated_where_an_error_is_cut_short():
    nb = by_hand()
    error = new_output("error", ename="E", evalue=f"{'x' * 172} ghp_{'a' * 36}", traceback=[])
    nb.cells.append(new_code_cell("y", outputs=[error]))
    assert not any("ghp_" in text for text in texts(numbered(nb)))


LONG = {
    "a line of hashes in a task": lambda n: (f"{START}\n{'#' * n}\nx = 1\n{END}", ""),
    "no blank": lambda n: ("x", "a" * n),
    "parts of packages": lambda n: ("x", "dist" * (n // 4)),
    "parts of tokens": lambda n: ("x", "eyJ-" * (n // 4)),
    "parts of addresses": lambda n: ("x", "a+" * (n // 2)),
    "parts of passwords": lambda n: ("x", "token_" * (n // 6)),
    "claims without an end": lambda n: ("x", "– not judged: " * (n // 14)),
    "words without a number": lambda n: ("x", "loss L_recon L_KL ELBO " * (n // 23)),
    "commands": lambda n: ("!ls\n" * (n // 40), ""),
}


@pytest.mark.parametrize("name", LONG)
def test_time_grows_as_the_notebook_does(name):
    def seconds(size):
        source, printed = LONG[name](size)
        cell = new_code_cell(source, execution_count=1, outputs=[new_output("stream", text=printed)])
        content = nbformat.writes(new_notebook(cells=[cell])).encode()
        start = time.process_time()  # a busy machine is no reason to fail
        for assignment in ASSIGNMENTS:
            validation.check(content, assignment)
        return time.process_time() - start

    limit = 100 * seconds(1750) + 0.05
    assert any(seconds(28_000) < limit for _ in range(3)), "quadratic time would grow 256 times"


def test_a_large_file_is_refused_with_the_cells_named_that_make_it_so(tmp_path, monkeypatch):
    monkeypatch.setattr(validation, "LARGEST_FILE", 2_000_000)
    nb = by_hand()
    cell_with(nb, "def train_vae").outputs = [new_output("stream", text='line "1"\n' * 200_000)]
    cell_with(nb, "class VAE").outputs = [new_output("stream", text='a "quoted" backslash \\' * 40_000)]
    path = tmp_path / "max_mustermann_a1.ipynb"
    path.write_text(nbformat.writes(nb))
    (remark,) = validation.validate(path)
    assert remark.problem and "MB, at most 2 MB are taken" in remark.text
    assert "Cell 4 has 1.8 MB of output; cell 3 has 0.9 MB of output." in remark.text, remark.text


def test_of_200_mb_nothing_is_read(tmp_path):
    path = tmp_path / "max_mustermann_a1.ipynb"
    with path.open("wb") as file:
        file.truncate(200_000_000)
    tracemalloc.start()
    (remark,) = validation.validate(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert remark.problem and peak < 1_000_000 and "The file has 200 MB" in remark.text


def test_a_damaged_large_file_is_told_what_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(validation, "LARGEST_FILE", 10)
    path = tmp_path / "max_mustermann_a1.ipynb"
    path.write_bytes(b'{"cells": [{"outputs": ["' + b"x" * 1000)
    (remark,) = validation.validate(path)
    assert "breaks off or is damaged" in remark.text


def test_a_figure_stored_as_svg_is_there():
    nb = by_hand()
    for cell in nb.cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                output["data"] = {"image/svg+xml": "<svg/>", "text/plain": "<Figure>"}
    assert texts(nb) == []


@pytest.mark.parametrize("name", ["Max_Mustermann_A1.ipynb", "MAX_MUSTERMANN_a1.ipynb", "Jürgen_Groß_a1.ipynb"])
def test_a_spelling_that_is_not_the_courses_is_a_note(tmp_path, name):
    nbformat.write(by_hand(), tmp_path / name)
    (note,) = validation.validate(tmp_path / name)
    assert not note.problem and "own spelling of it is" in note.text
    assert validation.validate(tmp_path / name, "A1") == validation.validate(tmp_path / name, "1") == [note]


def test_the_files_name_is_checked_and_says_the_assignment(tmp_path):
    nbformat.write(by_hand(), tmp_path / "Solution (1).ipynb")
    name, unknown = validation.validate(tmp_path / "Solution (1).ipynb")
    assert "name_surname_a1.ipynb" in name.text and "cannot be told" in unknown.text
    assert validation.validate(tmp_path / "Solution (1).ipynb", "a1") == [name]
    nbformat.write(by_hand(), tmp_path / "max_mustermann_a7.ipynb")
    (no_such,) = validation.validate(tmp_path / "max_mustermann_a7.ipynb")
    assert "no assignment a7" in no_such.text
    nbformat.write(by_hand(), tmp_path / "max_mustermann_a2.ipynb")
    other = [f.text for f in validation.validate(tmp_path / "max_mustermann_a2.ipynb", "a1")]
    assert other == ["The file's name says a2, but you are handing in a1."]


def test_notes_are_no_problems():
    cell = new_code_cell("x", outputs=[new_output("stream", text="✗ FAILS | a | b\n– not judged: quick run | c |\n")])
    remarks = validation.check(nbformat.writes(mistake(add(cell))).encode(), "a1")
    assert [f.problem for f in remarks] == [False, False]


def test_the_command_line_says_what_is_missing_and_fails(tmp_path):
    path = tmp_path / "max_mustermann_a1.ipynb"
    nbformat.write(mistake(without("def interpolate")), path)
    run = CliRunner().invoke(app, ["validate", str(path)])
    assert run.exit_code == 1 and "to mend" in run.output and "Task B5" in run.output
    missing = CliRunner().invoke(app, ["validate", str(tmp_path / "none.ipynb")])
    assert missing.exit_code == 1 and "there is no file" in str(missing.exception)


def test_every_assignment_has_its_notebooks_modules_and_own_task_names():
    root = Path(__file__).resolve().parents[3]
    for assignment in ASSIGNMENTS.values():
        assert all((root / "helpers" / f"{module}.py").is_file() for module in assignment.modules)
        assert len({t.name for t in assignment.tasks}) == len(assignment.tasks)


def test_validating_imports_neither_torch_nor_scikit_learn_nor_matplotlib(tmp_path):
    path = tmp_path / "max_mustermann_a1.ipynb"
    nbformat.write(by_hand(), path)
    script = (
        "import sys; from course.__main__ import app\n"
        "try: app(['validate', sys.argv[1]])\n"
        "except SystemExit as end: print(end.code, sorted({'torch', 'sklearn', 'matplotlib'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    assert run.stdout.strip().endswith("0 []"), run.stdout + run.stderr


def test_a_function_of_another_name_does_not_keep_from_handing_in():
    def renamed(nb):
        for cell in nb.cells:
            cell.source = cell.source.replace("def plot_latent2D", "figure = 'part_b_latent_space'\ndef draw_codes")

    assert texts(mistake(renamed)) == []


def test_several_files_and_folders_are_told_apart(tmp_path):
    folder = tmp_path / "mine"
    for name in ("max_mustermann_a1.ipynb", "sub/erika_muster_a1.IPYNB"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(nbformat.writes(by_hand()))
    for hidden in (".ipynb_checkpoints/max_mustermann_a1.ipynb", "__MACOSX/._max_mustermann_a1.ipynb"):
        (folder / hidden).parent.mkdir()
        (folder / hidden).write_bytes(b"x")
    other = tmp_path / "jo_doe_a1.ipynb"
    other.write_bytes(b"{}")
    run = CliRunner().invoke(app, ["validate", str(folder), str(other)])
    assert run.exit_code == 1
    assert "2 of 3 files are ready to hand in; still to mend: jo_doe_a1.ipynb" in run.stdout
    assert run.stdout.count("ready to hand in\n") == 2 and "checkpoints" not in run.stdout
    assert CliRunner().invoke(app, ["validate", str(folder)]).exit_code == 0
    (tmp_path / "empty").mkdir()
    empty = CliRunner().invoke(app, ["validate", str(tmp_path / "empty")])
    assert "there is no notebook (.ipynb) in the folder" in str(empty.exception)
