"""Checks by outputs that several assignments share. A check takes (submission, task); what else is here helps one."""

import ast
import math
import re
from collections.abc import Iterator

from course.assignments import Task
from course.grading import formulas, training, writing
from course.grading.case import Case
from course.grading.evidence import Look, Series, loss_series
from course.grading.sources import Function, called_names, last_name, walk
from course.grading.training import Loop
from course.grading.verdicts import Finding
from course.notebooks.code import EMPTY_REGION, is_empty, is_stub
from course.notebooks.reading import Cell, Submission
from course.notebooks.visible import error_in_words, named

# ---------------------------------------------------------------- the file

MOST_COUNTS = 12  # execution counts in a finding
MOST_ERRORS = 3


def order(submission: Case, task: Task) -> Iterator[Finding]:
    """Judge whether all code cells were executed, once and in their order; where nothing is counted, outputs say so."""
    cells = code_cells(submission)
    counts = [cell.count for cell in cells if cell.count]
    if cells and not counts:
        if any(shows_something(cell) for cell in cells):
            yield Finding("PASS", "order", "the file counts no executions, as files of Colab do; its outputs are there")
        else:
            yield Finding("FAIL", "not_executed", "no cell has an execution count, and none an output")
    elif len(counts) < len(cells):
        yield Finding("LOOK", "order", f"{len(cells) - len(counts)} of {len(cells)} code cells were not executed")
    elif counts != sorted(set(counts)):
        yield Finding("LOOK", "order", f"execution counts {counts[:MOST_COUNTS]} do not rise")
    else:
        more = max(counts, default=0) - len(counts)
        yield Finding("PASS", "order", f"in order, {more} executions more than cells" if more > 0 else "in order")


def sources_there(submission: Case, task: Task) -> Iterator[Finding]:
    """Find cells that show something, though nothing in them can have made it."""
    for index in submission.sourceless[:MOST_ERRORS]:
        cell = submission.cells[index]
        why = "could not be read as Python" if cell.source.strip() else "is empty"
        yield Finding("LOOK", "source_missing", f"code cell {index + 1} {why}, but outputs stand below it")


def unfinished(submission: Case, task: Task) -> Iterator[Finding]:
    """Find regions that were left empty, and functions of the assignment that are still stubs."""
    asked = {
        name.rpartition(".")[2] for t in submission.assignment.tasks for one in t.defines for name in one.split("|")
    }
    for index, (cell, tree) in enumerate(zip(submission.cells, submission.code.trees, strict=True)):
        if EMPTY_REGION.search(cell.source):
            yield Finding("LOOK", "stub", f"code cell {index + 1}: nothing stands between START and END")
        for node in walk(tree) if tree else ():
            if isinstance(node, ast.FunctionDef) and node.name in asked and is_stub(node):
                yield Finding("LOOK", "stub", f"code cell {index + 1}: {node.name} is still a stub")


def errors(submission: Submission, task: Task) -> Iterator[Finding]:
    """Find cells that ended in an error; after the last output of all, an error is a failure."""
    cells = code_cells(submission)
    broken = [number for number, cell in enumerate(cells) if cell.error]
    for number in broken[:MOST_ERRORS]:
        last = not any(shows_something(cell) for cell in cells[number + 1 :])
        yield Finding(
            "FAIL" if last else "LOOK",
            "error_output",
            f"code cell {number + 1}: {error_in_words(cells[number].error or '')}",
        )


def code_cells(submission: Submission) -> list[Cell]:
    """Return the code cells that hold more than comments."""
    return [cell for cell in submission.cells if not is_empty(cell.source)]


def shows_something(cell: Cell) -> bool:
    return bool(cell.text or cell.pictures)


# ---------------------------------------------------------------- figures


