"""The Swiss roll: its data, the assigned reductions and what they mean, training, and the measures of notebook 03."""

import math

import numpy as np
import pytest
import torch
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from torch import nn
from torch.distributions import Independent, Normal, kl_divergence

from helpers import swiss_roll
from helpers.core import training
from helpers.swiss_roll import (
    T_MIN,
    VAE,
    SwissRollBatches,
    compute_vae_loss,
    decoded_grid,
    decoder_variance,
    distance_to_roll,
    expected_error_gradients,
    generate_swiss_roll,
    least_loss,
    measure,
    roll,
    score_function_loss,
    teach_parameter,
    train_vae,
    train_vae_with_visualization,
    visualize_latent_space,
    visualize_reconstructions,
)

VARIANCE = (9.75 * math.pi**2 - 4 - (2 / (3 * math.pi)) ** 2) / 225 / 2  # of a coordinate of the roll, by hand


def standard_normal(like):
    return Normal(torch.zeros_like(like), torch.ones_like(like))


# ------------------------------------------------------------------------------------------------ the data


@pytest.mark.parametrize("n", [1, 5, 1000])
def test_points_are_bit_for_bit_those_of_the_assignments_recipe(n):
    torch.manual_seed(42)
    points = generate_swiss_roll(n)
    torch.manual_seed(42)
    angle = 1.5 * np.pi * (1 + 2 * torch.rand(n))
    expected = torch.stack([angle * torch.cos(angle), angle * torch.sin(angle)], dim=1) / 15.0
    assert points.dtype == torch.float32 and torch.equal(points, expected)


