"""What tutors decided by hand: a table that the grader reads at each run, and writes only when it is told to."""

import csv
import datetime
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from course.assignments import ASSIGNMENTS
from course.inbox import spellings
from course.inbox.rows import Row
from course.inbox.tables import BOM, harmless, parse_table, read_table, write_table
from course.inbox.uploads import person_key
from course.notebooks.visible import quoted, visible
from helpers.core.files import write_whole

FILE = "decisions.csv"
ROWS = ".written/rows.json"  # what the last grading found
COLUMNS = ("person", "assignment", "task", "verdict", "comment", "sha256", "time")
NEEDED = COLUMNS[:4]
ALL = "all"
LEVELS = ("PASS", "FAIL", "LOOK")


class Decision(NamedTuple):
    """One line of the table."""

    person: str  # a name, a number or a file
    assignment: str
    task: str  # or "all"
    verdict: str
    comment: str
    sha256: str  # of the file that it is about; without it the line is reported and not applied
    line: int

    @property
    def text(self) -> str:
        return f"{self.person} {self.assignment} {self.task} {self.verdict}"


def read_decisions(out: Path) -> list[Decision]:
    """Return all decisions in a folder of grades, in their order; none where there is no table.

    Raises:
        ValueError: a line that is no decision.
        OSError: the table cannot be read.
    """
    path = out / FILE
    if not path.exists():
        return []
    rows = read_table(path).rows
    header = [cell.strip().lower() for cell in rows[0]] if rows else []
    missing = [name for name in NEEDED if name not in header]
    if missing:
        raise ValueError(f"{path} has no column {', '.join(missing)}: expected {', '.join(COLUMNS)} in its first line")
    decisions = []
    for line, row in enumerate(rows[1:], start=2):
        cells = {name: row[at].strip() if at < len(row) else "" for at, name in enumerate(header)}
        decisions.append(decision_of(cells, line, path))
    return decisions


def decision_of(cells: dict[str, str], line: int, path: Path) -> Decision:
    """Return a line as a decision.

    Raises:
        ValueError: its assignment, task or verdict is unknown.
    """
    where = f"{path}, line {line}" if line else "this decision"
    key = cells["assignment"].lower()
    if key not in ASSIGNMENTS:
        raise ValueError(f"{where}: there is no assignment {cells['assignment']!r}: expected {', '.join(ASSIGNMENTS)}")
    verdict = cells["verdict"].upper()
    if verdict not in LEVELS:
        raise ValueError(f"{where}: expected {', '.join(LEVELS)}, not {cells['verdict']!r}")
    task = task_of(key, cells["task"], where)
    return Decision(
        cells["person"], key, task, verdict, cells.get("comment", ""), cells.get("sha256", "").lower(), line
    )


def task_of(assignment: str, name: str, where: str) -> str:
    """Return a task as its table spells it; or "all".

    Raises:
        ValueError: the assignment has none of this name.
    """
    tasks = [ALL, *(task.name for task in ASSIGNMENTS[assignment].graded)]
    found = next((task for task in tasks if task.lower() == name.strip().lower()), None)
    if found is None:
        raise ValueError(f"{where}: {assignment} has no task {name!r}: expected one of {', '.join(tasks)}")
    return found


# ---------------------------------------------------------------- about whom


class Known(NamedTuple):
    """What a decision has to know of a row, whether it was graded or not."""

    person: str
    id: str
    key: str
    assignment: str
    file: str
    name: str
    sha256: str
    status: str  # why it was not graded; empty where it was


def label_of(row: Row | Known) -> str:
    """Return what to call a row's person, or its file where nobody is known."""
    if not row.key:
        return row.file
    return f"{row.person} #{row.id}" if "#" in row.key else row.person


def who(row: Row) -> str:
    """Return what a command calls a row: its person, or its file where that person handed in several that count."""
    return row.file if any(remark.code == "several" for remark in row.remarks) else label_of(row)


def is_about(decision: Decision, row: Row) -> bool:
    """Say whether a decision is about what a row's person handed in for its assignment."""
    return decision.assignment == row.assignment and names(decision.person, row)


