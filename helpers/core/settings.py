"""Settings that come from the environment and from where the repository lies; no other module reads a variable.

- ``DATA_ROOT``: the folder that holds ``MNIST/raw`` and ``FashionMNIST/raw``.
- ``FIGURES_DIR``: the folder that figures are written into.
- ``FIGURE_HOOK``: ``module:function``, called with each figure and its name; returns options for ``savefig``. The
  commands ``run`` and ``check`` set it, to put into each PNG what they compare later.
- ``CHECKPOINTS_DIR``: the folder of trainings that are loaded in place of training again.
- ``QUICK``: where it is not empty, budgets shrink and claims are not judged.
- ``PRECISION``: "float32" or "bfloat16", for the matrix products of a training step; else the processor decides.
- ``TQDM_DISABLE``: where it is not empty, nobody looks on, so there are no progress bars and no sliders.
"""

import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any


def _home() -> Path:
    """Return the repository where these files lie in one, else the working directory."""
    root = Path(__file__).resolve().parents[2]
    return root if (root / "pyproject.toml").is_file() else Path.cwd()


def _folder(variable: str) -> Path | None:
    """Return the folder that a variable names, ``~`` written out; None where it names none."""
    value = os.environ.get(variable)
    return Path(value).expanduser().absolute() if value else None


def data_root() -> Path:
    """Return ``DATA_ROOT``, else ``data`` in the working directory where it exists, else the repository's ``data``."""
    here = Path("data").absolute()
    return _folder("DATA_ROOT") or (here if here.is_dir() else _home() / "data")


def figures_folder() -> Path:
    """Return ``FIGURES_DIR``, else ``student_figures`` in the repository, or in the working directory without one."""
    return _folder("FIGURES_DIR") or _home() / "student_figures"


def figure_hook() -> Callable[[Any, str], dict[str, Any]] | None:
    """Return the function that ``FIGURE_HOOK`` names, None where it names none."""
    module, _, function = os.environ.get("FIGURE_HOOK", "").partition(":")
    return getattr(importlib.import_module(module), function) if module else None


def checkpoints_folder() -> Path:
    """Return ``CHECKPOINTS_DIR``, else ``checkpoints`` in the repository, or in the working directory without one."""
    return _folder("CHECKPOINTS_DIR") or _home() / "checkpoints"


def folders() -> dict[str, str]:
    """Return the variables of the folders as they count here, for processes that work in another folder."""
    found = {"DATA_ROOT": data_root(), "FIGURES_DIR": figures_folder(), "CHECKPOINTS_DIR": checkpoints_folder()}
    return {name: str(folder) for name, folder in found.items()}


def is_quick() -> bool:
    """Say whether ``QUICK`` asks for small budgets, as ``python -m course run --quick`` does."""
    return bool(os.environ.get("QUICK"))


def budget(full: int, quick: int = 1) -> int:
    """Return ``full``, or ``quick`` where :func:`is_quick`: for epochs and sample sizes in notebooks."""
    return quick if is_quick() else full


def precision() -> str:
    """Return ``PRECISION``, else "auto"."""
    return os.environ.get("PRECISION") or "auto"


def is_live() -> bool:
    """Say whether somebody looks on: not where ``TQDM_DISABLE`` silences the bars, as in every run of ``course``."""
    return not os.environ.get("TQDM_DISABLE")
