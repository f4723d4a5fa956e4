"""Checks of part B's networks and pictures: the plot functions drew stub models, whose tiles tell their codes.

A tile of a stub's decoder has four blocks: two bear the code (as sigmoids of a quarter of it), one is nearly white,
one nearly black, so that a tile that was flipped, transposed or blended is recognised.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from course.assignments.task import Task
from course.grading.answers import Answers, Tampered, close, number, numbers
from course.grading.verdicts import Finding

# ---------------------------------------------------------------- encoder and decoder

AFFINE_ENCODER, AFFINE_DECODER = 1e-4, 1e-3  # what superposition leaves over; zero for an affine function
BOUNDED = 1.001  # a code beyond it, for huge images
TWICE = 0.45  # the sigmoid of a sigmoid is never below one half
BEYOND = 1e-6
CODE_SHAPE, IMAGE_SHAPES = [5, 2], ([64, 1, 28, 28], [64, 28, 28])


def parts(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge shapes, ranges and activations of Encoder and Decoder."""
    probe = answers.probe("parts")
    if "encoder" not in probe and "decoder" not in probe:
        yield Finding("LOOK", "own_way", "no Encoder and Decoder as the assignment names them")
        return
    faults = []
    if "encoder" in probe:
        faults += encoder_faults(probe["encoder"])
    if "decoder" in probe:
        faults += decoder_faults(probe["decoder"])
    yield from faults
    if not faults:
        yield Finding("PASS", "parts", "encoder and decoder have the right shapes and range")


def encoder_faults(encoder: dict[str, Any]) -> Iterator[Finding]:
    shape = list(encoder["shape"])
    if shape != CODE_SHAPE:
        yield Finding("FAIL", "shape", f"encoder: {shape}, expected {CODE_SHAPE}")
    if number(encoder["nonlinear"]) < AFFINE_ENCODER:
        yield Finding("FAIL", "encoder_linear", "the encoder is an affine function of the image")
    if number(encoder["negative"]) >= 0:
        yield Finding("FAIL", "encoder_relu_out", "200 random images, no negative code")
    elif number(encoder.get("largest", np.inf)) < BOUNDED:
        yield Finding("FAIL", "encoder_relu_out", "no code beyond 1, however large the image")
    if not encoder["repeatable"]:
        yield Finding("FAIL", "encoder_random", "the same image has two codes")


def decoder_faults(decoder: dict[str, Any]) -> Iterator[Finding]:
    shape, low, high = list(decoder["shape"]), number(decoder["low"]), number(decoder["high"])
    if shape not in IMAGE_SHAPES:
        yield Finding("FAIL", "no_reshape", f"decoder: {shape}, expected {IMAGE_SHAPES[0]}")
    if low < -BEYOND or high > 1 + BEYOND:
        yield Finding("FAIL", "sigmoid_missing", f"decoded pixels from {low:.2f} to {high:.2f}")
    elif low > TWICE:
        yield Finding("FAIL", "sigmoid_twice", f"decoded pixels from {low:.2f} to {high:.2f}")
    elif number(decoder.get("nonlinear", np.inf)) < AFFINE_DECODER:
        yield Finding("FAIL", "decoder_linear", "before its sigmoid the decoder is an affine function")


# ---------------------------------------------------------------- pictures made of tiles

WHITE, BLACK = 0.98, 0.02  # the two known blocks
TILE_OFF, BLOCK_OFF = 0.1, 0.1
BLENDED = 0.3  # the known blocks of frames that blend two images without them are darker
CODE_OFF = 0.05  # absolute, of codes that run over several units
CODE_SCALE = 4
LEAST_LEVEL = 1e-6
AXIS_IN_PIXELS = 20  # ends of an axis beyond any latent


class Tiles(NamedTuple):
    """A picture that was cut into tiles."""

    record: dict[str, Any]
    who: str
    codes: np.ndarray  # (rows, columns, 2)
    off: np.ndarray  # how far each tile is from a decoded one


