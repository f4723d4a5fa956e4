"""The hand-computed VAE against torch, quadrature and closed forms; and the torch core against it."""

import math
import subprocess
import sys
from dataclasses import FrozenInstanceError, replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence

from helpers import numpy_vae as vae
from helpers.core import gaussian

ROOT = Path(__file__).resolve().parents[2]
SCENARIOS = {"standard": vae.STANDARD, "collapse": vae.COLLAPSE}


def draw_parameters(seed: int, latents: int = 2) -> vae.Parameters:
    """Full matrices without any symmetry, and variances that depend on x."""
    rng = np.random.default_rng(seed)
    return vae.Parameters(
        W_mu=0.5 * rng.standard_normal((latents, 2)), b_mu=rng.standard_normal(latents),
        W_ls=0.2 * rng.standard_normal((latents, 2)), b_ls=-0.5 + 0.3 * rng.standard_normal(latents),
        W_dec=rng.standard_normal((2, latents)), b_dec=rng.standard_normal(2),
    )  # fmt: skip


ANY = {**SCENARIOS, "full": draw_parameters(1), "one latent": draw_parameters(2, 1), "three": draw_parameters(3, 3)}


def quadrature(dimensions: int, nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Points and weights of the standard normal's Gauss-Hermite rule, shapes (M, dimensions) and (M,)."""
    position, weight = np.polynomial.hermite_e.hermegauss(nodes)
    grid = np.stack(np.meshgrid(*[position] * dimensions, indexing="ij"), axis=-1).reshape(-1, dimensions)
    weights = np.stack(np.meshgrid(*[weight / weight.sum()] * dimensions, indexing="ij"), axis=-1)
    return grid, weights.reshape(-1, dimensions).prod(axis=1)


def brute_force(p: vae.Parameters) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of one point's squared error and KL, summed over a grid of x and eps."""
    latents = len(p.b_mu)
    points, weights = quadrature(2 + latents, nodes={1: 24, 2: 18, 3: 12}[latents])
    run = vae.forward(vae.DATA_MEAN + points[:, :2], p, points[:, 2:])
    terms = np.stack([run.recon, run.kl])
    mean = terms @ weights
    centred = terms - mean[:, None]
    return mean, (centred * weights) @ centred.T


# ---------------------------------------------------------------- the module stands alone


def test_what_the_notebook_imports_needs_no_torch():
    code = (
        "import sys; from helpers import plots; from helpers.notebook import claims, show; import helpers.numpy_vae; "
    )
    code += "print(sorted({'torch', 'torchvision'} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_imports_neither_torch_nor_a_helper_that_does():
    code = "import sys, helpers.numpy_vae; print(sorted({'torch', 'matplotlib', 'helpers.core'} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


# ---------------------------------------------------------------- the two implementations, and torch's own


@pytest.fixture
def gaussians() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x, mu = 2 * rng.standard_normal((2, 7, 5, 3))
    return x, mu, rng.uniform(-6, 3, (7, 5, 3))


def test_kl_agrees_with_torch_and_with_the_core(gaussians):
    _, mu, logvar = map(torch.from_numpy, gaussians)
    ours = vae.kl_divergence(mu.numpy(), logvar.numpy())
    prior = Independent(Normal(torch.zeros_like(mu), torch.ones_like(mu)), 1)
    torch.testing.assert_close(
        torch.from_numpy(ours), kl_divergence(Independent(Normal(mu, (logvar / 2).exp()), 1), prior)
    )
    torch.testing.assert_close(gaussian.kl_standard_normal(mu, logvar), torch.from_numpy(ours))


def test_log_density_agrees_with_torch_and_with_the_core(gaussians):
    x, mu, logvar = map(torch.from_numpy, gaussians)
    ours = torch.from_numpy(vae.log_density(*gaussians))
    torch.testing.assert_close(ours, Independent(Normal(mu, (logvar / 2).exp()), 1).log_prob(x))
    torch.testing.assert_close(gaussian.log_prob(x, mu, logvar), ours)


def test_reparameterization_agrees_with_the_core_on_the_same_noise(gaussians):
    _, mu, logvar = map(torch.from_numpy, gaussians)
    theirs = gaussian.reparameterize(mu, logvar, torch.Generator().manual_seed(4))
    eps = torch.randn(mu.shape, generator=torch.Generator().manual_seed(4), dtype=mu.dtype)
    ours = vae.reparameterize(mu.numpy(), logvar.numpy(), eps.numpy())
    torch.testing.assert_close(theirs, torch.from_numpy(ours))


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("KL averaged over latents", lambda mu, ls: 0.5 * (np.exp(ls) + mu**2 - ls - 1).mean(axis=-1)),
        ("log sigma for log sigma^2", lambda mu, ls: 0.5 * (np.exp(2 * ls) + mu**2 - 2 * ls - 1).sum(axis=-1)),
        ("sign of the logarithm", lambda mu, ls: 0.5 * (np.exp(ls) + mu**2 + ls - 1).sum(axis=-1)),
    ],
)
def test_the_comparison_with_torch_catches_a_wrong_kl(monkeypatch, gaussians, name, wrong):
    monkeypatch.setattr(vae, "kl_divergence", wrong)
    with pytest.raises(AssertionError):
        test_kl_agrees_with_torch_and_with_the_core(gaussians)


