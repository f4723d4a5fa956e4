"""The figures of notebook 06 that are not the assignment's: codes, maps and curves of Fashion-MNIST's latent space."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from helpers.plots.clouds import scatter_classes
from helpers.plots.styling import BLUE, CLASS_COLOURS, GREEN, GREY, ORANGE, panels, styled


def image_panel(ax: Axes, image: ArrayLike, **kwargs: Any) -> None:
    """Draw an image into axes without ticks and frame; gray from 0 to 1, unless ``kwargs`` (for ``imshow``) differ."""
    ax.imshow(np.squeeze(np.asarray(image)), **({"cmap": "gray", "vmin": 0, "vmax": 1} | kwargs))
    ax.set(xticks=[], yticks=[])
    for side in ax.spines.values():
        side.set_visible(False)


@styled
def rate_bars(rates: ArrayLike, title: str) -> Figure:
    """Draw the KL of each latent as a bar, the most informative first."""
    figure = panels(1, 1, (8, 3.2))
    (ax,) = figure.axes
    values = np.sort(np.asarray(rates))[::-1]
    ax.bar(np.arange(len(values)) + 1, values, color=BLUE)
    ax.set(xlabel="latent, by its KL", ylabel="KL (nats per image)", title=title)
    ax.set_xticks([1, *range(5, len(values) + 1, 5)])
    return figure


@styled
def code_plane(points: np.ndarray, labels: np.ndarray, names: Sequence[str], title: str) -> Figure:
    """Draw a plane of codes, coloured by category; its number stands at the median, its name in the legend."""
    figure = panels(1, 1, (10, 7.6))
    (ax,) = figure.axes
    scatter_classes(ax, points, labels, title, s=4)
    handles = [
        Line2D([], [], marker="o", ls="", color=CLASS_COLOURS[k], label=f"{k}  {names[k]}") for k in np.unique(labels)
    ]
    ax.legend(handles=handles, loc="center left", bbox_to_anchor=(1, 0.5), markerscale=1.4)
    ax.set(xlabel="t-SNE 1", ylabel="t-SNE 2", xticks=[], yticks=[], aspect="equal")  # its numbers measure nothing
    return figure


@styled
def probability_curves(
    x: Sequence[float],
    groups: Mapping[str, Mapping[str, np.ndarray]],
    *,
    title: str,
    xlabel: str,
    ylabel: str,
) -> Figure:
    """Draw marked curves of probabilities over x, one group of them a panel, with the same names in each."""
    figure = panels(1, len(groups), (4.4 * len(groups), 3.9), title, sharey=True, squeeze=False)
    for ax, (name, curves) in zip(figure.axes, groups.items(), strict=True):
        for (curve, y), colour, marker in zip(curves.items(), (BLUE, ORANGE, GREEN, GREY), "osD^", strict=False):
            ax.plot(x, y, color=colour, marker=marker, ms=4, label=curve)
        ax.set(title=name, xlabel=xlabel, ylim=(-0.03, 1.03))
    figure.axes[0].set_ylabel(ylabel)
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


@styled
def arithmetic(
    minuend: ArrayLike, subtrahend: ArrayLike, start: ArrayLike, result: ArrayLike, names: Sequence[str]
) -> Figure:
    """Draw five named panels: minuend - subtrahend = their difference (in colour); start; start + difference."""
    figure = panels(1, 5, (12, 3.2))
    difference = np.asarray(minuend) - np.asarray(subtrahend)
    for ax, image, name in zip(figure.axes, (minuend, subtrahend, difference, start, result), names, strict=True):
        signed = {"cmap": "RdBu_r", "vmin": -0.7, "vmax": 0.7} if image is difference else {}
        image_panel(ax, image, **signed)
        ax.set_title(name)
    return figure


@styled
def region_maps(
    maps: Mapping[str, ArrayLike],
    labels: Mapping[str, ArrayLike],
    confidences: Mapping[str, ArrayLike],
    axis_names: Mapping[str, tuple[str, str]],
    names: Sequence[str],
    limit: float = 3.0,
) -> Figure:
    """Draw decoded maps side by side; under each, its cells' categories as colour and number, pale where unsure.

    Args:
        maps: square maps of images, in reading order, shape (side ** 2, 28, 28).
        labels, confidences: of each image of a map, shape (side ** 2,).
        axis_names: of a map's two latents.
        names: of the ten categories.
        limit: the latents run from -limit to limit.
    """
    figure = panels(2, len(maps), (6 * len(maps), 12.2), squeeze=False)
    for column, (name, images) in enumerate(maps.items()):
        cells = np.asarray(images)
        side = math.isqrt(len(cells))
        page = cells.reshape(side, side, *cells.shape[1:]).swapaxes(1, 2).reshape(side * cells.shape[1], -1)
        confidence = np.asarray(confidences[name]).reshape(side, side, 1)
        colours = np.array([to_rgb(c) for c in CLASS_COLOURS])[np.asarray(labels[name]).reshape(side, side)]
        edge = limit * side / (side - 1)
        pages = {name: page, "the judge's verdict; pale: unsure": confidence * colours + (1 - confidence)}
        for row, (title, pixels) in enumerate(pages.items()):
            ax = figure.axes[row * len(maps) + column]
            ax.imshow(pixels, extent=(-edge, edge, -edge, edge), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            ax.set(title=title, xlabel=axis_names[name][0], ylabel=axis_names[name][1])
            ax.set(xticks=np.linspace(-limit, limit, 5), yticks=np.linspace(-limit, limit, 5))
        verdicts, ticks = figure.axes[len(maps) + column], np.linspace(-limit, limit, side)
        for k, label in enumerate(np.asarray(labels[name])):  # pale colours are hard to tell apart
            verdicts.text(ticks[k % side], ticks[-1 - k // side], str(label), ha="center", va="center", fontsize=8)
    handles = [
        Line2D([], [], marker="s", ms=9, ls="", color=colour, label=f"{number}  {name}")
        for number, (colour, name) in enumerate(zip(CLASS_COLOURS, names, strict=True))
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=5)
    return figure
