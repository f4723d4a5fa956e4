"""The checks by outputs of assignment 2: the values that it has exactly, among all printed numbers.

Any language and any names will do: each exactly known value must be among the printed numbers, or one that a known
mistake makes of it is.
"""

import itertools
import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from course.assignments import Task
from course.assignments.a2 import NUMPY_MISTAKES, NUMPY_VALUES
from course.grading.evidence import NUMBER, to_number
from course.grading.verdicts import Finding
from course.notebooks.reading import Submission

ERRORS_OFF = 4.5  # standard errors: a printed number further away than this is another one
MISTAKE_OFF = 4  # standard errors: nearer than this, a printed number is what a mistake makes
TELLING = 6  # standard errors: a mistake that changes a value by less than this is not told by it
ROUNDING = 1.4e-4  # of a number printed with four digits
MOST_LABELS = 200_000  # words and numbers that are read

LABELS = re.compile(
    r"(?P<L_recon>recon\w*(?:[ _-]*(?:loss|error|term))?|mse(?:[ _-]*loss)?|rekon\w*)|"
    r"(?P<L_KL>(?<![a-z])(?:l_)?(?:d_)?kld?(?![a-z])(?:[ _-]*(?:div\w*|loss|term))?)|"
    r"(?P<Loss>loss|elbo|total|verlust|beta|β)|"
    rf"(?P<number>{NUMBER})",
    re.I,
)


class Value(NamedTuple):
    """A value that the assignment asks for, or that a mistake makes of it."""

    task: str
    name: str  # L_recon, L_KL, Loss; the scenario after a comma
    mean: float
    error: float  # its standard error

    @property
    def place(self) -> tuple[str, str]:
        return self.task, self.name


class Mistake(NamedTuple):
    code: str  # of its hint
    value: float  # what it makes


Printed = dict[str, np.ndarray]  # numbers by the label before each


def data(submission: Submission, task: Task) -> Iterator[Finding]:
    """Judge whether the data is made, under its name; its points are for a rerun."""
    if "X_true" in submission.source:
        yield Finding("PASS", "data", "X_true is made")
    else:
        yield Finding("LOOK", "own_way", "nothing is called X_true")


def numbers(submission: Submission, task: Task) -> Iterator[Finding]:
    """Judge the values of the task: printed, printed as a known mistake makes them, or not printed."""
    printed = numbers_by_label(submission.text)
    values = expected_values()
    missing = {value.place for value in values if errors_off(printed, value) > ERRORS_OFF}
    mistakes = explained(printed, {value.place: value for value in values}, missing)
    for value in values:
        if value.task == task.name:
            yield judge_value(value, printed, mistakes.get(value.place))


def judge_value(value: Value, printed: Printed, mistake: Mistake | None) -> Finding:
    off = errors_off(printed, value)
    if mistake:
        evidence = f"{value.name}: {mistake.value:.4f} was printed, and not {value.mean:.4f}"
        return Finding("FAIL", mistake.code, evidence)
    if off > ERRORS_OFF:
        expected = f"{value.mean:.4f} +- {ERRORS_OFF * value.error:.4f}"
        return Finding("LOOK", "out_of_band", f"{value.name}: no printed number within {expected}")
    return Finding("PASS", "numbers", f"{value.name}: {off:.1f} standard errors from {value.mean:.4f}")


def expected_values() -> list[Value]:
    values = []
    for task, of_task in NUMPY_VALUES.items():
        values += [Value(task, name, mean, error) for name, (mean, error) in of_task.items()]
    return values


def errors_off(printed: Printed, value: Value) -> float:
    """Return how many standard errors the nearest printed number under the value's label is away from it."""
    label = value.name.split(",")[0]
    return float(np.abs(printed[label] - value.mean).min() / (value.error + ROUNDING))


def numbers_by_label(text: str) -> Printed:
    """Return printed numbers by the last label before each; all of them under a label that never occurs."""
    by_label: dict[str, list[float]] = {"L_recon": [], "L_KL": [], "Loss": []}
    everything: list[float] = []
    label = None
    for match in itertools.islice(LABELS.finditer(text), MOST_LABELS):
        if match.lastgroup in by_label:
            label = match.lastgroup
            continue
        everything.append(to_number(match["number"]))
        if label:
            by_label[label].append(everything[-1])
    return {label: finite(values or everything) for label, values in by_label.items()}


def finite(values: list[float]) -> np.ndarray:
    """Return the finite ones of some numbers; infinity alone where there are none."""
    return np.array([value for value in values if np.isfinite(value)] or [np.inf])


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
        if places and all(errors_off(printed, value) < MISTAKE_OFF for value in telling):
            # the first mistake that explains a value is the one
            mistakes = {value.place: Mistake(code, value.mean) for value in wrong} | mistakes
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
