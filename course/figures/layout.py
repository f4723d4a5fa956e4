"""Whether the text of a figure can be read: none is cut by the figure's edge, none lies on another."""

from collections.abc import Iterator
from itertools import combinations

from matplotlib.artist import Artist
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox, BboxBase

CUT_PX = 1.0  # beyond the edge: less is the rounding of a box
OVERLAP_SHARE = 0.1  # of the smaller text's box: boxes have a margin around their letters


def problems(figure: Figure) -> list[str]:
    """Return a sentence for each text that is cut, and for each pair of texts that overlap, by their drawn boxes."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # places ticks, and moves axes where the layout is constrained
    renderer = canvas.get_renderer()
    boxes = [(text.get_text().strip(), text.get_window_extent(renderer)) for text in _texts(figure)]
    edge = figure.bbox
    sentences = [f"{name!r} is cut by the figure's edge" for name, box in boxes if _beyond(box, edge) > CUT_PX]
    for (first, a), (second, b) in combinations(boxes, 2):
        if _overlap(a, b) > OVERLAP_SHARE:
            sentences.append(f"{first!r} lies on {second!r}")
    return sentences


def _beyond(box: BboxBase, edge: BboxBase) -> float:
    return max(edge.x0 - box.x0, edge.y0 - box.y0, box.x1 - edge.x1, box.y1 - edge.y1)


def _overlap(a: Bbox, b: Bbox) -> float:
    """Return the share of the smaller box that the other covers."""
    both = Bbox.intersection(a, b)
    smaller = min(a.width * a.height, b.width * b.height)
    return 0.0 if both is None or smaller == 0 else both.width * both.height / smaller


def _texts(artist: Artist) -> Iterator[Text]:
    """Yield the texts that are drawn; an axis keeps labels for ticks beyond its limits, which are not."""
    if not artist.get_visible():
        return
    if isinstance(artist, Text):
        if artist.get_text().strip():
            yield artist
        return
    if isinstance(artist, Axis):
        low, high = sorted(artist.get_view_interval())
        slack = 1e-9 * (high - low)
        for tick in [*artist.get_major_ticks(), *artist.get_minor_ticks()]:
            if low - slack <= tick.get_loc() <= high + slack:
                yield from _texts(tick.label1)
                yield from _texts(tick.label2)
        yield from _texts(artist.label)
        yield from _texts(artist.offsetText)
        return
    for child in artist.get_children():
        if not isinstance(child, Axis) or getattr(artist, "axison", True):
            yield from _texts(child)
