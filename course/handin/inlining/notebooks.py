"""What a notebook's code takes from the helpers, and which names it gives a meaning of its own."""

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeGuard

from course.handin.inlining.modules import Definition, External, Meaning, is_helpers, names_in, resolve
from course.notebooks.code import bound, parse

BLANK_START = re.compile(r"\A(?:[ \t]*\n)+")


@dataclass
class Notebook:
    """The code cells of a notebook, and the names in them."""

    title: str
    sources: list[str]
    trees: list[ast.Module]
    imports: dict[str, Definition | str] = field(default_factory=dict)  # local names, of the helpers
    reaches: dict[str, set[str]] = field(default_factory=dict)  # local names of modules: attributes used
    binds: set[str] = field(default_factory=set)
    externals: dict[str, External] = field(default_factory=dict)
    defines: set[str] = field(default_factory=set)  # functions and classes
    loads: set[str] = field(default_factory=set)


def read(title: str, sources: Sequence[str]) -> Notebook:
    """Read the code cells of a notebook.

    Raises:
        ValueError: a cell does not parse, or an import does not say which names it brings.
    """
    sources = [BLANK_START.sub("", source) for source in sources]  # as IPython does, so that lines are counted alike
    trees = [_parsed(title, number, source) for number, source in enumerate(sources, 1)]
    nb = Notebook(title, list(sources), trees)
    for number, tree in enumerate(trees, 1):
        _take_names(nb, tree, f"{title}, code cell {number}")
    for local, meaning in nb.imports.items():
        if isinstance(meaning, str):
            nb.reaches[local] = _attributes(nb, local)
    return nb


def _parsed(title: str, number: int, source: str) -> ast.Module:
    try:
        return parse(source)
    except SyntaxError as error:
        raise ValueError(f"{title}, code cell {number}: {error.msg} (line {error.lineno}): repair it") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise ValueError(
            f"{title}, code cell {number}: it cannot be read, or is nested too deeply: write it in several statements"
        ) from error


def _take_names(nb: Notebook, tree: ast.Module, where: str) -> None:
    """Enter the names of one cell."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom) and imports_helpers(node):
            _check_import(node, node in tree.body, where)
            nb.imports |= {k: v for k, v in names_in(node) if not isinstance(v, External)}
        if is_load(node):
            nb.loads.add(node.id)
    for node in tree.body:
        if not isinstance(node, ast.Import | ast.ImportFrom):
            nb.binds |= set(bound(node))
        elif not imports_helpers(node):
            nb.externals |= {k: v for k, v in names_in(node) if isinstance(v, External)}
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            nb.defines.add(node.name)


def imports_helpers(node: ast.Import | ast.ImportFrom) -> bool:
    """Say whether an import names a module of the helpers."""
    if isinstance(node, ast.ImportFrom):
        return node.level == 0 and is_helpers(node.module or "")
    return any(is_helpers(alias.name) for alias in node.names)


def is_load(node: ast.AST) -> TypeGuard[ast.Name]:
    """Say whether a node reads a name."""
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)


def _check_import(node: ast.Import | ast.ImportFrom, at_top: bool, where: str) -> None:
    text = ast.unparse(node)
    if not at_top:
        raise ValueError(f"{where}: move {text!r} out of the function or block that it stands in")
    plain = isinstance(node, ast.Import) and any(not a.asname or not is_helpers(a.name) for a in node.names)
    if plain or any(a.name == "*" for a in node.names):
        raise ValueError(f"{where}: {text!r} does not say which names it brings; write 'from helpers... import name'")


def _attributes(nb: Notebook, local: str) -> set[str]:
    """Collect what a notebook uses of a module."""
    attributes: set[str] = set()
    bare = 0
    for tree in nb.trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == local:
                attributes.add(node.attr)
                bare -= 1
            bare += isinstance(node, ast.Name) and node.id == local
    if bare > 0 and local not in nb.binds:
        raise ValueError(f"{nb.title} uses the module {local} other than as {local}.name: import the names it needs")
    return attributes


def meanings_in(nb: Notebook) -> dict[str, Meaning]:
    """Map the names that a notebook uses of the helpers, ``plots.panels`` for attributes, to what they mean."""
    meanings: dict[str, Meaning] = {}
    for local, meaning in nb.imports.items():
        if isinstance(meaning, str):
            meanings |= {f"{local}.{name}": resolve(Definition(meaning, name)) for name in nb.reaches[local]}
        elif local in nb.loads:
            meanings[local] = resolve(meaning)
    return meanings
