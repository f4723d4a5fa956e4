"""The latent space of a Fashion-MNIST VAE, explored (notebook 06; assignment "Exploring Latent Spaces").

Reading order: the model and its loss; training it, or loading what was trained before; a small classifier as the
judge of what decoded images show; the exercises; the figures, which return a ``Figure`` and neither show nor save.
"""

import json
import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from torch import Tensor, nn

from helpers import plots
from helpers.core import gaussian, latent
from helpers.core.batches import Batch, Scalars, TensorBatches, WithNoise
from helpers.core.data import ImageSet
from helpers.core.gaussian import kl_per_latent, kl_standard_normal
from helpers.core.history import History
from helpers.core.kept import key_of, load_training, save_training, source_of
from helpers.core.networks import CHUNK
from helpers.core.objective import Terms, beta_objective
from helpers.core.settings import checkpoints_folder
from helpers.core.speed import HalvesSideBySide, in_precision
from helpers.core.training import evaluate, fit

IMAGE = (1, 28, 28)
LATENT_DIM = 32
CATEGORY_NAMES = [
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
]  # fmt: skip


# ---------------------------------------------------------------- the model and its loss


class VAE(nn.Module):
    """Convolutional VAE of the assignment: image, shape (B, 1, 28, 28), to (mean image, mu, logvar).

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
        """mu and logvar of q(z|x), shape (B, latent_dim) each."""
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
        """z = mu + exp(logvar / 2) * eps; see :func:`helpers.core.gaussian.rsample`."""
        return gaussian.reparameterize(mu, logvar, generator, eps)

    def decode_logits(self, z: Tensor) -> Tensor:
        """The decoder without its last layer, for a loss that does not round at 0 and 1."""
        if z.dim() != 2 or z.shape[1] != self.latent_dim:
            raise ValueError(
                f"decode expected codes of shape (B, {self.latent_dim}), got {tuple(z.shape)}: "
                "give a single code its batch axis, z[None]"
            )
        return self.decoder[:-1](self.decoder_fc(z).reshape(-1, 64, 7, 7))

    def decode(self, z: Tensor) -> Tensor:
        """Mean image, in [0, 1], shape (B, 1, 28, 28): never a noisy draw."""
        return self.decoder[-1](self.decode_logits(z))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mu, logvar = self.encode(x)
        return self.decode(self.reparameterize(mu, logvar)), mu, logvar


def vae_loss(recon_x: Tensor, x: Tensor, mu: Tensor, logvar: Tensor, beta: float = 1.0) -> Tensor:
    """Cross-entropy + beta * KL, in nats, summed over pixels, latents *and* the batch, as assigned.

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
    """The two terms of :func:`vae_loss` for each image, shape (B,), from one draw z ~ q(z|x)."""
    mu, logvar = model.encode(x)
    logits = model.decode_logits(model.reparameterize(mu, logvar, generator, eps))
    nll = F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(1)
    return Terms(nll, kl_standard_normal(mu, logvar))


def measure_loss(model: VAE, images: Tensor, seed: int = 0) -> dict[str, float]:
    """Mean ``loss``, ``nll`` and ``kl`` in nats per image, beta = 1; the same draws z ~ q(z|x) on every call."""
    generator = torch.Generator(device=images.device).manual_seed(seed)

    def objective(batch: Batch) -> tuple[Tensor, Scalars]:
        nll, kl = vae_terms(model, batch[0], generator)
        loss = beta_objective(nll, kl, 1.0)
        return loss, {"loss": loss, "nll": nll.mean(), "kl": kl.mean()}

    return evaluate(model, TensorBatches(images, batch_size=1000), objective)


def pixel_entropy(images: Tensor) -> Tensor:
    """What the cross-entropy of each image cannot go below, whatever the decoder says, in nats, shape (B,).

        min_p -(x log p + (1 - x) log(1 - p)) = H(x),   at p = x

    Zero for black and white pixels, ln 2 for a pixel of 0.5.
    """
    return (torch.special.entr(images) + torch.special.entr(1 - images)).flatten(1).sum(1)


# ---------------------------------------------------------------- train, or load what was trained


@dataclass(frozen=True)
class Recipe:
    """Everything that training can be told; the defaults are the assignment's."""

    latent_dim: int = LATENT_DIM
    beta: float = 1.0
    num_epochs: int = 15
    batch_size: int = 128
    lr: float = 1e-3
    seed: int = 42


