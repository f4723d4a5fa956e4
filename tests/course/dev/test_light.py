"""Who only validates, or only grades from outputs, installs little: what these verbs import, and what that fills."""

import functools
import json
import os
import re
import subprocess
import sys
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from course.dev import light

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[3]
BASE = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
# packages are hidden from a command and its workers as if they were not installed
HIDING = """
import importlib.abc, json, os, sys

HIDDEN = set(json.loads(os.environ["HIDDEN"]))

class Hiding(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in HIDDEN:
            raise ModuleNotFoundError(f"No module named {name!r}, which is hidden", name=name)

sys.meta_path.insert(0, Hiding())
from course.__main__ import app
if __name__ == "__main__":
    for arguments in json.loads(sys.argv[1]):
        try:
            app(arguments)
        except SystemExit as stop:
            print("ENDED", stop.code, flush=True)
"""


def installed_with(lines: list[str]) -> set[str]:
    """Return the names of distributions that requirements bring, each with what it needs itself."""
    names: set[str] = set()
    waiting = [Requirement(line) for line in lines]
    while waiting:
        requirement = waiting.pop()
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        if name in names or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        names.add(name)
        waiting += [Requirement(line) for line in distribution(name).requires or []]
    return names


@functools.cache
def others() -> set[str]:
    """Return what is installed here, can be imported, and does not come with the package itself."""
    names = installed_with(BASE) | {"vae-solutions"}
    owners = packages_distributions().items()
    return {module for module, owned in owners if not names & {re.sub(r"[-_.]+", "-", o).lower() for o in owned}}


def call(folder: Path, hidden: set[str], *commands: str) -> subprocess.CompletedProcess[str]:
    """Run some commands of the course, one after the other in one process."""
    (folder / "hiding.py").write_text(HIDING, encoding="utf-8")
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "HIDDEN": json.dumps(sorted(hidden)), "PYTHONUTF8": "1"}
    command = [sys.executable, "hiding.py", json.dumps([line.split() for line in commands])]
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, encoding="utf-8")


@pytest.fixture(scope="module")
def inbox(tmp_path_factory):
    """The notebooks of this repository under names of hand-ins, with the pictures and numbers that they store."""
    folder = tmp_path_factory.mktemp("light") / "inbox"
    folder.mkdir()
    for stem, assignment in light.AS_HANDED_IN.items():
        text = (ROOT / "notebooks" / f"{stem}.ipynb").read_bytes()
        (folder / f"max_mustermann_{assignment}.ipynb").write_bytes(text)
    return folder


def test_these_verbs_import_nothing_but_what_the_package_installs_and_the_rerun_says_what_to_install(inbox):
    hidden = others()
    assert {"numpy", "torch", "nbformat", "matplotlib"} <= hidden
    verbs = {
        "validate inbox": "to mend",
        "collect inbox": "5",
        "grade inbox --workers 1 --out grades": "5 submissions",
        "submit --first Max --last Mustermann --assignment a1 --dry-run": "max_mustermann_a1",
    }
    ran = call(inbox.parent, hidden, *verbs, "grade inbox --rerun --workers 1 --out again")
    *said, at_last = re.split(r"ENDED (?:0|1|None)\n", ran.stdout)
    assert [text in part for text, part in zip(verbs.values(), said, strict=True)] == [True] * len(verbs), ran
    assert re.search(r"^ENDED .*pip install", at_last, re.M) and "Traceback" not in ran.stderr, ran
    assert "hidden" not in ran.stdout + ran.stderr, ran


def test_a_package_that_is_missing_would_be_noticed(inbox):
    ran = call(inbox.parent, others() | {"PIL"}, "grade inbox --workers 1 --out without")
    assert "ENDED the package PIL is missing" in ran.stdout or "ENDED grade: the package PIL is missing" in ran.stdout


def test_they_fill_less_than_the_limit():
    files = [(name, file) for name in installed_with(BASE) for file in distribution(name).files or []]
    sizes = [path.stat().st_size for _, file in files if (path := Path(str(file.locate()))).is_file()]
    ours = [
        path.stat().st_size for part in ("course", "helpers") for path in (ROOT / part).rglob("*") if path.is_file()
    ]
    assert 10 < (sum(sizes) + sum(ours)) / 1e6 < light.MOST_MB - 25  # what pip itself takes in a new environment
