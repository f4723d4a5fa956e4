"""``pytest --nbval NOTEBOOK``, as everybody types it, is the regression run, and counts cells as Jupyter does."""

import io
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from PIL import Image

from course import paths
from course.notebooks import versions
from course.notebooks.running import client_of, execute, kernel_environment
from course.regression import report
from course.regression.plugin import SANITIZE

ROOT = Path(__file__).resolve().parents[3]
FIGURE = """
from tqdm.auto import tqdm
for _ in tqdm(range(2), disable=None):
    pass
from matplotlib.figure import Figure
from helpers.notebook import show
figure = Figure(figsize=(4, 3))
figure.add_subplot().plot([0, 1, 4])
show(figure, "numpy_vae_data", "A curve.")
"""


@pytest.fixture
def stored(tmp_path):
    """A clone's own conftest, one notebook with a figure, and the figure as it is expected."""
    shutil.copy(ROOT / "conftest.py", tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    expected = tmp_path / "student_figures" / "expected"
    cells = [new_code_cell(f"import sys; sys.path.insert(0, {str(ROOT)!r})"), new_code_cell(FIGURE)]
    nb = new_notebook(cells=cells)
    assert execute(client_of(nb, tmp_path), kernel_environment(expected)) is None
    nbformat.write(nb, tmp_path / "01_a.ipynb")
    return tmp_path, expected / "numpy_vae_data.png"


def run_plainly(folder, *options):
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(folder)}
    results = [f"--figures-results={folder / 'check'}", f"--figures-expected={folder / 'student_figures/expected'}"]
    command = [sys.executable, "-m", "pytest", "--nbval", "-p", "no:cacheprovider", *results, *options, "01_a.ipynb"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_the_plain_command_passes_on_what_is_stored_and_says_which_versions_ran(stored):
    folder, _ = stored
    ran = run_plainly(folder)
    assert ran.returncode == 0, ran.stdout
    assert versions.one_line(versions.installed()) in ran.stdout and "1 ok" in ran.stdout
    assert "Cell 2" in run_plainly(folder, "--collect-only", "-q").stdout, "numbers are Jupyter's: the first cell is 1"


def test_the_plain_command_notices_a_turned_figure(stored):
    folder, picture = stored
    figure = Image.open(picture)
    turned = io.BytesIO()
    figure.rotate(180).save(turned, "PNG")
    picture.write_bytes(turned.getvalue())
    ran = run_plainly(folder)
    assert ran.returncode == 1 and "01_a, cell 2: figure numpy_vae_data: differs" in ran.stdout
    assert "1 failed, 1 passed" in ran.stdout


def test_without_our_conftest_nbval_passes_a_turned_figure(stored):
    """What the conftest is for: nbval alone compares no picture."""
    folder, picture = stored
    (folder / "conftest.py").unlink()
    picture.write_bytes(b"")
    command = [sys.executable, "-m", "pytest", "--nbval", f"--nbval-sanitize-with={SANITIZE}", "01_a.ipynb"]
    environment = kernel_environment(folder / "shown")
    assert subprocess.run(command, cwd=folder, env=environment, capture_output=True).returncode == 0


def test_the_report_begins_with_versions_and_with_what_changed_since_the_lock(tmp_path, monkeypatch):
    monkeypatch.setattr(versions, "locked", lambda: {"matplotlib": "3.0.1", "numpy": versions.installed()["numpy"]})
    page = report.write_report([], tmp_path, paths.EXPECTED).read_text(encoding="utf-8")
    head = page.partition("<table>")[0]
    assert versions.one_line(versions.installed()) in head
    assert f"matplotlib {versions.installed()['matplotlib']}, locked 3.0.1" in head and "numpy" in head
    assert head.count("locked") == 1