def train_vae(images: Tensor, recipe: Recipe) -> tuple[VAE, History]:
    """Minimise :func:`vae_loss` per image with Adam, on the device where ``images`` lie.

    The mean over a batch in place of the assignment's sum changes nothing that Adam sees but its epsilon. The
    result depends on ``images`` and ``recipe``, not on what ran before, and leaves torch's random state as it was.
    """
    device = images.device
    with torch.random.fork_rng([torch.cuda.current_device()] if device.type == "cuda" else []):
        torch.manual_seed(recipe.seed)
        model = VAE(recipe.latent_dim).to(device)
        order = torch.Generator().manual_seed(recipe.seed)
        loader = TensorBatches(images, batch_size=recipe.batch_size, shuffle=True, generator=order)

        def objective(batch: Batch) -> tuple[Tensor, Scalars]:
            x, eps = batch
            nll, kl = vae_terms(model, x, eps=eps)
            loss = beta_objective(nll, kl, recipe.beta)
            return loss, {"loss": loss, "nll": nll.mean(), "kl": kl.mean()}

        optimizer = torch.optim.Adam(model.parameters(), lr=recipe.lr, fused=True)
        with HalvesSideBySide(in_precision("auto", objective, device), model) as in_halves:
            history = fit(
                model, optimizer, WithNoise(loader, recipe.latent_dim), in_halves,
                num_epochs=recipe.num_epochs, max_norm=math.inf, description=f"VAE, beta = {recipe.beta:g}",
            )  # fmt: skip
    return model.eval(), history


class Trained(NamedTuple):
    model: VAE  # in evaluation mode
    history: History
    from_checkpoint: bool


def load_or_train(
    data: ImageSet,
    recipe: Recipe | None = None,
    *,
    folder: Path | None = None,
    retrain: bool = False,
    train: Callable[[Tensor, Recipe], tuple[VAE, History]] = train_vae,
) -> Trained:
    """The model of ``recipe`` on ``data``'s training images: from its checkpoint where there is a sound one.

    A checkpoint's name is a hash of all it depends on (:func:`checkpoint_key`), so after a change nothing fits and
    training starts anew. A file that is broken, or holds something else than its name says, is trained over.

    Args:
        folder: where checkpoints lie; ``checkpoints`` in the repository where not given.
        retrain: train whatever is there, and replace it.
        train: what trains, :func:`train_vae`.

    Returns:
        The model on the device of ``data``, the same whether it was loaded or trained.
    """
    recipe = Recipe() if recipe is None else recipe
    key = checkpoint_key(data, recipe)
    path = (checkpoints_folder() if folder is None else Path(folder)) / f"fashion_vae_{key}.safetensors"
    if not retrain:
        with torch.random.fork_rng([]):  # the initial weights that are about to be replaced
            model = VAE(recipe.latent_dim)
        history = load_training(path, key, model, random=False)
        if history is not None:
            return Trained(model.to(data.train_x.device).eval(), history, True)
    model, history = train(data.train_x, recipe)
    try:
        save_training(path, key, model, history, {"recipe": json.dumps(asdict(recipe))})
    except OSError as error:  # what was trained is worth more than its checkpoint
        warnings.warn(f"the trained VAE could not be kept, so the next run trains again: {error}", stacklevel=2)
    return Trained(model.eval(), history, False)


def checkpoint_key(data: ImageSet, recipe: Recipe) -> str:
    """A hash of all that training depends on: the recipe, images, code, torch and the precision."""
    return key_of(data, recipe=asdict(recipe), code=SOURCES)


# read on import, together with the code that will run, not when a key is asked for: the file may change in between
SOURCES = [
    source_of(part)
    for part in (
        VAE, vae_terms, train_vae, beta_objective,
        fit, HalvesSideBySide, in_precision, TensorBatches, WithNoise,
        gaussian.rsample, gaussian.reparameterize, gaussian.kl_standard_normal, gaussian.kl_per_latent,
    )
]  # fmt: skip


# ---------------------------------------------------------------- a judge of what images show


