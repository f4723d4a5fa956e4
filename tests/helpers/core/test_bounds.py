"""ELBO and importance-weighted bound on a VAE that can be solved: everything affine, everything Gaussian.

p(z) = N(0, I), p(x|z) = N(Wz + b, s^2 I). With orthogonal columns in W the posterior is diagonal:
precision 1 + |w_j|^2 / s^2, mean = cov W^T (x - b) / s^2, and p(x) = N(b, W W^T + s^2 I).
"""

import itertools
import math

import pytest
import torch
from torch.distributions import MultivariateNormal

from helpers.core.objective import Terms, beta_objective, importance_weighted_bound
from helpers.toy_vae import VAE, importance_weighted_nll, negative_elbo, prior_nll

W = torch.tensor([[1.0, 0.5], [-2.0, 0.0], [0.5, -1.0]], dtype=torch.float64)
W = W - torch.outer(W[:, 0], W[:, 0] @ W) / (W[:, 0] @ W[:, 0]) * torch.tensor([0.0, 1.0])
B, S2 = torch.tensor([0.3, -1.0, 2.0], dtype=torch.float64), 0.7


def solved_vae() -> VAE:
    """toy_vae.VAE with affine networks set to the exact posterior and likelihood."""
    vae = VAE(3, 2, [], []).double()
    variance = 1 / (1 + (W**2).sum(0) / S2)
    encoder, decoder = vae.encoder.layers[0], vae.decoder.layers[0]
    with torch.no_grad():
        for layer in (encoder, decoder):
            layer.weight.zero_()
        encoder.weight[:2] = variance[:, None] * W.T / S2
        encoder.bias[:2] = -variance * (W.T @ B) / S2
        encoder.bias[2:] = variance.log()
        decoder.weight[:3] = W
        decoder.bias[:3] = B
        decoder.bias[3:] = math.log(S2)
    return vae


@pytest.fixture
def x():
    return torch.randn(40, 3, dtype=torch.float64) * 2


@pytest.fixture
def evidence(x):
    return MultivariateNormal(B, W @ W.T + S2 * torch.eye(3, dtype=torch.float64)).log_prob(x)


def test_at_the_true_posterior_every_importance_weight_is_the_evidence(x, evidence):
    torch.testing.assert_close(solved_vae().log_weights(x, 6), evidence.expand(6, -1))


def test_at_the_true_posterior_the_elbo_is_the_evidence(x, evidence):
    vae = solved_vae()
    with torch.no_grad():
        elbos = torch.stack([vae(x, per_example=True)[2] for _ in range(4000)])
    assert ((elbos.mean(0) - evidence).abs() < 5 * elbos.std(0) / 4000**0.5).all()
    torch.testing.assert_close(-negative_elbo(vae, x, 4000).mean(), evidence.mean(), atol=0.02, rtol=0)


@pytest.mark.parametrize("wrong", ["mean", "variance"])
def test_with_another_posterior_the_elbo_is_lower_by_its_divergence_from_the_true_one(x, evidence, wrong):
    vae = solved_vae()
    with torch.no_grad():
        mu, logvar = vae.encode(x)
        if wrong == "mean":
            vae.encoder.layers[0].bias[:2] += 0.4
            lost = 0.5 * (0.4**2 / logvar.exp()).sum(-1)
        else:
            vae.encoder.layers[0].bias[2:] += 0.9
            lost = (0.5 * (math.exp(0.9) - 0.9 - 1) * torch.ones_like(mu)).sum(-1)
    gap = (evidence + negative_elbo(vae, x, 4000)).mean()
    torch.testing.assert_close(gap, lost.mean(), atol=0.05, rtol=0)


def test_the_importance_weighted_bound_rises_with_k_towards_the_evidence(x, evidence):
    vae = solved_vae()
    with torch.no_grad():
        vae.encoder.layers[0].bias[:2] += 0.5
        bounds = [importance_weighted_bound(vae.log_weights(x.repeat(500, 1), k)).mean() for k in (1, 2, 8, 64)]
    assert all(low < high for low, high in itertools.pairwise(bounds))
    assert bounds[-1] < evidence.mean() + 0.01
    torch.testing.assert_close(bounds[0], -negative_elbo(vae, x, 500).mean(), atol=0.05, rtol=0)
    torch.testing.assert_close(
        -importance_weighted_nll(vae, x, 5000, chunk=7).mean(), evidence.mean(), atol=0.02, rtol=0
    )


def test_draws_of_the_prior_give_the_evidence_too(x, evidence):
    near = x[:10] / 2
    exact = MultivariateNormal(B, W @ W.T + S2 * torch.eye(3, dtype=torch.float64)).log_prob(near)
    torch.testing.assert_close(-prior_nll(solved_vae(), near, 200_000, chunk=3), exact, atol=0.1, rtol=0)


def test_one_importance_sample_is_its_own_bound():
    log_w = torch.randn(1, 5)
    torch.testing.assert_close(importance_weighted_bound(log_w), log_w[0])
    many = torch.randn(9, 5, dtype=torch.float64)
    torch.testing.assert_close(importance_weighted_bound(many), many.exp().mean(0).log())


def test_the_objective_weighs_the_kl_and_nothing_else():
    terms = Terms(nll=torch.tensor([1.0, 3.0]), kl=torch.tensor([0.5, 1.5]))
    assert torch.equal(terms.elbo, torch.tensor([-1.5, -4.5]))
    assert beta_objective(terms.nll, terms.kl, 1.0) == -terms.elbo.mean() == 3.0
    assert beta_objective(terms.nll, terms.kl, 10.0) == 12.0
    assert beta_objective(terms.nll, terms.kl, 0.0) == 2.0


@pytest.mark.parametrize("beta", [-0.1, float("nan")])
def test_a_beta_below_zero_is_refused(beta):
    with pytest.raises(ValueError, match="beta must be 0 or larger, got"):
        beta_objective(torch.ones(2), torch.ones(2), beta)
