"""The panels of a picture, as far as empty gaps and frames tell: how many there are, and what each shows."""

import itertools
import statistics
from collections.abc import Iterable
from typing import NamedTuple

from PIL import Image, ImageChops, ImageStat

INK = 12  # gray levels: what differs from the border by more is drawn
DRAWN = 255  # marks a pixel as drawn
LEAST_PANEL = 0.06  # of the height or width: narrower stretches are labels
FRAME = 0.5  # share of drawn pixels that makes a line of pixels the edge of a frame
INSIDE = 0.25  # of a panel's width and height, off each side: labels and frames lie further out
LEAST_ALIKE, LEAST_SIDE = 3, 12  # panels that are held against one another, and pixels of each
THUMBNAIL = (16, 16)  # pixels to which panels are brought before they are compared
SAME, EDGE = 1.0, 130.0  # gray levels by which two pictures of one thing differ on average: at all, and for a pixel
# at an edge of theirs that scaling moved, which is the more, the smaller they are


class Stretch(NamedTuple):
    """Rows or columns of pixels that follow one another."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        return self.stop - self.start


def paper(gray: Image.Image) -> int:
    """Return the gray of the background: the median along the four sides."""
    pixels, width = gray.tobytes(), gray.width
    return int(statistics.median(pixels[:width] + pixels[-width:] + pixels[::width] + pixels[width - 1 :: width]))


def ink_of(gray: Image.Image) -> Image.Image:
    """Return a mask of what is drawn."""
    level = paper(gray)
    return gray.point([DRAWN * (abs(other - level) > INK) for other in range(256)])


def counts(ink: Image.Image) -> tuple[int, int]:
    """Return how many rows and columns of panels there are."""
    return len(down(ink)), len(down(turned(ink)))


def turned(image: Image.Image) -> Image.Image:
    return image.transpose(Image.Transpose.TRANSPOSE)


def drawn(ink: Image.Image) -> list[int]:
    """Return how many pixels are drawn in each row."""
    pixels, width = ink.tobytes(), ink.width
    return [pixels.count(DRAWN, start, start + width) for start in range(0, len(pixels), width)]


def down(ink: Image.Image) -> list[Stretch]:
    """Return the panels from top to bottom: what gaps part; or frames, two lines each, where labels fill the gaps."""
    least = LEAST_PANEL * ink.height
    of_row = drawn(ink)
    apart = [stretch for stretch in _stretches(count > 0 for count in of_row) if stretch.length > least]
    lines = _stretches(count > FRAME * ink.width for count in of_row)
    thin = [line for line in lines if line.length <= least]
    framed = [Stretch(top.start, bottom.stop) for top, bottom in zip(thin[::2], thin[1::2], strict=False)]
    framed += [line for line in lines if line.length > least]
    return max(apart, sorted(framed), key=len)


def _stretches(filled: Iterable[bool]) -> list[Stretch]:
    """Return the stretches of True."""
    runs = [(full, len(list(run))) for full, run in itertools.groupby(filled)]
    stops = itertools.accumulate(length for _, length in runs)
    return [Stretch(stop - length, stop) for (full, length), stop in zip(runs, stops, strict=True) if full]


def apart(gray: Image.Image) -> list[Image.Image]:
    """Cut a picture into its panels; return the inside of each, without labels."""
    ink = ink_of(gray)
    rows, columns = down(ink), down(turned(ink))
    return [gray.crop(_inner(c, r)) for r in rows for c in columns]


def _inner(column: Stretch, row: Stretch) -> tuple[int, int, int, int]:
    across, down = int(INSIDE * column.length), int(INSIDE * row.length)
    return column.start + across, row.start + down, column.stop - across, row.stop - down


def is_flat(panel: Image.Image) -> bool:
    """Say whether nothing is drawn in a panel: axes without anything, or one colour all over."""
    low, high = panel.getextrema()
    return float(high) - float(low) <= INK  # pyright: ignore[reportArgumentType]


def are_alike(parts: list[Image.Image]) -> bool:
    """Say whether several panels, of enough pixels to tell, all show the same."""
    if len(parts) < LEAST_ALIKE or min(min(part.size) for part in parts) < LEAST_SIDE:
        return False
    most = SAME + EDGE / min(min(part.size) for part in parts)
    first, *others = (part.resize(THUMBNAIL, Image.Resampling.BOX) for part in parts)
    return all(ImageStat.Stat(ImageChops.difference(first, other)).mean[0] < most for other in others)
