"""Checks of the tasks in ``helpers/swiss_roll.py``."""

import math
from typing import Any

import torch
from torch import nn
from torch.distributions import Normal, kl_divergence

from helpers import swiss_roll
from helpers.checks.oracles import expect_moments

BETAS = (0.0, 0.01, 2.0)


class Known(nn.Module):
    """Every point has the posterior N((1, -1), diag(0.25, 4)) and is reconstructed half a unit off."""

    mu, std = torch.tensor([1.0, -1.0]), torch.tensor([0.5, 2.0])

    def encode(self, x):
        return self.mu.expand(len(x), 2), 2 * self.std.log().expand(len(x), 2)

    def reparameterize(self, mu, logvar):
        return mu

    def decode(self, z):
        return torch.full((len(z), 2), 0.5)

    def forward(self, x):
        return self.decode(x), *self.encode(x)


def _loss(beta: float) -> float:
    each = kl_divergence(Normal(Known.mu, Known.std), Normal(torch.zeros(2), torch.ones(2)))
    return 0.25 + beta * float(each.sum()) / 2


def VAE_reparameterize() -> None:
    mean = torch.tensor([1.0, -1.0]).expand(5000, 2).clone().requires_grad_()
    logvar = torch.tensor([0.0, 2.0]).expand(5000, 2).clone().requires_grad_()
    z = swiss_roll.VAE(2, 4).reparameterize(mean, logvar)
    expect_moments(z.detach(), torch.tensor([1.0, -1.0]), torch.tensor([0.0, 1.0]).exp())
    to_mean, to_logvar = torch.autograd.grad(z.sum(), (mean, logvar))
    assert torch.allclose(to_mean, torch.ones_like(mean)) and to_logvar.std() > 0.3, "gradients reach both"


def compute_vae_loss() -> None:
    model: Any = Known()
    for beta in BETAS:
        loss = float(swiss_roll.compute_vae_loss(model, torch.zeros(8, 2), beta))
        assert math.isclose(loss, _loss(beta), rel_tol=1e-5), f"beta {beta}: expected {_loss(beta)}, got {loss}"


def score_function_loss() -> None:
    model: Any = Known()
    for beta in BETAS:
        loss = float(swiss_roll.score_function_loss(model, torch.zeros(8, 2), beta))
        assert math.isclose(loss, _loss(beta), rel_tol=1e-5), f"beta {beta}: expected {_loss(beta)}, got {loss}"
