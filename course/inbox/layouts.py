"""Tell who handed a file in, by the folder that a learning platform or a tutor put it into."""

import re
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple, get_args

from course.inbox.kinds import is_notebook_name, is_zip_name
from course.inbox.names import LOOSE
from course.inbox.uploads import Upload, person_key, read_upload

Layout = Literal["flat", "moodle", "ilias", "folders"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
NAMES: dict[Layout, str] = {
    "flat": "one flat folder, as from Sciebo: persons by the names of their files",
    "moodle": "Moodle's download: persons by its folders",
    "ilias": "ILIAS' download: persons by its folders",
    "folders": "one folder a person",
}
MOODLE = re.compile(r"(?P<name>.+?)_(?P<id>\d+)_assignsubmission_[a-z]+_?")
MOODLE_FLAT = re.compile(r"(?P<name>.+?)_(?P<id>\d+)_assignsubmission_[a-z]+_(?P<file>.+)")
ILIAS = re.compile(r"(?P<last>.+)_(?P<first>[^_]+)_(?P<login>[^_]+)_(?P<id>\d{3,})")


class Person(NamedTuple):
    """Who handed something in."""

    name: str  # as it is spelt; empty where nothing says it
    id: str  # Moodle's participant, ILIAS' user or a matriculation number, where there is one
    login: str
    sure: bool  # whether two files of this name are one person's

    @property
    def key(self) -> str:
        return person_key(self.name)


BLIND = {"participant", "teilnehmer", "teilnehmerin"}  # what Moodle calls everybody where names are hidden
NOBODY = Person("", "", "", False)


class Owner(NamedTuple):
    """Whose a file is, and which folder says so."""

    person: Person
    folder: str  # the person's own; empty where the file's name says it
    file: str  # the file's own name, without what a platform put before it


def of_moodle(name: str) -> Person | None:
    match = MOODLE.fullmatch(name)
    return moodle_person(match) if match else None


def moodle_person(match: re.Match[str]) -> Person:
    name = swapped(match["name"])
    return Person(f"{name} {match['id']}" if name.lower() in BLIND else name, match["id"], "", True)


def of_ilias(name: str) -> Person | None:
    match = ILIAS.fullmatch(name)
    if match is None or LOOSE.fullmatch(match["login"]):
        return None
    words = f"{match['first']} {match['last']}".replace("_", " ")
    return Person(" ".join(words.split()), match["id"], match["login"], True)


def swapped(name: str) -> str:
    """Return "Max Mustermann" for "Mustermann, Max"."""
    last, comma, first = name.partition(",")
    return " ".join((f"{first} {last}" if comma and "," not in first else name).split())


def of_name(upload: Upload) -> Person:
    return Person(upload.person, upload.id, "", upload.sure)


def recognise(paths: Sequence[tuple[str, ...]]) -> Layout:
    """Return the layout of a folder, from the parts of the paths in it."""
    names = {part for parts in paths for part in parts}
    if any(MOODLE.fullmatch(name) or MOODLE_FLAT.fullmatch(name) for name in names):
        return "moodle"
    folders = {part for parts in paths for part in parts[:-1]}
    if any(of_ilias(folder) for folder in folders):
        return "ilias"
    return "folders" if persons_own_folders(paths) else "flat"


def persons_own_folders(paths: Sequence[tuple[str, ...]]) -> bool:
    """Say whether folders tell persons: more of them than there are files beside them, or in them, that name others."""
    strangers: dict[str, set[str]] = {}
    against = 0
    for parts in paths:
        folder = folder_of(parts)
        if folder:
            strangers.setdefault(folder, set()).update(others_in(folder, parts[-1:]))
        elif read_upload(parts[-1]).sure:
            against += 1
    against += sum(bool(others) for others in strangers.values())
    return sum(not others for others in strangers.values()) > against


def folder_of(parts: Sequence[str]) -> str:
    """Return the outermost folder above a file whose name may be a person's; empty where there is none."""
    uploads = [(part, read_upload(part)) for part in parts[:-1]]
    sure = (part for part, upload in uploads if upload.sure)
    return next(sure, next((part for part, upload in uploads if upload.person), ""))


def others_in(folder: str, files: Iterable[str]) -> set[str]:
    """Return who else than the folder's person some names of notebooks say, in so many words."""
    others = set()
    for file in files:
        upload = read_upload(file)
        if upload.sure and upload.assignment and (is_notebook_name(file) or is_zip_name(file)):
            others.add(person_key(upload.person))
    return others - {person_key(read_upload(folder).person)}


def owner_of(parts: tuple[str, ...], layout: Layout, crowded: frozenset[str], *, by_hand: bool) -> Owner:
    """Return whose file it is.

    Args:
        parts: the folders above it, from the outermost on, then its name (empty for a folder with nothing in it); NFC.
        crowded: folders with files of several persons, which therefore are nobody's own.
        by_hand: the tutor says that this is the layout, so that a folder is a person's, whatever it is called.
    """
    file = parts[-1]
    owner = _owner_by_platform(parts, layout)
    if owner is not None:
        return owner
    if layout == "folders":
        folder = folder_of(parts) or (parts[0] if by_hand and len(parts) > 1 else "")
        if folder and folder not in crowded:
            upload = read_upload(folder)
            return Owner(Person(upload.person or folder, upload.id, "", upload.sure or by_hand), folder, file)
    upload, folder = read_upload(file), folder_of(parts)
    if not upload.sure and folder not in crowded and read_upload(folder).sure:  # Max Mustermann/solution.ipynb
        return Owner(of_name(read_upload(folder)), folder, file)
    return Owner(of_name(upload), "", file)


def _owner_by_platform(parts: tuple[str, ...], layout: Layout) -> Owner | None:
    """Return whose file it is by the names that Moodle and ILIAS give to folders, and Moodle also to files."""
    reader = {"moodle": of_moodle, "ilias": of_ilias}.get(layout)
    for part in parts[:-1] if reader else ():
        person = reader(part) if reader else None
        if person is not None:
            return Owner(person, part, parts[-1])
    flat = MOODLE_FLAT.fullmatch(parts[-1]) if layout == "moodle" else None
    return Owner(moodle_person(flat), "", flat["file"]) if flat else None
