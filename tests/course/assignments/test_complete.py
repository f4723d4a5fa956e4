"""All places of an assignment: notebook, module, checks, table, grading, sheet. What is forgotten is named."""

import pytest

from course import paths
from course.assignments import ASSIGNMENTS
from course.grading.checks import checks_of
from helpers import checks

STEMS = [path.stem for path in paths.notebook_paths([])]
OWNERS = {stem: key for key, assignment in ASSIGNMENTS.items() for stem in assignment.notebooks}


@pytest.mark.parametrize("stem", STEMS)
def test_every_notebook_belongs_to_an_assignment(stem):
    assert stem in OWNERS, f"notebooks/{stem}.ipynb stands in no table: add it to one in course/assignments"


@pytest.mark.parametrize("key", list(ASSIGNMENTS))
def test_every_assignment_has_its_notebooks_and_their_modules(key):
    for stem, module in zip(ASSIGNMENTS[key].notebooks, ASSIGNMENTS[key].modules, strict=True):
        assert stem in STEMS, f"{key} lacks notebooks/{stem}.ipynb"
        assert (paths.ROOT / "helpers" / f"{module}.py").is_file(), f"{key} lacks helpers/{module}.py"


@pytest.mark.parametrize("key", list(ASSIGNMENTS))
@pytest.mark.parametrize("place", ["course/handout/sheets/{}.md", "tests/helpers/checks/other_{}.py"])
def test_every_assignment_has_its_sheet_and_a_second_solution(key, place):
    assert (paths.ROOT / place.format(key)).is_file(), f"{key} lacks {place.format(key)}"


@pytest.mark.parametrize("key", list(ASSIGNMENTS))
def test_the_table_names_the_checks_and_they_are_there(key):
    module = f"helpers/checks/{key}.py"
    written = {one.key for one in checks.all_checks(key)}
    for task in ASSIGNMENTS[key].tasks:
        for name in task.checks:
            assert f"{key}.{task.name}.{name}" in written, f"{key}, task {task.name}: no check {name} in {module}"
            written.discard(f"{key}.{task.name}.{name}")
    assert not written, (
        f"the table of {key} does not name {', '.join(sorted(written))}: add them to the checks of their tasks"
    )


@pytest.mark.parametrize("key", list(ASSIGNMENTS))
def test_every_open_function_has_its_check(key):
    for task in ASSIGNMENTS[key].tasks:
        called = {name for one in checks.all_checks(key) if one.task == task.name for name in one.of}
        for region in task.regions:
            assert region in called, (
                f"{key}, task {task.name}: no check calls {region}; write one in helpers/checks/{key}.py"
            )


@pytest.mark.parametrize("key", list(ASSIGNMENTS))
def test_every_task_has_its_checks_in_grading(key):
    for task in ASSIGNMENTS[key].tasks:
        assert task.from_outputs or task.from_rerun, f"{key}, task {task.name}: its table names no check at all"
        for kind in ("outputs", "behaviour"):
            assert all(callable(check) for check in checks_of(ASSIGNMENTS[key], task, kind))