def test_a_generator_of_its_own_leaves_the_global_one_alone():
    state = torch.get_rng_state()
    first, second = (generate_swiss_roll(9, generator=torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, second) and torch.equal(state, torch.get_rng_state())


def test_batches_are_as_many_as_asked_and_always_new():
    batches = SwissRollBatches(7, 3)
    seen = torch.cat([x for _ in range(2) for (x,) in batches])
    assert len(batches) == 3 and seen.shape == (42, 2) and len(seen.unique(dim=0)) == 42


# ------------------------------------------------------------------------------------------------ the model


def test_same_seed_gives_the_weights_of_the_assigned_layers():
    """Built afresh in the assignment's order: encoder, fc_mu, fc_logvar, decoder."""
    sizes = [(2, 16), (16, 16), (16, 16), (16, 3), (16, 3), (3, 16), (16, 16), (16, 16), (16, 2)]
    torch.manual_seed(1)
    layers = [nn.Linear(*size) for size in sizes]
    torch.manual_seed(1)
    vae = VAE(latent_dim=3, hidden_dim=16)
    expected = [p for layer in layers for p in layer.parameters()]
    assert len(list(vae.parameters())) == len(expected)
    assert all(torch.equal(a, b) for a, b in zip(vae.parameters(), expected, strict=True))

    x = torch.randn(5, 2)
    h = x
    for layer in layers[:3]:
        h = layer(h).relu()
    mu, logvar = vae.encode(x)
    torch.testing.assert_close(mu, layers[3](h))
    torch.testing.assert_close(logvar, layers[4](h))
    h = z = torch.randn(5, 3)
    for layer in layers[5:8]:
        h = layer(h).relu()
    torch.testing.assert_close(vae.decode(z), layers[8](h))


@pytest.mark.parametrize(("batch", "latent_dim", "hidden_dim"), [(1, 1, 1), (1, 2, 256), (7, 8, 33)])
def test_shapes(batch, latent_dim, hidden_dim):
    recon_x, mu, logvar = VAE(latent_dim, hidden_dim)(generate_swiss_roll(batch))
    assert recon_x.shape == (batch, 2) and mu.shape == logvar.shape == (batch, latent_dim)


def test_reparameterize_scales_the_noise_by_the_standard_deviation():
    vae, mu, logvar = VAE(), torch.randn(4, 2), torch.randn(4, 2)
    torch.manual_seed(5)
    z = vae.reparameterize(mu, logvar)
    torch.manual_seed(5)
    torch.testing.assert_close(z, mu + logvar.exp().sqrt() * torch.randn(4, 2))


# ------------------------------------------------------------------------------------------------ the loss


@pytest.mark.parametrize("batch", [1, 37])
@pytest.mark.parametrize("latent_dim", [1, 2, 8])
def test_loss_is_the_mean_over_batch_and_dimensions_of_both_terms(batch, latent_dim):
    vae, x, beta = VAE(latent_dim, 16).double(), generate_swiss_roll(batch).double(), 0.3
    torch.manual_seed(2)
    loss = compute_vae_loss(vae, x, beta)
    torch.manual_seed(2)
    recon_x, mu, logvar = vae(x)
    error = sum((recon_x[i, j] - x[i, j]) ** 2 for i in range(batch) for j in range(2)) / (2 * batch)
    kl = kl_divergence(Normal(mu, logvar.exp().sqrt()), standard_normal(mu))
    torch.testing.assert_close(loss, error + beta * kl.sum() / (batch * latent_dim))


@pytest.mark.parametrize(("latent_dim", "beta"), [(1, 0.01), (2, 0.01), (2, 1.0), (8, 0.04)])
def test_loss_is_a_scaled_elbo_with_the_stated_decoder_variance(latent_dim, beta):
    vae, x = VAE(latent_dim, 16).double(), generate_swiss_roll(50).double()
    variance = decoder_variance(beta, latent_dim)
    torch.manual_seed(2)
    loss = compute_vae_loss(vae, x, beta)
    torch.manual_seed(2)
    recon_x, mu, logvar = vae(x)
    log_likelihood = Independent(Normal(recon_x, math.sqrt(variance)), 1).log_prob(x)
    kl = kl_divergence(Normal(mu, logvar.exp().sqrt()), standard_normal(mu)).sum(dim=1)
    elbo = (log_likelihood - kl).mean()
    torch.testing.assert_close(loss, beta / latent_dim * (-elbo - math.log(2 * math.pi * variance)))


def test_eight_latents_at_one_beta_mean_a_quarter_of_the_variance_of_two():
    assert decoder_variance(0.01, 2) == pytest.approx(0.005)
    assert decoder_variance(0.01, 8) == pytest.approx(0.00125)


@pytest.mark.parametrize("beta", [0.0, 0.01])
def test_gradients_reach_every_parameter(beta):
    """Without the KL too: through the draw, and only through it, the encoder hears of the error."""
    vae = VAE(2, 16)
    compute_vae_loss(vae, generate_swiss_roll(64), beta).backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in vae.parameters())


# ------------------------------------------------------------------------------------------------ training


