"""The reader of untrusted notebooks: whatever goes in, a submission or one sentence comes out."""

import base64
import json
import os
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course.notebooks import code
from course.notebooks.reading import (
    MOST_BYTES,
    MOST_ERROR,
    MOST_PLAIN,
    MOST_TEXT,
    PICTURE_KINDS,
    Submission,
    Unreadable,
    parse,
    printable,
    read_bytes,
)

KEYS = ("cells", "cell_type", "source", "outputs", "output_type", "data", "text", "image/png", "traceback", "ename")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=20,
)
CELLS = st.fixed_dictionaries(
    {"cell_type": st.sampled_from(["code", "markdown", "raw", "x"]), "source": st.text(max_size=30) | JSON},
    optional={"outputs": st.lists(JSON, max_size=3) | JSON, "execution_count": JSON, "metadata": JSON},
)


def notebook(*cells, **others):
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells, **others}).encode()


def code_cell(source: str | list[str] = "x", *outputs, count: int | None = 1):
    return {"cell_type": "code", "source": source, "outputs": outputs, "execution_count": count}


def stream(text):
    return {"output_type": "stream", "name": "stdout", "text": text}


def display(figure: str = "", **data):
    return {"output_type": "display_data", "data": data, "metadata": {"figure": figure} if figure else {}}


def read(content):
    """Check that reading ends in one of its two ways, and that nothing unprintable comes out."""
    try:
        submission = parse("a.ipynb", content)
    except Unreadable as error:
        return None if str(error).strip() else pytest.fail("a refusal without a sentence")
    assert isinstance(submission, Submission)
    for text in (submission.text, submission.source, *(text for _, text in submission.prose)):
        text.encode()
    return submission


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_a_submission_or_a_sentence(content):
    read(content)


@settings(max_examples=200, deadline=None)
@given(JSON, JSON)
def test_any_json_is_a_submission_or_a_sentence(cells, version):
    read(json.dumps(cells).encode())
    read(json.dumps({"nbformat": version, "cells": cells}).encode())


@settings(max_examples=200, deadline=None)
@given(st.lists(CELLS | JSON, max_size=5), JSON)
def test_any_tree_that_resembles_a_notebook_is_read(cells, metadata):
    assert read(json.dumps({"nbformat": 4, "metadata": metadata, "cells": cells}).encode()) is not None


def test_what_a_cell_says_is_where_it_belongs():
    png = base64.b64encode(b"no picture").decode()
    content = notebook(
        {"cell_type": "markdown", "source": ["# One\n", "## Task B3"]},
        code_cell(["plt.savefig('b.png')\n", "show()"], stream(["1 of", " 2\n"]),
                  display("part_b", **{"image/png": png, "text/plain": "alt"})),
        code_cell("1 / 0", {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["a", "b"]}, count=None),
        code_cell("x", display(**{"text/plain": "3.0"})),
    )  # fmt: skip
    submission = parse("a.ipynb", content)
    first, second, third = submission.cells
    assert submission.prose == ((1, "# One\n## Task B3"),) and submission.damage is None
    assert (first.number, first.heading, first.text, first.count) == (2, "## Task B3", "1 of 2\n", 1)
    (picture,) = first.pictures
    assert (picture.kind, picture.data, picture.label.strip()) == ("image/png", b"no picture", "part_b")
    assert "alt" in picture.words and "task b3" in picture.words
    assert second.error == "E: v" and second.outputs[0].traceback == "a\nb" and second.count is None
    assert third.text == "3.0\n" and submission.text == "1 of 2\n\n\n3.0\n"


@pytest.mark.parametrize("kind", PICTURE_KINDS)
def test_every_kind_of_picture_is_seen(kind):
    value = {"layout": {}} if "plotly" in kind else "<svg/>" if "svg" in kind else base64.b64encode(b"x").decode()
    submission = parse("a.ipynb", notebook(code_cell("draw()", display(**{kind: value, "text/plain": "f"}))))
    (picture,) = submission.pictures
    assert picture.kind == kind and (picture.data == b"x") == (kind in ("image/png", "image/jpeg"))
    assert submission.text == "", "a picture's plain form is no printed text"


