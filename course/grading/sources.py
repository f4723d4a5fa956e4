"""What a submission's cells do, as far as their source says so: which functions they reach, what they call figures.

Read, never run. Cells are parsed once; what does not parse says nothing.
"""

import ast
import functools
import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from course.notebooks.code import parse_or_none
from course.notebooks.reading import Cell

Function = ast.FunctionDef | ast.AsyncFunctionDef
TITLE_KEYWORDS = {"title", "titel", "figtitle", "suptitle", "label", "name", "caption", "ueberschrift", "titre"}
NO_TITLE = {
    "print", "device", "to", "get", "load", "open", "getattr", "setattr", "MNIST", "FashionMNIST", "savefig", "format",
    "join", "Path", "use", "set_matplotlib_formats", "run_line_magic", "run_cell_magic", "system", "getoutput",
    "replace", "split", "read_csv", "strftime", "display", "Markdown", "legend", "text", "axis",
    "field", "einsum", "append",
}  # fmt: skip
MOST_REACHED, MOST_TITLES, LONGEST_TITLE = 200, 100, 120
SAVING = {"savefig", "imsave", "save", "show"}
PICTURE_NAME = re.compile(r"[\w./ -]{1,120}")


class Reach(NamedTuple):
    """What a cell's statements do, functions that they call included."""

    nodes: tuple[ast.AST, ...]  # statements and functions' bodies
    titles: tuple[str, ...]  # what they call their figures, lower case
    saved: tuple[str, ...]  # the names under which they save them, lower case, without a suffix
    calls: frozenset[str]  # the last names of all functions that they call


class Sources:
    """The parsed cells of a submission."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self.trees = [parse_or_none(cell.source) for cell in cells]
        self.functions: dict[str, ast.AST] = {}
        self.versions: dict[str, list[ast.AST]] = {}  # functions and methods of one name
        for tree in self.trees:
            for node in walk(tree) if tree else ():
                if isinstance(node, Function | ast.ClassDef):
                    self.functions[node.name] = node
                    self.versions.setdefault(node.name, []).append(node)
        self._reaches: dict[int, Reach] = {}
        self._says: dict[ast.AST, Says] = {}  # of statements: many cells reach the same functions
        self._reached: dict[str, frozenset[str]] = {}
        self._units: list[tuple[str, ast.AST, int]] | None = None

    def reach(self, index: int) -> Reach:
        """Return what the code cell of this index does."""
        if index not in self._reaches:
            tree = self.trees[index] if index < len(self.trees) else None
            self._reaches[index] = self._reach(tree) if tree else Reach((), (), (), frozenset())
        return self._reaches[index]

    def _reach(self, tree: ast.Module) -> Reach:
        nodes: list[ast.AST] = []
        pending: list[ast.AST] = [node for node in tree.body if not isinstance(node, Function | ast.ClassDef)]
        seen: set[str] = set()
        calls: set[str] = set()
        while pending and len(nodes) < MOST_REACHED:
            node = pending.pop(0)
            nodes.append(node)
            for name in self._says_of(node).calls:
                calls.add(name)
                function = self.functions.get(name)
                if isinstance(function, Function) and name not in seen:
                    seen.add(name)
                    pending += function.body
        titles: list[str] = []
        saved: list[str] = []
        for node in nodes:
            says = self._says_of(node)
            titles += says.titles
            saved += says.saved
        once = tuple(dict.fromkeys(titles))[:MOST_TITLES]
        return Reach(tuple(nodes), once, tuple(dict.fromkeys(saved)), frozenset(calls))

    def _says_of(self, node: ast.AST) -> "Says":
        if node not in self._says:
            self._says[node] = says_of(node)
        return self._says[node]

    def reached_by(self, name: str) -> frozenset[str]:
        """Return the names that the notebook's function of this name reaches; none where there is no such function."""
        if name not in self._reached:
            function = self.functions.get(name)
            reached = self.reached_names(function) if isinstance(function, Function) else ()
            self._reached[name] = frozenset(reached)
        return self._reached[name]

    def reached_names(self, node: ast.AST) -> set[str]:
        """Return the names in a piece of code, and in the notebook's functions that it calls, and so on."""
        names, pending, seen = set(identifiers(node)), list(called_names(node)), set[str]()
        while pending and len(seen) < MOST_REACHED:
            name = pending.pop()
            for function in self.versions.get(name, ()) if name not in seen else ():
                if isinstance(function, Function):
                    names |= identifiers(function)
                    pending += called_names(function)
            seen.add(name)
        return names

    def units(self) -> list[tuple[str, ast.AST, int]]:
        """Return every function, and what each cell does outside of them: its name, its code, its cell's index."""
        if self._units is None:
            self._units = [unit for index, tree in enumerate(self.trees) if tree for unit in units_of(tree, index)]
        return self._units


REMEMBERS = ast.Module | Function | ast.ClassDef
T = TypeVar("T")


