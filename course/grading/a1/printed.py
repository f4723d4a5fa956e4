"""The numbers that the rerun printed: their own bands, and whether the stored ones can be believed."""

from collections.abc import Iterator

from course.assignments.task import Task
from course.grading import evidence, outputs
from course.grading.answers import Answers
from course.grading.verdicts import Finding

OTHER_SEED = 0.35  # nats: more than another seed changes -ELBO by


def printed(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge the printed results of the rerun as those of the file, and compare them where both are known."""
    again = evidence.Submission("", "", None, [evidence.Cell("", 1, answers.printed[: evidence.MOST_TEXT], None, "")])
    results, finals = evidence.toy_results(again)
    if not finals:
        return
    for finding in outputs.judge_triples(results, finals, "rerun: "):
        if finding.code != "numbers_missing" and finding.task == task.name:
            yield Finding(finding.level, finding.code, finding.evidence)
    if task.name == "A2" and answers.submission is not None:
        stored, _ = evidence.toy_results(answers.submission)
        for number in sorted(set(stored) & set(results)):
            before, after = (t.nll + t.kl for t in (stored[number], results[number]))
            if abs(before - after) > OTHER_SEED:
                text = f"data set {number}: -ELBO {before:.3f} stored, {after:.3f} when run again"
                yield Finding("LOOK", "forged", text)
