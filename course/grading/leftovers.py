"""Remove what a grader left that was killed: half-written files beside the grades, folders in the system's own place.

Only what is a week old goes, so that nothing is taken from a grader that still works.
"""

import contextlib
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

SANDBOX, DIGITS = "vae-course-sandbox-", "vae-course-digits-"  # how our temporary folders begin
OLD_S = 7 * 24 * 3600.0  # the reruns of a large class may take more than a day


def remove_leftovers(out: Path) -> None:
    """Remove old leftovers in a folder of grades and in the system's temporary one; what cannot be removed stays."""
    for path in list(leftovers(out)):
        with contextlib.suppress(OSError):
            if time.time() - path.lstat().st_mtime > OLD_S:
                remove(path)


FOLDERS = (".written", "expected", "feedback", "figures", "opened", "tried", "verdicts")  # that grading makes
HALF_WRITTEN = re.compile(r"\..{1,250}\.\d{1,9}\.part")  # as write_whole names them: a name, and a process's number


def leftovers(out: Path) -> Iterator[Path]:
    """Yield what a killed grader may have left, of any age."""
    for folder in (out, *(out / name for name in FOLDERS)):
        parts = folder.glob("**/.*.part") if folder != out and not folder.is_symlink() else folder.glob(".*.part")
        yield from (path for path in parts if HALF_WRITTEN.fullmatch(path.name) and path.is_file())
    for start in (SANDBOX, DIGITS):
        yield from Path(tempfile.gettempdir()).glob(f"{start}*")


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink()
