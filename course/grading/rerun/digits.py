"""A small set of images in MNIST's own file format, on which reruns learn in seconds and without the network."""

import atexit
import contextlib
import functools
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from course.grading.answers import Tampered, numbers
from course.grading.leftovers import DIGITS
from helpers.core import standin
from helpers.core.files import write_whole

TRAIN_DIGITS, TEST_DIGITS = 1024, 512
MARK = 3  # of 255, by which a corner of test images differs from the pixel beside it: too faint to matter, and by it
# training on them is noticed
PARTS = {"train": (TRAIN_DIGITS, 0), "t10k": (TEST_DIGITS, MARK)}
HAZE = 2  # of 255, at most, drawn for each pixel: a Gaussian decoder's likelihood of a pixel that never changes has no
# bound, and ends in NaN after some 60 steps
SAME_IMAGE = 0.01  # mean distance per pixel
PIXELS, SIDE, INTERIOR = 784, 28, slice(4, 24)
SAME, MOST_ROWS, MOST_MODELS = 0.999, 256, 8  # correlation with the same image; rows of a model, models
IMAGE_HEAD, LABEL_HEAD = 16, 8  # bytes


@functools.cache
def digits() -> Path:
    """Return a folder of the small set, made once in each process that needs it and removed with the process."""
    root = Path(tempfile.mkdtemp(prefix=DIGITS))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    source = standin.make("mnist")
    images = np.round(source.images[: TRAIN_DIGITS + TEST_DIGITS] * 255)
    haze = np.random.RandomState(0).randint(0, HAZE + 1, images.shape)
    images = np.where(images + haze > 255, images, images + haze).astype(np.uint8)
    labels = source.labels[: TRAIN_DIGITS + TEST_DIGITS].astype(np.uint8)
    for name in ("MNIST", "FashionMNIST"):
        first = 0
        for part, (count, mark) in PARTS.items():
            x, y = images[first : first + count].copy(), labels[first : first + count]
            x[:, 0, 1] = haze[first : first + count, 0, 1]
            x[:, 0, 0] = x[:, 0, 1] + mark
            write_idx(root / name / "raw" / f"{part}-images-idx3-ubyte", (2051, count, 28, 28), x)
            write_idx(root / name / "raw" / f"{part}-labels-idx1-ubyte", (2049, count), y)
            first += count
    root.chmod(0o755)  # the sandbox's user is another one
    return root


def write_idx(path: Path, head: tuple[int, ...], values: np.ndarray) -> None:
    write_whole(path, b"".join(n.to_bytes(4, "big") for n in head) + values.tobytes())


@functools.cache
def small_set(data: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return images in [0, 1] and labels, from MNIST's own files."""
    raw = data / "MNIST" / "raw"
    images = [(raw / f"{part}-images-idx3-ubyte").read_bytes()[IMAGE_HEAD:] for part in PARTS]
    labels = [(raw / f"{part}-labels-idx1-ubyte").read_bytes()[LABEL_HEAD:] for part in PARTS]
    pixels = np.frombuffer(b"".join(images), np.uint8).reshape(-1, PIXELS) / 255
    return pixels, np.frombuffer(b"".join(labels), np.uint8)


def drawn_tests(data: Path, rng: np.random.Generator, count: int) -> np.ndarray:
    """Return some of the test images, drawn anew each time, (count, 784)."""
    images, _ = tests_of(data, "MNIST")
    return images[rng.choice(len(images), count, replace=False)].astype(np.float32)


def fashion_tests(data: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct test images of Fashion-MNIST in [0, 1], and their labels."""
    return tests_of(data, "FashionMNIST")


def tests_of(data: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    raw = data / name / "raw"
    images, labels = (raw / f"t10k-{kind}-ubyte" for kind in ("images-idx3", "labels-idx1"))
    pixels = np.frombuffer(images.read_bytes()[IMAGE_HEAD:], np.uint8).reshape(-1, PIXELS) / 255
    return pixels, np.frombuffer(labels.read_bytes()[LABEL_HEAD:], np.uint8)


def name_digits(result: dict[str, Any], data: Path) -> None:
    """Note which digits the images are that plot functions were called with: those of the small set, by nearness."""
    calls = result.get("calls")
    for call in calls if isinstance(calls, list) else []:
        if not isinstance(call, dict):
            continue
        with contextlib.suppress(Tampered, ValueError):
            images = [numbers(value) for name, value in call.items() if name.startswith("image ")]
            call["digits"] = [digit_of(image, data) for image in images]


def know_trained(kept: Any, data: Path) -> dict[str, list[int]]:
    """Return, by model, how many of the images that it was trained on are test images, are most like one, and are all.

    They are told by the middle of the image, whatever its brightness and contrast, also where their mark was wiped
    off. Drawn or noisy pixels are like the image that they come from more than like any other; what was turned or
    moved is not told.
    """
    images, _ = small_set(data)
    known = standardized(images.reshape(-1, SIDE, SIDE)[:, INTERIOR, INTERIOR].reshape(len(images), -1))
    tests = np.arange(len(known)) >= len(known) - len(tests_of(data, "MNIST")[0])
    found = {}
    for name, rows in list(kept.items())[:MOST_MODELS] if isinstance(kept, dict) else []:
        with contextlib.suppress(Tampered, ValueError):
            mine = numbers(rows, MOST_ROWS * known.shape[1])
            if mine.ndim == 2 and mine.shape[1] == known.shape[1] and np.isfinite(mine).all():
                likeness = np.abs(standardized(mine[:MOST_ROWS]) @ known.T)
                nearest = tests[likeness.argmax(1)]
                found[str(name)[:80]] = [
                    int((nearest & (likeness.max(1) > SAME)).sum()),
                    int(nearest.sum()),
                    len(likeness),
                ]
    return found


def standardized(rows: np.ndarray) -> np.ndarray:
    """Return rows whose products are their correlations."""
    rows = rows - rows.mean(1, keepdims=True)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def digit_of(image: np.ndarray, data: Path) -> int | None:
    """Return the digit of an image of the small set, or None."""
    images, labels = small_set(data)
    if image.shape != (PIXELS,):
        return None
    distance = np.abs(images - image).mean(axis=1)
    return int(labels[distance.argmin()]) if distance.min() < SAME_IMAGE else None
