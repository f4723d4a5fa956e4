"""Say which image files are here, and where they may come from."""

from typing import get_args

from rich.console import Console

from helpers.core import data

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
    for name in get_args(data.Name):
        reason = data.fetch(name) if fetch else None
        status = data.status(name)
        complete &= status.problem is None
        console.print(f"{status.title}: {status.folder} ({status.files})", soft_wrap=True, highlight=False)
        verdict = "genuine, every md5 sum is right" if status.problem is None else reason or status.problem
        console.print(f"  {verdict}", soft_wrap=True, highlight=False, markup=False)
    if not complete:
        console.print(ADVICE, soft_wrap=True)
    return int(not complete)
