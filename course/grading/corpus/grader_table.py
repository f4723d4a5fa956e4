"""The grader's confusion table: mistakes against the tasks that must catch them, and honest variants.

``make grader-table``, or ``python -m course.grading.corpus.grader_table [WORDS ...]`` for those whose name has a word.
Two columns: from outputs alone, and with ``--rerun``; ``--outputs`` leaves the second out, ``--sample SHARE`` fills it
for a share of the notebooks alone, drawn by a seed from each assignment, ``--quick`` tries functions only there. A
table of all notebooks is stored as it was made in this one run (``table.json``), and its summary in
``docs/measured/grader.md``. Exit status 1 when a mistake slips through or an honest variant is failed.

Caught means: FAIL, or a LOOK of its task whose hint names the mistake. From outputs a mistake counts only where they,
or the source beside them, show it.
"""

import argparse
import contextlib
import io
import json
import random
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from joblib import Parallel, delayed

from course.assignments import ASSIGNMENTS
from course.grading.case import case_of
from course.grading.corpus import pages, public, variants
from course.grading.judging import Options, grade_content, judge_task, merge
from course.grading.rerun import rerun
from course.grading.verdicts import Finding, Level, worst
from course.notebooks import reading
from course.notebooks.reading import Cell, Output, Submission
from course.paths import ROOT

NO_OUTPUTS = {"figure_missing", "text_missing"}  # failures of a notebook that has none
STORED = Path(__file__).with_name("table.json")
SUMMARY = ROOT / "docs" / "measured" / "grader.md"
SEED = 19  # of the notebooks that are drawn for a rerun
UNSEEN = "-"  # the outputs do not show it, or there are none


class Entry(NamedTuple):
    """A notebook of the corpus, and what its mistake is; none: it is honest."""

    name: str
    key: str  # of its assignment
    task: str  # of its mistake; empty where it is honest
    codes: tuple[str, ...]
    source: str  # in cells, or the page with its outputs
    has_outputs: bool
    shown: bool  # whether its outputs show the mistake
    public: bool  # whether it is in a style of public notebooks


class Row(NamedTuple):
    """What became of an entry: how its mistake was caught, or its task verdicts where it is honest."""

    name: str
    key: str
    task: str
    public: bool
    outputs: str  # FAIL, LOOK, NAMED (a LOOK that names it), PASS, or UNSEEN; of an honest one: the worst verdict
    rerun: str
    outputs_verdicts: tuple[Level, ...] = ()
    rerun_verdicts: tuple[Level, ...] = ()

    @property
    def honest(self) -> bool:
        return not self.task

    @property
    def wrong(self) -> bool:
        """Say whether an honest notebook fails, or a mistake passes that should be seen."""
        if self.honest:
            return "FAIL" in (self.outputs, self.rerun)
        # the references' own mistakes are made so that a rerun can name each
        missed = {"PASS"} if self.public else {"PASS", "LOOK"}
        return self.outputs == "PASS" or self.rerun in missed


def entries() -> list[Entry]:
    """Return the whole corpus."""
    found: list[Entry] = []
    for m in variants.MISTAKES:
        source = variants.apply(m.swaps, variants.REFERENCES[m.assignment])
        printed = m.assignment == "a2"
        found.append(Entry(m.name, m.assignment, m.task, m.codes, source, printed, printed and m.task != "1", False))
    for m in public.MISTAKES:
        name, text = f"{m.variant.page}: {m.variant.name}", m.variant.text
        found.append(Entry(name, pages.assignment_of(text), m.task, m.codes, text, True, m.shown, True))
    for key, of_key in variants.HONEST.items():
        for name, swaps in of_key.items():
            source = variants.apply(swaps, variants.REFERENCES[key])
            found.append(Entry(f"{key}: {name}", key, "", (), source, key == "a2", False, False))
    for v in public.HONEST:
        found.append(Entry(f"{v.page}: {v.name}", pages.assignment_of(v.text), "", (), v.text, True, False, True))
    return found


