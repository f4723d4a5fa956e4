"""The checks by outputs of assignment 2: exactly known values, and what known mistakes make of them."""

import contextlib
import io

import numpy as np
import pytest

from course.assignments import ASSIGNMENTS
from course.assignments.a2 import NUMPY_MISTAKES, NUMPY_VALUES
from course.grading.a2 import outputs
from course.grading.corpus import variants
from course.grading.verdicts import Finding
from course.notebooks.reading import Cell, Output, Submission


def printed_only(text: str) -> Submission:
    """Return a submission that holds nothing but what a run printed."""
    return Submission("", (Cell(1, "", 1, (Output("stream", text, {}),), text, None, ""),))


def printed_by(swaps) -> list[Finding]:
    """Return findings about what the reference prints with these swaps: our own program, so it may run here."""
    text, findings = io.StringIO(), []
    with contextlib.redirect_stdout(text):
        exec(variants.apply(swaps, variants.REFERENCES["a2"]), {})
    for task in ASSIGNMENTS["a2"].tasks:
        if "numbers" in task.from_outputs:
            findings += outputs.numbers(printed_only(text.getvalue()), task)
    return findings


@pytest.mark.parametrize("mistake", [m for m in variants.MISTAKES if m.assignment == "a2"], ids=lambda m: m.name)
def test_mistakes_by_hand_are_named_by_their_numbers(mistake):
    if mistake.task != "1":  # whose points only a rerun can count
        assert mistake.codes[0] in {f.code for f in printed_by(mistake.swaps) if f.level == "FAIL"}


@pytest.mark.parametrize("name", variants.HONEST["a2"])
def test_honest_computations_by_hand_pass_by_their_numbers(name):
    assert {f.level for f in printed_by(variants.HONEST["a2"][name])} == {"PASS"}


def test_what_mistakes_make_of_the_numbers_is_right():
    """The closed forms against a million points."""
    rand, n = np.random.default_rng(0), 1_000_000
    x = rand.standard_normal((n, 2)) + np.array([3, 2])

    def terms(spread, matrix_side=False):
        values = {}
        collapsing = np.array([[0.01, 0.01], [-0.01, -0.01]])
        encoders = (("3", 0.5 * np.eye(2), [-0.5, -0.25], 0.1, -1.0), ("4", collapsing, [0.05, -0.05], 0.0, -0.1))
        for task, W, b, a, c in encoders:
            mu, logvar = x @ (W if matrix_side else W.T) + b, a * x + c
            x_prime = 1.4 * (mu + spread(logvar) * rand.standard_normal((n, 2))) + [1.5, 1.0]
            kl = 0.5 * (np.exp(logvar) + mu**2 - logvar - 1)
            values[task] = {"L_recon": ((x - x_prime) ** 2).sum(1).mean(), "L_KL": kl.sum(1).mean()}
            values[task]["Loss"] = values[task]["L_recon"] + values[task]["L_KL"]
        return values

    right = terms(lambda v: np.exp(v / 2))
    for task, values in right.items():
        for name, value in values.items():
            mean, error = NUMPY_VALUES[task][name]
            assert value == pytest.approx(mean, abs=5 * error / np.sqrt(n / 1000))
    wrong = {
        "no_noise": terms(lambda v: 0 * v), "logvar_as_std": terms(lambda v: v), "std_no_half": terms(np.exp),
        "matrix_side": terms(lambda v: np.exp(v / 2), matrix_side=True),
    }  # fmt: skip
    for code, expected in wrong.items():
        for task, values in NUMPY_MISTAKES[code].items():
            for name, value in values.items():
                assert value == pytest.approx(expected[task][name], rel=0.01), (code, task, name)
    for code, factor, name in (("kl_no_half", 2, "L_KL"), ("kl_halved", 0.5, "L_KL"), ("kl_sign", -1, "L_KL"),
                               ("recon_mean", 0.5, "L_recon"), ("nll_sum_batch", 1000, "L_recon")):  # fmt: skip
        for task, values in NUMPY_MISTAKES[code].items():
            assert values[name] == pytest.approx(factor * NUMPY_VALUES[task][name][0], rel=1e-4)
    (recon, kl), (recon_c, kl_c) = ((NUMPY_VALUES[t]["L_recon"][0], NUMPY_VALUES[t]["L_KL"][0]) for t in "34")
    assert NUMPY_MISTAKES["loss_kl_sign"]["3"]["Loss"] == pytest.approx(recon - kl, abs=1e-5)
    beta = NUMPY_MISTAKES["beta_on_nll"]["5"].values()
    assert list(beta) == pytest.approx([0.2 * recon + kl, 0.2 * recon_c + kl_c], abs=1e-5)
