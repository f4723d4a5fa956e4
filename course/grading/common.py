"""Checks by outputs that several assignments share. A check takes (submission, task); what else is here helps one."""

import re
from collections.abc import Iterator

from course.assignments import Task
from course.grading import evidence
from course.grading.case import Case
from course.grading.verdicts import Finding
from course.notebooks.reading import Cell, Submission

# ---------------------------------------------------------------- the file

MOST_COUNTS = 12  # execution counts in a finding
MOST_ERRORS = 3


def order(submission: Submission, task: Task) -> Iterator[Finding]:
    """Judge whether all code cells were executed, once and in their order."""
    cells = code_cells(submission)
    counts = [cell.count for cell in cells if cell.count is not None]
    if cells and not counts:
        level = "LOOK" if any(shows_something(cell) for cell in cells) else "FAIL"
        yield Finding(level, "not_executed", "no cell has an execution count")
    elif len(counts) < len(cells):
        yield Finding("LOOK", "order", f"{len(cells) - len(counts)} of {len(cells)} code cells were not executed")
    elif counts != sorted(set(counts)):
        yield Finding("LOOK", "order", f"execution counts {counts[:MOST_COUNTS]} do not rise")
    else:
        more = max(counts, default=0) - len(counts)
        yield Finding("PASS", "order", f"in order, {more} executions more than cells" if more > 0 else "in order")


def errors(submission: Submission, task: Task) -> Iterator[Finding]:
    """Find cells that ended in an error; after the last output of all, an error is a failure."""
    cells = code_cells(submission)
    broken = [number for number, cell in enumerate(cells) if cell.error]
    for number in broken[:MOST_ERRORS]:
        last = not any(shows_something(cell) for cell in cells[number + 1 :])
        yield Finding("FAIL" if last else "LOOK", "error_output", f"code cell {number + 1}: {cells[number].error}")


def code_cells(submission: Submission) -> list[Cell]:
    """Return the code cells that hold more than comments."""
    cells = []
    for cell in submission.cells:
        lines = [line.strip() for line in cell.source.splitlines()]
        if any(line and not line.startswith("#") for line in lines):
            cells.append(cell)
    return cells


def shows_something(cell: Cell) -> bool:
    return bool(cell.text or cell.pictures)


# ---------------------------------------------------------------- text

LEAST_WORDS = 40  # of all text cells together


def text(submission: Submission, task: Task) -> Iterator[Finding]:
    """Judge whether there is text, with the words that an answer cannot do without; its meaning is for a person."""
    prose = "\n".join(words for _, words in submission.prose)
    words = len(prose.split())
    missing = [what for what, pattern in task.writes if not re.search(pattern, prose)]
    if words < LEAST_WORDS:
        yield Finding("LOOK", "text_missing", f"{words} words of text in the whole notebook")
    elif missing:
        yield Finding("LOOK", "text_missing", f"no text cell says {missing[0]}")
    else:
        yield Finding("PASS", "text", f"{words} words of text; their meaning is not judged")


# ---------------------------------------------------------------- figures

NARROW = 0.4  # width over height that each column of a picture needs at least


def figure(submission: Case, task: Task) -> Iterator[Finding]:
    """Judge whether the figure that the task asks for is there."""
    share = submission.share(task)
    if not share.views:
        count = len(submission.pictures)
        yield Finding("LOOK" if count else "FAIL", "figure_missing", f"none of {count} figures could be told to be it")
    elif share.drawn_on:
        if share.certain:
            yield Finding("PASS", "figure", f"{len(share.views)} figures, not blank")
        else:
            yield Finding("LOOK", "unclear", "figures are there, but which one it is could not be told")
    elif share.closed_kinds:
        yield Finding(
            "LOOK", "picture_kind", f"{len(share.views)} figures, of the kind {', '.join(share.closed_kinds)}"
        )


def pictures_open(submission: Case, task: Task) -> Iterator[Finding]:
    """Find a picture of the task that could not be opened safely."""
    views = [view for view in submission.share(task).views if view.is_of_open_kind]
    problems = [view.problem for view in views if view.problem]
    if problems:
        yield Finding("LOOK", "picture_unsafe", problems[0])


def not_blank(submission: Case, task: Task) -> Iterator[Finding]:
    """Find a task whose figures are all blank."""
    share = submission.share(task)
    if share.all_blank:
        level = "FAIL" if share.certain and not share.closed_kinds else "LOOK"
        yield Finding(level, "figure_blank", f"{len(share.opened)} figures, all blank")


def panel_count(submission: Case, task: Task) -> Iterator[Finding]:
    """Judge whether the figures of the task have as many panels as it asks for, as far as empty gaps tell."""
    share = submission.share(task)
    if task.panels is None or not share.drawn_on:
        return
    expected = task.panels[0] * task.panels[1]
    most = max(view.look.panels[0] * view.look.panels[1] for view in share.opened)
    # one panel may be four without gaps, but not in a picture that is too narrow for them
    narrow = task.panels[1] > 1 and max(view.look.aspect for view in share.opened) < NARROW * task.panels[1]
    if most * len(share.opened) < expected and (most > 1 or narrow):
        yield Finding("LOOK", "figure_panels", f"{most} panels seen, expected {expected}")


def not_twice(submission: Case, task: Task) -> Iterator[Finding]:
    """Find a picture of the task that stands in another cell, too: for another task, it is a failure."""
    for earlier, later in submission.repeats:
        tasks, others = submission.certain_tasks(later), submission.certain_tasks(earlier)
        if task.name in tasks:
            clear = others and not tasks & others and not submission.share(task).closed_kinds
            level = "FAIL" if clear else "LOOK"
            cells = f"code cells {earlier.picture.cell + 1} and {later.picture.cell + 1} show the same picture"
            yield Finding(level, "figure_twice", cells)


# ---------------------------------------------------------------- what the source alone says of a training loop


def zero_grad(submission: Submission, task: Task) -> Iterator[Finding]:
    """Find gradients that are taken and used, and nowhere set to zero."""
    if evidence.never_zeroes(submission):
        yield Finding("FAIL", "zero_grad", "backward() and step(), but nowhere zero_grad()")


def trains_on_test(submission: Submission, task: Task) -> Iterator[Finding]:
    """Find a statement that takes gradients on what is called a test set."""
    statement = evidence.gradient_on_test_set(submission)
    if statement:
        yield Finding("FAIL", "trains_on_test", statement)
