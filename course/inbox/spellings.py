"""Find the person whom a tutor means, however the name is spelt: the nearest reading that fits anybody counts."""

import difflib
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from course.inbox.uploads import person_key, words_of

LEAST_WORDS = 2  # of a name that may leave others out: one word alone is too little to decide about somebody
SPELT_OUT = {"ae": "a", "oe": "o", "ue": "u", "ss": "s"}  # as somebody writes who has no such letters
NEAR = 0.6  # of a misspelt name, by difflib
MOST_NEAR = 3


def is_same(text: str, name: str) -> bool:
    """Say whether two names have the same letters, whatever their case, umlauts, accents and hyphens."""
    return letters_of(text) == letters_of(name) != ""


def letters_of(name: str) -> str:
    """Return the letters of a name, first names first where a comma says which they are."""
    return person_key(" ".join(words_of(name)))


def is_turned(text: str, name: str) -> bool:
    """Say whether a name has the surname first, or last, where the other has it elsewhere."""
    return person_key(name) in turned(text) or person_key(text) in turned(name)


def is_plain(text: str, name: str) -> bool:
    """Say whether names are the same, in any order, where Muller and Mueller are both Müller."""
    return bool({plain(key) for key in turned(text)} & {plain(key) for key in turned(name)})


def is_part(text: str, name: str) -> bool:
    """Say whether a name leaves out some of another's words, such as a second first name, and has no other."""
    words = {plain(person_key(word)) for word in words_of(text.replace("-", " "))} - {""}
    others = {plain(person_key(word)) for word in [*words_of(name), *words_of(name.replace("-", " "))]}
    return len(words) >= LEAST_WORDS and words <= others


READINGS: tuple[Callable[[str, str], bool], ...] = (is_same, is_turned, is_plain, is_part)  # the nearest first


def turned(name: str) -> set[str]:
    """Return the letters of a name with each of its words as the first one."""
    words = words_of(name)
    return {person_key(" ".join(words[at:] + words[:at])) for at in range(len(words))} - {""}


def plain(key: str) -> str:
    """Return the letters of a name without those that spell out an umlaut."""
    for letters, letter in SPELT_OUT.items():
        key = key.replace(letters, letter)
    return key


def meant_by(text: str, names: Iterable[str]) -> set[str]:
    """Return those of some names that a text can mean: by its nearest reading, all that fit."""
    names = set(names) - {""}
    for reading in READINGS:
        found = {name for name in names if reading(text, name)}
        if found:
            return found
    return set()


def near(text: str, names: Iterable[str]) -> Sequence[str]:
    """Return names that somebody may have meant who misspelt one, or who gave one word of it."""
    names = sorted(set(names) - {""})
    word = plain(person_key(text))
    by_word = [name for name in names if word and word in {plain(person_key(w)) for w in words_of(name)}]
    by_letters = difflib.get_close_matches(text.casefold(), [name.casefold() for name in names], MOST_NEAR, NEAR)
    return [*by_word, *(name for name in names if name.casefold() in by_letters and name not in by_word)][:MOST_NEAR]


class Named(NamedTuple):
    """Somebody who handed something in, as far as the names of files and folders say."""

    key: str
    name: str
    id: str


def may_be_one(people: Iterable[Named]) -> list[str]:
    """Return a sentence for each set of persons whose names are one name in two orders or spellings."""
    groups: dict[str, dict[str, Named]] = {}
    for person in people:
        if person.key and (letters := min(map(plain, turned(person.name)), default="")):
            groups.setdefault(letters, {}).setdefault(person.key, person)
    sentences = []
    for group in groups.values():
        numbers = {person.id for person in group.values()} - {""}
        if len(group) > 1 and len(numbers) < 2:  # two numbers are two persons
            names = " and ".join(sorted(person.name for person in group.values()))
            sentences.append(f"{names} may be one person: rename the files of one, or give --roster, which knows them")
    return sorted(sentences)
