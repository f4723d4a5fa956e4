"""Checks of assignment 1, part B: the autoencoder, the models that were trained, and what was drawn of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from helpers.checks.base import Mistake, Unclear, checks
from helpers.checks.models import judge_betas, judge_data
from helpers.checks.oracles import Array, as_array, close, in_shape
from helpers.checks.pictures import (
    FIRST,
    SECOND,
    Known,
    Reader,
    cut,
    draw,
    images_of,
    judge_grid,
    judge_scatter,
    judge_tiles,
    judge_walk,
    known_models,
    on_screen,
    scatter_of,
    scatters_in,
    tiles_of,
)
from helpers.checks.student import Student, replaced
from helpers.checks.training import ALL_STEPS, BATCH, BATCHES, EPOCHS, POINTS, Run, judge_steps, plain_fit, watched

AFFINE, AFFINE_LOGITS = 1e-4, 1e-3  # what superposition leaves over; zero for an affine function
BOUNDED = 1.001  # of codes for huge images


def strong(network: nn.Module, scale: float) -> nn.Module:
    """Give a network new weights, large enough to tell its activations."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(0, scale / max(parameter.shape[-1], 1) ** 0.5)
    return network.eval()


def superposition(f: Any, a: Tensor, b: Tensor) -> float:
    """Return by how much f(a) + f(b) differs from f(a + b) + f(0), as a share."""
    parts = [f(t) for t in (a, b, a + b, torch.zeros_like(a))]
    return float((parts[0] + parts[1] - parts[2] - parts[3]).abs().max() / parts[2].abs().max().clamp_min(1e-9))


# ---------------------------------------------------------------- task B1


@checks("B1", "B1, Encoder", "mnist_beta_vae.Encoder.forward")
def encoder(student: Student) -> str:
    network = strong(student.get("mnist_beta_vae.Encoder")(2), 2.0)
    with torch.no_grad():
        images = torch.rand(5, 1, 28, 28)
        codes, again = (in_shape(network(images), (5, 2), "the code") for _ in range(2))
        if not close(codes, again):
            raise Mistake("two calls for the same images differ", "encoder_random")
        if superposition(network, *torch.randn(2, 1, 1, 28, 28)) < AFFINE:
            raise Mistake("the code is an affine function of the image", "encoder_linear")
        many = network(torch.randn(200, 1, 28, 28))
        if many.min() >= 0:
            raise Mistake("of 200 random images, none has a negative code", "encoder_relu_out")
        if network(100 * torch.randn(200, 1, 28, 28)).abs().max() < BOUNDED:
            raise Mistake("codes stay below 1 for images however bright", "encoder_relu_out")
    return "flattens images and gives codes of shape (batch, 2), free to take any value"


@checks("B1", "B1, Decoder", "mnist_beta_vae.Decoder.forward")
def decoder(student: Student) -> str:
    network = strong(student.get("mnist_beta_vae.Decoder")(2), 3.0)
    with torch.no_grad():
        pixels = as_array(network(2 * torch.randn(64, 2)), "the image")
        if pixels.shape not in ((64, 1, 28, 28), (64, 28, 28)):
            code = "no_reshape" if pixels.shape == (64, 784) else "shape"
            raise Mistake(f"64 codes give the shape {pixels.shape}, expected (64, 1, 28, 28)", code)
        evidence = f"pixels lie between {pixels.min():.2f} and {pixels.max():.2f}"
        if pixels.min() < -1e-6 or pixels.max() > 1 + 1e-6:
            raise Mistake(evidence, "sigmoid_missing")
        if pixels.min() > 0.45:
            raise Mistake(evidence, "sigmoid_twice")
        strong(network, 1.0)  # smaller, for the logits of pixels near 0 and 1 are rounded
        if superposition(lambda z: torch.logit(network(z).cpu().double(), 1e-9), *torch.randn(2, 1, 2)) < AFFINE_LOGITS:
            raise Mistake("before its sigmoid, the image is an affine function of the code", "decoder_linear")
    return "gives images of shape (batch, 1, 28, 28) with pixels in [0, 1]"


