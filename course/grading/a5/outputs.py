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
from course.grading.sources import calls_of, identifiers, last_name, walk
from course.grading.training import assignments, comes_from_test_images
from course.grading.verdicts import Finding
from course.notebooks.printed import kind_of, readings
from course.notebooks.reading import Submission
from course.notebooks.visible import quoted

LOWEST, HIGHEST = FASHION_LOSS
MOST_LOSSES = 6  # in a finding


def loss_numbers(submission: Submission, task: Task) -> Iterator[Finding]:
    """Judge whether the printed losses are an honest training's, and do not rise."""
    losses = printed_losses(submission, pixels=PIXELS) or sums_of_terms(submission)
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


def sums_of_terms(submission: Submission) -> list[float]:
    """Return the losses that follow from their two terms, where a line prints these and not their sum."""
    of_line: dict[int, dict[str, float]] = {}
    for reading in readings(submission.text):
        if (kind := kind_of(reading.label)) in ("nll", "kl"):
            of_line.setdefault(reading.line, {}).setdefault(kind, reading.value)
    return [terms["nll"] + terms["kl"] for terms in of_line.values() if len(terms) == 2]


ENCODES = re.compile(r"enc|embed|latent|code|kodier|(?<![a-z])mu")


def codes_of_test_set(submission: Case, task: Task) -> Iterator[Finding]:
    """Find a plane of the training images' codes, as far as the source says which images are encoded."""
    values = assignments(submission.code)
    for index, tree in enumerate(submission.code.trees):
        if tree is None or "TSNE" not in identifiers(tree):
            continue
        loops = [node.iter for node in walk(tree) if isinstance(node, ast.For | ast.comprehension)]
        given = [a for call in calls_of(tree) if ENCODES.search(last_name(call.func).lower()) for a in call.args]
        halves = {comes_from_test_images(node, values) for node in (*loops, *given)}
        if False in halves and True not in halves:
            yield Finding("LOOK", "codes_of_train", f"code cell {index + 1} encodes the training images for t-SNE")


def two_strips(submission: Case, task: Task) -> Iterator[Finding]:
    """Judge whether both ways are drawn, in pixels and in codes: two figures, or two rows of one."""
    share = submission.share(task)
    if not share.certain or not share.opens or share.all_blank:
        return
    if len(share.opened) > 1 or any(rows_of(view.look) > 1 for view in share.opened):
        return
    evidence = f"{in_figures(len(share.opened))} of one row in {share.places}, expected pixels and codes, each a row"
    yield Finding("LOOK", "figure_panels", evidence)


ONE_ROW = 0.65  # width over height, of one row of square images, for each image


def rows_of(look: Look) -> int:
    """Return how many rows of images a picture has; in a low one, a line of titles is as high as a panel may be."""
    rows, columns = look.panels
    return 1 if look.aspect > ONE_ROW * columns else rows


def shape_of(look: Look) -> float:
    """Return the width over the height of a picture's panels: of single images, about 1."""
    columns = look.panels[1]
    return look.aspect * rows_of(look) / columns if columns else 0.0


LEAST_IMAGES = 15
LEAST_COUNT = 3  # panels: fewer may be one image and the labels beside it
SQUARE = (0.6, 1.6)


def enough_images(submission: Case, task: Task) -> Iterator[Finding]:
    """Find an experiment with fewer images than are asked for, where gaps tell one from the other."""
    share = submission.share(task)
    counts = [rows_of(view.look) * view.look.panels[1] for view in share.opened]
    squares = all(SQUARE[0] < shape_of(view.look) < SQUARE[1] for view in share.opened)
    told_apart = squares and min(counts, default=0) >= LEAST_COUNT
    if share.certain and told_apart and sum(counts) < LEAST_IMAGES and not share.closed_kinds:
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
                yield Finding("LOOK", "direction_reversed", f"code cell {index + 1}: {quoted(ast.unparse(node), 100)}")
            if not re.search(DIRECTIONS, target):
                continue
            if isinstance(value.op, ast.Sub) and is_about(value.left, SNEAKER) and is_about(value.right, BOOT):
                evidence = f"code cell {index + 1}: {quoted(ast.unparse(node), 100)}"
                yield Finding("LOOK", "direction_reversed", evidence)


def is_about(node: ast.AST, words: tuple[str, str]) -> bool:
    """Say whether an expression names a category, by its word or its number alone."""
    name, number = words
    constants = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant)]
    if any(name in word.lower() for word in (*identifiers(node), *(c for c in constants if isinstance(c, str)))):
        return True
    return [c for c in constants if isinstance(c, int)] == [int(number)]


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
