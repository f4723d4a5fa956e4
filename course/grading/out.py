"""Where grades go: into a folder of the tutor's own, which nobody who handed something in can have written to."""

import os
from collections.abc import Sequence
from pathlib import Path


def check_out(out: Path, given: Sequence[Path]) -> None:
    """Refuse a folder for grades in which what a student wrote may pass for the tutor's, or that leads elsewhere.

    Raises:
        ValueError: it lies in what is graded, where a student's own "grades" may lie; or folders in it are links.
    """
    for root in given:
        if root.is_dir() and is_in(out, root):
            raise ValueError(
                f"{out} lies in {root}, which is graded: what a student put there would pass for yours: "
                "name a folder elsewhere with --out; if your own grades lie there already, move them"
            )
    for folder, below, _ in os.walk(out, followlinks=False):
        for name in below:
            link = Path(folder, name)
            if link.is_symlink():
                raise ValueError(
                    f"{link} is a link to another folder, and grades are not written through one: remove it"
                )


def is_in(path: Path, folder: Path) -> bool:
    """Say whether a path is a folder or lies in it, as it is spelt or where links lead it."""
    return path.resolve().is_relative_to(folder.resolve()) or (
        (path.parent.resolve() / path.name).is_relative_to(folder.resolve())
    )
