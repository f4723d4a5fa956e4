# ruff: noqa: E501 programs of attackers stand on long lines
"""Programs that try to get out of the sandbox, to see what is not theirs, or to use more than they may.

Each calls ``got(...)`` with what it reached, and may reach nothing. The secrets are canaries that the table puts out:
a file, a key in the session's keyring, a listening socket on loopback. Loops are bounded by the sandbox's limits.
"""

from typing import NamedTuple

from course.grading.rerun.sandbox import MEGA, Limits

SMALL = Limits(seconds=8, memory=300 * MEGA, disk=64 * MEGA, file_size=32 * MEGA, processes=40, output=2 * MEGA)

PRELUDE = """
import ctypes, json, mmap, os, socket, struct, sys, time
line = socket.socket(fileno=int(os.environ["LINE"]))
libc = ctypes.CDLL(None, use_errno=True)
reached = []
def tell(message):
    body = json.dumps(message).encode()
    line.sendall(struct.pack(">I", len(body)) + body)
def got(what): reached.append(str(what)[:100])
def tried(do, *args):
    try: return do(*args)
    except (OSError, ValueError, PermissionError, AttributeError): return None
def call(name, *args):
    result = getattr(libc, name)(*args)
    return result if result >= 0 else None
def number(n, *args):
    result = libc.syscall(n, *args)
    return result if result >= 0 else None
tell({})
line.recv(4096)
"""
END = "\ntell({'got': reached})\n"


class Escape(NamedTuple):
    tries: str
    source: str
    ends: str = ""  # a word of the grader's reason, where a limit must end it


def canaries(secret: str, key: int, port: int, repository: str, home: str) -> dict[str, Escape]:
    """Return attacks that look for the canaries."""
    return {
        "secret": Escape("reads a canary outside, through every door", f"""
for path in ({secret!r}, "/proc/1/root" + {secret!r}, "/proc/self/root" + {secret!r}, "/proc/self/cwd/.." + {secret!r}, "/oldroot" + {secret!r}, "/newroot" + {secret!r}, "/.." + {secret!r}):
    if tried(lambda: open(path).read()): got(path)
"""),
        "home": Escape("lists the tutor's home and the repository", f"""
for path in ({home!r} + "/.ssh", {home!r} + "/.bashrc", {repository!r} + "/course", {repository!r} + "/README.md", {repository!r} + "/.git", "/etc/shadow", "/etc/hostname", "/etc/resolv.conf", "/var", "/run", "/srv", "/mnt", "/boot", "/opt"):
    if os.path.lexists(path): got(path)
"""),
        "keyring": Escape("reads the tutor's session keyring", f"""
buffer = ctypes.create_string_buffer(4096)
for ring in ({key}, -1, -2, -3, -4, -5):
    for operation in (11, 6, 7, 1, 0):
        if number(250, operation, ring, buffer, 4096, 0): got((ring, operation))
"""),
        "keys": Escape("adds keys that a later run could read", """
for n, args in ((248, (b"user", b"mine", b"x", 1, -4)), (249, (b"user", b"mine", None, -4)), (250, (1, None))):
    if number(n, *args) is not None: got(n)
"""),
        "key table": Escape("reads the tables of keys", """
for path in ("/proc/keys", "/proc/key-users", "/proc/kallsyms"):
    if tried(lambda: open(path).read()): got(path)
"""),
        "loopback": Escape("calls a canary on loopback, v4, v6 and by name", f"""
for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0"):
    if tried(lambda: socket.create_connection((host, {port}), timeout=1)): got(host)
"""),
        "internet": Escape("calls beyond this machine", """
for address in (("1.1.1.1", 53), ("10.0.2.2", 80), ("169.254.169.254", 80)):
    if tried(lambda: socket.create_connection(address, timeout=1)): got(address)
"""),
    }  # fmt: skip


