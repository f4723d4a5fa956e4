"""Ask each model that was trained what it makes of data of ours, with its weights as they are and as they were.

A notebook says that it trained, and its process says which optimizers stepped: here it is measured. The images are the
test images, the points are drawn here.
"""

import contextlib
from pathlib import Path
from typing import Any

import numpy as np

from course.grading.answers import Tampered, number
from course.grading.rerun.digits import drawn_tests
from course.grading.rerun.questions.asking import Asker, NotAnswered, array

MOST_TRAININGS = 16
IMAGES, POINTS = 64, 512
SECONDS = 10.0
PIXELS, BEYOND = 784, 0.51  # half of the range of a pixel, and a little
HALF = np.sqrt(0.5)


def ask_trainings(ask: Asker, trainings: Any, data: Path) -> list[dict[str, Any]]:
    """Return what was seen and measured of each training, the longest ones first."""
    records = []
    for record in trainings if isinstance(trainings, list) else []:
        if isinstance(record, dict):
            with contextlib.suppress(Tampered, KeyError):
                records.append(seen(record))
    records.sort(key=lambda record: -record["steps"])
    sets = {"image": [drawn_tests(data, ask.rng, IMAGES)], "plane": points(ask)}
    for record in records[:MOST_TRAININGS]:
        for kind, inputs in sets.items() if record["model"] is not None else ():
            with contextlib.suppress(NotAnswered, Tampered):
                record |= {"kind": kind, **errors(ask, record["model"], inputs)}
                break
    return records


def seen(record: dict[str, Any]) -> dict[str, Any]:
    """Return what the process says of a training.

    Raises:
        Tampered, KeyError: it has another form.
    """
    model = record["model"]
    return {
        "class": str(record["class"])[:80], "steps": int(number(record["steps"])), "moved": number(record["moved"]),
        "cell": int(number(record["cell"])), "model": None if model is None else int(number(model)),
        "rows": int(number(record.get("rows", 0))), "kind": "", "number": str(record.get("number", ""))[:20],
        "elsewhere": record.get("elsewhere") is True,
    }  # fmt: skip


def errors(ask: Asker, model: int, inputs: list[np.ndarray]) -> dict[str, float]:
    """Return the mean squared error before and after training, on the inputs where it fell most, and what is random.

    Raises:
        NotAnswered, Tampered: the model reconstructs no such input.
    """
    pairs = []
    for x in inputs:
        flat = x.reshape(len(x), -1)
        outs = [
            array(ask("reconstruct", seconds=SECONDS, model=model, x=x, before=before))
            for before in (True, False, False)
        ]
        if any(out.shape != flat.shape for out in outs):
            raise Tampered("expected a reconstruction")
        if flat.shape[1] == PIXELS and max(np.abs(out - 0.5).max() for out in outs) > BEYOND:
            outs = [1 / (1 + np.exp(-np.clip(out, -50, 50))) for out in outs]  # a decoder that gives logits
        before, after = (float(((out - flat) ** 2).mean()) for out in outs[:2])
        pairs.append((before, after, float(np.abs(outs[1] - outs[2]).max())))
    before, after, noise = min(pairs, key=lambda pair: pair[1] / max(pair[0], 1e-12))
    return {"before": before, "after": after, "noise": noise}


def points(ask: Asker) -> list[np.ndarray]:
    """Return draws from what the assignments' models of the plane are trained on, each about."""
    ellipse = ask.normal(POINTS, 2) * np.array([5, 1], np.float32)
    rotated = ellipse @ np.array([[HALF, HALF], [-HALF, HALF]], np.float32)
    centre = np.array([1, 2], np.float32)
    angle = ask.rng.uniform(0, np.pi, POINTS)
    arc = np.stack([2 * np.cos(angle), -np.sin(angle)], 1) + ask.normal(POINTS, 2) * 0.2
    blobs = np.array([[-1.5, 2.5], [1.5, 2.5]])[ask.rng.integers(0, 2, POINTS)] + ask.normal(POINTS, 2) * 0.2
    third = np.concatenate([arc[: POINTS // 3], blobs[POINTS // 3 :]]).astype(np.float32)
    return [ellipse + centre, rotated + centre, third, ask.normal(POINTS, 2)]
