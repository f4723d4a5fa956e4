"""Pytest plugin on top of nbval: figures are compared, dead kernels noticed. ``-p course.regression.plugin``.

nbval 0.11 ignores pictures, and waits its whole timeout for a kernel that has died. ``helpers check`` loads this; with
xdist use ``--dist loadfile``, for the cells of a notebook share a kernel.
"""

import time
from collections import defaultdict
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from queue import Empty
from typing import Any

import psutil
import pytest

from course import paths
from course.regression import report
from course.regression.results import (
    CellResult,
    NotebookResult,
    failure_text,
    judge_cell,
    load,
    refuse_under_ci,
    update,
)
from helpers.core.files import write_whole

POLL_S = 0.5
STALL_S = 90  # a cell that uses no processor for so long is waiting for something that will not come
IDLE_SHARE = 0.02  # of one core: a kernel's own threads use less
UNSHOWN_S = 0.05  # cells faster than this are not listed


class CheckFailure(Exception):
    """A cell failed for a reason that nbval does not know; the message is the whole report."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("figures", "figures of notebooks, on top of nbval")
    group.addoption("--figures-expected", type=Path, default=paths.EXPECTED, help="Folder of the expected figures.")
    group.addoption(
        "--figures-results", type=Path, default=paths.EXECUTED / "check", help="Where results and report go."
    )
    group.addoption("--figures-update", action="store_true", help="Make figures that differ the expected ones.")
    group.addoption("--stall", type=float, default=STALL_S, help="Seconds without processor time before a cell hangs.")


def pytest_configure(config: pytest.Config) -> None:
    if config.option.figures_update:
        try:
            refuse_under_ci()
        except ValueError as error:
            raise pytest.UsageError(str(error)) from error
    config.pluginmanager.register(_Figures(config), "figures-of-notebooks")


def _is_cell(item: Any) -> bool:
    return hasattr(item, "test_outputs") and hasattr(item.parent, "kernel")


class _Figures:
    """The state of one pytest process: a worker judges its notebooks, the main process reports."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.folder: Path = config.option.figures_results
        self.expected: Path = config.option.figures_expected
        self.seen: dict[Path, set[str]] = defaultdict(set)
        self.results: dict[Path, NotebookResult] = {}
        self.touched: set[str] = set()  # notebooks of this session

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_call(self, item: Any) -> Generator[None, Any, None]:
        if not _is_cell(item):
            yield
            return
        given_up = item.parent.timed_out  # the kernel died or hung in a cell before
        watch = _Watch(item, self.config.option.stall)
        start = time.perf_counter()
        outcome = yield
        seconds = time.perf_counter() - start
        compared = not self.config.option.nbval_lax
        result = self.results.setdefault(item.path, NotebookResult(str(item.path), compared))
        if given_up or (outcome.excinfo is not None and issubclass(outcome.excinfo[0], pytest.skip.Exception)):
            result.cells.append(CellResult(item.cell_num, 0.0, "not run"))
            result.save(self.folder)
            return
        judged = judge_cell(
            item.cell_num, item.cell.get("outputs", []), item.test_outputs or [], self.seen[item.path], self.expected,
            compared=compared,
        )  # fmt: skip
        figures = [self._keep(result.stem, figure, png) for figure, png in judged]
        result.figures += figures
        failed = outcome.excinfo is not None
        result.cells.append(CellResult(item.cell_num, round(seconds, 3), "failed" if failed else "passed"))
        result.save(self.folder)
        if watch.said:
            item.add_report_section("call", "watch", watch.said)
        bad = [f for f in figures if f.failed and not (self.config.option.figures_update and f.status == "differs")]
        if not bad:
            return
        text = failure_text(result.stem, bad, self.folder / report.NAME)
        if failed:
            item.add_report_section("call", "figures", text)
        else:
            outcome.force_exception(CheckFailure(text))

    def _keep(self, stem: str, figure: Any, png: bytes | None) -> Any:
        if png is None:
            return figure
        path = self.folder / stem / f"{figure.name}{'_again' * (figure.status == 'duplicate')}.png"
        write_whole(path, png)
        return replace(figure, actual=str(path.relative_to(self.folder)))

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: Any, call: pytest.CallInfo) -> Generator[None, Any, None]:
        outcome = yield
        if _is_cell(item) and call.excinfo is not None and isinstance(call.excinfo.value, CheckFailure):
            made = outcome.get_result()
            if made.outcome == "failed":
                made.longrepr = str(call.excinfo.value)

    # ---- the main process: what remains on the screen

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and "::Cell " in report.nodeid:
            self.touched.add(Path(report.nodeid.partition("::")[0]).stem)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if hasattr(self.config, "workerinput") or not self.touched:
            return
        results = load(self.folder)
        now = [r for r in results if r.stem in self.touched]
        say = terminalreporter.write_line
        terminalreporter.section("notebooks")
        for result in now:
            say(_times(result))
        counts: dict[str, int] = defaultdict(int)
        for figure in (f for r in now for f in r.figures):
            counts[figure.status] += 1
        say("figures: " + (", ".join(f"{n} {status}" for status, n in sorted(counts.items())) or "none"))
        lax = [r.stem for r in now if not r.compared]
        if lax:
            say(f"STAND-IN DATA: executed, but figures and outputs not compared: {', '.join(lax)}")
        if self.config.option.figures_update:
            for line in update(now, self.folder, self.expected):
                say(line)
        page = report.write(results, self.folder, self.expected)
        say(f"report: {page}")


