"""A cell may be run twice: who tries things in a notebook does that all the time."""

import ast
import copy
import dis
from pathlib import Path

import nbformat
import pytest

from course.notebooks.running import client_of, kernel_environment

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))
CHANGING = {  # methods that leave a collection other than it was
    "pop", "popitem", "append", "extend", "insert", "remove", "clear", "update", "add", "discard", "setdefault", "sort",
    "reverse",
}  # fmt: skip
THE_SAME_AGAIN = {"encode_to_mu", "plane"}  # partial of a partial with the same argument; as_tensor of a tensor


def bound_anew(source: str) -> set[str]:
    """Return names that a cell reads before it binds them itself: the second run finds what the first has left."""
    read: set[str] = set()
    stored: set[str] = set()
    anew: set[str] = set()
    for step in dis.get_instructions(compile(source, "cell", "exec")):
        if step.opname == "LOAD_NAME" and step.argval not in stored:
            read.add(step.argval)
        elif step.opname in ("STORE_NAME", "DELETE_NAME"):
            anew |= {step.argval} & read
            stored.add(step.argval)
    return anew


def changed_from_afar(source: str) -> set[str]:
    """Return names of other cells' collections that a cell changes."""
    tree = ast.parse(source)
    own = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    own |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    methods = [
        node.func for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    ]
    objects = [method.value for method in methods if method.attr in CHANGING]
    return {thing.id for thing in objects if isinstance(thing, ast.Name)} - own


def code_cells(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_cell_reads_what_it_changes(path):
    sources = [cell.source for cell in code_cells(path)]
    anew = {name for source in sources for name in bound_anew(source)} - THE_SAME_AGAIN
    assert not anew and not {name for source in sources for name in changed_from_afar(source)}


@pytest.mark.parametrize(
    ("source", "fails"),
    [
        ("x = x[:, 0]", True),
        ("total += 1", True),
        ("print(worst.pop('right'))", True),
        ("del images", False),  # read nowhere in the cell
        ("x = y[:, 0]; x = x + 1", False),
        ("rows = []\nfor a in (1, 2):\n    rows.append(a)", False),
        ("def f(rows):\n    rows.append(1)", False),
    ],
)
def test_what_fails_the_second_time_is_seen(source, fails):
    assert bool(bound_anew(source) | changed_from_afar(source)) == fails


@pytest.mark.long
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_cell_runs_twice_in_a_row(path, tmp_path, monkeypatch):
    monkeypatch.setenv("CHECKPOINTS_DIR", str(tmp_path / "checkpoints"))
    cells = []
    for cell in code_cells(path):
        again = copy.deepcopy(cell)
        again.id = f"{cell.id[:50]}-again"
        cells += [cell, again]
    notebook = nbformat.v4.new_notebook(cells=cells)
    client_of(notebook, path.parent).execute(env=kernel_environment(tmp_path / "figures", quick=True))  # raises
