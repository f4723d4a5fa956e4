"""A sixth assignment is a few new files and nothing else: added to a scratch copy, it goes through every verb."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
ADDED = Path(__file__).with_name("sixth_assignment")
COPIED = ("helpers", "course", "tests", "notebooks", "student_figures/expected")
FORGOTTEN = {
    "notebooks/07_coin.ipynb": "a6 lacks notebooks/07_coin.ipynb",
    "helpers/coin.py": "a6 lacks helpers/coin.py",
    "helpers/checks/a6.py": "a6, task 1: no check log_likelihood in helpers/checks/a6.py",
    "course/assignments/a6.py": "notebooks/07_coin.ipynb stands in no table",
    "course/grading/a6": "a6, task 1: no check by outputs is called fair_coin",
    "course/handout/sheets/a6.md": "a6 lacks course/handout/sheets/a6.md",
    "tests/helpers/checks/other_a6.py": "a6 lacks tests/helpers/checks/other_a6.py",
}


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """The project with the new files added, and nothing changed."""
    folder = tmp_path_factory.mktemp("project")
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "sixth_assignment"))
    for name in ("pyproject.toml", "requirements.txt", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ADDED, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(folder)}
    for name in ("CI", "PYTHONDONTWRITEBYTECODE"):  # twenty processes read one copy: it is compiled once
        environment.pop(name, None)
    return subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True)


def course(folder: Path, *arguments: str) -> str:
    done = python(folder, "-m", "course", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_its_set_up_cell_is_that_of_the_others():
    first, stored = (
        next(cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code")
        for path in (ROOT / "notebooks" / "01_numpy_vae.ipynb", ADDED / "notebooks" / "07_coin.ipynb")
    )
    assert stored.source == first.source and stored.metadata == first.metadata


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
    assert row.startswith('"max mustermann","","a6","PASS","graded",') and row.endswith(',"PASS","PASS"')
    wrong = file.read_text().replace("log-likelihood of ten flips: -6.93", "log-likelihood of ten flips: -5.00")
    (copy / "anna_falsch_a6.ipynb").write_text(wrong)
    course(copy, "grade", "anna_falsch_a6.ipynb", "--out", "others")
    feedback = next((copy / "others" / "feedback").glob("anna*")).read_text()
    assert "sums log p over heads" in feedback and '"a6","FAIL"' in (copy / "others" / "grades.csv").read_text()

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
    options = ("-q", "-p", "no:cacheprovider", "-p", "no:nbval")
    tests = ("-m", "pytest", *options, "tests/course/assignments/test_complete.py")
    assert python(copy, *tests).returncode == 0
    for place, sentence in FORGOTTEN.items():
        aside = copy / "aside"
        shutil.move(copy / place, aside)
        done = python(copy, *tests)
        shutil.move(aside, copy / place)
        assert done.returncode == 1 and sentence in done.stdout, f"{place}: {done.stdout[-2000:]}"


@pytest.mark.slow
def test_the_tests_take_it_as_they_take_the_others(copy):
    tests = ("tests/course/assignments", "tests/helpers/checks")
    options = ("-q", "-p", "no:cacheprovider", "-m", "not slow and not long", "-k", "a6 or tables")
    done = python(copy, "-m", "pytest", *options, *tests)
    assert done.returncode == 0, done.stdout[-3000:]
