"""What a submitted file shows without running it: cells, printed numbers, pictures. All of it untrusted.

Notebooks come in every form, so numbers are looked for in whatever was printed, and figures are told apart by any
word near them. What is not found is not wrong: it is a LOOK. Claim lines and fingerprints that our own helpers write
are text and hints like any other, worth what their numbers and pictures are worth.
"""

import ast
import base64
import binascii
import hashlib
import json
import os
import re
import stat
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from course.figures import pictures
from course.figures.png import FigureError, read_fingerprint

MEGA = 1 << 20
MOST_BYTES, MOST_CELLS, MOST_TEXT, MOST_FIGURES = 60 * MEGA, 2000, 2 * MEGA, 200
FORMATS = ("PNG", "JPEG")
NAME = re.compile(r"(?P<who>[^\W\d_][^\W_]*(?:-[^\W_]+)*(?:_[^\W\d_][^\W_]*(?:-[^\W_]+)*)+)_(?P<what>a\d+)", re.I)
LOOSE = re.compile(r"(?<![^\W_])a\d+(?![^\W_])", re.I)  # an assignment somewhere in a name


class Unreadable(ValueError):
    """A file that cannot be taken for a notebook; the message is one clause."""


class Picture(NamedTuple):
    """One displayed figure and the words around it."""

    cell: int
    png: bytes
    words: str  # lower case: printed name, alt text, fingerprint's titles, cell's source and heading
    label: str  # only what names it: a printed name, a saved file's name, titles


class Look(NamedTuple):
    """What the pixels of a picture say."""

    digest: str  # of the pixels, small
    blank: bool
    panels: tuple[int, int]  # rows and columns, as far as empty gaps tell
    problem: str | None
    aspect: float = 0.0  # width over height


@dataclass
class Cell:
    source: str
    count: int | None
    text: str
    error: str | None
    heading: str
    figures: list[Picture] = field(default_factory=list)


@dataclass
class Submission:
    name: str
    who: str
    what: str | None  # the assignment that the file's name ends in
    cells: list[Cell] = field(default_factory=list)
    prose: list[str] = field(default_factory=list)

    @property
    def figures(self) -> list[Picture]:
        return [f for cell in self.cells for f in cell.figures]

    @property
    def text(self) -> str:
        return "\n".join(cell.text for cell in self.cells)

    @property
    def source(self) -> str:
        return "\n".join(cell.source for cell in self.cells)


def read_bytes(path: Path) -> bytes:
    """The file's content; links and special files are not followed.

    Raises:
        Unreadable: not a regular file, too large, or no permission.
    """
    try:
        fd = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        why = "it is a symbolic link" if path.is_symlink() else error.strerror
        raise Unreadable(f"it cannot be opened ({why})") from error
    with os.fdopen(fd, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise Unreadable("it is not a regular file")
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise Unreadable(f"it is larger than {MOST_BYTES // MEGA} MB")
    return content


def parse(name: str, content: bytes) -> Submission:
    """A notebook from the bytes of a file, whatever they are.

    Raises:
        Unreadable: no notebook of format 4, nested too deeply, or too many cells.
    """
    submission = Submission(name, *named(name))
    if content.count(b'"cell_type"') > MOST_CELLS:
        raise Unreadable(f"it has more than {MOST_CELLS} cells")
    try:
        tree = json.loads(content)
    except RecursionError as error:
        raise Unreadable("it is nested too deeply") from error
    except ValueError as error:
        raise Unreadable(f"it is not JSON ({str(error)[:80]})") from error
    cells = tree.get("cells") if isinstance(tree, dict) else None
    if not isinstance(cells, list):
        raise Unreadable("it is not a notebook of format 4: it has no list of cells")
    if len(cells) > MOST_CELLS:
        raise Unreadable(f"it has more than {MOST_CELLS} cells")
    heading, room = "", MOST_TEXT
    for cell in cells:
        if not isinstance(cell, dict):
            continue
        source = _text(cell.get("source"))[:MOST_TEXT]
        if cell.get("cell_type") != "code":
            submission.prose.append(source)
            lines = [line for line in source.splitlines() if line.startswith("#")]
            heading = lines[-1][:200] if lines else heading
            continue
        count = cell.get("execution_count")
        made = Cell(source, count if isinstance(count, int) else None, "", None, heading)
        _read_outputs(made, cell.get("outputs"), len(submission.cells), room)
        room -= len(made.text)
        submission.cells.append(made)
    return submission


def named(name: str) -> tuple[str, str | None]:
    """Who handed in a file, and which assignment, as its name says; a downloaded copy keeps at least the latter."""
    stem = Path(name).stem
    fits, loose = NAME.fullmatch(stem), LOOSE.search(stem)
    what = fits["what"] if fits else loose[0] if loose else None
    return fits["who"].replace("_", " ") if fits else "", what and what.lower()


def _text(value: Any) -> str:
    """A notebook's multi-line string: a string, or a list of them."""
    if isinstance(value, list):
        return "".join(v for v in value if isinstance(v, str))
    return value if isinstance(value, str) else ""


def _read_outputs(cell: Cell, outputs: Any, index: int, room: int) -> None:
    printed: list[str] = []
    named: list[str] = []
    saved = re.findall(r"""savefig\s*\([^)]{0,80}?['"]([\w./-]{1,80})['"]""", cell.source)
    for output in outputs if isinstance(outputs, list) else []:
        if not isinstance(output, dict):
            continue
        kind = output.get("output_type")
        if kind == "error":
            cell.error = f"{_text(output.get('ename'))[:60]}: {_text(output.get('evalue'))[:200]}"
        elif kind == "stream":
            text = _text(output.get("text"))[: max(room, 0)]
            printed.append(text)
            named += re.findall(r"^figure ([a-z0-9_]{1,80})\s*$", text, re.M)[-1:]
        elif kind in ("display_data", "execute_result") and isinstance(output.get("data"), dict):
            data = output["data"]
            plain = _text(data.get("text/plain"))[:2000]
            image = data.get("image/png") or data.get("image/jpeg")
            if image is None:
                printed.append(plain + "\n")
            elif len(cell.figures) < MOST_FIGURES:
                png = _decode(_text(image))
                number = len(cell.figures)
                label = " ".join([*named[-1:], *(saved[number : number + 1] if not named else [])])
                titles = _titles(png)
                words = f"{label} {titles} {plain} {cell.heading} {cell.source[:5000]}".lower()
                cell.figures.append(Picture(index, png, words, f"{label} {titles}".lower()))
                named = []
    cell.text = "".join(printed)[: max(room, 0)]


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text[: 30 * MEGA], validate=False)
    except (binascii.Error, ValueError):
        return b""


