"""Execute a submission's cells as IPython would, without an accelerator, a network or a window."""

import ast
import contextlib
import io
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from matplotlib import pyplot as plt

from .absent import stand_in
from .alarm import Alarm
from .machine import prepare
from .watch import TRAINING_AND_PLOTS, Watch

DEFINING = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)
HARMLESS_CALLS = ("torch.device", "torch.cuda.is_available", "Path", "dict", "float", "int")
RECORDER, NOTER = "__record_call__", "__note_call__"
MOST_TEXT, MOST_CELL_TEXT = 2_000_000, 200_000
ACCELERATORS = ("cuda", "mps")
SHARE = 0.75  # of the time that is left, for one cell
LEAST_S, DEFINITIONS_S = 1.0, 5.0  # below which only the definitions of a cell are run, and the time that they have


@dataclass
class Clock:
    """The time of the cells: each may take a share of what is left, and so leaves some to the next."""

    cells: int
    end: float  # by the monotonic clock

    def share(self, number: int) -> float:
        """Return how many seconds a cell may take; the last one all that is left."""
        left = self.end - time.monotonic()
        return left if number == self.cells - 1 else left * SHARE


@dataclass
class Notebook:
    """What the cells left behind."""

    space: dict[str, Any]  # names and their values
    data: str | None  # the folder of data sets
    versions: dict[str, list[Callable[..., Any]]] = field(default_factory=dict)  # all definitions of a name

    def first(self, *names: str) -> Any:
        """Return the last definition of the first of these names that is defined, or None."""
        return next((self.versions[name][-1] for name in names if name in self.versions), None)

    def note_versions(self) -> None:
        """Keep each definition of a name that is defined twice: which of the two a figure came from is unknown."""
        for name, value in list(self.space.items()):
            if callable(value) and getattr(value, "__module__", None) == "__main__" and not name.startswith("_"):
                known = self.versions.setdefault(name, [])
                if not known or known[-1] is not value:
                    known.append(value)


class Rewrite(ast.NodeTransformer):
    """Rewrite accelerators to the CPU, and decorate the functions whose calls are recorded."""

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        if isinstance(node.value, str) and node.value.split(":")[0] in ACCELERATORS:
            return ast.copy_location(ast.Constant("cpu"), node)
        return node

    def visit_Assert(self, node: ast.Assert) -> ast.stmt:
        if any(word in ast.unparse(node.test).lower() for word in ("cuda", "mps", "gpu")):
            return ast.copy_location(ast.Pass(), node)  # it asks for an accelerator, not for anything of the task
        self.generic_visit(node)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.generic_visit(node)
        if not node.name.startswith("__") and node.name != "forward":  # which a module's hook sees
            node.decorator_list.append(ast.copy_location(ast.Name(NOTER, ast.Load()), node))
        if node.name in TRAINING_AND_PLOTS:
            node.decorator_list.insert(0, ast.copy_location(ast.Name(RECORDER, ast.Load()), node))
        return node


def defines(node: ast.stmt) -> bool:
    """Say whether a statement only defines: calls that could train do more."""
    if isinstance(node, DEFINING):
        return True
    if isinstance(node, ast.Try):
        return all(map(defines, node.body))
    if isinstance(node, ast.Assign):
        calls = [ast.unparse(n.func) for n in ast.walk(node.value) if isinstance(n, ast.Call)]
        return all(call in HARMLESS_CALLS for call in calls)
    return False


def definitions(source: str) -> str:
    """Return only what a cell defines.

    Raises:
        SyntaxError: the cell is not Python.
    """
    tree = ast.parse(source)
    tree.body = [node for node in tree.body if defines(node)]
    return ast.unparse(tree)


def new_shell(watch: Watch) -> Any:
    """Return an IPython shell on a machine that shows no window and has no accelerator."""
    from IPython.core.interactiveshell import InteractiveShell

    warnings.simplefilter("ignore")
    shell = InteractiveShell.instance()
    shell.colors = "nocolor" if hasattr(shell, "colors") else shell.colors
    shell.ast_transformers.append(Rewrite())
    shell.showtraceback = shell.showsyntaxerror = lambda *_, **__: None  # the outcome says it
    shell.user_ns[RECORDER], shell.user_ns[NOTER] = watch.record, watch.deeds.wrap
    stand_in()
    return shell


class Tee(io.StringIO):
    """Keep what a cell prints, as far as there is room."""

    def write(self, text: str) -> int:
        room = MOST_CELL_TEXT - self.tell()
        return super().write(text[: max(room, 0)]) if room > 0 else len(text)


def run_cell(shell: Any, source: str, alarm: Alarm, seconds: float) -> tuple[str, BaseException | None]:
    """Return what a cell printed, and the error in which it ended."""
    printed = Tee()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
        try:
            alarm.start(seconds)
            outcome = shell.run_cell(source, store_history=False)
            alarm.stop()
            error = outcome.error_before_exec or outcome.error_in_exec
        except BaseException as caught:  # SystemExit, KeyboardInterrupt: the next cell runs
            alarm.stop()
            error = caught
    return printed.getvalue(), error


def line_of(error: BaseException, cell: str) -> int | None:
    """Return the line of the cell in which an error came up, None where it is unknown."""
    if isinstance(error, SyntaxError):
        return error.lineno
    lines, trace = None, error.__traceback__
    while trace is not None:
        if "ipython-input" in trace.tb_frame.f_code.co_filename or "ipykernel" in trace.tb_frame.f_code.co_filename:
            lines = trace.tb_lineno
            break
        trace = trace.tb_next
    return lines


def execute(
    job: dict[str, Any],
    shell: Any,
    watch: Watch,
    notebook: Notebook,
    tell: Callable[[dict[str, Any]], None],
    alarm: Alarm,
) -> None:
    """Execute all cells, in order, and tell of each what became of it; one that fails is noted, the next one runs.

    One that takes longer than its share is interrupted, and so is the next one. When the time of all is up, of the
    others only the definitions are run.
    """
    cells, definitions_only = job["cells"], job["definitions"]
    prepare(shell, notebook.data, cells)
    room = MOST_TEXT
    clock = Clock(len(cells), time.monotonic() + float(job["seconds"]))
    for number, cell in enumerate(cells):
        share = clock.share(number)
        definitions_only = definitions_only or share < LEAST_S
        try:
            source = definitions(shell.transform_cell(cell)) if definitions_only else cell
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            tell({"cell": number, "text": "", "error": type(error).__name__, "line": getattr(error, "lineno", None)})
            continue
        watch.cell = number
        text, error = run_cell(shell, source, alarm, max(share, DEFINITIONS_S) if definitions_only else share)
        room -= len(text)
        notebook.note_versions()
        watch.deeds.look(number)
        record: dict[str, Any] = {
            "cell": number, "whole": not definitions_only or job["definitions"], "late": alarm.rang,
            "text": text[: max(room + len(text), 0)], "error": None, "line": None,
        }  # fmt: skip
        if error is not None:
            record |= {"error": type(error).__name__[:80], "line": line_of(error, cell)}
        tell(record)
        plt.close("all")
    sys.stdout.flush()
