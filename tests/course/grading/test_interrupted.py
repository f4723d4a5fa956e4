"""A grader that is killed, a full disk, two graders at a time: nothing is lost, nothing stands twice."""

import csv
import errno
import functools
import random
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from course.grading import engines, feedback, judging, tables, telling
from course.grading import grade as grading
from course.grading.corpus.inboxes import make
from course.grading.judging import Options
from course.inbox import decisions
from helpers.core import files

ROOT = Path(__file__).resolve().parents[3]
WRITERS = (grading, feedback, tables, telling, decisions)


class Killed(BaseException):
    """The end of a process; nothing catches it."""


@functools.cache
def judged(path: str, options: Options):
    return judging.grade_file(path, options)


def grade(folder: Path, out: Path) -> str:
    screen = Console(record=True, width=200, quiet=False, file=(out.parent / "screen").open("w"))
    grading.grade([str(folder)], out, Options(), console=screen)
    return screen.export_text()


def state(out: Path) -> dict[str, bytes]:
    """Return what a tutor finds, but for pages that hold the moment."""
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and not path.name.endswith(".part")
    }


@pytest.mark.parametrize("end", ["killed", "full disk"])
def test_whatever_moment_it_ends_at_the_next_call_does_the_rest(end, tmp_path, monkeypatch):
    def judge(entries, options, workers):
        for entry in entries:
            yield entry, judged(str(entry.path), options)

    monkeypatch.setattr(engines, "grade_in_processes", judge)
    plain = files.write_whole
    folder, calls = tmp_path / "in", []
    make(folder, "ilias")

    def write(path, content):
        calls.append(path)
        if len(calls) == stop and end == "killed":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.with_name(f".{path.name}.0.part").write_bytes(content[: len(content) // 2])
            raise Killed
        if len(calls) >= stop and end == "full disk":
            raise OSError(errno.ENOSPC, "No space left on device")
        plain(path, content)

    stop = 10**9
    for module in WRITERS:
        monkeypatch.setattr(module, "write_whole", write)
    grade(folder, tmp_path / "whole")
    expected, moments = state(tmp_path / "whole"), len(calls)
    assert moments > 25
    for number in range(25):  # twice: 50 moments
        stop, out = random.Random(f"{end} {number}").randint(1, moments), tmp_path / f"out{number}"
        calls.clear()
        with pytest.raises((Killed, OSError)):
            grade(folder, out)
        stop = 10**9
        screen = grade(folder, out)
        assert "changed by hand" not in screen
        found = state(out)
        assert found.keys() == expected.keys()
        assert found["grades.csv"] == expected["grades.csv"] and found["students.csv"] == expected["students.csv"]


@pytest.mark.slow
def test_two_graders_on_one_folder_leave_what_one_leaves(tmp_path):
    make(tmp_path / "in", "moodle")
    command = [sys.executable, "-m", "course", "grade", str(tmp_path / "in"), "--workers", "1", "--out"]
    subprocess.run([*command, str(tmp_path / "alone")], cwd=ROOT, check=True, capture_output=True)
    both = [subprocess.Popen([*command, str(tmp_path / "both")], cwd=ROOT) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    rows = [list(csv.reader((tmp_path / out / "grades.csv").open(encoding="utf-8-sig"))) for out in ("alone", "both")]
    assert rows[0] == rows[1]
    assert {p.name for p in (tmp_path / "both").iterdir()} == {p.name for p in (tmp_path / "alone").iterdir()}