def test_halves_of_characters_are_replaced_where_they_enter():
    content = notebook(code_cell("'a'", stream("b\ud800c")), {"cell_type": "markdown", "source": "\udfff"})
    submission = read(content)
    assert submission is not None and submission.text == "b\ufffdc"
    raw = notebook(code_cell("'a'", stream("HALF"))).replace(b"HALF", b"b\xed\xa0\x80c")
    submission = read(raw)
    assert submission is not None and submission.text == "b\ufffdc", "the same where the file itself is so encoded"
    assert printable("\ud83d\ude00") == "\U0001f600", "two halves that fit are one character"


def test_links_folders_and_large_files_are_refused(tmp_path):
    (tmp_path / "a.ipynb").write_bytes(b"{}")
    (tmp_path / "link.ipynb").symlink_to(tmp_path / "a.ipynb")
    os.mkfifo(tmp_path / "pipe.ipynb")
    with (tmp_path / "large.ipynb").open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    assert read_bytes(tmp_path / "a.ipynb") == b"{}"
    for name in ("link.ipynb", "pipe.ipynb", "large.ipynb", "none.ipynb"):
        with pytest.raises(Unreadable):
            read_bytes(tmp_path / name)
    with pytest.raises(Unreadable):
        read_bytes(tmp_path)


HOSTILE = {
    "quotes": lambda n: code_cell("savefig(" + "'" * n),
    "open brackets": lambda n: code_cell("savefig(" * (n // 8)),
    "blanks": lambda n: code_cell("savefig" + " " * n),
    "one line": lambda n: code_cell("x", stream("a" * n)),
    "headings": lambda n: {"cell_type": "markdown", "source": "#" * n},
    "comments": lambda n: code_cell("# \n" * (n // 3)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_time_grows_as_the_file_does(name):
    def seconds(size):
        content = notebook(HOSTILE[name](size))
        best = float("inf")
        for _ in range(3):
            start = time.process_time()  # a busy machine is no reason to fail
            parse("a.ipynb", content)
            best = min(best, time.process_time() - start)
        return best

    small, large = 40_000, 16 * 40_000
    assert seconds(large) < 100 * seconds(small) + 0.05, "quadratic time would grow 256 times"


def test_text_is_read_as_far_as_there_is_room():
    submission = parse("a.ipynb", notebook(code_cell("x", stream("a" * MOST_TEXT)), code_cell("y", stream("b"))))
    assert len(submission.cells[0].text) == MOST_TEXT and submission.cells[1].text == ""


def test_of_a_long_value_or_error_only_the_beginning_counts_for_a_cell_and_all_is_kept_in_its_outputs():
    error = {"output_type": "error", "ename": "E", "evalue": "v" * 5000}
    (cell,) = parse("a.ipynb", notebook(code_cell("x", display(**{"text/plain": "p" * 5000}), error))).cells
    assert (len(cell.text), len(cell.error or "")) == (MOST_PLAIN + 1, MOST_ERROR)
    assert (len(cell.outputs[0].text), len(cell.outputs[1].error)) == (5000, 5003)


def test_code_is_parsed_as_ipython_reads_it():
    tree = code.parse(
        "%matplotlib inline\n!ls\nimport numpy as np\nfor i in x: a = [b := i for i in y]\ndef f(): c = 1"
    )
    names = set()
    for statement in tree.body:
        names |= set(code.bound(statement))
    assert names == {"np", "i", "a", "b", "f"}
    assert code.parse_or_none("def f(:") is None
    assert list(code.figure_names(code.parse("show(fig, 'a_b', alt='c')\nexplore(f, {}, 'c_d')"))) == ["a_b", "c_d"]
    assert code.imported_modules(code.parse("import a.b, c\nfrom d.e import f")) == {"a.b", "c", "d.e"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\n", "Git LFS"),
        (b"<<<<<<< HEAD\n{}\n=======\n", "conflict"), (bytes(3000), "zeros"), (b"import numpy as np\n", "Python code"),
        (b"# %%\nx = 1\n", "Python code"), (b"https://colab.research.google.com/x", "a link"),
        (b"Rar!\x1a", "an archive"), (b"\x1f\x8b\x08", "an archive"), (b"\x89PNG\r\n", "a picture"),
        (b"%PDF-1.7", "a PDF"),
    ],
)  # fmt: skip
def test_what_bears_a_notebooks_name_and_is_none_is_called_what_it_is(content, said):
    with pytest.raises(Unreadable, match=said) as caught:
        parse("max_mustermann_a1.ipynb", content)
    assert "line 1" not in str(caught.value) and str(caught.value).endswith(".")
