"""Called by each notebook's set-up cell on Colab: installs what the notebooks need and the machine lacks.

What is there stays as it is, torch above all: pip is held to the versions found.
"""

import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import Requirement

REQUIREMENTS = Path(__file__).resolve().parents[1] / "requirements.txt"


def for_notebooks(text: str) -> list[Requirement]:
    """The requirements below the heading "for the notebooks".

    Raises:
        ValueError: no such heading.
    """
    sections = [part for part in text.split("# --- ")[1:] if part.startswith("for the notebooks")]
    if not sections:
        raise ValueError("requirements.txt has no heading '# --- for the notebooks'")
    lines = (line.split("#")[0].strip() for line in sections[0].splitlines()[1:])
    return [Requirement(line) for line in lines if line]


def installed(wanted: list[Requirement]) -> dict[str, str]:
    """Name and version of those that are here."""
    found = {}
    for requirement in wanted:
        try:
            found[requirement.name] = version(requirement.name)
        except PackageNotFoundError:
            continue
    return found


def main() -> None:
    wanted = for_notebooks(REQUIREMENTS.read_text(encoding="utf-8"))
    found = installed(wanted)
    missing = [str(requirement) for requirement in wanted if requirement.name not in found]
    if missing:
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as constraints:
            constraints.write("".join(f"{name}=={found[name]}\n" for name in found))
            constraints.flush()
            subprocess.run([sys.executable, "-m", "pip", "install", "-q", "-c", constraints.name, *missing], check=True)


if __name__ == "__main__":
    main()