def _times(result: NotebookResult) -> str:
    slow = [f"{c.cell}: {c.seconds:.1f}" for c in result.cells if c.seconds >= UNSHOWN_S]
    rest = len(result.cells) - len(slow)
    total = sum(c.seconds for c in result.cells)
    cells = ", ".join(slow) + (f"; {rest} below {UNSHOWN_S} s" if rest else "")
    return f"{result.stem:<24}{total:8.1f} s   seconds of each cell: {cells}"


class _Watch:
    """While nbval waits for a cell's reply, look whether the kernel lives, and whether it does anything."""

    def __init__(self, item: Any, stall: float) -> None:
        self.item = item
        self.kernel = item.parent.kernel
        self.stall = stall
        self.said = ""
        if self.kernel is not None:
            self.kernel.await_reply = self.await_reply

    def await_reply(self, msg_id: str, timeout: float | None = None) -> None:
        """In place of nbval's, which listens for the reply alone.

        Raises:
            CheckFailure: the kernel died.
            Empty: the time is over, or the cell hangs; nbval then interrupts it and shows where it was.
        """
        end = time.monotonic() + (timeout or float("inf"))
        since, used = time.monotonic(), self._processor_time()
        while time.monotonic() < end:
            try:
                message = self.kernel.get_message(stream="shell", timeout=POLL_S)
            except Empty:
                self._check_alive()
            else:
                if message["parent_header"].get("msg_id") == msg_id:
                    if message["content"]["status"] == "aborted":
                        raise RuntimeError("Kernel aborted execution request")
                    return
            waited = time.monotonic() - since
            if waited >= self.stall:
                now = self._processor_time()
                if now is None or used is None or now - used < IDLE_SHARE * waited:
                    self.said = (
                        f"cell {self.item.cell_num} of {self.item.path.stem} used no processor time for {waited:.0f} "
                        "s: it hangs and was interrupted (--stall sets the limit)"
                    )
                    raise Empty
                since, used = time.monotonic(), now
        raise Empty

    def _check_alive(self) -> None:
        if self.kernel.is_alive():
            return
        self.item.parent.timed_out = True  # nbval expects the cells after this one to fail
        process = getattr(getattr(self.kernel.km, "provisioner", None), "process", None)
        status = getattr(process, "returncode", None)
        raise CheckFailure(
            f"{self.item.path.stem}, cell {self.item.cell_num}: the kernel died"
            f"{'' if status is None else f' (exit status {status}; negative is a signal, -9 often means no memory)'}; "
            f"the cells after it were not run. The cell:\n{self.item.cell.source}"
        )

    def _processor_time(self) -> float | None:
        """Seconds that the kernel and its children have used; None where the system does not tell."""
        try:
            root = psutil.Process(self.kernel.km.provisioner.pid)
            times = [p.cpu_times() for p in (root, *root.children(recursive=True))]
        except (psutil.Error, AttributeError, TypeError):
            return None
        return sum(t.user + t.system for t in times)
