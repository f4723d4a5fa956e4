"""Clouds of points: data, codes and samples in the plane."""

from collections.abc import Iterable, Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from helpers.plots.styling import BLUE, CLASS_COLOURS, FRAMED, GREEN, GREY, ORANGE, panels, styled


@styled
def scatters(
    clouds: Mapping[str, np.ndarray],
    *,
    labels: np.ndarray | None = None,
    title: str | None = None,
    xlabel: str = "$x_1$",
    ylabel: str = "$x_2$",
) -> Figure:
    """Draw one scatter a panel on shared, equally scaled axes; ``labels`` colours the points by class."""
    spans = np.ptp(np.concatenate(list(clouds.values())), axis=0)
    height = 3.2 * float(np.clip(spans[1] / spans[0], 0.3, 1))  # equal scales leave no room unused
    size = (4.0 * len(clouds), height + 1.1 + 0.3 * bool(title))
    figure = panels(1, len(clouds), size, title, sharex=True, sharey=True, squeeze=False)
    figure.set_layout_engine("compressed")  # for axes of fixed aspect, whose labels would be cut
    for ax, (name, points) in zip(figure.axes, clouds.items(), strict=True):
        scatter_classes(ax, points, labels, name, named=False)
        ax.set(xlabel=xlabel, ylabel=ylabel, aspect="equal")
    if labels is not None:
        class_legend(figure, np.unique(labels))
    return figure


def class_legend(figure: Figure, classes: Iterable[int]) -> None:
    """Name the colours of classes at the figure's right edge: for clouds that overlap, where no name would fit."""
    handles = [Line2D([], [], ls="", marker="o", color=CLASS_COLOURS[c], label=str(c)) for c in classes]
    figure.legend(handles=handles, loc="outside right center")


def scatter_classes(
    ax: Axes, points: np.ndarray, labels: np.ndarray | None, title: str | None, s: float = 3, named: bool = True
) -> None:
    """Scatter 2-D points; with labels, one colour a class and, where ``named``, the class's name at its median."""
    if labels is None:
        ax.scatter(points[:, 0], points[:, 1], s=s, alpha=0.5, color=BLUE, linewidths=0, rasterized=True)
    else:
        colours = np.array(CLASS_COLOURS)[labels]
        ax.scatter(points[:, 0], points[:, 1], s=s, alpha=0.7, c=colours, linewidths=0, rasterized=True)
        for label in np.unique(labels) if named else ():
            where = np.median(points[labels == label], axis=0)
            ax.annotate(
                str(label), (where[0], where[1]), ha="center", va="center", weight="bold",
                bbox={"boxstyle": "circle,pad=0.15", "fc": "white", "ec": CLASS_COLOURS[label], "alpha": 0.85},
            )  # fmt: skip
    if title:
        ax.set_title(title)


