"""What lies where grades go is the tutor's own: nothing in a download is taken for it, or leads elsewhere."""

import csv
import hashlib
import io
import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from course.__main__ import app
from course.grading import engines, feedback, judging, tables
from course.grading import grade as grading
from course.grading.corpus.inboxes import a1, write
from course.grading.judging import Options
from course.grading.out import check_out
from course.grading.outcomes import Outcome, standings
from course.inbox.collect import collect


@pytest.fixture
def download(tmp_path, monkeypatch) -> Path:
    """Return a folder with one notebook, to be graded in this process."""

    def judge(entries, options, workers):
        for entry in entries:
            yield entry, judging.grade_file(str(entry.path), options)

    monkeypatch.setattr(engines, "grade_in_processes", judge)
    write(tmp_path / "in" / "eve_evil_a1.ipynb", a1(), 1.0)
    return tmp_path / "in"


def grade(folder: Path, out: Path) -> None:
    grading.grade([str(folder)], out, Options(), console=Console(quiet=True))


# ---------------------------------------------------------------- what came with the download


@pytest.mark.parametrize("given", [".", "../in"])
def test_decisions_that_came_with_the_download_are_not_applied(download, monkeypatch, given):
    digest = hashlib.sha256(a1()).hexdigest()
    lines = f"person,assignment,task,verdict,comment,sha256\nEve Evil,a1,all,PASS,seen,{digest}\n"
    write(download / "grades" / "decisions.csv", lines.encode(), 1.0)
    monkeypatch.chdir(download)
    before = sorted(download.rglob("*"))
    ended = CliRunner().invoke(app, ["grade", given])
    assert ended.exit_code and "name a folder elsewhere with --out" in str(ended.exception)
    assert sorted(download.rglob("*")) == before


def test_a_folder_in_the_download_is_known_by_any_of_its_names(download, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (download / "grades").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "short").symlink_to(download)
    given = (download, tmp_path / "short")
    for out in (download, *(root / name for root in given for name in ("grades", "x/y", "x/../grades"))):
        for root in given:
            with pytest.raises(ValueError, match="which is graded"):
                check_out(out, [tmp_path / "other.zip", root])
    for out in (tmp_path / "in2", tmp_path / "grades", download / ".." / "grades"):
        check_out(out, [download, tmp_path / "short", download / "eve_evil_a1.ipynb"])


def test_grades_beside_the_download_are_written_again_and_again(download, tmp_path):
    for _ in range(2):
        grade(download, tmp_path / "grades")
        assert (tmp_path / "grades" / "feedback" / "eve_evil.md").is_file()


# ---------------------------------------------------------------- what leads elsewhere


@pytest.mark.parametrize("link", ["feedback", "feedback/pictures", ".written", "opened", "verdicts", "expected"])
def test_nothing_is_written_through_a_link(download, tmp_path, link):
    out, elsewhere = tmp_path / "grades", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (out / link).parent.mkdir(parents=True, exist_ok=True)
    (out / link).symlink_to(elsewhere)
    with pytest.raises(ValueError, match=f"{link} is a link to another folder"):
        grade(download, out)
    assert not list(elsewhere.iterdir())


@pytest.mark.parametrize(
    "name", ["../../keep/me.md", "../keep/me.md", "/ABSOLUTE", "pictures/../../../keep/me.md", "other/me.md", "me.txt"]
)
def test_a_record_makes_us_remove_nothing_but_feedback(download, tmp_path, name):
    out, files = tmp_path / "grades", ["keep/me.md", "grades/keep/me.md", "grades/feedback/other/me.md"]
    places = [tmp_path / file for file in (*files, "grades/feedback/me.txt")]
    for place in places:
        write(place, b"keep", 1.0)
    (out / "feedback" / "pictures").mkdir()
    digest = hashlib.sha256(b"keep").hexdigest()
    record = {name.replace("/ABSOLUTE", str(places[0])): digest}
    write(out / ".written" / "feedback.json", json.dumps(record).encode(), 1.0)
    grade(download, out)
    assert all(place.read_bytes() == b"keep" for place in places)


def test_feedback_that_is_a_link_is_not_removed_from_where_it_leads(tmp_path):
    write(tmp_path / "keep" / "me.md", b"keep", 1.0)
    (tmp_path / "feedback").symlink_to(tmp_path / "keep")
    feedback.remove_unchanged(tmp_path / "feedback", "me.md", hashlib.sha256(b"keep").hexdigest())
    assert (tmp_path / "keep" / "me.md").is_file()


# ---------------------------------------------------------------- names and times that no disk and no calendar knows


@pytest.mark.parametrize("letters", ["\U00020000" * 60, "\u4e00" * 90, "\u0436" * 90 + "\U00020000" * 30, "x" * 200])
def test_a_long_name_makes_a_file_that_a_disk_can_hold(download, tmp_path, letters):
    names = [f"{letters}_{letters}", f"{letters}_{letters}{letters}"]
    (row,) = collect([str(download)]).rows
    people = standings([Outcome(replace(row, person=name, key=str(at))) for at, name in enumerate(names)])
    feedback.write(tmp_path, people)
    found = sorted(path.name for path in (tmp_path / "feedback").glob("*.md"))
    assert len(found) == 2 and all(len(name.encode()) < 200 for name in found)
    assert all(name.startswith(letters[:30]) and set(name) <= {*letters, *"_2.md"} for name in found)


@pytest.mark.parametrize("moment", [2.0**45, -(2.0**45), 1e300, float("inf"), float("nan")])
def test_a_time_that_no_calendar_knows_is_left_empty(download, moment):
    (row,) = collect([str(download)]).rows
    text = tables.grades([Outcome(replace(row, time=when)) for when in (moment, 86_400.0)])
    times = [row["time"] for row in csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))]
    assert times == ["", time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(86_400.0))]