def remembered(read: Callable[[ast.AST], T]) -> Callable[[ast.AST], T]:
    """Let a cell, a function or a class keep what was read of it: many checks ask the same of the same code.

    Only what cannot be nested deeply remembers: memory stays in proportion.
    """

    @functools.wraps(read)
    def reading(node: ast.AST) -> T:
        if not isinstance(node, REMEMBERS):
            return read(node)
        key = read.__name__
        if key not in node.__dict__:
            node.__dict__[key] = read(node)
        return node.__dict__[key]

    return reading


@remembered
def walk(node: ast.AST) -> Sequence[ast.AST]:
    """Return what ``ast.walk`` yields, in its order, without the marks of loading and storing: these say nothing here.

    Most of the time of grading was such walks: each node remembers what stands in it.
    """
    nodes = [node]
    for parent in nodes:  # which grows as it is read: breadth first
        inner = parent.__dict__.get(INNER)
        nodes += inner_of(parent) if inner is None else inner
    return nodes


INNER = " inner"  # no field of a node's


def inner_of(node: ast.AST) -> tuple[ast.AST, ...]:
    """Return the nodes right below one, and let it keep them."""
    inner: list[ast.AST] = []
    for name in node._fields:
        value = getattr(node, name, None)
        if isinstance(value, list):
            inner += [child for child in value if isinstance(child, ast.AST)]
        elif isinstance(value, ast.AST) and not isinstance(value, ast.expr_context):
            inner.append(value)
    node.__dict__[INNER] = tuple(inner)
    return node.__dict__[INNER]


class Says(NamedTuple):
    """What one statement says."""

    calls: tuple[str, ...]
    titles: tuple[str, ...]
    saved: tuple[str, ...]


def says_of(node: ast.AST) -> Says:
    return Says(tuple(dict.fromkeys(called_names(node))), tuple(titles_in(node)), tuple(saved_in(node)))


def units_of(tree: ast.Module, index: int) -> Iterator[tuple[str, ast.AST, int]]:
    for node in walk(tree):
        if isinstance(node, Function):
            yield node.name, node, index
    outside = [node for node in tree.body if not isinstance(node, Function | ast.ClassDef)]
    if outside:
        yield "", ast.Module(outside, []), index


def last_name(node: ast.AST) -> str:
    """Return ``b`` of ``a.b`` and of ``b``; empty for anything else."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


@remembered
def calls_of(node: ast.AST) -> tuple[ast.Call, ...]:
    """Return all calls in a piece of code."""
    return tuple(inner for inner in walk(node) if isinstance(inner, ast.Call))


@remembered
def called_names(node: ast.AST) -> tuple[str, ...]:
    """Return the last names of what a piece of code calls."""
    return tuple(last_name(call.func) for call in calls_of(node))


def literal(node: ast.AST) -> str:
    """Return a string, or the fixed parts of one that is put together; empty for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return " ".join(
            part.value for part in node.values if isinstance(part, ast.Constant) and isinstance(part.value, str)
        )
    if isinstance(node, ast.BinOp):
        return f"{literal(node.left)} {literal(node.right)}".strip()
    if isinstance(node, ast.IfExp):
        return f"{literal(node.body)} {literal(node.orelse)}".strip()
    return ""


def titles_in(node: ast.AST) -> Iterator[str]:
    """Yield the strings that calls are given as titles, as far as a string can be one."""
    for call in calls_of(node):
        if last_name(call.func) in NO_TITLE:
            continue
        arguments = [*call.args, *(k.value for k in call.keywords if k.arg in TITLE_KEYWORDS)]
        for argument in arguments:
            text = literal(argument)[:LONGEST_TITLE].strip().lower()
            if len(text) > 1 and re.search(r"[^\W\d_]{2}|^[^\W\d_]\d$", text):
                yield text


def saved_in(node: ast.AST) -> Iterator[str]:
    """Yield the names under which figures are saved."""
    for call in calls_of(node):
        if last_name(call.func) in SAVING:
            for argument in call.args[:3]:
                text = next((part for n in walk(argument) if (part := literal(n))), "")
                if text and PICTURE_NAME.fullmatch(text):
                    yield text.rpartition("/")[2].rpartition(".")[0].lower() or text.lower()


@remembered
def identifiers(node: ast.AST) -> frozenset[str]:
    """Return all names, attributes, arguments and definitions in a piece of code."""
    names: set[str] = set()
    for inner in walk(node):
        if isinstance(inner, ast.Name):
            names.add(inner.id)
        elif isinstance(inner, ast.Attribute):
            names.add(inner.attr)
        elif isinstance(inner, ast.arg | ast.keyword) and inner.arg:
            names.add(inner.arg)
        elif isinstance(inner, Function | ast.ClassDef):
            names.add(inner.name)
    return frozenset(names)


def numbers_of(node: ast.AST) -> list[float] | None:
    """Return the numbers of a list, tuple, set or dictionary of numbers (its keys); None where it is something else."""
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        elements: list[ast.AST] = list(node.elts)
    elif isinstance(node, ast.Dict):
        elements = [key for key in node.keys if key is not None]
    else:
        return None
    values: list[float] = []
    for element in elements:
        if isinstance(element, ast.Constant) and isinstance(element.value, int | float | str):
            try:
                values.append(float(element.value))
            except ValueError:
                return None
        else:
            return None
    return values
