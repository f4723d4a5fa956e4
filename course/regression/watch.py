"""Watch a notebook's kernel while nbval waits for a cell: it may have died, or wait for what will not come."""

import time
from queue import Empty
from typing import Any

import psutil

POLL_S = 0.5
STALL_S = 90  # a cell that uses no processor for so long is waiting for something that will not come
IDLE_SHARE = 0.02  # of one core: a kernel's own threads use less


class CheckFailure(Exception):
    """A cell failed for a reason that nbval does not know; the message is the whole report."""


class Watch:
    """Stand in for nbval's wait for a reply, and look whether the kernel lives and does anything.

    Attributes:
        report: Why the cell was interrupted; empty where it was not.
    """

    def __init__(self, item: Any, stall: float) -> None:
        self.item = item
        self.kernel = item.parent.kernel
        self.stall = stall
        self.report = ""
        if self.kernel is not None:
            self.kernel.await_reply = self.await_reply

    def await_reply(self, msg_id: str, timeout: float | None = None) -> None:
        """Wait for the reply to a message.

        Raises:
            CheckFailure: The kernel died.
            Empty: The time is over, or the cell hangs; nbval then interrupts it and shows where it was.
        """
        end = time.monotonic() + (timeout or float("inf"))
        since, used = time.monotonic(), self._processor_time()
        while time.monotonic() < end:
            if self._has_reply(msg_id):
                return
            waited = time.monotonic() - since
            if waited >= self.stall:
                now = self._processor_time()
                self._check_busy(waited, used, now)
                since, used = time.monotonic(), now
        raise Empty

    def _has_reply(self, msg_id: str) -> bool:
        try:
            message = self.kernel.get_message(stream="shell", timeout=POLL_S)
        except Empty:
            self._check_alive()
            return False
        if message["parent_header"].get("msg_id") != msg_id:
            return False
        if message["content"]["status"] == "aborted":
            raise RuntimeError("Kernel aborted execution request")
        return True

    def _check_busy(self, waited: float, before: float | None, now: float | None) -> None:
        if now is not None and before is not None and now - before >= IDLE_SHARE * waited:
            return
        self.report = (
            f"cell {self.item.cell_num} of {self.item.path.stem} used no processor time for {waited:.0f} s: "
            "it hangs and was interrupted (--stall sets the limit)"
        )
        raise Empty

    def _check_alive(self) -> None:
        if self.kernel.is_alive():
            return
        self.item.parent.timed_out = True  # nbval expects the cells after this one to fail
        process = getattr(getattr(self.kernel.km, "provisioner", None), "process", None)
        status = getattr(process, "returncode", None)
        reason = "" if status is None else f" (exit status {status}; negative is a signal, -9 often means no memory)"
        raise CheckFailure(
            f"{self.item.path.stem}, cell {self.item.cell_num}: the kernel died{reason}; "
            f"the cells after it were not run. The cell:\n{self.item.cell.source}"
        )

    def _processor_time(self) -> float | None:
        """Return the seconds that the kernel and its children have used; None where the system does not tell."""
        try:
            root = psutil.Process(self.kernel.km.provisioner.pid)
            times = [p.cpu_times() for p in (root, *root.children(recursive=True))]
        except (psutil.Error, AttributeError, TypeError):
            return None
        return sum(t.user + t.system for t in times)
