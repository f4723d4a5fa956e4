"""Write what a measuring command prints into the page that quotes it.

    python -m course.dev.measured NAME              runs the command, and writes docs/measured/NAME.md
    python -m course.dev.measured NAME --log FILE   takes what the command printed before from a file

NAME is one of the table below. A page of ``docs`` includes the file, so nobody copies a number by hand.
"""

import argparse
import datetime
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from course.bench.table import processor
from course.notebooks.printed import ANSI
from course.paths import clone
from helpers.core.files import write_whole

FOLDER = Path("docs") / "measured"


class Measurement(NamedTuple):
    """A command, and which of its last lines a page quotes."""

    command: str  # as a reader types it
    lines: int  # from the end; 0: all


MEASURED = {
    "run": Measurement("make run", 21),
    "fresh": Measurement("python -m course.dev.fresh --steps setup quick", 17),
    "light": Measurement("python -m course.dev.light", 0),
    "speed": Measurement("make bench", 0),
    "quality": Measurement("python -m course bench quality", 0),
    "attacks": Measurement("make attack-table", 3),
    "class": Measurement("python -m course.grading.corpus.grade_class", 7),
    "small_class": Measurement("python -m course.grading.corpus.grade_class --small --count 2000", 7),
}


def output_of(command: str) -> str:
    """Run a command in the repository, with what it prints on the screen, too, and return that.

    Raises:
        subprocess.CalledProcessError: the command failed; nothing is written then.
    """
    words = shlex.split(command)
    if words[0] == "python":
        words[0] = sys.executable
    printed: list[str] = []
    with subprocess.Popen(words, cwd=clone(), stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
        assert process.stdout is not None  # it is a pipe
        for line in process.stdout:
            print(line, end="", flush=True)
            printed.append(line)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return "".join(printed)


def page(measurement: Measurement, printed: str, day: datetime.date) -> str:
    """Return the part of a page: the command, day and machine, and the lines that count.

    Raises:
        ValueError: nothing was printed.
    """
    printed = ANSI.sub("", printed).replace(f"{clone()}{os.sep}", "")  # where it lies is of one machine
    lines = [line.rstrip() for line in printed.splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        raise ValueError(f"{measurement.command} has printed nothing")
    machine = f"{os.cpu_count()} processors, {processor()}"
    kept = "\n".join(lines[-measurement.lines :])
    return f"`{measurement.command}` on {day:%d %B %Y}, {machine}:\n\n```text\n{kept}\n```\n"


def main() -> None:
    """Write the parts that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=list(MEASURED))
    parser.add_argument("--log", type=Path, help="what the command printed before")
    arguments = parser.parse_args()
    measurement = MEASURED[arguments.name]
    try:
        printed = arguments.log.read_text(encoding="utf-8") if arguments.log else output_of(measurement.command)
        text = page(measurement, printed, datetime.date.today())
        write_whole(clone() / FOLDER / f"{arguments.name}.md", text.encode())
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        raise SystemExit(f"measured: {error}") from error


if __name__ == "__main__":
    main()
