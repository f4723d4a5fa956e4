"""Run an untrusted program behind bubblewrap's walls, and talk with it: what it can see, use and say is bounded.

The walls are bubblewrap's (the tool that Flatpak uses): new namespaces, an empty file system with read-only views of
the system's and Python's folders and nothing else, no network but an unconnected loopback, no privileges, and a filter
of system calls. As root it also runs as a user that nobody has, another one in each run. From outside, the grader's own
process watches wall clock, memory (shared memory counted), processes and output, and ends everything at a limit: why a
run ended is said by who ended it, never by the program.

Reruns need Linux and bubblewrap; without them :func:`isolation` says what is missing, and nothing is run unless the
walls were renounced in so many words.
"""

import contextlib
import ctypes
import functools
import json
import os
import secrets
import selectors
import shutil
import site
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

from course.grading.leftovers import SANDBOX
from course.grading.probes.channel import Garbled, Stream, packed
from course.grading.rerun import usage
from course.grading.rerun.system_calls import filter_file

JAIL = Path(__file__).with_name("jail.py").read_text(encoding="utf-8")
MEGA = 1 << 20
HOME, PROGRAM = "/home/student", "/program"
SHARES = {"/dev/shm": 4, "/tmp": 4, "/content": 8, "/kaggle": 8}  # folders of its own, and their part of the disk
OWN = (*SHARES, HOME)
# packages come last, as in any Python: one that bears a standard module's name must not take its place
START = """import os, sys
sys.path[:0] = [os.environ.pop("PROGRAM")]
sys.path += [p for p in os.environ.pop("PACKAGES").split(os.pathsep) if p not in sys.path]
import program
"""
PACKAGES = (
    "site-packages",
    "dist-packages",
)  # what an environment installs, or borrows from another; no project's folder
POLL_S = 0.1
GRACE_S = 3.0  # for a process to be gone after its end
START_S = 120.0  # for Python and torch to be loaded, which no submission has a part in
ETC = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "fonts", "alternatives", "mime.types")
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/sys/devices/system/cpu", *(f"/etc/{n}" for n in ETC))
SPACES = ("ipc", "pid", "net", "uts", "cgroup-try")
HIDDEN = ("/proc/keys", "/proc/key-users", "/proc/kallsyms", "/proc/timer_list", "/proc/config.gz")
KEYCTL = {"x86_64": 250, "aarch64": 219}  # the system call's number
JOIN_SESSION_KEYRING = 1
FIRST_USER, USERS = 1 << 28, 1 << 28  # numbers that nobody has
NEEDS_LINUX = "reruns need Linux, for its sandbox: grade from outputs here (without --rerun), or rerun on Linux"


class SandboxError(RuntimeError):
    """The sandbox cannot be had; the message says what was expected, what came, and what to do."""


@dataclass(frozen=True)
class Limits:
    """The resources that a run may use; beyond any of them it is ended."""

    seconds: float = 300.0
    memory: int = 4096 * MEGA  # all its processes together, shared memory included
    disk: int = 512 * MEGA
    file_size: int = 256 * MEGA
    files: int = 20_000
    processes: int = 64  # threads count, too
    output: int = 10 * MEGA  # standard output and error together
    messages: int = 512 * MEGA  # all that it says to the grader


class Isolation(NamedTuple):
    walls: bool
    missing: str | None  # one sentence, where something is not kept out


class Ended(Exception):
    """The run is over; the message is the grader's own clause on why, as "it printed more than 10 MB"."""


