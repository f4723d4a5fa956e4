"""The checks by outputs of assignment 5: printed losses, both strips, and which way the direction points."""

import ast
import math
import re
from collections.abc import Iterator

from course.assignments import Task
from course.assignments.a5 import FASHION_LOSS
from course.grading.case import Case
from course.grading.common import in_figures
from course.grading.evidence import PIXELS, Look, printed_losses
from course.grading.formulas import NOISE
from course.grading.sources import identifiers, last_name
from course.grading.verdicts import Finding
from course.notebooks.reading import Submission

LOWEST, HIGHEST = FASHION_LOSS
MOST_LOSSES = 6  # in a finding


def loss_numbers(submission: Submission, task: Task) -> Iterator[Finding]:
    """Judge whether the printed losses are an honest training's, and do not rise."""
    losses = printed_losses(submission, pixels=PIXELS)
    below = [loss for loss in losses if loss < 0]
    if below:
        yield Finding("LOOK", "kl_sign", f"a loss of {below[0]:g}: neither of its two terms can be negative")
    honest = [loss for loss in losses if LOWEST <= loss <= HIGHEST]
    if honest:
        evidence = f"losses {honest[0]:g} to {honest[-1]:g} per image"
        falls = honest[0] >= honest[-1]
        yield Finding("PASS", "loss_numbers", evidence) if falls else Finding("LOOK", "not_decreasing", evidence)
    else:
        finite = [loss for loss in losses if math.isfinite(loss)]
        seen = f"losses {finite[:MOST_LOSSES]}" if losses else "no printed loss was recognised"
        evidence = f"{seen}, expected {LOWEST:g} to {HIGHEST:g} per image"
        yield Finding("LOOK", "out_of_band" if losses else "numbers_missing", evidence)


def two_strips(submission: Case, task: Task) -> Iterator[Finding]:
    """Judge whether both ways are drawn, in pixels and in codes: two figures, or two rows of one."""
    share = submission.share(task)
    if not share.certain or not share.opens or share.all_blank:
        return
    if len(share.opened) > 1 or any(rows_of(view.look) > 1 for view in share.opened):
        return
    evidence = f"{in_figures(len(share.opened))} of one row in {share.places}, expected pixels and codes, each a row"
    yield Finding("LOOK", "figure_panels", evidence)


ONE_ROW = 0.75  # width over height, of one row of square images, for each image


def rows_of(look: Look) -> int:
    """Return how many rows of images a picture has; in a low one, a line of titles is as high as a panel may be."""
    rows, columns = look.panels
    return 1 if look.aspect > ONE_ROW * columns else rows


def shape_of(look: Look) -> float:
    """Return the width over the height of a picture's panels: of single images, about 1."""
    rows, columns = look.panels
    return look.aspect * rows / columns if columns else 0.0


LEAST_IMAGES = 15
SQUARE = (0.6, 1.6)


def enough_images(submission: Case, task: Task) -> Iterator[Finding]:
    """Find an experiment with fewer images than are asked for, where gaps tell one from the other."""
    share = submission.share(task)
    counts = [view.look.panels[0] * view.look.panels[1] for view in share.opened]
    told_apart = all(SQUARE[0] < shape_of(view.look) < SQUARE[1] for view in share.opened)
    if share.certain and told_apart and 0 < sum(counts) < LEAST_IMAGES and min(counts) > 1 and not share.closed_kinds:
        evidence = f"{sum(counts)} images in {share.places}, expected at least {LEAST_IMAGES}"
        yield Finding("LOOK", "figure_panels", evidence)


SNEAKER, BOOT, SANDAL = ("sneaker", "7"), ("boot", "9"), ("sandal", "5")
DIRECTIONS = r"direction|richtung|boot|delta|vector"


def direction(submission: Case, task: Task) -> Iterator[Finding]:
    """Find a direction that is subtracted the wrong way round: from boots to sneakers."""
    for index, tree in enumerate(submission.code.trees):
        for node in ast.walk(tree) if tree else ():
            if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.BinOp):
                continue
            target, value = last_name(node.targets[0]).lower(), node.value
            is_taken_off = isinstance(value.op, ast.Sub) and is_about(value.left, SANDAL)
            if is_taken_off and re.search(DIRECTIONS, last_name(value.right).lower()):
                yield Finding("LOOK", "direction_reversed", f"code cell {index + 1}: {ast.unparse(node)[:100]}")
            if not re.search(DIRECTIONS, target):
                continue
            if isinstance(value.op, ast.Sub) and is_about(value.left, SNEAKER) and is_about(value.right, BOOT):
                evidence = f"code cell {index + 1}: {ast.unparse(node)[:100]}"
                yield Finding("LOOK", "direction_reversed", evidence)


def is_about(node: ast.AST, words: tuple[str, str]) -> bool:
    """Say whether an expression names a category, by its word or its number alone."""
    name, number = words
    if any(name in word.lower() for word in identifiers(node)):
        return True
    constants = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, int)]
    return constants == [int(number)]


STEPS = re.compile(
    r"linspace|arange|meshgrid|mgrid|ogrid|product|ppf|(?<!show_)(?<!make_)(?<!image_)grid|raster|gitter"
)


def grid(submission: Case, task: Task) -> Iterator[Finding]:
    """Find figures of a slice through the latent space whose codes are drawn at random."""
    share = submission.share(task)
    nodes = [node for view in share.views for node in submission.code.reach(view.picture.cell).nodes]
    names = {name for node in nodes for name in identifiers(node)}
    if share.certain and names & NOISE and not any(STEPS.search(name.lower()) for name in names):
        evidence = f"{share.places}: the codes are drawn by {min(names & NOISE)}, and no values in steps were found"
        yield Finding("LOOK", "grid_wrong", evidence)
