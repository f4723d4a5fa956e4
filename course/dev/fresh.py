"""Is a fresh machine enough? Clone, empty home, new environment, ``make quick`` and ``make test``; needs no package.

    python course/dev/fresh.py [data] [nothing]      (make fresh: both)

``data``: with the image files of this checkout (or DATA_ROOT). ``nothing``: with no files, and after the set-up no way
to fetch any (the proxies lead nowhere), so everything runs on the offline stand-in. Prints what each step took.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
NOWHERE = {name: "http://127.0.0.1:9" for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")}
KEPT = ("PATH", "LANG", "LC_ALL", "OMP_NUM_THREADS")  # and what pip needs to find its index
STEPS = ("setup", "quick", "test")


class Step(NamedTuple):
    mode: str
    name: str
    seconds: float
    status: int


def environment(home: Path, data_root: Path | None) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k in KEPT or k.startswith(("PIP_", "SSL_", "REQUESTS_"))}
    proxies = {k: v for k, v in os.environ.items() if k.lower().endswith("_proxy")}
    data = {"DATA_ROOT": str(data_root)} if data_root else {}
    return {**kept, **proxies, **data, "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}


def try_mode(mode: str, folder: Path, data_root: Path | None) -> list[Step]:
    """Clone and run the steps until one fails; each leaves its output in ``<step>.log``."""
    home, checkout = folder / "home", folder / "checkout"
    home.mkdir(parents=True)
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(checkout)], check=True)
    steps = []
    for name in STEPS:
        env = environment(home, data_root)
        if mode == "nothing" and name != "setup":
            env |= NOWHERE
        print(f"{mode}: make {name} ...", flush=True)
        start = time.perf_counter()
        with open(folder / f"{name}.log", "w", encoding="utf-8") as log:
            command = ["make", name, f"PYTHON={sys.executable}"]
            status = subprocess.run(command, cwd=checkout, env=env, stdout=log, stderr=log).returncode
        steps.append(Step(mode, name, time.perf_counter() - start, status))
        print(
            "\n".join((folder / f"{name}.log").read_text(encoding="utf-8").splitlines()[-15 if status == 0 else -60 :])
        )
        if status:
            break
    return steps


def gigabytes(folder: Path) -> float:
    return sum(p.lstat().st_size for p in folder.rglob("*") if not p.is_dir() or p.is_symlink()) / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modes", nargs="*", help="data, nothing; both where none is given")
    parser.add_argument("--keep", action="store_true", help="leave the folder for a look")
    args = parser.parse_args()
    unknown = set(args.modes) - {"data", "nothing"}
    if unknown:
        parser.error(f"modes are data and nothing, got {', '.join(sorted(unknown))}")
    data_root = Path(os.environ.get("DATA_ROOT") or ROOT / "data").resolve()
    if "data" in (args.modes or ["data"]) and not data_root.is_dir():
        parser.error(f"no image files at {data_root}: python -m course data --fetch, or set DATA_ROOT")
    folder = Path(tempfile.mkdtemp(prefix="fresh-"))
    lines, failed = [], False
    for mode in args.modes or ["data", "nothing"]:
        steps = try_mode(mode, folder / mode, data_root if mode == "data" else None)
        checkout = folder / mode / "checkout"
        venv = gigabytes(checkout / ".venv")
        freeze = subprocess.run([checkout / ".venv/bin/pip", "freeze"], capture_output=True, text=True).stdout.split()
        named = ("torch", "torchvision", "numpy", "matplotlib", "nbval")
        main_ones = [package for package in freeze if package.split("==")[0] in named]
        lines += [
            f"{s.mode:<9} make {s.name:<6} {s.seconds:7.0f} s  {'ok' if s.status == 0 else 'FAILED'}" for s in steps
        ]
        lines.append(f"{mode:<9} disk: environment {venv:.2f} GB, the rest {gigabytes(folder / mode) - venv:.2f} GB")
        lines.append(f"{mode:<9} installed: {len(freeze)} packages, among them {', '.join(main_ones)}")
        failed |= any(s.status for s in steps)
        if not args.keep:
            shutil.rmtree(checkout / ".venv")
    print(f"\nPython {sys.version.split()[0]}, {os.cpu_count()} processors", *lines, sep="\n")
    if args.keep:
        print(f"left in {folder}")
    else:
        shutil.rmtree(folder)
    raise SystemExit(int(failed))


if __name__ == "__main__":
    main()