class Session:
    """A running program, as the grader sees it. Everything that it says is untrusted."""

    def __init__(self, process: "subprocess.Popen[bytes]", line: socket.socket, limits: Limits, walls: bool) -> None:
        self.process, self.line, self.limits, self.walls = process, line, limits, walls
        self.deadline = time.monotonic() + limits.seconds
        self.stream, self.output, self.said = Stream(), bytearray(), 0
        self.ended: str | None = None
        self.outside: set[int] = set()  # bubblewrap's process on this side of the walls, once they stand
        self.selector = selectors.DefaultSelector()
        assert process.stdout is not None
        self.selector.register(line, selectors.EVENT_READ)
        self.selector.register(process.stdout, selectors.EVENT_READ)

    def send(self, message: dict[str, Any]) -> None:
        """Say something to the program; one that does not listen is ended.

        Raises:
            Ended: the program, for whatever reason.
        """
        self.line.settimeout(max(0.1, min(GRACE_S * 10, self.deadline - time.monotonic())))
        try:
            self.line.sendall(packed(message))
        except TimeoutError:
            self.end("it did not listen any more")
        except OSError:
            self.end("its process ended too early")

    def receive(self, seconds: float | None = None, late: str = "it did not answer in time") -> dict[str, Any]:
        """Return the next message.

        Args:
            seconds: how long to wait for it, where less than the whole run has.
            late: why the run ended, if it did not come then.

        Raises:
            Ended: it does not come in time, or a limit was reached, or the program is gone.
        """
        until = self.deadline if seconds is None else min(self.deadline, time.monotonic() + seconds)
        while True:
            try:
                message = self.stream.next()
            except Garbled as error:
                self.end(f"it sent something that is no answer: {error}")
            else:
                if message is not None:
                    return message
            if self.ended:
                raise Ended(self.ended)
            left = until - time.monotonic()
            if left <= 0:
                self.end(f"it did not end within {self.limits.seconds:g} s" if until == self.deadline else late)
            over = usage.has_ended(self.process.pid)  # asked first: what it said last is there to be read by now
            ready = self.selector.select(timeout=min(left, POLL_S))
            for key, _ in ready:
                self.read(key.fileobj)
            if over and not ready:  # another one of its processes holds the line
                self.end("its process ended too early")
            self.watch()

    def read(self, source: Any) -> None:
        """Take what there is to read; the end of the line is the end of the run."""
        try:
            chunk = self.line.recv(1 << 16) if source is self.line else os.read(source.fileno(), 1 << 16)
        except OSError:
            chunk = b""
        if not chunk:
            self.selector.unregister(source)
            if source is self.line:
                if not self.stream.buffer:
                    self.end("its process ended too early")
                self.ended = "its process ended too early"
        elif source is self.line:
            self.said += len(chunk)
            if self.said > self.limits.messages:
                self.end(f"it sent more than {self.limits.messages / MEGA:g} MB of answers")
            try:
                self.stream.feed(chunk)
            except Garbled as error:
                self.end(str(error))
        else:
            self.output += chunk
            if len(self.output) > self.limits.output:
                self.end(f"it printed more than {self.limits.output / MEGA:g} MB")

    def watch(self) -> None:
        """End the run where all its processes together use too much."""
        pids = usage.descendants(self.process.pid)
        inside = min(pids - self.outside, default=None) if self.outside else None
        if usage.memory_is_beyond(pids, self.limits.memory, inside):
            self.end(f"it used more than {self.limits.memory / MEGA:g} MB of memory")
        if inside is not None and usage.files_in(inside, OWN) > self.limits.files:
            self.end(f"it made more than {self.limits.files} files")
        if len(pids) > self.limits.processes + 4:  # bubblewrap's own two, and a race
            self.end(f"it started more than {self.limits.processes} processes")

    def end(self, why: str) -> None:
        """End all its processes.

        Raises:
            Ended: always.
        """
        self.ended = self.ended or why
        self.kill()
        raise Ended(self.ended)

    def kill(self) -> None:
        usage.end_all(self.process.pid, alone=self.walls)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(GRACE_S)

    def close(self) -> None:
        self.kill()
        self.selector.close()
        self.line.close()
        assert self.process.stdout is not None
        self.process.stdout.close()

    @property
    def text(self) -> str:
        """What the program printed."""
        return self.output[: self.limits.output].decode("utf-8", errors="replace")


@contextlib.contextmanager
def session(
    modules: Mapping[str, str],
    limits: Limits | None = None,
    data: Path | None = None,
    *,
    isolated: Isolation | None = None,
    after_s: float = 0.0,
):
    """Start a program in the sandbox, and end it with the block: all its processes, its files, its folder.

    Args:
        modules: the program's sources by their paths; ``program.py`` is started. The number of the one line to the
            grader stands in the environment as ``LINE``.
        data: a folder to show, read-only, as ``/data``.
        after_s: processor time beyond the limit's seconds, for what is asked after the run.
        isolated: for tests, and where the walls were renounced; what :func:`isolation` says where it is None.

    Raises:
        SandboxError: the sandbox cannot be had, or does not start: a fault of the machine, not of the program.
    """
    limits, isolated = limits or Limits(), isolated or isolation()
    if not isolated.walls:
        refuse_root(isolated)
    spot = Path(tempfile.mkdtemp(prefix=SANDBOX))
    ours, theirs = socket.socketpair()
    files: list[IO[bytes]] = []
    running = None
    try:
        command, environment = order_of(modules, limits, data, isolated, spot, theirs.fileno(), files, after_s)
        with theirs:
            process = started(command, environment, [theirs.fileno(), *(file.fileno() for file in files)])
        running = Session(process, ours, limits, isolated.walls)
        greet(running)
        yield running
    finally:
        if running is not None:
            running.close()
        ours.close()
        for file in files:
            file.close()
        shutil.rmtree(spot, ignore_errors=True)


