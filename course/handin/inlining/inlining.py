"""Notebooks that import the helpers, turned into cells that stand alone.

A notebook's ``from helpers... import ...`` gives way to the definitions it uses, and those that they use in turn, as
cells in dependency order: modules after those that they import, definitions as they stand in their module. The
notebook's own cells stay as they are; where one reaches into a module (``plots.panels``), the module's name stands for
a little namespace of what is used of it.

In one notebook all names share one scope, in the repository each module has its own. So a definition keeps its name
only where nothing else claims it; else it is called ``module_name``, and an import that asked for the plain name gets
an assignment in its place. A function or class of the student's own with a helper's name takes the helper's place.
"""

import ast
import builtins
import functools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import libcst as cst
from IPython.core.inputtransformer2 import TransformerManager
from libcst.metadata import GlobalScope, ImportAssignment, MetadataWrapper, ParentNodeProvider, ScopeProvider

from course.handin.inlining import standalone
from course.paths import SOURCES

READING_ORDER = ("core.gaussian", "core.objective", "core.networks", "core.training", "core.standin", "core.data",
                 "core.latent", "core.settings", "plots", "notebook")  # fmt: skip
BLANK_START = re.compile(r"\A(?:[ \t]*\n)+")
SECTION = re.compile(r"# -{5,} (.+)")
LINES_IN_A_CELL = 60


class Definition(NamedTuple):
    """A name that a module of the helpers gives a meaning to."""

    module: str
    name: str


class External(NamedTuple):
    """A name that an import from elsewhere gives a meaning to: ``from module import name as local``."""

    module: str
    name: str | None  # None: the module itself
    local: str


class Section(NamedTuple):
    """A run of definitions of one module: a heading, what it is about, and code cells."""

    title: str
    about: str
    cells: list[str]


@dataclass(frozen=True)
class Joined:
    """Notebooks without their helpers, and the helpers that they need."""

    imports: str
    sections: list[Section]
    cells: list[list[str | None]]  # for each notebook its cells; None where nothing is left of one
    own: list[str]  # the student's definitions that took a helper's place


# ---------------------------------------------------------------- modules of the helpers


@dataclass(frozen=True)
class _Statement:
    """A top-level statement, with the assignment docstring that may follow it."""

    nodes: list[cst.CSTNode]
    section: str
    binds: dict[str, cst.CSTNode]  # names to the nodes that bind them
    uses: list[tuple[cst.CSTNode, Definition | External]]  # nodes that mean something of the top level


@dataclass(frozen=True)
class _Module:
    name: str
    about: str
    statements: list[_Statement]
    imports: dict[str, "Definition | External | str"]  # a str is a module of the helpers

    def index(self, name: str) -> int | None:
        return next((i for i, s in enumerate(self.statements) if name in s.binds), None)


def _is_helpers(module: str) -> bool:
    return module == "helpers" or module.startswith("helpers.")


def _path(module: str) -> Path | None:
    """The file of a module of the helpers; None where there is none of that name."""
    base = SOURCES.joinpath(*module.split("."))
    return next((p for p in (base.with_suffix(".py"), base / "__init__.py") if p.is_file()), None)


@functools.cache
def _load(module: str) -> _Module:
    path = _path(module)
    if path is None:
        raise ValueError(f"there is no module {module} in this repository: look at the import that names it")
    wrapper = MetadataWrapper(cst.parse_module(path.read_text(encoding="utf-8")), unsafe_skip_copy=True)
    tree = wrapper.module
    known = wrapper.resolve_many([ParentNodeProvider, ScopeProvider])
    parents = known[ParentNodeProvider]
    scope = next(s for s in known[ScopeProvider].values() if isinstance(s, GlobalScope))
    imports: dict[str, Definition | External | str] = {}
    for statement in ast.parse(tree.code).body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            imports |= dict(_imported(statement))

    bodies = [node for node in tree.body if not _is_import(node)]
    groups: list[list[cst.CSTNode]] = []
    for node in bodies[tree.get_docstring() is not None :]:
        if _is_string(node) and groups:
            groups[-1].append(node)  # says what the name above means
        else:
            groups.append([node])
    owner = {id(part): i for i, nodes in enumerate(groups) for node in nodes for part in _parts(node)}

    binds: list[dict[str, cst.CSTNode]] = [{} for _ in groups]
    uses: list[list[tuple[cst.CSTNode, Definition | External]]] = [[] for _ in groups]
    for assignment in scope.assignments:
        imported = isinstance(assignment, ImportAssignment)
        if not imported and id(assignment.node) in owner:
            binds[owner[id(assignment.node)]][assignment.name] = assignment.node
        for access in assignment.references:
            node = access.node
            if not isinstance(node, cst.Name) or id(node) not in owner:
                continue  # an annotation in quotes is not evaluated, an import needs no renaming
            meaning = imports[assignment.name] if imported else Definition(module, assignment.name)
            if isinstance(meaning, str):
                node = parents[node]
                if not isinstance(node, cst.Attribute):
                    raise ValueError(f"{module} uses the module {meaning} other than by its attributes")
                meaning = Definition(meaning, node.attr.value)
            uses[owner[id(access.node)]].append((node, meaning))
    titles = _sections(groups)
    statements = [_Statement(*parts) for parts in zip(groups, titles, binds, uses, strict=True)]
    return _Module(module, tree.get_docstring() or "", statements, imports)


