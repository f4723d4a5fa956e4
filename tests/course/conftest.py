"""What tests of several folders make from the stored notebooks, made once."""

import nbformat
import pytest

from course.assignments import ASSIGNMENTS


@pytest.fixture(scope="session")
def own_submissions() -> dict[str, bytes]:
    """Return this repository's own submissions, with the outputs that are stored, by assignment."""
    from course.handin import submit  # here, for the main process of xdist runs no test

    contents = {}
    for key, assignment in ASSIGNMENTS.items():
        joined, _ = submit.join(submit.stored_notebooks(assignment), assignment, "Max Mustermann", executed=False)
        contents[key] = nbformat.writes(joined).encode()
    return contents
