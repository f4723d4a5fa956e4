"""The regression run: every figure of every cell is judged, kernels are watched, and stored notebooks are not stale."""

import base64
import json
import re
import time
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output
from rich.console import Console

from course import paths
from course.assignments import FIGURES, Figure
from course.figures.png import read_fingerprint
from course.notebooks.running import FIGURE_HOOK
from course.regression import check as regression
from course.regression import report, results, run
from course.regression.results import CellResult, FigureResult, NotebookResult, figures_in, judge_cell
from helpers import notebook as figures
from helpers import plots
from helpers.core.files import write_whole

ROOT = Path(__file__).resolve().parents[3]
STORED = sorted((ROOT / "notebooks").glob("*.ipynb"))
EXPECTED = ROOT / "student_figures" / "expected"


@pytest.fixture(scope="module", autouse=True)
def _fingerprints():
    """Figures are rendered as in the kernels of ``run`` and ``check``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FIGURE_HOOK", FIGURE_HOOK)
        yield


def render(name, title="A title", points=(3, 1, 2)):
    figure = plots.panels(1, 1, (3, 2))
    figure.axes[0].plot(points)
    figure.axes[0].set(title=title)
    return figures.render(figure, name)


def outputs(*shown):
    """A cell's outputs: (name, png) pairs; a name of None names nothing, a png of None cannot be read."""
    made = []
    for name, png in shown:
        data = {"image/png": "?" if png is None else base64.b64encode(png).decode(), "text/plain": "A line."}
        made.append(new_output("display_data", data, metadata={"figure": name} if name else {}))
    return made


@pytest.fixture(autouse=True)
def listed(monkeypatch):
    """An assignment's table lists the figures of these tests."""
    for name in ("a", "b"):
        monkeypatch.setitem(FIGURES, name, Figure(name, "trained"))


@pytest.fixture(scope="module")
def pngs():
    return {name: render(name) for name in ("a", "b")} | {"a, another": render("a", "Another title")}


@pytest.fixture
def expected(tmp_path, pngs):
    folder = tmp_path / "expected"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / f"{name}.png").write_bytes(pngs[name])
    return folder


def judged(stored, now, expected, seen=(), **options):
    return [(r.name, r.status) for r, _ in judge_cell(3, stored, now, set(seen), expected, **options)]


def test_figures_that_agree_pass(pngs, expected):
    both = outputs(("a", pngs["a"]), ("b", pngs["b"]))
    assert judged(both, both, expected) == [("a", "ok"), ("b", "ok")]


def test_each_way_to_go_wrong_has_its_name(pngs, expected):
    a, b, other = pngs["a"], pngs["b"], pngs["a, another"]
    both = outputs(("a", a), ("b", b))
    assert judged(both, outputs(("a", other), ("b", b)), expected) == [("a", "differs"), ("b", "ok")]
    assert judged(both, outputs(("b", b)), expected) == [("b", "ok"), ("a", "missing")]
    assert judged(both, outputs(("a", a), ("b", None)), expected) == [("a", "ok"), ("b", "missing")]
    assert judged(outputs(("a", a)), both, expected) == [("a", "ok"), ("b", "unexpected")]
    assert judged(both, outputs(("a", a), ("a", a), ("b", b)), expected)[1] == ("a", "duplicate")
    assert judged(both, both, expected, seen={"b"}) == [("a", "ok"), ("b", "duplicate")]
    assert judged(both, outputs(("a", a), ("b", b), (None, b)), expected)[2] == ("unnamed_3_3", "unnamed")
    assert judged(both, outputs(("a", b), ("b", a)), expected) == [("a", "differs"), ("b", "differs")]
    (expected / "b.png").unlink()
    assert judged(both, both, expected) == [("a", "ok"), ("b", "unexpected")]
    assert judged(both, outputs(("a", other)), expected, compared=False) == [("a", "not compared")]


def test_a_figure_that_no_table_lists_fails_with_a_sentence(monkeypatch, pngs, expected, tmp_path):
    monkeypatch.delitem(FIGURES, "a")
    both = outputs(("a", pngs["a"]))
    ((result, _),) = judge_cell(3, both, both, set(), expected)
    assert result.failed and "no assignment's table has the figure a" in result.problems[0]
    page = report.write_report([NotebookResult("01_a.ipynb", True, [], [result])], tmp_path, expected).read_text()
    assert "tolerance: none, for no assignment&#39;s table has it" in page


def test_what_a_notebook_says_is_escaped_in_the_report(expected, tmp_path):
    bad = FigureResult("a", 0, "differs", ["<script>1</script>"], {}, "", '"><script>2</script>')
    page = report.write_report([NotebookResult("<i>01", True, [], [bad])], tmp_path, expected).read_text()
    assert "<script>" not in page and "<i>" not in page and "&lt;script&gt;1" in page


