"""The checks by outputs of assignment 2: the values that it has exactly, among all printed numbers.

Any language and any names will do. A number counts behind its own label; where a line has no words, numbers alone do.
A number that was rounded is right within its rounding. Only a number behind the value's own label tells a mistake.
"""

import ast
import math
import re
from collections.abc import Iterator
from typing import NamedTuple

from course.assignments import Task
from course.assignments.a2 import NUMPY_MISTAKES, NUMPY_VALUES
from course.grading.case import Case
from course.grading.sources import numbers_of
from course.grading.verdicts import Finding
from course.notebooks.printed import Reading, kind_of, readings
from course.notebooks.reading import Submission

ERRORS_OFF = 4.5  # standard errors: a printed number further away than this is another one
MISTAKE_OFF = 4  # standard errors: nearer than this, a printed number is what a mistake makes
MOST_LINE, MOST_NUMBERS = 80, 6  # letters and numbers in a finding
MEAN = [3.0, 2.0]
TELLING = 6  # standard errors: a mistake that changes a value by less than this is not told by it
ROUNDING = 1.4e-4  # of any printed number
MOST_ROUNDING = 0.5  # of the value: a number that is rounded more coarsely says nothing
KINDS = {"nll": "L_recon", "kl": "L_KL", "loss": "Loss", "-elbo": "Loss"}
BETA_LINE = re.compile(r"beta|β|бета|(?<![\d.,])0[.,]2(?!\d)", re.I)


class Value(NamedTuple):
    """A value that the assignment asks for, or that a mistake makes of it."""

    task: str
    name: str  # L_recon, L_KL, Loss; the scenario after a comma
    mean: float
    error: float  # its standard error

    @property
    def place(self) -> tuple[str, str]:
        return self.task, self.name

    @property
    def label(self) -> str:
        return self.name.split(",")[0]


class Mistake(NamedTuple):
    code: str  # of its hint
    printed: Reading  # what shows it


Printed = dict[
    str, list[Reading]
]  # numbers by what their label says: L_recon, L_KL, Loss; "" for those without a label


def data(submission: Case, task: Task) -> Iterator[Finding]:
    """Judge whether the data is made: under its name, or around its mean; its points are for a rerun."""
    if "X_true" in submission.source:
        yield Finding("PASS", "data", "X_true is made")
        return
    for index, tree in enumerate(submission.code.trees):
        for node in ast.walk(tree) if tree else ():
            if numbers_of(node) == MEAN:
                yield Finding("PASS", "data", f"points around (3, 2) are made in code cell {index + 1}")
                return
    of_data = nearest(numbers_by_label(submission.text), next(v for v in expected_values() if v.place == ("3", "L_KL")))
    if of_data:  # which hangs on the mean and the spread of the data, and not on any noise
        line = " ".join(of_data.text.split())[:MOST_LINE]
        yield Finding("PASS", "data", f"{line!r}: the KL divergence of scenario 1 is the one of points around (3, 2)")
        return
    yield Finding("LOOK", "own_way", "nothing is called X_true, and no mean (3, 2) stands in the source as a list")


def numbers(submission: Submission, task: Task) -> Iterator[Finding]:
    """Judge the values of the task: printed, printed as a known mistake makes them, or not printed."""
    printed = numbers_by_label(submission.text)
    values = expected_values()
    missing = {value.place for value in values if nearest(printed, value) is None}
    mistakes = explained(printed, {value.place: value for value in values}, missing)
    codes = {mistake.code for mistake in mistakes.values()}
    told = min(codes) if len(codes) == 1 else "out_of_band"  # one mistake, told by other values, may explain all
    for value in values:
        if value.task == task.name:
            yield judge_value(value, printed, mistakes.get(value.place), told)


def judge_value(value: Value, printed: Printed, mistake: Mistake | None, told: str) -> Finding:
    found = nearest(printed, value)
    if mistake:
        line = " ".join(mistake.printed.text.split())[:MOST_LINE]
        return Finding("FAIL", mistake.code, f"{value.name}: {line!r} was printed, and not {value.mean:.4f}")
    if found is None:
        expected = f"{value.mean:.4f} +- {ERRORS_OFF * value.error:.4f}"
        pool = printed[value.label]
        own = [r.value for r in at_its_beta(pool, value) if not is_anothers(r, value, pool)][:MOST_NUMBERS]
        if own:
            return Finding("LOOK", told, f"{value.name}: printed {own}, expected {expected}")
        return Finding(
            "LOOK", "numbers_missing", f"{value.name}: none of the printed numbers is it, expected {expected}"
        )
    line = " ".join(found.text.split())[:MOST_LINE]
    return Finding("PASS", "numbers", f"{value.name}: {line!r}; expected about {value.mean:.4f}")


