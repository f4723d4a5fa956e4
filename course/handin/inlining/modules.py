"""What a module of the helpers defines, and what its definitions use; read from its source, never imported."""

import ast
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import libcst as cst
from libcst.metadata import GlobalScope, ImportAssignment, MetadataWrapper, ScopeProvider

from course.paths import SOURCES

REPLACEMENTS = Path(__file__).with_name("standalone.py")
SECTION = re.compile(r"# -{5,} (.+)")


class Definition(NamedTuple):
    """A name that a module of the helpers gives a meaning to."""

    module: str
    name: str


class External(NamedTuple):
    """A name that an import from elsewhere gives a meaning to: ``from module import name as local``."""

    module: str
    name: str | None  # None: the module itself
    local: str


Meaning = Definition | External


@dataclass(frozen=True)
class Statement:
    """A statement at the top of a module, with the string that may follow it and says what its name means."""

    nodes: list[cst.BaseStatement]
    section: str
    binds: dict[str, cst.CSTNode]  # names to the nodes that bind them
    uses: list[tuple[cst.CSTNode, Meaning]]  # nodes that mean something of the top level


@dataclass(frozen=True)
class Module:
    name: str
    about: str
    statements: list[Statement]
    imports: dict[str, "Meaning | str"]  # a str is a module of the helpers

    def index(self, name: str) -> int | None:
        """Return the place of the statement that binds ``name``."""
        return next((i for i, s in enumerate(self.statements) if name in s.binds), None)

    def statement(self, name: str) -> Statement:
        """Return the statement that binds ``name``; there is one."""
        return next(s for s in self.statements if name in s.binds)


# ---------------------------------------------------------------- which modules there are


def is_helpers(module: str) -> bool:
    """Say whether a module belongs to the helpers."""
    return module == "helpers" or module.startswith("helpers.")


def file_of(module: str) -> Path | None:
    """Find the file of a module of the helpers; None where there is none of that name."""
    base = SOURCES.joinpath(*module.split("."))
    return next((p for p in (base.with_suffix(".py"), base / "__init__.py") if p.is_file()), None)


def core_modules() -> list[str]:
    """List the modules of ``helpers.core``."""
    return sorted(f"helpers.core.{path.stem}" for path in (SOURCES / "helpers" / "core").glob("[a-z]*.py"))


def names_in(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, "Meaning | str"]]:
    """Yield the local names that an import gives, and what they mean."""
    for alias in node.names:
        local = alias.asname or alias.name
        if isinstance(node, ast.Import):
            if is_helpers(alias.name) and alias.asname:
                yield local, alias.name
            else:
                yield local.split(".")[0], External(alias.name, None, local)
        elif not is_helpers(node.module or ""):
            yield local, External("." * node.level + (node.module or ""), alias.name, local)
        elif file_of(f"{node.module}.{alias.name}"):
            yield local, f"{node.module}.{alias.name}"
        else:
            yield local, Definition(node.module or "", alias.name)


def resolve(meaning: Meaning) -> Meaning:
    """Follow a name through modules that only pass it on.

    Raises:
        ValueError: its module has no such name.
    """
    if isinstance(meaning, External):
        return meaning
    module = load(meaning.module)
    if module.index(meaning.name) is not None:
        return meaning
    origin = module.imports.get(meaning.name)
    if origin is None or isinstance(origin, str):
        raise ValueError(f"{meaning.module} has no {meaning.name}: look at the import that names it")
    return resolve(origin)


@functools.cache
def imports_of(module: str) -> frozenset[str]:
    """Collect the modules of the helpers that a module imports, directly or through others."""
    meanings = load(module).imports.values()
    direct = {m if isinstance(m, str) else m.module for m in meanings if not isinstance(m, External)}
    return frozenset(direct.union(*(imports_of(m) for m in direct)))


# ---------------------------------------------------------------- reading one


@functools.cache
def load(module: str) -> Module:
    """Read a module, with the definitions of ``standalone.py`` in the place of those that they are meant for.

    Raises:
        ValueError: there is no such module.
    """
    path = file_of(module)
    if path is None:
        raise ValueError(f"there is no module {module} in this repository: look at the import that names it")
    original = read(path, module)
    others = [s for s in replacements().statements if s.section == module]
    statements = list(original.statements)
    place = 0
    for other in others:  # a part that the original lacks stands right behind the one before it
        place = next((i for i, s in enumerate(statements) if set(s.binds) & set(other.binds)), place)
        here = Statement(other.nodes, statements[place].section, other.binds, other.uses)
        statements[place : place + bool(set(statements[place].binds) & set(other.binds))] = [here]
        place += 1
    return Module(module, original.about, statements, original.imports)


@functools.cache
def replacements() -> Module:
    """Read ``standalone.py``, whose sections are named after the modules that they stand in for."""
    module = read(REPLACEMENTS, "standalone")
    home: dict[str, str] = {}
    for statement in module.statements:
        home |= dict.fromkeys(statement.binds, statement.section)

    def at_home(meaning: Meaning) -> Meaning:
        if isinstance(meaning, Definition) and meaning.module == "standalone":
            return Definition(home[meaning.name], meaning.name)
        return meaning

    statements = [
        Statement(s.nodes, s.section, s.binds, [(node, at_home(meaning)) for node, meaning in s.uses])
        for s in module.statements
    ]
    return Module(module.name, module.about, statements, module.imports)


