"""The checks by outputs of part B: is there an autoencoder that was trained, and a VAE for each beta?

A name is no evidence, and a variational autoencoder is no autoencoder. What counts is training: a loop that takes
gradients, or a call of one, with an autoencoder in it; a loop over beta = 1, 3, 10, or a call or a result for each.
"""

import ast
import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from course.assignments import Task
from course.grading import training
from course.grading.case import Case
from course.grading.common import judge_series, never_zeroed
from course.grading.evidence import Series
from course.grading.sources import Function, calls_of, identifiers, last_name, numbers_of, walk
from course.grading.training import Loop, assignments
from course.grading.verdicts import Finding
from course.notebooks.printed import kind_of, readings
from course.notebooks.visible import named, quoted

# ---------------------------------------------------------------- the autoencoder

NAME_PARTS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[^\W\dA-Za-z_]+")
VARIATIONAL = re.compile(r"variation|v(?:ar)?$|vaes?$|\w?vae|вариац")
AUTOENCODER = re.compile(r"aes?$|autoen[ck]od|autokod|автокодиров|автоэнкод")
MOST_NAMES = 5000  # that are remembered: the same few hundred are asked about again and again
TRAINING_WORDS = re.compile(r"train|^fit|learn|lern|обуч", re.I)


@lru_cache(MOST_NAMES)
def names_autoencoder(text: str) -> bool:
    """Say whether a name or a line is about an autoencoder that is not a variational one."""
    parts = [part.lower() for part in NAME_PARTS.findall(text)]
    joined = [*parts, *(f"{a}{b}" for a, b in pairwise(parts) if a == "auto")]
    return any(map(AUTOENCODER.match, joined)) and not any(map(VARIATIONAL.match, joined))


def autoencoder_there(submission: Case, task: Task) -> Iterator[Finding]:
    """Judge whether an autoencoder was trained in cells that were executed."""
    names = {n for n in all_names(submission) if names_autoencoder(n)}
    if not names:
        yield Finding("LOOK", "not_trained", "no executed cell names an autoencoder that is not a variational one")
        return
    place = trained_in(submission)
    if place:
        yield Finding("PASS", "autoencoder_there", f"an autoencoder is trained in {place}, which ran without an error")
    else:
        evidence = f"{', '.join(map(named, sorted(names)[:3]))}: named, but no loop with backward() and step() has it"
        yield Finding("LOOK", "not_trained", evidence)


def ran_cells(submission: Case) -> set[int]:
    """Return the indices of the cells that were executed and did not end in an error."""
    ran = (n for n, cell in enumerate(submission.cells) if submission.ran(cell) and (cell.may_fail or not cell.error))
    return set(ran)


def all_names(submission: Case) -> set[str]:
    names: set[str] = set()
    for index in ran_cells(submission):
        tree = submission.code.trees[index]
        names |= identifiers(tree) if tree else set(re.findall(r"\w+", submission.cells[index].source))
    return names


def trained_in(submission: Case) -> str | None:
    """Return where an autoencoder is trained: a loop about one, or a call that trains one."""
    ran = ran_cells(submission)
    loops = [loop for loop in training.loops(submission.code) if loop.cell in ran]
    steps = frozenset(loop.name for loop in training.loops(submission.code) if loop.name)
    for loop in loops:
        if is_about_autoencoder(loop):
            return loop.place
    for index in sorted(ran):
        tree = submission.code.trees[index]
        for call in calls_of(tree) if tree else ():
            if is_training_call(call, steps, submission) and any(map(is_autoencoder, arguments_of(call))):
                return f"code cell {index + 1}"
    return None


def arguments_of(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(keyword.value for keyword in call.keywords)]


def is_training_call(call: ast.Call, steps: frozenset[str], submission: Case) -> bool:
    """Say whether a call trains: a function of the notebook that takes gradients, or a library's of such a name."""
    name = last_name(call.func)
    function = submission.code.functions.get(name)
    if function is None:
        return bool(TRAINING_WORDS.search(name))
    return name in steps or submission.code.reaches(submission.code.function(name), steps)