def _imported(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, "Definition | External | str"]]:
    """Local names and what they mean."""
    for alias in node.names:
        local = alias.asname or alias.name
        if isinstance(node, ast.Import):
            if _is_helpers(alias.name) and alias.asname:
                yield local, alias.name
            else:
                yield local.split(".")[0], External(alias.name, None, local)
        elif not _is_helpers(node.module or ""):
            yield local, External("." * node.level + (node.module or ""), alias.name, local)
        elif _path(f"{node.module}.{alias.name}"):
            yield local, f"{node.module}.{alias.name}"
        else:
            yield local, Definition(node.module, alias.name)


def _is_import(node: cst.CSTNode) -> bool:
    small = node.body[0] if isinstance(node, cst.SimpleStatementLine) else None
    is_all = isinstance(small, cst.Assign) and getattr(small.targets[0].target, "value", "") == "__all__"
    return is_all or isinstance(small, cst.Import | cst.ImportFrom)


def _is_string(node: cst.CSTNode) -> bool:
    small = node.body[0] if isinstance(node, cst.SimpleStatementLine) else None
    return isinstance(small, cst.Expr) and isinstance(small.value, cst.SimpleString | cst.ConcatenatedString)


def _parts(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    yield node
    for child in node.children:
        yield from _parts(child)


def _sections(groups: list[list[cst.CSTNode]]) -> list[str]:
    titles, title = [], ""
    for nodes in groups:
        for line in getattr(nodes[0], "leading_lines", ()):
            found = SECTION.fullmatch(line.comment.value) if line.comment else None
            title = found[1] if found else title
        titles.append(title)
    return titles


def _resolve(meaning: Definition | External) -> Definition | External:
    """Follow a name through modules that only pass it on."""
    if isinstance(meaning, External):
        return meaning
    if meaning.module == standalone.__name__:
        replaced = {here: Definition(*there) for there, here in standalone.INSTEAD.items()}
        meaning = replaced.get(meaning.name, meaning)
    module = _load(meaning.module)
    if module.index(meaning.name) is not None:
        return meaning
    passed_on = module.imports.get(meaning.name)
    if passed_on is None or isinstance(passed_on, str):
        raise ValueError(f"{meaning.module} has no {meaning.name}: look at the import that names it")
    return _resolve(passed_on)


def _statement(definition: Definition) -> tuple[_Statement, int]:
    """What says what a name means, and its place in its module; see :mod:`course.handin.inlining.standalone`."""
    module = _load(definition.module)
    place = module.index(definition.name)
    other = standalone.INSTEAD.get(definition)
    if other is None:
        return module.statements[place], place
    stand_in = _load(standalone.__name__)
    return stand_in.statements[stand_in.index(other)], place


# ---------------------------------------------------------------- notebooks


@dataclass
class _Notebook:
    """What a notebook's code takes from the helpers, and which names it gives a meaning of its own."""

    title: str
    sources: list[str]
    trees: list[ast.Module]
    imports: dict[str, Definition | str] = field(default_factory=dict)  # local names, of the helpers
    reaches: dict[str, set[str]] = field(default_factory=dict)  # local names of modules: attributes used
    binds: set[str] = field(default_factory=set)
    externals: dict[str, External] = field(default_factory=dict)
    defines: set[str] = field(default_factory=set)  # functions and classes
    loads: set[str] = field(default_factory=set)


def parse(source: str) -> ast.Module:
    """A cell's code as Python, with IPython's magics turned into calls.

    Raises:
        SyntaxError: it is no Python.
    """
    return ast.parse(TransformerManager().transform_cell(source))


def _read(title: str, sources: Sequence[str]) -> _Notebook:
    sources = [BLANK_START.sub("", source) for source in sources]  # as IPython does, so that lines are counted alike
    trees = []
    for number, source in enumerate(sources, 1):
        try:
            trees.append(parse(source))
        except SyntaxError as error:
            raise ValueError(f"{title}, code cell {number}: {error.msg} (line {error.lineno}): repair it") from error
    nb = _Notebook(title, list(sources), trees)
    for number, tree in enumerate(trees, 1):
        where = f"{title}, code cell {number}"
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom) and _names_helpers(node):
                _check_import(node, node in tree.body, where)
                nb.imports |= {k: v for k, v in _imported(node) if not isinstance(v, External)}
        for node in tree.body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                if not _names_helpers(node):
                    nb.externals |= dict(_imported(node))
            else:
                nb.binds |= set(bound(node))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                nb.defines.add(node.name)
        nb.loads |= {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    for local, meaning in nb.imports.items():
        if isinstance(meaning, str):
            nb.reaches[local] = _attributes(nb, local)
    return nb


def _names_helpers(node: ast.Import | ast.ImportFrom) -> bool:
    if isinstance(node, ast.ImportFrom):
        return node.level == 0 and _is_helpers(node.module or "")
    return any(_is_helpers(alias.name) for alias in node.names)


def _check_import(node: ast.Import | ast.ImportFrom, at_top: bool, where: str) -> None:
    text = ast.unparse(node)
    if not at_top:
        raise ValueError(f"{where}: move {text!r} out of the function or block that it stands in")
    plain = isinstance(node, ast.Import) and any(not a.asname or not _is_helpers(a.name) for a in node.names)
    if plain or any(a.name == "*" for a in node.names):
        raise ValueError(f"{where}: {text!r} does not say which names it brings; write 'from helpers... import name'")


def bound(statement: ast.stmt) -> Iterator[str]:
    """Names that a top-level statement binds at the top level; what functions and classes bind inside stays there."""
    pending: list[ast.AST] = [statement]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
            yield from (n for g in ast.walk(node) if isinstance(g, ast.Global) for n in g.names)
        elif isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            yield from (n.target.id for n in ast.walk(node) if isinstance(n, ast.NamedExpr))
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name.split(".")[0] for alias in node.names)
        elif not isinstance(node, ast.Lambda):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id
            elif isinstance(node, ast.ExceptHandler) and node.name:
                yield node.name
            pending.extend(ast.iter_child_nodes(node))


