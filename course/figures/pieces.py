"""How many pieces the coloured parts of a picture fall into: a curve is one, a cloud of points falls into dozens."""

import math
import re
from itertools import pairwise

from PIL import Image, ImageChops

from course.figures import pictures

COLOUR = 30  # of 255, between the strongest and the weakest of the three channels: letters and frames are gray
UNREDUCED_PIXELS = 1_000_000  # beyond which a picture is reduced first
FULL = 255  # of a mask
RUN = re.compile(b"\xff+")


def coloured_pieces(data: bytes, formats: tuple[str, ...] = ("PNG",)) -> int:
    """Return the number of connected coloured pieces of a picture; none in one that is black and white.

    Raises:
        FigureError: it cannot be decoded, or has more pixels than any figure of ours.
    """
    image = pictures.picture(data, formats)
    factor = math.ceil(math.sqrt(image.width * image.height / UNREDUCED_PIXELS))
    red, green, blue = (image.reduce(factor) if factor > 1 else image).convert("RGB").split()
    strongest, weakest = (f(f(red, green), blue) for f in (ImageChops.lighter, ImageChops.darker))
    spread = ImageChops.subtract(strongest, weakest)
    return count_pieces(spread.point([FULL * (value > COLOUR) for value in range(256)]))


def count_pieces(mask: Image.Image) -> int:
    """Count what hangs together in a mask of 0 and 255, corners included: runs of rows are joined to those they touch.

    Plain Python, for staff who grade from outputs have no NumPy.
    """
    pixels, width = mask.tobytes(), mask.width
    rows = [[m.span() for m in RUN.finditer(pixels[i : i + width])] for i in range(0, len(pixels), width)]
    first = [0]
    for row in rows:
        first.append(first[-1] + len(row))
    parents = list(range(first[-1]))

    def root(run: int) -> int:
        while parents[run] != run:
            parents[run] = parents[parents[run]]
            run = parents[run]
        return run

    pieces = first[-1]
    for (above, below), start_above, start_below in zip(pairwise(rows), first, first[1:], strict=False):
        passed = 0
        for run, (begin, stop) in enumerate(below, start_below):
            while passed < len(above) and above[passed][1] < begin:
                passed += 1
            other = passed
            while other < len(above) and above[other][0] <= stop:
                one, two = root(run), root(start_above + other)
                pieces -= one != two
                parents[one] = two
                other += 1
    return pieces
