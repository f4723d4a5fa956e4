"""Checks of the tasks in ``helpers/toy_vae.py``."""

from typing import Any

import torch
from torch import nn
from torch.distributions import Normal, kl_divergence

from helpers import toy_vae
from helpers.checks.oracles import expect_moments

MU, STD = torch.tensor([1.0, -1.0]), torch.tensor([0.5, 2.0])


def _vae(real: str = "forward") -> toy_vae.VAE:
    """Make a VAE whose encoder and decoder heads are known; the method ``real`` is as it stands in the file."""
    model = toy_vae.VAE(2, 2, [4], [])
    methods = {
        "encode": lambda x: (MU.expand(len(x), 2), 2 * STD.log().expand(len(x), 2)),
        "likelihood": lambda z: (3 * z, torch.full_like(z, -1.0)),
        "decode": lambda z, noise=True: 3 * z + noise,
        "sample_posterior": lambda mean, std: Normal(mean, std).rsample(),
    }
    for name, method in methods.items():
        if name != real:
            setattr(model, name, method)
    return model


def VAE_forward() -> None:
    model, x = _vae(), torch.randn(5000, 2)
    x_pred, z, elbo, kl, nll = model(x, per_example=True)
    expect_moments(z.detach(), MU, STD)
    assert torch.allclose(x_pred, 3 * z)
    posterior, prior = Normal(MU, STD), Normal(torch.zeros(2), torch.ones(2))
    assert torch.allclose(kl, kl_divergence(posterior, prior).sum().expand(5000), atol=1e-4)
    expected = -Normal(3 * z, torch.tensor(-0.5).exp()).log_prob(x).sum(-1)
    assert torch.allclose(nll, expected, rtol=1e-4)
    assert torch.allclose(elbo, -(nll + kl))
    assert all(term.shape == () for term in model(x)[2:]), "means over the batch"


def VAE_encode() -> None:
    model, x = _vae("encode"), torch.randn(7, 2)
    mu, logvar = model.encode(x)
    both = model.encoder(x)
    assert torch.equal(mu, both[:, :2]) and torch.equal(logvar, both[:, 2:])


def VAE_decode() -> None:
    model, z = _vae("decode"), torch.tensor([[1.0, -2.0]]).repeat(5000, 1)
    assert torch.equal(model.decode(z, noise=False), 3 * z), "without noise: the mean"
    expect_moments(model.decode(z, noise=True), torch.tensor([3.0, -6.0]), torch.tensor(-0.5).exp())


def VAE_sample() -> None:
    model = _vae()
    model.sample_prior = lambda batch_size, device=None: torch.arange(2.0 * batch_size).reshape(-1, 2)
    with torch.enable_grad():
        assert torch.equal(model.sample(3), 3 * torch.arange(6.0).reshape(3, 2))
        assert torch.equal(model.sample(3, decoder_noise=True), 3 * torch.arange(6.0).reshape(3, 2) + 1)


def VAE_sample_posterior() -> None:
    mean, std = (t.expand(5000, 2).clone().requires_grad_() for t in (MU, STD))
    z = _vae("sample_posterior").sample_posterior(mean, std)
    expect_moments(z.detach(), MU, STD)
    to_mean, to_std = torch.autograd.grad(z.sum(), (mean, std))
    assert torch.allclose(to_mean, torch.ones_like(mean)) and to_std.std() > 0.5, "gradients reach both"


def VAE_encode_latent() -> None:
    expect_moments(_vae().encode_latent(torch.zeros(5000, 2)), MU, STD)


def vae_objective() -> None:
    elbo, kl, nll = torch.tensor(-5.0), torch.tensor(2.0), torch.tensor(3.0)

    class Known(nn.Module):
        def forward(self, x):
            assert x.shape == (4, 2)
            return x, x, elbo, kl, nll

    model: Any = Known()
    for beta, expected in ((1.0, 5.0), (10.0, 23.0)):
        loss, scalars = toy_vae.vae_objective(model, beta)((torch.zeros(4, 2), torch.zeros(4)))
        assert float(loss) == expected
        assert {k: float(v) for k, v in scalars.items()} == {"elbo": -5.0, "kl": 2.0, "nll": 3.0}
