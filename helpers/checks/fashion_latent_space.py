"""Checks of the tasks in ``helpers/fashion_latent_space.py``."""

from typing import Any

import torch
from torch import nn

from helpers import fashion_latent_space


class Known(nn.Module):
    """A code decodes to an image that begins with its numbers."""

    latent_dim = 5

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))

    def decode(self, z):
        return torch.cat([z, torch.zeros(len(z), 784 - z.shape[1])], 1).reshape(-1, 1, 28, 28)


def attribute_direction() -> None:
    having, lacking = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[0.0, 1.0], [0.0, 1.0], [0.0, 4.0]])
    assert torch.allclose(fashion_latent_space.attribute_direction(having, lacking), torch.tensor([[2.0, 1.0]]))


def add_direction() -> None:
    z, direction = torch.tensor([[1.0, 2.0], [0.0, 0.0]]), torch.tensor([[1.0, -1.0]])
    assert fashion_latent_space.add_direction(z, direction).tolist() == [[2.0, 1.0], [1.0, -1.0]]
    assert fashion_latent_space.add_direction(z, direction, 3.0).tolist() == [[4.0, -1.0], [3.0, -3.0]]


def region_map() -> None:
    model: Any = Known()
    images = fashion_latent_space.region_map(model, dimensions=(1, 3), limit=2.0, grid_size=3)
    assert images.shape == (9, 28, 28)
    rows = images[:, 0, :5]
    assert rows[:, [0, 2, 4]].eq(0).all(), "all other latents are 0"
    assert rows[0].tolist() == [0, -2, 0, 2, 0] and rows[2].tolist() == [0, 2, 0, 2, 0] and rows[6, 3] == -2


def neighbourhood() -> None:
    codes = torch.randn(4000, 2) @ torch.tensor([[2.0, 1.0], [0.0, 0.5]]) + torch.tensor([5.0, -5.0])
    for isotropic, expected in ((True, torch.eye(2)), (False, torch.cov(codes.T))):
        draws = fashion_latent_space.neighbourhood(codes, 20_000, 0.5, isotropic=isotropic)
        assert torch.allclose(draws.mean(0), codes.mean(0), atol=0.05)
        assert torch.allclose(torch.cov(draws.T), 0.25 * expected, atol=0.06)
