"""Tell a student's own words in a grader's sentence: checks put them between quotes, as ``repr`` does."""

import ast
import contextlib
import re
from typing import NamedTuple

QUOTED = re.compile(r"""(?<!\w)('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")(?!\w)""")


class Piece(NamedTuple):
    text: str
    quoted: bool  # whether it is the student's


def pieces(evidence: str) -> list[Piece]:
    """Split a sentence where a quotation begins and ends; the quotations lose their quotes and escapes."""
    parts = QUOTED.split(evidence)
    return [Piece(plain(part) if odd % 2 else part, bool(odd % 2)) for odd, part in enumerate(parts) if part]


def plain(quotation: str) -> str:
    with contextlib.suppress(ValueError, SyntaxError):
        return " ".join(str(ast.literal_eval(quotation)).split())
    return quotation[1:-1]
