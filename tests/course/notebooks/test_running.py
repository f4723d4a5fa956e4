"""Executing notebooks: what a kernel inherits."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from course.notebooks import running

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("name", ["helpers", "course", "helpers.core.files"])
def test_a_kernel_without_packages_cannot_import_them_even_where_they_are_installed(tmp_path, name):
    # an installed package lies on the path after what PYTHONPATH names
    script = f"import sys; sys.path.append({str(ROOT)!r}); import {name}"

    def imports(environment):
        return subprocess.run(
            [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True
        )

    assert imports(dict(os.environ)).returncode == 0
    refused = imports(running.without_packages(dict(os.environ), tmp_path / "packages"))
    assert refused.returncode == 1 and f"No module named '{name.partition('.')[0]}'" in refused.stderr


def test_what_a_kernel_inherits(monkeypatch, tmp_path):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delenv("QUICK", raising=False)
    environment = running.kernel_environment(tmp_path, quick=True, threads=2)
    assert environment["FIGURES_DIR"] == str(tmp_path) and environment["QUICK"] == "1"
    assert environment["OMP_NUM_THREADS"] == "2" and environment["TQDM_DISABLE"] == "1"
    assert "QUICK" not in running.kernel_environment()
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # what the user says counts
    assert running.kernel_environment(threads=2)["OMP_NUM_THREADS"] == "1"


def test_folders_are_those_that_count_here_wherever_the_kernel_works(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA_ROOT", "images")
    assert running.kernel_environment()["DATA_ROOT"] == str(tmp_path / "images")
    monkeypatch.setenv("DATA_ROOT", "~/images")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert running.kernel_environment()["DATA_ROOT"] == str(tmp_path / "home" / "images")


def test_the_kernel_is_the_interpreter_that_was_called_whatever_is_registered(monkeypatch, tmp_path):
    spec = tmp_path / "kernels" / "python3"
    spec.mkdir(parents=True)
    (spec / "kernel.json").write_text(json.dumps({"argv": ["/gone/bin/python"], "display_name": "stale"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    nb = new_notebook(cells=[new_code_cell("import sys; print(sys.executable)")])
    assert running.execute(running.client_of(nb, tmp_path), dict(os.environ)) is None
    assert nb.cells[0].outputs[0].text.strip() == sys.executable


@pytest.mark.parametrize(("gigabytes", "jobs"), [(4, 1), (1, 1), (8, 2), (256, 2)])
def test_on_a_small_machine_one_notebook_runs_at_a_time(monkeypatch, gigabytes, jobs):
    memory = SimpleNamespace(total=gigabytes * 10**9)
    monkeypatch.setattr(running.psutil, "virtual_memory", lambda: memory)
    monkeypatch.setattr(running, "processors", lambda: 4)
    monkeypatch.setattr(running, "Path", lambda *_: tmp_missing)
    assert running.default_jobs() == jobs


tmp_missing = Path("/no/such/file")


def test_a_stored_notebook_names_its_versions_and_keeps_its_pairing():
    nb = new_notebook(metadata={"jupytext": {"formats": "ipynb,py:percent"}, "widgets": {"state": {}}})
    running.tidy(nb)
    assert nb.metadata["jupytext"] == {"formats": "ipynb,py:percent"} and "widgets" not in nb.metadata
    assert nb.metadata["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))


def test_a_folder_that_cannot_be_written_to_is_noticed_before_the_work(tmp_path):
    running.try_folder(tmp_path / "new")
    assert not list((tmp_path / "new").iterdir())
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="could not be written"):
        running.try_folder(tmp_path / "file" / "out")
