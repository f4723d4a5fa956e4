"""The grader's confusion table: mistakes against the tasks that must catch them, and honest variants.

``make grader-table``, or ``python -m tools.grader_table [WORDS ...] [--quick] [--jobs N]`` for those whose name holds a
word; ``--quick`` tries functions only, without executing the training. Exit status 1 when a mistake slips through or
an honest variant is failed.
"""

import argparse
import time
from collections.abc import Iterator
from typing import NamedTuple

from joblib import Parallel, delayed

from helpers.course import evidence, grading, outputs
from helpers.course.oracles import Finding
from helpers.course.rubric import A1, HINTS
from tests.grading import variants

# small enough that training takes seconds, large enough for every check but the bands of the third set
SMALL = (("100_000", "30_000"), ("33_333", "13_333"), ("num_epochs = 512, 10", "num_epochs = 512, 4"))


def submission(source: str) -> evidence.Submission:
    """An executed notebook without its outputs: what a rerun finds is the rerun's own."""
    made = [evidence.Cell(c, i, "", None, "") for i, c in enumerate(variants.cells(source), start=1)]
    return evidence.Submission("max_mustermann_a1.ipynb", "max mustermann", "a1", made)


def findings(source: str, options: grading.Options) -> tuple[list[Finding], list[Finding]]:
    """From a rerun; and what its printed lines and its source show by themselves."""
    made = submission(variants.apply(SMALL, source))
    again, _ = grading.rerun(made, A1, options)
    printed = [f for f in again if f.evidence.startswith("rerun: ")]
    alone = [*printed, *(f for f in outputs.judge_a1(made) if f.level == "FAIL")]
    return [*again, *alone], alone


class Row(NamedTuple):
    line: str
    wrong: bool


TASKS = [t.name for t in A1.tasks[1:]]


def judge_mistake(mistake: variants.Mistake, options: grading.Options) -> Row:
    found, alone = findings(variants.apply(mistake.swaps), options)
    named = [f for f in found if f.task == mistake.task and f.level == "FAIL" and f.code in mistake.codes]
    hint = HINTS[named[0].code] if named else f"MISSED: {[f for f in found if f.level != 'PASS'][:4]}"
    by_itself = "yes" if any(f.level == "FAIL" for f in alone) else "-"
    about = f"{'*' if mistake.listed else '':<4}{mistake.name:<48}{mistake.task:<6}{'yes' if named else 'NO':<8}"
    return Row(f"{about}{by_itself:<9}{verdicts(found)}  {hint}", not named)


def judge_honest(name: str, swaps: tuple[variants.Swap, ...], options: grading.Options) -> Row:
    found, _ = findings(variants.apply(swaps), options)
    failed = [f for f in found if f.level == "FAIL"]
    return Row(f"{'BAD' if failed else 'ok':<4}{name:<48}{'':<23}{verdicts(found)}  {failed or ''}", bool(failed))


def verdicts(found: list[Finding]) -> str:
    return " ".join(f"{grading.verdict_of([f for f in found if f.task == t]):<4}" for t in TASKS)


def in_order(jobs: list, processes: int) -> Iterator[Row]:
    if processes == 1:
        return (function(*arguments) for function, arguments, _ in jobs)
    return Parallel(n_jobs=processes, return_as="generator")(jobs)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="only variants whose name holds one of these")
    parser.add_argument("--quick", action="store_true", help="try functions only, without executing the training")
    parser.add_argument("--jobs", type=int, default=1, help="variants at a time")
    asked = parser.parse_args()
    options, started = grading.Options(rerun=True, definitions=asked.quick), time.monotonic()

    def wanted(name: str) -> bool:
        return not asked.words or any(word in name for word in asked.words)

    mistakes = [delayed(judge_mistake)(m, options) for m in variants.MISTAKES if wanted(m.name)]
    honest = [delayed(judge_honest)(n, s, options) for n, s in variants.HONEST.items() if wanted(n)]
    print(f"{'':<4}{'mistake':<48}{'task':<6}{'caught':<8}{'printed':<9}{' '.join(f'{t:<4}' for t in TASKS)}  hint")
    slipped = show(in_order(mistakes, asked.jobs))
    print(f"{'':<4}honest variant")
    failed = show(in_order(honest, asked.jobs))
    print(
        f"{len(mistakes) - slipped} of {len(mistakes)} mistakes caught by their task with a hint that names them; "
        f"{failed} of {len(honest)} honest variants failed; {time.monotonic() - started:.0f} s\n"
        "*: listed in the issue. printed: the printed numbers or the source alone give it away, too."
    )
    return int(slipped + failed > 0)


def show(rows: Iterator[Row]) -> int:
    wrong = 0
    for row in rows:
        print(row.line, flush=True)
        wrong += row.wrong
    return wrong


if __name__ == "__main__":
    raise SystemExit(main())
