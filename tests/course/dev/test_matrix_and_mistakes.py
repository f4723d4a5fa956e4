"""The two scripts that try the regression run: their parts here, the whole of the quicker one slowly."""

import pytest

from course.dev import matrix, mistakes
from course.regression.results import CellResult, FigureResult, NotebookResult


@pytest.mark.parametrize("mistake", mistakes.MISTAKES, ids=lambda m: m.name)
def test_what_a_mistake_breaks_stands_once_in_the_solution(mistake):
    source = (mistakes.ROOT / "helpers" / mistake.file).read_text(encoding="utf-8")
    assert source.count(mistake.old) == 1 and mistake.new not in source
    compile(source.replace(mistake.old, mistake.new), mistake.file, "exec")
    assert all((mistakes.ROOT / "tests/helpers" / name).is_file() for name in mistake.tests)


def test_the_matrix_keeps_the_largest_difference_of_each_kind():
    def ran(**measured):
        figure = FigureResult("numpy_vae_data", 1, "ok", [], measured)
        cells = [CellResult(0, 1.0, "passed")]
        return matrix.RowResult(matrix.ROWS[0], results=[NotebookResult("01_a.ipynb", True, cells, [figure])], status=0)

    rows = [ran(numbers=0.001, ssim=0.2), ran(numbers=0.002)]
    assert matrix.differences(rows) == {"numpy_vae_data": {"numbers": 0.002, "ssim": 0.2}}
    assert rows[0].passed and not rows[0].failed_cells
    text = matrix.markdown(rows, matrix.differences(rows))
    assert "| 1 | nothing | ok |" in text and "| numpy_vae_data | " in text
    assert matrix.rows_table(rows).row_count == 2 and matrix.figures_table(matrix.differences(rows)).row_count == 1


def test_a_row_that_cannot_run_is_no_pass(monkeypatch, tmp_path):
    monkeypatch.setattr(matrix, "FOLDER", tmp_path)
    row = matrix.Row("odd", packages=("--no-index", "no-such-package==1"))
    ran = matrix.run_row(row, ["01"])
    assert not ran.passed and "not run: pip install --no-index" in ran.problem


@pytest.mark.slow
def test_each_mistake_is_caught_and_the_solution_is_not(monkeypatch):
    monkeypatch.setattr("sys.argv", ["mistakes"])
    assert mistakes.main() == 0
