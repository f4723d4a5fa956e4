"""The numbers that the rerun printed: judged as those of the file are, and compared with them."""

import re
from collections.abc import Iterator

from course.assignments import ASSIGNMENTS
from course.assignments.task import Task
from course.grading.a1.outputs import collapse, conventions_of, identity, judge_bands, kl_sign
from course.grading.answers import Answers
from course.grading.case import Case, case_of
from course.grading.common_behaviour import again
from course.grading.evidence import Triple, toy_results
from course.grading.verdicts import Finding
from course.notebooks.reading import Submission

OTHER_RUN = 0.35  # nats: more than another run from the same initial weights changes -ELBO by
SEEDS = re.compile(r"manual_seed|seed_everything|set_seed|seed_all", re.I)  # of torch, where initial weights come from


def printed_case(answers: Answers) -> Case:
    return case_of(answers.printed, ASSIGNMENTS["a1"])


def printed_terms(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge signs and sums of the printed terms."""
    submission = printed_case(answers)
    if submission.toy_results.finals:
        for check in (identity, kl_sign, collapse):
            yield from again(check(submission, task))


def printed_bands(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge the printed results, and whether the file's results can be believed.

    Where no seed is set, a result that is in no band is no doubt about a better one that the file has inside of one:
    from the assigned initial weights, some trainings on the toy data sets end nats above the others.
    """
    results = printed_case(answers).toy_results.by_set
    file = answers.submission or Submission("")
    stored, seeded = toy_results(file).by_set, bool(SEEDS.search(file.source))
    for number in sorted(stored.keys() & results.keys()):
        before, after = stored[number], results[number]
        if contradict(number, before, after, seeded=seeded):
            evidence = f"data set {number}: -ELBO {bound(before):.3f} stored, {bound(after):.3f} when run again"
            yield Finding("LOOK", "rerun_differs", evidence)
        elif not seeded and is_unlucky(number, before, after):
            results = {**results, number: before}
    yield from again(judge_bands(results))


def contradict(number: int, before: Triple, after: Triple, *, seeded: bool) -> bool:
    """Say whether two results cannot be those of one program: with one seed, or by the conventions of their bands."""
    if seeded:
        return abs(bound(before) - bound(after)) > OTHER_RUN
    one, other = conventions_of(number, before), conventions_of(number, after)
    return bool(one and other and not one & other)


def is_unlucky(number: int, before: Triple, after: Triple) -> bool:
    return bool(conventions_of(number, before)) and not conventions_of(number, after) and bound(after) > bound(before)


def bound(triple: Triple) -> float:
    return triple.nll + triple.kl
