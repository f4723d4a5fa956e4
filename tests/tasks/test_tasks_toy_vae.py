"""Tasks of ``helpers/toy_vae.py``, each with the others' answers given."""

import pytest
import torch
from torch import nn
from torch.distributions import Normal, kl_divergence

from helpers import toy_vae

MU, STD = torch.tensor([1.0, -1.0]), torch.tensor([0.5, 2.0])


@pytest.fixture
def vae(given):
    """A VAE whose encoder and decoder heads are known, so that its parts can be looked at one by one."""
    given(toy_vae)

    def make(**options):
        model = toy_vae.VAE(2, 2, [4], [], **options)
        model.encode = lambda x: (MU.expand(len(x), 2), 2 * STD.log().expand(len(x), 2))
        model.likelihood = lambda z: (3 * z, torch.full_like(z, -1.0))
        model.decode = lambda z, noise=True: 3 * z + noise
        model.sample_posterior = lambda mean, std: Normal(mean, std).rsample()
        return model

    return make


def real(model, name):
    """The method as it stands in the file."""
    model.__dict__.pop(name, None)
    return getattr(model, name)


def test_toy_vae_VAE_forward(vae, moments):
    model, x = vae(), torch.randn(5000, 2)
    x_pred, z, elbo, kl, nll = model(x, per_example=True)
    moments(z.detach(), MU, STD)
    assert torch.allclose(x_pred, 3 * z)
    posterior, prior = Normal(MU, STD), Normal(torch.zeros(2), torch.ones(2))
    assert torch.allclose(kl, kl_divergence(posterior, prior).sum().expand(5000), atol=1e-4)
    expected = -Normal(3 * z, torch.tensor(-0.5).exp()).log_prob(x).sum(-1)
    assert torch.allclose(nll, expected, rtol=1e-4)
    assert torch.allclose(elbo, -(nll + kl))
    assert all(term.shape == () for term in model(x)[2:]), "means over the batch"


def test_toy_vae_VAE_encode(vae):
    model, x = vae(), torch.randn(7, 2)
    mu, logvar = real(model, "encode")(x)
    both = model.encoder(x)
    assert torch.equal(mu, both[:, :2]) and torch.equal(logvar, both[:, 2:])


def test_toy_vae_VAE_decode(vae, moments):
    model, z = vae(), torch.tensor([[1.0, -2.0]]).repeat(5000, 1)
    decode = real(model, "decode")
    assert torch.equal(decode(z, noise=False), 3 * z), "without noise: the mean"
    moments(decode(z, noise=True), torch.tensor([3.0, -6.0]), torch.tensor(-0.5).exp())


def test_toy_vae_VAE_sample(vae):
    model = vae()
    model.sample_prior = lambda batch_size, device=None: torch.arange(2.0 * batch_size).reshape(-1, 2)
    with torch.enable_grad():
        assert torch.equal(model.sample(3), 3 * torch.arange(6.0).reshape(3, 2))
        assert torch.equal(model.sample(3, decoder_noise=True), 3 * torch.arange(6.0).reshape(3, 2) + 1)


def test_toy_vae_VAE_sample_posterior(vae, moments):
    mean, std = (t.expand(5000, 2).clone().requires_grad_() for t in (MU, STD))
    z = real(vae(), "sample_posterior")(mean, std)
    moments(z.detach(), MU, STD)
    to_mean, to_std = torch.autograd.grad(z.sum(), (mean, std))
    assert torch.allclose(to_mean, torch.ones_like(mean)) and to_std.std() > 0.5, "gradients reach both"


def test_toy_vae_VAE_encode_latent(vae, moments):
    moments(vae().encode_latent(torch.zeros(5000, 2)), MU, STD)


def test_toy_vae_vae_objective(given):
    given(toy_vae)
    elbo, kl, nll = torch.tensor(-5.0), torch.tensor(2.0), torch.tensor(3.0)

    class Known(nn.Module):
        def forward(self, x):
            assert x.shape == (4, 2)
            return x, x, elbo, kl, nll

    for beta, expected in ((1.0, 5.0), (10.0, 23.0)):
        loss, scalars = toy_vae.vae_objective(Known(), beta)((torch.zeros(4, 2), torch.zeros(4)))
        assert float(loss) == expected
        assert {k: float(v) for k, v in scalars.items()} == {"elbo": -5.0, "kl": 2.0, "nll": 3.0}
