"""Grade a class: find its files, grade each of them, and write what a tutor and the students read.

Each submission leaves a verdict file; a second call grades what is missing.
"""

import contextlib
import hashlib
import json
import os
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from course import assignments
from course.grading import engines, feedback
from course.grading.engines import Entry
from course.grading.judging import Graded, Options, rerun_package
from course.grading.verdicts import LEVELS, StoredPicture, Verdict
from course.notebooks import reading
from helpers.core.files import write_whole

LONGEST_KEY = 60  # characters of a file's name in its key
DIGEST = 12  # characters of a key that make it unique


def grade(
    paths: list[str],
    out: Path,
    options: Options,
    *,
    workers: int = 0,
    engine: str = "loky",
    scheduler: str | None = None,
    console: Console | None = None,
) -> list[Verdict]:
    """Grade all notebooks under ``paths`` into ``out``; return the verdicts in the order of the files.

    Args:
        workers: processes; all processors where 0.
        engine: ``"loky"``, or ``"dask"`` for a cluster at ``scheduler``.

    Raises:
        ValueError: no notebook, an unknown assignment or engine, or dask without an address.
        OSError: ``out`` cannot be written to.
    """
    if options.assignment is not None:
        options = replace(options, assignment=assignments.find(options.assignment).key)
    engines.check_engine(engine, scheduler)
    console = console or Console()
    entries = [entry_of(path, options) for path in submitted_files(paths)]
    missing = [entry for entry in entries if load(out, entry) is None]
    if options.rerun and missing:
        options = prepare_rerun(options, console)
    if engine == "dask":
        results = engines.grade_on_cluster(missing, options, scheduler)
    else:
        results = engines.grade_in_processes(missing, options, workers)
    store_all(out, results, len(missing), len(entries), console)
    graded = [(entry.key, verdict) for entry in entries if (verdict := load(out, entry)) is not None]
    feedback.write(out, graded)
    return [verdict for _, verdict in graded]


def prepare_rerun(options: Options, console: Console) -> Options:
    """Make the images that reruns take, and say what the sandbox cannot keep out."""
    rerun = rerun_package()
    if rerun.isolation().missing:
        console.print(f"[bold]{rerun.isolation().missing}[/bold]")
    return replace(options, data=options.data or str(rerun.digits()))


def store_all(out: Path, results: Iterator[tuple[Entry, Graded]], missing: int, total: int, console: Console) -> None:
    """Write verdicts as they come, under a bar of progress."""
    columns = TextColumn("grading"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console) as bars:
        bar = bars.add_task("", total=total, completed=total - missing)
        for entry, graded in results:
            store(out, entry, graded)
            bars.advance(bar)


# ---------------------------------------------------------------- files


def submitted_files(paths: Iterable[str]) -> list[Path]:
    """Return notebooks: files as they are named, folders searched. Links are listed, and refused when they are read.

    Raises:
        ValueError: a path that does not exist, or none at all.
    """
    files: list[Path] = []
    for name in paths:
        path = Path(name)
        if path.is_dir() and not path.is_symlink():
            files += sorted(notebooks_in(path))
        elif path.exists() or path.is_symlink():
            files.append(path)
        else:
            raise ValueError(f"{name} does not exist: expected notebooks, or a folder of them")
    if not files:
        raise ValueError("no notebook found: expected files that end in .ipynb, or a folder of them")
    return list(dict.fromkeys(files))


def notebooks_in(root: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(root, followlinks=False):
        if ".ipynb_checkpoints" not in folder:
            yield from (Path(folder) / name for name in names if name.endswith(".ipynb"))


def entry_of(path: Path, options: Options) -> Entry:
    """Return a file with the key of its verdict: another content, or other options, are another verdict."""
    try:
        content = reading.read_bytes(path)
    except reading.Unreadable:
        content = b""
    digest = hashlib.sha256(str(path.absolute()).encode(errors="surrogateescape") + content + options.key.encode())
    slug = re.sub(r"[^A-Za-z0-9]+", "_", path.stem).strip("_")[:LONGEST_KEY] or "unnamed"
    return Entry(path, f"{slug}-{digest.hexdigest()[:DIGEST]}")


# ---------------------------------------------------------------- verdicts


def verdict_file(out: Path, entry: Entry) -> Path:
    return out / "verdicts" / f"{entry.key}.json"


def store(out: Path, entry: Entry, graded: Graded) -> None:
    """Write pictures first, the verdict last: where it exists, all of it does."""
    pictures = []
    for number, picture in enumerate(graded.pictures):
        suffix = "png" if picture.content.startswith(b"\x89PNG") else "jpg"
        name = f"figures/{entry.key}-{number}.{suffix}"
        write_whole(out / name, picture.content)
        pictures.append(StoredPicture(picture.task, name, picture.expected))
    verdict = replace(graded.verdict, path=str(entry.path), pictures=tuple(pictures))
    text = json.dumps(verdict.to_json(), indent=1, ensure_ascii=True)
    write_whole(verdict_file(out, entry), text.encode())


def load(out: Path, entry: Entry) -> Verdict | None:
    """Return the verdict on a file, None where there is none that can be read."""
    with contextlib.suppress(OSError, ValueError):
        return Verdict.from_json(json.loads(verdict_file(out, entry).read_bytes()))
    return None


def summary(verdicts: list[Verdict], started: float) -> str:
    counts = ", ".join(f"{sum(v.verdict == level for v in verdicts)} {level}" for level in LEVELS)
    return f"{len(verdicts)} submissions: {counts}; {time.monotonic() - started:.0f} s"
