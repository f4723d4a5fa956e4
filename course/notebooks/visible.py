"""Make other people's words safe to show: nothing in them turns, hides, colours or ends what stands around them."""

import re
from typing import Any

JOINERS = "\u200c\u200d"  # between letters of Persian and Indian names, and inside emoji
PLAIN_NAME = re.compile(r"[A-Za-z0-9_]{1,40}")  # of a function, an error, a data set: one word of a program
MOST_QUOTED = 200  # letters


def visible(text: str) -> str:
    """Return a text on one line, letter for letter; what cannot be seen becomes a space.

    That is what controls a terminal, ends a line, or turns the direction in which letters are read.
    """
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() or letter in JOINERS else " " for letter in text)


def visible_lines(text: str) -> str:
    """Return a text of several lines as a terminal may print it."""
    return "\n".join(map(visible, text.split("\n")))


def quoted(text: Any, most: int = MOST_QUOTED) -> str:
    """Return a student's words as they stand in a sentence of ours: between quotes, which nothing in them closes."""
    return repr(str(text)[:most])


def named(name: str) -> str:
    """Return a name out of a student's program: as it is where it is one plain word, else as a quotation."""
    return name if PLAIN_NAME.fullmatch(name) else quoted(name)


def error_in_words(error: str) -> str:
    """Return an error that a notebook stores, which may say anything: its type, and the rest as a quotation."""
    kind, colon, message = error.partition(": ")
    if not PLAIN_NAME.fullmatch(kind.rstrip(":")):
        return quoted(error)
    return f"{kind}: {quoted(message)}" if colon and message else kind.rstrip(":")
