"""Make rows of whatever was downloaded: whatever is put in is in exactly one row, with what becomes of it."""

import hashlib
import os
import stat
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from course.inbox import archives, kinds, layouts, likeness
from course.inbox.archives import Doubt, Place, Reader
from course.inbox.layouts import LAYOUTS, Layout, Owner, Person
from course.inbox.roster import Listed, known_by_roster
from course.inbox.rows import Row, of_one_assignment, spelt_alike, superseded, told_apart
from course.inbox.uploads import Copy, Upload, add, mark_of_folder, person_key, read_upload
from course.notebooks.reading import Unreadable, printable
from course.notebooks.visible import quoted

AUTO = "auto"
AS_ONE = "read as what one person handed in; if it is the whole download, give the zip itself and not its folder"


class Item(NamedTuple):
    """Something that lies in a folder or a zip that was given."""

    parts: tuple[str, ...]  # the folders above it, then its name
    place: Place
    time: float
    is_empty_folder: bool = False
    problem: str = ""  # why it cannot be read, where that is known already
    as_stored: tuple[str, ...] = ()  # its parts byte by byte, where they are not so already

    @property
    def name(self) -> str:
        return self.parts[-1]


@dataclass(frozen=True)
class Collected:
    """All rows of what was given, and how it was read."""

    rows: list[Row] = field(default_factory=list)
    layouts: list[str] = field(default_factory=list)  # a line a folder, for the screen
    ignored: int = 0  # files that systems made by themselves

    @property
    def graded(self) -> list[Row]:
        return [row for row in self.rows if row.status == "graded"]


def collect(
    paths: Iterable[str],
    *,
    layout: str = AUTO,
    assignment: str | None = None,
    people: Sequence[Listed] = (),
    leave: Collection[Path] = (),
) -> Collected:
    """Return rows for all that lies in files, folders and zips.

    Args:
        layout: one of ``LAYOUTS``, or ``auto``.
        assignment: of all of them, where the tutor says it.
        people: who takes the course, where the tutor has a list.
        leave: files and folders that are the tutor's own, such as where verdicts go.

    Raises:
        ValueError: a path that does not exist, an unknown layout, or nothing at all was given.
    """
    if layout not in (AUTO, *LAYOUTS):
        raise ValueError(f"there is no layout {layout!r}: expected {AUTO} or one of {', '.join(LAYOUTS)}")
    own = {path.absolute() for path in leave}
    rows: list[Row] = []
    lines: list[str] = []
    ignored, seen = 0, set()
    roots = [Path(text) for text in paths]
    with Reader() as reader:
        for root in roots:
            items = [item for item in items_of(root, reader, own) if item.place not in seen]
            seen |= {item.place for item in items}
            kept = [item for item in items if item.is_empty_folder or not kinds.is_ignored(item.parts)]
            ignored += len(items) - len(kept)
            above_all = layouts.shared([above(root, item) for item in kept if handed_in(item)])
            chosen = layout_of(root, kept, layout, above_all)
            lines.append(f"{printable(str(root))}: {layouts.NAMES[chosen]}")
            crowded = crowded_folders(kept, above_all)
            persons = layouts.with_folders(layouts.below(item.parts, above_all) for item in kept)
            claims = layouts.claims(layouts.below(item.parts, above_all) for item in kept)
            for item in kept:
                path = above(root, item)
                inside = layouts.below(path, above_all)
                owner = layouts.owner_of(inside, chosen, crowded, persons, claims, by_hand=layout == chosen)
                shelf = str(root.joinpath(*path[: path.index(owner.folder)])) if owner.folder in path else str(root)
                row = row_of(item, path, owner, reader, assignment)
                row = replace(row, shelf=printable(shelf), own_folder=folder_as_stored(root, item, path, owner))
                if row.status == "graded" and chosen in ("folders", "flat"):
                    row = doubted(row, layouts.doubt_about(inside, owner, persons | claims.keys(), crowded))
                if (
                    root.is_dir()
                    and len(items) == 1
                    and not item.place.members
                    and holds_everything(item.place, reader, named=True)
                ):
                    lines.append(f"{row.file}: {AS_ONE}")
                label = f"{printable(root.name)}/{row.file}" if len(roots) > 1 and len(item.parts) > 0 else row.file
                rows.append(replace(row, file=label))
    if not rows and not ignored:
        raise ValueError("no notebook found: expected files that end in .ipynb, or a folder or a zip of them")
    rows = told_apart(of_one_assignment(known_by_roster(rows, people)))
    return Collected(superseded(spelt_alike(rows)), lines, ignored)


