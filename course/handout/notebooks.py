"""Notebooks without their solution: tasks open, answers and outputs gone.

Text cells with the tag ``answer`` lose what comes before their first heading or **Predict**. With ``answer-throughout``
they keep headings and **Predict** only. A text in the cell's metadata under ``student`` is shown in place of either;
a dictionary there replaces single texts. Cells with the tag ``solution``, and those that only show it, are left out.
"""

import ast
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell

from course.handout.neutral import neutral, replaced
from course.handout.regions import enclosing, pairs, stub
from course.handout.repository import badge
from course.notebooks.code import figure_names, parse

PROMPT = "*Your reading: what did you expect, and what came out?*"
ANSWERS = {"answer", "answer-throughout"}
TASK_HEADING = re.compile(r"^#+ (?:\d+\. )?(?P<name>.+)$", re.MULTILINE)
BADGE = re.compile(r"^\[!\[Open in Colab\].*\n\n?", re.MULTILINE)  # leads to the solutions
ASSIGNMENT = re.compile(r"^\*\*(?:Assignment|Exercise)\b(?:.+\n?)+", re.MULTILINE)  # "..., solved, and then measured."
SHOWS_SOLUTION = re.compile(r"solution\([\w.,\s]*\)")


def code_cells(notebook: str) -> list[str]:
    """Return the sources of a notebook's code cells."""
    return [c.source for c in nbformat.reads(notebook, as_version=4).cells if c.cell_type == "code"]


def prose_in(notebook: str) -> str:
    """Return the text of a notebook."""
    return "\n\n".join(c.source for c in nbformat.reads(notebook, as_version=4).cells if c.cell_type == "markdown")


def figures_in(notebook: str) -> Iterator[str]:
    """Yield the names of the figures that a notebook shows."""
    for source in code_cells(notebook):
        yield from figure_names(parse(source))


def cut_notebook(source: str, name: str, url: str, tasks: str = "", checks: str = "", about: str = "") -> str:
    """Take the solution out of a notebook: its open tasks, its answers, what hints at them, and all outputs.

    Args:
        name: its file's name, without ``.ipynb``.
        url: the repository that it is handed out from.
        tasks: the text of its tasks, as a cell behind the first.
        checks: code that checks them, as a cell behind the set-up cell; left out where the notebook has checks itself.
        about: in the place of the paragraph that says which assignment is solved here.

    Raises:
        ValueError: a START without its END, or the reverse; or a text to be replaced is gone.
    """
    nb = nbformat.reads(source, as_version=4)
    nb.cells = [cell for cell in nb.cells if not _is_solution(cell)]
    heading = ""
    for i, cell in enumerate(nb.cells):
        place = f"{name}, cell {cell.id}"
        if cell.cell_type == "markdown":
            _remove_answer(cell, place)
            heading = ([m["name"] for m in TASK_HEADING.finditer(cell.source)] or [heading])[-1]
            cell.source = BADGE.sub(lambda _: badge(url, f"notebooks/{name}.ipynb"), cell.source)
        elif cell.cell_type == "code":
            rest = "\n".join(c.source for c in nb.cells[i + 1 :] if c.cell_type == "code")
            code = set_up(url) if '"google.colab"' in cell.source else cell.source
            code = neutral(code, cell.metadata.pop("student", {}), place)
            cell.source = _cut_cell(code, heading, rest, place)
            cell.outputs, cell.execution_count = [], None
            cell.metadata.pop("tags", None)
    if nb.cells and nb.cells[0].cell_type == "markdown":
        nb.cells[0].source = ASSIGNMENT.sub(lambda m: f"{about}\n" if about else m[0], nb.cells[0].source)
    if tasks:
        nb.cells.insert(1, new_markdown_cell(tasks, id="tasks"))
    if checks and not any(re.search(r"^check\(", c.source, re.MULTILINE) for c in nb.cells if c.cell_type == "code"):
        behind = next(i for i, c in enumerate(nb.cells) if c.cell_type == "code") + 1
        nb.cells.insert(behind, new_code_cell(checks, id="checks"))
    return nbformat.writes(nb) + "\n"


