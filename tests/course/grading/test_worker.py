"""One submission never takes another's verdict, feedback or time: limits, faults, strings that nothing can print."""

import functools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from course.grading import engines, worker
from course.grading import grade as grading
from course.grading.corpus.notebooks import NAME, cell, class_cells, notebook, text_output
from course.grading.judging import Options, grade_content
from course.grading.worker import Job, Worker
from course.notebooks import reading


@functools.cache
def honest() -> bytes:
    return notebook(class_cells())


@pytest.fixture
def judge():
    process = Worker()
    yield process
    process.end()


def job(content: bytes | None = None, options: Options | None = None) -> Job:
    return Job(NAME, None, honest() if content is None else content, options or Options())


def test_a_worker_judges_as_the_grader_itself_does(judge):
    for content in (honest(), b"{", notebook([cell("1/0", text_output("x"))])):
        assert judge.judge(job(content)) == grade_content(NAME, content, Options())


def test_a_file_that_takes_too_long_is_no_verdict_and_the_next_one_has_its_own(judge):
    late = judge.judge(job(), seconds=0.001)
    assert late.fault == worker.TIME_UP and late.verdict.verdict == "LOOK"
    assert {f.code for f in late.verdict.tasks["file"].findings} == {"not_judged"}
    assert judge.judge(job()).fault is None


def test_a_worker_that_is_killed_is_started_anew(judge):
    judge.judge(job())
    os.kill(judge.process.pid, signal.SIGKILL)
    judge.process.wait()
    assert judge.judge(job()).verdict.verdict == "PASS"


def test_processor_time_and_memory_of_one_file_are_limited(tmp_path):
    (tmp_path / NAME).write_bytes(honest())
    program = """
import resource, time
from course.grading import judging, worker
from course.grading.worker import Job, judge
options = judging.Options()
def greedy(*_): return bytearray(3 << 30)
judging.judge = greedy
print(judge(Job("", {path!r}, b"", options)).fault)
def turn(*_):
    while True: pass
judging.judge, worker.JUDGING_S = turn, 0
judge(Job("", {path!r}, b"", options))
"""
    program = program.format(path=str(tmp_path / NAME))
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=worker.SOURCES)
    assert ran.stdout.strip() == worker.MEMORY_UP, ran.stderr
    assert ran.returncode == -signal.SIGXCPU


def grade(folder: Path, out: Path, **options):
    return grading.grade([str(folder)], out, Options(), workers=1, console=Console(quiet=True), **options)


def test_faults_are_shown_not_stored_and_tried_again_by_the_next_call(tmp_path, monkeypatch):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for person in ("first_one", "second_one"):
        (folder / f"{person}_a1.ipynb").write_bytes(honest())
    plain = Worker.judge

    def broken(self, job, seconds=None):
        return plain(self, job, seconds) if "second" in job.name else worker.fault(job, worker.TIME_UP)

    monkeypatch.setattr(Worker, "judge", broken)
    verdicts = grade(folder, out)
    assert [v.verdict for v in verdicts] == ["LOOK", "PASS"] and len(list((out / "verdicts").iterdir())) == 1
    assert "first_one" in (out / "grades.csv").read_text() and "first_one" in (out / "index.html").read_text()
    monkeypatch.setattr(Worker, "judge", plain)
    assert [v.verdict for v in grade(folder, out)] == ["PASS", "PASS"]
    assert len(list((out / "verdicts").iterdir())) == 2


@pytest.mark.parametrize("reason", [worker.TIME_UP, worker.MEMORY_UP, f"{worker.DIED} (SIGABRT)"])
def test_a_file_on_which_judging_ends_in_two_calls_is_for_a_person(reason, tmp_path, monkeypatch):
    folder, out, asked, plain = tmp_path / "in", tmp_path / "out", [], Worker.judge
    folder.mkdir()
    for person in ("first_one", "second_one"):
        (folder / f"{person}_a1.ipynb").write_bytes(honest())

    def broken(self, job, seconds=None):
        asked.append(job.name)
        return plain(self, job, seconds) if "second" in job.name else worker.fault(job, reason)

    monkeypatch.setattr(Worker, "judge", broken)
    codes = []
    for _ in range(3):
        verdict = grade(folder, out)[0]
        codes.append({f.code for f in verdict.tasks["file"].findings})
        assert verdict.verdict == "LOOK"
    assert codes == [{"not_judged"}, {"never_judged"}, {"never_judged"}]
    tries = asked.count("first_one_a1.ipynb")
    assert tries == (4 if worker.DIED in reason else 2) and asked.count("second_one_a1.ipynb") == 1
    assert verdict.note is not None and reason in verdict.note
    told = "".join(path.read_text(encoding="utf-8") for path in (out / "feedback").rglob("*first*"))
    assert "a person will" in told and "tried again" not in told
    (folder / "first_one_a1.ipynb").write_bytes(honest() + b"\n")  # another file is tried anew
    assert {f.code for f in grade(folder, out)[0].tasks["file"].findings} == {"not_judged"}


