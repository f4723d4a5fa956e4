"""Checks of assignment 6 on what a notebook printed."""

import re
from collections.abc import Iterator

from course.assignments.a6 import FAIR_COIN

from course.assignments.task import Task
from course.grading.verdicts import Finding
from course.notebooks.reading import Submission

ROUNDING = 0.006  # of a number that was printed with two decimals


def fair_coin(submission: Submission, task: Task) -> Iterator[Finding]:
    """Hold the printed log-likelihood against -10 ln 2."""
    numbers = [float(n) for n in re.findall(r"log-likelihood\D*?(-?\d+\.\d+)", submission.text)]
    if not numbers:
        yield Finding("LOOK", "numbers_missing", "no log-likelihood was printed")
    elif abs(numbers[0] - FAIR_COIN) < ROUNDING:
        yield Finding("PASS", "fair_coin", f"{numbers[0]} is -10 ln 2")
    else:
        yield Finding("FAIL", "coin_wrong", f"{numbers[0]} was printed, and not {FAIR_COIN}")
