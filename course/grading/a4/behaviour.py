"""The checks by behaviour of assignment 4: calc_elbo, whatever it returns and in whichever order, and sample."""

import itertools
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from course.assignments.task import Task
from course.grading.answers import Answers, close, number, numbers
from course.grading.mathematics import bernoulli_log_likelihood, gaussian_kl
from course.grading.verdicts import Finding

PIXELS = 784
DRAW_SHARE = 0.02  # of the likelihood, added to its spread over draws
CONSTANT = 1e-4  # relative: a value that varies less over draws can be the KL
KL_FIT = 2e-3, 1e-3
SPREADS_OFF = 4
IDENTITY = 2e-3
PER_PIXEL_OFF = 0.1
MOST_RETURNED = 8  # numbers of calc_elbo: each two of them are tried as the bound and the other term


class Bound(NamedTuple):
    """What calc_elbo returned for a batch, draw by draw, and what the model's own parts give."""

    values: np.ndarray  # (draws, returned numbers)
    kl: float  # of an example, in the mean
    log_p: float  # likelihood of an example, in the mean
    spread: float  # of log_p over draws
    batch: int
    latents: int

    @property
    def mean(self) -> np.ndarray:
        return self.values.mean(axis=0)

    @property
    def evidence(self) -> str:
        return f"returned {self.mean.round(3).tolist()}; log p(x|z) {self.log_p:.2f}, KL {self.kl:.3f}"

    def summed(self) -> "Bound":
        """Return the same for a function that sums over the batch."""
        n = self.batch
        return self._replace(kl=self.kl * n, log_p=self.log_p * n, spread=self.spread * n)


def bound_of(probe: dict[str, Any]) -> Bound:
    values, x, decoded = (numbers(probe[name]) for name in ("values", "x", "decoded"))
    mu, logvar = numbers(probe["mu"]), numbers(probe["logvar"])
    kl = np.array([gaussian_kl(m, np.exp(half / 2)) for m, half in zip(mu, logvar, strict=True)])
    likelihood = np.array([likelihoods(draw, x) for draw in decoded])
    spread = float(likelihood.mean(axis=1).std()) + DRAW_SHARE * abs(likelihood.mean())
    return Bound(values, float(kl.mean()), float(likelihood.mean()), float(spread), len(x), mu.shape[1])


def likelihoods(decoded: np.ndarray, x: np.ndarray) -> list[float]:
    return [bernoulli_log_likelihood(image, pixels) for image, pixels in zip(decoded, x, strict=True)]


