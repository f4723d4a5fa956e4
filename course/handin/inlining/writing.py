"""The helpers as cells: modules after those that they import, definitions in the order of their module."""

import ast
import inspect
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import libcst as cst

from course.handin.inlining.modules import SECTION, Definition, External, Meaning, Statement, imports_of, load, resolve

MATHEMATICS = ("gaussian", "objective", "latent", "networks")  # of helpers.core, in reading order
LINES_IN_A_CELL = 60
WIDTH = 120


class Section(NamedTuple):
    """A run of definitions of one module: a heading, what it is about, and code cells."""

    title: str
    about: str
    cells: list[str]


def import_lines(externals: list[External], names: dict[Meaning, str]) -> str:
    """Write imports as a reader expects them: modules first, then names, one line a module."""
    whole: set[str] = set()
    parts: dict[str, set[str]] = {}
    for e in externals:
        local = names.get(e, e.local)
        if e.name is None:
            whole.add(f"import {e.module}" if local == e.module else f"import {e.module} as {local}")
        else:
            parts.setdefault(e.module, set()).add(e.name if local == e.name else f"{e.name} as {local}")
    return "\n".join([*sorted(whole), *(f"from {m} import {', '.join(sorted(parts[m]))}" for m in sorted(parts))])


def sections_of(needs: set[Meaning], names: dict[Meaning, str], last: Sequence[str]) -> list[Section]:
    """Write the definitions among ``needs``, under the names that they have in the joined notebook.

    Args:
        last: the assignment's own modules.
    """
    names_of: dict[str, set[str]] = {}
    for meaning in needs:
        if isinstance(meaning, Definition):
            names_of.setdefault(meaning.module, set()).add(meaning.name)
    sections = []
    for module in in_order(set(names_of), last):
        sections += _sections(module, names_of[module], names)
    return sections


def _sections(module: str, definitions: set[str], names: dict[Meaning, str]) -> list[Section]:
    parts: dict[str, list[str]] = {}
    for statement in load(module).statements:
        if definitions & set(statement.binds):
            parts.setdefault(statement.section, []).append(_code(statement, module, names))
    title = module.removeprefix("helpers.core.").removeprefix("helpers.")
    headings = [f"`{title}`" + (f": {part}" if part else "") for part in parts]
    abouts = [plain_text(load(module).about.split("\n\n")[0]), *[""] * len(parts)]
    return [Section(*row) for row in zip(headings, abouts, map(_cells, parts.values()), strict=False)]


# ---------------------------------------------------------------- the order of modules


def in_order(modules: set[str], last: Sequence[str]) -> list[str]:
    """Put modules behind those that they import; among equals as they are best read (:func:`_place`)."""
    rest = sorted(modules, key=lambda module: _place(module, last))
    order: list[str] = []
    while rest:
        first = next(m for m in rest if not (imports_of(m) & set(rest)) - {m})
        order.append(first)
        rest.remove(first)
    return order


def _place(module: str, last: Sequence[str]) -> tuple[int, int, str]:
    """Rank a module: the mathematics, the machinery of core, drawing, any other, and the assignment's own."""
    package, _, name = module.removeprefix("helpers.").partition(".")
    if package == "core" and name in MATHEMATICS:
        return 0, MATHEMATICS.index(name), module
    if package in last:
        return 4, last.index(package), module
    return {"core": 1, "plots": 2}.get(package, 3), 0, module


# ---------------------------------------------------------------- code


class _NewNames(cst.CSTTransformer):
    """Puts names in the place of nodes, which are known by their identity."""

    def __init__(self, new: dict[int, str]) -> None:
        self.new = new

    def on_leave(self, original_node: cst.CSTNode, updated_node: cst.CSTNode) -> cst.CSTNode:  # type: ignore[override]
        name = self.new.get(id(original_node))
        if name is None:
            return updated_node
        if isinstance(updated_node, cst.FunctionDef | cst.ClassDef):
            return updated_node.with_changes(name=cst.Name(name))
        brackets = {side: getattr(updated_node, side, ()) for side in ("lpar", "rpar")}
        return cst.Name(name, **brackets)


