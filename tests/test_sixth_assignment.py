"""A sixth assignment is five new files and nothing else: added to a scratch copy, it goes through every verb."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).resolve().parents[1]
ADDED = Path(__file__).with_name("sixth_assignment")
COPIED = ("helpers", "course", "tests", "notebooks", "student_figures/expected")
CODE = (
    "import numpy as np\n\n"
    "from helpers import plots\n"
    "from helpers.coin import log_likelihood\n"
    "from helpers.notebook import claims, show",
    "flips = [1, 0] * 5\n"
    'print(f"log-likelihood of ten flips: {log_likelihood(flips, 0.5):.2f}")',
    "p = np.linspace(0.05, 0.95, 19)\n"
    "values = [log_likelihood(flips, q) for q in p]\n"
    'with claims("07_coin") as claim:\n    claim("p of the largest likelihood", p[np.argmax(values)])',
    'show(plots.lines({"log-likelihood": values}, x=p, xlabel="p", ylabel="nats", title="Ten flips"), '
    '"coin_likelihood", alt="A curve with its top at one half.")',
)  # fmt: skip
FORGOTTEN = {
    "notebooks/07_coin.ipynb": "a6 lacks notebooks/07_coin.ipynb",
    "helpers/coin.py": "a6 lacks helpers/coin.py",
    "helpers/checks/a6.py": "a6, task 1: no check log_likelihood in helpers/checks/a6.py",
    "course/assignments/a6.py": "notebooks/07_coin.ipynb stands in no table",
    "course/grading/a6": "a6, task 1: no check by outputs is called fair_coin",
}


def notebook() -> nbformat.NotebookNode:
    """The new notebook, not executed yet; its set-up cell is that of the others."""
    first = nbformat.read(ROOT / "notebooks" / "01_numpy_vae.ipynb", as_version=4).cells
    set_up = next(cell.source for cell in first if cell.cell_type == "code")
    cells = [new_markdown_cell("# The likelihood of a coin"), *map(new_code_cell, (set_up, *CODE))]
    nb = new_notebook(cells=cells)
    nb.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return nb


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """The project with five places added, and nothing changed."""
    folder = tmp_path_factory.mktemp("project")
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "sixth_assignment"))
    for name in ("pyproject.toml", "requirements.txt", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ADDED, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    nbformat.write(notebook(), folder / "notebooks" / "07_coin.ipynb")
    return folder


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("CI", None)
    return subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True)


def course(folder: Path, *arguments: str) -> str:
    done = python(folder, "-m", "course", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_it_goes_through_every_verb(copy):
    course(copy, "run", "07", "--inplace")  # what a maintainer does first: outputs and the expected figure
    assert (copy / "student_figures" / "expected" / "coin_likelihood.png").is_file()
    course(copy, "check", "07", "-n", "0")

    course(copy, "submit", "--first", "Max", "--last", "Mustermann", "--assignment", "6")
    file = copy / "max_mustermann_a6.ipynb"
    assert "ready to hand in" in course(copy, "validate", file.name)

    course(copy, "grade", file.name, "--assignment", "A6", "--workers", "1")
    row = (copy / "grades" / "grades.csv").read_text().splitlines()[1]
    assert row.startswith("max mustermann,,a6,PASS,graded,") and row.endswith(",PASS,PASS")
    wrong = file.read_text().replace("log-likelihood of ten flips: -6.93", "log-likelihood of ten flips: -5.00")
    (copy / "anna_falsch_a6.ipynb").write_text(wrong)
    course(copy, "grade", "anna_falsch_a6.ipynb", "--out", "others")
    feedback = next((copy / "others" / "feedback").glob("anna*")).read_text()
    assert "sums log p over heads" in feedback and "a6,FAIL" in (copy / "others" / "grades.csv").read_text()

    course(copy, "release", "student", "--assignment", "a6")
    student = copy / "student"
    assert "raise NotImplementedError" in (student / "helpers" / "coin.py").read_text()
    as_handed_out = python(student, "-m", "pytest", "-q", "tests/tasks/test_tasks.py")
    assert as_handed_out.returncode == 1 and "NotImplementedError" in as_handed_out.stdout, as_handed_out.stdout
    shutil.copy(ADDED / "helpers" / "coin.py", student / "helpers" / "coin.py")
    solved = python(student, "-m", "pytest", "-q", "tests/tasks/test_tasks.py")
    assert solved.returncode == 0, solved.stdout


@pytest.mark.slow
def test_whatever_is_forgotten_is_named(copy):
    tests = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/course/assignments/test_complete.py")
    assert python(copy, *tests).returncode == 0
    for place, sentence in FORGOTTEN.items():
        aside = copy / "aside"
        shutil.move(copy / place, aside)
        done = python(copy, *tests)
        shutil.move(aside, copy / place)
        assert done.returncode == 1 and sentence in done.stdout, f"{place}: {done.stdout[-2000:]}"