def _attributes(nb: _Notebook, local: str) -> set[str]:
    """What a notebook uses of a module."""
    found: set[str] = set()
    bare = 0
    for tree in nb.trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == local:
                found.add(node.attr)
                bare -= 1
            bare += isinstance(node, ast.Name) and node.id == local
    if bare > 0 and local not in nb.binds:
        raise ValueError(f"{nb.title} uses the module {local} other than as {local}.name: import the names it needs")
    return found


# ---------------------------------------------------------------- joining


def join(notebooks: Sequence[tuple[str, Sequence[str]]], modules: Sequence[str]) -> Joined:
    """Free notebooks from the helpers.

    Args:
        notebooks: titles, and the sources of their code cells.
        modules: the assignment's own modules (``toy_vae``), whose names a student's definitions stand for first.

    Raises:
        ValueError: code that does not parse, or an import whose names cannot be told.
    """
    nbs = [_read(title, sources) for title, sources in notebooks]
    needed_of = [_asked_for(nb) for nb in nbs]
    own = _own(nbs, [f"helpers.{module}" for module in modules])
    needed = _closure((m for meanings in needed_of for m in meanings.values()), own)
    names = _names(nbs, needed, needed_of, own)
    _check_builtins(nbs, needed)
    cells = [_rewritten(nb, meanings, names, own) for nb, meanings in zip(nbs, needed_of, strict=True)]
    externals = [m for m in needed if isinstance(m, External)]
    imports = _import_lines([*externals, *_namespaces(nbs)], names)
    return Joined(imports, _written(needed, names, modules), cells, sorted(d.name for d in own))


