"""Models whose images bear their codes, and what a plot function drew of them.

An image has four blocks: two bear the code (as sigmoids of a quarter of it), one is nearly white, one nearly black, so
that a tile that was flipped, transposed or blended is recognised. ``Reader`` reads a code from an image, ``Writer``
writes one; in the student's own classes they stand in the place of the networks.
"""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from torch import Tensor, nn

from helpers.checks.base import Mistake, Unclear
from helpers.checks.oracles import Array, close, listed
from helpers.checks.student import Student

SIDE = 28
FIRST, SECOND = (slice(3, 12), slice(3, 12)), (slice(3, 12), slice(16, 25))
WHITE, BLACK = (slice(17, 25), slice(3, 12)), (slice(17, 25), slice(16, 25))
BLOCKS = (FIRST, SECOND, WHITE, BLACK)
CODE_OFF = 0.1  # of a code that is read from a tile
LEVELS_OFF = 0.02  # of the two blocks that are always the same


class Reader(nn.Module):
    """Read codes from images, shape (B, 2); as a VAE's encoder beside log-variances of nearly no noise."""

    def __init__(self, with_logvar: bool) -> None:
        super().__init__()
        self.with_logvar = with_logvar
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        x = x.reshape(-1, SIDE, SIDE)
        levels = torch.stack([x[:, block[0], block[1]].mean((1, 2)) for block in (FIRST, SECOND)], 1)
        z = 16 * levels - 8
        return torch.cat([z, torch.full_like(z, -40.0)], 1) if self.with_logvar else z


class Writer(nn.Module):
    """Write codes into images, shape (B, 1, 28, 28)."""

    def forward(self, z: Tensor) -> Tensor:
        z = z.reshape(-1, 2).float()
        image = torch.full((len(z), 1, SIDE, SIDE), 0.5)
        levels = [*torch.sigmoid(z / 4).T, torch.tensor(0.98), torch.tensor(0.02)]
        for block, level in zip(BLOCKS, levels, strict=True):
            image[:, 0, block[0], block[1]] = level.reshape(-1, 1, 1)
        return image


class Known(NamedTuple):
    """A model of the student's class with known networks."""

    name: str
    model: Any
    vae: bool
    noise: list[bool]  # the flags that its decoder was called with


def known_models(student: Student) -> list[Known]:
    """Make an autoencoder and a VAE whose images bear their codes; all their methods are known ones."""
    autoencoder = student.get("mnist_beta_vae.Autoencoder")(2).eval()
    autoencoder.encoder, autoencoder.decoder = Reader(False), Writer()
    autoencoder.decode = Writer()
    vae = student.get("toy_vae.VAE")(SIDE * SIDE, 2, [4], [4], flatten=True, sigmoid=True).eval()
    vae.encoder = Reader(True)
    flags: list[bool] = []

    def decode(z: Tensor, noise: bool = True) -> Tensor:
        flags.append(bool(noise))
        return Writer()(z).flatten(1)

    vae.decode, vae.encode_latent = decode, Reader(False).forward
    vae.encode = lambda x: tuple(Reader(True)(x).chunk(2, dim=1))
    vae.likelihood = lambda z: (Writer()(z).flatten(1), torch.full((len(z), SIDE * SIDE), -4.0))
    return [Known("autoencoder", autoencoder, False, []), Known("VAE", vae, True, flags)]


def draw(function: Callable[..., Any], known: Known, *arguments: Any, **options: Any) -> Figure:
    """Call a plot function with those options that it knows, on an empty figure."""
    names = inspect.signature(function).parameters
    options = {name: value for name, value in options.items() if name in names}
    if "vae" in names:
        options["vae"] = known.vae
    figure = plt.figure(figsize=(8, 4))
    with torch.no_grad():
        function(known.model, *arguments, **options)
    return figure if figure.axes else plt.gcf()


# ---------------------------------------------------------------- images made of tiles


