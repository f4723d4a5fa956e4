"""How much do students need who only validate, and tutors who only grade from outputs? Needs no package.

    python -m course.dev.light          (make fresh measures it last)

Makes a new environment with plain pip, which holds itself and compiles every module, installs the package without any
extra, and validates and grades the notebooks of this checkout with it. Prints what was downloaded and what the
environment fills, by package. Exits with 1 where a step failed, or where it fills more than ``MOST_MB``.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from course.dev.fresh import downloaded_gb, environment
from course.dev.install import ROOT, gigabytes

MOST_MB = 100
LISTED = 8  # of the largest packages
AS_HANDED_IN = {"02_toy_vae": "a1", "01_numpy_vae": "a2", "03_swiss_roll": "a3", "05_mnist_conv_vae": "a4",
                "06_fashion_latent_space": "a5"}  # fmt: skip


def main() -> int:
    """Install, use and measure; return 1 where a step failed or too much was installed."""
    folder = Path(tempfile.mkdtemp(prefix="light-"))
    try:
        return measure(folder)
    finally:
        shutil.rmtree(folder)


def measure(folder: Path) -> int:
    """Do what a tutor does on a machine with nothing but Python, in an empty folder, and print what it took."""
    inbox, venv = folder / "inbox", folder / "venv"
    inbox.mkdir()
    for stem, assignment in AS_HANDED_IN.items():
        shutil.copy(ROOT / "notebooks" / f"{stem}.ipynb", inbox / f"max_mustermann_{assignment}.ipynb")
    scripts = venv / ("Scripts" if os.name == "nt" else "bin")
    steps = {
        "environment": [sys.executable, "-m", "venv", str(venv)],
        "install": [str(scripts / "python"), "-m", "pip", "install", str(ROOT)],
        "validate": [str(scripts / "vae-course"), "validate", str(inbox)],
        "grade": [str(scripts / "vae-course"), "grade", str(inbox), "--out", str(folder / "grades")],
    }
    variables = environment(folder / "home", None)
    del variables["PYTHONDONTWRITEBYTECODE"]  # what is compiled at the first use counts, too
    downloaded = 0.0
    for name, command in steps.items():
        ran = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, encoding="utf-8")
        downloaded += downloaded_gb(ran.stdout)
        works = ran.returncode == 0 or (name == "validate" and "to mend" in ran.stdout)  # the helpers are not in them
        print(f"{name:<12} {'ok' if works else 'FAILED'}")
        if not works:
            print(ran.stdout[-2000:], ran.stderr[-2000:])
            return 1
    sizes = packages(venv)
    print("\n".join(f"{name:<24} {size:5.1f} MB" for name, size in sizes[:LISTED]))
    total = 1000 * gigabytes(venv)
    print(f"downloaded {1000 * downloaded:.0f} MB; the environment fills {total:.0f} MB, pip's own share included")
    return int(total > MOST_MB)


def packages(venv: Path) -> list[tuple[str, float]]:
    """Return the folders of an environment's packages with their sizes in MB, the largest first."""
    (site,) = {path.parent for path in venv.rglob("pip") if path.is_dir() and path.parent.name == "site-packages"}
    sizes = [(path.name, 1000 * gigabytes(path)) for path in site.iterdir() if path.is_dir()]
    return sorted(sizes, key=lambda pair: -pair[1])


if __name__ == "__main__":
    sys.exit(main())