def used(notebooks: Sequence[tuple[str, Sequence[str]]]) -> set[Definition]:
    """The helpers that notebooks use, directly or through others; arguments and errors as :func:`join`."""
    asked = [meaning for title, sources in notebooks for meaning in _asked_for(_read(title, sources)).values()]
    return {meaning for meaning in _closure(asked, set()) if isinstance(meaning, Definition)}


def _asked_for(nb: _Notebook) -> dict[str, Definition | External]:
    """The names that a notebook uses of the helpers, ``plots.panels`` for attributes, and what they mean."""
    found: dict[str, Definition | External] = {}
    for local, meaning in nb.imports.items():
        if isinstance(meaning, str):
            found |= {f"{local}.{name}": _resolve(Definition(meaning, name)) for name in nb.reaches[local]}
        elif local in nb.loads:
            found[local] = _resolve(meaning)
    return found


def _own(nbs: list[_Notebook], modules: list[str]) -> set[Definition]:
    """The helpers in whose place a definition of the student's own stands."""
    modules = [module for module in modules if _path(module)]
    core = sorted(f"helpers.core.{p.stem}" for p in (SOURCES / "helpers" / "core").glob("[a-z]*.py"))
    names = {name for nb in nbs for name in nb.defines if not name.startswith("_")}
    own = set()
    for name in names:
        module = next((m for m in [*modules, *core] if _load(m).index(name) is not None), None)
        if module:
            own.add(Definition(module, name))
    return own


def _closure(start: Iterable[Definition | External], own: set[Definition]) -> set[Definition | External]:
    """All that is needed for what is asked for; what the student defined needs nothing of ours."""
    needed: set[Definition | External] = set()
    pending = list(start)
    while pending:
        meaning = _resolve(pending.pop())
        if meaning in needed or meaning in own:
            continue
        needed.add(meaning)
        if isinstance(meaning, Definition):
            statement, _ = _statement(meaning)
            siblings = [Definition(meaning.module, name) for name in statement.binds]
            pending += [*siblings, *(m for _, m in statement.uses)]
    return needed


def _names(
    nbs: list[_Notebook],
    needed: set[Definition | External],
    needed_of: list[dict[str, Definition | External]],
    own: set[Definition],
) -> dict[Definition | External, str]:
    """What each is called in the joined notebook: its plain name where nothing else claims that."""
    plain = {m: m.name if isinstance(m, Definition) else m.local for m in [*needed, *own]}
    asked: dict[str, set[Definition | External]] = {}
    for meanings in needed_of:
        for local, meaning in meanings.items():
            asked.setdefault(local, set()).add(meaning)
    taken = {name for nb in nbs for name in [*nb.binds, *nb.reaches]}
    taken |= {
        local for local, meanings in asked.items() if len(meanings) > 1 or {plain[m] for m in meanings} != {local}
    }
    outside: dict[str, set[External]] = {}
    for nb in nbs:
        for local, external in nb.externals.items():
            outside.setdefault(local, set()).add(external)
    claims: dict[str, list[Definition | External]] = {}
    for meaning in sorted(needed, key=_rank(asked)):
        claims.setdefault(plain[meaning], []).append(meaning)
    names: dict[Definition | External, str] = {meaning: meaning.name for meaning in own}
    used = set(claims) | taken | set(outside)
    for name, meanings in claims.items():
        for i, meaning in enumerate(meanings):
            elsewhere = outside.get(name, set()) - {meaning}
            if i == 0 and name not in taken and not elsewhere:
                names[meaning] = name
                continue
            prefix = meaning.module.rsplit(".", 1)[-1]
            long = f"{prefix}_{name.lstrip('_')}"
            while long in used:
                long += "_"
            used.add(long)
            names[meaning] = long
    return names


def _rank(asked: dict[str, set[Definition | External]]):
    """Who gets a plain name first: what the notebooks import, then other modules' imports, then private parts."""
    imported = {m for meanings in asked.values() for m in meanings}
    return lambda m: (m not in imported, isinstance(m, Definition), tuple(map(str, m)))


def _check_builtins(nbs: list[_Notebook], needed: set[Definition | External]) -> None:
    for nb in nbs:
        for name in sorted(nb.binds & set(dir(builtins))):
            for meaning in needed:
                nodes = _statement(meaning)[0].nodes if isinstance(meaning, Definition) else []
                if any(isinstance(p, cst.Name) and p.value == name for node in nodes for p in _parts(node)):
                    raise ValueError(
                        f"{nb.title} gives {name}, which is Python's own, another meaning, and {meaning.name} of "
                        f"{meaning.module} uses it: give yours another name"
                    )


