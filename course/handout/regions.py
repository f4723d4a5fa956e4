"""What stands between the marks of a task in a module gives way to a stub that says what to compute."""

import ast
import json
import re
import textwrap
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from course.handin.inlining import plain_text

START, END = "### START CODE HERE ###", "### END CODE HERE ###"
WIDTH = 116

Scope = ast.ClassDef | ast.FunctionDef


class Region(NamedTuple):
    """A solved piece of a module: from the line of START to that of END, counted from 0, both included."""

    first: int
    last: int
    function: str  # ``VAE.forward``
    title: str  # of its docstring
    source: str  # where the equation stands
    computes: tuple[str, ...]  # names that the code behind the region uses


def regions(source: str, name: str = "the source") -> list[Region]:
    """Find the solved pieces of a module.

    Raises:
        ValueError: a START without its END, or the reverse; or a region outside of any function.
    """
    places = list(pairs(source.split("\n"), name))
    tree = ast.parse(source)
    return [_region(tree, first, last, name) for first, last in places]


def _region(tree: ast.Module, first: int, last: int, name: str) -> Region:
    chain = _enclosing(tree, first + 1, last + 1)
    outermost = next((i for i, n in enumerate(chain) if isinstance(n, ast.FunctionDef)), None)
    if outermost is None:
        raise ValueError(f"{name}, line {first + 1}: {START} stands outside of any function")
    docs = [ast.get_docstring(n) or "" for n in chain[outermost::-1]]
    return Region(
        first,
        last,
        function=".".join(n.name for n in chain[: outermost + 1]),
        title=plain_text(next(filter(None, docs), "").split("\n\n")[0]),
        source=next(filter(None, map(_source_of, docs)), ""),
        computes=_results_in_function(chain[-1], first + 1, last + 1),
    )


def pairs(lines: list[str], name: str) -> Iterator[tuple[int, int]]:
    """Yield the lines of START and END, counted from 0.

    Raises:
        ValueError: one stands without the other.
    """
    first = None
    for i, line in enumerate(lines):
        if line.strip() not in (START, END):
            continue
        if (line.strip() == START) != (first is None):
            raise ValueError(f"{name}, line {i + 1}: {line.strip()} without its partner")
        if first is None:
            first = i
        else:
            yield first, i
            first = None
    if first is not None:
        raise ValueError(f"{name}, line {first + 1}: {START} without its partner")


def _enclosing(tree: ast.Module, first: int, last: int) -> list[Scope]:
    """Return the classes and functions around some lines, the outermost first."""
    chain: list[Scope] = []
    body: list[ast.stmt] = tree.body
    while True:
        inside = [n for n in body if n.lineno < first and (n.end_lineno or 0) >= last - 1]
        if not inside:
            return chain
        node = inside[-1]
        if isinstance(node, Scope):
            chain.append(node)
        body = [n for n in ast.iter_child_nodes(node) if isinstance(n, ast.stmt)]


def enclosing(source: str, first: int, last: int) -> list[str]:
    """Return the names of the classes and functions around some lines, counted from 0; none where it cannot be read."""
    try:
        return [node.name for node in _enclosing(ast.parse(source), first + 1, last + 1)]
    except SyntaxError:
        return []


def _source_of(docstring: str) -> str:
    match = re.search(r"Source: (.+?)(?:\n\n|\Z)", docstring, re.DOTALL)
    return " ".join(match[1].split()).rstrip(".") if match else ""


def _results_in_function(function: ast.AST, first: int, last: int) -> tuple[str, ...]:
    """List the names bound between two lines and used behind them, in the order in which they are bound."""
    places: dict[str, tuple[int, int]] = {}
    later: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Name | ast.Attribute) and not isinstance(getattr(node, "value", None), ast.Call):
            text = ast.unparse(node)
            if first <= node.lineno <= last and isinstance(node.ctx, ast.Store):
                places.setdefault(text, (node.lineno, node.col_offset))
            elif node.lineno > last and isinstance(node.ctx, ast.Load):
                later.add(text)
    return tuple(sorted((name for name in places if name in later or "." in name), key=lambda name: places[name]))


def cut(source: str, tasks: dict[str, str], name: str = "the source") -> str:
    """Take the solution out of a module.

    Args:
        tasks: functions that are open, with their task's name; the regions of others lose their marks and stay.

    Raises:
        ValueError: as :func:`regions`.
    """
    lines = source.split("\n")
    for region in reversed(regions(source, name)):
        solved = lines[region.first : region.last + 1]
        task = tasks.get(region.function)
        indent = " " * (len(solved[0]) - len(solved[0].lstrip()))
        lines[region.first : region.last + 1] = (
            solved[1:-1] if task is None else textwrap.indent(_stub(region, task), indent).split("\n")
        )
    return "\n".join(lines)


def _stub(region: Region, task: str) -> str:
    about = f"Task {task}, {region.function}: {region.title}"
    return stub(f"{about} {region.source}.".strip() if region.source else about, region.computes)


def stub(about: str, results: Iterable[str]) -> str:
    """Write the code that stands in for a solution: it raises ``NotImplementedError`` with a text.

    Args:
        about: the text.
        results: names that the solution has to give a value to.
    """
    names = ", ".join(results)
    hint = textwrap.wrap(f"your code computes {names}", WIDTH - 20) if names else ["your code"]
    pieces = textwrap.wrap(about, WIDTH - 20, break_long_words=False, break_on_hyphens=False)
    text = [
        f"    {json.dumps(piece + ' ' * (i < len(pieces) - 1), ensure_ascii=False)}" for i, piece in enumerate(pieces)
    ]
    return "\n".join([START, *(f"# {line}" for line in hint), "raise NotImplementedError(", *text, ")", END])
