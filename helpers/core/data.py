"""Where the images come from: the genuine files, torchvision's download, else an offline stand-in.

``load_images("mnist")`` looks, in this order, at ``DATA_ROOT`` (or ``./data``, or the repository's ``data``), in
torchvision's layout, plain or gzipped, every file checked by its md5 sum; then lets torchvision download; and where
neither works makes the stand-in of :mod:`helpers.core.standin`, which says so wherever it appears.
"""

import contextlib
import gzip
import hashlib
import shutil
import socket
import tempfile
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
import torchvision
from torch import Tensor

from helpers.core import standin
from helpers.core.settings import data_root
from helpers.core.standin import NOTICE

Name = Literal["mnist", "fashion"]
ATTEMPTS, TIMEOUT_S = 3, 20.0


class DataError(RuntimeError):
    """The data cannot be had as asked; the message says what was expected, what came, and what to do."""


class _Source(NamedTuple):
    title: str
    folder: str  # torchvision's
    dataset: type[torchvision.datasets.MNIST]
    md5: dict[str, str]  # of the uncompressed files


_SOURCES: dict[str, _Source] = {
    "mnist": _Source(
        "MNIST",
        "MNIST/raw",
        torchvision.datasets.MNIST,
        {
            "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
            "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
            "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
            "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
        },
    ),
    "fashion": _Source(
        "Fashion-MNIST",
        "FashionMNIST/raw",
        torchvision.datasets.FashionMNIST,
        {
            "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
            "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
            "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
            "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
        },
    ),
}


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
        x = (t.to(device) for t in (self.train_x, self.train_y, self.test_x, self.test_y))
        return ImageSet(self.title, self.genuine, *x)

    def __str__(self) -> str:
        first = f"{self.title}: {len(self.train_x):,} training and {len(self.test_x):,} test images"
        return first if self.genuine else f"{first}\n{NOTICE}"


def load_images(name: Name, *, root: Path | None = None, download: bool = True, allow_standin: bool = True) -> ImageSet:
    """The 60,000 training and 10,000 test images of ``"mnist"`` or ``"fashion"``.

    Args:
        root: folder in torchvision's layout; ``data_root()`` where not given.
        download: let torchvision fetch what is missing.
        allow_standin: make the offline stand-in where nothing else works.

    Raises:
        DataError: a file is corrupt or of another data set; or nothing works and no stand-in is allowed.
        ValueError: another name.
    """
    if name not in _SOURCES:
        raise ValueError(f"no image data named {name!r}: expected one of {', '.join(_SOURCES)}")
    source = _SOURCES[name]
    root = data_root() if root is None else Path(root)
    problem = fetch(name, root) if download else f"no files under {root / source.folder}"
    if is_present(name, root):
        raw = [_read(source, root, file) for file in source.md5]
        return ImageSet(source.title, True, _images(raw[0]), _labels(raw[1]), _images(raw[2]), _labels(raw[3]))
    if not allow_standin:
        raise DataError(
            f"{source.title} is not here ({problem}): copy its four files to {root / source.folder}, "
            "set DATA_ROOT to the folder that holds them, or connect to the network and try again"
        )
    made = standin.make(name)
    x, y, n = torch.from_numpy(made.images)[:, None], torch.from_numpy(made.labels), standin.NUM_TRAIN
    return ImageSet(standin.TITLES[name], False, x[:n], y[:n], x[n:], y[n:])


def is_present(name: Name, root: Path | None = None) -> bool:
    """Whether all four files lie in ``root``, plain or gzipped; says nothing of what is in them."""
    root = data_root() if root is None else Path(root)
    return all(_find(_SOURCES[name], root, file) for file in _SOURCES[name].md5)


def fetch(name: Name, root: Path | None = None) -> str | None:
    """Let torchvision download what is missing; the reason where that fails, else None."""
    root = data_root() if root is None else Path(root)
    return None if is_present(name, root) else _download(_SOURCES[name], root)


class Status(NamedTuple):
    """What ``python -m course data`` says of one data set; ``problem`` is None where the genuine files are sound."""

    title: str
    folder: Path
    files: str  # which form each lies there in
    problem: str | None


def status(name: Name, root: Path | None = None) -> Status:
    """Look at the files of a data set, check every md5 sum, change nothing."""
    source = _SOURCES[name]
    root = data_root() if root is None else Path(root)
    found = [_find(source, root, file) for file in source.md5]
    gzipped, missing = sum(p is not None and p.suffix == ".gz" for p in found), found.count(None)
    files = f"{len(found) - missing - gzipped} plain, {gzipped} gzipped, {missing} missing"
    problem = f"{missing} of {len(found)} files are missing" if missing else None
    if not missing:
        try:
            for file in source.md5:
                _read(source, root, file)
        except DataError as error:
            problem = str(error)
    return Status(source.title, root / source.folder, files, problem)


def _find(source: _Source, root: Path, file: str) -> Path | None:
    candidates = (root / source.folder / (file + suffix) for suffix in ("", ".gz"))
    return next((path for path in candidates if path.is_file()), None)


def _read(source: _Source, root: Path, file: str) -> bytes:
    path = _find(source, root, file)
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read ({error}): delete it, then run again to fetch it anew") from error
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if found == source.md5[file]:
        return content
    owner = next((s.title for s in _SOURCES.values() for known in s.md5.values() if known == found), None)
    what = f"a file of {owner}" if owner else f"md5 {found}, {len(content):,} bytes"
    raise DataError(
        f"{path} should hold {source.title}'s {file} (md5 {source.md5[file]}) but holds {what}: "
        "move it away, then run again to fetch the right one"
    )


def _images(idx: bytes) -> Tensor:
    pixels = np.frombuffer(idx, np.uint8, offset=16).reshape(-1, 1, 28, 28)
    return torch.from_numpy(pixels.astype(np.float32) / 255)


def _labels(idx: bytes) -> Tensor:
    return torch.from_numpy(np.frombuffer(idx, np.uint8, offset=8).astype(np.int64))


def _download(source: _Source, root: Path) -> str | None:
    """Fetch into a temporary folder, then move what is missing in whole; returns the reason where that fails."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root, prefix=".download-") as folder:
            _fetch_with_patience(source, folder)
            (root / source.folder).mkdir(parents=True, exist_ok=True)
            for file in source.md5:
                if _find(source, root, file) is None:
                    shutil.move(Path(folder) / source.folder / file, root / source.folder / file)
    except (OSError, RuntimeError) as error:
        return f"the download failed: {str(error).splitlines()[-1].strip() or type(error).__name__}"
    return None


def _fetch_with_patience(source: _Source, folder: str) -> None:
    """torchvision's download, its bar on stderr; it has no time limit of its own, and keeps what it has verified."""
    limit = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT_S)
    try:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with contextlib.redirect_stdout(None):
                    source.dataset(folder, download=True)
                return
            except (OSError, RuntimeError):
                if attempt == ATTEMPTS:
                    raise
                time.sleep(attempt)
    finally:
        socket.setdefaulttimeout(limit)
