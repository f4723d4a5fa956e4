"""Execute a submission in the sandbox, ask what it left behind, and judge the answers by its assignment's checks."""

import contextlib
import importlib
import importlib.util
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from course.assignments.task import Assignment, Task
from course.grading.answers import Answers, NotTried, Tampered
from course.grading.checks import Check, checks_of
from course.grading.rerun import sandbox
from course.grading.rerun.digits import digits, know_trained, name_digits
from course.grading.rerun.questions.asking import Asker, Missing, NotAnswered, kind_of
from course.grading.rerun.questions.trainings import ask_trainings
from course.grading.rerun.reaches import reaches, undefined
from course.grading.rerun.sandbox import Ended, Limits, Session
from course.grading.verdicts import Finding
from course.notebooks.reading import Cell, Output, Submission, printable

PROBES = Path(__file__).parents[1] / "probes"
QUESTIONS = "course.grading.rerun.questions"
PROGRAM = "import warnings\nwarnings.filterwarnings('ignore')\nfrom probes.main import main\nmain()\n"
MOST_DEFINITIONS_S = 120.0  # for functions alone, after a run that did not end
QUESTIONS_S = 600.0  # for all questions together
INTERRUPTION_S = 20.0  # beyond its time, for a cell to hear that it is over; who does not is ended from outside
MOST_CELL_TEXT = 200_000
MOST_ERRORS = 3
SHARE = 0.75  # of the time that is left, for one cell, as the sandbox's side has it
NO_FORM = (Tampered, KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError)  # of wrong answers
ENOUGH_CELLS = 0.999  # share that ran, below which a person is told


class RerunOptions(Protocol):
    """What of the grader's options a rerun reads."""

    @property
    def seconds(self) -> float: ...

    @property
    def memory_mb(self) -> int: ...

    @property
    def data(self) -> str | None: ...

    @property
    def definitions(self) -> bool: ...

    @property
    def without_sandbox(self) -> bool: ...


@dataclass
class Ran:
    """What came back of one run; all of it is the submission's word but for ``ended``."""

    cells: list[dict[str, Any]] = field(default_factory=list)  # one a cell, as they ended
    summary: dict[str, Any] | None = None
    answers: dict[str, Any] = field(default_factory=dict)
    trainings: list[dict[str, Any]] = field(default_factory=list)
    ended: str | None = None  # why it was over before its time, in the grader's words


class Wish(NamedTuple):
    """What is to be run, and how."""

    submission: Submission
    assignment: str
    definitions: bool
    data: Path
    isolated: sandbox.Isolation


def rerun(submission: Submission, assignment: Assignment, options: RerunOptions) -> tuple[list[Finding], str | None]:
    """Execute a submission in the sandbox, try its functions there, and judge the answers here.

    Returns:
        The findings, and one sentence on what the sandbox could not keep out, if anything.

    Raises:
        SandboxError: nothing could be run here; a fault of the machine, not of the submission.
    """
    isolated = sandbox.isolation()
    if not isolated.walls and not options.without_sandbox:
        raise sandbox.SandboxError(
            f"{isolated.missing} Install bubblewrap, or grade from outputs; --without-sandbox runs them all the same"
        )
    data = Path(options.data) if options.data and Path(options.data).is_dir() else digits()
    wish = Wish(submission, assignment.key, options.definitions, data, isolated)
    limits = Limits(seconds=options.seconds, memory=options.memory_mb * sandbox.MEGA)
    ran, findings = run_and_ask(wish, limits), list(reaches(submission))
    mode = "definitions" if options.definitions else "full"
    findings += interrupted(ran, limits.seconds)
    findings += cells_ran(ran, submission, options.definitions)
    if ran.summary is None and not options.definitions:
        short = replace(limits, seconds=min(MOST_DEFINITIONS_S, limits.seconds))
        second, mode = run_and_ask(wish._replace(definitions=True), short), "rest"
        ran = Ran(ran.cells, second.summary, second.answers, [], ran.ended)
    if ran.summary is None:
        reason = ran.ended or "it sent no readable answer"
        tasks = [task for task in assignment.tasks if task.from_rerun]
        return findings + [Finding("LOOK", "rerun_ended", reason, task.name) for task in tasks], isolated.missing
    findings += undefined(submission, ran.summary.get("names"))
    content = {**ran.summary, "probes": ran.answers, "trainings": ran.trainings, "mode": mode, "ended": ran.ended}
    content["errors"] = [record for record in ran.cells if record["error"]]
    name_digits(content, data)
    content["known"] = know_trained(ran.summary.get("kept"), data)
    answers = Answers(content, printed(ran, submission), submission)
    return findings + judge(answers, assignment), isolated.missing


