"""Curves are told from clouds of points by the pieces that their coloured parts fall into."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from course.figures.pieces import coloured_pieces, count_pieces
from course.figures.png import FigureError


def filled(mask: np.ndarray) -> int:
    """Count pieces the plain way: fill one after the other."""
    left, pieces = {(int(r), int(c)) for r, c in np.argwhere(mask)}, 0
    while left:
        pieces, pending = pieces + 1, [left.pop()]
        while pending:
            row, column = pending.pop()
            near = {(r, c) for r in range(row - 1, row + 2) for c in range(column - 1, column + 2)} & left
            left -= near
            pending += near
    return pieces


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 24), st.integers(1, 24), st.floats(0, 1))
def test_pieces_are_those_of_filling_one_after_the_other(seed, rows, columns, share):
    mask = np.random.default_rng(seed).random((rows, columns)) < share
    assert count_pieces((255 * mask).astype(np.uint8).tobytes(), columns) == filled(mask)


def drawn(dpi: int, *, points: bool, colour: str = "C0") -> bytes:
    rand = np.random.RandomState(dpi)
    figure = Figure(figsize=(10, 3))
    for ax in figure.subplots(1, 3):
        if points:
            ax.scatter(*rand.randn(2, 500), s=2, color=colour)
        else:
            ax.plot(np.exp(-np.arange(1000) / 100) + 0.1 * rand.randn(1000), color=colour)
        ax.set_title("a title")
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=dpi)
    return buffer.getvalue()


@pytest.mark.parametrize("dpi", [50, 100, 300])
def test_a_noisy_curve_is_few_pieces_and_a_cloud_many(dpi):
    assert coloured_pieces(drawn(dpi, points=False)) == 3
    assert coloured_pieces(drawn(dpi, points=True)) > 100


def test_letters_and_frames_are_no_pieces_and_what_is_no_picture_is_refused():
    assert coloured_pieces(drawn(50, points=True, colour="black")) == 0
    with pytest.raises(FigureError):
        coloured_pieces(b"no picture")
