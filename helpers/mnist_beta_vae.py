"""Autoencoder against beta-VAE on MNIST (notebook 04; assignment 1, part B).

The VAEs are those of part A (``toy_vae.VAE``, with ``flatten=True, sigmoid=True``) and come in as arguments. Every
function that takes ``vae`` accepts the autoencoder too: ``vae=False`` means that codes have no distribution.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from torch import Tensor, nn

from helpers.core import latent
from helpers.core.batches import Batch, Loader, Scalars, TensorBatches
from helpers.core.gaussian import kl_per_latent, reparameterize
from helpers.core.kept import fit_once
from helpers.core.speed import in_precision
from helpers.core.training import fit
from helpers.plots import scatter_classes

IMAGE = (1, 28, 28)
Model = Any  # an Autoencoder, or a VAE of part A


class Encoder(nn.Module):
    """Map images to codes: 784 - 512 - latent_dims. Shapes (B, 1, 28, 28) or (B, 784) to (B, latent_dims)."""

    def __init__(self, latent_dims: int) -> None:
        super().__init__()
        self.linear1 = nn.Linear(784, 512)
        self.actv1 = nn.ReLU()
        self.linear2 = nn.Linear(512, latent_dims)

    def forward(self, x: Tensor) -> Tensor:
        ### START CODE HERE ###
        out = self.linear2(self.actv1(self.linear1(x.flatten(1))))
        ### END CODE HERE ###
        return out


class Decoder(nn.Module):
    """Map codes to images: latent_dims - 512 - 784, squashed into (0, 1). Shapes (B, latent_dims) to (B, 1, 28, 28)."""

    def __init__(self, latent_dims: int) -> None:
        super().__init__()
        self.linear1 = nn.Linear(latent_dims, 512)
        self.actv1 = nn.ReLU()
        self.linear2 = nn.Linear(512, 784)

    def forward(self, z: Tensor) -> Tensor:
        ### START CODE HERE ###
        out = torch.sigmoid(self.linear2(self.actv1(self.linear1(z)))).reshape(-1, *IMAGE)
        ### END CODE HERE ###
        return out


class Autoencoder(nn.Module):
    """Join a deterministic encoder and decoder; ``forward`` gives (x_hat, z)."""

    def __init__(self, latent_dims: int) -> None:
        super().__init__()
        self.encoder = Encoder(latent_dims)
        self.decoder = Decoder(latent_dims)

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(z)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z = self.encoder(x)
        return self.decoder(z), z


def train_ae(
    autoencoder: Autoencoder, data: Loader, opt: torch.optim.Optimizer, num_epochs: int = 20, *, keep: bool = False
) -> Autoencoder:
    """Minimise the mean squared error between images and reconstructions; no regularisation.

    Args:
        data: yields tuples of tensors, images first; labels are not used.
        keep: train once, and load what was trained the next time: see :func:`helpers.core.kept.fit_once`.

    Returns:
        The same autoencoder, trained.

    Raises:
        ValueError: ``data`` is empty.
    """

    ### START CODE HERE ###
    def objective(batch: Batch) -> tuple[Tensor, Scalars]:
        x_hat, _ = autoencoder(batch[0])
        loss = F.mse_loss(x_hat, batch[0])
        return loss, {"mse": loss}

    in_steps = in_precision("auto", objective, next(autoencoder.parameters()).device)
    (fit_once if keep else fit)(
        autoencoder, opt, data, in_steps, num_epochs=num_epochs, max_norm=math.inf, description="autoencoder"
    )
    ### END CODE HERE ###
    return autoencoder


@torch.no_grad()
def codes(model: Model, x: Tensor, vae: bool) -> tuple[Tensor, Tensor | None]:
    """Compute means and log-variances of q(z|x) for a VAE; codes and None for the autoencoder. Shape (N, latent)."""
    if not vae:
        return torch.cat([model.encoder(part) for part in x.split(4096)]), None
    mu, logvar = zip(*(model.encode(part) for part in x.split(4096)), strict=True)
    return torch.cat(mu), torch.cat(logvar)


@torch.no_grad()
def decode_images(model: Model, z: Tensor, vae: bool) -> Tensor:
    """Decode to mean images, shape (N, 28, 28): never a noisy draw."""
    z = z.to(next(model.parameters()).device)
    return (model.decode(z, noise=False) if vae else model.decode(z)).reshape(-1, *IMAGE[1:]).cpu()


def plot_latent2D(
    model: Model,
    data: Loader,
    num_batches: int = 8,
    title: str | None = None,
    plot_idx: int = 0,
    *,
    vae: bool = True,
    ax: Axes | None = None,
) -> None:
    """Scatter the codes of the first ``num_batches`` batches, coloured by digit; for VAEs one draw z ~ q(z|x) each.

    Args:
        data: yields (images, labels).
        plot_idx: panel of a row of four, where no ``ax`` is given.
    """
    ax = plt.subplot(1, 4, plot_idx + 1) if ax is None else ax
    ### START CODE HERE ###
    batches = [batch for batch, _ in zip(data, range(num_batches), strict=False)]
    labels = torch.cat([y for _, y in batches])
    mu, logvar = codes(model, torch.cat([x for x, _ in batches]), vae)
    z = mu if logvar is None else reparameterize(mu, logvar)
    ### END CODE HERE ###
    scatter_classes(ax, z.cpu().numpy(), labels.cpu().numpy(), title, s=6, named=False)
    ax.set(xlabel="$z_1$", ylabel="$z_2$")


def plot_reconstructed(
    model: Model,
    r0: tuple[float, float] = (-5, 5),
    r1: tuple[float, float] = (-5, 5),
    vae: bool = False,
    n: int = 12,
    title: str | None = None,
    plot_idx: int = 0,
    *,
    ax: Axes | None = None,
) -> None:
    """Decode an n x n grid of codes; the first latent grows to the right over r0, the second upwards over r1."""
    ax = plt.subplot(1, 4, plot_idx + 1) if ax is None else ax
    ### START CODE HERE ###
    img = latent.tile(decode_images(model, latent.grid(r0, r1, n), vae), n)
    ### END CODE HERE ###
    half = [(r[1] - r[0]) / (n - 1) / 2 for r in (r0, r1)]
    extent = (r0[0] - half[0], r0[1] + half[0], r1[0] - half[1], r1[1] + half[1])
    ax.imshow(img, extent=extent, origin="upper", cmap="gray", vmin=0, vmax=1, aspect="auto")
    ax.set(xlabel="$z_1$", ylabel="$z_2$", xticks=np.linspace(*r0, 5), yticks=np.linspace(*r1, 5), title=title or "")


@torch.no_grad()
def interpolation(model: Model, x_1: Tensor, x_2: Tensor, n: int, vae: bool) -> Tensor:
    """Decode frames along the straight path between the codes of two images, shape (n, 28, 28).

    z(t) = z_1 + (z_2 - z_1) t,   t = 0, 1/(n-1), ..., 1
    """
    ### START CODE HERE ###
    (z_1, z_2), _ = codes(model, torch.stack([x_1.reshape(IMAGE), x_2.reshape(IMAGE)]), vae)
    frames = decode_images(model, latent.interpolate(z_1, z_2, n), vae)
    ### END CODE HERE ###
    return frames


def interpolate(
    model: Model,
    x_1: Tensor,
    x_2: Tensor,
    n: int = 20,
    vae: bool = False,
    title: str | None = None,
    plot_idx: int = 0,
    *,
    ax: Axes | None = None,
) -> None:
    """Draw :func:`interpolation` as one row of n images."""
    draw_row(interpolation(model, x_1, x_2, n, vae), title, plt.subplot(4, 1, plot_idx + 1) if ax is None else ax)


def draw_row(frames: Tensor, title: str | None, ax: Axes) -> None:
    """Draw images side by side, without ticks."""
    ax.imshow(latent.tile(frames, len(frames)), cmap="gray", vmin=0, vmax=1)
    ax.set(xticks=[], yticks=[], title=title or "")


class Measures(NamedTuple):
    """Hold what one model scores on the test set; None where the model has no such thing."""

    squared_error: float  # per image, summed over pixels; reconstructed from one draw z ~ q(z|x)
    nll: float | None  # nats per image
    kl: tuple[float, ...] | None  # nats per image, one number a latent dimension
    knn_mu: float  # accuracy of 10 nearest neighbours, fitted on training codes
    knn_z: float | None  # the same on draws z ~ q(z|x)
    silhouette: float  # of the test codes (means) under their labels, 2,000 random ones


@torch.no_grad()
def measure(model: Model, vae: bool, train: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor]) -> Measures:
    """Score a model; ``train`` and ``test`` are (images, labels). Draws are the same on every call."""
    from sklearn.metrics import silhouette_score  # here, for importing it takes half as long as importing torch

    (x_train, y_train), (x, y) = train, test
    generator = torch.Generator(device=x.device).manual_seed(0)
    fit_mu, fit_logvar = codes(model, x_train, vae)
    mu, logvar = codes(model, x, vae)
    z = mu if logvar is None else reparameterize(mu, logvar, generator)
    fit_z = None if fit_logvar is None else reparameterize(fit_mu, fit_logvar, generator)
    x_hat = torch.cat([decode_images(model, part, vae) for part in z.split(4096)]).to(x.device)
    squared = (x_hat - x.reshape(x_hat.shape)).square().flatten(1).sum(1)
    return Measures(
        squared_error=float(squared.mean()),
        nll=mean_nll(model, x) if vae else None,
        kl=None if logvar is None else tuple(kl_per_latent(mu, logvar).mean(0).tolist()),
        knn_mu=knn_accuracy(fit_mu, y_train, mu, y),
        knn_z=None if fit_z is None else knn_accuracy(fit_z, y_train, z, y),
        silhouette=float(silhouette_score(mu.cpu(), y.cpu(), sample_size=2000, random_state=0)),
    )


def mean_nll(vae: Model, x: Tensor) -> float:
    """Average -log p(x|z) over images, in nats, from one draw z ~ q(z|x) each."""
    return float(torch.cat([vae(part, per_example=True)[4] for part in x.split(4096)]).mean())


def knn_accuracy(fit_codes: Tensor, fit_labels: Tensor, codes: Tensor, labels: Tensor, neighbours: int = 10) -> float:
    """Compute the share of ``codes`` whose label the majority of their nearest ``fit_codes`` has."""
    from sklearn.neighbors import KNeighborsClassifier

    knn = KNeighborsClassifier(neighbours).fit(fit_codes.cpu().numpy(), fit_labels.cpu().numpy())
    return float(knn.score(codes.cpu().numpy(), labels.cpu().numpy()))


def table(rows: Mapping[str, Measures]) -> str:
    """Write the measures of several models, one line each."""
    head = f"{'model':<14}{'sq. error':>10}{'NLL':>9}{'KL per latent':>16}{'kNN mu':>9}{'kNN z':>8}{'silhouette':>12}"
    lines = [head]
    for name, m in rows.items():
        nll = "-" if m.nll is None else f"{m.nll:.1f}"
        kl = "-" if m.kl is None else "  ".join(f"{k:.2f}" for k in m.kl)
        knn_z = "-" if m.knn_z is None else f"{m.knn_z:.3f}"
        lines.append(f"{name:<14}{m.squared_error:10.2f}{nll:>9}{kl:>16}{m.knn_mu:9.3f}{knn_z:>8}{m.silhouette:12.3f}")
    return "\n".join(lines)


def train_loader(x: Tensor, y: Tensor, batch_size: int = 512) -> TensorBatches:
    """Cut shuffled batches of (images, labels), of the assignment's batch size."""
    return TensorBatches(x, y, batch_size=batch_size, shuffle=True)
