"""What a submission shows without running it: its pictures, its printed numbers, its source. All of it untrusted.

Notebooks come in every form, so numbers are looked for in whatever was printed, and figures are told apart by any
word near them. What is not there is not wrong: a person must look. Claim lines and fingerprints that our own helpers
write are text and hints like any other, worth what their numbers and pictures are worth.
"""

import hashlib
import math
import re
from collections.abc import Iterator
from typing import NamedTuple

from PIL import Image

from course.figures import pictures
from course.figures.pieces import coloured_pieces
from course.figures.png import FigureError, same_pixels
from course.grading import panels
from course.grading.panels import DRAWN
from course.notebooks.printed import Reading, kind_of, readings
from course.notebooks.reading import FORMATS, Submission

# ---------------------------------------------------------------- pictures

SMALL = 150  # pixels of the shorter side that a picture is reduced to
FINE = 600  # the same where panels are held against one another: each is to have a good part of its pixels
BLANK = 0.002  # share of drawn pixels below which a picture is empty
DIGEST = 16
MOST_PROBLEM = 200


class Look(NamedTuple):
    """What the pixels of a picture say."""

    blank: bool
    panels: tuple[int, int]  # rows and columns, as far as empty gaps tell
    problem: str | None
    aspect: float = 0.0  # width over height


def decoded(data: bytes) -> Image.Image | str:
    """Decode a picture in gray, or say why it cannot be; it takes longer than all that is asked of it later."""
    try:
        return pictures.reduced(data, FORMATS, FINE)
    except FigureError as error:
        return str(error)[:MOST_PROBLEM]


def look_at(picture: Image.Image | str) -> Look:
    """Say what a decoded picture shows from afar."""
    if isinstance(picture, str):
        return Look(False, (0, 0), picture)
    gray = pictures.shrunk(picture, SMALL)
    ink = panels.ink_of(gray)
    blank = ink.histogram()[DRAWN] < BLANK * ink.width * ink.height
    return Look(blank, panels.counts(ink), None, gray.width / gray.height)


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


def nothing_new(picture: Image.Image | str) -> str:
    """Say "flat" of a picture in whose panels nothing is drawn, "alike" where all show the same; empty elsewhere."""
    parts = [] if isinstance(picture, str) else panels.apart(picture)
    if parts and all(map(panels.is_flat, parts)):
        return "flat"
    return "alike" if panels.are_alike(parts) else ""


def pieces_of(data: bytes) -> int:
    """Count the coloured pieces of a picture; none where it cannot be decoded."""
    try:
        return coloured_pieces(data, FORMATS)
    except FigureError:
        return 0


# ---------------------------------------------------------------- printed results

DATA_SET = re.compile(r"(?:data[ _-]?set|datensatz|toy|data|набор|датасет)[ _-]?([123])(?!\d)", re.I)
ROW_OF_SET = re.compile(r"[^\d\n]{0,40}([123])(?:\.0)?\W{0,5}")
EPOCH = re.compile(r"epoch|эпох|(?<![a-z])(?:iter|step|schritt)", re.I)
LINES_BEFORE = 3  # that may name the data set
MOST_EVIDENCE = 200
LARGEST_ELBO, LARGEST_TOY_ELBO = 60, 20  # magnitudes: of any result in two dimensions, and of one on a toy data set
TOY_SETS = 3
BOUNDS = {"elbo": 1, "-elbo": -1, "loss": -1}  # what makes a bound of a number: its sign
TERMS = {"nll": 1, "ll": -1}


class Triple(NamedTuple):
    """ELBO, KL and NLL as printed together; ``elbo`` is already a bound where the label said that it is a loss."""

    elbo: float
    kl: float
    nll: float
    digits: int  # after the point, the fewest
    line: str
    dataset: int | None  # as a word near it says
    epoch: bool  # one of a history


def triples(text: str, context: str = "") -> Iterator[Triple]:
    """Yield every place where the three terms are printed: on one line, or on lines that follow one another."""
    lines = text.split("\n")
    pending: dict[str, Reading] = {}
    told = -1  # the last line that held all three
    for reading in readings(text):
        kind = kind_of(reading.label)
        role = "bound" if kind in BOUNDS else "kl" if kind == "kl" else "term" if kind in TERMS else ""
        if not role:
            continue
        last = max((other.line for other in pending.values()), default=reading.line)
        if role in pending or reading.line > last + 1 or (last == told and reading.line > told):
            keeps = role == "bound" and kind == "loss" and reading.line <= last + 1  # beside an ELBO, a loss is no news
            if keeps:
                continue
            pending = {}
        pending[role] = reading
        if len(pending) == 3:
            yield _triple(pending, lines, context)
            pending, told = {}, reading.line


