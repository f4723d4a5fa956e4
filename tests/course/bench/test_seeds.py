"""Spreads over seeds come from whole runs of a notebook, and what was written by hand stays."""

import json

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from course import paths
from course.bench import seeds
from helpers import claims
from helpers.notebook import claims_bundle

SHOWN = {"seed": 42.0, "new": 0.123456, "sure": 1.0}
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
    """Write a notebook, the last cell of which has shown its claims, with the bands of another time."""
    nb = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    bundle = claims_bundle(SHOWN, claims.Sheet([42], {}, {}))
    nb.cells[-1].outputs = [new_output("display_data", bundle, metadata={"claims": dict(sorted(SHOWN.items()))})]
    nbformat.write(nb, folder / "07_x.ipynb")


@pytest.mark.slow
def test_values_are_measured_and_the_rest_stays(project):
    sentences = seeds.measure("07_x", 2)
    sheet = claims.load("07_x")
    assert sheet.seeds == [42, 0, 1] and sheet.constants == {"0.42": "the gap"}
    assert sheet.claims["seed"] == claims.Claim("nats", 0, 41, "", [42, 0, 1])
    assert sheet.claims["sure"] == claims.Claim(above=0.5, source="theory")
    assert sheet.claims["new"].values == [0.1235] * 3 and "old" not in sheet.claims
    assert [sentence.split()[0] for sentence in sentences] == ["REFUTED", "NO", "SAME", "ok", "GONE"]
    assert "seed 42: 42" in sentences[0]
    (output,) = nbformat.read(project / "07_x.ipynb", as_version=4).cells[1].outputs
    assert output.metadata.claims == SHOWN and claims_bundle(SHOWN, sheet) == output.data
    assert list(seeds.claimed(output)) == list(SHOWN), "in the order of the lines"
    assert "SEED = 42" in (project / "07_x.ipynb").read_text(), "the cells stay as they are"


@pytest.mark.slow
def test_a_run_that_stops_changes_nothing(project):
    before = (project / "07_x.json").read_text()
    write(project, SET_UP, "assert SEED != 0, 'unlucky'")
    with pytest.raises(ValueError, match="07_x with seed 0 stops: AssertionError: unlucky"):
        seeds.measure("07_x", 1)
    assert (project / "07_x.json").read_text() == before


def test_a_notebook_that_was_never_run_is_not_measured(project):
    nbformat.write(new_notebook(cells=[new_code_cell(SET_UP), new_code_cell(CLAIMS)]), project / "07_x.ipynb")
    with pytest.raises(ValueError, match="no values of claims stored: run it first"):
        seeds.measure("07_x", 1)


def test_a_notebook_without_one_seed_is_named(project):
    write(project, "SEED = 1", "SEED = 2")
    with pytest.raises(ValueError, match="has 2 lines of the form SEED = 42: give it exactly one"):
        seeds.own_seed("07_x")
    with pytest.raises(ValueError, match="there is no notebook 08_y: expected one of 07_x"):
        seeds.own_seed("08_y")