def is_autoencoder(node: ast.AST) -> bool:
    return any(names_autoencoder(name) for name in identifiers(node))


def is_about_autoencoder(loop: Loop) -> bool:
    """Say whether a training loop's own names name an autoencoder: its function, or what it calls."""
    return names_autoencoder(loop.name) or is_autoencoder(loop.node)


# ---------------------------------------------------------------- beta = 1, 3, 10

BETAS = (1.0, 3.0, 10.0)
MOST_BETAS = 7  # values of beta that one tries; digits from 1 to 10 are none
BETA_NAME = re.compile(r"beta|(?<![a-z])b(?:s|_?values)?(?![a-z])|β|kl_?w(?:eight)?|kld_?w|lambda", re.I)
LEAST_EPOCHS = 15
EPOCH_NAME = re.compile(r"epoch|эпох", re.I)
PRINTED_BETA = re.compile(r"(?:beta|β)\s?(?:=|:|\()?\s?(\d{1,3}(?:\.\d{1,3})?)(?![\d.]*\d)", re.I)
SAME_KL = 0.05  # relative: KLs of beta = 1 and 10 that differ by less are the same


class Trained(NamedTuple):
    """What shows that VAEs were trained with these betas."""

    sentence: str
    fault: Finding | None = None


def betas(submission: Case, task: Task) -> Iterator[Finding]:
    """Judge whether VAEs were trained with beta = 1, 3 and 10: in a loop, by a call each, or by their results."""
    trained = trained_betas(submission)
    if trained is None:
        seen = sorted({value for value in PRINTED_BETA.findall(submission.text)})[:MOST_BETAS]
        evidence = "neither a loop over beta = 1, 3 and 10, nor a call or a printed result for each was found"
        yield Finding("LOOK", "betas_missing", f"{evidence}; printed: {seen}" if seen else evidence)
        return
    yield trained.fault or Finding("PASS", "betas", trained.sentence)
    yield from few_epochs(submission)
    yield from beta_without_effect(submission)


def trained_betas(submission: Case) -> Trained | None:
    """Return what shows the three trainings, None where nothing does."""
    by_loop = next(loops_over_betas(submission), None)
    if by_loop:
        return by_loop
    without_beta = called_without_beta(submission)
    for name, given in betas_by_call(submission).items():
        if given >= set(BETAS) or (given >= set(BETAS[1:]) and name in without_beta):
            return Trained(f"{named(name)}() is called with beta = 1, 3 and 10")
    if results_of_betas(submission):
        return Trained("a result is printed for each of beta = 1, 3 and 10")
    return None


def nodes_that_ran(submission: Case) -> Iterator[tuple[int, ast.AST]]:
    """Yield every piece of code in the cells that were executed, and its cell's index."""
    for index in sorted(ran_cells(submission)):
        tree = submission.code.trees[index]
        for node in walk(tree) if tree else ():
            yield index, node


def loops_over_betas(submission: Case) -> Iterator[Trained]:
    """Yield loops over the three betas, and calls that are given all three."""
    constants = training.assignments(submission.code)
    for index, node in nodes_that_ran(submission):
        if isinstance(node, ast.For | ast.comprehension) and is_loop_over_betas(node, constants):
            fault = constant_beta_in(node) if isinstance(node, ast.For) else None
            yield Trained(f"code cell {index + 1} loops over beta = 1, 3 and 10", fault)
        for keyword in node.keywords if isinstance(node, ast.Call) else ():
            if "beta" in (keyword.arg or "").lower() and covers(list_of(keyword.value, constants), named=True):
                name = last_name(node.func) if isinstance(node, ast.Call) else ""
                yield Trained(f"code cell {index + 1} passes beta = 1, 3 and 10 to {named(name)}()")