def test_training_takes_the_steps_of_a_plain_loop():
    model, losses, device = train_vae(30, 16, 1e-2, 0.02, hidden_dim=16, seed=4)

    torch.manual_seed(4)
    vae = VAE(2, 16).to(device)
    optimizer = torch.optim.Adam(vae.parameters(), lr=1e-2)
    expected = []
    for _ in range(30):
        recon_x, mu, logvar = vae(x := generate_swiss_roll(16).to(device))
        kl = kl_divergence(Normal(mu, logvar.exp().sqrt()), standard_normal(mu))
        loss = nn.functional.mse_loss(recon_x, x) + 0.02 * kl.mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        expected.append(loss.item())
    np.testing.assert_allclose(losses, expected, rtol=1e-4)
    for ours, theirs in zip(model.parameters(), vae.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("n_steps", [1, 7, 53, 100])
def test_one_loss_a_step_whatever_their_number(n_steps):
    assert len(train_vae(n_steps, 4, hidden_dim=4)[1]) == n_steps


def test_a_seed_decides_everything_and_leaves_the_global_one_alone():
    state = torch.get_rng_state()
    first, second = (train_vae(20, 8, hidden_dim=8, seed=1)[1] for _ in range(2))
    assert first == second != train_vae(20, 8, hidden_dim=8, seed=2)[1]
    assert torch.equal(state, torch.get_rng_state())


def test_training_learns():
    _, losses, _ = train_vae(150, hidden_dim=64, lr=3e-3, seed=0)
    assert np.mean(losses[-20:]) < 0.06 < 0.15 < np.mean(losses[:5])


def test_loss_stands_in_the_progress_bar(monkeypatch):
    shown = []

    class Bar(list):
        def set_postfix(self, values):
            shown.append(values)

    monkeypatch.setattr(training, "progress", lambda steps, description: Bar(steps))
    _, losses, _ = train_vae(100, 8, hidden_dim=8)
    assert [float(s["loss"]) for s in shown] == pytest.approx([np.mean(losses[:50]), np.mean(losses[50:])], rel=1e-3)


def test_drawing_sees_before_every_interval_and_after_and_changes_nothing():
    figures = []
    model, losses, device = train_vae_with_visualization(
        25, 8, viz_interval=10, hidden_dim=8, seed=3, show=figures.append
    )
    (figure,) = figures
    plain, plain_losses, _ = train_vae(25, 8, hidden_dim=8, seed=3)
    assert isinstance(figure, Figure) and device == next(model.parameters()).device
    assert [ax.get_title() for ax in figure.axes] == ["before", "step 10", "step 20", "after 25 steps"]
    assert losses == plain_losses
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), plain.parameters(), strict=True))
    drawn = figure.axes[-1].collections[1].get_offsets()
    np.testing.assert_allclose(drawn, decoded_grid(model), atol=1e-6)


# ------------------------------------------------------------------------------------------------ pictures


def test_lines_join_each_point_with_its_own_reconstruction():
    model = VAE(2, 8)
    torch.manual_seed(6)
    figure = visualize_reconstructions(model, n_points=50)
    left, right = figure.axes
    x = torch.from_numpy(np.asarray(left.collections[0].get_offsets())).float()
    torch.manual_seed(6)
    with torch.no_grad():
        recon_x, _, _ = model(x)
    (joined,) = (c for c in right.collections if isinstance(c, LineCollection))
    segments = np.array([path.vertices for path in joined.get_paths()])
    np.testing.assert_allclose(segments, torch.stack([x, recon_x], dim=1), atol=1e-6)


def test_latent_space_shows_a_square_grid_over_points_of_the_roll():
    model, state = VAE(2, 8), torch.get_rng_state()
    figure = visualize_latent_space(model, n_points=1000)
    assert torch.equal(state, torch.get_rng_state())
    real, decoded = (np.asarray(c.get_offsets()) for c in figure.axes[0].collections)
    assert len(real) == 1000 and len(decoded) == 31**2
    assert distance_to_roll(torch.from_numpy(real).float()).max() < 1.5e-3


# ------------------------------------------------------------------------------------------------ two estimators


class OneLatent(nn.Module):
    """q(z|x) = N(x_1, exp(x_2)) and decode(z) - x such that the error is z^2 / 2: all gradients are known."""

    def encode(self, x):
        return x[:, :1], x[:, 1:]

    def reparameterize(self, mu, logvar):
        return mu + (0.5 * logvar).exp() * torch.randn_like(mu)

    def decode(self, z):
        return torch.cat([z, torch.zeros_like(z)], dim=-1) + self.target

    target = torch.tensor([1.5, math.log(0.49)])


@pytest.mark.parametrize("estimator", ["reparameterization", "score function", "score function with baseline"])
def test_gradient_estimates_have_the_exact_mean_and_variance(estimator):
    """E z^2/2 = (mu^2 + s^2)/2, so the gradients are mu and s^2/2; variances for mu by Gaussian moments."""
    mu, var, n = 1.5, 0.49, 200_000
    g = expected_error_gradients(OneLatent(), OneLatent.target[None], n, estimator)[:, 0]
    exact = torch.tensor([mu, var / 2])
    assert ((g.mean(dim=0) - exact).abs() < 4.5 * g.std(dim=0) / math.sqrt(n)).all()
    moments = {"reparameterization": var, "score function": (mu**4 / var + 14 * mu**2 + 15 * var) / 4}
    if estimator in moments:
        assert float(g[:, 0].var()) == pytest.approx(moments[estimator], rel=0.05)


