"""Executing notebooks: what a kernel inherits."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

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
