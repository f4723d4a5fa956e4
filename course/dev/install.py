"""Set up ``.venv`` and say first what that downloads; without a GPU, take PyTorch's CPU build. Needs no package.

    python3 -m course.dev.install [--build auto|cpu|gpu] [--versions locked|newest|lowest]      (make setup)

On Windows, where there is no make: ``py -m course.dev.install``. Where uv is installed, it does the work.

- ``--build auto``: the GPU build where ``nvidia-smi`` lists a GPU, else the CPU build, a tenth of the download. Where
  PyTorch's own index cannot be reached, the registry's default build serves.
- ``--versions locked``: those of ``requirements.lock``, which were last green; ``newest`` and ``lowest``: what
  ``pyproject.toml`` allows.
"""

import sys

if sys.version_info < (3, 10):  # noqa: UP036 (this file parses in older ones, so that they come as far as here)
    sys.exit(
        "This needs Python 3.10 or newer, and {} is {}.{}: install a newer one from python.org, then name it, "
        "as in: make PYTHON=python3.12".format(sys.executable, *sys.version_info[:2])
    )

import argparse
import os
import platform
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements.lock"
WHAT = ".[course,rerun,dev]"
PAIR = ("torch", "torchvision")  # from one index, or pip brings CUDA back with the second
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
PROBE_S = 6  # for an answer of that index; a name server that does not answer would take minutes
LOCK_KNOWS = (3, 14)  # the newest Python that the lock was resolved for and CI runs


class Size(NamedTuple):
    """What an installation takes, in GB: measured with torch 2.13 and 2.14, and 0.3 for the site's packages."""

    download: float
    disk: float


SIZES = {"cpu": Size(0.5, 2.2), "gpu": Size(3.3, 6.9)}


class Plan(NamedTuple):
    """What will be installed; ``reason`` says why this build."""

    build: str  # cpu or gpu
    index: str | None  # where the pair comes from; None: the registry
    reason: str


def main() -> None:
    """Set up the environment, or end in one sentence before anything is downloaded."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--build", choices=["auto", "cpu", "gpu"], default="auto")
    parser.add_argument("--versions", choices=["locked", "newest", "lowest"], default="locked")
    parser.add_argument("--cpu-index", default=CPU_INDEX, help="where the CPU builds are: a mirror, say")
    arguments = parser.parse_args()
    refuse(sys.platform, platform.machine(), sys.maxsize)
    if arguments.versions == "lowest" and not shutil.which("uv"):
        sys.exit("the lowest versions are resolved by uv, which is not here: python -m pip install uv")
    chosen = plan(arguments.build, sys.platform, has_gpu(), reaches, arguments.cpu_index)
    size = SIZES[chosen.build]
    print(announcement(chosen, size, sys.platform), flush=True)
    refuse_full_disk(shutil.disk_usage(ROOT).free / 1e9, size)
    start = time.monotonic()
    install(chosen, versions(arguments.versions, sys.version_info[:2]))
    (VENV / "installed").touch()
    print(f"\nInstalled in {time.monotonic() - start:.0f} s; {gigabytes(VENV):.1f} GB in {VENV}.\n{next_step(os.name)}")


# ---------------------------------------------------------------- what to install


def refuse(system: str, machine: str, largest: int) -> None:
    """Exit with a sentence on machines for which nobody builds PyTorch."""
    if system == "darwin" and machine == "x86_64":
        sys.exit(
            "PyTorch has no builds for Macs with an Intel processor since 2.3, and this needs 2.4: use Colab or the "
            "dev container. On an Apple processor, this is a Python for Intel: install one for arm64."
        )
    if largest < 2**32:
        sys.exit("PyTorch has no builds for a Python of 32 bits: install the 64-bit one from python.org")


def plan(build: str, system: str, gpu: bool, reachable: Callable[[str], bool], index: str = CPU_INDEX) -> Plan:
    """Choose a build; ``reachable`` is asked only where the answer matters."""
    if build == "gpu" or (build == "auto" and gpu):
        reason = "as you asked" if build == "gpu" else "nvidia-smi lists a GPU"
        return Plan("gpu", None, reason)
    reason = "as you asked" if build == "cpu" else "no GPU is listed; for one, make GPU=1"
    if system != "linux":  # the registry's builds for macOS (with MPS) and Windows hold no CUDA
        return Plan("cpu", None, reason)
    if reachable(index):
        return Plan("cpu", index, reason)
    return Plan("gpu", None, f"{index} cannot be reached, so the registry's default build serves, on the CPU, too")


def has_gpu() -> bool:
    """Say whether NVIDIA's own tool lists a GPU."""
    tool = shutil.which("nvidia-smi")
    try:
        listed = subprocess.run([tool, "-L"], capture_output=True, text=True, timeout=20) if tool else None
    except (OSError, subprocess.TimeoutExpired):
        return False
    return listed is not None and "GPU 0" in listed.stdout


