"""One figure to play with: sliders that redraw it for a live reader, a static picture for everybody else."""

import os
from collections.abc import Callable, Mapping, Sequence

from IPython.display import display
from matplotlib.figure import Figure

from helpers.core.data import ImageSet
from helpers.course.figures import render, show


def explore(
    draw: Callable[[Sequence[float]], Figure],
    sliders: Mapping[str, tuple[float, float, float]],
    name: str,
    alt: str,
    *,
    data: ImageSet | None = None,
) -> None:
    """Show ``draw`` of the starting values under ``name``, as every figure; for a live reader, sliders below it.

    Stored notebooks, regression runs and machines without ipywidgets have the picture alone.

    Args:
        draw: values, in the order of ``sliders``, to a Figure.
        sliders: label to least, starting and largest value.
        name: as for :func:`helpers.course.figures.show`; so are ``alt`` and ``data``.

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


def is_live() -> bool:
    """Whether somebody watches: not where progress bars are silenced, as in every run of ``python -m helpers``."""
    return not os.environ.get("TQDM_DISABLE")


def controls(draw: Callable[[Sequence[float]], Figure], sliders: Mapping[str, tuple[float, float, float]], name: str):
    """Sliders above an image that follows them; None where ipywidgets is not installed."""
    try:
        import ipywidgets as widgets
    except ImportError:
        return None
    moved = [
        widgets.FloatSlider(
            start, min=low, max=high, step=(high - low) / 60, description=label, continuous_update=False
        )
        for label, (low, start, high) in sliders.items()
    ]
    image = widgets.Image(format="png")

    def redraw(_change: object = None) -> None:
        image.value = render(draw([slider.value for slider in moved]), name)

    for slider in moved:
        slider.observe(redraw, names="value")
    redraw()
    return widgets.VBox([*moved, image])
