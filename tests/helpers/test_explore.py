"""Figures to play with: a plain figure for runs and stored notebooks, sliders for a live reader."""

import sys

import ipywidgets
import pytest

from helpers import notebook as module
from helpers import plots
from helpers.notebook import controls, explore

SLIDERS = {"a": (-1.0, 0.5, 1.0), "b": (0.0, 0.0, 2.0)}


@pytest.fixture
def shown(monkeypatch, tmp_path):
    """The widgets that were displayed, and with which values the figure was drawn."""
    monkeypatch.setenv("FIGURES_DIR", str(tmp_path))
    displayed, drawn = [], []

    def display(thing, raw=False, **_):
        if not raw:  # else it is the picture
            displayed.append(thing)

    monkeypatch.setattr(module, "display", display)

    def draw(values):
        drawn.append(list(values))
        figure = plots.panels(1, 1, (2, 2))
        figure.axes[0].plot([0, values[0]], [0, values[1]])
        return figure

    return draw, displayed, drawn


def test_without_a_live_reader_there_is_the_figure_alone(shown, tmp_path):
    draw, displayed, drawn = shown
    explore(draw, SLIDERS, "a_figure", alt="a line")
    assert displayed == [] and drawn == [[0.5, 0.0]]
    assert (tmp_path / "a_figure.png").is_file()


def test_a_live_reader_has_sliders_that_redraw(shown, monkeypatch):
    draw, displayed, drawn = shown
    monkeypatch.delenv("TQDM_DISABLE")
    explore(draw, SLIDERS, "a_figure", alt="a line")
    (box,) = displayed
    first, second, image = box.children
    assert (first.min, first.value, first.max) == (-1, 0.5, 1) and isinstance(image, ipywidgets.Image)
    before = image.value
    second.value = 2.0
    assert drawn[-1] == [0.5, 2.0] and image.value != before and bytes(image.value[:4]) == b"\x89PNG"


def test_without_ipywidgets_the_figure_is_enough(shown, monkeypatch):
    draw, displayed, _ = shown
    monkeypatch.delenv("TQDM_DISABLE")
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    explore(draw, SLIDERS, "a_figure", alt="a line")
    assert controls(draw, SLIDERS, "a_figure") is None and displayed == []


def test_a_slider_starts_inside_its_limits(shown):
    with pytest.raises(ValueError, match="slider 'a' starts at 3, expected a value from -1 to 1"):
        explore(shown[0], {"a": (-1, 3, 1)}, "a_figure", alt="a line")
