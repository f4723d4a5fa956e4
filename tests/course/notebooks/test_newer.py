"""Code that this Python does not parse: what a newer one would, and what nobody shall wait for, or fall over."""

import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from course.handin import submit
from course.handin import validate as validation
from course.notebooks import code, newer

NEWER = "d = {'a': 1}\nprint(f'{d['a']}')" if sys.version_info < (3, 12) else "print(t'{d}')"
# valid in a newer Python, as far as nobody has to read it: each took the other grammar minutes, or its process along
ENDLESS = {
    "attributes": "type X[T] = int\nx = a" + ".b" * 9950,
    "brackets": "type X[T] = int\nx = " + "([" * 3000,
    "lambdas": "type X[T] = int\nx = " + "lambda: " * 2400 + "1",
    "hidden patterns": 'type X[T] = int\ns = "' + "]" * 40 + '"\nmatch a:\n case ' + "[" * 32 + "]" * 32 + ": pass",
}
DEEP = {
    "minus": "x = " + "-" * 20_000 + "1",
    "not": "not " * 5000 + "1",
    "lambda": "lambda: " * 3000 + "0",
    "open": "(" * 20_000,
    "brackets": "[" * 5000 + "]" * 5000,
    "items": "x" + "[0]" * 10_000,
    "attributes": "x" + ".b" * 10_000,
    "calls": "x" + "()" * 10_000,
    "if": "a if b else " * 5000 + "1",
    "power": "**".join("a" * 10_000),
    "sum": "x = " + "+".join("a" * 10_000),
    "elif": "if a: pass\n" + "elif b: pass\n" * 5000,
    "format": "f'" + "{" * 5001,
    "names": "print " * 5000,
}


@pytest.fixture(autouse=True)
def ask_again():
    newer._said_of.cache_clear()


@pytest.mark.parametrize("source", [NEWER, f"%matplotlib inline\n{NEWER}", NEWER + "\n# " + "-" * 5000])
def test_newer_syntax_is_known(source):
    assert newer.are_newer_python([source]) == [True]


def test_each_cell_has_its_answer_and_a_very_long_one_has_none():
    cells = ["x = = 1", NEWER, "this is no Python", "x = " + "1 + " * newer.MOST_LETTERS + "(", NEWER]
    assert newer.are_newer_python(cells) == [False, True, False, None, True]


@pytest.mark.parametrize("kind", ENDLESS)
def test_what_the_other_grammar_does_not_take_cannot_be_told(kind):
    assert newer.are_newer_python([NEWER, ENDLESS[kind], NEWER]) in ([True, None, None], [True, False, True])


def test_a_grammar_that_is_not_there_or_never_answers_tells_nothing(monkeypatch):
    monkeypatch.setattr(newer, "WALL_S", 0.01)
    assert newer.are_newer_python([NEWER]) == [None]
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    assert newer.are_newer_python([NEWER]) == [None]


def test_the_folder_of_a_submission_holds_no_grammar_of_ours(tmp_path, monkeypatch):
    for name in ("libcst", "json", "contextlib"):
        (tmp_path / f"{name}.py").write_text("print(0, 0, 0, 0)")
    monkeypatch.chdir(tmp_path)
    assert newer.are_newer_python([NEWER]) == [True]


@pytest.mark.parametrize("kind", DEEP)
def test_what_is_nested_deeply_is_not_parsed(kind):
    assert code.parse_or_none(DEEP[kind]) is None


@pytest.mark.parametrize("depth", [100, 400])
@pytest.mark.parametrize("part", ["-", "lambda: ", "a + ", "[0]"])
def test_whatever_goes_down_a_tree_has_room_for_it(part, depth):
    """Between what is easy and what the parser refuses, trees once stood that no other reader took."""
    source = "direction = " + ("sneaker" + part * depth if part == "[0]" else part * depth + "boot")
    cells = [new_code_cell(f"plt.title({source.partition(' = ')[2]})\n{source}", execution_count=1)]
    remarks = validation.check(nbformat.writes(new_notebook(cells=cells)).encode(), "a5")
    assert not any("not valid" in remark.text for remark in remarks)
    assert (code.parse_or_none(source) is None) == (depth > code.DEEPEST)


@pytest.mark.parametrize("kind", ["sum", "minus", "lambda"])
def test_submit_says_which_cell_is_nested_too_deeply(kind, tmp_path):
    path = tmp_path / "mine.ipynb"
    path.write_text(nbformat.writes(new_notebook(cells=[new_code_cell("x = 1"), new_code_cell(DEEP[kind])])))
    with pytest.raises(ValueError, match=r"mine\.ipynb, code cell 2: .* nested too deeply: write it in several"):
        submit.submit("Max", "Mustermann", "a1", out=tmp_path / "out", notebooks=[path])


def test_it_is_asked_once_for_a_notebook(monkeypatch):
    asked, run = [], newer.subprocess.run
    monkeypatch.setattr(newer.subprocess, "run", lambda *args, **more: asked.append(args) or run(*args, **more))
    cells = [new_code_cell(source, execution_count=n) for n, source in enumerate([NEWER, "x = = 1", NEWER + " "], 1)]
    assert validation.check(nbformat.writes(new_notebook(cells=cells)).encode(), "a1")
    assert len(asked) == 1


def test_a_cell_that_nothing_reads_is_no_mistake_of_its_author(monkeypatch):
    monkeypatch.setattr(validation, "are_newer_python", lambda sources: [None] * len(sources))
    cells = [new_code_cell(NEWER, execution_count=1)]
    remarks = validation.check(nbformat.writes(new_notebook(cells=cells)).encode(), None)
    (remark,) = [remark for remark in remarks if "could not be read here" in remark.text]
    assert not remark.problem and "a tutor will look at it" in remark.text
