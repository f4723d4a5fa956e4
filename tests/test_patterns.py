"""No pattern of the tree takes longer than its text grows: each is tried on texts that are made from itself.

The texts repeat what the pattern repeats, and end in what it does not expect. They grow; what is compared is
how the processor time grows, never the time itself.
"""

import ast
import importlib
import pkgutil
import random
import re
import sys
import time
from collections.abc import Iterator

import pytest

import course
from course.assignments import ASSIGNMENTS
from course.grading import evidence
from course.inbox import names
from course.notebooks import code, printed
from course.paths import ROOT

if sys.version_info >= (3, 11):
    from re import _constants as codes  # type: ignore[attr-defined]
    from re import _parser as parser  # type: ignore[attr-defined]
else:
    import sre_constants as codes
    import sre_parse as parser

TIMES = (24, 400, 1600, 6400)
TELLING_S = 0.02  # processor time below which growth is noise: at these lengths, whatever is linear
FASTER_THAN_LENGTH = 8.0  # at four times the length; 4 where the time grows as it does, 16 where it is quadratic
AGAIN = 3  # times that a growth is measured again before it counts
READERS = (
    "course.grading",
    "course.handin",
    "course.notebooks",
    "course.inbox",
    "course.figures",
    "course.assignments",
)
# of names, which have at most 255 letters (test_archives), and of a tutor's own tables
SHORT = ("course.inbox.uploads", "course.inbox.layouts", "course.inbox.roster", "course.grading.worksheet")


def modules() -> Iterator[str]:
    for module in pkgutil.walk_packages(course.__path__, "course."):
        parts = module.name.split(".")
        if module.name in SHORT or "corpus" in parts or parts[-1] == "__main__":
            continue
        if module.name.startswith(READERS):
            yield module.name


def patterns_of(value: object) -> Iterator[re.Pattern[str]]:
    if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
        yield value
    elif isinstance(value, dict):
        yield from patterns_of(list(value.values()))
    elif isinstance(value, list | tuple | set | frozenset) and not hasattr(value, "_fields"):
        for part in value:
            yield from patterns_of(part)


def patterns_in(name: str) -> Iterator[re.Pattern[str]]:
    """Yield the patterns at the top of a module, and those written where they are used."""
    for value in vars(importlib.import_module(name)).values():
        yield from patterns_of(value)
    yield from map(re.compile, literals(name))


def patterns_in_tables() -> Iterator[re.Pattern[str]]:
    for assignment in ASSIGNMENTS.values():
        for task in assignment.tasks:
            yield from (re.compile(text) for _, text in (*task.prints, *task.writes))
    yield re.compile(rf"(?:(?<![a-z])loss[^\n]{{0,80}}?measured){evidence.GAP}{printed.NUMBER}", re.I)


def literals(name: str) -> Iterator[str]:
    """Yield the patterns that calls of re's functions bear as literals."""
    path = ROOT / f"{name.replace('.', '/')}.py"
    if not path.is_file():
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        is_re = (
            isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) == "re"
        )
        if is_re and node.args and isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str):
            yield node.args[0].value


REPEATS = (codes.MAX_REPEAT, codes.MIN_REPEAT, getattr(codes, "POSSESSIVE_REPEAT", ""))  # the last from Python 3.11 on
pytestmark = pytest.mark.slow  # each pattern is tried on growing texts; those that are not linear take their time
AT_ONE_PLACE = (code.COMMAND, code.CAPTURE, code.QUESTION, names.FORM)  # never searched for, as their modules show


# ---------------------------------------------------------------- texts made from a pattern


