"""Names as people, browsers and platforms make them; and properties that hold for any text."""

import string
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course.inbox.names import file_name
from course.inbox.uploads import NOISE, PARTS, RARE_NAMES, Copy, called, person_key, read_upload

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


@pytest.mark.parametrize(
    "name",
    [
        "2026-11-10_09-22-03_max_mustermann_a1.ipynb", "20261110_max_mustermann_a1.ipynb", "max_mustermann_a1.ipynb_",
        "20261110092203_max_mustermann_a1.ipynb", "max_mustermann_a1 10.11.2026.ipynb", "max_mustermann_a1.eml",
        "max_mustermann_2026-11-10T0922_a1.ipynb", "Max Mustermann - Copy of a1.ipynb", "max_mustermann_v2_a1.ipynb",
        "max_mustermann_s1234567_a1.ipynb", "a1_max_mustermann_MatrNr_1234567.ipynb", "max_mustermann (2)_a1.ipynb",
        "Max Mustermann - Abgabe Blatt 1 - a1.ipynb", "max.mustermann@stud.uni.de a1.ipynb", "max_mustermann_Serie 1",
        "max_mustermann_Lab1.csv", "max_mustermann_Abgabe 1.ipynb", "final_max_mustermann_a1.ipynb",
        "max_mustermann_a1_draft.ipynb", "max_mustermann_a1_alt.ipynb", "max_mustermann_a1_late.ipynb",
    ],
)  # fmt: skip
def test_what_people_and_platforms_add_is_nobodys_name(name):
    test_one_person_in_every_spelling(name)


@pytest.mark.parametrize("person", ["Erika Neu", "Max Alt", "Kim Fix", "Anna Blatt", "Nguyễn Văn An"])
def test_a_word_that_calls_a_copy_new_may_be_somebodys_name(person):
    for name in (f"{person} a1.ipynb", f"{person.replace(' ', '_')}_a1 (2).ipynb", f"a1_{person}"):
        assert read_upload(name).person == person and read_upload(name).sure


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("2026-11-10_09-22-03_a_b_a1", "2026-11-10_09-22-04_a_b_a1"), ("a_b_a1_9.11.2026", "a_b_a1_10.11.2026"),
        ("20261110_a_b_a1_v2", "20261111_a_b_a1"), ("a_b_a1_draft", "a_b_a1"), ("a_b_a1_old", "a_b_a1_draft2"),
        ("a_b_a1_2026-11-20 0930", "a_b_a1_2026-11-20_1530"), ("a_b_a1_20261119", "a_b_a1_2026-11-19 0001"),
    ],
)  # fmt: skip
def test_the_later_day_is_the_newer_copy(older, newer):
    assert read_upload(f"{older}.ipynb").copy < read_upload(f"{newer}.ipynb").copy


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("max_mustermann_s1234567_a1", "1234567"), ("1234567_a1", "1234567"), ("a1_4711", "4711"),
        ("[47110] x y", "47110"), ("Matrikelnummer-1234567 x y", "1234567"), ("20231012_a1", "20231012"),
        ("a_b_20231345_a1", "20231345"),
        ("max_mustermann_a1_2026-11-10", ""), ("max_mustermann_a1_12", ""), ("max_mustermann_a1_1731234567890", ""),
        ("20261110_max_mustermann_a1", ""),
    ],
)  # fmt: skip
def test_a_persons_number_is_told_from_a_day_and_a_copy(name, number):
    assert read_upload(f"{name}.ipynb").id == number


@pytest.mark.parametrize(
    ("name", "team"),
    [
        ("max_muster_und_eva_echt_a1", ("max muster", "eva echt")),
        ("a1 Max Muster & Eva Echt", ("Max Muster", "Eva Echt")),
        ("max_muster+eva_echt_a1", ("max muster", "eva echt")), ("otto_und_ober_a1", ()),
        ("Otto von und zu Stein a1", ()),
        ("Jose Ortega et Gasset a1", ()),
        ("sandra_undset_a1", ()), ("max_muster_a1", ()),
    ],
)  # fmt: skip
def test_several_persons_in_a_name_are_a_team(name, team):
    assert read_upload(f"{name}.ipynb").team == team


@pytest.mark.parametrize(
    ("name", "sure"), [("王小明_a1", True), ("김민준_a1", True), ("王_a1", False), ("max_a1", False)]
)
def test_a_name_that_is_written_as_one_word_is_whole(name, sure):
    assert read_upload(f"{name}.ipynb").sure is sure


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


PEOPLE = NAMES.filter(lambda name: not called(name, "1") and name.casefold() not in NOISE | RARE_NAMES | PARTS)
BEFORE = st.sampled_from(
    ["", "Copy of ", "Kopie von ", "2026-11-10_09-22-03_", "20261110_", "[1] ", "4711001_", "Dr. "]
)
BEHIND = st.sampled_from(
    ["", " (2)", "_v2", "_final", "_late", " - Kopie", "_2026-11-10", "-Copy1", "_1234567", "_alt"]
)
ENDS = st.sampled_from([".ipynb", ".IPYNB", ".ipynb.txt", ".zip", ".ipynb_", ".pdf", ".ipynb.download", ".msg"])


@settings(max_examples=200, deadline=None)
@given(PEOPLE, PEOPLE, BEFORE, st.lists(BEHIND, max_size=2), ENDS, st.booleans())
def test_whatever_is_added_to_a_name_it_is_the_same_person(first, last, before, behind, end, assignment_first):
    person = f"{first.capitalize()} {last.capitalize()}"
    core = f"a1_{person}" if assignment_first else f"{person.replace(' ', '_')}_a1"
    upload = read_upload(f"{before}{core}{''.join(behind)}{end}")
    assert (person_key(upload.person), upload.assignment) == (person_key(person), "a1")


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_read(text):
    upload = read_upload(text)
    assert upload.assignment is None or upload.assignment[0] == "a"
    assert all(isinstance(number, int) for number in upload.copy)
