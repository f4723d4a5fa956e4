"""core.gaussian against torch.distributions and closed forms."""

import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence

from helpers.core.gaussian import kl_per_latent, kl_standard_normal, log_prob, reparameterize, rsample


def random_gaussian(*shape):
    return torch.randn(*shape, dtype=torch.float64), torch.randn(*shape, dtype=torch.float64)


def as_distribution(mu, logvar):
    return Independent(Normal(mu, logvar.exp().sqrt()), 1)


@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (5, 4, 2)])
def test_kl_and_its_gradients_are_those_of_torch_distributions(shape):
    mu, logvar = (t.requires_grad_() for t in random_gaussian(*shape))
    prior = as_distribution(torch.zeros_like(mu), torch.zeros_like(mu))
    expected = kl_divergence(as_distribution(mu, logvar), prior)
    ours = kl_standard_normal(mu, logvar)
    torch.testing.assert_close(ours, expected)
    assert ours.shape == shape[:-1]
    for got, want in zip(
        torch.autograd.grad(ours.sum(), (mu, logvar)), torch.autograd.grad(expected.sum(), (mu, logvar)), strict=True
    ):
        torch.testing.assert_close(got, want)


def test_kl_is_zero_exactly_at_the_prior_and_sums_over_latents():
    zero = torch.zeros(4, 3)
    assert torch.equal(kl_standard_normal(zero, zero), torch.zeros(4))
    mu, logvar = random_gaussian(6, 3)
    torch.testing.assert_close(kl_per_latent(mu, logvar).sum(-1), kl_standard_normal(mu, logvar))
    assert (kl_per_latent(mu, logvar) >= 0).all()


@pytest.mark.parametrize("wrong", ["no half", "mean over latents", "logvar as sigma"])
def test_the_kl_oracle_notices_the_usual_mistakes(wrong):
    mu, logvar = random_gaussian(50, 3)
    broken = {
        "no half": 2 * kl_per_latent(mu, logvar).sum(-1),
        "mean over latents": kl_per_latent(mu, logvar).mean(-1),
        "logvar as sigma": 0.5 * (mu**2 + logvar**2 - 2 * logvar.abs().log() - 1).sum(-1),
    }[wrong]
    prior = as_distribution(torch.zeros_like(mu), torch.zeros_like(mu))
    assert not torch.allclose(broken, kl_divergence(as_distribution(mu, logvar), prior))


@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (5, 4, 2)])
def test_log_prob_and_its_gradients_are_those_of_torch_distributions(shape):
    mu, logvar = (t.requires_grad_() for t in random_gaussian(*shape))
    x = torch.randn(*shape, dtype=torch.float64)
    ours, expected = log_prob(x, mu, logvar), as_distribution(mu, logvar).log_prob(x)
    torch.testing.assert_close(ours, expected)
    for got, want in zip(
        torch.autograd.grad(ours.sum(), (mu, logvar)), torch.autograd.grad(expected.sum(), (mu, logvar)), strict=True
    ):
        torch.testing.assert_close(got, want)


def test_one_shared_log_variance_counts_once_for_each_feature():
    x, mu = random_gaussian(6, 5)
    shared = torch.tensor(-1.3, dtype=torch.float64, requires_grad=True)
    ours, expected = log_prob(x, mu, shared), as_distribution(mu, shared.expand(6, 5)).log_prob(x)
    torch.testing.assert_close(ours, expected)
    torch.testing.assert_close(*(torch.autograd.grad(d.sum(), shared)[0] for d in (ours, expected)))


def test_reparameterized_draws_have_the_asked_mean_and_variance():
    n = 200_000
    mu, logvar = torch.tensor([1.0, -2.0]).expand(n, 2), torch.tensor([0.5, -1.5]).expand(n, 2)
    z = reparameterize(mu, logvar)
    std = logvar[0].exp().sqrt()
    assert ((z.mean(0) - mu[0]).abs() < 4 * std / n**0.5).all()
    assert ((z.var(0) - std**2).abs() < 4 * std**2 * (2 / n) ** 0.5).all()
    assert torch.corrcoef(z.T)[0, 1].abs() < 4 / n**0.5  # its own noise for each latent
    assert torch.corrcoef(torch.stack([z[:-1, 0], z[1:, 0]]))[0, 1].abs() < 4 / n**0.5  # and for each example


def test_reparameterized_gradients_are_one_and_eps():
    mu, std = torch.zeros(1000, 2, requires_grad=True), torch.full((1000, 2), 3.0, requires_grad=True)
    z = rsample(mu, std)
    d_mu, d_std = torch.autograd.grad(z.sum(), (mu, std))
    assert torch.equal(d_mu, torch.ones_like(mu))
    torch.testing.assert_close(d_std, z.detach() / 3)


def test_a_generator_makes_draws_repeatable_whatever_ran_before():
    mu = torch.zeros(5, 2)
    first = rsample(mu, torch.ones(5, 2), torch.Generator().manual_seed(3))
    torch.randn(17)
    assert torch.equal(first, rsample(mu, torch.ones(5, 2), torch.Generator().manual_seed(3)))


def test_shapes_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"one shape, got \(4, 2\) and \(4, 3\)"):
        kl_standard_normal(torch.zeros(4, 2), torch.zeros(4, 3))
    with pytest.raises(ValueError, match="got 784 and 2"):
        log_prob(torch.zeros(4, 784), torch.zeros(4, 2), torch.zeros(()))
