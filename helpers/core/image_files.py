"""The files of the genuine images, in torchvision's layout: where they lie, and whether they are sound.

They lie under ``DATA_ROOT`` (or ``./data``, or the repository's ``data``), plain or gzipped. Nothing here imports
torch: :mod:`helpers.core.data` makes tensors of them, and downloads what is missing.
"""

import gzip
import hashlib
import zlib
from pathlib import Path
from typing import Literal, NamedTuple

from helpers.core.settings import data_root

Name = Literal["mnist", "fashion"]


class DataError(RuntimeError):
    """The data cannot be had as requested; the message says what was expected, what came, and what to do."""


class DataSet(NamedTuple):
    """The files of one data set."""

    title: str
    folder: str
    md5: dict[str, str]  # of the uncompressed files


DATA_SETS: dict[Name, DataSet] = {
    "mnist": DataSet(
        "MNIST",
        "MNIST/raw",
        {
            "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
            "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
            "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
            "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
        },
    ),
    "fashion": DataSet(
        "Fashion-MNIST",
        "FashionMNIST/raw",
        {
            "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
            "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
            "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
            "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
        },
    ),
}


def is_present(name: Name, root: Path | None = None) -> bool:
    """Say whether all four files lie in ``root``, plain or gzipped, whatever is in them."""
    root = data_root() if root is None else Path(root)
    return all(find(name, root, file) for file in DATA_SETS[name].md5)


class Status(NamedTuple):
    """The state of a data set's files; ``problem`` is None where they are the genuine ones."""

    title: str
    folder: Path
    files: str  # how many lie there in which form
    problem: str | None


def status(name: Name, root: Path | None = None) -> Status:
    """Look at the files of a data set, check every md5 sum, change nothing."""
    data_set = DATA_SETS[name]
    root = data_root() if root is None else Path(root)
    paths = [find(name, root, file) for file in data_set.md5]
    gzipped, missing = sum(path is not None and path.suffix == ".gz" for path in paths), paths.count(None)
    files = f"{len(paths) - missing - gzipped} plain, {gzipped} gzipped, {missing} missing"
    problem = missing_sentence(name, root) if missing else _first_problem(name, root)
    return Status(data_set.title, root / data_set.folder, files, problem)


def _first_problem(name: Name, root: Path) -> str | None:
    try:
        for file in DATA_SETS[name].md5:
            read(name, root, file)
    except DataError as error:
        return str(error)
    return None


def find(name: Name, root: Path, file: str) -> Path | None:
    """Look for a file in its plain form, then gzipped."""
    candidates = (root / DATA_SETS[name].folder / (file + suffix) for suffix in ("", ".gz"))
    return next((path for path in candidates if path.is_file()), None)


def missing_sentence(name: Name, root: Path) -> str:
    """Say which files are missing, and where one of them lies under another of its usual names."""
    missing = [file for file in DATA_SETS[name].md5 if find(name, root, file) is None]
    sentence = f"{len(missing)} of {len(DATA_SETS[name].md5)} files are missing under {root / DATA_SETS[name].folder}"
    for path in _files_near(root):
        file = path.name.removesuffix(".gz").replace(".idx", "-idx")
        if file in missing and _is_genuine(name, path, file):
            place = root / DATA_SETS[name].folder / (file + ".gz" * (path.suffix == ".gz"))
            return f"{sentence}, but one lies in another place: move {path} to {place}, and so the others"
    return sentence


def _files_near(root: Path) -> list[Path]:
    """Return files up to three folders deep: not in a folder "raw", or each unpacked into a folder of its own."""
    candidates = [path for depth in range(1, 5) for path in root.glob("/".join("*" * depth)) if "ubyte" in path.name]
    return sorted(path for path in candidates if path.is_file())


def _is_genuine(name: Name, path: Path, file: str) -> bool:
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error):
        return False
    return hashlib.md5(content, usedforsecurity=False).hexdigest() == DATA_SETS[name].md5[file]


def read(name: Name, root: Path, file: str) -> bytes:
    """Read a file and check its md5 sum.

    Raises:
        DataError: the file is missing or corrupt, or another one.
    """
    data_set, path = DATA_SETS[name], find(name, root, file)
    if path is None:
        raise DataError(f"{root / data_set.folder / file} is missing: copy it there, or run again to fetch it")
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read ({error}): delete it, then run again to fetch it anew") from error
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if md5 == data_set.md5[file]:
        return content
    owner = next((other.title for other in DATA_SETS.values() if md5 in other.md5.values()), None)
    content_is = f"a file of {owner}" if owner else f"md5 {md5}, {len(content):,} bytes"
    raise DataError(
        f"{path} should hold {data_set.title}'s {file} (md5 {data_set.md5[file]}) but holds {content_is}: "
        "move it away, then run again to fetch the right one"
    )
