"""What a rerun shows of notebooks in which nothing bears the assignment's names: found by what it does.

Of each training the losses of its first steps came with an error and a KL that were computed beside them; here it is
judged whether the loss is made of the two, and with which weights. Of each figure came the codes that its tiles were
decoded from. A check that finds nothing says nothing: then the doubt about the names stands.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from course.assignments.task import Task
from course.grading.answers import Answers, Tampered, number, numbers
from course.grading.verdicts import Finding

PLANE, IMAGE = 2, 784
LEAST_STEPS, MOST_OFF = 6, 2e-3  # of a fit; what it may leave over, as a share of how much the loss varies
SAME_WEIGHT = 0.02  # relative
KINDS = ("squared error", "cross-entropy", "Gaussian likelihood")


class Objective(NamedTuple):
    """What the losses of one training are made of: weight times error plus weight times KL, each summed, in nats."""

    kind: str  # of the error
    features: int
    error: float
    kl: float  # zero where there is none
    steps: int

    @property
    def ratio(self) -> float:
        return self.kl / self.error

    def weighs(self, *ratios: float) -> bool:
        return any(abs(self.ratio - ratio) < SAME_WEIGHT * ratio for ratio in ratios)

    @property
    def sentence(self) -> str:
        kl = f" + {self.kl:.4g} x KL" if self.kl else ""
        return f"the loss of {self.steps} steps is {self.error:.4g} x {self.kind}{kl}"


def objectives(answers: Answers, features: int) -> list[Objective]:
    """Return what the losses of trainings on points or on images are made of, as far as it can be told."""
    found = []
    for record in answers.records("losses").values():
        objective = objective_of(record)
        if objective and objective.features == features:
            found.append(objective)
    return found


def objective_of(record: dict[str, Any]) -> Objective | None:
    """Fit a training's losses by an error and a KL; None where they are made of something else.

    Raises:
        Tampered: the record has another form.
    """
    loss, error = numbers(record["loss"]), numbers(record["error"])
    kl = numbers(record["kl"]) if record["kl"] is not None else None
    if loss.ndim != 1 or any(part.shape != loss.shape for part in (error, kl) if part is not None):
        raise Tampered("expected a number a step")
    kind = next((k for k in KINDS if str(record["error_kind"]).startswith(k)), "")
    if len(loss) < LEAST_STEPS or not kind:
        return None
    columns = np.stack([error, np.ones_like(loss), *([kl] if kl is not None else [])], axis=1)
    weights = np.linalg.lstsq(columns, loss, rcond=None)[0]
    if (columns @ weights - loss).std() > MOST_OFF * loss.std() or weights[0] == 0:
        return None
    beta = float(weights[2]) if kl is not None else 0.0
    return Objective(kind, int(number(record["features"])), float(weights[0]), beta, len(loss))


def likelihood_and_kl(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge the loss of VAEs on images: a log-likelihood and a KL, both summed, with one weight."""
    for objective in objectives(answers, IMAGE):
        if objective.kl and objective.kind != "squared error":
            yield judge_weight(objective, 1.0)
            return


def judge_weight(objective: Objective, *ratios: float) -> Finding:
    """Judge the weight of a KL against its error."""
    if objective.ratio < 0:
        return Finding("FAIL", "kl_sign", f"{objective.sentence}: a larger KL makes it smaller")
    if objective.weighs(*ratios):
        return Finding("PASS", "objective", objective.sentence)
    return Finding("LOOK", "hidden_beta", f"{objective.sentence}, expected a weight of {ratios[0]:g} for the KL")


def noise(answers: Answers, task: Task) -> Iterator[Finding]:
    """Say so where a model that was trained with a KL gives other reconstructions of the same rows each time."""
    records = answers.content.get("trainings")
    drawn = [r for r in records if r.get("noise", 0) > 0] if isinstance(records, list) else []
    with_kl = [o for features in (PLANE, IMAGE) for o in objectives(answers, features) if o.kl > 0]
    if drawn and with_kl:
        yield Finding("PASS", "noise", f"codes are drawn: {len(drawn)} models reconstruct the same rows in other ways")


# ---------------------------------------------------------------- figures


class Tiles(NamedTuple):
    """Images side by side on a figure, and the codes that they were decoded from, from the top left."""

    cell: int
    who: str
    codes: np.ndarray  # (rows, columns, latents)
    near: float = -1.0  # how far the codes are from codes of images, a latent; below zero: there are none


