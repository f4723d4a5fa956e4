"""show and claim: one stable line each, whole files, refusals."""

import math
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from course.figures.png import read_fingerprint
from course.notebooks.running import FIGURE_HOOK
from course.regression.check import SANITIZE
from helpers import notebook as figures
from helpers import plots
from helpers.core.data import ImageSet
from helpers.notebook import claim

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def shown(tmp_path, monkeypatch):
    """The figures folder, and what was displayed."""
    monkeypatch.setenv("FIGURES_DIR", str(tmp_path / "out"))
    displayed = []
    monkeypatch.setattr(figures, "display", lambda data, **_: displayed.append(data))
    return tmp_path / "out", displayed


@pytest.fixture
def standin_set():
    return ImageSet("Stand-in digits", False, *[None] * 4)


def test_show_saves_the_bytes_that_it_displays_and_prints_one_line(shown, capsys):
    folder, displayed = shown
    figures.show(Figure(figsize=(4, 3)), "part_a_x", alt="Nothing.")
    png = (folder / "part_a_x.png").read_bytes()
    assert displayed == [{"image/png": png, "text/plain": "Nothing."}]
    assert struct.unpack(">II", png[16:24]) == (400, 300)
    assert capsys.readouterr().out == "figure part_a_x\n"
    assert [p.name for p in folder.iterdir()] == ["part_a_x.png"]


def test_a_hook_adds_to_the_png_and_without_it_there_is_the_picture_alone(monkeypatch):
    plain = figures.render(Figure(figsize=(1, 1)), "x")
    assert b"tEXt" not in plain and b"zTXt" not in plain and read_fingerprint(plain) is None
    monkeypatch.setenv("FIGURE_HOOK", FIGURE_HOOK)
    marked = figures.render(Figure(figsize=(1, 1)), "x")
    assert read_fingerprint(marked)["name"] == "x"
    assert [c for c in chunks(marked) if c[:4] != b"zTXt"] == chunks(plain), "the picture is the same"


def test_the_notebooks_module_imports_nothing_of_course():
    code = "import sys, helpers.notebook; print([m for m in sys.modules if m.split('.')[0] == 'course'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout == "[]\n"


def chunks(png):
    """The kind and content of each part of a PNG."""
    parts, at = [], 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        parts.append(png[at + 4 : at + 8 + length])
        at += 12 + length
    return parts


@pytest.mark.parametrize("name", ["", "Part A", "../x", "a.png", "a__b", "ä"])
def test_odd_figure_names_are_refused(shown, name):
    with pytest.raises(ValueError, match="lower-case words joined by underscores, got"):
        figures.show(Figure(), name, alt="x")
    with pytest.raises(ValueError, match="needs a sentence in alt"):
        figures.show(Figure(), "x", alt=" ")


def test_a_write_that_fails_leaves_the_old_file_and_no_part(shown, monkeypatch):
    folder, _ = shown
    figures.show(Figure(), "x", alt="x")
    before = (folder / "x.png").read_bytes()

    def full(self, content):
        self.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match=r"x\.png could not be written \(No space left on device\): free some space"):
        figures.show(Figure(figsize=(1, 1)), "x", alt="x")
    assert (folder / "x.png").read_bytes() == before and len(list(folder.iterdir())) == 1


def test_stand_in_data_are_announced_on_the_figure_and_in_the_claim(shown, standin_set, capsys):
    figure = Figure()
    figures.show(figure, "x", alt="x", data=standin_set)
    assert [t.get_text() for t in figure.texts] == ["Stand-in digits"]
    claim("c", 5, 0, 1, source="theory", data=standin_set)
    assert capsys.readouterr().out.splitlines()[-1].startswith("– not judged: stand-in data | c |")


@pytest.mark.parametrize(
    ("value", "low", "high", "holds"),
    [(0.5, 0, 1, True), (0, 0, 1, True), (1, 0, 1, True), (1.01, 0, 1, False), (-3, -math.inf, 0, True),
     (7, 8, math.inf, False), (math.nan, 0, 1, False)],
)  # fmt: skip
def test_claims_judge_by_their_band(capsys, value, low, high, holds):
    claim("a", value, low, high, "nats", source="theory")
    assert capsys.readouterr().out.startswith("✓ holds | a | measured " if holds else "✗ FAILS | a | measured ")


def test_a_claim_without_a_band_is_refused():
    for band in [(), (2, 1), (math.nan, 1)]:
        with pytest.raises(ValueError, match="needs a band with low <= high"):
            claim("a", 1, *band, source="theory")


def test_quick_runs_are_not_judged(monkeypatch, capsys):
    monkeypatch.setenv("QUICK", "1")
    claim("a", 5, 0, 1, source="theory")
    assert "not judged: quick run" in capsys.readouterr().out


def sanitized(text: str) -> str:
    """What nbval compares: its own rules applied to the project's file."""
    from nbval.plugin import get_sanitize_patterns

    for pattern, replacement in dict(get_sanitize_patterns(SANITIZE.read_text())).items():
        text = re.sub(pattern, replacement, text)
    return text


def line(capsys, *args) -> str:
    claim(*args, source="seeds 0 to 9: 0.02")
    return capsys.readouterr().out


def test_regression_compares_all_of_a_claim_but_its_number(capsys):
    base = sanitized(line(capsys, "gap", 0.0123, -0.01, 0.05, "nats"))
    assert "NUMBER nats" in base and "-0.01 to 0.05" in base
    assert sanitized(line(capsys, "gap", 3.1e-05, -0.01, 0.05, "nats")) == base
    assert sanitized(line(capsys, "gap", 0.0623, -0.01, 0.05, "nats")) != base  # the verdict flips
    assert sanitized(line(capsys, "gap", 0.0123, -0.01, 0.06, "nats")) != base  # the band moves
    assert sanitized(line(capsys, "Gap", 0.0123, -0.01, 0.05, "nats")) != base
    assert sanitized(line(capsys, "gap", math.nan, -0.01, 0.05, "nats")) != base


def test_regression_ignores_decimals_elsewhere_but_not_words():
    row = "VAE, beta 1   {:8.2f}   {:.3f}\n".format
    assert sanitized(row(32.79, 0.674)) == sanitized(row(101.0, 0.7))
    assert sanitized(row(1, 0.5)) != sanitized(row(1, 0.5).replace("beta 1", "beta 3"))


def test_figures_do_not_depend_on_the_readers_style():
    import matplotlib as mpl
    import numpy as np

    cloud = {"a": np.random.RandomState(0).randn(50, 2)}
    plain = figures.render(plots.scatters(cloud), "x")
    with mpl.rc_context({"axes.facecolor": "black", "font.size": 30, "savefig.dpi": 20}):
        assert figures.render(plots.scatters(cloud), "x") == plain
        assert mpl.rcParams["font.size"] == 30