def modules() -> dict[str, str]:
    """Return the sources that are shown inside the sandbox, by their paths there."""
    return {f"probes/{path.name}": path.read_text(encoding="utf-8") for path in PROBES.glob("*.py")}


def run_and_ask(wish: Wish, limits: Limits) -> Ran:
    """Run the cells, then ask; what came before an end is kept.

    Raises:
        SandboxError: the sandbox did not start.
    """
    ran = Ran()
    sources = {"program.py": PROGRAM, **modules()}
    with sandbox.session(sources, limits, wish.data, isolated=wish.isolated, after_s=QUESTIONS_S) as session:
        try:
            execute(session, wish, ran)
            session.deadline = time.monotonic() + QUESTIONS_S
            ask_all(session, wish, ran)
        except Ended as error:
            ran.ended = str(error)
        except (NotAnswered, *NO_FORM):
            ran.ended = "it sent something that is no answer"
    return ran


def execute(session: Session, wish: Wish, ran: Ran) -> None:
    """Let the cells run, and note what becomes of each.

    Raises:
        Ended: the run is over.
    """
    cells = [cell.source for cell in wish.submission.cells]
    session.send({"cells": cells, "definitions": wish.definitions, "seconds": session.limits.seconds})
    end = session.deadline
    session.deadline += INTERRUPTION_S
    while True:
        count, share = len(ran.cells), SHARE * max(end - time.monotonic(), 0)
        stuck = f"code cell {count + 1} did not end in its time, and could not be interrupted"
        message = session.receive(share + INTERRUPTION_S if count < len(cells) - 1 else None, stuck)
        if message.get("cell") != count:
            ran.summary = message
            return
        ran.cells.append(record_of(message))
        if len(ran.cells) > len(cells):
            session.end("it reported more cells than there are")


def record_of(message: dict[str, Any]) -> dict[str, Any]:
    """Return what became of a cell in the form that is read here; whatever has another form says nothing."""
    text, error, line = (message.get(name) for name in ("text", "error", "line"))
    return {
        "cell": message["cell"], "text": text if isinstance(text, str) else "",
        "error": None if error is None else kind_of(error), "line": line if type(line) is int else None,
        "late": message.get("late") is True, "whole": message.get("whole", True) is True,
    }  # fmt: skip


def ask_all(session: Session, wish: Wish, ran: Ran) -> None:
    """Ask the assignment's questions, each for itself; an answer that fails is one less.

    Raises:
        Ended: the run is over.
    """
    ask = Asker(session)
    if ran.summary is not None and not wish.definitions:
        ran.trainings = ask_trainings(ask, ran.summary.get("trainings"), wish.data)
    with contextlib.suppress(Missing):
        for name, question in questions_of(wish.assignment)(ask, wish.data):
            with contextlib.suppress(Missing):
                ran.answers[name] = answered(question)


def answered(question: Callable[[], Any]) -> Any:
    """Return the answer to a question, or which kind of error came instead of one.

    Raises:
        Missing: there is nothing of that name.
        Ended: the run is over.
    """
    try:
        return question()
    except Missing:
        raise
    except NotAnswered as error:
        return {"error": str(error)}
    except NO_FORM:
        return {"error": "its answer has not the form that was asked for"}


def questions_of(assignment: str) -> Callable[..., Iterator[tuple[str, Callable[[], Any]]]]:
    name = f"{QUESTIONS}.{assignment}"
    if importlib.util.find_spec(name) is None:
        name = f"{QUESTIONS}.common"
    return importlib.import_module(name).questions


# ---------------------------------------------------------------- what the cells did


def cells_ran(ran: Ran, submission: Submission, definitions: bool) -> Iterator[Finding]:
    """Report which share of the cells ran, and where the first ones failed: the error's type and line, no more."""
    count = len(submission.cells)
    failed = [record for record in ran.cells if record["error"] and not record["late"]]
    good = sum(not record["error"] and ran_whole(record) for record in ran.cells)
    if definitions or not count:
        return
    share = f"{good} of {count} code cells ran ({good / count:.0%})"
    level = "PASS" if good / count > ENOUGH_CELLS else "LOOK"
    yield Finding(level, "rerun_share", share, "file")
    for record in failed[:MOST_ERRORS]:
        yield Finding("LOOK", "rerun_error", error_of(record), "file")


