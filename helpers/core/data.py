"""The images as tensors: from the genuine files, else from torchvision's download, else from an offline stand-in.

``load_images("mnist")`` looks, in this order, at the files of :mod:`helpers.core.image_files`, every one checked by its
md5 sum; then lets torchvision download what is missing; and where neither works makes the stand-in of
:mod:`helpers.core.standin`, which says so wherever it appears.
"""

import contextlib
import shutil
import socket
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from helpers.core import standin
from helpers.core.image_files import DATA_SETS, DataError, Name, find, is_present, read
from helpers.core.settings import data_root


def _torchvision(data_set: str, folder: str, download: bool) -> None:
    from torchvision import datasets  # here, for its import takes two thirds as long as torch's, and few need it

    getattr(datasets, data_set)(folder, download=download)


DOWNLOADS = {"mnist": partial(_torchvision, "MNIST"), "fashion": partial(_torchvision, "FashionMNIST")}
ATTEMPTS, TIMEOUT_S = 3, 20.0


@dataclass(frozen=True)
class ImageSet:
    """Images in [0, 1], shape (N, 1, 28, 28), labels 0 to 9, and where they come from."""

    title: str
    genuine: bool
    train_x: Tensor
    train_y: Tensor
    test_x: Tensor
    test_y: Tensor

    def to(self, device: torch.device) -> "ImageSet":
        """Copy the tensors to a device."""
        tensors = (t.to(device) for t in (self.train_x, self.train_y, self.test_x, self.test_y))
        return ImageSet(self.title, self.genuine, *tensors)

    def __str__(self) -> str:
        counts = f"{self.title}: {len(self.train_x):,} training and {len(self.test_x):,} test images"
        return counts if self.genuine else f"{counts}\n{standin.NOTICE}"


def load_images(name: Name, *, root: Path | None = None, download: bool = True, allow_standin: bool = True) -> ImageSet:
    """Load the 60,000 training and 10,000 test images of ``"mnist"`` or ``"fashion"``.

    Args:
        root: folder in torchvision's layout; ``data_root()`` where not given.
        download: let torchvision fetch what is missing.
        allow_standin: make the offline stand-in where nothing else works.

    Raises:
        DataError: a file is corrupt or of another data set; or nothing works and no stand-in is allowed.
        ValueError: another name.
    """
    if name not in DATA_SETS:
        raise ValueError(f"no image data named {name!r}: expected one of {', '.join(DATA_SETS)}")
    title, folder, md5 = DATA_SETS[name]
    root = data_root() if root is None else Path(root)
    problem = fetch(name, root) if download else f"no files under {root / folder}"
    if is_present(name, root):
        train_x, train_y, test_x, test_y = (read(name, root, file) for file in md5)
        return ImageSet(title, True, _images(train_x), _labels(train_y), _images(test_x), _labels(test_y))
    if not allow_standin:
        raise DataError(
            f"{title} is not here ({problem}): copy its four files to {root / folder}, "
            "set DATA_ROOT to the folder that holds them, or connect to the network and try again"
        )
    images, labels = (torch.from_numpy(array) for array in standin.make(name))
    x, y, n = images[:, None], labels, standin.NUM_TRAIN
    return ImageSet(standin.TITLES[name], False, x[:n], y[:n], x[n:], y[n:])


def _images(idx: bytes) -> Tensor:
    pixels = np.frombuffer(idx, np.uint8, offset=16).reshape(-1, 1, 28, 28)
    return torch.from_numpy(pixels.astype(np.float32) / 255)


def _labels(idx: bytes) -> Tensor:
    return torch.from_numpy(np.frombuffer(idx, np.uint8, offset=8).astype(np.int64))


def fetch(name: Name, root: Path | None = None) -> str | None:
    """Let torchvision download what is missing, and return None, or the reason why that failed.

    The download goes into a temporary folder, from which every file that is missing is moved in whole.
    """
    root = data_root() if root is None else Path(root)
    if is_present(name, root):
        return None
    _, folder, files = DATA_SETS[name]
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root, prefix=".download-") as temporary:
            _download_with_patience(name, temporary)
            (root / folder).mkdir(parents=True, exist_ok=True)
            for file in files:
                if find(name, root, file) is None:
                    shutil.move(Path(temporary) / folder / file, root / folder / file)
    except (OSError, RuntimeError) as error:
        return f"the download failed: {str(error).splitlines()[-1].strip() or type(error).__name__}"
    return None


def _download_with_patience(name: Name, folder: str) -> None:
    """Run torchvision's download, which has no time limit of its own, and keeps the files that it has verified."""
    limit = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT_S)
    try:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with contextlib.redirect_stdout(None):  # its bar goes to stderr
                    DOWNLOADS[name](folder, download=True)
                return
            except (OSError, RuntimeError):
                if attempt == ATTEMPTS:
                    raise
                time.sleep(attempt)
    finally:
        socket.setdefaulttimeout(limit)


if __name__ == "__main__":  # for programs that do without torch: download in another process, print the reason if any
    print(fetch(sys.argv[1]) or "", end="")  # pyright: ignore[reportArgumentType]
