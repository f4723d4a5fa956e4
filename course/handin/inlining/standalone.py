"""What takes the place, in a notebook that stands alone, of those helpers that need the repository around them.

Each name of :data:`INSTEAD` is written into a submission in place of the helper that it is listed under. There is no
offline stand-in there: what a tutor reads are results on the genuine images, or a sentence that says what to do.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from helpers.core.data import _SOURCES, DataError, ImageSet, Name, _images, _labels, _read, fetch, is_present
from helpers.core.training import Batch, History, Objective, fit

INSTEAD = {
    ("helpers.core.settings", "data_root"): "data_root",
    ("helpers.core.data", "load_images"): "load_images",
    ("helpers.core.settings", "figures_folder"): "figures_folder",
    ("helpers.core.settings", "checkpoints_folder"): "checkpoints_folder",
    ("helpers.core.kept", "fit_once"): "fit_once",
}
ABOUT = {"helpers.core.data": "Where the images come from: files that are there already, else torchvision's download."}


def data_root() -> Path:
    """``DATA_ROOT``, else ``data`` in the working directory."""
    return Path(os.environ.get("DATA_ROOT") or "data")


def load_images(name: Name, *, root: Path | None = None, download: bool = True) -> ImageSet:
    """The 60,000 training and 10,000 test images of ``"mnist"`` or ``"fashion"``.

    Args:
        root: folder in torchvision's layout; ``data_root()`` where not given.
        download: let torchvision fetch what is missing.

    Raises:
        DataError: the images cannot be had, or a file is corrupt or of another data set.
    """
    source = _SOURCES[name]
    root = data_root() if root is None else Path(root)
    problem = fetch(name, root) if download else f"no files under {root / source.folder}"
    if not is_present(name, root):
        raise DataError(
            f"{source.title} is not here ({problem}): connect to the network and run this cell again, or copy the four "
            f"files to {root / source.folder}, or set DATA_ROOT to the folder that holds {source.folder}"
        )
    raw = [_read(source, root, file) for file in source.md5]
    return ImageSet(source.title, True, _images(raw[0]), _labels(raw[1]), _images(raw[2]), _labels(raw[3]))


def figures_folder() -> Path:
    """``FIGURES_DIR``, else ``student_figures`` in the working directory."""
    return Path(os.environ.get("FIGURES_DIR") or "student_figures")


def checkpoints_folder() -> Path:
    """``checkpoints`` in the working directory."""
    return Path("checkpoints")


def fit_once(
    model: nn.Module, optimizer: torch.optim.Optimizer, loader: Iterable[Batch], objective: Objective, **options: Any
) -> History:
    """``fit``: a notebook that stands alone trains every time."""
    return fit(model, optimizer, loader, objective, **options)
