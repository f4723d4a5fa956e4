"""``claim``: a statement, the measured number beside the accepted band, and a verdict."""

import math

from helpers.core.data import ImageSet
from helpers.core.training import is_quick


def claim(
    statement: str,
    value: float,
    low: float = -math.inf,
    high: float = math.inf,
    unit: str = "",
    *,
    source: str,
    data: ImageSet | None = None,
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