@styled
def overlays(
    clouds: Mapping[str, np.ndarray],
    reference: np.ndarray,
    *,
    names: tuple[str, str] = ("real", "generated"),
    columns: int = 6,
    title: str | None = None,
    limit: float = 1.15,
) -> Figure:
    """Draw small multiples of 2-D clouds, each over the same reference points; axes run from -limit to limit."""
    columns = min(columns, len(clouds))
    rows = -(-len(clouds) // columns)
    side, s = (4.2, 6) if len(clouds) == 1 else (2.3, 3)
    size = (side * columns + 0.5, (side + 0.3) * rows + (1.2 if title else 0.8))
    figure = panels(rows, columns, size, title, sharex=True, sharey=True, squeeze=False)
    figure.set_layout_engine("compressed", h_pad=0.1)  # for axes of fixed aspect
    for ax in figure.axes[len(clouds) :]:
        ax.remove()
    for i, (ax, (name, points)) in enumerate(zip(figure.axes, clouds.items(), strict=True)):
        ax.scatter(*reference.T, s=s, color=ORANGE, linewidths=0, rasterized=True, label=names[0])
        ax.scatter(*points.T, s=s, color=BLUE, alpha=0.6, linewidths=0, rasterized=True, label=names[1])
        ax.set(title=name, xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
        lowest = i + columns >= len(clouds)  # in its column
        ax.xaxis.set_tick_params(labelbottom=lowest)
        ax.set(xlabel="$x_1$" if lowest else "", ylabel="" if i % columns else "$x_2$")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, markerscale=3)
    return figure


@styled
def displacements(start: np.ndarray, end: np.ndarray, names: tuple[str, str], limit: float = 1.0) -> Figure:
    """Draw two clouds of the same points side by side; in the second, a line from each point's start to its end."""
    figure = panels(1, 2, (9.4, 5), sharex=True, sharey=True)
    left, right = figure.axes
    left.scatter(*start.T, s=6, color=ORANGE, linewidths=0, rasterized=True)
    right.add_collection(LineCollection(list(np.stack([start, end], axis=1)), colors=GREY, linewidths=0.6, alpha=0.5))
    right.scatter(*start.T, s=3, color=ORANGE, linewidths=0, rasterized=True)
    right.scatter(*end.T, s=6, color=BLUE, linewidths=0, rasterized=True)
    for ax, name in zip(figure.axes, names, strict=True):
        ax.set(title=name, xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
        ax.set(xlim=(-limit, limit), ylim=(-limit, limit), xticks=(-limit, 0, limit), yticks=(-limit, 0, limit))
    return figure


@styled
def cloud_panels(
    groups: Mapping[str, Mapping[str, np.ndarray]],
    *,
    title: str | None = None,
    xlabel: str = "$x_1$",
    ylabel: str = "$x_2$",
    diagonal: str | None = None,
) -> Figure:
    """Draw clouds of points over one another, one group of them a panel, on shared, square and equally scaled axes.

    ``diagonal`` names a dashed line of equal coordinates: for a prediction against what it should be.
    """
    size = (4 * len(groups) + 0.2, 4.6 if title else 4.3)
    figure = panels(1, len(groups), size, title, sharex=True, sharey=True, squeeze=False)
    everything = np.concatenate([np.concatenate(list(clouds.values())) for clouds in groups.values()])
    low, high = everything.min(axis=0), everything.max(axis=0)
    (x, y), half = (low + high) / 2, 0.52 * (high - low).max()
    for ax, (name, clouds) in zip(figure.axes, groups.items(), strict=True):
        colours = (ORANGE, BLUE, GREEN) if len(clouds) > 1 else (BLUE,)
        for (cloud, points), colour in zip(clouds.items(), colours, strict=False):
            ax.scatter(*points.T, s=5, alpha=0.5, color=colour, linewidths=0, rasterized=True, label=cloud)
        if diagonal:
            ax.axline((0, 0), slope=1, color="black", lw=1.2, ls="--", label=diagonal)
        ax.set(title=name, xlabel=xlabel, ylabel=ylabel, aspect="equal")
        ax.set(xlim=(x - half, x + half), ylim=(y - half, y + half))
        ax.legend(loc="upper left", markerscale=2.5, **FRAMED)
    return figure


@styled
def shaded_scatters(
    clouds: Mapping[str, np.ndarray],
    values: np.ndarray,
    value_label: str,
    *,
    title: str | None = None,
    xlabel: str = "$z_1$",
    ylabel: str = "$z_2$",
) -> Figure:
    """Draw one scatter a panel on shared, equally scaled axes, its points coloured by one number each."""
    figure = panels(1, len(clouds), (4.4 * len(clouds) + 1, 4.2), title, sharex=True, sharey=True, squeeze=False)
    low, high = np.quantile(values, [0.02, 0.98])
    for ax, (name, points) in zip(figure.axes[:], clouds.items(), strict=True):
        dots = ax.scatter(*points.T, s=10, c=values, cmap="viridis", vmin=low, vmax=high, lw=0)
        ax.set(title=name, xlabel=xlabel, ylabel=ylabel, aspect="equal")
    figure.colorbar(dots, ax=list(figure.axes[: len(clouds)]), label=value_label, extend="both")
    return figure
