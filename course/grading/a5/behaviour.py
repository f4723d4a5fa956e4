"""The checks by behaviour of assignment 5: its loss, its walk, its arithmetic of codes and its grid."""

from collections.abc import Iterator

import numpy as np

from course.assignments.task import Task
from course.grading.answers import Answers, close, number, numbers
from course.grading.common_behaviour import judge_loss, loss_of
from course.grading.verdicts import Finding


def losses(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge vae_loss: cross-entropy plus beta times the KL, both summed over the batch."""
    loss = loss_of(answers.probe("losses"))
    yield from judge_loss(loss, loss.kl.sum(), "bce")


# ---------------------------------------------------------------- the walk in the plane of codes

NEAR = 0.05  # of the distance of its two ends
LEAST_APART = 1e-6


def strips(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge the walk by the mean distances per pixel of its frames from what they should be."""
    probe = answers.probe("fashion").get("strips")
    if not isinstance(probe, dict):
        return
    off = {name: number(value) for name, value in probe.items() if value is not None}
    fault = strip_fault(off, NEAR * max(off["apart"], LEAST_APART))
    evidence = f"frames off by {off['walk']:.4f} from the decoded straight line"
    yield Finding("FAIL" if fault else "PASS", fault or "strips", evidence)


def strip_fault(off: dict[str, float], near: float) -> str | None:
    """Return the hint for a walk that is not the decoded straight line."""
    if off["walk"] < near:
        return None
    if off["walk_blended"] < near:
        return "interpolation_pixels"
    if off["swapped"] < near:
        return "interpolation_reversed"
    if off["start"] > near:
        return "interpolation_start"
    return "interpolation_end" if off["end"] > near else "interpolation_uneven"


# ---------------------------------------------------------------- arithmetic of codes

CODES = ("boot_direction", "z_result", "z_ankle_boot_avg", "z_sneaker_avg", "z_sandal_avg")
CATEGORIES = {"z_sandal_avg": 5, "z_sneaker_avg": 7, "z_ankle_boot_avg": 9}
SAME_CODE = 1e-3


def arithmetic(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge the direction, the result, and of which category each average is."""
    probe = answers.probe("fashion")
    codes = {name: numbers(probe[name]) for name in CODES if isinstance(probe.get(name), list)}
    if not {"boot_direction", "z_ankle_boot_avg", "z_sneaker_avg"} <= codes.keys():
        yield Finding("LOOK", "own_way", "no variables under the assignment's names")
        return
    yield judge_direction(codes["boot_direction"], codes["z_ankle_boot_avg"] - codes["z_sneaker_avg"])
    if {"z_result", "z_sandal_avg"} <= codes.keys():
        result = codes["z_sandal_avg"] + codes["boot_direction"]
        if not close(codes["z_result"], result, SAME_CODE):
            yield Finding("FAIL", "arithmetic", "z_result is not z_sandal_avg + boot_direction")
    if probe.get("class_codes") is not None:
        yield from judge_categories(codes, numbers(probe["class_codes"]))


def judge_direction(direction: np.ndarray, right: np.ndarray) -> Finding:
    if close(direction, right, SAME_CODE):
        return Finding("PASS", "arithmetic", "the direction is boots minus sneakers")
    code = "direction_reversed" if close(direction, -right, SAME_CODE) else "arithmetic"
    return Finding("FAIL", code, "boot_direction is not z_ankle_boot_avg - z_sneaker_avg")


def judge_categories(codes: dict[str, np.ndarray], means: np.ndarray) -> Iterator[Finding]:
    """Judge whether each average code is nearest to the mean code of the category that its name says."""
    for name, category in CATEGORIES.items():
        if name in codes and codes[name].shape == means[0].shape:
            nearest = int(np.square(means - codes[name]).sum(axis=1).argmin())
            if nearest != category:
                evidence = f"{name} is nearest to category {nearest}, expected {category}"
                yield Finding("FAIL", "category", evidence)


# ---------------------------------------------------------------- the decoded grid

GRID_OFF = 0.02  # mean distance per pixel, beyond which no order of the decoded grid fits
SAME_GRID = 1e-4
ORDERS = {"flipped": "grid_flipped", "swapped": "grid_transposed", "mirrored": "grid_mirrored"}


def region_map(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge decoded_grid against the decoded codes, in the assignment's order and in others."""
    grid = answers.probe("fashion").get("grid")
    if not isinstance(grid, dict):
        yield Finding("LOOK", "own_way", "no decoded_grid under the assignment's name")
        return
    distance = {name: number(value) for name, value in grid.items() if name != "spread"}
    best = min(distance, key=lambda name: distance[name])
    if distance[best] > GRID_OFF:
        yield Finding("LOOK", "grid_wrong", f"off by {distance[best]:.3f} from the decoded grid")
    elif best == "right" or distance["right"] < SAME_GRID:
        yield Finding("PASS", "region_map", "the grid shows decoded codes in the assignment's order")
    else:
        yield Finding("FAIL", ORDERS.get(best, "grid_wrong"), f"the grid is {best}")
