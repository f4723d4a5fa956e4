"""The latent space of a Fashion-MNIST VAE (notebook 06; assignment "Exploring Latent Spaces").

Reading order: the model and its loss; training it; a small classifier as the judge of what decoded images show; the
exercises; the two figures of the assignment, which are returned, neither shown nor saved. The notebook's own figures
are in ``helpers/plots/fashion.py``.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor, nn

from helpers import plots
from helpers.core import gaussian, latent
from helpers.core.batches import Batch, Scalars, TensorBatches, WithNoise
from helpers.core.gaussian import kl_per_latent, kl_standard_normal
from helpers.core.history import History
from helpers.core.kept import fit_once
from helpers.core.networks import CHUNK
from helpers.core.objective import Terms, beta_objective
from helpers.core.speed import HalvesSideBySide, in_precision
from helpers.core.training import evaluate, fit
from helpers.plots.fashion import image_panel

IMAGE = (1, 28, 28)
LATENT_DIM = 32
CATEGORY_NAMES = [
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
]  # fmt: skip


# ---------------------------------------------------------------- the model and its loss


class VAE(nn.Module):
    """The assignment's convolutional VAE maps images, shape (B, 1, 28, 28), to (mean images, mu, logvar).

    No activation stands between ``decoder_fc`` and the first transposed convolution, so the decoder is an affine
    map, one ReLU, another affine map, and the sigmoid.
    """

    def __init__(self, latent_dim: int = LATENT_DIM) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 32, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
        )
        self.fc_mu = nn.Linear(3136, latent_dim)
        self.fc_logvar = nn.Linear(3136, latent_dim)
        self.decoder_fc = nn.Linear(latent_dim, 3136)
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(64, 32, 3, stride=2, padding=1, output_padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 1, 3, stride=2, padding=1, output_padding=1),
            nn.Sigmoid(),
        )

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Compute mu and logvar of q(z|x), shape (B, latent_dim) each."""
        if x.dim() != 4 or x.shape[1:] != IMAGE:
            raise ValueError(
                f"encode expected images of shape (B, 1, 28, 28), got {tuple(x.shape)}: "
                "add the missing axes, images[:, None] for the channel"
            )
        hidden = self.encoder(x)
        return self.fc_mu(hidden), self.fc_logvar(hidden)

    def reparameterize(
        self, mu: Tensor, logvar: Tensor, generator: torch.Generator | None = None, eps: Tensor | None = None
    ) -> Tensor:
        """Draw z = mu + exp(logvar / 2) * eps; see :func:`helpers.core.gaussian.rsample`."""
        return gaussian.reparameterize(mu, logvar, generator, eps)

    def decode_logits(self, z: Tensor) -> Tensor:
        """Decode without the last layer, for a loss that does not round at 0 and 1."""
        if z.dim() != 2 or z.shape[1] != self.latent_dim:
            raise ValueError(
                f"decode expected codes of shape (B, {self.latent_dim}), got {tuple(z.shape)}: "
                "give a single code its batch axis, z[None]"
            )
        return self.decoder[:-1](self.decoder_fc(z).reshape(-1, 64, 7, 7))

    def decode(self, z: Tensor) -> Tensor:
        """Decode to the mean image, in [0, 1], shape (B, 1, 28, 28): never a noisy draw."""
        return self.decoder[-1](self.decode_logits(z))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mu, logvar = self.encode(x)
        return self.decode(self.reparameterize(mu, logvar)), mu, logvar


