"""The checks by outputs of assignment 4: printed ELBOs and their terms, and convolutions in the source."""

import ast
import math
import re
from collections.abc import Iterator
from typing import NamedTuple

from course.assignments import Task
from course.assignments.a4 import CONV_TEST_ELBO
from course.grading.case import Case
from course.grading.evidence import PER_PIXEL, PIXELS, PLAIN_NUMBER, Triple, triples
from course.grading.sources import identifiers
from course.grading.training import Assigned, assignments, comes_from_test_images, is_called_test, takes_part
from course.grading.verdicts import Finding
from course.notebooks.printed import kind_of, readings
from course.notebooks.reading import Submission
from course.notebooks.visible import named

LOWEST, HIGHEST = CONV_TEST_ELBO  # magnitudes
MOST_EVIDENCE = 120
ROUNDING, LAST_DIGIT = 0.02, 3  # how far a sum of printed numbers may be off: in all, and in units of the last digit
CLEAR_KL = 3  # tolerances: a smaller KL does not show its sign
COLLAPSED = 0.1  # nats
LEAST_KL = 1.0  # nats: less, and the latents carry nothing
UNTRAINED = PIXELS * math.log(2)  # nats of a decoder that knows nothing: a density of grey pixels is soon larger
PIXEL_MEAN = 1.5  # nats: no sum over 784 pixels is as small
DOWN = {"Conv2d", "Conv2D", "conv2d", "Conv"}
UP = {
    "ConvTranspose2d",
    "Conv2DTranspose",
    "conv_transpose2d",
    "ConvTranspose",
    "Upsample",
    "UpsamplingNearest2d",
    "PixelShuffle",
}
TEST = re.compile(r"(?<![a-z])(?:test|valid|val|eval|held|prüf|провер|тест)", re.I)


# ---------------------------------------------------------------- the bound and its terms


def tolerance(triple: Triple) -> float:
    return ROUNDING + LAST_DIGIT * 10**-triple.digits


def fault_of(triple: Triple) -> str | None:
    """Return the hint for an ELBO that is a wrong combination of its terms, None where it is the right one.

    Signs are used as they are printed. A log-likelihood may be positive: a Gaussian decoder gives a density.
    """
    likelihood, off = -triple.nll, tolerance(triple)
    if triple.kl < -off:
        return "kl_sign"
    if abs(triple.elbo - (likelihood - triple.kl)) < off:
        return None
    magnitudes = abs(triple.elbo), abs(likelihood)
    if abs(magnitudes[0] - (magnitudes[1] + triple.kl)) < off and likelihood * triple.elbo < 0:
        return None  # one of the two was printed without its sign
    if 0 < triple.elbo < UNTRAINED and abs(triple.elbo - (likelihood + triple.kl)) < off:
        return "elbo_sign"
    if triple.kl > CLEAR_KL * off and abs(triple.elbo - (likelihood + triple.kl)) < off:
        return "elbo_kl_sign"
    return "elbo_wrong"


def printed_terms(submission: Submission) -> list[Triple]:
    found: list[Triple] = []
    for cell in submission.cells:
        found += [of_image(triple) if PER_PIXEL.search(triple.line) else triple for triple in triples(cell.text)]
    return found


def of_image(triple: Triple) -> Triple:
    """Return the terms of an image, where those of one of its pixels were printed."""
    digits = triple.digits - len(str(PIXELS))
    return triple._replace(
        elbo=PIXELS * triple.elbo, kl=PIXELS * triple.kl, nll=PIXELS * triple.nll, digits=max(digits, 0)
    )


def identity(submission: Submission, task: Task) -> Iterator[Finding]:
    """Judge whether ELBO = log-likelihood - KL wherever all three are printed together; else its size must do."""
    terms = printed_terms(submission)
    faults = [(fault, triple) for triple in terms if (fault := fault_of(triple))]
    for code in dict.fromkeys(fault for fault, _ in faults):
        triple = next(t for fault, t in faults if fault == code)
        line = " ".join(triple.line.split())[:MOST_EVIDENCE]
        if code == "elbo_sign":
            yield Finding("LOOK", code, f"{line!r}: the signs of ELBO and log-likelihood are those of a loss")
        elif code == "elbo_wrong":
            right = -triple.nll - triple.kl
            yield Finding("LOOK", code, f"{line!r}: the ELBO is {triple.elbo:g}, log-likelihood - KL is {right:.5g}")
        else:
            yield Finding("FAIL", code, repr(line))
    small = [triple for triple in terms if abs(triple.nll) < PIXEL_MEAN and abs(triple.elbo) < PIXEL_MEAN]
    if terms and len(small) == len(terms):
        yield Finding(
            "LOOK",
            "nll_mean_features",
            f"{' '.join(small[-1].line.split())[:MOST_EVIDENCE]!r}: too small for a sum of pixels",
        )
    elif terms and not faults:
        line = " ".join(terms[-1].line.split())[:MOST_EVIDENCE]
        yield Finding(
            "PASS", "identity", f"ELBO = log-likelihood - KL in {len(terms)} printed results, such as {line!r}"
        )
    elif not terms:
        honest = [elbo for elbo in printed_elbos(submission) if LOWEST <= elbo.magnitude <= HIGHEST]
        if "calc_elbo" in submission.source and honest:
            yield Finding("PASS", "identity", f"calc_elbo is there, and {honest[-1].line!r} has an honest run's size")
        else:
            yield Finding("LOOK", "numbers_missing", "no line with the ELBO and its two terms, or no calc_elbo")


