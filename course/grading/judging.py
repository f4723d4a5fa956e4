"""Judge one submission: by what its file shows, and by a rerun in a sandbox where asked for.

Nothing in a submission is executed or unpickled here. Only the folder of reruns, which is reached by its name, does.
"""

import contextlib
import hashlib
import importlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from course.assignments import Assignment, Task, find
from course.assignments.task import FILE
from course.grading.case import Case, case_of
from course.grading.checks import checks_of
from course.grading.quotes import shortened
from course.grading.verdicts import Finding, TaskVerdict, Verdict, worst
from course.inbox import likeness
from course.inbox.names import parse_name
from course.notebooks import reading
from course.notebooks.reading import Picture, Submission, Unreadable, printable
from course.notebooks.visible import quoted

VERSION = 7  # of the tables and their checks: verdicts of another one are not taken over
RERUN = "course.grading.rerun"
MOST_PICTURE = 4 * reading.MEGA  # bytes of a picture on the tutor's page
LEAST_PICTURE = 2000  # bytes of one that is worth comparing with another person's: less is blank
LEAST_OUTPUT = 60  # characters of all that is printed
LEAST_PICTURES = 4  # of a task on the tutor's page, where there are as many
MOST_FINDINGS, MOST_EVIDENCE, MOST_REASON = 40, 500, 300
LONGEST_LINE = 120  # characters of a source line that the tutor's page shows
GENERAL = {
    "zero_grad",
    "trains_on_test",
    "figure_missing",
    "figure_blank",
}  # failures that a file of any subject can have
SETTLED_BY_RERUN = {"numbers_missing", "betas_missing", "unclear"}  # doubts that a rerun can do away with; not
# "results_missing": where some results could be read, the one that could not is hardly there


@dataclass(frozen=True)
class Options:
    """How to grade; the same for a whole class."""

    assignment: str | None = None  # None: the one that each file's name ends in
    rerun: bool = False
    seconds: float = 600.0
    memory_mb: int = 4096
    data: str | None = None  # the folder of small digits for reruns
    without_sandbox: bool = False  # rerun where there is no bubblewrap, with all that this gives up
    definitions: bool = False  # rerun only imports, functions, classes and constants: for trying the grader itself

    @property
    def key(self) -> str:
        rerun = f"{self.seconds:g} {self.memory_mb} {self.data} {self.definitions}" if self.rerun else ""
        return f"{VERSION} {self.assignment} {self.rerun} {rerun}".rstrip()


class TaskPicture(NamedTuple):
    """A picture that the tutor's page shows."""

    task: str
    content: bytes
    expected: str  # the name of the expected figure that it is named after; empty where it is after none


class Graded(NamedTuple):
    """A verdict, and the pictures that the tutor's page shows beside it."""

    verdict: Verdict
    pictures: list[TaskPicture]
    fault: str | None = None  # of the grader or the machine: such a verdict is shown, not stored


def grade_file(path: str, options: Options) -> Graded:
    """Grade one file; whatever is wrong with it becomes part of the verdict, never an exception."""
    name = printable(Path(path).name)
    try:
        return grade_content(name, reading.read_bytes(Path(path)), options)
    except Unreadable as error:
        return unreadable(name, b"", options, str(error))


