"""``grades.csv``, a row a file, and ``students.csv``, a row a person; a table that somebody changed is left alone."""

import csv
import datetime
import io
import json
import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from course.assignments import ADMISSION, ASSIGNMENTS
from course.grading.outcomes import Outcome, Standing
from course.inbox.decisions import ALL, LEVELS, decide_command
from course.inbox.roster import Listed, absent, by_name
from course.inbox.tables import BOM, harmless, parse_table, read_table
from helpers.core.files import write_whole

COLUMNS = (
    "person", "id", "assignment", "verdict", "status", "decided by hand", "late", "note", "path", "time", "sha256",
)  # fmt: skip
WRITTEN = ".written"  # the folder that remembers the tables as they were written
MOST_CHANGES = 8  # that are named


def text_of(rows: Iterable[Sequence[str]], delimiter: str) -> str:
    """Return a table that csv.DictReader, pandas and a German Excel read, with a byte order mark for the last."""
    buffer = io.StringIO(newline="")
    csv.writer(buffer, delimiter=delimiter, lineterminator="\r\n", quoting=csv.QUOTE_ALL).writerows(rows)
    return BOM + buffer.getvalue()


# ---------------------------------------------------------------- a row a file


def grades(outcomes: Sequence[Outcome], delimiter: str = ",") -> str:
    """Return the table of all files; a task has its assignment in front where several are mixed."""
    tasks: dict[tuple[str, str], None] = {}  # a set that keeps its order
    for outcome in outcomes:
        if outcome.verdict:
            tasks.update(dict.fromkeys((outcome.row.assignment, name) for name in outcome.verdict.tasks))
    keys = sorted(tasks, key=lambda task: task[0])  # stable: tasks of one assignment keep their order
    several = len({key for key, _ in keys}) > 1
    names = [f"{key} {task}".strip() if several or task in COLUMNS else task for key, task in keys]
    rows = [[*COLUMNS, *names], *([*cells_of(o), *levels_of(o, keys)] for o in outcomes)]
    return text_of([[harmless(cell) for cell in row] for row in rows], delimiter)


def cells_of(outcome: Outcome) -> list[str]:
    row, verdict = outcome.row, outcome.verdict
    decided = "; ".join(f"{task} {d.verdict}: {d.comment}".rstrip(": ") for task, d in outcome.decided.items())
    note = (verdict.note or "") if verdict else ""
    remarks = "; ".join(remark.text for remark in row.remarks)
    return [
        row.person, row.id, row.assignment, outcome.level, row.status_text, decided, "late" if outcome.late else "",
        "; ".join(filter(None, (remarks, note))), row.file, moment_of(row.time), row.sha256,
    ]  # fmt: skip


def moment_of(time: float) -> str:
    """Return a file's day and time; nothing where it has none, or one that no calendar knows."""
    try:
        return datetime.datetime.fromtimestamp(time).strftime("%Y-%m-%d %H:%M:%S") if time else ""
    except (ValueError, OverflowError, OSError):
        return ""


def levels_of(outcome: Outcome, keys: Sequence[tuple[str, str]]) -> list[str]:
    tasks = outcome.verdict.tasks if outcome.verdict else {}
    return [tasks[name].verdict if key == outcome.row.assignment and name in tasks else "" for key, name in keys]


# ---------------------------------------------------------------- a row a person


def students(
    people: Sequence[Standing], outcomes: Sequence[Outcome], roster: Sequence[Listed], delimiter: str = ","
) -> str:
    """Return the table of all persons: what each has passed, and whether that admits to the examination."""
    collected = {outcome.row.assignment for outcome in outcomes}
    rows = [["person", "id", *ASSIGNMENTS, "passed", "admitted", "open", "late", "note"]]
    listed = by_name(roster)
    for person in people:
        if person.is_nobody:
            continue
        admitted, left = admission(person.levels, collected)
        same = listed.get(person.seen.name_key, [])
        number = person.id or (same[0].number if len(same) == 1 else "")
        known = not roster or same
        rows.append([
            person.name, number, *(person.levels[key] for key in ASSIGNMENTS), str(person.passed), admitted, left,
            " ".join(person.late), "" if known else "not on the roster",
        ])  # fmt: skip
    nothing = dict.fromkeys(ASSIGNMENTS, "")
    admitted, left = admission(nothing, collected)
    for one in absent(roster, [person.seen for person in people]):
        rows.append([one.name, one.number, *nothing.values(), "0", admitted, left, "", "handed in nothing"])
    return text_of([[harmless(cell) for cell in row] for row in rows], delimiter)


