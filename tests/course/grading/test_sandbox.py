# ruff: noqa: E501 programs of attackers stand on long lines
"""The sandbox against programs that try to get out, to stay, or to use more than they may. Limits are small."""

import json
import os
import socket
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from course.grading.corpus import escapes
from course.grading.corpus.attack_table import escape, session_key
from course.grading.corpus.escapes import ESCAPES, PRELUDE, SMALL
from course.grading.leftovers import SANDBOX
from course.grading.probes.channel import HEAD, Garbled, Stream, array_of, packed, unpacked
from course.grading.rerun import sandbox, system_calls, usage
from course.grading.rerun.sandbox import MEGA, Ended, Isolation, session

pytestmark = pytest.mark.long  # each starts processes behind walls: minutes in all
needs_sandbox = pytest.mark.skipif(
    not sandbox.isolation().walls, reason=f"nothing can be run here: {sandbox.isolation().missing}"
)
HOSTS = {"secret": "/tmp/none", "key": 0, "port": 1, "repository": "/tmp/none", "home": "/tmp/none"}


def processes() -> set[int]:
    """Return the processes of sandboxes that this test run started."""
    return {child.pid for child in psutil.Process().children(recursive=True)}


def talk(source: str, limits=SMALL, **options) -> Any:
    """Return what a program answers, or why it was ended."""
    with session({"program.py": PRELUDE + source}, limits, **options) as running:
        try:
            running.send({"begin": True})
            return running.receive()
        except Ended as error:
            return str(error)


@needs_sandbox
@pytest.mark.parametrize("name", ESCAPES)
def test_no_program_gets_out_or_beyond_its_limits(name):
    before = processes()
    outcome = escape(ESCAPES[name])
    assert not outcome.through, outcome
    assert ESCAPES[name].ends in ("", "any") or ESCAPES[name].ends in outcome.ended, outcome
    deadline = time.monotonic() + 10
    while processes() - before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not processes() - before, "something is still running"


