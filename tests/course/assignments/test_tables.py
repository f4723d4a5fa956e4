"""The assignments' tables: whole, without contradictions, and found by each spelling of their names."""

import ast
import re
from pathlib import Path

import nbformat
import pytest

from course import assignments, paths
from course.assignments import ASSIGNMENTS, FIGURES, HINTS
from course.assignments.task import Assignment, Figure
from course.figures.comparison import TOLERANCES, tolerance
from course.figures.png import FigureError

KEYS = list(ASSIGNMENTS)


def test_the_five_are_there_in_their_order_each_under_its_files_name():
    assert KEYS[:5] == ["a1", "a2", "a3", "a4", "a5"]
    assert all(assignment.key == key for key, assignment in ASSIGNMENTS.items())


@pytest.mark.parametrize("spelling", ["a1", "A1", "1", " a1 "])
def test_an_assignment_is_found_by_each_spelling(spelling):
    assert assignments.find(spelling) is ASSIGNMENTS["a1"]


@pytest.mark.parametrize("spelling", ["a99", "", "a", "first", "99"])
def test_another_word_is_refused_with_the_names_that_there_are(spelling):
    with pytest.raises(ValueError, match=r"no assignment .*: expected one of a1, a2, a3, a4, a5"):
        assignments.find(spelling)


def test_a_new_file_is_a_new_assignment_and_its_key_must_be_its_name(tmp_path, monkeypatch):
    (tmp_path / "a10.py").write_text(
        "from course.assignments.task import Assignment\n"
        "ASSIGNMENT = Assignment(key='a10', title='t', notebooks=(), tasks=(), figures=())\n"
    )
    monkeypatch.setattr(assignments, "__path__", [*assignments.__path__, str(tmp_path)])
    assert list(assignments._tables()) == [*KEYS, "a10"]  # by number: a10 comes after a2
    (tmp_path / "a11.py").write_text((tmp_path / "a10.py").read_text())
    with pytest.raises(ValueError, match=r"a11\.py has the key 'a10', expected 'a11'"):
        assignments._tables()


@pytest.mark.parametrize("key", KEYS)
def test_names_of_tasks_and_figures_are_unique_and_sentences_end(key):
    assignment = ASSIGNMENTS[key]
    names = [task.name for task in assignment.graded]
    assert len(names) == len(set(names)) and names[0] == "file"
    assert all(task.requires.endswith(".") and not task.asks.endswith(".") for task in assignment.graded)
    figures = [figure.name for figure in assignment.figures]
    assert len(figures) == len(set(figures))


def test_a_figure_or_a_hint_stands_in_one_table_only():
    figures, hints = [], list(assignments.COMMON_HINTS)
    for assignment in ASSIGNMENTS.values():
        figures += [figure.name for figure in assignment.figures]
        hints += assignment.hints
    assert sorted(figures) == sorted(FIGURES) and sorted(hints) == sorted(HINTS)


# ---------------------------------------------------------------- figures


def unlisted(assignment: Assignment, names: set[str]) -> set[str]:
    """Return the figures that its notebooks show and its table does not have."""
    return names - {figure.name for figure in assignment.figures}


def shown_by(assignment: Assignment) -> set[str]:
    """Return the figures that stand in the stored outputs of its notebooks."""
    names = set()
    for stem in assignment.notebooks:
        for cell in nbformat.read(paths.NOTEBOOKS / f"{stem}.ipynb", as_version=4).cells:
            names |= {o.metadata["figure"] for o in cell.get("outputs", []) if "figure" in o.get("metadata", {})}
    return names


@pytest.mark.parametrize("key", KEYS)
def test_every_figure_that_a_notebook_shows_stands_in_its_table_and_no_other(key):
    names = shown_by(ASSIGNMENTS[key])
    assert names, "its notebooks show no figure at all"
    assert not unlisted(ASSIGNMENTS[key], names), "add them to the figures of its table, with their tolerance"
    assert {figure.name for figure in ASSIGNMENTS[key].figures} == names


def test_a_figure_that_is_forgotten_is_named():
    shorter = Assignment("a1", "t", (), (), ASSIGNMENTS["a1"].figures[1:])
    assert unlisted(shorter, shown_by(ASSIGNMENTS["a1"])) == {ASSIGNMENTS["a1"].figures[0].name}


def test_the_expected_pictures_are_those_of_the_tables():
    assert {path.stem for path in paths.EXPECTED.glob("*.png")} == set(FIGURES)


def test_each_figure_has_a_tolerance_that_there_is():
    assert {figure.tolerance for figure in FIGURES.values()} <= set(TOLERANCES)
    for name, figure in FIGURES.items():
        assert tolerance(name) is TOLERANCES[figure.tolerance]


def test_a_figure_without_a_table_has_no_tolerance():
    with pytest.raises(
        FigureError, match=r"no assignment's table has the figure unheard_of, .*: add it to the figures"
    ):
        tolerance("unheard_of")


@pytest.mark.parametrize("key", KEYS)
def test_tasks_speak_of_figures_of_their_own_table(key):
    names = {figure.name for figure in ASSIGNMENTS[key].figures}
    for task in ASSIGNMENTS[key].tasks:
        assert set(task.figures) | set(task.expected) <= names, task.name
    first = ASSIGNMENTS[key].figures[0]
    assert ASSIGNMENTS[key].figure(first.name) == first
    with pytest.raises(KeyError, match=rf"add it to course/assignments/{key}\.py"):
        ASSIGNMENTS[key].figure("unheard_of")


def test_a_figure_has_no_tolerance_by_default():
    with pytest.raises(TypeError, match="tolerance"):
        Figure("a_new_one")  # pyright: ignore[reportCallIssue]


# ---------------------------------------------------------------- what else a table names


@pytest.mark.parametrize("key", KEYS)
def test_notebooks_and_modules_are_there(key):
    for stem, module in zip(ASSIGNMENTS[key].notebooks, ASSIGNMENTS[key].modules, strict=True):
        assert (paths.NOTEBOOKS / f"{stem}.ipynb").is_file()
        assert (paths.ROOT / "helpers" / f"{module}.py").is_file()


def functions_in(source: str) -> set[str]:
    """Return the dotted names of all functions and methods of a module."""
    names = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{part.name}" for part in node.body if isinstance(part, ast.FunctionDef)}
    return names


@pytest.mark.parametrize("key", KEYS)
def test_regions_are_functions_of_the_helpers(key):
    modules = {}
    for path in Path(paths.ROOT / "helpers").rglob("*.py"):
        dotted = ".".join(path.relative_to(paths.ROOT / "helpers").with_suffix("").parts)
        modules[dotted] = functions_in(path.read_text(encoding="utf-8"))
    for task in ASSIGNMENTS[key].tasks:
        for region in task.regions:
            module = max((name for name in modules if region.startswith(f"{name}.")), key=len, default="")
            assert module and region.removeprefix(f"{module}.") in modules[module], region


@pytest.mark.parametrize("key", KEYS)
def test_patterns_are_regular_expressions(key):
    for task in ASSIGNMENTS[key].tasks:
        for what, pattern in (*task.prints, *task.writes):
            assert what and re.compile(pattern)