def reaches(index: str) -> bool:
    """Ask an index for torch, in another process: a name server that hangs cannot be timed out in this one."""
    script = f"import urllib.request; urllib.request.urlopen({f'{index}/torch/'!r}, timeout={PROBE_S})"
    try:
        return subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=PROBE_S).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def announcement(chosen: Plan, size: Size, system: str) -> str:
    """Say what is downloaded, how large it is, and about how long that takes."""
    kind = {"cpu": "for the CPU", "gpu": "with CUDA" if system == "linux" else "for this system"}[chosen.build]
    minutes = [size.download * 8000 / megabits / 60 for megabits in (100, 16)]
    return (
        f"Setting up {VENV}: PyTorch {kind} ({chosen.reason}).\n"
        f"It downloads about {size.download:.1f} GB (at 100 Mbit/s {minutes[0]:.0f} to {minutes[0] + 3:.0f} minutes, "
        f"at 16 Mbit/s {minutes[1]:.0f} to {minutes[1] + 5:.0f}), and fills {size.disk:.1f} GB."
    )


def refuse_full_disk(free: float, size: Size) -> None:
    """Exit with a sentence where the disk has too little room."""
    if free < size.disk + 0.5:
        sys.exit(f"{ROOT} has {free:.1f} GB free, and this fills {size.disk:.1f} GB: make room there first")


def versions(word: str, python: tuple[int, ...]) -> list[str]:
    """Return the installer's options for the versions that are asked for."""
    if word == "lowest":
        return ["--resolution", "lowest-direct"]
    if word == "newest":
        return ["--upgrade"]
    if python > LOCK_KNOWS:
        print("Python {}.{} is newer than what requirements.lock was made for: newest versions.".format(*python))
        return []
    return ["--constraint", str(LOCK)]


def pair(text: str, options: Sequence[str]) -> list[str]:
    """Return torch and torchvision as ``pyproject.toml`` or, where it counts, the lock has them."""
    found = [re.search(rf"^\s*\"({name}[^a-z\"]+)\"", text, re.MULTILINE) for name in PAIR]
    if "--constraint" in options:
        lock = LOCK.read_text(encoding="utf-8")
        found = [re.search(rf"^({name}==[^\s;]+)", lock, re.MULTILINE) for name in PAIR]
    return [match[1] for match in found if match]


# ---------------------------------------------------------------- installing it


def install(chosen: Plan, options: list[str]) -> None:
    """Make the environment where there is none, the pair first if it comes from an index of its own."""
    uv = shutil.which("uv")
    python = VENV / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not python.exists() and not (python.with_suffix(".exe")).exists():
        run([uv, "venv", "--python", sys.executable, str(VENV)] if uv else [sys.executable, "-m", "venv", str(VENV)])
    if uv:
        pip, remove = [uv, "pip", "install", "--python", str(python)], [uv, "pip", "uninstall", "--python", str(python)]
    else:
        pip, remove = [str(python), "-m", "pip", "install"], [str(python), "-m", "pip", "uninstall", "--yes"]
        run([*pip, "--quiet", "--upgrade", "pip"])
    if chosen.build == "gpu" and has_cpu_build(VENV):
        run([*remove, *PAIR])
    if chosen.index:
        text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
        wanted = pair(text, options)
        flags = [option for option in options if option.startswith(("--res", "lowest"))]
        command = [*pip, *flags, "--index-url", chosen.index, *wanted]
        if subprocess.run(command, cwd=ROOT, env=of_one_index(os.environ)).returncode:
            print(f"{chosen.index} has no {' and '.join(wanted)} for this Python: the registry's build serves.")
    run([*pip, *options, "--editable", WHAT])


def of_one_index(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which no other index is asked: a mirror's newer build with CUDA would win."""
    others = {"PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "UV_EXTRA_INDEX_URL", "UV_INDEX", "UV_FIND_LINKS"}
    kept = {name: value for name, value in environment.items() if name not in others}
    return {**kept, "PIP_CONFIG_FILE": os.devnull, "UV_NO_CONFIG": "1"}


def has_cpu_build(environment: Path) -> bool:
    """Say whether torch for the CPU alone is installed there, which pip would take for the one with CUDA."""
    return any(environment.rglob("torch-*+cpu.dist-info"))


def run(command: list[str]) -> None:
    """Run a step of the installation with its output on the screen, and exit where it fails."""
    status = subprocess.run(command, cwd=ROOT).returncode
    if status:
        sys.exit(
            f"\nThe installation stopped ({Path(command[0]).name} ended with {status}); the reason stands above. Mend "
            "it and start again: what was downloaded is kept."
        )


def gigabytes(folder: Path) -> float:
    """Sum the sizes of all files below a folder: links count as themselves, and what has several names once."""
    files = (path.lstat() for path in folder.rglob("*") if not path.is_dir() or path.is_symlink())
    return sum({(file.st_dev, file.st_ino): file.st_size for file in files}.values()) / 1e9


def next_step(system: str) -> str:
    """Say how the environment is used."""
    activate = r".venv\Scripts\activate" if system == "nt" else "source .venv/bin/activate"
    return f"For commands such as python -m course or jupyter lab: {activate}"


if __name__ == "__main__":
    main()
