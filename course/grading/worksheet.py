"""Fill in the grading worksheet that Moodle gives out and takes back: grade and comment, and nothing else."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from course.grading.outcomes import Outcome
from course.inbox.tables import Table, write_table
from course.inbox.uploads import person_key

NUMBER = re.compile(r"\D*(\d+)\D*")  # "Participant 12345", in any language
IDENTIFIER = re.compile(r"\D+\d+")
GRADES = frozenset((
    "grade", "bewertung", "note", "punkte", "calificacion", "valutazione", "nota", "cijfer", "ocena", "karakter",
))  # fmt: skip
MOST = frozenset(("maximumgrade", "bestwertung", "hoechstbewertung", "hoechstpunktzahl", "skala", "scale", "maxgrade"))
COMMENTS = frozenset(("feedbackcomments", "feedbackalskommentar", "feedbackkommentare", "kommentar", "comment"))
COMMENT = re.compile("feedback|[ck]om+ent|yorum|opmerk")  # in the other languages, as the last column's name
AMOUNT = re.compile(r"\d+(?:[.,]\d+)?")


class Columns(NamedTuple):
    """Where in a worksheet the columns stand that are read and written."""

    identifier: int
    name: int | None
    grade: int
    most: int
    comment: int | None


class Filled(NamedTuple):
    """A filled worksheet, and what to say of it."""

    content: bytes
    count: int  # of lines that were filled in
    known: int  # of lines whose person handed in something that was graded
    lines: list[str]


def columns_of(sheet: Table) -> Columns:
    """Find the columns by their names, which Moodle translates, or else by what stands in them.

    Raises:
        ValueError: this is no grading worksheet.
    """
    header, rows = (sheet.rows[0], sheet.rows[1:]) if sheet.rows else ([], [])
    keys = [person_key(name) for name in header]
    identifier = next((at for at in range(len(header)) if is_filled(rows, at, IDENTIFIER)), None)
    most = next((at for at, key in enumerate(keys) if key in MOST), None)
    if most is None:  # the best grade is the same number in every line; the grade stands before it
        most = next((at for at in range(1, len(header)) if is_filled(rows, at, AMOUNT) and is_constant(rows, at)), None)
    grade = next((at for at, key in enumerate(keys) if key in GRADES), most - 1 if most else None)
    if identifier is None or grade is None or most is None:
        raise ValueError(
            "the worksheet has no columns for participant, grade and best grade: expected the one that Moodle offers "
            "as 'Download grading worksheet'"
        )
    comment = next((at for at, key in enumerate(keys) if key in COMMENTS), None)
    if comment is None and len(header) - 1 not in (grade, most, identifier):
        comment = len(header) - 1 if COMMENT.search(keys[-1]) else None
    return Columns(identifier, identifier + 1 if identifier + 1 != grade else None, grade, most, comment)


def is_filled(rows: Sequence[Sequence[str]], at: int, pattern: re.Pattern[str]) -> bool:
    """Say whether each cell of a column has a form."""
    return bool(rows) and all(at < len(row) and pattern.fullmatch(row[at].strip()) for row in rows)


def is_constant(rows: Sequence[Sequence[str]], at: int) -> bool:
    return len({row[at] for row in rows}) == 1


def filled(sheet: Table, outcomes: Sequence[Outcome]) -> Filled:
    """Return the worksheet with the grades of those who passed or failed; what a person must look at stays open."""
    columns = columns_of(sheet)
    by_id: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.verdict is not None:
            by_id.setdefault(outcome.row.id, []).append(outcome)
    rows, lines, count, known = [sheet.rows[0]], [], 0, 0
    for row in sheet.rows[1:]:
        number = NUMBER.fullmatch(row[columns.identifier].strip()) if columns.identifier < len(row) else None
        of_person = by_id.get(number[1], []) if number else []
        new, line = filled_line(row, columns, of_person)
        count += new != row
        known += bool(of_person)
        lines += [line] if line else []
        rows.append(new)
    return Filled(write_table(sheet._replace(rows=rows)), count, known, lines)


def filled_line(row: list[str], columns: Columns, outcomes: Sequence[Outcome]) -> tuple[list[str], str]:
    """Return one line, and what to say of it where a grade that stood there is another now."""
    before = row[columns.grade].strip()
    if len(outcomes) != 1 or outcomes[0].level not in ("PASS", "FAIL"):
        stays = bool(outcomes) and bool(AMOUNT.fullmatch(before))
        return row, f"  {row[columns.identifier]}: {before} stays there, though a person has to look" if stays else ""
    outcome, new = outcomes[0], [*row]
    grade = grade_of(outcome.level == "PASS", row[columns.most])
    new[columns.grade] = grade
    if columns.comment is not None and columns.comment < len(new):
        new[columns.comment] = comment_on(outcome)
    changed = bool(AMOUNT.fullmatch(before)) and value(before) != value(grade)
    return new, f"  {row[columns.identifier]}: {before} stood there, {grade} now" if changed else ""


def grade_of(passed: bool, most: str) -> str:
    """Return the best grade or the least, as the worksheet writes numbers; of a scale, its last word or its first."""
    if AMOUNT.fullmatch(most.strip()):
        return most.strip() if passed else re.sub(r"\d", "0", re.sub(r"^\d+", "0", most.strip()))
    words = [word.strip() for word in most.split(",")]
    return words[-1] if passed else words[0]


def value(text: str) -> float:
    amount = AMOUNT.fullmatch(text)
    return float(amount[0].replace(",", ".")) if amount else -1.0


def comment_on(outcome: Outcome) -> str:
    """Return a sentence for the student; the rest is in the feedback file."""
    tasks = outcome.verdict.tasks if outcome.verdict else {}
    wrong = [name for name, task in tasks.items() if task.verdict == "FAIL"]
    if outcome.level == "PASS":
        return "Passed."
    return f"Not passed. Not right: {', '.join(wrong)}." if wrong else "Not passed."
