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


def test_slerp_stays_on_the_sphere_at_even_angles():
    a, b = torch.randn(5, dtype=torch.float64), torch.randn(5, dtype=torch.float64)
    a, b = 3 * a / a.norm(), 3 * b / b.norm()
    path = latent.slerp(a, b, 9)
    torch.testing.assert_close(path[[0, -1]], torch.stack([a, b]))
    torch.testing.assert_close(path.norm(dim=1), torch.full((9,), 3.0, dtype=torch.float64))
    cosines = (path[1:] * path[:-1]).sum(1) / 9
    torch.testing.assert_close(cosines, cosines[:1].expand(8))
    torch.testing.assert_close(cosines[0].acos() * 8, ((a * b).sum() / 9).acos())


def test_slerp_on_one_line_is_the_straight_path():
    a = torch.tensor([1.0, 2.0])
    torch.testing.assert_close(latent.slerp(a, 3 * a, 5), latent.interpolate(a, 3 * a, 5))
    assert latent.slerp(a, -a, 5).isfinite().all()
    with pytest.raises(ValueError, match="got n = 1"):
        latent.slerp(a, a, 1)


def test_a_traverse_moves_one_latent_and_leaves_the_code_alone():
    z = torch.randn(4)
    before = z.clone()
    moved = latent.traverse(z, 2, torch.linspace(-3, 3, 7))
    assert moved.shape == (7, 4)
    assert torch.equal(moved[:, 2], torch.linspace(-3, 3, 7))
    assert torch.equal(moved[:, [0, 1, 3]], z[[0, 1, 3]].expand(7, 3))
    assert torch.equal(z, before)