def figure(submission: Case, task: Task) -> Iterator[Finding]:
    """Judge whether the figure that the task asks for is there."""
    share = submission.share(task)
    if not share.views:
        count = len(submission.pictures)
        evidence = f"none of {count} figures bears its name, its title or the heading of its task"
        yield Finding("LOOK" if count else "FAIL", "figure_missing", evidence)
    elif share.drawn_on:
        if share.certain:
            yield Finding("PASS", "figure", f"{in_figures(len(share.views))} in {share.places}, told {share.told_by}")
        else:
            yield Finding(
                "LOOK", "figure_missing",
                f"only words of the source tell {in_figures(len(share.opened))} in {share.places}: look at it",
            )  # fmt: skip
    elif share.closed_kinds:
        kinds = ", ".join(share.closed_kinds)
        yield Finding("LOOK", "picture_kind", f"{in_figures(len(share.views))} in {share.places}, stored as {kinds}")


def in_figures(count: int) -> str:
    return f"{count} figure{'s' * (count != 1)}"


def pictures_open(submission: Case, task: Task) -> Iterator[Finding]:
    """Find a picture of the task that could not be opened safely."""
    views = [view for view in submission.share(task).views if view.is_of_open_kind]
    problems = [view.problem for view in views if view.problem]
    if problems:
        yield Finding("LOOK", "picture_unsafe", problems[0])


def not_blank(submission: Case, task: Task) -> Iterator[Finding]:
    """Find a task whose figures are all blank."""
    share = submission.share(task)
    if share.all_blank:
        level = "FAIL" if share.certain and not share.closed_kinds else "LOOK"
        yield Finding(level, "figure_blank", f"{len(share.opened)} figures, all blank")


def panels_differ(submission: Case, task: Task) -> Iterator[Finding]:
    """Find figures of the task whose panels are empty, or show one and the same though codes or models differ."""
    share = submission.share(task)
    if not share.certain:
        return  # curves, among others, leave the middle of their axes empty
    if share.drawn_on and all(view.nothing_new == "flat" for view in share.opened):
        yield Finding("LOOK", "figure_blank", f"nothing is drawn inside the panels of the figure in {share.places}")
    fitting = [view for view in share.opened if task.panels is None or fits(view.look, task.panels)]
    alike = [view.picture.cell + 1 for view in fitting if view.nothing_new == "alike"]
    if alike and (task.panels is None or len(alike) == len(fitting)):  # beside the right one, curves may fit, too
        yield Finding("LOOK", "panels_alike", f"all panels of the figure in code cell {alike[0]} show the same")


def panel_count(submission: Case, task: Task) -> Iterator[Finding]:
    """Judge whether the task's figures show all its models: panels of one figure, or as many figures."""
    share = submission.share(task)
    if task.panels is None or not share.certain or not share.drawn_on:
        return
    models = task.panels[0] * task.panels[1]
    fitting = next((view for view in share.views if view.opens and fits(view.look, task.panels)), None)
    if fitting:  # then the others need not be decoded
        rows, columns = fitting.look.panels
        yield Finding("PASS", "panels", f"{rows} x {columns} panels in code cell {fitting.picture.cell + 1}")
        return
    different = len({view.trace.digest for view in share.views if view.drawn_on})
    if different >= models:
        yield Finding("PASS", "panels", f"{different} different figures in {share.places}, one a model")
    elif share.closed_kinds:
        yield Finding("LOOK", "picture_kind", f"of the kind {', '.join(share.closed_kinds)}: panels cannot be told")
    else:
        rows, columns = max((view.look.panels for view in share.opened), key=lambda panels: panels[0] * panels[1])
        seen = f"{in_figures(different)} of at most {rows} x {columns} panels in {share.places}"
        yield Finding("LOOK", "figure_panels", f"{seen}, expected {models} panels or figures, one a model")


def fits(look: Look, expected: tuple[int, int]) -> bool:
    """Say whether a picture has the panels that a task asks for, whichever way they are laid out.

    A panel that is a mosaic on white counts as many panels; then rows and columns must be those of the mosaics.
    """
    (rows, columns), (down, across) = look.panels, expected
    models = down * across
    if rows * columns == models:
        return True
    if down > 1:  # rows of images: as many rows, of any number of images
        return rows >= models or (rows == 2 and columns > 2 and columns % 2 == 0 and look.aspect > WIDE)
    if rows <= 2 and columns >= models:  # with colour bars or a legend beside the panels
        return True
    return columns == models * rows and rows >= LEAST_MOSAIC


