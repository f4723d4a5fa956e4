"""What came back from a sandbox, read with mistrust: a submission may have tampered with every number of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from course.notebooks.reading import Submission

MOST_NUMBERS = 100_000
MOST_VERSIONS = 3  # definitions of one name that are tried
RELATIVE, ABSOLUTE = 1e-3, 1e-4  # tolerances where a check names no others


class Tampered(ValueError):
    """The answers do not have the form in which the probes send them."""


class NotTried(Exception):
    """A probe could not call what it looked for, or did not find it; the message is the evidence."""


def numbers(value: Any, most: int = MOST_NUMBERS) -> np.ndarray:
    """Return nested lists of numbers as an array.

    Raises:
        Tampered: anything else, or too many of them.
    """
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise Tampered("expected numbers") from error
    if array.size > most:
        raise Tampered("expected fewer numbers")
    return array


def number(value: Any) -> float:
    """Return one number.

    Raises:
        Tampered: anything else.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Tampered("expected a number")
    return float(value)


def close(a: Any, b: Any, relative: float = RELATIVE, absolute: float = ABSOLUTE) -> bool:
    """Say whether all numbers of ``a`` are near those of ``b``."""
    return bool(np.allclose(a, b, rtol=relative, atol=absolute))


@dataclass(frozen=True)
class Answers:
    """What a run sent, what its cells printed, and the submission that it is of."""

    content: Mapping[str, Any]
    printed: Submission = field(default_factory=lambda: Submission(""))
    submission: Submission | None = None

    def probe(self, name: str) -> Any:
        """Return what the probe of this name sent.

        Raises:
            NotTried: there is no such probe, or its call failed.
            Tampered: there are no probes at all.
        """
        probes = self.content.get("probes")
        if not isinstance(probes, dict):
            raise Tampered("the rerun's answers could not be read")
        if name not in probes and self.content.get("ended"):
            raise NotTried(f"{name} was not asked any more: {self.content['ended']}")
        if name not in probes:
            raise NotTried(f"{name}: no function or variable of the assignment's name")
        value = probes[name]
        if isinstance(value, dict) and set(value) == {"error"}:
            raise NotTried(f"{name} could not be called as assigned: {str(value['error'])[:200]}")
        return value

    def calls(self, name: str = "") -> list[dict[str, Any]]:
        """Return the recorded calls of a function of the assignment, or all calls."""
        calls = self.content.get("calls", [])
        if not isinstance(calls, list):
            raise Tampered("expected a list of calls")
        return [call for call in calls if isinstance(call, dict) and (not name or call.get("name") == name)]

    def records(self, name: str) -> dict[str, Any]:
        """Return a table of what the run itself showed: ``optimizers``, ``rows`` or ``tagged``."""
        table = self.content.get(name, {})
        if not isinstance(table, dict):
            raise Tampered(f"expected a table of {name}")
        return table

    def versions(self) -> list["Answers"]:
        """Return one set of answers for each definition of the model's class, the last definition first."""
        probes = self.content.get("probes")
        if not isinstance(probes, dict):
            return [self]
        suffixes = [f"@{n}" for n in range(1, MOST_VERSIONS) if any(f"{key}".endswith(f"@{n}") for key in probes)]
        return [self, *(self.version(suffix) for suffix in suffixes)]

    def version(self, suffix: str) -> "Answers":
        """Return the answers with those of an earlier definition in place of the last one's."""
        probes = self.content["probes"]
        earlier = {key.removesuffix(suffix): value for key, value in probes.items() if key.endswith(suffix)}
        return replace(self, content={**self.content, "probes": {**probes, **earlier}})
