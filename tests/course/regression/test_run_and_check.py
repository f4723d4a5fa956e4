"""Running and checking notebooks: small ones written here, then (slowly) the real ones."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from rich.console import Console
from typer.testing import CliRunner

from course import paths
from course.__main__ import app
from course.regression import check as regression
from course.regression import run

ROOT = Path(__file__).resolve().parents[3]
STORED = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A folder of notebooks, empty, in place of the real one."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    monkeypatch.setattr(paths, "NOTEBOOKS", folder)
    monkeypatch.setattr(paths, "EXECUTED", tmp_path / "executed")
    return folder


def put(folder, name, *cells):
    path = folder / name
    nbformat.write(new_notebook(cells=[new_markdown_cell("# T"), *map(new_code_cell, cells)]), path)
    return path


def outputs(path):
    cells = [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    return ["".join(o.get("text", "") for o in c.outputs) for c in cells]


def execute(names=(), **options):
    return run.execute_notebooks(
        list(names), **({"inplace": False, "quick": False, "console": Console(quiet=True)} | options)
    )


def test_a_run_leaves_an_executed_copy_and_the_source_alone(shelf):
    path = put(shelf, "01_a.ipynb", "x = 6 * 7\nprint(x)", "import os; print(os.environ['TQDM_DISABLE'])")
    before = path.read_bytes()
    (outcome,) = execute()
    assert outcome.failure is None and outcome.seconds > 0
    assert path.read_bytes() == before
    assert outputs(paths.EXECUTED / "01_a.ipynb") == ["42\n", "1\n"]


def test_in_place_and_quick(shelf):
    path = put(shelf, "01_a.ipynb", "import os; print(os.environ.get('QUICK'))")
    execute(inplace=True)
    assert outputs(path) == ["None\n"] and not paths.EXECUTED.exists()
    execute(quick=True)
    assert outputs(paths.EXECUTED / "01_a.ipynb") == ["1\n"]
    with pytest.raises(ValueError, match="exclude each other"):
        execute(quick=True, inplace=True)


def test_a_failing_notebook_is_reported_and_neither_stops_the_rest_nor_replaces_itself(shelf):
    bad = put(shelf, "01_bad.ipynb", "print('so far')", "raise KeyError('gone')")
    put(shelf, "02_good.ipynb", "print('fine')")
    broken = shelf / "03_broken.ipynb"
    broken.write_text("{not json")
    before = bad.read_bytes()
    first, second, third = execute(inplace=True)
    assert "KeyError: 'gone'" in first.failure and "raise KeyError" in first.failure
    assert second.failure is None and outputs(shelf / "02_good.ipynb") == ["fine\n"]
    assert "03_broken.ipynb is not a notebook that can be read" in third.failure
    assert bad.read_bytes() == before


def test_a_dead_kernel_is_a_failure_not_a_hang(shelf):
    put(shelf, "01_a.ipynb", "import os; os._exit(3)")
    (outcome,) = execute()
    assert "died" in outcome.failure.lower()


@pytest.mark.slow
def test_an_interrupt_stops_the_kernel_keeps_what_finished_and_says_so(shelf, tmp_path):
    put(shelf, "03_c.ipynb", "print(3)")
    slow = put(shelf, "02_b.ipynb", f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))")
    put(shelf, "02_b.ipynb", nbformat.read(slow, as_version=4).cells[1].source + "; time.sleep(600)")
    put(shelf, "01_a.ipynb", "print(1)")
    script = (
        "from pathlib import Path; from course import paths; from course.__main__ import app\n"
        f"paths.NOTEBOOKS, paths.EXECUTED = Path({str(shelf)!r}), Path({str(tmp_path / 'executed')!r})\n"
        "app(['run', '--jobs', '1'])"
    )
    process = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not ((tmp_path / "pid").exists() and (tmp_path / "pid").read_text()) and time.monotonic() < deadline:
        time.sleep(0.1)
    kernel = int((tmp_path / "pid").read_text())
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode != 0
    assert said.strip() == "run: interrupted. Finished, and kept: 03_c. Not finished: 01_a, 02_b."
    assert outputs(tmp_path / "executed" / "03_c.ipynb") == ["3\n"]
    assert [p.name for p in (tmp_path / "executed").iterdir()] == ["03_c.ipynb"]
    with pytest.raises(ProcessLookupError):
        os.kill(kernel, 0)


def test_names_stems_and_numbers_find_notebooks(shelf):
    a, b = put(shelf, "01_a.ipynb"), put(shelf, "02_b.ipynb")
    assert paths.notebook_paths([]) == [a, b]
    assert paths.notebook_paths(["02", "01_a", "notebooks/02_b.ipynb"]) == [b, a, b]
    for name in ("07", "0", ""):
        with pytest.raises(ValueError, match="expected one of: 01_a, 02_b"):
            paths.notebook_paths([name])


def test_the_command_line_lists_runs_and_fails_with_the_traceback(shelf):
    put(shelf, "01_a.ipynb", "print(1)")
    cli = CliRunner()
    assert cli.invoke(app, ["run", "--list"]).output == "01_a\n"
    good = cli.invoke(app, ["run", "01"])
    assert good.exit_code == 0 and "01_a" in good.output and "ok" in good.output
    put(shelf, "02_b.ipynb", "1 / 0")
    bad = cli.invoke(app, ["run"])
    assert bad.exit_code == 1 and "ZeroDivisionError" in bad.output
    unknown = cli.invoke(app, ["run", "nope"])
    assert unknown.exit_code == 1 and "'nope' names 0 notebooks" in str(unknown.exception)


def stored(folder, *cells):
    cells = [
        new_code_cell(source, execution_count=n, outputs=[new_output("stream", name="stdout", text=text)])
        for n, (source, text) in enumerate(cells, start=1)
    ]
    nbformat.write(new_notebook(cells=cells), folder / "01_a.ipynb")


@pytest.mark.slow
def test_check_compares_words_and_verdicts(shelf, capfd):
    stored(
        shelf,
        ("print(0.25)", "0.75\n"),  # decimals vary between machines
        ("print('a')", "b\n"),
        ("print('✓ holds | c | measured 2')", "✓ holds | c | measured 1\n"),
        ("print('✗ FAILS | c | measured 2')", "✓ holds | c | measured 1\n"),  # a verdict flips
        ("1 / 0", ""),
    )
    assert regression.check([]) == 1
    said = capfd.readouterr().out
    assert re.findall(r"^FAILED \S*01_a\.ipynb::Cell (\d+)", said, re.M) == ["2", "4", "5"], said


@pytest.mark.slow
def test_check_passes_on_what_differs_in_decimals_alone(shelf):
    stored(shelf, ("print(0.25)", "0.75\n"))
    assert regression.check([]) == 0


@pytest.mark.slow
def test_without_the_images_a_notebook_is_executed_but_not_compared(shelf, monkeypatch, capfd):
    stored(shelf, ('name = lambda x: x\nload_images = print\nload_images("mnist")', "something else\n"))
    monkeypatch.setattr(regression, "download", lambda name: "no network")
    assert regression.check([]) == 0
    assert "STAND-IN DATA: no images; executed with small budgets, but not compared: 01_a" in capfd.readouterr().out
    monkeypatch.setattr(regression, "download", lambda name: None)
    assert regression.check([]) != 0


# ------------------------------------------------------------------------------- the real notebooks


@pytest.mark.parametrize("path", STORED, ids=lambda p: p.stem)
def test_stored_notebooks_are_executed_in_order_clean_and_without_traces_of_a_machine(path):
    cells = [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    assert [c.execution_count for c in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr", output.get("text")
            text = str(output.get("text", "")) + str(output.get("data", {}).get("text/plain", ""))
            assert not re.search(r"(^|\s)/(home|root|tmp|usr|work)/|[A-Z]:\\|Warning", text), text
            assert "✗ FAILS" not in text and "not judged" not in text, text


@pytest.mark.slow
def test_notebooks_still_print_and_show_what_is_stored():
    assert regression.check([]) == 0, "see the report that is named above"
