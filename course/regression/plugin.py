"""Pytest plugin on top of nbval: figures are compared, dead kernels noticed. ``-p course.regression.plugin``.

nbval 0.11 ignores pictures, and waits its whole timeout for a kernel that has died. ``course check`` loads this, and so
does the repository's ``conftest.py``, for those who type ``pytest --nbval``; with xdist use ``--dist loadfile``, for
the cells of a notebook share a kernel. Cells have the numbers that Jupyter shows: nbval counts from 0.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from course import paths
from course.notebooks import versions
from course.notebooks.running import kernel_environment
from course.regression import report
from course.regression.results import (
    CellResult,
    FigureResult,
    NotebookResult,
    failure_text,
    judge_cell,
    load,
    refuse_under_ci,
    update,
)
from course.regression.watch import STALL_S, CheckFailure, Watch
from helpers.core.files import write_whole
from helpers.core.image_files import DATA_SETS, is_present

SANITIZE = Path(__file__).with_name("nbval_sanitize.cfg")
LISTED_S = 0.05  # cells faster than this are not listed


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the figures."""
    group = parser.getgroup("figures", "figures of notebooks, on top of nbval")
    group.addoption("--figures-expected", type=Path, default=paths.EXPECTED, help="Folder of the expected figures.")
    group.addoption(
        "--figures-results", type=Path, default=paths.EXECUTED / "check", help="Where results and report go."
    )
    group.addoption("--figures-update", action="store_true", help="Make figures that differ the expected ones.")
    group.addoption("--stall", type=float, default=STALL_S, help="Seconds without processor time before a cell hangs.")


def pytest_configure(config: pytest.Config) -> None:
    """Register the comparison of figures.

    Raises:
        pytest.UsageError: Figures are to be accepted where ``CI`` is set.
    """
    if config.option.figures_update:
        try:
            refuse_under_ci()
        except ValueError as error:
            raise pytest.UsageError(str(error)) from error
    if _runs_notebooks(config.option):
        _complete(config.option)
        config.pluginmanager.register(_Figures(config), "figures-of-notebooks")


def _runs_notebooks(options: Any) -> bool:
    """Say whether nbval has work to do; ``make unit`` leaves the plugin out."""
    return bool(getattr(options, "nbval", False) or getattr(options, "nbval_lax", False))


