"""Tell by its content which assignment a notebook solves: by the names that only one assignment's table asks for."""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Mapping

from course.assignments import ASSIGNMENTS, Assignment

WORDS = re.compile(rb'"image/[a-z+]+"\s*:\s*"[^"]*"|\\[nrt]|([A-Za-z]\w{2,})')  # but for pictures, and ends of lines
TELLING = re.compile(r"(?<!\w)(?:[A-Za-z]+_\w+|[A-Z][a-z]+[A-Z]\w+|Autoencoder)")  # not "train": any notebook has that
MOST_FOUND = 2_000_000  # words, pictures and ends of lines that are looked at
LEAST = 3  # names of one assignment that tell it


def names_of(assignment: Assignment) -> set[str]:
    """Return the names that doing an assignment leaves in a notebook: of functions, classes and figures."""
    names: set[str] = set()
    for task in assignment.tasks:
        for asked in task.defines:
            for alternative in asked.split("|"):
                names |= set(alternative.split("."))
        names |= {region.split(".")[-1] for region in task.regions}
    for figure in assignment.figures:
        names |= {figure.name, *figure.drawn_by}
    return {name for name in names if TELLING.fullmatch(name)}


def own_names(assignments: Mapping[str, Assignment]) -> dict[str, set[str]]:
    """Return the names of each assignment that no other one has."""
    names = {key: names_of(assignment) for key, assignment in assignments.items()}
    counts = Counter(name for of_one in names.values() for name in of_one)
    return {key: {name for name in of_one if counts[name] == 1} for key, of_one in names.items()}


def scores(words: Iterable[str]) -> dict[str, int]:
    """Return how many of each assignment's own names stand among some words; its marks weigh twice."""
    present = set(words)
    own = own_names(ASSIGNMENTS)
    return {key: len(own[key] & present) + len(present & set(a.marks)) for key, a in ASSIGNMENTS.items()}


def words_in(content: bytes) -> set[str]:
    """Return those words of a notebook's file that tell an assignment, pictures left out; it is not parsed."""
    own = own_names(ASSIGNMENTS)
    telling = {word.encode() for key, about in ASSIGNMENTS.items() for word in (*own[key], *about.marks)}
    found = itertools.islice(WORDS.finditer(content), MOST_FOUND)
    return {word.decode() for match in found if (word := match[1]) in telling}


def likely(words: Iterable[str]) -> str | None:
    """Return the assignment that some words clearly belong to, None where they leave it open."""
    (best, most), (_, second) = Counter(scores(words)).most_common(2)
    return best if most >= LEAST and most > 2 * second else None


def other_than(key: str, words: Iterable[str]) -> str | None:
    """Return the assignment that a notebook clearly solves instead of the one that it was handed in for, else None."""
    best = likely(words)
    return best if best not in (None, key) else None
