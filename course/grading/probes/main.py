"""The process that a submission lives in: it executes the cells, then does one act a question, until nobody asks."""

import builtins
import contextlib
import io
import os
import socket
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from matplotlib import pyplot as plt

from .alarm import Alarm
from .channel import Stream, packed
from .drawings import Drawings
from .models import Models
from .notebook import Notebook, execute, new_shell
from .others import Others
from .stubs import Trainings
from .watch import Watch, summarize_rows

MOST_ERROR, MOST_NAMES = 200, 200
TOO_LATE = {"error": "it did not end in time"}


class Line:
    """The one line to the grader."""

    def __init__(self, number: int) -> None:
        self.socket = socket.socket(fileno=number)
        self.stream = Stream()

    def tell(self, message: dict[str, Any]) -> None:
        self.socket.sendall(packed(message))

    def listen(self) -> dict[str, Any]:
        """Return the next message; without a grader there is nothing left to do."""
        while (message := self.stream.next()) is None:
            chunk = self.socket.recv(1 << 16)
            if not chunk:
                os._exit(0)
            self.stream.feed(chunk)
        return message


def plain(value: Any) -> Any:
    """Return a value with tensors as arrays, for the line."""
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().numpy()
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return value


def tensors(value: Any) -> Any:
    """Return a value from the line with arrays as tensors."""
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value)
    if isinstance(value, list):
        return [tensors(part) for part in value]
    return value


def acts_of(notebook: Notebook, watch: Watch) -> dict[str, Callable[..., Any]]:
    """Return what can be asked, by name."""
    acts: dict[str, Callable[..., Any]] = {}
    for group in (Models(notebook), Trainings(notebook), Drawings(notebook), Others(notebook), watch):
        names = watch.ACTS if group is watch else [name for name in vars(type(group)) if not name.startswith("_")]
        acts |= {name: getattr(group, name) for name in names}
    return acts


def answer(acts: dict[str, Callable[..., Any]], question: dict[str, Any], alarm: Alarm) -> dict[str, Any]:
    """Do one act under its own alarm, of processor time, in silence; one that fails is one answer less."""
    torch.manual_seed(int(question["seed"]))
    np.random.seed(int(question["seed"]) % 2**31)
    try:
        alarm.start(float(question["seconds"]), processor=True)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            value = plain(acts[question["act"]](**tensors_of(question)))
        return TOO_LATE if alarm.rang else {"value": value}
    except LookupError as error:
        return {"missing": str(error)[:MOST_ERROR]}
    except BaseException as error:
        return TOO_LATE if alarm.rang else {"error": type(error).__name__[:80]}
    finally:
        alarm.stop()
        plt.close("all")


def tensors_of(question: dict[str, Any]) -> dict[str, Any]:
    return {name: tensors(value) for name, value in question["arguments"].items()}


def hide_modules() -> None:
    """Take these modules off the list of those that were imported: who looks for them there finds nothing to change."""
    for name in [name for name in sys.modules if name.partition(".")[0] == __package__]:
        del sys.modules[name]


def main() -> None:
    line = Line(int(os.environ.pop("LINE")))
    torch.set_num_threads(1)
    data, watch, alarm = os.environ.get("GRADER_DATA"), Watch(), Alarm()
    watch.install()
    shell = new_shell(watch)
    builtins.input = lambda *_: ""
    line.tell({"ready": True})  # what took time until now is no cell's
    job = line.listen()
    notebook = Notebook(shell.user_ns, data)
    acts, end = acts_of(notebook, watch), watch.end  # as they are before a cell runs
    hide_modules()
    execute(job, shell, watch, notebook, line.tell, alarm)
    end(notebook.space)
    line.tell(plain({
        "calls": watch.calls, "optimizers": watch.optimizers, "tagged": watch.tagged, "trainings": watch.trainings,
        "rows": summarize_rows(watch, notebook.space), "losses": watch.deeds.fits(), "figures": watch.deeds.figures,
        "names": sorted(notebook.versions)[:MOST_NAMES],
        "kept": {name: np.stack(images) for name, images in watch.kept.items() if images},
    }))  # fmt: skip
    while True:
        question = line.listen()
        line.tell({"number": question["number"], **answer(acts, question, alarm)})
