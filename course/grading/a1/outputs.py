"""The checks by outputs of assignment 1: printed results and losses, and which models were trained."""

import re
from collections.abc import Iterator

import numpy as np

from course.assignments import Task
from course.assignments.a1 import COLLAPSED_KL, ENTROPY, TOY_BANDS
from course.grading.evidence import Triple, loss_series, toy_results
from course.grading.verdicts import Finding
from course.notebooks.reading import Submission

# ---------------------------------------------------------------- task A1: the three terms

MOST_RESULTS = 20  # printed results whose signs are judged
ROUNDING, LAST_DIGIT, RELATIVE = 0.02, 1.5, 1e-3  # how far a sum of printed numbers may be off: in all, in units of
# the last digit, and as a share of the nll
CLEAR_KL = 2  # tolerances: a smaller KL does not show its sign
COLLAPSING_SET = 2  # the data set that no model fits without its latents
NOTHING_PRINTED = "no line with ELBO, KL and NLL was printed"


def identity(submission: Submission, task: Task) -> Iterator[Finding]:
    """Judge whether ELBO = -(NLL + KL) holds in the printed results."""
    _, finals = toy_results(submission)
    if not finals:
        yield Finding("LOOK", "numbers_missing", NOTHING_PRINTED)
        return
    for triple in finals[:MOST_RESULTS]:
        fault = elbo_fault(triple)
        if fault == "elbo_wrong":
            yield Finding("LOOK", fault, f"{triple.line!r}: ELBO is not -(NLL + KL)")
        elif fault:
            yield Finding("FAIL", fault, f"{triple.line!r}")
    if all(abs(triple.elbo + triple.nll + triple.kl) < tolerance(triple) for triple in finals):
        yield Finding("PASS", "identity", f"ELBO = -(NLL + KL) in {len(finals)} printed results")


def elbo_fault(triple: Triple) -> str | None:
    """Return the hint for an ELBO that is a wrong combination of the terms, None where it is the right one."""
    combinations = {"": -(triple.nll + triple.kl), "elbo_sign": triple.nll + triple.kl}
    if abs(triple.kl) >= CLEAR_KL * tolerance(triple):
        combinations["elbo_kl_sign"] = triple.kl - triple.nll
    for code, value in combinations.items():
        if abs(triple.elbo - value) < tolerance(triple):
            return code or None
    return "elbo_wrong"


def tolerance(triple: Triple) -> float:
    return ROUNDING + LAST_DIGIT * 10**-triple.digits + RELATIVE * abs(triple.nll)


def kl_sign(submission: Submission, task: Task) -> Iterator[Finding]:
    """Find printed KL divergences below zero."""
    _, finals = toy_results(submission)
    for triple in finals[:MOST_RESULTS]:
        if triple.kl < -tolerance(triple):
            yield Finding("FAIL", "kl_sign", f"KL = {triple.kl:g}")


def collapse(submission: Submission, task: Task) -> Iterator[Finding]:
    """Find a result of the second data set whose latents carry nothing."""
    results, _ = toy_results(submission)
    for number, triple in results.items():
        if collapses(number, triple):
            yield Finding("FAIL", "collapsed", f"{terms(number, triple)}; a model of this data needs 1.609 nats of KL")


def collapses(number: int, triple: Triple) -> bool:
    return number == COLLAPSING_SET and 0 <= triple.kl < COLLAPSED_KL


def terms(number: int, triple: Triple) -> str:
    return f"data set {number}: -ELBO {triple.nll + triple.kl:.3f}, KL {triple.kl:.3f}"


# ---------------------------------------------------------------- task A2: the toy data sets


def three_results(submission: Submission, task: Task) -> Iterator[Finding]:
    """Find toy data sets without a printed result."""
    results, finals = toy_results(submission)
    missing = ", ".join(str(number) for number in sorted(set(TOY_BANDS) - set(results)))
    if not finals:
        yield Finding("LOOK", "numbers_missing", NOTHING_PRINTED)
    elif missing:
        yield Finding("LOOK", "numbers_missing", f"no result of data set {missing} was recognised")


def bands(submission: Submission, task: Task) -> Iterator[Finding]:
    """Judge whether each result lies where honest runs end; a collapse is judged by its own check."""
    results, _ = toy_results(submission)
    for number, triple in sorted(results.items()):
        if not collapses(number, triple):
            yield judge_band(number, triple)


