"""Tell who handed a file in, by the folder that a learning platform or a tutor put it into."""

import itertools
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Literal, NamedTuple, get_args

from course.inbox.kinds import is_notebook_name, is_zip_name
from course.inbox.names import LOOSE
from course.inbox.spellings import is_part
from course.inbox.uploads import Upload, person_key, read_upload
from course.notebooks.visible import quoted

Layout = Literal["flat", "moodle", "ilias", "canvas", "blackboard", "folders"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
NAMES: dict[Layout, str] = {
    "flat": "one flat folder, as from Sciebo: persons by the names of their files",
    "moodle": "Moodle's download: persons by its folders",
    "ilias": "ILIAS' download: persons by its folders",
    "canvas": "Canvas' download: persons by what it puts before the names of files",
    "blackboard": "Blackboard's download: persons by the logins in the names of its files",
    "folders": "one folder a person",
}
MOODLE = re.compile(r"(?P<name>.+?)_(?P<id>\d+)_assign(?:submission|feedback)_[a-z]+_?")
FLAT: dict[Layout, re.Pattern[str]] = {  # what platforms put before the names of files
    "moodle": re.compile(r"(?P<name>.+?)_(?P<id>\d+)_assign(?:submission|feedback)_[a-z]+_(?P<file>.+)"),
    "canvas": re.compile(r"(?P<name>[^\s_]+)(?:_late)?_(?P<id>\d+)_\d+_(?P<file>.+)", re.IGNORECASE),
    "blackboard": re.compile(
        r"(?P<title>.+?)_(?P<name>[^\s_]+)_attempt_(?P<stamp>20\d\d(?:-\d\d){5})(?:_(?P<file>.+)|\.txt)", re.IGNORECASE
    ),
}
GROUP = re.compile(  # Moodle puts it before a name, where people work in groups; nobody's name has a digit
    r"(?:[^-]*\d[^-]*|(?:.*\s)?(?:group|gruppe|grp|team|tutorium)(?:\s[^-]*|-\w)?)-(?=\S+\s)", re.IGNORECASE
)
LEAST_WORD = 3  # letters of a name by which a login is known
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


BLIND = {
    "participant",
    "teilnehmer",
    "teilnehmerin",
    "participante",
    "partecipante",
    "deelnemer",
    "uczestnik",
    "deltagare",
    "deltager",
    "katılımcı",
    "osallistuja",
    "účastník",
    "résztvevő",
    "участник",
}  # what Moodle calls everybody where names are hidden


class Owner(NamedTuple):
    """Whose a file is, and which folder says so."""

    person: Person
    folder: str  # the person's own; empty where the file's name says it
    file: str  # the file's own name, without what a platform put before it
    before: str = ""  # what that says besides the person: an assignment's title, and when it was handed in


def of_moodle(name: str) -> Person | None:
    match = MOODLE.fullmatch(name)
    return person_in(match) if match else None


def person_in(match: re.Match[str]) -> Person:
    name = swapped(GROUP.sub("", match["name"], count=1))
    number = match.groupdict().get("id", "")
    return Person(f"{name} {number}" if name.lower() in BLIND else name, number, "", True)


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
    """Return whom a name means: by its words, else by a number that is somebody's."""
    return Person(upload.person or upload.id, upload.id, "", upload.sure or (not upload.person and upload.id != ""))


def recognise(paths: Sequence[tuple[str, ...]]) -> Layout:
    """Return the layout of a folder, from the parts of the paths in it: as most persons' own folders have it.

    What one person puts into a folder of his own has one voice, however much it is and whatever its names are.
    """
    voices: dict[str, list[str]] = {}
    for parts in paths:
        voices.setdefault(folder_of(parts) or "/".join(parts), []).append(parts[-1])
    folders = {folder_of(parts) for parts in paths} - {""}
    if most(MOODLE.fullmatch(folder) for folder in folders):
        return "moodle"
    for layout, pattern in FLAT.items():  # one name alone may look so by chance
        if most(most(pattern.fullmatch(file) for file in files) for files in voices.values()):
            return layout
    if most(of_ilias(folder) for folder in folders):
        return "ilias"
    return "folders" if persons_own_folders(paths) else "flat"


def most(signs: Iterable[object]) -> bool:
    """Say whether more than half of some signs are there."""
    there = [bool(sign) for sign in signs]
    return sum(there) * 2 > len(there)


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


def shared(paths: Sequence[tuple[str, ...]]) -> int:
    """Return how many levels of folders hold several persons' own ones, and so are nobody's, whatever their names."""
    for depth in itertools.count():
        inside: dict[str, set[str]] = {}
        for parts in paths:
            if len(parts) > depth + 1:
                inside.setdefault(parts[depth], set()).update(f for f in parts[depth + 1 : -1] if read_upload(f).sure)
        platform = most(MOODLE.fullmatch(folder) or of_ilias(folder) for folder in inside)
        crowded = sum(len(persons) > 1 for persons in inside.values())
        if platform or not most(inside.values()) or crowded * 2 < len(inside):  # one may have any folders in its own
            return depth
    raise AssertionError("a path ends")


def below(parts: tuple[str, ...], levels: int) -> tuple[str, ...]:
    """Return a path without its outermost folders; a file that lies above these keeps its own name."""
    return parts[min(levels, len(parts) - 1) :]


def folder_of(parts: Sequence[str]) -> str:
    """Return the outermost folder above a file whose name may be a person's; empty where there is none."""
    uploads = [(part, read_upload(part)) for part in parts[:-1]]
    sure = (part for part, upload in uploads if upload.sure or MOODLE.fullmatch(part))
    return next(sure, next((part for part, upload in uploads if upload.person), ""))


def first_named(parts: Sequence[str]) -> str:
    """Return the outermost folder above a file whose name holds any word that is a name; empty where there is none."""
    return next((part for part in parts[:-1] if read_upload(part).person or MOODLE.fullmatch(part)), "")


def with_folders(paths: Iterable[Sequence[str]]) -> frozenset[str]:
    """Return the letters of all whose own folders are the outermost ones."""
    folders = {folder_of(parts) for parts in paths if folder_of(parts) == first_named(parts)} - {""}
    return frozenset(person_of_folder(folder).key for folder in folders)


def claims(paths: Iterable[Sequence[str]]) -> dict[str, set[str]]:
    """Return by the letters of names in files which folders around these are called alike: mmuster, of Max Muster."""
    found: dict[str, set[str]] = {}
    for parts in paths:
        folder, person = first_named(parts), read_upload(parts[-1]).person
        letters = person_key(folder)
        if others_in("", parts[-1:]) and any(
            len(w) >= LEAST_WORD and w in letters for w in map(person_key, person.split())
        ):
            found.setdefault(person_key(person), set()).add(folder)
    return found


def others_in(folder: str, files: Iterable[str]) -> set[str]:
    """Return who else than the folder's person some names of notebooks say, in so many words."""
    others = set()
    for file in files:
        upload = read_upload(file)
        if upload.sure and upload.assignment and (is_notebook_name(file) or is_zip_name(file)):
            others.add(person_key(upload.person))
    return others - {person_of_folder(folder).key}


def person_of_folder(folder: str) -> Person:
    """Return whom a folder means that a tutor made, or a platform."""
    upload = read_upload(folder)
    return of_moodle(folder) or Person(upload.person or folder, upload.id, "", upload.sure)


def doubt_about(parts: Sequence[str], owner: Owner, persons: Collection[str], crowded: Collection[str]) -> str:
    """Say which names below somebody's own folder are another's; the folder says whose it is, and a person looks.

    Args:
        parts: the folders above the file, then its name.
        persons: the letters of all whose own folders are the outermost ones.
        crowded: folders with files of several persons, as their names say.
    """
    if owner.folder not in parts[:-1]:
        return ""
    file = read_upload(parts[-1])
    named = [(parts[-1], file.person)] if others_in(owner.folder, parts[-1:]) else []
    for folder in parts[parts.index(owner.folder) + 1 : -1]:
        person = of_moodle(folder) or of_ilias(folder) or person_of_folder(folder)
        named += [(folder, person.name)] if person.sure else []
    for name, person in named:
        said = person_key(person) in persons or owner.folder in crowded or MOODLE.fullmatch(name)
        if said and not any(is_part(*pair) for pair in itertools.permutations((person, owner.person.name))):
            return f"it lies in the folder {quoted(owner.folder)}, and {quoted(name)} in it names {quoted(person)}"
    return ""


def owner_of(
    parts: tuple[str, ...],
    layout: Layout,
    crowded: frozenset[str],
    persons: frozenset[str] = frozenset(),
    claims: Mapping[str, set[str]] = MappingProxyType({}),
    *,
    by_hand: bool,
) -> Owner:
    """Return whose file it is.

    Args:
        parts: the folders above it, from the outermost on, then its name (empty for a folder with nothing in it); NFC.
        crowded: folders with files of several persons, which therefore are nobody's own where files tell persons.
        persons: the letters of all whose own folders are the outermost ones: a folder of that name in another is not.
        claims: the folders that are called like the persons in the files in them: no other folder has a file of these.
        by_hand: the tutor says that this is the layout, so that a folder is a person's, whatever it is called.
    """
    file = parts[-1]
    owner = _owner_by_platform(parts, layout)
    if owner is not None:
        return owner
    if layout == "folders":
        folder = folder_of(parts) or (parts[0] if by_hand and len(parts) > 1 else "")
        if person_of_folder(folder).key in persons:
            folder = first_named(parts)
        if folder:  # whatever the names in it: they are what that person chose
            person = person_of_folder(folder)
            if persons and folder != first_named(parts):  # others' folders are the outermost ones: no number is sure
                person = person._replace(id="")
            return Owner(person._replace(sure=person.sure or by_hand), folder, file)
    upload, folder = read_upload(file), folder_of(parts)
    if layout == "flat" and folder not in {"", *crowded, *claims.get(person_key(upload.person), {folder})}:
        return Owner(person_of_folder(folder), folder, file)
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
    flat = FLAT[layout].fullmatch(parts[-1]) if layout in FLAT else None
    if flat is None:
        return None
    found = flat.groupdict()
    file = found["file"] or parts[-1]
    before = f"{found.get('title', '')} {found.get('stamp', '')}".strip()
    return Owner(_spelt_out(person_in(flat), read_upload(file)), "", file, before)


def _spelt_out(person: Person, upload: Upload) -> Person:
    """Return a person whose name a platform wrote as one word, spelt as the file's own name has it."""
    words = upload.person.split()
    turned = {person_key(" ".join(words[at:] + words[:at])) for at in range(len(words))}
    return person._replace(name=upload.person) if " " not in person.name and person.key in turned else person
