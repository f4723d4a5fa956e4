"""The checks by outputs of assignment 3: printed losses, and whether another model was tried."""

import ast
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from course.assignments import Task
from course.assignments.a3 import SWISS_LOSS
from course.grading.case import Case, holds
from course.grading.common import DRAWS_NOISE, REPARAMETERIZES, in_figures, noise_fault
from course.grading.evidence import EPOCH, printed_losses
from course.grading.sources import Function, called_names, identifiers, last_name, numbers_of
from course.grading.training import assignments
from course.grading.verdicts import Finding
from course.notebooks.printed import Reading, kind_of, readings
from course.notebooks.visible import named

LOWEST, HIGHEST = SWISS_LOSS
MOST_LOSSES = 6  # in a finding
COORDINATES, TERMS = 2, 2  # of a point, and of the loss


def honest_losses(submission: Case) -> list[float]:
    """Return the printed losses that honest trainings end at, twice as large where both coordinates are summed."""
    losses = printed_losses(submission)
    summed = sums_both(submission)
    return [x for x in losses if LOWEST <= x <= HIGHEST] or [
        x for x in losses if summed and COORDINATES * LOWEST <= x <= COORDINATES * HIGHEST
    ]


def band_around(loss: float) -> str:
    """Return the band of an honest loss in words."""
    if loss <= HIGHEST:
        return f"{LOWEST:g} to {HIGHEST:g}"
    return f"{COORDINATES * LOWEST:g} to {COORDINATES * HIGHEST:g}, as a sum over both coordinates is"


def sums_both(submission: Case) -> bool:
    """Say whether a function sums error and divergence over the coordinates, as the assignment's formulas do."""
    for node in submission.code.functions.values():
        if isinstance(node, Function) and identifiers(node) & PARTS["KL"]:
            summed = sum(name == "sum" for name in called_names(node))
            if summed >= TERMS and {"exp", "kl_divergence"} & set(called_names(node)):
                return True
    return False


# ---------------------------------------------------------------- the two functions


NAMES = {
    "reparameterize": REPARAMETERIZES,
    "KL": re.compile(r"loss|verlust|elbo|objective|ziel"),
}
PARTS = {
    "reparameterize": DRAWS_NOISE,
    "KL": {"logvar", "log_var", "lv", "log_sigma", "logsigma", "exp", "kl_divergence", "kl", "KL"},
}


def constant_divergence(function: ast.AST) -> str:
    """Return the statement by which a function takes a number for the divergence; empty where it has none."""
    for node in ast.walk(function):
        value = node.value if isinstance(node, ast.Assign) else None
        is_number = isinstance(value, ast.Constant) and isinstance(value.value, int | float)
        if isinstance(node, ast.Assign) and is_number and "kl" in last_name(node.targets[0]).lower().split("_"):
            return ast.unparse(node)
    return ""


def trained_function(submission: Case, task: Task) -> Iterator[Finding]:
    """Judge whether the function of the task is there, and a training with it ends as honest ones do."""
    name = task.defines[0].rpartition(".")[2]
    found = function_of(submission, task, name)
    if found is None:
        yield Finding("LOOK", "own_way", f"no function named {name}, and none that does what it does")
    elif task.name == "reparameterize" and (fault := noise_fault(submission, found)):
        yield fault
    elif task.name == "KL" and (left_out := constant_divergence(found)):
        yield Finding("LOOK", "kl_wrong", f"{named(found.name)}() says {left_out!r}")
    elif honest := honest_losses(submission):
        inside = f"a printed loss of {honest[-1]:g} lies inside {band_around(honest[-1])}"
        yield Finding("PASS", "loss_numbers", f"{named(found.name)}() is there, and {inside}; only --rerun tries it")
    else:
        yield Finding(
            "LOOK",
            "unclear",
            f"no printed loss inside {LOWEST:g} to {HIGHEST:g}: only --rerun can try {named(found.name)}()",
        )


def function_of(submission: Case, task: Task, name: str) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """Return the task's function: of its name, else one with a name like it, else one that does what it does."""
    functions = {n: node for n, node in submission.code.functions.items() if isinstance(node, Function)}
    if name in functions:
        return functions[name]
    alike = [node for n, node in functions.items() if NAMES[task.name].search(n.lower())]
    does = [node for node in functions.values() if identifiers(node) & PARTS[task.name]]
    both = [node for node in alike if node in does]
    return next(iter([*both, *alike, *does]), None)


def loss_numbers(submission: Case, task: Task) -> Iterator[Finding]:
    """Judge whether a printed loss lies where honest trainings end."""
    losses, honest = printed_losses(submission), honest_losses(submission)
    least = min(losses, default=0.0)
    if least < 0:
        yield Finding("LOOK", "kl_sign", f"a loss of {least:g}: neither of its two terms can be negative")
    elif honest:
        yield Finding("PASS", "loss_numbers", f"a loss of {honest[-1]:g}, inside {band_around(honest[-1])}")
    elif 0 < least < LOWEST:
        yield Finding("LOOK", "below_least", f"a loss of {least:g}; the least possible is {LOWEST:g}")
    else:
        yield Finding("LOOK", "out_of_band" if losses else "numbers_missing", f"losses {losses[:MOST_LOSSES]}")


