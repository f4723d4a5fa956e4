"""Which assignment a notebook solves, by its content alone: clear, or left open, never wrong."""

import tracemalloc

import pytest

from course import paths
from course.assignments import ASSIGNMENTS
from course.grading.corpus.notebooks import cell, notebook
from course.inbox import likeness


@pytest.mark.parametrize("key", ASSIGNMENTS)
def test_our_own_notebooks_are_told(key):
    for stem in ASSIGNMENTS[key].notebooks:
        words = likeness.words_in((paths.NOTEBOOKS / f"{stem}.ipynb").read_bytes())
        assert likeness.likely(words) == key
        assert all(likeness.other_than(other, words) in (None, key) for other in ASSIGNMENTS)
        assert likeness.other_than(key, words) is None


def test_a_notebook_that_never_saw_our_names_is_left_open():
    plain = notebook([cell("class MyModel: pass\nfor x in loader: step(x)")])
    assert likeness.likely(likeness.words_in(plain)) is None
    assert all(likeness.other_than(key, likeness.words_in(plain)) is None for key in ASSIGNMENTS)


def telling(key: str) -> list[str]:
    return sorted(likeness.own_names(ASSIGNMENTS)[key] | set(ASSIGNMENTS[key].marks))


def test_pictures_hold_no_words():
    words = telling("a1")
    picture, others = "/".join(words[1:]), words[0]
    text = f'{{"image/png": "{picture}", "text/plain": "\\n{others}\\t"}}'
    assert likeness.words_in(text.encode()) == {words[0]}


def test_words_that_tell_nothing_take_no_memory():
    words = telling("a1")
    text = " ".join([*words, *(f"w{number:07}" for number in range(200_000))]).encode()
    tracemalloc.start()
    try:
        assert likeness.words_in(text) == set(words)
        assert tracemalloc.get_traced_memory()[1] < len(text) // 4
    finally:
        tracemalloc.stop()


def test_each_assignment_has_names_that_no_other_one_has():
    own = likeness.own_names(ASSIGNMENTS)
    for key, assignment in ASSIGNMENTS.items():
        assert len(own[key]) + len(assignment.marks) >= likeness.LEAST, f"{key}: give its table marks"
