"""The system calls that a sandboxed process is refused, as a filter that bubblewrap loads into the kernel.

What is refused is what could reach beyond the walls or around the limits: keyrings, memory that nobody counts, new
namespaces and mounts, other processes' memory, sockets that know no network namespace.
"""

import tempfile
from typing import IO

EPERM, EAFNOSUPPORT, ENOSYS = 1, 97, 38
REFUSED = (
    # keyrings, which no namespace separates
    "keyctl", "add_key", "request_key",
    # memory that belongs to no process, and outlives it or its count
    "memfd_create", "memfd_secret", "shmget", "shmat", "shmctl", "shmdt", "msgget", "msgsnd", "semget", "mq_open",
    "remap_file_pages", "userfaultfd", "mbind", "set_mempolicy", "migrate_pages", "move_pages",
    # other roots and other views
    "mount", "umount2", "pivot_root", "chroot", "unshare", "setns", "open_tree", "move_mount", "fsopen", "fsconfig",
    "fsmount", "fspick", "mount_setattr", "swapon", "swapoff", "quotactl", "name_to_handle_at", "open_by_handle_at",
    # other processes
    "ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "pidfd_getfd", "process_madvise",
    # the kernel itself
    "bpf", "perf_event_open", "io_uring_setup", "io_uring_enter", "io_uring_register", "kexec_load",
    "kexec_file_load", "init_module", "finit_module", "delete_module", "syslog", "acct", "reboot", "iopl", "ioperm",
    "settimeofday", "clock_settime", "adjtimex", "clock_adjtime", "sethostname", "setdomainname", "lookup_dcookie",
    "fanotify_init", "inotify_init", "inotify_init1", "personality", "modify_ldt", "vhangup",
)  # fmt: skip
NEW_NAMESPACES = (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000)  # CLONE_NEW...
FAMILIES = (1, 2, 10, 16)  # unix, inet, inet6, netlink: those that end at the network namespace
SOCKET_LEVEL, BUFFER_SIZES = 1, (7, 8, 32, 33)  # SO_SNDBUF, SO_RCVBUF, and both by force
TERMINAL_INPUT = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX


def filter_file() -> IO[bytes]:
    """Return an open file with the filter.

    Raises:
        ImportError, OSError: libseccomp or its binding is not there.
    """
    import pyseccomp as seccomp

    rules = seccomp.SyscallFilter(seccomp.ALLOW)
    for name in REFUSED:
        add(rules, seccomp.ERRNO(EPERM), name)
    add(rules, seccomp.ERRNO(ENOSYS), "clone3")  # whose flags no filter can read; C libraries then ask for clone
    for flag in NEW_NAMESPACES:
        add(rules, seccomp.ERRNO(EPERM), "clone", seccomp.Arg(0, seccomp.MASKED_EQ, flag, flag))
    for family in range(max(FAMILIES) + 1):
        if family not in FAMILIES:
            for name in ("socket", "socketpair"):
                add(rules, seccomp.ERRNO(EAFNOSUPPORT), name, seccomp.Arg(0, seccomp.EQ, family))
    for name in ("socket", "socketpair"):
        add(rules, seccomp.ERRNO(EAFNOSUPPORT), name, seccomp.Arg(0, seccomp.GT, max(FAMILIES)))
    for option in BUFFER_SIZES:  # changes nothing, and says that it did: what waits in a socket is nobody's memory
        size = seccomp.Arg(1, seccomp.EQ, SOCKET_LEVEL), seccomp.Arg(2, seccomp.EQ, option)
        add(rules, seccomp.ERRNO(0), "setsockopt", *size)
    for request in TERMINAL_INPUT:
        add(rules, seccomp.ERRNO(EPERM), "ioctl", seccomp.Arg(1, seccomp.EQ, request))
    file = tempfile.TemporaryFile()  # noqa: SIM115 whoever starts the sandbox closes it
    rules.export_bpf(file)
    file.seek(0)
    return file


def add(rules, action: int, name: str, *arguments) -> None:
    """Add a rule; a call that this machine's libseccomp or processor does not have needs none."""
    try:
        rules.add_rule(action, name, *arguments)
    except (OSError, ValueError, RuntimeError) as error:
        if getattr(error, "errno", None) not in (None, 22, 33):
            raise
