"""The checks that an assignment's table names, found by their names."""

import importlib
import importlib.util
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, Literal

from course.assignments.task import Assignment, Task
from course.grading.verdicts import Finding

Kind = Literal["outputs", "behaviour", "own_ways"]
Check = Callable[[Any, Task], Iterator[Finding]]
COMMON = {
    "outputs": "course.grading.common",
    "behaviour": "course.grading.common_behaviour",
    "own_ways": "course.grading.common_own_ways",
}


def modules_of(assignment: Assignment, kind: Kind) -> list[ModuleType]:
    """Return where checks of this kind are looked for: in the assignment's own module first."""
    names = [f"course.grading.{assignment.key}.{kind}", COMMON[kind]]
    return [importlib.import_module(name) for name in names if _is_there(name)]


def _is_there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # nor is the package that it would lie in
        return False


def checks_of(assignment: Assignment, task: Task, kind: Kind) -> list[Check]:
    """Return the functions that a task's table names, in its order.

    Raises:
        ValueError: no module has a function of that name.
    """
    checks = []
    named = {"outputs": task.from_outputs, "behaviour": task.from_rerun, "own_ways": task.own_ways}
    for name in named[kind]:
        check = next((getattr(m, name) for m in modules_of(assignment, kind) if hasattr(m, name)), None)
        if check is None:
            raise ValueError(
                f"{assignment.key}, task {task.name}: no check by {kind} is called {name}: write it in "
                f"course/grading/{assignment.key}/{kind}.py"
            )
        checks.append(check)
    return checks
