"""The code of a cell: parsed as IPython would read it, and what it defines, uses, says and shows. Never executed."""

import ast
import re
from collections.abc import Iterator

from IPython.core.inputtransformer2 import TransformerManager

NAME_PLACE = {"show": 1, "explore": 2}  # where the figure's name stands among a function's arguments
Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


def parse(source: str) -> ast.Module:
    """Return a cell's code as Python, with IPython's magics turned into calls.

    Raises:
        SyntaxError: it is no Python.
    """
    return ast.parse(TransformerManager().transform_cell(source))


def parse_or_none(source: str) -> ast.Module | None:
    """Return a cell's code as Python; None where it is none, or more than the parser bears."""
    try:
        return parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def bound(statement: ast.stmt) -> Iterator[str]:
    """Yield the names that a statement binds at the top level; what functions and classes bind inside stays there."""
    pending: list[ast.AST] = [statement]
    while pending:
        node = pending.pop()
        yield from _bound_by(node)
        if not isinstance(node, Scope | Comprehension | ast.Import | ast.ImportFrom | ast.Lambda):
            pending.extend(ast.iter_child_nodes(node))


def _bound_by(node: ast.AST) -> Iterator[str]:
    """Yield the names that this node itself binds."""
    if isinstance(node, Scope):
        yield node.name
        for inner in ast.walk(node):
            if isinstance(inner, ast.Global):
                yield from inner.names
    elif isinstance(node, Comprehension):
        yield from (n.target.id for n in ast.walk(node) if isinstance(n, ast.NamedExpr))
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from (alias.asname or alias.name.split(".")[0] for alias in node.names)
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif isinstance(node, ast.ExceptHandler) and node.name:
        yield node.name


def words(source: str, tree: ast.Module | None) -> set[str]:
    """Return the names and attributes in a cell's code, and the words of a cell that does not parse."""
    if tree is None:
        return set(re.findall(r"\w+", source))
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.Attribute):
            names.add(node.attr)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.keyword | ast.arg) and node.arg:
            names.add(node.arg)
    return names


def strings(source: str, tree: ast.Module | None) -> str:
    """Return a cell's string literals, f-strings' fixed parts included; the whole source where it does not parse."""
    if tree is None:
        return source
    constants = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return "\n".join(value for value in constants if isinstance(value, str))


def imported_modules(tree: ast.Module | None) -> set[str]:
    """Return the modules that a cell's imports name."""
    modules: set[str] = set()
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.ImportFrom):
            modules.add(node.module or "")
        elif isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
    return modules


def figure_names(tree: ast.Module) -> Iterator[str]:
    """Yield the names of the figures that a cell's ``show`` or ``explore`` displays."""
    for node in tree.body:
        call = node.value if isinstance(node, ast.Expr) else None
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            continue
        place = NAME_PLACE.get(call.func.id, len(call.args))
        name = call.args[place] if place < len(call.args) else None
        if isinstance(name, ast.Constant) and isinstance(name.value, str):
            yield name.value