def admission(levels: Mapping[str, str], collected: Collection[str]) -> tuple[str, str]:
    """Return whether somebody is admitted, by the share of assignments passed, and which ones still decide it."""
    needed = math.ceil(ADMISSION * len(ASSIGNMENTS) - 1e-9)
    passed = [key for key, level in levels.items() if level == "PASS"]
    looks = [key for key, level in levels.items() if level == "LOOK"]
    later = [key for key in ASSIGNMENTS if key not in collected]
    if len(passed) >= needed:
        return "yes", ""
    if len(passed) + len(looks) + len(later) < needed:
        return "no", ""
    reasons = [f"{', '.join(keys)} {why}" for keys, why in ((looks, "LOOK"), (later, "not collected yet")) if keys]
    return "open", f"{len(passed)} of {needed} passed; {'; '.join(reasons)}"


# ---------------------------------------------------------------- what somebody changed


def keep_or_write(out: Path, name: str, text: str) -> list[str]:
    """Write a table, unless somebody changed it since: then write the new one beside it, and say how to keep changes.

    The record of what was written is made before the table itself, and remembers the one before as well: whoever is
    stopped between the two, or works here at the same time, leaves nothing that looks like a person's change.
    """
    path, record = out / name, out / WRITTEN / f"{name}.json"
    known = written(record)
    cells = parse_table(text).rows
    there = read_table(path).rows if path.exists() else None
    if there is not None and there not in [cells, *known]:
        beside = path.with_name(f"{path.stem}.new.csv")
        write_whole(beside, text.encode())
        return changed(path, beside, there, known[0] if known else [], out)
    write_whole(record, json.dumps([cells, *known[:1]]).encode())
    write_whole(path, text.encode())
    return []


def written(record: Path) -> list[list[list[str]]]:
    """Return the tables as they were last written, the newest first."""
    try:
        tables = json.loads(record.read_bytes())
    except (OSError, ValueError):
        return []
    return tables if isinstance(tables, list) else []


def changed(path: Path, beside: Path, there: list[list[str]], before: list[list[str]], out: Path) -> list[str]:
    """Say that a table was changed by hand, and which commands keep the verdicts in it."""
    lines = [
        f"{path.name} was changed by hand since it was written, so it was left as it is; the new table is {beside}. "
        f"To keep changed verdicts, enter them as decisions, then delete {path.name} and grade again."
    ]
    commands = [command for command in decisions_in(there, before, out) if command]
    lines += [f"  {command}" for command in commands[:MOST_CHANGES]]
    if len(commands) > MOST_CHANGES:
        lines.append(f"  ... and {len(commands) - MOST_CHANGES} more changed verdicts")
    return lines


def decisions_in(there: list[list[str]], before: list[list[str]], out: Path) -> list[str]:
    """Return a command for each verdict that differs from what was written, in either table."""
    old = {line_key(row): row for row in as_dicts(before)}
    files = Counter(person_and_assignment(row) for row in old.values() if row.get("verdict"))
    commands = []
    for row in as_dicts(there):
        was = old.get(line_key(row))
        several = files[person_and_assignment(row)] > 1
        who = row.get("path", "") if several or not row.get("person") else row["person"]
        for column, cell in row.items() if was else ():
            level = cell.strip().upper()
            if was and level in LEVELS and was.get(column) != cell:
                commands.append(decide_command(who, *asked_in(row, column), level, out))
    return commands


def line_key(row: Mapping[str, str]) -> tuple[str, ...]:
    """Return what a line is about: a file, or a person."""
    return (row["path"],) if "path" in row else (row.get("person", ""), row.get("id", ""))


def person_and_assignment(row: Mapping[str, str]) -> tuple[str, ...]:
    return row.get("person", ""), row.get("id", ""), row.get("assignment", "")


def asked_in(row: Mapping[str, str], column: str) -> tuple[str, str]:
    """Return the assignment and the task that a column is about: among persons, an assignment as a whole."""
    key = row.get("assignment")
    if key is None:
        return column, ALL
    return key, ALL if column == "verdict" else column.removeprefix(f"{key} ")


def as_dicts(rows: list[list[str]]) -> list[dict[str, str]]:
    return [dict(zip(rows[0], row, strict=False)) for row in rows[1:]] if rows else []
