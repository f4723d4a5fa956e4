"""What a grading leaves behind: ``grades.csv``, feedback in Markdown for each student, one page for the tutor."""

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

from course import paths
from course.grading.page import ORDER, graded_tasks, hint, page
from course.grading.verdicts import Finding, Level, Verdict
from helpers.core.files import write_whole

COLUMNS = ("file", "name", "assignment", "verdict")  # of grades.csv, before the tasks
FORMULA = "=+-@\t\r"  # a cell that begins with one of these is a formula to a spreadsheet
SENTENCES: dict[Level, str] = {"FAIL": "Not right", "LOOK": "A person will look at"}
WORDS: dict[Level, str] = {"FAIL": "not right", "LOOK": "a person will look"}


def write(out: Path, graded: Sequence[tuple[str, Verdict]]) -> None:
    """Write all three from verdicts, each with the key of its file."""
    verdicts = [verdict for _, verdict in graded]
    write_whole(out / "grades.csv", table(verdicts).encode())
    for key, verdict in graded:
        write_whole(out / "feedback" / f"{key}.md", markdown(verdict).encode())
    for name in expected_names(verdicts):
        picture = paths.EXPECTED / f"{name}.png"
        if picture.is_file():
            write_whole(out / "expected" / picture.name, picture.read_bytes())
    write_whole(out / "index.html", page(verdicts, out).encode())


def expected_names(verdicts: Sequence[Verdict]) -> set[str]:
    """Return the names of our own figures that belong beside the submitted ones."""
    names: set[str] = set()
    for verdict in verdicts:
        for task in graded_tasks(verdict):
            names.update(task.expected)
    return names


# ---------------------------------------------------------------- the table


def table(verdicts: Sequence[Verdict]) -> str:
    """Return comma-separated lines; a name that a spreadsheet would take for a formula gets an apostrophe in front."""
    tasks: dict[str, None] = {}  # a set that keeps its order
    for verdict in verdicts:
        tasks.update(dict.fromkeys(verdict.tasks))
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([*COLUMNS, *tasks])
    for verdict in verdicts:
        levels = [verdict.tasks[name].verdict if name in verdict.tasks else "" for name in tasks]
        row = [verdict.file, verdict.name, verdict.assignment, verdict.verdict, *levels]
        writer.writerow([harmless(cell) for cell in row])
    return buffer.getvalue()


def harmless(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula, without characters that cannot be seen."""
    cell = "".join(c if c.isprintable() else " " for c in cell)
    return f"'{cell}" if cell.startswith(tuple(FORMULA)) else cell


# ---------------------------------------------------------------- feedback


def markdown(verdict: Verdict) -> str:
    """Return feedback for the student: what is not right in one line, then each task, with a hint for what is not."""
    lines = [f"# {escaped(verdict.file)}: {verdict.verdict}", ""]
    for level, words in SENTENCES.items():
        names = [escaped(name) for name, task in verdict.tasks.items() if task.verdict == level]
        lines += [f"{words}: {', '.join(names)}.", ""] if names else []
    if verdict.note:
        lines += [f"Note for the tutor: {escaped(verdict.note)}", ""]
    requires = {task.name: task.requires for task in graded_tasks(verdict)}
    for name, task in verdict.tasks.items():
        lines += [f"## {escaped(name)}: {task.verdict}", "", escaped(requires.get(name, "")), ""]
        lines += [bullet(finding) for finding in sorted(task.findings, key=lambda finding: ORDER[finding.level])]
        lines.append("" if task.findings else "- a person will look: no evidence was found\n")
    return "\n".join(lines).rstrip() + "\n"


def bullet(finding: Finding) -> str:
    if finding.level == "PASS":
        return f"- holds: {escaped(finding.evidence)}"
    return f"- **{WORDS[finding.level]}**: {hint(finding)} ({escaped(finding.evidence)})"


def escaped(text: str) -> str:
    """Return a text on one line in which Markdown finds no markup."""
    return re.sub(r"([\\`*_{}\[\]<>#|!])", r"\\\1", " ".join(text.split()))
