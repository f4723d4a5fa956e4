"""What a killed grader left goes after a week; what is newer, or somebody else's, stays."""

import os
import tempfile
import time

from course.grading.leftovers import DIGITS, OLD_S, SANDBOX, remove_leftovers


def test_only_what_is_ours_and_a_week_old_is_removed(tmp_path, monkeypatch):
    system, out = tmp_path / "tmp", tmp_path / "grades"
    monkeypatch.setattr(tempfile, "tempdir", str(system))
    stay = [
        out / "grades.csv",
        out / ".thesis.part",
        out / "mine" / ".notes.md.1.part",
        out / "handed in" / ".max.1.part" / "max.ipynb",
        out / ".written" / ".new.csv.1.part",
        system / f"{SANDBOX}new" / "x",
        system / "a" / "x",
    ]
    go = [out / ".grades.csv.1.part", out / ".written" / ".rows.json.1.part", system / f"{DIGITS}old" / "x"]
    for path in (*stay, *go):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    (system / f"{SANDBOX}link").symlink_to(out)
    before = time.time() - OLD_S - 60
    for path in (out / "grades.csv", *stay[1:3], stay[3].parent, *go[:2], go[2].parent, system / "a"):
        os.utime(path, (before, before))
    remove_leftovers(out)
    assert all(path.exists() for path in stay) and not any(path.exists() for path in go)
    assert out.is_dir()


def test_no_folder_is_no_problem(tmp_path):
    remove_leftovers(tmp_path / "none")
