"""Whatever is put in is in exactly one row: the world's folders, and whatever hypothesis makes of them."""

import io
import itertools
import os
import shutil
import unicodedata
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from course.grading.corpus.inboxes import INBOXES, RUBBISH, START, Put, a1, make, write, zipped
from course.inbox import archives, listing
from course.inbox.collect import collect
from course.inbox.rows import counts

SMALL = b'{"cells": [], "nbformat": 4, "metadata": {}}'


def collected(folder: Path, **options):
    return collect([str(folder)], **options)


@pytest.mark.parametrize("kind", ["folder", "zip"])
@pytest.mark.parametrize("layout", INBOXES)
def test_the_worlds_folders(layout, kind, tmp_path):
    puts = make(tmp_path / "in", layout)
    given = tmp_path / "in"
    if kind == "zip":
        given = Path(shutil.make_archive(str(tmp_path / "everything"), "zip", given))
    found = collected(given)
    assert found.ignored == len(RUBBISH)
    rows = {row.file: row for row in found.rows}
    assert len(rows) == len(found.rows) == len(puts)
    for put in puts:
        row = rows[unicodedata.normalize("NFC", put.path)]
        assert row.key == put.person, put.path
        assert row.status_text.startswith(put.status), (put.path, row.status_text)
        assert (row.status == "graded" and bool(row.remarks or row.problem)) == put.looked_at, (put.path, row.remarks)
        assert row.assignment == "a1"
    assert counts(found.rows).startswith(f"{len(puts)} handed in: ")


def test_a_layout_may_be_set_by_hand(tmp_path):
    write(tmp_path / "mmuster/Eva_Echt_a1.ipynb", a1(), 1.0)
    write(tmp_path / "eecht/Max_Mustermann_a1.ipynb", a1(), 2.0)
    assert {row.key for row in collected(tmp_path).rows} == {"evaecht", "maxmustermann"}
    assert {row.key for row in collected(tmp_path, layout="folders").rows} == {"mmuster", "eecht"}
    assert all(row.sure for row in collected(tmp_path, layout="folders").rows)
    with pytest.raises(ValueError, match="no layout 'box': expected auto or one of flat"):
        collected(tmp_path, layout="box")


def test_a_folder_of_a_group_is_nobodys(tmp_path):
    for name in ("max_mustermann_a1", "eva_echt_a1"):
        write(tmp_path / f"Gruppe Mittwoch/{name}.ipynb", a1(), 1.0)
    assert {row.key for row in collected(tmp_path).rows} == {"maxmustermann", "evaecht"}


def test_in_a_flat_folder_the_folder_around_a_nameless_file_says_whose_it_is(tmp_path):
    for name in ("max_mustermann_a1", "eva_echt_a1", "otto_ober_a1"):
        write(tmp_path / f"{name}.ipynb", a1(), 1.0)
    write(tmp_path / "Lena Lang/Untitled.ipynb", a1(), 1.0)
    found = collected(tmp_path)
    assert "flat" in found.layouts[0] and {row.key for row in found.rows} >= {"lenalang", "ottoober"}


def test_a_newer_folder_of_a_person_replaces_an_older_one(tmp_path):
    write(tmp_path / "one/Max Mustermann_101_assignsubmission_file_/first.ipynb", a1(1), 1.0)
    write(tmp_path / "two/Max Mustermann_101_assignsubmission_file_/second.ipynb", a1(2), 2.0)
    rows = {row.name: row for row in collect([str(tmp_path / "one"), str(tmp_path / "two")]).rows}
    assert rows["second.ipynb"].status == "graded" and not rows["second.ipynb"].remarks
    assert rows["first.ipynb"].status_text.startswith("superseded by two/")


def test_the_same_numbers_in_two_assignments_are_one_person(tmp_path):
    write(tmp_path / "a1/Max Mustermann_101_assignsubmission_file_/x.ipynb", a1(), 1.0)
    write(tmp_path / "a2/Max Mustermann_555_assignsubmission_file_/x.ipynb", a1(), 1.0)  # Moodle numbers them anew
    rows = collected(tmp_path).rows
    assert {row.key for row in rows} == {"maxmustermann"} and {row.assignment for row in rows} == {"a1", "a2"}


