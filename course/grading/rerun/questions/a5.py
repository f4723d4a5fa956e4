"""The questions of assignment 5: the codes, the grid and the walk that the notebook left under their names."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from course.grading.a5.behaviour import CODES
from course.grading.rerun.digits import fashion_tests
from course.grading.rerun.questions import common
from course.grading.rerun.questions.asking import Asker, NotAnswered, array, plain

MOST_LATENTS, SIDE = 64, 10
TEST_ROWS = 10_000  # as the notebook sees them: the distinct images one after the other, again and again


def questions(ask: Asker, data: Path) -> Iterator[tuple[str, Callable[[], Any]]]:
    yield from common.questions(ask, data)
    yield "fashion", lambda: ask_fashion(ask, data)


def ask_fashion(ask: Asker, data: Path) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name in CODES:
        with contextlib.suppress(NotAnswered):
            result[name] = plain(array(ask("variable", name=name)).reshape(-1)[:MOST_LATENTS], 6)
    for name, part in (("grid", grid_distances), ("class_codes", class_codes), ("strips", strip_distances)):
        with contextlib.suppress(NotAnswered, ValueError):
            result[name] = part(ask, data)
    return result


def grid_distances(ask: Asker, _: Path) -> dict[str, float]:
    """Return how far the notebook's grid is from the decoded one, in its order and in others."""
    images = array(ask("variable", name="decoded_grid")).reshape(SIDE, SIDE, 28, 28)
    side = np.linspace(-3, 3, SIDE, dtype=np.float32)
    z = np.zeros((SIDE, SIDE, min(int(ask("latent_size", name="model")), MOST_LATENTS)), np.float32)
    z[..., 0], z[..., 1] = side[None, :], side[::-1, None]
    right = array(ask("decode_with", name="model", z=z.reshape(SIDE * SIDE, -1))).reshape(SIDE, SIDE, 28, 28)
    orders = {
        "right": right, "flipped": right[::-1], "swapped": right.transpose(1, 0, 2, 3), "mirrored": right[:, ::-1],
    }  # fmt: skip
    return {name: float(np.abs(images - other).mean()) for name, other in orders.items()}


def class_codes(ask: Asker, data: Path) -> list[Any]:
    """Return the mean code of each category's test images, as the notebook sees them: the distinct ones, repeated."""
    images, labels = fashion_tests(data)
    times = np.bincount(np.arange(TEST_ROWS) % len(images), minlength=len(images))[:, None]
    codes = array(ask("encode_with", name="model", x=images.reshape(-1, 1, 28, 28).astype(np.float32)), len(images), -1)
    means = []
    for category in range(10):
        mine = labels == category
        means.append(plain((codes[mine] * times[mine]).sum(0) / times[mine].sum(), 5))
    return means


def strip_distances(ask: Asker, _: Path) -> dict[str, float]:
    """Return how far the walk and its ends are from the decoded codes, and from the blended images."""
    walk = array(ask("variable", name="latent_interp"))
    walk = walk.reshape(len(walk), 784)
    first, last = (array(ask("variable", name=name)).reshape(784) for name in ("image_A", "image_B"))
    a, b = (array(ask("variable", name=name)).reshape(1, -1).astype(np.float32) for name in ("z_A", "z_B"))
    t = np.linspace(0, 1, len(walk), dtype=np.float32)[:, None]
    ends = array(ask("decode_with", name="model", z=np.concatenate([a, b])), 2, 784)
    straight = array(ask("decode_with", name="model", z=(1 - t) * a + t * b), len(walk), 784)
    blend = (1 - t) * first + t * last
    return {
        "start": away(walk[0], ends[0]), "end": away(walk[-1], ends[1]), "swapped": away(walk[0], ends[1]),
        "walk": away(walk, straight), "walk_blended": away(walk, blend), "apart": away(ends[0], ends[1]),
    }  # fmt: skip


def away(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a - b).mean())
