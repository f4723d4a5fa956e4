"""Say which image files are here, and have those downloaded that are missing."""

import os
import subprocess
import sys
from typing import get_args

from rich.console import Console

from course.paths import SOURCES
from helpers.core.image_files import Name, is_present, status

ADVICE = (
    "Notebooks whose images are missing run on an offline stand-in. To have the genuine ones: "
    "python -m course data --fetch, or set DATA_ROOT to a folder that holds MNIST/raw and FashionMNIST/raw."
)


def print_status(fetch: bool) -> int:
    """Print where each data set lies and whether its md5 sums are right; return 1 where one is not, else 0.

    Args:
        fetch: Download what is missing, first.
    """
    console, complete = Console(), True
    for name in get_args(Name):
        reason = download(name) if fetch else None
        title, folder, files, problem = status(name)
        complete &= problem is None
        console.print(f"{title}: {folder} ({files})", soft_wrap=True, highlight=False)
        verdict = "genuine, every md5 sum is right" if problem is None else reason or problem
        console.print(f"  {verdict}", soft_wrap=True, highlight=False, markup=False)
    if not complete:
        console.print(ADVICE, soft_wrap=True)
    return int(not complete)


def download(name: Name) -> str | None:
    """Let another process, which imports torchvision, download what is missing; return the reason where that fails."""
    if is_present(name):
        return None
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(SOURCES), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-m", "helpers.core.data", name]
    run = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    return run.stdout or (None if run.returncode == 0 else "the download failed")
