"""Part B: the autoencoder, and what is drawn and measured of it and of the VAEs."""

import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from torch import nn
from torch.optim import Adam

from helpers.core.batches import TensorBatches
from helpers.mnist_beta_vae import (
    Autoencoder,
    Decoder,
    Encoder,
    codes,
    decode_images,
    interpolate,
    interpolation,
    knn_accuracy,
    measure,
    plot_latent2D,
    plot_reconstructed,
    table,
    train_ae,
)
from helpers.plots import CLASS_COLOURS
from helpers.toy_vae import SharedVarianceVAE


class Compass(nn.Module):
    """A decoder whose images say where their code lies: left half z_1, right half z_2, scaled into (0, 1)."""

    def __init__(self):
        super().__init__()
        self.anchor = nn.Parameter(torch.zeros(1))

    def decode(self, z, noise=False):
        assert not noise
        images = torch.empty(len(z), 1, 28, 28)
        images[..., :14] = (z[:, :1, None, None] + 10) / 20
        images[..., 14:] = (z[:, 1:, None, None] + 10) / 20
        return images


@pytest.fixture
def images():
    return torch.rand(60, 1, 28, 28), torch.arange(60) % 10


@pytest.fixture
def vae():
    return SharedVarianceVAE(784, 2, [16], [16], flatten=True, sigmoid=True)


@pytest.mark.parametrize("batch", [1, 7])
def test_shapes(batch):
    x = torch.rand(batch, 1, 28, 28)
    x_hat, z = Autoencoder(2)(x)
    assert x_hat.shape == x.shape and z.shape == (batch, 2)
    assert x_hat.min() > 0 and x_hat.max() < 1
    assert Encoder(3)(x.flatten(1)).shape == (batch, 3)
    assert Decoder(3)(torch.randn(batch, 3)).shape == x.shape


def test_layers_are_the_assigned_ones():
    shapes = [tuple(p.shape) for p in Autoencoder(2).parameters()]
    assert shapes == [(512, 784), (512,), (2, 512), (2,), (512, 2), (512,), (784, 512), (784,)]


def test_training_lowers_the_error_and_reaches_every_parameter(images):
    model = Autoencoder(2)
    x, y = images
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    error = (model(x)[0] - x).square().mean().item()
    trained = train_ae(model, TensorBatches(x, y, batch_size=20, shuffle=True), Adam(model.parameters()), num_epochs=5)
    assert trained is model and (model(x)[0] - x).square().mean().item() < error
    assert all(not torch.equal(p, before[name]) for name, p in model.named_parameters())
    with pytest.raises(ValueError, match="training loader is empty"):
        train_ae(model, [], Adam(model.parameters()))


def test_codes_and_images_of_both_kinds_of_model(images, vae):
    x, _ = images
    z, nothing = codes(Autoencoder(2), x, vae=False)
    mu, logvar = codes(vae, x, vae=True)
    assert z.shape == mu.shape == logvar.shape == (60, 2) and nothing is None
    first = decode_images(vae, mu, vae=True)
    assert first.shape == (60, 28, 28) and torch.equal(first, decode_images(vae, mu, vae=True))


def test_the_grid_grows_to_the_right_in_z1_and_upwards_in_z2():
    ax = Figure().subplots()
    plot_reconstructed(Compass(), r0=(-3, 3), r1=(-6, 6), vae=True, n=4, ax=ax)
    drawn = ax.images[0]
    page, (left, right, bottom, top) = np.asarray(drawn.get_array()), drawn.get_extent()
    assert drawn.origin == "upper" and left < right and bottom < top
    for row, z2 in enumerate((6, 2, -2, -6)):
        for column, z1 in enumerate((-3, -1, 1, 3)):
            cell = page[row * 28 : row * 28 + 28, column * 28 : column * 28 + 28]
            assert cell[0, 0] == pytest.approx((z1 + 10) / 20)
            assert cell[0, -1] == pytest.approx((z2 + 10) / 20)
            # the middle of the cell lies at its code
            assert left + (column + 0.5) * (right - left) / 4 == pytest.approx(z1)
            assert top - (row + 0.5) * (top - bottom) / 4 == pytest.approx(z2)


