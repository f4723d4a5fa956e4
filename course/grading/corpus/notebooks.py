"""Small notebooks made here, with made-up outputs: what the grader's tests hand in."""

import base64
import io
import json

import numpy as np
from matplotlib.figure import Figure

from course.grading.corpus import variants

NAME = "max_mustermann_a1.ipynb"
RESULTS = (
    "Final test performance: ELBO = -4.45188, KL = 0.17864, NLL = 4.27325\n",
    "Final test performance: ELBO = -4.47891, KL = 1.61863, NLL = 2.86028\n",
    "Final test performance: ELBO = -2.75772, KL = 0.92723, NLL = 1.83049\n",
)


def png(seed: int = 0, rows: int = 1, columns: int = 3, blank: bool = False) -> bytes:
    figure = Figure(figsize=(8, 3))
    if not blank:
        rand = np.random.RandomState(seed)
        for ax in figure.subplots(rows, columns, squeeze=False).flat:
            ax.plot(rand.randn(30))
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=60)
    return buffer.getvalue()


def cell(source: str, *outs, count: int | None = None) -> dict:
    return {"cell_type": "code", "source": source, "execution_count": count, "metadata": {}, "outputs": list(outs)}


def said(text: str) -> dict:
    return {"output_type": "stream", "name": "stdout", "text": text}


def drawn(picture: bytes) -> dict:
    return {"output_type": "display_data", "metadata": {}, "data": {"image/png": base64.b64encode(picture).decode()}}


def notebook(cells: list[dict]) -> bytes:
    for number, c in enumerate((c for c in cells if c["cell_type"] == "code"), start=1):
        c["execution_count"] = c["execution_count"] or number
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def class_cells(results=RESULTS) -> list[dict]:
    """An honest notebook that never saw our helpers, its outputs made up."""
    made = [cell("class VAE: pass")]
    for i, text in enumerate(results, start=1):
        made.append(cell(f"train_vae(dataset{i})\nfig.savefig('part_a_vae_dataset{i}.png')", drawn(png(i)), said(text)))
    made.append(cell("train_ae(autoencoder)\nfor beta in [1, 3, 10]: train_vae(beta=beta)"))
    for i, (name, shape) in enumerate(
        {"latent_space": (1, 4), "reconstructions": (1, 4), "interpolations": (4, 1)}.items()
    ):
        made.append(cell(f"plt.savefig('part_b_{name}.png')", drawn(png(10 + i, *shape))))
    return made


def honest_cells() -> list[dict]:
    """The reference, which can be run; made-up outputs hang on cells of comments."""
    made = [cell(source) for source in variants.cells(variants.apply(variants.SMALL["a1"]))]
    for c in class_cells()[1:]:
        made.append({**c, "source": "\n".join(f"# {line}" for line in c["source"].splitlines())})
    return made
