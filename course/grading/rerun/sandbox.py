"""Run an untrusted program: what it can see, use and send back is bounded, and all of it ends at a deadline.

With Linux namespaces (requested through ``unshare``, as root or as any user where the system allows it) the program
sees an empty file system with read-only views of the system's and Python's folders, no network, no other process and
a home in memory that vanishes with it: neither this repository nor the tutor's home nor another submission exists for
it. As root it also runs as a user that owns nothing. Limits everywhere: wall clock, CPU, memory of all its processes
together, size of files, number of processes, bytes printed, bytes of result.

Where namespaces cannot be had, :func:`isolation` says in one sentence what is missing, and every verdict repeats it.
"""

import contextlib
import functools
import json
import os
import selectors
import shutil
import signal
import site
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from course.grading.rerun.jail import NOT_BUILT, OUT_OF_MEMORY, OUT_OF_TIME

JAIL = Path(__file__).with_name("jail.py")
MEGA = 1 << 20
# packages come last, as in any Python: one that bears a standard module's name must not take its place
START = """import os, sys
sys.path += [p for p in os.environ.pop("PACKAGES").split(os.pathsep) if p not in sys.path]
with open("program.py", encoding="utf-8") as program:
    exec(compile(program.read(), "program.py", "exec"))
"""
GRACE_S = 3.0  # beyond its time, for the jail to end by itself
ETC = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "fonts", "alternatives", "mime.types")
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/sys/devices/system/cpu", *(f"/etc/{n}" for n in ETC))


class SandboxError(RuntimeError):
    """The sandbox cannot be had; the message says what was expected, what came, and what to do."""


@dataclass(frozen=True)
class Limits:
    """The resources that a run may use; beyond any of them it is ended."""

    seconds: float = 300.0
    memory: int = 4096 * MEGA  # all its processes together
    disk: int = 512 * MEGA
    file_size: int = 256 * MEGA
    processes: int = 64  # threads count, too
    output: int = 10 * MEGA  # standard output and error together
    result: int = 8 * MEGA


@dataclass(frozen=True)
class Run:
    """How a run ended. Everything in here came from the untrusted program, but for ``ended``."""

    ended: str | None  # None: by itself, in order; else one clause, as "it printed more than 10 MB"
    result: dict[str, Any] | None  # the one JSON object that it sent
    output: str
    seconds: float
    weak: str | None = field(default=None)  # what the sandbox could not keep out


class Isolation(NamedTuple):
    prefix: tuple[str, ...]  # the command that makes namespaces; empty where there are none
    uid: int | None  # the user to become, as root
    missing: str | None  # one sentence, where something is not kept out


def run(
    script: str,
    job: Mapping[str, Any],
    limits: Limits | None = None,
    data: Path | None = None,
    *,
    modules: Mapping[str, str] | None = None,
    isolated: Isolation | None = None,
) -> Run:
    """Run a Python script on a job, both passed as text; the script sends one JSON object through ``RESULT_FD``.

    Args:
        script: source, becomes ``program.py`` in the sandbox's home, beside ``job.json``.
        data: a folder to show, read-only, as ``/data``.
        modules: further sources by their paths in the home, which the script can import.
        isolated: for tests; what :func:`isolation` says where it is None.

    Raises:
        SandboxError: root without namespaces, or the sandbox could not be built although its trial could.
    """
    limits, isolated = limits or Limits(), isolated or isolation()
    if not isolated.prefix and os.geteuid() == 0:
        raise SandboxError(
            f"{isolated.missing} As root nothing would stand between a submission and this machine: run as an "
            "ordinary user, or allow namespaces (in a container: --privileged or --cap-add SYS_ADMIN)"
        )
    spot = Path(tempfile.mkdtemp(prefix="sandbox-"))
    started = time.monotonic()
    try:
        files = {"program.py": script, "job.json": json.dumps(dict(job)), **(modules or {})}
        return _run(files, limits, data, isolated, spot, started)
    finally:
        shutil.rmtree(spot, ignore_errors=True)


