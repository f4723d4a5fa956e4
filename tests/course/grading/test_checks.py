"""The tables govern what is checked in outputs: what is struck there is not run, and every check is named there."""

import dataclasses
import importlib
import inspect
import json
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator

import pytest

from course import paths
from course.assignments import ASSIGNMENTS, HINTS
from course.assignments.task import FILE, Task
from course.grading import common, judging
from course.grading import grade as grading
from course.grading.case import Case, case_of
from course.grading.checks import checks_of
from course.grading.corpus.notebooks import NAME, class_cells, notebook
from course.grading.verdicts import Finding
from course.notebooks import reading

ENTRIES = []
for _assignment in ASSIGNMENTS.values():
    for _task in _assignment.tasks:
        ENTRIES += [(_assignment.key, _task.name, name) for name in _task.from_outputs]
MARK = Finding("FAIL", "ran", "it was run")


def marked(submission: Case, task: Task) -> Iterator[Finding]:
    yield MARK


def module_of(key: str, name: str):
    own = importlib.import_module(f"course.grading.{key}.outputs")
    return own if hasattr(own, name) else common


def task_of(key: str, name: str) -> Task:
    return next(task for task in ASSIGNMENTS[key].tasks if task.name == name)


def without(task: Task, name: str) -> Task:
    """Return a task from whose table one name is struck."""
    return dataclasses.replace(task, from_outputs=tuple(other for other in task.from_outputs if other != name))


@pytest.fixture(scope="module")
def own(own_submissions) -> dict[str, Case]:
    return {
        key: case_of(reading.parse(f"max_mustermann_{key}.ipynb", content), ASSIGNMENTS[key])
        for key, content in own_submissions.items()
    }


@pytest.mark.parametrize(("key", "task", "name"), ENTRIES, ids=str)
def test_a_check_that_is_struck_from_the_table_is_not_run(key, task, name, own, monkeypatch):
    monkeypatch.setattr(module_of(key, name), name, marked)
    mark = MARK._replace(task=task)
    assert mark in judging.judge_task(own[key], task_of(key, task))
    assert mark not in judging.judge_task(own[key], without(task_of(key, task), name))


@pytest.mark.parametrize("key", ASSIGNMENTS)
def test_what_a_struck_check_says_is_said_by_nobody_else(key, own):
    """With the real checks: nothing of what one says of our own submission appears without it."""
    findings = set(judging.judge(own[key]))
    for task in ASSIGNMENTS[key].tasks:
        for name, check in zip(task.from_outputs, checks_of(ASSIGNMENTS[key], task, "outputs"), strict=True):
            of_check = {finding._replace(task=task.name) for finding in check(own[key], task)}
            rest = set(judging.judge_task(own[key], without(task, name)))
            assert of_check <= findings and not of_check & rest, (task.name, name)


def test_the_checks_of_the_file_are_named_too(monkeypatch):
    assert set(FILE.from_outputs) <= {name for name, _ in inspect.getmembers(common, inspect.isfunction)}
    submitted = case_of(reading.parse(NAME, notebook(class_cells())), ASSIGNMENTS["a1"])
    for name in FILE.from_outputs:
        with monkeypatch.context() as patch:
            patch.setattr(common, name, marked)
            assert MARK._replace(task="file") in judging.judge_task(submitted, FILE)
            assert MARK._replace(task="file") not in judging.judge_task(submitted, without(FILE, name))


def checks_in(module) -> set[str]:
    """Return the public functions that a module defines, and that take what a check takes."""
    names = set()
    for name, function in inspect.getmembers(module, inspect.isfunction):
        own = function.__module__ == module.__name__ and not name.startswith("_")
        if own and list(inspect.signature(function).parameters) == ["submission", "task"]:
            names.add(name)
    return names


def test_every_check_is_named_in_a_table():
    everywhere = {name for _, _, name in ENTRIES} | set(FILE.from_outputs)
    assert checks_in(common) <= everywhere
    for key in ASSIGNMENTS:
        module = importlib.import_module(f"course.grading.{key}.outputs")
        assert checks_in(module) <= {name for of, _, name in ENTRIES if of == key}


def test_a_name_without_a_function_is_a_sentence():
    task = dataclasses.replace(ASSIGNMENTS["a1"].tasks[0], from_outputs=("unheard_of",))
    with pytest.raises(ValueError, match="a1, task A1: no check by outputs is called unheard_of"):
        checks_of(ASSIGNMENTS["a1"], task, "outputs")


@pytest.mark.parametrize("key", ASSIGNMENTS)
def test_findings_of_our_own_submission_have_hints_where_they_doubt(key, own):
    findings = judging.judge(own[key])
    assert findings and all(f.level == "PASS" or f.code in HINTS for f in findings)
    assert {f.task for f in findings} <= {task.name for task in ASSIGNMENTS[key].graded}


# ---------------------------------------------------------------- what grading from outputs loads


PROGRAM = """
    import json, sys
    from course.grading import grade
    from course.grading.judging import Options, grade_content
    content = open(sys.argv[1], "rb").read()
    verdict = grade_content("max_mustermann_a1.ipynb", content, Options()).verdict
    heavy = [name for name in ("torch", "torchvision", "sklearn") if name in sys.modules]
    ours = [name for name in sys.modules if name.startswith(("course.grading.rerun", "course.grading.corpus"))]
    print(json.dumps([verdict.verdict, heavy, ours]))
"""


def test_grading_from_outputs_loads_neither_torch_nor_what_reruns_need(tmp_path):
    file = tmp_path / NAME
    file.write_bytes(notebook(class_cells()))
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM), str(file)]
    output = subprocess.run(command, cwd=paths.ROOT, capture_output=True, text=True, check=True).stdout
    assert json.loads(output) == ["PASS", [], []]


def test_a_rerun_without_its_folder_is_refused_in_one_sentence(tmp_path, monkeypatch):
    file = tmp_path / NAME
    file.write_bytes(notebook(class_cells()))
    monkeypatch.setitem(sys.modules, "course.grading.rerun", None)  # as importing it fails where it was deleted
    with pytest.raises(ValueError, match="--rerun needs the folder course/grading/rerun, which is not here"):
        grading.grade([str(file)], tmp_path / "out", judging.Options(rerun=True), workers=1)


def test_every_doubt_and_failure_has_a_sentence_for_the_student():
    said = re.compile(r'Finding\(\s*"(?:LOOK|FAIL)",\s*"(\w+)"')
    files = [path for path in (paths.ROOT / "course" / "grading").rglob("*.py") if "corpus" not in path.parts]
    codes = {code for path in files for code in said.findall(path.read_text(encoding="utf-8"))}
    assert len(codes) > 50 and codes <= HINTS.keys()
