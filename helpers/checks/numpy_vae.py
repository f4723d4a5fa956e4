"""Checks of the tasks in ``helpers/numpy_vae.py``: one point at a time, or by drawing."""

import math

import numpy as np

from helpers import numpy_vae
from helpers.numpy_vae import Parameters

PARAMETERS = Parameters(
    W_mu=np.array([[0.5, 0.1], [-0.3, 0.2]]), b_mu=np.array([1.0, 2.0]),
    W_ls=np.array([[0.2, 0.0], [0.1, -0.1]]), b_ls=np.array([-1.0, 0.5]),
    W_dec=np.array([[1.0, 2.0], [3.0, 4.0]]), b_dec=np.array([0.5, -0.5]),
)  # fmt: skip
RNG = np.random.default_rng(0)


def _affine(weights, bias, x):
    return [sum(w * v for w, v in zip(row, x, strict=True)) + b for row, b in zip(weights, bias, strict=True)]


def generate_data() -> None:
    X = numpy_vae.generate_data(20_000, np.random.default_rng(1))
    assert X.shape == (20_000, 2)
    assert np.allclose(X.mean(axis=0), [3, 2], atol=0.04) and np.allclose(np.cov(X.T), np.eye(2), atol=0.05)


def encode() -> None:
    X = RNG.normal(size=(5, 2))
    mu, logvar = numpy_vae.encode(X, PARAMETERS)
    assert np.allclose(mu, [_affine(PARAMETERS.W_mu, PARAMETERS.b_mu, x) for x in X])
    assert np.allclose(logvar, [_affine(PARAMETERS.W_ls, PARAMETERS.b_ls, x) for x in X])


def reparameterize() -> None:
    z = numpy_vae.reparameterize(np.array([[1.0, 2.0]]), np.log([[4.0, 9.0]]), np.array([[1.0, -2.0]]))
    assert np.allclose(z, [[3.0, -4.0]])


def decode() -> None:
    Z = RNG.normal(size=(5, 2))
    assert np.allclose(numpy_vae.decode(Z, PARAMETERS), [_affine(PARAMETERS.W_dec, PARAMETERS.b_dec, z) for z in Z])


def squared_error() -> None:
    assert np.allclose(numpy_vae.squared_error(np.array([[1.0, 2.0], [0, 0]]), np.array([[4.0, 6.0], [0, 1]])), [25, 1])


def kl_divergence() -> None:
    mu, logvar = np.array([0.5, -1.0]), np.log([0.25, 2.0])
    z = mu + np.sqrt([0.25, 2.0]) * RNG.normal(size=(400_000, 2))
    ratio = numpy_vae.log_density(z, mu, logvar) - numpy_vae.log_density(z, np.zeros(2), np.zeros(2))
    error = ratio.std() / math.sqrt(len(ratio))
    assert abs(float(numpy_vae.kl_divergence(mu, logvar)) - ratio.mean()) < 4.5 * error
    assert np.allclose(numpy_vae.kl_divergence(np.zeros((3, 2)), np.zeros((3, 2))), 0)


def vae_loss() -> None:
    assert math.isclose(numpy_vae.vae_loss(np.array([1.0, 3.0]), np.array([2.0, 4.0]), 0.5), 3.5)