class StubAutoencoder(nn.Module):
    """Reconstruct every image by two levels, and give a code that nothing depends on: gradients tell the loss."""

    LEVELS, PIXEL = (0.0, 2.0), 0.4

    def __init__(self) -> None:
        super().__init__()
        self.levels = nn.Parameter(torch.tensor(self.LEVELS))
        self.code = nn.Parameter(torch.tensor([1.0, -1.0]))

    def encoder(self, x: Tensor) -> Tensor:
        return self.code.expand(len(x), 2)

    def decode(self, z: Tensor) -> Tensor:
        rows = torch.sigmoid(self.levels)[:, None].expand(2, 392).reshape(1, 1, 28, 28)
        return rows.expand(len(z), 1, 28, 28)

    decoder = decode

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z = self.encoder(x)
        return self.decode(z), z


@checks("B1", "B1, train_ae", "mnist_beta_vae.train_ae", stops=True)
def train_ae(student: Student) -> str:
    train, stub = student.get("mnist_beta_vae.train_ae"), StubAutoencoder()
    optimizer, noted = watched(stub)
    images = torch.full((BATCH * BATCHES, 1, 28, 28), stub.PIXEL)
    data = DataLoader(TensorDataset(images, torch.zeros(len(images), dtype=torch.long)), batch_size=BATCH)
    try:
        train(stub, data, optimizer, num_epochs=EPOCHS)
    except NotImplementedError:  # is it the loop of part A that is still open?
        with replaced(train, fit=plain_fit):
            train(stub, data, optimizer, num_epochs=EPOCHS)
    judge_steps(Run(noted, [(POINTS["train"], True)]))
    levels, code = (np.zeros(2) if g is None else as_array(g, "the gradient") for g in noted[0])
    p = 1 / (1 + np.exp(-np.array(stub.LEVELS)))
    squared, entropy = (p - stub.PIXEL) * p * (1 - p), p - stub.PIXEL
    if (levels * squared < 0).all():
        raise Mistake("the gradient points away from the smaller error", "maximises")
    if np.abs(code).max() > 1e-3 * np.abs(levels).max():
        raise Unclear("the codes have a gradient of their own: the assignment asks for the squared error alone")
    if not close(levels[0] / levels[1], squared[0] / squared[1], 0.02):
        if close(levels[0] / levels[1], entropy[0] / entropy[1], 0.02):
            raise Unclear("the gradient is that of the cross-entropy: the assignment asks for the mean squared error")
        raise Mistake("", "ae_loss")
    return f"minimises the mean squared error, one step a batch ({ALL_STEPS} steps)"


# ---------------------------------------------------------------- task B2


@checks("B2", "B2, models")
def models(student: Student, vaes: Mapping[float, Any], images: Any, loader: Any = None) -> str:
    """``vaes``: the VAEs by their beta; ``images``: test images; ``loader``: what they were trained on."""
    x = torch.as_tensor(as_array(images[:1000], "images"), dtype=torch.float32).reshape(-1, 1, 28, 28)
    if loader is not None:
        judge_data(loader, x)
    return judge_betas(vaes, x)


# ---------------------------------------------------------------- tasks B3 to B5: the functions

IMAGES, CELLS, STEPS = 192, 6, 9


