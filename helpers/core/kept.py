"""Trained weights kept between runs: keyed by all they depend on, and never trusted blindly.

A file's name ends in a hash of what its training depended on, so after a change none fits and training starts anew.
Files are safetensors, which hold numbers only: loading one runs no code. :func:`fit_once` is ``fit`` with that memory.
"""

import hashlib
import inspect
import json
import re
import uuid
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType, NoneType
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor, nn, optim

from helpers.core.data import ImageSet
from helpers.core.files import write_whole
from helpers.core.settings import checkpoints_folder
from helpers.core.speed import training_dtype
from helpers.core.training import Batch, History, Objective, best_device, fit


class Checkpoint(NamedTuple):
    """What a file holds: tensors on the CPU, and text about them."""

    tensors: dict[str, Tensor]
    about: dict[str, str]


def key_of(data: ImageSet, **depends_on: Any) -> str:
    """A hash of the very images and their origin, of ``depends_on`` (what JSON can hold), of torch and the precision.

    The kind of device is left out: it changes the result no more than another CPU would.
    """
    pixels = (data.train_x * 255).round().to(torch.uint8).cpu().contiguous()
    depends_on |= {
        "data": [data.title, data.genuine, list(pixels.shape), hashlib.sha256(pixels.numpy()).hexdigest()],
        "torch": torch.__version__,
        "precision": str(training_dtype(data.train_x.device)),
    }
    return hashlib.sha256(json.dumps(depends_on, sort_keys=True).encode()).hexdigest()[:16]


def source_of(part: Callable) -> str:
    """The text of a function or class, for a key; where it cannot be had, something that never matches.

    Ask on import, together with the code that will run, not when a key is made: the file may change in between.
    """
    try:
        return inspect.getsource(part)
    except (OSError, TypeError):
        return uuid.uuid4().hex


def save_checkpoint(path: Path, key: str, tensors: Mapping[str, Tensor], about: Mapping[str, str]) -> None:
    """Write one file, whole or not at all; raises what :func:`helpers.core.files.write_whole` raises."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    write_whole(path, to_bytes(tensors, {**about, "key": key, "digest": digest(tensors)}))


def load_checkpoint(path: Path, key: str) -> Checkpoint | None:
    """What :func:`save_checkpoint` kept, or None where it is missing, damaged or another's."""
    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dictionary)
    except (OSError, SafetensorError, ValueError, RuntimeError):
        return None
    sound = all(value.isfinite().all() for value in tensors.values())
    whole = about.get("key") == key and about.get("digest") == digest(tensors)
    return Checkpoint(tensors, about) if sound and whole else None


def digest(tensors: Mapping[str, Tensor]) -> str:
    """A hash of names, types, shapes and numbers."""
    content = hashlib.sha256()
    for name in sorted(tensors):
        content.update(f"{name} {tensors[name].dtype} {tuple(tensors[name].shape)}".encode())
        content.update(tensors[name].numpy())
    return content.hexdigest()


def save_training(path: Path, key: str, model: nn.Module, history: History, about: Mapping[str, str]) -> None:
    """Weights, history and PyTorch's random state in one file; raises what :func:`save_checkpoint` raises."""
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    for part in ("train", "val"):
        tensors |= {f"{part}.{name}": torch.from_numpy(v) for name, v in getattr(history, part).items()}
    tensors |= {f"random.{device}": state for device, state in random_states().items()}
    save_checkpoint(path, key, tensors, {**about, "steps_per_epoch": str(history.steps_per_epoch)})


def load_training(path: Path, key: str, model: nn.Module, *, random: bool) -> History | None:
    """What :func:`save_training` kept, with its weights put into ``model``; None where nothing fits.

    Args:
        random: put PyTorch's random state back too, as it was after training.
    """
    found = load_checkpoint(path, key)
    if found is None:
        return None
    parts: dict[str, dict[str, Tensor]] = {"model": {}, "train": {}, "val": {}, "random": {}}
    try:
        for name, value in found.tensors.items():
            part, _, rest = name.partition(".")
            parts[part][rest] = value
        history = History(int(found.about["steps_per_epoch"]))
    except (KeyError, ValueError):
        return None
    if _shapes(parts["model"]) != _shapes(model.state_dict()):
        return None
    if random and parts["random"].keys() != random_states().keys():
        return None
    model.load_state_dict(parts["model"])
    for part in ("train", "val"):
        getattr(history, part).update({name: value.numpy() for name, value in parts[part].items()})
    if random:
        torch.set_rng_state(parts["random"]["cpu"])
        if "cuda" in parts["random"]:
            torch.cuda.set_rng_state(parts["random"]["cuda"])
    return history


def random_states() -> dict[str, Tensor]:
    """The states of PyTorch's own generators, by device."""
    states = {"cpu": torch.get_rng_state()}
    return states | ({"cuda": torch.cuda.get_rng_state()} if torch.cuda.is_available() else {})


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, tuple[torch.dtype, torch.Size]]:
    return {name: (value.dtype, value.shape) for name, value in tensors.items()}


# ---------------------------------------------------------------- training that is done once


