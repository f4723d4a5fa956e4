"""What a student wrote: the words of a notebook's texts without those that the assignment itself was handed out with.

Of a handout nothing is kept but fingerprints of every three words that follow one another: enough to know its sentences
again, too little to read them. ``python -m course.grading.writing a5 TEXT ...`` adds those of new texts, or of the
texts in the notebooks (.ipynb) that ``release`` writes.
"""

import ast
import base64
import hashlib
import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from course.grading.case import BOLD, Case
from course.notebooks.reading import parse

FOLDER = Path(__file__).with_name("handouts")
UNSPACED = "\u3040-\u30ff\u3400-\u9fff"  # Chinese and Japanese: about two letters a word, and no spaces
WORDS = re.compile(rf"[{UNSPACED}]{{1,2}}|[^\W_{UNSPACED}]+")
TOGETHER, BYTES = 3, 3  # words to a fingerprint, and bytes of one
LINE = 120  # characters
LEAST_SENTENCE = 8  # words of a printed line that is read as a sentence
MOST_TEXT = 200_000  # characters of a text that are read


def fingerprints(words: list[str]) -> list[bytes]:
    """Return one fingerprint for each place where three words stand together."""
    grams = (" ".join(words[i : i + TOGETHER]) for i in range(len(words) - TOGETHER + 1))
    return [hashlib.blake2b(gram.encode(), digest_size=BYTES).digest() for gram in grams]


def words_of(text: str) -> list[str]:
    return [word.lower() for word in WORDS.findall(text[:MOST_TEXT])]


@cache
def handed_out(key: str) -> frozenset[bytes]:
    """Return the fingerprints of an assignment's text; none where nobody has written them."""
    file = FOLDER / f"{key}.txt"
    packed = base64.b64decode(file.read_text(encoding="ascii")) if file.is_file() else b""
    return frozenset(packed[i : i + BYTES] for i in range(0, len(packed), BYTES))


def own_words(text: str, known: frozenset[bytes]) -> int:
    """Count the words of a text that stand in no three words of the handout."""
    words = words_of(text)
    taken = [False] * len(words)
    for place, fingerprint in enumerate(fingerprints(words)):
        if fingerprint in known:
            taken[place : place + TOGETHER] = [True] * TOGETHER
    return taken.count(False)


class Block(NamedTuple):
    """A piece of text below one heading."""

    cell: int  # its number among all cells
    heading: str
    section: str  # the task that its heading names, empty where it names none
    text: str
    own: int  # words that are not the handout's


def blocks(case: Case) -> list[Block]:
    """Return the texts of a notebook, with how much of each is the student's own."""
    known = handed_out(case.assignment.key)
    found: list[Block] = []
    for cell, heading, section, text in _texts(case):
        own = own_words(text, known)
        if own:
            found.append(Block(cell, heading, section, text, own))
    return found


def _texts(case: Case) -> Iterator[tuple[int, str, str, str]]:
    heading = ""
    for number, prose in case.prose:
        rest, section = prose[:MOST_TEXT], case.sections.get(number - 1, "")  # until a heading of its own
        if rest.lstrip().startswith(BOLD):  # which may be one
            section = case.sections.get(number, "")
        parts = re.split(r"^(#{1,6}[^\n]*)$", rest, flags=re.MULTILINE)
        for part in parts:
            if part.startswith("#"):
                heading, section = part.strip("# \t"), case.sections.get(number, "")
            elif part.strip():
                yield number, heading, section, part
    for cell, tree in zip(case.cells, case.code.trees, strict=True):
        for remark in remarks(cell.source[:MOST_TEXT], tree):
            yield cell.number, "", "", remark  # under no heading: its own words must say what it answers
        lines = [line for line in cell.text[:MOST_TEXT].splitlines() if len(WORDS.findall(line)) >= LEAST_SENTENCE]
        sentences = [line for line in lines if sum(c.isdigit() for c in line) < len(line) // 8]
        if sentences:
            yield cell.number, cell.heading.strip("# "), case.sections.get(cell.number, ""), "\n".join(sentences)


REMARK = re.compile(r"(?:^#(?!#)[^\n]*(?:\n|\Z)){2,}", re.MULTILINE)
LEAST_REMARK = 20  # words: fewer are notes on the code


def remarks(source: str, tree: ast.Module | None) -> Iterator[str]:
    """Yield the answers that are written among code: comments over several lines, and strings that stand alone."""
    found = [re.sub(r"^#", "", block, flags=re.MULTILINE) for block in REMARK.findall(source)]
    for node in tree.body if tree else ():
        value = node.value if isinstance(node, ast.Expr) else None
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            found.append(value.value)
    yield from (text for text in found if len(WORDS.findall(text)) >= LEAST_REMARK)


def packed(known: Iterable[bytes], texts: Iterable[str]) -> str:
    """Return the file of an assignment's fingerprints: those that are known, and those of more texts."""
    found = set(known)
    for text in texts:
        found |= set(fingerprints(words_of(text)))
    letters = base64.b64encode(b"".join(sorted(found))).decode("ascii")
    return "".join(f"{letters[i : i + LINE]}\n" for i in range(0, len(letters), LINE))


def text_in(file: Path) -> str:
    """Return a file's text; of a notebook, what its text cells say."""
    if file.suffix != ".ipynb":
        return file.read_text(encoding="utf-8")
    return "\n\n".join(text for _, text in parse(file.name, file.read_bytes()).prose)


def main(key: str, files: list[str]) -> None:
    new = packed(handed_out(key), [text_in(Path(file)) for file in files])
    (FOLDER / f"{key}.txt").write_text(new, encoding="ascii")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
