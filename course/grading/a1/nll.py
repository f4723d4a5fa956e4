"""What a Gaussian NLL can be for one example: under an honest convention, or under a known mistake."""

import math
from typing import Any, NamedTuple

import numpy as np

from course.grading.answers import close, numbers
from course.grading.mathematics import LOG_2PI, gaussian_nll
from course.grading.verdicts import Finding

LEAST_SPREAD = 1e-9
MOST_LOGVAR = 50  # beyond it, its exponential is infinite to every purpose
GAUSSIAN = ("Gaussian log-likelihood", "Gaussian log-likelihood without log(2 pi)")

Fits = list[tuple[str, float]]
Tolerance = tuple[float, float]  # relative, absolute


class Decoded(NamedTuple):
    """A point, and the mean and log-variance that a decoder gives for it."""

    x: np.ndarray
    mean: np.ndarray
    logvar: np.ndarray

    @property
    def variance(self) -> np.ndarray:
        return np.exp(np.clip(self.logvar, -MOST_LOGVAR, MOST_LOGVAR))

    @property
    def std(self) -> np.ndarray:
        return np.sqrt(self.variance)


def decoded_by(case: dict[str, Any]) -> Decoded:
    """Return the decoder's distribution: from its own output, else as it samples, else of unit variance."""
    x = numbers(case["x"])
    if "decoder_out" in case and len(numbers(case["decoder_out"])) == 2 * len(x):
        return Decoded(x, *np.split(numbers(case["decoder_out"]), 2))
    if "d_mean" in case:
        return Decoded(x, numbers(case["d_clean"]), 2 * np.log(np.maximum(numbers(case["d_std"]), LEAST_SPREAD)))
    return Decoded(x, numbers(case["x_pred"]), np.zeros_like(x))


def honest_values(decoded: Decoded) -> Fits:
    """Return the NLL under each convention that is honest."""
    d2, n = (decoded.x - decoded.mean) ** 2, len(decoded.x)
    full = gaussian_nll(decoded.x, decoded.mean, decoded.std)
    return [
        ("Gaussian log-likelihood", full),
        ("Gaussian log-likelihood without log(2 pi)", full - 0.5 * n * LOG_2PI),
        ("Gaussian log-likelihood with half of log(2 pi) once", full - 0.5 * n * LOG_2PI + 0.5 * LOG_2PI),
        ("squared error", d2.sum()),
        ("half the squared error", 0.5 * d2.sum()),
        ("mean squared error", d2.mean()),
        ("half the mean squared error", 0.5 * d2.mean()),
        ("Gaussian log-likelihood of unit variance", gaussian_nll(decoded.x, decoded.mean, np.ones(n))),
    ]


def mistaken_values(decoded: Decoded) -> Fits:
    """Return the NLL under each known mistake, with and without the constant, by the code of its hint."""
    d2, v, s, logvar = (decoded.x - decoded.mean) ** 2, decoded.variance, decoded.std, decoded.logvar
    n, full = len(decoded.x), gaussian_nll(decoded.x, decoded.mean, decoded.std)
    constant = 0.5 * n * LOG_2PI
    scaled, half_logvar = 0.5 * (d2 / v).sum(), 0.5 * logvar.sum()
    return [
        ("nll_no_logvar", scaled), ("nll_no_logvar", 2 * scaled), ("nll_no_logvar", scaled + constant),
        ("nll_no_logvar", scaled / n),
        ("nll_mean_features", full / n), ("nll_mean_features", (full - constant) / n),
        ("nll_sign", -full), ("nll_sign", -(full - constant)), ("nll_sign", -d2.sum()), ("nll_sign", -d2.mean()),
        ("nll_sign", scaled - half_logvar), ("nll_sign", scaled - half_logvar + constant),
        ("nll_std_for_variance", (0.5 * d2 / s).sum() + half_logvar),
        ("nll_std_for_variance", (0.5 * d2 / s).sum() + half_logvar + constant),
        ("nll_std_for_variance", (0.5 * d2 / v**2).sum() + 2 * half_logvar + constant),
        ("nll_std_for_variance", (0.5 * d2 / logvar**2).sum() if np.all(logvar) else math.inf),
        ("nll_no_half", scaled + 2 * half_logvar), ("nll_no_half", 2 * scaled + half_logvar),
        ("nll_no_half", scaled + 2 * half_logvar + constant), ("nll_no_half", 2 * (scaled + half_logvar)),
        ("nll_no_half", 2 * (scaled + half_logvar + constant)), ("nll_no_half", 2 * full),
    ]  # fmt: skip


def first_fit(values: np.ndarray, tables: list[Fits], tolerance: Tolerance) -> str | None:
    """Return the name of the first row that agrees with the value of every example."""
    for rows in zip(*tables, strict=True):
        if close(values, [value for _, value in rows], *tolerance):
            return rows[0][0]
    return None


def named_fit(values: np.ndarray, outputs: list[Decoded], names: tuple[str, ...], tolerance: Tolerance) -> str | None:
    """Return which of these conventions the values follow."""
    tables = [[row for row in honest_values(decoded) if row[0] in names] for decoded in outputs]
    return first_fit(values, tables, tolerance)


def judge_fit(values: np.ndarray, outputs: list[Decoded], honest: Tolerance, mistaken: Tolerance) -> Finding | None:
    """Return what the NLLs are under the first convention or mistake that fits all of them."""
    convention = first_fit(values, [honest_values(decoded) for decoded in outputs], honest)
    if convention:
        return Finding("PASS", "nll", f"nll is the {convention}")
    mistake = first_fit(values, [mistaken_values(decoded) for decoded in outputs], mistaken)
    if mistake:
        return Finding("FAIL", mistake, f"nll {values[0]:.3f}, {values[-1]:.3f} fits this mistake")
    return None