class Sampler:
    """Write texts that a parsed pattern matches, and note what stands before and in each of its repetitions."""

    def __init__(self, pattern: re.Pattern[str], seed: int) -> None:
        self.random = random.Random(seed)
        self.groups: dict[int, str] = {}
        self.repeated: list[tuple[str, str]] = []  # before, and what is repeated
        self.text = ""
        self.write(parser.parse(pattern.pattern, pattern.flags))

    def write(self, tree) -> None:
        for op, value in tree:
            self.write_one(op, value)

    def write_one(self, op, value) -> None:
        if op in (codes.LITERAL, codes.NOT_LITERAL):
            self.text += chr(value) if op is codes.LITERAL else self.other([(codes.LITERAL, value)])
        elif op is codes.ANY:
            self.text += self.random.choice(" x1=")
        elif op is codes.IN:
            self.text += self.member(value)
        elif op is codes.BRANCH:
            self.write(self.random.choice(value[1]))
        elif op is codes.SUBPATTERN:
            before = len(self.text)
            self.write(value[-1])
            if value[0] is not None:
                self.groups[value[0]] = self.text[before:]
        elif op is codes.GROUPREF:
            self.text += self.groups.get(value, "")
        elif op in REPEATS:
            self.repeat(*value)
        elif op is getattr(codes, "ATOMIC_GROUP", ""):
            self.write(value)

    def repeat(self, least: int, most, tree) -> None:
        before = self.text
        self.write(tree)
        unit = self.text[len(before) :]
        if most is codes.MAXREPEAT or most > 1:
            self.repeated.append((before, unit))
        self.text = before + unit * max(int(least), self.random.choice((0, 1, 1, 2)))

    def member(self, items) -> str:
        if items[0][0] is codes.NEGATE:
            return self.other(items[1:])
        op, value = self.random.choice(items)
        if op is codes.LITERAL:
            return chr(value)
        if op is codes.RANGE:
            return chr(self.random.choice((value[0], value[1])))
        return self.category(value)

    def category(self, value) -> str:
        name = str(value)
        if "NOT" in name:
            return self.random.choice("x ") if "DIGIT" in name else self.random.choice("x1=")
        return {"DIGIT": "1", "SPACE": " ", "WORD": "a"}[name.rsplit("_", 1)[-1]]

    def other(self, items) -> str:
        taken = {value for op, value in items if op is codes.LITERAL}
        choices = [c for c in "x =,1#\n(" if ord(c) not in taken]
        return self.random.choice(choices or ["y"])


def kinds_of(pattern: re.Pattern[str]) -> set[tuple[str, str, str]]:
    """Return beginnings, what is repeated after them, and ends, of texts that match at many places and fail at last."""
    kinds: set[tuple[str, str, str]] = set()
    for seed in range(4):
        sampler = Sampler(pattern, seed)
        whole = sampler.text[:-1] or "a"
        for before, unit in [*sampler.repeated, ("", whole), ("", sampler.text[:1] or "a")]:
            for head, part in ((before, unit), ("", before + unit)):
                if part:
                    kinds |= {(head, part, end) for end in ("\x00", "\n")}
    return kinds


def cost(pattern: re.Pattern[str], text: str) -> float:
    started = time.process_time()
    if pattern in AT_ONE_PLACE:
        pattern.match(text)
    else:
        pattern.sub("", text)
    return time.process_time() - started


def is_too_fast(before: float, took: float) -> bool:
    return took > TELLING_S and (before == 0 or took > FASTER_THAN_LENGTH * before)


def grows_too_fast(pattern: re.Pattern[str]) -> str | None:
    """Return the beginning of a text for which the time grows faster than the length; None where there is none."""
    for head, part, end in sorted(kinds_of(pattern)):
        before = 0.0
        for times in TIMES:
            text = head + part * times + end
            took = cost(pattern, text)
            if is_too_fast(before, took):  # once more, lest a loaded machine be taken for a slow pattern
                took = min(took, *(cost(pattern, text) for _ in range(AGAIN)))
                if is_too_fast(before, took):
                    return (head + part * 3)[:60]
            before = took
    return None


def too_fast(patterns: set[re.Pattern[str]]) -> dict[str, str]:
    return {pattern.pattern: text for pattern in patterns if (text := grows_too_fast(pattern))}


def patterns_below(part: str) -> set[re.Pattern[str]]:
    return {pattern for name in modules() if name.startswith(part) for pattern in patterns_in(name)}


def test_there_are_patterns_to_try():
    assert len(patterns_below("course.")) > 100


@pytest.mark.parametrize("part", READERS)
def test_time_grows_as_the_length_does(part):
    assert too_fast(patterns_below(part)) == {}


def test_so_it_does_for_the_patterns_of_the_tables():
    assert too_fast(set(patterns_in_tables())) == {}


@pytest.mark.parametrize(
    "pattern",
    [
        r"[\[({]\s*1\s*[,:][^\])}]*\b3\s*[,:][^\])}]*\b10\b",
        r"(a+)+b",
        r"\S+\.png",
    ],
)
def test_the_property_finds_patterns_that_are_not_linear(pattern):
    assert grows_too_fast(re.compile(pattern)) is not None
