"""What the source says of training: on which data gradients are taken, and whether they are set to zero. Never run."""

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

from course.grading.sources import Sources, called_names, identifiers, last_name, numbers_of, walk
from course.notebooks.visible import named

DATA_WORDS = {
    "loader", "loaders", "data", "dataloader", "dataset", "set", "images", "image", "x", "dl", "ds", "batches", "lader",
    "iter", "daten", "imgs", "points", "samples",
}  # fmt: skip
ZEROING = {"zero_grad", "zero_", "grad", "fit", "minimize"}
MOST_NUMBERS = 100  # of a list that a name stands for
DEEPEST = 6  # names that are followed to where their data comes from


class Shown(NamedTuple):
    """What shows a mistake in the source."""

    certain: bool  # whether it is followed to the data itself; a name alone is no evidence
    sentence: str


def words_of(name: str) -> list[str]:
    return [word for word in re.split(r"[_\W]+|(?<=[a-z])(?=[A-Z])", name) if word]


def is_called_test(name: str) -> bool:
    """Say whether a name calls something test data: ``test_loader``, ``testset``, but not ``test_betas``."""
    words = [word.lower() for word in words_of(name)]
    joined = "".join(words).rstrip("0123456789")
    if not words or not words[0].startswith("test"):
        return False
    rest = joined.removeprefix("test")
    return rest in DATA_WORDS or any(word.rstrip("0123456789") in DATA_WORDS for word in words[1:])


class Assigned(dict[str, ast.expr]):
    """What each name is assigned, the last time.

    What is asked of a name is found once: many statements name the same, and names stand for sums of names.
    """

    def __init__(self) -> None:
        super().__init__()
        self._halves: dict[tuple[str, int], bool | None] = {}
        self._numbers: dict[str, list[float]] = {}
        self._parts: dict[str, bool] = {}

    def half(self, name: str, depth: int) -> bool | None:
        """Say of a name what ``comes_from_test_images`` says of an expression, after so many names before it."""
        if (name, depth) not in self._halves:
            self._halves[name, depth] = comes_from_test_images(self[name], self, depth)
        return self._halves[name, depth]

    def numbers(self, name: str) -> list[float]:
        """Return the first numbers that a name stands for, or the first in a call; none where it is no list of them."""
        if name not in self._numbers:
            value = self.get(name)
            inside = walk(value) if isinstance(value, ast.Call) else [value] if value else []
            self._numbers[name] = next((v for inner in inside if (v := numbers_of(inner))), [])[:MOST_NUMBERS]
        return self._numbers[name]

    def takes_part(self, name: str) -> bool:
        """Say whether what a name stands for takes a part of a set."""
        if name not in self._parts:
            self._parts[name] = takes_part(self[name])
        return self._parts[name]


SPLITS = {"random_split", "Subset", "train_test_split", "split"}


def takes_part(value: ast.AST) -> bool:
    return bool(identifiers(value) & SPLITS) or any(isinstance(node, ast.Subscript) for node in walk(value))


def assignments(code: Sources) -> Assigned:
    """Return what each name is assigned, the last time."""
    values = Assigned()
    for tree in code.trees:
        for node in walk(tree) if tree else ():
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    if isinstance(target, ast.Name):
                        values[target.id] = node.value
                    elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                        for one, value in zip(target.elts, node.value.elts, strict=False):
                            if isinstance(one, ast.Name):
                                values[one.id] = value
    return values


def comes_from_test_images(node: ast.AST, values: Assigned, depth: int = 0) -> bool | None:
    """Say whether an expression leads to the test half of an image set (``train=False``); None: it cannot be told."""
    for inner in walk(node):
        if isinstance(inner, ast.keyword) and inner.arg == "train" and isinstance(inner.value, ast.Constant):
            return inner.value.value is False
    names = {inner.id for inner in walk(node) if isinstance(inner, ast.Name)} if depth < DEEPEST else set()
    answers = {values.half(name, depth + 1) for name in names if name in values and values[name] is not node}
    return True if True in answers and False not in answers else False if False in answers else None


def gradient_on_test_set(code: Sources) -> Shown | None:
    """Return what shows that gradients are taken on test data, None where nothing does."""
    values = assignments(code)
    for tree in code.trees:
        for node in walk(tree) if tree else ():
            shown = None
            if isinstance(node, ast.Assign):
                shown = train_loader_of_test_set(node, values)
            elif isinstance(node, ast.For):
                shown = backward_over_test_set(node, values)
            elif isinstance(node, ast.Call) and last_name(node.func) == "ConcatDataset":
                shown = joined_halves(node, values)
            if shown:
                return shown
    return None


def train_loader_of_test_set(node: ast.Assign, values: Assigned) -> Shown | None:
    """Say so where a training loader is made from a test set alone."""
    target = last_name(node.targets[0]).lower()
    if not (target.startswith("train") and any(word in target for word in ("loader", "_dl", "lader"))):
        return None
    names = {inner.id for inner in walk(node.value) if isinstance(inner, ast.Name)}
    test_sets = sorted(name for name in names if is_called_test(name))
    from_images = comes_from_test_images(node.value, values)
    if from_images or (test_sets and from_images is None and not any("train" in name.lower() for name in names)):
        made_from = named(test_sets[0]) if test_sets else "the test half of an image set"
        return Shown(True, f"{named(target)} is made from {made_from}")
    return None


def joined_halves(node: ast.Call, values: Assigned) -> Shown | None:
    """Say so where training and test images are joined to one set; what becomes of it is for a person."""
    parts = [part for argument in node.args for part in getattr(argument, "elts", [argument])]
    halves = {comes_from_test_images(part, values) for part in parts}
    return Shown(False, "ConcatDataset() joins training and test images") if {True, False} <= halves else None


def backward_over_test_set(node: ast.For, values: Assigned) -> Shown | None:
    """Say so where a loop over test data alone calls backward()."""
    names = sorted(inner.id for inner in walk(node.iter) if isinstance(inner, ast.Name))
    tests = [name for name in names if is_called_test(name)]
    from_images = comes_from_test_images(node.iter, values)
    if not (tests or from_images) or from_images is False or any("train" in name.lower() for name in names):
        return None
    called = calls_in(node)
    if "backward" not in called:
        return None
    return Shown(
        bool(from_images) or "step" in called, f"backward() in a loop over {named(tests[0] if tests else names[0])}"
    )


# ---------------------------------------------------------------- gradients


class Loop(NamedTuple):
    """Code that takes gradients and steps: a function, or what a cell does outside of functions."""

    name: str
    node: ast.AST
    cell: int  # its index among the code cells

    @property
    def place(self) -> str:
        return f"{named(self.name)}()" if self.name else f"code cell {self.cell + 1}"


def calls_in(node: ast.AST) -> set[str]:
    return set(called_names(node))


def loops(code: Sources) -> Iterator[Loop]:
    """Yield the code that takes gradients and steps."""
    for name, node, cell in code.units():
        if calls_in(node) >= {"backward", "step"}:
            yield Loop(name, node, cell)


def never_zeroes(code: Sources) -> list[Loop]:
    """Return the loops that take gradients and step, where neither they nor a caller sets gradients to zero."""
    zeroing = [node for _, node, _ in code.units() if identifiers(node) & ZEROING]
    called = {name for node in zeroing for name in called_names(node) if name}
    return [loop for loop in loops(code) if not identifiers(loop.node) & ZEROING and loop.name not in called]
