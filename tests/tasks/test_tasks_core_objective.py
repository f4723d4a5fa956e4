"""Tasks of ``helpers/core/objective.py``."""

import math

import torch

from helpers.core import objective


def test_core_objective_Terms_elbo():
    terms = objective.Terms(nll=torch.tensor([1.0, 2.0]), kl=torch.tensor([0.5, 4.0]))
    assert terms.elbo.tolist() == [-1.5, -6.0]


def test_core_objective_beta_objective():
    nll, kl = torch.tensor([1.0, 2.0]), torch.tensor([0.5, 4.0])
    for beta, expected in ((0.0, 1.5), (1.0, 3.75), (3.0, 8.25)):
        assert math.isclose(float(objective.beta_objective(nll, kl, beta)), expected, rel_tol=1e-6)


def test_core_objective_bernoulli_nll():
    logits, x = torch.randn(5, 1, 4, 4), (torch.rand(5, 1, 4, 4) < 0.5).float()
    p = 1 / (1 + (-logits).exp())
    expected = [-sum(math.log(q if b else 1 - q) for q, b in zip(r, s, strict=True)) for r, s in zip(
        p.flatten(1).tolist(), x.flatten(1).tolist(), strict=True
    )]  # fmt: skip
    assert torch.allclose(objective.bernoulli_nll(logits, x), torch.tensor(expected), atol=1e-4)
