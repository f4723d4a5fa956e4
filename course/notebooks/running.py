"""Execute notebooks: the one client, what their kernels inherit, and what stays in a stored notebook."""

import contextlib
import os
from pathlib import Path
from typing import Any

import nbformat
import psutil
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from traitlets import default

from course.notebooks import versions
from course.notebooks.printed import ANSI
from helpers.core.files import write_whole
from helpers.core.settings import folders

CELL_TIMEOUT_S = 1200
KERNEL_GB = 2.5  # what one notebook needs: 1.9 at most when measured, and the system around it
FIGURE_HOOK = "course.figures.fingerprint:attach"  # what is compared of a figure goes into its PNG


class OwnKernel(AsyncKernelManager):
    """Start the interpreter that runs this, whatever is registered on the machine under the same name.

    Without a folder to look for kernels in, Jupyter knows its own alone.
    """

    @default("kernel_spec_manager")
    def _none_registered(self) -> KernelSpecManager:
        return KernelSpecManager(kernel_dirs=[])


def client_of(nb: nbformat.NotebookNode, folder: Path, **hooks: Any) -> NotebookClient:
    """Return the client that runs ``nb`` in ``folder``; ``hooks`` are nbclient's, such as ``on_cell_execute``.

    Its kernel is the interpreter that runs this: see :class:`OwnKernel`.
    """
    return NotebookClient(
        nb, timeout=CELL_TIMEOUT_S, kernel_name="python3", record_timing=False, coalesce_streams=True,
        kernel_manager_class=OwnKernel,
        extra_arguments=["--log-level=ERROR"],  # else it warns, on each start, that its port is not encrypted
        resources={"metadata": {"path": str(folder)}}, **hooks,
    )  # fmt: skip


def execute(client: NotebookClient, environment: dict[str, str]) -> str | None:
    """Run all cells; return the failing cell and its traceback where one fails, else None."""
    try:
        client.execute(env=environment)
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        return ANSI.sub("", str(error))
    except RuntimeError as error:  # a kernel that is stopped while it starts
        return str(error)
    return None


def processors() -> int:
    """Count the processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_jobs() -> int:
    """Return 2 where there are two processors, and memory for two kernels; more would need more than a laptop has."""
    return min(2, processors(), max(1, int(memory_gb() / KERNEL_GB)))


def memory_gb() -> float:
    """Return how much memory the machine has, or the container in which this runs."""
    total = psutil.virtual_memory().total
    with contextlib.suppress(OSError, ValueError):  # "max", or another system
        total = min(total, int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii")))
    return total / 1e9


def kernel_environment(figures: Path | None = None, quick: bool = False, threads: int | None = None) -> dict[str, str]:
    """Return what a kernel inherits: no progress bars, which belong to a live reader, not into a stored notebook.

    Folders are those that count here, for the kernel works in the notebook's.
    """
    environment = {**os.environ, **folders(), "TQDM_DISABLE": "1", "FIGURE_HOOK": FIGURE_HOOK}
    if threads is not None:
        environment.setdefault("OMP_NUM_THREADS", str(threads))
    if figures is not None:
        environment["FIGURES_DIR"] = str(figures)
    if quick:
        environment["QUICK"] = "1"
    return environment


def without_packages(environment: dict[str, str], folder: Path) -> dict[str, str]:
    """Return an environment in which a kernel cannot import this repository, even where it is installed.

    Args:
        environment: What the kernel inherits else.
        folder: A folder for this alone; modules that raise ImportError, in place of the packages, are written into it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("helpers", "course"):
        text = f"raise ModuleNotFoundError(\"No module named '{name}'\", name='{name}')\n"
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    return {**environment, "PYTHONPATH": str(folder)}


def try_folder(folder: Path) -> None:
    """Write into a folder and take it away again: before minutes of work, so that what comes of them can be kept.

    Raises:
        OSError: It cannot be written to.
    """
    attempt = folder / f".attempt.{os.getpid()}"
    write_whole(attempt, b"")
    attempt.unlink()


def first_line(cell: nbformat.NotebookNode) -> str:
    """Return the beginning of a cell's first line that is not blank."""
    lines = [line for line in cell.source.splitlines() if line.strip()]
    return lines[0][:60] if lines else ""


def tidy(nb: nbformat.NotebookNode) -> None:
    """Keep what a reader needs: no widget state, no per-cell run metadata, and a kernel every Jupyter has.

    The versions that run here come with it; jupytext's pairing stays.
    """
    pairing = {"jupytext": nb.metadata["jupytext"]} if "jupytext" in nb.metadata else {}
    nb.metadata = nbformat.from_dict({
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "versions": versions.installed(),
        **pairing,
    })  # fmt: skip
    for cell in nb.cells:
        cell.metadata.pop("execution", None)
