"""The questions of assignment 1: the VAE in each of its definitions, the training functions, parts, and plots."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from course.grading.rerun.questions.asking import Asker, Missing, NotAnswered, array, plain
from course.grading.rerun.questions.vae import ask_flat, ask_networks

MOST_VERSIONS = 3
EPOCHS, BATCHES, BATCH = 2, 3, 4
BETAS = (1.0, 5.0)
PIXEL, LEVELS = 0.4, (0.0, 2.0)
FIRST, SECOND = (slice(3, 12), slice(3, 12)), (slice(3, 12), slice(16, 25))  # blocks of an image that bear a code
BLOCKS = (FIRST, SECOND, (slice(17, 25), slice(3, 12)), (slice(17, 25), slice(16, 25)))
SIDES = {False: 5.0, True: 3.0}  # of the grids, without and with a VAE
IMAGES, PLOT_BATCHES = 192, 3


def questions(ask: Asker, data: Path) -> Iterator[tuple[str, Callable[[], Any]]]:
    versions = len(ask("classes")[:MOST_VERSIONS])
    for number in range(versions):
        suffix = "" if number == 0 else f"@{number}"
        yield f"vae{suffix}", lambda number=number: ask_networks(ask, number)
        yield f"flat{suffix}", lambda number=number: ask_flat(ask, number)
    yield "train_vae", lambda: ask_train_vae(ask)
    yield "train_ae", lambda: ask_train_ae(ask)
    yield "parts", lambda: ask_parts(ask)
    yield "plot_latent2D", lambda: of_each_model(ask, ask_latent_plot)
    yield "plot_reconstructed", lambda: of_each_model(ask, ask_grid)
    yield "interpolate", lambda: of_each_model(ask, ask_interpolation)


# ---------------------------------------------------------------- training functions


def ask_train_vae(ask: Asker) -> dict[str, Any]:
    """Train a stub with beta = 1 and beta = 5, on batches whose values say which loader they are from."""
    train, val, test = ask.rng.uniform(0.045, 0.055), ask.rng.uniform(0.058, 0.064), ask.rng.uniform(0.068, 0.075)
    start = 1 + ask.rng.uniform(0.03, 0.08)
    points = [float(np.float32(point)) for point in (train, val, test)]
    runs, last = {}, {}
    for beta in BETAS:
        last = ask("train_vae", start=start, points=points, beta=beta, epochs=EPOCHS, batches=BATCHES, batch=BATCH)
        runs[f"{beta:g}"] = {name: last[name] for name in ("steps", "count", "used")}
    return {
        "runs": runs, "has_beta": last["has_beta"], "has_epochs": last["has_epochs"], "points": points,
        "start_off": start - 1,
    }  # fmt: skip


def ask_train_ae(ask: Asker) -> dict[str, Any]:
    return ask("train_ae", levels=list(LEVELS), pixel=PIXEL, epochs=EPOCHS, batches=BATCHES, batch=BATCH)


# ---------------------------------------------------------------- encoder and decoder


def ask_parts(ask: Asker) -> dict[str, Any]:
    result = {}
    for name, question in (("Encoder", ask_encoder), ("Decoder", ask_decoder)):
        with contextlib.suppress(NotAnswered):
            result[name.lower()] = question(ask)
    return result


def superposition(f: Callable[[np.ndarray], np.ndarray], a: np.ndarray, b: np.ndarray) -> float:
    """Return by how much f(a) + f(b) differs from f(a + b) + f(0), as a share; nothing for an affine function."""
    parts = [f(t) for t in (a, b, a + b, np.zeros_like(a))]
    return float(np.abs(parts[0] + parts[1] - parts[2] - parts[3]).max() / max(np.abs(parts[2]).max(), 1e-9))


def ask_encoder(ask: Asker) -> dict[str, Any]:
    built = ask("build_part", name="Encoder", latents=2)
    part, weights = int(built["part"]), ask.weights(built["shapes"], 2.0)

    def encode(x: np.ndarray) -> np.ndarray:
        return array(ask("call_part", part=part, x=x))

    shape = array(ask("call_part", part=part, x=ask.rng.random((5, 1, 28, 28), np.float32), weights=weights)).shape
    a, b = ask.normal(1, 1, 28, 28), ask.normal(1, 1, 28, 28)
    return {
        "shape": list(shape), "nonlinear": superposition(encode, a, b),
        "negative": float(encode(ask.normal(200, 1, 28, 28)).min()), "repeatable": bool((encode(a) == encode(a)).all()),
        "largest": float(np.abs(encode(100 * ask.normal(200, 1, 28, 28))).max()),
    }  # fmt: skip


def ask_decoder(ask: Asker) -> dict[str, Any]:
    built = ask("build_part", name="Decoder", latents=2)
    part, shapes = int(built["part"]), built["shapes"]
    out = array(ask("call_part", part=part, x=ask.normal(64, 2) * 2, weights=ask.weights(shapes, 3.0)))
    result: dict[str, Any] = {"shape": list(out.shape), "low": float(out.min()), "high": float(out.max())}
    a, b = ask.normal(1, 2), ask.normal(1, 2)
    weights = ask.weights(shapes)

    def logits(z: np.ndarray) -> np.ndarray:
        p = np.clip(array(ask("call_part", part=part, x=z, weights=weights)), 1e-9, 1 - 1e-9)
        return np.log(p / (1 - p))

    result["nonlinear"] = superposition(logits, a, b)
    return result


# ---------------------------------------------------------------- plots


def of_each_model(ask: Asker, question: Callable[[Asker, bool], dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what is drawn of the autoencoder and of the VAE, as far as each can be drawn.

    Raises:
        Missing: there is no such plot function, or no model.
    """
    records, missing = [], []
    for vae in (False, True):
        try:
            records.append(question(ask, vae) | {"vae": vae})
        except Missing as error:
            missing.append(error)
        except NotAnswered:
            continue
    if len(missing) == 2:
        raise missing[0]
    return records


