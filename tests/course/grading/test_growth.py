"""What the grader does with a source grows as the source does: it is counted in calls, never in time."""

import gc
import sys
from collections.abc import Callable

import pytest

from course import assignments
from course.grading import judging, sources
from course.grading.case import case_of
from course.grading.corpus.notebooks import cell, notebook, text_output
from course.notebooks.reading import parse

SHORT, TIMES = 40, 4
FASTER_THAN_LENGTH = 6.0  # at four times the length; 16 where each part is looked at for each other one


def functions(n: int) -> str:
    return "\n".join(f"def f{i}():\n    loss.backward()\n    step()" for i in range(n))


def lines(text: str, n: int) -> str:
    return "\n".join(text.replace("#", str(i)) for i in range(n))


def sums(n: int) -> str:
    """Names that stand for sums of the same next name, seven levels deep."""
    levels = [f"x{i} = " + " + ".join([f"x{i + 1}"] * n) for i in range(8)]
    return "\n".join([*levels, "x8 = 1", "train_loader = x0", "test_loader = x0", "betas = x0", "std = x0"])


def names(start: str, n: int) -> str:
    """As many lines as names in what they all name; no tree is deep."""
    return f"big = [{', '.join(f'a{i}' for i in range(n))}]\nnumbers = {list(range(n))}\n{lines(start, n)}"


KINDS: dict[str, Callable[[int], str]] = {
    "trainings": functions,
    "callers": lambda n: functions(n) + "\n" + lines("def g#():\n    f#()", n),
    "loops over test data": lambda n: lines("for x in test_loader#:\n    loss.backward(); o.step()", n),
    "loaders": lambda n: names("train_loader# = big", n),
    "test sets": lambda n: "images = MNIST(train=True)\n" + names("test_set# = (images, big[0], big)", n),
    "many names of test sets": lambda n: "images = MNIST(train=True)\n" + names("test_set# = [images, big]", n),
    "loops over numbers": lambda n: names("for b in numbers:\n    train(b)", n),
    "chains": lambda n: lines("def reparam#():\n    return reparam#1()", n) + "\n" + lines("g#()", n),
    "one function": lambda n: (
        "def f():\n" + lines("    return reparam#(a#)", n) + "\n" + lines("f(beta=1, epochs=3)", n)
    ),
    "functions that draw": lambda n: lines("def sample#():\n    return reparam#()", n) + "\n" + functions(n),
    "betas": lambda n: lines("f#(beta=3); f#(beta=10); h#()", n),
    "arguments": lambda n: f"def f({', '.join(f'a{i}' for i in range(n))}): pass\n" + lines("f(1)", n),
    "formulas": lambda n: names("kl# = big * 2 + logvar.exp()", n),
    "formulas of wide ones": lambda n: (
        f"wide = f({' , '.join(f'(a{i} + 1)' for i in range(n))}).exp()\n" + lines("kl# = mu * wide + logvar.exp()", n)
    ),
    "titles": lambda n: "def f():\n    if 1:\n" + lines("        plt.title('figure #a')", n) + "\n" + lines("f()", n),
    "encoders": lambda n: "TSNE\n" + names("encode(big)", n),
    "directions": lambda n: lines("direction# = sneaker - boot", n),
}


def calls_of(assignment: str, source: str) -> int:
    """Count the calls, of functions in Python and in C, that judging this source takes."""
    content = notebook([cell("import torch"), cell(source, text_output("Dataset 1: ELBO = -4.4, KL = 0.2, NLL = 4.2"))])
    case = case_of(parse("", content), assignments.find(assignment))
    count = 0

    def note(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    gc.collect()
    sys.setprofile(note)
    try:
        judging.judge(case)
    finally:
        sys.setprofile(None)
    return count


def growth(source: Callable[[int], str], assignment: str, short: int) -> float:
    """Return how many times as many calls a source takes that is so many times as long."""
    calls_of(assignment, "")  # what is loaded once
    base = calls_of(assignment, "")
    return (calls_of(assignment, source(TIMES * short)) - base) / (calls_of(assignment, source(short)) - base)


OTHERS = [("loops over numbers", "a3"), ("one function", "a3"), ("functions that draw", "a3"), ("encoders", "a5")]


@pytest.mark.parametrize(("kind", "assignment"), [*((kind, key) for kind in KINDS for key in ("a1", "a4")), *OTHERS])
def test_work_grows_as_the_source_does(kind, assignment):
    assert growth(KINDS[kind], assignment, SHORT) < FASTER_THAN_LENGTH


@pytest.mark.parametrize("assignment", ["a1", "a3", "a4", "a5"])
def test_names_that_stand_for_sums_of_names_are_followed_once(assignment):
    assert growth(sums, assignment, 3) < FASTER_THAN_LENGTH


def test_strings_that_are_put_together_are_cut_at_each_level():
    source = "plt.title(" + " + ".join([f'"{"a" * 1000}"'] * 100) + ")\nplt.title(" + "+".join(["'bb'"] * 9) + ")"
    code = sources.Sources(parse("", notebook([cell(source)])).cells)
    (tree,) = code.trees
    parts = [sources.literal(node) for node in sources.walk(tree)]
    assert max(map(len, parts)) == sources.LONGEST_TITLE + 1
    assert code.reach(0).titles == ("a" * sources.LONGEST_TITLE, " ".join(["bb"] * 9))
