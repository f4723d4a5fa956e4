"""The grader's confusion table: mistakes against the tasks that must catch them, and honest variants.

``make grader-table``, or ``python -m course.grading.corpus.grader_table [WORDS ...] [--quick] [--jobs N]`` for those
whose name holds a word; ``--quick`` tries functions only, without executing the training. Exit status 1 when a mistake
slips through or an honest variant is failed.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from joblib import Parallel, delayed

from course.assignments.rubric import ASSIGNMENTS, HINTS
from course.grading import evidence, outputs
from course.grading import grade as grading
from course.grading.corpus import variants
from course.grading.oracles import Finding


def submission(source: str, key: str = "a1") -> evidence.Submission:
    """An executed notebook without its outputs: what a rerun finds is the rerun's own."""
    made = [evidence.Cell(c, i, "", None, "") for i, c in enumerate(variants.cells(source), start=1)]
    return evidence.Submission(f"max_mustermann_{key}.ipynb", "max mustermann", key, made)


def findings(swaps: tuple[variants.Swap, ...], options: grading.Options, key: str = "a1") -> tuple[list[Finding], ...]:
    """From a rerun of a reference with these swaps; and what printed lines and source show by themselves."""
    source = variants.apply(variants.SMALL.get(key, ()), variants.apply(swaps, variants.REFERENCES[key]))
    made = submission(source, key)
    again, _ = grading.rerun(made, ASSIGNMENTS[key], options)
    printed = [f for f in again if f.evidence.startswith("rerun: ")]
    from_source = [f for f in outputs.JUDGES[key](made) if f.level == "FAIL"]
    return [*again, *from_source], [*printed, *from_source]


class Row(NamedTuple):
    line: str
    wrong: bool


def judge_mistake(mistake: variants.Mistake, options: grading.Options) -> Row:
    """Functions alone first; the whole notebook only for what they do not show."""
    ways = ("functions",) if options.definitions else ("run",) if mistake.assignment == "a2" else ("functions", "run")
    for by in ways:
        found, alone = findings(mistake.swaps, replace(options, definitions=by == "functions"), mistake.assignment)
        named = [f for f in found if f.task == mistake.task and f.level == "FAIL" and f.code in mistake.codes]
        if named:
            by = "source" if named[0] in alone and by == "functions" else by
            break
    hint = HINTS[named[0].code] if named else f"MISSED: {[f for f in found if f.level != 'PASS'][:4]}"
    about = f"{'*' if mistake.listed else '':<4}{mistake.name:<48}{mistake.task:<15}{by if named else 'NO':<10}"
    return Row(f"{about}{verdicts(found, mistake.assignment)}  {hint}", not named)


def judge_honest(key: str, name: str, swaps: tuple[variants.Swap, ...], options: grading.Options) -> Row:
    found, _ = findings(swaps, options, key)
    failed = [f for f in found if f.level == "FAIL"]
    about = f"{'BAD' if failed else 'ok':<4}{f'{key}: {name}':<48}{'':<25}{verdicts(found, key)}"
    return Row(f"{about}  {failed or ''}".rstrip(), bool(failed))


def verdicts(found: list[Finding], key: str) -> str:
    tasks = [t.name for t in ASSIGNMENTS[key].tasks[1:]]
    return f"{' '.join(grading.verdict_of([f for f in found if f.task == t]) for t in tasks):<34}"


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
    honest = [
        delayed(judge_honest)(key, name, swaps, options)
        for key, those in variants.HONEST.items() for name, swaps in those.items() if wanted(f"{key}: {name}")
    ]  # fmt: skip
    print(f"{'':<4}{'mistake':<48}{'task':<15}{'caught by':<10}{'verdicts of its tasks':<34}  hint")
    slipped = show(in_order(mistakes, asked.jobs))
    print(f"{'':<4}honest variant")
    failed = show(in_order(honest, asked.jobs))
    print(
        f"{len(mistakes) - slipped} of {len(mistakes)} mistakes caught by their task with a hint that names them; "
        f"{failed} of {len(honest)} honest variants failed; {time.monotonic() - started:.0f} s\n"
        "*: the best known ones. Caught by trying the functions, by running the notebook, or from its source."
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
