"""Checks of the tasks: ``check("A1.kl")`` says in one sentence what is right, or which usual mistake this looks like.

A key is ``[assignment.]task[.name]``: ``check("a1.A1.kl")`` is one check, ``check("A1")`` all those of task A1. The
assignment may be left out where no other one has a task of that name (a2, a4 and a5 all have a task 3). Checks of
notebook tasks are given what was made: ``check("B2", vaes=vaes)``.

``checks/a1.py`` (and ``a1_….py``) hold the checks of assignment 1, each a function in the order of its tasks; the
table of the assignment, ``course/assignments/a1.py``, names them, and a test holds the two together. They import
nothing else of ``helpers``, so they work in a notebook that stands alone. A check calls the student's function with
known inputs, puts right ones in the place of other tasks that are still open, and compares with an oracle that shares
nothing with the solution. The sentence about a usual mistake ends with its hint in ``checks/hints.py``, which graders
give, too.

:func:`run` returns a :class:`Result` for each check and raises nothing for a student's error; ``pytest`` and the
grader's table of mistakes use it. :func:`check` prints the results, and raises :class:`NotRight` where a loss is wrong.
"""

import importlib
import pkgutil
import re
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import CodeType
from typing import Any

from helpers.checks.base import Check, Mistake, Result, State, Unclear
from helpers.checks.hints import HINTS
from helpers.checks.student import Missing, Student, TooLong, undisturbed

__all__ = ["Check", "NotRight", "Result", "all_checks", "check", "find", "run"]

MODULE = re.compile(r"a\d+(_\w+)?")
SUBJECT = re.compile(r"^(KL|NLL|ELBO|Training|Grid|Interpolation|Encoder|Decoder|Reconstruction|Reparameterization|"
                     r"Latent plot|Loss|[Dd]ecoder noise|sample|train_ae): ")  # fmt: skip

WORD = re.compile(r"(?!eps|sigma)[a-z]{2,}[ ;,]")  # a hint that begins with code keeps its letters


class NotRight(Exception):
    """A loss is wrong, and what follows would train with it. Jupyter shows the sentence, without a traceback."""

    def _render_traceback_(self) -> list[str]:
        return [f"Stopped here, before anything is computed with it: {self}"]


def check(key: str, **given: Any) -> None:
    """Print what the checks of a task say; see the module's docstring for keys.

    Args:
        given: what was made where a check looks at that: models, a figure, numbers. Checks that need something else
            are left out.

    Raises:
        NotRight: a check of a loss failed.
        ValueError: no check has such a key, or none takes what was given.
    """
    results = run(key, sys._getframe(1).f_globals, **given)
    for result in results:
        print(result)
    for found, result in zip(selected(key, given), results, strict=True):
        if found.stops and result.state == "wrong":
            raise NotRight(result.sentence)


def run(key: str, space: Mapping[str, Any] | None = None, **given: Any) -> list[Result]:
    """Return what the checks of a task say, and raise nothing for what a student's code does.

    Args:
        space: where the functions are looked for first; without it, in the helpers alone.

    Raises:
        ValueError: as :func:`check`.
    """
    student = Student(space)
    return [_result(one, student, given) for one in selected(key, given)]


def selected(key: str, given: Mapping[str, Any]) -> list[Check]:
    """Return the checks of a task that have all they need, and something to do with what was given.

    Raises:
        ValueError: there are none.
    """
    candidates = find(key)
    ready = [one for one in candidates if set(one.needs) <= set(given)]
    if given:
        ready = [one for one in ready if set(one.takes) & set(given)]
    unknown = set(given) - {name for one in candidates for name in one.takes}
    if unknown or not ready:
        wants = "; ".join(f"{one.key}({', '.join(one.takes)})" for one in candidates)
        raise ValueError(f"check({key!r}) was given {', '.join(sorted(given)) or 'nothing'}; the checks are {wants}")
    return ready


