"""Whom a decision is about: persons first; what somebody called a file may be another person's name."""

import pytest

from course.inbox.decisions import Known, row_meant


def known(person: str, key: str, file: str, name: str, status: str = "") -> Known:
    return Known(person, "", key, "a1", file, name, "0" * 64, status)


MAX = known("Max Muster", "maxmuster", "Max Muster_1/a1.ipynb", "a1.ipynb")
EVE = known("Eve Mallory", "evemallory", "Eve Mallory_2/Max Muster", "Max Muster")


def test_a_file_that_bears_another_persons_name_takes_no_decision_of_theirs() -> None:
    assert row_meant([EVE, MAX], "Max Muster", "a1") == MAX
    with pytest.raises(ValueError, match="PDF"):  # not Eve's, where Max has nothing that was graded
        row_meant([EVE, MAX._replace(status="left out because it is a PDF")], "Max Muster", "a1")


def test_a_files_own_name_is_enough_where_it_is_nobodys() -> None:
    lone = EVE._replace(file="Eve Mallory_2/work.ipynb", name="work.ipynb")
    assert row_meant([lone, MAX], "work.ipynb", "a1") == lone