def test_squared_error_is_a_gaussian_likelihood_of_variance_one_half():
    x, y = np.random.default_rng(0).standard_normal((2, 50, 2))
    nll = -Independent(Normal(torch.from_numpy(y), math.sqrt(0.5)), 1).log_prob(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(vae.squared_error(x, y), nll - math.log(math.pi))


# ---------------------------------------------------------------- the forward pass


def assert_maps_act_on_columns(p: vae.Parameters) -> None:
    X, Z = np.random.default_rng(0).standard_normal((2, 20, 2))
    mu, logvar = vae.encode(X, p)
    np.testing.assert_allclose(mu, [p.W_mu @ x + p.b_mu for x in X])
    np.testing.assert_allclose(logvar, [p.W_ls @ x + p.b_ls for x in X])
    np.testing.assert_allclose(vae.decode(Z, p), [p.W_dec @ z + p.b_dec for z in Z])


@pytest.mark.parametrize("p", [vae.STANDARD, vae.COLLAPSE, draw_parameters(1)], ids=["standard", "collapse", "full"])
def test_maps_act_on_columns(p):
    assert_maps_act_on_columns(p)


def test_a_forgotten_transpose_shows_unless_the_matrices_are_diagonal(monkeypatch):
    monkeypatch.setattr(vae, "encode", lambda X, p: (X @ p.W_mu + p.b_mu, X @ p.W_ls + p.b_ls))
    assert_maps_act_on_columns(vae.STANDARD)
    with pytest.raises(AssertionError):
        assert_maps_act_on_columns(vae.COLLAPSE)


def test_the_scenarios_are_the_assignments():
    assert vae.STANDARD.W_mu.tolist() == [[0.5, 0], [0, 0.5]]
    assert vae.STANDARD.W_ls.tolist() == [[0.1, 0], [0, 0.1]]
    assert vae.STANDARD.W_dec.tolist() == [[1.4, 0], [0, 1.4]]
    assert [b.tolist() for b in (vae.STANDARD.b_mu, vae.STANDARD.b_ls, vae.STANDARD.b_dec)] == [
        [-0.5, -0.25], [-1, -1], [1.5, 1],
    ]  # fmt: skip
    assert vae.COLLAPSE.W_mu.tolist() == [[0.01, 0.01], [-0.01, -0.01]]
    assert vae.COLLAPSE.W_ls.tolist() == [[0, 0], [0, 0]]
    assert [b.tolist() for b in (vae.COLLAPSE.b_mu, vae.COLLAPSE.b_ls)] == [[0.05, -0.05], [-0.1, -0.1]]
    assert np.array_equal(vae.COLLAPSE.W_dec, vae.STANDARD.W_dec)
    assert np.array_equal(vae.COLLAPSE.b_dec, vae.STANDARD.b_dec)


def test_forward_equals_a_torch_pass_written_out_per_point():
    p, rng = draw_parameters(5), np.random.default_rng(1)
    X, eps = vae.generate_data(30, rng), rng.standard_normal((30, 2))
    run = vae.forward(X, p, eps)
    W_mu, b_mu, W_ls, b_ls, W_dec, b_dec = (torch.tensor(w) for w in p)
    prior = MultivariateNormal(torch.zeros(2, dtype=torch.float64), torch.eye(2, dtype=torch.float64))
    recon, kl = [], []
    for x, e in zip(torch.from_numpy(X), torch.from_numpy(eps), strict=True):
        std = (W_ls @ x + b_ls).exp().sqrt()
        q = MultivariateNormal(W_mu @ x + b_mu, torch.diag(std**2))
        recon.append(torch.dist(x, W_dec @ (q.loc + std * e) + b_dec) ** 2)
        kl.append(kl_divergence(q, prior))
    np.testing.assert_allclose(run.recon, torch.stack(recon))
    np.testing.assert_allclose(run.kl, torch.stack(kl))
    np.testing.assert_allclose([run.L_recon, run.L_KL], [torch.stack(recon).mean(), torch.stack(kl).mean()])
    for beta in (0, 0.2, 1, 4):
        assert run.loss(beta) == pytest.approx(run.L_recon + beta * run.L_KL)
        assert vae.vae_loss(run.recon, run.kl, beta) == run.loss(beta)


def test_data_have_the_assignments_distribution_and_repeat_with_the_seed():
    n = 200_000
    X = vae.generate_data(n, np.random.default_rng(0))
    assert X.shape == (n, 2)
    assert np.abs(X.mean(axis=0) - [3, 2]).max() < 4 / math.sqrt(n)
    assert np.abs(np.cov(X.T) - np.eye(2)).max() < 4 * math.sqrt(2 / n)
    assert np.array_equal(*(vae.generate_data(9, np.random.default_rng(7)) for _ in range(2)))


# ---------------------------------------------------------------- exact expectations


@pytest.mark.parametrize("name", ANY)
def test_expected_losses_equal_brute_force_quadrature(name):
    exact = vae.expected_losses(ANY[name])
    mean, covariance = brute_force(ANY[name])
    np.testing.assert_allclose([exact.L_recon, exact.L_KL], mean, rtol=1e-9)
    np.testing.assert_allclose(exact.covariance, covariance, rtol=1e-7, atol=1e-12)
    for recon, kl in ((1, 0), (0, 1), (1, 1), (1, 0.2)):
        one_point = np.array([recon, kl]) @ covariance @ [recon, kl]
        assert exact.standard_error(recon, kl, num_points=400) == pytest.approx(math.sqrt(one_point) / 20, rel=1e-6)


def test_quadrature_catches_a_forgotten_lognormal_correction(monkeypatch):
    """E[sigma^2] is not exp(E[log sigma^2]); with rows of W_ls this small the two differ by half a percent."""
    expected = vae.expected_losses

    def naive(p):
        return expected(replace(p, b_ls=p.b_ls - 0.5 * (p.W_ls**2).sum(axis=1)))

    monkeypatch.setattr(vae, "expected_losses", naive)
    with pytest.raises(AssertionError):
        test_expected_losses_equal_brute_force_quadrature("standard")


@pytest.mark.parametrize("name", ANY)
def test_expected_losses_equal_a_large_sample(name):
    n, p, rng = 200_000, ANY[name], np.random.default_rng(8)
    exact = vae.expected_losses(p)
    run = vae.forward(vae.generate_data(n, rng), p, rng.standard_normal((n, len(p.b_mu))))
    assert abs(run.L_recon - exact.L_recon) < 4 * exact.standard_error(1, 0, n)
    assert abs(run.L_KL - exact.L_KL) < 4 * exact.standard_error(0, 1, n)
    assert abs(run.loss(0.2) - exact.loss(0.2)) < 4 * exact.standard_error(1, 0.2, n)
    shift = (run.X_prime.mean(axis=0) - vae.DATA_MEAN) ** 2
    assert shift.sum() == pytest.approx(exact.off_centre, abs=0.1)


@pytest.mark.parametrize(
    ("name", "L_recon", "L_KL", "loss", "loss_02", "errors"),
    [
        ("standard", "2.055785", "1.256578", "3.312363", "2.307101", ("0.0657", "0.0203", "0.0708", "0.0663")),
        ("collapse", "8.696947", "0.015037", "8.711984", "8.699954", ("0.2562", "0.00009", "0.2563", "0.2562")),
    ],
)
def test_the_table_of_the_house_plan(name, L_recon, L_KL, loss, loss_02, errors):
    exact = vae.expected_losses(SCENARIOS[name])
    values = (exact.L_recon, exact.L_KL, exact.loss(), exact.loss(0.2))
    assert tuple(f"{v:.6f}" for v in values) == (L_recon, L_KL, loss, loss_02)
    weights = ((1, 0), (0, 1), (1, 1), (1, 0.2))
    digits = [len(e.split(".")[1]) for e in errors]
    assert tuple(f"{exact.standard_error(*w):.{d}f}" for w, d in zip(weights, digits, strict=True)) == errors


def test_closed_forms_worked_out_by_hand():
    exact, exact_c = vae.expected_losses(vae.STANDARD), vae.expected_losses(vae.COLLAPSE)
    variances = math.exp(-0.695) + math.exp(-0.795)
    assert exact[:4] == pytest.approx((0.0125, 0.18, 1.96 * variances, 0.5 * (variances + 1.5625)))
    noise = 3.92 * math.exp(-0.1)
    assert exact_c[:4] == pytest.approx((1.36**2 + 1.14**2, 2.000784, noise, math.exp(-0.1) + 0.0102 + 0.1 - 1))


def largest_distance(**bugs) -> float:
    """Of the four reported numbers at N = 1000, the one farthest from its expectation, in standard errors."""
    rng = np.random.default_rng(0)
    X, eps = vae.generate_data(1000, rng), rng.standard_normal((1000, 2))
    turn, sigma, total = (bugs.get(k, d) for k, d in (("turn", np.transpose), ("sigma", None), ("total", np.sum)))
    sigma = sigma or (lambda logvar: np.exp(logvar / 2))
    distances = []
    for p in SCENARIOS.values():
        mu, logvar = X @ turn(p.W_mu) + p.b_mu, X @ turn(p.W_ls) + p.b_ls
        X_prime = (mu + sigma(logvar) * eps) @ turn(p.W_dec) + p.b_dec
        recon = total((X - X_prime) ** 2, axis=1)
        kl = total(0.5 * (sigma(logvar) ** 2 + mu**2 - logvar - 1), axis=1)
        exact = vae.expected_losses(p)
        distances.append(abs(recon.mean() - exact.L_recon) / exact.standard_error(1, 0))
        distances.append(abs(kl.mean() - exact.L_KL) / exact.standard_error(0, 1))
    return max(distances)


def test_the_band_of_four_standard_errors_passes_the_right_code_and_fails_popular_mistakes():
    assert largest_distance() < 4
    for bug in ({"turn": np.asarray}, {"sigma": np.asarray}, {"sigma": np.exp}, {"total": np.mean}):
        assert largest_distance(**bug) > 40


# ---------------------------------------------------------------- the least possible loss


@pytest.mark.parametrize("beta", [0.01, 0.2, 0.5, 1, 1.9, 2, 2.1, 5])
def test_least_loss_is_the_gaussian_rate_distortion_tradeoff_and_is_attained(beta):
    """Shannon 1959: two unit Gaussians cost log(2 / D) nats at a total squared error of D <= 2."""
    distortion = np.linspace(1e-4, 2, 200_001)
    by_scan = (distortion + beta * np.log(2 / distortion)).min()
    assert vae.least_loss(beta) == pytest.approx(by_scan, abs=1e-6)
    assert vae.expected_losses(vae.optimal_parameters(beta)).loss(beta) == pytest.approx(vae.least_loss(beta))


def test_least_loss_at_the_quoted_betas():
    assert f"{vae.least_loss(1):.3f} {vae.least_loss(0.2):.3f} {vae.least_loss(3)} {vae.least_loss(0)}" == (
        "1.693 0.661 2.0 0.0"
    )
    assert vae.least_loss(2 - 1e-9) == pytest.approx(vae.least_loss(2 + 1e-9))


@pytest.mark.parametrize("beta", [0.2, 1, 2, 3])
def test_no_affine_pair_is_below_the_least_loss(beta):
    rng = np.random.default_rng(0)
    best, least = vae.optimal_parameters(beta), vae.least_loss(beta)
    for i, scale in product(range(100), (1e-3, 0.03, 0.3)):
        near = vae.Parameters(*(w + scale * rng.standard_normal(w.shape) for w in best))
        assert vae.expected_losses(near).loss(beta) >= least
        assert vae.expected_losses(draw_parameters(100 + i, latents=1 + i % 3)).loss(beta) >= least


@pytest.mark.parametrize("beta", [0.2, 1, 1.9])
def test_the_optimum_is_an_exact_model_of_the_data_with_its_exact_posterior(beta):
    p, v = vae.optimal_parameters(beta), beta / 2
    np.testing.assert_allclose(p.W_dec @ p.W_dec.T + v * np.eye(2), vae.DATA_COV, atol=1e-12)
    np.testing.assert_allclose(p.b_dec, vae.DATA_MEAN)
    precision = np.eye(2) + p.W_dec.T @ p.W_dec / v
    x = np.array([[0.3, -1.0], [5.0, 2.0]])
    mu, logvar = vae.encode(x, p)
    np.testing.assert_allclose(mu, np.linalg.solve(precision, p.W_dec.T @ (x - p.b_dec).T / v).T, atol=1e-12)
    np.testing.assert_allclose(np.exp(logvar), np.tile(1 / np.diag(precision), (2, 1)))


def test_a_centred_collapse_beats_the_healthy_parameters_at_every_beta():
    centred = vae.expected_losses(vae.optimal_parameters(2))
    assert (centred.off_centre, centred.lost, centred.noise, centred.L_KL) == (0, 2, 0, 0)
    healthy = vae.expected_losses(vae.STANDARD)
    assert healthy.L_recon > 2
    assert all(centred.loss(beta) == 2 < healthy.loss(beta) for beta in (0, 0.2, 1, 10))


def test_the_best_encoder_for_the_scripted_decoder_scores_2_660():
    """Its exact posterior, by Bayes' rule; the same number from torch's marginal density."""
    var = 1 / (1 + 1.4**2 / 0.5)
    gain = var * 1.4 / 0.5
    posterior = replace(
        vae.STANDARD, W_mu=gain * np.eye(2), b_mu=-gain * vae.STANDARD.b_dec,
        W_ls=np.zeros((2, 2)), b_ls=np.full(2, math.log(var)),
    )  # fmt: skip
    model = MultivariateNormal(torch.tensor([1.5, 1.0]), 2.46 * torch.eye(2))
    data = MultivariateNormal(torch.tensor([3.0, 2.0]), torch.eye(2))
    nll = float(kl_divergence(data, model) + data.entropy())
    assert vae.expected_losses(posterior).loss() == pytest.approx(nll - math.log(math.pi), rel=1e-6)
    assert f"{nll:.3f} {vae.expected_losses(posterior).loss():.3f}" == "3.805 2.660"
    free = vae.STANDARD
    for _ in range(3000):  # descent on the encoder alone gets there, and no further
        slope = vae.loss_gradient(free, 1.0)
        free = vae.Parameters(
            *(w - 0.01 * g for w, g in zip(list(free)[:4], list(slope)[:4], strict=True)), free.W_dec, free.b_dec
        )
    assert vae.expected_losses(free).loss() == pytest.approx(vae.expected_losses(posterior).loss(), abs=5e-3)
    assert vae.expected_losses(free).loss() >= vae.expected_losses(posterior).loss()


# ---------------------------------------------------------------- gradient and descent


def quadrature_gradient(p: vae.Parameters, beta: float) -> list[torch.Tensor]:
    """By torch's automatic differentiation of the loss summed over a grid of x and eps."""
    points, weights = map(torch.from_numpy, quadrature(2 + len(p.b_mu), nodes=10))
    W_mu, b_mu, W_ls, b_ls, W_dec, b_dec = leaves = [torch.tensor(w, requires_grad=True) for w in p]
    x, eps = torch.from_numpy(vae.DATA_MEAN) + points[:, :2], points[:, 2:]
    std = ((x @ W_ls.T + b_ls) / 2).exp()
    mu = x @ W_mu.T + b_mu
    q, prior = Normal(mu, std), Normal(torch.zeros_like(mu), torch.ones_like(mu))
    error = (x - (mu + std * eps) @ W_dec.T - b_dec).square().sum(-1)
    loss = weights @ (error + beta * kl_divergence(q, prior).sum(-1))
    return list(torch.autograd.grad(loss, leaves))


@pytest.mark.parametrize(("name", "beta"), [("standard", 1.0), ("collapse", 0.2), ("full", 3.0), ("one latent", 0.5)])
def test_gradient_equals_automatic_differentiation(name, beta):
    slope = vae.loss_gradient(ANY[name], beta)
    for ours, theirs in zip(slope, quadrature_gradient(ANY[name], beta), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("beta", [1.0, 3.0])
def test_descent_from_the_scripted_collapse_reaches_the_least_loss(beta):
    path = vae.descend(vae.COLLAPSE, beta, num_steps=6000)
    assert len(path) == 6001
    assert path[0] is vae.COLLAPSE
    end = vae.expected_losses(path[-1])
    assert vae.least_loss(beta) - 1e-9 <= end.loss(beta) <= vae.least_loss(beta) + 1e-3
    np.testing.assert_allclose(end.L_KL, max(math.log(2 / beta), 0), atol=0.02)


@pytest.mark.parametrize(("beta", "leaves"), [(0.2, True), (1, True), (1.9, True), (2.1, False), (3, False)])
def test_the_centred_collapse_is_a_saddle_below_beta_2_and_a_minimum_above(beta, leaves):
    collapsed = vae.optimal_parameters(2)
    assert all(np.allclose(g, 0) for g in vae.loss_gradient(collapsed, beta))
    a, g = 1e-3 * 2 / beta, 1e-3  # the direction of least curvature, to a factor
    nudged = replace(
        collapsed, W_mu=a * np.eye(2), b_mu=-a * vae.DATA_MEAN, W_dec=g * np.eye(2),
    )  # fmt: skip
    assert (vae.expected_losses(nudged).loss(beta) < 2) == leaves


# ---------------------------------------------------------------- bad input


GOOD = {name: getattr(vae.STANDARD, name) for name in ("W_mu", "b_mu", "W_ls", "b_ls", "W_dec", "b_dec")}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"W_dec": np.zeros((3, 2))}, r"W_dec expected shape \(2, 2\).*got \(3, 2\)"),
        ({"b_mu": np.zeros(3)}, r"b_mu expected shape \(2,\).*got \(3,\)"),
        ({"W_mu": np.zeros((2, 3))}, r"W_mu expected shape \(2, 2\).*got \(2, 3\)"),
        ({"W_mu": 0.5}, r"W_mu expected shape \(1, 2\).*got \(\)"),
        ({"b_ls": [np.nan, 0.0]}, r"b_ls expected finite numbers, got 1 .* among 2"),
    ],
)
def test_bad_parameters_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        vae.Parameters(**{**GOOD, **change})


