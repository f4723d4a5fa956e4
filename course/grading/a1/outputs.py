"""The checks by outputs of assignment 1: printed results and losses, and which models were trained."""

from collections.abc import Iterator, Mapping
from itertools import islice

from course.assignments import Task
from course.assignments.a1 import COLLAPSED_KL, ENTROPY, TOY_BANDS
from course.grading.a1.models import (
    autoencoder_losses_fall,
    autoencoder_there,
    autoencoder_zero_grad,
    beta_losses_fall,
    betas,
    vae_losses_fall,
    vae_zero_grad,
)
from course.grading.case import Case, Share, View, holds
from course.grading.evidence import ToyResults, Triple, contradicting
from course.grading.verdicts import Finding

__all__ = [
    "autoencoder_losses_fall", "autoencoder_there", "autoencoder_zero_grad", "bands", "beta_losses_fall", "betas",
    "collapse", "curves_and_samples", "identity", "kl_sign", "three_results", "vae_losses_fall", "vae_zero_grad",
]  # fmt: skip

# ---------------------------------------------------------------- task A1: the three terms

MOST_RESULTS = 20  # printed results whose signs are judged
ROUNDING, LAST_DIGIT, RELATIVE = 0.02, 1.5, 1e-3  # how far a sum of printed numbers may be off: in all, in units of
# the last digit, and as a share of the nll
CLEAR_KL = 2  # tolerances: a smaller KL does not show its sign
COLLAPSING_SET = 2  # the data set that no model fits without its latents
NOTHING_PRINTED = "no line with ELBO, KL and NLL was printed"


def identity(submission: Case, task: Task) -> Iterator[Finding]:
    """Judge whether ELBO = -(NLL + KL) holds in the printed results."""
    finals = submission.toy_results.finals
    if not finals:
        yield Finding("LOOK", "numbers_missing", NOTHING_PRINTED)
        return
    for triple in finals[:MOST_RESULTS]:
        fault = elbo_fault(triple)
        if fault == "elbo_wrong":
            sum_of_terms = -(triple.nll + triple.kl)
            evidence = f"{triple.line!r}: the ELBO is {triple.elbo:g}, and -(NLL + KL) is {sum_of_terms:.5g}"
            yield Finding("LOOK", fault, evidence)
        elif fault:
            yield Finding("FAIL", fault, f"{triple.line!r}")
    if all(abs(triple.elbo + triple.nll + triple.kl) < tolerance(triple) for triple in finals):
        line = finals[-1].line.strip()
        yield Finding("PASS", "identity", f"ELBO = -(NLL + KL) in {len(finals)} printed results, such as {line!r}")


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


def kl_sign(submission: Case, task: Task) -> Iterator[Finding]:
    """Find printed KL divergences below zero."""
    finals = submission.toy_results.finals
    for triple in finals[:MOST_RESULTS]:
        if triple.kl < -tolerance(triple):
            yield Finding("FAIL", "kl_sign", f"KL = {triple.kl:g}")


def collapse(submission: Case, task: Task) -> Iterator[Finding]:
    """Find a result of the second data set whose latents carry nothing."""
    results = submission.toy_results.by_set
    for number, triple in results.items():
        if collapses(number, triple):
            yield Finding("FAIL", "collapsed", f"{terms(number, triple)}; a model of this data needs 1.609 nats of KL")


def collapses(number: int, triple: Triple) -> bool:
    return number == COLLAPSING_SET and 0 <= triple.kl < COLLAPSED_KL


def terms(number: int, triple: Triple) -> str:
    return f"data set {number}: -ELBO {triple.nll + triple.kl:.3f}, KL {triple.kl:.3f}"


# ---------------------------------------------------------------- task A2: the toy data sets


def three_results(submission: Case, task: Task) -> Iterator[Finding]:
    """Find toy data sets without a printed result."""
    results, finals = submission.toy_results
    for number, one, other in islice(contradicting(ToyResults(results, finals)), MOST_RESULTS):
        both = f"{one.line.strip()!r} and {other.line.strip()!r}"
        yield Finding("LOOK", "numbers_contradict", f"data set {number} has two results that differ: {both}")
    missing = ", ".join(str(number) for number in sorted(set(TOY_BANDS) - set(results)))
    if not finals:
        yield Finding("LOOK", "numbers_missing", NOTHING_PRINTED)
    elif missing:
        yield Finding("LOOK", "results_missing", f"no result of data set {missing} was recognised")


