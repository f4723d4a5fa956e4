"""A class: every file that was handed in gets a verdict, and a second call does what is missing."""

import csv
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from course.__main__ import app
from course.grading import engines
from course.grading import grade as grading
from course.grading.corpus import grade_class
from course.grading.corpus.notebooks import RESULTS, class_cells, notebook
from course.grading.judging import Options


def quiet() -> Console:
    return Console(quiet=True)


def codes(verdict) -> set[str]:
    return {finding.code for finding in verdict.tasks["file"].findings}


def test_links_special_files_and_names_with_path_parts(tmp_path):
    home = tmp_path / "in"
    home.mkdir()
    secret = tmp_path / "secret.ipynb"
    secret.write_bytes(notebook(class_cells()))
    (home / "link_link_a1.ipynb").symlink_to(secret)
    os.mkfifo(home / "pipe_pipe_a1.ipynb")
    names = [
        "..\\..\\evil_name_a1.ipynb",
        "=cmd()_x_a1.ipynb",
        "<script>alert(1)_x_a1.ipynb",
        "a\nb_c_a1.ipynb",
        "ä" * 80 + ".ipynb",
    ]
    for name in names:
        (home / name).write_bytes(notebook(class_cells()))
    out = tmp_path / "out"
    verdicts = grading.grade([str(home)], out, Options(), workers=1, console=quiet())
    assert len(verdicts) == len(names) + 2
    by_name = {verdict.file: verdict for verdict in verdicts}
    assert codes(by_name["link_link_a1.ipynb"]) == {"unreadable"}
    assert codes(by_name["pipe_pipe_a1.ipynb"]) == {"unreadable"}
    inside = {p.relative_to(out).parts[0] for p in out.rglob("*")}
    tables = {"grades.csv", "students.csv", "index.html"}
    assert inside <= {"verdicts", "feedback", "figures", "expected", ".written"} | tables
    assert {p.name for p in tmp_path.iterdir()} == {"in", "out", "secret.ipynb"}
    page = (out / "index.html").read_text(encoding="utf-8")
    assert "<script" not in page and "&lt;script&gt;" in page
    rows = list(csv.reader((out / "grades.csv").open(encoding="utf-8-sig")))
    assert rows[0][:4] == ["person", "id", "assignment", "verdict"] and len(rows) == len(verdicts) + 1
    for row in rows:
        assert not any(c.startswith(("=", "+", "@")) for c in row)


def hand_in(folder: Path, count: int) -> Path:
    folder.mkdir()
    for n in range(count):
        results = RESULTS if n % 3 else ("nothing", "to", "see")
        (folder / f"student_{'abcdefghij'[n % 10]}{n}_a1.ipynb").write_bytes(notebook(class_cells(results)))
    return folder


def test_a_class_leaves_verdicts_feedback_a_table_and_a_page_and_resumes(tmp_path, monkeypatch):
    folder, out = hand_in(tmp_path / "in", 4), tmp_path / "out"
    (folder / "broken_file_a1.ipynb").write_text("{not json")
    verdicts = grading.grade([str(folder)], out, Options(), workers=2, console=quiet())
    assert [v.verdict for v in verdicts].count("PASS") == 2 and len(verdicts) == 5
    assert len(list((out / "verdicts").iterdir())) == len(list((out / "feedback").glob("*.md"))) == 5
    page = (out / "index.html").read_text(encoding="utf-8")
    summaries = re.findall(r'a1.ipynb</b></bdi> <bdi>[^<]*</bdi> <span class="(\w+)"', page)
    assert sorted(summaries, key=["LOOK", "FAIL", "PASS"].index) == summaries and len(summaries) == 5
    assert "expected/part_b_reconstructions.png" in page and (out / "expected/part_b_reconstructions.png").is_file()

    calls = []

    def count(entries, *_):
        calls.append([entry.path.name for entry in entries])
        return iter(())

    monkeypatch.setattr(engines, "grade_in_processes", count)
    grading.grade([str(folder)], out, Options(), workers=2, console=quiet())
    assert calls == []  # nothing left to do
    next((out / "verdicts").glob("broken*")).unlink()
    (folder / "student_b1_a1.ipynb").write_bytes(notebook(class_cells(RESULTS[::-1])))  # handed in again
    grading.grade([str(folder)], out, Options(), workers=2, console=quiet())
    assert sorted(calls[0]) == ["broken_file_a1.ipynb", "student_b1_a1.ipynb"]