def read(path: Path, module: str) -> Module:
    """Read one file: its statements, what each binds, and what each uses."""
    wrapper = MetadataWrapper(cst.parse_module(path.read_text(encoding="utf-8")), unsafe_skip_copy=True)
    tree = wrapper.module
    imports: dict[str, Meaning | str] = {}
    for statement in ast.parse(tree.code).body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            imports |= dict(names_in(statement))
    groups = _groups(tree)
    binds, uses = _binds_and_uses(wrapper, module, groups, imports)
    titles = _titles(groups)
    statements = [Statement(*parts) for parts in zip(groups, titles, binds, uses, strict=True)]
    return Module(module, str(tree.get_docstring() or ""), statements, imports)


def parts_of(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """Yield a node and all that it consists of."""
    yield node
    for child in node.children:
        yield from parts_of(child)


def _groups(tree: cst.Module) -> list[list[cst.BaseStatement]]:
    """Put statements together with the string that follows them, without imports and the module's docstring."""
    nodes = [node for node in tree.body if isinstance(node, cst.BaseStatement) and not _is_import(node)]
    groups: list[list[cst.BaseStatement]] = []
    for node in nodes[tree.get_docstring() is not None :]:
        if _is_string(node) and groups:
            groups[-1].append(node)
        else:
            groups.append([node])
    return groups


def _binds_and_uses(
    wrapper: MetadataWrapper, module: str, groups: list[list[cst.BaseStatement]], imports: dict[str, Meaning | str]
) -> tuple[list[dict[str, cst.CSTNode]], list[list[tuple[cst.CSTNode, Meaning]]]]:
    """For each group, tell which names it binds, and which of its nodes mean something of the top level."""
    scope = next(s for s in wrapper.resolve(ScopeProvider).values() if isinstance(s, GlobalScope))
    owner = _owners(groups)
    attributes = _attributes(groups) if any(isinstance(meaning, str) for meaning in imports.values()) else {}
    binds: list[dict[str, cst.CSTNode]] = [{} for _ in groups]
    uses: list[list[tuple[cst.CSTNode, Meaning]]] = [[] for _ in groups]
    for assignment in scope.assignments:
        is_import = isinstance(assignment, ImportAssignment)
        place = getattr(assignment, "node", None)
        if not is_import and place is not None and id(place) in owner:
            binds[owner[id(place)]][assignment.name] = place
        for access in assignment.references:
            node = access.node
            if not isinstance(node, cst.Name) or id(node) not in owner:
                continue  # an annotation in quotes is not evaluated, an import needs no renaming
            meaning = imports[assignment.name] if is_import else Definition(module, assignment.name)
            group = owner[id(node)]
            if isinstance(meaning, str):
                uses[group].append(_attribute(attributes.get(id(node)), module, meaning))
            else:
                uses[group].append((node, meaning))
    return binds, uses


def _owners(groups: list[list[cst.BaseStatement]]) -> dict[int, int]:
    """Map the identity of each node to the number of its group."""
    owners: dict[int, int] = {}
    for i, nodes in enumerate(groups):
        for node in nodes:
            owners |= dict.fromkeys(map(id, parts_of(node)), i)
    return owners


def _attributes(groups: list[list[cst.BaseStatement]]) -> dict[int, cst.Attribute]:
    """Map the identity of what stands before a dot to the attribute; libcst's parents of all nodes take far longer."""
    attributes: dict[int, cst.Attribute] = {}
    for nodes in groups:
        for node in nodes:
            attributes |= {id(part.value): part for part in parts_of(node) if isinstance(part, cst.Attribute)}
    return attributes


def _attribute(node: object, module: str, other: str) -> tuple[cst.CSTNode, Definition]:
    if not isinstance(node, cst.Attribute):
        raise ValueError(f"{module} uses the module {other} other than by its attributes")
    return node, Definition(other, node.attr.value)


def _is_import(node: cst.BaseStatement) -> bool:
    small = node.body[0] if isinstance(node, cst.SimpleStatementLine) else None
    is_all = isinstance(small, cst.Assign) and getattr(small.targets[0].target, "value", "") == "__all__"
    return is_all or isinstance(small, cst.Import | cst.ImportFrom)


def _is_string(node: cst.BaseStatement) -> bool:
    small = node.body[0] if isinstance(node, cst.SimpleStatementLine) else None
    return isinstance(small, cst.Expr) and isinstance(small.value, cst.SimpleString | cst.ConcatenatedString)


def _titles(groups: list[list[cst.BaseStatement]]) -> list[str]:
    """Return the heading that each group stands under."""
    titles, title = [], ""
    for nodes in groups:
        for line in getattr(nodes[0], "leading_lines", ()):
            heading = SECTION.fullmatch(line.comment.value) if line.comment else None
            title = heading[1] if heading else title
        titles.append(title)
    return titles