def _rewritten(
    nb: _Notebook, meanings: dict[str, Definition | External], names: dict[Definition | External, str], own: set
) -> list[str | None]:
    """A notebook's cells, their imports of the helpers replaced by what is needed in their place."""
    cells: list[str | None] = []
    for source, tree in zip(nb.sources, nb.trees, strict=True):
        gone = [n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom) and _names_helpers(n)]
        path = _finds_helpers(tree, nb, gone)
        if not gone and not path:
            cells.append(source)
            continue
        if source.rstrip("\n").count("\n") != TransformerManager().transform_cell(source).rstrip("\n").count("\n"):
            raise ValueError(
                f"{nb.title}: give the helpers' imports a cell of their own, without magics over several lines"
            )
        given = {}  # names that the imports of this cell brought
        for node in gone:
            given |= dict(_imported(node))
        kept_loads = {n.id for t in nb.trees for s in t.body if s not in path for n in ast.walk(s) if _is_load(n)}
        if path:  # what only served to find the helpers
            gone += [
                n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom) and n not in gone
                and not {a.asname or a.name.split(".")[0] for a in n.names} & kept_loads
            ]  # fmt: skip
        new = [*_aliases(given, meanings, names), *_spaces(given, nb, meanings, names)]
        cells.append(_spliced(source, [*gone, *path], new))
    return cells


def _finds_helpers(tree: ast.Module, nb: _Notebook, gone: list[ast.stmt]) -> list[ast.stmt]:
    """The statements of a cell that only put the helpers on the path, fetching them on Colab included."""
    path = [n for n in tree.body if "helpers" in (text := ast.unparse(n)) and "sys.path" in text and n not in gone]
    if path:
        path += [n for n in tree.body if isinstance(n, ast.If) and "google.colab" in ast.unparse(n.test)]
    serves = {n.id for s in path for n in ast.walk(s) if _is_load(n)}
    for node in tree.body:
        if isinstance(node, ast.Assign) and node not in path and all(isinstance(t, ast.Name) for t in node.targets):
            made = {t.id for t in node.targets}
            others = (s for t in nb.trees for s in t.body if s not in path and s is not node)
            if made <= serves and not made & {n.id for s in others for n in ast.walk(s) if _is_load(n)}:
                path.append(node)
    return path


def _is_load(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)


def _aliases(given: dict, meanings: dict, names: dict) -> list[str]:
    wanted = [local for local, m in given.items() if not isinstance(m, str) and local in meanings]
    return [f"{local} = {names[meanings[local]]}" for local in wanted if names[meanings[local]] != local]


def _spaces(given: dict, nb: _Notebook, meanings: dict, names: dict) -> list[str]:
    """``plots = SimpleNamespace(panels=panels)`` for the modules among ``given``."""
    lines = []
    for local, module in given.items():
        used = sorted(nb.reaches.get(local, ())) if isinstance(module, str) else []
        if used:
            inside = [f"{name}={names[meanings[f'{local}.{name}']]}" for name in used]
            line = f"{local} = SimpleNamespace({', '.join(inside)})"
            if len(line) > 120:
                line = "\n".join([f"{local} = SimpleNamespace(", *(f"    {part}," for part in inside), ")"])
            lines.append(line)
    return lines


def _namespaces(nbs: list[_Notebook]) -> list[External]:
    return (
        [External("types", "SimpleNamespace", "SimpleNamespace")] if any(any(nb.reaches.values()) for nb in nbs) else []
    )


def _spliced(source: str, gone: list[ast.stmt], new: list[str]) -> str | None:
    """A cell without some of its statements, ``new`` in place of the first; None where nothing is left."""
    lines = source.split("\n")
    drop = {i for node in gone for i in range(node.lineno - 1, node.end_lineno)}
    for first in sorted(drop):  # comments right above
        above = first - 1
        while above >= 0 and above not in drop and lines[above].startswith("#"):
            drop.add(above)
            above -= 1
    kept: list[str] = []
    for i, line in enumerate(lines):
        if i == min(drop):
            kept += new
        if i not in drop:
            kept.append(line)
    text = re.sub(r"\n{4,}", "\n\n\n", "\n".join(kept)).strip("\n")
    return text if any(line.strip() and not line.startswith("#") for line in text.split("\n")) else None


