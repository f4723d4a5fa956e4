"""Time imports and commands of this tree, and those of an earlier commit side by side with them.

    python -m course.dev.waits [WORDS ...] [--before COMMIT] [--rounds 5] [--page docs/measured/waits.md]

Each command runs in a process of its own, the two trees in turn, so that what else the machine does meets both. Printed
are the least seconds on the clock, and in brackets the least seconds of processor time, which other programs disturb
less.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from course.paths import clone, notebook_paths
from helpers.core.files import write_whole

SUBMISSION = "max_mustermann_a2.ipynb"
NAMES = ("--first", "Max", "--last", "Mustermann", "--assignment", "a1")


class Took(NamedTuple):
    """Seconds that a command took."""

    clock: float
    processor: float

    def __str__(self) -> str:
        return f"{self.clock:.2f} ({self.processor:.2f})"


def commands(submission: Path) -> dict[str, list[str]]:
    """Return what is timed, by its name: imports first, torch's own as what they cannot fall below; then commands."""
    timed = {"import torch": ["-c", "import torch"]}
    for path in notebook_paths([]):
        module = path.stem.partition("_")[2]
        timed[f"import helpers.{module}"] = ["-c", f"import helpers.{module}"]
    timed["import helpers.core.data"] = ["-c", "import helpers.core.data"]
    timed["course validate FILE"] = ["-m", "course", "validate", str(submission)]
    timed["course grade --help"] = ["-m", "course", "grade", "--help"]
    timed["course submit --dry-run"] = ["-m", "course", "submit", *NAMES, "--dry-run"]
    return timed


def run(arguments: list[str], tree: Path) -> Took:
    """Run Python on the packages of a tree; raise where that fails with a traceback."""
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    before, started = os.times(), time.perf_counter()
    ran = subprocess.run([sys.executable, *arguments], cwd=tree, env=environment, capture_output=True, text=True)
    clock, after = time.perf_counter() - started, os.times()
    if "Traceback" in ran.stderr:
        raise RuntimeError(f"{' '.join(arguments)} failed in {tree}:\n{ran.stderr}")
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return Took(clock, used)


def measure(trees: Mapping[str, Path], rounds: int, words: Sequence[str] = ()) -> dict[str, dict[str, Took]]:
    """Time every command on every tree, the trees in turn; return the least of the rounds."""
    least: dict[str, dict[str, Took]] = {}
    submission = next(iter(trees.values())) / SUBMISSION
    for name, arguments in commands(submission).items():
        if words and not any(word in name for word in words):
            continue
        took: dict[str, list[Took]] = {tree: [] for tree in trees}
        for _ in range(rounds):
            for tree, folder in trees.items():
                took[tree].append(run(arguments, folder))
        least[name] = {
            tree: Took(min(t.clock for t in times), min(t.processor for t in times)) for tree, times in took.items()
        }
        print(name, *map(str, least[name].values()), flush=True)
    return least


def page(least: Mapping[str, Mapping[str, Took]], trees: Mapping[str, Path], rounds: int) -> str:
    """Lay the seconds out as a table in Markdown."""
    lines = [
        f"Least of {rounds} runs, in seconds on the clock, and in brackets of processor time "
        f"(`python -m course.dev.waits`); {os.cpu_count()} processors, Python {sys.version.split()[0]}.",
        "",
        f"| | {' | '.join(trees)} |",
        f"|---|{'---:|' * len(trees)}",
    ]
    lines += [f"| `{name}` | {' | '.join(str(took) for took in row.values())} |" for name, row in least.items()]
    return "\n".join(lines) + "\n"


def check_out(commit: str | None, folder: Path, name: str) -> tuple[str, Path]:
    """Write the files of a commit, or of the working tree for None, into a folder of their own."""
    target = folder / name
    target.mkdir()
    archive = subprocess.run(
        ["git", "archive", commit or stash_of_now() or "HEAD", "helpers", "course", "pyproject.toml"],
        cwd=clone(), capture_output=True, check=True,
    )  # fmt: skip
    subprocess.run(["tar", "-x", "-C", str(target)], input=archive.stdout, check=True)
    return name, target


def stash_of_now() -> str:
    """Return a commit of the working tree's tracked files as they are; empty where nothing has changed."""
    made = subprocess.run(["git", "stash", "create"], cwd=clone(), capture_output=True, text=True, check=True)
    return made.stdout.strip()


def main() -> None:
    """Time both trees, print the table, and write it where the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="only what has one of these in its name")
    parser.add_argument("--before", help="a commit to stand beside this tree")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--page", type=Path, help="a Markdown file that is written anew")
    arguments = parser.parse_args()
    (stored,) = notebook_paths(["01"])
    with tempfile.TemporaryDirectory(prefix="waits-") as temporary:
        folder = Path(temporary)
        trees = dict([check_out(arguments.before, folder, "before")] if arguments.before else [])
        trees |= dict([check_out(None, folder, "now")])
        (next(iter(trees.values())) / SUBMISSION).write_bytes(stored.read_bytes())
        least = measure(trees, arguments.rounds, arguments.words)
    text = page(least, trees, arguments.rounds)
    print(text)
    if arguments.page:
        write_whole(arguments.page, text.encode())


if __name__ == "__main__":
    main()
