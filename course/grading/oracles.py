"""The finding of the checks on outputs, until they yield that of course.grading.verdicts."""

from typing import NamedTuple

from course.grading.verdicts import Level


class Finding(NamedTuple):
    """One observation about one task."""

    task: str
    level: Level
    code: str  # of its hint; for a PASS, of what holds
    evidence: str