# ---------------------------------------------------------------- what was given


def items_of(root: Path, reader: Reader, own: Collection[Path]) -> Iterator[Item]:
    """Yield what lies in a folder, in a zip of everything, or a file itself.

    Raises:
        ValueError: there is nothing of this name.
    """
    if root.is_dir() and not root.is_symlink():
        items = list(items_in_folder(root, own))
        handed_in = [item for item in items if not kinds.is_ignored(item.parts)]
        alone = len(handed_in) == 1 and len(handed_in[0].parts) == 1
        if alone and holds_everything(handed_in[0].place, reader):
            items = [item for item in items if item != handed_in[0]]
            items += items_in_zip(handed_in[0].place, reader)
        yield from items
    elif root.exists() or root.is_symlink():
        place = Place(root)
        if holds_everything(place, reader, named=True):
            yield from items_in_zip(place, reader)
        else:
            yield item_of(root, (root.name,))
    else:
        raise ValueError(f"{root} does not exist: expected notebooks, or a folder or a zip of them")


def items_in_folder(root: Path, own: Collection[Path]) -> Iterator[Item]:
    """Yield all files below a folder, and the folders in which there is nothing; links are not followed."""
    for folder, below, names in os.walk(root, followlinks=False):
        at = Path(folder)
        below[:] = sorted(name for name in below if (at / name).absolute() not in own)
        parts = at.relative_to(root).parts
        links = [name for name in below if (at / name).is_symlink()]
        for name in sorted([*names, *links]):
            if (at / name).absolute() not in own:
                yield item_of(at / name, (*parts, name))
        visible = [name for name in names if not kinds.is_ignored((name,))]
        if parts and not below and not visible and not kinds.is_ignored((*parts, "")):
            yield Item(parts, Place(at), time_of(at), is_empty_folder=True)


def item_of(path: Path, parts: tuple[str, ...]) -> Item:
    """Return a file of the file system; what is no regular file has a problem."""
    try:
        status = path.lstat()
    except OSError as error:
        return Item(parts, Place(path), 0.0, problem=f"it cannot be opened ({error.strerror})")
    problem = ""
    if stat.S_ISLNK(status.st_mode):
        problem = "it is a symbolic link, which is not followed"
    elif not stat.S_ISREG(status.st_mode):
        problem = "it is not a regular file"
    return Item(parts, Place(path), status.st_mtime, problem=problem)


