"""Grade a class: collect what was handed in, grade each notebook, and write what a tutor and the students read.

Each notebook leaves a verdict file; a second call grades what is missing.
"""

import contextlib
import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from course import assignments
from course.grading import engines, telling
from course.grading.engines import Entry
from course.grading.judging import Graded, Options, rerun_package
from course.grading.leftovers import remove_leftovers
from course.grading.out import check_out
from course.grading.outcomes import Outcome, not_graded, of_row
from course.grading.telling import Telling
from course.grading.verdicts import BY_SEVERITY, Finding, StoredPicture, Verdict
from course.grading.worker import is_end_of_judging
from course.inbox import collect as inbox
from course.inbox.archives import Reader
from course.inbox.collect import Collected
from course.inbox.roster import read_roster
from course.inbox.rows import Row, counts, ignored_text, unknown_assignment
from course.notebooks.reading import printable
from course.notebooks.visible import quoted, visible
from helpers.core.files import write_whole

LONGEST_KEY = 60  # characters of a file's name in its key
DIGEST = 12  # characters of a key that make it unique
OPENED = "opened"  # the folder of notebooks that lay in zips
TRIED = "tried"  # the folder of notes on files whose judging ended once


class Job(NamedTuple):
    """One row to grade, where it lies as a file, and how."""

    row: Row
    entry: Entry
    options: Options


def grade(
    paths: list[str],
    out: Path,
    options: Options,
    *,
    workers: int = 0,
    engine: str = "local",
    scheduler: str | None = None,
    console: Console | None = None,
    tell: Telling | None = None,
) -> list[Verdict]:
    """Grade all that was handed in under ``paths`` into ``out``; return the verdicts in the order of the files.

    Args:
        workers: processes; all processors where 0.
        engine: ``"local"``, or ``"dask"`` for a cluster at ``scheduler``.
        tell: what else to read and to write besides the verdicts: roster, deadline, worksheet, feedback.

    Raises:
        ValueError: nothing was handed in, an unknown assignment or engine, dask without an address, or ``out`` is a
            folder in which what a student wrote may pass for ours.
        OSError: ``out`` cannot be written to.
    """
    tell = tell or Telling()
    if options.assignment is not None:
        options = replace(options, assignment=assignments.find(options.assignment).key)
    engines.check_engine(engine, scheduler)
    console = console or Console()
    check_out(out, [Path(path) for path in paths])
    remove_leftovers(out)
    ready = telling.prepared(out, tell)  # what cannot be read is said before anything is graded
    collected = collect(paths, out, options, tell)
    for line in collected.layouts:
        console.print(visible(line), markup=False, highlight=False, soft_wrap=True)
    with Reader() as reader:
        jobs = [job_of(row, out, options, reader) for row in collected.rows]
    present = [job for job in jobs if job is not None]
    missing = [job for job in present if load(out, job.entry) is None]
    if options.rerun and missing:
        options = prepare_rerun(options, console)
    results = graded_jobs(missing, options, workers, engine, scheduler)
    faults = store_all(out, results, len(missing), len(present), console)
    say_faults(faults, console)
    outcomes = [outcome_of(row, job, out, options, faults) for row, job in zip(collected.rows, jobs, strict=True)]
    outcomes = telling.write(out, outcomes, ready, console)
    for line in filter(None, (ignored_text(collected.ignored), counts([o.row for o in outcomes]))):
        console.print(visible(line), markup=False, highlight=False, soft_wrap=True)
    return [outcome.verdict for outcome in outcomes if outcome.verdict is not None]


def collect(paths: list[str], out: Path, options: Options, tell: Telling) -> Collected:
    """Return rows of all that was handed in; the tutor's own files are none of it."""
    own = [path for path in (tell.roster, tell.worksheet, tell.feedback_zip) if path is not None]
    people = read_roster(tell.roster) if tell.roster else []
    return inbox.collect(paths, layout=tell.layout, assignment=options.assignment, people=people, leave=[out, *own])


def job_of(row: Row, out: Path, options: Options, reader: Reader) -> Job | None:
    """Return how to grade a row; None where it does not count, or a person has to look at it instead."""
    if row.status != "graded" or row.problem or unknown_assignment(row):
        return None
    options = replace(options, assignment=row.assignment)
    return Job(row, entry_of(row, out, options, reader), options)


def graded_jobs(
    jobs: Sequence[Job], options: Options, workers: int, engine: str, scheduler: str | None
) -> Iterator[tuple[Entry, Graded]]:
    """Grade files, one assignment after the other."""
    for key in dict.fromkeys(job.options.assignment for job in jobs):
        entries = [job.entry for job in jobs if job.options.assignment == key]
        of_key = replace(options, assignment=key)
        if engine == "dask":
            yield from engines.grade_on_cluster(entries, of_key, scheduler)
        else:
            yield from engines.grade_in_processes(entries, of_key, workers)


def outcome_of(row: Row, job: Job | None, out: Path, options: Options, faults: Mapping[str, Verdict]) -> Outcome:
    """Return a row with its verdict; one that the grader could not take has to be looked at."""
    if row.status != "graded":
        return Outcome(row)
    if job is None:
        return Outcome(row, not_graded(row, options), link_to(row.place.path, out))
    verdict = faults.get(job.entry.key) or load(out, job.entry)
    return Outcome(
        row, not_graded(row, options) if verdict is None else of_row(row, verdict), link_to(job.entry.path, out)
    )


