"""The memory of trainings: what a training left is loaded when it would start again from the very same state.

A file's name ends in a hash of all that its training depended on, so after a change none fits, and training starts
anew. Files are safetensors, which hold numbers only: loading one runs no code. :func:`fit_once` is ``fit`` with that
memory.
"""

import hashlib
import inspect
import io
import itertools
import pickle
import platform
import re
import sys
import warnings
from collections.abc import Iterator, Mapping
from functools import singledispatch
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

import cloudpickle
import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from helpers.core.batches import Loader, Objective
from helpers.core.files import write_whole
from helpers.core.history import History
from helpers.core.settings import checkpoints_folder
from helpers.core.speed import training_dtype
from helpers.core.training import best_device, fit


def fit_once(
    model: nn.Module, optimizer: torch.optim.Optimizer, loader: Loader, objective: Objective, **options: Any
) -> History:
    """Train as :func:`~helpers.core.training.fit` does, or load what that left from the very same state.

    Weights, history and PyTorch's random state are then those that training leaves. The optimizer and its schedule
    stay as they were, so make new ones to train on. Where no key can be made (:func:`key_of`), or where ``on_epoch``
    looks on, training is done every time.

    Args:
        model, optimizer, loader, objective, options: for ``fit``. Any of them that differs, in a weight, an image or a
            line of code, means training anew; so does another random state, version of torch, or precision.
    """
    if options.get("on_epoch") is not None:
        return fit(model, optimizer, loader, objective, **options)
    try:
        key = key_of(model, optimizer, loader, objective, sorted(options.items()))
    except NoKeyError:
        return fit(model, optimizer, loader, objective, **options)
    name = options.get("description", "training")
    path = checkpoints_folder() / f"{re.sub(r'[^0-9A-Za-z]+', '_', name)}_{key}.safetensors"
    history = load_training(path, key, model)
    if history is None:
        history = fit(model, optimizer, loader, objective, **options)
        try:
            save_training(path, key, model, history, name)
        except OSError as error:  # what was trained is worth more than its file
            warnings.warn(f"what was trained could not be kept, so the next run trains again: {error}", stacklevel=2)
    return history


# ---------------------------------------------------------------- files


def save_training(path: Path, key: str, model: nn.Module, history: History, name: str) -> None:
    """Write weights, history and PyTorch's random state into one file, whole or not at all.

    Raises:
        OSError: the file cannot be written.
    """
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"train.{name}": torch.from_numpy(values) for name, values in history.train.items()}
    tensors |= {f"val.{name}": torch.from_numpy(values) for name, values in history.val.items()}
    tensors |= {f"random.{device}": state for device, state in random_states().items()}
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    about = {"training": name, "steps_per_epoch": str(history.steps_per_epoch), "key": key, "digest": digest(tensors)}
    write_whole(path, save(tensors, about))


def load_training(path: Path, key: str, model: nn.Module) -> History | None:
    """Put the weights of a file into ``model``, and PyTorch's random state back; return the history.

    Return None, and change nothing, where the file is missing, damaged, or of another training.
    """
    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dictionary)
        history = History(int(about["steps_per_epoch"]))
    except (OSError, SafetensorError, KeyError, ValueError, RuntimeError):
        return None
    if about.get("key") != key or about.get("digest") != digest(tensors):
        return None
    if not all(value.isfinite().all() for value in tensors.values()):
        return None
    weights, states = _section(tensors, "model"), _section(tensors, "random")
    if _shapes(weights) != _shapes(model.state_dict()) or _shapes(states) != _shapes(random_states()):
        return None
    model.load_state_dict(weights)
    torch.set_rng_state(states["cpu"])
    if "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"])
    if "mps" in states:
        torch.mps.set_rng_state(states["mps"])
    history.train = {name: values.numpy() for name, values in _section(tensors, "train").items()}
    history.val = {name: values.numpy() for name, values in _section(tensors, "val").items()}
    return history


def digest(tensors: Mapping[str, Tensor]) -> str:
    """Hash names, types, shapes and numbers of tensors."""
    content = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name].detach().cpu().contiguous()
        content.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        content.update(value.flatten().view(torch.uint8).numpy().data)
    return content.hexdigest()