class Tiles(NamedTuple):
    """An image cut into its tiles, row by row from the top of the screen."""

    images: Array  # (rows, columns, 28, 28)
    extent: tuple[float, ...] | None  # left, right, bottom, top, where one picture holds them all

    @property
    def levels(self) -> Array:
        """The mean of each block, (rows, columns, 4)."""
        return np.stack([self.images[..., block[0], block[1]].mean((-2, -1)) for block in BLOCKS], axis=-1)

    @property
    def codes(self) -> Array:
        """The codes that the tiles bear, (rows, columns, 2)."""
        levels = np.clip(self.levels[..., :2], 1e-6, 1 - 1e-6)
        return 4 * np.log(levels / (1 - levels))


def on_screen(image: Any) -> Array:
    """Return an image's values as they stand on the screen, whichever end its array begins at."""
    array = np.asarray(image.get_array(), dtype=float)
    array = array[..., 0] if array.ndim == 3 else array
    return array[::-1] if image.origin == "lower" else array


def images_of(figure: Figure) -> list[Any]:
    """List all images of a figure, axes by axes."""
    images: list[Any] = []
    for axes in figure.axes:
        images += axes.get_images()
    return images


def tiles_of(figure: Figure, rows: int, columns: int) -> Tiles:
    """Cut what was drawn into its tiles: one picture of all, with a frame around each or without, or one picture each.

    Raises:
        Unclear: nothing of this size was drawn.
    """
    images = images_of(figure)
    arrays = [on_screen(image) for image in images]
    for image, array in reversed(list(zip(images, arrays, strict=True))):
        parts = cut(array, rows, columns)
        if parts is not None:
            return Tiles(parts, tuple(float(e) for e in image.get_extent()))
    if len(arrays) == rows * columns and all(array.shape == (SIDE, SIDE) for array in arrays):
        return Tiles(np.stack(arrays).reshape(rows, columns, SIDE, SIDE), None)
    sizes = ", ".join(" x ".join(map(str, array.shape)) for array in arrays[:3]) or "no image"
    raise Unclear(f"expected a picture of {rows} x {columns} tiles of 28 x 28 pixels, found {sizes}")


def cut(array: Array, rows: int, columns: int) -> Array | None:
    """Cut a picture into tiles, with the frames that ``make_grid`` leaves between them or without; None for others."""
    for frame in range(5):
        pitch = SIDE + frame
        if array.shape == (rows * pitch + frame, columns * pitch + frame):
            inner = array[frame:, frame:].reshape(rows, pitch, columns, pitch)
            return inner[:, :SIDE, :, :SIDE].swapaxes(1, 2)
    return None


def judge_tiles(tiles: Tiles, who: str) -> None:
    """Compare the blocks that are always the same, by which a flipped or transposed image is known.

    Raises:
        Mistake: tiles are turned, blended or something else than decoded codes.
    """
    white, black = tiles.levels[..., 2], tiles.levels[..., 3]
    if np.abs(white - 0.98).max() < LEVELS_OFF and np.abs(black - 0.02).max() < LEVELS_OFF:
        return
    for turned in (tiles.images.swapaxes(-1, -2), tiles.images[..., ::-1, :], tiles.images[..., ::-1]):
        other = Tiles(turned, None).levels
        if np.abs(other[..., 2] - 0.98).max() < LEVELS_OFF and np.abs(other[..., 3] - 0.02).max() < LEVELS_OFF:
            raise Mistake(f"of the {who}, each image stands turned or mirrored", "image_transposed")
    raise Mistake(f"of the {who}, the cells are no decoded images", "grid_wrong")


