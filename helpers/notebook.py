"""What every notebook says and shows: ``show`` a figure, ``claim`` a result, ``explore`` with sliders."""

import io
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from IPython.display import display
from matplotlib.figure import Figure

from helpers import plots
from helpers.core.files import FIGURE_NAME, write_whole
from helpers.core.settings import budget, figure_hook, figures_folder, is_live, is_quick

if TYPE_CHECKING:  # it would load torch, which notebook 01 does without
    from helpers.core.data import ImageSet

__all__ = ["budget", "claim", "explore", "show"]

DPI = 100


def show(figure: Figure, name: str, alt: str, *, data: "ImageSet | None" = None) -> None:
    """Write ``<name>.png`` to the figures folder and display exactly those bytes, with one stable line.

    Args:
        name: lower-case words joined by underscores; the file's name.
        alt: one sentence for those who cannot see the figure.
        data: the images that the figure is made from; a stand-in is announced on the figure.

    Raises:
        ValueError: another form of name, or no ``alt``.
        OSError: the folder cannot be written to; nothing half-written stays behind.
    """
    if not FIGURE_NAME.fullmatch(name):
        raise ValueError(f"a figure's name is lower-case words joined by underscores, got {name!r}")
    if not alt.strip():
        raise ValueError(f"figure {name} needs a sentence in alt, for those who cannot see it")
    if data is not None and not data.genuine:
        figure.text(0.995, 0.005, data.title, ha="right", va="bottom", fontsize=8, color="#D55E00")
    png = render(figure, name)
    write_whole(figures_folder() / f"{name}.png", png)
    print(f"figure {name}")
    display({"image/png": png, "text/plain": alt}, metadata={"image/png": {"alt": alt}}, raw=True)


def render(figure: Figure, name: str) -> bytes:
    """Return the figure as a PNG of fixed size, without a version or date, and with what a hook adds to it."""
    buffer = io.BytesIO()
    hook = figure_hook()
    with plots.style():
        options: dict[str, Any] = {"metadata": {"Software": None}} if hook is None else hook(figure, name)
        figure.savefig(buffer, format="png", dpi=DPI, **options)
    return buffer.getvalue()


def claim(
    statement: str,
    value: float,
    low: float = -math.inf,
    high: float = math.inf,
    unit: str = "",
    *,
    source: str,
    data: "ImageSet | None" = None,
) -> None:
    """Print one line with the number, the band and the verdict.

    A regression run replaces the number behind "measured" and compares the rest to the letter, so it fails exactly
    when a verdict flips.

    Args:
        statement: what is claimed, in words.
        value: the measured number.
        low, high: the accepted band, ends included; leave one out for a one-sided band.
        unit: of value and band.
        source: where the band comes from: theory, the assignment, or a measured spread.
        data: the images measured on; on a stand-in the claim is not judged.

    Raises:
        ValueError: an empty band or none at all: such a claim could not fail, or could not hold.
    """
    if not low <= high or (low == -math.inf and high == math.inf):
        raise ValueError(f"the claim {statement!r} needs a band with low <= high, got {low} to {high}")
    value, low, high = float(value), float(low), float(high)
    holds = low <= value <= high
    mark = "✓ holds" if holds else "✗ FAILS"
    if data is not None and not data.genuine:
        mark = "– not judged: stand-in data"
    elif is_quick():
        mark = "– not judged: quick run"
    if low == -math.inf:
        band = f"at most {high:g}"
    else:
        band = f"at least {low:g}" if high == math.inf else f"{low:g} to {high:g}"
    measured = f"measured {value:.4g} {unit}".rstrip()  # nbval_sanitize.cfg knows this word and "(band:"
    print(f"{mark} | {statement} | {measured} | accepted {band} (band: {source})")


def explore(
    draw: Callable[[Sequence[float]], Figure],
    sliders: Mapping[str, tuple[float, float, float]],
    name: str,
    alt: str,
    *,
    data: "ImageSet | None" = None,
) -> None:
    """Show ``draw`` of the starting values under ``name``, as every figure; for a live reader, sliders below it.

    Stored notebooks, regression runs and machines without ipywidgets have the picture alone.

    Args:
        draw: values, in the order of ``sliders``, to a Figure.
        sliders: label to least, starting and largest value.
        name: as for :func:`helpers.notebook.show`; so are ``alt`` and ``data``.

    Raises:
        ValueError: a slider that starts outside its limits.
    """
    for label, (low, start, high) in sliders.items():
        if not low <= start <= high:
            raise ValueError(f"slider {label!r} starts at {start}, expected a value from {low} to {high}")
    show(draw([start for _, start, _ in sliders.values()]), name, alt, data=data)
    widget = controls(draw, sliders, name) if is_live() else None
    if widget is not None:
        display(widget)


def controls(draw: Callable[[Sequence[float]], Figure], sliders: Mapping[str, tuple[float, float, float]], name: str):
    """Return sliders above an image that follows them; None where ipywidgets is not installed."""
    try:
        import ipywidgets as widgets
    except ImportError:
        return None
    handles = [
        widgets.FloatSlider(
            start, min=low, max=high, step=(high - low) / 60, description=label, continuous_update=False
        )
        for label, (low, start, high) in sliders.items()
    ]
    image = widgets.Image(format="png")

    def redraw(_change: object = None) -> None:
        image.value = render(draw([slider.value for slider in handles]), name)

    for slider in handles:
        slider.observe(redraw, names="value")
    redraw()
    return widgets.VBox([*handles, image])