def test_faults_of_the_machine_alone_are_tried_for_ever(tmp_path, monkeypatch):
    path, out = tmp_path / NAME, tmp_path / "out"
    path.write_bytes(honest())
    monkeypatch.setattr(Worker, "judge", lambda self, job, seconds=None: worker.fault(job, "the sandbox did not start"))
    for _ in range(3):
        (verdict,) = grade(path, out)
        assert {f.code for f in verdict.tasks["file"].findings} == {"not_judged"}
    assert not (out / "verdicts").exists()


def test_a_process_that_dies_is_tried_once_more(tmp_path, monkeypatch):
    path = tmp_path / NAME
    path.write_bytes(honest())
    entries, deaths, plain = [engines.Entry(path, "key")], [], Worker.judge

    def dies_once(self, job, seconds=None):
        deaths.append(job.name)
        return worker.fault(job, "the process that judged it died (SIGKILL)") if len(deaths) == 1 else plain(self, job)

    monkeypatch.setattr(Worker, "judge", dies_once)
    ((_, graded),) = engines.grade_in_processes(entries, Options(), 1)
    assert graded.fault is None and len(deaths) == 2


# ---------------------------------------------------------------- strings


def with_half_a_character() -> bytes:
    cells = class_cells()
    cells[0]["outputs"] = [text_output("\ud800 ELBO = \udfff")]
    tree = {"nbformat": 4, "nbformat_minor": 5, "cells": cells}
    tree["metadata"] = {"submission": {"\udc80": "\ud83d"}, "authors": [{"name": "\ud800"}]}
    return json.dumps(tree).encode()


def strings_in(tree) -> list[str]:
    if isinstance(tree, dict):
        return strings_in(list(tree.keys())) + strings_in(list(tree.values()))
    if isinstance(tree, list | tuple):
        return [text for value in tree for text in strings_in(value)]
    return [tree] if isinstance(tree, str) else []


def test_halves_of_characters_and_names_of_old_zips_cost_nobody_a_verdict(tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    (folder / "adam_half_a1.ipynb").write_bytes(with_half_a_character())
    old = os.fsencode(folder) + b"/j\xfcrgen_gro\xdf_a1.ipynb"  # Latin-1, as an old zip has it
    with open(old, "wb") as file:
        file.write(honest())
    (folder / "zoe_last_a1.ipynb").write_bytes(honest())
    verdicts = grade(folder, out)
    assert len(verdicts) == 3 and len(list((out / "feedback").iterdir())) == 3
    for verdict in verdicts:
        for text in strings_in(json.loads(json.dumps(verdict.to_json()))):
            text.encode()
    assert "zoe_last" in (out / "index.html").read_text(encoding="utf-8")
    again = grade(folder, out)
    assert again == verdicts


def test_every_string_of_a_notebook_is_printable_where_it_enters():
    submission = reading.parse(NAME, with_half_a_character())
    for text in strings_in([submission.origin, submission.text, submission.source, list(submission.prose)]):
        text.encode()
    raw = b'{"nbformat": 4, "cells": [], "metadata": {"submission": {"a": "\xed\xa0\x80"}}}'  # a half, unescaped
    assert reading.parse(NAME, raw).origin == {"a": "�"}
    whole = b'{"nbformat": 4, "cells": [], "metadata": {"submission": {"a": "\\ud83d\\ude00"}}}'
    assert reading.parse(NAME, whole).origin == {"a": "😀"}


# ---------------------------------------------------------------- what was started ends


@pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel to end what was started")
def test_killing_the_grader_ends_what_it_started(tmp_path):
    (tmp_path / NAME).write_bytes(honest())
    program = f"""
from course.grading import worker
from course.grading.judging import Options
judge = worker.Worker()
judge.judge(worker.Job({NAME!r}, {str(tmp_path / NAME)!r}, b"", Options()))
print(judge.process.pid, flush=True)
import time; time.sleep(60)
"""
    grader = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=worker.SOURCES, text=True)
    assert grader.stdout is not None
    child = psutil.Process(int(grader.stdout.readline()))
    grader.kill()
    grader.wait()
    grader.stdout.close()
    deadline = time.monotonic() + 20
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def living(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reruns need Linux")
@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM])
def test_killing_the_grader_in_a_rerun_ends_the_sandbox_and_all_in_it(sign, tmp_path):
    from course.grading.rerun import sandbox

    if not sandbox.isolation().walls:
        pytest.skip("nothing can be run here")
    (tmp_path / "in").mkdir()
    sleeping = "import subprocess\nsubprocess.run(['sleep', '1000'])"
    (tmp_path / "in" / NAME).write_bytes(notebook([cell(sleeping), *class_cells()]))
    command = [sys.executable, "-m", "course", "grade", str(tmp_path / "in"), "--rerun", "--out", str(tmp_path / "out")]
    with subprocess.Popen(command, cwd=worker.SOURCES, stdout=subprocess.DEVNULL) as grader:
        started: list[psutil.Process] = []
        deadline = time.monotonic() + 300
        while not any("sleep" in p.name() for p in living(started)):  # at the notebook's own child
            assert grader.poll() is None and time.monotonic() < deadline
            time.sleep(0.2)
            started = psutil.Process(grader.pid).children(recursive=True)
        assert len(started) >= 5, "the judge, bubblewrap twice, Python, and sleep"
        grader.send_signal(sign)
    psutil.wait_procs(started, timeout=20)
    assert not living(started)
