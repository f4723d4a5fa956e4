"""Real ends: a grader that is killed from outside, and a disk that takes no more; the next call does the rest."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from course.grading.corpus.inboxes import START, a1, make, write

ROOT = Path(__file__).resolve().parents[3]
LIMIT_S = 600.0  # of one run, on however busy a machine
pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and limits of POSIX")


def start(folder: Path, out: Path, before: Callable[[], None] | None = None) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "course", "grade", str(folder), "--workers", "2", "--out", str(out)]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=before,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def grade(folder: Path, out: Path) -> str:
    process = start(folder, out)
    screen, errors = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, errors
    return screen


def state(out: Path) -> dict[str, bytes]:
    """Return what a tutor finds: all files but those that a killed grader was writing, which begin with a dot."""
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and path.suffix != ".part"
    }


def written(out: Path) -> set[tuple[str, int, int]]:
    """Return the files of a folder that changes while it is read, each with what tells one writing from another."""
    found = set()
    for folder, _, names in os.walk(out):
        for name in names:
            try:
                status = os.stat(os.path.join(folder, name))
            except FileNotFoundError:  # moved into its place in the meantime
                continue
            found.add((f"{folder}/{name}", status.st_ino, status.st_mtime_ns))
    return found


def a_dozen(folder: Path) -> None:
    """Write twelve notebooks: nine that Moodle's download has, and three more."""
    make(folder, "moodle")
    for number in range(3):
        write(folder / f"Uta Ulm {number}_30{number}_assignsubmission_file_" / "a1.ipynb", a1(40 + number), START)


def kill_after(process: "subprocess.Popen[str]", out: Path, writings: int) -> bool:
    """Kill a grader as soon as it has written so often; say whether it still ran."""
    before, ends = written(out), time.monotonic() + LIMIT_S
    while process.poll() is None and len(written(out) - before) < writings:
        assert time.monotonic() < ends
        time.sleep(0.002)
    process.kill()
    process.communicate()
    return process.returncode == -signal.SIGKILL


def kill_many(tmp_path: Path, times: int) -> None:
    """Kill so many graders at random moments, up to five on each folder, one after the other; the next one ends."""
    rand, killed, number = random.Random(18), 0, 0
    a_dozen(tmp_path / "in")
    grade(tmp_path / "in", tmp_path / "whole")
    expected = state(tmp_path / "whole")
    while killed < times:
        number += 1
        assert number <= times  # the first one on a new folder has more to write than it is given time for
        out = tmp_path / f"out{number}"
        here = 0
        while here < min(5, times - killed) and kill_after(
            start(tmp_path / "in", out), out, rand.randint(1, len(expected) // 2)
        ):
            here += 1
        killed += here
        screen = grade(tmp_path / "in", out)
        found = state(out)
        assert found.keys() == expected.keys() and "changed by hand" not in screen
        for name, content in found.items():
            if name.startswith(("verdicts/", "figures/", "feedback/")) or name.endswith(".csv"):
                assert content.replace(str(out).encode(), str(tmp_path / "whole").encode()) == expected[name], name


@pytest.mark.slow
def test_ten_killed_graders_lose_nothing_and_leave_nothing_twice(tmp_path):
    kill_many(tmp_path, times=10)


@pytest.mark.long
def test_fifty_killed_graders_lose_nothing_and_leave_nothing_twice(tmp_path):
    kill_many(tmp_path, times=50)


@pytest.mark.slow
@pytest.mark.parametrize("most", [700, 8000, 30_000])
def test_a_disk_that_takes_no_more_is_one_sentence_and_the_next_call_does_the_rest(most, tmp_path):
    """The system itself refuses here, at the first file larger than ``most``: as on a full disk, but without root."""
    import resource

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    a_dozen(tmp_path / "in")
    process = start(tmp_path / "in", tmp_path / "out", limit)
    screen, errors = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 1 and "Traceback" not in screen + errors
    assert (
        errors.count("\n") == 1 and errors.startswith("grade: ") and "could not be written (File too large)" in errors
    )
    half = state(tmp_path / "out")
    assert not list((tmp_path / "out").rglob("*.part")) and max(map(len, half.values()), default=0) <= most
    grade(tmp_path / "in", tmp_path / "out")
    grade(tmp_path / "in", tmp_path / "whole")
    found, expected = state(tmp_path / "out"), state(tmp_path / "whole")
    assert found.keys() == expected.keys() and found["grades.csv"] == expected["grades.csv"]
    assert all(found[name] == content for name, content in half.items() if not name.startswith(".written/"))