def tiles_of(records: list[dict[str, Any]]) -> list[Tiles]:
    """Return the pictures that could be cut into tiles.

    Raises:
        Tampered: a tile without its four numbers.
    """
    pictures = []
    for record in records:
        if "cells" in record:
            levels = numbers(record["cells"])
            if levels.ndim != 3 or levels.shape[-1] != 4:
                raise Tampered("expected four numbers a tile")
            p = np.clip(levels[..., :2], LEAST_LEVEL, 1 - LEAST_LEVEL)
            off = np.maximum(np.abs(levels[..., 2] - WHITE), np.abs(levels[..., 3] - BLACK))
            who = "VAE" if record["vae"] else "autoencoder"
            pictures.append(Tiles(record, who, CODE_SCALE * np.log(p / (1 - p)), off))
    return pictures


def tile_fault(tiles: Tiles) -> Finding:
    """Tell from the known blocks which way the images of tiles went that are no decoded ones."""
    levels = numbers(tiles.record["cells"]).reshape(-1, 4)

    def all_near(block: int, level: float) -> bool:
        return bool((np.abs(levels[:, block] - level) < BLOCK_OFF).all())

    if all_near(1, WHITE) or all_near(0, WHITE) or (all_near(2, BLACK) and all_near(3, WHITE)):
        evidence = f"{tiles.who}: the corners of each image are in other places"
        return Finding("FAIL", "image_transposed", evidence)
    return Finding("FAIL", "grid_wrong", f"{tiles.who}: the cells are not what decode returned")


def noisy(tiles: Tiles) -> Iterator[Finding]:
    """Find decoder noise in a picture."""
    if tiles.record["vae"] and any(tiles.record["noise"]):
        yield Finding("LOOK", "noisy_picture", "decode was called with noise=True")


