"""The checks by behaviour of assignment 2: the data, as the run made them."""

import math
from collections.abc import Iterator

import numpy as np

from course.assignments.task import Task
from course.grading import answers as untrusted
from course.grading.a2 import outputs
from course.grading.answers import Answers, close
from course.grading.common_behaviour import again
from course.grading.verdicts import Finding

POINTS = 1000
MEAN, COVARIANCE = np.array([3.0, 2.0]), np.eye(2)
ERRORS_OFF = 4.5  # standard errors
MEAN_OFF, COVARIANCE_OFF = ERRORS_OFF / math.sqrt(POINTS), ERRORS_OFF * math.sqrt(2 / POINTS)


def data(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge whether X_true is 1000 points of N((3, 2), I)."""
    probe = answers.probe("data")
    mean, covariance, shape = (
        untrusted.numbers(probe["mean"]),
        untrusted.numbers(probe["covariance"]),
        list(probe["shape"]),
    )
    evidence = f"X_true {shape}: mean {mean.round(3).tolist()}"
    if shape not in ([POINTS, 2], [2, POINTS]) or mean.shape != (2,):
        yield Finding("LOOK", "shape", evidence)
    elif close(mean, MEAN, 0, MEAN_OFF) and close(covariance, COVARIANCE, 0, COVARIANCE_OFF):
        yield Finding("PASS", "data", evidence)
    else:
        yield Finding("FAIL", "data_wrong", f"{evidence}, covariance {covariance.round(3).tolist()}")


def numbers(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge the numbers that the rerun printed as those of the file."""
    yield from again(outputs.numbers(answers.printed, task))