def set_up(url: str) -> str:
    """Write the set-up cell: files of the helpers are loaded again when they change, and fetched where they are not."""
    template = (Path(__file__).with_name("templates") / "set_up.py.txt").read_text(encoding="utf-8")
    return template.format(url=url).rstrip("\n")


def _is_solution(cell: nbformat.NotebookNode) -> bool:
    """Say whether a code cell only shows the solution, or is tagged as a part of it."""
    shows = cell.cell_type == "code" and SHOWS_SOLUTION.fullmatch(cell.source.strip()) is not None
    return shows or "solution" in cell.metadata.get("tags", ())


def _remove_answer(cell: nbformat.NotebookNode, place: str) -> None:
    tags = set(cell.metadata.pop("tags", ()))
    student = cell.metadata.pop("student", None)
    if isinstance(student, str):
        cell.source = student
    elif tags & ANSWERS:
        cell.source = "\n\n".join(_questions(cell.source.split("\n\n"), throughout="answer-throughout" in tags))
    if isinstance(student, dict):
        cell.source = replaced(cell.source, student, place)


def _questions(blocks: list[str], throughout: bool) -> list[str]:
    """Return what remains of an answer's blocks, with a prompt in its place."""
    open_ones = [i for i, block in enumerate(blocks) if block.startswith(("#", "**Predict"))]
    if not throughout:
        return [PROMPT, *(blocks[open_ones[0] :] if open_ones else [])]
    rest = [blocks[i].split("\n")[0] if blocks[i].startswith("#") else blocks[i] for i in open_ones]
    return [rest[0], PROMPT, *rest[1:]] if rest and rest[0].startswith("#") else [PROMPT, *rest]


def _cut_cell(source: str, heading: str, rest: str, name: str) -> str:
    return open_cell(source, f"{_label(heading)}: its text stands at the top of this notebook", rest, name)


def open_cell(source: str, about: str, rest: str, name: str) -> str:
    """Put a stub in the place of each solved piece of a cell: it names the function, and what to compute.

    Args:
        about: which task it is.
        rest: the code of the cells behind this one.
        name: of the cell, for errors.

    Raises:
        ValueError: a START without its END, or the reverse.
    """
    lines = source.split("\n")
    for first, last in reversed(list(pairs(lines, name))):
        indent = " " * (len(lines[first]) - len(lines[first].lstrip()))
        inside = textwrap.dedent("\n".join(lines[first : last + 1]))
        chain = enclosing(source, first, last)
        later = set(re.findall(r"\w+", "\n".join([*lines[last + 1 :], "" if chain else rest])))
        place = f", {'.'.join(chain)}" if chain else ""
        text = stub(f"{about}{place}.", _results_in_cell(inside, later))
        lines[first : last + 1] = textwrap.indent(text, indent).split("\n")
    return "\n".join(lines)


def task_of(prose: str) -> str:
    """Return ``Task A1`` for a text with the heading "## 2. Task A1: the model"; empty where there is none."""
    found = [m["name"] for m in TASK_HEADING.finditer(prose) if m["name"].startswith(("Task", "Exercise"))]
    return found[-1].partition(":")[0] if found else ""


def _label(heading: str) -> str:
    return heading if heading.startswith(("Task", "Exercise")) else f"Section {heading!r}"


def _results_in_cell(code: str, later: set[str]) -> list[str]:
    """List the names that a piece of a cell binds, or fills, and that are used behind it."""
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return []
    loops: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.For):
            loops |= {id(part) for part in ast.walk(node.target)}
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Subscript) and isinstance(node.ctx, ast.Store):
            place = node.value if isinstance(node, ast.Subscript) else node
            if isinstance(place, ast.Name) and id(place) not in loops and not place.id.startswith("_"):
                names.append(place.id)
    return [name for name in dict.fromkeys(names) if name in later]


def folded(source: str, title: str) -> nbformat.NotebookNode:
    """Make a code cell that Jupyter, VS Code and Colab show folded, under a title."""
    cell = new_code_cell(f"# @title Given: {title}\n{source}")
    cell.metadata = nbformat.from_dict({"jupyter": {"source_hidden": True}, "cellView": "form", "collapsed": True})
    return cell
