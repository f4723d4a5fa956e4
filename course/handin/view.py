"""Look at a notebook as the checks of ``validate`` do: its code is parsed once, with its texts and definitions."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from course.handin.privacy import holds_secret
from course.notebooks import code
from course.notebooks.printed import ANSI
from course.notebooks.reading import Cell, Submission
from course.notebooks.visible import visible


class Remark(NamedTuple):
    """One thing to say about a notebook; a problem is to be mended before handing in, a note is to be known."""

    problem: bool
    text: str


def problem(text: str) -> Remark:
    return Remark(True, text)


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


@dataclass(frozen=True)
class CodeView:
    """A code cell that is not empty."""

    cell: Cell
    tree: ast.Module | None  # None where the code does not parse

    @property
    def number(self) -> int:
        return self.cell.number

    @property
    def source(self) -> str:
        return self.cell.source

    @property
    def count(self) -> int | None:
        return self.cell.count

    @property
    def has_picture(self) -> bool:
        return any(output.pictures for output in self.cell.outputs)

    @property
    def name(self) -> str:
        """What the author knows the cell by: its number and its first line, but for a secret, which is not repeated."""
        if holds_secret(self.source):
            return f"cell {self.number}"
        line = next((visible(line).strip() for line in self.source.splitlines() if line.strip()), "")
        return f"cell {self.number} ({line[:50]}{'...' if len(line) > 50 else ''})"

    @cached_property
    def text(self) -> str:
        """All that the outputs say: printed, displayed plain or as HTML, and tracebacks."""
        parts: list[str] = []
        for output in self.cell.outputs:
            parts += [output.text, output.rich, output.traceback]
        return ANSI.sub("", "\n".join(part for part in parts if part))


@dataclass(frozen=True)
class Definition:
    """Where a function, a class, a method (``VAE.forward``) or a variable gets its meaning."""

    view: CodeView
    node: ast.stmt


def _methods(node: ast.stmt) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Yield the methods of a class, called ``VAE.forward``."""
    for method in node.body if isinstance(node, ast.ClassDef) else ():
        if isinstance(node, ast.ClassDef) and isinstance(method, ast.FunctionDef):
            yield f"{node.name}.{method.name}", method


class NotebookView:
    """A whole notebook."""

    def __init__(self, submission: Submission) -> None:
        cells = [cell for cell in submission.cells if cell.source.strip()]
        self.code = [CodeView(cell, code.parse_or_none(cell.source)) for cell in cells]
        self.prose = submission.prose
        self.origin = submission.origin

    @cached_property
    def printed(self) -> str:
        return "\n".join(view.text for view in self.code)

    @cached_property
    def definitions(self) -> dict[str, list[Definition]]:
        definitions: dict[str, list[Definition]] = {}
        for view in self.code:
            for node in view.tree.body if view.tree else ():
                for name in code.bound(node):
                    definitions.setdefault(name, []).append(Definition(view, node))
                for name, method in _methods(node):
                    definitions.setdefault(name, []).append(Definition(view, method))
        return definitions
