"""What a zip may hold that no disk could: names, folders and zips in it cost what a student's own files cost."""

import io
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from course.grading.corpus.inboxes import zipped
from course.inbox import archives
from course.inbox.archives import MOST_LETTERS, MOST_PARTS, Place, Reader, name_in
from course.inbox.collect import collect

SMALL = b'{"cells": [], "nbformat": 4, "metadata": {}}'


def infos(*names: str) -> list[zipfile.ZipInfo]:
    return zipfile.ZipFile(io.BytesIO(zipped(dict.fromkeys(names, SMALL)))).infolist()


def test_a_name_longer_than_any_on_a_disk_is_shortened_and_keeps_its_suffix():
    long, short = map(name_in, infos("a" * 20_000 + "/" + "_1" * 20_000 + "_a1.ipynb", "max_mustermann_a1.ipynb"))
    assert [len(part) for part in long.split("/")] == [MOST_LETTERS] * 2 and long.endswith("_1_1_a1.ipynb")
    assert short == "max_mustermann_a1.ipynb"


def test_no_more_of_a_name_is_put_into_normal_form_than_a_disk_could_hold(monkeypatch):
    lengths = []
    normalize = archives.unicodedata.normalize
    monkeypatch.setattr(
        archives.unicodedata, "normalize", lambda form, text: lengths.append(len(text)) or normalize(form, text)
    )
    (name,) = map(name_in, infos("Ju\u0308rgen/" + "\u0300\u0316" * 15_000 + ".ipynb"))
    assert max(lengths) <= MOST_LETTERS and name.startswith("Jürgen/") and name.endswith(".ipynb")


def test_of_more_folders_than_anybody_has_the_outermost_ones_and_the_file_are_kept():
    (info,) = infos("Eva Echt/" + "a/" * 30_000 + "a1.ipynb")
    parts = name_in(info).split("/")
    assert len(parts) == len(archives.as_stored(info)) == MOST_PARTS
    assert max(map(len, archives.as_stored(*infos("x" * 60_000 + "/a1.ipynb")))) == MOST_LETTERS  # what goes back, too
    assert (parts[0], parts[-1]) == ("Eva Echt", "a1.ipynb")


def test_folders_of_a_zip_are_empty_where_nothing_is_below_them(tmp_path):
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("a/", "a b/", "a/b/", "a/b/x.txt", "a.d/", "c/", "c/d/", "e/f/g.txt"):
            archive.writestr(name, b"")
    with Reader() as reader:
        assert list(reader.empty_folders(Place(path))) == ["a b", "a.d", "c/d"]


@pytest.fixture
def nested(tmp_path) -> Path:
    """Return a zip of four students, each with a zip that is mostly padding before its list of files."""
    inner = b"\0" * 3_000_000 + zipped({"readme.txt": b"x"})
    path = tmp_path / "all.zip"
    path.write_bytes(zipped({f"s{number}_x_a1.zip": zipped({"in.zip": inner}) for number in range(4)}))
    return path


def test_zips_in_zips_take_no_more_memory_than_one_of_them(nested):
    tracemalloc.start()
    try:
        with Reader() as reader:
            for number in range(4):
                assert archives.content_of(reader, Place(nested, (number,))).is_empty
            now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert now < 4_000_000 and peak < 12_000_000


def test_what_is_closed_is_read_again(nested):
    with Reader() as reader:
        content = [reader.read(Place(nested, (number, 0, 0))) for number in (0, 3, 0)]
        assert content == [b"x"] * 3 and [len(m.name) for m in reader.members(Place(nested))] == [11] * 4


def test_zips_in_a_zip_that_are_too_large_together_are_not_opened(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MOST_ZIP", 1000)
    padded = b"\0" * 600 + zipped({"x.ipynb": SMALL})
    (tmp_path / "max_muster_a1.zip").write_bytes(zipped({"one.zip": padded, "two.zip": padded}))
    (row,) = collect([str(tmp_path)]).rows
    assert row.problem is not None and "further zips, which were not opened" in row.problem.text