def test_the_command_line_says_what_it_needs(tmp_path):
    cli = CliRunner()
    empty = tmp_path / "empty"
    empty.mkdir()
    for arguments, words in (
        (["nowhere"], "does not exist"),
        ([str(empty)], "no notebook found"),
        ([str(hand_in(tmp_path / "in", 1)), "--assignment", "a9"], "no assignment 'a9'"),
        ([str(tmp_path / "in"), "--engine", "ray"], "expected local or dask"),
        ([str(tmp_path / "in"), "--engine", "dask"], "needs --scheduler"),
    ):
        result = cli.invoke(app, ["grade", *arguments, "--out", str(tmp_path / "out")])
        assert result.exit_code == 1 and words in str(result.exception), arguments
    good = cli.invoke(app, ["grade", str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--workers", "1"])
    assert good.exit_code == 0 and "1 submissions: " in good.output and (tmp_path / "out" / "grades.csv").is_file()


@pytest.mark.slow
@pytest.mark.long
def test_of_three_hundred_submissions_none_is_lost_and_memory_stays_flat(tmp_path):
    measured = grade_class.measure(tmp_path, 300, workers=2)
    assert len(measured.verdicts) == 300 and {v.verdict for v in measured.verdicts} == {"PASS"}
    early, late = grade_class.most(measured.samples, 50, 150), grade_class.most(measured.samples, 200, 300)
    assert sum(late) < 1.3 * sum(early) and early[0] < 1e9
    shutil.rmtree(tmp_path / "out")


@pytest.mark.slow
@pytest.mark.long
def test_a_dask_cluster_that_loses_a_worker_loses_no_verdict(tmp_path):
    distributed = pytest.importorskip("distributed")
    folder, out = hand_in(tmp_path / "in", 24), tmp_path / "out"
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        stored: list[str] = []
        plain = grading.store

        def store(where, entry, graded):
            stored.append(entry.key)
            if len(stored) == 5:
                os.kill(next(iter(cluster.workers.values())).pid, 9)
            plain(where, entry, graded)

        grading.store = store
        try:
            options = Options()
            verdicts = grading.grade([str(folder)], out, options, engine="dask", scheduler=cluster.scheduler_address,
                                     console=quiet())  # fmt: skip
        finally:
            grading.store = plain
    assert len(verdicts) == 24 and len(stored) == len(set(stored)) == 24
    assert [v.verdict for v in verdicts].count("PASS") == 16
    assert not any(v.note for v in verdicts)


@pytest.mark.slow
@pytest.mark.long
def test_a_dask_cluster_whose_scheduler_dies_costs_nobody_a_verdict(tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    folder, out = hand_in(tmp_path / "in", 12), tmp_path / "out"
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    start = [sys.executable, "-m"]
    scheduler = subprocess.Popen(
        [*start, "distributed.cli.dask_scheduler", "--host", address, "--no-dashboard"], stderr=subprocess.DEVNULL
    )
    worker = subprocess.Popen(
        [*start, "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-dashboard", "--no-nanny"],
        stderr=subprocess.DEVNULL,
    )
    stored: list[str] = []
    plain = grading.store

    def store(where, entry, graded):
        stored.append(entry.key)
        if len(stored) == 3:
            scheduler.kill()
        plain(where, entry, graded)

    monkeypatch.setattr(grading, "store", store)
    try:
        verdicts = grading.grade([str(folder)], out, Options(), engine="dask", scheduler=address, console=quiet())
    finally:
        for process in (scheduler, worker):
            process.kill()
            process.wait()
    waiting = [v for v in verdicts if codes(v) == {"not_judged"}]
    assert len(verdicts) == 12 and waiting and all(v.verdict == "LOOK" for v in waiting)
    assert len(stored) == len(set(stored)) == len(list((out / "verdicts").iterdir())) == 12 - len(waiting)
    again = grading.grade([str(folder)], out, Options(), workers=1, console=quiet())
    assert len(stored) == len(set(stored)) == 12 and not any("not_judged" in codes(v) for v in again)
