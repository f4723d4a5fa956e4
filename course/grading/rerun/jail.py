"""Become the untrusted process: take limits, another user where there is a number for one, and start the program.

Runs alone (standard library only) as the first process inside bubblewrap's walls, or without walls where they were
renounced; what it is told stands in its one argument. It reports nothing: who started it sees from outside what
becomes of the process.
"""

import contextlib
import json
import os
import resource
import sys


def limit(order: dict) -> None:
    limits = {
        resource.RLIMIT_CPU: int(order["seconds"]) + 1,
        resource.RLIMIT_FSIZE: order["file_size"],
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: 256,  # each may be a socket, and hold what waits in it
        resource.RLIMIT_DATA: order["memory"],  # private writable memory, whichever way it was asked for
        resource.RLIMIT_AS: order["address_space"],  # and shared memory, roughly: libraries count, too
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_MEMLOCK: 1 << 20,
    }
    if order["walls"]:  # else it would count all processes of the user, the tutor's own included
        limits[resource.RLIMIT_NPROC] = order["processes"]
    for which, value in limits.items():
        hard = resource.getrlimit(which)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (value, value))


def main() -> None:
    order = json.loads(sys.argv[1])
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")  # when the machine runs out of memory, this goes first
    limit(order)
    if order["uid"] is not None:
        os.setgroups([])
        os.setresgid(order["uid"], order["uid"], order["uid"])
        os.setresuid(order["uid"], order["uid"], order["uid"])  # and with it go the last privileges
    os.chdir(order["home"])
    os.execve(order["command"][0], order["command"], order["environment"])


if __name__ == "__main__":
    main()
