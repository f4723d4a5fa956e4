"""The first process of a sandbox makes it small, starts the untrusted process in it, and ends with it.

Runs alone (``python -I jail.py``, standard library only) as the first process of new namespaces, which ``sandbox``
asks ``unshare`` for; when it ends, the kernel ends whatever else runs in them. One JSON object on its standard input
says what to do. In order: a new root made of an empty memory file system and read-only views of the system's and
Python's folders, nothing else; an empty process table, no network but an unconnected loopback; then, for the child
alone, limits, another user, no privileges, and the untrusted program.

Without namespaces (``"isolated": false``) only limits and supervision are left.
"""

import ctypes
import json
import os
import resource
import signal
import sys
import time

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MNT_DETACH = 2
PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 24, 36, 38
SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
OUT_OF_MEMORY, OUT_OF_TIME, NOT_BUILT = 97, 98, 99  # exit codes that the sandbox knows
POLL_S = 0.05

libc = ctypes.CDLL(None, use_errno=True)


def call(result: int, what: str) -> None:
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


def mount(source: str, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    as_bytes = [None if s is None else s.encode() for s in (source, target, kind, options)]
    call(libc.mount(as_bytes[0], as_bytes[1], as_bytes[2], ctypes.c_ulong(flags), as_bytes[3]), f"mount {target}")


def bind(source: str, root: str, target: str | None = None, *, writable: bool = False) -> None:
    """Show ``source`` below the new root, read-only; create symbolic links (``/bin -> usr/bin``) anew."""
    target = root + (target or source)
    if os.path.islink(source):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if not os.path.lexists(target):
            os.symlink(os.readlink(source), target)
        return
    if not os.path.exists(source):
        return
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        open(target, "a").close()
    mount(source, target, None, MS_BIND | MS_REC)
    if not writable:
        before = os.statvfs(target).f_flag  # flags that a less privileged mount may not drop
        pairs = ((os.ST_NOSUID, MS_NOSUID), (os.ST_NODEV, MS_NODEV), (os.ST_NOEXEC, MS_NOEXEC))
        flags = sum(ours for theirs, ours in pairs if before & theirs)
        mount("none", target, None, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | flags)


def build_root(job: dict) -> None:
    root, owner = job["root"], job["uid"]
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    mount("tmpfs", root, "tmpfs", MS_NOSUID | MS_NODEV, f"size={job['disk']},nr_inodes=20000,mode=0755")
    for folder in job["folders"]:
        bind(folder, root)
    for name in ("null", "zero", "full", "random", "urandom"):
        bind(f"/dev/{name}", root, writable=True)
    for name in ("stdin", "stdout", "stderr"):
        os.symlink(f"/proc/self/fd/{('stdin', 'stdout', 'stderr').index(name)}", f"{root}/dev/{name}")
    os.symlink("/proc/self/fd", f"{root}/dev/fd")
    for folder in ("proc", "tmp", "home", "dev/shm", "etc"):
        os.makedirs(f"{root}/{folder}", exist_ok=True)
    mount("proc", f"{root}/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    if job["data"]:
        bind(job["data"], root, "/data")
    with open(f"{root}/etc/passwd", "w") as file:
        file.write(f"student:x:{owner or 0}:{owner or 0}::/home:/bin/sh\n")
    write_files(job, f"{root}/home")
    os.makedirs(f"{root}/old")
    for folder in ("home", "tmp", "dev/shm"):
        os.chmod(f"{root}/{folder}", 0o777)
    call(libc.syscall(SYS_PIVOT_ROOT[os.uname().machine], root.encode(), f"{root}/old".encode()), "pivot_root")
    os.chdir("/")
    call(libc.umount2(b"/old", MNT_DETACH), "umount /old")
    os.rmdir("/old")


def write_files(job: dict, home: str) -> None:
    for name, text in job["files"].items():
        os.makedirs(os.path.dirname(f"{home}/{name}"), exist_ok=True)
        with open(f"{home}/{name}", "w", encoding="utf-8") as file:
            file.write(text)


def limit(job: dict) -> None:
    limits = {
        resource.RLIMIT_CPU: int(job["seconds"]) + 1,
        resource.RLIMIT_FSIZE: job["file_size"],
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: 512,
        resource.RLIMIT_NPROC: job["processes"],
        # private writable memory, whichever way it was asked for; address space would count libraries, too
        resource.RLIMIT_DATA: job["memory"],
    }
    for which, value in limits.items():
        hard = resource.getrlimit(which)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        if which == resource.RLIMIT_NPROC and not job["isolated"]:
            continue  # it counts all processes of the user, the tutor's own included
        resource.setrlimit(which, (value, value))


def become_untrusted(job: dict) -> None:
    """Take limits, no capabilities and another user, in the child: there is no way back."""
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")  # when the machine runs out of memory, this goes first
    limit(job)
    if job["isolated"]:
        for capability in range(64):
            libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
        if job["uid"] is not None:
            os.setgroups([])
            os.setresgid(job["uid"], job["uid"], job["uid"])
            os.setresuid(job["uid"], job["uid"], job["uid"])
    call(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")


def start(job: dict, result_fd: int) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        null = os.open("/dev/null", os.O_RDONLY)
        os.dup2(null, 0)
        if not job["isolated"]:
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        become_untrusted(job)
        os.chdir(job["home"])
        os.set_inheritable(result_fd, True)
        os.execve(job["command"][0], job["command"], job["environment"] | {"RESULT_FD": str(result_fd)})
    except BaseException as error:  # the child must never return into the parent's code
        os.write(2, f"sandbox: the child could not start: {error}\n".encode())
    os._exit(NOT_BUILT)


def private_memory(isolated: bool) -> int:
    """Return the bytes of anonymous memory of all processes in here; without namespaces, of the children."""
    total, page = 0, os.sysconf("SC_PAGE_SIZE")
    pids = (int(name) for name in os.listdir("/proc") if name.isdigit()) if isolated else descendants()
    for pid in pids:
        if pid == os.getpid():
            continue
        try:
            with open(f"/proc/{pid}/statm") as file:
                _, resident, shared = (int(n) for n in file.read().split()[:3])
            total += (resident - shared) * page
        except (OSError, ValueError):
            continue  # it ended meanwhile
    return total + (tmpfs_used() if isolated else 0)


def tmpfs_used() -> int:
    stat = os.statvfs("/")
    return (stat.f_blocks - stat.f_bfree) * stat.f_frsize


def descendants() -> set[int]:
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat") as file:
                    parents[int(name)] = int(file.read().rsplit(")", 1)[1].split()[1])
            except (OSError, ValueError, IndexError):
                continue
    pids, fresh = set(), {os.getpid()}
    while fresh:
        fresh = {pid for pid, parent in parents.items() if parent in fresh} - pids
        pids |= fresh
    return pids


def kill_descendants() -> None:
    """Kill until none is left; stop each first, for a process may fork faster than it is killed."""
    for _ in range(100):
        left = descendants()
        if not left:
            return
        for sign in (signal.SIGSTOP, signal.SIGKILL):
            for pid in left:
                try:
                    os.kill(pid, sign)
                except ProcessLookupError:
                    continue
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(POLL_S)


def watch(job: dict, child: int) -> int:
    """Wait for the child within its time and memory; return its exit code, or 128 + the signal that ended it."""
    deadline = time.monotonic() + job["seconds"]
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return 0
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        if pid == 0:
            if time.monotonic() > deadline:
                return OUT_OF_TIME
            if private_memory(job["isolated"]) > job["memory"]:
                return OUT_OF_MEMORY
            time.sleep(POLL_S)


def main() -> int:
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    job = json.load(sys.stdin)
    result_fd = int(job["result_fd"])
    try:
        if job["isolated"]:
            build_root(job)
        else:
            libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
            write_files(job, job["home"])
    except (OSError, KeyError) as error:
        os.write(2, f"sandbox: {error}\n".encode())
        return NOT_BUILT
    child = start(job, result_fd)
    os.close(result_fd)
    code = watch(job, child)
    if not job["isolated"]:
        kill_descendants()
    return code


if __name__ == "__main__":
    os._exit(main())  # no clean-up that the untrusted process could hold up
