"""The measurement: every case is trained in each of its ways, in turn, in one process.

Every round starts anew from a seed of its own, the same for all ways, so that what they reach on the test set has a
spread.
"""

import contextlib
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from statistics import mean, median, stdev
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from course.bench.rows import Case, cases
from helpers.core.data import ImageSet
from helpers.core.training import best_device, progress

PEAK_SIZE = 2048  # of the square matrices whose product sets the peak
Result = TypeVar("Result")


class Row(NamedTuple):
    """Hold one line of the table; seconds are of one unit and medians over the rounds."""

    name: str
    unit: str
    precision: str  # of our training steps
    assigned_s: float
    ours_s: float
    ratio: float  # median of the rounds' ratios
    gflops: float  # matrix products and convolutions a second, ours
    peak_share: float  # of the float32 matrix product measured in the same rounds
    pythae_s: float | None
    pythae_ratio: float | None
    tested: str
    assigned_test: float  # means over the rounds' seeds
    assigned_spread: float  # standard deviation over them
    ours_test: float


def run(mnist: ImageSet, fashion: ImageSet, words: Sequence[str], rounds: int, epochs: int | None = None) -> list[Row]:
    """Measure the rows whose name holds one of ``words``, all of them where none is given.

    Raises:
        ValueError: no row has such a name.
    """
    every_case = cases(mnist, fashion)
    choice = [case for case in every_case if not words or any(word.lower() in case.name.lower() for word in words)]
    if not choice:
        names = ", ".join(case.name for case in every_case)
        raise ValueError(f"no row holds {' or '.join(words)}: expected a part of {names}")
    rows: list[Row] = []
    for case in choice:
        rows += measure(case, rounds, epochs)
    return rows


def measure(case: Case, rounds: int = 5, epochs: int | None = None) -> list[Row]:
    """Train a case in every way, in turn, ``rounds`` times after a warm-up; one row for each precision.

    Args:
        rounds: counted ones, each with a seed of its own.
        epochs: trained in a round; the case's own number where not given.
    """
    epochs = epochs or case.epochs
    others = case.others or {}
    ways = {"assigned": case.assigned, **others}
    for word in case.precisions:
        ways[word] = partial(_in_precision, word, case.ours)
    times = Times({name: [] for name in ways}, {name: [] for name in ways}, [])
    for seed in progress(range(rounds + 1), case.name):
        for name, train in ways.items():
            torch.manual_seed(seed)
            spent, model = timed(partial(train, 1 if seed == 0 else epochs))
            if seed > 0:
                times.seconds[name].append(spent / epochs)
                times.tests[name].append(math.nan if name in others else _test(case, model))
        times.peak.append(peak_seconds())
    return [_row(case, word, times) for word in case.precisions]


class Times(NamedTuple):
    """Hold what the rounds of one case gave, by the name of the way."""

    seconds: dict[str, list[float]]  # of one unit
    tests: dict[str, list[float]]
    peak: list[float]  # seconds of the matrix product that sets the peak


def _row(case: Case, word: str, times: Times) -> Row:
    assigned, ours, pythae = times.seconds["assigned"], times.seconds[word], times.seconds.get("pythae")
    tests = times.tests["assigned"]
    gflops = flops(case.loss) * case.steps / 1e9 / median(ours)
    return Row(
        name=case.name,
        unit=case.unit,
        precision=word,
        assigned_s=median(assigned),
        ours_s=median(ours),
        ratio=ratio(assigned, ours),
        gflops=gflops,
        peak_share=gflops / (2 * PEAK_SIZE**3 / median(times.peak) / 1e9),
        pythae_s=median(pythae) if pythae else None,
        pythae_ratio=ratio(pythae, ours) if pythae else None,
        tested=case.tested,
        assigned_test=mean(tests),
        assigned_spread=stdev(tests) if len(tests) > 1 else math.nan,
        ours_test=mean(times.tests[word]),
    )


def _test(case: Case, model: nn.Module) -> float:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return case.test(model)


def ratio(slow: Sequence[float], fast: Sequence[float]) -> float:
    """Take the median of the rounds' ratios: what both lost to a disturbed round cancels."""
    return median(a / b for a, b in zip(slow, fast, strict=True))


def timed(run: Callable[[], Result]) -> tuple[float, Result]:
    """Run something, and count its seconds of the wall clock, the device's work included."""
    wait_for_device()
    start = time.perf_counter()
    result = run()
    wait_for_device()
    return time.perf_counter() - start, result


def wait_for_device() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _in_precision(word: str, train: Callable[[int], nn.Module], epochs: int) -> nn.Module:
    with precision(word):
        return train(epochs)


@contextlib.contextmanager
def precision(word: str) -> Iterator[None]:
    """Set what ``precision="auto"`` means inside."""
    before = os.environ.get("PRECISION")
    os.environ["PRECISION"] = word
    try:
        yield
    finally:
        if before is None:
            del os.environ["PRECISION"]
        else:
            os.environ["PRECISION"] = before


def flops(loss: Callable[[], Tensor]) -> int:
    """Count the floating-point operations of one step's matrix products and convolutions, forward and backward."""
    with FlopCounterMode(display=False) as counter:
        loss().backward()
    return counter.get_total_flops()


def peak_seconds(repeats: int = 3) -> float:
    """Measure the median time of a float32 product of two square matrices of :data:`PEAK_SIZE`."""
    a = torch.ones(PEAK_SIZE, PEAK_SIZE, device=best_device())
    return median(timed(lambda: a @ a)[0] for _ in range(repeats))