def bands(submission: Case, task: Task) -> Iterator[Finding]:
    """Judge whether each printed result lies where honest runs end, all under one convention of the nll."""
    yield from judge_bands(submission.toy_results.by_set)


def judge_bands(results: Mapping[int, Triple]) -> Iterator[Finding]:
    """Judge the results of the data sets; a collapse is judged by its own check."""
    conventions: list[set[int]] = []
    for number, triple in sorted(results.items()):
        if not collapses(number, triple):
            yield judge_band(number, triple)
            conventions.append(conventions_of(number, triple))
    if all(conventions) and conventions and not set.intersection(*conventions):
        listed = "; ".join(terms(number, triple) for number, triple in sorted(results.items()))
        yield Finding("LOOK", "out_of_band", f"no one convention of the NLL explains all results: {listed}")


def conventions_of(number: int, triple: Triple) -> set[int]:
    """Return the places of the conventions in whose band a result lies."""
    value = triple.nll + triple.kl
    return {place for place, band in enumerate(TOY_BANDS[number]) if band.low <= value <= band.high}


def judge_band(number: int, triple: Triple) -> Finding:
    value, evidence = triple.nll + triple.kl, terms(number, triple)
    for band in TOY_BANDS[number]:
        if band.low <= value <= band.high:
            return Finding("PASS", "bands", f"{evidence}: inside {band.low:g} to {band.high:g} ({band.convention})")
    expected = ", ".join(f"{band.low:g} to {band.high:g}" for band in TOY_BANDS[number])
    code = "out_of_band" if value > ENTROPY[number] else "below_entropy"
    return Finding("LOOK", code, f"{evidence}, expected {expected}")


LEAST_POINTS = 40  # coloured pieces: curves with marks on them have ten, clouds of points hundreds
CLOUDS, PLANES = 3, 4  # panels of points: one a data set, as the latent plane alone is one; those of task B3
CURVES = ("elbo", "training", "loss", "kl", "nll", "verlust", "curve", "history", "likelihood", "verlauf", "lernkurve",
          "part_a_vae_dataset1", "part_a_vae_dataset2", "part_a_vae_dataset3", "потер")  # fmt: skip
SAMPLES = ("sample", "generated", "noise", "rausch", "erzeugt", "gezogen", "stichprobe", "выбор", "сген", "echantillon")


def curves_and_samples(submission: Case, task: Task) -> Iterator[Finding]:
    """Judge whether curves of the training and samples of the models are among the task's figures, by their pixels.

    Where none of them has colour, what the source calls them tells; words elsewhere in it say nothing.
    """
    share = submission.share(task)
    if not share.certain or not share.opens:
        return  # the figures' own check says so
    if any("train_vae" in submission.code.reach(view.picture.cell).calls for view in share.views):
        return  # the handout's own, which draws both
    coloured = [view for view in share.opened if view.pieces]
    lines = [view for view in coloured if view.pieces < LEAST_POINTS]
    clouds = sum(panels_of(view) for view in coloured if view.pieces >= LEAST_POINTS)
    # in a notebook of one cell, the planes of task B3 are among them
    needed = CLOUDS + (PLANES if any("B3" in submission.certain_tasks(view) for view in coloured) else 0)
    titles = titles_of(submission, share)
    missing = []
    if not (lines if coloured else names(titles, CURVES)):
        missing.append("curves of the training")
    if not (clouds >= needed if coloured else names(titles, SAMPLES)):
        missing.append("samples of each data set's model")
    if missing:
        evidence = f"among the figures in {share.places} there are no {' and no '.join(missing)}, as far as is seen"
        yield Finding("LOOK", "figure_unseen", evidence)


def panels_of(view: View) -> int:
    rows, columns = view.look.panels
    return rows * columns


def names(titles: set[str], words: tuple[str, ...]) -> bool:
    return any(holds(title.replace("_samples", " sample"), words) for title in titles)


def titles_of(submission: Case, share: Share) -> set[str]:
    """Return what the source calls a task's figures: titles, names of files, and the functions that draw them."""
    titles: set[str] = set()
    for view in share.views:
        reach = submission.code.reach(view.picture.cell)
        titles |= {view.picture.label, *reach.titles, *reach.saved, *reach.calls}
    return titles
