"""Feedback goes back into the very folders that came: their names byte by byte, whoever made them."""

import io
import os
import struct
import sys
import zipfile
from pathlib import Path

import pytest
from rich.console import Console

from course.grading import grade as grading
from course.grading.judging import Options
from course.grading.telling import Telling

BROKEN = b'{"nbformat": 4'  # whatever is in it, there is feedback
END = b"_assignsubmission_file_"
FOLDERS = {
    "moodle": [
        "Jürgen Groß_11".encode() + END,
        "Zoe\u0308 Mu\u0308ller_12".encode() + END,  # NFD, as a Mac writes names
        "Zoë Müller_13".encode() + END[:-1],
        "O'Neil, Anna [x] %20 & Söhne_14".encode() + END,
        b"  Ola  Nordmann_15" + END,
        "Łukasz Żółć 😀_16".encode() + END,
    ],
    "ilias": [
        b"Mustermann_Max_mmuster_4711",
        "Groß_Jürgen_jgross_4712".encode(),
        "Mu\u0308ller_Zoe\u0308_zmueller_4713".encode(),
        b"van der Ploeg_Anna-Lena_avdp_4714",
    ],
    "folders": ["Zoë Müller".encode(), "Ju\u0308rgen Groß".encode(), b"Max Mustermann (2)"],
}
OLD = {"moodle": "Jürgen Müller_17".encode("cp437") + END, "ilias": "Müller_Jörg_jm_4715".encode("latin-1")}


def names_in(content: bytes) -> list[tuple[bytes, bool]]:
    """Return the names that a zip lists, as bytes, and whether it says that they are UTF-8: read without zipfile."""
    at, found = content.find(b"PK\x01\x02"), []
    while content[at : at + 4] == b"PK\x01\x02":
        flags, name, extra, comment = (
            *struct.unpack_from("<H", content, at + 8),
            *struct.unpack_from("<3H", content, at + 28),
        )
        found.append((content[at + 46 : at + 46 + name], bool(flags & 0x800)))
        at += 46 + name + extra + comment
    return found


def zip_of(folders: list[bytes], flagged: bool) -> bytes:
    """Return a zip with a notebook in each folder, made by a program that says UTF-8, or by one that says nothing."""
    buffer, marks = io.BytesIO(), {}
    with zipfile.ZipFile(buffer, "w") as archive:
        for number, folder in enumerate(folders):
            mark = f"#{number}".encode().ljust(len(folder), b"#")
            marks[mark] = folder
            archive.writestr(f"{mark.decode()}/a1.ipynb", BROKEN)
    content = bytearray(buffer.getvalue())
    for mark, folder in marks.items():
        for head, flags, name in ((b"PK\x03\x04", 6, 30), (b"PK\x01\x02", 8, 46)):
            at = content.find(mark, content.find(head))
            while content[at - name : at - name + 4] != head:
                at = content.find(mark, at + 1)
            content[at : at + len(mark)] = folder
            if flagged:
                content[at - name + flags + 1] |= 0x08
    return bytes(content)


def feedback(given: Path, layout: str, tmp_path: Path) -> list[tuple[bytes, bool]]:
    out, archive = tmp_path / "grades", tmp_path / "feedback.zip"
    tell = Telling(layout=layout, feedback_zip=archive)
    grading.grade([str(given)], out, Options(assignment="a1"), workers=1, console=Console(quiet=True), tell=tell)
    with zipfile.ZipFile(archive) as zipped:
        assert zipped.testzip() is None and len(set(zipped.namelist())) == len(zipped.namelist())
    return names_in(archive.read_bytes())


def folders_of(names: list[tuple[bytes, bool]]) -> list[bytes]:
    assert all(name.endswith(b"/feedback.md") for name, _ in names)
    return sorted(name.removesuffix(b"/feedback.md") for name, _ in names)


@pytest.mark.parametrize("layout", FOLDERS)
def test_a_folder_on_the_disk_is_mirrored(layout, tmp_path):
    folders = FOLDERS[layout] + ([OLD[layout]] if layout in OLD and sys.platform == "linux" else [])
    for folder in folders:
        (tmp_path / "in" / os.fsdecode(folder)).mkdir(parents=True)
        (tmp_path / "in" / os.fsdecode(folder) / "a1.ipynb").write_bytes(BROKEN)
    names = feedback(tmp_path / "in", layout, tmp_path)
    there = sorted(os.fsencode(path.name) for path in (tmp_path / "in").iterdir())  # as this system keeps names
    assert folders_of(names) == there
    for name, said in names:
        assert said == (not name.isascii() and is_utf8(name))


def is_utf8(name: bytes) -> bool:
    try:
        return bool(name.decode())
    except UnicodeDecodeError:
        return False


@pytest.mark.parametrize("flagged", [True, False])
@pytest.mark.parametrize("layout", FOLDERS)
def test_a_folder_in_a_zip_is_mirrored(layout, flagged, tmp_path):
    folders = FOLDERS[layout] + ([OLD[layout]] if layout in OLD and not flagged else [])
    (tmp_path / "download.zip").write_bytes(zip_of(folders, flagged))
    assert folders_of(feedback(tmp_path / "download.zip", layout, tmp_path)) == sorted(folders)


def test_one_persons_folder_alone_and_one_deep_below_are_mirrored(tmp_path):
    name = os.fsdecode("Mu\u0308ller_Zoe\u0308_zmueller_4713".encode())
    deep = tmp_path / "in" / "Übung 1" / "Abgaben" / name
    deep.mkdir(parents=True)
    (deep / "a1.ipynb").write_bytes(BROKEN)
    there = [os.fsencode(path.name) for path in deep.parent.iterdir()]
    assert folders_of(feedback(tmp_path / "in", "auto", tmp_path)) == there
    assert folders_of(feedback(deep, "auto", tmp_path)) == there
