"""show, claims, solution: what is displayed, whole files, refusals."""

import base64
import json
import math
import re
import struct
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from matplotlib.figure import Figure
from nbconvert import HTMLExporter
from nbformat.v4 import new_code_cell, new_notebook, new_output

from course.figures.png import read_fingerprint
from course.notebooks.running import FIGURE_HOOK
from course.regression.plugin import SANITIZE
from helpers import claims as sheets
from helpers import notebook as figures
from helpers import plots
from helpers.core.data import ImageSet
from helpers.toy_vae import VAE

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


def test_show_saves_the_bytes_that_it_displays_with_a_caption(shown):
    folder, displayed = shown
    figures.show(Figure(figsize=(4, 3)), "part_a_x", alt="Nothing < 1.")
    png = (folder / "part_a_x.png").read_bytes()
    (bundle,) = displayed
    assert bundle["image/png"] == png and bundle["text/plain"] == "Nothing < 1."
    assert struct.unpack(">II", png[16:24]) == (400, 300)
    page = BeautifulSoup(bundle["text/html"], "html.parser")
    assert base64.b64decode(page.img["src"].removeprefix("data:image/png;base64,")) == png
    assert page.img["alt"] == page.figcaption.text == "Nothing < 1."
    assert [p.name for p in folder.iterdir()] == ["part_a_x.png"]


def test_nbconvert_shows_caption_and_alternative_text():
    bundle = {"image/png": "iVBORw0KGgo=", "text/html": figures.html_figure(b"?", "A line."), "text/plain": "A line."}
    nb = new_notebook(cells=[new_code_cell("show()", outputs=[new_output("display_data", bundle)])])
    page = BeautifulSoup(HTMLExporter().from_notebook_node(nb)[0], "html.parser")
    assert [image["alt"] for image in page.select("img")] == ["A line."]
    assert [caption.text for caption in page.select("figcaption")] == ["A line."]


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


def test_a_figure_that_cannot_be_saved_is_shown_the_old_file_stays_and_one_warning_says_why(shown, monkeypatch):
    folder, displayed = shown
    figures.show(Figure(), "x", alt="x")
    before = (folder / "x.png").read_bytes()

    def full(self, content):
        self.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with warnings.catch_warnings(record=True) as warned:
        figures.show(Figure(figsize=(1, 1)), "x", alt="x")
        figures.show(Figure(figsize=(1, 1)), "y", alt="y")
    assert re.search("not saved to .*No space left on device.*FIGURES_DIR", str(warned[0].message))
    assert len(warned) == 1 and len(displayed) == 3
    assert (folder / "x.png").read_bytes() == before and len(list(folder.iterdir())) == 1


def test_stand_in_data_are_announced_on_the_figure_and_not_judged(shown, standin_set, sheet):
    figure = Figure()
    figures.show(figure, "x", alt="x", data=standin_set)
    assert [t.get_text() for t in figure.texts] == ["Stand-in digits"]
    text = told(shown, standin_set, gap=0.5)
    assert text.startswith("1 claims not judged: stand-in data\n– not judged: stand-in data | gap |")


@pytest.fixture
def sheet(tmp_path, monkeypatch):
    """The claims of a notebook called 07_x."""
    path = tmp_path / "07_x.json"
    made = {
        "gap": {"unit": "nats", "above": -0.01, "below": 0.05, "source": "theory"},
        "most": {"below": 4, "source": "theory"},
        "least": {"above": 8, "source": "theory"},
        "spread": {"above": 0, "below": 9, "values": [2, 3, 2.5, 2.2]},
        "open": {},
    }
    path.write_text(json.dumps({"seeds": [42, 0, 1, 2], "claims": made, "constants": {}}))
    monkeypatch.setattr(sheets, "FOLDER", tmp_path)
    return path


def told(shown, data=None, **values):
    """The plain text of claims in one cell."""
    with figures.claims("07_x", data) as claim:
        for name, value in values.items():
            claim(name, value)
    return shown[1][-1]["text/plain"]


@pytest.mark.parametrize(
    ("name", "value", "holds"),
    [("gap", 0.03, True), ("gap", 0.05, True), ("gap", 0.051, False), ("gap", math.nan, False), ("most", -9, True),
     ("least", 7.9, False), ("spread", 0.0, True), ("spread", 4.9, True), ("spread", 5.1, False), ("open", 1, False)],
)  # fmt: skip
def test_claims_judge_by_their_band(shown, sheet, name, value, holds):
    summary, line = told(shown, **{name: value}).splitlines()
    assert summary == f"{int(holds)} of 1 claims hold"
    assert line.startswith(f"{'✓ holds' if holds else '✗ FAILS'} | {name} | measured ")


