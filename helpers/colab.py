"""Install on Colab what the notebooks need and the machine lacks; each notebook's set-up cell calls this.

What is there stays as it is, torch above all: pip is held to the versions that are installed.
"""

import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import Requirement

REQUIREMENTS = Path(__file__).resolve().parents[1] / "requirements.txt"


def parse(text: str) -> list[Requirement]:
    """Parse the text of a requirements file, one requirement a line."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [Requirement(line) for line in lines if line]


def installed_versions(requirements: list[Requirement]) -> dict[str, str]:
    """Return name and version of those packages that are here."""
    versions = {}
    for requirement in requirements:
        try:
            versions[requirement.name] = version(requirement.name)
        except PackageNotFoundError:
            continue
    return versions


def main() -> None:
    """Install what is missing, and nothing where nothing is."""
    requirements = parse(REQUIREMENTS.read_text(encoding="utf-8"))
    versions = installed_versions(requirements)
    missing = [str(requirement) for requirement in requirements if requirement.name not in versions]
    if missing:
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as constraints:
            constraints.write("".join(f"{name}=={versions[name]}\n" for name in versions))
            constraints.flush()
            subprocess.run([sys.executable, "-m", "pip", "install", "-q", "-c", constraints.name, *missing], check=True)


if __name__ == "__main__":
    main()
