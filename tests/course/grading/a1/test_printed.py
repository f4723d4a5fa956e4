"""What a rerun prints against what the file holds: another seed's result is no doubt, another program's is one."""

import pytest

from course.assignments import ASSIGNMENTS
from course.grading.a1.printed import printed_bands
from course.grading.answers import Answers
from course.notebooks.reading import Cell, Output, Submission

TASK = next(task for task in ASSIGNMENTS["a1"].tasks if task.name == "A2")
LINES = {1: "ELBO = -4.45, KL = 0.02, NLL = 4.43", 2: "ELBO = -4.46, KL = 1.62, NLL = 2.84",
         3: "ELBO = -2.75, KL = 1.19, NLL = 1.56"}  # fmt: skip


def submission(lines: dict[int, str], source: str) -> Submission:
    text = "\n".join(f"data set {number}: {line}" for number, line in lines.items())
    return Submission("a_b_a1.ipynb", (Cell(1, source, 1, (Output("stream", text, {}),), text, None, ""),))


def doubts(changed: dict[int, str], source: str, stored: dict[int, str] = LINES) -> dict[str, str]:
    answers = Answers({}, submission({**LINES, **changed}, source), submission(stored, source))
    return {f.code: f.evidence for f in printed_bands(answers, TASK) if f.level != "PASS"}


UNLUCKY = {1: "ELBO = -7.08, KL = 1.44, NLL = 5.64"}
DROPPED = {2: "ELBO = -2.62, KL = 1.62, NLL = 1.00"}


@pytest.mark.parametrize("changed", [{}, UNLUCKY, {3: "ELBO = -2.15, KL = 1.20, NLL = 0.95"}])
def test_without_a_seed_an_unlucky_training_is_no_doubt_about_a_good_one_in_the_file(changed: dict[int, str]) -> None:
    assert doubts(changed, "train()") == {}


def test_with_a_seed_another_result_is_a_doubt_with_both_numbers() -> None:
    found = doubts(UNLUCKY, "torch.manual_seed(5)\ntrain()")
    assert "4.450 stored, 7.080 when run again" in found["rerun_differs"]


def test_a_result_that_the_code_cannot_give_is_a_doubt_with_or_without_a_seed() -> None:
    for source in ("train()", "np.random.seed(0)\ntrain()"):
        assert "rerun_differs" in doubts(DROPPED, source)


def test_an_unlucky_training_that_the_file_shows_too_is_looked_at() -> None:
    assert "out_of_band" in doubts(UNLUCKY, "train()", {**LINES, **UNLUCKY})
