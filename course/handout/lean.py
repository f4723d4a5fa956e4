"""The tables of assignments as they go out: with what handing in needs, and without what only graders need."""

import pprint
from dataclasses import replace

from course.assignments import Assignment

TABLE = '''"""What handing in needs to know of assignment {number}."""

from course.assignments.task import Assignment, Figure, Task

ASSIGNMENT = {assignment}
'''
HINTS = '"""Hints of the graders; there are none here."""\n\nCOMMON_HINTS: dict[str, str] = {}\n'


def table(assignment: Assignment) -> str:
    """Write the table of an assignment without what only graders need, as Python."""
    tasks = tuple(
        replace(task, requires="", from_outputs=(), from_rerun=(), words=(), elsewhere=(), panels=None, expected=())
        for task in assignment.tasks
    )
    lean = replace(assignment, tasks=tasks, hints={})
    text = pprint.pformat(lean, width=110, sort_dicts=False)
    return TABLE.format(number=assignment.key.removeprefix("a"), assignment=text)
