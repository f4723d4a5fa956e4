"""Judge each submission in a process of its own, under limits of wall clock, processor time and address space.

``python -m course.grading.worker`` is that process: it judges one file after the other, and what it is asked and what
it answers goes through its own two pipes. A file that takes too long, too much, or its process along costs its own
verdict alone: such an end is a fault of the grader or the machine, which the next call tries again. Where that ends the
same way, the file goes to a person.
"""

import contextlib
import ctypes
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

from course.grading import judging
from course.grading.judging import Graded, Options
from course.notebooks.reading import printable
from course.paths import SOURCES

JUDGING_S = 60.0  # wall clock, and processor time, of one file; a rerun has its own beside it
AROUND_RERUN_S = 800.0  # wall clock of a rerun beside the run itself: start, interruption, questions
MEMORY = 1 << 30  # bytes of address space that judging one file may add
PR_SET_PDEATHSIG = 1
TIME_UP = f"it could not be judged within {JUDGING_S:g} s"
DIED = "the process that judged it died"
MEMORY_UP = f"it could not be judged within {MEMORY >> 20} MB of memory"


class Job(NamedTuple):
    """A file to judge: by its path, or by its content where the worker sees another file system."""

    name: str
    path: str | None
    content: bytes
    options: Options


class Worker:
    """The process that judges, seen from the grader; it is started when it is first needed, and anew when it died."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None

    def judge(self, job: Job, seconds: float | None = None) -> Graded:
        """Return what became of a file, whatever becomes of the process that judges it.

        Args:
            seconds: wall clock; what the options allow where it is None.
        """
        process = self.process = self.process if self.process and self.process.poll() is None else start()
        assert process.stdin is not None and process.stdout is not None
        late = threading.Event()
        timer = threading.Timer(seconds or allowance(job.options), lambda: (late.set(), process.kill()))
        timer.daemon = True
        timer.start()
        try:
            pickle.dump(job, process.stdin)
            process.stdin.flush()
            return pickle.load(process.stdout)  # from our own process: it judges a submission and never runs it
        except (OSError, EOFError, pickle.UnpicklingError):
            process.kill()
            code = process.wait()
            late_by_itself = hasattr(signal, "SIGXCPU") and code == -signal.SIGXCPU
            return fault(job, TIME_UP if late.is_set() or late_by_itself else f"{DIED} ({name_of(code)})")
        finally:
            timer.cancel()

    def end(self) -> None:
        """End the process, and with it the sandbox that it may have started."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            for pipe in (self.process.stdin, self.process.stdout):
                with contextlib.suppress(OSError):
                    pipe.close()  # type: ignore[union-attr]


def start() -> "subprocess.Popen[bytes]":
    paths = os.pathsep.join([str(SOURCES), *filter(None, sys.path)])
    threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    return subprocess.Popen(
        [sys.executable, "-m", "course.grading.worker", str(os.getpid())],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
        env={**os.environ, **threads, "PYTHONPATH": paths},
    )  # fmt: skip


def allowance(options: Options) -> float:
    """Return the wall clock that one file may take: judging, and a rerun with its second, shorter try."""
    return JUDGING_S + (2 * (options.seconds + AROUND_RERUN_S) if options.rerun else 0)


def name_of(code: int) -> str:
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"exit code {code}"


def fault(job: Job, reason: str) -> Graded:
    """Return a verdict that says that a person must look, because nothing was judged; it is not stored."""
    graded = judging.unreadable(printable(job.name), job.content, job.options, reason, code="not_judged")
    return graded._replace(fault=reason)


def is_end_of_judging(reason: str) -> bool:
    """Say whether a fault is that judging one file ended, which may be by the file; others are the machine's alone."""
    return reason in (TIME_UP, MEMORY_UP) or reason.startswith(DIED)


# ---------------------------------------------------------------- inside the process


def main(parent: int) -> None:
    """Judge what arrives until the grader hangs up."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints, the answers' pipe is ours
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            return  # the grader has gone already
    while True:
        try:
            job = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        graded = judge(job)
        pickle.dump(graded, answers)
        answers.flush()


def judge(job: Job) -> Graded:
    """Judge one file under the limits of this process."""
    if job.options.rerun and not job.options.data:
        judging.rerun_package().digits()  # makes its images with torch, which alone is larger than the limit
    limit_this_process(2 if job.options.rerun else 1)
    try:
        if job.path is not None:
            return judging.grade_file(job.path, job.options)
        return judging.grade_content(job.name, job.content, job.options)
    except MemoryError:
        return fault(job, MEMORY_UP)


def limit_this_process(times: int) -> None:
    """Let this process use its share from now on: soft limits, which a sandbox replaces by its own."""
    try:
        import resource
    except ImportError:  # Windows, where the wall clock alone limits
        return
    processor = int(time.process_time() + times * JUDGING_S) + 1
    limits = {resource.RLIMIT_CPU: processor, resource.RLIMIT_AS: address_space() + MEMORY}
    for which, value in limits.items():
        hard = resource.getrlimit(which)[1]
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(which, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def address_space() -> int:
    """Return the bytes of address space that this process has now."""
    with contextlib.suppress(OSError):
        return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    return 0


_MINE: Any = threading.local()


def judge_on_cluster(job: Job) -> Graded:
    """Judge one file in a process of its own beside this one, which belongs to a cluster; called on its machines."""
    worker = _MINE.__dict__.setdefault("worker", Worker())
    return worker.judge(job)


if __name__ == "__main__":
    main(int(sys.argv[1]))