def vae_loss(recon_x: Tensor, x: Tensor, mu: Tensor, logvar: Tensor, beta: float = 1.0) -> Tensor:
    """Add cross-entropy and beta * KL, in nats, summed over pixels, latents *and* the batch, as assigned.

        sum_pixels -(x log p + (1 - x) log(1 - p)) + beta KL(q(z|x) || N(0, I)),   p = recon_x

    Divide by ``len(x)`` for nats per image. Training uses the same two terms, from logits: :func:`vae_terms`.

    Raises:
        ValueError: images of another shape than the reconstructions, or values outside [0, 1].
    """
    if recon_x.shape != x.shape:
        raise ValueError(
            f"vae_loss expected reconstructions and images of one shape, got {tuple(recon_x.shape)} and "
            f"{tuple(x.shape)}: compare each image with its own reconstruction"
        )
    for name, values in (("recon_x", recon_x), ("x", x)):
        if not ((values >= 0) & (values <= 1)).all():
            raise ValueError(
                f"vae_loss expected {name} in [0, 1], got {values.min():.3g} to {values.max():.3g}: "
                "scale images to [0, 1], and pass probabilities, not logits"
            )
    return F.binary_cross_entropy(recon_x, x, reduction="sum") + beta * kl_standard_normal(mu, logvar).sum()


def vae_terms(model: VAE, x: Tensor, generator: torch.Generator | None = None, eps: Tensor | None = None) -> Terms:
    """Compute the two terms of :func:`vae_loss` for each image, shape (B,), from one draw z ~ q(z|x)."""
    mu, logvar = model.encode(x)
    logits = model.decode_logits(model.reparameterize(mu, logvar, generator, eps))
    nll = F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(1)
    return Terms(nll, kl_standard_normal(mu, logvar))


def measure_loss(model: VAE, images: Tensor, seed: int = 0) -> dict[str, float]:
    """Average ``loss`` (beta = 1), ``nll`` and ``kl``, in nats per image, over the same draws z ~ q(z|x) every time."""
    generator = torch.Generator(device=images.device).manual_seed(seed)

    def objective(batch: Batch) -> tuple[Tensor, Scalars]:
        nll, kl = vae_terms(model, batch[0], generator)
        loss = beta_objective(nll, kl, 1.0)
        return loss, {"loss": loss, "nll": nll.mean(), "kl": kl.mean()}

    return evaluate(model, TensorBatches(images, batch_size=1000), objective)


def pixel_entropy(images: Tensor) -> Tensor:
    """Compute the least possible cross-entropy of each image, whatever the decoder says, in nats, shape (B,).

        min_p -(x log p + (1 - x) log(1 - p)) = H(x),   at p = x

    Zero for black and white pixels, ln 2 for a pixel of 0.5.
    """
    return (torch.special.entr(images) + torch.special.entr(1 - images)).flatten(1).sum(1)


# ---------------------------------------------------------------- training


@dataclass(frozen=True)
class Recipe:
    """The settings of a training; the defaults are the assignment's."""

    latent_dim: int = LATENT_DIM
    beta: float = 1.0
    num_epochs: int = 15
    batch_size: int = 128
    lr: float = 1e-3
    seed: int = 42