def _titles(png: bytes) -> str:
    """Titles and labels from a figure's fingerprint, where it has one: a hint where the figure belongs, no more."""
    if not safe_size(png):
        return ""
    try:
        fingerprint = read_fingerprint(png)
        axes = fingerprint.get("axes", []) if isinstance(fingerprint, dict) else []
        found = [a.get(key) for a in axes[:50] if isinstance(a, dict) for key in ("title", "xlabel", "ylabel")]
    except Exception:  # whatever a forged one makes of its reader
        return ""
    return " ".join(f[:100] for f in found if isinstance(f, str))[:2000]


# ---------------------------------------------------------------- pictures


def safe_size(png: bytes) -> bool:
    """Whether the header promises a picture of bearable size; decoding comes after."""
    try:
        pictures.opened(png, FORMATS)
    except FigureError:
        return False
    return True


def look_at(png: bytes) -> Look:
    """Decode a picture, small; never raises."""
    try:
        gray = pictures.picture(png, FORMATS).convert("L")
    except FigureError as error:
        return Look("", False, (0, 0), str(error)[:200])
    factor = max(1, min(gray.size) // 150)
    small = np.asarray(gray.reduce(factor) if factor > 1 else gray, dtype=np.int16)
    digest = hashlib.sha256(small.tobytes() + repr(small.shape).encode()).hexdigest()[:16]
    border = np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]])
    ink = np.abs(small - int(np.median(border))) > 12
    return Look(digest, bool(ink.mean() < 0.002), (_panels(ink), _panels(ink.T)), None, gray.width / gray.height)


def _panels(ink: np.ndarray) -> int:
    """Panels along the first axis: stretches between empty gaps; or frames, two lines each, where labels fill gaps."""
    stretches = _stretches(ink.any(axis=1))
    apart = int((stretches > 0.06 * len(ink)).sum())
    lines = _stretches(ink.mean(axis=1) > 0.5)
    thick = int((lines > 0.06 * len(ink)).sum())
    return max(apart, thick + (len(lines) - thick) // 2)


def _stretches(filled: np.ndarray) -> np.ndarray:
    """Lengths of the stretches of True."""
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
    """Every place where the three terms are printed, on one line or on up to three following ones."""
    lines = text.splitlines()
    number = 0
    while number < len(lines):
        for span in (1, 3):
            block = "\n".join(line[:1000] for line in lines[number : number + span])
            found = {key: pattern.search(block) for key, pattern in KEYS.items()}
            if all(found.values()):
                values = {key: to_number(match[2]) for key, match in found.items()}
                label = found["elbo"][1].lower()
                if label.startswith(("neg", "-", "\u2212")) or "loss" in label:
                    values["elbo"] = -values["elbo"]
                digits = min(len(m[2].partition(".")[2]) for m in found.values())
                before = "\n".join(lines[max(0, number - 3) : number + span])
                which = dataset_of(before) or dataset_of(context)
                yield Triple(**values, digits=digits, line=block[:200], dataset=which, epoch="epoch" in block.lower())
                number += span - 1
                break
        number += 1


def dataset_of(text: str) -> int | None:
    found = set(re.findall(r"(?:data[ _-]?set|datensatz|toy|data)[ _-]?([123])(?!\d)", text, re.I))
    return int(found.pop()) if len(found) == 1 else None


def toy_results(submission: Submission) -> tuple[dict[int, Triple], list[Triple]]:
    """The final triple of each toy set, and all final triples; which set one is of may stay unknown."""
    finals: list[Triple] = []
    for cell in submission.cells:
        in_cell = list(triples(cell.text, f"{cell.source} {cell.heading}"))
        tests = [t for t in in_cell if not t.epoch] or in_cell[-1:]
        finals += [t for t in tests if abs(t.elbo) < 60 and np.isfinite([t.elbo, t.kl, t.nll]).all()]
    toys = [t for t in finals if abs(t.elbo) < 20]
    by_name: dict[int, Triple] = {}
    for t in toys:
        if t.dataset is not None:
            by_name.setdefault(t.dataset, t)
    if len(by_name) < 3 and len(toys) == 3:
        by_name = dict(enumerate(toys, start=1))
    return by_name, finals


def loss_series(text: str) -> list[float]:
    """Losses printed one after the other, as training loops do."""
    return [to_number(m[1]) for m in LOSS.finditer(text[:MOST_TEXT])]


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
        if word not in cell.source.lower():
            continue
        lines = [line if not line.lstrip().startswith(("%", "!", "?")) else "pass" for line in cell.source.splitlines()]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield ast.parse("\n".join(lines))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue


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
