"""Look into zips that nobody vouches for: members are counted, sizes bounded, and nothing is unpacked by its name."""

import bisect
import contextlib
import datetime
import io
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from course.inbox.kinds import (
    MAY_BE_NOTEBOOKS,
    is_ignored,
    is_notebook,
    is_notebook_name,
    is_zip_name,
    may_be_notebook,
    suffix_of,
)
from course.notebooks.reading import MEGA, MOST_BYTES, Unreadable, printable, read_bytes
from course.notebooks.visible import quoted

MOST_MEMBERS = 20_000  # of a zip of everything
MOST_DIRECTORY = 16 * MEGA  # bytes in which a zip lists its members
MOST_ZIP = 100 * MEGA  # bytes of a zip inside a zip
MOST_DEPTH = 2  # zips in one another, as what a student handed in
MOST_INNER_ZIPS = 3
MOST_PARTS = 32  # folders above one another, and the name
HEAD = 64  # bytes of a file that tell its kind
MOST_NAMES = 5  # of notebooks in a sentence
LONGEST_NAME = 80
MOST_LETTERS, MOST_SUFFIX = 255, 32  # of a file's name, and of its end, which tells its kind
UTF8 = 0x800  # the flag of a member's name that is in UTF-8
END, END_64 = b"PK\x05\x06", b"PK\x06\x06"
BROKEN = (
    zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, ValueError, struct.error, OSError,
)  # fmt: skip
NO_ZIP = "File is not a zip file"  # in zipfile's words


class TooLong(ValueError):
    """A zip lists more than people hand in."""


class Place(NamedTuple):
    """Where a file lies: in a folder, or at these numbers in a zip, in the zip in it, and so on."""

    path: Path
    members: tuple[int, ...] = ()


class Doubt(NamedTuple):
    """What is odd about how something was handed in; a person should look."""

    code: str  # of its hint
    text: str


class Member(NamedTuple):
    """A file in a zip."""

    number: int
    name: str  # with slashes
    size: int  # as the zip says
    crc: int
    time: float
    as_stored: tuple[str, ...]  # the parts of its name, byte by byte: what is no UTF-8 as Python's file names have it


class Content(NamedTuple):
    """What a zip holds that a student handed in."""

    place: Place | None  # of its one notebook
    name: str  # of that notebook
    problem: Doubt | None = None  # for a person who has to look, where it is not to be graded
    is_empty: bool = False  # it holds no notebook


