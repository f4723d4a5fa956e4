"""The convolutional VAE: its terms, its honest likelihood, its importance-weighted NLL."""

import math

import pytest
import torch
from torch.distributions import Bernoulli, Independent, MultivariateNormal, Normal, kl_divergence
from torch.optim import Adam

from helpers.core.batches import TensorBatches
from helpers.core.objective import bernoulli_nll
from helpers.mnist_conv_vae import (
    VAE,
    active_units,
    binarize,
    calc_elbo,
    decode_images,
    elbo_of,
    elbo_terms,
    importance_weighted_nll,
    rates,
    refine_posterior,
    rotated_elbo,
    sample,
    share_recognised,
    train,
    train_classifier,
)


@pytest.fixture
def vae():
    model = VAE(latent_dim=3, channels=(4, 6), hidden=16).eval()
    for p in model.parameters():  # residual blocks start as the identity: no gradient would reach their inside
        torch.nn.init.normal_(p, std=0.2) if p.eq(0).all() else None
    return model


@pytest.fixture
def images():
    return binarize(torch.rand(12, 1, 28, 28))


def as_distribution(mu, logvar):
    return Independent(Normal(mu, logvar.exp().sqrt()), 1)


@pytest.mark.parametrize("batch", [1, 7])
def test_shapes(vae, batch):
    terms = calc_elbo(vae, torch.rand(batch, 1, 28, 28))
    assert all(t.shape == (batch,) for t in terms)
    assert vae.decode(torch.randn(batch, 3)).shape == (batch, 1, 28, 28)
    with pytest.raises(ValueError, match=r"shape \(batch, 1, 28, 28\), got \(5, 784\)"):
        vae.encode(torch.rand(5, 784))


