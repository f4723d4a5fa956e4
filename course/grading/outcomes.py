"""What became of each row of the inbox: the grader's verdict, and on top of it what a tutor decided by hand."""

import contextlib
import datetime
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from course.assignments import ASSIGNMENTS
from course.assignments.task import FILE
from course.grading.judging import Options, judge_tasks, verdict_of
from course.grading.verdicts import Finding, Level, TaskVerdict, Verdict, level_of, worst
from course.inbox import decisions as by_hand
from course.inbox.archives import Doubt
from course.inbox.decisions import ALL, Decision
from course.inbox.roster import Seen
from course.inbox.rows import Row, best_spelling, unknown_assignment
from course.notebooks.reading import printable
from course.notebooks.visible import quoted


@dataclass(frozen=True)
class Outcome:
    """One row, and its verdict where it was graded."""

    row: Row
    verdict: Verdict | None = None
    link: str = ""  # to the notebook, from the page
    decided: Mapping[str, Decision] = field(default_factory=dict)  # by task, or for all
    late: bool = False

    @property
    def level(self) -> str:
        return self.verdict.verdict if self.verdict else ""

    @property
    def label(self) -> str:
        return by_hand.label_of(self.row)


def of_row(row: Row, verdict: Verdict) -> Verdict:
    """Return a verdict under the name of who handed the file in, with what is odd about how that was done."""
    tasks = dict(verdict.tasks)
    remarks = [Finding("LOOK", remark.code, remark.text, FILE.name) for remark in row.remarks]
    if remarks:
        judged = tasks.get(FILE.name, TaskVerdict("PASS"))
        findings = (*remarks, *judged.findings)
        tasks[FILE.name] = TaskVerdict(worst(finding.level for finding in findings), findings)
    level = worst(task.verdict for task in tasks.values())
    return replace(verdict, tasks=tasks, verdict=level, file=printable(row.file), name=printable(row.person))


def not_graded(row: Row, options: Options) -> Verdict:
    """Return the verdict on a row that the grader did not take: a person must look at it, as a whole."""
    unknown = unknown_assignment(row)
    problem = row.problem or Doubt("not_judged", "it was not judged this time: grade again")
    if unknown and not row.problem:
        problem = Doubt("no_assignment", unknown)
    tasks = judge_tasks((FILE,), [Finding("LOOK", *problem, task=FILE.name)])
    verdict = verdict_of(row.name, row.assignment, b"", tasks, problem.text, options)
    return of_row(row, replace(verdict, sha256=row.sha256, path=printable(str(row.place.path))))


# ---------------------------------------------------------------- by hand


class Applied(NamedTuple):
    """Outcomes with decisions on top, and a line for each decision that was not applied, and why."""

    outcomes: list[Outcome]
    lines: list[str]


def apply(outcomes: Sequence[Outcome], decisions: Sequence[Decision], out: Path) -> Applied:
    """Put decisions on top of verdicts; one about a file that was handed in anew is reported instead."""
    applied: list[Outcome] = []
    lines: list[str] = []
    used: set[int] = set()
    decisions = by_hand.in_their_names(decisions, [outcome.row for outcome in outcomes])
    for outcome in outcomes:
        theirs = by_hand.for_row(decisions, outcome.row) if outcome.verdict else by_hand.Sorted({}, [], [])
        used |= {decision.line for decision in (*theirs.applied.values(), *theirs.anew, *theirs.untied)}
        applied.append(decided(outcome, theirs.applied))
        if not any(is_superseded_twin(other, outcome, decision) for decision in theirs.anew for other in outcomes):
            lines += [anew(decision, outcome.row) for decision in theirs.anew]
        for decision in theirs.untied:
            lines += untied(decision, outcome.row, out)
    lines += unused([decision for decision in decisions if decision.line not in used], outcomes)
    final = settled(applied)
    lines += [set_aside(o.row) for o, before in zip(final, applied, strict=True) if before.verdict and not o.verdict]
    return Applied(final, lines)


