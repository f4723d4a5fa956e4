"""Which versions run here, and what has changed since the tests were last green (``requirements.lock``)."""

import platform
import re
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

from packaging.requirements import InvalidRequirement, Requirement

from course.paths import ROOT

LOCK = ROOT / "requirements.lock"
# on which numbers, figures and the way they are compared depend, in the order in which they are printed
PACKAGES = (
    "torch",
    "torchvision",
    "numpy",
    "scikit-learn",
    "matplotlib",
    "pillow",
    "scikit-image",
    "nbval",
    "ipykernel",
)


def key(name: str) -> str:
    """Return a package's name as indexes compare it: small letters, and one hyphen for what joins words."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed() -> dict[str, str]:
    """Return the versions of Python and of those :data:`PACKAGES` that are here; ``+cpu`` says which build."""
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def locked(text: str | None = None) -> dict[str, str]:
    """Return the lock's versions for this system and Python; nothing where there is no lock.

    Args:
        text: The lock's text; that of the repository where it is None.
    """
    if text is None:
        text = LOCK.read_text(encoding="utf-8") if LOCK.is_file() else ""
    versions = {}
    for line in text.splitlines():
        try:
            requirement = Requirement(line.partition("#")[0].strip())
        except InvalidRequirement:  # a comment, or an empty line
            continue
        if requirement.marker is None or requirement.marker.evaluate():
            versions[key(requirement.name)] = str(requirement.specifier).removeprefix("==")
    return versions


def changes(here: Mapping[str, str], lock: Mapping[str, str]) -> list[str]:
    """Say of each package that runs in another version than the locked one: ``matplotlib 3.10.1, locked 3.9.2``."""
    return [
        f"{name} {version}, locked {lock[name]}"
        for name, version in here.items()
        if name in lock and version.partition("+")[0] != lock[name]
    ]


def one_line(versions: Mapping[str, str]) -> str:
    """Return versions in a line: ``python 3.12.1, torch 2.14.1``."""
    return ", ".join(f"{name} {version}" for name, version in versions.items())
