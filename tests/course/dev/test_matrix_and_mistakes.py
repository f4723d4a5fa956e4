"""The two scripts that try the regression run: their parts here, the whole of the quicker one slowly."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from course.dev import matrix, mistakes


@pytest.mark.parametrize("mistake", mistakes.MISTAKES, ids=lambda m: m.name)
def test_what_a_mistake_breaks_stands_once_in_the_solution(mistake):
    source = (mistakes.ROOT / "helpers" / mistake.file).read_text(encoding="utf-8")
    assert source.count(mistake.old) == 1 and mistake.new not in source
    compile(source.replace(mistake.old, mistake.new), mistake.file, "exec")
    assert all((mistakes.ROOT / "tests/helpers" / name).is_file() for name in mistake.tests)


def cell(row: int, path: Path, failed: Sequence[str] = (), **measured: float) -> matrix.Cell:
    differences = {"numpy_vae_data": measured}
    name = matrix.ROWS[row].name
    return matrix.Cell(
        name, path.stem, "2026-11-30", matrix.digest(path), "torch 2", "a CPU", 14, list(failed), differences
    )


@pytest.fixture
def notebooks(tmp_path, monkeypatch):
    """Two notebooks, and a store in an empty folder."""
    paths = [tmp_path / "01_a.ipynb", tmp_path / "02_b.ipynb"]
    for path in paths:
        path.write_text(path.stem)
    monkeypatch.setattr(matrix, "FOLDER", tmp_path / "matrix")
    monkeypatch.setattr(matrix, "STORE", tmp_path / "matrix.json")
    monkeypatch.setattr(matrix, "PAGE", tmp_path / "matrix.md")
    monkeypatch.setattr(matrix, "notebook_paths", lambda names: paths)
    return paths


def test_the_matrix_keeps_the_largest_difference_of_each_kind(notebooks):
    cells = [cell(0, notebooks[0], numbers=0.001, ssim=0.2), cell(1, notebooks[0], numbers=0.0015)]
    assert matrix.differences(cells) == {"numpy_vae_data": {"numbers": 0.0015, "ssim": 0.2}}
    assert "| numpy_vae_data | ssim | 0.2 | 0.01 |" in matrix.page(cells, notebooks)


def test_what_has_run_is_not_run_again_until_its_notebook_changes(notebooks):
    rows = matrix.ROWS[:2]
    assert len(matrix.missing(rows, notebooks, [])) == 4
    matrix.keep(matrix.with_cell(matrix.stored(), cell(0, notebooks[0])))
    matrix.keep(matrix.with_cell(matrix.stored(), cell(1, notebooks[1], ["cell 3", "a_figure"])))
    matrix.keep(matrix.with_cell(matrix.stored(), cell(0, notebooks[0], numbers=0.001)))  # again: in its place
    assert [c.row for c in matrix.stored()] == [row.name for row in rows]
    assert matrix.missing(rows, notebooks, matrix.stored()) == [(rows[0], notebooks[1]), (rows[1], notebooks[0])]
    text = matrix.PAGE.read_text()
    assert f"2 of {2 * len(matrix.ROWS)} cells were run between 2026-11-30 and 2026-11-30" in text
    assert f"| {rows[0].name} | 14 | – | torch 2 |" in text and "| – | failed: cell 3, a_figure |" in text
    notebooks[0].write_text("changed")
    assert (rows[0], notebooks[0]) in matrix.missing(rows, notebooks, matrix.stored())
    assert "14 (before the notebook changed)" in matrix.page(matrix.stored(), notebooks)


def test_a_cell_is_stored_as_soon_as_it_is_done_and_one_that_did_not_run_is_no_pass(notebooks, monkeypatch):
    def run_cell(there, path):
        if path == notebooks[1]:
            raise RuntimeError("on stand-in data")
        return cell(0, path)

    monkeypatch.setattr(matrix, "ready", lambda row: matrix.Ready(row, "python", "torch 2"))
    monkeypatch.setattr(matrix, "run_cell", run_cell)
    problems = matrix.run_all(matrix.missing(matrix.ROWS[:1], notebooks, []), 1)
    assert problems == [f"{matrix.ROWS[0].name}, 02_b: not run: on stand-in data"]
    assert [c.notebook for c in matrix.stored()] == ["01_a"]
    monkeypatch.setattr("sys.argv", ["matrix", "--rows", matrix.ROWS[0].name])
    assert matrix.main() == 1


@pytest.mark.slow
def test_a_row_that_cannot_run_is_no_pass(notebooks):
    row = matrix.Row("odd", packages=("--no-index", "no-such-package==1"))
    assert matrix.run_all([(row, notebooks[0])], 1)[0].startswith("odd: not run: pip install --no-index")
    assert matrix.stored() == []


@pytest.mark.slow
def test_a_processor_that_lacks_what_a_row_asks_for_is_not_taken_for_one_that_has_it():
    row = matrix.Row("later", {"ATEN_CPU_CAPABILITY": "avx1024"})
    with pytest.raises(RuntimeError, match="this processor has no AVX1024"):
        matrix.ready(row)
    assert matrix.ready(matrix.ROWS[0]).versions.endswith("DEFAULT, 1 thread(s)")


@pytest.mark.slow
def test_each_mistake_is_caught_and_the_solution_is_not(monkeypatch):
    monkeypatch.setattr("sys.argv", ["mistakes"])
    assert mistakes.main() == 0