def test_pictures_of_other_kinds_are_noticed_and_bad_base64_does_not_hurt():
    svg = new_output("display_data", {"image/svg+xml": "<svg/>"})
    bad = new_output("display_data", {"image/png": "no base64 at all"})
    assert [s.png for s in figures_in([svg, bad])] == [None, None]


def test_a_failure_says_which_figure_of_which_cell_what_differs_and_where_to_look(pngs, expected):
    stored, now = outputs(("a", pngs["a"])), outputs(("a", pngs["a, another"]))
    found = [r for r, _ in judge_cell(3, stored, now, set(), expected)]
    text = results.failure_text("02_x", found, Path("executed/check/report.html"))
    assert text.splitlines()[:2] == [
        "02_x, cell 3: figure a: differs",
        "    axes title: expected 'A title', got 'Another title'",
    ]
    assert "executed/check/report.html" in text and "check --figures-update 02" in text


# ------------------------------------------------------------------------------- accepting new figures


@pytest.fixture
def changed(tmp_path, pngs, expected):
    """A notebook whose figure came out anew, as its run recorded it."""
    path = tmp_path / "01_a.ipynb"
    cell = new_code_cell("show()", execution_count=1, outputs=outputs(("a", pngs["a"]), ("b", pngs["b"])))
    nbformat.write(new_notebook(cells=[cell]), path)
    folder = tmp_path / "check"
    write_whole(folder / "01_a" / "a.png", pngs["a, another"])
    seen = [FigureResult("a", 0, "differs", ["title"], {}, "01_a/a.png"), FigureResult("b", 0, "ok")]
    return NotebookResult(str(path), True, [CellResult(0, 1.0, "passed")], seen), folder


