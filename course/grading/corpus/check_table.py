"""The students' checks against the grader's mistakes: each mistake in one function, and the sentence it gets.

``python -m course.grading.corpus.check_table [WORDS ...]`` prints the table for the mistakes whose name holds a word.
Exit status 1 where a check does not notice a mistake of its task, or does not name it; or fails an honest variant.
"""

import argparse
import ast
import contextlib
import io
import time
from collections.abc import Iterable
from typing import Any, NamedTuple

from course.assignments import ASSIGNMENTS
from course.grading.corpus import variants
from course.notebooks.code import parse
from helpers import checks

VALUES = ("device", "LATENT_DIM")  # that functions of the references read where they stand
NUMBERS = "a2"  # its reference is one run of a few lines, without functions for each step


class Row(NamedTuple):
    """A mistake, and what the checks say of it."""

    name: str
    task: str
    result: checks.Result | None  # the first that is not right; None where all are
    named: bool


def definitions(source: str) -> dict[str, Any]:
    """Execute the imports, functions and classes of a reference, and no training."""
    source = source.replace('torch.device("cuda")', 'torch.device("cpu")').replace(".cuda()", ".cpu()")
    kept = [node for node in parse(source).body if _defines(node)]
    space: dict[str, Any] = {"__name__": "submission"}
    exec(compile(ast.Module(kept, []), "submission", "exec"), space)
    return space


def _defines(node: ast.stmt) -> bool:
    if isinstance(node, ast.Assign):
        return any(isinstance(target, ast.Name) and target.id in VALUES for target in node.targets)
    return isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef)


def concerns_functions(mistake: variants.Mistake) -> bool:
    """Say whether a mistake stands in functions alone, and not in the cells that call them."""
    before = variants.REFERENCES[mistake.assignment]
    return mistake.assignment == NUMBERS or _parts(before, True) != _parts(variants.apply(mistake.swaps, before), True)


def _parts(source: str, inside: bool) -> list[str]:
    return [ast.dump(node) for node in parse(source).body if _defines(node) is inside]


def results(key: str, source: str, tasks: Iterable[str]) -> list[checks.Result]:
    """Run the checks of some tasks on what a reference defines; those that look at what was made are left out."""
    if key == NUMBERS:
        return of_numbers(source, tasks)
    space = definitions(source)
    found = []
    for task in tasks:
        for one in checks.find(f"{key}.{task}"):
            if not one.needs and _can_look(one, space):
                found += checks.run(one.key, space)
    return found


def _can_look(one: checks.Check, space: dict[str, Any]) -> bool:
    """Say whether the submission itself, not our helpers, defines what a check looks at."""
    return any(set(name.split(".")) & set(space) for name in one.of)


def of_numbers(source: str, tasks: Iterable[str]) -> list[checks.Result]:
    """Run the checks of assignment 2 on the numbers of its reference; those of task 5 are printed only."""
    space: dict[str, Any] = {"__name__": "submission"}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(source, "submission", "exec"), space)
    last = printed.getvalue().splitlines()[-1].partition(":")[2]
    small_beta = [float(number) for number in last.split()]
    given: dict[str, dict[str, Any]] = {
        "1": {"X_true": space["X_true"]},
        "3": {name: space[name] for name in ("L_recon", "L_KL", "loss")},
        "4": {name: space[f"{name}_c"] for name in ("L_recon", "L_KL", "loss")},
        "5": dict(zip(("loss", "loss_c"), small_beta, strict=True)),
    }
    found = []
    for task in tasks:
        found += checks.run(f"a2.{task}", space, **given[task])
    return found


def judge(mistake: variants.Mistake) -> Row:
    """Run the checks of a mistake's task on the reference that has it."""
    source = variants.apply(mistake.swaps, variants.REFERENCES[mistake.assignment])
    wrong = [r for r in results(mistake.assignment, source, [mistake.task]) if r.state == "wrong"]
    naming = [r for r in wrong if r.code in mistake.codes]
    return Row(mistake.name, mistake.task, next(iter(naming or wrong), None), bool(naming))


def honest(key: str, swaps: tuple[variants.Swap, ...]) -> list[checks.Result]:
    """Return what checks say against an honest variant: nothing, if they are right."""
    tasks = [task.name for task in ASSIGNMENTS[key].tasks if task.checks]
    source = variants.apply(swaps, variants.REFERENCES[key])
    return [r for r in results(key, source, tasks) if r.state in ("wrong", "open")]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="only those whose name holds one of these")
    words, started = parser.parse_args().words, time.monotonic()
    mistakes = [m for m in variants.MISTAKES if not words or any(word in m.name for word in words)]
    alone = [m for m in mistakes if concerns_functions(m)]
    missed = failed = 0
    for mistake in alone:
        row = judge(mistake)
        missed += not row.named
        print(
            f"{'' if row.named else 'NO':<3}{row.name:<46}{row.task:<15}{row.result or 'no check noticed it'}",
            flush=True,
        )
    variants_of = [(key, name, swaps) for key, of_key in variants.HONEST.items() for name, swaps in of_key.items()]
    variants_of = [v for v in variants_of if not words or any(word in v[1] for word in words)]
    for key, name, swaps in variants_of:
        against = honest(key, swaps)
        failed += bool(against)
        print(
            f"{'BAD' if against else 'ok':<4}{key}: {name}{''.join(f'{chr(10)}      {r}' for r in against)}", flush=True
        )
    print(
        f"{len(alone) - missed} of {len(alone)} mistakes in functions noticed and named; the other "
        f"{len(mistakes) - len(alone)} stand in a notebook's cells; {failed} of {len(variants_of)} honest variants "
        f"failed; {time.monotonic() - started:.0f} s"
    )
    return int(missed + failed > 0)


if __name__ == "__main__":
    raise SystemExit(main())