def tiles_drawn(answers: Answers) -> list[Tiles]:
    """Return the pictures whose tiles all are decoded codes: one image of many, or axes side by side joined.

    Raises:
        Tampered: they have another form.
    """
    figures = answers.content.get("figures", [])
    if not isinstance(figures, list):
        raise Tampered("expected figures")
    found: list[Tiles] = []
    for figure in figures:
        cell, pictures = int(number(figure["cell"])), [p for p in figure["pictures"] if all(p["codes"])]
        for picture in pictures:
            rows, columns = (int(number(n)) for n in picture["shape"])
            if rows * columns > 1:
                codes = numbers(picture["codes"]).reshape(rows, columns, -1)
                found.append(Tiles(cell, str(picture["who"]), codes, number(picture["near"])))
        found += joined(cell, [p for p in pictures if list(p["shape"]) == [1, 1] and p["at"]])
    return found


def joined(cell: int, pictures: list[dict[str, Any]]) -> Iterator[Tiles]:
    """Yield the axes of a figure that hold one image each: all as a grid where they fill one, and each row."""
    places = {tuple(int(number(n)) for n in p["at"]): p for p in pictures}
    rows: dict[int, list[dict[str, Any]]] = {}
    for (row, _), picture in sorted(places.items()):
        rows.setdefault(row, []).append(picture)
    arrays = [numbers([p["codes"][0] for p in row]) for row in rows.values()]
    who = [max({str(p["who"]) for p in row}, key=[str(p["who"]) for p in row].count) for row in rows.values()]
    near = min((number(p["near"]) for p in pictures), default=-1.0)
    if len(arrays) > 1 and len({a.shape for a in arrays}) == 1:
        yield Tiles(cell, who[0], np.stack(arrays), near)
    for name, array in zip(who, arrays, strict=True):
        if array.ndim == 2 and len(array) > 1:
            yield Tiles(cell, name, array[None], near)


def codes_drawn(answers: Answers) -> Iterator[Tiles]:
    """Yield the codes of the pictures most of whose tiles were decoded: of drawn pixels, not each can be told."""
    for figure in answers.content.get("figures", []):
        tiles = [code for picture in figure["pictures"] for code in picture["codes"]]
        codes = [code for code in tiles if code]
        if codes and len(codes) >= MOST_OF_TILES * len(tiles):
            near = min(number(picture["near"]) for picture in figure["pictures"])
            yield Tiles(int(number(figure["cell"])), "", numbers(codes)[None], near)


MOST_OF_TILES = 0.8
LEAST_SAMPLES, MEAN_OFF, SPREAD_OFF = 9, 0.35, 0.35  # of codes drawn from N(0, 1), by all their numbers together
LEAST_APART = 0.5  # of draws from codes of images, a latent: reconstructions are nearer


def samples(answers: Answers, task: Task) -> Iterator[Finding]:
    """Say so where a figure shows decoded draws of the prior."""
    for tiles in codes_drawn(answers):
        codes = tiles.codes[0]
        if len(np.unique(codes, axis=0)) < LEAST_SAMPLES or walked(tiles.codes) or stepped(codes):
            continue
        if 0 <= tiles.near < LEAST_APART:
            continue
        mean, spread = np.abs(codes.mean(0)).mean(), codes.std()
        if mean < MEAN_OFF and abs(spread - 1) < SPREAD_OFF:
            evidence = f"code cell {tiles.cell + 1} shows {len(codes)} decoded codes, their spread {spread:.2f}"
            yield Finding("PASS", "sample", evidence)
            return


EVEN = 0.02  # of a walk's length: how far a code may be from its place


def walked(codes: np.ndarray) -> int:
    """Return how many rows are walks: three or more codes in even steps on a straight line."""
    count = 0
    for row in codes if codes.shape[1] >= 3 else ():
        length = np.linalg.norm(row[-1] - row[0])
        straight = row[0] + np.linspace(0, 1, len(row))[:, None] * (row[-1] - row[0])
        count += bool(length > EVEN and np.abs(row - straight).max() < EVEN * length)
    return count


def stepped(codes: np.ndarray) -> bool:
    """Say whether codes lie on a grid: they differ in two latents at most."""
    return codes.shape[1] > PLANE and int((codes.std(0) > EVEN).sum()) <= PLANE
