"""Handing in: small notebooks joined and run in an empty folder here, the real ones slowly below."""

import json
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from typer.testing import CliRunner

from course import assignments, paths
from course.__main__ import app
from course.assignments import Assignment, Task
from course.handin import submit as submission
from course.handin import validate as validation
from helpers.core.image_files import is_present

ROOT = Path(__file__).resolve().parents[3]
SET_UP = """
import sys
from pathlib import Path

sys.path[:0] = [str(p) for p in Path.cwd().parents if (p / "helpers").is_dir()]
"""
WHO = ("Jürgen", "Groß")


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """Two small notebooks of a small assignment, in place of the real ones."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    monkeypatch.setattr(paths, "NOTEBOOKS", folder)
    tasks = (Task("1", "measure a budget", "It is measured.", defines=("full",), prints=(("a budget", r"budget \d"),)),)
    monkeypatch.setitem(assignments.ASSIGNMENTS, "a9", Assignment("a9", "Small", ("01_first", "02_second"), tasks, ()))
    uses = "from helpers.core.settings import budget\n\nfull = budget(7)"
    put(folder / "01_first.ipynb", SET_UP, uses, "print('budget', full)")
    alone = """
import importlib, os
try:
    helpers = importlib.import_module("helpers")
except ImportError:
    helpers = None
