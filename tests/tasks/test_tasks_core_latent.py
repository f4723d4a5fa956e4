"""Tasks of ``helpers/core/latent.py``."""

import torch

from helpers.core import latent


def test_core_latent_interpolate():
    a, b = torch.tensor([0.0, 2.0, -1.0]), torch.tensor([4.0, 2.0, 1.0])
    path = latent.interpolate(a, b, 5)
    assert path.shape == (5, 3)
    assert torch.equal(path[0], a) and torch.allclose(path[-1], b), "both ends belong to the path"
    assert torch.allclose(path[1], torch.tensor([1.0, 2.0, -0.5]))


def test_core_latent_grid():
    codes = latent.grid((-1.0, 1.0), (0.0, 4.0), 3)
    assert codes.shape == (9, 2)
    assert codes[0].tolist() == [-1.0, 4.0], "the first row is the top: the second latent is largest there"
    assert codes[1].tolist() == [0.0, 4.0] and codes[3].tolist() == [-1.0, 2.0] and codes[8].tolist() == [1.0, 0.0]
