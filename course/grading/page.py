"""The tutor's page: a table an assignment, then each submission, its figures beside the expected; LOOK first."""

import itertools
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from course.assignments import ASSIGNMENTS, HINTS, Task
from course.assignments.costs import cost_of, is_about_pictures
from course.grading.outcomes import Outcome
from course.grading.quotes import pieces
from course.grading.verdicts import Finding, Level, Verdict
from course.inbox.decisions import decide_command, who
from course.notebooks.visible import visible

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
    lines: Mapping[int, str]  # of code cells that a LOOK names, by their numbers

    def thumbnails(self, finding: Finding) -> list[str]:
        """Return the submitted pictures that decide a LOOK."""
        is_about = finding.level == "LOOK" and is_about_pictures(finding.code)
        return [pair.submitted for pair in self.pairs if pair.submitted and is_about]

    def source_line(self, finding: Finding) -> str:
        """Return a line of the code cell that a LOOK names."""
        return next((self.lines.get(number, "") for number in finding.cells if finding.level == "LOOK"), "")

    @property
    def cost(self) -> int:
        """Return what deciding this task costs: its most expensive LOOK."""
        return most_costly(self.findings)


class Section(NamedTuple):
    """One submission on the page."""

    number: int
    outcome: Outcome
    verdict: Verdict
    tasks: list[TaskSection]
    bare: list[str]  # names of tasks without any finding
    who: str  # in a decision
    classes: str  # by which it is shown or hidden

    @property
    def unfolded(self) -> bool:
        return self.verdict.verdict == "LOOK" and self.number < MOST_UNFOLDED

    @property
    def link(self) -> str:
        return quote(os.fsencode(self.outcome.link))

    def level(self, task: str) -> str:
        return self.verdict.tasks[task].verdict if task in self.verdict.tasks else ""

    def command(self, task: str, level: str, out: Path) -> str:
        return decide_command(self.who, self.verdict.assignment, task, level, out)


class Table(NamedTuple):
    """The verdicts of one assignment, a row a submission."""

    assignment: str
    tasks: list[str]
    sections: list[Section]


class Choice(NamedTuple):
    """One line of a filter, and the class of the submissions that it shows."""

    css: str
    text: str


def page(outcomes: Sequence[Outcome], out: Path, *, notes: Sequence[str] = (), summary: str = "") -> str:
    """Return the page, which lies in ``out`` beside ``figures`` and ``expected``."""
    graded = [(outcome, outcome.verdict) for outcome in outcomes if outcome.verdict is not None]
    graded.sort(key=lambda pair: (ORDER[pair[1].verdict], cost_of_all(pair[1]), pair[1].name, pair[1].file))
    verdicts = [verdict for _, verdict in graded]
    tasks = task_choices(verdicts)
    people = {label: Choice(f"p{n}", label) for n, label in enumerate(sorted({o.label for o, _ in graded}))}
    sections = []
    for number, (outcome, verdict) in enumerate(graded):
        open_tasks = [name for name, task in verdict.tasks.items() if task.verdict != "PASS"]
        marks = [tasks[verdict.assignment, name].css for name in open_tasks]
        classes = " ".join(["sub", f"v{verdict.verdict}", people[outcome.label].css, *marks])
        sections.append(section_of(number, outcome, verdict, out, classes))
    keys = sorted({verdict.assignment for verdict in verdicts})
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True, finalize=shown,
    )  # fmt: skip
    return environment.get_template("page.html").render(
        sections=sections,
        tables=[table_of(key, [s for s in sections if s.verdict.assignment == key]) for key in keys],
        counts=", ".join(f"{sum(v.verdict == level for v in verdicts)} {level}" for level in ORDER),
        levels=[Choice(f"v{level}", level) for level in ORDER],
        task_choices=list(tasks.values()),
        people=list(people.values()),
        others=[outcome for outcome in outcomes if outcome.verdict is None],
        notes=notes,
        summary=summary,
        out=out,
        hint=hint,
        pieces=pieces,
    )


def shown(value: object) -> object:
    """Return what the template shows, its own pieces of page and texts, in which no letter turns the page's round."""
    return visible(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def task_choices(verdicts: Sequence[Verdict]) -> dict[tuple[str, str], Choice]:
    """Return a line of the filter for each task of each assignment."""
    names: dict[tuple[str, str], None] = {}  # a set that keeps its order
    for verdict in verdicts:
        names.update(dict.fromkeys((verdict.assignment, name) for name in verdict.tasks))
    ordered = sorted(names, key=lambda task: task[0])
    return {task: Choice(f"t{n}", " ".join(task).strip()) for n, task in enumerate(ordered)}


def hint(finding: Finding) -> str:
    """Return what a student is told about a finding; nothing where it is right."""
    return "" if finding.level == "PASS" else HINTS.get(finding.code, finding.code)


def table_of(assignment: str, sections: list[Section]) -> Table:
    names: dict[str, None] = {}  # a set that keeps its order
    for section in sections:
        names.update(dict.fromkeys(section.verdict.tasks))
    return Table(assignment, list(names), sections)


def section_of(number: int, outcome: Outcome, verdict: Verdict, out: Path, classes: str) -> Section:
    tasks = {task.name: task for task in graded_tasks(verdict)}
    sections, bare = [], []
    for name, judged in sorted(verdict.tasks.items(), key=lambda item: ORDER[item[1].verdict]):
        if not judged.findings:
            bare.append(name)
            continue
        task = tasks.get(name)
        findings = sorted(judged.findings, key=by_cost)
        pairs = side_by_side(verdict, name, expected_pictures(task, out))
        sections.append(
            TaskSection(name, judged.verdict, task.requires if task else "", findings, pairs, verdict.lines)
        )
    sections.sort(key=lambda section: (ORDER[section.level], section.cost))
    return Section(number, outcome, verdict, sections, bare, who(outcome.row), classes)


def most_costly(findings: Iterable[Finding]) -> int:
    return max((cost_of(finding.code) for finding in findings if finding.level == "LOOK"), default=0)


def cost_of_all(verdict: Verdict) -> int:
    """Return what deciding a submission costs: its most expensive LOOK."""
    return most_costly(finding for task in verdict.tasks.values() for finding in task.findings)


def by_cost(finding: Finding) -> tuple[bool, int, int]:
    """Put what was decided by hand first, then each level, and in it what a glance decides first."""
    return finding.code != "decided", ORDER[finding.level], cost_of(finding.code)


def graded_tasks(verdict: Verdict) -> tuple[Task, ...]:
    """Return the tasks of a verdict's assignment, with the file; none where it is unknown."""
    assignment = ASSIGNMENTS.get(verdict.assignment)
    return assignment.graded if assignment else ()


def expected_of(task: Task | None) -> list[str]:
    return list(task.expected) if task else []


def expected_pictures(task: Task | None, out: Path) -> list[str]:
    return [name for name in expected_of(task) if (out / "expected" / f"{name}.png").is_file()]


def side_by_side(verdict: Verdict, task: str, expected: list[str]) -> list[Pair]:
    """Pair submitted pictures with the expected ones that they are named after; where none is, in their order."""
    submitted = [picture for picture in verdict.pictures if picture.task == task]
    by_name = {picture.expected: picture.path for picture in reversed(submitted) if picture.expected in expected}
    others = [picture.path for picture in submitted if picture.path not in by_name.values()]
    if by_name:
        return [Pair(by_name.get(name, ""), name) for name in expected] + [Pair(path, "") for path in others]
    return [Pair(*pair) for pair in itertools.zip_longest(others, expected, fillvalue="")]