@checks("B3", "B3, plot_latent2D", "mnist_beta_vae.plot_latent2D")
def plot_latent2D(student: Student) -> str:
    function = student.get("mnist_beta_vae.plot_latent2D")
    x, labels = torch.rand(IMAGES, 1, 28, 28), torch.arange(IMAGES) % 10
    for block in (FIRST, SECOND):
        x[:, 0, block[0], block[1]] = torch.rand(IMAGES, 1, 1)
    data = DataLoader(TensorDataset(x, labels), batch_size=IMAGES // 3)
    for known in known_models(student):
        figure = draw(function, known, data, num_batches=3, plot_idx=0)
        judge_scatter(scatter_of(figure), as_array(Reader(False)(x), "codes"), as_array(labels, "labels"), known.name)
    return f"draws the codes of all {IMAGES} images, each digit in its colour, for autoencoder and VAE"


@checks("B4", "B4, plot_reconstructed", "mnist_beta_vae.plot_reconstructed")
def plot_reconstructed(student: Student) -> str:
    function = student.get("mnist_beta_vae.plot_reconstructed")
    for known in known_models(student):
        side = 3.0 if known.vae else 5.0
        r0, r1 = (-side, side), (-side, side - 1)
        figure = draw(function, known, r0=r0, r1=r1, n=CELLS, plot_idx=0)
        tiles = tiles_of(figure, CELLS, CELLS)
        judge_tiles(tiles, known.name)
        judge_grid(tiles, known.name, r0, r1)
        judge_noise(known)
    return f"decodes a {CELLS} x {CELLS} grid of codes in the order of its axis, for autoencoder and VAE"


@checks("B5", "B5, interpolate", "mnist_beta_vae.interpolate", "mnist_beta_vae.interpolation")
def interpolate(student: Student) -> str:
    function = student.get("mnist_beta_vae.interpolate")
    x_1, x_2 = 0.1 * torch.rand(2, 1, 28, 28)
    for x, levels in ((x_1, (0.25, 0.65)), (x_2, (0.85, 0.35))):
        for block, level in zip((FIRST, SECOND), levels, strict=True):
            x[:, block[0], block[1]] = level
    start, end = as_array(Reader(False)(torch.stack([x_1, x_2])), "codes")
    for known in known_models(student):
        tiles = tiles_of(draw(function, known, x_1, x_2, n=STEPS, plot_idx=0), 1, STEPS)
        between = tiles.levels[0, 1:-1]
        if (between[:, 2] < 0.5).all() and (between[:, 3] < 0.5).all():
            raise Mistake(f"of the {known.name}, the frames between are no decoded images", "interpolation_pixels")
        judge_tiles(tiles, known.name)
        judge_walk(tiles.codes[0], start, end, known.name)
        judge_noise(known)
    return f"decodes {STEPS} codes in even steps from the first image's to the second's, for autoencoder and VAE"


def judge_noise(known: Known) -> None:
    """Raise a mistake where a VAE was decoded with its noise."""
    if any(known.noise):
        raise Mistake("the VAE was decoded with its noise", "noisy_picture")


# ---------------------------------------------------------------- tasks B3 to B5: what was drawn of the trained models

LEAST_POINTS, GRID, WALK = 1500, 12, 15
SIDES = {False: (-5.0, 5.0), True: (-3.0, 3.0)}


@checks("B3", "B3, latent planes")
def planes(student: Student, figure: Figure, autoencoder: Any, vaes: Mapping[float, Any], images: Any) -> str:
    """``figure``: the latent planes, the autoencoder's first; ``images``: all test images."""
    panels = [scatter_of_axes(axes) for axes in figure.axes]
    panels = [points for points in panels if len(points)]
    named = all_models(autoencoder, vaes)
    if not panels:
        raise Unclear(
            "the figure holds no scatter plot: draw the codes with plt.scatter, and give the figure with them"
        )
    if len(panels) < len(named):
        raise Mistake(f"{len(panels)} scatter plots for {len(named)} models", "figure_panels")
    few = min(map(len, panels))
    if few < LEAST_POINTS:
        raise Mistake(f"a plane shows {few} images, asked for were more than {LEAST_POINTS}", "latent_few")
    x = torch.as_tensor(as_array(images, "images"), dtype=torch.float32).reshape(-1, 1, 28, 28)
    clouds = {name: draws_of(model, x, vae) for name, (model, vae) in named.items()}
    match_panels(panels, clouds)
    return f"{len(named)} planes, each of its own model, with {few} images or more"


@checks("B4", "B4, grids")
def grids(student: Student, figure: Figure, autoencoder: Any, vaes: Mapping[float, Any]) -> str:
    """``figure``: the grids, the autoencoder's first."""
    named = all_models(autoencoder, vaes)
    drawn = cut_all(figure, GRID, GRID)
    for name, (model, vae) in named.items():
        low, high = SIDES[vae]
        first, second = np.linspace(low, high, GRID), np.linspace(high, low, GRID)
        z = np.stack(np.meshgrid(first, second), axis=-1).reshape(-1, 2)
        tiles = frames_of(model, z, vae).reshape(GRID, GRID, 28, 28)
        if not any(same_pictures(tiles, other) for other in drawn):
            turned = [tiles[::-1], tiles[:, ::-1], tiles.swapaxes(0, 1)[::-1, ::-1]]
            code = "grid_range" if not any(same_pictures(t, o) for t in turned for o in drawn) else "grid_flipped"
            raise Mistake(f"no picture shows the {GRID} x {GRID} codes from {low:g} to {high:g} of {name}", code)
    return f"{len(named)} grids of {GRID} x {GRID} codes, over [-5, 5] for the autoencoder and [-3, 3] for the VAEs"


@checks("B5", "B5, walks")
def walks(
    student: Student,
    figure: Figure,
    autoencoder: Any,
    vaes: Mapping[float, Any],
    x_1: Any,
    x_2: Any,
    digits: Sequence[int] | None = None,
) -> str:
    """``figure``: the walks; ``x_1``, ``x_2``: their two images, and ``digits`` what they show."""
    if digits is not None and {int(d) for d in digits} != {0, 1}:
        raise Mistake(f"the two images show {' and '.join(str(int(d)) for d in digits)}", "interpolation_digits")
    drawn = cut_all(figure, 1, WALK)
    if not drawn:
        raise Mistake(f"no row of {WALK} images is drawn", "interpolation_steps")
    ends = torch.stack([torch.as_tensor(as_array(x, "x"), dtype=torch.float32).reshape(1, 28, 28) for x in (x_1, x_2)])
    named = all_models(autoencoder, vaes)
    for name, (model, vae) in named.items():
        start, end = means_of(model, ends, vae)
        z = start + np.linspace(0, 1, WALK)[:, None] * (end - start)
        frames = frames_of(model, z, vae).reshape(1, WALK, 28, 28)
        if not vae and not any(same_pictures(frames, other) for other in drawn):
            code = "interpolation_reversed" if any(same_pictures(frames[:, ::-1], o) for o in drawn) else ""
            raise Mistake(f"no row shows the straight way between the codes of the two images, of {name}", code)
    if len({row.tobytes() for row in drawn}) < len(named):
        raise Mistake(f"{len(drawn)} rows, of which some are the same, for {len(named)} models", "same_panel")
    return f"{len(named)} rows of {WALK} images, one a model, from a 0 to a 1"


def all_models(autoencoder: Any, vaes: Mapping[float, Any]) -> dict[str, tuple[Any, bool]]:
    """Name the models, and say which are VAEs."""
    return {"the autoencoder": (autoencoder, False)} | {f"beta = {beta:g}": (m, True) for beta, m in vaes.items()}


def scatter_of_axes(axes: Any) -> Array:
    """Return the points of all scatter plots in one panel."""
    points = [offsets for _, offsets in scatters_in(axes)]
    return np.concatenate(points) if points else np.empty((0, 2))


@torch.no_grad()
def means_of(model: Any, x: Tensor, vae: bool) -> Array:
    """Compute the codes of images; for a VAE, the means of their posteriors."""
    x = x.to(next(model.parameters()).device)
    codes = model.encode(x.flatten(1))[0] if vae else model.encoder(x)
    return as_array(codes, "codes")


@torch.no_grad()
def draws_of(model: Any, x: Tensor, vae: bool) -> Array:
    """Draw the codes of images; an autoencoder has one each."""
    if not vae:
        return means_of(model, x, vae)
    return as_array(model.encode_latent(x.to(next(model.parameters()).device)), "codes")


@torch.no_grad()
def frames_of(model: Any, z: Array, vae: bool) -> Array:
    """Decode codes to mean images, shape (N, 28, 28)."""
    codes = torch.as_tensor(z, dtype=torch.float32, device=next(model.parameters()).device)
    images = model.decode(codes, noise=False) if vae else model.decode(codes)
    return as_array(images, "images").reshape(-1, 28, 28)


def cut_all(figure: Figure, rows: int, columns: int) -> list[Array]:
    """Cut every picture of a figure that has this many tiles."""
    parts = [cut(on_screen(image), rows, columns) for image in images_of(figure)]
    return [part for part in parts if part is not None]


def same_pictures(a: Array, b: Array) -> bool:
    return a.shape == b.shape and float(np.abs(a - b).mean()) < 2e-3


def match_panels(panels: list[Array], clouds: dict[str, Array]) -> None:
    """Find a panel of its own for each model, by the middle and the spread of its points.

    Raises:
        Mistake: a model has none.
    """
    free = list(range(len(panels)))
    for name, cloud in clouds.items():
        best = min(free, key=lambda i: cloud_distance(panels[i], cloud))
        if cloud_distance(panels[best], cloud) > 0.25:
            raise Mistake(f"no panel shows the codes of {name}", "same_panel" if best in free else "latent_axes")
        free.remove(best)


def cloud_distance(points: Array, cloud: Array) -> float:
    """Compare two clouds by their means and their covariances, in spreads of the second."""
    spread = cloud.std(0)
    middle = np.abs(points.mean(0) - cloud.mean(0)) / spread
    shape = np.abs(np.cov(points.T) - np.cov(cloud.T)) / np.outer(spread, spread)
    return float(max(middle.max(), shape.max()))
