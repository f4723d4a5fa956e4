"""The checks by behaviour of assignment 3: the loss takes means over the dimensions, as the assignment says."""

from collections.abc import Iterator

from course.assignments.task import Task
from course.grading.answers import Answers
from course.grading.common_behaviour import judge_loss, loss_of
from course.grading.verdicts import Finding


def losses(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge compute_vae_loss: the mean squared error plus beta times the mean KL of a latent."""
    loss = loss_of(answers.probe("losses"))
    yield from judge_loss(loss, loss.kl.mean() / loss.latents, "mean squared error")
