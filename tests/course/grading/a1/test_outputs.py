"""The checks by outputs of assignment 1: printed results, and the bands that they are held against."""

import numpy as np
import pytest

from course.assignments.a1 import TOY_BANDS
from course.grading.corpus.notebooks import NAME, RESULTS, class_cells, notebook
from course.grading.judging import Options, grade_content
from course.grading.verdicts import Verdict


def graded(cells: list[dict], name: str = NAME) -> Verdict:
    return grade_content(name, notebook(cells), Options()).verdict


def codes(verdict: Verdict, task: str, level: str | None = None) -> set[str]:
    return {finding.code for finding in verdict.tasks[task].findings if level in (None, finding.level)}


@pytest.mark.parametrize(
    ("line", "task", "code", "level"),
    [
        ("ELBO = 4.45188, KL = 0.17864, NLL = 4.27325", "A1", "elbo_sign", "FAIL"),
        ("ELBO = -4.09461, KL = 0.17864, NLL = 4.27325", "A1", "elbo_kl_sign", "FAIL"),
        ("ELBO = -4.27325, KL = -0.17864, NLL = 4.45188", "A1", "kl_sign", "FAIL"),
        ("ELBO = -3.10000, KL = 0.50000, NLL = 2.60000", "A2", "below_entropy", "LOOK"),
        ("ELBO = -9.10000, KL = 0.50000, NLL = 8.60000", "A2", "out_of_band", "LOOK"),
    ],
)
def test_a_wrong_line_is_told_apart(line, task, code, level):
    verdict = graded(class_cells((line, *RESULTS[1:])))
    assert code in codes(verdict, task, level), verdict.tasks[task]


def test_collapse_on_the_second_set_is_recognised():
    line = "ELBO = -5.40281, KL = 0.00012, NLL = 5.40269"
    assert "collapsed" in codes(graded(class_cells((RESULTS[0], line, RESULTS[2]))), "A1", "FAIL")


def test_a_squared_error_and_a_dropped_constant_are_honest():
    for lines in (
        (
            "ELBO = -3.35, KL = 2.30, NLL = 1.05",
            "ELBO = -3.40, KL = 2.30, NLL = 1.10",
            "ELBO = -1.9, KL = 1.0, NLL = 0.9",
        ),
        (
            "ELBO = -2.62, KL = 0.20, NLL = 2.42",
            "ELBO = -2.64, KL = 1.62, NLL = 1.02",
            "ELBO = -0.92, KL = 0.92, NLL = 0",
        ),
        (
            "ELBO = -2.63, KL = 1.59, NLL = 1.04",
            "ELBO = -2.62, KL = 1.63, NLL = 0.99",
            "ELBO = -1.61, KL = 1.05, NLL = 0.56",
        ),
    ):
        verdict = graded(class_cells(lines))
        assert verdict.verdict == "PASS", verdict.tasks["A2"]


def test_bands_hold_what_is_exactly_known():
    """The least -ELBO under each convention lies just inside its band: theory and band are two sources."""
    least_squared = 1.0 + 0.5 * np.log(25 / 0.5) + 0.5 * np.log(1 / 0.5)
    least_halved = 0.5 + 0.5 * np.log(25) + 0.5  # the narrow direction is left to the decoder's unit variance
    for number in (1, 2):
        full, dropped, halved, squared = TOY_BANDS[number]
        entropy = np.log(2 * np.pi * np.e) + np.log(5)
        assert full.low < entropy < full.high and entropy - full.low < 5 / np.sqrt(5000)
        assert dropped.low < entropy - np.log(2 * np.pi) < dropped.high
        assert squared.low < least_squared < squared.high
        assert halved.low < least_halved < halved.high
    assert TOY_BANDS[3][0].low < 1.333929


def test_on_data_set_3_no_model_is_below_the_bands_of_squared_errors():
    """With a decoder of fixed variance the ELBO is at most the best mixture's likelihood: EM over weights on a grid."""
    rand, third = np.random.RandomState(1), 500
    angle = np.linspace(0, np.pi, third)
    centres = [np.tile([side, 2.5], (third, 1)) for side in (-1.5, 1.5)]
    centres.append(np.stack([2 * np.cos(angle), -np.sin(angle)], axis=1))
    points = np.concatenate(centres) + 0.2 * rand.standard_normal((3 * third, 2))
    grid = np.stack(np.meshgrid(np.linspace(-2.6, 2.6, 30), np.linspace(-1.8, 3.2, 30)), -1).reshape(-1, 2)
    squared = ((points[:, None] - grid[None]) ** 2).sum(2)
    _, _, halved, whole = TOY_BANDS[3]
    for factor, band in ((0.5, halved), (1.0, whole)):
        kernel, weights = np.exp(-factor * squared), np.full(len(grid), 1 / len(grid))
        for _ in range(150):
            joint = kernel * weights
            weights = (joint / joint.sum(axis=1, keepdims=True)).mean(axis=0)
        least = -np.log(kernel @ weights).mean()
        without_latents = factor * points.var(axis=0).sum()
        assert band.low < least < band.high < without_latents, (factor, least, without_latents)


def test_losses_of_a_loop_that_rise_are_looked_at_in_the_task_of_their_loop():
    rising = "".join(f"epoch {n} loss {n}.0\n" for n in range(1, 9))
    cells = class_cells()
    cells[0]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": rising}]
    assert "not_decreasing" in codes(graded(cells), "A2", "LOOK")
    cells[0]["source"] = "train_ae(model)"
    verdict = graded(cells)
    assert "not_decreasing" in codes(verdict, "B1", "LOOK") and "not_decreasing" not in codes(verdict, "A2")