def train_vae(images: Tensor, recipe: Recipe | None = None, *, keep: bool = False) -> tuple[VAE, History]:
    """Minimise :func:`vae_loss` per image with Adam, on the device where ``images`` lie.

    The mean over a batch in place of the assignment's sum changes nothing that Adam sees but its epsilon. The
    result depends on ``images`` and ``recipe``, not on what ran before, and leaves torch's random state as it was.

    Args:
        images: shape (N, 1, 28, 28), in [0, 1].
        recipe: the assignment's where not given.
        keep: train once, and load what was trained the next time: see :func:`helpers.core.kept.fit_once`.

    Returns:
        The model in evaluation mode, and its curves.
    """
    recipe = Recipe() if recipe is None else recipe
    with _seeded(recipe.seed, images.device):
        model = VAE(recipe.latent_dim).to(images.device)
        order = torch.Generator().manual_seed(recipe.seed)
        loader = TensorBatches(images, batch_size=recipe.batch_size, shuffle=True, generator=order)

        def objective(batch: Batch) -> tuple[Tensor, Scalars]:
            x, eps = batch
            nll, kl = vae_terms(model, x, eps=eps)
            loss = beta_objective(nll, kl, recipe.beta)
            return loss, {"loss": loss, "nll": nll.mean(), "kl": kl.mean()}

        optimizer = torch.optim.Adam(model.parameters(), lr=recipe.lr, fused=images.device.type != "mps")
        with HalvesSideBySide(in_precision("auto", objective, images.device), model) as in_halves:
            history = (fit_once if keep else fit)(
                model, optimizer, WithNoise(loader, recipe.latent_dim), in_halves,
                num_epochs=recipe.num_epochs, max_norm=math.inf, description=f"VAE, beta = {recipe.beta:g}",
            )  # fmt: skip
    return model.eval(), history


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's random numbers inside, and leave its random state as it was."""
    with torch.random.fork_rng([torch.cuda.current_device()] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


# ---------------------------------------------------------------- a judge of what images show


def train_classifier(
    images: Tensor, labels: Tensor, *, num_epochs: int = 4, seed: int = 0, keep: bool = False
) -> nn.Module:
    """Train a small convolutional classifier, (B, 1, 28, 28) to ten logits, on real images.

    The result does not depend on what ran before, and torch's random state stays as it was.

    Args:
        keep: train once, and load what was trained the next time: see :func:`helpers.core.kept.fit_once`.
    """
    with _seeded(seed, images.device):
        model = nn.Sequential(
            nn.Conv2d(1, 16, 3, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(),
            nn.Flatten(), nn.Linear(1568, 64), nn.ReLU(), nn.Linear(64, 10),
        ).to(images.device)  # fmt: skip
        order = torch.Generator().manual_seed(seed)
        loader = TensorBatches(images, labels, batch_size=128, shuffle=True, generator=order)

        def objective(batch: Batch) -> tuple[Tensor, Scalars]:
            loss = F.cross_entropy(model(batch[0]), batch[1])
            return loss, {"cross-entropy": loss}

        optimizer = torch.optim.Adam(model.parameters(), fused=images.device.type != "mps")
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=num_epochs * len(loader))
        (fit_once if keep else fit)(
            model, optimizer, loader, objective,
            num_epochs=num_epochs, max_norm=math.inf, schedule=schedule.step, description="classifier",
        )  # fmt: skip
    return model.eval()


class Judgement(NamedTuple):
    """The classifier's opinion of each image; it knows the ten classes and nothing else."""

    probabilities: Tensor  # (N, 10)

    @property
    def label(self) -> Tensor:
        """Return the most probable class, shape (N,)."""
        return self.probabilities.argmax(1)

    @property
    def confidence(self) -> Tensor:
        """Return the probability of the most probable class, shape (N,)."""
        return self.probabilities.amax(1)

    def share(self, category_idx: int) -> float:
        """Compute the share of the images whose most probable class is this one."""
        return float((self.label == category_idx).float().mean())


@torch.no_grad()
def judge(classifier: nn.Module, images: Tensor) -> Judgement:
    """Compute class probabilities of images, shape (N, 1, 28, 28) or (N, 28, 28)."""
    device = next(classifier.parameters()).device
    logits = [classifier(part) for part in images.reshape(-1, *IMAGE).to(device).split(CHUNK)]
    return Judgement(torch.cat(logits).softmax(1).cpu())


def judge_table(judgement: Judgement, rows: Sequence[str], categories: Sequence[int]) -> str:
    """Write out the probabilities of some categories, one line an image."""
    lines = [" " * 24 + "".join(f"{CATEGORY_NAMES[k]:>14}" for k in categories)]
    for name, p in zip(rows, judgement.probabilities, strict=True):
        lines.append(f"{name:<24}" + "".join(f"{p[k]:14.2f}" for k in categories))
    return "\n".join(lines)


def nearest_distance(images: Tensor, real: Tensor) -> Tensor:
    """Compute the Euclidean pixel distance of each image to the nearest of the ``real`` ones, shape (N,)."""
    flat = images.reshape(len(images), -1).to(real.device)
    parts = [torch.cdist(flat, part.flatten(1)).amin(1) for part in real.split(10_000)]
    return torch.stack(parts).amin(0).cpu()


def sharpness(images: Tensor) -> Tensor:
    """Compute the total variation of each image: the sum of differences between neighbouring pixels, shape (N,)."""
    pages = images.reshape(-1, *IMAGE[1:])
    return pages.diff(dim=1).abs().sum((1, 2)) + pages.diff(dim=2).abs().sum((1, 2))


def measurements(images: Tensor) -> dict[str, Tensor]:
    """Measure the garment in each image, shape (N,) each.

    ``brightness`` is the mean of the brightest hundred pixels; the garment is every pixel above 0.3 of that, and
    ``height``, ``width`` and ``area`` count the rows, the columns and the pixels that it touches.
    """
    pages = images.reshape(-1, *IMAGE[1:])
    brightness = pages.flatten(1).topk(100).values.mean(1)
    garment = pages > 0.3 * brightness[:, None, None]
    return {
        "height": garment.any(2).sum(1).float(),
        "width": garment.any(1).sum(1).float(),
        "area": garment.flatten(1).sum(1).float(),
        "brightness": brightness,
    }


# ---------------------------------------------------------------- the exercises


def get_items_by_category(dataset: Iterable[tuple[Tensor, int]], category_idx: int, n: int = 10) -> Tensor:
    """Collect the first n images of one category, shape (n, 1, 28, 28), from pairs of (image, label).

    Raises:
        ValueError: there are fewer than n, or no such category.
    """
    if not 0 <= category_idx < len(CATEGORY_NAMES):
        raise ValueError(f"category_idx must be 0 to {len(CATEGORY_NAMES) - 1}, got {category_idx}")
    items = list(islice((image for image, label in dataset if int(label) == category_idx), n))
    if len(items) < n or not items:
        raise ValueError(
            f"asked for {n} images of {CATEGORY_NAMES[category_idx]}, found {len(items)}: ask for at least 1 and no "
            "more than the data set holds"
        )
    return torch.stack(items)


@torch.no_grad()
def encode_to_mu(images: Tensor, model: VAE) -> Tensor:
    """Encode images to the means of q(z|x), shape (N, latent_dim), on the model's device.

    The assignment calls ``encode_to_mu(images)``, for the notebook's model: ``functools.partial(encode_to_mu,
    model=model)`` is that function, and still takes another ``model=``.
    """
    device = next(model.parameters()).device
    return torch.cat([model.encode(part.to(device))[0] for part in images.split(CHUNK)])


@torch.no_grad()
def decode_images(model: VAE, z: Tensor) -> Tensor:
    """Decode codes to mean images on the CPU, shape (N, 28, 28)."""
    z = z.to(next(model.parameters()).device)
    return torch.cat([model.decode(part)[:, 0] for part in z.split(CHUNK)]).cpu()


@torch.no_grad()
def latent_rates(model: VAE, images: Tensor) -> Tensor:
    """Average the KL of each latent over the images, in nats, shape (latent_dim,)."""
    device = next(model.parameters()).device
    return torch.cat([kl_per_latent(*model.encode(part.to(device))) for part in images.split(CHUNK)]).mean(0).cpu()


def pixel_path(image_a: Tensor, image_b: Tensor, n: int) -> Tensor:
    """Blend two images pixel by pixel in n steps, (1 - t) a + t b, shape (n, 28, 28)."""
    t = torch.linspace(0, 1, n)[:, None, None]
    return torch.lerp(image_a.reshape(IMAGE).cpu(), image_b.reshape(IMAGE).cpu(), t)


def latent_path(model: VAE, image_a: Tensor, image_b: Tensor, n: int) -> Tensor:
    """Decode n codes (1 - t) z_a + t z_b between the codes of two images, shape (n, 28, 28)."""
    z_a, z_b = encode_to_mu(torch.stack([image_a.reshape(IMAGE), image_b.reshape(IMAGE)]), model)
    return decode_images(model, latent.interpolate(z_a, z_b, n))


def attribute_direction(codes_with: Tensor, codes_without: Tensor) -> Tensor:
    """Subtract the mean of codes without an attribute from that of codes with it; (N, D) and (M, D) give (1, D)."""
    ### START CODE HERE ###
    direction = codes_with.mean(dim=0, keepdim=True) - codes_without.mean(dim=0, keepdim=True)
    ### END CODE HERE ###
    return direction


def add_direction(z: Tensor, direction: Tensor, amount: float = 1.0) -> Tensor:
    """Move codes along a direction, shape (N, D)."""
    ### START CODE HERE ###
    moved = z + amount * direction
    ### END CODE HERE ###
    return moved


def region_map(model: VAE, dimensions: tuple[int, int] = (0, 1), limit: float = 3.0, grid_size: int = 10) -> Tensor:
    """Decode a square grid of two latents, the others 0: reading order, shape (grid_size ** 2, 28, 28).

    The first of ``dimensions`` grows to the right from -limit to limit, the second upwards.
    """
    ### START CODE HERE ###
    coordinates = latent.grid((-limit, limit), (-limit, limit), grid_size)
    z = latent.plane(coordinates, dimensions, model.latent_dim)
    images = decode_images(model, z)
    ### END CODE HERE ###
    return images


def neighbourhood(codes: Tensor, n: int, scale: float, *, isotropic: bool, seed: int = 0) -> Tensor:
    """Draw n codes around the mean of ``codes``, shape (n, D).

    Args:
        scale: how far. Isotropic: the standard deviation of every latent. Else: how many times the codes' own
            spread, so that 1 draws from the Gaussian with the mean and the covariance of ``codes``.
    """
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(n, codes.shape[1], generator=generator, device="cpu").to(codes)
    ### START CODE HERE ###
    if not isotropic:
        noise = noise @ torch.linalg.cholesky(torch.cov(codes.T) + 1e-6 * torch.eye(codes.shape[1]).to(codes)).T
    samples = codes.mean(0) + scale * noise
    ### END CODE HERE ###
    return samples


def spread(images: Tensor) -> float:
    """Compute the root mean square distance of images from their mean: how different they are from one another."""
    flat = images.flatten(1)
    return float((flat - flat.mean(0)).square().sum(1).mean().sqrt())


# ---------------------------------------------------------------- the figures


@plots.styled
def show_grid(images: Tensor, nrow: int = 5, title: str | None = None, *, missed: Tensor | None = None) -> Figure:
    """Draw images in rows of ``nrow``; those of the mask ``missed`` get a thick frame."""
    rows = -(-len(images) // nrow)
    figure = plots.panels(rows, nrow, (1.1 * nrow, 1.1 * rows + 0.5 * bool(title)), title, squeeze=False)
    for ax in figure.axes[len(images) :]:
        ax.set_axis_off()
    for i, (ax, image) in enumerate(zip(figure.axes, images, strict=False)):
        image_panel(ax, image.cpu().numpy())
        framed = missed is not None and bool(missed[i])
        for side in ax.spines.values():
            side.set(visible=framed, color=plots.ORANGE, linewidth=3)
    return figure


@plots.styled
def show_interpolation_strip(
    images: Sequence[Tensor] | Tensor | Mapping[str, Tensor],
    labels: Sequence[str] | None = None,
    title: str | None = None,
) -> Figure:
    """Draw one row of images, with a label over each; or several rows by name, the labels over the first."""
    strips = images if isinstance(images, Mapping) else {"": images}
    width = len(next(iter(strips.values())))
    size = (1.15 * width + 1.3 * isinstance(images, Mapping), 1.2 * len(strips) + 0.35 + 0.35 * bool(title))
    figure = plots.panels(len(strips), width, size, title, squeeze=False)
    for row, (name, strip) in enumerate(strips.items()):
        axes = figure.axes[row * width : (row + 1) * width]
        for ax, image in zip(axes, strip, strict=True):
            image_panel(ax, image.cpu().numpy())
        axes[0].set_ylabel(name, rotation=0, ha="right", va="center")
    for ax, label in zip(figure.axes, labels or (), strict=False):
        ax.set_title(label, fontsize=9)
    return figure
