"""The student's functions: where they are found, and how they are called without harm to the notebook around them.

They are looked for by their assigned names, first where ``check`` is called (a notebook's own cells), then in the
module of ``helpers`` that holds the task.
"""

import contextlib
import importlib
import os
import random
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

SECONDS = 60  # of the processor, for one check: the slowest takes a few; a busy machine is nobody's fault


class Missing(LookupError):
    """A function is nowhere to be found under its assigned name."""


class TooLong(Exception):
    """A check did not end in time."""


class Student:
    """Finds functions, classes and values by their assigned names.

    Args:
        space: names of the notebook; the modules of ``helpers`` come after it.
    """

    def __init__(self, space: Mapping[str, Any] | None = None) -> None:
        self.space = {} if space is None else space

    def get(self, name: str) -> Any:
        """Return the function or class called, say, ``toy_vae.VAE``.

        Raises:
            Missing: it is neither in the notebook nor in the helpers.
        """
        module, _, local = name.rpartition(".")
        own = self.space.get(local)
        if callable(own):
            return own
        try:
            return getattr(importlib.import_module(f"helpers.{module}"), local)
        except (ImportError, AttributeError):
            raise Missing(f"nothing is called {local}: run the cell that defines it, and keep its name") from None

    def value(self, name: str, given: Any = None) -> Any:
        """Return what was given, else what the notebook calls by this name.

        Raises:
            Missing: neither is there.
        """
        if given is None and name not in self.space:
            raise Missing(f"nothing is called {name}: run the cell that computes it, or give it, {name}=...")
        return self.space[name] if given is None else given

    def on_device(self) -> contextlib.AbstractContextManager[Any]:
        """Make new tensors on the notebook's ``device`` inside: functions may move their inputs there."""
        device: Any = self.space.get("device")
        return device if type(device).__module__ == "torch" else contextlib.nullcontext()


def is_open(call: Callable[[], Any]) -> bool:
    """Say whether a function is not filled in yet: it raises NotImplementedError, or gives nothing back."""
    try:
        return call() is None
    except NotImplementedError:
        return True
    except Exception:
        return False  # filled in, and wrong: its own check says how


@contextlib.contextmanager
def replaced(function: Callable[..., Any], **others: Any) -> Iterator[None]:
    """Put others in the place of names that a function looks up where it stands; those that are not there are left."""
    space = getattr(function, "__globals__", {})
    before = {name: space[name] for name in others if name in space}
    space.update({name: others[name] for name in before})
    try:
        yield
    finally:
        space.update(before)


@contextlib.contextmanager
def undisturbed(seconds: float = SECONDS) -> Iterator[None]:
    """Keep random states, figures, outputs and the time of whoever calls a check as they were.

    Raises:
        TooLong: it computed for more than ``seconds``, where that can be told (the main thread of a POSIX system).
    """
    with _random_states(), _no_figures_left(), _silent(), _time_limit(seconds):
        yield


@contextlib.contextmanager
def _random_states() -> Iterator[None]:
    import numpy as np  # not above: it is a third of the start of a command that runs no check

    torch = sys.modules.get("torch")  # notebook 01 does without
    python, legacy = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng() if torch else contextlib.nullcontext():
            if torch:
                torch.manual_seed(0)
            np.random.seed(0)
            random.seed(0)
            yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)


@contextlib.contextmanager
def _no_figures_left() -> Iterator[None]:
    plt = sys.modules.get("matplotlib.pyplot")
    before = set(plt.get_fignums()) if plt else set()
    try:
        yield
    finally:
        plt = sys.modules.get("matplotlib.pyplot")
        if plt:
            for number in set(plt.get_fignums()) - before:
                plt.close(number)


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    from IPython.utils.capture import capture_output  # late: the command line, which reads hints, does without

    before = os.environ.get("TQDM_DISABLE")
    os.environ["TQDM_DISABLE"] = "1"
    try:
        with capture_output():
            yield
    finally:
        os.environ.pop("TQDM_DISABLE")
        if before is not None:
            os.environ["TQDM_DISABLE"] = before


@contextlib.contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_signal: int, _frame: Any) -> None:
        raise TooLong(f"it computed for {seconds:g} seconds, so it was stopped: is there a loop without an end?")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
