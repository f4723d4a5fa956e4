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

import psutil
import pytest

from course.grading.rerun import sandbox
from course.grading.rerun.sandbox import MEGA, Limits, run

SMALL = Limits(seconds=10, memory=512 * MEGA, disk=64 * MEGA, file_size=16 * MEGA, processes=40, output=2 * MEGA)
SEND = "import json, os\ndef send(x): os.write(int(os.environ['RESULT_FD']), json.dumps(x).encode())\n"

pytestmark = pytest.mark.skipif(
    os.geteuid() == 0 and sandbox.isolation().missing is not None,
    reason=f"root without namespaces, where nothing is run: {sandbox.isolation().missing}",
)
needs_namespaces = pytest.mark.skipif(
    sandbox.isolation().missing is not None, reason=f"no namespaces here: {sandbox.isolation().missing}"
)


def attack(source: str, limits: Limits = SMALL, **options):
    before = processes()
    outcome = run(SEND + source, {}, limits, **options)
    deadline = time.monotonic() + 5
    while processes() - before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not processes() - before, "something is still running"
    return outcome


def processes() -> set[int]:
    """Return the processes of sandboxes that this test run started: its jails, its numbered user's, its homes'."""
    pids = {child.pid for child in psutil.Process().children(recursive=True)}
    for process in psutil.process_iter(["uids"]):
        try:
            mine = sandbox.isolation().uid is not None and process.info["uids"].real == sandbox.isolation().uid
            if mine or process.environ().get("HOME", "").startswith(f"{tempfile.gettempdir()}/sandbox-"):
                pids.add(process.pid)
        except psutil.Error:
            continue
    return pids


def test_an_honest_program_answers():
    outcome = attack("send({'job': json.load(open('job.json')), 'x': 1})\nprint('hello')")
    assert outcome.ended is None and outcome.result == {"job": {}, "x": 1} and outcome.output == "hello\n"


def test_a_program_can_bring_modules_of_its_own():
    modules = {"pack/__init__.py": "", "pack/part.py": "from . import other\nx = other.x", "pack/other.py": "x = 7"}
    outcome = attack("from pack.part import x; send({'x': x})", modules=modules)
    assert outcome.ended is None and outcome.result == {"x": 7}, outcome.output


def test_a_package_does_not_take_the_place_of_a_standard_module(tmp_path, monkeypatch):
    (tmp_path / "dataclasses.py").write_text("raise ImportError('a backport for older Pythons')")
    (tmp_path / "lonely.py").write_text("x = 5")
    tmp_path.chmod(0o755)
    monkeypatch.setattr(sandbox.site, "getsitepackages", lambda: [str(tmp_path)])
    outcome = attack("import dataclasses, lonely; send({'x': lonely.x})")
    assert outcome.ended is None and outcome.result == {"x": 5}


@pytest.mark.parametrize(
    ("source", "ended"),
    [
        ("while True:\n    try:\n        while True: pass\n    except BaseException: pass", "did not end within 2 s"),
        ("import signal, time\nfor s in range(1, 32):\n    try: signal.signal(s, signal.SIG_IGN)\n    except OSError: pass\n"
         "while True: time.sleep(1)", "did not end within 2 s"),
        ("os._exit(3)", "exit code 3"),
        ("os.kill(os.getpid(), 9)", "exit code 137"),
        ("import ctypes; ctypes.string_at(0)", "exit code 139"),
    ],
)  # fmt: skip
def test_what_does_not_end_or_dies_is_ended(source, ended):
    assert ended in attack(source, replace(SMALL, seconds=2)).ended


def test_a_fork_bomb_meets_the_number_of_processes():
    source = "import time\nmost = 0\nfor _ in range(500):\n    try:\n        if os.fork() == 0: time.sleep(60)\n" \
             "        most += 1\n    except OSError: break\nsend({'most': most})"  # fmt: skip
    outcome = attack(source)
    assert outcome.result is not None and outcome.result["most"] <= SMALL.processes
    assert (
        "within" in attack("while True:\n    try: os.fork()\n    except OSError: pass", replace(SMALL, seconds=2)).ended
    )


def test_children_that_hide_from_their_parent_end_with_it():
    source = "import time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0: time.sleep(600)\n    os._exit(0)\n" \
             "os.wait(); send({'left': True})"  # fmt: skip
    assert attack(source).result == {"left": True}


@pytest.mark.parametrize(
    "source",
    [
        "x = bytearray(2 << 30)",
        "keep = []\nwhile True: keep.append(bytearray(8 << 20))",
        # each process below its own limit, together above
        "import time\nfor _ in range(12):\n    if os.fork() == 0:\n        x = bytearray(100 << 20)\n"
        "        x[::4096] = b'1' * len(x[::4096]); time.sleep(60)\ntime.sleep(60)",
    ],
)
def test_a_memory_bomb_is_stopped(source):
    outcome = attack(source)
    assert outcome.ended is not None and outcome.result is None and outcome.seconds < 9