def grade_content(name: str, content: bytes, options: Options) -> Graded:
    """Grade the bytes of a file, for workers that do not see the file system it lies in.

    Raises:
        MemoryError: there is not enough of it.
    """
    name = printable(name)
    try:
        submission = reading.parse(name, content)
        assignment = assignment_of(name, options)
        if assignment is None:
            return unreadable(name, content, options, "its name does not say which assignment it is; use --assignment")
        other = likeness.other_than(assignment.key, likeness.words_in(content))
        if other is not None:
            return misplaced(name, content, options, assignment, other)
        case = case_of(submission, assignment)
        findings, note = judge(case), None
        if options.rerun:
            package = rerun_package()
            try:
                again, note = package.rerun(submission, assignment, options)
            except package.SandboxError as error:
                return unreadable(name, content, options, str(error), code="not_judged")._replace(fault=str(error))
            findings = merge(findings, again)
        tasks = judge_tasks(assignment.graded, findings)
        verdict = verdict_of(name, assignment.key, content, tasks, note, options)
        verdict = replace(verdict, lines=lines_named(tasks, submission), traces=traces_of(case))
        return Graded(verdict, pictures_of(case))
    except Unreadable as error:
        return unreadable(name, content, options, str(error))
    except MemoryError:
        raise  # a limit of the grader's, which its worker speaks of
    except Exception as error:  # a mistake of ours must not stop a class, nor pass for the student's
        reason = f"the grader failed on it ({type(error).__name__}: {quoted(error, MOST_REASON)})"
        return unreadable(name, content, options, reason)


def rerun_package() -> ModuleType:
    """Return the package that reruns submissions.

    Raises:
        ValueError: its folder was deleted.
    """
    try:
        return importlib.import_module(RERUN)
    except ModuleNotFoundError as error:
        if error.name != RERUN:
            raise
        raise ValueError(
            "--rerun needs the folder course/grading/rerun, which is not here: grade from outputs, without --rerun"
        ) from error


def assignment_of(name: str, options: Options) -> Assignment | None:
    """Return the assignment that the options name, or else the file's name."""
    with contextlib.suppress(ValueError):
        return find(options.assignment or parse_name(name).assignment or "")
    return None


def unreadable(name: str, content: bytes, options: Options, reason: str, *, code: str = "unreadable") -> Graded:
    """Return the verdict on a file that could not be judged: a person must look."""
    assignment = assignment_of(name, options)
    key = assignment.key if assignment else options.assignment or parse_name(name).assignment or ""
    tasks = judge_tasks(assignment.graded if assignment else (FILE,), [Finding("LOOK", code, reason, FILE.name)])
    return Graded(verdict_of(name, key, content, tasks, reason, options), [])


def misplaced(name: str, content: bytes, options: Options, assignment: Assignment, other: str) -> Graded:
    """Return the verdict on a notebook that solves another assignment: one doubt, and none about its tasks."""
    doubt = Finding("LOOK", "other_assignment", f"this looks like assignment {other}, not {assignment.key}", FILE.name)
    return Graded(verdict_of(name, assignment.key, content, judge_tasks((FILE,), [doubt]), doubt.evidence, options), [])


def lines_named(tasks: Mapping[str, TaskVerdict], submission: Submission) -> dict[int, str]:
    """Return a line of each code cell that a LOOK names: what a tutor looks at."""
    doubts = [finding for task in tasks.values() for finding in task.findings if finding.level == "LOOK"]
    said: dict[int, str] = {}
    for finding in doubts:
        for number in finding.cells:
            said[number] = f"{said.get(number, '')} {finding.evidence}"
    sources = {number: cell.source.strip() for number, cell in enumerate(submission.cells, 1)}
    return {n: telling_line(sources[n], said[n])[:LONGEST_LINE] for n in sorted(said.keys() & sources.keys())}


def telling_line(source: str, sentence: str) -> str:
    """Return the line of a cell that has most of the names in a sentence about it; the first one where none has any.

    What is called or given a value there is a name, and so is what has an underscore.
    """
    words = re.finditer(r"\w+", sentence)
    names = {word[0] for word in words if "_" in word[0] or sentence[word.end() : word.end() + 1] in ("(", "=")}
    lines = [line.strip() for line in source.split("\n")]
    return max(lines, key=lambda line: len(names & set(re.findall(r"\w+", line))))