# ---------------------------------------------------------------- the latent space over the training

STAGES = (
    "before", "after", "step", "during", "iteration", "iter", "epoch", "untrained", "init", "vor dem", "nach",
    "schritt", "до", "после", "шаг", "prima", "dopo", "passo", "antes", "después", "despues", "paso", "avant", "après",
    "étape", "öncesi", "sonrası", "adım", "während", "pendant", "durante", "训练前", "训练后", "第",
)  # fmt: skip
LOSS_CURVE = ("loss", "verlust", "training loss", "perdita", "pérdida", "perte")
LONGEST_LINE = 60  # of one that announces a picture
COUNTS = re.compile(r"\W{0,3}(?:step|iter\w{0,6}|epoch\w?|schritt|paso?|шаг|étape|passo|第)\W{0,3}\d")
LEAST_STAGES = 3  # before, during and after training


def stages_of_training(submission: Case, task: Task) -> Iterator[Finding]:
    """Judge whether the latent space is drawn before, during and after training: one figure of that name, or three."""
    named = [view for view in submission.views if holds(view.picture.label, task.figures) and view.opens]
    if named:
        yield Finding("PASS", "figure", f"{in_figures(len(named))}, named {task.figures[0]}")
        return
    by_cell: dict[int, int] = {}
    stages: dict[int, str] = {}
    for view in submission.views:
        if view.empty:
            continue
        by_cell[view.picture.cell] = by_cell.get(view.picture.cell, 0) + 1
        told = stage_of(submission, view.picture.cell)
        if told:
            stages[view.picture.cell] = told
    most = max((cell for cell in stages), key=lambda cell: by_cell[cell], default=None)
    panels = max((v.look.panels[0] * v.look.panels[1] for v in submission.views if v.picture.cell in stages), default=0)
    total = sum(by_cell[cell] for cell in stages)
    kinds = sorted({view.picture.kind for view in submission.views if not view.is_of_open_kind})
    if most is not None and kinds and total >= LEAST_STAGES:
        yield Finding("LOOK", "picture_kind", f"{in_figures(total)} of the training, stored as {', '.join(kinds)}")
    elif most is not None and max(total, panels) >= LEAST_STAGES:
        evidence = f"{in_figures(total)} over the training, told by {stages[most]!r} in code cell {most + 1}"
        yield Finding("PASS", "figure", evidence)
    else:
        evidence = f"{in_figures(total)} named before, during or after training, expected at least {LEAST_STAGES}"
        yield Finding("LOOK", "figure_missing", evidence)


def stage_of(submission: Case, index: int) -> str | None:
    """Return what says that a cell draws the latent space while it trains: its function, a title, or a printed line."""
    reach = submission.code.reach(index)
    if "train_vae_with_visualization" in reach.calls:
        return "train_vae_with_visualization"
    lines = [line for line in submission.cells[index].text.lower().splitlines() if len(line) < LONGEST_LINE]
    printed = [line for line in lines if "loss" not in line]
    if len(submission.cells[index].pictures) > LEAST_STAGES:  # and one of them may be the curve of the losses
        printed += [line.partition("loss")[0] for line in lines if COUNTS.match(line)]
    for title in (*reach.titles, *printed):
        is_axis = holds(title, ("steps",)) and not holds(title, ("before", "after"))
        if holds(title, STAGES) and not holds(title, LOSS_CURVE) and not is_axis:
            return title
    return None


# ---------------------------------------------------------------- experiments


class Size(NamedTuple):
    """A setting of the assignment, and what its name is like."""

    name: re.Pattern[str]
    assigned: frozenset[float]


SIZES = (
    Size(re.compile(r"latent|z_?dim|(?<![a-z])d$|n_?z"), frozenset({2})),
    Size(re.compile(r"hidden|width|breite|units|neur"), frozenset({256})),
    Size(re.compile(r"^beta|kl_?w"), frozenset({0.01})),
    Size(re.compile(r"^(?:n_?)?(?:steps|iter\w*|schritte)$"), frozenset({1000})),
    Size(re.compile(r"^(?:lr|learning_?rate)$"), frozenset({1e-3})),
    Size(re.compile(r"layers|depth"), frozenset()),
)
MOST_SIZES = 6  # in a finding


def experiment(submission: Case, task: Task) -> Iterator[Finding]:
    """Judge whether a model or a training with another setting than the assigned one was run."""
    found: list[str] = []
    for index, cell in enumerate(submission.cells):
        tree = submission.code.trees[index]
        if tree is not None and submission.ran(cell):
            found += other_settings(tree, submission)
    found = found or list(several_settings(submission))
    if found and (alike := alike_results(submission)):
        yield Finding("LOOK", "results_alike", f"{alike[0].text.strip()!r}: the same for {len(alike)} settings")
    elif found:
        yield Finding("PASS", "experiment", f"also run with {', '.join(dict.fromkeys(found[:MOST_SIZES]))}")
    else:
        yield Finding(
            "LOOK",
            "experiment_missing",
            "no run with another latent size, width, beta or number of steps was recognised",
        )


