"""Each promise of the grader's page names a test, and the test is there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "how_measured.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (?P<promise>[^|`]+) \| `(?P<file>[\w/]+\.py)::(?P<test>\w+)` \|$")


def rows() -> list[str]:
    table = PAGE.partition("## What is promised")[2]
    return [line for line in table.splitlines() if line.startswith("|")][2:]


def names_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_there_are_promises():
    assert len(rows()) >= 25


@pytest.mark.parametrize("row", rows())
def test_the_test_that_holds_a_promise_exists(row):
    found = ROW.match(row)
    assert found, f"a row is '| promise | `file::test` |', not {row}"
    assert found["test"] in names_in(ROOT / found["file"])