def test_update_changes_expected_file_and_stored_output_together(changed, expected, pngs, monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    result, folder = changed
    assert results.update([result], folder, expected) == ["01_a: a changed: title"]
    assert (expected / "a.png").read_bytes() == pngs["a, another"]
    (cell,) = nbformat.read(result.notebook, as_version=4).cells
    assert [s.png for s in figures_in(cell.outputs)] == [pngs["a, another"], pngs["b"]]


def test_update_leaves_a_notebook_with_other_failures_alone_and_is_refused_under_ci(
    changed, expected, pngs, monkeypatch
):
    monkeypatch.delenv("CI", raising=False)
    result, folder = changed
    result.cells.append(CellResult(4, 1.0, "failed"))
    assert "left as it is (cells 4)" in results.update([result], folder, expected)[0]
    monkeypatch.setenv("CI", "true")
    for refused in (lambda: results.update([result], folder, expected), lambda: regression.check([], update=True)):
        with pytest.raises(ValueError, match="refused where CI is set"):
            refused()
    assert (expected / "a.png").read_bytes() == pngs["a"]


def test_the_report_is_one_page_with_failures_first_and_nothing_from_outside(changed, expected, pngs):
    result, folder = changed
    result.figures.insert(0, FigureResult("b", 0, "ok", [], {"numbers": 0.001}, "", "<b>"))
    page = report.write_report([result], folder, expected).read_text()
    assert page.index("a: differs") < page.index("b: ok")
    assert page.count("data:image/png;base64,") == 3 + 2  # a: expected, actual, difference; b twice: what is expected
    assert "&lt;b&gt;" in page and "<b>" not in page
    assert not re.search(r"(src|href)=\"(?!data:)", page)


def test_results_survive_their_file(tmp_path, changed):
    result, _ = changed
    result.save(tmp_path)
    assert results.load(tmp_path) == [result]


# ------------------------------------------------------------------------------- with a kernel

SETUP = """
from matplotlib.figure import Figure
from helpers.notebook import show

def draw(name, title="T", y=(1, 2)):
    figure = Figure(figsize=(3, 2))
    ax = figure.subplots()
    ax.plot(y)
    ax.set(title=title)
    show(figure, name, alt="A line.")
"""


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    for name in ("NOTEBOOKS", "EXECUTED", "EXPECTED"):
        monkeypatch.setattr(paths, name, tmp_path / name.lower())
    paths.NOTEBOOKS.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("CI", raising=False)
    return tmp_path


def write(shelf, name, *sources):
    path = paths.NOTEBOOKS / name
    nbformat.write(new_notebook(cells=[new_code_cell(s) for s in (SETUP, *sources)]), path)
    return path


def execute_in_place():
    (outcome,) = run.execute_notebooks([], inplace=True, quick=False, console=Console(quiet=True))
    assert outcome.failure is None


def change(path, cell, source):
    nb = nbformat.read(path, as_version=4)
    nb.cells[cell].source = source
    nbformat.write(nb, path)


@pytest.mark.slow
def test_a_run_catches_what_changed_and_an_update_accepts_it(shelf, capfd):
    path = write(shelf, "01_a.ipynb", 'draw("swiss_roll_loss")', 'draw("swiss_roll_betas")', 'draw("swiss_roll_sizes")')
    execute_in_place()
    change(path, 1, 'draw("swiss_roll_loss", title="Another")')
    change(path, 2, 'import time; time.sleep(0.3); draw("swiss_roll_betas", y=(2, 1))')
    assert regression.check([]) == 1
    said = capfd.readouterr().out
    assert "01_a, cell 2: figure swiss_roll_loss: differs" in said and "expected 'T', got 'Another'" in said
    assert "01_a, cell 3: figure swiss_roll_betas: differs" in said and "1 passed" not in said and "2 passed" in said
    assert re.search(r"01_a +\d+\.\d s   seconds of each cell: .*3: 0\.[3-9]", said)
    assert "figures: 2 differs, 1 ok" in said
    (page,) = re.findall(r"report: (.*report\.html)", said)
    assert "2 of 3 figures failed" in Path(page).read_text()
    measured = json.loads(Path(page).with_name("01_a.json").read_text())["figures"][2]["measured"]
    assert measured["numbers"] == 0

    assert regression.check([], update=True) == 0
    said = capfd.readouterr().out
    assert "01_a: swiss_roll_loss changed: axes title: expected 'T', got 'Another'" in said
    assert "01_a: swiss_roll_betas changed" in said
    names = ("swiss_roll_loss", "swiss_roll_betas", "swiss_roll_sizes")
    kept = [s.png for c in nbformat.read(path, as_version=4).cells[1:] for s in figures_in(c.outputs)]
    assert kept == [(paths.EXPECTED / f"{name}.png").read_bytes() for name in names]


@pytest.mark.slow
def test_a_dead_kernel_and_a_waiting_cell_are_reported_at_once_not_after_the_timeout(shelf, capfd, monkeypatch):
    monkeypatch.setenv("PYTEST_ADDOPTS", "--stall=3")
    write(shelf, "01_dead.ipynb", "import os; os._exit(7)", "print('never')")
    write(shelf, "02_waits.ipynb", "import time; time.sleep(1000)", "print('never')")
    start = time.monotonic()
    assert regression.check([]) == 1
    assert time.monotonic() - start < 60  # the timeout is twenty minutes
    said = capfd.readouterr().out
    assert "01_dead, cell 2: the kernel died (exit status 7;" in said
    assert "cell 2 of 02_waits used no processor time for" in said and "time.sleep(1000)" in said


@pytest.mark.slow
def test_two_workers_share_the_notebooks(shelf, capfd):
    for name in ("01_a.ipynb", "02_b.ipynb"):
        write(shelf, name, "print('done')")
    assert regression.check([], workers=2) == 0
    said = capfd.readouterr().out
    assert "4 passed" in said and "01_a" in said and "02_b" in said and "report:" in said


# ------------------------------------------------------------------------------- the real notebooks


def stored_figures(path):
    return [s for cell in nbformat.read(path, as_version=4).cells for s in figures_in(cell.get("outputs", []))]


@pytest.mark.parametrize("path", STORED, ids=lambda p: p.stem)
def test_figures_stored_in_a_notebook_are_the_expected_ones(path):
    shown = stored_figures(path)
    assert shown
    for figure in shown:
        assert figure.name is not None, "a picture that show() did not display"
        assert figure.png == (EXPECTED / f"{figure.name}.png").read_bytes(), f"{figure.name} is stale: make figures"
        found = read_fingerprint(figure.png)
        assert found is not None and found["name"] == figure.name, f"{figure.name}: make figures"


def test_each_expected_figure_belongs_to_one_notebook():
    names = [figure.name for path in STORED for figure in stored_figures(path)]
    assert sorted(names) == sorted(p.stem for p in EXPECTED.glob("*.png"))


def test_a_stale_stored_output_is_noticed(tmp_path, monkeypatch, pngs, expected):
    monkeypatch.setitem(globals(), "EXPECTED", expected)
    path = tmp_path / "01_a.ipynb"
    cell = new_code_cell("show()", execution_count=1, outputs=outputs(("a", pngs["a, another"])))
    nbformat.write(new_notebook(cells=[cell]), path)
    with pytest.raises(AssertionError, match="a is stale: make figures"):
        test_figures_stored_in_a_notebook_are_the_expected_ones(path)