# ---------------------------------------------------------------- the test set


class Printed(NamedTuple):
    """A printed ELBO."""

    magnitude: float
    line: str
    of_test: bool  # whether its line, or its cell, says that it is of the test set
    cell: int  # the index of its code cell


CLAIMED = re.compile(rf"elbo[^\n]{{0,80}}?(?:measured|=|:)[^\n\d+\-\u2212]{{0,24}}?{PLAIN_NUMBER}", re.I)


def printed_elbos(submission: Submission) -> list[Printed]:
    """Return the printed ELBOs, those on the lines of our own claims last."""
    found, claimed = [], []
    for index, cell in enumerate(submission.cells):
        around = bool(TEST.search(f"{cell.heading}\n{cell.source}"))
        for reading in readings(cell.text):
            if kind_of(reading.label) in ("elbo", "-elbo"):
                of_test = around or bool(TEST.search(reading.text))
                found.append(Printed(abs(reading.value), reading.text.strip()[:MOST_EVIDENCE], of_test, index))
        for match in CLAIMED.finditer(cell.text):
            value = abs(float(match[1].replace("\u2212", "-")))
            claimed.append(Printed(value, match[0][:MOST_EVIDENCE], around or bool(TEST.search(match[0])), index))
    return found + claimed


def test_elbo(submission: Case, task: Task) -> Iterator[Finding]:
    """Judge whether an ELBO of the test set was printed, and has the size of an honest one."""
    values = assignments(submission.code)
    trees = enumerate(submission.code.trees)
    tested = {index for index, tree in trees if tree and comes_from_test_images(tree, values)}
    elbos = [elbo for elbo in printed_elbos(submission) if elbo.of_test or elbo.cell in tested]
    honest = [elbo for elbo in elbos if LOWEST <= elbo.magnitude <= HIGHEST]
    densities = [
        t for t in printed_terms(submission) if t.nll < 0 and t.elbo > 0 and fault_of(t) is None and t.kl >= LEAST_KL
    ]
    collapsed = [triple for triple in printed_terms(submission)[-1:] if abs(triple.kl) < COLLAPSED]
    if collapsed:
        yield Finding(
            "LOOK", "collapsed", f"{' '.join(collapsed[0].line.split())[:MOST_EVIDENCE]!r}: the KL is nearly 0"
        )
    if honest:
        yield Finding("PASS", "test_elbo", f"{honest[-1].line!r}: inside {LOWEST:g} to {HIGHEST:g} nats")
    elif densities and elbos:
        line = " ".join(densities[-1].line.split())[:MOST_EVIDENCE]
        yield Finding("PASS", "test_elbo", f"{line!r}: a density of grey pixels, for which there is no band")
    elif elbos:
        evidence = f"{elbos[-1].line!r}: not of magnitude {LOWEST:g} to {HIGHEST:g}"
        yield Finding("LOOK", "out_of_band", evidence)
    else:
        yield Finding("LOOK", "numbers_missing", "no ELBO was printed that says that it is of the test set")


def test_set(submission: Case, task: Task) -> Iterator[Finding]:
    """Find a test set that is made from the training images, and not from a part of them that was set aside."""
    values = assignments(submission.code)
    for name, value in values.items():
        if is_called_test(name) and comes_from_test_images(value, values) is False and not is_part(value, values):
            yield Finding(
                "LOOK", "test_of_train", f"{named(name)} is made from the training images, as far as the source says"
            )
            return


def is_part(value: ast.AST, values: Assigned) -> bool:
    """Say whether an expression, or one that it names, takes a part of a set."""
    return takes_part(value) or any(map(values.takes_part, identifiers(value) & values.keys()))


def convolutions(submission: Case, task: Task) -> Iterator[Finding]:
    """Judge whether the source has convolutions down and up."""
    names: set[str] = set()
    for tree, cell in zip(submission.code.trees, submission.cells, strict=True):
        names |= identifiers(tree) if tree else set(re.findall(r"\w+", cell.source))
    if names & DOWN and names & UP:
        yield Finding("PASS", "convolutions", f"{min(names & DOWN)} and {min(names & UP)} stand in the source")
    else:
        yield Finding("LOOK", "no_convolution", "not both of them are in the source")