def greet(running: Session) -> None:
    """Wait for the program's first word, which comes before anything of a submission is read; then its time begins.

    Raises:
        SandboxError: it does not come.
    """
    running.deadline = time.monotonic() + START_S
    try:
        running.receive()
    except Ended as error:
        last = " ".join(running.text.splitlines()[-3:])[:300]
        raise SandboxError(
            f"the sandbox could not be started ({error}; {last}): try it again, with more memory"
        ) from error
    running.deadline = time.monotonic() + running.limits.seconds
    running.outside = {running.process.pid} if running.walls else set()


def refuse_root(isolated: Isolation) -> None:
    if sys.platform != "linux":
        raise SandboxError(NEEDS_LINUX)
    if os.geteuid() == 0:
        raise SandboxError(
            f"{isolated.missing} As root nothing would stand between a submission and this machine: install "
            "bubblewrap, or run as an ordinary user"
        )


def started(command: list[str], environment: dict[str, str], fds: list[int]) -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, pass_fds=fds,
            start_new_session=True, cwd="/", env=environment, preexec_fn=own_keyring,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        raise SandboxError(f"the sandbox could not be started ({error}): is the machine out of memory?") from error


def own_keyring() -> None:
    """Leave the tutor's session keyring, which no namespace hides; and, without walls, be ended as a whole."""
    number = KEYCTL.get(os.uname().machine)
    if number is not None:
        ctypes.CDLL(None).syscall(number, JOIN_SESSION_KEYRING, None)


# ---------------------------------------------------------------- what is shown, and nothing else


def order_of(
    modules: Mapping[str, str], limits: Limits, data: Path | None, isolated: Isolation, spot: Path, line: int,
    files: list[IO[bytes]], after_s: float,
) -> tuple[list[str], dict[str, str]]:  # fmt: skip
    """Return the command that starts the program, and its environment; files that it reads are opened."""
    packages = [
        p for p in dict.fromkeys((*site.getsitepackages(), *sys.path)) if Path(p).name in PACKAGES and Path(p).is_dir()
    ]
    home, program = (HOME, PROGRAM) if isolated.walls else (str(spot), str(spot))
    shown = None if data is None else Path("/data") if isolated.walls else data
    uid = FIRST_USER + secrets.randbelow(USERS) if isolated.walls and os.geteuid() == 0 else None
    order = {
        "walls": isolated.walls, "uid": uid, "home": home, "seconds": limits.seconds + after_s + START_S,
        "memory": limits.memory,
        "address_space": 2 * limits.memory + 8192 * MEGA, "file_size": limits.file_size,
        "processes": limits.processes, "command": [sys.executable, "-s", "-B", "-c", START],
        "environment": _environment(home, program, packages, shown) | {"LINE": str(line)},
    }  # fmt: skip
    jail = [sys.executable, "-I", "-S", "-B", "-c", JAIL, json.dumps(order)]
    if isolated.walls:
        return [*cgroup(limits), *walls(modules, limits, data, packages, uid, files), "--", *jail], {
            "PATH": "/usr/bin:/bin"
        }
    for name, text in modules.items():
        (spot / name).parent.mkdir(parents=True, exist_ok=True)
        (spot / name).write_text(text, encoding="utf-8")
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: what hides from its parent is still found
    return jail, {"PATH": "/usr/bin:/bin"}


