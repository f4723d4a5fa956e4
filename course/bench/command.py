"""What ``python -m course bench speed`` prints and draws."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from course.bench import quality
from course.bench.growth import growth
from course.bench.measure import run
from course.bench.table import machine, table
from helpers.core.data import ImageSet, Name, load_images
from helpers.core.files import write_whole
from helpers.core.training import best_device
from helpers.notebook import render

WIDTH = 180  # of the table in a log, which does not say how wide it is


def draw_growth(path: Path) -> None:
    """Draw how the cost of training grows with the data and the latents into a PNG."""
    write_whole(path, render(growth(_images("mnist")), path.stem))


def print_rows(words: Sequence[str], rounds: int, epochs: int | None, *, as_json: bool) -> None:
    """Measure the rows whose name holds one of ``words``, all for none, and print them.

    Args:
        words: Parts of names.
        rounds: Measured rounds, a seed each.
        epochs: Trained in a round; each row's own number for None.
        as_json: Print rows and machine as JSON on stdout, and the table on stderr.
    """
    console = Console(stderr=as_json, width=None if sys.stdout.isatty() else WIDTH)
    rows = run(_images("mnist"), _images("fashion"), words, rounds, epochs)
    console.print(table(rows))
    if as_json:
        print(json.dumps({"machine": machine(), "rows": [row._asdict() for row in rows]}, indent=1))


def print_quality(target: float, most: int) -> None:
    """Train in each way, and print what the target took and where it ended."""
    results = quality.ways(_images("mnist"), target, most)
    Console(width=None if sys.stdout.isatty() else WIDTH).print(quality.table(results, target))


def _images(name: Name) -> ImageSet:
    return load_images(name).to(best_device())