def betas_by_call(submission: Case) -> dict[str, set[float]]:
    """Return the single betas that functions are given, by the functions' names."""
    values: dict[str, set[float]] = {}
    for _, node in nodes_that_ran(submission):
        for keyword in node.keywords if isinstance(node, ast.Call) else ():
            value = keyword.value.value if isinstance(keyword.value, ast.Constant) else None
            if "beta" in (keyword.arg or "").lower() and isinstance(value, int | float) and isinstance(node, ast.Call):
                values.setdefault(last_name(node.func), set()).add(float(value))
    return values


def called_without_beta(submission: Case) -> set[str]:
    """Return the functions that are called without a beta, which leaves their own 1."""
    calls = (node for _, node in nodes_that_ran(submission) if isinstance(node, ast.Call))
    return {last_name(call.func) for call in calls if not any(k.arg == "beta" for k in call.keywords)}


def list_of(node: ast.AST, constants: training.Assigned) -> list[float]:
    """Return the numbers of a list, under its name or in a call such as enumerate; empty where there are none."""
    for inner in walk(node):
        values = constants.numbers(inner.id) if isinstance(inner, ast.Name) else numbers_of(inner)
        if values:
            return values
    return []


def covers(values: list[float], *, named: bool) -> bool:
    """Say whether numbers are the three betas; more of them only where their name says that they are betas."""
    return set(values) - {0.0} == set(BETAS) or (named and set(values) >= set(BETAS) and len(values) <= MOST_BETAS)


def is_loop_over_betas(node: ast.For | ast.comprehension, constants: training.Assigned) -> bool:
    named = any(BETA_NAME.search(name) for name in [*identifiers(node.target), *identifiers(node.iter)])
    return covers(list_of(node.iter, constants), named=named)


def constant_beta_in(loop: ast.For) -> Finding | None:
    """Find a call in the loop that is given one beta for all."""
    for call in walk(loop):
        if not isinstance(call, ast.Call):
            continue
        for keyword in call.keywords:
            if keyword.arg == "beta" and isinstance(keyword.value, ast.Constant):
                value = keyword.value.value
                given = f"beta={value if isinstance(value, int | float) else quoted(value)}"
                evidence = f"in the loop over the betas, {named(last_name(call.func))}() is given {given}"
                return Finding("LOOK", "one_beta", evidence)
    return None


def results_of_betas(submission: Case) -> bool:
    """Say whether numbers are printed beside beta = 1, 3 and 10, each."""
    seen: set[float] = set()
    for line in submission.text.split("\n"):
        found = PRINTED_BETA.search(line[:300])
        if found and re.search(r"\d\.\d", line[found.end() : 300]):
            seen.add(float(found[1]))
    return seen >= set(BETAS)


def few_epochs(submission: Case) -> Iterator[Finding]:
    """Find calls that train with a beta for fewer epochs than the assignment says, as far as a number says so."""
    values, images = assignments(submission.code), first_about_images(submission)
    for index in sorted(ran_cells(submission)):
        tree = submission.code.trees[index]
        if tree is None or (index < images < len(submission.cells)):
            continue  # the toy data sets have ten
        for call in calls_of(tree):
            given = arguments_by_name(call, submission.code.functions.get(last_name(call.func)))
            if not any("beta" in name.lower() for name in given):
                continue
            for name, node in given.items():
                node = values.get(node.id, node) if isinstance(node, ast.Name) else node
                value = node.value if isinstance(node, ast.Constant) else None
                if EPOCH_NAME.search(name) and isinstance(value, int) and 0 < value < LEAST_EPOCHS:
                    evidence = f"code cell {index + 1}: {named(last_name(call.func))}(..., {named(name)}={value})"
                    yield Finding("LOOK", "few_epochs", evidence)
                    return


def arguments_by_name(call: ast.Call, function: ast.AST | None) -> dict[str, ast.expr]:
    """Return what a call gives, by the names that the notebook's own function has for it."""
    names = function.args.args if isinstance(function, Function) else []
    by_place = {argument.arg: value for argument, value in zip(names, call.args, strict=False)}
    return by_place | {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}


