# ruff: noqa: E501 programs stand on long lines
"""Code that does not end is interrupted, also where it catches everything; what was left before is not disturbed."""

import signal
import sys
import time

import pytest

if sys.platform == "win32":
    pytest.skip("reruns need Linux", allow_module_level=True)

from course.grading.probes import alarm as alarms
from course.grading.probes.alarm import Alarm, Late

SECONDS = 0.2
ENDLESS = {
    "a loop": "while True: pass",
    "a loop that counts": "n = 0\nwhile True: n += 1",
    "a call that sleeps": "import time\ntime.sleep(1000)",
    "a lock": "import threading\nthreading.Event().wait()",
    "a child": "import subprocess\nsubprocess.run(['sleep', '1000'])",
    "a pipe": "import os\nos.read(os.pipe()[0], 1)",
    "swallowing": "while True:\n    try:\n        while True: abs(1)\n    except BaseException: pass",
    "swallowing bare": "def f():\n    while True:\n        try:\n            while True: abs(1)\n        except: continue\nf()",
    "swallowing twice": "while True:\n    try:\n        while True:\n            try:\n                while True: abs(1)\n            except BaseException: pass\n    except BaseException: pass",
    "swallowing in a function": "def go():\n    while True: abs(1)\nwhile True:\n    try: go()\n    except BaseException as e: x = e",
    "swallowing and sleeping": "import time\nwhile True:\n    try: time.sleep(1)\n    except BaseException: pass",
    "swallowing and calling itself": "def f():\n    while True:\n        try:\n            while True: abs(1)\n        except BaseException: print(end='')\nf()",
    "swallowing eight times": "".join(" " * 2 * n + "while True:\n" + " " * (2 * n + 1) + "try:\n" for n in range(8))
    + " " * 16
    + "while True: abs(1)\n"
    + "".join(" " * (2 * n + 1) + "except BaseException: pass\n" for n in reversed(range(8))),
    "suppressing": "import contextlib\nwhile True:\n    with contextlib.suppress(BaseException):\n        while True: abs(1)",
    "finally": "while True:\n    try:\n        while True: abs(1)\n    finally: continue",
}


@pytest.fixture
def alarm():
    numbers = (signal.SIGALRM, signal.SIGPROF, signal.SIGUSR1, signal.SIGUSR2)
    before = {number: signal.getsignal(number) for number in numbers}
    alarm = Alarm()
    yield alarm
    alarm.stop()
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("name", ENDLESS)
def test_what_does_not_end_is_interrupted(name, alarm, monkeypatch):
    monkeypatch.setattr(alarms, "AGAIN_S", SECONDS)
    program = compile(ENDLESS[name], "<ipython-input-1-a>", "exec")
    alarm.start(SECONDS)
    with pytest.raises((Late, KeyboardInterrupt)):
        exec(program, {})
    alarm.stop()
    assert alarm.rang
    for _ in range(1000):  # nothing arrives later
        time.sleep(0)


def test_one_that_catches_once_and_ends_is_known_to_be_late(alarm):
    alarm.start(SECONDS)
    exec(
        compile("try: __import__('time').sleep(1000)\nexcept BaseException: done = 1", "<ipython-input-1-a>", "exec"),
        {},
    )
    alarm.stop()
    assert alarm.rang


def test_what_ends_in_time_is_left_alone_and_so_is_what_comes_after(alarm):
    alarm.start(SECONDS)
    exec(compile("x = sum(range(8))", "<ipython-input-1-a>", "exec"), {})
    alarm.stop()
    time.sleep(2 * SECONDS)
    assert not alarm.rang


def test_later_rings_spare_what_is_no_cells_code(alarm, monkeypatch):
    monkeypatch.setattr(alarms, "AGAIN_S", SECONDS / 4)
    alarm.start(SECONDS)
    with pytest.raises(Late):
        time.sleep(1000)
    time.sleep(SECONDS)  # the shell at work after a cell has left: rings go on, and raise nothing
    alarm.stop()


def test_processor_time_counts_for_what_computes_and_wall_clock_for_what_waits(alarm):
    for program in ("while True: abs(1)", "import time; time.sleep(1000)"):
        alarm.start(SECONDS, processor=True)
        with pytest.raises(Late):
            exec(compile(program, "<ipython-input-1-a>", "exec"), {})
        alarm.stop()