@pytest.mark.parametrize("kind", ["autoencoder", "vae"])
def test_an_interpolation_starts_and_ends_at_the_two_reconstructions(kind, images, vae):
    model, is_vae = (vae, True) if kind == "vae" else (Autoencoder(2), False)
    a, b = images[0][0], images[0][1]
    frames = interpolation(model, a, b, 15, is_vae)
    ends = decode_images(model, codes(model, torch.stack([a, b]), is_vae)[0], is_vae)
    assert frames.shape == (15, 28, 28)
    torch.testing.assert_close(frames[[0, -1]], ends)


def test_plots_draw_into_given_axes_and_into_pyplots_row(images, vae):
    batches = TensorBatches(*images, batch_size=20)
    ax = Figure().subplots()
    plot_latent2D(vae, batches, num_batches=2, title="T", ax=ax)
    assert len(ax.collections[0].get_offsets()) == 40 and ax.get_title() == "T"
    interpolate(vae, images[0][0], images[0][1], n=5, vae=True, ax=ax)
    try:
        plot_latent2D(Autoencoder(2), batches, plot_idx=2, vae=False)
        assert plt.gca().get_subplotspec().get_geometry() == (1, 4, 2, 2)
    finally:
        plt.close("all")


def test_each_code_has_the_colour_of_its_own_label():
    class Place(nn.Module):
        """Encodes an image by its first two pixels."""

        def encoder(self, x):
            return x.flatten(1)[:, :2]

    images, labels = torch.zeros(60, 1, 28, 28), torch.randint(10, (60,))
    images[:, 0, 0, 0] = labels / 10
    ax = Figure().subplots()
    plot_latent2D(Place(), TensorBatches(images, labels, batch_size=20), num_batches=2, vae=False, ax=ax)
    (scatter,) = ax.collections
    for (x, _), colour in zip(scatter.get_offsets(), scatter.get_facecolors(), strict=True):
        assert to_hex(colour) == CLASS_COLOURS[round(10 * x)]


def test_measures_against_their_definitions(images, vae):
    x, y = images
    m = measure(vae, True, (x, y), (x, y))
    mu, logvar = codes(vae, x, vae=True)
    kl = torch.distributions.kl_divergence(
        torch.distributions.Normal(mu, logvar.exp().sqrt()), torch.distributions.Normal(0.0, 1.0)
    )
    assert m.kl == pytest.approx(kl.mean(0).tolist(), rel=1e-4)
    # with one shared variance the NLL is the squared error, scaled, plus a constant; one draw of z apart
    expected = m.squared_error / 2 + 392 * np.log(2 * np.pi)
    assert m.nll == pytest.approx(expected, rel=0.01)
    assert measure(vae, True, (x, y), (x, y)).squared_error == m.squared_error
    ae = measure(Autoencoder(2), False, (x, y), (x, y))
    assert ae.kl is ae.nll is ae.knn_z is None
    assert "autoencoder" in table({"autoencoder": ae, "VAE": m}) and len(table({"a": ae}).splitlines()) == 2


def test_knn_accuracy_on_separate_and_on_mixed_clusters():
    centres = torch.arange(10.0)[:, None] * 100
    points = (centres + torch.randn(10, 2)).repeat_interleave(30, 0) + torch.randn(300, 2)
    labels = torch.arange(10).repeat_interleave(30)
    assert knn_accuracy(points, labels, points + 0.1, labels) == 1
    assert knn_accuracy(points, labels, points, labels.roll(30)) == 0
    assert knn_accuracy(torch.randn(300, 2), labels, torch.randn(300, 2), labels) < 0.3
