"""Execute a submission in the sandbox, and judge what came back by the checks that its assignment's table names."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from course.assignments.task import Assignment, Task
from course.grading.answers import Answers, NotTried
from course.grading.checks import Check, checks_of
from course.grading.rerun import sandbox
from course.grading.rerun.digits import digits, name_digits
from course.grading.verdicts import Finding
from course.notebooks.reading import Submission

PROBES = Path(__file__).parents[1] / "probes"
PROGRAM = "import warnings\nwarnings.filterwarnings('ignore')\nfrom probes.main import main\nmain()\n"
MOST_DEFINITIONS_S = 120.0  # for functions alone, after a run that did not end
MOST_EVIDENCE = 300


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


def rerun(submission: Submission, assignment: Assignment, options: RerunOptions) -> tuple[list[Finding], str | None]:
    """Execute a submission in the sandbox, try its functions there, and judge the answers here.

    Returns:
        The findings, and one sentence on what the sandbox could not keep out, if anything.
    """
    data = Path(options.data) if options.data and Path(options.data).is_dir() else digits()
    job = {
        "cells": [cell.source for cell in submission.cells],
        "mode": "definitions" if options.definitions else "full",
        "assignment": assignment.key,
        "seed": int.from_bytes(os.urandom(3), "big"),  # known to nobody before: answers cannot be prepared
    }
    limits = sandbox.Limits(seconds=options.seconds, memory=options.memory_mb * sandbox.MEGA)
    try:
        outcome, findings = execute(job, limits, data)
    except sandbox.SandboxError as error:
        return [Finding("LOOK", "unclear", str(error), "file")], str(error)
    if outcome.result is None:
        reason = outcome.ended or "no readable answer"
        tasks = [task for task in assignment.tasks if task.from_rerun]
        return findings + [Finding("LOOK", "rerun_ended", reason, task.name) for task in tasks], outcome.weak
    errors = outcome.result.get("errors")
    if isinstance(errors, list) and errors:
        findings.append(Finding("LOOK", "rerun_error", str(errors[0])[:MOST_EVIDENCE], "file"))
    name_digits(outcome.result, data)
    return findings + judge(Answers(outcome.result, outcome.output, submission), assignment), outcome.weak


def modules() -> dict[str, str]:
    """Return the sources that are sent into the sandbox, by their paths there."""
    return {f"probes/{path.name}": path.read_text(encoding="utf-8") for path in PROBES.glob("*.py")}


def execute(job: dict[str, Any], limits: sandbox.Limits, data: Path) -> tuple[sandbox.Run, list[Finding]]:
    """Run a job; where a whole run sends nothing, run what the notebook defines."""
    outcome = sandbox.run(PROGRAM, job, limits, data, modules=modules())
    findings = [] if outcome.ended is None else [Finding("LOOK", "rerun_ended", outcome.ended, "file")]
    if outcome.result is not None or job["mode"] == "definitions":
        return outcome, findings
    findings = findings or [Finding("LOOK", "rerun_ended", "it sent no readable answer", "file")]
    short = replace(limits, seconds=min(MOST_DEFINITIONS_S, limits.seconds))
    second = sandbox.run(PROGRAM, {**job, "mode": "definitions"}, short, data, modules=modules())
    return replace(second, output=outcome.output), findings


# ---------------------------------------------------------------- judging


def judge(answers: Answers, assignment: Assignment) -> list[Finding]:
    """Judge everything that a rerun sent; a part that cannot be read gives LOOK."""
    if not isinstance(answers.content.get("probes"), dict):
        return [Finding("LOOK", "unclear", "the rerun's answers could not be read", "file")]
    findings = []
    for task in assignment.tasks:
        checks = checks_of(assignment, task, "behaviour")
        versions = [judge_task(version, task, checks) for version in answers.versions()] if checks else [[]]
        findings += settle(versions)
    return findings


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
