"""The verdicts of the grader: what a check observed, what a task is worth, what became of a submission."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NamedTuple

from course.notebooks.reading import printable

Level = Literal["PASS", "FAIL", "LOOK"]
CELL = re.compile(r"code cell (\d{1,6})")
BY_SEVERITY: tuple[Level, ...] = ("PASS", "LOOK", "FAIL")


class Finding(NamedTuple):
    """One observation about one task. A check leaves the task empty; who runs the checks fills it in."""

    level: Level
    code: str  # of its hint; for a PASS, of what holds
    evidence: str
    task: str = ""

    @property
    def cells(self) -> list[int]:
        """The numbers of the code cells that its evidence names."""
        return [int(number) for number in CELL.findall(self.evidence)]


def worst(levels: Iterable[Level]) -> Level:
    """Return FAIL where there is one failure, LOOK by one doubt or by no evidence at all, else PASS."""
    severities = [BY_SEVERITY.index(level) for level in levels]
    return BY_SEVERITY[max(severities)] if severities else "LOOK"


def level_of(value: Any) -> Level:
    """Return a level as it stands in a file.

    Raises:
        ValueError: it is none.
    """
    for level in BY_SEVERITY:
        if value == level:
            return level
    raise ValueError(f"expected PASS, FAIL or LOOK, not {value!r}")


@dataclass(frozen=True)
class TaskVerdict:
    """What one task of a submission is worth, and why."""

    verdict: Level
    findings: tuple[Finding, ...] = ()

    def to_json(self) -> dict[str, Any]:
        findings = [{"level": f.level, "code": f.code, "evidence": f.evidence} for f in self.findings]
        return {"verdict": self.verdict, "findings": findings}

    @classmethod
    def from_json(cls, content: Mapping[str, Any], task: str) -> "TaskVerdict":
        """Read what ``to_json`` wrote.

        Raises:
            KeyError, TypeError, ValueError: it is something else.
        """
        findings = []
        for finding in content["findings"]:
            code, evidence = (printable(str(finding[key])) for key in ("code", "evidence"))
            findings.append(Finding(level_of(finding["level"]), code, evidence, task))
        return cls(level_of(content["verdict"]), tuple(findings))


class StoredPicture(NamedTuple):
    """A picture of a submission, as it lies beside the tutor's page."""

    task: str
    path: str  # from the page's folder
    expected: str  # the name of the expected figure that it is named after; empty where it is after none


@dataclass(frozen=True)
class Verdict:
    """What became of one submission."""

    file: str
    name: str  # of who handed it in
    assignment: str  # its key; empty where it is unknown
    verdict: Level
    tasks: Mapping[str, TaskVerdict]
    note: str | None  # for the tutor
    sha256: str
    options: str  # those that change verdicts
    path: str = ""
    pictures: tuple[StoredPicture, ...] = ()
    lines: Mapping[int, str] = field(default_factory=dict)  # one of each code cell that a LOOK names
    traces: tuple[str, ...] = ()  # "picture 0af3" and "output 9c1e": what two persons may have handed in alike

    def to_json(self) -> dict[str, Any]:
        tasks = {name: task.to_json() for name, task in self.tasks.items()}
        return {
            **asdict(self),
            "tasks": tasks,
            "pictures": [list(picture) for picture in self.pictures],
            "traces": list(self.traces),
        }

    @classmethod
    def from_json(cls, content: Any) -> "Verdict":
        """Read what ``to_json`` wrote.

        Raises:
            ValueError: it is something else.
        """
        try:
            tasks = {name: TaskVerdict.from_json(task, name) for name, task in content["tasks"].items()}
            pictures = tuple(StoredPicture(*map(printable, map(str, picture))) for picture in content["pictures"])
            keys = ("file", "name", "assignment", "sha256", "options", "path")
            lines = {int(number): printable(str(line)) for number, line in content["lines"].items()}
            texts = {name: printable(str(content[name])) for name in keys}
            traces = tuple(printable(str(trace)) for trace in content["traces"])
            note = None if content["note"] is None else printable(str(content["note"]))
            return cls(
                verdict=level_of(content["verdict"]), tasks=tasks, note=note, pictures=pictures, lines=lines,
                traces=traces, **texts,
            )  # fmt: skip
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"this is no verdict of the grader ({type(error).__name__}: {error})") from error
