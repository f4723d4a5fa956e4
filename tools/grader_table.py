"""The grader's confusion table: mistakes against the tasks that must catch them, and honest variants.

``make grader-table``, or ``python -m tools.grader_table [WORDS ...] [--quick]`` for those whose name holds a word;
``--quick`` tries functions only, without executing the training. Exit status 1 when a mistake slips through or an
honest variant is failed.
"""

import sys
import time

from helpers.course import evidence, grading, outputs
from helpers.course.rubric import A1, HINTS
from tests.grading import variants

TOY_EPOCHS = ("num_epochs = 10", "num_epochs = 4")  # enough for every check, not for the bands of the third set


def submission(source: str) -> evidence.Submission:
    """An executed notebook without its outputs: what a rerun finds is the rerun's own."""
    made = [evidence.Cell(c, i, "", None, "") for i, c in enumerate(variants.cells(source), start=1)]
    return evidence.Submission("max_mustermann_a1.ipynb", "max mustermann", "a1", made)


def findings(source: str, options: grading.Options):
    """From a rerun; and what its printed lines and its source show by themselves."""
    made = submission(source.replace(*TOY_EPOCHS))
    again, _ = grading.rerun(made, A1, options)
    printed = [f for f in again if f.evidence.startswith("rerun: ")]
    alone = [*printed, *(f for f in outputs.judge_a1(made) if f.level == "FAIL")]
    return [*again, *alone], alone


def main(words: list[str]) -> int:
    options = grading.Options(rerun=True, definitions="--quick" in words)
    words = [w for w in words if not w.startswith("--")]
    wrong, started = 0, time.monotonic()
    tasks = [t.name for t in A1.tasks]
    print(f"{'':<4}{'variant':<44}{'task':<6}{'caught':<8}{'alone':<7}{' '.join(f'{t:<4}' for t in tasks)}  hint")
    for mistake in variants.MISTAKES:
        if words and not any(w in mistake.name for w in words):
            continue
        found, alone = findings(variants.apply(mistake.swaps), options)
        named = [f for f in found if f.task == mistake.task and f.level == "FAIL" and f.code in mistake.codes]
        wrong += not named
        hint = HINTS[named[0].code] if named else f"MISSED: {[f for f in found if f.level != 'PASS'][:4]}"
        by_itself = any(f.level == "FAIL" for f in alone)
        line = f"{'*' if mistake.listed else '':<4}{mistake.name:<44}{mistake.task:<6}{'yes' if named else 'NO':<8}"
        print(f"{line}{'yes' if by_itself else '-':<7}{row(found, tasks)}  {hint}", flush=True)
    for name, swaps in variants.HONEST.items():
        if words and not any(w in name for w in words):
            continue
        found, _ = findings(variants.apply(swaps), options)
        failed = [f for f in found if f.level == "FAIL"]
        wrong += bool(failed)
        print(f"{'ok' if not failed else 'BAD':<4}{name:<44}{'':<21}{row(found, tasks)}  {failed or ''}", flush=True)
    print(f"* listed in the rubric's brief; {wrong} wrong; {time.monotonic() - started:.0f} s")
    return int(wrong > 0)


def row(found, tasks) -> str:
    return " ".join(f"{grading.verdict_of([f for f in found if f.task == t]):<4}" for t in tasks)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
