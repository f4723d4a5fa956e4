"""Fingerprints: every tampering is caught, nothing else is, and no bytes can hurt their reader."""

import copy
import json
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from sklearn.datasets import load_digits

from course.figures import comparison, layout
from course.figures.comparison import TOLERANCES, compare
from course.figures.fingerprint import describe
from course.figures.png import KEYWORD, MAX_JSON, FigureError, read_fingerprint
from course.notebooks.running import FIGURE_HOOK
from helpers import notebook as figures
from helpers import plots

EXACT = "numpy_vae_data"  # a name with the exact tolerance
TRAINED = "part_b_training"  # one with the tolerance of training


@pytest.fixture(scope="module", autouse=True)
def _fingerprints():
    """Figures are rendered as in the kernels of ``run`` and ``check``; where texts lie is test_layout's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FIGURE_HOOK", FIGURE_HOOK)
        patch.setattr(layout, "problems", lambda figure: [])  # it draws the figure, which takes longer than all else
        yield


@pytest.fixture(scope="module")
def rng_data():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 400)
    centres = np.array([[-2, 0], [2, 0], [0, 2.5], [0, -2.5]])
    return {
        "points": centres[labels] + 0.6 * rng.standard_normal((400, 2)) * [1, 1.3],
        "labels": labels,
        "curve": np.exp(-np.linspace(0, 3, 300)) * 4 + 0.05 * rng.standard_normal(300),
        "cells": digits_grid(),
    }


def draw(data, change=None):
    """A figure with a scatter, two curves, an image grid, bars and a legend; ``change`` edits what it is made from."""
    spec = {
        "points": data["points"].copy(), "labels": data["labels"].copy(), "curve": data["curve"].copy(),
        "cells": data["cells"].copy(), "title": "Loss falls", "xlabel": "epoch", "ylabel": "loss [nats]",
        "cmap": "gray", "legend": True, "label": "train", "heights": [3.0, 1.0, 2.0],
    }  # fmt: skip
    if change:
        change(spec)
    figure = plots.panels(2, 2, (9, 7), "All of it")
    a, b, c, d = figure.axes
    if spec["points"] is not None:
        plots.scatter_classes(a, spec["points"], spec["labels"], "classes")
    a.set(xlabel="$z_1$", ylabel="$z_2$")
    b.plot(np.arange(len(spec["curve"])), spec["curve"], label=spec["label"])
    b.axhline(0.5, ls="--", color="black", label="limit")
    b.set(title=spec["title"], xlabel=spec["xlabel"], ylabel=spec["ylabel"])
    if spec["legend"]:
        b.legend()
    c.imshow(spec["cells"], cmap=spec["cmap"], vmin=0, vmax=1)
    c.set(xticks=[0, 100], yticks=[])
    d.bar([1, 2, 3], spec["heights"])
    return figure


@pytest.fixture(scope="module")
def described(rng_data):
    return describe(draw(rng_data), TRAINED)


@pytest.fixture(scope="module")
def untouched(rng_data):
    return {name: carrier(draw(rng_data), name) for name in (EXACT, TRAINED)}


def digits_grid():
    """A 12 x 12 grid of real digits, 28 x 28 pixels each."""
    images = load_digits().images[:144] / 16
    big = np.pad(images.repeat(3, 1).repeat(3, 2), ((0, 0), (2, 2), (2, 2)))
    return big.reshape(12, 12, 28, 28).transpose(0, 2, 1, 3).reshape(336, 336)


def carrier(figure, name):
    """A PNG of one pixel with the figure's fingerprint: what is caught with it, is caught by the fingerprint alone."""
    return with_chunk(zlib.compress(json.dumps(describe(figure, name)).encode()))


def put(key, value):
    return lambda spec: spec.update({key: value(spec[key]) if callable(value) else value})


def moved_outlier(points):
    points = points.copy()
    points[np.argmax(points[:, 0])] += [4, 0]
    return points


def exchanged(cells):
    cells = cells.copy()
    a, b = (slice(28, 56), slice(56, 84)), (slice(28, 56), slice(140, 168))
    cells[a], cells[b] = cells[b].copy(), cells[a].copy()
    return cells