print(helpers, os.environ.get("QUICK"), os.environ.get("FIGURE_HOOK"), os.listdir())"""
    put(folder / "02_second.ipynb", SET_UP, "from helpers.core.settings import is_quick\nis_quick()", alone)
    return folder


def put(path, *sources):
    cells = [new_markdown_cell(f"# {path.stem}")]
    for i, source in enumerate(sources, 1):
        outputs = [new_output("stream", text="budget 3\n")] if "print('budget'" in source else []
        cells.append(new_code_cell(source, execution_count=i, outputs=outputs))
    nbformat.write(new_notebook(cells=cells), path)


def read(path):
    return nbformat.read(path, as_version=4)


def test_joined_run_in_an_empty_folder_and_written_under_the_students_name(shelf, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("QUICK", "1")
    seen = []
    done = submission.submit(*WHO, "a9", out=tmp_path / "out", on_cell=lambda *args: seen.append(args[:2]))
    assert done.path == tmp_path / "out" / "juergen_gross_a9.ipynb" and done.notes == []
    nb = read(done.path)
    nbformat.validate(nb)
    code = [c for c in nb.cells if c.cell_type == "code"]
    assert [c.execution_count for c in code] == list(range(1, len(code) + 1))
    assert seen == [(i, len(code)) for i in range(len(code) + 1)]
    assert code[-1].outputs[0].text == "None None None []\n", "neither helpers nor variables nor files"
    assert any(c.outputs and c.outputs[0].text == "budget 7\n" for c in code)
    assert "**Jürgen Groß**" in nb.cells[0].source
    assert validation.validate(done.path) == []


def test_outputs_are_taken_over_where_asked_and_the_file_says_so(shelf, tmp_path):
    done = submission.submit(*WHO, "a9", out=tmp_path, execute=False)
    assert done.notes == ["The outputs were taken over from the notebooks' own runs; this file itself was not run."]
    text = done.path.read_text()
    assert "budget 3" in text and "was not run" in read(done.path).cells[0].source
    put(shelf / "02_second.ipynb", "x = 1", "y = 2")
    nb = read(shelf / "02_second.ipynb")
    nb.cells[-1].execution_count = 9
    nbformat.write(nb, shelf / "02_second.ipynb")
    with pytest.raises(submission.NotReady, match=r"02_second\.ipynb was not run once and in order"):
        submission.submit(*WHO, "a9", out=tmp_path, execute=False, force=True)


def test_an_existing_file_is_kept_unless_forced(shelf, tmp_path):
    path = tmp_path / "juergen_gross_a9.ipynb"
    path.write_text("mine")
    with pytest.raises(FileExistsError, match=r"exists already.*--force"):
        submission.submit(*WHO, "a9", out=tmp_path, execute=False)
    assert path.read_text() == "mine"
    submission.submit(*WHO, "a9", out=tmp_path, execute=False, force=True)
    assert path.read_text() != "mine"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("raise KeyError('gone')", "stopped with an error:(?s:.*)KeyError: 'gone'"),
        ("print('ghp_' + 36 * 'a')", "a GitHub token"),
    ],
)
def test_what_was_run_and_cannot_be_handed_in_is_kept_beside_its_place(shelf, tmp_path, source, message):
    put(shelf / "01_first.ipynb", "full = 1", "print('ten minutes')", source)
    with pytest.raises(submission.NotReady, match=message):
        submission.submit(*WHO, "a9", out=tmp_path / "out")
    (kept,) = (tmp_path / "out").iterdir()
    assert kept.name == "juergen_gross_a9.to-mend.ipynb" and "ten minutes\\n" in kept.read_text()


def test_what_needs_no_run_is_said_before_one(shelf, tmp_path, monkeypatch):
    monkeypatch.setattr(submission, "_execute", lambda *_: pytest.fail("it was run"))
    put(shelf / "01_first.ipynb", "empty = 1", "folder = '/home/max/data'", "print('budget', 7)")
    with pytest.raises(submission.NotReady, match=r"(?s)not run.*/home/max"):
        submission.submit(*WHO, "a9", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_to_is_noticed_before_the_run(shelf, tmp_path, monkeypatch):
    monkeypatch.setattr(submission, "_execute", lambda *_: pytest.fail("it was run"))
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="could not be written"):
        submission.submit(*WHO, "a9", out=tmp_path / "file" / "out")


def test_a_warning_in_a_students_cell_is_no_obstacle(shelf, tmp_path):
    warns = "import warnings\nwarnings.warn('mine', stacklevel=1)"
    prints = "if False:\n    drive.mount('/content/drive')\nprint('Mounted at /content' + '/drive')\nprint('budget', 7)"
    put(shelf / "01_first.ipynb", "full = 1", warns, prints)
    done = submission.submit(*WHO, "a9", out=tmp_path)
    assert done.path.is_file() and not done.notes, "folders that are the same for everybody are not worth a word"


def test_an_error_that_is_meant_stops_nothing(shelf, tmp_path):
    put(shelf / "01_first.ipynb", "full = 1", "1 / 0", "print('budget', 7)")
    nb = read(shelf / "01_first.ipynb")
    nb.cells[2].metadata["tags"] = ["raises-exception", "answer"]
    nbformat.write(nb, shelf / "01_first.ipynb")
    done = submission.submit(*WHO, "a9", out=tmp_path)
    assert any("ended in an error: ZeroDivisionError" in note for note in done.notes)
    assert ["raises-exception"] in [cell.metadata.get("tags") for cell in read(done.path).cells]


def test_people_of_one_name_can_hand_in(shelf, tmp_path):
    done = submission.submit("Sukarno", None, "a9", out=tmp_path, execute=False)
    assert done.path.name == "sukarno_sukarno_a9.ipynb" and "**Sukarno**" in read(done.path).cells[0].source
    shown = CliRunner().invoke(app, ["submit", "--first", "Sukarno", "--assignment", "a9", "--dry-run"])
    assert shown.output == "sukarno_sukarno_a9.ipynb\n"


def test_own_notebooks_and_own_implementations(shelf, tmp_path):
    mine = tmp_path / "mine.ipynb"
    put(mine, "from helpers.core.settings import budget", "def is_quick():\n    return True", "full = budget(7, 5)",
        "print('budget', full)")  # fmt: skip
    done = submission.submit(*WHO, "a9", out=tmp_path, notebooks=[mine])
    assert done.own == ["is_quick"] and "budget 5" in done.path.read_text()
    assert "your own in place of the helpers': is_quick" in submission.summary(done)
    (tmp_path / "broken.ipynb").write_text("{")
    for path, message in ((tmp_path / "broken.ipynb", "cannot|not a notebook"), (tmp_path / "no.ipynb", "there is no")):
        with pytest.raises(ValueError, match=message):
            submission.submit(*WHO, "a9", out=tmp_path, notebooks=[path], force=True)


def test_the_command_line(shelf, tmp_path):
    cli = CliRunner()
    names = ["submit", "--first", "Anna-Lena", "--last", "van Dyck", "--assignment", "a9", "--out", str(tmp_path)]
    dry = cli.invoke(app, [*names, "--dry-run"])
    assert dry.exit_code == 0 and dry.output == "annalena_vandyck_a9.ipynb\n" and not list(tmp_path.glob("*.ipynb"))
    done = cli.invoke(app, [*names, "--no-run"])
    assert done.exit_code == 0 and "written" in done.output and (tmp_path / "annalena_vandyck_a9.ipynb").is_file()
    again = cli.invoke(app, [*names, "--no-run"])
    assert again.exit_code == 1 and "exists already" in str(again.exception)
    odd = cli.invoke(app, ["submit", "--first", "../x", "--last", "y", "--assignment", "a1"])
    assert odd.exit_code == 1 and "Latin letters" in str(odd.exception)


@pytest.mark.parametrize("name", list(assignments.ASSIGNMENTS))
def test_the_stored_notebooks_hold_all_that_their_assignment_asks_for(name, tmp_path):
    done = submission.submit("Max", "Mustermann", name, out=tmp_path, execute=False)
    assert len(done.notes) == 1 and done.path.stat().st_size < 5_000_000


@pytest.mark.slow
@pytest.mark.parametrize("name", list(assignments.ASSIGNMENTS))
def test_a_submission_runs_in_an_empty_folder(name, tmp_path):
    """With small budgets, and without the helpers: only what requirements.txt installs is there."""
    if name in ("a1", "a4", "a5") and not (is_present("mnist") and is_present("fashion")):
        pytest.skip("a submission has no stand-in: it needs the genuine images")
    done = submission.submit("Max", "Mustermann", name, out=tmp_path, quick=True)
    assert all("a tutor will look at it" in note for note in done.notes), "small budgets leave doubts, and no more"
    assert "helpers." not in "".join(
        line for c in json.loads(done.path.read_text())["cells"] if c["cell_type"] == "code" for line in c["source"]
        if "import" in line
    )  # fmt: skip