def random_states() -> dict[str, Tensor]:
    """Return the states of PyTorch's own generators, by device."""
    states = {"cpu": torch.get_rng_state()}
    states |= {"cuda": torch.cuda.get_rng_state()} if torch.cuda.is_available() else {}
    return states | ({"mps": torch.mps.get_rng_state()} if torch.backends.mps.is_available() else {})


def _section(tensors: Mapping[str, Tensor], section: str) -> dict[str, Tensor]:
    return {name.partition(".")[2]: value for name, value in tensors.items() if name.partition(".")[0] == section}


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, tuple[torch.dtype, torch.Size]]:
    return {name: (value.dtype, value.shape) for name, value in tensors.items()}


# ---------------------------------------------------------------- keys


class NoKeyError(TypeError):
    """It cannot be told whether a training would be the same again."""


def key_of(*parts: Any) -> str:
    """Hash all that a training depends on: ``parts``, random states, versions, the precision, and the helpers' code.

    Raises:
        NoKeyError: a part of a kind that :func:`fingerprint` cannot follow.
    """
    versions = [torch.__version__, np.__version__, platform.python_version()]
    return fingerprint([parts, random_states(), versions, training_dtype(best_device()), running_code()])[:16]


SETTINGS = (bool, int, float, str, tuple, frozenset, np.ndarray, Tensor)  # what a module names beside its code
UNCOUNTED = {"notebook", "colab", "plots", "checks", "claims"}  # they draw, say and check, and change no training


def running_code() -> dict[str, Any]:
    """Collect the code of ``core`` and of the notebooks' modules as it runs now: functions, classes, numbers.

    Code in memory, and not the text of the files: those may have been edited since, and what autoreload has put in the
    place of the old is what runs.
    """
    names = sorted(name for name in sys.modules if name.startswith("helpers.") and name.split(".")[1] not in UNCOUNTED)
    return {name: _code_in(vars(sys.modules[name]), name) for name in names}


def _code_in(space: Mapping[str, Any], module: str) -> dict[str, Any]:
    """Collect code and settings in a module or a class; what it imports counts where it stands."""
    parts: dict[str, Any] = {}
    for name, value in space.items():
        value = inspect.unwrap(getattr(value, "__func__", getattr(value, "fget", value)))
        if isinstance(value, FunctionType) and value.__module__ == module:
            defaults = [*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()]
            parts[name] = value.__code__, [d if isinstance(d, SETTINGS) else _kind(d) for d in defaults]
        elif isinstance(value, type) and value.__module__ == module:
            parts[name] = _code_in(vars(value), module)
        elif isinstance(value, SETTINGS) and not name.startswith("__"):
            parts[name] = value
    return parts


def _kind(thing: Any) -> str:
    return getattr(thing, "__qualname__", type(thing).__qualname__)


