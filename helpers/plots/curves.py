"""Curves, bars and single numbers beside their limits."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from helpers.core.history import History
from helpers.plots.styling import BLUE, FRAMED, GREEN, GREY, ORANGE, RED, panels, styled


@styled
def training_curves(
    history: History,
    test: Mapping[str, float] | None,
    titles: Mapping[str, str],
    title: str | None = None,
    limits: Mapping[str, float] | None = None,
) -> Figure:
    """Draw one panel for each scalar in ``titles``: a line over training steps, dots for validation, a line for test.

    The vertical range is that of everything after the first tenth of training, where the curves differ;
    ``limits`` adds a dashed line at a known bound.
    """
    figure = panels(1, len(titles), (13, 3.4), title)
    for ax, (key, name) in zip(figure.axes, titles.items(), strict=True):
        train = history.train[key]
        epochs = (np.arange(len(train)) + 1) / history.steps_per_epoch
        ax.plot(epochs, train, color=BLUE, lw=0.8, alpha=0.7, label="train, each step", zorder=1)
        visible = [train[len(train) // 10 :]]
        if key in history.val:
            val = history.val[key]
            ax.scatter(np.arange(len(val)) + 1, val, color=ORANGE, s=28, label="validation, each epoch", zorder=3)
            visible.append(val)
        if test is not None:
            ax.axhline(test[key], color=GREEN, lw=1.5, label="test, final", zorder=2)
            visible.append(np.array([test[key]]))
        if limits and key in limits:
            ax.axhline(limits[key], color=RED, lw=1.2, ls="--", label="limit", zorder=2)
            visible.append(np.array([limits[key]]))
        low, high = np.quantile(np.concatenate(visible), [0.002, 0.998])
        ax.set_ylim(low - 0.1 * (high - low), high + 0.1 * (high - low))
        ax.set(title=name, xlabel="epoch", ylabel="nats per example")
    figure.axes[0].legend(fontsize=8, **FRAMED)
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
    """Draw curves over 1, 2, ..., or marked points over ``x``, with dashed black lines at known values.

    ``log`` names the axes that are logarithmic.
    """
    figure = panels(1, 1, (7.5, 4))
    (ax,) = figure.axes
    line: dict[str, Any] = {"lw": 1} if x is None else {"lw": 1.5, "marker": "o"}
    for (name, y), colour in zip(curves.items(), (BLUE, ORANGE, GREEN, RED), strict=False):
        ax.plot(np.arange(len(y)) + 1 if x is None else x, y, color=colour, label=name, **line)
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
def paths(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float], Sequence[str]]],
    *,
    xlabel: str,
    ylabel: str,
    title: str,
) -> Figure:
    """Join marked points in order, each with its label: for rate against distortion."""
    figure = panels(1, 1, (7, 4.2))
    (ax,) = figure.axes
    series = zip(curves.items(), (BLUE, RED, GREEN), "osD", ((7, 5), (-7, -14), (7, -14)), strict=False)
    for (name, (x, y, labels)), colour, marker, offset in series:
        ax.plot(x, y, color=colour, marker=marker, label=name)
        for x_i, y_i, label in zip(x, y, labels, strict=True):
            side = "left" if offset[0] > 0 else "right"
            ax.annotate(label, (x_i, y_i), textcoords="offset points", xytext=offset, ha=side, color=colour)
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    ax.margins(x=0.2, y=0.14)
    ax.legend()
    return figure


@styled
def ladder(values: Mapping[str, float], limit: float, *, limit_name: str, xlabel: str, title: str) -> Figure:
    """Draw named numbers as dots from a dashed limit, one line each, from the top: how far each is from it."""
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
def stacked_bars(bars: Mapping[str, Mapping[str, float]], *, xlabel: str, title: str) -> Figure:
    """Draw one horizontal bar a name, from the top, of the same parts in the same order, its total at the end."""
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
        ax.annotate(f"{total:.4g}", (total, row), textcoords="offset points", xytext=(5, -4), weight="bold")
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
    """Draw named points above a curve that nothing can be below; the name of the shaded ``region`` stands inside."""
    figure = panels(1, 1, (8, 4.6))
    (ax,) = figure.axes
    ax.plot(*curve, color=GREY, lw=2, zorder=1)
    ax.fill_between(*curve, color=GREY, alpha=0.18, lw=0)
    ax.annotate(region, (0.04, 0.03), xycoords="axes fraction", color=GREY, style="italic")
    for (name, point), colour in zip(points.items(), colours, strict=True):
        ax.scatter(*point, s=70, color=colour, zorder=3, clip_on=False)
        ax.annotate(f"{name}\n({point[0]:.3f}, {point[1]:.2f})", point, textcoords="offset points", xytext=(9, 4))
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title, ylim=(0, None), xlim=(-0.03 * curve[0][-1], curve[0][-1]))
    return figure
