"""The regression run on other processors' code paths, thread counts and versions: it must not cry wolf.

    python -m course.dev.matrix --list
    python -m course.dev.matrix                        # all rows, all notebooks: a quarter of an hour to an hour a row
    python -m course.dev.matrix --rows avx2 --rows avx512 01 03

Prints a table of rows, and one of figures: the largest measured difference of each kind over all rows beside what the
figure is allowed (``course/figures/comparison.py``). Keeps everything in ``executed/matrix``, the numbers in
``differences.json``. Rows with other versions get a virtual environment there, on top of the packages of this one.
The table of rows is written to ``table.md`` there, for the documentation. Exits with 1 unless every row ran and passed.
"""

import argparse
import itertools
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from rich.console import Console
from rich.table import Table

from course.assignments import FIGURES
from course.figures.comparison import KINDS, tolerance, worst
from course.paths import EXECUTED, ROOT, notebook_paths
from course.regression.results import NotebookResult, load
from helpers.core.files import write_whole

FOLDER = EXECUTED / "matrix"
NEAREST = 12  # figures that the table for the documentation lists


@dataclass(frozen=True)
class Row:
    """A way to run: environment variables, and packages in other versions than those installed here."""

    name: str
    environment: Mapping[str, str] = field(default_factory=dict)
    packages: tuple[str, ...] = ()


def _processor(capability: str, threads: int) -> Row:
    name = f"{capability}, {threads} thread{'s' * (threads > 1)}"
    return Row(name, {"ATEN_CPU_CAPABILITY": capability, "OMP_NUM_THREADS": str(threads)})


ROWS = (
    *(_processor(*pair) for pair in itertools.product(("default", "avx2", "avx512"), (1, 2))),
    # a processor without AVX-512 and bfloat16: ATen's own variable leaves oneDNN's products as they are
    Row("older processor", {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "PRECISION": "float32"}),
    Row("matplotlib oldest", packages=("matplotlib==3.8.4",)),  # 3.8.0 to 3.8.3 were built for NumPy 1 alone
    Row("matplotlib newest", packages=("matplotlib>=3.8,<4",)),
    Row("torch oldest", packages=("torch==2.4.*", "torchvision==0.19.*")),
    Row("torch newest", packages=("torch>=2.4,<3", "torchvision>=0.19,<1")),
)


def python_of(row: Row) -> str:
    """Return the interpreter of a row; its environment is built on first use.

    Raises:
        RuntimeError: pip cannot install the row's packages.
    """
    if not row.packages:
        return sys.executable
    home = FOLDER / "environments" / row.name.replace(" ", "-")
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    if (home / "ready").is_file():
        return str(python)
    venv.create(home, with_pip=True, clear=True)
    site = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"], capture_output=True, text=True,
        check=True,
    ).stdout.strip()  # fmt: skip
    # What is installed there comes first; for all else, the packages of this interpreter. A pth line, not
    # system_site_packages: that would name the base interpreter's packages where this one is an environment itself.
    (Path(site) / "underlay.pth").write_text(f"{sysconfig.get_paths()['purelib']}\n", encoding="utf-8")
    command = [python, "-m", "pip", "install", "--quiet", "--upgrade", *row.packages]
    pip = subprocess.run(command, capture_output=True, text=True)
    if pip.returncode:
        raise RuntimeError(f"pip install {' '.join(row.packages)}: {pip.stderr.strip()[-300:]}")
    (home / "ready").touch()
    return str(python)


VERSIONS = """
import importlib.metadata as m, torch
print("torch", m.version("torch"), "matplotlib", m.version("matplotlib"), "numpy", m.version("numpy"),
      torch.backends.cpu.get_cpu_capability(), torch.get_num_threads(), "thread(s)")
"""


@dataclass
class RowResult:
    """How a row went; ``problem`` is why it did not run, else empty."""

    row: Row
    versions: str = ""
    problem: str = ""
    results: list[NotebookResult] = field(default_factory=list)
    status: int = 1

    @property
    def failed_cells(self) -> list[str]:
        """Return the failed cells as ``04:12``."""
        cells = []
        for result in self.results:
            cells += [f"{result.stem[:2]}:{cell}" for cell in result.failed_cells]
        return cells

    @property
    def failed_figures(self) -> list[str]:
        """Return the names of the failed figures."""
        names = []
        for result in self.results:
            names += [figure.name for figure in result.figures if figure.failed]
        return names

    @property
    def passed(self) -> bool:
        return not self.problem and self.status == 0 and not self.failed_figures


def run_row(row: Row, notebooks: Sequence[str]) -> RowResult:
    """Run the notebooks as ``course check`` does; its output goes to a file beside the results."""
    folder = FOLDER / row.name.replace(", ", "-").replace(" ", "-")
    environment = os.environ | row.environment | {"CHECKPOINTS_DIR": str(folder / "checkpoints")}
    outcome = RowResult(row)
    try:
        python = python_of(row)
        outcome.versions = _versions(python, environment)
    except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
        outcome.problem = f"not run: {error}"
        return outcome
    shutil.rmtree(folder, ignore_errors=True)  # with its checkpoints: what another row trained would prove nothing
    share = ["-n", "0"] if int(row.environment.get("OMP_NUM_THREADS", 1)) > 1 else []  # else two notebooks at a time
    command = [python, "-m", "course", "check", f"--results={folder}", *share, *notebooks]
    check = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    write_whole(folder / "output.txt", (check.stdout + check.stderr).encode())
    stems = {path.stem for path in notebook_paths(list(notebooks))}
    outcome.status = check.returncode
    outcome.results = [result for result in load(folder) if result.stem in stems]
    if {result.stem for result in outcome.results} != stems:
        outcome.problem = f"not all notebooks ran, see {folder / 'output.txt'}"
    elif not all(result.compared for result in outcome.results):
        outcome.problem = "on stand-in data: nothing was compared"
    return outcome


