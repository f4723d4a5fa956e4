"""The checks by outputs of assignment 3: printed losses, and whether another model was tried."""

import re
from collections.abc import Iterator

from course.assignments import Task
from course.assignments.a3 import SWISS_LOSS
from course.grading.evidence import printed_losses
from course.grading.verdicts import Finding
from course.notebooks.reading import Submission

LOWEST, HIGHEST = SWISS_LOSS
MOST_LOSSES = 6  # in a finding
SIZE = re.compile(r"(latent_dim|hidden_dim)\s*=\s*(\d+)")
ASSIGNED_SIZES = {("latent_dim", "2"), ("hidden_dim", "256")}
OTHER_MODEL = re.compile(r"\bVAE\(\s*\d")
MOST_SIZES = 6  # in a finding


def honest_losses(submission: Submission) -> list[float]:
    """Return the printed losses that honest trainings end at."""
    return [loss for loss in printed_losses(submission) if LOWEST <= loss <= HIGHEST]


def trained_function(submission: Submission, task: Task) -> Iterator[Finding]:
    """Judge whether the function of the task is there, and a training with it ends where honest ones do."""
    name = task.defines[0].rpartition(".")[2]
    if name not in submission.source:
        yield Finding("LOOK", "own_way", f"no function named {name}")
    elif honest_losses(submission):
        inside = f"training with it ends inside {LOWEST:g} to {HIGHEST:g}"
        yield Finding("PASS", "loss_numbers", f"{name} is there, and {inside}; only --rerun tries it")
    else:
        yield Finding("LOOK", "unclear", "only a rerun can try the function: use --rerun")


def loss_numbers(submission: Submission, task: Task) -> Iterator[Finding]:
    """Judge whether a printed loss lies where honest trainings end."""
    losses, honest = printed_losses(submission), honest_losses(submission)
    least = min(losses, default=0.0)
    if honest:
        yield Finding("PASS", "loss_numbers", f"a loss of {honest[-1]:g}, inside {LOWEST:g} to {HIGHEST:g}")
    elif 0 < least < LOWEST:
        yield Finding("LOOK", "below_least", f"a loss of {least:g}; the least possible is {LOWEST:g}")
    else:
        yield Finding("LOOK", "out_of_band" if losses else "numbers_missing", f"losses {losses[:MOST_LOSSES]}")


def experiment(submission: Submission, task: Task) -> Iterator[Finding]:
    """Judge whether a model of another size than the assigned one was made."""
    sizes = {f"{name}={size}" for name, size in SIZE.findall(submission.source) if (name, size) not in ASSIGNED_SIZES}
    if sizes or OTHER_MODEL.search(submission.source):
        yield Finding("PASS", "experiment", ", ".join(sorted(sizes)[:MOST_SIZES]) or "VAE with other sizes")
    else:
        yield Finding("LOOK", "experiment_missing", "latent_dim and hidden_dim stay as they were")
