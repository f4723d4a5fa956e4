"""The kit of a single-file notebook: its checks, and what handing in needs, packed into the notebook itself.

Students need nothing else on their machine, and read none of it. It is a zip file of Python source in a cell of its
own; the package inside is called ``a1_kit``, so that it never stands in the way of ``helpers`` or ``course``.
"""

import ast
import base64
import io
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import nbformat

from course.assignments import Assignment
from course.handout.lean import HINTS, table
from course.handout.notebooks import folded
from course.paths import ROOT

START = ("course.handin.last_cell", "helpers.checks")  # what a notebook imports of it; the rest follows from imports
IMPORT = re.compile(r"^(\s*from )((?:course|helpers)[\s.])", re.MULTILINE)
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the date of every file in it, so that equal kits are equal to the last byte
FRONT = '''"""Checks of assignment {number}, and handing it in."""

from functools import partial

from {kit}.course.handin.last_cell import hand_in as _hand_in
from {kit}.helpers.checks import check

hand_in = partial(_hand_in, assignment="{key}")
'''
CELL = """\
# Packed Python, which this cell unpacks beside the notebook; there is nothing to read or to change.
import base64
import sys
from pathlib import Path

kit = Path("{kit}.zip").resolve()
kit.write_bytes(base64.b64decode("{packed}"))
sys.path.insert(0, str(kit))
from {kit} import check, hand_in
"""


def kit_cell(assignment: Assignment) -> nbformat.NotebookNode:
    """Make the cell that unpacks the kit of an assignment."""
    packed = base64.b64encode(kit(assignment)).decode()
    return folded(CELL.format(kit=f"{assignment.key}_kit", packed=packed).rstrip(), "the checks, and handing in")


def kit(assignment: Assignment) -> bytes:
    """Return the zip file: the front, the checks, and the part of ``course`` that handing in needs."""
    name = f"{assignment.key}_kit"
    files = {f"{name}/__init__.py": FRONT.format(kit=name, key=assignment.key, number=assignment.key.removeprefix("a"))}
    for path in sorted(_modules(assignment)):
        relative = path.relative_to(ROOT).as_posix()
        files[f"{name}/{relative}"] = IMPORT.sub(rf"\1{name}.\2", path.read_text(encoding="utf-8"))
    files[f"{name}/course/assignments/{assignment.key}.py"] = IMPORT.sub(rf"\1{name}.\2", table(assignment))
    files[f"{name}/course/assignments/hints.py"] = HINTS
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for path, text in sorted(files.items()):
            packed.writestr(zipfile.ZipInfo(path, LONG_AGO), text, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _modules(assignment: Assignment) -> set[Path]:
    """Collect the files of the modules that the kit starts from, and of those that they import in turn."""
    files = files_of([*START, *checks_of([assignment])])
    tables = {path for path in files if path.parent.name == "assignments"}  # they go in leaner
    return files - tables | {ROOT / "course" / "assignments" / name for name in ("__init__.py", "task.py")}


def checks_of(assignments: Iterable[Assignment]) -> list[str]:
    """List the modules of checks that belong to some assignments."""
    keys = "|".join(assignment.key for assignment in assignments)
    stems = [path.stem for path in sorted((ROOT / "helpers" / "checks").glob("*.py"))]
    return [f"helpers.checks.{stem}" for stem in stems if re.fullmatch(rf"(?:{keys})(?:_\w+)?", stem)]


def files_of(modules: Iterable[str], imports: Callable[[str], Iterable[str]] | None = None) -> set[Path]:
    """Collect the files of some modules of ours, and of those that they import in turn.

    Args:
        imports: what some code imports; where it is None, all of ours that it imports when it is loaded.
    """
    imports = imports or imports_at_top
    pending = list(modules)
    files: set[Path] = set()
    while pending:
        base = ROOT.joinpath(*pending.pop().split("."))
        path = next((p for p in (base.with_suffix(".py"), base / "__init__.py") if p.is_file()), None)
        if path is not None and path not in files:
            files.add(path)
            pending += imports(path.read_text(encoding="utf-8"))
            pending += [".".join(parent.parts) for parent in path.relative_to(ROOT).parents if parent.parts]
    return files


def imports_at_top(source: str) -> Iterable[str]:
    """Yield the modules of our packages that some code imports when it is loaded, and names that may be modules."""
    return list(_imports(ast.parse(source).body))


def _imports(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ("course", "helpers"):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