def set_aside(row: Row) -> str:
    """Name a file that a decision on another sets aside: it may have come after that decision."""
    return (
        f"{quoted(row.file)} does not count, because {quoted(row.reason)} was decided on as a whole; if it came "
        f"after that, look: to choose anew, delete that line of decisions.csv"
    )


def settled(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Let the one count that was decided as a whole, of several that one person handed in for one assignment."""
    groups: dict[tuple[str, str], list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        if outcome.verdict is not None and outcome.row.key:
            groups[outcome.row.key, outcome.row.assignment].append(outcome)
    by: dict[tuple[str, str], Outcome] = {}
    for key, group in groups.items():
        chosen = [outcome for outcome in group if ALL in outcome.decided]
        if len(group) > 1 and len(chosen) == 1:
            by[key] = chosen[0]
    return [superseded(o, by.get((o.row.key, o.row.assignment))) for o in outcomes]


def superseded(outcome: Outcome, by: Outcome | None) -> Outcome:
    """Return an outcome as one that no longer counts where another does, and as the one that counts where it does."""
    if by is None or outcome.verdict is None:
        return outcome
    if by is outcome:
        return replace(outcome, verdict=without_several(outcome.verdict))
    return replace(outcome, verdict=None, row=replace(outcome.row, status="superseded", reason=by.row.file))


def is_superseded_twin(other: Outcome, outcome: Outcome, decision: Decision) -> bool:
    """Say whether a decision is about another file of the same person that still counts."""
    counts = other.verdict is not None and other is not outcome
    return counts and other.row.key == outcome.row.key and other.row.sha256 == decision.sha256


def anew(decision: Decision, row: Row) -> str:
    return (
        f"decisions.csv, line {decision.line}: {decision.text} was not applied, because {quoted(row.file)} was handed "
        f"in after it; look at the new file, and decide again"
    )


def untied(decision: Decision, row: Row, out: Path) -> list[str]:
    """Say in two lines that a decision is tied to no file, and how to tie it."""
    why = decision.comment or "your reason"
    command = by_hand.decide_command(by_hand.who(row), row.assignment, decision.task, decision.verdict, out, why)
    return [
        f"decisions.csv, line {decision.line}: {decision.text} was not applied, because it is not tied to a file; if "
        f"{quoted(row.file)} is what it is about, put {row.sha256} into its column sha256, or enter it so:",
        f"  {command}",
    ]


def unused(decisions: Sequence[Decision], outcomes: Sequence[Outcome]) -> list[str]:
    """Say of each decision why it was not applied, and of those on assignments that are not here only how many wait."""
    here = {outcome.row.assignment for outcome in outcomes}
    waiting = Counter(decision.assignment for decision in decisions if decision.assignment not in here)
    lines = [why_unused(decision, outcomes) for decision in decisions if decision.assignment in here]
    return lines + [
        f"decisions.csv: {count} on {key} kept for later, as no {key} is here" for key, count in waiting.items()
    ]


def why_unused(decision: Decision, outcomes: Sequence[Outcome]) -> str:
    """Say why a decision was not applied that is about nothing that was graded."""
    where = f"decisions.csv, line {decision.line}: {decision.text}"
    for outcome in outcomes:
        row = outcome.row
        if by_hand.is_about(decision, row):
            what = f"{quoted(row.file)} is {row.status_text}"
            return f"{where} was not applied: {what}, and only what is graded can be decided"
    return f"{where} is about nobody here"


def decided(outcome: Outcome, decisions: Mapping[str, Decision]) -> Outcome:
    """Return an outcome with decisions on top: on a task, or on all, which no task then changes."""
    verdict = outcome.verdict
    if verdict is None or not decisions:
        return outcome
    tasks = dict(verdict.tasks)
    for name, decision in decisions.items():
        if name != ALL:
            level = level_of(decision.verdict)
            finding = Finding(level, "decided", f"decided by hand: {decision.comment}".rstrip(": "), name)
            others = tasks[name].findings if name in tasks else ()
            tasks[name] = TaskVerdict(level, (finding, *others))
    level: Level = worst(task.verdict for task in tasks.values())
    if ALL in decisions:
        level = level_of(decisions[ALL].verdict)
    return replace(outcome, verdict=replace(verdict, tasks=tasks, verdict=level), decided=dict(decisions))


def without_several(verdict: Verdict) -> Verdict:
    """Return the verdict on the one file that counts: that there are others is no longer a doubt."""
    tasks = dict(verdict.tasks)
    left = tuple(f for f in tasks[FILE.name].findings if f.code != "several") if FILE.name in tasks else ()
    tasks.pop(FILE.name, None)
    first = {FILE.name: TaskVerdict(worst(finding.level for finding in left), left)} if left else {}
    return replace(verdict, tasks={**first, **tasks})


# ---------------------------------------------------------------- late


def deadline_of(text: str | None) -> float | None:
    """Return the moment of "2026-11-20 23:59", in this machine's time zone; a day alone means its end.

    Raises:
        ValueError: it is no date.
    """
    if text is None:
        return None
    moment = moment_of(text.strip())
    if len(text.strip()) <= len("2026-11-20"):
        moment += datetime.timedelta(days=1)
    return moment.timestamp()


def moment_of(text: str) -> datetime.datetime:
    """Return a date, with or without a time, as ISO or Germany write it.

    Raises:
        ValueError: it is none.
    """
    with contextlib.suppress(ValueError):
        return datetime.datetime.fromisoformat(text)
    for form in ("%d.%m.%Y", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S"):
        with contextlib.suppress(ValueError):
            return datetime.datetime.strptime(text.replace(",", ""), form)
    raise ValueError(f"--deadline {text!r} is no date: expected one such as '2026-11-20 23:59' or '20.11.2026 23:59'")


# ---------------------------------------------------------------- persons


class Standing(NamedTuple):
    """What one person has reached."""

    key: str
    name: str
    id: str
    levels: Mapping[str, str]  # by assignment: PASS, FAIL, LOOK, "left out", or nothing
    late: tuple[str, ...]  # assignments
    outcomes: tuple[Outcome, ...]

    @property
    def is_nobody(self) -> bool:
        """Say whether nothing of it was graded, and nothing says whose it is."""
        return self.key.startswith("/") and not any(outcome.verdict for outcome in self.outcomes)

    @property
    def seen(self) -> Seen:
        return Seen(self.key, self.id)

    @property
    def passed(self) -> int:
        return sum(level == "PASS" for level in self.levels.values())


def standings(outcomes: Sequence[Outcome]) -> list[Standing]:
    """Return one line a person; a file of which nobody knows whose it is has a line of its own."""
    groups: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        groups[outcome.row.key or f"/{outcome.row.file}"].append(outcome)
    people = [standing_of(key, of_person) for key, of_person in groups.items()]
    return sorted(people, key=lambda person: (person.key.startswith("/"), person.name.casefold(), person.key))


def standing_of(key: str, outcomes: Sequence[Outcome]) -> Standing:
    rows = [outcome.row for outcome in outcomes]
    name = best_spelling(*(row.person for row in rows))
    levels = {name: level_of_all([o for o in outcomes if o.row.assignment == name]) for name in ASSIGNMENTS}
    late = tuple(sorted({o.row.assignment for o in outcomes if o.late and o.verdict}))
    numbers = next((row.id for row in rows if row.id), "")
    return Standing(key, name or f"unknown: {rows[0].file}", numbers, levels, late, tuple(outcomes))


def level_of_all(outcomes: Sequence[Outcome]) -> str:
    """Return what a person's files for one assignment are worth together: where several count, a person must look."""
    graded = [outcome for outcome in outcomes if outcome.verdict]
    if graded:
        return graded[0].level if len(graded) == 1 else "LOOK"
    return "left out" if any(outcome.row.status == "left out" for outcome in outcomes) else ""
