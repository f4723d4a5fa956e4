"""Grade a class: one verdict a submission, from its outputs, and from a rerun in a sandbox where asked.

Each submission is graded in a process of its own (joblib's loky, or the workers of a dask cluster) and leaves a
verdict file; a second call does what is missing. Nothing in a submission is executed or unpickled here.
"""

import contextlib
import hashlib
import importlib
import itertools
import json
import os
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from course.assignments import ASSIGNMENTS, Assignment, Task
from course.assignments.task import FILE
from course.grading import evidence, outputs
from course.grading.oracles import Finding
from helpers.core.files import write_whole

RANK = {"PASS": 0, "LOOK": 1, "FAIL": 2}
VERSION = 2  # of the rubric and its checks: verdicts of another one are not taken over
MOST_PICTURE = 4 * evidence.MEGA


@dataclass(frozen=True)
class Options:
    """How to grade; the same for a whole class."""

    assignment: str | None = None  # None: the one that each file's name ends in
    rerun: bool = False
    seconds: float = 600.0
    memory_mb: int = 4096
    data: str | None = None  # the folder of small digits for reruns
    definitions: bool = False  # rerun only imports, functions, classes and constants: for trying the grader itself

    @property
    def key(self) -> str:
        return f"{VERSION} {self.assignment} {self.rerun}"


class Graded(NamedTuple):
    """A verdict, as JSON, and the pictures that the tutor's page shows."""

    verdict: dict[str, Any]
    pictures: list[tuple[str, bytes, str]]  # task, PNG, and the expected figure that it is named after


# ---------------------------------------------------------------- one submission


def grade_file(path: str, options: Options) -> Graded:
    """Grade one file; whatever is wrong with it becomes part of the verdict, never an exception."""
    try:
        return grade_content(Path(path).name, evidence.read_bytes(Path(path)), options)
    except evidence.Unreadable as error:
        return unreadable(Path(path).name, b"", options, str(error))


def grade_content(name: str, content: bytes, options: Options) -> Graded:
    """The same for the bytes of a file, for workers that do not see the file system it lies in."""
    try:
        submission = evidence.parse(name, content)
        assignment = choose(submission, options)
        if assignment is None:
            return unreadable(name, content, options, "its name does not say which assignment it is; use --assignment")
        found = outputs.judge(submission, assignment)
        note = None
        if options.rerun:
            again, note = importlib.import_module("course.grading.rerun").rerun(submission, assignment, options)
            found = merge(found, again)
        return assemble(submission, assignment, content, found, note, options)
    except evidence.Unreadable as error:
        return unreadable(name, content, options, str(error))
    except Exception as error:  # a mistake of ours must not stop a class, nor pass for the student's
        return unreadable(name, content, options, f"the grader failed on it ({type(error).__name__}: {error})"[:300])


def choose(submission: evidence.Submission, options: Options) -> Assignment | None:
    return ASSIGNMENTS.get(options.assignment or submission.what or "")


def unreadable(name: str, content: bytes, options: Options, why: str) -> Graded:
    who, what = evidence.named(name)
    what = options.assignment or what or ""
    assignment = ASSIGNMENTS.get(what)
    found = [Finding("file", "LOOK", "unreadable", why)]
    tasks = assignment.graded if assignment else (FILE,)
    return Graded(as_json(name, who, what, tasks, content, found, why, options), [])


def merge(stored: list[Finding], again: list[Finding]) -> list[Finding]:
    """What a rerun settles need not be looked for in the outputs: a missing number, say, that it measured itself."""
    settled = {f.task for f in again if f.level == "PASS"} - {f.task for f in again if f.level != "PASS"}
    dropped = {"numbers_missing", "betas_missing", "unclear"}
    return [f for f in stored if not (f.level == "LOOK" and f.code in dropped and f.task in settled)] + again


def assemble(submission, assignment: Assignment, content: bytes, found: list[Finding], note, options) -> Graded:
    verdict = as_json(submission.name, submission.who, assignment.key, assignment.graded, content, found, note, options)
    belongs = outputs.assign(submission.figures, assignment)
    pictures = []
    for task in assignment.tasks:
        named = [(p.png, outputs.named_after(p, task)) for p in belongs.get(task.name, ([], False))[0]]
        for png, match in sorted(named, key=lambda n: not n[1])[: max(4, len(task.expected))]:
            if len(png) < MOST_PICTURE and evidence.safe_size(png):
                pictures.append((task.name, png, match))
    return Graded(verdict, pictures)


