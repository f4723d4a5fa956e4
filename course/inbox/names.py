"""Write file names such as ``max_mustermann_a1.ipynb``, and read those that came in, by one grammar."""

import re
import unicodedata
from pathlib import PurePath
from typing import NamedTuple

from course import assignments

LONGEST = 60  # letters of a name
LETTERS = {
    "ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "œ": "oe", "ø": "oe", "å": "aa", "ł": "l", "đ": "d",
    "ð": "d", "þ": "th", "ħ": "h", "ı": "i", "ĸ": "k", "ŋ": "ng", "ŧ": "t", "ſ": "s", "ə": "e",
}  # fmt: skip
PARTICLES = frozenset((
    "af", "al", "am", "av", "ben", "bin", "bint", "d", "da", "dal", "dalla", "das", "de", "degli", "dei", "del",
    "della", "der", "des", "di", "dos", "du", "e", "el", "ibn", "la", "las", "le", "les", "lo", "los", "mac", "mc",
    "na", "o", "of", "op", "st", "ten", "ter", "the", "ul", "und", "van", "vom", "von", "y", "zu", "zum", "zur",
))  # fmt: skip
JOINTS = frozenset("-'’ʼ`´‐‑")  # hyphens and apostrophes, as keyboards and dictionaries write them

PERSON = r"[^\W\d_][^\W_]*(?:-[^\W_]+)*(?:_[^\W\d_][^\W_]*(?:-[^\W_]+)*)+"  # two words or more, with underscores
FORM = re.compile(rf"(?P<person>{PERSON})_(?P<assignment>a\d+)", re.IGNORECASE)
LOOSE = re.compile(r"(?<![^\W_])a\d+(?![^\W_])", re.IGNORECASE)  # an assignment somewhere in a name


class FileName(NamedTuple):
    """What a file's name says; each part may be missing."""

    person: str  # "max mustermann", as it is spelt there; empty where the name does not say
    assignment: str | None  # "a1"


# ---------------------------------------------------------------- reading


def parse_name(name: str) -> FileName:
    """Read person and assignment off a file's name, in any case; a copy's name keeps at least the latter."""
    stem = PurePath(unicodedata.normalize("NFC", name)).stem
    whole, part = FORM.fullmatch(stem), LOOSE.search(stem)
    if whole:
        return FileName(whole["person"].replace("_", " "), whole["assignment"].lower())
    return FileName("", part[0].lower() if part else None)


def course_spelling(name: FileName) -> str | None:
    """Return the file's name as the course itself would spell it; None where it does not say all, or is no name."""
    if not name.person or name.assignment is None:
        return None
    first, *others = name.person.split(" ")
    try:
        words = [_spelt(first, first, "first name"), "".join(_spelt(w, w, "surname") for w in others)]
    except ValueError:
        return None
    return f"{'_'.join(words)}_{name.assignment}.ipynb"


# ---------------------------------------------------------------- writing


def file_name(first: str, last: str, assignment: str) -> str:
    """Return the course's name for a submission: letters only, one word a name.

    Umlauts, accents and ligatures are spelt out (Jürgen Groß: ``juergen_gross``); hyphens, apostrophes and particles
    are part of a name and leave no gap (Anna-Lena van der Ploeg: ``annalena_vanderploeg``).

    Raises:
        ValueError: more than a first name and a surname, something that is no name, or an unknown assignment.
    """
    key = assignments.find(assignment).key
    return f"{_first(first)}_{_last(last)}_{key}.ipynb"


def _first(name: str) -> str:
    words = _words(name, "first name")
    if len(words) > 1:
        raise ValueError(
            f"the first name {name!r} is {len(words)} words, and the course asks for the first one only: "
            f"--first {words[0]}, or join them with a hyphen if they are one name"
        )
    return _spelt(words[0], name, "first name")


def _last(name: str) -> str:
    words = _words(name, "surname")
    others = [w for w in words[:-1] if _spelt(w, name, "surname") not in PARTICLES]
    if others:
        raise ValueError(
            f"the surname {name!r} is more than one word besides particles such as 'van der': "
            "give the one that the course knows you by, or join the two with a hyphen"
        )
    return "".join(_spelt(w, name, "surname") for w in words)


def _words(name: str, what: str) -> list[str]:
    words = unicodedata.normalize("NFC", name).split()
    if not words:
        raise ValueError(f"the {what} is empty: give it as on your student card")
    return words


def _spelt(word: str, name: str, what: str) -> str:
    """Spell a word in the letters a to z.

    Raises:
        ValueError: a character that is no Latin letter, hyphen or apostrophe; or too many letters, or none.
    """
    letters = "".join(_letters(character, name, what) for character in word.lower())
    if not 1 <= len(letters) <= LONGEST:
        raise ValueError(f"the {what} {name!r} has {len(letters)} letters, expected 1 to {LONGEST}")
    return letters


def _letters(character: str, name: str, what: str) -> str:
    """Spell one character; joints, and accents that have no letter of their own with their vowel, spell nothing."""
    if character in JOINTS or unicodedata.combining(character):
        return ""
    plain = LETTERS.get(character)
    if plain is None:
        parts = unicodedata.normalize("NFKD", character)
        plain = "".join(LETTERS.get(p, p) for p in parts if not unicodedata.combining(p))
    if not re.fullmatch("[a-z]+", plain):
        kind = unicodedata.name(character, "a character without a name").lower()
        raise ValueError(
            f"the {what} {name!r} contains {character!r} ({kind}): use Latin letters, hyphens and apostrophes, "
            "as on your student card"
        )
    return plain