# ---------------------------------------------------------------- from outputs


def findings_of_outputs(entry: Entry) -> list[Finding]:
    """Return what the grader says of the notebook as it is stored."""
    name = f"max_mustermann_{entry.key}.ipynb"
    if entry.public:
        verdict = grade_content(name, pages.notebook(entry.source), Options()).verdict
        return [finding for task in verdict.tasks.values() for finding in task.findings]
    case = case_of(printed_submission(entry), ASSIGNMENTS[entry.key])
    findings: list[Finding] = []
    for task in ASSIGNMENTS[entry.key].tasks:
        findings += [f for f in judge_task(case, task) if f.code not in NO_OUTPUTS]
    return findings


def printed_submission(entry: Entry) -> Submission:
    """Return a reference of assignment 2 with what it prints: our own program, in NumPy, so it may run here."""
    space: dict[str, Any] = {}
    cells = []
    for number, source in enumerate(variants.cells(entry.source), start=1):
        text = io.StringIO()
        with contextlib.redirect_stdout(text):
            exec(source, space)
        printed = text.getvalue()
        cells.append(Cell(number, source, number, (Output("stream", printed, {}),), printed, None, ""))
    return Submission(f"max_mustermann_{entry.key}.ipynb", tuple(cells))


def submission(source: str, key: str = "a1") -> Submission:
    """Return an executed notebook without its outputs: what a rerun shows is the rerun's own."""
    cells = [Cell(i, c, i, (), "", None, "") for i, c in enumerate(variants.cells(source), start=1)]
    return Submission(f"max_mustermann_{key}.ipynb", tuple(cells))


# ---------------------------------------------------------------- with a rerun


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
    return judge_source(variants.apply(swaps, variants.REFERENCES[key]), options, key)


def judge_source(source: str, options: Options, key: str) -> Judged:
    # the toy sets of assignment 1 stay whole: bands hold for those alone
    small = [swap for swap in variants.SMALL.get(key, ()) if swap[0] in source and key != "a1"]
    notebook = submission(variants.apply(tuple(small), source), key)
    again, _ = rerun(notebook, ASSIGNMENTS[key], options)
    return Judged(again, source_failures(notebook, key))


def source_failures(notebook: Submission, key: str) -> list[Finding]:
    """Return the failures that the source shows without a rerun."""
    case, failures = case_of(notebook, ASSIGNMENTS[key]), []
    for task in ASSIGNMENTS[key].tasks:
        findings = judge_task(case, task)
        failures += [f for f in findings if f.level == "FAIL" and f.code not in NO_OUTPUTS]
    return failures


def findings_of_rerun(entry: Entry, options: Options) -> list[Finding]:
    """Return what the grader says with ``--rerun``; a mistake is looked for in its functions first, which is faster."""
    if entry.public:
        content = pages.notebook(entry.source)
        again, _ = rerun(reading.parse(f"max_mustermann_{entry.key}.ipynb", content), ASSIGNMENTS[entry.key], options)
        return merge(findings_of_outputs(entry), again)  # as the grader does
    if entry.task and entry.key != "a2" and not options.definitions:
        found = judge_source(entry.source, replace(options, definitions=True), entry.key).all
        if outcome(entry, found) in ("FAIL", "NAMED"):
            return found
    return judge_source(entry.source, options, entry.key).all


# ---------------------------------------------------------------- rows


def outcome(entry: Entry, findings: Iterable[Finding]) -> str:
    """Say how a mistake's task came out: FAIL, NAMED (a LOOK that names it), LOOK, PASS."""
    of_task = [f for f in findings if f.task == entry.task and f.level != "PASS"]
    if any(f.level == "FAIL" and (entry.public or f.code in entry.codes) for f in of_task):
        return "FAIL"
    if any(f.code in entry.codes for f in of_task):
        return "NAMED"
    return "LOOK" if of_task else "PASS"