WIDE, LEAST_MOSAIC = 3.0, 6  # width over height of two long strips side by side; rows of a mosaic


def not_twice(submission: Case, task: Task) -> Iterator[Finding]:
    """Find a picture of the task that stands in another cell, too: where a task shows nothing else, it is a failure.

    Beside its other pictures, one that was shown before is nobody's mistake: the latent space after training, say.
    """
    shared = [(earlier, later) for earlier, later in submission.repeats if task.name in submission.certain_tasks(later)]
    if not shared:
        return  # before any picture is decoded
    repeated = {later.number for _, later in shared}
    alone = all(view.number in repeated for view in submission.share(task).views if view.drawn_on)
    for earlier, later in shared:
        tasks, others = submission.certain_tasks(later), submission.certain_tasks(earlier)
        apart = others and not tasks & others
        if apart and not alone:
            continue
        level = "FAIL" if apart and not submission.share(task).closed_kinds else "LOOK"
        cells = f"code cells {earlier.picture.cell + 1} and {later.picture.cell + 1} show the same picture"
        yield Finding(level, "figure_twice", cells)


# ---------------------------------------------------------------- what the source alone says of a training loop


def zero_grad(submission: Case, task: Task) -> Iterator[Finding]:
    """Find gradients that are taken and used, and nowhere set to zero."""
    yield from never_zeroed(submission, training.never_zeroes(submission.code))


def never_zeroed(submission: Case, faulty: list[Loop]) -> Iterator[Finding]:
    """Fail loops that never zero their gradients where nothing in the notebook does; else a person must look."""
    everywhere = "zero_grad" in submission.source or ".grad" in submission.source
    for loop in faulty[:MOST_ERRORS]:
        level = "LOOK" if everywhere else "FAIL"
        yield Finding(level, "zero_grad", f"{loop.place} calls backward() and step(), but never zero_grad()")


def trains_on_test(submission: Case, task: Task) -> Iterator[Finding]:
    """Find a statement that takes gradients on test data; where a name alone says so, a person must look."""
    shown = training.gradient_on_test_set(submission.code)
    if shown:
        yield Finding("FAIL" if shown.certain else "LOOK", "trains_on_test", shown.sentence)


def late_bound(submission: Case, task: Task) -> Iterator[Finding]:
    """Find functions that a loop makes and keeps, all of which use what its variable is in the end: the last model."""
    for index, tree in enumerate(submission.code.trees):
        for loop in walk(tree) if tree else ():
            if not isinstance(loop, ast.For):
                continue
            changing = {node.id for node in walk(loop.target) if isinstance(node, ast.Name)}
            for made in kept_functions(loop):
                own = {argument.arg for argument in (*made.args.args, *made.args.kwonlyargs)}
                caught = {node.id for node in walk(made.body) if isinstance(node, ast.Name)} & changing - own
                if caught:
                    said = f"code cell {index + 1}: {ast.unparse(made)[:MOST_FORMULA]!r}"
                    yield Finding("LOOK", "late_bound", f"{said} uses the last {named(min(caught))} of its loop")
                    return


def kept_functions(loop: ast.For) -> Iterator[ast.Lambda]:
    """Yield the functions without a name that a loop puts into a list or a dictionary."""
    for node in walk(loop):
        kept: list[ast.expr] = []
        if isinstance(node, ast.Assign) and any(isinstance(target, ast.Subscript) for target in node.targets):
            kept = [node.value]
        elif isinstance(node, ast.Call) and last_name(node.func) == "append":
            kept = node.args
        for one in kept:
            yield from (inner for inner in getattr(one, "elts", [one]) if isinstance(inner, ast.Lambda))