def find(key: str) -> list[Check]:
    """Return the checks that a key names, in their order.

    Raises:
        ValueError: there is none, or tasks of several assignments have this name.
    """
    start, _, rest = key.strip().partition(".")
    within = [start] if MODULE.fullmatch(start) and rest else []
    known = all_checks(*within)
    wanted = key.strip() if within else f"*.{key.strip()}"
    matching = [one for one in known if _matches(one, wanted)]
    assignments = sorted({one.assignment for one in matching})
    if not matching:
        tasks = dict.fromkeys(f"{one.assignment}.{one.task}" for one in known)
        raise ValueError(f"no check is called {key!r}: expected one of {', '.join(tasks)}, or one of their parts")
    if len(assignments) > 1:
        either = " or ".join(f"{assignment}.{key.strip()}" for assignment in assignments)
        raise ValueError(f"{key!r} is a task of several assignments: write {either}")
    return matching


def all_checks(*assignments: str) -> list[Check]:
    """Return all checks of some assignments, or of all, in the order of their modules and lines."""
    listed = {module.name for module in pkgutil.iter_modules(__path__)}
    listed |= {name.rpartition(".")[2] for name in list(sys.modules) if name.startswith(f"{__name__}.")}
    names = [name for name in listed if MODULE.fullmatch(name)]
    found: list[Check] = []
    for name in sorted(names, key=lambda name: (int(name.partition("_")[0][1:]), name)):
        if not assignments or name.partition("_")[0] in assignments:
            module = importlib.import_module(f"{__name__}.{name}")
            mine = [value for value in vars(module).values() if isinstance(value, Check)]
            found += [one for one in mine if one.function.__module__ == module.__name__]
    return found


def _matches(one: Check, wanted: str) -> bool:
    assignment, _, rest = wanted.partition(".")
    if assignment not in ("*", one.assignment):
        return False
    return rest in (one.task, f"{one.task}.{one.name}")


# ---------------------------------------------------------------- from what happens to a sentence


def _result(one: Check, student: Student, given: Mapping[str, Any]) -> Result:
    """Call one check, and say in one sentence what came of it."""
    state, text, code = _outcome(one, student, {k: v for k, v in given.items() if k in one.takes})
    text = " ".join(text.split())
    return Result(one.key, state, f"{one.title}: {text if text.endswith(('.', '?', '!')) else text + '.'}", code)


def _outcome(one: Check, student: Student, given: dict[str, Any]) -> tuple[State, str, str]:
    try:
        with undisturbed(), student.on_device():
            return "right", one(student, **given), ""
    except Mistake as mistake:
        return "wrong", _with_hint(mistake), mistake.code
    except Unclear as doubt:
        return "unclear", str(doubt), ""
    except NotImplementedError as still_open:
        return "open", f"still to do. {still_open}".strip(), ""
    except (Missing, TooLong) as error:
        return "wrong", str(error), ""
    except Exception as error:  # whatever a student's code raises
        return "wrong", _said(error), ""


def _with_hint(mistake: Mistake) -> str:
    hint = HINTS.get(mistake.code, "")
    subject = SUBJECT.match(hint)
    if subject:
        hint = hint[subject.end() :]
        hint = hint[:1].upper() + hint[1:] if WORD.match(hint) else hint
    evidence = mistake.evidence.strip()
    return f"{evidence}{'' if evidence.endswith(('.', '?')) or not evidence else '.'} {hint}".strip()


def _said(error: Exception) -> str:
    """Say what an exception says, and in which line of the student's code it was raised."""
    kind, first = type(error).__name__, str(error).strip().split("\n")[0][:200]
    frames = [frame for frame in traceback.walk_tb(error.__traceback__) if _is_theirs(frame[0].f_code)]
    if not frames and isinstance(error, TypeError) and "argument" in first:
        return f"it could not be called as the assignment says ({first})"
    if not frames:
        return f"what came back could not be read ({kind}: {first})"
    frame, line = frames[-1]
    where = f"line {line} of {_place(frame.f_code)}"
    return f"your code stopped with {kind}: {first} ({where})" if first else f"your code stopped with {kind} ({where})"


def _is_theirs(code: CodeType) -> bool:
    file = code.co_filename
    return not file.startswith(str(Path(__file__).parent)) and "site-packages" not in file and "lib/python" not in file


def _place(code: CodeType) -> str:
    file = Path(code.co_filename)
    return (
        f"{file.name}, in {code.co_name}" if file.suffix == ".py" and file.is_file() else f"the cell of {code.co_name}"
    )