def judge_grid(tiles: Tiles, who: str, r0: tuple[float, float], r1: tuple[float, float]) -> None:
    """Compare the codes in a grid with those that its ranges ask for, and their order with its axis.

    Raises:
        Mistake: they are others, or in another order.
    """
    rows, columns = tiles.codes.shape[:2]
    first, second = np.linspace(*r0, columns), np.linspace(*r1, rows)
    up = np.stack(np.meshgrid(first, second[::-1]), axis=-1)  # the second latent grows upwards
    orders = {"up": up, "down": up[::-1], "mirrored": up[:, ::-1], "turned": up[::-1, ::-1]}
    turned = {"swapped": up[..., ::-1]} | ({"swapped cells": up.swapaxes(0, 1)} if rows == columns else {})
    for name, codes in turned.items():
        orders |= {name: codes, f"{name}, down": codes[::-1], f"{name}, left": codes[:, ::-1]}
        orders[f"{name}, turned"] = codes[::-1, ::-1]
    order = next((name for name, codes in orders.items() if close(tiles.codes, codes, 0, CODE_OFF)), None)
    if order is None:
        low, high = tiles.codes.min((0, 1)), tiles.codes.max((0, 1))
        whole = close([low, high], [[r0[0], r1[0]], [r0[1], r1[1]]], 0, CODE_OFF)
        text = f"of the {who}, codes run from {listed(low)} to {listed(high)}"
        raise Mistake(f"{text}, asked for were {r0} and {r1}", "grid_wrong" if whole else "grid_range")
    extent = tiles.extent
    free = extent is None or max(map(abs, extent)) > SIDE / 2  # without an axis in latents, up is a convention
    upwards = free or extent is None or extent[3] > extent[2]
    if "swapped" in order:
        raise Mistake(f"of the {who}, the rows follow the first latent", "grid_transposed")
    if order in ("mirrored", "turned"):
        raise Mistake(f"of the {who}, the first latent grows to the left", "grid_mirrored")
    if (order == "up") != upwards and not free:
        raise Mistake(f"of the {who}, the axis and the cells disagree", "grid_flipped")


def judge_walk(codes: Array, start: Array, end: Array, who: str) -> None:
    """Compare codes with even steps on the straight line from the start to the end.

    Raises:
        Mistake: they are others.
    """
    straight = start + np.linspace(0, 1, len(codes))[:, None] * (end - start)
    if close(codes, straight, 0, CODE_OFF):
        return
    evidence = f"of the {who}, codes go from {listed(codes[0])} to {listed(codes[-1])}, right is {listed(start)} to "
    evidence += listed(end)
    if close(codes, straight[::-1], 0, CODE_OFF):
        raise Mistake(evidence, "interpolation_reversed")
    if not close(codes[0], start, 0, CODE_OFF):
        raise Mistake(evidence, "interpolation_start")
    if not close(codes[-1], end, 0, CODE_OFF):
        raise Mistake(evidence, "interpolation_end")
    raise Mistake(f"of the {who}, the ends are right", "interpolation_uneven")


# ---------------------------------------------------------------- points

POINT_OFF = 0.05  # of a point from the nearest code, in the median
LEAST_POINTS = 0.9  # of the images


class Scatter(NamedTuple):
    """The points of one or several scatter plots, and the colour of each, as a value or as the number of its plot."""

    points: Array
    colours: list[Any]


def scatters_in(axes: Any) -> list[tuple[PathCollection, Array]]:
    """List the scatter plots of one panel with their points; a colour bar is made of other collections."""
    scatters = [c for c in axes.collections if isinstance(c, PathCollection)]
    return [(c, np.ma.filled(np.ma.asarray(c.get_offsets(), dtype=float), np.nan).reshape(-1, 2)) for c in scatters]


def scatter_of(figure: Figure) -> Scatter:
    """Read all points of a figure."""
    points, colours = [], []
    scatters = [scatter for axes in figure.axes for scatter in scatters_in(axes)]
    for i, (collection, offsets) in enumerate(scatters):
        points.append(offsets)
        values = collection.get_array()
        if values is not None and len(np.ravel(values)) == len(offsets):
            colours += np.ravel(values).tolist()
        else:
            faces = np.atleast_2d(collection.get_facecolor())
            colours += [tuple(face) for face in faces] if len(faces) == len(offsets) else [(i,)] * len(offsets)
    return Scatter(np.concatenate(points) if points else np.empty((0, 2)), colours)


def nearest(points: Array, codes: Array) -> tuple[Array, float]:
    """Return the nearest code of each point, and the median distance to it."""
    distance = np.abs(points[:, None] - codes[None]).max(-1)
    return distance.argmin(1), float(np.median(distance.min(1)))


