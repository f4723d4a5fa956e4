"""Figures in one style; every function returns a Figure, and none shows or saves.

Figures are made without pyplot, so nothing is left open behind a notebook's back.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.core.training import History

# Okabe & Ito's palette for series, Petroff's (arXiv 2107.02270) for ten classes: both colour-blind-safe.
BLUE, ORANGE, GREEN, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#6E6E6E"
CLASS_COLOURS = (
    "#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6",
    "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd",
)  # fmt: skip

STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "figure.dpi": 100,
    "figure.constrained_layout.use": True,
}


def styled(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    """Draw under :data:`STYLE` and nothing else, whatever the reader's own settings are."""

    @wraps(draw)
    def drawn(*args: Any, **kwargs: Any) -> Figure:
        with mpl.rc_context():
            mpl.rcdefaults()
            mpl.rcParams.update(STYLE)
            return draw(*args, **kwargs)

    return drawn


@styled
def panels(rows: int, columns: int, size: tuple[float, float], title: str | None = None, **kwargs: Any) -> Figure:
    """An empty figure of rows x columns axes, ``size`` inches in all."""
    figure = Figure(figsize=size)
    figure.subplots(rows, columns, **kwargs)
    if title:
        figure.suptitle(title)
    return figure


@styled
def scatters(
    clouds: Mapping[str, np.ndarray],
    *,
    labels: np.ndarray | None = None,
    title: str | None = None,
    xlabel: str = "$x_1$",
    ylabel: str = "$x_2$",
) -> Figure:
    """One scatter a panel on shared, equally scaled axes; ``labels`` colours the points by class."""
    figure = panels(1, len(clouds), (4.0 * len(clouds), 3.6), title, sharex=True, sharey=True, squeeze=False)
    for ax, (name, points) in zip(figure.axes, clouds.items(), strict=True):
        scatter_classes(ax, points, labels, name)
        ax.set(xlabel=xlabel, ylabel=ylabel, aspect="equal")
    return figure


def scatter_classes(ax: Axes, points: np.ndarray, labels: np.ndarray | None, title: str | None, s: float = 3) -> None:
    """Scatter 2-D points; with labels, one colour a class and the class's name at its median."""
    if labels is None:
        ax.scatter(points[:, 0], points[:, 1], s=s, alpha=0.5, color=BLUE, linewidths=0, rasterized=True)
    else:
        colours = np.array(CLASS_COLOURS)[labels]
        ax.scatter(points[:, 0], points[:, 1], s=s, alpha=0.7, c=colours, linewidths=0, rasterized=True)
        for label in np.unique(labels):
            where = np.median(points[labels == label], axis=0)
            ax.annotate(
                str(label), where, ha="center", va="center", weight="bold",
                bbox={"boxstyle": "circle,pad=0.15", "fc": "white", "ec": CLASS_COLOURS[label], "alpha": 0.85},
            )  # fmt: skip
    if title:
        ax.set_title(title)


@styled
def training_curves(
    history: History,
    test: Mapping[str, float] | None,
    titles: Mapping[str, str],
    title: str | None = None,
    limits: Mapping[str, float] | None = None,
) -> Figure:
    """One panel for each scalar in ``titles``: a line over training steps, dots for validation, a line for test.

    The vertical range is that of everything after the first tenth of training, where the curves tell something;
    ``limits`` adds a dashed line at a known bound.
    """
    figure = panels(1, len(titles), (13, 3.4), title)
    for ax, (key, name) in zip(figure.axes, titles.items(), strict=True):
        train = history.train[key]
        epochs = (np.arange(len(train)) + 1) / history.steps_per_epoch
        ax.plot(epochs, train, color=BLUE, lw=0.8, alpha=0.7, label="train, each step", zorder=1)
        shown = [train[len(train) // 10 :]]
        if key in history.val:
            val = history.val[key]
            ax.scatter(np.arange(len(val)) + 1, val, color=ORANGE, s=28, label="validation, each epoch", zorder=3)
            shown.append(val)
        if test is not None:
            ax.axhline(test[key], color=GREEN, lw=1.5, label="test, final", zorder=2)
            shown.append([test[key]])
        if limits and key in limits:
            ax.axhline(limits[key], color=RED, lw=1.2, ls="--", label="limit", zorder=2)
            shown.append([limits[key]])
        low, high = np.quantile(np.concatenate(shown), [0.002, 0.998])
        ax.set_ylim(low - 0.1 * (high - low), high + 0.1 * (high - low))
        ax.set(title=name, xlabel="epoch", ylabel="nats per example")
    figure.axes[0].legend(fontsize=8)
    return figure


@styled
def densities(maps: Mapping[str, np.ndarray], extent: Sequence[float], title: str | None = None) -> Figure:
    """Densities on a grid, one a panel, in one colour scale; rows of each map run from the bottom."""
    figure = panels(1, len(maps), (4.2 * len(maps), 3.4), title, sharex=True, sharey=True, squeeze=False)
    top = max(float(m.max()) for m in maps.values())
    for ax, (name, m) in zip(figure.axes[:], maps.items(), strict=True):
        drawn = ax.imshow(m, extent=extent, origin="lower", cmap="viridis", vmin=0, vmax=top, interpolation="nearest")
        ax.set(title=name, xlabel="$x_1$", ylabel="$x_2$")
    figure.colorbar(drawn, ax=list(figure.axes[: len(maps)]), label="density")
    return figure


@styled
def paths(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float], Sequence[str]]],
    *,
    xlabel: str,
    ylabel: str,
    title: str,
) -> Figure:
    """Marked points joined in order, each with its label: for rate against distortion."""
    figure = panels(1, 1, (7, 4.2))
    (ax,) = figure.axes
    for (name, (x, y, labels)), colour, marker in zip(curves.items(), (BLUE, RED, GREEN), "osD", strict=False):
        ax.plot(x, y, color=colour, marker=marker, label=name)
        for x_i, y_i, label in zip(x, y, labels, strict=True):
            ax.annotate(label, (x_i, y_i), textcoords="offset points", xytext=(7, 5), color=colour)
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    ax.margins(0.12)
    ax.legend()
    return figure
