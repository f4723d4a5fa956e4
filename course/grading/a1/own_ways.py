"""What a rerun of assignment 1 shows where nothing bears its names: losses, planes, grids and walks of codes."""

from collections.abc import Iterator

import numpy as np

from course.assignments.task import Task
from course.grading.a1.pictures import SIDES, STEPS, order_of
from course.grading.a1.training import BETAS, IMAGE_TRAININGS, TOY_TRAININGS
from course.grading.answers import Answers, number
from course.grading.common_own_ways import IMAGE, PLANE, Objective, Tiles, judge_weight, objectives, tiles_drawn, walked
from course.grading.verdicts import Finding

__all__ = ["autoencoder_loss", "betas_of_losses", "drawn_grids", "drawn_planes", "drawn_walks", "toy_losses"]

RIGHT = {"Gaussian likelihood": (1.0,), "squared error": (1.0, 2.0)}  # weight of the KL; 2: of half the squared error
MODELS = 4
CELLS = 12


def toy_losses(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge the losses on the toy sets: the NLL and the KL with one weight."""
    with_kl = [objective for objective in objectives(answers, PLANE) if objective.kl and objective.kind in RIGHT]
    judged = [judge_weight(objective, *RIGHT[objective.kind]) for objective in with_kl]
    wrong = [finding for finding in judged if finding.level != "PASS"]
    if wrong:
        yield wrong[0]
    elif len(judged) >= TOY_TRAININGS:
        yield judged[0]


def autoencoder_loss(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge the loss of the one training on images that has no KL."""
    without = [objective for objective in objectives(answers, IMAGE) if not objective.kl]
    if without and without[0].kind == "squared error" and without[0].error > 0:
        yield Finding("PASS", "train_ae", without[0].sentence)
    elif without:
        yield Finding("LOOK", "ae_loss", without[0].sentence)


def betas_of_losses(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge whether the weights of the KL in the losses of the VAEs are as 1 to 3 to 10."""
    with_kl: list[Objective] = [objective for objective in objectives(answers, IMAGE) if objective.kl]
    negative = next((objective for objective in with_kl if objective.ratio < 0), None)
    if negative:
        yield judge_weight(negative, 1.0)
        return
    ratios = sorted(objective.ratio for objective in with_kl)
    listed = ", ".join(f"{ratio:.3g}" for ratio in ratios)
    if any(all(holds(ratios, unit * beta) for beta in BETAS) for unit in ratios):
        yield Finding("PASS", "models", f"weights of the KL against the error: {listed}, as 1 to 3 to 10")
    elif len(ratios) >= IMAGE_TRAININGS - 1:
        yield Finding("LOOK", "one_beta", f"weights of the KL against the error: {listed}, expected as 1 to 3 to 10")


def holds(ratios: list[float], value: float) -> bool:
    return any(abs(ratio - value) < 0.02 * value for ratio in ratios)


# ---------------------------------------------------------------- figures


def drawn_grids(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge the squares of tiles that were decoded from a grid of codes."""
    grids = []
    for tiles in tiles_drawn(answers):
        rows, columns, latents = tiles.codes.shape
        if rows == columns >= 3 and latents == PLANE and (low := corners(tiles)) is not None:
            grids.append((tiles, low))
    models = {tiles.who for tiles, _ in grids}
    if not grids:
        return
    counts = sorted({len(tiles.codes) for tiles, _ in grids})
    ends = sorted({round(float(end), 2) for _, end in grids})
    shown = f"{len(models)} models' grids of {counts} rows, codes to +-{ends}"
    if len(models) < MODELS:
        yield Finding("LOOK", "same_panel", f"{shown}; expected {MODELS} models")
    elif set(ends) != set(SIDES.values()):
        yield Finding("LOOK", "grid_range", f"{shown}; expected +-{sorted(SIDES.values())}")
    elif counts != [CELLS]:
        yield Finding("LOOK", "grid_range", f"{shown}; expected {CELLS}")
    else:
        yield Finding("PASS", "grid", shown)


def corners(tiles: Tiles) -> float | None:
    """Return the end of a grid's symmetric range; None where its codes are no grid in any order."""
    low, high = tiles.codes.reshape(-1, PLANE).min(0), tiles.codes.reshape(-1, PLANE).max(0)
    if not np.allclose(-low, high, atol=0.05) or not np.allclose(high[0], high[1], atol=0.05):
        return None
    side = np.linspace(low[0], high[0], len(tiles.codes))
    return float(high[0]) if order_of(tiles.codes, side, side) else None


def drawn_walks(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge the rows of tiles that were decoded from codes in even steps on a straight line."""
    walks = [tiles for tiles in tiles_drawn(answers) if len(tiles.codes) <= MODELS and walked(tiles.codes)]
    if not walks:
        return
    models, counts = {tiles.who for tiles in walks}, sorted({tiles.codes.shape[1] for tiles in walks})
    shown = f"{len(models)} models' walks of {counts} even steps between codes"
    if len(models) < MODELS:
        yield Finding("LOOK", "same_panel", f"{shown}; expected {MODELS} models")
    elif counts != [STEPS]:
        yield Finding("LOOK", "interpolation_steps", f"{shown}; expected {STEPS}")
    else:
        yield Finding("PASS", "interpolation", shown)


LEAST_POINTS, LEAST_SHARE, LEAST_COLOURS = 1500, 0.95, 10


def drawn_planes(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge the scatter plots whose points are codes of images."""
    panels = []
    for figure in answers.content.get("figures", []):
        panels += [p for p in figure["planes"] if number(p["share"]) >= LEAST_SHARE]
    models = {str(panel["who"]) for panel in panels}
    if not panels:
        return
    points = min(int(number(panel["points"])) for panel in panels)
    shown = f"{len(models)} models' codes of images, {points} points at least"
    if len(models) < MODELS:
        yield Finding("LOOK", "same_panel", f"{shown}; expected {MODELS} models")
    elif points < LEAST_POINTS:
        yield Finding("LOOK", "latent_few", f"{shown}; expected more than {LEAST_POINTS}")
    elif min(int(number(panel["colours"])) for panel in panels) < LEAST_COLOURS:
        yield Finding("LOOK", "unclear", f"{shown}, in fewer than ten colours")
    else:
        yield Finding("PASS", "latent_plot", shown)