def train_classifier(images: Tensor, labels: Tensor, *, num_epochs: int = 4, seed: int = 0) -> nn.Module:
    """A small convolutional classifier, (B, 1, 28, 28) to ten logits, trained on real images.

    The result does not depend on what ran before, and torch's random state stays as it was.
    """
    device = images.device
    with torch.random.fork_rng([torch.cuda.current_device()] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        model = nn.Sequential(
            nn.Conv2d(1, 16, 3, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(),
            nn.Flatten(), nn.Linear(1568, 64), nn.ReLU(), nn.Linear(64, 10),
        ).to(device)  # fmt: skip
        order = torch.Generator().manual_seed(seed)
        loader = TensorBatches(images, labels, batch_size=128, shuffle=True, generator=order)

        def objective(batch: Batch) -> tuple[Tensor, Scalars]:
            loss = F.cross_entropy(model(batch[0]), batch[1])
            return loss, {"cross-entropy": loss}

        optimizer = torch.optim.Adam(model.parameters(), fused=True)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=num_epochs * len(loader))
        fit(
            model, optimizer, loader, objective,
            num_epochs=num_epochs, max_norm=math.inf, schedule=schedule.step, description="classifier",
        )  # fmt: skip
    return model.eval()


class Verdict(NamedTuple):
    """What the classifier makes of each image; it knows the ten classes and nothing else."""

    probabilities: Tensor  # (N, 10)

    @property
    def label(self) -> Tensor:
        """The most probable class, shape (N,)."""
        return self.probabilities.argmax(1)

    @property
    def confidence(self) -> Tensor:
        """Its probability, shape (N,)."""
        return self.probabilities.amax(1)

    def share(self, category_idx: int) -> float:
        """Share of the images whose most probable class is this one."""
        return float((self.label == category_idx).float().mean())


@torch.no_grad()
def judge(classifier: nn.Module, images: Tensor) -> Verdict:
    """Class probabilities of images, shape (N, 1, 28, 28) or (N, 28, 28)."""
    device = next(classifier.parameters()).device
    logits = [classifier(part) for part in images.reshape(-1, *IMAGE).to(device).split(CHUNK)]
    return Verdict(torch.cat(logits).softmax(1).cpu())


def judge_table(verdict: Verdict, rows: Sequence[str], categories: Sequence[int]) -> str:
    """The probabilities of some categories, one line an image: in a fixed order, so that the text is stable."""
    lines = [" " * 24 + "".join(f"{CATEGORY_NAMES[k]:>14}" for k in categories)]
    for name, p in zip(rows, verdict.probabilities, strict=True):
        lines.append(f"{name:<24}" + "".join(f"{p[k]:14.2f}" for k in categories))
    return "\n".join(lines)


def nearest_distance(images: Tensor, real: Tensor) -> Tensor:
    """Euclidean pixel distance of each image to the nearest of the ``real`` ones, shape (N,)."""
    flat = images.reshape(len(images), -1).to(real.device)
    parts = [torch.cdist(flat, part.flatten(1)).amin(1) for part in real.split(10_000)]
    return torch.stack(parts).amin(0).cpu()


def sharpness(images: Tensor) -> Tensor:
    """Total variation of each image: the sum of differences between neighbouring pixels, shape (N,)."""
    pages = images.reshape(-1, *IMAGE[1:])
    return pages.diff(dim=1).abs().sum((1, 2)) + pages.diff(dim=2).abs().sum((1, 2))


def measurements(images: Tensor) -> dict[str, Tensor]:
    """What a ruler finds in each image, shape (N,) each.

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
    """The first n images of one category, shape (n, 1, 28, 28), from pairs of (image, label).

    Raises:
        ValueError: there are fewer than n, or no such category.
    """
    if not 0 <= category_idx < len(CATEGORY_NAMES):
        raise ValueError(f"category_idx must be 0 to {len(CATEGORY_NAMES) - 1}, got {category_idx}")
    found = list(islice((image for image, label in dataset if int(label) == category_idx), n))
    if len(found) < n or not found:
        raise ValueError(
            f"asked for {n} images of {CATEGORY_NAMES[category_idx]}, found {len(found)}: ask for at least 1 and no "
            "more than the data set holds"
        )
    return torch.stack(found)


@torch.no_grad()
def encode_to_mu(model: VAE, images: Tensor) -> Tensor:
    """Means of q(z|x), shape (N, latent_dim), on the model's device."""
    device = next(model.parameters()).device
    return torch.cat([model.encode(part.to(device))[0] for part in images.split(CHUNK)])


@torch.no_grad()
def decode_images(model: VAE, z: Tensor) -> Tensor:
    """The decoder's mean images on the CPU, shape (N, 28, 28)."""
    z = z.to(next(model.parameters()).device)
    return torch.cat([model.decode(part)[:, 0] for part in z.split(CHUNK)]).cpu()


@torch.no_grad()
def latent_rates(model: VAE, images: Tensor) -> Tensor:
    """Mean KL of each latent over the images, in nats, shape (latent_dim,)."""
    device = next(model.parameters()).device
    return torch.cat([kl_per_latent(*model.encode(part.to(device))) for part in images.split(CHUNK)]).mean(0).cpu()


def pixel_path(image_a: Tensor, image_b: Tensor, n: int) -> Tensor:
    """n pixel-wise blends (1 - t) a + t b, shape (n, 28, 28)."""
    t = torch.linspace(0, 1, n)[:, None, None]
    return torch.lerp(image_a.reshape(IMAGE).cpu(), image_b.reshape(IMAGE).cpu(), t)


def latent_path(model: VAE, image_a: Tensor, image_b: Tensor, n: int) -> Tensor:
    """n decoded codes (1 - t) z_a + t z_b between the codes of two images, shape (n, 28, 28)."""
    z_a, z_b = encode_to_mu(model, torch.stack([image_a.reshape(IMAGE), image_b.reshape(IMAGE)]))
    return decode_images(model, latent.interpolate(z_a, z_b, n))


def attribute_direction(codes_with: Tensor, codes_without: Tensor) -> Tensor:
    """From the mean of codes without an attribute to the mean of codes with it; (N, D) and (M, D) give (1, D)."""
    ### START CODE HERE ###
    direction = codes_with.mean(dim=0, keepdim=True) - codes_without.mean(dim=0, keepdim=True)
    ### END CODE HERE ###
    return direction


def add_direction(z: Tensor, direction: Tensor, amount: float = 1.0) -> Tensor:
    """Codes moved along a direction, shape (N, D)."""
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
    """n codes drawn around the mean of ``codes``, shape (n, D).

    Args:
        scale: how far. Isotropic: the standard deviation of every latent. Else: how many times the codes' own
            spread, so that 1 draws from the Gaussian with the mean and the covariance of ``codes``.
    """
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(n, codes.shape[1], generator=generator).to(codes)
    ### START CODE HERE ###
    if not isotropic:
        noise = noise @ torch.linalg.cholesky(torch.cov(codes.T) + 1e-6 * torch.eye(codes.shape[1]).to(codes)).T
    drawn = codes.mean(0) + scale * noise
    ### END CODE HERE ###
    return drawn


def spread(images: Tensor) -> float:
    """Root mean square distance of images from their mean: how different they are from one another."""
    flat = images.flatten(1)
    return float((flat - flat.mean(0)).square().sum(1).mean().sqrt())


# ---------------------------------------------------------------- the figures


@plots.styled
def show_grid(images: Tensor, nrow: int = 5, title: str | None = None, *, missed: Tensor | None = None) -> Figure:
    """Images in rows of ``nrow``; those of the mask ``missed`` get a thick frame."""
    rows = -(-len(images) // nrow)
    figure = plots.panels(rows, nrow, (1.1 * nrow, 1.1 * rows + 0.5 * bool(title)), title, squeeze=False)
    for ax in figure.axes[len(images) :]:
        ax.set_axis_off()
    for i, (ax, image) in enumerate(zip(figure.axes, images, strict=False)):
        _draw(ax, image)
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
    """One row of images, with a label over each; or several rows by name, the labels over the first."""
    strips = images if isinstance(images, Mapping) else {"": images}
    width = len(next(iter(strips.values())))
    size = (1.15 * width + 1.3 * isinstance(images, Mapping), 1.2 * len(strips) + 0.35 + 0.35 * bool(title))
    figure = plots.panels(len(strips), width, size, title, squeeze=False)
    for row, (name, strip) in enumerate(strips.items()):
        axes = figure.axes[row * width : (row + 1) * width]
        for ax, image in zip(axes, strip, strict=True):
            _draw(ax, image)
        axes[0].set_ylabel(name, rotation=0, ha="right", va="center")
    for ax, label in zip(figure.axes, labels or (), strict=False):
        ax.set_title(label, fontsize=9)
    return figure


def _draw(ax, image: Tensor, **kwargs) -> None:
    ax.imshow(image.squeeze().cpu().numpy(), **({"cmap": "gray", "vmin": 0, "vmax": 1} | kwargs))
    ax.set(xticks=[], yticks=[])
    for side in ax.spines.values():
        side.set_visible(False)


@plots.styled
def show_rates(rates: Tensor, title: str) -> Figure:
    """KL of each latent as bars, the most informative first."""
    figure = plots.panels(1, 1, (8, 3.2))
    (ax,) = figure.axes
    values = rates.sort(descending=True).values.numpy()
    ax.bar(np.arange(len(values)) + 1, values, color=plots.BLUE)
    ax.axhline(math.log(10), color=plots.GREY, ls="--", lw=1.2, label="ln 10: which of ten classes")
    ax.set(xlabel="latent, by its KL", ylabel="KL (nats per image)", title=title)
    ax.legend()
    return figure


@plots.styled
def show_codes(points: np.ndarray, labels: np.ndarray, title: str) -> Figure:
    """A plane of codes, coloured by category, its number at the median and its name in the legend."""
    figure = plots.panels(1, 1, (10, 7.6))
    (ax,) = figure.axes
    plots.scatter_classes(ax, points, labels, title, s=4)
    handles = [
        Line2D([], [], marker="o", ls="", color=plots.CLASS_COLOURS[k], label=f"{k}  {CATEGORY_NAMES[k]}")
        for k in np.unique(labels)
    ]
    ax.legend(handles=handles, loc="center left", bbox_to_anchor=(1, 0.5), markerscale=1.4)
    ax.set(xlabel="t-SNE 1", ylabel="t-SNE 2", aspect="equal")
    return figure


@plots.styled
def show_curves(
    x: Sequence[float],
    groups: Mapping[str, Mapping[str, np.ndarray]],
    *,
    title: str,
    xlabel: str,
    ylabel: str,
) -> Figure:
    """Marked curves over x, one group of them a panel, with the same names in each, on a scale of probabilities."""
    figure = plots.panels(1, len(groups), (4.4 * len(groups), 3.9), title, sharey=True, squeeze=False)
    for ax, (name, curves) in zip(figure.axes, groups.items(), strict=True):
        colours = (plots.BLUE, plots.ORANGE, plots.GREEN, plots.GREY)
        for (curve, y), colour, marker in zip(curves.items(), colours, "osD^", strict=True):
            ax.plot(x, y, color=colour, marker=marker, ms=4, label=curve)
        ax.set(title=name, xlabel=xlabel, ylim=(-0.03, 1.03))
    figure.axes[0].set_ylabel(ylabel)
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


@plots.styled
def show_arithmetic(minuend: Tensor, subtrahend: Tensor, start: Tensor, result: Tensor, names: Sequence[str]) -> Figure:
    """Five named panels: minuend - subtrahend = their difference (as images, in colour); start; start + difference."""
    figure = plots.panels(1, 5, (12, 3.2))
    drawn = (minuend, subtrahend, minuend - subtrahend, start, result)
    for ax, image, name in zip(figure.axes, drawn, names, strict=True):
        _draw(ax, image, **({"cmap": "RdBu_r", "vmin": -0.7, "vmax": 0.7} if image is drawn[2] else {}))
        ax.set_title(name)
    return figure


@plots.styled
def show_regions(
    maps: Mapping[str, Tensor],
    verdicts: Mapping[str, Verdict],
    axis_names: Mapping[str, tuple[str, str]],
    limit: float = 3.0,
) -> Figure:
    """Decoded maps side by side; under each, the judged category of every cell, the paler the less confident."""
    figure = plots.panels(2, len(maps), (6 * len(maps), 12.2), squeeze=False)
    for column, (name, images) in enumerate(maps.items()):
        side = math.isqrt(len(images))
        extent = [x * limit * side / (side - 1) for x in (-1, 1, -1, 1)]
        sure = verdicts[name].confidence.reshape(side, side, 1).numpy()
        colours = np.array([to_rgb(c) for c in plots.CLASS_COLOURS])[verdicts[name].label.reshape(side, side)]
        pages = {name: latent.tile(images, side).numpy(), "the judge's verdict": sure * colours + (1 - sure)}
        for row, (title, page) in enumerate(pages.items()):
            ax = figure.axes[row * len(maps) + column]
            ax.imshow(page, extent=extent, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            ax.set(title=title, xlabel=axis_names[name][0], ylabel=axis_names[name][1])
            ax.set(xticks=np.linspace(-limit, limit, 5), yticks=np.linspace(-limit, limit, 5))
    handles = [
        Line2D([], [], marker="s", ms=9, ls="", color=colour, label=name)
        for colour, name in zip(plots.CLASS_COLOURS, CATEGORY_NAMES, strict=True)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=5)
    return figure