def test_output_results_and_files_are_bounded():
    assert "printed more than 2 MB" in attack("while True: print('x' * 100_000)").ended
    flood = "while True: os.write(int(os.environ['RESULT_FD']), b'x' * 65536)"
    assert "a result of more than" in attack(flood, replace(SMALL, result=MEGA)).ended
    big = "f = open('big', 'wb')\nwhile True: f.write(b'x' * (1 << 20)); f.flush()"
    assert attack(big).ended is not None
    many = "for i in range(100):\n    open(f'f{i}', 'wb').write(b'x' * (15 << 20))"
    assert attack(many).ended is not None


@pytest.mark.parametrize("raw", ["[" * 100_000, '{"a":' * 50_000, "nonsense", "[1]", "1" * 100_000, "", "\\xff\\xfe"])
def test_an_answer_that_is_not_one_object_is_none(raw):
    assert sandbox.parse(raw.encode()) is None


@needs_namespaces
def test_nothing_of_ours_can_be_seen_or_written(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("expected answers")
    secret.chmod(0o644)
    here = Path(__file__).resolve().parents[3]
    source = f"""
def tried(do):
    try: return repr(do())[:80]
    except BaseException as e: return "refused " + type(e).__name__
paths = {[str(secret), str(here / "course" / "assignments" / "a1.py"), str(here), "/etc/shadow", os.path.expanduser("~/.ssh"), "/proc/1/environ", "/proc/1/root/etc"]!r}
r = {{p: tried(lambda: os.listdir(p) if os.path.isdir(p) else open(p).read()) for p in paths}}
for p in ["/usr/x", "/x", "/etc/passwd", "/data/x", {str(tmp_path / "x")!r}]:
    r["write " + p] = tried(lambda: open(p, "w").write("x"))
r["environment"] = sorted(os.environ)
r["mount"] = tried(lambda: __import__("ctypes").CDLL(None).mount(b"tmpfs", b"/tmp", b"tmpfs", 0, None))
r["setuid"] = tried(lambda: os.setuid(0))
r["kill"] = tried(lambda: os.kill(1, 9))
r["pids"] = [n for n in os.listdir("/proc") if n.isdigit()]
send(r)
"""
    os.environ["GRADER_SECRET_TOKEN"] = "x"
    try:
        result = attack(source).result
    finally:
        del os.environ["GRADER_SECRET_TOKEN"]
    others = ["environment", "mount", "setuid", "kill", "pids"]
    if result[str(here)] == f"['{Path(sys.prefix).name}']":  # the way to the packages, where they lie inside
        others.append(str(here))
    assert all(value.startswith("refused") for key, value in result.items() if key not in others), result
    assert "GRADER_SECRET_TOKEN" not in result["environment"] and result["mount"] == "-1"
    assert len(result["pids"]) <= 2 and not (tmp_path / "x").exists()
    assert secret.read_text() == "expected answers"


@needs_namespaces
def test_there_is_no_network_not_even_to_ourselves():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        source = f"""
import socket
r = {{}}
for host, port in (("127.0.0.1", {port}), ("1.1.1.1", 53), ("localhost", {port})):
    try:
        socket.create_connection((host, port), timeout=2); r[host] = "connected"
    except OSError as e: r[host] = "refused"
send(r)
"""
        assert set(attack(source).result.values()) == {"refused"}


@needs_namespaces
def test_two_sandboxes_do_not_see_each_other():
    source = (
        "left = [d for d in ('/tmp', '/dev/shm', '.') if 'mine' in os.listdir(d)]\n"
        "for d in ('/tmp', '/dev/shm', '.'): open(f'{d}/mine', 'w').write('x')\nsend({'left': left})"
    )
    for _ in range(2):
        assert attack(source).result == {"left": []}


def test_without_namespaces_it_says_so_and_root_is_refused(monkeypatch):
    weak = sandbox.Isolation((), None, "Not isolated (for a test).")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(sandbox.SandboxError, match="As root nothing would stand between"):
        run("pass", {}, SMALL, isolated=weak)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert run("pass", {}, SMALL, isolated=weak).weak == "Not isolated (for a test)."


def test_the_weak_sandbox_still_ends_everything(monkeypatch):
    weak = sandbox.Isolation((), None, "Not isolated (for a test).")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    loop = "import time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0: time.sleep(600)\n    os._exit(0)\n" \
           "while True: pass"  # fmt: skip
    assert "within 2 s" in attack(loop, replace(SMALL, seconds=2), isolated=weak).ended
    greedy = "import time\nx = [b'x' * (1 << 20) for _ in range(480)]\nimport os\n" \
             "if os.fork(): y = [b'y' * (1 << 20) for _ in range(300)]\ntime.sleep(9)"  # fmt: skip
    ran = attack(greedy, isolated=weak)
    assert "MB of memory" in ran.ended or "MemoryError" in ran.output, "the sum of processes, or the limit of one"


def test_the_reason_is_given_where_unshare_is_missing(monkeypatch):
    monkeypatch.setattr(sandbox.shutil, "which", lambda name: None)
    offer = sandbox.isolation.__wrapped__()
    assert offer.prefix == () and "unshare (util-linux) is not installed" in offer.missing


def test_the_parser_of_answers_is_the_jsons():
    assert sandbox.parse(json.dumps({"a": [1, None]}).encode()) == {"a": [1, None]}
