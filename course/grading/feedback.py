"""What a grading leaves behind: ``grades.csv``, feedback in Markdown for each student, one page for the tutor."""

import csv
import io
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from course import paths
from course.assignments import ASSIGNMENTS, HINTS, Task
from course.grading.verdicts import Finding, Level, TaskVerdict, Verdict
from helpers.core.files import write_whole

TEMPLATES = Path(__file__).with_name("templates")
ORDER: Mapping[Level, int] = {"LOOK": 0, "FAIL": 1, "PASS": 2}  # what a tutor must decide comes first
MOST_OPEN = 20  # submissions whose details are open on the page
FORMULA = ("=", "+", "-", "@")  # a spreadsheet takes a cell that begins so for a formula


def write(out: Path, graded: Sequence[tuple[str, Verdict]]) -> None:
    """Write all three; each verdict stands with the key of its files."""
    verdicts = [verdict for _, verdict in graded]
    write_whole(out / "grades.csv", table(verdicts).encode())
    for key, verdict in graded:
        write_whole(out / "feedback" / f"{key}.md", markdown(verdict).encode())
    for name in sorted(expected_figures(verdicts)):
        if (paths.EXPECTED / f"{name}.png").is_file():
            write_whole(out / "expected" / f"{name}.png", (paths.EXPECTED / f"{name}.png").read_bytes())
    write_whole(out / "index.html", page(verdicts, out).encode())


def tasks_of(verdict: Verdict) -> dict[str, Task]:
    """Return what the table says of the tasks that a verdict is about, by their names."""
    assignment = ASSIGNMENTS.get(verdict.assignment)
    return {task.name: task for task in assignment.graded} if assignment else {}


def expected_figures(verdicts: Iterable[Verdict]) -> set[str]:
    """Return the names of our own figures that stand beside the submitted ones."""
    names = set()
    for verdict in verdicts:
        for task in tasks_of(verdict).values():
            names |= set(task.expected)
    return names


def hint(finding: Finding) -> str:
    """Return what a student is told of a finding."""
    return HINTS.get(finding.code, finding.code)


def sorted_findings(verdict: TaskVerdict) -> list[Finding]:
    return sorted(verdict.findings, key=lambda finding: ORDER[finding.level])


# ---------------------------------------------------------------- the table


def table(verdicts: Sequence[Verdict]) -> str:
    """Return all verdicts separated by commas; a name that a spreadsheet would take for a formula is made harmless."""
    columns = columns_of(verdicts)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["file", "name", "assignment", "verdict", *columns])
    for v in verdicts:
        row = [v.file, v.name, v.assignment, v.verdict, *levels(v, columns)]
        writer.writerow([harmless(cell) for cell in row])
    return buffer.getvalue()


def columns_of(verdicts: Iterable[Verdict]) -> list[str]:
    """Return the names of all tasks, in the order in which they first occur."""
    columns: dict[str, None] = {}
    for verdict in verdicts:
        columns |= dict.fromkeys(verdict.tasks)
    return list(columns)


def levels(verdict: Verdict, columns: Iterable[str]) -> list[str]:
    """Return the task's verdict for each column, and nothing where it has no such task."""
    return [verdict.tasks[column].verdict if column in verdict.tasks else "" for column in columns]


def harmless(cell: str) -> str:
    """Return a cell without control characters, and with an apostrophe where a spreadsheet would see a formula."""
    cell = "".join(c if c.isprintable() else " " for c in cell)
    return f"'{cell}" if cell.startswith(FORMULA) else cell


# ---------------------------------------------------------------- feedback for a student


def markdown(verdict: Verdict) -> str:
    """Return one student's feedback: what is not right in one line, then each task, with a hint where it is wrong."""
    lines = [f"# {md(verdict.file)}: {verdict.verdict}", "", *_in_short(verdict)]
    if verdict.note:
        lines += [f"Note for the tutor: {md(verdict.note)}", ""]
    known = tasks_of(verdict)
    for name, task in verdict.tasks.items():
        requires = known[name].requires if name in known else ""
        lines += [f"## {md(name)}: {task.verdict}", "", md(requires), ""]
        lines += [_markdown_line(finding) for finding in sorted_findings(task)]
        lines.append("" if task.findings else "- a person will look: no evidence was found\n")
    return "\n".join(lines).rstrip() + "\n"