def fingerprint(thing: Any) -> str:
    """Hash ``thing`` by pickling it, so that two hashes are equal only where training cannot tell the things apart.

    Hashes are the same in every process. Functions and classes of a notebook, and functions within functions, count
    with their code, what they enclose, and the global names that the code uses, and so on from there. What a package
    defines counts by its name: :func:`key_of` adds the helpers' text, and the versions of the others. Whether two
    references are to one thing counts for tensors and generators alone, which training changes.

    Raises:
        NoKeyError: a thing that cannot be pickled, or code of another package.
    """
    try:
        return _Pickler({}, itertools.count()).digest(thing)
    except NoKeyError:
        raise
    except (pickle.PicklingError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise NoKeyError(f"it cannot be told whether this would be the same again: {error}") from error


class _Pickler(cloudpickle.Pickler):
    """Pickle for hashing: nothing reads it back, so the content of a thing may stand in for the thing.

    Args:
        substitutes: things by their id, each with what stands in for it.
        numbers: counts tensors and generators.
    """

    def __init__(self, substitutes: dict[int, tuple[Any, Any]], numbers: Iterator[int]) -> None:
        self.stream = io.BytesIO()
        super().__init__(self.stream, protocol=4)
        self.fast = True  # no references back to what was pickled before: whether strings are interned must not count
        self.substitutes = substitutes
        self.numbers = numbers

    def persistent_id(self, obj: Any) -> Any:
        """Return what stands in for ``obj``, None where it is pickled as usual; pickle asks for every object."""
        if id(obj) not in self.substitutes:
            substitute = _substitute(obj, self)
            if substitute is None:
                return None
            self.substitutes[id(obj)] = obj, substitute  # the object, too, so that no other gets its id
        return self.substitutes[id(obj)][1]

    def digest(self, thing: Any) -> str:
        """Hash a thing by itself."""
        inner = _Pickler(self.substitutes, self.numbers)
        inner.dump(thing)
        return hashlib.sha256(inner.stream.getvalue()).hexdigest()


@singledispatch
def _substitute(thing: Any, pickler: _Pickler) -> Any:
    return None


@_substitute.register
def _(thing: Tensor, pickler: _Pickler) -> Any:
    return "tensor", next(pickler.numbers), thing.device.type, thing.requires_grad, digest({"": thing})


@_substitute.register
def _(thing: torch.Generator, pickler: _Pickler) -> Any:
    return "generator", next(pickler.numbers), thing.device.type, digest({"": thing.get_state()})


@_substitute.register
def _(thing: torch.dtype, pickler: _Pickler) -> Any:
    return "dtype", str(thing)


@_substitute.register
def _(thing: np.ndarray, pickler: _Pickler) -> Any:
    if thing.dtype.hasobject:
        return "array", thing.shape, thing.ravel().tolist()
    return "array", thing.dtype.descr, thing.shape, hashlib.sha256(np.ascontiguousarray(thing).data).hexdigest()


@_substitute.register(set)
@_substitute.register(frozenset)
def _(thing: set | frozenset, pickler: _Pickler) -> Any:
    return "set", sorted(pickler.digest(element) for element in thing)


@_substitute.register
def _(thing: CodeType, pickler: _Pickler) -> Any:
    """Leave out where the code stands: ipykernel's file names differ between processes."""
    counts = thing.co_argcount, thing.co_posonlyargcount, thing.co_kwonlyargcount, thing.co_flags
    names = thing.co_names, thing.co_varnames, thing.co_freevars, thing.co_cellvars
    return "code", thing.co_code, thing.co_consts, counts, names, getattr(thing, "co_exceptiontable", b"")


@_substitute.register
def _(thing: ModuleType, pickler: _Pickler) -> Any:
    return _by_name("module", thing.__name__, thing.__name__)


@_substitute.register
def _(thing: BuiltinFunctionType, pickler: _Pickler) -> Any:
    owner = thing.__self__
    bound = owner is not None and not isinstance(owner, ModuleType | type)  # [].append, say
    return None if bound else ("builtin", thing.__module__, thing.__qualname__)


@_substitute.register
def _(thing: FunctionType, pickler: _Pickler) -> Any:
    reduced: Any = pickler.reducer_override(thing)
    if reduced is NotImplemented:
        return _by_name("function", thing.__module__, thing.__qualname__)
    _, (code, *_), (attributes, slots), *_ = reduced
    content = [slots[name] for name in ("__defaults__", "__kwdefaults__", "__closure__", "__globals__")]
    return _by_content(thing, [code, attributes, content], pickler)


@_substitute.register
def _(thing: type, pickler: _Pickler) -> Any:
    reduced: Any = pickler.reducer_override(thing)
    if reduced is NotImplemented:
        return _by_name("class", thing.__module__, thing.__qualname__)
    if len(reduced) == 2:
        return "class", thing.__qualname__  # of Python itself
    _, (*arguments, _tracker, _), (attributes, _), *_ = reduced  # the tracker is another in every process
    places = {"__firstlineno__", "__static_attributes__"}
    content = {name: value for name, value in attributes.items() if name not in places}
    return _by_content(thing, [arguments, content], pickler)


def _by_content(thing: FunctionType | type, content: Any, pickler: _Pickler) -> Any:
    # until its digest is there, the name stands in for it: functions call themselves, methods know their class
    pickler.substitutes[id(thing)] = thing, ("itself", thing.__qualname__)
    return type(thing).__name__, pickler.digest(content)


def _by_name(kind: str, module: str, name: str) -> tuple[str, str, str]:
    package = module.partition(".")[0]
    if package not in sys.stdlib_module_names and package not in {"helpers", "torch", "numpy", "cloudpickle"}:
        raise NoKeyError(f"the {kind} {name} is of {package}, whose code may change unseen")
    return kind, module, name