def test_score_function_loss_has_our_value_and_on_average_our_gradient():
    torch.manual_seed(7)
    vae = VAE(2, 8)
    with torch.no_grad():  # an untrained decoder hardly depends on z: make it
        vae.decoder.layers[0].weight.mul_(4)
    x = generate_swiss_roll(4).repeat(30_000, 1)
    parameters = [vae.fc_mu.bias, vae.fc_logvar.bias, *vae.decoder.parameters()]
    values, gradients, of_decoder = [], [], []
    for loss in (compute_vae_loss, score_function_loss):
        torch.manual_seed(8)
        values.append(loss(vae, x, 0.01))
        mu, logvar, *decoder = torch.autograd.grad(values[-1], parameters)
        gradients.append(torch.cat([mu, logvar]))
        of_decoder.append(decoder)
    torch.testing.assert_close(*values)
    torch.testing.assert_close(*of_decoder)  # the estimators differ in the encoder alone
    per_point = expected_error_gradients(vae, x[:4], 2000, "score function")
    spread = per_point.mean(dim=1).var(dim=0).sqrt() * math.sqrt(4 / len(x))  # one gradient of len(x) points
    assert gradients[0].abs().max() > 8 * spread.max()  # or agreement would mean nothing
    assert ((gradients[0] - gradients[1]).abs() < 5 * spread).all()


# ------------------------------------------------------------------------------------------------ measures


def test_distance_to_roll():
    on_it = generate_swiss_roll(500)
    assert distance_to_roll(on_it).max() < 1.5e-3
    origin = distance_to_roll(torch.zeros(1, 2))  # nearest is the inner end, at radius 1.5 pi / 15
    assert float(origin) == pytest.approx(0.1 * math.pi, abs=1e-3)
    far = distance_to_roll(torch.tensor([[0.0, 10.0]]))  # nearest is the outer end, straight below
    assert float(far) == pytest.approx(10 - 0.3 * math.pi, abs=1e-3)


def test_report_of_a_model_that_decodes_everything_to_the_origin():
    vae = VAE(2, 4)
    with torch.no_grad():
        for p in vae.parameters():
            p.zero_()
    report = measure(vae, 0.5, num=4000)
    assert report.kl == 0
    assert report.error == pytest.approx(math.sqrt(9.75) * math.pi / 15, rel=0.03)
    assert report.loss == pytest.approx(report.error**2 / 2)
    assert report.off_roll == pytest.approx(0.1 * math.pi, abs=1e-3)
    assert report.missed == pytest.approx(0.2 * math.pi, rel=0.03)  # the mean radius


def test_report_agrees_with_the_loss_and_repeats():
    vae, state = VAE(3, 16), torch.get_rng_state()
    report = measure(vae, 0.3)
    assert report == measure(vae, 0.3) and torch.equal(state, torch.get_rng_state())
    torch.manual_seed(0)
    assert report.loss == pytest.approx(float(compute_vae_loss(vae, generate_swiss_roll(4000), 0.3).detach()), rel=1e-5)


@pytest.mark.parametrize(("beta", "latent_dim"), [(0.001, 2), (0.01, 2), (0.01, 8)])
def test_least_loss_at_small_noise_is_the_entropy_along_the_curve_less_that_of_the_noise(beta, latent_dim):
    t = np.linspace(1.5 * np.pi, 4.5 * np.pi, 200_001)
    entropy = np.log(3 * np.pi) + np.log(np.sqrt(1 + t**2) / 15).mean()
    expected = beta / latent_dim * (entropy - 0.5 * np.log(2 * np.pi * beta / latent_dim))
    assert least_loss(beta, latent_dim) == pytest.approx(expected, rel=0.003)