def _complete(options: Any) -> None:
    """Set what the comparison rests on, where it was not given: kernels of this interpreter, without progress bars."""
    options.nbval_sanitize_with = options.nbval_sanitize_with or options.sanitize_with or str(SANITIZE)
    options.sanitize_with = None
    options.nbval_current_env = options.nbval_kernel_name is None
    os.environ.update(kernel_environment(options.figures_results.absolute() / "shown"))


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Begin with the versions that run, what has changed since the lock, and whether images are missing."""
    if not _runs_notebooks(config.option):
        return []
    here = versions.installed()
    lines = [versions.one_line(here), *versions.changes(here, versions.locked())]
    missing = [DATA_SETS[name].title for name in DATA_SETS if not is_present(name)]
    if missing and config.option.nbval:
        lines.append(
            f"no images of {', '.join(missing)}: what needs them will differ; python -m course check knows that"
        )
    return lines


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, Any, None]:
    """Give cells the numbers that Jupyter shows beside them."""
    outcome = yield
    collected = outcome.get_result()
    collected.result = [_numbered(node) if _is_cell(node) else node for node in collected.result or []]


def _numbered(cell: Any) -> Any:
    number = cell.cell_num + 1
    return type(cell).from_parent(
        cell.parent, name=f"Cell {number}", cell_num=number, cell=cell.cell, options=cell.options
    )


def _is_cell(item: Any) -> bool:
    return hasattr(item, "test_outputs") and hasattr(item.parent, "kernel")


def _was_skipped(outcome: Any) -> bool:
    return outcome.excinfo is not None and issubclass(outcome.excinfo[0], pytest.skip.Exception)


class _Figures:
    """The state of one pytest process: a worker judges its notebooks, the main process reports."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.folder: Path = config.option.figures_results.absolute()
        self.expected: Path = config.option.figures_expected
        self.names: dict[Path, set[str]] = defaultdict(set)  # of the figures that each notebook has shown
        self.results: dict[Path, NotebookResult] = {}
        self.stems: set[str] = set()  # notebooks of this session

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_call(self, item: Any) -> Generator[None, Any, None]:
        if not _is_cell(item):
            yield
            return
        given_up = item.parent.timed_out  # the kernel died or hung in a cell before
        watch = Watch(item, self.config.option.stall)
        start = perf_counter()
        outcome = yield
        seconds = round(perf_counter() - start, 3)
        result = self.results.setdefault(item.path, NotebookResult(str(item.path), not self.config.option.nbval_lax))
        if given_up or _was_skipped(outcome):
            result.cells.append(CellResult(item.cell_num, 0.0, "not run"))
            result.save(self.folder)
            return
        figures = self._judge(item, result)
        failed = outcome.excinfo is not None
        result.figures += figures
        result.cells.append(CellResult(item.cell_num, seconds, "failed" if failed else "passed"))
        result.save(self.folder)
        if watch.report:
            item.add_report_section("call", "watch", watch.report)
        self._fail_for(figures, result.stem, item, outcome)

    def _judge(self, item: Any, result: NotebookResult) -> list[FigureResult]:
        """Judge the figures of a cell that was run, and write them beside the results."""
        pairs = judge_cell(
            item.cell_num, item.cell.get("outputs", []), item.test_outputs or [], self.names[item.path], self.expected,
            compared=result.compared,
        )  # fmt: skip
        return [self._write(result.stem, figure, png) for figure, png in pairs]

    def _write(self, stem: str, figure: FigureResult, png: bytes | None) -> FigureResult:
        if png is None:
            return figure
        path = self.folder / stem / f"{figure.name}{'_again' * (figure.status == 'duplicate')}.png"
        write_whole(path, png)
        return replace(figure, actual=str(path.relative_to(self.folder)))

    def _fail_for(self, figures: Sequence[FigureResult], stem: str, item: Any, outcome: Any) -> None:
        """Let the cell fail for its figures, beside what nbval says of its text."""
        accepted = "differs" if self.config.option.figures_update else ""
        bad = [figure for figure in figures if figure.failed and figure.status != accepted]
        if not bad:
            return
        text = failure_text(stem, bad, self.folder / report.NAME)
        if outcome.excinfo is None:
            outcome.force_exception(CheckFailure(text))
        else:
            item.add_report_section("call", "figures", text)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: Any, call: pytest.CallInfo) -> Generator[None, Any, None]:
        outcome = yield
        if _is_cell(item) and call.excinfo is not None and isinstance(call.excinfo.value, CheckFailure):
            test_report = outcome.get_result()
            if test_report.outcome == "failed":
                test_report.longrepr = str(call.excinfo.value)

    # ---- the main process: what remains on the screen

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and "::Cell " in report.nodeid:
            self.stems.add(Path(report.nodeid.partition("::")[0]).stem)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if hasattr(self.config, "workerinput") or not self.stems:
            return
        results = load(self.folder)
        session = [result for result in results if result.stem in self.stems]
        terminalreporter.section("notebooks")
        _print_summary(session, terminalreporter.write_line)
        if self.config.option.figures_update:
            for sentence in update(session, self.folder, self.expected):
                terminalreporter.write_line(sentence)
        page = report.write_report(results, self.folder, self.expected)
        terminalreporter.write_line(f"report: {page}")


def _print_summary(results: Sequence[NotebookResult], write_line: Callable[[str], None]) -> None:
    counts: Counter[str] = Counter()
    for result in results:
        write_line(_times(result))
        counts.update(figure.status for figure in result.figures)
    write_line("figures: " + (", ".join(f"{n} {status}" for status, n in sorted(counts.items())) or "none"))
    lax = [result.stem for result in results if not result.compared]
    if lax:
        write_line(f"STAND-IN DATA: executed, but figures and outputs not compared: {', '.join(lax)}")


def _times(result: NotebookResult) -> str:
    slow = [f"{c.cell}: {c.seconds:.1f}" for c in result.cells if c.seconds >= LISTED_S]
    rest = len(result.cells) - len(slow)
    cells = ", ".join(slow) + (f"; {rest} below {LISTED_S} s" if rest else "")
    return f"{result.stem:<24}{result.seconds:8.1f} s   seconds of each cell: {cells}"