def time_of(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except OSError:
        return 0.0


def items_in_zip(place: Place, reader: Reader) -> Iterator[Item]:
    for member in reader.members(place):
        inner = Place(place.path, (*place.members, member.number))
        yield Item(tuple(member.name.split("/")), inner, member.time, as_stored=member.as_stored)
    for number, (folder, as_stored) in enumerate(reader.empty_folders(place).items()):
        inner = Place(place.path, (*place.members, -1 - number))
        yield Item(tuple(folder.split("/")), inner, 0.0, is_empty_folder=True, as_stored=as_stored)


def holds_everything(place: Place, reader: Reader, *, named: bool = False) -> bool:
    """Say whether a zip is a whole download, and not what one student handed in.

    Args:
        named: the tutor names it, so that several notebooks without names are several persons'; one that only lies
            there may be the first that a student handed in, and is that student's where its name says one.
    """
    own = read_upload(place.path.name)
    is_somebodys = own.sure or own.id or (own.person and own.assignment)
    if not kinds.is_zip_name(place.path.name) or (is_somebodys and not named):
        return False
    try:
        paths = [tuple(m.name.split("/")) for m in reader.members(place)]
    except (Unreadable, OSError):
        return False
    paths = [parts for parts in paths if not kinds.is_ignored(parts)]
    handed_in = [parts for parts in paths if kinds.is_notebook_name(parts[-1]) or kinds.is_zip_name(parts[-1])]
    above_all = layouts.shared(handed_in)
    if layouts.recognise([layouts.below(parts, above_all) for parts in paths]) in ("moodle", "ilias"):
        return True
    uploads = [read_upload(parts[-1]) for parts in handed_in]
    persons = {person_key(upload.person) for upload in uploads if upload.sure and upload.assignment}
    folders = {layouts.folder_of(layouts.below(parts, above_all)) for parts in handed_in} - {""}
    if len(persons) > 1:
        return True
    if own.sure and own.assignment:  # one person's, unless the files in it name others
        return False
    if len({folder for folder in folders if read_upload(folder).sure}) > 1:
        return True
    return named and len(handed_in) > 1 and not own.sure


# ---------------------------------------------------------------- whose it is


def above(root: Path, item: Item) -> tuple[str, ...]:
    """Return the parts of an item's path, below the root's own name where that is a folder of a learning platform."""
    name = root.absolute().name
    platform = layouts.MOODLE.fullmatch(name) or layouts.of_ilias(name)
    parts = (name, *item.parts) if platform and root.is_dir() else item.parts
    parts = tuple(unicodedata.normalize("NFC", part) for part in parts)
    return (*parts, "") if item.is_empty_folder else parts


def folder_as_stored(root: Path, item: Item, path: tuple[str, ...], owner: Owner) -> str:
    """Return the person's own folder byte by byte as the platform made it; empty where there is none."""
    if owner.folder not in path[:-1]:
        return ""
    stored = (*(item.as_stored or item.parts), *([""] * item.is_empty_folder))
    return (root.absolute().name, *stored)[path.index(owner.folder) - len(path)]


def layout_of(root: Path, items: Sequence[Item], layout: str, above_all: int) -> Layout:
    for known in LAYOUTS:
        if layout == known:
            return known
    return layouts.recognise([layouts.below(above(root, item), above_all) for item in items if handed_in(item)])


def handed_in(item: Item) -> bool:
    """Say whether an item may tell a layout: data and web pages do not."""
    name = item.name
    return item.is_empty_folder or kinds.is_notebook_name(name) or kinds.is_zip_name(name) or len(item.parts) > 1


def crowded_folders(items: Sequence[Item], above_all: int) -> frozenset[str]:
    """Return the folders that hold files of several persons, by what their names say."""
    persons: dict[str, set[str]] = defaultdict(set)
    for item in items:
        folder = layouts.folder_of(layouts.below(item.parts, above_all))
        persons[folder] |= layouts.others_in(folder, [item.name])
    return frozenset(folder for folder, others in persons.items() if len(others) > 1)


# ---------------------------------------------------------------- rows


def row_of(item: Item, path: tuple[str, ...], owner: Owner, reader: Reader, flag: str | None) -> Row:
    """Return what becomes of one item, before others are looked at."""
    upload, before = read_upload(owner.file), read_upload(owner.before)
    person = owner.person
    row = Row(
        person=person.name, id=person.id or person.login, key=person.key, assignment="", shelf="",
        file=printable(unicodedata.normalize("NFC", "/".join(item.parts))), name=printable(owner.file),
        status="left out", reason="", place=item.place, notebook=None, problem=None, remarks=(),
        folder=printable(owner.folder), sure=person.sure,
        copy=add(before.copy, upload.copy, of_folders(path[:-1], owner)), part=part_of(upload, person), time=item.time,
        sha256="", size=0,
    )  # fmt: skip
    row = replace(
        row, assignment=flag or upload.assignment or before.assignment or assignment_of_folders(path[:-1]) or ""
    )
    if item.is_empty_folder:
        return replace(row, reason=kinds.HOLDS_NONE, name="")
    if item.problem and not kinds.is_notebook_name(item.name):
        return left_out(row, item.problem.removeprefix("it "))
    if item.problem:
        return replace(row, status="graded", notebook=item.place, problem=Doubt("unreadable", item.problem))
    try:
        return opened(row, item, reader, flag)
    except (Unreadable, OSError) as error:
        reason = f"it cannot be opened ({error.strerror})" if isinstance(error, OSError) else str(error)
        if kinds.is_notebook_name(item.name) or kinds.is_zip_name(item.name):
            code = "unreadable" if kinds.is_notebook_name(item.name) else "unopened"
            return replace(row, status="graded", notebook=item.place, problem=Doubt(code, printable(reason)))
        return left_out(row, printable(reason).removeprefix("it "))


def part_of(upload: Upload, person: Person) -> tuple[str, ...]:
    """Return what besides person, assignment and marks of copies stands in a file's name."""
    of_name = () if person_key(upload.person) == person.key else tuple(upload.person.casefold().split())
    return (*of_name, *upload.rest)


def of_folders(folders: Sequence[str], owner: Owner) -> Copy:
    """Return how new something is by the names of the folders above it, besides its owner's."""
    return add(Copy(), *(mark_of_folder(folder) for folder in folders if folder != owner.folder))


def assignment_of_folders(folders: Sequence[str]) -> str | None:
    """Return the assignment that the nearest folder names."""
    named = (read_upload(folder).assignment for folder in reversed(folders))
    return next(filter(None, named), None)


def opened(row: Row, item: Item, reader: Reader, flag: str | None) -> Row:
    """Look into a file: find the notebook in it, or why it is left out.

    Raises:
        Unreadable, OSError: it cannot be read.
    """
    head = reader.head(item.place)
    kind = kinds.kind_of(item.name, head)
    if kind == "other":
        content = reader.read(item.place) if kinds.may_be_notebook(item.name, head) else b""
        if not kinds.is_notebook(content):
            return left_out(row, kinds.reason_of(item.name))
        return with_content(row, item.place, content, flag)
    if kind == "notebook":
        return with_content(row, item.place, reader.read(item.place), flag)
    content = archives.content_of(reader, item.place)
    if content.is_empty:
        return replace(row, reason=kinds.HOLDS_NONE)
    if content.place is None:
        digest = hashlib.sha256(reader.read(item.place, archives.MOST_ZIP)).hexdigest()
        return replace(row, status="graded", problem=content.problem, sha256=digest)
    inner = read_upload(content.name)
    if (
        not row.folder and not row.sure and (inner.sure or not row.key)
    ):  # nobody but the names of files says whose it is
        person = layouts.of_name(inner)
        row = replace(row, person=person.name, key=person.key, id=person.id, sure=person.sure)
    row = replace(row, assignment=row.assignment or inner.assignment or "", name=printable(content.name))
    return with_content(row, content.place, reader.read(content.place), flag)


def doubted(row: Row, doubt: str) -> Row:
    return replace(row, remarks=(*row.remarks, Doubt("file_name", printable(doubt)))) if doubt else row


def left_out(row: Row, reason: str) -> Row:
    """Return the row of a file that is no notebook; what lies about without a person's folder is nobody's work."""
    upload = read_upload(row.name)
    handed_in = upload.assignment or (upload.sure and reason in kinds.WORK)
    if not row.folder and not handed_in and row.key == person_key(upload.person):
        row = replace(row, person="", id="", key="", sure=False)
    return replace(row, reason=reason)


def with_content(row: Row, place: Place, content: bytes, flag: str | None) -> Row:
    """Return the row of a notebook; where nothing else says which assignment it solves, its content does."""
    if not row.assignment:
        row = replace(row, assignment=likeness.likely(likeness.words_in(content)) or "")
    digest = hashlib.sha256(content).hexdigest()
    remarks = tuple(Doubt("file_name", text) for text in remarks_on_name(row, flag))
    return replace(row, status="graded", notebook=place, sha256=digest, size=len(content), remarks=remarks)


def remarks_on_name(row: Row, flag: str | None) -> Iterator[str]:
    """Say what a name leaves open, and where it disagrees with the tutor."""
    upload = read_upload(row.name)
    said = upload.assignment
    if not row.key:
        yield f"nothing says who handed in {quoted(row.name)}"
    elif not row.sure:
        yield f"the name {quoted(row.name)} gives one word for a person, expected a first name and a surname"
    if len(upload.team) > 1 and row.key == person_key(upload.person):
        persons = " and ".join(map(quoted, upload.team))
        yield f"the name {quoted(row.name)} names several persons, {persons}: a file each is expected"
    if flag and said and said != flag:
        yield f"the name {quoted(row.name)} says {said}, but it was graded as {flag}"
