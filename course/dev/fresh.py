"""Is a fresh machine enough? Clone, empty home, new environment, ``make quick`` and ``make test``; needs no package.

    python -m course.dev.fresh [data-cpu] [data-gpu] [nothing-cpu] [nothing-gpu] [--steps setup quick]
                               (make fresh: all four, all steps)

``data``: with the image files of this checkout (or DATA_ROOT). ``nothing``: with no files, and after the set-up no way
to fetch any (the proxies lead nowhere), so everything runs on the offline stand-in. ``cpu`` and ``gpu``: the build of
PyTorch. Prints what each step took, and what was downloaded and fills the disk.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from course.dev.install import ROOT, gigabytes

MODES = ("data-cpu", "data-gpu", "nothing-cpu", "nothing-gpu")
NOWHERE = {name: "http://127.0.0.1:9" for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")}
INHERITED = ("PATH", "LANG", "LC_ALL", "OMP_NUM_THREADS")  # and what pip needs to find its index
FOR_PIP = ("PIP_", "UV_", "SSL_", "REQUESTS_")
STEPS = ("setup", "quick", "test")
# no "pip freeze": where uv has made the environment, there is no pip
PACKAGES = "from importlib.metadata import distributions as d; [print(f'{i.name}=={i.version}') for i in d()]"
LISTED = ("torch", "torchvision", "numpy", "matplotlib", "nbval")  # packages whose versions are printed
SIZE = re.compile(r"Downloading \S+ \(([\d.]+) ?([kKMG]i?)B\)")  # as pip says it, and uv, which lists the larger ones
UNITS = {"k": 1e-6, "M": 1e-3, "G": 1.0, "Ki": 2**10 / 1e9, "Mi": 2**20 / 1e9, "Gi": 2**30 / 1e9}  # in GB


class Step(NamedTuple):
    """How one step of a mode went."""

    mode: str
    name: str
    seconds: float
    status: int

    def __str__(self) -> str:
        verdict = "ok" if self.status == 0 else "FAILED"
        return f"{self.mode:<12} make {self.name:<6} {self.seconds:7.0f} s  {verdict}"


def environment(home: Path, data_root: Path | None) -> dict[str, str]:
    """Return what a fresh machine has of this one's environment: the way to the network, and no more."""
    inherited = {k: v for k, v in os.environ.items() if k in INHERITED or k.startswith(FOR_PIP)}
    proxies = {k: v for k, v in os.environ.items() if k.lower().endswith("_proxy")}
    data = {"DATA_ROOT": str(data_root)} if data_root else {}
    return {**inherited, **proxies, **data, "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}


def try_mode(mode: str, folder: Path, data_root: Path | None, names: Sequence[str] = STEPS) -> list[Step]:
    """Clone and run the steps until one fails; each leaves its output in ``<step>.log``."""
    home, checkout = folder / "home", folder / "checkout"
    home.mkdir(parents=True)
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(checkout)], check=True)
    steps: list[Step] = []
    for name in names:
        variables = environment(home, data_root)
        if mode.startswith("nothing") and name != "setup":
            variables |= NOWHERE
        steps.append(_make(Step(mode, name, 0.0, 0), checkout, variables, folder / f"{name}.log"))
        if steps[-1].status:
            break
    return steps


def _make(step: Step, checkout: Path, variables: dict[str, str], log: Path) -> Step:
    print(f"{step.mode}: make {step.name} ...", flush=True)
    command = ["make", step.name, f"PYTHON={sys.executable}"]
    if step.name == "setup":
        command.append(f"GPU={int(step.mode.endswith('gpu'))}")
    start = time.perf_counter()
    with open(log, "w", encoding="utf-8") as output:
        status = subprocess.run(command, cwd=checkout, env=variables, stdout=output, stderr=output).returncode
    seconds = time.perf_counter() - start
    lines = log.read_text(encoding="utf-8").splitlines()
    print("\n".join(lines[-15 if status == 0 else -60 :]))
    return step._replace(seconds=seconds, status=status)


def downloaded_gb(log: str) -> float:
    """Sum the sizes of the downloads that an installation lists, in GB; what comes from a cache is not among them."""
    return sum(float(number) * UNITS[unit] for number, unit in SIZE.findall(log))


def report(mode: str, steps: list[Step], folder: Path) -> list[str]:
    """Return the lines that are printed of one mode: times, disk, packages."""
    checkout = folder / "checkout"
    venv = gigabytes(checkout / ".venv")
    ran = subprocess.run([checkout / ".venv/bin/python", "-c", PACKAGES], capture_output=True, text=True)
    freeze = ran.stdout.splitlines()
    download = downloaded_gb((folder / "setup.log").read_text(encoding="utf-8"))
    versions = [package for package in freeze if package.split("==")[0] in LISTED]
    return [
        *map(str, steps),
        f"{mode:<12} downloaded {download:.2f} GB; disk: environment {venv:.2f} GB, the rest "
        f"{gigabytes(folder) - venv:.2f} GB",
        f"{mode:<12} installed: {len(freeze)} packages, among them {', '.join(versions)}",
    ]


def parse() -> argparse.Namespace:
    """Read the command line; without images there is nothing to try the mode ``data`` with."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modes", nargs="*", help=f"{', '.join(MODES)}; all where none is given")
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=list(STEPS), help="only these, in this order")
    parser.add_argument("--keep", action="store_true", help="leave the folder for a look")
    arguments = parser.parse_args()
    unknown = set(arguments.modes) - set(MODES)
    if unknown:
        parser.error(f"modes are {', '.join(MODES)}, got {', '.join(sorted(unknown))}")
    if not (ROOT / ".git").exists():
        parser.error(f"{ROOT} is no clone of the repository: run this inside one")
    arguments.modes = arguments.modes or list(MODES)
    arguments.data_root = Path(os.environ.get("DATA_ROOT") or ROOT / "data").resolve()
    if any(mode.startswith("data") for mode in arguments.modes) and not arguments.data_root.is_dir():
        parser.error(f"no image files at {arguments.data_root}: python -m course data --fetch, or set DATA_ROOT")
    return arguments


def main() -> None:
    """Try each mode, print what it took, and exit with 1 where a step failed."""
    arguments = parse()
    folder = Path(tempfile.mkdtemp(prefix="fresh-"))
    lines, failed = [], False
    for mode in arguments.modes:
        data_root = arguments.data_root if mode.startswith("data") else None
        steps = try_mode(mode, folder / mode, data_root, arguments.steps)
        lines += report(mode, steps, folder / mode)
        failed |= any(step.status for step in steps)
        if not arguments.keep:
            shutil.rmtree(folder / mode / "checkout" / ".venv")
    print(f"\nPython {sys.version.split()[0]}, {os.cpu_count()} processors", *lines, sep="\n")
    if arguments.keep:
        print(f"left in {folder}")
    else:
        shutil.rmtree(folder)
    raise SystemExit(int(failed))


if __name__ == "__main__":
    main()
