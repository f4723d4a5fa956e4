"""What a rerun of assignment 5 shows where nothing bears its names: figures of codes that were added, or of a grid."""

from collections.abc import Iterator
from itertools import combinations, permutations

import numpy as np

from course.assignments.task import Task
from course.grading.answers import Answers
from course.grading.common_own_ways import likelihood_and_kl, noise, stepped, tiles_drawn
from course.grading.verdicts import Finding

__all__ = ["added_codes", "grid_of_two", "likelihood_and_kl", "noise"]

MOST_ADDED = 12  # tiles of a figure among which a sum is looked for
SAME_CODE, LEAST_LENGTH = 1e-3, 0.1
LEAST_ROWS = 5


def added_codes(answers: Answers, task: Task) -> Iterator[Finding]:
    """Say so where a figure shows three decoded codes and one that is made of them: a + (b - c)."""
    for tiles in tiles_drawn(answers):
        codes = tiles.codes.reshape(-1, tiles.codes.shape[-1])
        if 4 <= len(codes) <= MOST_ADDED and is_sum(codes):
            yield Finding(
                "PASS", "arithmetic", f"code cell {tiles.cell + 1} shows a code that is a + (b - c) of others"
            )
            return


def is_sum(codes: np.ndarray) -> bool:
    """Say whether one of the codes is another one plus the difference of two, on no straight line."""
    for result in codes:
        others = [code for code in codes if code is not result]
        for start, (first, second) in ((o, pair) for o in others for pair in permutations(others, 2)):
            direction = first - second
            apart = [np.linalg.norm(a - b) for a, b in combinations((start, first, second), 2)]
            if min(apart) > LEAST_LENGTH and np.abs(start + direction - result).max() < SAME_CODE:
                return not in_line(start, first, second)
    return False


def in_line(*codes: np.ndarray) -> bool:
    """Say whether three codes lie on one straight line, as those of a walk do."""
    a, b = codes[1] - codes[0], codes[2] - codes[0]
    return bool(abs(a @ b) > 0.999 * np.linalg.norm(a) * np.linalg.norm(b))


def grid_of_two(answers: Answers, task: Task) -> Iterator[Finding]:
    """Say so where a figure shows a square of codes that differ in two latents alone."""
    for tiles in tiles_drawn(answers):
        rows, columns, latents = tiles.codes.shape
        codes = tiles.codes.reshape(-1, latents)
        if rows == columns >= LEAST_ROWS and stepped(codes) and len(np.unique(codes, axis=0)) == rows * columns:
            ends = f"from {codes.min():.2g} to {codes.max():.2g}"
            shown = f"code cell {tiles.cell + 1} shows {rows} x {columns} codes, {ends}, that differ in two latents"
            yield Finding("PASS", "region_map", shown)
            return
