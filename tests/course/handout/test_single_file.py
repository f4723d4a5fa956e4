"""The single-file student version: open as handed out, solvable from its text, on Colab and in Jupyter, and handed in."""

import ast
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest
from typer.testing import CliRunner

from course.__main__ import app
from course.assignments import ASSIGNMENTS
from course.handin import last_cell
from course.handout.kit import kit
from course.handout.regions import END, START
from course.handout.sheet import SHEETS, cells_of, notebook_of
from course.notebooks.running import client_of, without_packages

ROOT = Path(__file__).resolve().parents[3]
URL = "https://github.com/course/vae-2026"
SHEETED = [key for key in ASSIGNMENTS if (SHEETS / f"{key}.md").is_file()]
BUDGETS = {  # assigned numbers, and smaller ones that still come out in the graders' bands
    "batch_size, lr, num_epochs = 512, 1e-2, 10": "batch_size, lr, num_epochs = 512, 1e-2, 4",
    "batch_size, lr, num_epochs = 500, 1e-4, 10": "batch_size, lr, num_epochs = 500, 2e-3, 2",
    "num_epochs = 15\n": "num_epochs = 12\n",
    "num_epochs = 2, 15\n": "num_epochs = 2, 12\n",
    "data[:, None] / 255, digits.targets": "data[:8000, None] / 255, digits.targets[:8000]",
}
COLAB = {
    "__init__.py": "",
    "files.py": "def download(path):\n    print('the browser downloads', path)\n",
    "_message.py": """import json, os
def blocking_request(name, request='', timeout_sec=None):
    assert name == 'get_ipynb'
    return {'ipynb': json.load(open(os.environ['SAVED']))}
""",
}


def released(key, **options):
    return nbformat.reads(notebook_of(ASSIGNMENTS[key], URL, **options), as_version=4)


def code(nb):
    return [cell for cell in nb.cells if cell.cell_type == "code"]


def put_in(nb, solution):
    """Replace the cells with a task in them by those of a solution, in order."""
    cells = [part.strip("\n") for part in re.split(r"^# %%.*$", solution, flags=re.MULTILINE)[1:]]
    still_open = [cell for cell in code(nb) if START in cell.source]
    for cell, source in zip(still_open, cells, strict=True):
        cell.source = source
    return nb


def with_small_budgets(nb):
    text = json.dumps("\n".join(cell.source for cell in code(nb)))
    assert sum(json.dumps(old)[1:-1] in text for old in BUDGETS) == len(BUDGETS) - 1, "the budgets are found"
    for cell in code(nb):
        for old, new in BUDGETS.items():
            cell.source = f"{cell.source}\n".replace(old, new).removesuffix("\n")
    return nb


def run(nb, folder, **environment):
    """Run a notebook in an empty folder, without our packages; save it before its last cell, as a student does."""
    path = folder / "a1.ipynb"
    (folder / "data").mkdir()
    (folder / "data" / "MNIST").symlink_to(ROOT / "data" / "MNIST")
    env = without_packages({**os.environ, "TQDM_DISABLE": "1", "SAVED": str(path)}, folder / "without")
    env["PYTHONPATH"] = os.pathsep.join([env["PYTHONPATH"], environment.pop("PYTHONPATH", "")]).rstrip(os.pathsep)
    env |= environment
    client = client_of(nb, folder)
    with client.setup_kernel(env=env):
        for i, cell in enumerate(nb.cells):
            if cell is nb.cells[-1]:
                nbformat.write(nb, path)
            if cell.cell_type == "code":
                client.execute_cell(cell, i)
    return nb


def printed(nb):
    texts = [output.get("text", "") for cell in code(nb) for output in cell.outputs]
    return "".join(texts)


def assert_right_and_handed_in(nb, folder, checks):
    text = printed(nb)
    assert not re.search("^[✗?…]", text, re.MULTILINE), text
    assert len(re.findall("^✓", text, re.MULTILINE)) == checks, text
    assert "Your file is called max_mustermann_a1.ipynb." in text
    assert "max_mustermann_a1.ipynb: ready to hand in" in text, text
    handed_in = folder / "max_mustermann_a1.ipynb"
    assert not [cell for cell in nbformat.read(handed_in, 4).cells if "hand_in(" in cell.source]
    validated = CliRunner().invoke(app, ["validate", str(handed_in)])
    assert validated.exit_code == 0, validated.stdout
    graded = CliRunner().invoke(app, ["grade", str(handed_in), "--workers", "1", "--out", str(folder / "grades")])
    assert graded.exit_code == 0, graded.exception
    rows = (folder / "grades" / "grades.csv").read_text(encoding="utf-8-sig")
    assert "FAIL" not in rows, rows
    return rows


# ---------------------------------------------------------------- whole runs


@pytest.mark.slow
def test_on_colab_the_single_file_runs_with_its_solution_and_is_handed_in(tmp_path):
    fake, folder = tmp_path / "fake", tmp_path / "empty"
    folder.mkdir()
    for name, text in COLAB.items():
        (fake / "google" / "colab" / name).parent.mkdir(parents=True, exist_ok=True)
        (fake / "google" / "colab" / name).write_text(text)
    nb = run(with_small_budgets(released("a1", solved=True)), folder, PYTHONPATH=str(fake))
    assert "the browser downloads max_mustermann_a1.ipynb" in printed(nb)
    assert_right_and_handed_in(nb, folder, checks=CHECKS)


@pytest.mark.slow
def test_in_jupyter_another_solution_from_the_text_alone_is_right_too(tmp_path):
    nb = put_in(released("a1"), (Path(__file__).parent / "solutions" / "a1.py").read_text())
    nb = run(with_small_budgets(nb), tmp_path, JPY_SESSION_NAME=str(tmp_path / "a1.ipynb"))
    assert "Looking at a1.ipynb as it was saved at " in printed(nb)
    assert_right_and_handed_in(nb, tmp_path, checks=CHECKS)


CHECKS = 23