def _versions(python: str, environment: Mapping[str, str]) -> str:
    """Return what the row runs with.

    Raises:
        RuntimeError: Its packages cannot be imported.
    """
    probe = subprocess.run([python, "-c", VERSIONS], cwd=ROOT, env=environment, capture_output=True, text=True)
    if probe.returncode:
        raise RuntimeError(probe.stderr.strip().splitlines()[-1])
    return probe.stdout.strip()


def differences(rows: Sequence[RowResult]) -> dict[str, dict[str, float]]:
    """Return the largest difference of each kind that each figure showed in any row."""
    measured: dict[str, list[dict[str, float]]] = {}
    for row in rows:
        for result in row.results:
            for figure in result.figures:
                measured.setdefault(figure.name, []).append(figure.measured)
    return {name: worst(values) for name, values in sorted(measured.items())}


def rows_table(rows: Sequence[RowResult]) -> Table:
    """Return how each row went."""
    table = Table(title="The regression run elsewhere", show_lines=True)
    for column in ("row", "ran with", "seconds", "cells that failed", "figures that failed", "result"):
        table.add_column(column, overflow="fold")
    for outcome in rows:
        seconds = sum(result.seconds for result in outcome.results)
        cells, figures = ", ".join(outcome.failed_cells) or "none", ", ".join(outcome.failed_figures) or "none"
        verdict = outcome.problem or ("ok" if outcome.passed else "FAILED")
        table.add_row(outcome.row.name, outcome.versions, f"{seconds:.0f}", cells, figures, verdict)
    return table


def figures_table(measured: Mapping[str, Mapping[str, float]]) -> Table:
    """Return each figure's differences beside what it is allowed."""
    table = Table(title="Largest difference over all rows / allowed", caption="kinds as in comparison.Tolerance")
    for column in ("figure", "tolerance", *KINDS):
        table.add_column(column)
    for name, values in measured.items():
        allowed = tolerance(name)
        cells = [f"{values[kind]:.2g} / {getattr(allowed, kind):g}" if kind in values else "" for kind in KINDS]
        table.add_row(name, FIGURES[name].tolerance, *cells)
    return table


def markdown(rows: Sequence[RowResult], measured: Mapping[str, Mapping[str, float]]) -> str:
    """Return the table of rows for the documentation, with its date, and the figures nearest to their limits."""
    lines = [
        f"Run {date.today().isoformat()}.",
        "",
        "| row | ran with | seconds | failed | result |",
        "|---|---|---|---|---|",
    ]
    for outcome in rows:
        seconds = sum(result.seconds for result in outcome.results)
        failed = ", ".join([*outcome.failed_cells, *outcome.failed_figures]) or "nothing"
        verdict = outcome.problem or ("ok" if outcome.passed else "FAILED")
        lines.append(f"| {outcome.row.name} | {outcome.versions} | {seconds:.0f} | {failed} | {verdict} |")
    shares = {name: _share_of_limit(name, values) for name, values in measured.items() if values}
    lines += ["", "| figure | largest difference, as a share of what is allowed |", "|---|---|"]
    nearest = sorted(shares, key=lambda name: -shares[name])[:NEAREST]
    return "\n".join([*lines, *(f"| {name} | {shares[name]:.0%} |" for name in nearest), ""])


def _share_of_limit(name: str, values: Mapping[str, float]) -> float:
    allowed = tolerance(name)
    return max(
        value / limit if (limit := getattr(allowed, kind)) else float(value > 0) for kind, value in values.items()
    )


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("notebooks", nargs="*", help="names or numbers; all of them where none is given")
    parser.add_argument("--rows", action="append", default=[], help="rows whose name begins so; may be repeated")
    parser.add_argument("--list", action="store_true", help="list the rows and stop")
    return parser.parse_args()


def main() -> int:
    """Run the chosen rows, print both tables, and return 1 unless every row ran and passed."""
    arguments = parse()
    starts = tuple(arguments.rows) or ("",)
    rows = [row for row in ROWS if row.name.startswith(starts)]
    if arguments.list or not rows:
        print("\n".join(row.name for row in ROWS))
        return int(not rows)
    console = Console(width=None if sys.stdout.isatty() else 180)
    outcomes: list[RowResult] = []
    for row in rows:
        console.print(f"{row.name} ...")
        outcomes.append(run_row(row, arguments.notebooks))
        measured = differences(outcomes)  # after each row: an interrupted run keeps what it measured
        write_whole(FOLDER / "differences.json", json.dumps(measured, indent=1).encode())
    measured = differences(outcomes)
    console.print(rows_table(outcomes))
    console.print(figures_table(measured))
    write_whole(FOLDER / "table.md", markdown(outcomes, measured).encode())
    return int(not all(outcome.passed for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
