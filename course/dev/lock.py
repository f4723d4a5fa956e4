"""Write ``requirements.lock``: the versions that are installed here, completed for other systems and Pythons by uv.

    make lock      (tests first; what they were green with is written)

The lock is a file of constraints: it says which version, and nothing of what is to be installed.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from datetime import date
from importlib.metadata import distributions
from pathlib import Path

from course.notebooks.versions import LOCK, key
from course.paths import ROOT
from helpers.core.files import write_whole

HEADER = """# Versions with which make test was last green: Python {python} on {system}, {day}. Written by make lock.
# Constraints for pip and uv: pip install -c requirements.lock -e ".[course]"; make takes them by itself.
"""


def main() -> int:
    """Write the lock and say how many packages it holds."""
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    if uv is None:
        sys.exit("the lock is completed for other systems by uv, which is not here: python -m pip install uv")
    text = HEADER.format(python=sys.version.split()[0], system=sys.platform, day=date.today().isoformat())
    pins = resolved(uv, installed())
    write_whole(LOCK, (text + pins).encode())
    print(f"{LOCK.name}: {len(pins.splitlines())} lines")
    return 0


def installed() -> dict[str, str]:
    """Return the version of each package that is here, without what marks a build (``+cpu``)."""
    return {key(d.metadata["Name"]): d.version.partition("+")[0] for d in distributions() if d.metadata["Name"]}


def resolved(uv: str, versions: Mapping[str, str]) -> str:
    """Let uv resolve all extras for every system and Python; versions that are named win wherever they fit.

    Raises:
        SystemExit: uv finds no solution, and has said why.
    """
    with tempfile.TemporaryDirectory() as folder:
        lock = Path(folder) / "lock.txt"
        lock.write_text("".join(f"{name}=={version}\n" for name, version in versions.items()), encoding="utf-8")
        command = [
            uv, "pip", "compile", "--quiet", "--universal", "--python-version", "3.10", "--all-extras", "--no-header",
            "--no-annotate", "--no-emit-package", "vae-solutions", "--output-file", str(lock), "pyproject.toml",
        ]  # fmt: skip
        if subprocess.run(command, cwd=ROOT).returncode:
            sys.exit("uv could not complete the lock; the reason stands above, and requirements.lock is as it was")
        lines = lock.read_text(encoding="utf-8").splitlines()
    return "".join(f"{line}\n" for line in lines if line and not line.startswith("#"))


if __name__ == "__main__":
    sys.exit(main())