def names(text: str, row: Row | Known) -> bool:
    """Say whether a text means a row: by its person's name in any spelling, a number, or its file."""
    return names_person(text, row) or text in (row.name, harmless(row.name))


def names_person(text: str, row: Row | Known) -> bool:
    """Say whether a text means a row by what its person did not choose: a name, a number, or the path of a file."""
    key = spellings.letters_of(text)
    return (
        text in (row.file, harmless(row.file))
        or (bool(text) and text == row.id)
        or (bool(key) and key == person_key(row.key))
    )


class Sorted(NamedTuple):
    """Decisions as they are to be applied to one row, and those that are not."""

    applied: dict[str, Decision]  # by task; of two on one, the later
    anew: list[Decision]  # about a file that was since handed in anew
    untied: list[Decision]  # about no file in particular: written by hand, without its hash


def for_row(decisions: Sequence[Decision], row: Row) -> Sorted:
    """Return the decisions about a row: only those about this very file count."""
    applied: dict[str, Decision] = {}
    anew: dict[str, Decision] = {}
    untied: dict[str, Decision] = {}
    for decision in decisions:
        if is_about(decision, row):
            kind = applied if decision.sha256 == row.sha256 else anew if decision.sha256 else untied
            kind[decision.task] = decision
    open_ones = [[decision for task, decision in kind.items() if task not in applied] for kind in (anew, untied)]
    return Sorted(applied, *open_ones)


# ---------------------------------------------------------------- writing


def decide(out: Path, person: str, assignment: str, task: str, verdict: str, why: str) -> Decision:
    """Add a decision about what the last grading into a folder found, tied to the file that it is about.

    Raises:
        ValueError: nobody, or several files, can be meant; an unknown task or verdict; nothing was graded there.
        OSError: the table cannot be written.
    """
    read_decisions(out)  # a table that cannot be read is not to be written to
    rows = remembered(out)
    row = row_meant(rows, person, assignment)
    rows = [row for row in rows if not row.status]
    label = label_of(row)
    if sum(names(label, other) and other.assignment == assignment for other in rows) > 1:
        label = row.file
    cells = {"person": harmless(label), "assignment": assignment, "task": task, "verdict": verdict, "comment": why}
    decision = decision_of({**cells, "sha256": row.sha256}, 0, out / FILE)
    now = datetime.datetime.now().strftime("%Y-%m-%d %H:%M")
    append(out / FILE, {**cells, "sha256": row.sha256, "task": decision.task, "verdict": decision.verdict, "time": now})
    return decision


def remembered(out: Path) -> list[Known]:
    """Return what the last grading into a folder found.

    Raises:
        ValueError: nothing was graded into it.
        OSError: it cannot be read.
    """
    try:
        return [Known(*(str(row[name]) for name in Known._fields)) for row in json.loads((out / ROWS).read_bytes())]
    except FileNotFoundError as error:
        raise ValueError(f"nothing was graded into {out}: grade first, or name the folder with --out") from error
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{out / ROWS} is damaged: grade again, which writes it anew") from error


def remember(out: Path, graded: Sequence[Row], others: Sequence[Row]) -> None:
    """Write down what decisions can be about, and what they cannot, with the reason.

    Raises:
        OSError: it cannot be written.
    """
    known = [known_as(row, "") for row in graded] + [known_as(row, row.status_text) for row in others]
    write_whole(out / ROWS, json.dumps([one._asdict() for one in known], indent=1).encode())


def known_as(row: Row, status: str) -> Known:
    return Known(row.person, row.id, row.key, row.assignment, row.file, row.name, row.sha256, status)


