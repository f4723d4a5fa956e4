"""What the notebooks claim: limits within which a sentence is true, and the spread over seeds that a band comes from.

``NAME.json`` beside this file belongs to ``notebooks/NAME.ipynb``. Its ``claims`` give, for each name,

- ``above`` and ``below``, written by hand: beyond them the notebook's sentence would be wrong. One may be left out;
- ``unit``, where there is one;
- either ``source``, by hand: the theory, or the assignment, that the limits come from;
- or ``values``, written by ``python -m course bench seeds NAME``: what whole runs of the notebook with the seeds in
  ``seeds`` measured.

Its ``constants`` explain those numbers in the notebook's text that no run prints: results of theory, or of others.
"""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).parent
LEAST_WIDTH = 0.05  # the least range, as a share of the largest value: a range of 0 over a few seeds is no promise


@dataclass(frozen=True)
class Claim:
    """What one claim accepts, and why."""

    unit: str = ""
    above: float = -math.inf
    below: float = math.inf
    source: str = ""
    values: list[float] = field(default_factory=list)

    def band(self) -> tuple[float, float]:
        r"""Return the least and the largest accepted value.

        With values :math:`v_1, \dots, v_n` of :math:`n` seeds and their range :math:`w = \max v - \min v`, the band is
        :math:`[\min v - 2w, \max v + 2w]`, cut at the limits of the sentence; a side that the sentence leaves open
        stays open. After five draws of a normal distribution, a sixth lies outside about once in two hundred times.
        """
        low, high = self.above, self.below
        if not self.source and self.values:
            largest = max(map(abs, self.values))
            width = 2 * max(max(self.values) - min(self.values), LEAST_WIDTH * largest)
            if low > -math.inf:
                low = max(low, min(self.values) - width)
            if high < math.inf:
                high = min(high, max(self.values) + width)
        return low, high

    def holds(self, value: float) -> bool:
        """Say whether a value lies in the band, ends included; NaN does not."""
        low, high = self.band()
        return low <= value <= high

    def is_open(self) -> bool:
        """Say whether no value could contradict the claim."""
        return self.above == -math.inf and self.below == math.inf

    def origin(self) -> str:
        """Say where the band comes from."""
        if self.source or not self.values:
            return self.source or "none yet"
        return f"{len(self.values)} seeds: {min(self.values):.4g} to {max(self.values):.4g}"


@dataclass(frozen=True)
class Sheet:
    """All claims of one notebook; ``seeds`` are those of ``Claim.values``, in this order."""

    seeds: list[int] = field(default_factory=list)
    claims: dict[str, Claim] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)


def path_of(notebook: str) -> Path:
    """Return where the claims of a notebook stand; ``notebook`` is its file's name without ``.ipynb``."""
    return FOLDER / f"{notebook}.json"


def load(notebook: str) -> Sheet:
    """Read the claims of a notebook; a notebook that has no file yet has none.

    Raises:
        ValueError: the file holds something else.
    """
    path = path_of(notebook)
    if not path.is_file():
        return Sheet()
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        claims = {name: Claim(**parts) for name, parts in raw["claims"].items()}
        return Sheet(raw["seeds"], claims, raw["constants"])
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"helpers/claims/{path.name} holds something else than claims ({error}): its form stands in "
            "helpers/claims/__init__.py"
        ) from error
