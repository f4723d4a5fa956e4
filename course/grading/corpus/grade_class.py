"""Measure how long a class takes from outputs alone, and how much memory.

    python -m course.grading.corpus.grade_class [--count 300] [--small]

Every submission is this repository's own for assignment 1, with its stored outputs: a few megabytes of pictures each.
With ``--small`` it is the solution of the inbox's tests: 200 kB, with pictures of a few hundred pixels.
Printed beside it is what no grader can do without: reading each file, parsing its code, and decoding once each figure
whose pixels a check asks for.
"""

import argparse
import contextlib
import json
import os
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

import psutil
from rich.console import Console

from course.assignments import ASSIGNMENTS
from course.figures import pictures
from course.grading.case import case_of
from course.grading.corpus import inboxes
from course.grading.grade import grade
from course.grading.judging import Options, judge
from course.grading.verdicts import Verdict
from course.handin import submit as submission
from course.notebooks import reading
from course.notebooks.code import parse_or_none

MEGA = 1e6
ROUNDS = 5


class Sample(NamedTuple):
    count: int  # of verdicts written
    grader: float  # bytes of the grader's process
    workers: float  # of its workers together


class Measured(NamedTuple):
    verdicts: list[Verdict]
    seconds: float
    samples: list[Sample]
    processor: float  # seconds of processor time, grader and workers together


def ours() -> bytes:
    """Return this repository's own submission for assignment 1."""
    a1 = ASSIGNMENTS["a1"]
    notebook, _ = submission.join(submission.stored_notebooks(a1), a1, "Max Mustermann", executed=False)
    return json.dumps(notebook).encode()


def measure(folder: Path, count: int, workers: int, *, small: bool = False) -> Measured:
    """Grade ``count`` submissions; memory is sampled four times a second."""
    size = hand_in(folder / "in", inboxes.a1() if small else ours(), count)
    print(f"{count} submissions of {size / MEGA:.1f} MB", flush=True)
    samples: list[Sample] = []
    used: dict[int, float] = {}
    over = threading.Event()
    watcher = threading.Thread(target=watch, args=(folder / "out" / "verdicts", samples, used, over))
    watcher.start()
    started = time.monotonic()
    try:
        verdicts = grade([str(folder / "in")], folder / "out", Options(), workers=workers,
                                 console=Console(quiet=True))  # fmt: skip
        seconds = time.monotonic() - started
    finally:
        over.set()
        watcher.join()
    return Measured(verdicts, seconds, samples, sum(used.values()))


def least(content: bytes) -> float:
    """Return the seconds of processor time that reading, parsing and decoding one submission take by themselves."""
    case = case_of(reading.parse("max_mustermann_a1.ipynb", content), ASSIGNMENTS["a1"])
    judge(case)
    asked_for = [view.picture.data for view in case.views if "decoded" in vars(view)]
    took = []
    for _ in range(ROUNDS):
        before = time.process_time()
        for cell in reading.parse("", content).cells:
            parse_or_none(cell.source)
        for data in asked_for:
            pictures.opened(data, reading.FORMATS).load()
        took.append(time.process_time() - before)
    return min(took)


def hand_in(folder: Path, content: bytes, count: int) -> int:
    """Write one content under many names; return its size."""
    folder.mkdir(parents=True)
    first = folder / "student_a0_a1.ipynb"
    first.write_bytes(content)
    for n in range(1, count):
        os.link(first, folder / f"student_{chr(97 + n % 26)}s{n}_a1.ipynb")
    return len(content)


def watch(verdicts: Path, samples: list[Sample], used: dict[int, float], over: threading.Event) -> None:
    grader = psutil.Process()
    before = sum(grader.cpu_times()[:2])
    while not over.wait(0.25):
        sizes = {}
        for process in (grader, *grader.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                sizes[process.pid] = process.memory_info().rss
                used[process.pid] = sum(process.cpu_times()[:2]) - (before if process == grader else 0)
        count = sum(1 for _ in verdicts.iterdir()) if verdicts.is_dir() else 0
        samples.append(Sample(count, sizes.pop(grader.pid), sum(sizes.values())))


def most(samples: list[Sample], low: int, high: int) -> tuple[float, float]:
    """Return the largest sizes while between ``low`` and ``high`` verdicts were written."""
    mine = [s for s in samples if low <= s.count <= high] or samples[-1:]
    return max(s.grader for s in mine), max(s.workers for s in mine)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--small", action="store_true", help="small notebooks")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="class-") as folder:
        result = measure(Path(folder), arguments.count, arguments.workers, small=arguments.small)
    counts = {v: sum(x.verdict == v for x in result.verdicts) for v in ("PASS", "LOOK", "FAIL")}
    print(f"{len(result.verdicts)} verdicts {counts} in {result.seconds:.1f} s with {arguments.workers} workers")
    share = result.processor / arguments.workers
    print(f"{result.processor:.1f} s of processor time: {share:.1f} s on as many free cores")
    alone = arguments.count * least(inboxes.a1() if arguments.small else ours())
    print(
        f"reading, parsing and decoding alone: {alone:.1f} s, {alone / arguments.workers:.1f} s on as many free cores"
    )
    for third in range(3):
        low, high = (round(arguments.count * part / 3) for part in (third, third + 1))
        grader, workers = most(result.samples, max(low, 1), high)
        print(f"verdicts {low + 1} to {high}: at most {grader / MEGA:.0f} MB grader, {workers / MEGA:.0f} MB workers")


if __name__ == "__main__":
    main()