class Reader:
    """Read files, and members of zips; only a zip and those around it stay open, so that many cost no more than one."""

    def __init__(self) -> None:
        self._open: dict[Place, tuple[zipfile.ZipFile, io.BufferedReader | io.BytesIO]] = {}

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self._keep(None)

    def _keep(self, place: Place | None) -> None:
        """Close all zips but one and those around it."""
        for other in list(self._open):
            if place is None or other.path != place.path or place.members[: len(other.members)] != other.members:
                for file in self._open.pop(other):
                    file.close()

    def read(self, place: Place, most: int = MOST_BYTES) -> bytes:
        """Return the content of a file.

        Raises:
            Unreadable: it is too large, damaged, encrypted, or no regular file.
        """
        if not place.members:
            return read_bytes(place.path)
        content = self._inflated(place, most + 1)
        if len(content) > most:
            raise Unreadable(f"it is larger than {most // MEGA} MB")
        return content

    def head(self, place: Place) -> bytes:
        """Return the first bytes of a file.

        Raises:
            Unreadable, OSError: it cannot be read.
        """
        if place.members:
            return self._inflated(place, HEAD)
        with place.path.open("rb") as file:
            return file.read(HEAD)

    def _inflated(self, place: Place, most: int) -> bytes:
        """Return so many first bytes of a member.

        Raises:
            Unreadable: it is damaged or encrypted.
        """
        archive = self.archive(Place(place.path, place.members[:-1]))
        info = archive.infolist()[place.members[-1]]
        if info.flag_bits & 1:
            raise Unreadable("the zip is locked by a password")
        try:
            with archive.open(info) as file:
                return file.read(most)
        except BROKEN as error:
            raise Unreadable(damage(error)) from error

    def archive(self, place: Place) -> zipfile.ZipFile:
        """Open a zip, once for all that is read from it in a row.

        Raises:
            Unreadable: it is no zip, or a damaged one, or it lists more files than anybody hands in.
        """
        self._keep(place)
        if place not in self._open:
            if place.members:
                file = io.BytesIO(self.read(place, MOST_ZIP))
            else:
                if not stat.S_ISREG(place.path.lstat().st_mode):
                    raise Unreadable("it is not a regular file")
                file = place.path.open("rb")
            try:
                self._open[place] = opened(file), file
            except BaseException:
                file.close()
                raise
        return self._open[place][0]

    def members(self, place: Place) -> list[Member]:
        """List the files of a zip.

        Raises:
            Unreadable: as :meth:`archive`.
        """
        members = []
        for number, info in enumerate(self.archive(place).infolist()):
            if not info.is_dir():
                members.append(Member(number, name_in(info), info.file_size, info.CRC, time_of(info), as_stored(info)))
        return members

    def empty_folders(self, place: Place) -> dict[str, tuple[str, ...]]:
        """Return the folders of a zip in which there is nothing, each with the parts of its name as they are stored."""
        infos = [(name_in(info).rstrip("/"), info) for info in self.archive(place).infolist()]
        names = sorted({f"{name}/" for name, _ in infos})
        folders = {name: as_stored(info) for name, info in infos if info.is_dir() and name}
        return {name: folders[name] for name in sorted(folders) if not holds_any(f"{name}/", names)}


def damage(error: Exception) -> str:
    """Say what is wrong with a zip in our own words: what zipfile says repeats names that stand in it."""
    if isinstance(error, NotImplementedError):
        return "the zip is packed in a way that cannot be unpacked here"
    if str(error) == NO_ZIP:
        return "the zip is damaged (it is no zip file, or only the beginning of one)"
    what = str(error) if isinstance(error, TooLong) else "its parts contradict one another"
    return f"the zip is damaged ({what})"


def holds_any(folder: str, names: Sequence[str]) -> bool:
    """Say whether a folder is above any of some names, which are sorted: what is in it follows it there."""
    after = bisect.bisect_right(names, folder)
    return after < len(names) and names[after].startswith(folder)


def opened(file: io.BufferedReader | io.BytesIO) -> zipfile.ZipFile:
    """Read the list of a zip's members.

    Raises:
        Unreadable: it is no zip, or a damaged one, or it lists more files than anybody hands in.
    """
    try:
        check_directory(file)
        archive = zipfile.ZipFile(file)
    except BROKEN as error:
        raise Unreadable(damage(error)) from error
    if len(archive.infolist()) > MOST_MEMBERS:
        raise Unreadable(f"the zip lists more than {MOST_MEMBERS:,} files")
    return archive


def check_directory(file: io.BufferedReader | io.BytesIO) -> None:
    """Refuse a list of members that is too long, before it is read into memory.

    Raises:
        TooLong: it is.
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - (1 << 16) - 100))
    tail = file.read()
    at, at_64 = tail.rfind(END), tail.rfind(END_64)
    length = struct.unpack_from("<L", tail, at + 12)[0] if at >= 0 else 0
    if length == 0xFFFFFFFF and at_64 >= 0:
        length = struct.unpack_from("<Q", tail, at_64 + 40)[0]
    if length > MOST_DIRECTORY:
        raise TooLong("its list of files is longer than any that people hand in")
    file.seek(0)


def name_in(info: zipfile.ZipInfo) -> str:
    """Return a member's name: in Unicode even where a Mac did not say so, with slashes, without a way out."""
    name = said_name(info)
    if not info.flag_bits & UTF8 and not name.isascii():
        with contextlib.suppress(UnicodeError):  # else it is what it says: cp437
            name = name.encode("cp437").decode("utf-8")
    parts = [printable(unicodedata.normalize("NFC", part)) for part in parts_of(name)]  # each is bounded by then
    end = "/" if name.endswith(("/", "\\")) else ""
    return "/".join(parts) + end