# ---------------------------------------------------------------- what the source alone says of the model

DRAWS_NOISE = frozenset(formulas.NOISE) | {"rsample", "Normal", "MultivariateNormal"}
DRAWS_EVENLY = {"rand", "rand_like", "uniform", "uniform_"}
REPARAMETERIZES = re.compile(r"repar|sample_?z|sample_?latent|sample_?post")
SAMPLES = re.compile(
    r"^(?:sample|generate|draw|zieh|generier|echantillon|muestr)(?!.*(?:data|recon|rekon|batch|train|test))"
)
ENCODES = re.compile(r"^(?:enc|kodier|codifi)", re.I)


def divergence(submission: Case, task: Task) -> Iterator[Finding]:
    """Find a KL divergence whose formula amounts to another value: it is worked out, not run."""
    yield from told(formulas.divergence_fault(submission.code))


def deviation(submission: Case, task: Task) -> Iterator[Finding]:
    """Find a standard deviation whose formula amounts to another value."""
    yield from told(formulas.deviation_fault(submission.code))


def told(fault: formulas.Fault | None) -> Iterator[Finding]:
    if fault:
        evidence = f"code cell {fault.cell + 1}: {fault.source[:MOST_FORMULA]!r}, as far as the source says"
        yield Finding("LOOK", fault.code, evidence)


def noise(submission: Case, task: Task) -> Iterator[Finding]:
    """Find a function for draws from the posterior that draws none."""
    for name, node in submission.code.functions.items():
        if isinstance(node, Function) and REPARAMETERIZES.search(name.lower()):
            fault = noise_fault(submission, node)
            yield from [fault] if fault else []


def noise_fault(submission: Case, function: Function) -> Finding | None:
    """Return what is wrong with the noise that a function draws, as far as its source says so."""
    if submission.code.reaches(function, DRAWS_NOISE):
        return None
    if drawn := evenly_drawn(submission, function):
        return Finding("LOOK", "not_normal", f"{named(function.name)}() draws by {drawn}, as far as its source says")
    return Finding("LOOK", "no_noise", f"{named(function.name)}() draws no noise, as far as its source says")


def evenly_drawn(submission: Case, function: Function) -> str | None:
    """Return by what a function draws even numbers; None where it draws none."""
    drawn = [name for name in sorted(DRAWS_EVENLY) if submission.code.reaches(function, frozenset({name}))]
    return drawn[0] if drawn else None


def prior(submission: Case, task: Task) -> Iterator[Finding]:
    """Find a function for samples of the model whose codes come from the encoder, or from another distribution."""
    for name, node in submission.code.functions.items():
        if isinstance(node, Function) and SAMPLES.search(name.lower()) and not REPARAMETERIZES.search(name.lower()):
            encoders = sorted(filter(ENCODES.match, called_names(node)))
            drawn = evenly_drawn(submission, node)
            if drawn and not submission.code.reaches(node, DRAWS_NOISE):
                yield Finding("LOOK", "not_prior", f"{named(name)}() draws by {drawn}, as far as its source says")
            elif encoders:
                yield Finding(
                    "LOOK", "not_prior", f"{named(name)}() calls {named(encoders[0])}(), as far as its source says"
                )


DRAWS = frozenset({"imshow", "matshow", "subplots", "figure"})
DECODES = re.compile(r"dec|dek|gener|model|modell|vae|ae$|net|forward|recon|rekon|interp|walk|travers", re.I)


def decoded(submission: Case, task: Task) -> Iterator[Finding]:
    """Find figures of an interpolation in whose cells images are blended, and nothing is decoded."""
    share = submission.share(task)
    reaches = [submission.code.reach(index) for index in sorted({view.picture.cell for view in share.views})]
    nodes = [node for reach in reaches for node in reach.nodes]
    calls = {name for reach in reaches for name in reach.calls}
    blend = next((inner for node in nodes for inner in walk(node) if formulas.is_blend(inner)), None)
    if share.certain and blend is not None and not any(may_decode(name, submission) for name in calls):
        evidence = f"{share.places}: {formulas.as_written(blend)[:MOST_FORMULA]!r}, and no call that decodes it"
        yield Finding("LOOK", "interpolation_pixels", evidence)


