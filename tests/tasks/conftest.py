"""Checks of single tasks: what a task builds on is replaced by an oracle, so that it fails alone."""

import math

import pytest
import torch
from torch.distributions import Bernoulli, Normal, kl_divergence

from helpers.core import gaussian, latent, objective


def normal(mu, logvar):
    return Normal(mu, torch.as_tensor(logvar).exp().sqrt())


def kl_of_each(mu, logvar):
    return kl_divergence(normal(mu, logvar), Normal(torch.zeros_like(mu), torch.ones_like(mu)))


def corner_grid(r0, r1, n):
    points = [
        (r0[0] + (r0[1] - r0[0]) * j / (n - 1), r1[1] - (r1[1] - r1[0]) * i / (n - 1))
        for i in range(n)
        for j in range(n)
    ]
    return torch.tensor(points)


ORACLES = {
    gaussian: {
        "rsample": lambda mu, std, generator=None, eps=None: Normal(mu, std).rsample(),
        "reparameterize": lambda mu, logvar, generator=None, eps=None: normal(
            *torch.broadcast_tensors(mu, logvar)
        ).rsample(),
        "kl_per_latent": kl_of_each,
        "kl_standard_normal": lambda mu, logvar: kl_of_each(mu, logvar).sum(-1),
        "log_prob": lambda x, mu, logvar: normal(*torch.broadcast_tensors(mu, logvar)).log_prob(x).sum(-1),
    },
    objective: {
        "beta_objective": lambda nll, kl, beta: torch.as_tensor(nll).mean() + beta * torch.as_tensor(kl).mean(),
        "bernoulli_nll": lambda logits, x: -Bernoulli(logits=logits, validate_args=False).log_prob(x).flatten(1).sum(1),
    },
    latent: {
        "interpolate": lambda z_1, z_2, n: torch.stack(
            [z_1.flatten() * (1 - k / (n - 1)) + z_2.flatten() * k / (n - 1) for k in range(n)]
        ),
        "grid": corner_grid,
    },
}


@pytest.fixture
def given(monkeypatch):
    """Replace, in core and in the named modules, what other tasks ask for."""

    def replace(*modules):
        for core, functions in ORACLES.items():
            for name, oracle in functions.items():
                original = getattr(core, name)
                for module in (core, *modules):
                    if getattr(module, name, None) is original:
                        monkeypatch.setattr(module, name, oracle)

    return replace


@pytest.fixture
def moments():
    """Mean and standard deviation of draws, checked to four standard errors of N draws along the first axis."""

    def check(draws, mean, std):
        n = math.sqrt(len(draws))
        assert ((draws.mean(0) - mean).abs() < 4.5 * torch.as_tensor(std) / n).all(), (
            f"mean {draws.mean(0)}, expected {mean}"
        )
        assert ((draws.std(0) / torch.as_tensor(std) - 1).abs() < 4.5 / n).all(), (
            f"spread {draws.std(0)}, expected {std}"
        )

    return check
