"""What a grading leaves behind, all of it from the outcomes: tables, feedback, the page, and what a platform takes."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from course import paths
from course.grading import alike, feedback, outcomes, tables, worksheet
from course.grading.outcomes import Outcome, Standing
from course.grading.page import graded_tasks, page
from course.grading.verdicts import Verdict
from course.inbox.collect import AUTO
from course.inbox.decisions import Decision, read_decisions, remember
from course.inbox.roster import Listed, absent, by_name, read_roster
from course.inbox.rows import counts
from course.inbox.spellings import Named, may_be_one
from course.inbox.tables import Table, read_table
from course.notebooks.reading import printable
from course.notebooks.visible import visible
from helpers.core.files import write_whole

MOST_NAMES = 8  # in a line
MOST_LINES = 20  # of one kind on the screen


class Telling(NamedTuple):
    """What a tutor wants besides the verdicts."""

    layout: str = AUTO
    delimiter: str = ","
    roster: Path | None = None
    deadline: str | None = None
    feedback_zip: Path | None = None
    worksheet: Path | None = None


class Prepared(NamedTuple):
    """What the tutor's own files say, read before anything is graded."""

    tell: Telling
    decisions: list[Decision]
    people: list[Listed]
    deadline: float | None
    worksheet: Table | None


def prepared(out: Path, tell: Telling) -> Prepared:
    """Read the tutor's own files.

    Raises:
        ValueError, OSError: one of them cannot be read, or holds something else.
    """
    if len(tell.delimiter) != 1:
        raise ValueError(f"--delimiter is one character, ',' or ';', not {tell.delimiter!r}")
    sheet = read_table(tell.worksheet) if tell.worksheet else None
    if sheet is not None:
        worksheet.columns_of(sheet)
    return Prepared(
        tell,
        read_decisions(out),
        read_roster(tell.roster) if tell.roster else [],
        outcomes.deadline_of(tell.deadline),
        sheet,
    )


def write(out: Path, found: Sequence[Outcome], ready: Prepared, console: Console) -> list[Outcome]:
    """Write all that a tutor and students read; return the outcomes with the tutor's decisions on top.

    Raises:
        OSError: it cannot be written; each file is whole or as it was.
    """
    applied = outcomes.apply(found, ready.decisions, out)
    final = [replace(o, late=ready.deadline is not None and o.row.time > ready.deadline) for o in applied.outcomes]
    people = outcomes.standings(final)
    lines = list(dict.fromkeys(applied.lines))
    judged = [o.row for o in found if o.verdict]  # with those that a decision set aside: it may be taken back
    remember(out, judged, [o.row for o in found if not o.verdict])
    lines += tables.keep_or_write(out, "grades.csv", tables.grades(final, ready.tell.delimiter))
    lines += tables.keep_or_write(
        out, "students.csv", tables.students(people, final, ready.people, ready.tell.delimiter)
    )
    lines += may_be_one(Named(o.row.key, o.row.person, o.row.id) for o in final)
    lines += against_roster(people, ready.people)
    copy_expected(out, [o.verdict for o in final if o.verdict])
    feedback.write(out, people)
    if ready.tell.feedback_zip is not None:
        write_whole(ready.tell.feedback_zip, feedback.zipped(people))
        lines.append(f"feedback for the students: {ready.tell.feedback_zip}")
    lines += fill_worksheet(out, final, ready)
    html = page(final, out, notes=alike.notes(final), summary=counts([o.row for o in final]))
    write_whole(out / "index.html", printable(html).encode())  # a link to a name that is no text may lead nowhere
    say(lines, console)
    return final


def against_roster(people: Sequence[Standing], roster: Sequence[Listed]) -> list[str]:
    """Say in a line who is on one side only: a name that is on no roster may be a misspelt one of it."""
    if not roster:
        return []
    there = [person for person in people if not person.key.startswith("/")]  # who has no name has a LOOK for it
    missing = len(absent(roster, [person.seen for person in people]))
    listed = by_name(roster)
    strange = [person.name for person in there if person.seen.name_key not in listed]
    more = f" and {len(strange) - MOST_NAMES} more" if len(strange) > MOST_NAMES else ""
    unknown = f"; not on it: {', '.join(strange[:MOST_NAMES])}{more}" if strange else ""
    return [f"roster: {missing} handed in nothing{unknown}"]


def fill_worksheet(out: Path, found: Sequence[Outcome], ready: Prepared) -> list[str]:
    """Write a filled copy of Moodle's worksheet; return what to say of it."""
    if ready.worksheet is None or ready.tell.worksheet is None:
        return []
    filled = worksheet.filled(ready.worksheet, found)
    path = out / ready.tell.worksheet.name
    if path.absolute() == ready.tell.worksheet.absolute():
        path = path.with_name(f"filled-{path.name}")
    write_whole(path, filled.content)
    why = "; a person is found in it by Moodle's number, and none here has a number of it" if not filled.known else ""
    if len({outcome.row.assignment for outcome in found if outcome.verdict}) > 1:
        why += "; it is of one assignment, so whoever handed in several stays open: give it with one download"
    return [f"{path}: {filled.count} lines of the worksheet filled in{why}; yours was left as it is", *filled.lines]


def say(lines: Sequence[str], console: Console) -> None:
    """Print what a tutor should know, not more of it than anybody reads."""
    for line in lines[:MOST_LINES]:
        console.print(visible(line), markup=False, highlight=False, soft_wrap=True)
    if len(lines) > MOST_LINES:
        console.print(f"... and {len(lines) - MOST_LINES} more such lines", markup=False, highlight=False)


def copy_expected(out: Path, verdicts: Sequence[Verdict]) -> None:
    """Copy our own figures that belong beside the submitted ones."""
    names: set[str] = set()
    for verdict in verdicts:
        for task in graded_tasks(verdict):
            names.update(task.expected)
    for name in sorted(names):
        picture = paths.EXPECTED / f"{name}.png"
        if picture.is_file():
            write_whole(out / "expected" / picture.name, picture.read_bytes())