def beta_without_effect(submission: Case) -> Iterator[Finding]:
    """Find KLs that are printed and do not fall from beta = 1 to beta = 10: one model for both, or two exchanged."""
    kls: dict[float, float] = {}
    beta = None
    for line in submission.text.split("\n"):
        found = PRINTED_BETA.search(line[:300])
        beta = float(found[1]) if found else beta
        for reading in readings(line[:300]):
            if kind_of(reading.label) == "kl" and beta is not None and reading.decimals:
                kls[beta] = reading.value
    if kls.keys() >= {1.0, 10.0} and max(kls[1.0], kls[10.0]) > 1 and kls[10.0] > (1 - SAME_KL) * kls[1.0]:
        evidence = f"the printed KL is {kls[1.0]:g} at beta = 1 and {kls[10.0]:g} at beta = 10; it should fall"
        code = "betas_exchanged" if kls[10.0] > (1 + SAME_KL) * kls[1.0] else "beta_ignored"
        yield Finding("LOOK", code, evidence)


# ---------------------------------------------------------------- losses and gradients of each task's loops

IMAGES = re.compile(r"\bmnist\b", re.I)


def first_about_images(submission: Case) -> int:
    """Return the index of the first cell that names MNIST; what stands before it is about the toy data."""
    indices = (index for index, cell in enumerate(submission.cells) if IMAGES.search(cell.source))
    return next(indices, len(submission.cells))


def task_of(submission: Case, index: int, series: Series, images: int) -> str:
    """Return whose training a cell prints: A2 (toy data), B1 (the autoencoder) or B2 (the betas)."""
    if names_autoencoder(series.name):
        return "B1"
    section = submission.sections.get(submission.cells[index].number)
    if section in ("A2", "B1", "B2"):
        return section
    if re.search(r"beta|β", series.name, re.I):
        return "B2"
    if index != images and is_about_autoencoder_cell(submission, index):
        return "B1"
    return "B2" if index > images else "A2"


def is_about_autoencoder_cell(submission: Case, index: int) -> bool:
    """Say whether a cell, or what it calls, names an autoencoder."""
    tree = submission.code.trees[index]
    names = identifiers(tree) if tree else frozenset[str]()
    return any(map(names_autoencoder, {*names, *submission.code.reach(index).calls}))


def losses_of(submission: Case, task: str) -> Iterator[Finding]:
    images = first_about_images(submission)
    for index, of_cell in enumerate(submission.series):
        for series in of_cell:
            if task_of(submission, index, series, images) == task:
                yield from judge_series(series, index + 1)


def vae_losses_fall(submission: Case, task: Task) -> Iterator[Finding]:
    """Judge whether the losses that trainings on the toy data print end lower than they begin."""
    return losses_of(submission, "A2")


def autoencoder_losses_fall(submission: Case, task: Task) -> Iterator[Finding]:
    """Judge whether the losses that an autoencoder's training prints end lower than they begin."""
    return losses_of(submission, "B1")


def beta_losses_fall(submission: Case, task: Task) -> Iterator[Finding]:
    """Judge whether the losses that the trainings with a beta print end lower than they begin, each by itself."""
    return losses_of(submission, "B2")


def vae_zero_grad(submission: Case, task: Task) -> Iterator[Finding]:
    """Find loops of the VAEs that never set gradients to zero."""
    faulty = training.never_zeroes(submission.code)
    yield from never_zeroed(submission, [loop for loop in faulty if not is_about_autoencoder(loop)])


def autoencoder_zero_grad(submission: Case, task: Task) -> Iterator[Finding]:
    """Find loops of the autoencoder that never set gradients to zero."""
    faulty = training.never_zeroes(submission.code)
    yield from never_zeroed(submission, [loop for loop in faulty if is_about_autoencoder(loop)])
