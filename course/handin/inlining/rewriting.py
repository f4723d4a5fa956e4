"""A notebook's own cells, with what they need in the place of their imports of the helpers."""

import ast
import re

from IPython.core.inputtransformer2 import TransformerManager

from course.handin.inlining.modules import Meaning, names_in
from course.handin.inlining.notebooks import Notebook, imports_helpers, is_load

WIDTH = 120


def rewritten_cells(nb: Notebook, meanings: dict[str, Meaning], names: dict[Meaning, str]) -> list[str | None]:
    """Return the cells of a notebook without imports of the helpers; None for a cell of which nothing is left.

    Args:
        meanings: what the notebook's names of the helpers mean.
        names: what each meaning is called.

    Raises:
        ValueError: magics over several lines stand in a cell with such an import.
    """
    return [_rewritten(nb, i, meanings, names) for i in range(len(nb.sources))]


def _rewritten(nb: Notebook, i: int, meanings: dict[str, Meaning], names: dict[Meaning, str]) -> str | None:
    source, tree = nb.sources[i], nb.trees[i]
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    removals: list[ast.stmt] = [node for node in imports if imports_helpers(node)]
    search = _search_for_helpers(tree, nb, removals)
    if not removals and not search:
        return source
    if source.rstrip("\n").count("\n") != TransformerManager().transform_cell(source).rstrip("\n").count("\n"):
        raise ValueError(
            f"{nb.title}: give the helpers' imports a cell of their own, without magics over several lines"
        )
    new_names = {}
    for node in imports:
        if node in removals:
            new_names |= dict(names_in(node))
    if search:
        still_read = _reads(nb, search)
        removals += [n for n in imports if n not in removals and not _locals(n) & still_read]
    new = [*_aliases(new_names, meanings, names), *_namespaces(new_names, nb, meanings, names)]
    return _spliced(source, [*removals, *search], new)


def _search_for_helpers(tree: ast.Module, nb: Notebook, removals: list[ast.stmt]) -> list[ast.stmt]:
    """Return the statements of a cell that only put the helpers on the path, fetching them on Colab included."""
    search = [
        n for n in tree.body if "helpers" in (text := ast.unparse(n)) and "sys.path" in text and n not in removals
    ]
    if not search:
        return []
    search += [n for n in tree.body if isinstance(n, ast.If) and "google.colab" in ast.unparse(n.test)]
    serves = {n.id for s in search for n in ast.walk(s) if is_load(n)}
    for node in tree.body:
        if not isinstance(node, ast.Assign) or node in search:
            continue
        targets = {t.id for t in node.targets if isinstance(t, ast.Name)}
        only_names = len(targets) == len(node.targets)
        if only_names and targets <= serves and not targets & _reads(nb, [*search, node]):
            search.append(node)
    return search


def _reads(nb: Notebook, without: list[ast.stmt]) -> set[str]:
    """Collect the names that a notebook reads outside of some statements."""
    names: set[str] = set()
    for tree in nb.trees:
        for statement in tree.body:
            if statement not in without:
                names |= {n.id for n in ast.walk(statement) if is_load(n)}
    return names


def _locals(node: ast.Import | ast.ImportFrom) -> set[str]:
    return {alias.asname or alias.name.split(".")[0] for alias in node.names}


def _aliases(new_names: dict, meanings: dict[str, Meaning], names: dict[Meaning, str]) -> list[str]:
    needs = [local for local, m in new_names.items() if not isinstance(m, str) and local in meanings]
    return [f"{local} = {names[meanings[local]]}" for local in needs if names[meanings[local]] != local]


def _namespaces(new_names: dict, nb: Notebook, meanings: dict[str, Meaning], names: dict[Meaning, str]) -> list[str]:
    """Write ``plots = SimpleNamespace(panels=panels)`` for the modules among what imports bring."""
    lines = []
    for local, module in new_names.items():
        attributes = sorted(nb.reaches.get(local, ())) if isinstance(module, str) else []
        if attributes:
            inside = [f"{name}={names[meanings[f'{local}.{name}']]}" for name in attributes]
            line = f"{local} = SimpleNamespace({', '.join(inside)})"
            if len(line) > WIDTH:
                line = "\n".join([f"{local} = SimpleNamespace(", *(f"    {part}," for part in inside), ")"])
            lines.append(line)
    return lines


def _spliced(source: str, removals: list[ast.stmt], new: list[str]) -> str | None:
    """Return a cell without some of its statements, ``new`` in place of the first; None where nothing is left."""
    lines = source.split("\n")
    drop: set[int] = set()
    for node in removals:
        drop |= set(range(node.lineno - 1, node.end_lineno or node.lineno))
    for first in sorted(drop):  # comments right above
        above = first - 1
        while above >= 0 and above not in drop and lines[above].startswith("#"):
            drop.add(above)
            above -= 1
    rest: list[str] = []
    for i, line in enumerate(lines):
        if i == min(drop):
            rest += new
        if i not in drop:
            rest.append(line)
    text = re.sub(r"\n{4,}", "\n\n\n", "\n".join(rest)).strip("\n")
    return text if any(line.strip() and not line.startswith("#") for line in text.split("\n")) else None
