"""Pictures: densities on a grid, and decoded images beside the code that they stand for."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from helpers.plots.clouds import class_legend, scatter_classes
from helpers.plots.styling import BLUE, GREY, panels, styled


@styled
def densities(
    maps: Mapping[str, np.ndarray], extent: tuple[float, float, float, float], title: str | None = None
) -> Figure:
    """Draw densities on a grid, one a panel, in one colour scale (of square roots, so that thin parts show too).

    Rows of each map run from the bottom.
    """
    figure = panels(1, len(maps), (4.2 * len(maps), 3.4), title, sharex=True, sharey=True, squeeze=False)
    top = max(float(m.max()) for m in maps.values())
    scale = PowerNorm(0.5, 0, top)
    for ax, (name, m) in zip(figure.axes, maps.items(), strict=True):
        image = ax.imshow(m, extent=extent, origin="lower", cmap="viridis", norm=scale, interpolation="nearest")
        ax.set(title=name, xlabel="$x_1$", ylabel="$x_2$")
    figure.colorbar(image, ax=figure.axes, label="density")
    return figure


@styled
def point_and_image(codes: np.ndarray, labels: np.ndarray, z: Sequence[float], image: np.ndarray) -> Figure:
    """Draw a point among the codes of a plane, and beside it what the decoder makes of it."""
    figure = panels(1, 2, (9, 4.6), width_ratios=[1.4, 1])
    plane, picture = figure.axes
    scatter_classes(plane, codes, labels, "where the digits' codes lie", named=False)
    class_legend(figure, np.unique(labels))
    plane.plot(*z, marker="+", markersize=22, markeredgewidth=3, color="black", linestyle="none")
    farthest = np.abs(codes).max()
    half = max(3.5, farthest + farthest / 20)  # all codes, and a margin
    plane.set(xlim=(-half, half), ylim=(-half, half), aspect="equal", xlabel="$z_1$", ylabel="$z_2$")
    picture.imshow(image, cmap="gray", vmin=0, vmax=1)
    picture.set(xticks=[], yticks=[], title=f"decoded at ({z[0]:.1f}, {z[1]:.1f})")
    return figure


@styled
def dials_and_image(dials: Mapping[str, float], limit: float, image: np.ndarray, title: str) -> Figure:
    """Draw the values of some latents as bars from -limit to limit, and beside them what the decoder makes of them."""
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