def fit_once(
    model: nn.Module, optimizer: torch.optim.Optimizer, loader: Iterable[Batch], objective: Objective, **options: Any
) -> History:
    """:func:`~helpers.core.training.fit`, or what it left when it last started from the very same state.

    Weights, history and PyTorch's random state are then those that training leaves; the optimizer and its schedule
    stay as they were given, so make new ones to train on. Where it cannot be told whether something is the same
    (:func:`fingerprint`), or where ``on_epoch`` looks on, training is done every time.

    Args:
        model, optimizer, loader, objective, options: for ``fit``. Any of them that differs, in a weight, an image or a
            line of code, means training anew; so does another random state, version of torch, or precision.
    """
    if options.get("on_epoch") is not None:
        return fit(model, optimizer, loader, objective, **options)
    try:
        key = training_key(model, optimizer, loader, objective, options)
    except (TypeError, ValueError):
        return fit(model, optimizer, loader, objective, **options)
    name = options.get("description", "training")
    path = checkpoints_folder() / f"{re.sub(r'[^0-9A-Za-z]+', '_', name)}_{key}.safetensors"
    history = load_training(path, key, model, random=True)
    if history is None:
        history = fit(model, optimizer, loader, objective, **options)
        try:
            save_training(path, key, model, history, {"training": name})
        except OSError as error:  # what was trained is worth more than its checkpoint
            warnings.warn(f"what was trained could not be kept, so the next run trains again: {error}", stacklevel=2)
    return history


def training_key(*parts: Any) -> str:
    """A hash of all that a training depends on: its parts, and what it finds around it; raises as `fingerprint`."""
    if sources() != SOURCES:  # some of it may have been loaded again since (autoreload), some not
        raise TypeError("the helpers' files have changed since they were imported: restart the kernel")
    told = fingerprint([parts, random_states(), torch.__version__, training_dtype(best_device()), SOURCES])
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def fingerprint(thing: Any) -> Any:
    """What JSON can hold of ``thing``, equal for two things only where training cannot tell them apart.

    Functions count with what they enclose; those from outside the helpers also with their code and the globals that
    it names, and so on from there.

    Raises:
        TypeError: a kind of thing that this does not know.
    """
    return _Fingerprint()(thing)


class _Fingerprint:
    def __init__(self) -> None:
        self.seen: set[int] = set()  # functions may name themselves

    def __call__(self, thing: Any) -> Any:
        kinds: list[tuple[Any, Callable[[Any], Any]]] = [
            ((NoneType, bool, int, float, str, bytes, torch.dtype, torch.device), repr),
            ((list, tuple), lambda t: [self(part) for part in t]),
            ((set, frozenset), lambda t: sorted(repr(part) for part in t)),
            (dict, lambda t: [[self(name), self(part)] for name, part in t.items()]),
            (np.ndarray, lambda t: [str(t.dtype), t.shape, hashlib.sha256(np.ascontiguousarray(t)).hexdigest()]),
            (nn.Parameter | Tensor, lambda t: [t.device.type, digest({"": t.detach().cpu().contiguous()})]),
            (torch.Generator, lambda t: self(t.get_state())),
            (FunctionType, self.function),
            (MethodType, lambda t: [t.__func__.__qualname__, self(t.__self__)]),
            (CodeType, lambda t: [t.co_code.hex(), t.co_names, self(t.co_consts)]),
            ((type, BuiltinFunctionType, ModuleType), lambda t: _known(t)),
            (nn.Module, self.module),
            ((optim.Optimizer, optim.lr_scheduler.LRScheduler), lambda t: [_known(type(t)), self(t.state_dict())]),
        ]
        for kind, look in kinds:
            if isinstance(thing, kind):
                return look(thing)
        if type(thing).__module__.startswith("helpers."):  # TensorBatches, say
            return [_known(type(thing)), self(vars(thing))]
        raise TypeError(f"it cannot be told whether training would find the same {type(thing).__name__} again")

    def module(self, module: nn.Module) -> Any:
        classes = [_known(type(part)) for part in module.modules()]
        plain = [(name, v) for part in module.modules() for name, v in vars(part).items() if not name.startswith("_")]
        return [classes, repr(module), self(plain), self(dict(module.state_dict()))]

    def function(self, function: FunctionType) -> Any:
        name = f"{function.__module__}.{function.__qualname__}"
        if id(function) in self.seen:
            return name
        self.seen.add(id(function))
        enclosed = [self(cell.cell_contents) for cell in function.__closure__ or ()]
        if _is_known(function):
            return [name, enclosed]
        named = {n: function.__globals__[n] for n in _names(function.__code__) if n in function.__globals__}
        return [name, enclosed, self(function.__code__), self([function.__defaults__, function.__kwdefaults__, named])]


def _names(code: CodeType) -> list[str]:
    """Names in a function's code, and in that of functions made there."""
    inner = [name for const in code.co_consts if isinstance(const, CodeType) for name in _names(const)]
    return sorted({*code.co_names, *inner})


def _is_known(thing: Any) -> bool:
    """Whether a key says what its code is: the helpers' by their text (:data:`SOURCES`), a library's by its version."""
    module = thing.__name__ if isinstance(thing, ModuleType) else thing.__module__ or "builtins"
    named = module.split(".")[0] in {"helpers", "torch", "numpy", "math", "builtins"}
    return named


def _known(thing: Any) -> str:
    if not _is_known(thing):
        raise TypeError(f"it cannot be told whether {thing!r} would be the same again")
    return repr(getattr(thing, "__qualname__", thing.__name__))


def sources() -> list[str]:
    """The text of ``core`` and of the notebooks' modules."""
    here = Path(__file__).resolve().parent
    return [file.read_text(encoding="utf-8") for folder in (here, here.parent) for file in sorted(folder.glob("*.py"))]


SOURCES = sources()  # of the code that runs: on import, for the files may change before a key is asked for