def ran_whole(record: dict[str, Any]) -> bool:
    """Say whether all of a cell was run: one that was interrupted was not, nor one of which only definitions were."""
    return record["whole"] and not record["late"]


def interrupted(ran: Ran, seconds: float) -> Iterator[Finding]:
    """Report what ended the run before its time, which cells were interrupted, and of which only definitions ran."""
    if ran.ended:
        yield Finding("LOOK", "rerun_ended", ran.ended, "file")
    for record in [record for record in ran.cells if record["late"]][:MOST_ERRORS]:
        reason = f"code cell {record['cell'] + 1} did not end in its share of {seconds:g} s and was interrupted"
        yield Finding("LOOK", "rerun_ended", reason, "file")
    rest = next((record for record in ran.cells if not record["whole"]), None)
    if rest:
        reason = f"from code cell {rest['cell'] + 1} on only definitions were run: {seconds:g} s were up"
        yield Finding("LOOK", "rerun_ended", reason, "file")


def error_of(record: dict[str, Any]) -> str:
    """Say which error a cell ended in; its text may say anything, and is not shown."""
    where = f", line {record['line']}" if record["line"] is not None else ""
    return f"code cell {record['cell'] + 1}{where}: {record['error']}"


def printed(ran: Ran, submission: Submission) -> Submission:
    """Return the submission with what its cells printed in the rerun, and nothing else."""
    texts = {}
    for record in ran.cells:
        texts[len(texts)] = printable(record["text"][:MOST_CELL_TEXT])
    cells = []
    for number, cell in enumerate(submission.cells):
        text = texts.get(number, "")
        outputs = (Output("stream", text, {}),) if text else ()
        cells.append(Cell(cell.number, cell.source, number + 1, outputs, text, None, cell.heading))
    return Submission(submission.name, tuple(cells))


# ---------------------------------------------------------------- judging


def judge(answers: Answers, assignment: Assignment) -> list[Finding]:
    """Judge everything that a rerun sent; a part that cannot be read gives LOOK."""
    if not isinstance(answers.content.get("probes"), dict):
        return [Finding("LOOK", "unclear", "the rerun's answers could not be read", "file")]
    findings = []
    for task in assignment.tasks:
        checks = checks_of(assignment, task, "behaviour")
        versions = [judge_task(version, task, checks) for version in answers.versions()] if checks else [[]]
        findings += in_own_ways(settle(versions), answers, task, checks_of(assignment, task, "own_ways"))
    return findings


def in_own_ways(findings: list[Finding], answers: Answers, task: Task, checks: list[Check]) -> list[Finding]:
    """Put what the run itself showed in the place of doubts about names that are not there."""
    if not any(finding.code == "own_way" for finding in findings):
        return findings
    shown = judge_task(answers, task, checks)
    return [finding for finding in findings if finding.code != "own_way"] + shown if shown else findings


def judge_task(answers: Answers, task: Task, checks: list[Check]) -> list[Finding]:
    findings = []
    for check in checks:
        findings += [finding._replace(task=task.name) for finding in attempt(check, answers, task)]
    return list(dict.fromkeys(findings))


def attempt(check: Check, answers: Answers, task: Task) -> list[Finding]:
    """Return a check's findings; what could not be called or read gives LOOK, whatever it is."""
    try:
        with np.errstate(all="ignore"):
            return list(check(answers, task))
    except NotTried as reason:
        return [Finding("LOOK", "own_way", str(reason))]
    except MemoryError:
        raise
    except Exception as error:  # untrusted numbers in every form
        return [Finding("LOOK", "unclear", f"the answers could not be judged ({type(error).__name__})")]


def settle(versions: list[list[Finding]]) -> list[Finding]:
    """Settle a task whose names are defined more than once: which definition made the figures is unknown.

    The last definition counts. But where the first one holds and the last one fails, or the other way round, the
    failures are a person's to look at.
    """
    last = versions[0]
    failures = list(fails(last))
    if len(versions) > 1 and failures and not any(fails(versions[-1])):
        return [doubt(finding) for finding in last]
    if failures:
        return last
    earlier = []
    for version in versions[1:]:
        earlier += [doubt(finding) for finding in fails(version)]
    return [*last, *earlier]


def fails(findings: list[Finding]) -> Iterator[Finding]:
    return (finding for finding in findings if finding.level == "FAIL")


def doubt(finding: Finding) -> Finding:
    return finding._replace(level="LOOK") if finding.level == "FAIL" else finding
