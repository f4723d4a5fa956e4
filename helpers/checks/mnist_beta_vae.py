"""Checks of the tasks in ``helpers/mnist_beta_vae.py``."""

from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import nn

from helpers import mnist_beta_vae
from helpers.checks.oracles import train_plainly


class Known(nn.Module):
    """Codes are the first two pixels; a code decodes to an image full of its first number, but for one pixel."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def encoder(self, x):
        return x.flatten(1)[:, :2]

    def encode(self, x):
        return self.encoder(x), torch.full((len(x), 2), -50.0)

    def decode(self, z, noise=False):
        assert not noise, "show means, not draws"
        image = z[:, :1].repeat(1, 784)
        image[:, 1] = z[:, 1]
        return image.reshape(-1, 1, 28, 28)


def _layers(network, x):
    w = [p.detach().numpy().astype(np.float64) for p in network.parameters()]
    return np.maximum(x.numpy() @ w[0].T + w[1], 0) @ w[2].T + w[3]


def Encoder_forward() -> None:
    network, x = mnist_beta_vae.Encoder(3), torch.rand(5, 1, 28, 28)
    assert np.allclose(network(x).detach(), _layers(network, x.flatten(1)), atol=1e-4)


def Decoder_forward() -> None:
    network, z = mnist_beta_vae.Decoder(3), torch.randn(5, 3)
    image = network(z).detach()
    assert image.shape == (5, 1, 28, 28)
    assert np.allclose(image.reshape(5, 784), 1 / (1 + np.exp(-_layers(network, z))), atol=1e-4)


def train_ae() -> None:
    class Linear(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.outer = nn.Linear(6, 2), nn.Linear(2, 6)

        def forward(self, x):
            z = self.inner(x)
            return self.outer(z), z

    x = torch.randn(256, 2) @ torch.randn(2, 6)
    model: Any = Linear()
    data = [(part, torch.zeros(64)) for part in x.split(64)]
    with patch.object(mnist_beta_vae, "fit", train_plainly):
        assert mnist_beta_vae.train_ae(model, data, torch.optim.Adam(model.parameters(), 0.03), 60) is model
    error = (model(x)[0] - x).square().mean() / x.var()
    assert error < 0.05, f"two latents can carry these data; {error:.2f} of their variance is lost"


def plot_latent2D() -> None:
    for vae in (False, True):
        batches = [(torch.rand(10, 1, 28, 28), torch.arange(10)) for _ in range(9)]
        ax = Figure().subplots()
        mnist_beta_vae.plot_latent2D(Known(), batches, num_batches=8, vae=vae, ax=ax)
        points = np.concatenate([c.get_offsets() for c in ax.collections])
        expected = np.concatenate([x.flatten(1)[:, :2].numpy() for x, _ in batches[:8]])
        assert points.shape == (80, 2) and np.allclose(points, expected, atol=1e-4)


def plot_reconstructed() -> None:
    for vae in (False, True):
        ax = Figure().subplots()
        mnist_beta_vae.plot_reconstructed(Known(), r0=(-2, 2), r1=(-3, 3), vae=vae, n=3, ax=ax)
        page = np.asarray(ax.images[0].get_array())
        assert page.shape == (84, 84)
        assert page[0, ::28].tolist() == [-2, 0, 2], "the first latent grows to the right"
        assert page[::28, 1].tolist() == [3, 0, -3], "the second latent grows upwards"


def interpolation() -> None:
    for vae in (False, True):
        x_1, x_2 = torch.zeros(1, 28, 28), torch.ones(28, 28)
        frames = mnist_beta_vae.interpolation(Known(), x_1, x_2, 5, vae)
        assert frames.shape == (5, 28, 28)
        assert torch.allclose(frames[:, 0, 0], torch.tensor([0, 0.25, 0.5, 0.75, 1])), (
            "from the first image to the second"
        )
