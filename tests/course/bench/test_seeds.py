"""Spreads over seeds come from whole runs of a notebook, and what was written by hand stays."""

import json

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from course import paths
from course.bench import seeds
from helpers import claims

SET_UP = "from helpers.notebook import claims\nSEED = 42"
CLAIMS = 'with claims("07_x") as claim:\n    claim("seed", SEED)\n    claim("new", 0.123456)\n    claim("sure", 1)'


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A notebook that claims its own seed, and what stands of its claims so far."""
    monkeypatch.setattr(paths, "NOTEBOOKS", tmp_path)
    monkeypatch.setattr(claims, "FOLDER", tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(paths.ROOT))
    made = {
        "seed": {"unit": "nats", "above": 0, "below": 41, "values": [1]},
        "sure": {"above": 0.5, "source": "theory"},
        "old": {"above": 0, "values": [1]},
    }
    made_text = json.dumps({"seeds": [42], "claims": made, "constants": {"0.42": "the gap"}})
    (tmp_path / "07_x.json").write_text(made_text)
    write(tmp_path, SET_UP, CLAIMS)
    return tmp_path


def write(folder, *cells):
    nbformat.write(new_notebook(cells=[new_code_cell(cell) for cell in cells]), folder / "07_x.ipynb")


@pytest.mark.slow
def test_values_are_measured_and_the_rest_stays(project):
    sentences = seeds.measure("07_x", 2)
    sheet = claims.load("07_x")
    assert sheet.seeds == [42, 0, 1] and sheet.constants == {"0.42": "the gap"}
    assert sheet.claims["seed"] == claims.Claim("nats", 0, 41, "", [42, 0, 1])
    assert sheet.claims["sure"] == claims.Claim(above=0.5, source="theory")
    assert sheet.claims["new"].values == [0.1235] * 3 and "old" not in sheet.claims
    assert [sentence.split()[0] for sentence in sentences] == ["REFUTED", "NO", "ok", "GONE"]
    assert "seed 42: 42" in sentences[0]
    assert "SEED = 42" in (project / "07_x.ipynb").read_text(), "the notebook stays as it is"


@pytest.mark.slow
def test_a_run_that_stops_changes_nothing(project):
    before = (project / "07_x.json").read_text()
    write(project, SET_UP, "assert SEED != 0, 'unlucky'")
    with pytest.raises(ValueError, match="07_x with seed 0 stops: AssertionError: unlucky"):
        seeds.measure("07_x", 1)
    assert (project / "07_x.json").read_text() == before


def test_a_notebook_without_one_seed_is_named(project):
    write(project, "SEED = 1", "SEED = 2")
    with pytest.raises(ValueError, match="has 2 lines of the form SEED = 42: give it exactly one"):
        seeds.own_seed("07_x")
    with pytest.raises(ValueError, match="there is no notebook 08_y: expected one of 07_x"):
        seeds.own_seed("08_y")
