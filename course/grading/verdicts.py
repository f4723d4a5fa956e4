"""The verdicts of the grader: one finding, one task's verdict, one submission's verdict; JSON when written and read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

Level = Literal["PASS", "FAIL", "LOOK"]
SEVERITY: Mapping[Level, int] = {"PASS": 0, "LOOK": 1, "FAIL": 2}
LONGEST_EVIDENCE = 500  # characters of a finding that are written
MOST_FINDINGS = 40  # of one task that are written


class Finding(NamedTuple):
    """One observation about one task. A check leaves the task empty; who runs the checks fills it in."""

    level: Level
    code: str  # of its hint; for a PASS, of what holds
    evidence: str
    task: str = ""


class Exhibit(NamedTuple):
    """A submitted picture on the tutor's page."""

    task: str
    file: str  # where it lies, seen from the folder of the grades
    match: str  # the expected figure whose name it bears; empty where it bears none


@dataclass(frozen=True)
class TaskVerdict:
    """What is to be thought of one task, and why."""

    task: str
    level: Level
    findings: tuple[Finding, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the verdict as JSON has it."""
        findings = [{"level": f.level, "code": f.code, "evidence": f.evidence} for f in self.findings]
        return {"verdict": self.level, "findings": findings}

    @classmethod
    def from_json(cls, task: str, content: Mapping[str, Any]) -> "TaskVerdict":
        """Return the verdict that was written."""
        findings = [Finding(f["level"], f["code"], f["evidence"], task) for f in content["findings"]]
        return cls(task, _level(content["verdict"]), tuple(findings))


@dataclass(frozen=True)
class Verdict:
    """What is to be thought of one submission, task by task."""

    file: str  # its name
    name: str  # of who handed it in, as the file's name says
    assignment: str  # empty where nothing says which one it is
    level: Level
    tasks: tuple[TaskVerdict, ...]
    note: str | None  # one sentence for the tutor
    sha256: str  # of the file
    options: str  # that it was graded with
    path: str = ""
    exhibits: tuple[Exhibit, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the verdict as JSON has it."""
        return {
            "file": self.file,
            "name": self.name,
            "assignment": self.assignment,
            "verdict": self.level,
            "tasks": {task.task: task.to_json() for task in self.tasks},
            "note": self.note,
            "sha256": self.sha256,
            "options": self.options,
            "path": self.path,
            "pictures": [list(exhibit) for exhibit in self.exhibits],
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Verdict":
        """Return the verdict that was written.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: it is not one that this program wrote.
        """
        tasks = [TaskVerdict.from_json(name, task) for name, task in content["tasks"].items()]
        exhibits = [Exhibit(*exhibit) for exhibit in content["pictures"]]
        return cls(
            file=content["file"],
            name=content["name"],
            assignment=content["assignment"],
            level=_level(content["verdict"]),
            tasks=tuple(tasks),
            note=content["note"],
            sha256=content["sha256"],
            options=content["options"],
            path=content["path"],
            exhibits=tuple(exhibits),
        )


def worst(levels: Iterable[Level]) -> Level:
    """Return FAIL by one failure, LOOK by one doubt or by no evidence at all, else PASS."""
    return max(levels, key=SEVERITY.__getitem__, default="LOOK")


def task_verdict(task: str, findings: Iterable[Finding]) -> TaskVerdict:
    """Judge a task by those of the findings that are about it."""
    own = list(dict.fromkeys(finding for finding in findings if finding.task == task))
    short = [finding._replace(evidence=finding.evidence[:LONGEST_EVIDENCE]) for finding in own[:MOST_FINDINGS]]
    return TaskVerdict(task, worst(finding.level for finding in own), tuple(short))


def _level(word: str) -> Level:
    for level in SEVERITY:
        if word == level:
            return level
    raise ValueError(f"expected a verdict, one of {', '.join(SEVERITY)}; got {word!r}")
