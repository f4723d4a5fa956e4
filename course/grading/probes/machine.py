"""Make this machine look like the one that a notebook was written for: images, magics, an accelerator that is a CPU."""

import contextlib
import itertools
import re
from collections.abc import Callable, Iterator
from typing import Any

import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from torch import nn
from torch.utils.data import DataLoader, Dataset

ROWS = {True: 60_000, False: 10_000}  # of the training and the test set, as the real ones have
SPLITS = re.compile(r"(?<![\w.])(?:[1-6]\d_?000|8_?000|9_?000)(?![\w.])")  # numbers by which these are cut in two
MOST_TRAINED, MOST_TESTED = 2048, 2560  # images of a pass over them: as many as are distinct, and as tasks demand
LARGE = 4000  # rows of a set of images beyond which a pass is cut short
PIXELS = 784
BODY_IS_PYTHON = {"time", "timeit", "prun", "capture", "memit", "debug", "script"}


def prepare(shell: Any, data: str | None, cells: list[str]) -> None:
    """Change what a notebook would find missing here."""
    if data:
        point_torchvision_at(data, rows_for("\n".join(cells)))
    shorten_passes()
    quiet_magics(shell)
    torch.Tensor.cuda = lambda self, *_, **__: self  # type: ignore[assignment]
    nn.Module.cuda = lambda self, *_, **__: self  # type: ignore[assignment]
    torch.compile = lambda model=None, *_, **__: (lambda f: f) if model is None else model  # type: ignore[assignment]
    for name in ("get_device_name", "get_device_properties", "memory_allocated", "max_memory_allocated", "synchronize",
                 "empty_cache", "set_device", "manual_seed", "manual_seed_all", "reset_peak_memory_stats"):  # fmt: skip
        setattr(torch.cuda, name, lambda *_, **__: 0)
    torch.cuda.get_device_name = lambda *_: "CPU"  # type: ignore[assignment]
    plt.show = lambda *_, **__: None
    Figure.savefig = forgiving(Figure.savefig)  # type: ignore[method-assign]
    torch.save = forgiving(torch.save)


def forgiving(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that writes a file, or not where there is no such folder: nobody reads it here."""

    def write(*args: Any, **kwargs: Any) -> Any:
        with contextlib.suppress(OSError, RuntimeError):
            return function(*args, **kwargs)
        return None

    return write


# ---------------------------------------------------------------- magics and shell lines


def quiet_magics(shell: Any) -> None:
    """Let magics and shell lines do nothing, but for those whose code is the notebook's own."""
    plain_line, plain_cell = shell.run_line_magic, shell.run_cell_magic

    def line_magic(name: str, line: str, *_: Any, **__: Any) -> Any:
        if name in ("time", "timeit", "prun") and line.strip():
            return once(shell, strip_options(line))
        return plain_line(name, line) if name == "writefile" else None

    def cell_magic(name: str, line: str, cell: str) -> Any:
        if name == "writefile":
            return plain_cell(name, line, cell)
        if name in BODY_IS_PYTHON:
            outcome = shell.run_cell(cell, store_history=False)
            if outcome.error_before_exec or outcome.error_in_exec:
                raise outcome.error_before_exec or outcome.error_in_exec
        return None

    shell.run_line_magic, shell.run_cell_magic = line_magic, cell_magic
    shell.system = shell.system_piped = shell.system_raw = lambda *_, **__: None
    shell.getoutput = lambda *_, **__: []


def strip_options(line: str) -> str:
    """Return the statement after a magic's options (``-n 3 f(x)``)."""
    words = line.split()
    while words and words[0].startswith("-"):
        words = words[2:] if len(words[0]) == 2 and len(words) > 1 and words[1].isdigit() else words[1:]
    return " ".join(words)


def once(shell: Any, statement: str) -> Any:
    try:
        code = compile(statement, "<magic>", "eval")
    except SyntaxError:
        exec(compile(statement, "<magic>", "exec"), shell.user_ns)
        return None
    return eval(code, shell.user_ns)


# ---------------------------------------------------------------- images


def rows_for(source: str) -> dict[bool, int]:
    """Return how many rows the sets have: the real number, or, where own loops pass over all of them, fewer.

    A loader's pass is cut short, a loop over rows is not; a notebook that counts rows itself needs all of them.
    """
    if "DataLoader" in source or SPLITS.search(source):
        return ROWS
    return {True: MOST_TRAINED, False: MOST_TESTED}


def point_torchvision_at(folder: str, counts: dict[bool, int]) -> None:
    """Wherever a notebook wants its data, let it read the one folder that is there, with as many rows as it expects."""
    from torchvision import datasets

    plain_init = datasets.MNIST.__init__

    def init(self: Any, root: Any = None, *args: Any, **kwargs: Any) -> None:
        kwargs.pop("download", None)
        plain_init(self, folder, *args[:3], **kwargs)
        rows = counts[bool(self.train)]
        if 0 < len(self.data) < rows:
            index = torch.arange(rows) % len(self.data)
            self.data, self.targets = self.data[index], self.targets[index]

    datasets.MNIST.__init__ = init  # type: ignore[method-assign]


def shorten_passes() -> None:
    """End a loader's pass over many images after some of them: a rerun asks whether it learns, not how well."""
    plain_init, plain_iter, plain_len = DataLoader.__init__, DataLoader.__iter__, DataLoader.__len__

    def init(self: Any, dataset: Any, *args: Any, **kwargs: Any) -> None:
        for name in ("num_workers", "pin_memory", "persistent_workers", "prefetch_factor", "multiprocessing_context"):
            kwargs.pop(name, None)
        plain_init(self, dataset, *args[:4], **kwargs)

    def most(self: Any) -> int | None:
        size = getattr(self, "batch_size", None)
        rows = rows_of_pass(self.dataset)
        return None if rows is None or not size else max(-(-rows // size), 1)

    def iterate(self: Any) -> Iterator[Any]:
        batches = most(self)
        return plain_iter(self) if batches is None else itertools.islice(plain_iter(self), batches)

    def length(self: Any) -> int:
        batches = most(self)
        return plain_len(self) if batches is None else min(plain_len(self), batches)

    DataLoader.__init__, DataLoader.__iter__, DataLoader.__len__ = init, iterate, length  # type: ignore[assignment]


def rows_of_pass(dataset: Dataset[Any]) -> int | None:
    """Return how many images of a large set a pass takes; None where it takes all."""
    with contextlib.suppress(Exception):
        if len(dataset) <= LARGE:  # type: ignore[arg-type]
            return None
        first = dataset[0]
        image = first[0] if isinstance(first, tuple | list) else first
        if isinstance(image, torch.Tensor) and image.numel() == PIXELS:
            return MOST_TESTED if getattr(inner(dataset), "train", True) is False else MOST_TRAINED
        if hasattr(image, "size") and not isinstance(image, torch.Tensor) and image.size == (28, 28):
            return MOST_TRAINED
    return None


def inner(dataset: Any) -> Any:
    """Return what subsets are subsets of."""
    while hasattr(dataset, "dataset"):
        dataset = dataset.dataset
    return dataset
