"""What a submission is called: ``max_mustermann_a1.ipynb``, from a first name, a surname and an assignment."""

import re
import unicodedata

from course import assignments

FORM = re.compile(r"(?P<first>[a-z]+)_(?P<last>[a-z]+)_(?P<assignment>a[0-9]+)\.ipynb")
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


def file_name(first: str, last: str, assignment: str) -> str:
    """The course's name for a submission: letters only, one word a name.

    Umlauts, accents and ligatures are spelt out (Jürgen Groß: ``juergen_gross``); hyphens, apostrophes and particles
    are part of a name and leave no gap (Anna-Lena van der Ploeg: ``annalena_vanderploeg``).

    Raises:
        ValueError: more than a first name and a surname, something that is no name, or an unknown assignment.
    """
    assignments.find(assignment)
    return f"{_first(first)}_{_last(last)}_{assignment}.ipynb"


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
    """A word in the letters a to z.

    Raises:
        ValueError: a character that is no Latin letter, hyphen or apostrophe; or too many letters, or none.
    """
    out = []
    for character in word.lower():
        if character in JOINTS:
            continue
        if unicodedata.combining(character):  # an accent that has no letter of its own with its vowel
            continue
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
        out.append(plain)
    spelt = "".join(out)
    if not 1 <= len(spelt) <= LONGEST:
        raise ValueError(f"the {what} {name!r} has {len(spelt)} letters, expected 1 to {LONGEST}")
    return spelt
