"""How much of the helpers goes into a submission: joins each assignment's stored notebooks, and prints a row each.

python -m course.dev.sizes
"""

import nbformat
from rich.console import Console
from rich.table import Table

from course.assignments import ASSIGNMENTS, Assignment
from course.handin.submit import join, stored_notebooks


def helper_cells(nb: nbformat.NotebookNode, first_own: str) -> list[nbformat.NotebookNode]:
    """Return the cells that stand before the first one of the notebooks themselves."""
    place = next(i for i, cell in enumerate(nb.cells) if cell.source == first_own)
    return nb.cells[:place]


def sizes(assignment: Assignment) -> tuple[int, int, int, int, bool]:
    """Return lines of helpers, number of the first own cell, cells, bytes, and whether the helpers import torch."""
    sources = stored_notebooks(assignment)
    nb, _ = join(sources, assignment, "Max Mustermann", executed=False)
    before = helper_cells(nb, nbformat.read(sources[0], as_version=4).cells[0].source)
    code = [cell.source for cell in before if cell.cell_type == "code"]
    lines = sum(source.count("\n") + 1 for source in code)
    return lines, len(before) + 1, len(nb.cells), len(nbformat.writes(nb).encode()), "import torch" in "\n".join(code)


def main() -> int:
    table = Table(title="Submissions, from the stored outputs")
    for column in ("assignment", "helper lines", "first own cell", "cells", "bytes", "torch"):
        table.add_column(column, justify="left" if column == "assignment" else "right")
    for key, assignment in ASSIGNMENTS.items():
        lines, first, cells, size, torch = sizes(assignment)
        table.add_row(key, f"{lines:,}", str(first), str(cells), f"{size:,}", "yes" if torch else "no")
    Console().print(table)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
