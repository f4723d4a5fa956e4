"""Notebooks of the corpus as text: cells, and what they printed and drew.

A page begins with lines ``assignment: a1`` and ``counts: yes`` (``none``: as Colab stores them). ``%% code`` and
``%% text`` begin a cell; below a cell's source stand its outputs in their order: ``>> text`` is printed,
``<< png curves 1x3`` a picture (``svg``: stored as SVG alone), ``<< html …``, ``<< markdown …`` and ``<< result …`` are
displayed. Lines without a mark continue the text before them.
"""

import base64
import io
import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

FOLDER = Path(__file__).with_name("pages")
OUTPUTS = re.compile(r"(>>|<<) ?(.*)")
SIDE = 28  # pixels of an image
MIME = {"html": "text/html", "markdown": "text/markdown", "result": "text/plain"}


def names() -> list[str]:
    """Return the names of the pages, which begin with their assignment's key."""
    return sorted(path.stem for path in FOLDER.glob("*.txt"))


@cache
def text_of(name: str) -> str:
    return (FOLDER / f"{name}.txt").read_text(encoding="utf-8")


def assignment_of(page: str) -> str:
    return header(page)["assignment"]


def header(page: str) -> dict[str, str]:
    lines = page.partition("%% ")[0].splitlines()
    return dict(line.split(": ", 1) for line in lines if line)


def notebook(page: str) -> bytes:
    """Return the file of a page."""
    counted = header(page)["counts"] == "yes"
    cells, drawn = [], 0
    for block in re.split(r"^%% ", page, flags=re.M)[1:]:
        kind, _, body = block.partition("\n")
        if kind.strip() == "text":
            cells.append({"cell_type": "markdown", "metadata": {}, "source": body.strip("\n")})
            continue
        source, outputs = split(body)
        made = []
        for output in outputs:
            drawn += output.startswith(("png ", "svg "))
            made.append(made_output(output, drawn))
        number = sum(cell["cell_type"] == "code" for cell in cells) + 1 if counted else None
        cells.append(
            {"cell_type": "code", "metadata": {}, "execution_count": number, "source": source, "outputs": merged(made)}
        )
    content = {"cells": cells, "metadata": {"language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(content, ensure_ascii=False).encode()


def split(body: str) -> tuple[str, list[str]]:
    """Return a cell's source, and its outputs: ``> text`` of a stream, or what is displayed."""
    source: list[str] = []
    outputs: list[str] = []
    for line in body.rstrip("\n").split("\n"):
        mark = OUTPUTS.match(line)
        if mark:
            outputs.append(f"> {mark[2]}" if mark[1] == ">>" else mark[2])
        elif outputs:
            outputs[-1] += f"\n{line}"
        else:
            source.append(line)
    return "\n".join(source), outputs


def made_output(output: str, number: int) -> dict[str, Any]:
    """Return one output as a notebook stores it; pictures with different numbers differ."""
    kind, _, content = output.partition(" ")
    if kind == ">":
        return {"output_type": "stream", "name": "stdout", "text": f"{content}\n"}
    if kind in MIME:
        return {"output_type": "display_data", "metadata": {}, "data": {MIME[kind]: content}}
    what, shape, *seed = content.split()
    rows, columns = map(int, shape.split("x"))
    picture = drawing(what, rows, columns, int(seed[0]) if seed else number, kind)
    stored = {"image/png": base64.b64encode(picture).decode()} if kind == "png" else {"image/svg+xml": picture.decode()}
    return {"output_type": "display_data", "metadata": {}, "data": {**stored, "text/plain": "<Figure size>"}}


def merged(outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Join the streams that follow one another, as Jupyter does."""
    joined: list[dict[str, Any]] = []
    for output in outputs:
        if output["output_type"] == "stream" and joined and joined[-1]["output_type"] == "stream":
            joined[-1]["text"] += output["text"]
        else:
            joined.append(dict(output))
    return joined


# ---------------------------------------------------------------- pictures


@cache
def drawing(what: str, rows: int, columns: int, seed: int, form: str) -> bytes:
    """Draw a picture of this kind: panels of curves or points, or images side by side."""
    rand = np.random.RandomState(seed)
    if what in ("digits", "strips", "digits4"):
        figure = images(what, rows, columns, rand)
    else:
        figure = Figure(figsize=(4 * columns, 3 * rows))
        for ax in figure.subplots(rows, columns, squeeze=False).flat:
            DRAWN[what](ax, rand)
    buffer = io.BytesIO()
    figure.savefig(buffer, format=form, dpi=50)
    return buffer.getvalue()


def curve(ax: Axes, rand: np.random.RandomState) -> None:
    steps = np.arange(200)
    ax.plot(steps, 3 * np.exp(-steps / 20) + 1 + 0.1 * rand.randn(200))


def points(ax: Axes, rand: np.random.RandomState) -> None:
    ax.scatter(*rand.randn(2, 400), c=rand.randint(10, size=400), s=3, cmap="tab10")


def roll(ax: Axes, rand: np.random.RandomState) -> None:
    angle = 1.5 * np.pi * (1 + 2 * rand.rand(500))
    ax.scatter(angle * np.cos(angle) / 15, angle * np.sin(angle) / 15, s=3)


def blank(ax: Axes, rand: np.random.RandomState) -> None:
    ax.axis("off")


DRAWN: dict[str, Callable[[Axes, np.random.RandomState], None]] = {
    "curves": curve, "points": points, "roll": roll, "blank": blank,
}  # fmt: skip


@cache
def digits() -> np.ndarray:
    """Return digits of 28 x 28 pixels."""
    from sklearn.datasets import load_digits

    bunch: Any = load_digits()
    small = bunch.images / 16
    return np.pad(np.kron(small, np.ones((3, 3))), ((0, 0), (2, 2), (2, 2)))


def mosaic(rows: int, columns: int, rand: np.random.RandomState) -> np.ndarray:
    chosen = digits()[rand.randint(len(digits()), size=rows * columns)]
    return chosen.reshape(rows, columns, SIDE, SIDE).transpose(0, 2, 1, 3).reshape(rows * SIDE, columns * SIDE)


def images(what: str, rows: int, columns: int, rand: np.random.RandomState) -> Figure:
    """Draw one mosaic, four of them side by side, or one strip below the other."""
    shape, panels = {"digits": ((rows, columns), (1, 1)), "digits4": ((rows, columns), (1, 4)),
                     "strips": ((1, columns), (rows, 1))}[what]  # fmt: skip
    figure = Figure(figsize=(panels[1] * shape[1] * 0.4 + 1, panels[0] * shape[0] * 0.5 + 1))
    for ax in figure.subplots(*panels, squeeze=False).flat:
        ax.imshow(mosaic(*shape, rand), cmap="gray")
        ax.set_xticks([])
        ax.set_yticks([])
    return figure