def is_anothers(reading: Reading, value: Value, pool: list[Reading]) -> bool:
    """Say whether a printed number is another value of the assignment, or beta itself."""
    values = [other for other in expected_values() if other.place != value.place]
    others = [other for other in values if reading in at_its_beta(pool, other)]
    off = [abs(reading.value - other.mean) - rounding(reading, other) - ERRORS_OFF * other.error for other in others]
    return min(off, default=1.0) <= 0 or reading.value in (0.2, 1.0) or not reading.decimals


def expected_values() -> list[Value]:
    values = []
    for task, of_task in NUMPY_VALUES.items():
        values += [Value(task, name, mean, error) for name, (mean, error) in of_task.items()]
    return values


def nearest(printed: Printed, value: Value, errors: float = ERRORS_OFF, *, labelled: bool = False) -> Reading | None:
    """Return the printed number that is the value within its standard errors and its rounding; None where none is."""
    pools = [printed[value.label]] if labelled else [printed[value.label], printed[""]]
    if "scenario" in value.name and not labelled:
        pools.append(printed["Loss"])
    for pool in pools:
        fitting = [
            r
            for r in at_its_beta(pool, value)
            if abs(r.value - value.mean) <= errors * value.error + rounding(r, value)
        ]
        if fitting:
            return min(fitting, key=lambda reading: abs(reading.value - value.mean))
    return None


def at_its_beta(pool: list[Reading], value: Value) -> list[Reading]:
    """Return those numbers that may be the value: where some are losses at beta = 0.2, only these are task 5's."""
    small = [reading for reading in pool if is_at_small_beta(reading)]
    if value.label != "Loss" or not small:
        return pool
    return small if "scenario" in value.name else [reading for reading in pool if reading not in small]


SMALL_BETA = re.compile(r"(?<![\d.,])0[.,]2(?!\d)")
BETA = re.compile(r"beta|β|бета", re.I)


def is_at_small_beta(reading: Reading) -> bool:
    """Say whether a number stands behind beta = 0.2, in its label or on a line that names no other beta."""
    alone = len(BETA.findall(reading.text)) == 1
    return bool(SMALL_BETA.search(reading.label) or (alone and SMALL_BETA.search(reading.text)))


def rounding(reading: Reading, value: Value) -> float:
    """Return how far the rounding of a printed number may take it from the value."""
    half = 0.5 * 10**-reading.decimals * (1 + ROUNDING) if reading.decimals else 0.0
    return ROUNDING + (half if half < MOST_ROUNDING * abs(value.mean) else 0.0)


def numbers_by_label(text: str) -> Printed:
    """Return printed numbers by what the last label before each says."""
    printed: Printed = {"L_recon": [], "L_KL": [], "Loss": [], "": []}
    for reading in readings(text):
        if not math.isfinite(reading.value):
            continue
        kind = KINDS.get(kind_of(reading.label) or "", "")
        about_beta = bool(BETA_LINE.search(f"{reading.label}\n{reading.text}"))
        if kind or about_beta:
            printed[kind or "Loss"].append(reading)
        elif not set(WORDS.findall(reading.text.lower())) - BARE:
            printed[""].append(reading)
    return printed


WORDS = re.compile(r"[^\W\d_]{2,}")
BARE = {"tensor", "array", "np", "float", "dtype", "und", "and", "grad", "fn"}  # beside numbers that have no label


# ---------------------------------------------------------------- known mistakes


def explained(
    printed: Printed, right: dict[tuple[str, str], Value], missing: set[tuple[str, str]]
) -> dict[tuple[str, str], Mistake]:
    """Return the missing values that a known mistake explains, by their places."""
    mistakes: dict[tuple[str, str], Mistake] = {}
    for code, changes in NUMPY_MISTAKES.items():
        wrong = changed_values(changes, right)
        if mistakes and all(value.name.startswith("Loss") for value in wrong):
            continue  # a wrong term has a wrong sum
        telling = [value for value in wrong if is_telling(value, right[value.place])]
        places = missing & {value.place for value in telling}
        shown = {value.place: nearest(printed, value, MISTAKE_OFF, labelled=True) for value in telling}
        if places and all(shown.values()):
            # the first mistake that explains a value is the one
            mistakes = {place: Mistake(code, reading) for place, reading in shown.items() if reading} | mistakes
    return {place: mistakes[place] for place in missing & mistakes.keys()}


def is_telling(wrong: Value, right: Value) -> bool:
    """Say whether a wrong value can be told from the right one."""
    return abs(wrong.mean - right.mean) > TELLING * right.error


def changed_values(changes: dict[str, dict[str, float]], right: dict[tuple[str, str], Value]) -> list[Value]:
    """Return what a mistake makes of the values; errors grow as the values do."""
    values = []
    for task, of_task in changes.items():
        for name, mean in of_task.items():
            value = right[task, name]
            values.append(Value(task, name, mean, abs(mean / value.mean) * value.error))
    return values
