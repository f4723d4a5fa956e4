"""The command line: one sentence on what a user can mend, one spelling of an assignment for all verbs."""

import importlib

import pytest
from typer.testing import CliRunner

from course.__main__ import app, key_of, one_sentence
from course.assignments import ASSIGNMENTS


def invoke(*arguments):
    return CliRunner().invoke(app, list(arguments))


@pytest.mark.parametrize("spelling", ["a1", "A1", "1"])
def test_an_assignment_may_be_spelt_in_three_ways(spelling):
    assert key_of(spelling) == "a1" and key_of(None) is None
    shown = invoke("submit", "--first", "Max", "--last", "Mustermann", "--assignment", spelling, "--dry-run")
    assert shown.output == "max_mustermann_a1.ipynb\n"


@pytest.mark.parametrize("spelling", ["A2", "2"])
def test_validate_release_and_grade_take_each_spelling(spelling, tmp_path, monkeypatch):
    calls = {}
    for module, function in (
        ("handin.validate", "validate"),
        ("handout.release", "release"),
        ("grading.grade", "grade"),
    ):
        where = importlib.import_module(f"course.{module}")

        def record(*arguments, name=function, **_):
            calls[name] = next((a for a in map(assignment_in, arguments) if a), None)
            raise ValueError("far enough")

        monkeypatch.setattr(where, function, record)
    for arguments in (["validate", "x.ipynb"], ["release", str(tmp_path / "r")], ["grade", "x.ipynb"]):
        invoke(*arguments, "--assignment", spelling)
    assert calls == {"validate": "a2", "release": "a2", "grade": "a2"}


def assignment_in(argument):
    key = getattr(argument, "assignment", argument)
    return key if key in tuple(ASSIGNMENTS) else None


@pytest.mark.parametrize("verb", [["validate", "x.ipynb"], ["release", "r"], ["grade", "x.ipynb"]], ids=lambda v: v[0])
def test_an_unknown_assignment_is_one_sentence(verb, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = invoke(*verb, "--assignment", "a99")
    assert str(result.exception).startswith(f"{verb[0]}: there is no assignment 'a99'")
    assert not list(tmp_path.iterdir())


def test_a_missing_package_is_one_sentence_and_a_bug_of_ours_is_none():
    with (
        pytest.raises(SystemExit, match=r"validate: the package libcst is missing: pip install 'vae-solutions\[course"),
        one_sentence("validate"),
    ):
        raise ModuleNotFoundError("No module named 'libcst'", name="libcst")
    with pytest.raises(ModuleNotFoundError), one_sentence("validate"):
        raise ModuleNotFoundError("No module named 'course.gone'", name="course.gone")
    with pytest.raises(SystemExit, match="run: interrupted"), one_sentence("run"):
        raise KeyboardInterrupt
