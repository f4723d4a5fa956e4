"""One row a thing that was handed in: which of several counts, and what becomes of the others."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from course.assignments import ASSIGNMENTS
from course.inbox.archives import Doubt, Place
from course.inbox.uploads import Copy
from course.notebooks.visible import quoted

Status = Literal["graded", "superseded", "left out"]


@dataclass(frozen=True)
class Row:
    """One thing that was handed in, and what becomes of it."""

    person: str  # as it is spelt; empty where nothing says it
    id: str
    key: str  # the same for all that one person handed in, different for two persons of one name
    assignment: str  # empty where nothing says it
    file: str  # its path in the folder, or in the zip, that was given; behind that one's name where there are several
    shelf: str  # where the person's own folder lies, or else what was given
    name: str  # the notebook's own
    status: Status
    reason: str  # what follows "superseded by" or "left out because it"
    place: Place
    notebook: Place | None  # what is graded: in a zip, its one notebook
    problem: Doubt | None  # why a person has to look instead of the grader
    remarks: tuple[Doubt, ...]
    folder: str  # the person's own, which a learning platform made
    sure: bool  # that two files of this name are one person's
    copy: Copy
    part: tuple[str, ...]  # words of its name that tell it from another part of the same work
    time: float
    sha256: str
    size: int
    own_folder: str = ""  # the person's own byte by byte, for what goes back into it

    @property
    def status_text(self) -> str:
        joint = {"graded": "", "superseded": " by ", "left out": " because it "}[self.status]
        return f"{self.status}{joint}{self.reason if joint else ''}"


# ---------------------------------------------------------------- rows beside one another


def of_one_assignment(rows: Sequence[Row]) -> list[Row]:
    """Give rows that say no assignment that of the others around them, where these are of one only."""
    around: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.assignment:
            around[row.shelf].add(row.assignment)
    only = {shelf: next(iter(keys)) for shelf, keys in around.items() if len(keys) == 1}
    return [
        replace(row, assignment=only.get(row.shelf, "")) if not row.assignment and row.status == "left out" else row
        for row in rows
    ]


def told_apart(rows: Sequence[Row]) -> list[Row]:
    """Give two persons of one name two keys: they have two numbers in one place, or for one assignment."""
    ids: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in rows:
        if row.key and row.id:
            ids[row.key, row.shelf].add(row.id)
            ids[row.key, row.assignment].add(row.id)
    shared = {key for (key, _), of_name in ids.items() if len(of_name) > 1}
    return [replace(row, key=f"{row.key}#{row.id}") if row.key in shared and row.id else row for row in rows]


def spelt_alike(rows: Sequence[Row]) -> list[Row]:
    """Give each person one spelling, however files spell it."""
    names: dict[str, str] = {}
    for row in rows:
        names[row.key] = best_spelling(names.get(row.key, ""), row.person)
    return [replace(row, person=names[row.key]) if row.key else row for row in rows]  # nobody's are not one person's


def best_spelling(*names: str) -> str:
    """Return the one of several spellings of a name that has capitals, and letters such as umlauts."""
    return max(names, key=lambda text: (text != text.lower(), not text.isascii(), text))


def superseded(rows: Sequence[Row]) -> list[Row]:
    """Let the newest of what one person handed in for one assignment count, and say of each older one by which."""
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        if row.status == "graded" and row.key and row.sure and row.assignment:
            groups[row.key, row.assignment].append(number)
    result = list(rows)
    for numbers in groups.values():
        if len(numbers) > 1:
            for number, row in zip(numbers, newest_counts([rows[n] for n in numbers]), strict=True):
                result[number] = row
    return result


MOST_BESIDE = 5  # files that are named beside another


def newest_counts(rows: list[Row]) -> list[Row]:
    """Return the rows of one person and assignment, the older ones superseded; what may be parts is looked at."""
    newest = max(rows, key=lambda row: (row.copy, row.time, row.file))
    count: dict[tuple[str, ...], Row] = {}
    for row in sorted(rows, key=lambda row: (row.copy, row.time, row.file)):
        if not row.folder or (row.shelf, row.folder) == (
            newest.shelf,
            newest.folder,
        ):  # a newer folder replaces an older one
            count[row.part] = row
    contents: dict[str, Row] = {}
    for row in count.values():
        contents.setdefault(row.sha256, row)
    parts = list(contents.values())
    counting = set(map(id, count.values()))
    settled = []
    for row in rows:
        by = contents.get(row.sha256) if id(row) in counting else count.get(row.part, newest)
        if by is not None and by is not row:
            settled.append(replace(row, status="superseded", reason=by.file))
        elif len(parts) > 1:
            beside = [part for part in parts[: MOST_BESIDE + 1] if part is not row][:MOST_BESIDE]
            more = len(parts) - 1 - len(beside)
            others = ", ".join(quoted(part.file) for part in beside) + (f" and {more} more" if more else "")
            remark = Doubt(
                "several", f"{len(parts)} notebooks were handed in for {row.assignment}; beside this one: {others}"
            )
            settled.append(replace(row, remarks=(*row.remarks, remark)))
        else:
            settled.append(row)
    return settled


# ---------------------------------------------------------------- in words


def counts(rows: Sequence[Row]) -> str:
    """Return "23 handed in: 19 graded, 2 superseded, 2 left out (1 is a PDF, 1 holds no notebook)"."""
    of_status = Counter(row.status for row in rows)
    reasons = Counter(row.reason for row in rows if row.status == "left out")
    why = ", ".join(f"{count} {plural(reason, count)}" for reason, count in reasons.most_common())
    return (
        f"{len(rows)} handed in: {of_status['graded']} graded, {of_status['superseded']} superseded, "
        f"{of_status['left out']} left out{f' ({why})' if why else ''}"
    )


def plural(reason: str, count: int) -> str:
    """Return a reason for several: "are PDFs" for "is a PDF"."""
    if count == 1:
        return reason
    reason = re.sub(r"^holds ", "hold ", reason)
    return re.sub(r"^is an? (archive|\w+ page|\w+ file|\w+)(.*)$", r"are \1s\2", reason).replace("is ", "are ", 1)


def ignored_text(ignored: int) -> str:
    return (
        f"{ignored} files that systems made by themselves (__MACOSX, ._*, checkpoints) were ignored" if ignored else ""
    )


def unknown_assignment(row: Row) -> str:
    """Say what is wrong with the assignment of a row; empty where it is known."""
    if row.assignment in ASSIGNMENTS:
        return ""
    if row.assignment:
        return f"there is no assignment {row.assignment}: expected one of {', '.join(ASSIGNMENTS)}"
    return "neither its name nor its content says which assignment it is"
