"""The verdicts of the grader: what one check observed about one task."""

from typing import Literal, NamedTuple

Level = Literal["PASS", "FAIL", "LOOK"]


class Finding(NamedTuple):
    """One observation about one task. A check leaves the task empty; who runs the checks fills it in."""

    level: Level
    code: str  # of its hint; for a PASS, of what holds
    evidence: str
    task: str = ""
