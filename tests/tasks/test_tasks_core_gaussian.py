"""Tasks of ``helpers/core/gaussian.py``, against torch.distributions."""

import torch
from torch.distributions import Normal, kl_divergence

from helpers.core import gaussian


def test_core_gaussian_rsample(moments):
    mean = torch.tensor([1.0, -2.0]).expand(20_000, 2).clone().requires_grad_()
    std = torch.tensor([0.5, 3.0]).expand(20_000, 2).clone().requires_grad_()
    z = gaussian.rsample(mean, std)
    moments(z.detach(), torch.tensor([1.0, -2.0]), torch.tensor([0.5, 3.0]))
    to_mean, to_std = torch.autograd.grad(z.sum(), (mean, std))
    assert torch.allclose(to_mean, torch.ones_like(mean)), "the gradient must pass through the draw"
    assert torch.allclose(mean.detach() + std.detach() * to_std, z.detach(), atol=1e-5)
    assert not torch.equal(to_std[0], to_std[1]), "every example needs its own noise"


def test_core_gaussian_kl_per_latent():
    mu, logvar = torch.randn(50, 3), torch.randn(50, 3)
    expected = kl_divergence(Normal(mu, logvar.exp().sqrt()), Normal(torch.zeros(50, 3), torch.ones(50, 3)))
    assert torch.allclose(gaussian.kl_per_latent(mu, logvar), expected, atol=1e-5)


def test_core_gaussian_log_prob():
    x, mu, logvar = torch.randn(3, 50, 4)
    each = Normal(mu, logvar.exp().sqrt()).log_prob(x)
    assert torch.allclose(gaussian.log_prob(x, mu, logvar), each.sum(-1), atol=1e-4)
    shared = Normal(mu, torch.tensor(0.7).exp().sqrt()).log_prob(x).sum(-1)
    assert torch.allclose(gaussian.log_prob(x, mu, torch.tensor(0.7)), shared, atol=1e-4)
