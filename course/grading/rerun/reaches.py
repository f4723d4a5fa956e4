"""Find in sources what no assignment needs and a forger does: frames, other processes, the way out; and hidden names.

Such a line is no proof of anything, so it gives LOOK, with the line, beside whatever else was found.
"""

import ast
from collections.abc import Iterator

from course.grading.verdicts import Finding
from course.notebooks.code import bound, parse_or_none
from course.notebooks.reading import Submission
from course.notebooks.visible import quoted

ATTRIBUTES = frozenset(
    (
        "_getframe", "_current_frames", "currentframe", "getouterframes", "f_back", "f_locals", "f_globals",
        "f_builtins", "gi_frame", "cr_frame", "tb_frame", "extract_stack", "walk_stack", "_exit", "settrace",
        "setprofile", "addaudithook", "_getframemodulename", "get_objects", "get_referrers", "get_referents",
        "killpg", "fork", "forkpty", "setitimer", "__subclasses__", "__globals__", "__closure__", "memfd_create",
        "pidfd_open", "sched_setaffinity",
    )
)  # fmt: skip
MODULES = frozenset(
    (
        "ctypes", "_ctypes", "socket", "_socket", "mmap", "posix", "pty", "fcntl", "faulthandler", "atexit", "resource",
        "signal", "_posixsubprocess", "probes", "cffi", "prctl", "ptrace", "multiprocessing.shared_memory",
    )
)  # fmt: skip
STRINGS = ("/proc/", "/dev/fd", "/sys/", "probes.", "LINE")
CALLS = frozenset(("exec", "eval", "compile", "__import__"))
MOST, LONGEST = 5, 120


def reaches(submission: Submission) -> Iterator[Finding]:
    """Yield the lines that reach beyond the notebook; a few are enough."""
    lines = 0
    for number, cell in enumerate(submission.cells, start=1):
        tree = parse_or_none(cell.source)
        for line in lines_of(tree):
            text = (cell.source.splitlines() or [""])[min(line, len(cell.source.splitlines())) - 1].strip()
            yield Finding("LOOK", "rerun_reaches", f"code cell {number}, line {line}: {quoted(text, LONGEST)}", "file")
            lines += 1
            if lines == MOST:
                return


def lines_of(tree: ast.Module | None) -> list[int]:
    nodes = ast.walk(tree) if tree else ()
    return sorted({int(getattr(node, "lineno", 1)) for node in nodes if reaching(node)})


def reaching(node: ast.AST) -> bool:
    """Say whether a node of a source reaches for what no assignment needs."""
    if isinstance(node, ast.Attribute):
        return node.attr in ATTRIBUTES
    if isinstance(node, ast.Import):
        return any(alias.name in MODULES for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        return (node.module or "") in MODULES or any(alias.name in ATTRIBUTES for alias in node.names)
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in CALLS
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and reaching_text(node.value)


def reaching_text(text: str) -> bool:
    """Say whether a string names what lies outside; prose that has such a word in it is none."""
    return text == "LINE" or (len(text) < LONGEST and any(text.startswith(start) for start in STRINGS[:-1]))


def undefined(submission: Submission, names: object) -> Iterator[Finding]:
    """Find functions and classes that were there after the run, and that no source defines."""
    known: set[str] = set()
    for cell in submission.cells:
        tree = parse_or_none(cell.source)
        for statement in tree.body if tree else ():
            known.update(bound(statement))
            known.update(node.name for node in ast.walk(statement) if isinstance(node, ast.ClassDef | ast.FunctionDef))
    there = {name for name in names if isinstance(name, str)} if isinstance(names, list) else set()
    hidden = sorted(there - known)[:MOST]
    if hidden:
        listed = ", ".join(quoted(name, 40) for name in hidden)
        yield Finding("LOOK", "rerun_reaches", f"the run defined names that no source shows: {listed}", "file")
