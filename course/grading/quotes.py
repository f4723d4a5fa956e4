"""Tell a student's own words in a grader's sentence: checks put them between quotes, as ``repr`` does."""

import ast
import contextlib
import re
from typing import NamedTuple

from course.notebooks.visible import visible

QUOTED = re.compile(r"""(?<!\w)('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")(?!\w)""")


class Piece(NamedTuple):
    text: str
    quoted: bool  # whether it is the student's


def pieces(evidence: str) -> list[Piece]:
    """Split a sentence where a quotation begins and ends; the quotations lose their quotes and escapes."""
    parts = QUOTED.split(evidence)
    return [Piece(plain(part) if odd % 2 else visible(part), bool(odd % 2)) for odd, part in enumerate(parts) if part]


def shortened(evidence: str, most: int) -> str:
    """Return the beginning of a sentence; a quotation that goes on beyond it is closed there, and stays one."""
    if len(evidence) <= most:
        return evidence
    for quotation in QUOTED.finditer(evidence):
        start, end = quotation.span()
        if start < most < end:
            inside = re.match(r"(?:[^\\]|\\(?:x..|u.{4}|U.{8}|.))*", quotation[0][: most - start], re.DOTALL)
            return evidence[:start] + (inside[0] if inside else "") + quotation[0][0]
    return evidence[:most]


def plain(quotation: str) -> str:
    """Return what was quoted, in characters that can be seen: an escape may stand for one that turns the line round."""
    with contextlib.suppress(ValueError, SyntaxError):
        return " ".join(visible(str(ast.literal_eval(quotation))).split())
    return visible(quotation[1:-1])
