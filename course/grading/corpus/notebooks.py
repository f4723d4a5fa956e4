"""Small notebooks for the grader's tests to hand in; their outputs are made up."""

import base64
import io
import json
from functools import cache
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from course.grading.corpus import variants
from course.grading.judging import Options, grade_content
from course.grading.verdicts import TaskVerdict

NAME = "max_mustermann_a1.ipynb"
RESULTS = (
    "Final test performance: ELBO = -4.45188, KL = 0.17864, NLL = 4.27325\n",
    "Final test performance: ELBO = -4.47891, KL = 1.61863, NLL = 2.86028\n",
    "Final test performance: ELBO = -2.75772, KL = 0.92723, NLL = 1.83049\n",
)
PANELS = {"latent_space": (1, 4), "reconstructions": (1, 4), "interpolations": (4, 1)}


@cache
def png(seed: int = 0, rows: int = 1, columns: int = 3, blank: bool = False) -> bytes:
    figure = Figure(figsize=(8, 3))
    if not blank:
        rand = np.random.RandomState(seed)
        for ax in figure.subplots(rows, columns, squeeze=False).flat:
            ax.plot(rand.randn(30))
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=60)
    return buffer.getvalue()


@cache
def clouds(seed: int = 0) -> bytes:
    """Return a picture of points, as samples of a model are drawn."""
    figure = Figure(figsize=(6, 5))
    figure.subplots().scatter(*np.random.RandomState(seed).uniform(size=(2, 150)), s=3)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=60)
    return buffer.getvalue()


def cell(source: str, *outputs: dict[str, Any], count: int | None = None) -> dict[str, Any]:
    return {"cell_type": "code", "source": source, "execution_count": count, "metadata": {}, "outputs": list(outputs)}


def text_output(text: str) -> dict[str, Any]:
    return {"output_type": "stream", "name": "stdout", "text": text}


def picture_output(picture: bytes) -> dict[str, Any]:
    data = {"image/png": base64.b64encode(picture).decode()}
    return {"output_type": "display_data", "metadata": {}, "data": data}


def notebook(cells: list[dict[str, Any]]) -> bytes:
    """Return the file of a notebook whose cells were executed once and in order."""
    code = [c for c in cells if c["cell_type"] == "code"]
    for number, c in enumerate(code, start=1):
        c["execution_count"] = c["execution_count"] or number
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def judged(cells: list[dict[str, Any]], key: str) -> dict[str, TaskVerdict]:
    """Grade a notebook of these cells from its outputs; return its tasks' verdicts."""
    return dict(grade_content(f"max_mustermann_{key}.ipynb", notebook(cells), Options()).verdict.tasks)


def codes(task: TaskVerdict) -> set[str]:
    """Return what is not passed in a task, by the codes of its hints."""
    return {finding.code for finding in task.findings if finding.level != "PASS"}


def class_cells(results: tuple[str, ...] | list[str] = RESULTS) -> list[dict[str, Any]]:
    """Return an honest notebook that never saw our helpers."""
    cells = [cell("class VAE: pass")]
    for i, text in enumerate(results, start=1):
        names = f"part_a_vae_dataset{i}", f"part_a_vae_dataset{i}_samples"
        source = "\n".join([f"train_vae(dataset{i})", *(f"fig.savefig('{name}.png')" for name in names)])
        cells.append(cell(source, picture_output(png(i)), picture_output(clouds(i)), text_output(text)))
    cells.append(cell("train_ae(autoencoder)\nfor beta in [1, 3, 10]: train_vae(beta=beta)"))
    for i, (name, shape) in enumerate(PANELS.items()):
        cells.append(cell(f"plt.savefig('part_b_{name}.png')", picture_output(png(10 + i, *shape))))
    return cells


def honest_cells() -> list[dict[str, Any]]:
    """Return the reference, which can be run; made-up outputs hang on cells of comments."""
    cells = [cell(source) for source in variants.cells(variants.apply(variants.SMALL["a1"]))]
    for c in class_cells()[1:]:
        cells.append({**c, "source": "\n".join(f"# {line}" for line in c["source"].splitlines())})
    return cells