def test_terms_are_those_of_torch_distributions(vae, images):
    vae, images = vae.double(), images.double()
    terms = calc_elbo(vae, images, torch.Generator().manual_seed(5))
    mu, logvar = vae.encode(images)
    eps = torch.randn(mu.shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    p = Independent(Bernoulli(logits=vae.decode(mu + logvar.exp().sqrt() * eps)), 3)
    prior = as_distribution(torch.zeros_like(mu), torch.zeros_like(mu))
    torch.testing.assert_close(terms.log_likelihood, p.log_prob(images))
    torch.testing.assert_close(terms.kl, kl_divergence(as_distribution(mu, logvar), prior))
    torch.testing.assert_close(terms.elbo, terms.log_likelihood - terms.kl)


def test_a_uniform_decoder_costs_one_bit_a_pixel(vae, images):
    for p in vae.decoder.parameters():
        torch.nn.init.zeros_(p)
    expected = torch.full((12,), -784 * math.log(2))
    torch.testing.assert_close(calc_elbo(vae, images).log_likelihood, expected)


def test_every_parameter_receives_a_gradient(vae, images):
    vae.train()
    (-calc_elbo(vae, images).elbo.mean()).backward()
    for name, p in vae.named_parameters():
        assert p.grad is not None, name
        assert p.grad.abs().sum() > 0, name


def test_binary_pixels_are_white_with_the_gray_values_probability():
    gray = torch.tensor([0.0, 0.25, 1.0]).expand(40_000, 3)
    drawn = binarize(gray)
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    assert ((drawn.mean(0) - gray[0]).abs() <= 4 * (gray[0] * (1 - gray[0]) / 40_000) ** 0.5).all()
    assert torch.equal(binarize(drawn), drawn)  # binary images stay as they are
    first, second = (binarize(gray, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(first, second)


def test_samples_come_from_the_prior_and_are_binary_when_asked(vae):
    probabilities, pixels = sample(vae, 5), sample(vae, 5, binary=True)
    assert probabilities.shape == pixels.shape == (5, 28, 28)
    assert 0 < probabilities.min() < probabilities.max() < 1
    assert set(pixels.unique().tolist()) == {0.0, 1.0}
    generator = torch.Generator().manual_seed(2)
    z = torch.randn(5, 3, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(sample(vae, 5, generator=generator), decode_images(vae, z))


def test_the_importance_weighted_nll_is_the_textbook_sum(vae, images):
    k = 6
    ours = importance_weighted_nll(vae, images, num_samples=k, seed=3)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        mu, logvar = vae.encode(images)
        q, prior = as_distribution(mu, logvar), as_distribution(torch.zeros_like(mu), torch.zeros_like(mu))
        log_w = []
        for _ in range(k):
            z = mu + logvar.exp().sqrt() * torch.randn(mu.shape, generator=generator)
            p = Independent(Bernoulli(logits=vae.decode(z)), 3)
            log_w.append(p.log_prob(images) + prior.log_prob(z) - q.log_prob(z))
    expected = -(torch.stack(log_w).double().exp().mean(0).log())
    torch.testing.assert_close(ours.double(), expected, rtol=1e-5, atol=1e-3)


def test_the_importance_weighted_nll_is_exact_where_the_latent_is_ignored(vae, images):
    with torch.no_grad():
        for layer in (vae.encoder.layers[-1], vae.decoder.layers[0]):
            layer.weight.zero_()
            layer.bias.zero_()
    terms = calc_elbo(vae, images)
    torch.testing.assert_close(importance_weighted_nll(vae, images, 5), -terms.elbo)


def test_it_is_tighter_than_the_elbo(vae, images):
    with torch.no_grad():
        vae.decoder.layers[0].weight.mul_(30)
    elbo = elbo_terms(vae, images, num_samples=50).elbo
    assert importance_weighted_nll(vae, images, 50).mean() < -elbo.mean()


def test_evaluation_repeats_itself_and_averages_over_samples(vae, images):
    first, second = (elbo_terms(vae, images, num_samples=3, seed=1, chunk=5) for _ in range(2))
    assert torch.equal(first.elbo, second.elbo)
    torch.testing.assert_close(first.kl, calc_elbo(vae, images).kl)


def test_rates_sum_to_the_kl_and_dead_latents_are_found(vae, images):
    with torch.no_grad():
        vae.encoder.layers[-1].weight[[1, 4]] = 0  # mean and log-variance of latent 1
        vae.encoder.layers[-1].bias[[1, 4]] = 0
        vae.encoder.layers[-1].weight[:1] *= 100
    torch.testing.assert_close(rates(vae, images).sum(), calc_elbo(vae, images).kl.mean())
    assert rates(vae, images)[1] == 0
    assert active_units(vae, images).tolist()[:2] == [True, False]


def test_training_raises_the_elbo_and_logs_all_three_terms(vae):
    gray = torch.rand(64, 1, 1, 1).expand(64, 1, 28, 28) ** 2
    val = TensorBatches(binarize(gray), batch_size=32)
    history = train(vae, Adam(vae.parameters(), 1e-2), TensorBatches(gray, batch_size=16), val, num_epochs=8)
    assert set(history.train) == set(history.val) == {"elbo", "log_likelihood", "kl"}
    assert len(history.train["elbo"]) == 32
    assert history.val["elbo"][-1] > history.val["elbo"][0]
    for part in (history.train, history.val):
        assert part["elbo"] == pytest.approx(part["log_likelihood"] - part["kl"], rel=1e-4)


# ---------------------------------------------------------------- turned latent spaces, own posteriors, a judge


@pytest.fixture
def small():
    torch.manual_seed(0)
    return VAE(latent_dim=3, channels=(2, 3), hidden=8).eval(), (torch.rand(6, 1, 28, 28) < 0.3).float()


def test_a_latent_space_that_is_not_turned_has_the_same_elbo(small):
    model, x = small
    ours = elbo_terms(model, x, num_samples=3, seed=5).elbo
    assert torch.allclose(rotated_elbo(model, x, torch.eye(3), num_samples=3, seed=5), ours, atol=1e-3)


def test_the_turned_posterior_is_the_diagonal_gaussian_of_least_divergence():
    rotation, _ = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64))
    variance = torch.tensor([0.1, 1.0, 0.4], dtype=torch.float64)
    true = MultivariateNormal(torch.zeros(3).double(), rotation @ torch.diag(variance) @ rotation.T)

    def divergence(diagonal):
        return float(kl_divergence(MultivariateNormal(torch.zeros(3).double(), torch.diag(diagonal)), true))

    best = 1 / (rotation.square() @ (1 / variance))
    for factor in (0.9, 1.1):
        for j in range(3):
            other = best.clone()
            other[j] *= factor
            assert divergence(other) > divergence(best)


def test_turning_by_a_permutation_costs_nothing(small):
    model, x = small
    swapped = torch.eye(3)[[2, 0, 1]]
    elbos = [rotated_elbo(model, x, rotation, num_samples=400).mean() for rotation in (torch.eye(3), swapped)]
    assert abs(float(elbos[0] - elbos[1])) < 0.5


def test_an_image_of_its_own_posterior_is_no_worse_off(small):
    model, x = small
    with torch.no_grad():
        model.decoder.layers[0].weight *= 10  # so that the decoder listens
        encoded = model.encode(x)
    own = refine_posterior(model, x, num_steps=60, lr=0.1)
    assert float((elbo_of(model, x, *own) - elbo_of(model, x, *encoded)).mean()) > 0.1
    assert all(p.grad is None for p in model.parameters())


def test_the_judge_recognises_what_it_was_shown():
    y = torch.arange(400) % 10
    x = torch.zeros(400, 1, 28, 28)
    x[torch.arange(400), 0, 2 * y, :] = 1  # a line at another height for each digit
    judge = train_classifier(x, y, num_epochs=30)
    assert share_recognised(judge, x[:, 0]) > 0.95
    assert share_recognised(judge, torch.full((50, 28, 28), 0.5), least=0.9999) < 0.5


def test_the_cross_entropy_of_a_gray_image_is_the_average_over_its_binarisations():
    logits, gray = torch.randn(1, 6), torch.rand(1, 6)
    binary = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 6)
    weights = Independent(Bernoulli(gray), 1).log_prob(binary).exp()
    average = (weights * bernoulli_nll(logits.expand(64, 6), binary)).sum()
    torch.testing.assert_close(average, bernoulli_nll(logits, gray)[0])
