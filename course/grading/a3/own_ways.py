"""What a rerun of assignment 3 shows where nothing bears its names: what the losses are made of."""

from collections.abc import Iterator

from course.assignments.task import Task
from course.grading.answers import Answers
from course.grading.common_own_ways import PLANE, judge_weight, noise, objectives
from course.grading.verdicts import Finding

__all__ = ["noise", "swiss_loss"]

BETA = 0.01
RATIOS = (BETA, 2 * BETA)  # of the summed terms: both means over two numbers, or both sums; the KL alone a sum


def swiss_loss(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge the loss of the first training with a KL, at the assignment's beta: squared error plus beta times KL."""
    with_kl = [o for o in objectives(answers, PLANE) if o.kl and o.kind == "squared error"]
    negative = next((o for o in with_kl if o.ratio < 0), None)
    right = next((o for o in with_kl if o.weighs(*RATIOS)), None)
    if negative or right:
        yield judge_weight(negative or right or with_kl[0], *RATIOS)
