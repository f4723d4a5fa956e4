"""The regression run on other processors' code paths, thread counts and versions: it must not cry wolf.

    python -m course.dev.matrix --list                      # rows, and which notebooks have been run in each
    python -m course.dev.matrix                             # what is missing: minutes a notebook, hours for all
    python -m course.dev.matrix --rows avx2 --jobs 2 01 03  # some of it, two notebooks at a time
    python -m course.dev.matrix --page                      # write the page again, and run nothing

Each notebook of each row is a cell of the matrix. A cell that has run, with its real budgets and compared as by
``course check``, is stored in ``docs/measured/matrix.json`` with its day, versions and differences. What is stored is
not run again unless its notebook has changed since, or with ``--again``: the matrix can be run over several sittings.
The page ``docs/measured/matrix.md`` is written from what is stored. (There is no ``--quick``: shrunken budgets give
other results, so there would be nothing to compare with.) Rows with other versions get a virtual environment in
``executed/matrix``, on top of the packages of this one. Exits with 1 unless every cell asked for has run and passed.
"""

import argparse
import hashlib
import itertools
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import NamedTuple

from course.bench.table import processor
from course.figures.comparison import tolerance, worst
from course.paths import EXECUTED, ROOT, notebook_paths
from course.regression.results import load
from helpers.core.files import write_whole

FOLDER = EXECUTED / "matrix"
STORE = ROOT / "docs" / "measured" / "matrix.json"
PAGE = STORE.with_suffix(".md")
NEAREST = 12  # figures that the page lists


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
print("torch", m.version("torch") + ", Matplotlib", m.version("matplotlib") + ", NumPy", m.version("numpy") + ",",
      torch.backends.cpu.get_cpu_capability() + ",", torch.get_num_threads(), "thread(s)")
"""


@dataclass(frozen=True)
class Cell:
    """How one notebook went in one row."""

    row: str
    notebook: str  # its stem
    day: str
    digest: str  # of the notebook, as it is stored
    versions: str
    machine: str
    seconds: float
    failed: list[str]  # "cell 3", names of figures
    measured: dict[str, dict[str, float]]  # how far each figure was from the expected one, by kinds of difference


class Ready(NamedTuple):
    """A row that can be run: its interpreter, and what runs there."""

    row: Row
    python: str
    versions: str


# ---------------------------------------------------------------- running


def ready(row: Row) -> Ready:
    """Prepare a row.

    Raises:
        RuntimeError: Its packages cannot be installed or imported, or this processor lacks what it asks for.
    """
    try:
        python = python_of(row)
        command, environment = [python, "-c", VERSIONS], {**os.environ, **row.environment}
        probe = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise RuntimeError(str(error)) from error
    if probe.returncode:
        raise RuntimeError((probe.stderr.strip().splitlines() or ["its Python does not start"])[-1])
    asked = row.environment.get("ATEN_CPU_CAPABILITY", "").upper()
    if asked and f" {asked}," not in probe.stdout.upper():
        raise RuntimeError(f"this processor has no {asked}: {probe.stdout.strip()}")
    return Ready(row, python, probe.stdout.strip())


def run_cell(there: Ready, notebook: Path) -> Cell:
    """Run a notebook as ``course check`` does; what is printed goes to a file beside the results.

    Raises:
        RuntimeError: It did not run to its end, or on stand-in data, where nothing is compared.
    """
    folder = FOLDER / there.row.name.replace(", ", "-").replace(" ", "-") / notebook.stem
    shutil.rmtree(folder, ignore_errors=True)  # with its checkpoints: what another run trained would prove nothing
    environment = {**os.environ, **there.row.environment, "CHECKPOINTS_DIR": str(folder / "checkpoints")}
    command = [there.python, "-m", "course", "check", f"--results={folder}", "-n", "0", notebook.stem]
    check = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    write_whole(folder / "output.txt", (check.stdout + check.stderr).encode())
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    results = [result for result in load(folder) if result.stem == notebook.stem]
    if not results:
        raise RuntimeError(f"the notebook did not run, see {folder / 'output.txt'}")
    (result,) = results
    if not result.compared:
        raise RuntimeError("on stand-in data nothing is compared: python -m course data --fetch")
    failed = [f"cell {cell}" for cell in result.failed_cells] + [f.name for f in result.figures if f.failed]
    if bool(failed) != bool(check.returncode):
        raise RuntimeError(f"check ended with {check.returncode}, see {folder / 'output.txt'}")
    measured = {f.name: {kind: float(f"{v:.3g}") for kind, v in f.measured.items()} for f in result.figures}
    return Cell(
        there.row.name, notebook.stem, date.today().isoformat(), digest(notebook), there.versions, processor(),
        round(result.seconds), failed, measured,
    )  # fmt: skip


def digest(notebook: Path) -> str:
    """Return a short digest of a notebook as it is stored, outputs and all: what a cell was compared with."""
    return hashlib.sha256(notebook.read_bytes()).hexdigest()[:12]


# ---------------------------------------------------------------- what is stored


def stored() -> list[Cell]:
    """Return all cells that have run."""
    text = STORE.read_text(encoding="utf-8") if STORE.is_file() else "[]"
    return [Cell(**cell) for cell in json.loads(text)]


def with_cell(cells: Iterable[Cell], new: Cell) -> list[Cell]:
    """Return cells with one more, in the place of an older one of the same row and notebook; in the matrix's order."""
    rows = [row.name for row in ROWS]
    kept = [cell for cell in cells if (cell.row, cell.notebook) != (new.row, new.notebook) and cell.row in rows]
    return sorted([*kept, new], key=lambda cell: (rows.index(cell.row), cell.notebook))


