"""A tutor writes a name as people write names; what fits two persons is asked, what fits nobody is answered."""

import itertools
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course.inbox.decisions import Known, row_meant
from course.inbox.spellings import Named, may_be_one, meant_by, near

COURSE = (
    "Max Mustermann", "Jürgen Groß", "Anna-Lena van der Ploeg", "Max Emil Maus", "José Müller", "Soeren Kuehn",
    "Anton Max", "Max Anton", "Eva Ohm", "Eva Marie Ohm",
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("max mustermann", "Max Mustermann"),
        ("MUSTERMANN, MAX", "Max Mustermann"),
        ("mustermann_max", "Max Mustermann"),
        ("MustermannMax", "Max Mustermann"),
        ("Gross Juergen", "Jürgen Groß"),
        ("Groß, Ju\u0308rgen", "Jürgen Groß"),
        ("jurgen gros", "Jürgen Groß"),
        ("Sören Kühn", "Soeren Kuehn"),
        ("Kühn, Sören", "Soeren Kuehn"),
        ("Kuhn Soren", "Soeren Kuehn"),
        ("annalena vanderploeg", "Anna-Lena van der Ploeg"),
        ("van der Ploeg, Anna-Lena", "Anna-Lena van der Ploeg"),
        ("vanderploeg annalena", "Anna-Lena van der Ploeg"),
        ("Ploeg, Anna Lena van der", "Anna-Lena van der Ploeg"),
        ("Anna Ploeg", "Anna-Lena van der Ploeg"),
        ("Ploeg, Annalena", "Anna-Lena van der Ploeg"),
        ("Maus Max", "Max Emil Maus"),
        ("muller jose", "José Müller"),
        ("Anton Max", "Anton Max"),  # somebody else is called Max Anton
        ("max, anton", "Anton Max"),
        ("Ohm Eva", "Eva Ohm"),  # somebody else has a second first name
    ],
)
def test_a_usual_spelling_means_its_person(text, name):
    assert meant_by(text, COURSE) == {name}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Max", ["Anton Max", "Max Anton", "Max Emil Maus"]),  # one word is too little, so they are only named
        ("Mueller", ["José Müller"]),
        ("Mustermnan Max", ["Max Mustermann"]),
        ("Xaver Yps", []),
        ("", []),
        ("123", []),
    ],
)
def test_what_fits_nobody_names_whom_it_may_mean(text, names):
    assert meant_by(text, COURSE) == set()
    assert list(near(text, COURSE)) == names


def test_what_fits_two_means_both():
    assert meant_by("Eva Lang", ["Eva Maria Lang", "Eva Sophie Lang"]) == {"Eva Maria Lang", "Eva Sophie Lang"}
    assert meant_by("Muller, Jo", ["Jo Müller", "Jo Mueller"]) == {"Jo Müller", "Jo Mueller"}


def known(person: str) -> Known:
    return Known(person, "", person.lower(), "a1", f"{person}.ipynb", f"{person}.ipynb", "", "")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Lang, Eva", "may mean 2 files of a1; say which: Eva Maria Lang; Eva Sophie Lang"),
        ("Mustermnann, Max", "was graded there: did you mean 'Max Mustermann'?"),
        ("Maus", "was graded there: did you mean 'Max Emil Maus'?"),
        ("Zoe", "was graded there: expected a name, a number or a file of grades.csv"),
    ],
)
def test_decide_asks_in_one_sentence(text, sentence):
    rows = [known(name) for name in ("Eva Maria Lang", "Eva Sophie Lang", "Max Mustermann", "Max Emil Maus")]
    with pytest.raises(ValueError, match=r"^[^\n]+$") as error:
        row_meant(rows, text, "a1")
    assert sentence in str(error.value)


def test_decide_says_why_what_a_person_handed_in_was_not_graded():
    pdf = known("Paula Papier")._replace(file="paula/a1.pdf", status="left out because it is a PDF", assignment="")
    with pytest.raises(ValueError, match=r"^'paula/a1\.pdf' was left out because it is a PDF: only a notebook that"):
        row_meant([pdf, known("Paul Papier"), known("Eva Paula Papier")], "papier, paula", "a1")


WORD = st.sampled_from(["Äli", "Öz", "Ute", "Groß", "Süß", "Jörg", "Noël", "Zoë", "Max", "Åse", "Łuk", "Anna", "Lee"])


@given(st.lists(WORD, min_size=2, max_size=4, unique=True), st.data())
def test_whatever_is_done_to_a_name_it_is_found_again(words, data):
    name = " ".join(words)
    at = data.draw(st.integers(0, len(words) - 1))
    text = data.draw(st.sampled_from(" _")).join(words[at:] + words[:at])
    case = data.draw(st.sampled_from([str, str.upper, str.lower]))
    form = data.draw(st.sampled_from(["NFC", "NFD"]))
    assert meant_by(unicodedata.normalize(form, case(text)), [name, "Eva Echt"]) == {name}


def test_names_that_differ_are_kept_apart():
    for one, other in itertools.permutations(COURSE, 2):
        assert other not in meant_by(one, COURSE)


def test_two_spellings_of_one_name_are_pointed_out_and_two_numbers_are_two_persons():
    one, other = Named("maxmustermann", "max mustermann", ""), Named("mustermannmax", "Mustermann Max", "")
    (sentence,) = may_be_one([one, one, other, Named("evaecht", "Eva Echt", ""), Named("", "", "")])
    assert sentence.startswith("Mustermann Max and max mustermann may be one person: ")
    assert may_be_one([Named("jurgengross", "Jurgen Gross", ""), Named("juergengross", "Jürgen Groß", "7")])
    assert not may_be_one([one._replace(id="1"), other._replace(id="2")])
    assert not may_be_one(
        [one, Named("maxmustermann#3", "max mustermann", "3"), Named("maxmustermann#4", "max mustermann", "4")]
    )
