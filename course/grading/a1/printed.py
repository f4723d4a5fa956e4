"""The numbers that the rerun printed: judged as those of the file are, and compared with them."""

from collections.abc import Iterator

from course.assignments import ASSIGNMENTS
from course.assignments.task import Task
from course.grading.a1.outputs import bands, collapse, identity, kl_sign
from course.grading.answers import Answers
from course.grading.case import Case, case_of
from course.grading.common_behaviour import again, printed_by
from course.grading.evidence import toy_results
from course.grading.verdicts import Finding

OTHER_SEED = 0.35  # nats: more than another seed changes -ELBO by


def printed_case(answers: Answers) -> Case:
    return case_of(printed_by(answers), ASSIGNMENTS["a1"])


def printed_terms(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge signs and sums of the printed terms."""
    submission = printed_case(answers)
    if submission.toy_results.finals:
        for check in (identity, kl_sign, collapse):
            yield from again(check(submission, task))


def printed_bands(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge the printed results, and whether the file's results can be believed."""
    submission = printed_case(answers)
    yield from again(bands(submission, task))
    results = submission.toy_results.by_set
    stored = toy_results(answers.submission).by_set if answers.submission is not None else {}
    for number in sorted(stored.keys() & results.keys()):
        before, after = (triple.nll + triple.kl for triple in (stored[number], results[number]))
        if abs(before - after) > OTHER_SEED:
            evidence = f"data set {number}: -ELBO {before:.3f} stored, {after:.3f} when run again"
            yield Finding("LOOK", "forged", evidence)