def missing(rows: Sequence[Row], notebooks: Sequence[Path], cells: Iterable[Cell]) -> list[tuple[Row, Path]]:
    """Return what has not run yet, or only before its notebook changed."""
    done = {(cell.row, cell.notebook, cell.digest) for cell in cells}
    pairs = itertools.product(rows, notebooks)
    return [(row, path) for row, path in pairs if (row.name, path.stem, digest(path)) not in done]


def keep(cells: Sequence[Cell]) -> None:
    """Write the store, a cell a line, and the page."""
    lines = ",\n".join(json.dumps(asdict(cell)) for cell in cells)
    write_whole(STORE, f"[\n{lines}\n]\n".encode())
    write_whole(PAGE, page(cells, notebook_paths([])).encode())


# ---------------------------------------------------------------- the page


def page(cells: Sequence[Cell], notebooks: Sequence[Path]) -> str:
    """Return the table of rows and notebooks, and the figures nearest to their limits."""
    of = {(cell.row, cell.notebook): cell for cell in cells}
    days = sorted(cell.day for cell in cells)
    number = len(ROWS) * len(notebooks)
    when = f" between {days[0]} and {days[-1]}" if days else ""
    machines = ", ".join(sorted({cell.machine for cell in cells})) or "no machine"
    lines = [
        f"{len(cells)} of {number} cells were run{when}, each with the notebook's real budgets, on {machines}. A "
        "number is the seconds of a cell that passed; a dash is a cell that has not been run yet.",
        "",
        f"| row | {' | '.join(path.stem[:2] for path in notebooks)} | ran with |",
        "|---|" + "---:|" * len(notebooks) + "---|",
    ]
    for row in ROWS:
        here = [of.get((row.name, path.stem)) for path in notebooks]
        entries = [_entry(cell, path) for cell, path in zip(here, notebooks, strict=True)]
        versions = "; ".join(dict.fromkeys(cell.versions for cell in here if cell))
        lines.append(f"| {row.name} | {' | '.join(entries)} | {versions} |")
    lines += ["", "| figure | nearest to its limit in | largest difference | allowed |", "|---|---|---:|---:|"]
    near = sorted(differences(cells).items(), key=lambda pair: -_share(*pair)[0])[:NEAREST]
    for name, values in near:
        kind = _share(name, values)[1]
        lines.append(f"| {name} | {kind} | {values[kind]:g} | {getattr(tolerance(name), kind):g} |")
    return "\n".join([*lines, ""])


