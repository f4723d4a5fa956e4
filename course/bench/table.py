"""The rows of the benchmark for people, with the machine that they were measured on."""

import platform
from collections.abc import Iterable

import torch
from rich.table import Table

from course.bench.measure import Row
from helpers.core.training import best_device


def machine() -> str:
    """Describe what a timing belongs to: processor, threads and versions."""
    device = best_device()
    name = (
        torch.cuda.get_device_name() if device.type == "cuda" else f"{processor()}, {torch.get_num_threads()} threads"
    )
    return f"{name}, torch {torch.__version__.split('+')[0]}, Python {platform.python_version()}"


def processor() -> str:
    """Read the processor's name where Linux gives it, else its architecture."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.machine()


def table(rows: Iterable[Row]) -> Table:
    """Lay the rows out for people; ``pythae`` stands beside the model that its trainer was given."""
    layout = Table(title=f"Seconds on {machine()}", title_justify="left")
    left = {"row", "precision", "test number"}
    for name in ("row", "of", "precision", "as assigned", "ours", "ratio", "GFLOP/s", "of the peak", "pythae",
                 "its ratio", "test number", "as assigned, ± over seeds", "ours "):  # fmt: skip
        layout.add_column(name, justify="left" if name in left else "right")
    for r in rows:
        other = ("", "") if r.pythae_s is None else (f"{r.pythae_s:.2f}", f"{r.pythae_ratio:.1f}")
        layout.add_row(
            r.name, r.unit, r.precision, f"{r.assigned_s:.3f}", f"{r.ours_s:.3f}", f"{r.ratio:.1f}", f"{r.gflops:.0f}",
            f"{r.peak_share:.0%}", *other, r.tested, f"{r.assigned_test:.4g} ± {r.assigned_spread:.2g}",
            f"{r.ours_test:.4g}",
        )  # fmt: skip
    return layout
