"""What tests of several folders make from the stored notebooks, made once."""

import os
from pathlib import Path

import nbformat
import pytest

from course.assignments import ASSIGNMENTS


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all workers of xdist have in common."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def own_submissions(shared: Path) -> dict[str, bytes]:
    """Return this repository's own submissions, with the outputs that are stored, by assignment."""
    from course.handin import submit  # here, for the main process of xdist runs no test
    from helpers.core.files import write_whole

    contents = {}
    for key, assignment in ASSIGNMENTS.items():
        path = shared / f"{key}.ipynb"
        if not path.is_file():  # where two workers begin at once, both write the same
            joined, _ = submit.join(submit.stored_notebooks(assignment), assignment, "Max Mustermann", executed=False)
            write_whole(path, nbformat.writes(joined).encode())
        contents[key] = path.read_bytes()
    return contents
