"""The tutor's page: a table an assignment, then each submission, its figures beside the expected; LOOK first."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from course.assignments import ASSIGNMENTS, HINTS, Task
from course.grading.verdicts import Finding, Level, Verdict

TEMPLATES = Path(__file__).with_name("templates")
ORDER: dict[Level, int] = {"LOOK": 0, "FAIL": 1, "PASS": 2}  # what a person must decide comes first
MOST_UNFOLDED = 20  # submissions that the page opens with


class Pair(NamedTuple):
    """A submitted picture beside the expected one; either may be missing."""

    submitted: str  # its path from the page's folder
    expected: str  # its name


class TaskSection(NamedTuple):
    name: str
    level: Level
    requires: str
    findings: list[Finding]
    pairs: list[Pair]


class Section(NamedTuple):
    """One submission on the page."""

    number: int
    verdict: Verdict
    tasks: list[TaskSection]
    bare: list[str]  # names of tasks without any finding

    @property
    def unfolded(self) -> bool:
        return self.verdict.verdict == "LOOK" and self.number < MOST_UNFOLDED

    def level(self, task: str) -> str:
        return self.verdict.tasks[task].verdict if task in self.verdict.tasks else ""


class Table(NamedTuple):
    """The verdicts of one assignment, a row a submission."""

    assignment: str
    tasks: list[str]
    sections: list[Section]


def page(verdicts: Sequence[Verdict], out: Path) -> str:
    """Return the page, which lies in ``out`` beside ``figures`` and ``expected``."""
    ordered = sorted(verdicts, key=lambda v: (ORDER[v.verdict], v.name, v.file))
    sections = [section_of(number, verdict, out) for number, verdict in enumerate(ordered)]
    keys = sorted({verdict.assignment for verdict in verdicts})
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    return environment.get_template("page.html").render(
        sections=sections,
        tables=[table_of(key, [s for s in sections if s.verdict.assignment == key]) for key in keys],
        counts=", ".join(f"{sum(v.verdict == level for v in verdicts)} {level}" for level in ORDER),
        hint=hint,
    )


def hint(finding: Finding) -> str:
    """Return what a student is told about a finding; nothing where it is right."""
    return "" if finding.level == "PASS" else HINTS.get(finding.code, finding.code)


def table_of(assignment: str, sections: list[Section]) -> Table:
    names: dict[str, None] = {}  # a set that keeps its order
    for section in sections:
        names.update(dict.fromkeys(section.verdict.tasks))
    return Table(assignment, list(names), sections)


def section_of(number: int, verdict: Verdict, out: Path) -> Section:
    tasks = {task.name: task for task in graded_tasks(verdict)}
    sections, bare = [], []
    for name, judged in sorted(verdict.tasks.items(), key=lambda item: ORDER[item[1].verdict]):
        if not judged.findings:
            bare.append(name)
            continue
        task = tasks.get(name)
        findings = sorted(judged.findings, key=lambda finding: ORDER[finding.level])
        pairs = side_by_side(verdict, name, expected_pictures(task, out))
        sections.append(TaskSection(name, judged.verdict, task.requires if task else "", findings, pairs))
    return Section(number, verdict, sections, bare)


def graded_tasks(verdict: Verdict) -> tuple[Task, ...]:
    """Return the tasks of a verdict's assignment, with the file; none where it is unknown."""
    assignment = ASSIGNMENTS.get(verdict.assignment)
    return assignment.graded if assignment else ()


def expected_pictures(task: Task | None, out: Path) -> list[str]:
    names = task.expected if task else ()
    return [name for name in names if (out / "expected" / f"{name}.png").is_file()]


def side_by_side(verdict: Verdict, task: str, expected: list[str]) -> list[Pair]:
    """Pair submitted pictures with the expected ones that they are named after; where none is, in their order."""
    submitted = [picture for picture in verdict.pictures if picture.task == task]
    by_name = {picture.expected: picture.path for picture in reversed(submitted) if picture.expected in expected}
    others = [picture.path for picture in submitted if picture.path not in by_name.values()]
    if by_name:
        return [Pair(by_name.get(name, ""), name) for name in expected] + [Pair(path, "") for path in others]
    return [Pair(*pair) for pair in itertools.zip_longest(others, expected, fillvalue="")]
