"""Say whether every task of an assignment has left its traces in a notebook; whether it is right is for grading."""

import ast
import re
from collections.abc import Iterator

from course.assignments import Assignment, Figure, Task
from course.handin.view import CodeView, NotebookView, Remark, capital, problem
from course.notebooks.code import figure_names


def missing_of_task(view: NotebookView, assignment: Assignment, task: Task) -> Iterator[Remark]:
    """Say in one sentence what is missing of one task; of outputs nothing, where no cell was run.

    A name of the assignment that is missing is a problem only where the task has left no other trace: its functions may
    have other names.
    """
    names, present = _names_of_task(view, task)
    missing = [*_stubs(view, task), *_lost_methods(view, task), *_traces(view, task)]
    for name in task.figures if view.was_run else ():
        reason = _missing_figure(view, assignment.figure(name))
        missing += [reason] if reason else []
    another_way = bool(present or (task.figures and not missing))
    if names and not another_way:
        missing = [*names, *missing]
    if missing:
        yield problem(f"Task {task.name} ({task.asks}) is missing or not finished: {'; '.join(missing)}.")
    elif names:
        allowed = "Another name is allowed; a tutor then looks at yours by hand."
        yield Remark(False, f"Task {task.name}: {'; '.join(names)}. {allowed}")


def _names_of_task(view: NotebookView, task: Task) -> tuple[list[str], list[str]]:
    """Return what to say of names that a task asks for and that are missing, and the names that are there."""
    missing: list[str] = []
    present: list[str] = []
    for asked, here, verb in (
        (task.defines, view.definitions.keys(), "nothing is called {}"),
        (task.uses, view.words, "{} is not used"),
    ):
        for alternatives in asked:
            names = alternatives.split("|")
            found = [name for name in names if name in here]
            present += found
            missing += [] if found else [verb.format(" or ".join(names))]
    return missing, present


def _stubs(view: NotebookView, task: Task) -> Iterator[str]:
    for alternatives in task.defines:
        for name in alternatives.split("|"):
            if name in view.definitions and is_stub(view.definitions[name][-1].node):
                yield f"{name} is still a stub, without your code"


def _lost_methods(view: NotebookView, task: Task) -> Iterator[str]:
    """Name methods that are missing of a class that is there."""
    for name in task.defines:
        owner, _, method = name.partition(".")
        if method and "|" not in name and owner in view.definitions and name not in view.definitions:
            yield f"the class {owner} has no method {method}"


def _traces(view: NotebookView, task: Task) -> Iterator[str]:
    for what, pattern in task.prints if view.was_run else ():
        if not re.search(pattern, view.printed):
            yield f"no output shows {what}"
    prose = "\n".join(text for _, text in view.prose)
    for what, pattern in task.writes:
        if not re.search(pattern, prose):
            yield f"no text cell says {what}"


def is_stub(node: ast.stmt) -> bool:
    """Say whether a function raises NotImplementedError, or does nothing but ``pass``."""
    if not isinstance(node, ast.FunctionDef | ast.ClassDef):
        return False
    body = [n for n in node.body if not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))]
    if isinstance(node, ast.FunctionDef) and all(isinstance(n, ast.Pass) for n in body):
        return True
    return any(_raises_not_implemented(n) for n in ast.walk(node))


def _raises_not_implemented(node: ast.AST) -> bool:
    if not isinstance(node, ast.Raise) or node.exc is None:
        return False
    return any(isinstance(n, ast.Name) and n.id == "NotImplementedError" for n in ast.walk(node.exc))


def _missing_figure(view: NotebookView, figure: Figure) -> str | None:
    """Say why a figure is missing; None where it is there."""
    naming = [cell for cell in view.code if _names(cell, figure)]
    drawing = [cell for cell in view.code if cell.words & set(figure.drawn_by) and cell.has_picture]
    if drawing or any(cell.has_picture for cell in naming):
        return None
    if naming:
        return f"{naming[0].name} names the figure {figure.name}, but no picture is stored under it"
    return f"there is no figure {figure.name}"


def _names(cell: CodeView, figure: Figure) -> bool:
    name = re.compile(rf"(?<!\w){re.escape(figure.name)}(?!\w)")
    return bool(name.search(cell.strings) or name.search(cell.text))


def shows_nothing(view: NotebookView, assignment: Assignment) -> Iterator[Remark]:
    """Name figures that a cell shows by name without a picture, beyond those that a task asks for."""
    required: set[str] = set()
    for task in assignment.tasks:
        required |= set(task.figures)
    for cell in view.code:
        names = set(figure_names(cell.tree)) - required if cell.tree else set()
        if names and not cell.has_picture and cell.count is not None:
            listed = ", ".join(sorted(names))
            yield problem(f"{capital(cell.name)} shows {listed}, but no picture is stored under it.")