def test_the_assignment_comes_from_the_flag_the_name_the_folder_or_the_content(tmp_path):
    write(tmp_path / "a3/max_mustermann.ipynb", a1(), 1.0)
    write(tmp_path / "eva_echt.ipynb", a1(), 1.0)
    write(tmp_path / "otto_ober_a2.ipynb", a1(), 1.0)
    write(tmp_path / "ida_in.ipynb", b"{}", 1.0)
    by_person = {row.key: row.assignment for row in collected(tmp_path).rows}
    assert by_person == {"maxmustermann": "a3", "evaecht": "a1", "ottoober": "a2", "idain": ""}
    flagged = {row.key: row for row in collected(tmp_path, assignment="a1").rows}
    assert {row.assignment for row in flagged.values()} == {"a1"}
    assert "says a2, but it was graded as a1" in flagged["ottoober"].remarks[0].text


def test_links_and_special_files_are_rows_and_are_not_followed(tmp_path):
    secret = tmp_path / "secret.ipynb"
    secret.write_bytes(a1())
    home = tmp_path / "in"
    home.mkdir()
    (home / "max_mustermann_a1.ipynb").symlink_to(secret)
    (home / "folder").symlink_to(tmp_path)
    os.mkfifo(home / "eva_echt_a1.ipynb")
    os.mkfifo(home / "otto_ober_a1.zip")
    rows = {row.file: row for row in collected(home).rows}
    assert len(rows) == 4 and not any(row.sha256 for row in rows.values())
    assert rows["max_mustermann_a1.ipynb"].problem.text == "it is a symbolic link, which is not followed"
    assert rows["folder"].status_text == "left out because it is a symbolic link, which is not followed"


def test_the_tutors_own_files_are_nobodys(tmp_path):
    write(tmp_path / "max_mustermann_a1.ipynb", a1(), 1.0)
    write(tmp_path / "roster.csv", b"Max Mustermann", 1.0)
    write(tmp_path / "grades/opened/x.ipynb", a1(), 1.0)
    found = collected(tmp_path, leave=[tmp_path / "grades", tmp_path / "roster.csv"])
    assert [row.file for row in found.rows] == ["max_mustermann_a1.ipynb"]


def test_nothing_at_all_is_said(tmp_path):
    with pytest.raises(ValueError, match="no notebook found"):
        collected(tmp_path)
    with pytest.raises(ValueError, match="does not exist"):
        collected(tmp_path / "gone")


def test_the_listing_says_the_same_and_writes_nothing(tmp_path):
    make(tmp_path / "in", "flat")
    text = listing.listing([str(tmp_path / "in")], "auto", None, None)
    assert text.splitlines()[-1] == (
        "29 handed in: 10 graded, 14 superseded, 5 left out "
        "(2 are PDFs, 1 holds no notebook, 1 is a web page, 1 is a Python file)"
    )
    assert [p.name for p in tmp_path.iterdir()] == ["in"]


# ---------------------------------------------------------------- zips


def zip_row(content: bytes, tmp_path: Path, name: str = "max_mustermann_a1.zip"):
    shutil.rmtree(tmp_path / "in", ignore_errors=True)
    write(tmp_path / "in" / name, content, 1.0)
    (row,) = collected(tmp_path / "in").rows
    return row


def test_what_is_no_zip_or_a_locked_or_a_damaged_one_is_looked_at(tmp_path):
    assert "damaged" in zip_row(b"PK\x03\x04 and so on", tmp_path).problem.text
    broken = bytearray(zipped({"x.ipynb": a1()}))
    broken[60:70] = b"0123456789"
    assert "damaged" in zip_row(bytes(broken), tmp_path).problem.text
    locked = bytearray(zipped({"x.ipynb": a1()}))
    locked[6] |= 1
    locked[locked.rfind(b"PK\x01\x02") + 8] |= 1
    assert "password" in zip_row(bytes(locked), tmp_path).problem.text