def traces_of(case: Case) -> tuple[str, ...]:
    """Return what of a submission another one may share: each picture that shows something, and all that is printed."""
    pictures = {
        view.trace.digest for view in case.views if view.trace.digest and len(view.picture.data) > LEAST_PICTURE
    }
    printed = re.sub(r"\s+", " ", case.text)
    output = [f"output {hashlib.sha256(printed.encode()).hexdigest()[:16]}"] if len(printed) > LEAST_OUTPUT else []
    return (*output, *(f"picture {digest}" for digest in sorted(pictures)))


# ---------------------------------------------------------------- from the outputs


def judge(case: Case) -> list[Finding]:
    """Return the findings of all checks by outputs that the assignment's table names."""
    assignment = case.assignment
    findings = judge_task(case, FILE)
    if not any(cell.text or cell.pictures for cell in case.cells):
        nothing = Finding("FAIL", "not_executed", "no cell has an output")
        return findings + [nothing._replace(task=task.name) for task in assignment.tasks]
    of_tasks: list[Finding] = []
    for task in assignment.tasks:
        of_tasks += judge_task(case, task)
    if of_tasks and not any(f.level == "PASS" or (f.level == "FAIL" and f.code not in GENERAL) for f in of_tasks):
        nothing = f"nothing of {assignment.key} ({assignment.title}) was found in its outputs"
        return [*findings, Finding("LOOK", "other_assignment", nothing, FILE.name)]
    return findings + of_tasks


def judge_task(case: Case, task: Task) -> list[Finding]:
    findings = []
    for check in checks_of(case.assignment, task, "outputs"):
        findings += [finding._replace(task=task.name) for finding in check(case, task)]
    return findings


def merge(findings: list[Finding], again: list[Finding]) -> list[Finding]:
    """Drop doubts of the outputs that a rerun settles: a missing number, say, that it measured itself."""
    settled = {f.task for f in again if f.level == "PASS"} - {f.task for f in again if f.level != "PASS"}
    open_findings = []
    for finding in findings:
        doubt = finding.level == "LOOK" and finding.code in SETTLED_BY_RERUN
        if not (doubt and finding.task in settled):
            open_findings.append(finding)
    return open_findings + again


# ---------------------------------------------------------------- the verdict


def judge_tasks(tasks: Iterable[Task], findings: list[Finding]) -> dict[str, TaskVerdict]:
    """Return what each task is worth by its findings."""
    verdicts = {}
    for task in tasks:
        of_task = list(dict.fromkeys(finding for finding in findings if finding.task == task.name))
        short = tuple(
            f._replace(evidence=printable(shortened(f.evidence, MOST_EVIDENCE))) for f in of_task[:MOST_FINDINGS]
        )
        verdicts[task.name] = TaskVerdict(worst(f.level for f in of_task), short)
    return verdicts


def verdict_of(
    name: str,
    key: str,
    content: bytes,
    tasks: dict[str, TaskVerdict],
    note: str | None,
    options: Options,
) -> Verdict:
    return Verdict(
        file=name, name=parse_name(name).person, assignment=key, verdict=worst(t.verdict for t in tasks.values()),
        tasks=tasks, note=note, sha256=hashlib.sha256(content).hexdigest(), options=options.key,
    )  # fmt: skip


def pictures_of(case: Case) -> list[TaskPicture]:
    """Return the pictures of each task, first those that are named after an expected figure."""
    pictures = []
    for task in case.assignment.tasks:
        share = [view.picture for view in case.share(task).views]
        of_task = [TaskPicture(task.name, picture.data, expected_name(picture, task)) for picture in share]
        of_task.sort(key=lambda picture: not picture.expected)
        for picture in of_task[: max(LEAST_PICTURES, len(task.expected))]:
            if len(picture.content) < MOST_PICTURE and reading.is_of_bearable_size(picture.content):
                pictures.append(picture)
    return pictures


def expected_name(picture: Picture, task: Task) -> str:
    """Return the expected figure whose name a picture bears, the longest one; empty where it bears none."""
    words = set(re.findall(r"[a-z0-9_]+", picture.label))
    return max((name for name in task.expected if name in words), key=len, default="")
