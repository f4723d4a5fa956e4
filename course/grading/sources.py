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
        self._reaching: dict[frozenset[str], set[str]] = {}
        self._says_whether: dict[tuple[ast.AST, frozenset[str]], bool] = {}
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

    def reaches(self, node: ast.AST | None, words: frozenset[str]) -> bool:
        """Say whether code names one of the words, or calls a function of the notebook that does, or calls one."""
        if node is None:
            return False
        if words not in self._reaching:
            self._reaching[words] = self._reaching_names(words)
        if (node, words) not in self._says_whether:
            named, called = words & identifiers(node), self._reaching[words].intersection(called_names(node))
            self._says_whether[node, words] = bool(named or called)
        return self._says_whether[node, words]

    def _reaching_names(self, words: frozenset[str]) -> set[str]:
        """Return the names of the functions that reach one of the words, each function looked at once."""
        callers: dict[str, list[str]] = {}
        pending: list[str] = []
        for name, versions in self.versions.items():
            for function in versions:
                if isinstance(function, Function):
                    pending += [] if words.isdisjoint(identifiers(function)) else [name]
                    for called in dict.fromkeys(called_names(function)):
                        callers.setdefault(called, []).append(name)
        reaching: set[str] = set()
        while pending:
            name = pending.pop()
            if name not in reaching:
                reaching.add(name)
                pending += callers.get(name, ())
        return reaching

    def function(self, name: str) -> Function | None:
        """Return the notebook's last function of a name; None where there is none."""
        node = self.functions.get(name)
        return node if isinstance(node, Function) else None

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
    titles, saved = dict.fromkeys(titles_in(node)), dict.fromkeys(saved_in(node))
    return Says(tuple(dict.fromkeys(called_names(node))), tuple(titles)[:MOST_TITLES], tuple(saved)[:MOST_TITLES])


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
    """Return how a string begins, or the fixed parts of one that is put together; empty for anything else.

    One letter more than a title has shows that it is longer: what is put together costs no more than its parts.
    """
    text = ""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        text = node.value
    elif isinstance(node, ast.JoinedStr):
        text = " ".join(
            part.value for part in node.values if isinstance(part, ast.Constant) and isinstance(part.value, str)
        )
    elif isinstance(node, ast.BinOp):
        text = f"{literal(node.left)} {literal(node.right)}".strip()
    elif isinstance(node, ast.IfExp):
        text = f"{literal(node.body)} {literal(node.orelse)}".strip()
    return text[: LONGEST_TITLE + 1]


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
