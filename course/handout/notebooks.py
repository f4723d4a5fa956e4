"""Notebooks without their solution: tasks open, answers and outputs gone.

Text cells with the tag ``answer`` lose what comes before their first heading or **Predict**. With ``answer-throughout``
they keep headings and **Predict** only. A text in the cell's metadata under ``student`` is shown in place of either.
"""

import ast
import re
import textwrap
from collections.abc import Iterator

import nbformat

from course.handout.regions import enclosing, pairs, stub
from course.notebooks.code import figure_names, parse

PROMPT = "*Your reading: what did you expect, and what came out?*"
ANSWERS = {"answer", "answer-throughout"}
TASK_HEADING = re.compile(r"^#+ (?:\d+\. )?(?P<name>.+)$", re.MULTILINE)
BADGE = re.compile(r"^\[!\[Open in Colab\].*\n\n?", re.MULTILINE)  # leads to the solutions


def code_cells(notebook: str) -> list[str]:
    """Return the sources of a notebook's code cells."""
    return [c.source for c in nbformat.reads(notebook, as_version=4).cells if c.cell_type == "code"]


def figures_in(notebook: str) -> Iterator[str]:
    """Yield the names of the figures that a notebook shows."""
    for source in code_cells(notebook):
        yield from figure_names(parse(source))


def cut_notebook(source: str, name: str = "the notebook") -> str:
    """Take the solution out of a notebook: its open tasks, its answers, and all outputs.

    Raises:
        ValueError: a START without its END, or the reverse.
    """
    nb = nbformat.reads(source, as_version=4)
    heading = ""
    for i, cell in enumerate(nb.cells):
        if cell.cell_type == "markdown":
            heading = ([m["name"] for m in TASK_HEADING.finditer(cell.source)] or [heading])[-1]
            _remove_answer(cell)
            cell.source = BADGE.sub("", cell.source)
        elif cell.cell_type == "code":
            rest = "\n".join(c.source for c in nb.cells[i + 1 :] if c.cell_type == "code")
            cell.source = _cut_cell(_without_colab(cell.source), heading, rest, f"{name}, cell {cell.id}")
            cell.outputs, cell.execution_count = [], None
    return nbformat.writes(nb) + "\n"


def _without_colab(source: str) -> str:
    """Return a set-up cell that does not fetch this repository on Colab: it holds the solutions."""
    if '"google.colab"' not in source:
        return source
    lines = source.split("\n")
    for node in ast.parse(source).body:
        if isinstance(node, ast.If) and "google.colab" in ast.unparse(node.test):
            del lines[node.lineno - 1 : (node.end_lineno or node.lineno) + 1]  # and the blank line after it
            break
    rest = [line for line in lines if line != "import subprocess"]
    return "\n".join(rest).replace(', Path("vae-solutions").resolve()', "")


def _remove_answer(cell: nbformat.NotebookNode) -> None:
    tags = set(cell.metadata.pop("tags", ()))
    student = cell.metadata.pop("student", None)
    if student is not None:
        cell.source = student
    elif tags & ANSWERS:
        cell.source = "\n\n".join(_questions(cell.source.split("\n\n"), throughout="answer-throughout" in tags))


def _questions(blocks: list[str], throughout: bool) -> list[str]:
    """Return what remains of an answer's blocks, with a prompt in its place."""
    open_ones = [i for i, block in enumerate(blocks) if block.startswith(("#", "**Predict"))]
    if not throughout:
        return [PROMPT, *(blocks[open_ones[0] :] if open_ones else [])]
    rest = [blocks[i].split("\n")[0] if blocks[i].startswith("#") else blocks[i] for i in open_ones]
    return [rest[0], PROMPT, *rest[1:]] if rest and rest[0].startswith("#") else [PROMPT, *rest]


def _cut_cell(source: str, heading: str, rest: str, name: str) -> str:
    return open_cell(source, f"{_label(heading)}: see the text above", rest, name)


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
        text = stub(f"{about}{place}.", _results(inside, later))
        lines[first : last + 1] = textwrap.indent(text, indent).split("\n")
    return "\n".join(lines)


def task_of(prose: str) -> str:
    """Return ``Task A1`` for a text with the heading "## 2. Task A1: the model"; empty where there is none."""
    found = [m["name"] for m in TASK_HEADING.finditer(prose) if m["name"].startswith(("Task", "Exercise"))]
    return found[-1].partition(":")[0] if found else ""


def _label(heading: str) -> str:
    return heading if heading.startswith(("Task", "Exercise")) else f"Section {heading!r}"


def _results(code: str, later: set[str]) -> list[str]:
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
