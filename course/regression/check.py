"""The regression run: nbval executes the notebooks and compares what they print and show with what is stored.

The plugin :mod:`course.regression.plugin` compares the figures; this module says what is run, and how.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from course import paths
from course.notebooks.running import CELL_TIMEOUT_S, default_jobs, kernel_environment, processors
from course.regression.results import refuse_under_ci
from helpers.core.data import fetch

SANITIZE = Path(__file__).with_name("nbval_sanitize.cfg")
IMAGE_DATA = ("mnist", "fashion")


def check(names: list[str], *, update: bool = False, workers: int | None = None, results: Path | None = None) -> int:
    """Run notebooks under nbval; the exit status of the worst.

    Where a notebook's image data cannot be had, it runs on the stand-in, with shrunken budgets: executed, but neither
    its outputs nor its figures compared.

    Args:
        update: make figures that differ the expected ones, in place of failing.
        workers: processes that share the notebooks, and the processors; 0 runs them in this one. Where not given, as
            many as :func:`course.notebooks.running.default_jobs`.
        results: where results and the report go, ``executed/check`` where not given; results of the same notebooks
            are replaced.

    Raises:
        ValueError: an unknown notebook, or ``update`` where ``CI`` is set.
    """
    if update:
        refuse_under_ci()
    folder = (paths.EXECUTED / "check" if results is None else results).absolute()
    strict, lax = [], []
    for path in paths.notebook_paths(names):
        (folder / f"{path.stem}.json").unlink(missing_ok=True)
        shutil.rmtree(folder / path.stem, ignore_errors=True)
        used = [name for name in IMAGE_DATA if f'load_images(\\"{name}\\"' in path.read_text(encoding="utf-8")]
        (strict if all(fetch(name) is None for name in used) else lax).append(path)
    if lax:
        listed = ", ".join(p.stem for p in lax)
        print(f"STAND-IN DATA: no images; executed with small budgets, but not compared: {listed}", flush=True)
    options = [f"--figures-results={folder}", f"--figures-expected={paths.EXPECTED}"]
    options += ["--figures-update"] * update
    groups = [(strict, "--nbval", False), (lax, "--nbval-lax", True)]
    return max(
        (_nbval(chosen, [mode, *options], folder, quick, workers) for chosen, mode, quick in groups if chosen),
        default=0,
    )


def _nbval(chosen: list[Path], options: list[str], folder: Path, quick: bool, workers: int | None) -> int:
    if workers is None:
        workers = default_jobs() if len(chosen) > 1 else 0
    if workers > 0:
        options = [*options, "-n", str(workers), "--dist", "loadfile", "--no-loadscope-reorder"]
    threads = max(1, processors() // max(1, workers))
    command = [
        sys.executable, "-m", "pytest", "-p", "course.regression.plugin", "--nbval-current-env",
        f"--nbval-cell-timeout={CELL_TIMEOUT_S}", f"--nbval-sanitize-with={SANITIZE}", "-p", "no:cacheprovider", "-q",
        *options, *map(str, reversed(chosen)),  # the later ones take longer
    ]  # fmt: skip
    with subprocess.Popen(command, cwd=paths.ROOT, env=kernel_environment(folder / "shown", quick, threads)) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:  # it has reached pytest too, which stops its kernels and says where it was
            process.wait(timeout=60)
            raise