def walls(
    modules: Mapping[str, str], limits: Limits, data: Path | None, packages: list[str], uid: int | None,
    files: list[IO[bytes]],
) -> list[str]:  # fmt: skip
    """Return bubblewrap's command: the walls, and all that can be seen inside them."""
    bwrap = shutil.which("bwrap")
    assert bwrap is not None
    command = [
        bwrap,
        *(f"--unshare-{space}" for space in SPACES),
        "--die-with-parent",
        "--new-session",
        "--clearenv",
        "--cap-drop",
        "ALL",
    ]
    if uid is None:
        command += ["--unshare-user", "--disable-userns", "--uid", "1000", "--gid", "1000"]
    else:  # real root builds the walls, and the jail becomes another user inside; new namespaces are refused by filter
        command += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    seccomp = filter_file()
    files.append(seccomp)
    command += ["--seccomp", str(seccomp.fileno()), "--hostname", "student"]
    command += ["--proc", "/proc", "--dev", "/dev"]
    for path in HIDDEN:
        command += ["--ro-bind", "/dev/null", path] if os.path.exists(path) else []
    # before the folders that are shown, which may lie below /tmp
    for folder, share in SHARES.items():
        command += ["--perms", "1777", "--size", str(limits.disk // share), "--tmpfs", folder]
    folders = _folders(packages)
    for parent in sorted({str(parent) for path in (*folders, HOME) for parent in Path(path).parents[:-1]}):
        command += ["--perms", "0755", "--dir", parent]  # bubblewrap's own way to make them shuts others out
    for folder in folders:
        command += (
            ["--symlink", os.readlink(folder), folder] if os.path.islink(folder) else ["--ro-bind-try", folder, folder]
        )
    command += ["--perms", "1777", "--size", str(limits.disk // 2), "--tmpfs", HOME]
    for name, text in {**modules, "passwd": f"student:x:{uid or 1000}:{uid or 1000}::{HOME}:/bin/sh\n"}.items():
        file = tempfile.TemporaryFile()  # noqa: SIM115 closed with the session
        file.write(text.encode())
        file.seek(0)
        files.append(file)
        target = "/etc/passwd" if name == "passwd" else f"{PROGRAM}/{name}"
        for parent in reversed(Path(target).parents[:-1]):
            command += ["--perms", "0755", "--dir", str(parent)]
        command += ["--perms", "0444", "--ro-bind-data", str(file.fileno()), target]
    if data is not None:
        command += ["--ro-bind", str(data.resolve()), "/data"]
    return [*command, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", HOME]


def _folders(packages: list[str]) -> list[str]:
    """Return the folders to show, read-only: parents first, so that none hides another."""
    python = {sys.prefix, sys.base_prefix, str(Path(sys.executable).resolve().parent.parent), *packages}
    python |= {str(Path(folder).resolve()) for folder in python}  # of an environment behind a link, both ends
    folders: list[str] = []
    for folder in (*SYSTEM, *sorted(python, key=len)):
        if not any(Path(folder).is_relative_to(known) for known in folders if known != "/"):
            folders.append(folder)
    return [folder for folder in folders if os.path.lexists(folder)]


def _environment(home: str, program: str, packages: list[str], data: Path | None) -> dict[str, str]:
    """Return the program's environment, with nothing of ours: no tokens, no paths, no proxies."""
    threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS", "NUMEXPR")}
    return threads | {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "PACKAGES": os.pathsep.join(packages),
        "PROGRAM": program, "HOME": home, "TMPDIR": "/tmp" if home == HOME else home, "USER": "student",
        "LOGNAME": "student", "LANG": "C.UTF-8", "MPLBACKEND": "Agg", "MPLCONFIGDIR": f"{home}/.matplotlib",
        "IPYTHONDIR": f"{home}/.ipython", "TQDM_DISABLE": "1", "PYTHONHASHSEED": "0", "GRADER_DATA": str(data or ""),
    }  # fmt: skip


# ---------------------------------------------------------------- what this machine offers


@functools.cache
def isolation() -> Isolation:
    """Try what this system offers: bubblewrap with its filter, or nothing."""
    if sys.platform != "linux":
        return Isolation(False, f"{NEEDS_LINUX[0].upper()}{NEEDS_LINUX[1:]}.")
    if shutil.which("bwrap") is None:
        return Isolation(False, weakness("bubblewrap is not installed (Debian, Ubuntu: apt install bubblewrap)"))
    try:
        with session({"program.py": TRIAL}, Limits(seconds=20, memory=512 * MEGA), isolated=Isolation(True, None)):
            return Isolation(True, None)
    except (SandboxError, ImportError, OSError) as error:
        return Isolation(False, weakness(f"bubblewrap does not work here: {error}"))


def weakness(why: str) -> str:
    return (
        f"Not isolated ({why}): a submission that is run again could reach the network and the files of this user, and "
        "end the grader; only time, memory, file size and output would be limited."
    )


TRIAL = """import os, socket, struct
socket.socket(fileno=int(os.environ["LINE"])).sendall(struct.pack(">I", 2) + b"{}")
"""


@functools.cache
def _scope() -> tuple[str, ...]:
    """Return the command that puts a process into a control group of its own, where systemd lets this user have one."""
    systemd = shutil.which("systemd-run")
    if systemd is None:
        return ()
    user = () if os.geteuid() == 0 else ("--user",)
    scope = (systemd, *user, "--scope", "--quiet", "--collect")
    try:
        tried = subprocess.run([*scope, "-p", "MemoryMax=64M", "true"], capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return scope if tried.returncode == 0 else ()


def cgroup(limits: Limits) -> list[str]:
    """Return what stands before the command so that the kernel itself counts memory and processes; nothing without."""
    scope = _scope()
    if not scope:
        return []
    properties = (f"MemoryMax={limits.memory + limits.disk}", "MemorySwapMax=0", f"TasksMax={limits.processes + 8}")
    command = list(scope)
    for value in properties:
        command += ["-p", value]
    return [*command, "--"]
