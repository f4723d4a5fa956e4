"""Ask one thing, get one answer: the grader's end of the line to a submission's process."""

import secrets
from typing import Any

import numpy as np

from course.grading.answers import Tampered
from course.grading.rerun.sandbox import Session
from course.notebooks.visible import PLAIN_NAME

MOST_S = 25.0  # processor time that one act may take, by the alarm in the sandbox
WALL = 4  # times as much wall clock, on a machine with other work; who does not answer then is asked no more
MOST_TEXT = 80
TOO_LATE = "it did not end in time"  # as the sandbox's side has it


class NotAnswered(Exception):
    """An act failed there; the message is the type of its error, or that it did not end."""


class Missing(NotAnswered):
    """There is no function or variable of that name."""


class Asker:
    """Asks, with numbers of its own; the seed of all inputs is made anew in each run and told to nobody."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.rng = np.random.default_rng(secrets.randbits(128))

    def __call__(self, act: str, *, seconds: float = MOST_S, **arguments: Any) -> Any:
        """Return the value of one act.

        Raises:
            NotAnswered: it failed.
            Missing: what it needs is not defined.
            Tampered: what came back is no answer to this question.
            Ended: the run is over.
        """
        number = secrets.randbits(62)
        question = {"act": act, "number": number, "seconds": seconds, "seed": int(self.rng.integers(2**31))}
        self.session.send({**question, "arguments": arguments})
        reply = self.session.receive(WALL * seconds)
        if reply.get("number") != number:
            self.session.end("it sent an answer that was not asked for")
        if "value" in reply:
            return reply["value"]
        if "missing" in reply:
            raise Missing(str(reply["missing"])[:MOST_TEXT])
        raise NotAnswered(kind_of(reply.get("error")))

    def normal(self, *shape: int) -> np.ndarray:
        return self.rng.standard_normal(shape).astype(np.float32)

    def weights(self, shapes: Any, scale: float = 1.0) -> list[np.ndarray]:
        """Return weights far from where networks start, so that every term matters.

        Raises:
            Tampered: these are no shapes.
        """
        values = []
        for shape in shapes_of(shapes):
            width = shape[-1] ** 0.5 if len(shape) > 1 else 1.5
            values.append(self.normal(*shape) * np.float32(scale / width))
        return values


def kind_of(error: Any) -> str:
    """Return the type of an error that a process names; anything else that it says is not repeated."""
    known = isinstance(error, str) and (error == TOO_LATE or bool(PLAIN_NAME.fullmatch(error)))
    return error if known else "an error"


MOST_PARAMETERS = 4_000_000


def shapes_of(value: Any) -> list[tuple[int, ...]]:
    """Return the shapes that a model says its parameters have.

    Raises:
        Tampered: anything else, or a model that no assignment asks for.
    """
    try:
        shapes = [tuple(int(n) for n in shape) for shape in value]
    except (TypeError, ValueError) as error:
        raise Tampered("expected shapes of parameters") from error
    if (
        sum(int(np.prod(shape)) for shape in shapes) > MOST_PARAMETERS
        or min((n for s in shapes for n in s), default=1) < 0
    ):
        raise Tampered("expected fewer parameters")
    return shapes


def array(value: Any, *shape: int) -> np.ndarray:
    """Return an array of numbers; -1 in the shape stands for any size.

    Raises:
        Tampered: it is none, or of another shape.
    """
    if isinstance(value, bool | str | dict) or value is None:
        raise Tampered("expected numbers")
    try:
        result = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise Tampered("expected numbers") from error
    if shape and (result.ndim != len(shape) or any(n not in (-1, m) for n, m in zip(shape, result.shape, strict=True))):
        raise Tampered(f"expected an array of shape {shape}, not {result.shape}")
    return result


def plain(value: Any, digits: int = 7) -> Any:
    return np.round(np.asarray(value, dtype=np.float64), digits).tolist()
