"""A loss taken apart by its beta: its slope in beta is the KL term, its value at beta = 0 the reconstruction."""

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from helpers.checks.base import Mistake, Unclear
from helpers.checks.oracles import (
    Array,
    as_array,
    as_number,
    close,
    compared,
    in_shape,
    judge_draws,
    judge_kl,
    kl_from_standard,
)

CASES, COPIES = 15, 4
Reduction = Literal["mean", "sum"]  # over the batch, the dimensions of the data, and the latents


class Case(NamedTuple):
    """What a loss is computed from: images or points, their reconstructions, and the posterior."""

    x: Tensor
    recon: Tensor
    mu: Tensor
    logvar: Tensor

    def copies(self, count: int) -> "Case":
        return Case(*(t.repeat(count, *[1] * (t.ndim - 1)) for t in self))


Loss = Callable[[Case, float], Any]


def cases_of(*shape: int) -> list[Case]:
    """Make cases of one example each, with one to five latents and values between 0 and 1."""
    made = []
    for i in range(CASES):
        x, recon = torch.rand(1, *shape), 0.05 + 0.9 * torch.rand(1, *shape)
        mu, logvar = torch.randn(2, 1, 1 + i % 5)
        made.append(Case(x, recon, mu, logvar))
    return made


def at(loss: Loss, case: Case, beta: float) -> float:
    return as_number(loss(case, beta), "the loss")


def judge_beta_loss(loss: Loss, cases: list[Case], reduction: Reduction, reconstructions: dict[str, Loss]) -> str:
    """Say whether a loss is a reconstruction plus beta times the KL.

    Args:
        reduction: of the assignment's KL; a sum over the latents and a mean over the batch is honest, too.
        reconstructions: names of the forms that the reconstruction may have, the assignment's first.
    """
    base = np.array([at(loss, case, 0.0) for case in cases])
    slope = np.array([at(loss, case, 1.0) for case in cases]) - base
    third = np.array([at(loss, case, 3.0) for case in cases]) - base
    forms = {name: np.array([at(form, c, 0.0) for c in cases]) for name, form in reconstructions.items()}
    latents = np.array([case.mu.shape[1] for case in cases])
    mu, logvar = ([as_array(t[0], "") for t in column] for column in zip(*(c[2:] for c in cases), strict=True))
    right = np.array([kl_from_standard(m, np.exp(v / 2)) for m, v in zip(mu, logvar, strict=True)])
    if any(close(slope, form) for form in forms.values()):
        raise Mistake("from beta = 0 to beta = 1 the loss grows by the reconstruction, not by the KL", "beta_on_nll")
    if close(slope, 0) or not close(third, 3 * slope):
        text = f"from beta = 0 to 1 the loss grows by {slope[0]:.4g}, from 0 to 3 by {third[0]:.4g}, right are "
        raise Mistake(f"{text}{right[0]:.4g} and {3 * right[0]:.4g} times what you divide the KL by", "beta_ignored")
    remark = ""
    if reduction == "mean" and not close(slope, right):
        judge_kl(slope * latents, mu, logvar)
    else:
        judge_kl(slope, mu, logvar)
        remark = ", the KL summed over the latents" if reduction == "mean" else ""
    judge_batch(loss, cases[0])
    kind = next((name for name, form in forms.items() if close(base, form)), "")
    first = next(iter(forms))
    if base.min() < 0 or any(close(base, -form) for form in forms.values()):
        raise Mistake(compared(base, forms[first]), "nll_sign")
    if kind != first:
        raise Unclear(f"the KL is right; the reconstruction is {kind or 'none that this check knows'}, not {first}")
    return f"is {first} plus beta * KL on {len(cases)} cases{remark}"


def judge_batch(loss: Loss, case: Case) -> None:
    """Compare the loss of copies of an example with that of one: both terms are averaged, or both are summed."""
    many = case.copies(COPIES)
    base, alone = at(loss, many, 0.0), at(loss, case, 0.0)
    ratio_kl = (at(loss, many, 1.0) - base) / (at(loss, case, 1.0) - alone)
    ratio = base / alone if alone else math.nan
    if close(ratio_kl, ratio, 1e-2):
        return
    text = (
        f"for {COPIES} copies of an example the KL is {ratio_kl:.3g} times that of one, the reconstruction {ratio:.3g}"
    )
    raise Mistake(text, "kl_sum_batch" if ratio_kl > ratio else "nll_sum_batch")


def squared_mean(case: Case, _beta: float) -> Tensor:
    return (case.x - case.recon).square().mean()


def squared_sum(case: Case, _beta: float) -> Tensor:
    return (case.x - case.recon).square().flatten(1).sum(1).mean()


def entropy_sum(case: Case, _beta: float) -> Tensor:
    return -torch.distributions.Bernoulli(case.recon, validate_args=False).log_prob(case.x).sum()


def entropy_mean(case: Case, beta: float) -> Tensor:
    return entropy_sum(case, beta) / len(case.x)


def draws_and_slopes(function: Callable[[Tensor, Tensor], Any], count: int = 4000) -> tuple[Array, Array]:
    """Call ``reparameterize(mu, logvar)`` twice for equal rows, and compare the gradients with those of the draws.

    Raises:
        Mistake: a usual one.
    """
    mean, std = np.array([3.0, -1.0, 0.5]), np.array([1.0, 2.0, 0.5])
    rows = (torch.tensor(row, dtype=torch.float32).repeat(count, 1) for row in (mean, 2 * np.log(std)))
    mu, logvar = (row.requires_grad_() for row in rows)
    z, again = function(mu, logvar), function(mu, logvar)
    draws = in_shape(z, (count, 3), "z")
    judge_draws(draws, in_shape(again, (count, 3), "z"), mean, std)
    slopes: list[Any] = [None, None]
    if z.requires_grad:
        slopes = list(torch.autograd.grad(z.sum(), (mu, logvar), allow_unused=True))
    right = (np.ones_like(draws), (draws - mean) / 2)
    for name, slope, expected in zip(("mu", "logvar"), slopes, right, strict=True):
        if slope is None or not close(as_array(slope, "the gradient"), expected, 1e-2, 1e-2):
            raise Mistake(f"the gradient of z for {name} is not that of mu + sigma * eps", "gradient_cut")
    return draws, mean
