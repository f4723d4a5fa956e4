"""One check or more a task, the same as in the notebooks: it fails until the task is solved, and says why in a line."""

import pytest

from course.assignments import ASSIGNMENTS
from helpers import checks


def keys() -> list[str]:
    """List the checks of functions; those that look at what a notebook made stand in the notebook."""
    listed = []
    for assignment in ASSIGNMENTS.values():
        for task in assignment.tasks:
            listed += [f"{assignment.key}.{task.name}.{name}" for name in task.checks]
    return [key for key in listed if not checks.find(key)[0].needs]


@pytest.mark.parametrize("key", keys())
def test_task(key):
    (result,) = checks.run(key)
    if result.state == "open":
        raise NotImplementedError(result.sentence)
    if result.state != "right":
        pytest.fail(str(result), pytrace=False)