def _entry(cell: Cell | None, notebook: Path) -> str:
    if cell is None:
        return "–"
    result = f"failed: {', '.join(cell.failed)}" if cell.failed else f"{cell.seconds:.0f}"
    return result if cell.digest == digest(notebook) else f"{result} (before the notebook changed)"


def differences(cells: Iterable[Cell]) -> dict[str, dict[str, float]]:
    """Return the largest difference of each kind that each figure showed in any cell."""
    measured: dict[str, list[dict[str, float]]] = {}
    for cell in cells:
        for name, values in cell.measured.items():
            measured.setdefault(name, []).append(values)
    largest = {name: worst(values) for name, values in sorted(measured.items())}
    return {name: values for name, values in largest.items() if values}


def _share(name: str, values: Mapping[str, float]) -> tuple[float, str]:
    """Return the kind of difference that is nearest to what the figure is allowed, and how near."""
    allowed = tolerance(name)
    limits = {kind: getattr(allowed, kind) for kind in values}
    return max((values[kind] / limit if limit else float(values[kind] > 0), kind) for kind, limit in limits.items())


# ---------------------------------------------------------------- the command


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("notebooks", nargs="*", help="names or numbers; all of them where none is given")
    parser.add_argument("--rows", action="append", default=[], help="rows whose name begins so; may be repeated")
    parser.add_argument("--jobs", type=int, default=1, help="notebooks at a time")
    parser.add_argument("--again", action="store_true", help="also what has been run")
    parser.add_argument("--list", action="store_true", help="list the rows, and what is missing of each")
    parser.add_argument("--page", action="store_true", help="write the page again, and run nothing")
    return parser.parse_args()


def main() -> int:
    """Run what is missing, store each cell when it is done, and return 1 unless all that was asked for has passed."""
    arguments = parse()
    rows = [row for row in ROWS if row.name.startswith(tuple(arguments.rows) or ("",))]
    notebooks = notebook_paths(arguments.notebooks)
    if arguments.page:
        keep(stored())
        return 0
    if arguments.list or not rows:
        for row in ROWS:
            left = [path.stem[:2] for _, path in missing([row], notebooks, stored())]
            print(f"{row.name:<20} {'missing: ' + ', '.join(left) if left else 'done'}")
        return int(not rows)
    wanted = missing(rows, notebooks, [] if arguments.again else stored())
    problems = run_all(wanted, arguments.jobs)
    print("\n".join(["", *problems, PAGE.read_text(encoding="utf-8") if PAGE.is_file() else ""]))
    asked = {(row.name, path.stem) for row, path in itertools.product(rows, notebooks)}
    return int(bool(problems) or any(cell.failed for cell in stored() if (cell.row, cell.notebook) in asked))


def run_all(wanted: Sequence[tuple[Row, Path]], jobs: int) -> list[str]:
    """Run cells, some at a time, store each when it is done, and return what could not be run and why."""
    problems, prepared = [], {}
    for row in {row.name: row for row, _ in wanted}.values():
        try:
            prepared[row.name] = ready(row)
        except RuntimeError as error:
            problems.append(f"{row.name}: not run: {error}")
    with ThreadPoolExecutor(max(1, jobs)) as pool:
        started = {
            pool.submit(run_cell, prepared[row.name], path): f"{row.name}, {path.stem}"
            for row, path in wanted
            if row.name in prepared
        }
        for future in as_completed(started):
            try:
                cell = future.result()
            except RuntimeError as error:
                problems.append(f"{started[future]}: not run: {error}")
                continue
            keep(with_cell(stored(), cell))
            print(f"{started[future]}: {', '.join(cell.failed) or 'ok'}, {cell.seconds:.0f} s", flush=True)
    return problems


if __name__ == "__main__":
    sys.exit(main())