ESCAPES = {
    "vsock": Escape("sockets that know no network namespace: vsock, Bluetooth, packets", """
for family in (40, 31, 17, 38, 29, 30, 43, 44, 21, 5, 4, 9):
    for kind in (1, 2, 3, 5):
        if tried(lambda: socket.socket(family, kind)): got((family, kind))
"""),
    "raw": Escape("raw sockets", """
for protocol in (1, 6, 17, 255):
    if tried(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, protocol)): got(protocol)
"""),
    "abstract": Escape("abstract sockets of the session (D-Bus, X11)", """
for name in ("\\0/tmp/.X11-unix/X0", "\\0/tmp/dbus", "/run/user/1000/bus", "/tmp/.X11-unix/X0", "/run/docker.sock", "/var/run/docker.sock"):
    s = socket.socket(socket.AF_UNIX)
    if tried(lambda: s.connect(name) or True): got(name)
"""),
    "interfaces": Escape("brings up an interface by netlink", """
names = [name for _, name in socket.if_nameindex()]
if set(names) - {"lo"}: got(names)
"""),
    "write": Escape("writes wherever it is not at home", """
for path in ("/x", "/usr/x", "/etc/passwd", "/etc/x", "/bin/x", "/lib/x", "/data/x", "/program/x", "/program/program.py", "/dev/x", "/proc/sys/kernel/core_pattern", "/sys/x", sys.prefix + "/x", sys.base_prefix + "/x", os.path.dirname(os.__file__) + "/os.py"):
    if tried(lambda: open(path, "a")): got(path)
"""),
    "submounts": Escape("writes into every mount that is not its own", """
for row in open("/proc/self/mounts"):
    target = row.split()[1].encode().decode("unicode_escape")
    mine = ("/home/student", "/tmp", "/dev/shm", "/content", "/kaggle", "/dev/pts", "/proc")
    if os.path.isdir(target) and not target.startswith(mine) and tried(lambda: open(target + "/owned", "w")): got(target)
"""),
    "remount": Escape("mounts, remounts, pivots", """
for args in ((b"none", b"/", None, 32, None), (b"tmpfs", b"/tmp", b"tmpfs", 0, None), (b"/", b"/tmp", None, 4096, None), (b"proc", b"/tmp", b"proc", 0, None)):
    if call("mount", *args) is not None: got(args)
if call("umount2", b"/usr", 2) is not None or call("chroot", b"/tmp") is not None: got("umount")
if number(155, b"/tmp", b"/tmp") is not None or number(428, -100, b"/", 1) is not None: got("pivot_root, open_tree")
"""),
    "namespaces": Escape("makes namespaces of its own", """
for flag in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000, 0x10020000):
    if call("unshare", flag) is not None: got(hex(flag))
    if number(56, flag | 17, 0, 0, 0, 0): got(("clone", hex(flag)))
class Clone(ctypes.Structure): _fields_ = [(n, ctypes.c_uint64) for n in ("flags", "a", "b", "c", "signal", "d", "e", "f")]
if number(435, ctypes.byref(Clone(flags=0x10000000, signal=17)), 64): got("clone3")
"""),
    "enter": Escape("enters namespaces of others", """
for pid in ("1", "2", "self"):
    for kind in ("net", "mnt", "user", "pid", "ipc"):
        fd = tried(lambda: os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY))
        if fd is not None and call("setns", fd, 0) is not None: got((pid, kind))
"""),
    "privileges": Escape("becomes root, by number, capability or file", """
for do in (lambda: os.setuid(0), lambda: os.setgid(0), lambda: os.setgroups([0]), lambda: os.setresuid(0, 0, 0)):
    if tried(lambda: do() is None): got("uid")
status = open("/proc/self/status").read()
for row in status.splitlines():
    if row.startswith(("CapEff", "CapPrm")) and int(row.split()[1], 16): got(row)
open("/tmp/s", "w").write("#!/bin/sh\\nid -u"); tried(os.chmod, "/tmp/s", 0o6755)
if "NoNewPrivs:\\t1" not in status or "Seccomp:\\t2" not in status: got("no filter")
"""),
    "processes": Escape("sees and signals other processes", """
pids = [int(n) for n in os.listdir("/proc") if n.isdigit()]
if len(pids) > 3: got(pids)
if os.getuid() == 0: got("root")
for pid in (1, os.getppid(), -1):
    for sign in (0, 18):
        if pid != -1 and pid != os.getpid() and tried(lambda: os.kill(pid, sign) is None) and os.getppid() != 0 and pid != 1: got(pid)
"""),
    "ptrace": Escape("reads other processes' memory", """
for pid in (1, os.getppid()):
    if pid > 0 and number(101, 16, pid, 0, 0) is not None: got(("ptrace", pid))
    if pid > 0 and tried(lambda: open(f"/proc/{pid}/mem", "rb").read(1)): got(("mem", pid))
    environment = tried(lambda: open(f"/proc/{pid}/environ").read()) if pid > 0 else None
    if {row.partition("=")[0] for row in (environment or "").split("\\0")} - {"", "PATH", "PWD"}: got(("environ", pid))
if number(310, 1, 0, 0, 0, 0, 0) is not None: got("process_vm_readv")
"""),
    "devices": Escape("opens devices of the machine, makes new ones", """
for path in ("/dev/mem", "/dev/kmem", "/dev/kmsg", "/dev/sda", "/dev/vda", "/dev/nvme0n1", "/dev/loop-control", "/dev/fuse", "/dev/kvm", "/dev/vsock", "/dev/net/tun", "/dev/userfaultfd"):
    if tried(lambda: open(path, "rb")): got(path)
for kind, device in ((0o060600, os.makedev(254, 0)), (0o020600, os.makedev(1, 1))):
    if tried(lambda: os.mknod("/tmp/device", kind, device) is None): got(device)
"""),
    "kernel": Escape("speaks to the kernel itself: bpf, perf, io_uring, modules, clock", """
for n in (321, 298, 425, 426, 427, 175, 313, 246, 320, 103, 163, 169, 172, 173, 227, 164, 159, 300, 323, 304, 303):
    if number(n, 0, 0, 0, 0, 0) is not None: got(n)
"""),
    "personality": Escape("switches off the randomness of addresses", "if number(135, 0x0040000) is not None: got('personality')"),
    "sysctl": Escape("changes settings of the kernel", """
for path in ("/proc/sys/kernel/hostname", "/proc/sys/vm/overcommit_memory", "/proc/sys/net/ipv4/ip_forward", "/proc/sysrq-trigger", "/proc/sys/kernel/modprobe", "/proc/self/oom_score_adj"):
    if tried(lambda: open(path, "wb", buffering=0).write(b"-1000")): got(path)
if call("sethostname", b"x", 1) is not None: got("hostname")
"""),
    "terminal": Escape("types into the tutor's terminal", """
import fcntl
for fd in (0, 1, 2):
    for request in (0x5412, 0x541C):
        if tried(lambda: fcntl.ioctl(fd, request, b"x") is not None): got((fd, request))
if tried(lambda: open("/dev/tty", "w")): got("tty")
"""),
    "descriptors": Escape("uses descriptors that it inherited", """
for fd in range(3, 512):
    if fd != line.fileno() and tried(lambda: os.fstat(fd)): got((fd, tried(lambda: os.readlink(f"/proc/self/fd/{fd}"))))
"""),
    "environment": Escape("reads tokens in the environment", """
for name, value in os.environ.items():
    if "TOKEN" in name or "SECRET" in name or "KEY" in name or "PROXY" in name.upper(): got(name)
"""),
    "limits": Escape("raises its own limits", """
import resource
for which in (resource.RLIMIT_CPU, resource.RLIMIT_DATA, resource.RLIMIT_AS, resource.RLIMIT_NPROC, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE):
    soft, hard = resource.getrlimit(which)
    if hard == resource.RLIM_INFINITY or tried(lambda: resource.setrlimit(which, (hard + 1, hard + 1)) is None): got(which)
if tried(lambda: os.nice(-10)) is not None: got("nice")
"""),
    "memfd": Escape("memory in a file that has no place", "fd = number(319, b'x', 0)\nif fd is not None: got(fd)"),
    "system v": Escape("memory that outlives its process (System V)", """
for n in (29, 64, 68, 240):
    if number(n, 0, 1 << 20, 0o1600) is not None: got(n)
"""),
    "huge pages": Escape("huge pages", """
if tried(lambda: mmap.mmap(-1, 2 << 20, flags=mmap.MAP_SHARED | 0x40000)): got("hugetlb")
"""),
    "private memory": Escape("private memory without end", "keep = []\nwhile True: keep.append(bytearray(8 << 20))", "too early"),
    "shared memory": Escape("900 MB of anonymous shared mappings", "keep = []\nfor _ in range(112):\n    m = mmap.mmap(-1, 8 << 20); m.write(b'x' * (8 << 20)); keep.append(m)\ngot('900 MB')", "memory"),
    "shared by children": Escape("shared mappings, each child its own", """
for _ in range(8):
    if os.fork() == 0:
        m = mmap.mmap(-1, 110 << 20); m.write(b"x" * (110 << 20)); time.sleep(60)
time.sleep(60)
""", "memory"),
    "many processes": Escape("each process below the limit, together above", """
for _ in range(12):
    if os.fork() == 0:
        x = bytearray(60 << 20); x[::4096] = b"1" * len(x[::4096]); time.sleep(60)
time.sleep(60)
""", "memory"),
    "socket buffers": Escape("lets bytes wait in sockets, in nine processes", """
for _ in range(9):
    if os.fork() == 0:
        pairs = []
        while tried(lambda: pairs.append(socket.socketpair()) or 1):
            for end in pairs[-1]:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20); end.setblocking(False)
                while tried(end.send, b"x" * 32768): pass
        time.sleep(60)
time.sleep(60)
""", "memory"),
    "network buffers": Escape("lets bytes wait in connections to itself", """
server = socket.create_server(("127.0.0.1", 0)); ends = []
for _ in range(110):
    ends.append(socket.create_connection(server.getsockname())); ends.append(server.accept()[0])
    ends[-2].setblocking(False)
    while tried(ends[-2].send, b"x" * 65536): pass
time.sleep(60)
""", "memory"),
    "page tables": Escape("reads of mappings that nothing was written to", """
for _ in range(30):
    if os.fork() == 0:
        for size in (8, 6, 4, 2):
            m = tried(lambda: mmap.mmap(-1, size << 30, flags=0x4022, prot=1))
            for at in range(0, len(m or b""), 2 << 20): m[at]
            if m: break
        time.sleep(60)
time.sleep(60)
""", "any"),
    "shm": Escape("fills /dev/shm", "for i in range(40):\n    f = open(f'/dev/shm/{i}', 'wb')\n    if tried(lambda: f.write(b'x' * (8 << 20))) is None: break\nelse: got('320 MB')"),
    "disk": Escape("fills its home and /tmp", """
total = 0
for i in range(60):
    for folder in (".", "/tmp", "/content", "/kaggle", "/dev/shm"):
        try:
            with open(f"{folder}/{i}", "wb") as f: total += f.write(b"x" * (4 << 20))
        except OSError: pass
if total > 80 << 20: got(total)
"""),
    "inodes": Escape("a million empty files", """
made = 0
try:
    for i in range(300_000): open(f"/tmp/{i}", "w").close(); made += 1
except OSError: pass
if made >= 300_000: got(made)
""", "files"),
    "large file": Escape("one large file, full of holes", "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nif tried(lambda: os.truncate(os.open('/tmp/x', os.O_CREAT | os.O_RDWR), 1 << 40) is None): got('1 TB')"),
    "forks": Escape("forks without end", "while True:\n    try: os.fork()\n    except OSError: time.sleep(0.01)", "did not end"),
    "threads": Escape("threads without end", "import threading\nfor n in range(5000):\n    try: threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n    except RuntimeError: break\nif n > 60: got(n)"),
    "hidden children": Escape("children that hide from their parent", "if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0: time.sleep(600)\n    os._exit(0)\nos.wait()"),
    "stopped": Escape("stops itself", "import signal; os.kill(os.getpid(), signal.SIGSTOP); time.sleep(60)", "did not end"),
    "deaf": Escape("ignores every signal, swallows every exception", "import signal\nfor s in range(1, 32):\n    try: signal.signal(s, signal.SIG_IGN)\n    except OSError: pass\nwhile True:\n    try:\n        while True: pass\n    except BaseException: pass", "did not end"),
    "output": Escape("prints without end", "while True: print('x' * 100_000)", "printed more than"),
    "answers": Escape("sends what is no answer, without end", "while True: line.sendall(struct.pack('>I', 1 << 20) + b' ' * (1 << 20))", "no answer"),
    "one answer": Escape("announces an answer larger than any may be", "line.sendall(struct.pack('>I', 1 << 30))\nwhile True: line.sendall(b' ' * (1 << 20))", "a message of more than"),
    "long answer": Escape("announces an answer of 4 GB", "line.sendall(struct.pack('>I', 0xffffffff)); time.sleep(60)", "message of more than"),
    "deep answer": Escape("an answer nested 100,000 deep", "body = b'[' * 100_000\nline.sendall(struct.pack('>I', len(body)) + body); time.sleep(60)", "no answer"),
    "wide array": Escape("an array that says it is 10 TB", "body = json.dumps({'got': {'array': ['float64', [1 << 20, 1 << 20], '']}}).encode()\nline.sendall(struct.pack('>I', len(body)) + body); time.sleep(60)", "no answer"),
    "odd array": Escape("arrays of objects and negative sizes", "body = json.dumps({'got': {'array': ['object', [-1, 3], 'AAAA']}}).encode()\nline.sendall(struct.pack('>I', len(body)) + body); time.sleep(60)", "no answer"),
    "deaf line": Escape("never answers", "time.sleep(60)", "did not end"),
    "hang up": Escape("hangs up", "line.close(); time.sleep(60)", "too early"),
    "codes": Escape("leaves with the exit codes of limits", "os._exit(97)", "too early"),
    "crash": Escape("crashes", "ctypes.string_at(0)", "too early"),
    "kill": Escape("kills all that it can", "os.kill(-1, 9); time.sleep(60)", "too early"),
    "clock": Escape("sets the clock", "if number(227, 0, (ctypes.c_long * 2)(0, 0)) is not None or tried(lambda: time.clock_settime(0, 0) is None): got('clock')"),
    "opened files": Escape("watches who opens the host's program files", "fd = call('inotify_init1', 0o4000)\nif fd is not None: got(libc.inotify_add_watch(fd, b'/usr/bin', 0xfff))"),
    "handles": Escape("opens files by their handle", "if number(304, -100, ctypes.create_string_buffer(64), 0) is not None: got('open_by_handle_at')"),
    "recursion": Escape("endless recursion", "sys.setrecursionlimit(10**9)\ndef f(): f()\nf()", "too early"),
}  # fmt: skip
