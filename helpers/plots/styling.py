"""The style that all figures share, and the empty figure that each begins with."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

# Okabe & Ito's palette for series. Petroff's (arXiv 2107.02270) for ten classes, each colour moved until any two are at
# least 15 apart (CIEDE2000), for colour-blind readers, too.
BLUE, ORANGE, GREEN, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#6E6E6E"
CLASS_COLOURS = (
    "#0e8eed", "#ffbc1e", "#ba1700", "#8f8fa3", "#8634af",
    "#9f6f66", "#e96400", "#bdb988", "#505251", "#8bd4da",
)  # fmt: skip

STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "figure.dpi": 100,
    "figure.constrained_layout.use": True,
}
FRAMED: dict[str, Any] = {"frameon": True, "framealpha": 0.85, "edgecolor": "none"}  # of a legend that may lie on data


@contextmanager
def style() -> Iterator[None]:
    """Set :data:`STYLE` and nothing else, whatever the reader's own settings are; for drawing and for saving."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        yield


def styled(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    """Make ``draw`` work under :func:`style`."""

    @wraps(draw)
    def draw_styled(*args: Any, **kwargs: Any) -> Figure:
        with style():
            return draw(*args, **kwargs)

    return draw_styled


@styled
def panels(rows: int, columns: int, size: tuple[float, float], title: str | None = None, **kwargs: Any) -> Figure:
    """Make an empty figure of rows x columns axes, ``size`` inches in all."""
    figure = Figure(figsize=size)
    figure.subplots(rows, columns, **kwargs)
    if title:
        figure.suptitle(title)
    return figure