def may_decode(name: str, submission: Case) -> bool:
    """Say whether a function may decode: by its name, or for it is the notebook's own and draws nothing."""
    is_own = name in submission.code.functions
    return bool(DECODES.search(name)) or (is_own and not submission.code.reaches(submission.code.function(name), DRAWS))


MOST_FORMULA = 100  # characters in a finding

# ---------------------------------------------------------------- printed losses

LEAST_LOSSES = 3  # that a training's fall can be seen by
QUARTERS = 4  # the mean of the first quarter of the losses against that of the last
LEVEL = 0.05  # a rise by this share of the first losses is noise


def losses_fall(submission: Submission, task: Task) -> Iterator[Finding]:
    """Judge whether the losses that each training prints end lower than they begin."""
    for number, cell in enumerate(submission.cells, start=1):
        for series in loss_series(cell.text):
            yield from judge_series(series, number)


def judge_series(series: Series, number: int) -> Iterator[Finding]:
    """Judge one training's losses, of the code cell of this number."""
    losses = series.values
    if max(losses) < 0 and series.kind == "nll":
        return  # of "reconstruction", its negative: whether it is to rise or to fall, the name does not say
    if not math.isfinite(losses[-1]):
        yield Finding("LOOK", "not_finite", f"code cell {number} prints {series.lines[1].strip()[:MOST_QUOTED]!r}")
    if len(losses) < LEAST_LOSSES or not all(map(math.isfinite, losses)):
        return
    quarter = max(len(losses) // QUARTERS, 1)
    first, last = sum(losses[:quarter]) / quarter, sum(losses[-quarter:]) / quarter
    evidence = f"code cell {number}: printed losses ({series.name[:30]!r}) go from {first:.4g} to {last:.4g}"
    falls = last < first + LEVEL * abs(first)
    yield Finding("PASS", "decreasing", evidence) if falls else Finding("LOOK", "not_decreasing", evidence)


# ---------------------------------------------------------------- written answers

LEAST_OWN = 12  # words of an answer that are the student's own
MOST_QUOTED = 60  # characters of an answer in a finding


def text(submission: Case, task: Task) -> Iterator[Finding]:
    """Judge whether there is a text of the student's own that can be the answer; its meaning is for a person."""
    blocks = writing.blocks(submission)
    in_sections = any(block.section == task.name for block in blocks) or task.name in submission.sections.values()
    for what, pattern in task.writes:
        answers = [b for b in blocks if b.own >= LEAST_OWN and may_answer(b, task, pattern, in_sections=in_sections)]
        if answers:
            best = max(answers, key=lambda block: block.own)
            quoted = " ".join(best.text.split())[:MOST_QUOTED]
            yield Finding("PASS", "text", f"{best.own} own words in cell {best.cell} ({quoted!r} ...)")
        else:
            own = sum(block.own for block in blocks)
            yield Finding("LOOK", "text_missing", f"no text of the student's own says {what} ({own} own words in all)")


def may_answer(block: writing.Block, task: Task, pattern: str, *, in_sections: bool) -> bool:
    """Say whether a text can be the answer: by the task in whose section it stands, else by its words."""
    if block.section == task.name:
        return True
    if block.section and in_sections:
        return False
    said = re.search(pattern, f"{block.heading}\n{block.text}", re.I)
    about_other = task.apart and re.search(task.apart, block.text, re.I)
    if not said or not about_other or re.search(pattern, block.heading, re.I):
        return bool(said)
    paragraphs = re.split(r"\n\s*\n", block.text)  # one text may answer both, a paragraph each
    own = [p for p in paragraphs if re.search(pattern, p, re.I) and not re.search(task.apart, p, re.I)]
    return any(len(writing.words_of(p)) >= LEAST_OWN for p in own)