# ---------------------------------------------------------------- writing


def _import_lines(externals: list[External], names: dict[Definition | External, str]) -> str:
    """Imports as a reader expects them: modules first, then names, one line a module."""
    whole, parts = set(), {}
    for e in externals:
        local = names.get(e, e.local)
        if e.name is None:
            whole.add(f"import {e.module}" if local == e.module else f"import {e.module} as {local}")
        else:
            parts.setdefault(e.module, set()).add(e.name if local == e.name else f"{e.name} as {local}")
    return "\n".join([*sorted(whole), *(f"from {m} import {', '.join(sorted(parts[m]))}" for m in sorted(parts))])


def _written(
    needed: set[Definition | External], names: dict[Definition | External, str], last: Sequence[str]
) -> list[Section]:
    """The definitions, module after module, each in the order of its module."""
    sections = []
    definitions = [m for m in needed if isinstance(m, Definition)]
    for module in _in_order({d.module for d in definitions}, last):
        found = {}  # one statement may bind several names
        for d in definitions:
            if d.module == module:
                statement, place = _statement(d)
                found[place] = statement
        title = module.removeprefix("helpers.").split(".")[-1]
        about = standalone.ABOUT.get(module, _load(module).about.split("\n\n")[0])
        parts: dict[str, list[str]] = {}
        for place in sorted(found):
            here = _load(module).statements[place].section
            parts.setdefault(here, []).append(_code(found[place], module, names))
        for n, (section, texts) in enumerate(parts.items()):
            heading = f"`{title}`" + (f": {section}" if section else "")
            sections.append(Section(heading, plain_text(about) if n == 0 else "", _in_cells(texts)))
    return sections


def _in_order(modules: set[str], last: Sequence[str]) -> list[str]:
    """Modules after those that they import; among equals as they are best read, the assignment's own ``last``."""
    ranks = {f"helpers.{name}": i for i, name in enumerate([*READING_ORDER, *last])}
    waiting = sorted(modules, key=lambda m: (ranks.get(m, len(ranks)), m))
    done: list[str] = []
    while waiting:
        ready = next(m for m in waiting if not (_imports_of(m) & set(waiting)) - {m})
        done.append(ready)
        waiting.remove(ready)
    return done


@functools.cache
def _imports_of(module: str) -> frozenset[str]:
    """Modules of the helpers that a module imports, directly or through others."""
    meanings = _load(module).imports.values()
    direct = {m if isinstance(m, str) else m.module for m in meanings if not isinstance(m, External)}
    return frozenset(direct.union(*(_imports_of(m) for m in direct)))


class _Renaming(cst.CSTTransformer):
    """Puts names in the place of nodes, told apart by identity."""

    def __init__(self, new: dict[int, str]) -> None:
        self.new = new

    def on_leave(self, original_node: cst.CSTNode, updated_node: cst.CSTNode) -> cst.CSTNode:
        name = self.new.get(id(original_node))
        if name is None:
            return updated_node
        if isinstance(updated_node, cst.FunctionDef | cst.ClassDef):
            return updated_node.with_changes(name=cst.Name(name))
        return cst.Name(name, lpar=updated_node.lpar, rpar=updated_node.rpar)


def _code(statement: _Statement, module: str, names: dict[Definition | External, str]) -> str:
    new = {id(node): names[_resolve(m)] for node, m in statement.uses}
    new |= {id(node): names[Definition(module, name)] for name, node in statement.binds.items()}
    texts = []
    for node in statement.nodes:
        lines = [line for line in getattr(node, "leading_lines", ()) if line.comment]
        kept = [line for line in lines if not SECTION.fullmatch(line.comment.value)]
        renamed = node.visit(_Renaming(new))
        texts.append(cst.Module([renamed.with_changes(leading_lines=kept)]).code.strip("\n"))
    return "\n".join(texts)


def _in_cells(texts: list[str]) -> list[str]:
    """Definitions, a few a cell: short ones close together, functions and classes two lines apart."""
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
        out += ("\n" if small else "\n\n\n") + text
    return out


def plain_text(docstring: str) -> str:
    """A docstring's text as Markdown."""
    text = re.sub(r":(?:func|class|mod|data):`~?([^`]+)`", r"`\1`", docstring)
    return " ".join(text.replace("``", "`").split())