def test_a_bomb_is_not_opened(tmp_path, monkeypatch):
    bomb = zipped({"x.ipynb": b" " * 70_000_000})
    assert len(bomb) < 200_000 and "larger than 60 MB" in zip_row(bomb, tmp_path).problem.text
    nested = a1()
    for depth in range(5):
        nested = zipped({f"{depth}.zip" if depth else "x.ipynb": nested})
    assert "further zips" in zip_row(nested, tmp_path).problem.text
    monkeypatch.setattr(archives, "MOST_DIRECTORY", 5000)
    assert "list of files" in zip_row(zipped({f"{n}.txt": b"" for n in range(200)}), tmp_path).problem.text


def test_a_zip_in_a_zip_and_copies_of_one_notebook_are_opened(tmp_path):
    assert zip_row(zipped({"inner.zip": zipped({"x.ipynb": a1()})}), tmp_path).sha256
    assert zip_row(zipped({"x.ipynb": a1(), "copy/x.ipynb": a1()}), tmp_path).sha256
    assert zip_row(zipped({"eva_echt_a1.ipynb": a1()}), tmp_path, "abgabe.zip").sha256


def test_a_zip_names_the_person_else_the_notebook_in_it_does(tmp_path):
    write(tmp_path / "in/abgabe.zip", zipped({"eva_echt_a1.ipynb": a1()}), 1.0)
    write(tmp_path / "in/max_mustermann_a1.zip", zipped({"eva_echt_a1.ipynb": a1()}), 1.0)
    assert {row.key for row in collected(tmp_path / "in").rows} == {"evaecht", "maxmustermann"}