def as_stored(info: zipfile.ZipInfo) -> tuple[str, ...]:
    """Return the parts of a member's name as its bytes are, without a way out."""
    name = said_name(info)
    if not info.flag_bits & UTF8:
        with contextlib.suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8", "surrogateescape")
    return parts_of(name)


def said_name(info: zipfile.ZipInfo) -> str:
    return info.orig_filename if "\0" not in info.orig_filename else info.filename


def parts_of(name: str) -> tuple[str, ...]:
    """Return the folders in a name, and the file; of more than anybody has, the outermost ones and the file."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    return tuple(bounded(part) for part in (*parts[: MOST_PARTS - 1], *parts[MOST_PARTS - 1 :][-1:]))


def bounded(name: str) -> str:
    """Shorten a name that no file system could hold, but a zip may: what reads names takes its time for each letter."""
    return name if len(name) <= MOST_LETTERS else f"{name[: MOST_LETTERS - MOST_SUFFIX]}{name[-MOST_SUFFIX:]}"


def time_of(info: zipfile.ZipInfo) -> float:
    try:
        return datetime.datetime(*info.date_time).timestamp()
    except (ValueError, OverflowError, OSError):
        return 0.0


# ---------------------------------------------------------------- what a student's zip holds


def content_of(reader: Reader, place: Place, depth: int = 1) -> Content:
    """Find the one notebook of a zip; where there are several, or it cannot be opened, a person has to look."""
    try:
        members = [m for m in reader.members(place) if not is_ignored(m.name.split("/"))]
    except Unreadable as error:
        return Content(None, "", Doubt("unopened", f"{error}: it was not opened"))
    notebooks = [m for m in members if is_notebook_name(m.name)] or _by_content(reader, place, members)
    if len({(m.crc, m.size) for m in notebooks}) == 1:  # one, or several of the same content
        member = notebooks[0]
        return Content(Place(place.path, (*place.members, member.number)), member.name.split("/")[-1])
    if notebooks:
        names = ", ".join(quoted(m.name, LONGEST_NAME) for m in notebooks[:MOST_NAMES])
        more = f" and {len(notebooks) - MOST_NAMES} more" if len(notebooks) > MOST_NAMES else ""
        return Content(None, "", Doubt("several", f"the zip holds {len(notebooks)} notebooks: {names}{more}"))
    return _in_inner_zips(reader, place, [m for m in members if is_zip_name(m.name)], depth)


def _by_content(reader: Reader, place: Place, members: list[Member]) -> list[Member]:
    """Return the notebooks among members of another suffix, of which not many are looked into."""
    found = []
    for member in [m for m in members if suffix_of(m.name) in MAY_BE_NOTEBOOKS][:MOST_NAMES]:
        with contextlib.suppress(Unreadable):
            inner = Place(place.path, (*place.members, member.number))
            if may_be_notebook(member.name, reader.head(inner)) and is_notebook(reader.read(inner)):
                found.append(member)
    return found


def _in_inner_zips(reader: Reader, place: Place, zips: list[Member], depth: int) -> Content:
    """Look for the one notebook in the zips inside a zip."""
    if not zips:
        return Content(None, "", is_empty=True)
    if depth >= MOST_DEPTH or len(zips) > MOST_INNER_ZIPS or sum(m.size for m in zips) > MOST_ZIP:
        return Content(None, "", Doubt("unopened", "the zip holds further zips, which were not opened"))
    inner = [content_of(reader, Place(place.path, (*place.members, m.number)), depth + 1) for m in zips]
    filled = [content for content in inner if not content.is_empty]
    if len(filled) == 1:
        return filled[0]
    if filled:
        return Content(None, "", Doubt("several", f"the zip holds {len(filled)} zips with notebooks in them"))
    return Content(None, "", is_empty=True)