def grid(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge the grids of decoded codes: their range, and their order against their axis."""
    pictures = tiles_of(answers.probe("plot_reconstructed"))
    if not pictures:
        yield Finding("LOOK", "own_way", "plot_reconstructed drew no picture of 28 x 28 cells")
    for tiles in pictures:
        if tiles.off.max() > TILE_OFF:
            yield tile_fault(tiles)
            continue
        (low1, high1), (low2, high2) = tiles.record["r0"], tiles.record["r1"]
        n = len(tiles.codes)
        order = order_of(tiles.codes, np.linspace(low1, high1, n), np.linspace(low2, high2, n))
        if order is None:
            yield range_fault(tiles, [low1, low2], [high1, high2])
            continue
        yield judge_order(order, tiles)
        yield from noisy(tiles)


def order_of(codes: np.ndarray, first: np.ndarray, second: np.ndarray) -> str | None:
    """Name the order in which a grid shows its codes, from its top row down."""
    plain = {
        "down": np.stack(np.meshgrid(first, second), -1),
        "up": np.stack(np.meshgrid(first, second[::-1]), -1),
        "mirrored": np.stack(np.meshgrid(first[::-1], second), -1),
        "mirrored up": np.stack(np.meshgrid(first[::-1], second[::-1]), -1),
    }
    orders = dict(plain)
    for name, right in plain.items():
        orders[f"{name} swapped"] = right[..., ::-1]
    for name, right in list(orders.items()):
        orders[f"{name} swapped axes"] = right.transpose(1, 0, 2)
    return next((name for name, right in orders.items() if close(codes, right, 0, CODE_OFF)), None)


def range_fault(tiles: Tiles, low: list[float], high: list[float]) -> Finding:
    codes = tiles.codes.reshape(-1, 2)
    least, most = codes.min(0), codes.max(0)
    code = "grid_wrong" if close([least, most], [low, high], 0, CODE_OFF) else "grid_range"
    evidence = f"{tiles.who}: codes from {least.round(2).tolist()} to {most.round(2).tolist()}"
    return Finding("FAIL", code, evidence)


def judge_order(order: str, tiles: Tiles) -> Finding:
    """Judge the picture against its axis: which way does the second latent grow, and which way do the labels say?"""
    extent, who, n = tiles.record.get("extent"), tiles.who, len(tiles.codes)
    # without an axis in latent units, orientation is a convention
    free = extent is None or max(abs(numbers(extent))) > AXIS_IN_PIXELS
    if "swapped" in order:
        level = "LOOK" if free else "FAIL"
        return Finding(level, "grid_transposed", f"{who}: the rows follow the first latent")
    if "mirrored" in order:
        return Finding("FAIL", "grid_mirrored", f"{who}: the first latent grows to the left")
    if free:
        return Finding("PASS", "grid", f"{who}: {n} x {n} decoded codes; the axis is not in latent units")
    bottom, top = numbers(extent)[2:]
    if (order == "up") == (top > bottom):
        return Finding("PASS", "grid", f"{who}: decoded codes agree with the axis")
    return Finding("FAIL", "grid_flipped", f"{who}: the axis says upwards, the cells go downwards")


def interpolation(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge the walks: decoded codes, in even steps on the straight line, from the first image to the second."""
    pictures = tiles_of(answers.probe("interpolate"))
    if not pictures:
        yield Finding("LOOK", "own_way", "interpolate drew no row of n images")
    for tiles in pictures:
        start, end = numbers(tiles.record["ends"])
        if tiles.off[0].max() > TILE_OFF:
            yield blend_fault(tiles)
            continue
        codes = tiles.codes[0]
        straight = start + np.linspace(0, 1, len(codes))[:, None] * (end - start)
        places = [place.round(2).tolist() for place in (codes[0], codes[-1], start, end)]
        evidence = "{}: from {} to {}, expected {} to {}".format(tiles.who, *places)
        fault = walk_fault(codes, straight)
        yield Finding("FAIL" if fault else "PASS", fault or "interpolation", evidence)
        yield from noisy(tiles)


def blend_fault(tiles: Tiles) -> Finding:
    between = numbers(tiles.record["cells"])[0][1:-1]
    blended = (between[:, 2] < BLENDED).all() and (between[:, 3] < BLENDED).all()
    code = "interpolation_pixels" if blended else tile_fault(tiles).code
    return Finding("FAIL", code, f"{tiles.who}: the frames between are not decoded codes")


def walk_fault(codes: np.ndarray, straight: np.ndarray) -> str | None:
    """Return the hint for a walk that is not the straight line."""
    if close(codes, straight, 0, CODE_OFF):
        return None
    if close(codes, straight[::-1], 0, CODE_OFF):
        return "interpolation_reversed"
    if not close(codes[0], straight[0], 0, CODE_OFF):
        return "interpolation_start"
    if not close(codes[-1], straight[-1], 0, CODE_OFF):
        return "interpolation_end"
    return "interpolation_uneven"


# ---------------------------------------------------------------- the latent plane

POINT_OFF = 0.05  # of a point from the nearest code, in the median
LEAST_POINTS = 0.5  # of the images


class Plane(NamedTuple):
    """A scatter plot of a stub's codes."""

    who: str
    codes: np.ndarray
    labels: np.ndarray
    collections: list[np.ndarray]  # the points of each scatter
    colours: list[np.ndarray | None]

    @property
    def points(self) -> np.ndarray:
        return np.concatenate(self.collections)


def planes_of(records: list[dict[str, Any]]) -> list[Plane]:
    """Return the plots that hold any points."""
    planes = []
    for record in records:
        collections = [numbers(offsets).reshape(-1, 2) for offsets, _ in record["scatters"]]
        colours = [None if c is None or numbers(c).ndim != 1 else numbers(c) for _, c in record["scatters"]]
        who = "VAE" if record["vae"] else "autoencoder"
        if sum(map(len, collections)):
            planes.append(Plane(who, numbers(record["codes"]), numbers(record["labels"]), collections, colours))
    return planes


def nearest(points: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the nearest code of each point, and the median distance to it."""
    distance = np.abs(points[:, None] - codes[None]).max(-1)
    return distance.argmin(1), float(np.median(distance.min(1)))


def latent_plot(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge the scatter plots: codes of the images, all of them, coloured by digit."""
    records = answers.probe("plot_latent2D")
    if not any(record["scatters"] for record in records):
        yield Finding("LOOK", "own_way", "plot_latent2D drew no scatter plot")
    for plane in planes_of(records):
        yield place_fault(plane) or judge_colours(plane)


def place_fault(plane: Plane) -> Finding | None:
    """Return a finding where the points are not the codes, or too few of them."""
    points = plane.points
    far = nearest(points, plane.codes)[1]
    if far > POINT_OFF and nearest(points[:, ::-1], plane.codes)[1] < POINT_OFF:
        return Finding("FAIL", "latent_swapped", f"{plane.who}: points are the codes with axes swapped")
    if far > POINT_OFF:
        return Finding("FAIL", "latent_axes", f"{plane.who}: points are off by {far:.2f} from the codes")
    if len(points) < LEAST_POINTS * len(plane.codes):
        return Finding("FAIL", "latent_few", f"{plane.who}: {len(points)} points for {len(plane.codes)} images")
    return None


def judge_colours(plane: Plane) -> Finding:
    """Judge whether each colour, or each scatter, is one digit's."""
    points, colour = plane.points, plane.colours[0]
    if len(plane.colours) == 1 and colour is not None and len(colour) == len(points):
        digits = plane.labels[nearest(points, plane.codes)[0]]
        pairs = set(zip(digits.tolist(), colour.tolist(), strict=True))
        right = len({digit for digit, _ in pairs}) == len(pairs)
        evidence = f"{plane.who}: {len(points)} codes, {len(pairs)} pairs of digit and colour"
    elif len(plane.collections) > 1:
        scatters = [part for part in plane.collections if len(part)]
        right = all(len(set(plane.labels[nearest(part, plane.codes)[0]])) == 1 for part in scatters)
        evidence = f"{plane.who}: one scatter plot a digit"
    else:
        return Finding("LOOK", "unclear", f"{plane.who}: how digits are coloured could not be read")
    return Finding("PASS", "latent_plot", evidence) if right else Finding("FAIL", "labels_shuffled", evidence)


# ---------------------------------------------------------------- what the plot functions were called with

PLOTS = {"B3": "plot_latent2D", "B4": "plot_reconstructed", "B5": "interpolate"}
PANELS = 4
SIDES = {"autoencoder": 5.0, "VAE": 3.0}  # ends of the grids' ranges
STEPS = 15
DIGITS = {0, 1}


def trained_betas(answers: Answers) -> dict[Any, float]:
    """Return the beta that each model object was trained with last."""
    return {call.get("model"): number(call["beta"]) for call in answers.calls("train_vae") if "beta" in call}


def panels(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge which model stands in which panel, and under which title."""
    betas, calls = trained_betas(answers), answers.calls(PLOTS[task.name])
    models = {call.get("model") for call in calls}
    if len(calls) >= PANELS and len(models) < PANELS:
        yield Finding("FAIL", "same_panel", f"{len(calls)} panels, {len(models)} models")
    for call in calls:
        title = str(call.get("title", ""))
        beta = re.search(r"(?:beta|β)\D{0,8}(\d+)", title, re.I)
        if beta and call.get("model") in betas and float(beta[1]) != betas[call["model"]]:
            evidence = f"{title[:60]!r} over the model of beta = {betas[call['model']]:g}"
            yield Finding("FAIL", "panels_mixed", evidence)


def ranges(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge over which range the grids were drawn."""
    betas = trained_betas(answers)
    calls = [call for call in answers.calls("plot_reconstructed") if {"r0", "r1"} <= call.keys()]
    for who, side in SIDES.items():
        mine = [call for call in calls if (call.get("model") in betas) == (who == "VAE")]
        squares = [[numbers(call["r0"]), numbers(call["r1"])] for call in mine]
        if squares and betas and not any(close(square, [[-side, side]] * 2) for square in squares):
            evidence = f"{who}: {squares[0][0].tolist()}, expected {[-side, side]}"
            yield Finding("FAIL", "grid_range", evidence)


def walks(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge between which digits, and in how many steps, was interpolated."""
    calls = answers.calls("interpolate")
    for call in calls:
        digits = call.get("digits")
        if isinstance(digits, list) and len(digits) == 2 and None not in digits and set(digits) != DIGITS:
            yield Finding("FAIL", "interpolation_digits", f"from a {digits[0]} to a {digits[1]}")
    if calls and all("n" in call for call in calls) and not any(number(call["n"]) == STEPS for call in calls):
        yield Finding("LOOK", "interpolation_steps", f"{number(calls[0]['n']):g} steps")
