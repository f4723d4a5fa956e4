"""Who does the work: processes of this machine (joblib's loky), or the workers of a dask cluster.

Each submission is graded in a process of its own, so that a file that kills its process takes nothing else along.
"""

import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from course.grading.judging import Graded, Options, grade_content, grade_file, unreadable
from course.notebooks import reading

ENGINES = ("loky", "dask")
LEAST_PROCESSES = 2
JOBS_PER_WORKER = 2  # that wait at a worker
LEAST_JOBS = 4  # on a cluster at a time
ANSWER = "20s"  # how long a scheduler may take
RETRIES = 3
PREFIX = "grade-"  # of a job's key on a cluster


class Entry(NamedTuple):
    """A file to grade."""

    path: Path
    key: str  # of its verdict file: readable, unique, without anything that a file name could do


def check_engine(engine: str, scheduler: str | None) -> None:
    """Refuse an engine that cannot work.

    Raises:
        ValueError: there is none of this name, or dask has no address.
    """
    if engine not in ENGINES:
        raise ValueError(f"no engine {engine!r}: expected {' or '.join(ENGINES)}")
    if engine == "dask" and not scheduler:
        raise ValueError("--engine dask needs --scheduler: the address of a running cluster, as tcp://host:8786")


# ---------------------------------------------------------------- loky


def grade_in_processes(entries: list[Entry], options: Options, workers: int) -> Iterator[tuple[Entry, Graded]]:
    """Grade files in processes of this machine, all processors where ``workers`` is 0.

    A file that kills its process is tried once more, alone, then reported.
    """
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    workers = workers or os.cpu_count() or 1
    left = {entry.key: entry for entry in entries}
    try:
        for key, graded in in_processes(entries, options, workers):
            yield left.pop(key), graded
    except TerminatedWorkerError:
        for entry in left.values():
            yield entry, grade_alone(entry, options)


def in_processes(entries: Sequence[Entry], options: Options, workers: int) -> Iterator[tuple[str, Graded]]:
    """Yield the key of each file and what became of it, in the order in which processes are ready."""
    from joblib import Parallel, delayed

    # with one process joblib would work in this one, which a file must never be able to take along
    parallel: Any = Parallel(
        n_jobs=max(workers, LEAST_PROCESSES) if entries else 1,
        backend="loky",
        return_as="generator_unordered",
        pre_dispatch=JOBS_PER_WORKER * workers,  # pyright: ignore[reportArgumentType] its types know words alone
        batch_size=1,  # pyright: ignore[reportArgumentType]
    )
    yield from parallel(delayed(grade_keyed)(entry.key, str(entry.path), options) for entry in entries)


def grade_alone(entry: Entry, options: Options) -> Graded:
    """Grade one file in a process that nothing else depends on."""
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    try:
        ((_, graded),) = in_processes([entry], options, 1)
    except TerminatedWorkerError:
        return unreadable(entry.path.name, b"", options, "the process that read it died, twice")
    return graded


def grade_keyed(key: str, path: str, options: Options) -> tuple[str, Graded]:
    return key, grade_file(path, options)


# ---------------------------------------------------------------- dask


def grade_on_cluster(entries: list[Entry], options: Options, scheduler: str | None) -> Iterator[tuple[Entry, Graded]]:
    """Grade files on a dask cluster: contents travel, so that its machines need not share our files.

    Raises:
        ValueError: dask is not installed, or no scheduler answers.
    """
    if not entries:
        return
    from distributed import as_completed  # pyright: ignore[reportMissingImports] for clusters only

    options = replace(options, data=None)
    left = {entry.key: entry for entry in entries}
    waiting = iter(entries)
    with connected(scheduler) as client:
        room = max(LEAST_JOBS, JOBS_PER_WORKER * sum(client.nthreads().values()))
        futures = as_completed(with_results=False)
        for entry in itertools.islice(waiting, room):
            futures.add(send(client, entry, options))
        for future in futures:
            entry = left.pop(future.key.removeprefix(PREFIX), None)
            if entry is not None:  # a worker that was thought lost may answer late
                yield entry, result_of(future, entry, options)
            future.release()
            following = next(waiting, None)
            if following is not None:
                futures.add(send(client, following, options))


def connected(scheduler: str | None) -> Any:
    """Return a client of a running cluster.

    Raises:
        ValueError: dask is not installed, or no scheduler answers.
    """
    try:
        from distributed import Client  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ValueError("--engine dask needs dask: pip install 'dask[distributed]'") from error
    try:
        return Client(scheduler, timeout=ANSWER)
    except OSError as error:
        raise ValueError(f"no dask scheduler answers at {scheduler}: start one, or check the address") from error


def send(client: Any, entry: Entry, options: Options) -> Any:
    """Send one file to the cluster, or the reason why it cannot be read."""
    job = {"key": f"{PREFIX}{entry.key}", "retries": RETRIES}
    try:
        content = reading.read_bytes(entry.path)
    except reading.Unreadable as error:
        return client.submit(unreadable, entry.path.name, b"", options, str(error), **job)
    return client.submit(grade_content, entry.path.name, content, options, pure=False, **job)


def result_of(future: Any, entry: Entry, options: Options) -> Graded:
    try:
        return future.result()
    except Exception as error:  # KilledWorker, and whatever a cluster does
        reason = f"the cluster could not grade it ({type(error).__name__})"
        return unreadable(entry.path.name, b"", options, reason)