def test_claims_fold_into_one_line_and_failures_stand_in_full(shown, sheet):
    told(shown, gap=0.01, most=3, least=2)
    page = BeautifulSoup(shown[1][-1]["text/html"], "html.parser")
    assert page.details.summary.text == "2 of 3 claims hold"
    (failures,) = [pre.text for pre in page.select("pre") if pre.parent.name != "details"]
    assert failures.startswith("✗ FAILS | least | measured 2 |") and failures.count("|") == 3
    assert page.details.pre.text.count("\n") == 3


def test_a_band_is_the_spread_widened_and_cut_at_the_limits_of_the_sentence():
    values = [1.0, 1.2, 1.1, 1.3, 1.05]
    assert sheets.Claim(above=0, below=5, values=values).band() == pytest.approx((0.4, 1.9))
    assert sheets.Claim(above=0.9, values=values).band() == (0.9, math.inf)
    assert sheets.Claim(below=1.5, values=values).band() == (-math.inf, 1.5)
    assert sheets.Claim(above=0, below=5, values=[2.0] * 5).band() == pytest.approx((1.8, 2.2))
    assert sheets.Claim(above=0, below=5, source="theory").band() == (0, 5)


def test_a_claim_made_twice_is_refused(shown, sheet):
    with figures.claims("07_x") as claim:
        claim("gap", 0.01)
        with pytest.raises(ValueError, match="the claim 'gap' is made twice"):
            claim("gap", 0.02)


def test_a_cell_that_stops_displays_no_claims(shown, sheet):
    with pytest.raises(ZeroDivisionError), figures.claims("07_x") as claim:
        claim("gap", 1 / 0)
    assert shown[1] == []


@pytest.mark.parametrize(
    "text", ["", "[]", '{"claims": {}}', '{"seeds": [], "claims": {"a": {"x": 1}}, "constants": {}}']
)
def test_a_file_that_holds_something_else_is_named(sheet, text):
    sheet.write_text(text)
    with pytest.raises(ValueError, match=r"helpers/claims/07_x\.json holds something else than claims"):
        sheets.load("07_x")


def test_quick_runs_are_not_judged(monkeypatch, shown, sheet):
    monkeypatch.setenv("QUICK", "1")
    assert "not judged: quick run" in told(shown, gap=5)


def test_a_value_that_is_no_number_fails_its_claim_and_stays_out_of_what_json_holds(monkeypatch, sheet):
    kept = []
    monkeypatch.setattr(figures, "display", lambda bundle, metadata, raw: kept.append((bundle, metadata)))
    with figures.claims("07_x") as claim:
        claim("gap", math.nan)
    ((bundle, metadata),) = kept
    assert "0 of 1 claims hold" in bundle["text/plain"] and metadata == {"claims": {}}


def test_a_solution_is_the_source_without_its_docstring(shown):
    figures.solution(VAE.encode, VAE.decode)
    text = shown[1][-1]["text/plain"]
    assert text.startswith("def encode(self") and "\n\ndef decode(self" in text and '"""' not in text
    assert BeautifulSoup(shown[1][-1]["text/html"], "html.parser").pre.text == f"{text}\n"


def sanitized(text: str) -> str:
    """What nbval compares: its own rules applied to the project's file."""
    from nbval.plugin import get_sanitize_patterns

    for pattern, replacement in dict(get_sanitize_patterns(SANITIZE.read_text())).items():
        text = re.sub(pattern, replacement, text)
    return text


def test_regression_compares_all_of_a_claim_but_its_number(shown, sheet):
    def both(**values):
        text = told(shown, **values)
        return sanitized(text), sanitized(shown[1][-1]["text/html"])

    base = both(gap=0.0123)
    assert all("NUMBER nats" in text and "-0.01 to 0.05" in text for text in base)
    assert both(gap=3.1e-05) == base
    for changed in (both(gap=0.0623), both(gap=math.nan), both(most=0.0123)):
        assert changed[0] != base[0] and changed[1] != base[1]
    sheet.write_text(sheet.read_text().replace("0.05", "0.06"))
    assert both(gap=0.0123)[0] != base[0]  # the band moves


def test_regression_leaves_pictures_to_the_comparison_of_figures():
    assert sanitized(figures.html_figure(b"one", "A line.")) == sanitized(figures.html_figure(b"another", "A line."))
    assert sanitized(figures.html_figure(b"one", "A line.")) != sanitized(figures.html_figure(b"one", "Two lines."))


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