def _code(statement: Statement, module: str, names: dict[Meaning, str]) -> str:
    new = {id(node): names[resolve(m)] for node, m in statement.uses}
    new |= {id(node): names[Definition(module, name)] for name, node in statement.binds.items()}
    texts = []
    for node in statement.nodes:
        lines = [line for line in getattr(node, "leading_lines", ()) if line.comment]
        comments = [line for line in lines if not SECTION.fullmatch(line.comment.value)]
        renamed = node.visit(_NewNames(new))
        assert isinstance(renamed, cst.SimpleStatementLine | cst.BaseCompoundStatement)
        texts.append(cst.Module([renamed.with_changes(leading_lines=comments)]).code.strip("\n"))
    return with_close_signatures(shortened("\n".join(texts)))


def shortened(code: str) -> str:
    """Cut docstrings down to their first paragraph and the one that names a source: the notebook explains the rest."""
    nodes = [n for n in ast.walk(ast.parse(code)) if isinstance(n, ast.FunctionDef | ast.ClassDef)]
    strings = [n.body[0] for n in nodes if ast.get_docstring(n)]
    for node in sorted(strings, key=lambda n: n.lineno, reverse=True):
        lines = code.split("\n")
        first, last = node.lineno - 1, node.end_lineno or node.lineno
        before, quotes, text = "\n".join(lines[first:last]).partition('"""')
        if text:
            indent = " " * node.col_offset
            brief = _brief(text.rstrip().removesuffix(quotes)).replace("\n", f"\n{indent}")
            lines[first:last] = f"{before}{quotes}{brief}{quotes}".split("\n")
            code = "\n".join(lines)
    return code


def with_close_signatures(code: str) -> str:
    """Write the parameters of a function beside one another where they stand on one line each."""
    lines = code.split("\n")
    nodes = [n for n in ast.walk(ast.parse(code)) if isinstance(n, ast.FunctionDef)]
    for node in sorted(nodes, key=lambda n: n.lineno, reverse=True):
        first, last = node.lineno - 1, node.body[0].lineno - 1
        start, *parameters, end = lines[first:last] if last - first > 2 else ["", ""]
        if start.endswith("(") and end.strip().startswith(")") and all(p.endswith(",") for p in parameters):
            lines[first:last] = [start, *_packed(parameters), end]
    return "\n".join(lines)


def _packed(lines: list[str]) -> list[str]:
    """Put lines behind one another as long as there is room, except where one ends in a comment."""
    out = lines[:1]
    for line in lines[1:]:
        together = f"{out[-1]} {line.strip()}"
        if "#" in together or len(together) > WIDTH:
            out.append(line)
        else:
            out[-1] = together
    return out


def _brief(docstring: str) -> str:
    first, *rest = inspect.cleandoc(docstring).split("\n\n")
    return "\n".join([first, *(part for part in rest if part.startswith("Source:"))])


def _cells(texts: list[str]) -> list[str]:
    """Gather definitions, a few a cell: short ones close together, functions and classes a line apart."""
    cells: list[list[str]] = [[]]
    for text in texts:
        if cells[-1] and sum(t.count("\n") + 1 for t in cells[-1]) + text.count("\n") > LINES_IN_A_CELL:
            cells.append([])
        cells[-1].append(text)
    return [_spaced(cell) for cell in cells]


def _spaced(texts: list[str]) -> str:
    out = texts[0]
    for before, text in pairwise(texts):
        small = not any(re.search(r"^(def|class|@)", t, re.MULTILINE) for t in (before, text))
        out += ("\n" if small else "\n\n") + text
    return out


def plain_text(docstring: str) -> str:
    """Write a docstring's text as Markdown."""
    text = re.sub(r":(?:func|class|mod|data):`~?([^`]+)`", r"`\1`", docstring)
    return " ".join(text.replace("``", "`").split())
