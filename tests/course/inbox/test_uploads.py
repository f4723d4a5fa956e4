"""Names as people, browsers and platforms make them; and properties that hold for any text."""

import string
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course.inbox.names import file_name
from course.inbox.uploads import Copy, person_key, read_upload

MAX = ("maxmustermann", "a1")


@pytest.mark.parametrize(
    "name",
    [
        "max_mustermann_a1.ipynb", "max_mustermann_a1 (2).ipynb", "max_mustermann_a1(1).ipynb",
        "max_mustermann_a1-1.ipynb", "max_mustermann_a1_1.ipynb", "max_mustermann_a1-Copy1.ipynb",
        "max_mustermann_a1 - Kopie (2).ipynb", "Copy of Copy of max_mustermann_a1.ipynb",
        "Kopie von max_mustermann_a1.ipynb", "max_mustermann_a1_final.ipynb", "max_mustermann_a1_v2.ipynb",
        "MaxMustermann_a1.ipynb", "MaxMustermannA1.ipynb", "a1_max_mustermann.ipynb", "A1 - Max Mustermann.ipynb",
        "max_mustermann_a1.IPYNB", "max_mustermann_a1.ipynb.txt", "Mustermann, Max_a1.ipynb", "max-mustermann-a1.ipynb",
        "max_a1_mustermann.ipynb", "max_mustermann_1234567_a1.ipynb", "max_mustermann_assignment_1_2.ipynb",
        "Übung 1 Max Mustermann.ipynb", "Solution_max_mustermann_a01.ipynb", "Dr. Max Mustermann a1.zip",
        "max_mustermann_a1_2026-11-20.ipynb", "max_mustermann_a1 (conflicted copy 2026-11-20 123456).ipynb",
        "max_mustermann_A1_Copy2_final2.ipynb", "max_mustermann_a1-checkpoint.ipynb",
    ],
)  # fmt: skip
def test_one_person_in_every_spelling(name):
    upload = read_upload(name)
    assert (person_key(upload.person), upload.assignment) == MAX and upload.sure and upload.rest == ()


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("a_b_a1-checkpoint", "a_b_a1"), ("a_b_a1", "a_b_a1 (1)"), ("a_b_a1 (2)", "a_b_a1 (10)"),
        ("a_b_a1", "a_b_a1_final"), ("a_b_a1 (3)", "a_b_a1_v2"), ("a_b_a1 - Kopie", "a_b_a1 - Kopie (2)"),
        ("a_b_a1_2026-11-19", "a_b_a1_2026-11-20"), ("a_b_a1_2026-11-20", "a_b_a1_2026-11-20_1530"),
    ],
)  # fmt: skip
def test_the_newer_copy_is_the_larger_one(older, newer):
    assert read_upload(f"{older}.ipynb").copy < read_upload(f"{newer}.ipynb").copy


@pytest.mark.parametrize(
    "name",
    ["Solution.ipynb", "a1.ipynb", "Untitled (3).ipynb", "VAE_solution_a1.ipynb", "02_toy_vae.ipynb", "name_surname_a1",
     "mustermann_a1.ipynb", "a1_maxmustermann.ipynb", "", ".ipynb"],
)  # fmt: skip
def test_what_names_nobody_for_sure(name):
    assert not read_upload(name).sure


@pytest.mark.parametrize("name", ["max_mustermann_a1_partB", "max_mustermann_a1_part_2", "max_mustermann_a1_Teil1"])
def test_parts_of_one_work_are_no_copies(name):
    upload = read_upload(f"{name}.ipynb")
    assert upload.rest and upload.copy == Copy() and person_key(upload.person) == "maxmustermann"


def test_two_assignments_in_a_name_say_none():
    assert read_upload("max_mustermann_a1_a2.ipynb").assignment is None
    assert read_upload("student_a0_a1.ipynb").assignment == "a1"  # there is no a0


LATIN = string.ascii_letters + "äöüÄÖÜßáèçñøåł"
NAMES = st.text(LATIN, min_size=2, max_size=12).filter(str.isalpha)


@settings(max_examples=40, deadline=None)
@given(NAMES, NAMES, st.sampled_from(["a1", "a5"]))
def test_a_name_is_known_however_it_is_written(first, last, assignment):
    spelt = read_upload(file_name(first, last, assignment))
    key = person_key(f"{first} {last}")
    assert person_key(spelt.person) == key or not spelt.sure  # words such as "final" are nobody's name
    for form in ("NFC", "NFD"):
        written = unicodedata.normalize(form, f"{first} {last}")
        assert person_key(written) == key == person_key(written.lower()) == person_key(written.replace(" ", "_"))


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_read(text):
    upload = read_upload(text)
    assert upload.assignment is None or upload.assignment[0] == "a"
    assert all(isinstance(number, int) for number in upload.copy)
