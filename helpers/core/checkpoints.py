"""Trained weights kept between runs: keyed by all they depend on, and never trusted blindly.

A file's name ends in a hash of what its training depended on, so after a change none fits and training starts anew.
Files are safetensors, which hold numbers only: loading one runs no code.
"""

import hashlib
import inspect
import json
import os
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from helpers.core.data import ImageSet
from helpers.core.files import write_whole
from helpers.core.training import training_dtype


class Checkpoint(NamedTuple):
    """What a file holds: tensors on the CPU, and text about them."""

    tensors: dict[str, Tensor]
    about: dict[str, str]


def checkpoints_folder() -> Path:
    """``CHECKPOINTS_DIR``, else the repository's ``checkpoints``, else that name in the working directory."""
    if os.environ.get("CHECKPOINTS_DIR"):
        return Path(os.environ["CHECKPOINTS_DIR"])
    root = Path(__file__).resolve().parents[2]
    return (root if (root / "pyproject.toml").is_file() else Path.cwd()) / "checkpoints"


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