def link_to(path: Path, out: Path) -> str:
    """Return a file's path from the page's folder."""
    with contextlib.suppress(ValueError):  # on another drive, under Windows
        return Path(os.path.relpath(path.absolute(), out.absolute())).as_posix()
    return path.absolute().as_posix()


def prepare_rerun(options: Options, console: Console) -> Options:
    """Make the images that reruns take, and say what the sandbox cannot keep out.

    Raises:
        ValueError: nothing can be run again here.
    """
    rerun = rerun_package()
    missing = rerun.isolation().missing
    if missing and (not options.without_sandbox or not sys.platform.startswith("linux")):
        raise ValueError(f"{missing} Grade from outputs, without --rerun, or install what is missing.")
    if missing:
        console.print(missing, style="bold", markup=False)
    return replace(options, data=options.data or str(rerun.digits()))


def store_all(
    out: Path, results: Iterator[tuple[Entry, Graded]], missing: int, total: int, console: Console
) -> dict[str, Verdict]:
    """Write verdicts as they come, under a bar of progress; return those that are none: faults of the machine's."""
    faults: dict[str, Verdict] = {}
    columns = TextColumn("grading"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console) as bars:
        bar = bars.add_task("", total=total, completed=total - missing)
        for entry, graded in results:
            graded = graded if not ended_again(out, entry, graded) else given_up(entry, graded)
            if graded.fault:
                faults[entry.key] = replace(graded.verdict, path=printable(str(entry.path)))
            else:
                store(out, entry, graded)
            bars.advance(bar)
    return faults


def ended_again(out: Path, entry: Entry, graded: Graded) -> bool:
    """Say whether judging a file ended, and did so in an earlier call, too; of the first time a note is kept."""
    note = out / TRIED / entry.key
    if not graded.fault or not is_end_of_judging(graded.fault):
        return False
    if note.exists():
        return True
    write_whole(note, graded.fault.encode())
    return False


def given_up(entry: Entry, graded: Graded) -> Graded:
    """Return the verdict that a person has to judge a file, lest each call lose time over it."""
    reason = f"{graded.fault}, in two calls"
    note = f"{reason}: judge it by hand, or delete verdicts/{entry.key}.json and grade again"
    doubt = Finding("LOOK", "never_judged", reason)
    verdict = graded.verdict
    tasks = {name: replace(task, findings=(doubt,) if task.findings else ()) for name, task in verdict.tasks.items()}
    return Graded(replace(verdict, tasks=tasks, note=note), [])


def say_faults(faults: dict[str, Verdict], console: Console) -> None:
    """Name the files that were not judged, by no fault of theirs."""
    if faults:
        console.print(
            f"{len(faults)} files were not judged, by no fault of theirs; call grade again to try them again:"
        )
    for verdict in faults.values():
        console.print(visible(f"  {quoted(verdict.file)}: {verdict.note}"), markup=False, highlight=False)


# ---------------------------------------------------------------- files


def entry_of(row: Row, out: Path, options: Options, reader: Reader) -> Entry:
    """Return a row's file with the key of its verdict: another content, or other options, are another verdict."""
    place = row.notebook or row.place
    where = f"{place.path.absolute()} {place.members} {row.sha256} {options.key}"
    digest = hashlib.sha256(where.encode(errors="surrogateescape")).hexdigest()[:DIGEST]
    return Entry(opened_file(row, out, reader), f"{slug_of(row)}-{digest}")


def opened_file(row: Row, out: Path, reader: Reader) -> Path:
    """Return a row's notebook as a file; one that lies in a zip is copied out of it, under a name of our own."""
    place = row.notebook or row.place
    if not place.members:
        return place.path
    path = out / OPENED / row.sha256[:DIGEST] / f"{slug_of(row)}.ipynb"
    if not path.exists():
        write_whole(path, reader.read(place))
    return path


def slug_of(row: Row) -> str:
    """Return a notebook's name without anything that a name could do."""
    return re.sub(r"[^A-Za-z0-9]+", "_", Path(row.name).stem).strip("_")[:LONGEST_KEY] or "unnamed"


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
    verdict = replace(graded.verdict, path=printable(str(entry.path)), pictures=tuple(pictures))
    text = json.dumps(verdict.to_json(), indent=1, ensure_ascii=True)
    write_whole(verdict_file(out, entry), text.encode())


def load(out: Path, entry: Entry) -> Verdict | None:
    """Return the verdict on a file, None where there is none that can be read."""
    with contextlib.suppress(OSError, ValueError):
        return Verdict.from_json(json.loads(verdict_file(out, entry).read_bytes()))
    return None


def summary(verdicts: list[Verdict], started: float) -> str:
    counts = ", ".join(f"{sum(v.verdict == level for v in verdicts)} {level}" for level in BY_SEVERITY)
    return f"{len(verdicts)} submissions: {counts}; {time.monotonic() - started:.0f} s"