def _triple(terms: dict[str, Reading], lines: list[str], context: str) -> Triple:
    bound, kl, term = terms["bound"], terms["kl"], terms["term"]
    numbers = sorted({reading.line for reading in terms.values()})
    block = "\n".join(lines[number] for number in range(numbers[0], numbers[-1] + 1))
    before = "\n".join(line[:MOST_EVIDENCE] for line in lines[max(0, numbers[0] - LINES_BEFORE) : numbers[-1] + 1])
    row = ROW_OF_SET.fullmatch(bound.row) if bound.row else None
    term_kind = kind_of(term.label) or "nll"
    return Triple(
        elbo=bound.value * BOUNDS[kind_of(bound.label) or "elbo"],
        kl=kl.value,
        nll=term.value * TERMS[term_kind],
        digits=min(reading.decimals for reading in terms.values()),
        line=block[:MOST_EVIDENCE],
        dataset=dataset_of(block) or (int(row[1]) if row else None) or dataset_of(before) or dataset_of(context),
        epoch=bool(EPOCH.search(block)),
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


def contradicting(results: ToyResults) -> Iterator[tuple[int, Triple, Triple]]:
    """Yield a set's result and another one of it, where the two cannot both be right."""
    if len(results.by_set) == len(results.finals):
        return
    for triple in results.finals:
        first = results.by_set.get(triple.dataset or 0)
        if first and abs(first.elbo - triple.elbo) > OTHER_RUN:
            yield triple.dataset or 0, first, triple


OTHER_RUN = 0.35  # nats: more than another run with another seed changes the ELBO by


def final_triples(of_cell: list[Triple]) -> list[Triple]:
    """Return what a cell prints after training: the lines that name no epoch, else the last one."""
    finals = [triple for triple in of_cell if not triple.epoch] or of_cell[-1:]
    return [t for t in finals if abs(t.elbo) < LARGEST_ELBO and all(map(math.isfinite, t[:3]))]


# ---------------------------------------------------------------- losses

COUNTER = re.compile(
    r"(?:epochs?|epoche|эпох\w{0,3}|steps?|iter\w{0,6}|schritt|batch|轮|批次|步)[ :=#]{0,4}\d{1,9}(?: ?/ ?\d{1,9})?"
    r"|第 ?\d{1,9} ?[轮步批次]{0,2}"
    r"|\[[^\]\n]{0,60}\]|^\s{0,20}\d{1,9}[ :.)/|]", re.I)  # fmt: skip
COUNT = re.compile(r"\d{1,9}")
DECIMAL = re.compile(r"[-+]?\d{1,9}\.\d{1,20}")
NEW_RUN = re.compile(
    r"beta|β|model|train|vae|autoenc|latent|data ?set|datensatz|seed|dim|lr|==|---|scenario|szenario", re.I
)
LOSS_KINDS = ("loss", "nll", "-elbo")


class Series(NamedTuple):
    """Losses that one training printed, one after the other."""

    name: str  # what stands before each, without its counter
    values: list[float]
    lines: tuple[str, str]  # the first and the last
    kind: str = "loss"  # of LOSS_KINDS


def loss_series(text: str) -> list[Series]:
    """Return the losses that training loops print: those of several models are several series."""
    series: dict[tuple[int, str], Series] = {}
    counts: dict[str, int] = {}
    segment, done = 0, -1
    of_line: dict[int, list[Reading]] = {}
    first: dict[int, str] = {}  # the label of a line's first number
    for reading in readings(text):
        first.setdefault(reading.line, reading.label)
        if kind_of(reading.label) in LOSS_KINDS:
            of_line.setdefault(reading.line, []).append(reading)
    for number, line in enumerate(text.split("\n")):
        found = of_line.get(number, ())
        if found and first[number] not in line.lower() and NEW_RUN.search(first[number]):
            continue  # a row of a table that has one for each beta, say, is no step of a training
        if not found:
            segment += bool(NEW_RUN.search(line[:MOST_EVIDENCE]))
            continue
        counter = COUNTER.search(line[:MOST_EVIDENCE])
        count = COUNT.search(counter[0]) if counter else None
        for reading in found:
            name = _series_name(line, reading)
            if count and int(count[0]) <= counts.get(name, -1) and number != done:
                segment += 1
                counts.clear()
            if count:
                counts[name] = int(count[0])
            one = series.setdefault((segment, name), Series(name, [], (line, line), kind_of(reading.label) or "loss"))
            one.values.append(reading.value)
            series[segment, name] = one._replace(lines=(one.lines[0], line))
        done = number
    return list(series.values())


def _series_name(line: str, reading: Reading) -> str:
    """Return what stands before a loss, without the number of its epoch or step."""
    if reading.row or reading.label not in line.lower():
        return reading.label  # of a table's column
    place = line.lower().rfind(reading.label[-20:]) if reading.label else 0
    before = line[: max(place, 0) + len(reading.label[-20:])].lower()
    return DECIMAL.sub("", COUNTER.sub("#", before)).strip()[-80:]


GAP = r"[^\n\d+\-\u2212]{0,24}?"
PLAIN_NUMBER = r"([-+\u2212]?\d+(?:\.\d+)?(?:[eE][-+]?\d{1,3})?)"
CLAIMED_LOSS = re.compile(rf"(?<![a-z])loss[^\n]{{0,80}}?measured{GAP}{PLAIN_NUMBER}", re.I)


PIXELS = 784  # of an image
PER_PIXEL = re.compile(r"pixel|пиксел|píxel|像素|per ?px")


def printed_losses(submission: Submission, pixels: int = 1) -> list[float]:
    """Return losses as loops print them, then those on the lines of our own claims; of a whole image, where they say
    that they are of one of its pixels.
    """
    losses = [reading for reading in readings(submission.text) if kind_of(reading.label) == "loss"]
    plain = [one.value * (pixels if PER_PIXEL.search(one.label) else 1) for one in losses]
    return plain + [float(match[1].replace("\u2212", "-")) for match in CLAIMED_LOSS.finditer(submission.text)]
