"""Execute the notebooks, in order, and say how it went."""

import time
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import NamedTuple

import nbformat
from nbclient import NotebookClient
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from course import paths
from course.notebooks import versions
from course.notebooks.running import (
    client_of,
    default_jobs,
    execute,
    first_line,
    kernel_environment,
    processors,
    tidy,
    try_folder,
)
from helpers.core.files import write_whole
from helpers.core.standin import NOTICE

COLUMNS = ("notebook", "seconds", "slowest cell", "result")
POLL_S = 0.1


@dataclass(frozen=True)
class Outcome:
    """How one notebook went; ``failure`` is the failing cell and its traceback."""

    notebook: Path
    seconds: float
    slowest: str  # the slowest cell's first line and its seconds
    failure: str | None
    standin: bool = False

    @property
    def verdict(self) -> str:
        if self.failure:
            return "FAILED"
        return "ok, on STAND-IN DATA" if self.standin else "ok"


class Interrupted(KeyboardInterrupt):
    """Ctrl-C: what had finished by then, and which notebooks had not."""

    def __init__(self, outcomes: list[Outcome], left: list[Path]) -> None:
        finished = ", ".join(o.notebook.stem for o in outcomes) or "none"
        unfinished = ", ".join(p.stem for p in left)
        super().__init__(f"interrupted. Finished, and kept: {finished}. Not finished: {unfinished}.")
        self.outcomes, self.left = outcomes, left


def print_names(names: list[str]) -> None:
    """Print the stems of notebooks, one a line."""
    for path in paths.notebook_paths(names):
        print(path.stem)


def run_and_print(names: list[str], *, inplace: bool, quick: bool, jobs: int | None) -> int:
    """Do as :func:`execute_notebooks` says and print how each notebook went; return 1 where one failed, else 0."""
    console, start = Console(), time.perf_counter()
    outcomes = execute_notebooks(names, inplace=inplace, quick=quick, console=console, jobs=jobs)
    seconds = time.perf_counter() - start
    console.print(summary(outcomes, seconds, paths.NOTEBOOKS if inplace else paths.EXECUTED))
    failed = [outcome for outcome in outcomes if outcome.failure]
    for outcome in failed:
        console.rule(f"{outcome.notebook.stem} failed")
        console.print(outcome.failure, markup=False, highlight=False)
    return int(bool(failed))


