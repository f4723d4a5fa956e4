"""What the processes of a sandbox use, counted from outside, where none of them can reach."""

import contextlib
import functools
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

KILO = 1024
TABLES = ("VmPTE:",)  # the kernel's own notes on a process's pages, which reading alone makes
COUNTED = ("RssAnon:", "RssShmem:", "VmSwap:", *TABLES)
EXACT = ("Pss_Anon:", "Pss_Shmem:", "SwapPss:")  # a page that several share counts once
NETWORKS = ("tcp", "tcp6", "udp", "udp6")
USUAL_BUFFER = 212_992  # bytes, Linux's own setting
ROUNDS, PAUSE_S = 100, 0.05


def descendants(root: int) -> set[int]:
    """Return a process and all that came from it."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                    parents[int(name)] = int(file.read().rsplit(")", 1)[1].split()[1])
            except (OSError, ValueError, IndexError):
                continue  # it ended meanwhile
    pids, fresh = set(), {root}
    while fresh:
        pids |= fresh
        fresh = {pid for pid, parent in parents.items() if parent in fresh} - pids
    return pids


def has_ended(pid: int) -> bool:
    """Say whether a child of this process is over; its number stays taken until somebody waits for it."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def memory_is_beyond(pids: set[int], most: int, inside: int | None = None) -> bool:
    """Say whether these processes together hold more bytes of memory, shared memory and socket buffers included.

    Args:
        pids: the processes.
        most: how many bytes they may hold.
        inside: one of them, where they have a network of their own; None where they have not.
    """
    buffers = buffers_of(pids) + (waiting(inside) if inside is not None else 0)
    if sum(of_process(pid, "status", COUNTED) for pid in pids) + buffers <= most:
        return False
    exact = [of_process(pid, "smaps_rollup", EXACT) for pid in pids]
    tables = sum(of_process(pid, "status", TABLES) for pid in pids)
    return not any(exact) or sum(exact) + tables + buffers > most


def buffers_of(pids: set[int]) -> int:
    """Return how many bytes may wait in the sockets of these processes, as in local ones.

    No process's memory counts them. What is open twice counts once.
    """
    sockets: set[str] = set()
    for pid in pids:
        with contextlib.suppress(OSError), os.scandir(f"/proc/{pid}/fd") as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    target = os.readlink(entry.path)
                    sockets |= {target} if target.startswith("socket:") else set()
    return len(sockets) * largest_buffer()


@functools.cache
def largest_buffer() -> int:
    """Return how many bytes may wait in one local socket; inside, no process can ask for more."""
    with contextlib.suppress(OSError, ValueError), open("/proc/sys/net/core/wmem_default", encoding="ascii") as file:
        return int(file.read())
    return USUAL_BUFFER


def waiting(pid: int) -> int:
    """Return how many bytes wait in the sockets of a process's network, to be sent and to be read."""
    total = 0
    for name in NETWORKS:
        with contextlib.suppress(OSError, ValueError, IndexError):
            rows = Path(f"/proc/{pid}/net/{name}").read_text(encoding="ascii", errors="replace").splitlines()[1:]
            total += sum(int(part, 16) for row in rows for part in row.split()[4].split(":"))
    return total


def of_process(pid: int, table: str, rows: tuple[str, ...]) -> int:
    total = 0
    try:
        with open(f"/proc/{pid}/{table}", encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith(rows):
                    total += int(line.split()[1]) * KILO
    except (OSError, ValueError, IndexError):
        return 0
    return total


def files_in(pid: int, folders: Iterable[str]) -> int:
    """Return how many files lie in a sandbox's own folders, seen through one of its processes; 0 where none can look.

    Each is an entry in the kernel's memory, empty or not, which neither a folder's size nor a process's memory counts.
    """
    total = 0
    for folder in folders:
        try:
            there = os.statvfs(f"/proc/{pid}/root{folder}")
        except OSError:
            return 0
        total += there.f_files - there.f_ffree
    return total


def end_all(root: int, *, alone: bool) -> None:
    """Kill a process and all that came from it.

    Args:
        alone: it is the first of a sandbox, with which the kernel ends the rest. Else each is stopped, then killed,
            until none is left: a process may fork faster than it is killed.
    """
    if alone:
        send(root, signal.SIGKILL)
        return
    for _ in range(ROUNDS):
        left = descendants(root) if exists(root) else set()
        left |= descendants(os.getpid()) - {os.getpid()}
        if not left:
            return
        for sign in (signal.SIGSTOP, signal.SIGKILL):
            for pid in left:
                send(pid, sign)
        reap()
        time.sleep(PAUSE_S)


def reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def exists(pid: int) -> bool:
    return os.path.exists(f"/proc/{pid}")


def send(pid: int, sign: signal.Signals) -> None:
    try:
        os.kill(pid, sign)
    except ProcessLookupError:
        return