def test_names_in_a_zip_lead_nowhere_and_are_read_as_a_mac_writes_them(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("../../Ju\u0308rgen_Groß_a1.ipynb".encode().decode("cp437"))
        archive.writestr(info, a1())
        archive.writestr("/etc/max_mustermann_a1.ipynb", a1())
    content = bytearray(buffer.getvalue())
    for mark, at in ((b"PK\x03\x04", 7), (b"PK\x01\x02", 9)):  # forget that the first name is in UTF-8
        content[content.find(mark) + at] &= ~0x08 & 0xFF
    everything = tmp_path / "all.zip"
    everything.write_bytes(content)
    rows = collected(everything).rows
    assert {row.file for row in rows} >= {"etc/max_mustermann_a1.ipynb"}
    assert not any(".." in row.file or row.file.startswith("/") for row in rows)
    assert {row.assignment for row in rows} == {"a1"}


# ---------------------------------------------------------------- whatever people think of

WORDS = st.sampled_from(
    ["max", "Mustermann", "Jürgen", "Groß", "eva", "a1", "A2", "final", "vae", "x", "Максим", "1", "Ab C"]
)
SUFFIXES = st.sampled_from([".ipynb", ".IPYNB", ".ipynb.txt", ".ipynb.json", ".zip", ".pdf", "", ".json", ".html"])
MARKS = st.sampled_from(["", " (2)", "(1)", "-1", "_1", "-Copy1", " - Kopie", "_final", "_v2", " copy"])
FOLDERS = st.sampled_from([
    "", "Max Muster_12_assignsubmission_file_", "Eva Echt_13_assignsubmission_file", "Muster_Max_mm_4711", "Max Muster",
    "a1", "Gruppe 1", "data", "__MACOSX", ".ipynb_checkpoints", "leer", "eva_echt_a2",
])  # fmt: skip
SEPARATORS = st.sampled_from(["_", " ", "-", ""])


@st.composite
def names(draw) -> str:
    odd = draw(st.text(st.characters(exclude_characters="/\0", exclude_categories=("Cs",)), max_size=6))
    words = draw(st.lists(WORDS, min_size=1, max_size=4))
    name = draw(SEPARATORS).join(words) + draw(st.sampled_from(["", odd])) + draw(MARKS) + draw(SUFFIXES)
    return unicodedata.normalize(draw(st.sampled_from(["NFC", "NFD"])), name)


@st.composite
def files(draw) -> dict[str, bytes]:
    folders = draw(st.lists(FOLDERS, min_size=1, max_size=3))
    one, two = zipped({"x.ipynb": SMALL}), zipped({"a.ipynb": SMALL, "b.ipynb": b""})
    contents = st.sampled_from([SMALL, b"{}", b"", b"%PDF", one, two])
    puts = {}
    for _ in range(draw(st.integers(1, 6))):
        path = "/".join(filter(None, [draw(st.sampled_from(folders)), draw(names())]))
        if path.strip(".") and len(path.encode()) < 200 and path.split("/")[-1] not in (".", ".."):
            puts[path] = draw(contents)
    return puts


COUNTER = itertools.count()


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(files(), st.sampled_from(["auto", "flat", "moodle", "ilias", "folders"]), st.booleans())
@example({"max\\.ipynb": SMALL}, "auto", True)
def test_whatever_is_put_in_is_in_exactly_one_row(tmp_path_factory, puts, layout, as_zip):
    home = tmp_path_factory.getbasetemp() / f"case{next(COUNTER)}"
    for path, content in puts.items():
        write(home / "in" / path, content, START)
    if not puts:
        return
    there = {p.relative_to(home / "in").as_posix() for p in (home / "in").rglob("*") if p.is_file()}
    given_path = home / "in"
    if as_zip:  # two more notebooks of two persons make it a zip of everything
        for extra in ("zoe_zett_a1.ipynb", "yan_ypsilon_a1.ipynb"):
            write(home / "in" / extra, SMALL, START)
            there.add(extra)
        given_path = Path(shutil.make_archive(str(home / "all"), "zip", home / "in"))
    found = collect([str(given_path)], layout=layout)
    listed = [row.file for row in found.rows]
    normal = [unicodedata.normalize("NFC", path) for path in there]
    if as_zip:  # where old programs of Windows write a backslash between folders, and two are one
        normal = ["/".join(filter(None, path.replace("\\", "/").split("/"))) for path in normal]
    if not as_zip and len(there) == 1 and next(iter(there)).lower().endswith(".zip"):
        assert len(found.rows) + found.ignored >= 1
    else:
        files_listed = [row.file for row in found.rows if row.reason != "holds no notebook" or row.name]
        assert len(files_listed) + found.ignored == len(there)
        assert set(files_listed) <= set(normal)
    assert len({(row.place, row.file) for row in found.rows}) == len(listed)
    for row in found.rows:
        assert row.status in ("graded", "superseded", "left out")
        if row.status == "superseded":
            (newer,) = [other for other in found.rows if other.file == row.reason and other.key == row.key][:1]
            assert newer.assignment == row.assignment and newer.status == "graded"
    shutil.rmtree(home)


@settings(max_examples=25, deadline=None)
@given(st.permutations(list(range(6))), st.lists(MARKS, min_size=6, max_size=6, unique=True))
def test_of_one_persons_files_one_counts_whatever_their_order(tmp_path_factory, order, marks):
    home = tmp_path_factory.getbasetemp() / f"order{next(COUNTER)}"
    for number in order:
        write(home / f"max_mustermann_a1{marks[number]}.ipynb", SMALL + b" " * number, float(number))
    rows = collected(home).rows
    graded = [row for row in rows if row.status == "graded"]
    assert len(graded) == 1 and not graded[0].remarks
    assert {row.reason for row in rows if row.status == "superseded"} <= {graded[0].file}
    assert graded[0].copy == max(row.copy for row in rows)
    shutil.rmtree(home)


def test_the_property_fails_where_a_row_is_lost(tmp_path):
    puts = [Put("max_mustermann_a1.ipynb", a1(), "", ""), Put("eva_echt_a1.ipynb", a1(), "", "")]
    for put in puts:
        write(tmp_path / put.path, put.content, 1.0)
    found = collected(tmp_path)
    assert len(found.rows) == len(puts) and len(replace(found, rows=found.rows[1:]).rows) != len(puts)


def test_of_many_files_that_may_all_count_a_few_are_named(tmp_path):
    for number in range(40):
        write(tmp_path / "Max Muster_1_assignsubmission_file_" / f"part{number}.ipynb", a1(number), START)
    (remark, *_) = [r for row in collect([str(tmp_path)]).rows for r in row.remarks if r.code == "several"]
    assert "40 notebooks" in remark.text and "and 34 more" in remark.text and len(remark.text) < 600