BY_SETTING = re.compile(r"\W{0,4}([^\W\d][\w ]{0,20}?)\W{0,4}(\d[\d.]{0,9})(?!\w)")  # "width 64: ..."
LEAST_ALIKE, LEAST_DIGITS = 3, 100  # lines, and a result in units of its last digit: 0.02 twice is no wonder


def alike_results(submission: Case) -> list[Reading]:
    """Return the results of several settings that agree to the last digit, as those of one model do."""
    for cell in submission.cells:
        results: dict[tuple[str, str], dict[str, Reading]] = {}
        for reading in readings(cell.text):
            start = BY_SETTING.match(reading.text)
            if start and kind_of(reading.label) and not EPOCH.search(start[1]):
                results.setdefault((start[1].lower(), reading.label), {})[start[2]] = reading
        for by_setting in results.values():
            values = {abs(reading.value) * 10**reading.decimals for reading in by_setting.values()}
            if len(by_setting) >= LEAST_ALIKE and len(values) == 1 and min(values) >= LEAST_DIGITS:
                return list(by_setting.values())
    return []


def other_settings(tree: ast.Module, submission: Case) -> Iterator[str]:
    """Yield settings that a cell gives a call, or loops over, and that are not the assigned ones."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            for keyword in node.keywords:
                yield from other_values(keyword.arg or "", keyword.value)
            if last_name(node.func) in submission.code.functions and is_model(submission, last_name(node.func)):
                for argument, (size, name) in zip(
                    node.args, ((SIZES[0], "latent_dim"), (SIZES[1], "hidden_dim")), strict=False
                ):
                    if (
                        isinstance(argument, ast.Constant)
                        and isinstance(argument.value, int)
                        and argument.value not in size.assigned
                    ):
                        yield f"{name}={argument.value}"
        elif isinstance(node, ast.For | ast.comprehension):
            for name in sorted(identifiers(node.target)):
                yield from other_values(name, node.iter)


NO_SETTING = re.compile(r"seed|interval|every|plot|print|verbose|points|title|device|index|^i$|step$")


def several_settings(submission: Case) -> Iterator[str]:
    """Yield models and trainings of the notebook's own that are called with several numbers for one argument."""
    names = submission.code.functions
    backward = frozenset({"backward"})
    code = submission.code
    trainings = {n for n in names if code.reaches(code.function(n), backward) or is_model(submission, n)}
    values = assignments(submission.code)
    given: dict[tuple[str, str], dict[float, None]] = {}
    for cell, tree in zip(submission.cells, submission.code.trees, strict=True):
        for node in ast.walk(tree) if tree is not None and submission.ran(cell) else ():
            loops = [node] if isinstance(node, ast.For) else getattr(node, "generators", [])
            looped = {last_name(loop.target): numbers_in(loop.iter, values) for loop in loops}
            calls = [n for n in ast.walk(node) if isinstance(n, ast.Call)] if loops else [node]
            for call in calls:
                if isinstance(call, ast.Call) and last_name(call.func) in trainings:
                    for argument, value in arguments_of(call):
                        for number in looped.get(last_name(value), numbers_of(ast.Tuple([value])) or []):
                            given.setdefault((last_name(call.func), argument), {})[number] = None
    for (training, argument), numbers in given.items():
        if len(numbers) > 1 and not NO_SETTING.search(argument.lower()):
            yield f"{named(training)}({argument} {', '.join(f'{number:g}' for number in list(numbers)[:MOST_SIZES])})"


def numbers_in(node: ast.AST, values: Mapping[str, ast.expr]) -> list[float]:
    """Return the first numbers of a list, or of one that a name stands for."""
    return (numbers_of(values.get(last_name(node), node)) or [])[:MOST_SIZES]


def arguments_of(call: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    """Yield the arguments of a call, by their names or, where they have none, what stands for them."""
    for place, value in enumerate(call.args, start=1):
        yield f"argument {place}", value
    for keyword in call.keywords:
        yield named(keyword.arg or "**"), keyword.value


def is_model(submission: Case, name: str) -> bool:
    node = submission.code.functions.get(name)
    return isinstance(node, ast.ClassDef) and any(last_name(base) == "Module" for base in node.bases)


def other_values(name: str, node: ast.AST) -> Iterator[str]:
    """Yield the numbers in an expression under a setting's name, where they are not the assigned ones."""
    sizes = [size for size in SIZES if size.name.search(name.lower())]
    for inner in ast.walk(node) if sizes else ():
        value = inner.value if isinstance(inner, ast.Constant) else None
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if is_number and value not in sizes[0].assigned:
            yield f"{named(name)}={value:g}"
