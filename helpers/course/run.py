"""Execute the notebooks, in order, and say how it went."""

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from helpers.course.files import write_whole

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
EXECUTED = ROOT / "executed"
EXPECTED = ROOT / "student_figures" / "expected"
CELL_TIMEOUT_S = 1200
ANSI = re.compile(r"\x1b\[[0-9;]*m")  # colours of tracebacks


@dataclass(frozen=True)
class Outcome:
    """How one notebook went; ``failure`` is the failing cell and its traceback."""

    notebook: Path
    seconds: float
    slowest: str  # the slowest cell's first line and its seconds
    failure: str | None


def find(names: list[str]) -> list[Path]:
    """Notebooks by file name, stem or leading number (``04``); all of them, in order, for an empty list.

    Raises:
        ValueError: a name that fits none, or several.
    """
    known = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
    if not names:
        return known
    return [_one(name, known) for name in names]


def _one(name: str, known: list[Path]) -> Path:
    stem = Path(name).name.removesuffix(".ipynb")
    fits = [p for p in known if p.stem == stem] or [p for p in known if stem and p.stem.startswith(stem)]
    if len(fits) != 1:
        listed = ", ".join(p.stem for p in known)
        raise ValueError(f"{name!r} names {len(fits)} notebooks, expected one of: {listed}")
    return fits[0]


def run(names: list[str], *, inplace: bool, quick: bool, console: Console) -> list[Outcome]:
    """Execute notebooks one after the other; a failing one does not stop the rest.

    Args:
        inplace: write outputs into the notebooks themselves and figures to ``student_figures/expected``, so that
            the two always belong together; else to ``executed/`` and ``student_figures``.
        quick: shrink budgets (``QUICK=1`` in the kernel): for developing, not for results. Its figures stay out
            of ``student_figures``.

    Raises:
        ValueError: an unknown notebook, or ``quick`` together with ``inplace``.
    """
    if quick and inplace:
        raise ValueError("--quick and --inplace exclude each other: a quick run's numbers are not worth keeping")
    outcomes = []
    with Progress(
        TextColumn("{task.description:<24}"), BarColumn(), TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(), TextColumn("{task.fields[cell]}"), console=console,
    ) as bars:  # fmt: skip
        for path in find(names):
            outcomes.append(_execute(path, inplace, quick, bars))
    return outcomes


def _execute(path: Path, inplace: bool, quick: bool, bars: Progress) -> Outcome:
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
        bars.update(task, cell=_first_line(cell))

    def ends(cell: nbformat.NotebookNode, cell_index: int, execute_reply: dict) -> None:
        took[cell_index] = time.perf_counter() - began[cell_index]
        bars.advance(task)

    client = NotebookClient(
        nb, timeout=CELL_TIMEOUT_S, kernel_name="python3", record_timing=False,
        extra_arguments=["--log-level=ERROR"],  # else it warns, on each start, that its port is not encrypted
        resources={"metadata": {"path": str(path.parent)}},
        on_cell_execute=starts, on_cell_executed=ends,
    )  # fmt: skip
    figures = EXPECTED if inplace else EXECUTED / "figures" if quick else None
    failure = None
    try:
        client.execute(env=kernel_environment(figures, quick))
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        failure = ANSI.sub("", str(error))
    bars.update(task, cell="failed" if failure else "")
    if failure is None or not inplace:  # a failed run never replaces a good notebook
        _tidy(nb)
        target = path if inplace else EXECUTED / path.name
        write_whole(target, (nbformat.writes(nb) + "\n").encode())
    slowest = max(took, key=took.get, default=None)
    note = "" if slowest is None else f"{took[slowest]:.0f} s: {_first_line(nb.cells[slowest])}"
    return Outcome(path, time.perf_counter() - start, note, failure)


def kernel_environment(figures: Path | None = None, quick: bool = False) -> dict[str, str]:
    """What a kernel inherits: no progress bars, which belong to a live reader, not into a stored notebook."""
    environment = {**os.environ, "TQDM_DISABLE": "1"}
    if figures is not None:
        environment["FIGURES_DIR"] = str(figures)
    if quick:
        environment["QUICK"] = "1"
    return environment


def _first_line(cell: nbformat.NotebookNode) -> str:
    lines = [line for line in cell.source.splitlines() if line.strip()]
    return lines[0][:60] if lines else ""


def _tidy(nb: nbformat.NotebookNode) -> None:
    """Keep what a reader needs: no widget state, no per-cell run metadata, and a kernel every Jupyter has."""
    nb.metadata = nbformat.from_dict({
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    })  # fmt: skip
    for cell in nb.cells:
        cell.metadata.pop("execution", None)


def summary(outcomes: list[Outcome], folder: Path) -> Table:
    """What the run leaves on the screen."""
    table = Table(title=f"{len(outcomes)} notebooks, {sum(o.seconds for o in outcomes):.0f} s; written to {folder}")
    for column in ("notebook", "seconds", "slowest cell", "result"):
        table.add_column(column, justify="right" if column == "seconds" else "left")
    for o in outcomes:
        table.add_row(o.notebook.stem, f"{o.seconds:.0f}", o.slowest, "FAILED" if o.failure else "ok")
    return table
