"""Who does the work: processes of this machine, or those that the workers of a dask cluster start beside themselves.

Each submission is judged under limits, in a process on which no other one depends at that time.
"""

import itertools
import os
import queue
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from course.grading.judging import Graded, Options, unreadable
from course.grading.worker import MEMORY_UP, TIME_UP, Job, Worker, fault, judge_on_cluster
from course.notebooks import reading

ENGINES = ("local", "dask")
FINAL = (TIME_UP, MEMORY_UP)  # the same would happen again at once
JOBS_PER_WORKER = 2  # that wait at a worker
LEAST_JOBS = 4  # on a cluster at a time
ANSWER = "20s"  # how long a scheduler may take
RETRIES = 3
POLL_S = 0.1
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


# ---------------------------------------------------------------- this machine


def grade_in_processes(entries: list[Entry], options: Options, workers: int) -> Iterator[tuple[Entry, Graded]]:
    """Grade files in processes of this machine, as many as it has processors where ``workers`` is 0.

    A file whose process was killed is tried once more, after all others.
    """
    again = []
    for entry, graded in in_threads(entries, options, workers or os.cpu_count() or 1):
        if graded.fault:
            again.append((entry, graded))
        else:
            yield entry, graded
    for entry, graded in again:
        yield entry, graded if graded.fault in FINAL else next(in_threads([entry], options, 1))[1]


def in_threads(entries: list[Entry], options: Options, workers: int) -> Iterator[tuple[Entry, Graded]]:
    """Yield files as they are judged, each by one of so many processes; a thread waits for each of these."""
    waiting: queue.SimpleQueue[Worker] = queue.SimpleQueue()
    workers = min(workers, max(len(entries), 1))
    processes = [Worker() for _ in range(workers)]
    for process in processes:
        waiting.put(process)

    def judge(entry: Entry) -> tuple[Entry, Graded]:
        process = waiting.get()
        try:
            return entry, process.judge(Job(entry.path.name, str(entry.path), b"", options))
        finally:
            waiting.put(process)

    pool = ThreadPoolExecutor(workers)
    try:
        for future in as_completed([pool.submit(judge, entry) for entry in entries]):
            yield future.result()
    finally:  # the last one, or somebody pressed Ctrl-C: what was started ends
        pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.end()
        pool.shutdown()


# ---------------------------------------------------------------- dask


def grade_on_cluster(entries: list[Entry], options: Options, scheduler: str | None) -> Iterator[tuple[Entry, Graded]]:
    """Grade files on a dask cluster: contents travel, so that its machines need not share our files.

    Raises:
        ValueError: dask is not installed, or no scheduler answers.
    """
    if not entries:
        return
    from distributed import as_completed as completed  # pyright: ignore[reportMissingImports] for clusters only

    options = replace(options, data=None)
    left = {entry.key: entry for entry in entries}
    waiting = iter(entries)
    with connected(scheduler) as client:
        wait_for_workers(client, scheduler)
        room = max(LEAST_JOBS, JOBS_PER_WORKER * sum(client.nthreads().values()))
        futures = completed(with_results=False)
        for entry in itertools.islice(waiting, room):
            futures.add(send(client, entry, options))
        for future in until_lost(client, futures):
            entry = left.pop(future.key.removeprefix(PREFIX), None)
            if entry is not None:  # a worker that was thought lost may answer late
                yield entry, result_of(future, entry, options)
            future.release()
            following = next(waiting, None)
            if following is not None:
                futures.add(send(client, following, options))
    for entry in left.values():
        yield entry, fault(Job(entry.path.name, None, b"", options), "the cluster's scheduler went away")


def until_lost(client: Any, futures: Any) -> Iterator[Any]:
    """Yield jobs as they end, until there are none, or their scheduler is gone: its jobs then never end."""
    while not futures.is_empty():
        if futures.has_ready():
            yield next(futures)
        elif client.status != "running":
            return
        else:
            time.sleep(POLL_S)


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


def wait_for_workers(client: Any, scheduler: str | None) -> None:
    """Wait for the first worker of a cluster.

    Raises:
        ValueError: it has none.
    """
    try:
        client.wait_for_workers(1, timeout=ANSWER)
    except Exception as error:  # a timeout, of one of several classes
        raise ValueError(
            f"the dask scheduler at {scheduler} has no workers: start some (dask worker {scheduler}), or grade without "
            "--engine dask"
        ) from error


def send(client: Any, entry: Entry, options: Options) -> Any:
    """Send one file to the cluster, or the reason why it cannot be read."""
    job = {"key": f"{PREFIX}{entry.key}", "retries": RETRIES}
    try:
        content = reading.read_bytes(entry.path)
    except reading.Unreadable as error:
        return client.submit(unreadable, entry.path.name, b"", options, str(error), **job)
    return client.submit(judge_on_cluster, Job(entry.path.name, None, content, options), pure=False, **job)


def result_of(future: Any, entry: Entry, options: Options) -> Graded:
    try:
        return future.result()
    except Exception as error:  # KilledWorker, CancelledError, and whatever a cluster does
        reason = f"the cluster could not grade it ({type(error).__name__})"
        return fault(Job(entry.path.name, None, b"", options), reason)
