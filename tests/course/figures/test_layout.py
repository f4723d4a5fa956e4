"""Figures can be read: no text is cut or covered, and class colours are told apart by colour-blind readers, too."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from course.figures import layout
from course.figures.png import read_fingerprint
from helpers import plots
from helpers.plots.styling import CLASS_COLOURS

EXPECTED = sorted((Path(__file__).resolve().parents[3] / "student_figures" / "expected").glob("*.png"))
LEAST_DISTANCE = 14.9  # CIEDE2000; about 2 can just be seen side by side

# what is left of linear RGB (Machado, Oliveira & Fernandes 2009, severity 1)
SEEN_BY = {
    "most people": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


@pytest.mark.parametrize("path", EXPECTED, ids=lambda path: path.stem)
def test_no_text_of_an_expected_figure_is_cut_or_covered(path):
    assert read_fingerprint(path.read_bytes())["layout"] == []


def drawn(write):
    with plots.style():
        figure = plots.panels(1, 2, (6, 3), title="A title")
        for ax in figure.axes:
            ax.plot([0, 1], [1, 1000])
            ax.set(xlabel="step", ylabel="loss", yscale="log")
        write(figure)
        return layout.problems(figure)


@pytest.mark.parametrize(
    ("write", "sentences"),
    [
        (lambda figure: None, []),
        (lambda figure: figure.axes[0].text(5, 5, "beyond").set_visible(False), []),
        (lambda figure: figure.text(0.95, 0.5, "a long label"), ["'a long label' is cut by the figure's edge"]),
        (lambda figure: figure.text(0.5, 0.95, "Another"), ["'A title' lies on 'Another'"]),
        (
            lambda figure: [figure.axes[1].text(0.5 + shift, 100, word) for word, shift in (("0", 0), ("1", 0.02))],
            ["'0' lies on '1'"],
        ),
    ],
)
def test_texts_that_cannot_be_read_are_named(write, sentences):
    assert drawn(write) == sentences


def linear(rgb):
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def encoded(light):
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("eyes", SEEN_BY)
def test_class_colours_are_told_apart(eyes):
    rgb = np.array([[int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)] for colour in CLASS_COLOURS])
    lab = rgb2lab(encoded(linear(rgb) @ np.transpose(SEEN_BY[eyes]))[None])[0]
    distances = {(i, j): float(deltaE_ciede2000(lab[i], lab[j])) for i, j in combinations(range(10), 2)}
    assert min(distances.values()) >= LEAST_DISTANCE, min(distances, key=distances.get)
