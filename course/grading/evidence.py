"""What a submission shows without running it: its pictures, its printed numbers, its source. All of it untrusted.

Notebooks come in every form, so numbers are looked for in whatever was printed, and figures are told apart by any
word near them. What is not there is not wrong: a person must look. Claim lines and fingerprints that our own helpers
write are text and hints like any other, worth what their numbers and pictures are worth.
"""

import ast
import hashlib
import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from course.figures import pictures
from course.figures.png import FigureError, same_pixels
from course.notebooks.code import parse_or_none
from course.notebooks.reading import FORMATS, MOST_TEXT, Submission

# ---------------------------------------------------------------- pictures

SMALL = 150  # pixels of the shorter side that a picture is reduced to
INK = 12  # gray levels: what differs from the border by more is drawn
BLANK = 0.002  # share of drawn pixels below which a picture is empty
LEAST_PANEL = 0.06  # of the height or width: narrower stretches are labels
FRAME = 0.5  # share of drawn pixels that makes a line of pixels the edge of a frame
DIGEST = 16
MOST_PROBLEM = 200


class Look(NamedTuple):
    """What the pixels of a picture say."""

    blank: bool
    panels: tuple[int, int]  # rows and columns, as far as empty gaps tell
    problem: str | None
    aspect: float = 0.0  # width over height


def look_at(data: bytes) -> Look:
    """Decode a picture, small; never raises."""
    try:
        gray = pictures.reduced(data, FORMATS, SMALL)
    except FigureError as error:
        return Look(False, (0, 0), str(error)[:MOST_PROBLEM])
    small = np.asarray(gray, dtype=np.int16)
    border = np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]])
    ink = np.abs(small - int(np.median(border))) > INK
    return Look(bool(ink.mean() < BLANK), (_panels(ink), _panels(ink.T)), None, gray.width / gray.height)


class Trace(NamedTuple):
    """What a picture's file says without being decoded."""

    digest: str  # the same for the same stored pixels
    problem: str | None  # why it could not be opened safely


def trace_of(data: bytes) -> Trace:
    """Look at a picture's header and its parts; decoding takes twenty times as long, and is done where it is needed."""
    try:
        image = pictures.opened(data, FORMATS)
        pixels = same_pixels(data) if image.format == "PNG" else data
    except FigureError as error:
        return Trace("", str(error)[:MOST_PROBLEM])
    return Trace(hashlib.sha256(pixels).hexdigest()[:DIGEST], None)