def execute_notebooks(
    names: list[str], *, inplace: bool, quick: bool, console: Console, jobs: int | None = None
) -> list[Outcome]:
    """Execute notebooks, ``jobs`` at a time; a failing one does not stop the rest.

    Args:
        names: As :func:`course.paths.notebook_paths` takes them.
        inplace: Write outputs into the notebooks themselves and figures to ``student_figures/expected``, so that
            the two always belong together; else to ``executed/`` and ``student_figures``.
        quick: Shrink budgets (``QUICK=1`` in the kernel): for developing, not for results. Its figures stay out
            of ``student_figures``.
        console: Where the bars of progress go.
        jobs: At most :func:`default_jobs` where not given. The processors are shared out evenly: two notebooks of one
            thread each end well before one after the other of two threads each, for threads wait for one another.

    Raises:
        ValueError: An unknown notebook, fewer than one job, or ``quick`` together with ``inplace``.
        Interrupted: Ctrl-C; the kernels are stopped, and what had finished is kept.
    """
    if quick and inplace:
        raise ValueError("--quick and --inplace exclude each other: a quick run's numbers are not worth keeping")
    if jobs is not None and jobs < 1:
        raise ValueError(f"--jobs must be at least 1, got {jobs}")
    chosen = paths.notebook_paths(names)
    jobs = min(jobs or default_jobs(), max(1, len(chosen)))
    try_folder(paths.NOTEBOOKS if inplace else paths.EXECUTED)
    stage = _Stage(inplace, quick, threads=max(1, processors() // jobs))
    with Progress(
        TextColumn("{task.description:<24}"), BarColumn(), TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(), TextColumn("{task.fields[cell]}"), console=console,
    ) as bars, ThreadPoolExecutor(jobs) as pool:  # fmt: skip
        # in threads, since in the main thread nbclient takes Ctrl-C for a kernel that died; the longest are the last
        running = {path: pool.submit(_execute, path, stage, bars) for path in reversed(chosen)}
        try:
            wait(running.values())
        except KeyboardInterrupt:
            finished = [path for path in chosen if running[path].done()]
            pool.shutdown(wait=False, cancel_futures=True)
            stage.stop(list(running.values()))
            left = [path for path in chosen if path not in finished]
            raise Interrupted([running[path].result() for path in finished], left) from None
    return [running[path].result() for path in chosen]


@dataclass
class _Stage:
    """What the notebooks of one run share: how they are run, and the kernels to stop when it is interrupted."""

    inplace: bool
    quick: bool
    threads: int
    clients: list[NotebookClient] = field(default_factory=list)
    stopping: Event = field(default_factory=Event)

    @property
    def figures(self) -> Path | None:
        """Return the folder for figures, None for the usual one."""
        if self.inplace:
            return paths.EXPECTED
        return paths.EXECUTED / "figures" if self.quick else None

    def stop(self, running: list[Future]) -> None:
        """Kill the kernels until every thread has noticed."""
        self.stopping.set()
        while not all(job.done() for job in running):
            for client in self.clients:
                _kill(client)
            time.sleep(POLL_S)


def _kill(client: NotebookClient) -> None:
    provisioner = client.km.provisioner if client.km else None
    process = getattr(provisioner, "process", None)  # None until it has started
    if process:
        process.kill()


class _Clock(NamedTuple):
    """When cells began and what they took, by their index; and the bar that shows it."""

    bars: Progress
    task: TaskID
    began: dict[int, float]
    seconds: dict[int, float]

    def starts(self, cell: nbformat.NotebookNode, cell_index: int) -> None:
        self.began[cell_index] = time.perf_counter()
        self.bars.update(self.task, cell=first_line(cell))

    def ends(self, cell: nbformat.NotebookNode, cell_index: int, execute_reply: dict) -> None:
        self.seconds[cell_index] = time.perf_counter() - self.began[cell_index]
        self.bars.advance(self.task)

    def slowest(self, nb: nbformat.NotebookNode) -> str:
        if not self.seconds:
            return ""
        index = max(self.seconds, key=lambda i: self.seconds[i])
        return f"{self.seconds[index]:.0f} s: {first_line(nb.cells[index])}"


def _execute(path: Path, stage: _Stage, bars: Progress) -> Outcome:
    """Run one notebook and write it.

    Raises:
        CancelledError: The run was interrupted meanwhile; nothing is written.
    """
    start = time.perf_counter()
    try:
        nb = nbformat.read(path, as_version=4)
    except Exception as error:  # nbformat raises a dozen kinds, from JSON errors to its own
        return Outcome(path, 0.0, "", f"{path.name} is not a notebook that can be read: {error}")
    num_code = sum(cell.cell_type == "code" for cell in nb.cells)
    clock = _Clock(bars, bars.add_task(path.stem, total=num_code, cell=""), {}, {})
    client = client_of(nb, path.parent, on_cell_execute=clock.starts, on_cell_executed=clock.ends)
    stage.clients.append(client)
    failure = execute(client, kernel_environment(stage.figures, stage.quick, stage.threads))
    if stage.stopping.is_set():
        raise CancelledError
    bars.update(clock.task, cell="failed" if failure else "")
    if failure is None or not stage.inplace:  # a failed run never replaces a good notebook
        tidy(nb)
        target = path if stage.inplace else paths.EXECUTED / path.name
        write_whole(target, (nbformat.writes(nb) + "\n").encode())
    standin = any(_used_standin(cell) for cell in nb.cells)
    return Outcome(path, time.perf_counter() - start, clock.slowest(nb), failure, standin)


def _used_standin(cell: nbformat.NotebookNode) -> bool:
    return any(NOTICE in output.get("text", "") for output in cell.get("outputs", []))


def summary(outcomes: list[Outcome], seconds: float, folder: Path) -> Table:
    """Return the table that a run leaves on the screen."""
    here = versions.installed()
    caption = "\n".join([versions.one_line(here), *versions.changes(here, versions.locked())])
    table = Table(title=f"{len(outcomes)} notebooks in {seconds:.0f} s; written to {folder}", caption=caption)
    for column in COLUMNS:
        table.add_column(column, justify="right" if column == "seconds" else "left")
    for outcome in outcomes:
        table.add_row(outcome.notebook.stem, f"{outcome.seconds:.0f}", outcome.slowest, outcome.verdict)
    return table