TAMPERINGS = {
    "another curve": (put("curve", lambda c: np.linspace(c[0], c[-1], len(c))), "mean"),
    "the curve backwards": (put("curve", lambda c: c[::-1]), "stretch 1"),
    "shuffled labels": (put("labels", lambda y: np.random.default_rng(0).permutation(y)), "colour #"),
    "swapped axes": (put("points", lambda p: p[:, ::-1]), "artist"),
    "a missing legend": (put("legend", False), "legend: expected"),
    "a changed title": (put("title", "Loss rises"), "title: expected 'Loss falls', got 'Loss rises'"),
    "a changed unit": (put("ylabel", "loss [bits]"), "ylabel: expected 'loss [nats]', got 'loss [bits]'"),
    "a changed label": (put("xlabel", "step"), "xlabel: expected 'epoch', got 'step'"),
    "a changed name in the legend": (put("label", "test"), "expected"),
    "two cells exchanged": (put("cells", exchanged), "worst window"),
    "a flipped image": (put("cells", lambda c: c[::-1]), "worst window"),
    "a mirrored image": (put("cells", lambda c: c[:, ::-1]), "worst window"),
    "a transposed image": (put("cells", lambda c: c.T), "worst window"),
    "another colour map": (put("cmap", "viridis"), "map: expected 'gray', got 'viridis'"),
    "an empty axes": (put("points", None), "got empty axes"),
    "one outlier moved": (put("points", moved_outlier), "maximum"),
    "two bars exchanged": (put("heights", [1.0, 3.0, 2.0]), "stretch"),
}


@pytest.mark.parametrize("name", [EXACT, TRAINED])
@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_every_tampering_is_caught_and_named(rng_data, untouched, name, tampering):
    change, words = TAMPERINGS[tampering]
    good, bad = untouched[name], carrier(draw(rng_data, change), name)
    found = compare(name, good, bad)
    assert any(words in problem for problem in found.problems), found.problems
    assert compare(name, bad, good).problems


@pytest.mark.parametrize("number", [50, 1000, 10_000])
def test_where_a_run_is_deterministic_another_seed_is_caught(number):
    def drawn(seed):
        points = np.random.default_rng(seed).standard_normal((number, 2))
        figure = plots.panels(1, 1, (4, 3))
        figure.axes[0].scatter(*points.T)
        figure.axes[0].set(xlim=(-4, 4), ylim=(-4, 4))  # limits alone would tell
        return carrier(figure, EXACT)

    assert compare(EXACT, drawn(0), drawn(0)).problems == []
    assert any("median" in p or "stretch" in p for p in compare(EXACT, drawn(0), drawn(1)).problems)


def test_two_figures_that_exchanged_their_names_are_caught(rng_data):
    one = carrier(draw(rng_data), TRAINED)
    two = carrier(draw(rng_data, put("title", "Two")), "two")
    assert f"name: expected '{TRAINED}', got 'two'" in compare(TRAINED, one, two).problems


def test_a_numbers_difference_says_what_came_what_was_expected_and_how_much_is_allowed():
    def line(level):
        figure = plots.panels(1, 1, (4, 3))
        figure.axes[0].plot([0, 1, 2], [0, level, level])
        figure.axes[0].set(ylim=(0, 1))
        return carrier(figure, TRAINED)

    assert "axes artist (line) y median 0.31, expected 0.52 ± 0.1" in compare(TRAINED, line(0.52), line(0.31)).problems


def test_a_picture_that_is_not_its_fingerprint_is_caught(rng_data):
    good, blank = figures.render(draw(rng_data), TRAINED), figures.render(Figure(figsize=(9, 7)), TRAINED)
    chunk = next(c for c in chunks(good) if c[4:8] == b"zTXt")
    forged = blank[:33] + chunk + b"".join(c for c in chunks(blank)[1:] if c[4:8] != b"zTXt")
    assert read_fingerprint(forged) == read_fingerprint(good)
    assert any("blurred pixels" in p for p in compare(TRAINED, good, forged).problems)
    small = figures.render(draw(rng_data), TRAINED).replace(chunk, b"")
    assert compare(TRAINED, good, small).problems == ["the figure carries no fingerprint: display it with show"]


# ---------------------------------------------------------------- it must not cry wolf


def test_the_same_figure_again_is_the_same_to_the_byte(rng_data):
    assert figures.render(draw(rng_data), EXACT) == figures.render(draw(rng_data), EXACT)


@pytest.mark.parametrize(("name", "amount"), [(EXACT, 1e-7), (TRAINED, 0.05)])
def test_drift_between_machines_passes(rng_data, name, amount):
    rng = np.random.default_rng(3)

    def drift(spec):
        for key in ("points", "curve", "cells"):
            spec[key] = spec[key] + amount * rng.standard_normal(spec[key].shape)

    found = compare(name, *(carrier(draw(rng_data, c), name) for c in (None, drift)))
    assert found.problems == [] and 0 <= found.measured["numbers"] < 0.1