def test_parameters_cannot_be_changed_in_place():
    with pytest.raises(ValueError, match="read-only"):
        vae.STANDARD.W_mu[0, 0] = 7
    with pytest.raises(FrozenInstanceError):
        vae.STANDARD.W_mu = np.zeros((2, 2))
    mine = np.zeros((2, 2))
    kept = replace(vae.STANDARD, W_mu=mine)
    mine[0, 0] = 7
    assert kept.W_mu[0, 0] == 0


NAN = np.array([[0.0, np.nan]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: vae.generate_data(0, np.random.default_rng(0)), "num_points must be at least 1, got 0"),
        (lambda: vae.encode(np.zeros((2, 1000)), vae.STANDARD), r"X expected shape \(N, 2\).*got \(2, 1000\)"),
        (lambda: vae.encode(np.zeros(2), vae.STANDARD), r"X expected shape \(N, 2\).*got \(2,\)"),
        (lambda: vae.encode(NAN, vae.STANDARD), "X expected finite numbers, got 1"),
        (lambda: vae.decode(np.zeros((5, 3)), vae.STANDARD), r"Z expected shape \(N, 2\).*got \(5, 3\)"),
        (lambda: vae.decode(NAN, vae.STANDARD), "Z expected finite numbers"),
        (
            lambda: vae.reparameterize(np.zeros((5, 2)), np.zeros((5, 2)), np.zeros((1, 2))),
            r"one shape, got mu \(5, 2\), logvar \(5, 2\), eps \(1, 2\)",
        ),
        (lambda: vae.squared_error(np.zeros((5, 2)), np.zeros((4, 2))), r"one shape, got X \(5, 2\), X_prime \(4, 2\)"),
        (lambda: vae.kl_divergence(np.zeros((5, 2)), np.zeros(2)), r"one shape, got mu \(5, 2\), logvar \(2,\)"),
        (lambda: vae.kl_divergence(NAN, NAN), "mu expected finite numbers"),
        (lambda: vae.log_density(np.zeros(2), np.zeros(2), [np.inf, 0]), "logvar expected finite numbers"),
        (lambda: vae.vae_loss(np.zeros(5), np.zeros(5), -1), "beta must be a number from 0 on, got -1"),
        (lambda: vae.vae_loss(np.zeros(5), np.zeros(5), math.nan), "beta must be a number from 0 on, got nan"),
        (lambda: vae.vae_loss(np.zeros(5), np.zeros((5, 1))), r"one shape, got recon \(5,\), kl \(5, 1\)"),
        (lambda: vae.least_loss(-0.1), "beta must be a number from 0 on"),
        (lambda: vae.optimal_parameters(0), "beta must be above 0"),
        (lambda: vae.expected_losses(vae.STANDARD).loss(-1), "beta must be a number from 0 on"),
        (lambda: vae.descend(vae.STANDARD, 1, num_steps=0), "at least 1 step"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_numbers_too_large_are_said_to_be():
    with pytest.raises(OverflowError, match="make W_ls or b_ls smaller"):
        vae.expected_losses(replace(vae.STANDARD, W_ls=40 * np.eye(2)))
    with pytest.raises(FloatingPointError, match=r"diverged at step .* take smaller steps"):
        vae.descend(vae.STANDARD, 1.0, step_size=1.0)