def _run(
    files: Mapping[str, str], limits: Limits, data: Path | None, isolated: Isolation, spot: Path, started: float
) -> Run:
    contained = bool(isolated.prefix)
    home = "/home" if contained else str(spot)
    packages = [p for p in (*site.getsitepackages(), site.getusersitepackages()) if Path(p).is_dir()]
    order = {
        "isolated": contained,
        "root": str(spot),
        "uid": isolated.uid,
        "home": home,
        "folders": _folders(packages),
        "data": str(data.resolve()) if data else None,
        "files": dict(files),
        "command": [sys.executable, "-s", "-B", "-c", START],
        "environment": _environment(home, packages, data if not contained else Path("/data")),
        "seconds": limits.seconds, "memory": limits.memory, "disk": limits.disk, "file_size": limits.file_size,
        "processes": limits.processes,
    }  # fmt: skip
    read_end, write_end = os.pipe()
    try:
        process = subprocess.Popen(
            [*isolated.prefix, sys.executable, "-I", "-S", "-B", str(JAIL)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            pass_fds=[write_end], start_new_session=True, cwd="/", env={"PATH": "/usr/bin:/bin"},
        )  # fmt: skip
    except OSError as error:
        os.close(read_end)
        raise SandboxError(
            f"the sandbox could not be started ({error.strerror}): is the machine out of memory?"
        ) from error
    finally:
        os.close(write_end)
    order["result_fd"] = write_end
    try:
        return _collect(process, read_end, json.dumps(order).encode(), limits, isolated, started)
    finally:
        _end(process)
        os.close(read_end)


def _collect(process, read_end: int, order: bytes, limits: Limits, isolated: Isolation, started: float) -> Run:
    try:
        process.stdin.write(order)
        process.stdin.close()
    except BrokenPipeError:
        pass  # the jail did not start; its exit code says so below
    output, result, ended = bytearray(), bytearray(), None
    deadline = started + limits.seconds + GRACE_S
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ, (output, limits.output, "it printed more than"))
        selector.register(read_end, selectors.EVENT_READ, (result, limits.result, "it sent a result of more than"))
        while selector.get_map() and ended is None:
            left = deadline - time.monotonic()
            if left <= 0:
                ended = f"it did not end within {limits.seconds:g} s"
            for key, _ in selector.select(timeout=max(left, 0)):
                buffer, most, complaint = key.data
                chunk = os.read(key.fd, 1 << 16)
                if not chunk:
                    selector.unregister(key.fileobj)
                buffer += chunk[: most - len(buffer) + 1]
                if len(buffer) > most:
                    ended = f"{complaint} {most / MEGA:g} MB"
    if ended is None:
        try:
            ended = _meaning(process.wait(timeout=GRACE_S), limits)
        except subprocess.TimeoutExpired:
            ended = f"it did not end within {limits.seconds:g} s"
    text = output[: limits.output].decode("utf-8", errors="replace")
    if process.returncode == NOT_BUILT and text.startswith("sandbox: "):
        raise SandboxError(
            f"the sandbox could not be built ({text.splitlines()[0][9:300]}): see course/grading/rerun/jail.py"
        )
    return Run(ended, parse(bytes(result)), text, time.monotonic() - started, isolated.missing)


def parse(raw: bytes) -> dict[str, Any] | None:
    """Return one JSON object, or None: untrusted bytes may be anything, nested a million times."""
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _meaning(code: int, limits: Limits) -> str | None:
    known = {
        0: None,
        OUT_OF_TIME: f"it did not end within {limits.seconds:g} s",
        OUT_OF_MEMORY: f"it used more than {limits.memory / MEGA:g} MB of memory",
        128 + signal.SIGXCPU: f"it used more than {limits.seconds:g} s of processor time",
        128 + signal.SIGXFSZ: f"it wrote a file of more than {limits.file_size / MEGA:g} MB",
    }
    return known.get(code, f"its process died with exit code {code}")


def _end(process: subprocess.Popen) -> None:
    """End all processes: the jail is the first of its namespace, and unshare takes it along."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _folders(packages: list[str]) -> list[str]:
    """Return the folders to show, read-only: parents first, so that none hides another."""
    python = {sys.prefix, sys.base_prefix, str(Path(sys.executable).resolve().parent.parent), *packages}
    folders: list[str] = []
    for folder in (*SYSTEM, *sorted(python, key=len)):
        if not any(Path(folder).is_relative_to(known) for known in folders if known != "/"):
            folders.append(folder)
    return folders


def _environment(home: str, packages: list[str], data: Path | None) -> dict[str, str]:
    """Return the program's environment, with nothing of ours: no tokens, no paths, no proxies."""
    threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS", "NUMEXPR")}
    temporary = "/tmp" if home == "/home" else home
    return threads | {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "PACKAGES": os.pathsep.join(packages),
        "HOME": home, "TMPDIR": temporary, "USER": "student", "LOGNAME": "student", "LANG": "C.UTF-8",
        "MPLBACKEND": "Agg", "MPLCONFIGDIR": f"{home}/.matplotlib", "IPYTHONDIR": f"{home}/.ipython",
        "TQDM_DISABLE": "1", "PYTHONHASHSEED": "0", "GRADER_DATA": str(data or ""),
    }  # fmt: skip


@functools.cache
def isolation() -> Isolation:
    """Try what this system offers: namespaces with another user, with a mapped user, or none."""
    unshare = shutil.which("unshare")
    as_root = os.geteuid() == 0
    why = "unshare (util-linux) is not installed" if sys.platform == "linux" else f"this is {sys.platform}, not Linux"
    if unshare and sys.platform == "linux":
        spaces = ("--net", "--ipc", "--uts", "--pid", "--fork", "--kill-child", "--mount")
        # a number that nobody has, and another one in each process that grades: limits count by user
        uid = 2_000_000 + os.getpid() if as_root else None
        prefix = (unshare, *(() if as_root else ("--user", "--map-root-user")), *spaces)
        trial = Isolation(prefix, uid, None)
        try:
            answer = run(TRIAL, {}, Limits(seconds=20, memory=256 * MEGA), isolated=trial)
            if answer.ended is None and answer.result == {"alive": True}:
                return trial
            why = answer.ended or "a trial run gave no answer"
        except SandboxError as error:
            why = str(error)
    return Isolation(
        (), None,
        f"Not isolated ({why}): a submission that is run again can reach the network and the files of this user; "
        "only time, memory, file size and output are limited.",
    )  # fmt: skip


TRIAL = 'import os; os.write(int(os.environ["RESULT_FD"]), b\'{"alive": true}\')'