def as_json(
    name, who, what, tasks: Iterable[Task], content: bytes, found: list[Finding], note, options
) -> dict[str, Any]:
    per_task = {}
    for task in tasks:
        mine = list(dict.fromkeys(f for f in found if f.task == task.name))
        per_task[task.name] = {
            "verdict": verdict_of(mine),
            "findings": [{"level": f.level, "code": f.code, "evidence": f.evidence[:500]} for f in mine[:40]],
        }
    overall = max((t["verdict"] for t in per_task.values()), key=RANK.get)
    return {
        "file": name, "name": who, "assignment": what, "verdict": overall, "tasks": per_task, "note": note,
        "sha256": hashlib.sha256(content).hexdigest(), "options": options.key,
    }  # fmt: skip


def verdict_of(findings: list[Finding]) -> str:
    """FAIL by one failure, LOOK by one doubt or by no evidence at all, else PASS."""
    return max((f.level for f in findings), key=RANK.get, default="LOOK")


# ---------------------------------------------------------------- a class


class Entry(NamedTuple):
    path: Path
    key: str  # of its verdict file: readable, unique, without anything that a file name could do


def find(paths: Iterable[str]) -> list[Path]:
    """Notebooks: files as given, folders searched. Links are listed, and refused when they are read.

    Raises:
        ValueError: a path that does not exist, or none at all.
    """
    found: list[Path] = []
    for given in paths:
        path = Path(given)
        if path.is_dir() and not path.is_symlink():
            found += sorted(
                Path(folder) / name
                for folder, folders, names in os.walk(path, followlinks=False)
                for name in names
                if name.endswith(".ipynb") and ".ipynb_checkpoints" not in folder
            )
        elif path.exists() or path.is_symlink():
            found.append(path)
        else:
            raise ValueError(f"{given} does not exist: expected notebooks, or a folder of them")
    if not found:
        raise ValueError("no notebook found: expected files that end in .ipynb, or a folder of them")
    return list(dict.fromkeys(found))


def entry(path: Path, options: Options) -> Entry:
    try:
        content = evidence.read_bytes(path)
    except evidence.Unreadable:
        content = b""
    digest = hashlib.sha256(str(path.absolute()).encode(errors="surrogateescape") + content + options.key.encode())
    slug = re.sub(r"[^A-Za-z0-9]+", "_", path.stem).strip("_")[:60] or "unnamed"
    return Entry(path, f"{slug}-{digest.hexdigest()[:12]}")


def grade(
    paths: list[str],
    out: Path,
    options: Options,
    *,
    workers: int = 0,
    engine: str = "loky",
    scheduler: str | None = None,
    console: Console | None = None,
) -> list[dict[str, Any]]:
    """Grade all notebooks under ``paths`` into ``out``; verdicts in the order of the files.

    Args:
        workers: processes; all processors where 0.
        engine: ``"loky"``, or ``"dask"`` for a cluster at ``scheduler``.

    Raises:
        ValueError: no notebook, an unknown assignment or engine, or dask without an address.
        OSError: ``out`` cannot be written to.
    """
    from course.grading import feedback

    if options.assignment is not None and options.assignment not in ASSIGNMENTS:
        raise ValueError(f"no assignment {options.assignment!r}: expected one of {', '.join(ASSIGNMENTS)}")
    if engine not in ("loky", "dask"):
        raise ValueError(f"no engine {engine!r}: expected loky or dask")
    if engine == "dask" and not scheduler:
        raise ValueError("--engine dask needs --scheduler: the address of a running cluster, as tcp://host:8786")
    console = console or Console()
    entries = [entry(path, options) for path in find(paths)]
    verdicts = out / "verdicts"
    todo = [e for e in entries if load(verdicts, e) is None]
    if options.rerun and todo:
        again = importlib.import_module("course.grading.rerun")
        options = replace(options, data=options.data or str(again.digits()))
        if again.isolation().missing:
            console.print(f"[bold]{again.isolation().missing}[/bold]")
    done = (
        run_dask(todo, options, scheduler) if engine == "dask" else run_loky(todo, options, workers or os.cpu_count())
    )
    columns = TextColumn("grading"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console) as bars:
        task = bars.add_task("", total=len(entries), completed=len(entries) - len(todo))
        for graded_entry, graded in done:
            store(out, graded_entry, graded)
            bars.advance(task)
    found = [(e, load(verdicts, e)) for e in entries]
    feedback.write(out, [(e, v) for e, v in found if v is not None])
    return [v for _, v in found if v is not None]


