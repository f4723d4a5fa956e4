"""The notebooks' set-up: from any folder of the repository, and on Colab, which is emulated."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from course.dev import fresh
from course.notebooks.running import client_of
from helpers import colab

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def code_cells(path):
    return [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]


def test_every_notebook_has_the_same_set_up_cell_and_its_own_badge():
    assert len({code_cells(path)[0].source for path in NOTEBOOKS}) == 1
    for path in NOTEBOOKS:
        assert f"/blob/main/notebooks/{path.name})" in nbformat.read(path, as_version=4).cells[0].source


@pytest.mark.parametrize("folder", [".", "notebooks", "helpers/core"])
def test_the_helpers_are_found_from_any_folder_of_the_repository(folder):
    script = code_cells(NOTEBOOKS[0])[0].source + "\nimport helpers; print(helpers.__file__)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT / folder, capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()) == ROOT / "helpers" / "__init__.py"


@pytest.mark.parametrize("other", ["nothing", "another course's helpers", "an old clone"])
def test_away_from_its_repository_a_notebook_ends_in_a_sentence(tmp_path, other):
    if other != "nothing":
        (tmp_path / "helpers").mkdir()
        (tmp_path / "helpers" / "__init__.py").touch()
    if other == "an old clone":
        (tmp_path / "helpers" / "core").mkdir()
    folder = tmp_path / "downloads"
    folder.mkdir()
    script = (
        f"import sys; sys.path = [p for p in sys.path if p != {str(ROOT)!r}]\n" + code_cells(NOTEBOOKS[0])[0].source
    )
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    command = [sys.executable, "-I", "-S", "-c", script]  # no packages: this repository may be among them
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 1 and "needs the folder helpers of its own repository" in done.stderr


@pytest.fixture
def emulated(tmp_path, monkeypatch):
    """An empty folder where a fake google.colab is loaded, and GitHub is a repository made of the working tree."""
    source, fake, empty = tmp_path / "source", tmp_path / "fake", tmp_path / "empty"
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "helpers", "course", "*.txt", "*.toml"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    for name in filter(lambda name: (ROOT / name).is_file(), listed):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    me = ["-c", "user.name=t", "-c", "user.email=t@t"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "t"]):
        subprocess.run(["git", *me, *command], cwd=source, check=True)
    subprocess.run(["git", "clone", "-q", "--bare", source, tmp_path / "bare.git"], check=True)
    (fake / "google" / "colab").mkdir(parents=True)
    (fake / "google" / "colab" / "__init__.py").touch()
    (fake / "sitecustomize.py").write_text("import google.colab\n")
    empty.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(fake))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.file://{tmp_path / 'bare.git'}.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "https://github.com/vae-solutions/vae-solutions")
    return empty


def execute(path, folder, num_cells=None):
    nb = nbformat.read(path, as_version=4)
    if num_cells:
        nb.cells = [c for c in nb.cells if c.cell_type == "code"][:num_cells]
    client_of(nb, folder).execute(env={**os.environ, "QUICK": "1"})
    return nb


def test_on_colab_the_set_up_cell_fetches_the_helpers(emulated):
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code_cells(NOTEBOOKS[0])[0].source)])
    nb.cells.append(nbformat.v4.new_code_cell("import helpers; print(helpers.__file__)"))
    nbformat.write(nb, emulated / "n.ipynb")
    done = execute(emulated / "n.ipynb", emulated)
    assert done.cells[0].outputs == []
    assert done.cells[1].outputs[0].text.strip() == str(emulated / "vae-solutions" / "helpers" / "__init__.py")


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS[1:], ids=lambda p: p.stem)  # the first is run as a whole below
def test_on_colab_every_notebook_gets_past_its_imports(emulated, path):
    execute(path, emulated, num_cells=2)


@pytest.mark.slow
def test_on_colab_a_whole_notebook_runs(emulated):
    execute(NOTEBOOKS[0], emulated)
    assert list((emulated / "vae-solutions" / "student_figures").glob("*.png"))


def test_colab_keeps_what_is_there_and_installs_the_rest(monkeypatch, tmp_path):
    listed = tmp_path / "requirements.txt"
    listed.write_text("# for the notebooks\ntorch>=2.4,<3  # why\nno-such-package>=1\n")
    calls = []

    def pip(command, check):
        calls.append((command, Path(command[command.index("-c") + 1]).read_text()))

    monkeypatch.setattr(colab, "REQUIREMENTS", listed)
    monkeypatch.setattr(colab.subprocess, "run", pip)
    colab.main()
    ((command, constraints),) = calls
    assert command[-1] == "no-such-package>=1" and "torch" not in " ".join(command[-2:])
    assert constraints == f"torch=={colab.version('torch')}\n"


def test_colab_installs_nothing_where_nothing_is_missing(monkeypatch):
    monkeypatch.setattr(colab.subprocess, "run", lambda *_, **__: pytest.fail("pip was called"))
    colab.main()


def test_the_requirements_name_what_notebooks_import():
    names = {r.name for r in colab.parse(colab.REQUIREMENTS.read_text())}
    assert {"torch", "torchvision", "numpy", "matplotlib", "scikit-learn", "safetensors", "cloudpickle"} <= names
    assert not names & {"pytest", "nbval", "libcst", "typer", "ruff"}  # of the commands and the tests


def test_a_fresh_machine_inherits_nothing_of_this_one(monkeypatch, tmp_path):
    for name in ("PYTHONPATH", "VIRTUAL_ENV", "QUICK", "DATA_ROOT", "FIGURES_DIR", "PRECISION"):
        monkeypatch.setenv(name, "here")
    monkeypatch.setenv("PIP_INDEX_URL", "https://index")
    env = fresh.environment(tmp_path, None)
    assert "here" not in env.values() and env["HOME"] == str(tmp_path) and env["PIP_INDEX_URL"] == "https://index"
    assert fresh.environment(tmp_path, tmp_path / "data")["DATA_ROOT"] == str(tmp_path / "data")
