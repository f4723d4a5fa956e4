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


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A clone's own conftest, one notebook with two figures, and the figures as they are expected."""
    folder = tmp_path_factory.mktemp("stored")
    shutil.copy(ROOT / "conftest.py", folder)
    (folder / "pytest.ini").write_text("[pytest]\n")
    expected = folder / "student_figures" / "expected"
    sources = [f"import sys; sys.path.insert(0, {str(ROOT)!r})", FIGURE, 'show(figure, "numpy_vae_latents", "Again.")']
    nb = new_notebook(cells=[new_code_cell(source) for source in sources])
    assert execute(client_of(nb, folder), kernel_environment(expected)) is None
    nbformat.write(nb, folder / "01_a.ipynb")
    return folder


@pytest.fixture
def with_one_turned(stored, tmp_path):
    """The same, where the picture that is expected of the second figure stands upside down."""
    folder = shutil.copytree(stored, tmp_path / "turned")
    path = folder / "student_figures" / "expected" / "numpy_vae_latents.png"
    turned = io.BytesIO()
    Image.open(path).rotate(180).save(turned, "PNG")
    path.write_bytes(turned.getvalue())
    return folder


def run_plainly(folder, *options):
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(folder)}
    results = [f"--figures-results={folder / 'check'}", f"--figures-expected={folder / 'student_figures/expected'}"]
    command = [sys.executable, "-m", "pytest", "--nbval", "-p", "no:cacheprovider", *results, *options, "01_a.ipynb"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_the_plain_command_notices_a_turned_figure_and_counts_as_jupyter_does(with_one_turned):
    ran = run_plainly(with_one_turned, "-v")
    assert ran.returncode == 1 and "1 failed, 2 passed" in ran.stdout, ran.stdout
    assert "01_a, cell 3: figure numpy_vae_latents: differs" in ran.stdout and "1 differs, 1 ok" in ran.stdout
    assert "Cell 1 PASSED" in ran.stdout and "Cell 2 PASSED" in ran.stdout and "Cell 0" not in ran.stdout
    assert versions.one_line(versions.installed()) in ran.stdout


@pytest.mark.slow
def test_the_plain_command_passes_on_what_is_stored(stored):
    ran = run_plainly(stored)
    assert ran.returncode == 0 and "2 ok" in ran.stdout, ran.stdout


@pytest.mark.slow
def test_without_our_conftest_nbval_passes_a_turned_figure(with_one_turned):
    """What the conftest is for: nbval alone compares no picture."""
    (with_one_turned / "conftest.py").unlink()
    command = [sys.executable, "-m", "pytest", "--nbval", f"--nbval-sanitize-with={SANITIZE}", "01_a.ipynb"]
    environment = kernel_environment(with_one_turned / "shown")
    assert subprocess.run(command, cwd=with_one_turned, env=environment, capture_output=True).returncode == 0


def test_the_report_begins_with_versions_and_with_what_changed_since_the_lock(tmp_path, monkeypatch):
    monkeypatch.setattr(versions, "locked", lambda: {"matplotlib": "3.0.1", "numpy": versions.installed()["numpy"]})
    page = report.write_report([], tmp_path, paths.EXPECTED).read_text(encoding="utf-8")
    head = page.partition("<table>")[0]
    assert versions.one_line(versions.installed()) in head
    assert f"matplotlib {versions.installed()['matplotlib']}, locked 3.0.1" in head and "numpy" in head
    assert head.count("locked") == 1