def test_a_map_that_came_out_turned_passes_where_it_may_but_shuffled_labels_do_not(rng_data):
    name, turn = "fashion_tsne", np.array([[0.6, -0.8], [0.8, 0.6]])

    def codes(points, labels):
        return carrier(plots.scatters({"codes": points}, labels=labels), name)

    points, labels = rng_data["points"], rng_data["labels"]
    good = codes(points, labels)
    assert compare(name, good, codes(points @ turn, labels)).problems == []
    shuffled = np.random.default_rng(0).permutation(labels)
    assert any("neighbours of one colour" in p for p in compare(name, good, codes(points, shuffled)).problems)


def test_what_nobody_sees_is_not_compared():
    def line(spike):
        figure = plots.panels(1, 1, (4, 3))
        figure.axes[0].plot([0, 1, 2, 3], [spike, 0.5, 0.4, 0.3])
        figure.axes[0].set(ylim=(0, 1))
        return carrier(figure, EXACT)

    assert compare(EXACT, line(900), line(300)).problems == []


def test_decimals_in_annotations_are_numbers_and_in_titles_words():
    def bars(number, title):
        figure = plots.panels(1, 1, (4, 3), title)
        figure.axes[0].annotate(number, (0.5, 0.5))
        return carrier(figure, TRAINED)

    good = bars("KL 2.31 nats", "β = 0.01")
    assert compare(TRAINED, good, bars("KL 2.35 nats", "β = 0.01")).problems == []
    assert compare(TRAINED, good, bars("KL 3.31 nats", "β = 0.01")).problems
    assert compare(TRAINED, good, bars("KL 2.31 bits", "β = 0.01")).problems
    assert compare(TRAINED, good, bars("KL 2.31 nats", "β = 0.011")).problems


@pytest.mark.parametrize("kind", ["log", "mesh", "fill", "strokes", "axline", "inset", "nan", "empty", "colorbar"])
def test_all_kinds_of_drawing_have_a_fingerprint_that_agrees_with_itself(kind):
    figure = plots.panels(1, 1, (4, 3))
    (ax,) = figure.axes
    if kind == "log":
        ax.plot([0, 1, 10], [1, 10, 1000])
        ax.set(yscale="log", xscale="log")
    elif kind == "mesh":
        ax.pcolormesh(np.arange(12.0).reshape(3, 4))
    elif kind == "fill":
        ax.fill_between([0, 1, 2], [1, 2, 1])
    elif kind == "strokes":
        ax.hlines([1, 2], 0, [3, 4])
    elif kind == "axline":
        ax.axline((0, 0), slope=2)
    elif kind == "inset":
        ax.inset_axes([0, 0, 0.5, 0.5]).plot([1, 2])
    elif kind == "nan":
        ax.scatter([1, np.nan, 3], [np.nan, np.nan, np.nan])
        ax.plot([np.nan, 1], [1, np.nan])
    elif kind == "empty":
        ax.scatter([], [])
        ax.plot([], [])
    elif kind == "colorbar":
        figure.colorbar(ax.scatter(range(50), range(50), c=np.linspace(0, 1, 50)), extend="both", label="value")
    png = carrier(figure, EXACT)
    assert compare(EXACT, png, png).problems == []
    json.dumps(read_fingerprint(png), allow_nan=False)


def test_a_line_through_the_axes_is_caught_when_its_slope_changes():
    def diagonal(slope):
        figure = plots.panels(1, 1, (4, 3))
        figure.axes[0].axline((0, 0), slope=slope)
        return carrier(figure, TRAINED)

    assert compare(TRAINED, diagonal(1), diagonal(2)).problems


def test_each_tolerance_has_a_reason_and_each_figure_a_tolerance():
    assert all(len(t.reason) > 20 for t in TOLERANCES.values())
    assert {figure.tolerance for figure in comparison.FIGURES.values()} <= set(TOLERANCES)
    for kind in comparison.KINDS:
        assert getattr(TOLERANCES["exact"], kind) < getattr(TOLERANCES["trained"], kind)


# ---------------------------------------------------------------- bytes from anywhere


