"""The students' checks notice each mistake of the grader's table that stands in a function, and name it."""

import pytest

from course.assignments import HINTS
from course.grading.corpus import check_table, variants

FEW = {"KL wrong sign", "grid flipped", "NLL averaged over pixels", "ELBO wrong sign", "no noise", "no zero_grad",
       "beta on the reconstruction",
       "a2: beta on the reconstruction", "a3: KL without 1/2", "a5: KL averaged"}  # fmt: skip
CALLS = {"test set used for training", "learning rate 0", "a4: trains on test images"}  # mistakes in a notebook's cells


def test_which_mistakes_stand_in_functions():
    stands = {m.name: check_table.concerns_functions(m) for m in variants.MISTAKES if m.name in FEW | CALLS}
    assert stands == dict.fromkeys(FEW, True) | dict.fromkeys(CALLS, False)


@pytest.mark.parametrize("mistake", [m for m in variants.MISTAKES if m.name in FEW], ids=lambda m: m.name)
def test_a_mistake_is_named(mistake):
    row = check_table.judge(mistake)
    assert row.result is not None and row.result.code in mistake.codes, row
    assert row.result.state == "wrong" and len(row.result.sentence) < 330
    assert HINTS[row.result.code][-30:] in row.result.sentence, "the sentence ends with the graders' hint"


@pytest.mark.slow
@pytest.mark.long
def test_every_mistake_in_a_function_is_named():
    mistakes = [m for m in variants.MISTAKES if check_table.concerns_functions(m)]
    assert len(mistakes) > 130
    assert [row for row in map(check_table.judge, mistakes) if not row.named] == []


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("key", variants.HONEST)
def test_no_honest_variant_is_told_a_mistake(key):
    for name, swaps in variants.HONEST[key].items():
        assert not check_table.honest(key, swaps), name


def test_the_references_themselves_are_right():
    for key in ("a2", "a5"):
        assert not check_table.honest(key, ())
