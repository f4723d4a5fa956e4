"""The single-file student version: one notebook an assignment, in which tasks, checks and what is given stand as cells.

It is made from a *sheet*, ``sheets/a1.md``: prose, and code in fences. What a fence opens says what its cell is:

- ```` ```python ````: a cell that stays open; what stands between START and END in it is the student's to write;
- ```` ```python given: the images ````: a cell that is given, and folded.

The sheet holds a solution between START and END, as the helpers do, so that a test can run it; :func:`notebook_of`
takes it out. Title, introduction, and the cells for checks and for handing in are the same for all assignments.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from course.assignments import Assignment
from course.handout.kit import kit_cell
from course.handout.notebooks import folded, open_cell, task_of
from course.handout.repository import badge

SHEETS = Path(__file__).with_name("sheets")
FENCE = re.compile(r"^```python(?: given: (?P<title>[^\n]+))?\n(?P<code>.*?)\n```$", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"<!-- (?P<text>.*?) -->", re.DOTALL)  # what is said in the folder alone
TEMPLATES = Path(__file__).with_name("templates")


class Cell(NamedTuple):
    """A cell of a sheet; ``given`` is the title of one that is given, None elsewhere."""

    kind: str  # markdown, code
    source: str
    given: str | None = None


def cells_of(text: str) -> Iterator[Cell]:
    """Cut the text of a sheet into cells."""
    place = 0
    for fence in FENCE.finditer(text):
        prose = text[place : fence.start()].strip()
        if prose:
            yield Cell("markdown", prose)
        yield Cell("code", fence["code"], fence["title"])
        place = fence.end()
    if text[place:].strip():
        yield Cell("markdown", text[place:].strip())


def sheet_of(assignment: Assignment) -> str:
    """Read the sheet of an assignment.

    Raises:
        ValueError: there is none.
    """
    path = SHEETS / f"{assignment.key}.md"
    if not path.is_file():
        raise ValueError(
            f"assignment {assignment.key} has no sheet, so there is no single file of it: write course/handout/sheets/"
            f"{path.name}, or hand out the folder"
        )
    return path.read_text(encoding="utf-8")


class Tasks(NamedTuple):
    """What a notebook of the folder says of its tasks, and the checks of their functions."""

    text: str
    checks: str  # a cell's code


def tasks_in(assignment: Assignment, prose: str) -> Tasks:
    """Return the texts of those tasks of an assignment whose names stand in a notebook's headings; else of all.

    Behind each stands where it is to be solved in the folder; what a sheet says in a comment is said there alone.
    """
    if not (SHEETS / f"{assignment.key}.md").is_file():
        return Tasks("", "")
    texts: dict[str, str] = {}
    for cell in cells_of(sheet_of(assignment)):
        task = task_of(cell.source) if cell.kind == "markdown" else ""
        heading = re.search(rf"^## {task}\b", cell.source, re.MULTILINE) if task else None
        if heading:
            texts[task] = cell.source[heading.start() :]
    here = {task: text for task, text in texts.items() if re.search(rf"^#+ .*{task}\b", prose, re.MULTILINE)} or texts
    parts = [_template("tasks")]
    checks = []
    for task, text in here.items():
        functions = _functions(assignment, task)
        parts += [f"#{_without_predictions(COMMENT.sub('', text))}", *COMMENT.findall(text)]
        if functions:
            parts.append(f"*To be written here:* {', '.join(f'`{name}`' for name in functions)}, in `helpers/`.")
            checks.append(f'check("{assignment.key}.{task.partition(" ")[2]}")')
    return Tasks("\n\n".join(parts), "\n".join(["from helpers.notebook import check", "", *checks]))


def _functions(assignment: Assignment, task: str) -> list[str]:
    """List the functions of the helpers that belong to a task."""
    name = task.partition(" ")[2]
    return [region for one in assignment.tasks if one.name == name for region in one.regions]


def _without_predictions(text: str) -> str:
    """Leave out what is to be predicted, or read off: the notebooks of the folder have questions of their own."""
    blocks = [block for block in text.split("\n\n") if not block.startswith(("**Predict", "*Your "))]
    return "\n\n".join(block.strip("\n") for block in blocks if block.strip())


def notebook_of(assignment: Assignment, url: str, *, solved: bool = False) -> str:
    """Make the notebook that students get.

    Args:
        url: the repository that it is handed out from, for the badge.
        solved: leave the sheet's solution in, for trying it.

    Raises:
        ValueError: there is no sheet, or marks in it that do not pair.
    """
    number = assignment.key.removeprefix("a")
    link = badge(url, f"{assignment.key}.ipynb")
    start = _template("first_cell").format(number=number, title=assignment.title, badge=link)
    nb = new_notebook(cells=[new_markdown_cell(start), kit_cell(assignment)])
    task, cells = "", list(cells_of(sheet_of(assignment)))
    for i, cell in enumerate(cells):
        if cell.kind == "markdown":
            task = task_of(cell.source) or task
            nb.cells.append(new_markdown_cell(COMMENT.sub("", cell.source).strip()))
        else:
            rest = "\n".join(other.source for other in cells[i + 1 :] if other.kind == "code")
            source = cell.source if solved else open_cell(cell.source, task, rest, f"{assignment.key}.md")
            nb.cells.append(folded(source, cell.given) if cell.given else new_code_cell(source))
    nb.cells += [new_markdown_cell(_template("last_cell")), new_code_cell('hand_in("Max", "Mustermann")')]
    for i, cell in enumerate(nb.cells):
        cell.id = f"{assignment.key}-{i:02d}"
    nb.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nb.metadata["language_info"] = {"name": "python"}
    return nbformat.writes(nb) + "\n"


def _template(name: str) -> str:
    return (TEMPLATES / f"{name}.md").read_text(encoding="utf-8").strip()
