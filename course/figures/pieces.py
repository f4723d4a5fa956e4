"""How many pieces the coloured parts of a picture fall into: a curve is one, a cloud of points falls into dozens."""

import numpy as np

from course.figures import pictures

COLOUR = 30  # of 255, between the strongest and the weakest of the three channels: letters and frames are gray
MOST_PIXELS = 1_000_000  # beyond which a picture is reduced first


def coloured_pieces(data: bytes, formats: tuple[str, ...] = ("PNG",)) -> int:
    """Return the number of connected coloured pieces of a picture; none in one that is black and white.

    Raises:
        FigureError: it cannot be decoded, or has more pixels than any figure of ours.
    """
    image = pictures.picture(data, formats)
    factor = int(np.ceil(np.sqrt(image.width * image.height / MOST_PIXELS)))
    red, green, blue = np.moveaxis(np.asarray(image.reduce(factor) if factor > 1 else image), 2, 0)
    strongest, weakest = (f(f(red, green), blue) for f in (np.maximum, np.minimum))
    return count_pieces(strongest - weakest > COLOUR)


def count_pieces(mask: np.ndarray) -> int:
    """Count what hangs together in a mask, corners included: runs of each row are joined to those that they touch."""
    edges = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = np.nonzero(edges == 1)
    ends = np.nonzero(edges == -1)[1]
    parents = list(range(len(rows)))

    def root(run: int) -> int:
        while parents[run] != run:
            parents[run] = parents[parents[run]]
            run = parents[run]
        return run

    pieces, first = len(rows), np.searchsorted(rows, np.arange(len(mask) + 1)).tolist()
    begins, stops = starts.tolist(), ends.tolist()
    for row in range(1, len(mask)):
        above, end_above = first[row - 1], first[row]
        for run in range(first[row], first[row + 1]):
            while above < end_above and stops[above] < begins[run]:
                above += 1
            other = above
            while other < end_above and begins[other] <= stops[run]:
                one, two = root(run), root(other)
                pieces -= one != two
                parents[one] = two
                other += 1
    return pieces
