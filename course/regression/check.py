"""The regression run: nbval executes the notebooks and compares what they print and show with what is stored.

The plugin :mod:`course.regression.plugin` compares the figures; this module says what is run, and how.
"""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args

from course import paths
from course.notebooks.images import download
from course.notebooks.running import CELL_TIMEOUT_S, default_jobs, kernel_environment, processors
from course.regression.results import refuse_under_ci
from helpers.core.image_files import Name

IMAGE_DATA: tuple[Name, ...] = get_args(Name)
STOP_S = 60  # in which pytest stops its kernels after an interrupt


def check(names: list[str], *, update: bool = False, workers: int | None = None, results: Path | None = None) -> int:
    """Run notebooks under nbval and return the exit status of the worst.

    Where a notebook's image data cannot be had, it runs on the stand-in, with shrunken budgets: executed, but neither
    its outputs nor its figures compared.

    Args:
        names: As :func:`course.paths.notebook_paths` takes them.
        update: Make figures that differ the expected ones, in place of failing.
        workers: Processes that share the notebooks, and the processors; 0 runs them in this one. Where not given, as
            many as :func:`course.notebooks.running.default_jobs`.
        results: Where results and the report go, ``executed/check`` where not given; results of the same notebooks
            are replaced.

    Raises:
        ValueError: An unknown notebook, or ``update`` where ``CI`` is set.
    """
    if update:
        refuse_under_ci()
    folder = (paths.EXECUTED / "check" if results is None else results).absolute()
    strict, lax = [], []
    for path in paths.notebook_paths(names):
        (folder / f"{path.stem}.json").unlink(missing_ok=True)
        shutil.rmtree(folder / path.stem, ignore_errors=True)
        (strict if _has_images(path) else lax).append(path)
    options = [f"--figures-results={folder}", f"--figures-expected={paths.EXPECTED}"]
    options += ["--figures-update"] * update
    if lax:
        stems = ", ".join(p.stem for p in lax)
        print(f"STAND-IN DATA: no images; executed with small budgets, but not compared: {stems}", flush=True)
    statuses = [0]
    if strict:
        statuses.append(_nbval(strict, ["--nbval", *options], folder, False, workers))
    if lax:
        statuses.append(_nbval(lax, ["--nbval-lax", *options], folder, True, workers))
    return max(statuses)


def _has_images(notebook: Path) -> bool:
    """Say whether the images that a notebook loads are here, or could be fetched."""
    source = notebook.read_text(encoding="utf-8")
    return all(download(name) is None for name in IMAGE_DATA if f'load_images(\\"{name}\\"' in source)


def _nbval(chosen: list[Path], options: list[str], folder: Path, quick: bool, workers: int | None) -> int:
    if workers is None:
        workers = default_jobs() if len(chosen) > 1 else 0
    if workers > 0:
        options = [*options, "-n", str(workers), "--dist", "loadfile", "--no-loadscope-reorder"]
    threads = max(1, processors() // max(1, workers))
    command = [
        sys.executable, "-m", "pytest", "-p", "course.regression.plugin", "-p", "no:cacheprovider", "-q",
        f"--nbval-cell-timeout={CELL_TIMEOUT_S}", *options, *map(str, reversed(chosen)),  # the later ones take longer
    ]  # fmt: skip
    environment = kernel_environment(folder / "shown", quick, threads)
    with subprocess.Popen(command, cwd=paths.ROOT, env=environment) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:  # it has reached pytest too, which stops its kernels and says where it was
            process.wait(timeout=STOP_S)
            raise
