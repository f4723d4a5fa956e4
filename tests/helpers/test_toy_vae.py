"""Part A: the model, its training, and the data with their exact densities."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch.distributions import Categorical, Independent, MixtureSameFamily, MultivariateNormal, Normal
from torch.optim import Adam
from torch.utils.data import DataLoader, TensorDataset

from helpers.core.batches import TensorBatches
from helpers.toy_vae import (
    COUNT,
    VAE,
    SharedVarianceVAE,
    exact_nll_1,
    exact_nll_2,
    exact_nll_3,
    fit_vae,
    load_toy,
    negative_elbo,
    sample_data_1,
    sample_data_2,
    sample_data_3,
    train_vae,
)


def as_distribution(mu, logvar):
    return Independent(Normal(mu, logvar.expand_as(mu).exp().sqrt()), 1)


# ------------------------------------------------------------------------------------------------ the model


def make(variance, *sizes, **options):
    """A VAE with a variance for each feature, a learned one for all, or a fixed number."""
    if variance == "per_feature":
        return VAE(*sizes, **options)
    return SharedVarianceVAE(*sizes, variance=None if variance == "shared" else variance, **options)


@pytest.mark.parametrize("batch", [1, 7])
@pytest.mark.parametrize("variance", ["per_feature", "shared", 0.5])
def test_forward_gives_prediction_sample_and_scalar_terms_that_add_up(batch, variance):
    vae = make(variance, 4, 3, [8], [9])
    x = torch.randn(batch, 4)
    x_pred, z, elbo, kl, nll = vae(x)
    assert x_pred.shape == x.shape and z.shape == (batch, 3)
    assert elbo.shape == kl.shape == nll.shape == ()
    torch.testing.assert_close(elbo, -(nll + kl))


@pytest.mark.parametrize("variance", ["per_feature", "shared", 0.5])
def test_terms_per_example_are_those_of_torch_distributions(variance):
    vae = make(variance, 4, 3, [8], [9]).double()
    x = torch.randn(6, 4, dtype=torch.float64)
    _, z, elbo, kl, nll = vae(x, per_example=True)
    mu, logvar = vae.encode(x)
    prior = as_distribution(torch.zeros_like(mu), torch.zeros_like(mu))
    torch.testing.assert_close(elbo, -(nll + kl))
    torch.testing.assert_close(nll, -as_distribution(*vae.likelihood(z)).log_prob(x))
    torch.testing.assert_close(kl, torch.distributions.kl_divergence(as_distribution(mu, logvar), prior))


def test_both_heads_have_a_mean_and_a_log_variance():
    vae = VAE(5, 3, [8], [9])
    assert vae.encoder.layers[-1].out_features == 6
    assert vae.decoder.layers[-1].out_features == 10
    assert [layer.out_features for layer in VAE(2, 2, [150, 250], [250, 150]).encoder.layers] == [150, 250, 4]


def test_forward_gives_the_means_of_the_terms_per_example():
    vae, x = VAE(4, 3, [8], [9]), torch.randn(6, 4)
    torch.manual_seed(0)
    each = vae(x, per_example=True)
    torch.manual_seed(0)
    means = vae(x)
    assert torch.equal(each[0], means[0]) and torch.equal(each[1], means[1])
    for terms, mean in zip(each[2:], means[2:], strict=True):
        assert terms.shape == (6,) and torch.equal(terms.mean(), mean)


def test_the_likelihood_has_a_mean_and_a_log_variance_for_each_feature_or_one_for_all():
    z, vae = torch.randn(7, 2), VAE(2, 2, [4], [])
    x_mu, x_logvar = vae.likelihood(z)
    both = vae.decoder(z)
    assert torch.equal(x_mu, both[:, :2]) and torch.equal(x_logvar, both[:, 2:])
    squashed = SharedVarianceVAE(2, 2, [4], [], sigmoid=True)
    x_mu, x_logvar = squashed.likelihood(z)
    assert x_mu.shape == (7, 2) and x_mu.min() > 0 and x_mu.max() < 1
    assert torch.allclose(torch.logit(x_mu), squashed.decoder(z), atol=1e-4)
    assert x_logvar.shape == () and x_logvar == squashed.shared_logvar


@pytest.mark.parametrize("variance", ["per_feature", "shared"])
@pytest.mark.parametrize("options", [{}, {"flatten": True, "sigmoid": True}])
def test_every_parameter_receives_a_gradient(variance, options):
    vae = make(variance, 4, 2, [16], [16], **options)
    x = torch.rand(32, 2, 2) if options else torch.randn(32, 4)
    _, _, elbo, _, _ = vae(x)
    elbo.backward()
    for name, p in vae.named_parameters():
        assert p.grad is not None and p.grad.abs().sum() > 0, name


def test_the_encoder_learns_from_the_likelihood_through_the_sample():
    vae = VAE(4, 2, [], [])
    _, _, _, _, nll = vae(torch.randn(32, 4))
    nll.backward()
    assert vae.encoder.layers[0].weight.grad.abs().min() > 0


def test_images_are_flattened_and_squashed():
    vae = VAE(784, 2, [8], [8], flatten=True, sigmoid=True)
    x = torch.rand(3, 1, 28, 28)
    x_pred, *_ = vae(x)
    assert x_pred.shape == x.shape and x_pred.min() > 0 and x_pred.max() < 1
    assert vae.decode(torch.randn(5, 2)).shape == (5, 784)


def test_decoder_noise_comes_and_goes_with_its_flag():
    vae = VAE(2, 2, [], [])
    z = torch.randn(1, 2).expand(50_000, 2)
    x_mu, x_logvar = vae.likelihood(z)
    assert torch.equal(vae.decode(z, noise=False), x_mu)
    noisy = vae.decode(z)
    std = x_logvar[0].exp().sqrt()
    assert ((noisy.mean(0) - x_mu[0]).abs() < 4 * std / 50_000**0.5).all()
    assert ((noisy.std(0) / std - 1).abs() < 4 / 100_000**0.5).all()


def test_samples_have_their_shape_no_gradient_and_noise_only_when_asked():
    vae = VAE(3, 2, [], [])
    assert vae.sample(1).shape == (1, 3) and not vae.sample(7).requires_grad
    with torch.no_grad():
        vae.decoder.layers[0].weight.zero_()
        vae.decoder.layers[0].bias.zero_()
    assert vae.sample(100).abs().max() == 0
    assert (vae.sample(10_000, decoder_noise=True).std(0) - 1).abs().max() < 4 / 20_000**0.5


def test_prior_and_posterior_samples():
    vae = VAE(3, 2, [], [])
    assert (vae.sample_prior(100_000).std(0) - 1).abs().max() < 4 / 200_000**0.5
    mean, std = torch.tensor([[2.0, -1.0]]).expand(100_000, 2), torch.tensor([[0.5, 2.0]]).expand(100_000, 2)
    z = vae.sample_posterior(mean, std)
    assert ((z.std(0) / std[0] - 1).abs() < 4 / 200_000**0.5).all()
    x = torch.randn(1, 3).expand(100_000, 3)
    mu, logvar = vae.encode(x)
    z = vae.encode_latent(x)
    assert ((z.std(0) / logvar[0].exp().sqrt() - 1).abs() < 4 / 200_000**0.5).all()
    assert ((z.mean(0) - mu[0]).abs() < 4 * logvar[0].exp().sqrt() / 100_000**0.5).all()


def test_a_fixed_variance_of_one_half_is_the_summed_squared_error():
    vae = SharedVarianceVAE(4, 2, [8], [8], variance=0.5)
    x = torch.randn(9, 4)
    x_mu, _, _, _, nll = vae(x, per_example=True)
    constant = 2 * np.log(np.pi)
    torch.testing.assert_close(nll, (x - x_mu).square().sum(-1) + constant)


def test_a_shared_variance_learns_the_mean_squared_error():
    vae = SharedVarianceVAE(8, 1, [], [])
    x = torch.randn(4096, 8) * 0.2
    fit_vae(vae, Adam(vae.parameters(), 1e-2), TensorBatches(x, batch_size=256), None, num_epochs=30)
    x_mu, *_ = vae(x)
    assert vae.shared_logvar.exp().item() == pytest.approx((x - x_mu).square().mean().item(), rel=0.1)


def test_wrong_sizes_are_named():
    with pytest.raises(ValueError, match=r"examples of 2 features.*got shape \(5, 3\)"):
        VAE(2, 2, [], [])(torch.randn(5, 3))
    with pytest.raises(ValueError, match=r"got shape \(5, 1, 28, 28\).*flatten=True"):
        VAE(784, 2, [], [])(torch.randn(5, 1, 28, 28))


# ------------------------------------------------------------------------------------------------ training


def small_loaders(n=600, features=2):
    x = torch.randn(n, features)
    return [TensorBatches(x, batch_size=100, shuffle=i == 0) for i in range(3)]


def test_training_draws_curves_and_samples_and_prints_the_test_line(capsys):
    vae = VAE(2, 2, [8], [])
    curves, samples = train_vae(vae, Adam(vae.parameters(), 1e-2), *small_loaders(), figtitle="T", num_epochs=2)
    assert isinstance(curves, Figure) and isinstance(samples, Figure)
    assert [ax.get_title() for ax in curves.axes] == ["ELBO", "KL divergence", "Negative log-likelihood"]
    assert len(curves.axes[0].lines[0].get_xdata()) == 12
    assert len(samples.axes) == 3
    assert "Final test performance: ELBO = -" in capsys.readouterr().out


def test_without_a_test_loader_there_is_one_figure():
    vae = VAE(2, 2, [8], [])
    train, val, _ = small_loaders()
    curves, samples = train_vae(vae, Adam(vae.parameters(), 1e-2), train, val, num_epochs=1)
    assert isinstance(curves, Figure) and samples is None


def test_any_loader_of_tuples_works():
    vae = VAE(2, 2, [8], [])
    loader = DataLoader(TensorDataset(torch.randn(300, 2), torch.zeros(300)), batch_size=64, shuffle=True)
    history = fit_vae(vae, Adam(vae.parameters(), 1e-2), loader, loader, num_epochs=3)
    assert len(history.train["elbo"]) == 15 and len(history.val["elbo"]) == 3
    assert history.val["elbo"][-1] > history.val["elbo"][0]


def test_beta_weighs_the_kl():
    kl = {}
    for beta in (0.1, 5.0):
        torch.manual_seed(0)
        vae = VAE(2, 2, [16], [])
        x = torch.randn(2000, 1) @ torch.tensor([[2.0, 2.0]]) + 0.3 * torch.randn(2000, 2)
        fit_vae(vae, Adam(vae.parameters(), 1e-2), TensorBatches(x, batch_size=200), None, num_epochs=30, beta=beta)
        kl[beta] = vae(x)[3].item()
    assert kl[0.1] > kl[5.0] + 0.5


def test_bad_training_input_is_refused_in_a_sentence():
    vae = VAE(2, 2, [8], [])
    train, val, _ = small_loaders()
    with pytest.raises(ValueError, match="beta must be 0 or larger"):
        train_vae(vae, Adam(vae.parameters()), train, val, num_epochs=1, beta=-1)
    with pytest.raises(ValueError, match="training loader is empty"):
        train_vae(vae, Adam(vae.parameters()), [], val, num_epochs=1)
    with_nan = DataLoader(TensorDataset(torch.tensor([[1.0, 2.0], [float("nan"), 0.0]])), batch_size=1)
    with pytest.raises(FloatingPointError, match=r"nan at step 2 of epoch 1.*the data hold NaN or infinite values"):
        train_vae(vae, Adam(vae.parameters()), with_nan, val, num_epochs=1)


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 2])
def test_the_assigned_run_reaches_the_true_density_over_seeds(number):
    toy = load_toy(number)
    gaps, kls = [], []
    for seed in range(3):
        torch.manual_seed(seed)
        vae = VAE(2, 2, [20], [])
        fit_vae(vae, Adam(vae.parameters(), 1e-2, fused=True), toy.loaders(512)[0], None, num_epochs=10)
        gaps.append(toy.gap(negative_elbo(vae, toy.test, num_samples=16)))
        kls.append(vae(toy.test)[3].item())
    assert np.median(gaps) <= 0.02 and max(gaps) <= 0.05
    assert number == 1 or min(kls) >= 1.55


# ------------------------------------------------------------------------------------------------ the data


def test_samplers_are_bit_identical_to_the_assignments_recipe():
    half = np.sqrt(2) / 2
    points = np.random.RandomState(0).randn(COUNT, 2) * [[5.0, 1.0]]
    assert np.array_equal(sample_data_1(), np.array([1.0, 2.0]) + points)
    assert np.array_equal(sample_data_2(), [[1.0, 2.0]] + points @ [[half, half], [-half, half]])

    state = np.random.RandomState(0)
    n = COUNT // 3
    left, right = ([[side, 2.5]] + state.randn(n, 2) * 0.2 for side in (-1.5, 1.5))
    angles = np.linspace(0, np.pi, n)
    arc = np.c_[2 * np.cos(angles), -np.sin(angles)]
    arc += state.randn(*arc.shape) * 0.2
    order = state.permutation(3 * n)
    points, component = sample_data_3()
    assert np.array_equal(points, np.concatenate([left, right, arc])[order])
    assert np.array_equal(component, np.array([0] * n + [1] * n + [2] * n)[order])


@pytest.mark.parametrize(("number", "sizes"), [(1, (90_000, 5_000, 5_000)), (2, (90_000, 5_000, 5_000)),
                                               (3, (74_999, 5_000, 20_000))])  # fmt: skip
def test_splits_have_the_assigned_sizes_and_share_no_point(number, sizes):
    toy = load_toy(number)
    assert (len(toy.train), len(toy.val), len(toy.test)) == sizes
    everything = torch.cat([toy.train, toy.val, toy.test])
    assert len(torch.unique(everything, dim=0)) == len(everything)
    source = sample_data_3()[0] if number == 3 else (sample_data_1, sample_data_2)[number - 1]()
    assert torch.equal(everything, torch.as_tensor(source, dtype=torch.float32))
    if number == 3:
        assert np.array_equal(toy.component, sample_data_3()[1][-20_000:])


def test_exact_densities_of_the_ellipses():
    x = torch.randn(50, 2, dtype=torch.float64) * 4
    centre = torch.tensor([1.0, 2.0], dtype=torch.float64)
    for exact, covariance in ((exact_nll_1, [[25.0, 0], [0, 1]]), (exact_nll_2, [[13.0, 12], [12, 13]])):
        oracle = MultivariateNormal(centre, torch.tensor(covariance, dtype=torch.float64))
        np.testing.assert_allclose(exact(x.numpy()), -oracle.log_prob(x).numpy())


def test_exact_density_of_dataset_3_is_that_of_a_fine_mixture_and_integrates_to_one():
    angles = (torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000 * np.pi
    arc = torch.stack([2 * angles.cos(), -angles.sin()], 1)
    centres = torch.cat([torch.tensor([[-1.5, 2.5], [1.5, 2.5]], dtype=torch.float64), arc])
    shares = torch.cat([torch.full((2,), 1 / 3), torch.full((20_000,), 1 / 60_000)]).double()
    oracle = MixtureSameFamily(Categorical(shares), Independent(Normal(centres, 0.2 * torch.ones_like(centres)), 1))
    x = torch.randn(40, 2, dtype=torch.float64) * 2
    near = exact_nll_3(x.numpy()) < 40
    np.testing.assert_allclose(exact_nll_3(x.numpy())[near], -oracle.log_prob(x).numpy()[near], rtol=1e-5)

    side = np.linspace(-5, 5, 401)
    grid = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    nll = np.concatenate([exact_nll_3(part) for part in np.array_split(grid, 20)])
    mass = np.exp(-nll) * (side[1] - side[0]) ** 2
    assert mass.sum() == pytest.approx(1, abs=1e-6)
    assert (mass * nll).sum() == pytest.approx(load_toy(3).entropy, abs=1e-5)


def test_far_away_the_exact_density_stays_finite():
    assert np.isfinite(exact_nll_3(np.array([[1e3, -1e3]]))).all()


def test_entropies_of_the_ellipses_are_the_closed_form():
    for number in (1, 2):
        assert load_toy(number).entropy == pytest.approx(np.log(2 * np.pi * np.e) + np.log(5), abs=1e-12)
    with pytest.raises(ValueError, match="toy sets 1, 2 and 3, got 4"):
        load_toy(4)


def test_the_hidden_activation_is_used():
    torch.manual_seed(1)
    a = VAE(2, 2, [8], [8], hidden_activation=F.relu)
    torch.manual_seed(1)
    b = VAE(2, 2, [8], [8], hidden_activation=torch.tanh)
    x = torch.randn(5, 2)
    assert not torch.allclose(a.encode(x)[0], b.encode(x)[0])
