"""Execute a submission's cells as IPython would, without an accelerator, a network or a window."""

import ast
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from matplotlib import pyplot as plt
from torch import nn

from .watch import TRAINING_AND_PLOTS, Watch

DEFINING = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)
HARMLESS_CALLS = ("torch.device", "torch.cuda.is_available", "Path", "dict", "float", "int")
RECORDER = "__record_call__"
MOST_ERROR = 500


@dataclass
class Notebook:
    """What the cells left behind."""

    space: dict[str, Any]  # names and their values
    data: str | None  # the folder of data sets
    errors: list[list[Any]] = field(default_factory=list)  # cell and text
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
        if isinstance(node.value, str) and node.value.split(":")[0] in ("cuda", "mps"):
            return ast.copy_location(ast.Constant("cpu"), node)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.generic_visit(node)
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


def new_shell(watch: Watch, data: str | None) -> Any:
    """Return an IPython shell on a machine that shows no window and has no accelerator."""
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    shell.colors = "nocolor" if hasattr(shell, "colors") else shell.colors
    shell.ast_transformers.append(Rewrite())
    shell.user_ns[RECORDER] = watch.record
    if data:
        point_torchvision_at(data)
    torch.Tensor.cuda = lambda self, *_, **__: self  # type: ignore[assignment]
    nn.Module.cuda = lambda self, *_, **__: self  # type: ignore[assignment]
    plt.show = lambda *_, **__: None
    return shell


def execute(cells: list[str], definitions_only: bool, watch: Watch, data: str | None) -> Notebook:
    """Execute all cells, in order; after a failing one, only what later ones define."""
    shell = new_shell(watch, data)
    notebook = Notebook(shell.user_ns, data)
    for number, cell in enumerate(cells):
        try:
            source = definitions(shell.transform_cell(cell)) if definitions_only else cell
        except SyntaxError as error:
            notebook.errors.append([number, f"SyntaxError: {error}"])
            continue
        outcome = shell.run_cell(source, store_history=False)
        notebook.note_versions()
        error = outcome.error_before_exec or outcome.error_in_exec
        if error is not None:
            notebook.errors.append([number, f"{type(error).__name__}: {error}"[:MOST_ERROR]])
            definitions_only = True  # "run all" would stop here; what is defined further down can still be tried
    plt.close("all")
    return notebook


def point_torchvision_at(folder: str) -> None:
    """Wherever a notebook wants its data, let it read the one folder that is there."""
    from torchvision import datasets

    plain_init = datasets.MNIST.__init__

    def init(self: Any, root: Any = None, *args: Any, **kwargs: Any) -> None:
        kwargs.pop("download", None)
        plain_init(self, folder, *args[:3], **kwargs)

    datasets.MNIST.__init__ = init  # type: ignore[method-assign]
