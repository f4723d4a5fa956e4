"""Say in a table what would be graded, without grading it."""

from pathlib import Path

from course.inbox.collect import collect
from course.inbox.roster import read_roster
from course.inbox.rows import Row, counts, ignored_text, unknown_assignment
from course.inbox.spellings import Named, may_be_one
from course.notebooks.visible import visible

WIDEST = 60


def listing(paths: list[str], layout: str, assignment: str | None, roster: Path | None) -> str:
    """Return a line a row, then how many there are.

    Raises:
        ValueError, OSError: what was given cannot be read.
    """
    people = read_roster(roster) if roster else []
    collected = collect(paths, layout=layout, assignment=assignment, people=people, leave=[roster] if roster else [])
    lines = [line_of(row) for row in collected.rows]
    widths = [min(WIDEST, max((len(line[at]) for line in lines), default=0)) for at in range(3)]
    table = ["  ".join([*(c.ljust(w) for c, w in zip(line, widths, strict=False)), line[3]]) for line in lines]
    doubts = may_be_one(Named(row.key, row.person, row.id) for row in collected.rows)
    ends = [*doubts, *filter(None, [ignored_text(collected.ignored)]), counts(collected.rows)]
    return "\n".join([*map(visible, collected.layouts), *table, *map(visible, ends)])


def line_of(row: Row) -> tuple[str, str, str, str]:
    """Return file, person, assignment, and what becomes of it."""
    remarks = [row.problem.text if row.problem else "", *(remark.text for remark in row.remarks)]
    if row.status == "graded":
        remarks.append(unknown_assignment(row) if not row.problem else "")
    why = "; ".join(filter(None, remarks)) if row.status == "graded" else ""
    cells = (
        row.file,
        row.person or "?",
        row.assignment or "?",
        f"{row.status_text}{f', a person looks: {why}' if why else ''}",
    )
    return tuple(map(visible, cells))  # pyright: ignore[reportReturnType]
