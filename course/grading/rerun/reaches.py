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
        "format_stack", "print_stack", "get_stack", "getinnerframes", "_current_exceptions", "__self__", "__code__",
        "__wrapped__", "__mro__", "__bases__", "__base__", "__builtins__", "__loader__", "__spec__", "__getattribute__",
        "ast_transformers", "_global_forward_hooks", "_global_forward_pre_hooks", "_global_optimizer_post_hooks",
        "_global_optimizer_pre_hooks", "__record_call__", "__note_call__",
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
STRINGS = ("/proc/", "/dev/fd", "/sys/", "GRADER_", "LINE")
CALLS = frozenset(("exec", "eval", "compile", "__import__"))
GETTERS = frozenset(("getattr", "setattr", "delattr", "attrgetter", "methodcaller"))
# names that are harmless of anything but these modules: torch.stack, model.modules()
OF_MODULES = frozenset(
    ("sys.modules", "sys.monitoring", "sys.meta_path", "inspect.stack", "inspect.trace", "builtins.exec",
     "builtins.eval", "builtins.compile", "builtins.__import__")
)  # fmt: skip
INNER = frozenset(("sys", "inspect", "traceback", "gc", "os", "builtins", "importlib", "operator", "types"))
PATCHED = ("torch.Tensor.", "torch.optim.", "torch.nn.", "torch.autograd.")  # whose methods no assignment replaces
OUR_FOLDER = "probes"
MOST, LONGEST = 5, 120


def reaches(submission: Submission) -> Iterator[Finding]:
    """Yield the lines that reach beyond the notebook; a few are enough."""
    lines = 0
    trees = [parse_or_none(cell.source) for cell in submission.cells]
    names = imported(trees)
    for number, (cell, tree) in enumerate(zip(submission.cells, trees, strict=True), start=1):
        for line in lines_of(tree, names):
            text = (cell.source.splitlines() or [""])[min(line, len(cell.source.splitlines())) - 1].strip()
            yield Finding("LOOK", "rerun_reaches", f"code cell {number}, line {line}: {quoted(text, LONGEST)}", "file")
            lines += 1
            if lines == MOST:
                return


def imported(trees: list[ast.Module | None]) -> dict[str, str]:
    """Return what each name that is imported anywhere stands for, with its module."""
    names: dict[str, str] = {}
    for node in (node for tree in trees if tree for node in ast.walk(tree)):
        if isinstance(node, ast.Import):
            names |= {a.asname or a.name.partition(".")[0]: a.name if a.asname else a.name.partition(".")[0]
                      for a in node.names}  # fmt: skip
        elif isinstance(node, ast.ImportFrom):
            names |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
    return names


def lines_of(tree: ast.Module | None, names: dict[str, str]) -> list[int]:
    nodes = list(ast.walk(tree)) if tree else []
    comparisons = [node for node in nodes if isinstance(node, ast.Compare)]
    asking = {id(node.comparators[0]) for node in comparisons if asks_where_it_runs(node)}
    found = [node for node in nodes if id(node) not in asking and reaching(node, names)]
    return sorted({int(getattr(node, "lineno", 1)) for node in found})


def asks_where_it_runs(node: ast.Compare) -> bool:
    """Say whether a comparison asks whether something was imported: ``"google.colab" in sys.modules``."""
    of_word = isinstance(node.left, ast.Constant) and len(node.ops) == 1
    return of_word and isinstance(node.ops[0], ast.In | ast.NotIn)


def reaching(node: ast.AST, names: dict[str, str]) -> bool:
    """Say whether a node of a source reaches for what no assignment needs."""
    if isinstance(node, ast.Attribute):
        return reaching_attribute(node, names)
    if isinstance(node, ast.Name):
        return node.id in ATTRIBUTES and node.id.startswith("__")
    if isinstance(node, ast.Import):
        return any(is_refused(alias.name) for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        found = [alias.name for alias in node.names]
        beyond = any(n in ATTRIBUTES or f"{node.module}.{n}" in OF_MODULES for n in found)
        return is_refused(node.module or "") or beyond or (node.module in INNER and "*" in found)
    if isinstance(node, ast.Call):
        return reaching_call(node, names)
    if isinstance(node, ast.keyword):
        return node.arg == "stack_info"
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and reaching_text(node.value)


def is_refused(module: str) -> bool:
    return module in MODULES or module.partition(".")[0] in MODULES


def dotted(node: ast.expr, names: dict[str, str]) -> str:
    """Return a chain of names as its module has it; empty where it begins with anything else."""
    if isinstance(node, ast.Attribute):
        start = dotted(node.value, names)
        return f"{start}.{node.attr}" if start else ""
    return names.get(node.id, "") if isinstance(node, ast.Name) else ""


def reaching_attribute(node: ast.Attribute, names: dict[str, str]) -> bool:
    name = dotted(node, names)
    of_module = name in OF_MODULES or (node.attr == "__dict__" and isinstance(node.value, ast.Name) and bool(name))
    patches = isinstance(node.ctx, ast.Store) and name.startswith(PATCHED)
    return node.attr in ATTRIBUTES or of_module or patches


def reaching_call(node: ast.Call, names: dict[str, str]) -> bool:
    """Say whether a call makes code of text, or asks for what has another name than the source shows."""
    function = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    if isinstance(node.func, ast.Name) and function in CALLS:
        return True
    first = dotted(node.args[0], names) if node.args else ""
    if function == "vars" and first:
        return True
    texts = [arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
    if function == "import_module":
        return not texts or is_refused(texts[0]) or texts[0] in INNER
    if function not in GETTERS:
        return False
    unknown = first.partition(".")[0] in INNER and len(node.args) > 1 and not texts
    return unknown or any(text in ATTRIBUTES or text in ("modules", "__dict__") for text in texts)


def reaching_text(text: str) -> bool:
    """Say whether a string names what lies outside; prose that has such a word in it is none."""
    ours = OUR_FOLDER in text and len(text.split()) == 1
    hidden = text in ATTRIBUTES and "_" in text
    starts = any(text.startswith(start) for start in STRINGS[:-1])
    return text == "LINE" or (len(text) < LONGEST and (starts or ours or hidden))


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
