"""Checks of the tasks in ``helpers/mnist_conv_vae.py``."""

from typing import Any
from unittest.mock import patch

import torch
from torch import nn
from torch.distributions import Bernoulli, Normal, kl_divergence

from helpers import mnist_conv_vae
from helpers.checks.oracles import expect_moments, train_plainly


class Known(nn.Module):
    """Known posterior; all pixels have the logit that is the code's first number."""

    latent_dim = 2
    mu, std = torch.tensor([1.0, -1.0]), torch.tensor([0.5, 2.0])

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.codes = []

    def encode(self, x):
        return self.mu.expand(len(x), 2), 2 * self.std.log().expand(len(x), 2)

    def decode(self, z):
        self.codes.append(z)
        return z[:, :1, None, None].expand(-1, 1, 28, 28)


def calc_elbo() -> None:
    model: Any = Known()
    x = (torch.rand(4000, 1, 28, 28) < 0.5).float()
    terms = mnist_conv_vae.calc_elbo(model, x)
    (z,) = model.codes
    expect_moments(z, Known.mu, Known.std)
    expected = Bernoulli(logits=z[:, :1]).log_prob(x.flatten(1)).sum(1)
    assert torch.allclose(terms.log_likelihood, expected, rtol=1e-4)
    kl = kl_divergence(Normal(Known.mu, Known.std), Normal(torch.zeros(2), torch.ones(2))).sum()
    assert torch.allclose(terms.kl, kl.expand(4000), atol=1e-4)


def sample() -> None:
    model: Any = Known()
    images = mnist_conv_vae.sample(model, 4000)
    (z,) = model.codes
    expect_moments(z, torch.zeros(2), torch.ones(2))
    assert images.shape == (4000, 28, 28)
    assert torch.allclose(torch.logit(images[:, 0, 0]), z[:, 0], atol=1e-4), "probabilities of white pixels"
    assert set(mnist_conv_vae.sample(model, 3, binary=True).unique().tolist()) <= {0.0, 1.0}


def train() -> None:
    def calc_elbo(model, x, generator=None):
        assert set(x.unique().tolist()) <= {0.0, 1.0}, "draw binary pixels before scoring them"
        each = -(model.weight - 3).square().expand(len(x))
        return mnist_conv_vae.ElboTerms(each - 1, each, torch.ones(len(x)))

    model: Any = Known()
    batches = [(torch.rand(8, 1, 28, 28),)] * 20
    optimizer = torch.optim.Adam(model.parameters(), 0.1)
    with patch.multiple(mnist_conv_vae, calc_elbo=calc_elbo, fit=train_plainly):
        history = mnist_conv_vae.train(model, optimizer, batches, batches[:1], num_epochs=3)
    assert abs(float(model.weight.detach()) - 3) < 0.5, "the ELBO is to be maximised"
    for part in (history.train, history.val):
        assert set(part) == {"elbo", "log_likelihood", "kl"}
    assert history.train["elbo"][-1] > history.train["elbo"][0]