def _panels(ink: np.ndarray) -> int:
    """Count panels along the first axis: stretches between gaps; or frames, two lines each, where labels fill gaps."""
    stretches = _stretches(ink.max(axis=1))
    apart = int((stretches > LEAST_PANEL * len(ink)).sum())
    lines = _stretches(ink.mean(axis=1) > FRAME)
    thick = int((lines > LEAST_PANEL * len(ink)).sum())
    return max(apart, thick + (len(lines) - thick) // 2)


def _stretches(filled: np.ndarray) -> np.ndarray:
    """Return the lengths of the stretches of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], filled.astype(np.int8), [0]])))
    return edges[1::2] - edges[::2]


# ---------------------------------------------------------------- printed numbers

NUMBER = r"([-+\u2212]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)"
GAP = r"[^\n\d+\-\u2212]{0,24}?"
KEYS = {
    "elbo": re.compile(
        rf"(?<![a-z])((?:neg(?:ative)?[ _-]?|[-\u2212])?elbo(?:[ _]?loss)?)(?![a-z]){GAP}{NUMBER}", re.I
    ),
    "kl": re.compile(rf"(?<![a-z])(kl(?:[ _-]?(?:div(?:ergen[cz]e?)?|loss|term))?|kld)(?![a-z]){GAP}{NUMBER}", re.I),
    "nll": re.compile(
        r"(?<![a-z])(nll|neg(?:ative|\.)?[ _-]?log[ _-]?lik\w*|recon\w*(?:[ _-]?(?:loss|error|term))?|mse)"
        rf"(?![a-z]){GAP}{NUMBER}",
        re.I,
    ),
}
LOSS = re.compile(rf"(?<![a-z])(?:loss|verlust)(?![a-z]){GAP}{NUMBER}", re.I)
DATA_SET = re.compile(r"(?:data[ _-]?set|datensatz|toy|data)[ _-]?([123])(?!\d)", re.I)
SPANS = (1, 3)  # lines over which the three terms are printed
LINES_BEFORE = 3  # that may name the data set
LONGEST_LINE = 1000
MOST_EVIDENCE = 200
LARGEST_ELBO, LARGEST_TOY_ELBO = 60, 20  # magnitudes: of any result in two dimensions, and of one on a toy data set
TOY_SETS = 3


class Triple(NamedTuple):
    """ELBO, KL and NLL as printed together; ``elbo`` is already a bound where the label said that it is a loss."""

    elbo: float
    kl: float
    nll: float
    digits: int  # after the point, the fewest
    line: str
    dataset: int | None  # as a word near it says
    epoch: bool  # one of a history


def to_number(text: str) -> float:
    return float(text.replace("\u2212", "-"))


def triples(text: str, context: str = "") -> Iterator[Triple]:
    """Yield every place where the three terms are printed, on one line or on up to three following ones."""
    lines = text.splitlines()
    number = 0
    while number < len(lines):
        for span in SPANS:
            block = "\n".join(line[:LONGEST_LINE] for line in lines[number : number + span])
            before = "\n".join(lines[max(0, number - LINES_BEFORE) : number + span])
            triple = triple_of(block, before, context)
            if triple:
                yield triple
                number += span - 1
                break
        number += 1


def triple_of(block: str, before: str, context: str) -> Triple | None:
    """Return the three terms that a few lines print, None where one is missing."""
    if "elbo" not in block.lower():  # sooner than the patterns say so: most of a long output is no result
        return None
    matches = {}
    for key, pattern in KEYS.items():
        match = pattern.search(block)
        if match is None:
            return None
        matches[key] = match
    elbo, kl, nll = (to_number(matches[key][2]) for key in ("elbo", "kl", "nll"))
    label = matches["elbo"][1].lower()
    is_loss = label.startswith(("neg", "-", "\u2212")) or "loss" in label
    return Triple(
        elbo=-elbo if is_loss else elbo,
        kl=kl,
        nll=nll,
        digits=min(len(match[2].partition(".")[2]) for match in matches.values()),
        line=block[:MOST_EVIDENCE],
        dataset=dataset_of(before) or dataset_of(context),
        epoch="epoch" in block.lower(),
    )


def dataset_of(text: str) -> int | None:
    """Return the number of the toy data set that a text names, None where it names none or several."""
    numbers = set(DATA_SET.findall(text))
    return int(numbers.pop()) if len(numbers) == 1 else None


class ToyResults(NamedTuple):
    """The printed results on the toy data sets."""

    by_set: dict[int, Triple]  # of the sets that are known
    finals: list[Triple]  # all of them; which set one is of may stay unknown


def toy_results(submission: Submission) -> ToyResults:
    """Return the final results that a submission prints, and which toy data set each is of."""
    finals: list[Triple] = []
    for cell in submission.cells:
        finals += final_triples(list(triples(cell.text, f"{cell.source} {cell.heading}")))
    toys = [triple for triple in finals if abs(triple.elbo) < LARGEST_TOY_ELBO]
    by_set: dict[int, Triple] = {}
    for triple in toys:
        if triple.dataset is not None:
            by_set.setdefault(triple.dataset, triple)
    if len(by_set) < TOY_SETS and len(toys) == TOY_SETS:
        by_set = dict(enumerate(toys, start=1))
    return ToyResults(by_set, finals)


def final_triples(of_cell: list[Triple]) -> list[Triple]:
    """Return what a cell prints after training: the lines that name no epoch, else the last one."""
    finals = [triple for triple in of_cell if not triple.epoch] or of_cell[-1:]
    return [t for t in finals if abs(t.elbo) < LARGEST_ELBO and np.isfinite([t.elbo, t.kl, t.nll]).all()]


def loss_series(text: str) -> list[float]:
    """Return losses printed one after the other, as training loops do."""
    return [to_number(match[1]) for match in LOSS.finditer(text[:MOST_TEXT])]


def printed_near(text: str, pattern: str) -> list[float]:
    """Return the numbers that follow what a pattern finds."""
    return [to_number(match[1]) for match in re.finditer(rf"(?:{pattern}){GAP}{NUMBER}", text, re.I)]


def printed_losses(submission: Submission) -> list[float]:
    """Return losses as loops print them, then those on the lines of our own claims."""
    plain = printed_near(submission.text, r"(?<![a-z])loss")
    return plain + printed_near(submission.text, r"(?<![a-z])loss[^\n]{0,80}?measured")


# ---------------------------------------------------------------- sources, read but never run


def trees(submission: Submission, word: str) -> Iterator[ast.Module]:
    """Yield the cells that say ``word``, parsed; parsing is what grading from outputs spends most time on."""
    for cell in submission.cells:
        tree = parse_or_none(cell.source) if word in cell.source.lower() else None
        if tree is not None:
            yield tree


def gradient_on_test_set(submission: Submission) -> str | None:
    """Return what shows that gradients are taken on what is called a test set, None where nothing does."""
    for tree in trees(submission, "test"):
        for node in ast.walk(tree):
            sentence = None
            if isinstance(node, ast.Assign):
                sentence = train_loader_of_test_set(node)
            elif isinstance(node, ast.For):
                sentence = backward_over_test_set(node)
            if sentence:
                return sentence
    return None


def train_loader_of_test_set(node: ast.Assign) -> str | None:
    """Say so where a training loader is made from a test set alone."""
    target = node.targets[0].id.lower() if isinstance(node.targets[0], ast.Name) else ""
    if not (target.startswith("train") and "loader" in target):
        return None
    names = names_in(node.value)
    test_sets = [name for name in names if name.startswith("test") and "size" not in name]
    if test_sets and not any("train" in name for name in names):
        return f"{target} is made from {test_sets[0]}"
    return None


def backward_over_test_set(node: ast.For) -> str | None:
    """Say so where a loop over a test set alone calls backward()."""
    names = names_in(node.iter)
    if not any(name.startswith("test") for name in names) or any("train" in name for name in names):
        return None
    calls = [call.func for call in ast.walk(node) if isinstance(call, ast.Call)]
    if any(isinstance(function, ast.Attribute) and function.attr == "backward" for function in calls):
        return f"backward() in a loop over {sorted(names)[0]}"
    return None


def names_in(node: ast.AST) -> set[str]:
    """Return the names of an expression, in lower case."""
    return {name.id.lower() for name in ast.walk(node) if isinstance(name, ast.Name)}


def never_zeroes(submission: Submission) -> bool:
    """Say whether gradients are taken and used, and nowhere set to zero."""
    code = submission.source
    return ".backward(" in code and ".step(" in code and "zero_grad" not in code and ".grad" not in code
