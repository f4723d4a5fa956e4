"""How many pieces the coloured parts of a picture fall into: a curve is one, a cloud of points falls into dozens."""

import math
import re

from PIL import ImageChops

from course.figures import pictures

COLOUR = 30  # of 255, between the strongest and the weakest of the three channels: letters and frames are gray
MOST_PIXELS = 1_000_000  # beyond which a picture is reduced first
FILLED = b"\xff"
RUN = re.compile(FILLED + b"+")


def coloured_pieces(data: bytes, formats: tuple[str, ...] = ("PNG",)) -> int:
    """Return the number of connected coloured pieces of a picture; none in one that is black and white.

    Raises:
        FigureError: it cannot be decoded, or has more pixels than any figure of ours.
    """
    image = pictures.picture(data, formats)
    factor = math.ceil(math.sqrt(image.width * image.height / MOST_PIXELS))
    red, green, blue = (image.reduce(factor) if factor > 1 else image).split()
    strongest, weakest = (f(f(red, green), blue) for f in (ImageChops.lighter, ImageChops.darker))
    mask = ImageChops.subtract(strongest, weakest).point([255 * (level > COLOUR) for level in range(256)])
    return count_pieces(mask.tobytes(), mask.width)


def count_pieces(mask: bytes, width: int) -> int:
    """Count what hangs together in a mask of bytes, corners included: runs of a row are joined to those they touch."""
    parents: list[int] = []

    def root(run: int) -> int:
        while parents[run] != run:
            parents[run] = parents[parents[run]]
            run = parents[run]
        return run

    pieces = 0
    above: list[tuple[int, int, int]] = []  # runs of the row above: first column, column after the last, number
    for start in range(0, len(mask), width):
        row, place = [], 0
        for run in RUN.finditer(mask, start, start + width):
            begin, end, number = run.start() - start, run.end() - start, len(parents)
            parents.append(number)
            row.append((begin, end, number))
            pieces += 1
            while place < len(above) and above[place][1] < begin:
                place += 1
            for first, _, other in above[place:]:
                if first > end:
                    break
                one, two = root(number), root(other)
                pieces -= one != two
                parents[one] = two
        above = row
    return pieces