def judge_scatter(scatter: Scatter, codes: Array, labels: Array, who: str) -> None:
    """Compare points with the codes of images, and colours with their labels.

    Raises:
        Mistake: points are no codes, or too few, or in colours of other labels.
        Unclear: no points were drawn.
    """
    points = scatter.points
    if not len(points):
        raise Unclear(f"of the {who}, no scatter plot was drawn")
    match, off = nearest(points, codes)
    if off > POINT_OFF:
        swapped = nearest(points[:, ::-1], codes)[1] < POINT_OFF
        text = f"of the {who}, points are off by {off:.2f} from the nearest code"
        raise Mistake(text, "latent_swapped" if swapped else "latent_axes")
    if len(set(match.tolist())) < LEAST_POINTS * len(codes):
        raise Mistake(f"of the {who}, {len(points)} points for {len(codes)} images", "latent_few")
    pairs = set(zip(labels[match].tolist(), scatter.colours, strict=True))
    if len(set(scatter.colours)) < 2:
        raise Mistake(f"of the {who}, all points have one colour", "labels_shuffled")
    if len({digit for digit, _ in pairs}) < len(pairs):
        raise Mistake(f"of the {who}, one digit has points of several colours", "labels_shuffled")


# ---------------------------------------------------------------- walks between two images

FRAME_OFF = 0.02  # of a pixel, in the mean
SAME_FRAMES = FRAME_OFF / 4
TOLD_APART = 4 * SAME_FRAMES  # so far are right frames from wrong ones, where a check can tell them apart
TRAIN_LONGER = "so this check cannot tell yet: train the model longer, and check again"


def off(a: Array, b: Array) -> float:
    """Return by how much two stacks of images differ, in the mean over pixels."""
    return float(np.abs(a - b).mean())


def blend(ends: Array, count: int) -> Array:
    """Blend the pixels of two images, in even steps."""
    t = np.linspace(0, 1, count)[:, None, None]
    return (1 - t) * ends[0] + t * ends[1]


def judge_frames(frames: Array, straight: Array, images: Array) -> str:
    """Say whether frames, shape (n, 28, 28), lead from one decoded image to the other without blending pixels.

    Args:
        straight: as many frames, decoded on the straight line between the two codes.
        images: the two ends as they are, shape (2, 28, 28).

    Raises:
        Mistake: they do not.
        Unclear: the model is trained too little for a blend and a walk to differ.
    """
    if len(frames) < 3:
        raise Mistake(f"{len(frames)} frames are no walk")
    decoded = straight[[0, -1]]
    if off(frames, blend(images, len(frames))) < SAME_FRAMES:
        raise Mistake("each frame is a blend of the two images", "interpolation_pixels")
    if off(*decoded) < TOLD_APART:
        raise Unclear(f"the model decodes both images to nearly the same picture, {TRAIN_LONGER}")
    blended = blend(decoded, len(frames))
    if off(frames, blended) < SAME_FRAMES:
        if off(straight, blended) < 2 * SAME_FRAMES:
            raise Unclear(f"on the way, the model decodes nearly a blend of the two ends, {TRAIN_LONGER}")
        raise Mistake("each frame is a blend of the two images", "interpolation_pixels")
    if off(frames[0], decoded[1]) < FRAME_OFF and off(frames[-1], decoded[0]) < FRAME_OFF < off(frames[0], decoded[0]):
        raise Mistake("", "interpolation_reversed")
    for place, code in ((0, "interpolation_start"), (-1, "interpolation_end")):
        if off(frames[place], decoded[place]) > FRAME_OFF:
            which = "last" if place else "first"
            raise Mistake(f"the {which} frame is not the image that its code decodes to", code)
    steps = np.abs(np.diff(frames, axis=0)).mean((1, 2))
    if steps.max() > 0.6 * off(*decoded) and len(frames) > 4 and off(frames, straight) > SAME_FRAMES:
        raise Mistake("one step does most of the way", "interpolation_uneven")
    return f"{len(frames)} frames lead from the one decoded image to the other"
