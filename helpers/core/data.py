"""The images as tensors: from the genuine files, else from torchvision's download, else from an offline stand-in.

``load_images("mnist")`` looks, in this order, at the files of :mod:`helpers.core.image_files`, every one checked by its
md5 sum; then lets torchvision download what is missing; and where neither works makes the stand-in of
:mod:`helpers.core.standin`, which says so wherever it appears.
"""

import contextlib
import re
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from helpers.core import standin
from helpers.core.image_files import DATA_SETS, DataError, Name, find, is_present, missing_sentence, read
from helpers.core.settings import data_root

# torchvision knows one mirror of Fashion-MNIST; the files are checked by md5 sums, wherever they come from
MORE_MIRRORS = {
    "mnist": "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "fashion": "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
}
ATTEMPTS, TIMEOUT_S = 3, 10.0
TIMED_OUT = re.compile("timed out", re.IGNORECASE)
ADVICE = (  # what a failed download says, and what helps
    ("CERTIFICATE_VERIFY_FAILED", "on a Mac, run 'Install Certificates.command' in Python's folder of Applications"),
    ("403|407|Forbidden", "this network's proxy or the server refuses it: download the files elsewhere, and copy them"),
    ("timed out", "a firewall may drop the request: set https_proxy if your network has a proxy, or copy the files"),
    ("", "connect to the network, or copy the files"),
)


@dataclass(frozen=True)
class ImageSet:
    """Images in [0, 1], shape (N, 1, 28, 28), labels 0 to 9, and where they come from."""

    title: str
    genuine: bool
    train_x: Tensor
    train_y: Tensor
    test_x: Tensor
    test_y: Tensor
    reason: str = ""  # why these are not the genuine ones, and what helps

    def to(self, device: torch.device) -> "ImageSet":
        """Copy the tensors to a device."""
        tensors = {name: getattr(self, name).to(device) for name in ("train_x", "train_y", "test_x", "test_y")}
        return replace(self, **tensors)

    def __str__(self) -> str:
        counts = f"{self.title}: {len(self.train_x):,} training and {len(self.test_x):,} test images"
        return counts if self.genuine else "\n".join([counts, standin.NOTICE, self.reason]).rstrip()


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
    problem = fetch(name, root) if download else "nothing was downloaded"
    if is_present(name, root):
        train_x, train_y, test_x, test_y = (read(name, root, file) for file in md5)
        return ImageSet(title, True, _images(train_x), _labels(train_y), _images(test_x), _labels(test_y))
    reason = f"{title} is not here: {missing_sentence(name, root)}; {problem}"
    if not allow_standin:
        raise DataError(
            f"{reason}: copy its four files there, set DATA_ROOT to the folder that holds "
            f"{folder}, or connect to the network and try again"
        )
    images, labels = (torch.from_numpy(array) for array in standin.make(name))
    x, y, n = images[:, None], labels, standin.NUM_TRAIN
    reason += f". What helps: {advice(problem or '')}; then python -m course data --fetch tries again"
    return ImageSet(standin.TITLES[name], False, x[:n], y[:n], x[n:], y[n:], reason)


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
        return f"the download failed: {_reasons(error)}"
    return None


def _reasons(error: Exception) -> str:
    """Return what went wrong, each reason once: torchvision's message has a line for each mirror, and one before it."""
    lines = [line.strip() for line in str(error).splitlines()]
    said = [line for line in lines if line and not line.startswith(("Error downloading", "Tried "))]
    return "; ".join(dict.fromkeys(said)) or type(error).__name__


def advice(problem: str) -> str:
    """Say what helps against a download's problem."""
    return next(sentence for pattern, sentence in ADVICE if re.search(pattern, problem, re.IGNORECASE))


def _download_with_patience(name: Name, folder: str) -> None:
    """Run torchvision's download, which has no time limit of its own, and keeps the files that it has verified.

    Another attempt begins with another mirror. Where none of them answers in time, there is no other attempt.
    """
    limit = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT_S)
    try:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with contextlib.redirect_stdout(None), _mirrors(name, attempt - 1):  # its bar goes to stderr
                    source_of(name)(folder, download=True)
                return
            except (OSError, RuntimeError) as error:
                tried_all = isinstance(error, RuntimeError) and TIMED_OUT.search(str(error))
                if attempt == ATTEMPTS or tried_all:
                    raise
                print(f"{DATA_SETS[name].title}: {_reasons(error)}; trying another mirror", file=sys.stderr, flush=True)
                time.sleep(attempt)
    finally:
        socket.setdefaulttimeout(limit)


def source_of(name: Name) -> Any:
    """Return torchvision's class for a data set; importing it takes two thirds as long as torch, and few need it."""
    from torchvision import datasets

    return {"mnist": datasets.MNIST, "fashion": datasets.FashionMNIST}[name]


@contextlib.contextmanager
def _mirrors(name: Name, turns: int) -> Iterator[None]:
    """Let torchvision try one mirror more, and begin with another one; afterwards its list is as it was."""
    source = source_of(name)
    before = getattr(source, "mirrors", [])
    mirrors = [*before, MORE_MIRRORS[name]]
    turns %= len(mirrors)
    source.mirrors = mirrors[turns:] + mirrors[:turns]
    try:
        yield
    finally:
        source.mirrors = before


if __name__ == "__main__":  # for programs that do without torch: download in another process, print the reason if any
    print(fetch(sys.argv[1]) or "", end="")  # pyright: ignore[reportArgumentType]
