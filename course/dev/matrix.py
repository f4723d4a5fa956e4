"""The regression run on other processors' code paths, thread counts and versions: it must not cry wolf.

    python -m course.dev.matrix --list
    python -m course.dev.matrix                        # all rows, all notebooks: a quarter of an hour to an hour a row
    python -m course.dev.matrix --rows avx2 --rows avx512 01 03

Prints a table of rows, and one of figures: the largest measured difference of each kind over all rows beside what the
figure is allowed (``course/figures/comparison.py``). Keeps everything in ``executed/matrix``, the numbers in
``differences.json``. Rows with other versions get a virtual environment there, on top of the packages of this one.
Exits with 1 unless every row ran and passed.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from course.figures.comparison import FIGURES, KINDS, tolerance, worst
from course.paths import EXECUTED, ROOT, notebook_paths
from course.regression.results import NotebookResult, load
from helpers.core.files import write_whole

FOLDER = EXECUTED / "matrix"


@dataclass(frozen=True)
class Row:
    """One way to run: environment variables, and packages in other versions than those installed here."""

    name: str
    environment: Mapping[str, str] = field(default_factory=dict)
    packages: tuple[str, ...] = ()


def _processor(capability: str, threads: int) -> Row:
    name = f"{capability}, {threads} thread{'s' * (threads > 1)}"
    return Row(name, {"ATEN_CPU_CAPABILITY": capability, "OMP_NUM_THREADS": str(threads)})


ROWS = (
    *(_processor(capability, threads) for capability in ("default", "avx2", "avx512") for threads in (1, 2)),
    # a processor without AVX-512 and bfloat16: ATen's own variable leaves oneDNN's products as they are
    Row("older processor", {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "PRECISION": "float32"}),
    Row("matplotlib oldest", packages=("matplotlib==3.8.4",)),  # 3.8.0 to 3.8.3 were built for NumPy 1 alone
    Row("matplotlib newest", packages=("matplotlib>=3.8,<4",)),
    Row("torch oldest", packages=("torch==2.4.*", "torchvision==0.19.*")),
    Row("torch newest", packages=("torch>=2.4,<3", "torchvision>=0.19,<1")),
)


def python_of(row: Row) -> str:
    """The interpreter of a row, its environment made on first use.

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
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"pip install {' '.join(row.packages)}: {done.stderr.strip()[-300:]}")
    (home / "ready").touch()
    return str(python)


VERSIONS = """
import importlib.metadata as m, torch
print("torch", m.version("torch"), "matplotlib", m.version("matplotlib"), "numpy", m.version("numpy"),
      torch.backends.cpu.get_cpu_capability(), torch.get_num_threads(), "thread(s)")
"""


@dataclass
class Ran:
    """How a row went; ``problem`` is why it did not run, else empty."""

    row: Row
    versions: str = ""
    problem: str = ""
    results: list[NotebookResult] = field(default_factory=list)
    status: int = 1

    @property
    def failed_cells(self) -> list[str]:
        return [f"{r.stem[:2]}:{c.cell}" for r in self.results for c in r.cells if c.outcome != "passed"]

    @property
    def failed_figures(self) -> list[str]:
        return [f.name for r in self.results for f in r.figures if f.failed]

    @property
    def passed(self) -> bool:
        return not self.problem and self.status == 0 and not self.failed_figures


def run_row(row: Row, notebooks: Sequence[str]) -> Ran:
    """Run the notebooks as ``helpers check`` does; its output goes to a file beside the results."""
    ran = Ran(row)
    try:
        python = python_of(row)
    except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
        ran.problem = f"not run: {error}"
        return ran
    folder = FOLDER / row.name.replace(", ", "-").replace(" ", "-")
    shutil.rmtree(folder, ignore_errors=True)  # with its checkpoints: what another row trained would prove nothing
    environment = os.environ | row.environment | {"CHECKPOINTS_DIR": str(folder / "checkpoints")}
    seen = subprocess.run([python, "-c", VERSIONS], cwd=ROOT, env=environment, capture_output=True, text=True)
    if seen.returncode:
        ran.problem = f"not run: {seen.stderr.strip().splitlines()[-1]}"
        return ran
    ran.versions = seen.stdout.strip()
    share = ["-n", "0"] if int(row.environment.get("OMP_NUM_THREADS", 1)) > 1 else []  # else two notebooks at a time
    command = [python, "-m", "course", "check", f"--results={folder}", *share, *notebooks]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    write_whole(folder / "output.txt", (done.stdout + done.stderr).encode())
    ran.status = done.returncode
    wanted = {path.stem for path in notebook_paths(list(notebooks))}
    ran.results = [r for r in load(folder) if r.stem in wanted]
    if {r.stem for r in ran.results} != wanted:
        ran.problem = f"not all notebooks ran, see {folder / 'output.txt'}"
    elif not all(r.compared for r in ran.results):
        ran.problem = "on stand-in data: nothing was compared"
    return ran


def differences(rows: Sequence[Ran]) -> dict[str, dict[str, float]]:
    """The largest difference of each kind that each figure showed in any row."""
    measured: dict[str, list[dict[str, float]]] = {}
    for figure in (f for ran in rows for r in ran.results for f in r.figures):
        measured.setdefault(figure.name, []).append(figure.measured)
    return {name: worst(found) for name, found in sorted(measured.items())}


def rows_table(rows: Sequence[Ran]) -> Table:
    table = Table(title="The regression run elsewhere", show_lines=True)
    for column in ("row", "ran with", "seconds", "cells that failed", "figures that failed", "result"):
        table.add_column(column, overflow="fold")
    for ran in rows:
        seconds = sum(c.seconds for r in ran.results for c in r.cells)
        cells, figures = ", ".join(ran.failed_cells) or "none", ", ".join(ran.failed_figures) or "none"
        outcome = ran.problem or ("ok" if ran.passed else "FAILED")
        table.add_row(ran.row.name, ran.versions, f"{seconds:.0f}", cells, figures, outcome)
    return table


def figures_table(found: Mapping[str, Mapping[str, float]]) -> Table:
    table = Table(title="Largest difference over all rows / allowed", caption="kinds as in comparison.Tolerance")
    for column in ("figure", "tolerance", *KINDS):
        table.add_column(column)
    for name, measured in found.items():
        allowed = tolerance(name)
        cells = [f"{measured[k]:.2g} / {getattr(allowed, k):g}" if k in measured else "" for k in KINDS]
        table.add_row(name, FIGURES.get(name, "trained"), *cells)
    return table


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", help="names or numbers; all of them where none is given")
    parser.add_argument("--rows", action="append", default=[], help="rows whose name begins so; may be repeated")
    parser.add_argument("--list", action="store_true", help="list the rows and stop")
    chosen = parser.parse_args()
    rows = [row for row in ROWS if not chosen.rows or any(row.name.startswith(start) for start in chosen.rows)]
    if chosen.list or not rows:
        print("\n".join(row.name for row in ROWS))
        return int(not rows)
    console = Console(width=None if sys.stdout.isatty() else 180)
    done = []
    for row in rows:
        console.print(f"{row.name} ...")
        done.append(run_row(row, chosen.notebooks))
        found = differences(done)  # after each row: an interrupted run keeps what it measured
        write_whole(FOLDER / "differences.json", json.dumps(found, indent=1).encode())
    console.print(rows_table(done))
    console.print(figures_table(found))
    return int(not all(ran.passed for ran in done))


if __name__ == "__main__":
    sys.exit(main())
