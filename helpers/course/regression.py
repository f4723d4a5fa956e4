"""The regression run: nbval executes the notebooks and compares what they print with what is stored."""

import subprocess
import sys
from pathlib import Path

from helpers.core.data import fetch
from helpers.course.run import CELL_TIMEOUT_S, EXECUTED, ROOT, find, kernel_environment

SANITIZE = Path(__file__).with_name("nbval_sanitize.cfg")
IMAGE_DATA = ("mnist", "fashion")


def check(names: list[str]) -> int:
    """Run notebooks under nbval; the exit status of the worst.

    Where a notebook's image data cannot be had, it runs on the stand-in, with shrunken budgets: executed, but its
    outputs not compared.
    """
    strict, lax = [], []
    for path in find(names):
        used = [name for name in IMAGE_DATA if f'load_images(\\"{name}\\"' in path.read_text(encoding="utf-8")]
        (strict if all(fetch(name) is None for name in used) else lax).append(path)
    if lax:
        listed = ", ".join(p.stem for p in lax)
        print(f"STAND-IN DATA: no images; executed with small budgets, but not compared: {listed}", flush=True)
    groups = [(strict, "--nbval", False), (lax, "--nbval-lax", True)]
    return max((_nbval(paths, mode, quick) for paths, mode, quick in groups if paths), default=0)


def _nbval(paths: list[Path], mode: str, quick: bool) -> int:
    command = [
        sys.executable, "-m", "pytest", mode, "--nbval-current-env", f"--nbval-cell-timeout={CELL_TIMEOUT_S}",
        f"--nbval-sanitize-with={SANITIZE}", "-p", "no:cacheprovider", "-q", "--durations=3", *map(str, paths),
    ]  # fmt: skip
    return subprocess.run(command, cwd=ROOT, env=kernel_environment(EXECUTED / "checked", quick)).returncode
