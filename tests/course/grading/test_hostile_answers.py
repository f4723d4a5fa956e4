"""Whatever a submission's process says in a rerun, the grader judges it, and says nothing in its words.

The process is played by a stand-in that answers in the right form, at the right time, with anything: what a submission
can do that has taken over the line.
"""

import contextlib
import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from course.assignments import ASSIGNMENTS
from course.grading.corpus.grader_table import submission
from course.grading.judging import Options
from course.grading.probes import notebook, watch
from course.grading.probes.channel import HEAD, Garbled, packed, unpacked
from course.grading.quotes import pieces
from course.grading.rerun import again, digits, sandbox
from course.grading.rerun.digits import INTERIOR
from course.grading.rerun.sandbox import Ended, Isolation, Limits

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "5"))
UNHURRIED = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]
SOURCES = Path(again.__file__).parent.rglob("*.py"), Path(again.__file__).parents[1].glob("a*/*.py")
WORDS = sorted({word for files in SOURCES for file in files for word in re.findall(r'"(\w{1,20})"', file.read_text())})
MARK = "full marks, says the process"


def own_words(evidence: str) -> str:
    """Return what the grader says itself: all but quotations."""
    return "".join(piece.text for piece in pieces(evidence) if not piece.quoted)


LIKELY = {  # so that what is asked after it is reached
    "classes": ["VAE"], "build": {"model": 0, "shapes": [[4, 3], [4]]}, "load": None,
    "forward": {"terms": [1, 2, 3], "z": [[1.0] * 5], "x_pred": [[1.0] * 3], "outputs": {}},
}  # fmt: skip
CELL = "print(1)\ndef train_vae(model, optimizer, train, val, beta=1.0, epochs=2): pass\nclass VAE: pass\n"


def arrays() -> st.SearchStrategy[Any]:
    shapes = st.lists(st.integers(0, 9), max_size=4)
    types = st.sampled_from(["float32", "float64", "int64", "bool"])
    return st.builds(np.full, shapes, st.sampled_from([0, 1, -3, 100]), dtype=types)


def scalars() -> st.SearchStrategy[Any]:
    texts = st.sampled_from([MARK, "\ud800", "", "VAE", "1e999", "x" * 5000])
    return st.one_of(
        st.none(), st.booleans(), st.integers(-3, 20), st.just(10**400), st.floats(), texts, st.sampled_from(WORDS)
    )


def values() -> st.SearchStrategy[Any]:
    return st.recursive(
        st.one_of(scalars(), arrays()),
        lambda part: st.one_of(
            st.lists(part, max_size=5), st.dictionaries(st.one_of(st.sampled_from(WORDS)), part, max_size=8)
        ),
        max_leaves=25,
    )


def on_the_line(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message as it arrives; one that cannot be sent is another one."""
    try:
        return unpacked(packed(message)[HEAD.size :])
    except (Garbled, TypeError, ValueError, OverflowError):
        return {}


class Stranger:
    """A session whose process says what the data hold, under the numbers that it was asked under."""

    def __init__(self, data: st.DataObject) -> None:
        self.data, self.limits, self.deadline = data, Limits(seconds=5), 0.0
        self.asked: dict[str, Any] = {}
        self.cells, self.told = 0, 0

    def send(self, message: dict[str, Any]) -> None:
        json.loads(packed(message)[HEAD.size :])
        self.asked = message
        self.cells = len(message["cells"]) if "cells" in message else self.cells

    def receive(self, *_: Any) -> dict[str, Any]:
        said = self.data.draw(st.dictionaries(st.sampled_from(WORDS), values(), max_size=8))
        if "cells" in self.asked and self.told < self.cells:
            self.told += 1
            return on_the_line({**said, "cell": self.told - 1})
        if "cells" in self.asked:
            known = ("calls", "optimizers", "tagged", "trainings", "rows", "names", "losses", "figures")
            return on_the_line({**said, **{name: self.data.draw(values()) for name in known}})
        if self.asked["act"] in LIKELY and self.data.draw(st.booleans()):
            return on_the_line({"number": self.asked["number"], "value": LIKELY[self.asked["act"]]})
        kind = self.data.draw(st.sampled_from(["value", "value", "value", "error", "missing", ""]))
        return on_the_line({"number": self.asked["number"], kind: self.data.draw(values())})

    def end(self, why: str) -> None:
        raise Ended(why)


@pytest.mark.parametrize("key", ASSIGNMENTS)
def test_whatever_is_answered_is_judged_and_never_repeated(key, monkeypatch):
    source, folder = submission(f"# %%\n{CELL}", key), str(digits())
    monkeypatch.setattr(again.sandbox, "isolation", lambda: Isolation(True, None))

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=UNHURRIED)
    @given(st.data())
    def judged(data):
        @contextlib.contextmanager
        def session(*_: Any, **__: Any):
            yield Stranger(data)

        monkeypatch.setattr(again.sandbox, "session", session)
        findings, note = again.rerun(source, ASSIGNMENTS[key], Options(rerun=True, data=folder, seconds=5))
        assert note is None and findings
        for finding in findings:
            assert finding.level in ("PASS", "FAIL", "LOOK")
            finding.evidence.encode()
            assert MARK not in own_words(finding.evidence), "its words stand in quotes, or nowhere"

    judged()


SAME = {  # what was found
    "a number, where a list is sliced": {"value": 1},
    "a table, where a list is sliced": {"value": {"terms": [1], "z": [[0]]}},
    "an array, where an error has a name": {"error": np.zeros(3)},
    "a sentence, where an error has a name": {"error": MARK},
    "an array, where something is missing": {"missing": np.zeros(3)},
    "half a character": {"value": "\ud800"},
}


@pytest.mark.parametrize("name", SAME)
def test_one_answer_to_every_question_stops_no_grading(name, monkeypatch):
    class Parrot(Stranger):
        def receive(self, *_: Any) -> dict[str, Any]:
            if "cells" not in self.asked:
                return on_the_line({"number": self.asked["number"], **SAME[name]})
            self.told += 1
            cell = {"cell": self.told - 1, "text": np.zeros(2), "error": np.zeros(2), "line": "9", "late": np.zeros(2)}
            return on_the_line(cell) if self.told <= self.cells else {"names": [MARK, "\ud800"], "trainings": 3}

    @contextlib.contextmanager
    def session(*_: Any, **__: Any):
        yield Parrot(None)  # type: ignore[arg-type] it draws nothing

    monkeypatch.setattr(again.sandbox, "isolation", lambda: Isolation(True, None))
    monkeypatch.setattr(again.sandbox, "session", session)
    source, options = submission(f"# %%\n{CELL}", "a1"), Options(rerun=True, data=str(digits()), seconds=5)
    findings, _ = again.rerun(source, ASSIGNMENTS["a1"], options)
    assert not any(MARK in own_words(finding.evidence) for finding in findings)
    assert not any(finding.level == "FAIL" for finding in findings)


def test_the_stand_in_is_of_the_sandboxs_form():
    assert {"send", "receive", "end"} <= vars(sandbox.Session).keys()


def test_both_sides_of_the_sandbox_have_the_same_limits():
    for name in ("SHARE", "MOST_CELL_TEXT"):  # the inner side imports nothing of the outer one
        assert getattr(again, name) == getattr(notebook, name)
    assert INTERIOR == watch.INTERIOR
