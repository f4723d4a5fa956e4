"""Execute the notebooks, in order, and say how it went."""

import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import nbformat
from nbclient import NotebookClient
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from course import paths
from course.notebooks.running import (
    client_of,
    default_jobs,
    execute,
    first_line,
    kernel_environment,
    processors,
    tidy,
)
from helpers.core.files import write_whole


@dataclass(frozen=True)
class Outcome:
    """How one notebook went; ``failure`` is the failing cell and its traceback."""

    notebook: Path
    seconds: float
    slowest: str  # the slowest cell's first line and its seconds
    failure: str | None
    standin: bool = False


class Interrupted(KeyboardInterrupt):
    """Ctrl-C: what had finished by then, and which notebooks had not."""

    def __init__(self, outcomes: list[Outcome], left: list[Path]) -> None:
        super().__init__()
        self.outcomes, self.left = outcomes, left


def run(names: list[str], *, inplace: bool, quick: bool, console: Console, jobs: int | None = None) -> list[Outcome]:
    """Execute notebooks, ``jobs`` at a time; a failing one does not stop the rest.

    Args:
        inplace: write outputs into the notebooks themselves and figures to ``student_figures/expected``, so that
            the two always belong together; else to ``executed/`` and ``student_figures``.
        quick: shrink budgets (``QUICK=1`` in the kernel): for developing, not for results. Its figures stay out
            of ``student_figures``.
        jobs: at most :func:`default_jobs` where not given. The processors are shared out evenly: two notebooks of one
            thread each end well before one after the other of two threads each, for threads wait for one another.

    Raises:
        ValueError: an unknown notebook, fewer than one job, or ``quick`` together with ``inplace``.
        Interrupted: Ctrl-C; the kernels are stopped, and what had finished is kept.
    """
    if quick and inplace:
        raise ValueError("--quick and --inplace exclude each other: a quick run's numbers are not worth keeping")
    if jobs is not None and jobs < 1:
        raise ValueError(f"--jobs must be at least 1, got {jobs}")
    chosen = paths.notebook_paths(names)
    jobs = min(jobs or default_jobs(), len(chosen))
    threads = max(1, processors() // jobs)
    stage = _Stage(inplace, quick, threads)
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


class _Stage:
    """What the notebooks of one run share: how they are run, and the kernels to stop when it is interrupted."""

    def __init__(self, inplace: bool, quick: bool, threads: int) -> None:
        self.inplace, self.quick, self.threads = inplace, quick, threads
        self.clients: list[NotebookClient] = []
        self.stopping = Event()

    def stop(self, running: list[Future]) -> None:
        self.stopping.set()
        while not all(job.done() for job in running):
            for client in self.clients:
                process = client.km and client.km.provisioner and client.km.provisioner.process
                if process:
                    process.kill()
            time.sleep(0.1)


def _execute(path: Path, stage: _Stage, bars: Progress) -> Outcome | None:
    """Run one notebook and write it; None where the run was interrupted meanwhile."""
    start = time.perf_counter()
    try:
        nb = nbformat.read(path, as_version=4)
    except Exception as error:  # nbformat raises a dozen kinds, from JSON errors to its own
        return Outcome(path, 0.0, "", f"{path.name} is not a notebook that can be read: {error}")
    code = [i for i, cell in enumerate(nb.cells) if cell.cell_type == "code"]
    task = bars.add_task(path.stem, total=len(code), cell="")
    began: dict[int, float] = {}
    took: dict[int, float] = {}

    def starts(cell: nbformat.NotebookNode, cell_index: int) -> None:
        began[cell_index] = time.perf_counter()
        bars.update(task, cell=first_line(cell))

    def ends(cell: nbformat.NotebookNode, cell_index: int, execute_reply: dict) -> None:
        took[cell_index] = time.perf_counter() - began[cell_index]
        bars.advance(task)

    client = client_of(nb, path.parent, on_cell_execute=starts, on_cell_executed=ends)
    stage.clients.append(client)
    figures = paths.EXPECTED if stage.inplace else paths.EXECUTED / "figures" if stage.quick else None
    failure = execute(client, kernel_environment(figures, stage.quick, stage.threads))
    if stage.stopping.is_set():
        return None
    bars.update(task, cell="failed" if failure else "")
    if failure is None or not stage.inplace:  # a failed run never replaces a good notebook
        tidy(nb)
        target = path if stage.inplace else paths.EXECUTED / path.name
        write_whole(target, (nbformat.writes(nb) + "\n").encode())
    slowest = max(took, key=took.get, default=None)
    note = "" if slowest is None else f"{took[slowest]:.0f} s: {first_line(nb.cells[slowest])}"
    from helpers.core.data import NOTICE  # here, for it loads torch, which the regression run's plugin does without

    standin_used = any(NOTICE in output.get("text", "") for cell in nb.cells for output in cell.get("outputs", []))
    return Outcome(path, time.perf_counter() - start, note, failure, standin_used)


def summary(outcomes: list[Outcome], seconds: float, folder: Path) -> Table:
    """What the run leaves on the screen."""
    table = Table(title=f"{len(outcomes)} notebooks in {seconds:.0f} s; written to {folder}")
    for column in ("notebook", "seconds", "slowest cell", "result"):
        table.add_column(column, justify="right" if column == "seconds" else "left")
    for o in outcomes:
        result = "FAILED" if o.failure else "ok, on STAND-IN DATA" if o.standin else "ok"
        table.add_row(o.notebook.stem, f"{o.seconds:.0f}", o.slowest, result)
    return table
