"""The checks by behaviour of assignment 3: its code takes means over dimensions, its formulas sums; both are right."""

from collections.abc import Iterator

from course.assignments.task import Task
from course.grading.answers import Answers, close
from course.grading.common_behaviour import FIT, judge_loss, loss_of
from course.grading.verdicts import Finding


def losses(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge compute_vae_loss: the squared error plus beta times the KL, each summed over dimensions or their mean."""
    loss = loss_of(answers.probe("losses"))
    as_formula = close(loss.slope, loss.kl.mean(), FIT)
    kinds = ("summed squared error", "mean squared error")
    kind = next((kind for kind in kinds if close(loss.base, loss.reconstructions[kind], FIT)), kinds[1])
    yield from judge_loss(loss, loss.kl.mean() if as_formula else loss.kl.mean() / loss.latents, kind)
