"""Figures in one style; every function returns a Figure, and none shows or saves.

Figures are made without pyplot, so nothing is left open behind a notebook's back.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

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


@contextmanager
def style() -> Iterator[None]:
    """:data:`STYLE` and nothing else, whatever the reader's own settings are; for drawing and for saving."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        yield


def styled(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    """Make ``draw`` work under :func:`style`."""

    @wraps(draw)
    def drawn(*args: Any, **kwargs: Any) -> Figure:
        with style():
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
    spans = np.ptp(np.concatenate(list(clouds.values())), axis=0)
    height = 3.2 * float(np.clip(spans[1] / spans[0], 0.3, 1))  # equal scales leave no room unused
    figure = panels(1, len(clouds), (4.0 * len(clouds), height + 1), title, sharex=True, sharey=True, squeeze=False)
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
    """Densities on a grid, one a panel, in one colour scale (of square roots, so that thin parts are seen too).

    Rows of each map run from the bottom.
    """
    figure = panels(1, len(maps), (4.2 * len(maps), 3.4), title, sharex=True, sharey=True, squeeze=False)
    top = max(float(m.max()) for m in maps.values())
    scale = PowerNorm(0.5, 0, top)
    for ax, (name, m) in zip(figure.axes, maps.items(), strict=True):
        drawn = ax.imshow(m, extent=extent, origin="lower", cmap="viridis", norm=scale, interpolation="nearest")
        ax.set(title=name, xlabel="$x_1$", ylabel="$x_2$")
    figure.colorbar(drawn, ax=figure.axes, label="density")
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
    series = zip(curves.items(), (BLUE, RED, GREEN), "osD", ((7, 5), (-7, -14), (7, -14)), strict=False)
    for (name, (x, y, labels)), colour, marker, offset in series:
        ax.plot(x, y, color=colour, marker=marker, label=name)
        for x_i, y_i, label in zip(x, y, labels, strict=True):
            side = "left" if offset[0] > 0 else "right"
            ax.annotate(label, (x_i, y_i), textcoords="offset points", xytext=offset, ha=side, color=colour)
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    ax.margins(0.12)
    ax.legend()
    return figure


@styled
def ladder(values: Mapping[str, float], limit: float, *, limit_name: str, xlabel: str, title: str) -> Figure:
    """Named numbers as dots from a dashed limit, one line each, in the order given: for "how far is it still"."""
    figure = panels(1, 1, (8, 1.2 + 0.42 * len(values)))
    (ax,) = figure.axes
    rows = np.arange(len(values))[::-1]
    ax.hlines(rows, limit, list(values.values()), color=GREY, lw=1)
    ax.scatter(list(values.values()), rows, color=BLUE, s=50, zorder=3)
    for row, value in zip(rows, values.values(), strict=True):
        ax.annotate(f"{value:.2f}", (value, row), textcoords="offset points", xytext=(8, -3))
    ax.axvline(limit, color=RED, ls="--", lw=1.2, label=f"{limit_name}: {limit:.3f}")
    ax.set(yticks=rows, yticklabels=list(values), xlabel=xlabel, title=title, ylim=(-0.7, len(values) - 0.3))
    ax.margins(x=0.1)
    ax.legend(loc="lower right")
    return figure


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
    """Small multiples of 2-D clouds, each over the same reference points; axes run from -limit to limit."""
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
    """Two clouds of the same points side by side; in the second, a line from each point's start to its end."""
    figure = panels(1, 2, (9.4, 5), sharex=True, sharey=True)
    left, right = figure.axes
    left.scatter(*start.T, s=6, color=ORANGE, linewidths=0, rasterized=True)
    right.add_collection(LineCollection(np.stack([start, end], axis=1), colors=GREY, linewidths=0.6, alpha=0.5))
    right.scatter(*start.T, s=3, color=ORANGE, linewidths=0, rasterized=True)
    right.scatter(*end.T, s=6, color=BLUE, linewidths=0, rasterized=True)
    for ax, name in zip(figure.axes, names, strict=True):
        ax.set(title=name, xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
        ax.set(xlim=(-limit, limit), ylim=(-limit, limit), xticks=(-limit, 0, limit), yticks=(-limit, 0, limit))
    return figure


@styled
def lines(
    curves: Mapping[str, Sequence[float]],
    *,
    xlabel: str,
    ylabel: str,
    title: str,
    x: Sequence[float] | None = None,
    limits: Mapping[str, float] | None = None,
    log: Literal["", "x", "y", "xy"] = "",
) -> Figure:
    """Curves over 1, 2, ..., or as marked points over ``x``, with dashed black lines at known values.

    ``log`` names the axes that are logarithmic.
    """
    figure = panels(1, 1, (7.5, 4))
    (ax,) = figure.axes
    marked = {"lw": 1} if x is None else {"lw": 1.5, "marker": "o"}
    for (name, y), colour in zip(curves.items(), (BLUE, ORANGE, GREEN, RED), strict=False):
        ax.plot(np.arange(len(y)) + 1 if x is None else x, y, color=colour, label=name, **marked)
    for (name, y), dashes in zip((limits or {}).items(), ("--", ":"), strict=False):
        ax.axhline(y, color="black", lw=1.2, ls=dashes, label=name)
    for axis in log:
        ax.set(**{f"{axis}scale": "log"})
        getattr(ax, f"{axis}axis").set_major_locator(LogLocator(subs=(1, 2, 5)))
        getattr(ax, f"{axis}axis").set_major_formatter("{x:g}")
        getattr(ax, f"{axis}axis").set_minor_formatter(NullFormatter())
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    ax.legend()
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
    """Clouds of points over one another, one group of them a panel, on shared, square and equally scaled axes.

    ``diagonal`` names a dashed line of equal coordinates: for a prediction against what it should be.
    """
    size = (4 * len(groups) + 0.2, 4.6 if title else 4.3)
    figure = panels(1, len(groups), size, title, sharex=True, sharey=True, squeeze=False)
    everything = np.concatenate([points for clouds in groups.values() for points in clouds.values()])
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
        ax.legend(loc="upper left", markerscale=2.5)
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
    """One scatter a panel on shared, equally scaled axes, its points coloured by one number each."""
    figure = panels(1, len(clouds), (4.4 * len(clouds) + 1, 4.2), title, sharex=True, sharey=True, squeeze=False)
    low, high = np.quantile(values, [0.02, 0.98])
    for ax, (name, points) in zip(figure.axes[:], clouds.items(), strict=True):
        drawn = ax.scatter(*points.T, s=10, c=values, cmap="viridis", vmin=low, vmax=high, lw=0)
        ax.set(title=name, xlabel=xlabel, ylabel=ylabel, aspect="equal")
    figure.colorbar(drawn, ax=list(figure.axes[: len(clouds)]), label=value_label, extend="both")
    return figure


@styled
def stacked_bars(bars: Mapping[str, Mapping[str, float]], *, xlabel: str, title: str) -> Figure:
    """One horizontal bar a name, from the top, made of the same parts in the same order, its total at the end."""
    figure = panels(1, 1, (9, 1.5 + 0.5 * len(bars)))
    (ax,) = figure.axes
    rows = np.arange(len(bars))[::-1]
    left = np.zeros(len(bars))
    parts = list(next(iter(bars.values())))
    for part, colour in zip(parts, (RED, ORANGE, GREEN, BLUE, GREY), strict=False):
        width = np.array([bar[part] for bar in bars.values()])
        ax.barh(rows, width, left=left, color=colour, height=0.62, label=part)
        left = left + width
    for row, total in zip(rows, left, strict=True):
        ax.annotate(f"{total:.3f}", (total, row), textcoords="offset points", xytext=(5, -4), weight="bold")
    ax.set(yticks=rows, yticklabels=list(bars), xlabel=xlabel, title=title)
    ax.margins(x=0.1)
    ax.legend(loc="lower right")
    return figure


@styled
def frontier(
    curve: tuple[np.ndarray, np.ndarray],
    points: Mapping[str, tuple[float, float]],
    colours: Sequence[str],
    *,
    region: str,
    xlabel: str,
    ylabel: str,
    title: str,
) -> Figure:
    """Named points above a curve that nothing can be below; the shaded ``region`` under it is named inside."""
    figure = panels(1, 1, (8, 4.6))
    (ax,) = figure.axes
    ax.plot(*curve, color=GREY, lw=2, zorder=1)
    ax.fill_between(*curve, color=GREY, alpha=0.18, lw=0)
    ax.annotate(region, (0.02, 0.03), xycoords="axes fraction", color=GREY, style="italic")
    for (name, point), colour in zip(points.items(), colours, strict=True):
        ax.scatter(*point, s=70, color=colour, zorder=3, clip_on=False)
        ax.annotate(f"{name}\n({point[0]:.2f}, {point[1]:.2f})", point, textcoords="offset points", xytext=(9, 4))
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title, ylim=(0, None), xlim=(-0.03 * curve[0][-1], curve[0][-1]))
    return figure


@styled
def point_and_image(codes: np.ndarray, labels: np.ndarray, z: Sequence[float], image: np.ndarray) -> Figure:
    """A point among the codes of a plane, and beside it what the decoder makes of it."""
    figure = panels(1, 2, (9, 4.6), width_ratios=[1.4, 1])
    plane, picture = figure.axes
    scatter_classes(plane, codes, labels, "where the digits' codes lie")
    plane.plot(*z, marker="+", markersize=22, markeredgewidth=3, color="black", linestyle="none")
    plane.set(xlim=(-3.5, 3.5), ylim=(-3.5, 3.5), aspect="equal", xlabel="$z_1$", ylabel="$z_2$")
    picture.imshow(image, cmap="gray", vmin=0, vmax=1)
    picture.set(xticks=[], yticks=[], title=f"decoded at ({z[0]:.1f}, {z[1]:.1f})")
    return figure


@styled
def dials_and_image(dials: Mapping[str, float], limit: float, image: np.ndarray, title: str) -> Figure:
    """Values of some latents as bars from -limit to limit, and beside them what the decoder makes of them."""
    figure = panels(1, 2, (9, 3.6), width_ratios=[1.4, 1])
    bars, picture = figure.axes
    places = np.arange(len(dials))
    bars.barh(places, list(dials.values()), color=BLUE)
    bars.set_yticks(places, list(dials))
    bars.invert_yaxis()
    bars.axvline(0, color=GREY, linewidth=0.8)
    bars.set(xlim=(-limit, limit), xlabel="value of the latent", title=title)
    picture.imshow(image, cmap="gray", vmin=0, vmax=1)
    picture.set(xticks=[], yticks=[], title="decoded")
    return figure
