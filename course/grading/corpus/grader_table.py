"""The grader's confusion table: mistakes against the tasks that must catch them, and honest variants.

``make grader-table``, or ``python -m course.grading.corpus.grader_table [WORDS ...] [--quick] [--jobs N]`` for those
whose name holds a word; ``--quick`` tries functions only, without executing the training. Exit status 1 when a mistake
slips through or an honest variant is failed.
"""

import argparse
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from joblib import Parallel, delayed

from course.assignments import ASSIGNMENTS, HINTS
from course.grading.case import case_of
from course.grading.corpus import variants
from course.grading.judging import Options, judge_task
from course.grading.rerun import rerun
from course.grading.verdicts import Finding, worst
from course.notebooks.reading import Cell, Submission

NO_OUTPUTS = {"figure_missing", "text_missing"}  # failures of a notebook that has none


def submission(source: str, key: str = "a1") -> Submission:
    """Return an executed notebook without its outputs: what a rerun shows is the rerun's own."""
    cells = [Cell(i, c, i, (), "", None, "") for i, c in enumerate(variants.cells(source), start=1)]
    return Submission(f"max_mustermann_{key}.ipynb", tuple(cells))


class Judged(NamedTuple):
    """The findings about a reference with swaps."""

    again: list[Finding]  # of a rerun
    source: list[Finding]  # failures that the source shows by itself

    @property
    def all(self) -> list[Finding]:
        return [*self.again, *self.source]

    @property
    def printed(self) -> list[Finding]:
        return [f for f in self.again if f.evidence.startswith("rerun: ")]


def judge(swaps: tuple[variants.Swap, ...], options: Options, key: str = "a1") -> Judged:
    """Rerun a reference with these swaps, small enough to train in seconds, and look at its source."""
    source = variants.apply(variants.SMALL.get(key, ()), variants.apply(swaps, variants.REFERENCES[key]))
    notebook = submission(source, key)
    again, _ = rerun(notebook, ASSIGNMENTS[key], options)
    return Judged(again, source_failures(notebook, key))


def source_failures(notebook: Submission, key: str) -> list[Finding]:
    """Return the failures that the source shows without a rerun."""
    case, failures = case_of(notebook, ASSIGNMENTS[key]), []
    for task in ASSIGNMENTS[key].tasks:
        findings = judge_task(case, task)
        failures += [f for f in findings if f.level == "FAIL" and f.code not in NO_OUTPUTS]
    return failures


class Row(NamedTuple):
    line: str
    wrong: bool


def catches(findings: Iterable[Finding], mistake: variants.Mistake) -> list[Finding]:
    """Return the failures of the mistake's task that name it."""
    return [f for f in findings if f.task == mistake.task and f.level == "FAIL" and f.code in mistake.codes]


def ways(mistake: variants.Mistake, options: Options) -> tuple[str, ...]:
    """Return how a mistake is looked for: by its functions alone first, then by the whole notebook."""
    if options.definitions:
        return ("functions",)
    return ("run",) if mistake.assignment == "a2" else ("functions", "run")


def judge_mistake(mistake: variants.Mistake, options: Options) -> Row:
    """Look for a mistake until it is caught."""
    findings: list[Finding] = []
    for way in ways(mistake, options):
        judged = judge(mistake.swaps, replace(options, definitions=way == "functions"), mistake.assignment)
        findings, caught = judged.all, catches(judged.all, mistake)
        if caught:
            alone = caught[0] in [*judged.printed, *judged.source] and way == "functions"
            return row(mistake, "source" if alone else way, findings, HINTS[caught[0].code], wrong=False)
    missed = f"MISSED: {[f for f in findings if f.level != 'PASS'][:4]}"
    return row(mistake, "NO", findings, missed, wrong=True)


def row(mistake: variants.Mistake, way: str, findings: list[Finding], hint: str, *, wrong: bool) -> Row:
    about = f"{'*' if mistake.listed else '':<4}{mistake.name:<48}{mistake.task:<15}{way:<10}"
    return Row(f"{about}{verdicts(findings, mistake.assignment)}  {hint}", wrong)


def judge_honest(key: str, name: str, swaps: tuple[variants.Swap, ...], options: Options) -> Row:
    findings = judge(swaps, options, key).all
    failed = [f for f in findings if f.level == "FAIL"]
    about = f"{'BAD' if failed else 'ok':<4}{f'{key}: {name}':<48}{'':<25}{verdicts(findings, key)}"
    return Row(f"{about}  {failed or ''}".rstrip(), bool(failed))


def verdicts(findings: list[Finding], key: str) -> str:
    """Return the verdicts of the assignment's tasks, side by side."""
    tasks = [task.name for task in ASSIGNMENTS[key].tasks]
    return f"{' '.join(worst(f.level for f in findings if f.task == task) for task in tasks):<34}"


def in_order(jobs: list[Any], processes: int) -> Iterator[Row]:
    if processes == 1:
        rows = (function(*arguments) for function, arguments, _ in jobs)
    else:
        rows = Parallel(n_jobs=processes, return_as="generator")(jobs)
    return (row for row in rows if isinstance(row, Row))


def jobs(words: list[str], options: Options) -> tuple[list[Any], list[Any]]:
    """Return the mistakes and the honest variants whose names hold one of the words; all of them without words."""

    def selected(name: str) -> bool:
        return not words or any(word in name for word in words)

    mistakes = [delayed(judge_mistake)(m, options) for m in variants.MISTAKES if selected(m.name)]
    honest = []
    for key, of_key in variants.HONEST.items():
        for name, swaps in of_key.items():
            if selected(f"{key}: {name}"):
                honest.append(delayed(judge_honest)(key, name, swaps, options))
    return mistakes, honest


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="only variants whose name holds one of these")
    parser.add_argument("--quick", action="store_true", help="try functions only, without executing the training")
    parser.add_argument("--jobs", type=int, default=1, help="variants at a time")
    arguments = parser.parse_args()
    started = time.monotonic()
    mistakes, honest = jobs(arguments.words, Options(rerun=True, definitions=arguments.quick))
    print(f"{'':<4}{'mistake':<48}{'task':<15}{'caught by':<10}{'verdicts of its tasks':<34}  hint")
    slipped = show(in_order(mistakes, arguments.jobs))
    print(f"{'':<4}honest variant")
    failed = show(in_order(honest, arguments.jobs))
    print(
        f"{len(mistakes) - slipped} of {len(mistakes)} mistakes caught by their task with a hint that names them; "
        f"{failed} of {len(honest)} honest variants failed; {time.monotonic() - started:.0f} s\n"
        "*: the best known ones. Caught by trying the functions, by running the notebook, or from its source."
    )
    return int(slipped + failed > 0)


def show(rows: Iterator[Row]) -> int:
    """Print the rows as they come; return how many are wrong."""
    wrong = 0
    for line in rows:
        print(line.line, flush=True)
        wrong += line.wrong
    return wrong


if __name__ == "__main__":
    raise SystemExit(main())