def ask_grid(ask: Asker, vae: bool) -> dict[str, Any]:
    side, cells = SIDES[vae], int(ask.rng.integers(5, 8))
    low, high = -side, side
    r0, r1 = (low, high), (low, high - 1)
    drawn = ask("grid", vae=vae, r0=list(r0), r1=list(r1), n=cells)
    return tiles(drawn["images"], cells, cells) | {"r0": r0, "r1": r1, "noise": drawn["noise"]}


def image_with(ask: Asker, left: float, right: float) -> np.ndarray:
    x = ask.rng.random((28, 28), np.float32) * np.float32(0.1)
    x[FIRST], x[SECOND] = left, right
    return x


def code_of(x: np.ndarray) -> list[float]:
    """Return the code that the stub's encoder reads from an image."""
    return [float(x[block].mean() * 16 - 8) for block in (FIRST, SECOND)]


def ask_interpolation(ask: Asker, vae: bool) -> dict[str, Any]:
    off, steps = ask.rng.uniform(-0.05, 0.05, 4), int(ask.rng.integers(7, 11))
    first = image_with(ask, 0.25 + off[0], 0.65 + off[1])
    second = image_with(ask, 0.85 + off[2], 0.35 + off[3])
    drawn = ask("interpolation", vae=vae, first=first, second=second, n=steps)
    return tiles(drawn["images"], steps, 1) | {"ends": [code_of(first), code_of(second)], "noise": drawn["noise"]}


def ask_latent_plot(ask: Asker, vae: bool) -> dict[str, Any]:
    x = ask.rng.random((IMAGES, 28, 28), np.float32)
    levels = ask.rng.random((IMAGES, 2), np.float32)
    x[(slice(None), *FIRST)], x[(slice(None), *SECOND)] = levels[:, :1, None], levels[:, 1:, None]
    y = ask.rng.integers(0, 10, IMAGES)
    drawn = ask("latent_plot", vae=vae, x=x, y=y, batches=PLOT_BATCHES)
    scatters = []
    for points, values in drawn["scatters"]:
        scatters.append([plain(array(points, -1, 2), 4), None if values is None else plain(array(values))])
    return {"scatters": scatters, "codes": plain([code_of(image) for image in x], 4), "labels": y.tolist()}


def tiles(images: Any, columns: int, rows: int) -> dict[str, Any]:
    """Cut what was drawn into its images: the blocks of each, row by row from the top of the screen."""
    arrays = [array(image["array"]) for image in images]
    whole = [i for i, a in enumerate(arrays) if a.shape == (28 * rows, 28 * columns)]
    if whole:
        parts = arrays[whole[-1]].reshape(rows, 28, columns, 28).swapaxes(1, 2)
        extent = [float(e) for e in images[whole[-1]]["extent"]]
        return {"extent": extent, "cells": [list(map(blocks, row)) for row in parts]}
    if len(arrays) == rows * columns and all(a.shape == (28, 28) for a in arrays):
        return {"cells": [list(map(blocks, arrays[r * columns : (r + 1) * columns])) for r in range(rows)]}
    return {}


def blocks(image: np.ndarray) -> list[float]:
    return [round(float(image[where].mean()), 5) for where in BLOCKS]