def chunks(png: bytes) -> list[bytes]:
    found, at = [], 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        found.append(png[at : at + 12 + length])
        at += 12 + length
    return found


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def with_chunk(body: bytes, kind: bytes = b"zTXt") -> bytes:
    """A small PNG whose fingerprint chunk is ``body``."""
    png = plain_png()
    return png[:33] + chunk(kind, KEYWORD.encode() + b"\0\0" + body) + png[33:]


def plain_png() -> bytes:
    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b"")


GOOD = zlib.compress(json.dumps({"version": 1, "name": "x"}).encode())


def test_a_png_without_a_fingerprint_gives_none_and_a_good_one_its_content():
    assert read_fingerprint(plain_png()) is None
    assert read_fingerprint(with_chunk(GOOD)) == {"version": 1, "name": "x"}


@pytest.mark.parametrize(
    ("png", "words"),
    [
        (b"", "expected a PNG"),
        (b"GIF89a" + bytes(100), "expected a PNG"),
        (plain_png()[:-6], "cut short"),
        (plain_png()[:40], "cut short"),
        (plain_png()[:8], "cut short"),
        (with_chunk(GOOD).replace(GOOD, GOOD[:-1] + b"!"), "damaged"),
        (with_chunk(b"not zlib"), "cannot be unpacked"),
        (with_chunk(GOOD[:-6]), "cut short"),
        (with_chunk(bytes(2 << 20)), "compressed bytes, expected at most"),
        (with_chunk(zlib.compress(bytes(MAX_JSON + 10))), "unpacks to more than"),
        (with_chunk(zlib.compress(b"{")), "not JSON"),
        (with_chunk(zlib.compress(b"[" * 200_000)), "not JSON"),
        (with_chunk(zlib.compress(b'{"version": 1, "name": NaN}')), "not JSON"),
        (with_chunk(zlib.compress(b'{"version": 1, "name": "x", "n": ' + b"9" * 9000 + b"}")), "not JSON"),
        (with_chunk(zlib.compress(b"\xff\xfe\x00")), "not JSON"),
        (with_chunk(zlib.compress(b"[1]")), "not one of version 1"),
        (with_chunk(zlib.compress(b'{"version": 2, "name": "x"}')), "not one of version 1"),
        (with_chunk(GOOD)[:33] + 2 * chunks(with_chunk(GOOD))[1] + with_chunk(GOOD)[33:], "holds 3 fingerprints"),
        (with_chunk(b"plain text", b"tEXt"), "cannot be unpacked"),
    ],
)
def test_each_kind_of_bad_bytes_has_one_clear_error(png, words):
    with pytest.raises(FigureError, match=words) as caught:
        read_fingerprint(png)
    assert len(str(caught.value)) < 300


def test_a_decompression_bomb_costs_little_memory():
    bomb = with_chunk(zlib.compress(bytes(300 << 20), 9))
    assert len(bomb) < 1 << 20
    tracemalloc.start()
    with pytest.raises(FigureError, match="unpacks to more than"):
        read_fingerprint(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * MAX_JSON


def test_a_picture_of_absurd_size_is_refused_before_it_is_decoded():
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    png = plain_png()
    huge = png[:8] + chunk(b"IHDR", header) + png[33:]
    with pytest.raises(FigureError, match=r"pixels, expected at most|cannot be decoded"):
        comparison.picture(huge)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_no_bytes_do_more_than_be_refused(data):
    png = bytearray(with_chunk(GOOD))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(png) - 1))
        how = data.draw(st.sampled_from(["flip", "cut", "insert"]))
        if how == "flip":
            png[at] ^= data.draw(st.integers(1, 255))
        elif how == "cut":
            del png[at : at + data.draw(st.integers(1, 40))]
        else:
            png[at:at] = data.draw(st.binary(min_size=1, max_size=40))
        if not png:
            break
    try:
        found = read_fingerprint(bytes(png))
    except FigureError:
        return
    assert found is None or found == {"version": 1, "name": "x"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_forged_fingerprint_is_a_difference_never_a_crash(described, data):
    """Any part of a good fingerprint replaced by any JSON."""
    good = described
    forged = copy.deepcopy(good)
    place, key = forged, None
    while isinstance(place, dict | list) and place and (key is None or data.draw(st.integers(0, 3)) > 0):
        parent = place
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        place = place[key]
    parent[key] = data.draw(JSON)
    png = with_chunk(zlib.compress(json.dumps({**forged, "version": 1, "name": TRAINED}).encode()))
    expected = with_chunk(zlib.compress(json.dumps(good).encode()))
    assert isinstance(compare(TRAINED, expected, png).problems, list)
