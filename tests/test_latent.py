"""Paths, grids and tiles."""

import pytest
import torch

from helpers.core import latent


def test_interpolation_is_even_and_ends_where_it_should():
    a, b = torch.randn(3), torch.randn(1, 3)
    path = latent.interpolate(a, b, 15)
    assert path.shape == (15, 3)
    assert torch.equal(path[0], a) and torch.equal(path[-1], b[0])
    torch.testing.assert_close(path[7], (a + b[0]) / 2)
    assert latent.unevenness(path) == pytest.approx(1, abs=1e-5)
    with pytest.raises(ValueError, match="at least its two ends, got n = 1"):
        latent.interpolate(a, b, 1)


def test_grid_reads_like_a_page_with_the_second_latent_upwards():
    z = latent.grid((-3, 3), (-1, 1), 5).reshape(5, 5, 2)
    assert torch.equal(z[0, 0], torch.tensor([-3.0, 1.0]))  # top left
    assert torch.equal(z[-1, -1], torch.tensor([3.0, -1.0]))  # bottom right
    assert (z[:, 1:, 0] > z[:, :-1, 0]).all() and (z[1:, :, 1] < z[:-1, :, 1]).all()


def test_tile_lays_images_out_in_reading_order():
    images = torch.arange(6)[:, None, None].expand(6, 2, 3)
    page = latent.tile(images, 3)
    assert page.shape == (4, 9)
    assert page[0, ::3].tolist() == [0, 1, 2] and page[3, ::3].tolist() == [3, 4, 5]
    asymmetric = torch.rand(4, 1, 5, 7)
    assert torch.equal(latent.tile(asymmetric, 2)[5:, 7:], asymmetric[3, 0])


def test_unevenness_is_the_largest_step_over_the_mean():
    assert latent.unevenness(torch.tensor([[0.0], [1.0], [1.0], [4.0]])) == pytest.approx(3 / (4 / 3))