@pytest.mark.parametrize("beta", [1.0, 3.0])
def test_least_loss_at_large_beta_is_the_variance_of_the_roll(beta):
    assert least_loss(beta) == pytest.approx(VARIANCE, rel=2e-3) and least_loss(beta) <= VARIANCE + 1e-9
    t = torch.linspace(1.5 * math.pi, 4.5 * math.pi, 100_001, dtype=torch.float64)
    assert float(roll(t).var(dim=0).mean()) == pytest.approx(VARIANCE, rel=1e-4)


def test_least_loss_is_below_a_code_that_names_the_nearest_of_n_points():
    """n equally likely stretches, each decoded to its mean: information log n, error the variance within."""
    beta = 0.02
    for n in (4, 12, 40):
        t = torch.linspace(1.5 * math.pi, 4.5 * math.pi, 1200 * n + 1, dtype=torch.float64)[:-1]
        within = roll(t).reshape(n, -1, 2).var(dim=1, correction=0).mean()
        assert least_loss(beta) < float(within) + beta / 2 * math.log(n)


# ------------------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: generate_swiss_roll(0), "n_samples must be at least 1, got 0"),
        (lambda: SwissRollBatches(0, 3), "batch_size must be at least 1, got 0"),
        (lambda: VAE(latent_dim=0), "must be at least 1, got 0 and 256"),
        (lambda: VAE()(torch.zeros(2)), r"shape \(batch, 2\), got \(2,\)"),
        (lambda: VAE()(torch.zeros(5, 3)), r"shape \(batch, 2\), got \(5, 3\)"),
        (lambda: compute_vae_loss(VAE(), torch.zeros(5, 2), -1), "beta must be 0 or larger, got -1"),
        (lambda: train_vae(0), "at least 1, got 0 in all"),
        (lambda: train_vae(5, beta=math.nan), "beta must be 0 or larger, got nan"),
        (lambda: train_vae_with_visualization(5, viz_interval=0), "0 between pictures"),
        (lambda: visualize_latent_space(VAE(8)), "a model with 2 latents, got 8"),
        (lambda: decoder_variance(0.0), "beta above 0"),
        (lambda: least_loss(1e-6), "from 0.0005 to 10, got 1e-06"),
        (lambda: expected_error_gradients(VAE(), torch.zeros(5, 2), 1, "score function"), "at least 2, got 1"),
        (lambda: expected_error_gradients(VAE(), torch.zeros(5, 2), 9, "reinforce"), "estimator 'reinforce'"),
    ],
)
def test_bad_input_gives_one_clear_sentence(call, says):
    with pytest.raises(ValueError, match=says) as raised:
        call()
    assert "\n" not in str(raised.value)


def test_a_loss_that_is_not_finite_stops_training():
    with pytest.raises(FloatingPointError, match="loss was nan at step 1 of epoch 1"):
        train_vae(5, 4, hidden_dim=4, loss=lambda model, x, beta: compute_vae_loss(model, x, beta) * math.nan)


def test_module_is_listed_in_full():
    assert all(hasattr(swiss_roll, name) for name in swiss_roll.__all__)


def test_a_taught_model_knows_the_rolls_parameter_in_both_directions():
    torch.manual_seed(0)
    model = teach_parameter(VAE(latent_dim=1, hidden_dim=64), n_steps=600, lr=3e-3)
    u = torch.linspace(0.02, 0.98, 97)
    with torch.no_grad():
        mu, logvar = model.encode(roll(T_MIN * (1 + 2 * u)))
        quantiles = Normal(0.0, 1.0).icdf(u)
        x_hat = model.decode(quantiles[:, None])
    assert float((mu[:, 0] - quantiles).square().mean()) < 0.1
    assert float((x_hat - roll(T_MIN * (1 + 2 * u))).square().sum(dim=1).mean()) < 0.02
    assert float(logvar.mean()) < -4
    with pytest.raises(ValueError, match="expected a model with 1 latent, got 2"):
        teach_parameter(VAE())


def test_training_goes_on_from_a_given_model():
    start = VAE(latent_dim=1, hidden_dim=8)
    model, losses, _ = train_vae(50, latent_dim=1, start=start, seed=0)
    assert model is start and len(losses) == 50