def verdicts_of(entry: Entry, findings: list[Finding], *, again: bool) -> tuple[Level, ...]:
    """Return the verdicts of the tasks that could be judged: a reference has no figures and no text to be seen."""
    assignment = ASSIGNMENTS[entry.key]
    if entry.public:
        tasks = assignment.graded
    else:
        tasks = tuple(task for task in assignment.tasks if task.from_rerun or not again)
    return tuple(worst(f.level for f in findings if f.task == task.name) for task in tasks)


def row_of(entry: Entry, options: Options, *, with_rerun: bool) -> Row:
    """Grade an entry from its outputs, and with a rerun where that is asked for."""
    stored = findings_of_outputs(entry) if entry.has_outputs else []
    again = findings_of_rerun(entry, options) if with_rerun else []
    about = (entry.name, entry.key, entry.task, entry.public)
    if entry.task:
        from_outputs = outcome(entry, stored) if entry.has_outputs else UNSEEN
        seen = entry.shown or from_outputs != "PASS"
        return Row(*about, from_outputs if seen else UNSEEN, outcome(entry, again) if with_rerun else UNSEEN)
    before = verdicts_of(entry, stored, again=False) if entry.has_outputs else ()
    after = verdicts_of(entry, again, again=True) if with_rerun else ()
    return Row(*about, worst(before) if before else UNSEEN, worst(after) if after else UNSEEN, before, after)


def line_of(row: Row) -> str:
    about = f"{'BAD' if row.wrong else '':<4}{row.name[:62]:<64}{row.key}.{row.task or 'honest':<15}"
    verdicts = " | ".join(" ".join(of_column) for of_column in (row.outputs_verdicts, row.rerun_verdicts) if of_column)
    return f"{about}{row.outputs:<8}{row.rerun:<8}{verdicts}".rstrip()


def judge_mistake(mistake: variants.Mistake, options: Options) -> Row:
    """Look for a reference's mistake with a rerun."""
    return row_of(next(e for e in entries() if e.name == mistake.name and not e.public), options, with_rerun=True)


def judge_honest(key: str, name: str, options: Options) -> Row:
    """Grade an honest variant of a reference with a rerun; LOOKs are counted in its row."""
    return row_of(next(e for e in entries() if e.name == f"{key}: {name}" and not e.task), options, with_rerun=True)


# ---------------------------------------------------------------- the summary


def share(part: int, whole: int) -> str:
    return f"{part} of {whole}" + (f" ({100 * part / whole:.1f} %)" if whole else "")


def counts_of(rows: list[Row], column: str) -> list[str]:
    """Return one column of the summary."""
    mistakes = [getattr(row, column) for row in rows if not row.honest and getattr(row, column) != UNSEEN]
    caught = Counter(mistakes)
    verdicts: Counter[Level] = Counter()
    for row in rows:
        verdicts.update(getattr(row, f"{column}_verdicts") if row.honest else ())
    honest = [getattr(row, column) for row in rows if row.honest and getattr(row, column) != UNSEEN]
    total = sum(verdicts.values())
    return [
        share(caught["FAIL"] + caught["NAMED"], len(mistakes)), str(caught["FAIL"]), str(caught["NAMED"]),
        str(caught["LOOK"]), str(caught["PASS"]), share(honest.count("FAIL"), len(honest)),
        share(verdicts["LOOK"], total), share(verdicts["FAIL"], total),
    ]  # fmt: skip


LINES = (
    "mistakes caught: FAIL, or a LOOK that names them", "… by FAIL", "… by a LOOK that names them",
    "looked at for another reason", "missed: PASS", "honest notebooks failed", "honest task verdicts that are LOOK",
    "honest task verdicts that are FAIL",
)  # fmt: skip


