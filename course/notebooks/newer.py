"""Say of code that this Python does not parse whether it is right in a newer one.

A grammar of its own is asked, which knows newer syntax. What is nested deeply, or written to be slow, may take it
minutes, gigabytes or its process along: it gets a process of its own under limits, once for all cells of a notebook.
"""

import functools
import json
import subprocess
import sys
from collections.abc import Sequence

from course.notebooks.code import as_python

MOST_LETTERS = 20_000  # of a cell that is asked about
PROCESSOR_S, WALL_S, MEMORY = 3, 20, 1 << 29  # for all cells; they need well below a second and 100 MB
PROGRAM = f"""
import contextlib, json, sys
with contextlib.suppress(ImportError, ValueError, OSError):  # Windows has none of them, macOS some
    import resource
    wanted = {{"CORE": 0, "CPU": {PROCESSOR_S}, "AS": {MEMORY}}}
    for name, most in wanted.items():
        which = getattr(resource, "RLIMIT_" + name)
        limits = [most, *(limit for limit in resource.getrlimit(which) if limit != resource.RLIM_INFINITY)]
        resource.setrlimit(which, (min(limits), min(limits)))
sys.path += sys.argv[1:]
import libcst
for source in json.load(sys.stdin):
    try:
        libcst.parse_module(source)
    except Exception:  # whatever it raises on what it cannot read
        print(0, flush=True)
    else:
        print(1, flush=True)
"""


def are_newer_python(sources: Sequence[str]) -> list[bool | None]:
    """Say of each cell whether it is right in a newer Python; None where that cannot be told.

    It cannot be told of a cell that is very long, or on which the other grammar ends, nor of those after that one.
    """
    asked = [index for index, source in enumerate(sources) if len(source) <= MOST_LETTERS]
    answers: list[bool | None] = [None] * len(sources)
    if asked:
        said = _said_of(tuple(as_python(sources[index]) for index in asked))
        for index, answer in zip(asked, said, strict=False):
            answers[index] = answer == b"1"
    return answers


@functools.lru_cache(maxsize=1)  # validate asks, and the grader that it asks
def _said_of(sources: tuple[str, ...]) -> list[bytes]:
    """Return a line for each source that the other grammar came to an end with."""
    command = [sys.executable, "-I", "-c", PROGRAM, *filter(None, sys.path)]
    written = json.dumps(sources).encode()
    try:
        ran = subprocess.run(command, input=written, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=WALL_S)
    except subprocess.TimeoutExpired as late:
        return (late.stdout or b"").split()
    except OSError:
        return []
    return ran.stdout.split()
