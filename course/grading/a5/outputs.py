"""The checks by outputs of assignment 5: printed losses."""

from collections.abc import Iterator

from course.assignments import Task
from course.assignments.a5 import FASHION_LOSS
from course.grading.evidence import printed_losses
from course.grading.verdicts import Finding
from course.notebooks.reading import Submission

LOWEST, HIGHEST = FASHION_LOSS
MOST_LOSSES = 6  # in a finding


def loss_numbers(submission: Submission, task: Task) -> Iterator[Finding]:
    """Judge whether the printed losses are an honest training's, and do not rise."""
    losses = printed_losses(submission)
    honest = [loss for loss in losses if LOWEST <= loss <= HIGHEST]
    if honest:
        evidence = f"losses {honest[0]:g} to {honest[-1]:g} per image"
        falls = honest[0] >= honest[-1]
        yield Finding("PASS", "loss_numbers", evidence) if falls else Finding("LOOK", "not_decreasing", evidence)
    else:
        evidence = f"losses {losses[:MOST_LOSSES]}, expected {LOWEST:g} to {HIGHEST:g} per image"
        yield Finding("LOOK", "out_of_band" if losses else "numbers_missing", evidence)