def row_meant(rows: Sequence[Known], person: str, assignment: str) -> Known:
    """Return the one graded file that counts for a person and an assignment.

    Raises:
        ValueError: there is none, or there are several.
    """
    of_person = rows_meant(rows, person)  # of all, lest who handed in a PDF be taken for somebody of a similar name
    meant = [row for row in of_person if row.assignment == assignment and not row.status]
    if len(meant) == 1:
        return meant[0]
    if meant:
        choices = sorted({label_of(row) for row in meant}) if len({row.key for row in meant}) > 1 else []
        choices = choices or [quoted(row.file) for row in meant]
        raise ValueError(f"{person!r} may mean {len(meant)} files of {assignment}; say which: {'; '.join(choices)}")
    others = [row for row in of_person if row.assignment in ("", assignment) and row.status]
    if others:
        why = "; ".join(f"{quoted(row.file)} was {row.status}" for row in others)
        raise ValueError(f"{why}: only a notebook that was graded can be decided on")
    if of_person:
        people = " and ".join(sorted({row.person for row in of_person}))
        raise ValueError(f"{people} handed in nothing that was graded for {assignment}")
    like = spellings.near(person, [row.person for row in rows])
    hint = "expected a name, a number or a file of grades.csv"
    hint = f"did you mean {' or '.join(map(repr, like))}?" if like else hint
    raise ValueError(f"nobody called {person!r} was graded there: {hint}")


def rows_meant(rows: Sequence[Known], person: str) -> list[Known]:
    """Return the rows that a text means: by person, number or path, else by a file's own name, else by likeness.

    What somebody called a file comes after all persons: it may be another one's name.
    """
    exact = [row for row in rows if names_person(person, row) or spellings.is_same(person, row.person)]
    return exact or [row for row in rows if names(person, row)] or rows_of(rows, person)


def rows_of(rows: Sequence[Known], text: str) -> list[Known]:
    """Return the rows of whoever a text means: all who bear the name that is nearest to it."""
    people = spellings.meant_by(text, [row.person for row in rows])
    return [row for row in rows if row.person in people]


def in_their_names(decisions: Sequence[Decision], rows: Sequence[Row]) -> list[Decision]:
    """Return decisions under the names that rows have, where a line spells the name of one person otherwise."""
    named = []
    for decision in decisions:
        if not any(names(decision.person, row) for row in rows):
            people = spellings.meant_by(decision.person, [row.person for row in rows])
            labels = {label_of(row) for row in rows if row.key and row.person in people}
            decision = decision._replace(person=labels.pop()) if len(labels) == 1 else decision
        named.append(decision)
    return named


def decide_command(person: str, assignment: str, task: str, level: str, out: Path, why: str = "your reason") -> str:
    """Return the command that enters a decision, to be copied into a terminal."""
    folder = "" if out == Path("grades") else f" --out {shell_word(str(out))}"
    call = f"python -m course decide {shell_word(person)} {assignment} {shell_word(task)} {level}"
    return f"{call} --because {shell_word(why)}{folder}"


def shell_word(text: str) -> str:
    """Return an argument as a POSIX shell takes it literally; what cannot be seen becomes a space."""
    text = visible(text)
    return text if text.isalnum() and text.isascii() else "'" + text.replace("'", "'\\''") + "'"


def append(path: Path, cells: dict[str, str]) -> None:
    """Add a line to a table, in the form that it has; make it where it is missing.

    Raises:
        OSError: it cannot be written; then it stays as it was.
    """
    if path.exists():
        before = path.read_bytes()
        table = read_table(path)
        header, delimiter, encoding = [name.strip().lower() for name in table.rows[0]], table.delimiter, table.encoding
        newline = table.newline
        if "sha256" not in header:  # a table made by hand; without this column nothing in it is tied to a file
            width = max(len(row) for row in table.rows)
            header += [""] * (width - len(header)) + ["sha256"]
            first = [*table.rows[0], *[""] * (width - len(table.rows[0])), "sha256"]
            before = write_table(table._replace(rows=[first, *table.rows[1:]]))
        ends = before if before.endswith(b"\n") else before + newline.encode()
    else:
        header, delimiter, encoding, newline = list(COLUMNS), ",", "utf-8", "\r\n"
        ends = f"{BOM}{delimiter.join(header)}{newline}".encode()
    buffer = io.StringIO(newline="")
    csv.writer(buffer, delimiter=delimiter, lineterminator=newline).writerow([cells.get(name, "") for name in header])
    text = buffer.getvalue()
    parse_table(text)
    try:
        line = text.encode(encoding)
    except UnicodeEncodeError:  # a table of Excel's that cannot spell this name
        ends, line = BOM.encode() + ends.decode(encoding).encode(), text.encode()
    write_whole(path, ends + line)
