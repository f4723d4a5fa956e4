"""Interrupt a submission's code when its time is up, also where it catches whatever it can.

The first ring raises :class:`Late` where the program is. Code that catches it and goes on, as ``except BaseException:
pass`` in a loop does, gets two signals at once a second later: the first raises ``KeyboardInterrupt``, and the second
waits until Python looks for signals the next time, which is in the handler that caught the first, outside of its
``try``; there both are sent anew. What never comes back to Python cannot be interrupted from inside: whoever started
the process ends it then.
"""

import signal
from types import FrameType
from typing import Any

AGAIN_S = 1.0  # after a ring, for code to leave
WALL = 3  # times as much wall clock as processor time, for what waits and never computes
CELLS = ("<ipython-input", "ipykernel")  # how the file names of cells begin, or what is in them


class Late(BaseException):
    """The time of a cell, or of one act, is up."""


class Alarm:
    """Rings when a time is up, until it is stopped."""

    def __init__(self) -> None:
        self.on = self.rang = False
        for number in (signal.SIGALRM, signal.SIGPROF):
            signal.signal(number, self.ring)
        signal.signal(signal.SIGUSR1, signal.default_int_handler)  # a handler in Python would look for the second
        signal.signal(signal.SIGUSR2, self.second)

    def start(self, seconds: float, *, processor: bool = False) -> None:
        """Begin to count.

        Args:
            processor: the seconds are of processor time, which a machine with other work gives more slowly.
        """
        self.on, self.rang = True, False
        signal.setitimer(signal.ITIMER_PROF, seconds if processor else 0)
        signal.setitimer(signal.ITIMER_REAL, seconds * WALL if processor else seconds, AGAIN_S)

    def stop(self) -> None:
        self.on = False
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)

    def ring(self, _: int, frame: FrameType | None) -> None:
        if not self.on:
            return
        if not self.rang:
            self.rang = True
            signal.setitimer(signal.ITIMER_REAL, AGAIN_S, AGAIN_S)
            raise Late
        self.second(0, frame)

    def second(self, _: int, frame: FrameType | None) -> None:
        if self.on and in_cell(frame):
            fire()


def fire() -> None:
    """Let both signals arrive at once: the first raises out of here, the second waits."""
    both = (signal.SIGUSR1, signal.SIGUSR2)
    signal.pthread_sigmask(signal.SIG_BLOCK, both)
    for number in both:
        signal.raise_signal(number)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, both)


def in_cell(frame: Any) -> bool:
    """Say whether a cell's code is running: what has left it is on its way out."""
    while frame is not None:
        if any(mark in frame.f_code.co_filename for mark in CELLS):
            return True
        frame = frame.f_back
    return False
