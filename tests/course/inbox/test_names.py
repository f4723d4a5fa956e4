"""Names of submissions: examples from life, and properties that hold for any text."""

import re
import string
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course.inbox.names import PARTICLES, FileName, course_spelling, file_name, parse_name


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("Max", "Mustermann", "max_mustermann"),
        ("Jürgen", "Groß", "juergen_gross"),
        ("Ju\u0308rgen", "GROẞ", "juergen_gross"),
        ("Søren", "Ærø", "soeren_aeroe"),
        ("Łukasz", "Żółć", "lukasz_zolc"),
        ("José", "Nuñez", "jose_nunez"),
        ("İpek", "Işık", "ipek_isik"),
        ("Đặng", "Nguyễn", "dang_nguyen"),
        ("Anna-Lena", "Schmidt-Ott", "annalena_schmidtott"),
        ("Seán", "O’Brien", "sean_obrien"),
        ("  Ursula ", "von der  Leyen", "ursula_vonderleyen"),
        ("Ludwig", "van\u00a0Beethoven", "ludwig_vanbeethoven"),
        ("Þóra", "Sigurðardóttir", "thora_sigurdardottir"),
    ],
)
def test_names_from_life(first, last, expected):
    assert file_name(first, last, "a1") == f"{expected}_a1.ipynb"


@pytest.mark.parametrize(
    ("first", "last", "reason"),
    [
        ("Hans Peter", "Meier", "first name 'Hans Peter' is 2 words.*--first Hans"),
        ("Max", "Meier Müller", "more than one word"),
        ("", "Meier", "first name is empty"),
        ("Max", " \t", "surname is empty"),
        ("Dr.Max", "Meier", r"contains '\.' \(full stop\)"),
        ("Max2", "Meier", "contains '2'"),
        ("../Max", "Meier", "contains '.'"),
        ("Max", "/etc/passwd", "contains '/'"),
        ("Max", "Mei_er", "contains '_'"),
        ("Юрий", "Meier", "cyrillic.*Latin letters"),
        ("Max", "李", "Latin letters"),
        ("Max", "\x00", "contains"),
        ("-", "Meier", "0 letters"),
        ("M" * 61, "Meier", "61 letters"),
        ("Max", "😀", "Latin letters"),
    ],
)
def test_everything_else_is_refused_with_the_reason(first, last, reason):
    with pytest.raises(ValueError, match=f"(?s){reason}"):
        file_name(first, last, "a1")


def test_an_unknown_assignment_is_refused():
    with pytest.raises(ValueError, match="expected one of a1, a2"):
        file_name("Max", "Mustermann", "a9")


LATIN = string.ascii_letters + "äöüÄÖÜßàáâãèéêëìíîïòóôõùúûýÿñçøåæœłđšžčćęąńśźőű"
NAMES = st.text(LATIN + "-'’", min_size=1, max_size=30).filter(lambda s: any(c in LATIN for c in s))


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_gives_a_plain_file_name_or_a_reason(first, last):
    try:
        name = file_name(first, last, "a3")
    except ValueError:
        return
    assert re.fullmatch(r"[a-z]+_[a-z]+_a3\.ipynb", name), name
    assert course_spelling(parse_name(name)) == name, "what is written is read again"
    assert name.isascii() and "/" not in name and "\\" not in name and name.count(".") == 1


@settings(max_examples=40, deadline=None)
@given(NAMES, NAMES)
def test_latin_names_are_never_refused_and_fields_can_be_told_apart(first, last):
    name = file_name(first, last, "a1")
    assert re.fullmatch(r"[a-z]{1,60}_[a-z]{1,60}_a1\.ipynb", name)
    assert name.split("_")[0] == file_name(first, "x", "a1").split("_")[0], "one field does not depend on the other"


@settings(max_examples=40, deadline=None)
@given(NAMES, NAMES)
def test_neither_case_nor_composition_nor_white_space_matters(first, last):
    name = file_name(first, last, "a1")
    assert file_name(unicodedata.normalize("NFD", first), unicodedata.normalize("NFD", last), "a1") == name
    assert file_name(first.swapcase().swapcase(), f"  {last} ", "a1") == name
    assert file_name(first.lower(), last.lower(), "a1") == name


@settings(max_examples=40, deadline=None)
@given(st.text(string.ascii_lowercase, min_size=1, max_size=60))
def test_plain_letters_stay_as_they_are(word):
    assert file_name(word, word, "a1") == f"{word}_{word}_a1.ipynb"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(sorted(PARTICLES)), max_size=3), NAMES)
def test_particles_join_the_surname(particles, last):
    alone = file_name("x", last, "a1").removeprefix("x_")
    if len("".join(particles) + alone) < 60:
        assert file_name("x", " ".join([*particles, last]), "a1") == f"x_{''.join(particles)}{alone}"


@pytest.mark.parametrize(
    ("name", "person", "assignment", "spelling"),
    [
        ("max_mustermann_a1.ipynb", "max mustermann", "a1", "max_mustermann_a1.ipynb"),
        ("Max_Mustermann_A1.ipynb", "Max Mustermann", "a1", "max_mustermann_a1.ipynb"),
        ("Ju\u0308rgen_Groß_a2.IPYNB", "Jürgen Groß", "a2", "juergen_gross_a2.ipynb"),
        ("anna-lena_van_dyck_a3.ipynb", "anna-lena van dyck", "a3", "annalena_vandyck_a3.ipynb"),
        ("Solution (1).ipynb", "", None, None),
        ("a2 final.ipynb", "", "a2", None),
        ("Максим_Петров_a1.ipynb", "Максим Петров", "a1", None),
    ],
)
def test_a_name_is_read_by_one_grammar_whatever_its_case(name, person, assignment, spelling):
    assert parse_name(name) == FileName(person, assignment)
    assert course_spelling(parse_name(name)) == spelling
