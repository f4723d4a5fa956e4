"""Open pictures from bytes that nobody vouches for: memory stays bounded, and a refusal is one sentence."""

import io
import math
import warnings

from PIL import Image

from course.figures.png import FigureError

MOST_PIXELS = 50_000_000


def opened(data: bytes, formats: tuple[str, ...] = ("PNG",)) -> Image.Image:
    """Read a picture's header, pixels not yet.

    Raises:
        FigureError: it is no picture of these formats, or has more pixels than any figure of ours.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(data), formats=formats)
    except Exception as error:  # Pillow raises a dozen kinds on broken files
        raise _undecoded(error) from error
    if not 0 < math.prod(image.size) <= MOST_PIXELS:
        raise FigureError(f"the picture has {image.size} pixels, expected 1 to {MOST_PIXELS:,} in all")
    return image


def picture(data: bytes, formats: tuple[str, ...] = ("PNG",)) -> Image.Image:
    """Return the picture in colour, on white.

    Raises:
        FigureError: it cannot be decoded, or has more pixels than any figure of ours.
    """
    return _on_white(data, formats).convert("RGB")


def reduced(data: bytes, formats: tuple[str, ...], side: int) -> Image.Image:
    """Return the picture in gray, on white, its shorter side at least ``side`` pixels: most of the time is decoding.

    Raises:
        FigureError: it cannot be decoded, or has more pixels than any figure of ours.
    """
    return shrunk(_on_white(data, formats).convert("L"), side)


def _on_white(data: bytes, formats: tuple[str, ...]) -> Image.Image:
    """Return the picture, decoded, on white paper where something of it shines through."""
    image = opened(data, formats)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image.load()
            if image.mode in ("RGB", "L"):
                return image
            rgba = image if image.mode == "RGBA" else image.convert("RGBA")
            if rgba.getchannel("A").getextrema()[0] == 255:  # nothing shines through, as in nearly every figure
                return rgba
            return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    except Exception as error:
        raise _undecoded(error) from error


def _undecoded(error: Exception) -> FigureError:
    return FigureError(f"the picture cannot be decoded ({error}): save the figure again with show")


def shrunk(image: Image.Image, side: int) -> Image.Image:
    """Return a picture whose shorter side has at least ``side`` pixels, and less than twice as many."""
    factor = max(1, min(image.size) // side)
    return image.reduce(factor) if factor > 1 else image