def elbo(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge calc_elbo: the KL is known by its digits, the likelihood by its mean over draws, the bound by their sum."""
    bound = bound_of(answers.probe("elbo"))
    if bound.values.ndim != 2 or not np.isfinite(bound.values).all() or not len(bound.mean):
        yield Finding("LOOK", "unclear", "calc_elbo returned no numbers")
        return
    if len(bound.mean) > MOST_RETURNED:
        yield Finding("LOOK", "own_way", f"calc_elbo returned {len(bound.mean)} numbers, expected three")
        return
    code, place = kl_place(bound)
    if place is None and len(bound.mean) > 1:
        yield Finding("LOOK", "own_way", f"{bound.evidence}: which is the KL could not be told")
    elif place is not None and code not in ("kl", "kl_sum_batch"):
        yield Finding("FAIL", code, bound.evidence)
    else:
        # sums over the batch are as good, where all are
        yield judge_terms(bound, bound.summed() if code == "kl_sum_batch" else bound, place)


def kl_place(bound: Bound) -> tuple[str, int | None]:
    """Return where the KL is among the returned numbers, and the hint where it is a known multiple."""
    factors = (
        ("kl", 1.0), ("kl_no_half", 2.0), ("kl_halved", 0.5), ("kl_sign", -1.0), ("kl_sign", -2.0),
        ("kl_mean_latents", 1 / bound.latents), ("kl_sum_batch", float(bound.batch)),
    )  # fmt: skip
    for place, value in enumerate(bound.mean):
        if np.ptp(bound.values[:, place]) >= CONSTANT * (1 + abs(value)):
            continue
        code = next((name for name, factor in factors if close(value, factor * bound.kl, *KL_FIT)), None)
        if code:
            return code, place
    return "", None


def judge_terms(bound: Bound, scaled: Bound, place: int | None) -> Finding:
    """Judge what was returned besides the KL: the bound alone, or the bound and the other term."""
    others = [i for i in range(len(bound.mean)) if i != place]
    if len(others) <= 1:
        value = float(bound.mean[others[0]]) if others else math.nan
        return judge_alone(value, scaled, bound.evidence)
    assert place is not None
    for i, j in itertools.permutations(others, 2):
        form = form_of(bound.values[:, i], bound.values[:, j], float(bound.mean[place]))
        if form is not None:
            return judge_likelihood(form, float(bound.mean[j]), scaled, bound.evidence)
    return Finding("FAIL", "elbo_wrong", bound.evidence)


def judge_alone(value: float, bound: Bound, evidence: str) -> Finding:
    """Judge a bound that was returned without its likelihood."""
    right, added = bound.log_p - bound.kl, bound.log_p + bound.kl
    forms = (
        ("elbo", right), ("elbo_kl_sign", added), ("elbo_sign", -right), ("elbo_sign", -added),
        ("nll_mean_features", bound.log_p / PIXELS - bound.kl),
        ("nll_mean_features", -bound.log_p / PIXELS + bound.kl), ("elbo", right * bound.batch),
    )  # fmt: skip
    code, expected = min(forms, key=lambda form: abs(value - form[1]))
    if not abs(value - expected) < SPREADS_OFF * bound.spread:
        return Finding("LOOK", "unclear", evidence)
    if code == "elbo":
        return Finding("PASS", code, evidence)
    # a function that returns the loss, not the bound, is an own way
    return Finding("LOOK" if code == "elbo_sign" else "FAIL", code, evidence)


def form_of(bound: np.ndarray, term: np.ndarray, kl: float) -> str | None:
    """Name the form of the identity that holds between bound, term and KL in every draw."""
    forms = {"elbo": term - kl, "added": term + kl, "of the nll": -term - kl}
    for name, value in forms.items():
        if np.abs(bound - value).max() < IDENTITY * (1 + np.abs(value).max()):
            return name
    return None


def judge_likelihood(form: str, term: float, bound: Bound, evidence: str) -> Finding:
    """Judge the other term, where the identity holds in one of its forms: a log-likelihood, or its negative?"""
    near = abs(abs(term) - abs(bound.log_p)) < SPREADS_OFF * bound.spread
    if abs(abs(term * PIXELS / bound.log_p) - 1) < PER_PIXEL_OFF:
        return Finding("FAIL", "nll_mean_features", evidence)
    if near and form == "elbo" and term > 0:
        return Finding("FAIL", "nll_sign", evidence)
    if form == "added" and term < 0:
        return Finding("FAIL", "elbo_kl_sign", evidence)
    if form == "added":
        return Finding("LOOK", "elbo_sign", f"{evidence}: the negative of the bound")
    if near:
        return Finding("PASS", "elbo", evidence)
    return Finding("LOOK", "recon_reduction", f"{evidence}: no Bernoulli log-likelihood")


# ---------------------------------------------------------------- samples

SAMPLES = 400
BEYOND = 1e-6
MEAN_OFF, SPREAD_OFF = 0.05, 0.15  # absolute; logarithm
LEAST_SPREAD = 1e-9


def sample(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge samples against decoded draws of the prior, by mean and spread of their pixels."""
    probe = answers.probe("sample")
    mean, spread, low, high, pixels = numbers(probe["samples"])
    right_mean, right_spread = numbers(probe["direct"])[:2]
    evidence = f"samples: mean {mean:.3f}, spread {spread:.3f}; decoded N(0, I): {right_mean:.3f}, {right_spread:.3f}"
    if int(number(probe["count"])) != SAMPLES or pixels != PIXELS:
        evidence = f"{probe['count']} samples of {pixels:g} pixels, expected {SAMPLES} of {PIXELS}"
        yield Finding("LOOK", "shape", evidence)
    elif low < -BEYOND or high > 1 + BEYOND:
        yield Finding("LOOK", "sigmoid_missing", f"samples from {low:.2f} to {high:.2f}: logits?")
    elif abs(mean - right_mean) > MEAN_OFF or (not probe["binary"] and spreads_differ(spread, right_spread)):
        yield Finding("FAIL", "not_prior", evidence)
    else:
        yield Finding("PASS", "sample", evidence)


def spreads_differ(spread: float, right: float) -> bool:
    return abs(math.log(max(spread, LEAST_SPREAD) / right)) > SPREAD_OFF