def judge_band(number: int, triple: Triple) -> Finding:
    value, evidence = triple.nll + triple.kl, terms(number, triple)
    for band in TOY_BANDS[number]:
        if band.low <= value <= band.high:
            return Finding("PASS", "bands", f"{evidence}: inside {band.low:g} to {band.high:g} ({band.convention})")
    expected = ", ".join(f"{band.low:g} to {band.high:g}" for band in TOY_BANDS[number])
    code = "out_of_band" if value > ENTROPY[number] else "below_entropy"
    return Finding("LOOK", code, f"{evidence}, expected {expected}")


# ---------------------------------------------------------------- losses of tasks A2 and B1

LEAST_LOSSES = 4  # that a training's fall can be seen by
QUARTERS = 4  # the mean of the first quarter of the losses against that of the last
LEVEL = 0.05  # a rise by this share of the first losses is noise
AUTOENCODER_LOOP = re.compile(r"train_ae|autoencoder", re.I)


def vae_losses_fall(submission: Submission, task: Task) -> Iterator[Finding]:
    """Judge whether the losses that cells without an autoencoder print end lower than they begin."""
    return losses_fall(submission, of_autoencoder=False)


def autoencoder_losses_fall(submission: Submission, task: Task) -> Iterator[Finding]:
    """Judge whether the losses that cells with an autoencoder print end lower than they begin."""
    return losses_fall(submission, of_autoencoder=True)


def losses_fall(submission: Submission, *, of_autoencoder: bool) -> Iterator[Finding]:
    for number, cell in enumerate(submission.cells, start=1):
        losses = loss_series(cell.text)
        if len(losses) < LEAST_LOSSES or not np.isfinite(losses).all():
            continue
        if bool(AUTOENCODER_LOOP.search(cell.source)) != of_autoencoder:
            continue
        quarter = max(len(losses) // QUARTERS, 1)
        first, last = np.mean(losses[:quarter]), np.mean(losses[-quarter:])
        evidence = f"code cell {number}: printed losses go from {first:.4g} to {last:.4g}"
        falls = last < first + LEVEL * abs(first)
        yield Finding("PASS", "decreasing", evidence) if falls else Finding("LOOK", "not_decreasing", evidence)


# ---------------------------------------------------------------- part B: the models

AUTOENCODER = re.compile(r"autoencoder|\bAE\(|train_ae", re.I)
BETAS = {"1", "3", "10"}
BETA_LIST = re.compile(r"[\[({]\s{0,9}1(?:\.0?)?\s{0,9}[,:]([^\[({\])}]{0,400})")  # what follows the 1
NUMBERS = re.compile(r"(?<![\w.])(\d{1,9})(?:\.0?)?(?![\w.])")
BETA = re.compile(r"(?:beta|β)\D{0,12}?(\d+)", re.I)
MOST_BETAS = 8  # in a finding


def autoencoder_there(submission: Submission, task: Task) -> Iterator[Finding]:
    """Judge whether a cell with the autoencoder was executed."""
    if AUTOENCODER.search(executed_source(submission)):
        yield Finding("PASS", "autoencoder_there", "a cell with the autoencoder ran without an error")
    else:
        yield Finding("LOOK", "numbers_missing", "no executed cell names an autoencoder")


def betas(submission: Submission, task: Task) -> Iterator[Finding]:
    """Judge whether beta = 1, 3 and 10 appear: in a list, or each beside its name."""
    everything = f"{executed_source(submission)}\n{submission.text}"
    values = set(BETA.findall(everything))
    if values >= BETAS or any({"3", "10"} <= set(NUMBERS.findall(rest)) for rest in BETA_LIST.findall(everything)):
        yield Finding("PASS", "betas", "beta = 1, 3 and 10 appear in executed cells")
    else:
        yield Finding("LOOK", "betas_missing", f"values of beta found: {sorted(values)[:MOST_BETAS]}")


def executed_source(submission: Submission) -> str:
    """Return the source of the cells that were executed and did not end in an error."""
    return "\n".join(cell.source for cell in submission.cells if cell.count is not None and not cell.error)
