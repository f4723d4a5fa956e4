"""The questions of assignment 4: calc_elbo and sample, whatever they take and return."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from course.grading.rerun.questions.asking import Asker, array, plain

DRAWS, SAMPLES, IMAGES = 8, 400, 8


def questions(ask: Asker, data: Path) -> Iterator[tuple[str, Callable[[], Any]]]:
    yield "elbo", lambda: ask_elbo(ask)
    yield "sample", lambda: ask_images(ask)


def ask_elbo(ask: Asker) -> dict[str, Any]:
    """Ask for the ELBO of eight black and white images, eight times, and for what the model's parts give for them."""
    share = np.linspace(0.05, 0.6, IMAGES)[:, None, None, None]
    x = (ask.rng.random((IMAGES, 1, 28, 28)) < share).astype(np.float32)
    out = ask("elbo_of", x=x, draws=DRAWS)
    return {
        "values": plain(array(out["values"]), 5), "mu": plain(array(out["mu"])), "logvar": plain(array(out["logvar"])),
        "x": plain(x.reshape(IMAGES, -1), 0), "decoded": plain(array(out["decoded"]), 4),
    }  # fmt: skip


def ask_images(ask: Asker) -> dict[str, Any]:
    """Ask for samples beside decoded draws of the prior: mean, spread and range over pixels."""
    out = ask("samples_of", z_seed=int(ask.rng.integers(2**31)), count=SAMPLES)
    images, direct = (array(out[name], -1, -1) for name in ("samples", "direct"))
    binary = bool(((images == 0) | (images == 1)).all())
    return {"count": len(images), "samples": moments(images), "direct": moments(direct), "binary": binary}


def moments(images: np.ndarray) -> list[float]:
    spread = float(images.std(0, ddof=1).mean())
    return [float(images.mean()), spread, float(images.min()), float(images.max()), float(images.shape[1])]
