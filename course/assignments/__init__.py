"""The assignments: one table each, ``a1.py`` and so on; a new file in this folder is a new assignment."""

import importlib
import pkgutil
import re
from collections.abc import Mapping

from course.assignments.hints import COMMON_HINTS
from course.assignments.task import Assignment, Figure, Task

__all__ = ["ADMISSION", "ASSIGNMENTS", "FIGURES", "HINTS", "Assignment", "Figure", "Task", "find"]


def _tables() -> dict[str, Assignment]:
    """Import each ``aN.py`` of this folder, in order.

    Raises:
        ValueError: a table gives another key than its file has.
    """
    names = [m.name for m in pkgutil.iter_modules(__path__) if re.fullmatch(r"a\d+", m.name)]
    tables = {}
    for name in sorted(names, key=lambda name: int(name[1:])):
        tables[name] = importlib.import_module(f"{__name__}.{name}").ASSIGNMENT
        if tables[name].key != name:
            raise ValueError(f"course/assignments/{name}.py has the key {tables[name].key!r}, expected {name!r}")
    return tables


def _hints(tables: Mapping[str, Assignment]) -> dict[str, str]:
    hints = dict(COMMON_HINTS)
    for assignment in tables.values():
        hints |= assignment.hints
    return hints


def _figures(tables: Mapping[str, Assignment]) -> dict[str, Figure]:
    figures = {}
    for assignment in tables.values():
        figures |= {figure.name: figure for figure in assignment.figures}
    return figures


ADMISSION = 0.8  # the share of all assignments that somebody has to pass to be admitted

ASSIGNMENTS: Mapping[str, Assignment] = _tables()
HINTS: Mapping[str, str] = _hints(ASSIGNMENTS)  # what a student is told, by the code of a finding
FIGURES: Mapping[str, Figure] = _figures(ASSIGNMENTS)  # every figure that a notebook shows, by its name


def find(name: str) -> Assignment:
    """Return the assignment called ``a1``; ``A1`` and ``1`` mean the same.

    Raises:
        ValueError: there is none of that name.
    """
    key = name.strip().lower()
    key = key if key.startswith("a") else f"a{key}"
    if key not in ASSIGNMENTS:
        raise ValueError(f"there is no assignment {name!r}: expected one of {', '.join(ASSIGNMENTS)}")
    return ASSIGNMENTS[key]
