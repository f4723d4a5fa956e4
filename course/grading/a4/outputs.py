"""The checks by outputs of assignment 4: printed ELBOs and their terms, and convolutions in the source."""

import re
from collections.abc import Iterator

from course.assignments import Task
from course.assignments.a4 import CONV_TEST_ELBO
from course.grading.evidence import GAP, KEYS, NUMBER, printed_near, to_number
from course.grading.verdicts import Finding
from course.notebooks.reading import Submission

LOWEST, HIGHEST = CONV_TEST_ELBO  # magnitudes
MOST_LINES, MOST_LINE = 20_000, 1000  # lines that are read, and characters of each
MOST_EVIDENCE = 200
ROUNDING, LAST_DIGIT = 0.02, 3  # how far a sum of printed numbers may be off: in all, and in units of the last digit
CLEAR_KL = 3  # tolerances: a smaller KL does not show its sign
LAYERS = {"Conv2d", "ConvTranspose2d"}
LIKELIHOOD = re.compile(
    rf"(?<![a-z])(log[ _-]?lik\w*|(?:neg\w*[ _-]?log[ _-]?lik|nll|recon|bce)\w*(?:[ _-]?(?:loss|error|term))?)(?![a-z])"
    rf"{GAP}{NUMBER}",
    re.I,
)


def identity(submission: Submission, task: Task) -> Iterator[Finding]:
    """Judge whether ELBO = log-likelihood - KL wherever all three are printed on a line; else its size must do."""
    holds = 0
    for line in submission.text.splitlines()[:MOST_LINES]:
        sign = sign_of_kl(line[:MOST_LINE])
        holds += sign == "subtracted"
        if sign == "added":
            yield Finding("FAIL", "elbo_kl_sign", line[:MOST_EVIDENCE])
            return
    if holds:
        yield Finding("PASS", "identity", f"ELBO = log-likelihood - KL in {holds} printed lines")
    elif "calc_elbo" in submission.source and any(LOWEST <= elbo <= HIGHEST for elbo in printed_elbos(submission)):
        yield Finding("PASS", "identity", "calc_elbo is there, and the ELBO has an honest run's size")
    else:
        yield Finding("LOOK", "numbers_missing", "no line with the ELBO and its two terms, or no calc_elbo")


def sign_of_kl(line: str) -> str | None:
    """Say whether the KL of a line is subtracted from its log-likelihood, as it should be, or added; None: neither."""
    matches = [m for m in (pattern.search(line) for pattern in (KEYS["elbo"], KEYS["kl"], LIKELIHOOD)) if m]
    if len(matches) < 3:
        return None
    elbo, kl, likelihood = (abs(to_number(match[2])) for match in matches)
    tolerance = ROUNDING + LAST_DIGIT * 10 ** -min(len(match[2].partition(".")[2]) for match in matches)
    if abs(elbo - (likelihood + kl)) < tolerance:  # of magnitudes, as the likelihood is negative
        return "subtracted"
    if abs(elbo - abs(likelihood - kl)) < tolerance and kl > CLEAR_KL * tolerance:
        return "added"
    return None


def test_elbo(submission: Submission, task: Task) -> Iterator[Finding]:
    """Judge whether a printed ELBO has the size of an honest one."""
    elbos = printed_elbos(submission)
    honest = [elbo for elbo in elbos if LOWEST <= elbo <= HIGHEST]
    if honest:
        yield Finding("PASS", "test_elbo", f"an ELBO of magnitude {honest[-1]:g} was printed")
    else:
        evidence = f"{len(elbos)} ELBOs were printed, none of magnitude {LOWEST:g} to {HIGHEST:g}"
        yield Finding("LOOK", "out_of_band" if elbos else "numbers_missing", evidence)


def printed_elbos(submission: Submission) -> list[float]:
    """Return the magnitudes of printed ELBOs, those on the lines of our own claims last."""
    plain = printed_near(submission.text, r"(?<![a-z])elbo(?![a-z])")
    measured = printed_near(submission.text, r"elbo[^\n]{0,80}?(?:measured|=|:)")
    return [abs(elbo) for elbo in [*plain, *measured]]


def convolutions(submission: Submission, task: Task) -> Iterator[Finding]:
    """Judge whether the source has both kinds of convolutions."""
    if set(re.findall(r"\w+", submission.source)) >= LAYERS:
        yield Finding("PASS", "convolutions", "Conv2d and ConvTranspose2d")
    else:
        yield Finding("LOOK", "no_convolution", "not both of them are in the source")