def store(out: Path, e: Entry, graded: Graded) -> None:
    """Pictures first, the verdict last: where it exists, all of it does."""
    names = []
    for number, (task, png, match) in enumerate(graded.pictures):
        kind = "png" if png.startswith(b"\x89PNG") else "jpg"
        write_whole(out / "figures" / f"{e.key}-{number}.{kind}", png)
        names.append([task, f"figures/{e.key}-{number}.{kind}", match])
    content = {**graded.verdict, "path": str(e.path), "pictures": names}
    text = json.dumps(content, indent=1, ensure_ascii=True)
    write_whole(out / "verdicts" / f"{e.key}.json", text.encode())


def load(folder: Path, e: Entry) -> dict[str, Any] | None:
    with contextlib.suppress(OSError, ValueError):
        verdict = json.loads((folder / f"{e.key}.json").read_bytes())
        if isinstance(verdict, dict) and "tasks" in verdict:
            return verdict
    return None


def run_loky(todo: list[Entry], options: Options, workers: int) -> Iterator[tuple[Entry, Graded]]:
    """One process a submission at a time. A file that kills its process is tried once more, alone, then reported."""
    from joblib import Parallel, delayed
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    left = {e.key: e for e in todo}
    jobs = (delayed(_keyed)(e.key, str(e.path), options) for e in todo)
    # with one process joblib would work in this one, which a file must never be able to take along
    parallel = Parallel(n_jobs=max(workers, 2) if todo else 1, backend="loky", return_as="generator_unordered",
                        pre_dispatch=2 * workers, batch_size=1)  # fmt: skip
    try:
        for key, graded in parallel(jobs):
            yield left.pop(key), graded
    except TerminatedWorkerError:
        for key, e in list(left.items()):
            try:
                _, graded = Parallel(n_jobs=2, backend="loky")([delayed(_keyed)(key, str(e.path), options)])[0]
            except TerminatedWorkerError:
                graded = unreadable(e.path.name, b"", options, "the process that read it died, twice")
            yield left.pop(key), graded


def _keyed(key: str, path: str, options: Options) -> tuple[str, Graded]:
    return key, grade_file(path, options)


def _keyed_content(key: str, name: str, content: bytes, options: Options) -> tuple[str, Graded]:
    return key, grade_content(name, content, options)


def run_dask(todo: list[Entry], options: Options, scheduler: str | None) -> Iterator[tuple[Entry, Graded]]:
    """The same work on a dask cluster: contents travel, so that its machines need not share our files.

    Raises:
        ValueError: dask is not installed, or no scheduler answers.
    """
    if not todo:
        return
    try:
        from distributed import Client, as_completed
    except ImportError as error:
        raise ValueError("--engine dask needs dask: pip install 'dask[distributed]'") from error
    try:
        client = Client(scheduler, timeout="20s")
    except OSError as error:
        raise ValueError(f"no dask scheduler answers at {scheduler}: start one, or check the address") from error
    options = replace(options, data=None)
    left = {e.key: e for e in todo}
    waiting = iter(todo)
    with client:
        room = max(4, 2 * sum(client.nthreads().values()))
        running = as_completed(with_results=False)

        def submit(e: Entry):
            try:
                content = evidence.read_bytes(e.path)
            except evidence.Unreadable as error:
                return client.submit(
                    _unreadable, e.key, e.path.name, options, str(error), key=f"grade-{e.key}", retries=3
                )
            return client.submit(
                _keyed_content, e.key, e.path.name, content, options, key=f"grade-{e.key}", retries=3, pure=False
            )

        for e in itertools.islice(waiting, room):
            running.add(submit(e))
        for future in running:
            key = future.key.removeprefix("grade-")
            try:
                _, graded = future.result()
            except Exception as error:  # KilledWorker, and whatever a cluster does
                why = f"the cluster could not grade it ({type(error).__name__})"
                graded = unreadable(left[key].path.name, b"", options, why)
            future.release()
            if key in left:  # a worker that was thought lost may answer late
                yield left.pop(key), graded
            following = next(waiting, None)
            if following is not None:
                running.add(submit(following))


def _unreadable(key: str, name: str, options: Options, why: str) -> tuple[str, Graded]:
    return key, unreadable(name, b"", options, why)


def summary(verdicts: list[dict[str, Any]], started: float) -> str:
    counts = {level: sum(v["verdict"] == level for v in verdicts) for level in ("PASS", "LOOK", "FAIL")}
    parts = ", ".join(f"{n} {level}" for level, n in counts.items())
    return f"{len(verdicts)} submissions: {parts}; {time.monotonic() - started:.0f} s"
