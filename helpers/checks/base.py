"""What a check is made of: where it stands in an assignment, whose function it calls, and how it says what is wrong."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from helpers.checks.student import Student

State = Literal["right", "wrong", "open", "unclear"]
MARKS: dict[State, str] = {"right": "✓", "wrong": "✗", "open": "…", "unclear": "?"}


class Mistake(Exception):
    """What came is wrong, in a usual way (its hint says which), or in another.

    Args:
        evidence: what came and what is right, as sentences.
        code: of the hint in :mod:`helpers.checks.hints`; empty where the evidence says it all.
    """

    def __init__(self, evidence: str, code: str = "") -> None:
        super().__init__(evidence)
        self.evidence = evidence
        self.code = code


class Unclear(Exception):
    """The check cannot tell: an honest way that it does not know. A sentence says what a person should look at."""


class Result(NamedTuple):
    """What a check says of one task."""

    key: str  # a1.A1.kl
    state: State
    sentence: str  # without its mark: "A1, KL: agrees with the closed form on 5 cases."
    code: str = ""  # of the hint that the sentence ends with

    def __str__(self) -> str:
        return f"{MARKS[self.state]} {self.sentence}"


@dataclass(frozen=True)
class Check:
    """A function that looks at one task: it returns what agrees, or raises :class:`Mistake` or :class:`Unclear`."""

    function: Callable[..., str]
    task: str  # as the assignment calls it: A1
    title: str  # "A1, KL"
    of: tuple[str, ...]  # functions that it calls: "toy_vae.VAE.forward"
    stops: bool  # a notebook that goes on would train with what is wrong

    @property
    def assignment(self) -> str:
        """The key of the assignment, which its module is named after: ``a1`` of ``checks/a1_images.py``."""
        return self.function.__module__.rpartition(".")[2].partition("_")[0]

    @property
    def name(self) -> str:
        return self.function.__name__

    @property
    def key(self) -> str:
        return f"{self.assignment}.{self.task}.{self.name}"

    @property
    def needs(self) -> tuple[str, ...]:
        """What it has to be given besides the student's functions: models, a figure, numbers."""
        _, *parameters = inspect.signature(self.function).parameters.values()
        return tuple(p.name for p in parameters if p.default is p.empty)

    @property
    def takes(self) -> tuple[str, ...]:
        """All that it can be given."""
        return tuple(inspect.signature(self.function).parameters)[1:]

    def __call__(self, student: Student, **given: Any) -> str:
        return self.function(student, **given)


def checks(task: str, title: str, *of: str, stops: bool = False) -> Callable[[Callable[..., str]], Check]:
    """Make a check of a function: ``@checks("A1", "A1, KL", "toy_vae.VAE.forward", stops=True)``.

    Args:
        task: as the assignment's table calls it.
        title: begins each sentence.
        of: the student's functions that it calls, with their module in ``helpers``.
        stops: raise where it is wrong, before anything is trained with it.
    """
    return lambda function: Check(function, task, title, of, stops)