def _in_short(verdict: Verdict) -> Iterator[str]:
    for level, words in (("FAIL", "Not right"), ("LOOK", "A person will look at")):
        names = [md(name) for name, task in verdict.tasks.items() if task.verdict == level]
        if names:
            yield f"{words}: {', '.join(names)}."
            yield ""


def _markdown_line(finding: Finding) -> str:
    if finding.level == "PASS":
        return f"- holds: {md(finding.evidence)}"
    word = "a person will look" if finding.level == "LOOK" else "not right"
    return f"- **{word}**: {hint(finding)} ({md(finding.evidence)})"


def md(text: str) -> str:
    """Return text on one line in which nothing is Markdown or HTML."""
    return re.sub(r"([\\`*_{}\[\]<>#|!])", r"\\\1", " ".join(text.split()))


# ---------------------------------------------------------------- the tutor's page


class Pair(NamedTuple):
    """Two pictures side by side; empty where there is none."""

    submitted: str  # a path, seen from the page
    expected: str  # a figure's name


class Line(NamedTuple):
    """A finding on the page."""

    level: Level
    hint: str
    evidence: str


class TaskSection(NamedTuple):
    """A task of a submission on the page."""

    name: str
    verdict: Level
    requires: str
    lines: list[Line]
    pairs: list[Pair]


class Section(NamedTuple):
    """A submission on the page."""

    number: int
    verdict: Verdict
    tasks: list[TaskSection]
    bare: list[str]  # tasks without any evidence

    @property
    def opens(self) -> bool:
        return self.verdict.verdict == "LOOK" and self.number < MOST_OPEN


class Row(NamedTuple):
    """A submission in a table of the page."""

    number: int
    verdict: Verdict
    levels: list[str]


class Overview(NamedTuple):
    """The table of one assignment on the page."""

    assignment: str
    columns: list[str]
    rows: list[Row]


def page(verdicts: Sequence[Verdict], out: Path) -> str:
    """Return one static page: a table an assignment, then each submission beside the expected figures; LOOK first."""
    ordered = sorted(verdicts, key=lambda v: (ORDER[v.verdict], v.name, v.file))
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("page.html").render(
        counts={level: sum(v.verdict == level for v in verdicts) for level in ORDER},
        tables=[overview(key, ordered) for key in sorted({v.assignment for v in verdicts})],
        submissions=[section(number, verdict, out) for number, verdict in enumerate(ordered)],
    )


def overview(assignment: str, ordered: Sequence[Verdict]) -> Overview:
    """Return the table of the submissions to one assignment."""
    numbered = [(number, verdict) for number, verdict in enumerate(ordered) if verdict.assignment == assignment]
    columns = columns_of(verdict for _, verdict in numbered)
    return Overview(assignment, columns, [Row(number, v, levels(v, columns)) for number, v in numbered])


def section(number: int, verdict: Verdict, out: Path) -> Section:
    """Return one submission, its tasks with those first that a person must decide."""
    known = tasks_of(verdict)
    bare = [name for name, task in verdict.tasks.items() if not task.findings]
    evident = [name for name in verdict.tasks if name not in bare]
    evident.sort(key=lambda name: ORDER[verdict.tasks[name].verdict])
    return Section(number, verdict, [_task_section(name, known.get(name), verdict, out) for name in evident], bare)


def _task_section(name: str, known: Task | None, verdict: Verdict, out: Path) -> TaskSection:
    task = verdict.tasks[name]
    lines = [Line(f.level, "" if f.level == "PASS" else hint(f), f.evidence) for f in sorted_findings(task)]
    expected = known.expected if known else ()
    theirs = [figure for figure in expected if (out / "expected" / f"{figure}.png").is_file()]
    mine = [(picture.path, picture.expected) for picture in verdict.pictures if picture.task == name]
    return TaskSection(name, task.verdict, known.requires if known else "", lines, side_by_side(mine, theirs))


def side_by_side(mine: Sequence[tuple[str, str]], theirs: Sequence[str]) -> list[Pair]:
    """Pair submitted pictures with the expected ones that they are named after, or where none is, in their order."""
    by_name = {match: path for path, match in reversed(mine) if match in theirs}
    others = [path for path, _ in mine if path not in by_name.values()]
    if by_name:
        return [Pair(by_name.get(name, ""), name) for name in theirs] + [Pair(path, "") for path in others]
    return [Pair(*both) for both in itertools.zip_longest(others, theirs, fillvalue="")]