@needs_sandbox
@pytest.mark.parametrize("name", escapes.canaries(**HOSTS))
def test_no_program_reaches_a_canary(name, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("expected answers")
    secret.chmod(0o644)
    here = Path(__file__).resolve().parents[3]
    with socket.create_server(("127.0.0.1", 0)) as server, session_key() as key:
        found = escapes.canaries(str(secret), key, server.getsockname()[1], str(here), os.path.expanduser("~"))[name]
        os.environ["GRADER_SECRET_TOKEN"] = "x"
        try:
            assert not escape(found).through
        finally:
            del os.environ["GRADER_SECRET_TOKEN"]


@needs_sandbox
def test_a_program_answers_brings_modules_and_sees_what_is_shown(tmp_path):
    (tmp_path / "data.txt").write_text("seen")
    tmp_path.chmod(0o755)
    modules = {"program.py": PRELUDE + "from pack.part import x\ntell({'x': x, 'data': open('/data/data.txt').read()})",
               "pack/__init__.py": "", "pack/part.py": "from . import other\nx = other.x", "pack/other.py": "x = 7"}  # fmt: skip
    with session(modules, SMALL, tmp_path) as running:
        running.send({"begin": True})
        assert running.receive() == {"x": 7, "data": "seen"}


@needs_sandbox
def test_a_package_does_not_take_the_place_of_a_standard_module(tmp_path, monkeypatch):
    packages = tmp_path / "site-packages"
    packages.mkdir()
    (packages / "dataclasses.py").write_text("raise ImportError('a backport for older Pythons')")
    (packages / "lonely.py").write_text("x = 5")
    for folder in (packages, tmp_path):
        folder.chmod(0o755)
    monkeypatch.setattr(sandbox.site, "getsitepackages", lambda: [str(packages)])
    monkeypatch.setattr(sys, "path", [])
    assert talk("import dataclasses, lonely; tell({'x': lonely.x})") == {"x": 5}


@needs_sandbox
def test_two_runs_do_not_see_each_other_and_are_two_users():
    source = (
        "folders = [d for d in ('/tmp', '/dev/shm', '.', '/content') if 'mine' in os.listdir(d)]\n"
        "for d in ('/tmp', '/dev/shm', '.', '/content'): open(f'{d}/mine', 'w').write('x')\n"
        "tell({'left': folders, 'user': os.getuid()})"
    )
    first, second = talk(source), talk(source)
    assert first["left"] == second["left"] == []
    assert os.geteuid() != 0 or first["user"] != second["user"]


@needs_sandbox
def test_why_a_run_ended_is_never_said_by_the_program():
    for source in ("print('it used more than 1 MB of memory'); os._exit(97)", "os._exit(152)", "os._exit(0)"):
        assert talk(source) == "its process ended too early"


@needs_sandbox
def test_a_sandbox_that_does_not_start_is_the_machines_fault():
    with pytest.raises(sandbox.SandboxError, match="could not be started"), session({"program.py": "1/0"}, SMALL):
        pass


def test_without_bubblewrap_it_says_so_and_root_is_refused(monkeypatch):
    weak = Isolation(False, "Not isolated (for a test).")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(sandbox.SandboxError, match="As root nothing would stand between"), session({}, isolated=weak):
        pass
    monkeypatch.setattr(sandbox.shutil, "which", lambda name: None)
    offer = sandbox.isolation.__wrapped__()
    assert not offer.walls and "bubblewrap is not installed" in str(offer.missing)


def test_other_systems_are_told_so_before_anybody_is_blamed(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert "Reruns need Linux" in str(sandbox.isolation.__wrapped__().missing)
    with pytest.raises(sandbox.SandboxError, match="need Linux"):
        sandbox.refuse_root(Isolation(False, "x"))


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_without_walls_everything_still_ends(monkeypatch):
    weak = Isolation(False, "Not isolated (for a test).")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    hiding = (
        "if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0: time.sleep(600)\n    os._exit(0)\nwhile True: pass"
    )
    before = processes()
    assert "did not end within 2 s" in talk(hiding, replace(SMALL, seconds=2), isolated=weak)
    assert not processes() - before
    greedy = "x = [b'x' * (1 << 20) for _ in range(250)]\nif os.fork(): y = [b'y' * (1 << 20) for _ in range(90)]\ntime.sleep(9)"
    ended = talk(greedy, isolated=weak)
    assert "MB of memory" in ended or "too early" in ended
    assert not list(Path(tempfile.gettempdir()).glob(f"{SANDBOX}*/program.py"))


@pytest.mark.skipif(sys.platform != "linux", reason="systemd is Linux's")
def test_a_control_group_limits_memory_where_there_is_one(tmp_path, monkeypatch):
    fake = tmp_path / "systemd-run"
    fake.write_text("#!/bin/sh\nexit 0\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    sandbox._scope.cache_clear()
    command = sandbox.cgroup(SMALL)
    sandbox._scope.cache_clear()
    assert command[0] == str(fake) and f"MemoryMax={SMALL.memory + SMALL.disk}" in command and command[-1] == "--"


def test_the_filter_names_what_this_machine_has():
    pytest.importorskip("pyseccomp")
    with system_calls.filter_file() as file:
        assert len(file.read()) > 8 * len(system_calls.REFUSED)


def test_memory_is_counted_with_what_is_shared():
    if sys.platform == "linux":
        assert not usage.memory_is_beyond({os.getpid()}, 1 << 40) and usage.memory_is_beyond({os.getpid()}, 1 << 10)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_what_may_wait_in_sockets_and_the_notes_on_pages_are_memory():
    me = {os.getpid()}
    before = usage.buffers_of(me)
    pairs = [socket.socketpair() for _ in range(8)]
    twice = os.dup(pairs[0][0].fileno())  # the same socket
    assert usage.buffers_of(me) - before == 16 * usage.largest_buffer() >= 16 << 16
    assert usage.memory_is_beyond(me, usage.of_process(os.getpid(), "status", usage.COUNTED) + before)
    assert usage.of_process(os.getpid(), "status", usage.TABLES) > 0
    os.close(twice)
    for pair in pairs:
        for end in pair:
            end.close()


@needs_sandbox
def test_no_program_widens_the_buffer_of_a_socket():
    source = "a, b = socket.socketpair()\nbefore = a.getsockopt(1, 7)\na.setsockopt(1, 7, 1 << 22)\n"
    assert talk(source + "tell({'wider': a.getsockopt(1, 7) - before})") == {"wider": 0}


# ---------------------------------------------------------------- the line


def test_messages_arrive_as_they_were_sent():
    import numpy as np

    message = {"a": [1, None, "x"], "array": np.arange(6, dtype=np.float32).reshape(2, 3), "b": {"c": np.float64(2)}}
    stream, raw = Stream(), packed(message)
    for n in range(len(raw)):
        stream.feed(raw[n : n + 1])
    got = stream.next()
    assert got is not None and got["a"] == [1, None, "x"] and (got["array"] == message["array"]).all()
    assert got["array"].dtype == np.float32 and stream.next() is None


@pytest.mark.parametrize(
    "body",
    [b"[" * 100_000, b'{"a":' * 50_000, b"nonsense", b"[1]", b"", b"\xff\xfe", b'{"a": {"array": ["object", [1], "AAAA"]}}',
     b'{"a": {"array": ["float64", [1048576, 1048576], ""]}}', b'{"a": {"array": ["float64", [-1], ""]}}',
     b'{"a": {"array": ["float64", [1], "!"]}}', b'{"a": {"array": 3}}', b'{"a": {"array": ["bool", [[]], ""]}}'],
)  # fmt: skip
def test_whatever_else_arrives_is_garbled(body):
    with pytest.raises(Garbled):
        unpacked(body)
    with pytest.raises(Garbled):
        Stream(10).feed(b"\xff" * 8)
    assert array_of({"b": 1}) == {"b": 1}


@pytest.mark.parametrize(
    "body", [b'{"a": ["\\ud800"], "\\uDC00x": 1}', b'{"a": "\\\\ud800", "b": "\\ud83d\\ude00 \\ud83d"}']
)
def test_halves_of_characters_do_not_arrive(body):
    message = unpacked(body)
    assert json.dumps(message, ensure_ascii=False).encode() and message != json.loads(body)
    assert "\ufffd" in json.dumps(message, ensure_ascii=False)


def test_whole_characters_arrive_as_they_are():
    message = {"a": "Jürgen \U0001f600 \\ud800 is an escape"}
    assert unpacked(packed(message)[HEAD.size :]) == message
    with pytest.raises(Garbled):
        unpacked(b'{"a": "\xed\xa0\x80"}')


def test_small_messages_cannot_be_large_arrays():
    with pytest.raises(Garbled):
        unpacked(b'{"a": {"array": ["float64", [1000000000], "AAAA"]}}')
    assert MEGA == 1 << 20