def summary(rows: list[Row]) -> str:
    """Return the table's summary in Markdown."""
    mistakes, honest = [row for row in rows if not row.honest], [row for row in rows if row.honest]
    others = sum(row.public for row in mistakes)
    lines = [
        f"{len(mistakes)} mistakes, {others} of them in styles of public notebooks; {len(honest)} honest notebooks.",
        "",
        "| | from outputs | with `--rerun` |",
        "|---|---|---|",
    ]
    columns = counts_of(rows, "outputs"), counts_of(rows, "rerun")
    again = [row for row in rows if row.rerun != UNSEEN]
    measured = bool(again)
    if measured and len(again) < len(rows):
        wrong = sum(not row.honest for row in again)
        lines[0] += (
            f" With `--rerun`: {wrong} of the mistakes and {len(again) - wrong} of the honest notebooks, drawn"
            " by chance from each assignment."
        )
    for name, one, other in zip(LINES, *columns, strict=True):
        lines.append(f"| {name} | {one} | {other if measured else 'not measured yet'} |")
    return "\n".join(lines) + "\n"


def store(rows: list[Row]) -> None:
    """Store the whole table, and write its summary into the docs."""
    lines = ",\n".join(json.dumps(list(row), ensure_ascii=False) for row in rows)
    STORED.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    SUMMARY.write_text(summary(rows), encoding="utf-8")


def load() -> list[Row]:
    """Return the stored table."""
    rows = json.loads(STORED.read_text(encoding="utf-8"))
    return [Row(*facts, outputs_verdicts=tuple(o), rerun_verdicts=tuple(r)) for *facts, o, r in rows]


# ---------------------------------------------------------------- the command


def drawn(chosen: list[Entry], part: float) -> set[int]:
    """Return the numbers of a share of the notebooks: at least one of each assignment, style and kind."""
    groups: dict[tuple[str, bool, bool], list[int]] = {}
    for number, entry in enumerate(chosen):
        groups.setdefault((entry.key, entry.public, bool(entry.task)), []).append(number)
    rand, numbers = random.Random(SEED), set()
    for group in groups.values():
        numbers.update(rand.sample(group, max(1, round(part * len(group)))))
    return numbers


def in_order(jobs: list[Any], processes: int) -> Iterator[Row]:
    if processes == 1:
        rows = (function(*arguments, **named) for function, arguments, named in jobs)
    else:
        rows = Parallel(n_jobs=processes, return_as="generator")(jobs)
    return (row for row in rows if isinstance(row, Row))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="only notebooks whose name holds one of these")
    parser.add_argument("--outputs", action="store_true", help="from outputs only, without reruns")
    parser.add_argument("--sample", type=float, default=1.0, help="the share of the notebooks that are run again")
    parser.add_argument("--seconds", type=float, default=600.0, help="that a rerun may take")
    parser.add_argument("--quick", action="store_true", help="in reruns, try functions only, without the training")
    parser.add_argument("--jobs", type=int, default=1, help="notebooks at a time")
    arguments = parser.parse_args()
    started = time.monotonic()
    options = Options(rerun=True, seconds=arguments.seconds, definitions=arguments.quick)
    chosen = [e for e in entries() if not arguments.words or any(word in e.name for word in arguments.words)]
    again = set() if arguments.outputs else drawn(chosen, arguments.sample)
    jobs = [delayed(row_of)(entry, options, with_rerun=number in again) for number, entry in enumerate(chosen)]
    print(f"{'':<4}{'notebook':<64}{'task':<18}{'outputs':<8}{'rerun':<8}verdicts of an honest one's tasks")
    rows = []
    for row in in_order(jobs, arguments.jobs):
        print(line_of(row), flush=True)
        rows.append(row)
    if not arguments.words and not arguments.quick:
        store(rows)
    print(f"\n{summary(rows)}\n{time.monotonic() - started:.0f} s")
    return int(any(row.wrong for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
