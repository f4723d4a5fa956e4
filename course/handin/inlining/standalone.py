"""What takes the place, in a notebook that stands alone, of those helpers that serve the repository around them.

Each section is named after the module whose definitions it replaces. This file is read as text, and never imported.
There is no offline stand-in: what a tutor reads are results on the genuine images, or a sentence that says what to do.
"""

import gzip
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from IPython.display import display
from matplotlib.figure import Figure
from torch import Tensor, nn, optim
from torchvision import datasets

from helpers.core.batches import Loader, Objective
from helpers.core.history import History
from helpers.core.training import fit
from helpers.plots import style

# ---------------------------------------------------------------- helpers.notebook


def show(figure: Figure, name: str, alt: str, **_: Any) -> None:
    """Save the figure as ``student_figures/<name>.png`` and display it; ``alt`` is for those who cannot see it."""
    path = Path("student_figures") / f"{name}.png"
    path.parent.mkdir(exist_ok=True)
    with style():
        figure.savefig(path, dpi=100)
    bundle = {"image/png": path.read_bytes(), "text/plain": alt}
    display(bundle, metadata={"figure": name, "image/png": {"alt": alt}}, raw=True)


@contextmanager
def claims(*_: Any) -> Iterator[Callable[[str, float], None]]:
    """Print what is measured: ``with claims("02_toy_vae") as claim: claim("gap on set 1", gap)``."""
    yield lambda name, value: print(f"{name} | measured {float(value):.4g}")


def solution(*_: Callable) -> None:
    """Show nothing: the source of each helper stands in a cell of this notebook."""


def explore(draw: Callable, sliders: Mapping[str, tuple], name: str, alt: str, **_: Any) -> None:
    """Show ``draw`` of the starting values of the sliders: least, starting and largest value of each."""
    show(draw([start for _, start, _ in sliders.values()]), name, alt)


# ---------------------------------------------------------------- helpers.checks


def check(*_: Any, **__: Any) -> None:
    """Do nothing: this notebook is to be graded, and was checked while it was written."""


# ---------------------------------------------------------------- helpers.numpy_vae


def _finite(name: str, value: Any) -> np.ndarray:
    return np.asarray(value, dtype=np.float64)


def _rows(name: str, value: Any, width: int) -> np.ndarray:
    return _finite(name, value)


def _alike(**values: Any) -> list[np.ndarray]:
    return [_finite(name, value) for name, value in values.items()]


def _check_beta(beta: float) -> None:
    pass


# ---------------------------------------------------------------- helpers.core.data


@dataclass(frozen=True)  # as the helper's: notebooks use dataclasses.replace on it
class ImageSet:
    """Images in [0, 1], shape (N, 1, 28, 28), and labels 0 to 9."""

    title: str
    genuine: bool
    train_x: Tensor
    train_y: Tensor
    test_x: Tensor
    test_y: Tensor

    def to(self, device: torch.device) -> "ImageSet":
        images = (t.to(device) for t in (self.train_x, self.train_y, self.test_x, self.test_y))
        return ImageSet(self.title, self.genuine, *images)

    def __str__(self) -> str:
        return f"{self.title}: {len(self.train_x):,} training and {len(self.test_x):,} test images"


def load_images(name: str) -> ImageSet:
    """Load ``"mnist"`` or ``"fashion"`` from the folder ``DATA_ROOT``, else ``data``; what is missing is downloaded."""
    dataset = {"mnist": datasets.MNIST, "fashion": datasets.FashionMNIST}[name]
    root = Path(os.environ.get("DATA_ROOT") or "data")
    folder = root / dataset.__name__ / "raw"
    train = [folder / "train-images-idx3-ubyte", folder / "train-labels-idx1-ubyte"]
    test = [folder / "t10k-images-idx3-ubyte", folder / "t10k-labels-idx1-ubyte"]
    if not all(file.is_file() or file.with_suffix(".gz").is_file() for file in train + test):
        try:
            dataset(root, download=True)
        except (OSError, RuntimeError) as error:
            raise RuntimeError(
                f"the images are not here ({error}): connect to the network and run this cell again, or copy the four "
                f"files to {folder}, or set DATA_ROOT to the folder that holds {dataset.__name__}"
            ) from error
    title = "MNIST" if name == "mnist" else "Fashion-MNIST"
    train_x, train_y, test_x, test_y = map(_read, train + test)
    return ImageSet(title, True, _pixels(train_x), train_y.long(), _pixels(test_x), test_y.long())


def _read(file: Path) -> Tensor:
    content = file.read_bytes() if file.is_file() else gzip.decompress(file.with_suffix(".gz").read_bytes())
    return torch.tensor(np.frombuffer(content, np.uint8, offset=4 + 4 * content[3]))


def _pixels(numbers: Tensor) -> Tensor:
    return numbers.reshape(-1, 1, 28, 28) / 255


# ---------------------------------------------------------------- helpers.core.speed


def in_precision(precision: str, objective: Objective, device: torch.device) -> Objective:
    """Return the objective as it is, in float32."""
    return objective


@contextmanager
def HalvesSideBySide(objective: Objective, model: nn.Module) -> Iterator[Objective]:
    """Give the objective as it is, for whole batches."""
    yield objective


def keep_freed_memory(device: torch.device) -> None:
    """Do nothing: the machine's settings stay as they are."""


# ---------------------------------------------------------------- helpers.core.kept


def fit_once(
    model: nn.Module, optimizer: optim.Optimizer, loader: Loader, objective: Objective, **options: Any
) -> History:
    """Train as ``fit`` does: a notebook that stands alone trains every time."""
    return fit(model, optimizer, loader, objective, **options)
