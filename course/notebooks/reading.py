"""Read notebooks that nobody vouches for: the one reader for validate, grade and check.

Whatever the bytes are, they become a :class:`Submission`, or one sentence in :class:`Unreadable`, in time and memory
that grow as the file does, and only so far. Nothing of a notebook is executed here, and no picture is decoded.
"""

import base64
import binascii
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

from course.figures.pictures import opened
from course.figures.png import FigureError, read_fingerprint
from course.notebooks.printed import folded, shortened, text_of_html, without_checks

MEGA = 1 << 20
MOST_BYTES, MOST_CELLS, MOST_TEXT, MOST_PICTURES = 60 * MEGA, 2000, 2 * MEGA, 200
MOST_PICTURE_TEXT = 30 * MEGA  # of a picture as it stands in the file, in base64
MOST_PLAIN, MOST_RICH, MOST_ERROR = 2000, 50_000, 262  # letters displayed plain or as HTML, and of an error, that count
MAY_FAIL = "raises-exception"  # Jupyter's tag of a cell whose error is meant
NBFORMAT = 4  # older ones keep their cells elsewhere

# every type under which a notebook stores a picture, the first that is there counts; and those that Pillow may open
PICTURE_KINDS = (
    "image/png", "image/jpeg", "image/svg+xml", "image/gif", "application/pdf", "application/vnd.plotly.v1+json",
)  # fmt: skip
OPENED_KINDS: Mapping[str, str] = {"image/png": "PNG", "image/jpeg": "JPEG"}
FORMATS = tuple(OPENED_KINDS.values())

NO_NOTEBOOK = (
    "The file is JSON, but no notebook (it has no nbformat number): hand in the .ipynb file that Jupyter saved."
)
NO_LIST = f"A list of at most {MOST_CELLS} cells was expected under 'cells': save the notebook again in Jupyter."
NOT_ONE = "not a notebook: hand in the .ipynb file itself."
NOT_WHOLE = "The notebook did not arrive, only"
INSTEAD = {  # how files begin that bear a notebook's name, and are none
    b"pk\x03\x04": "This is a zip archive: hand in the notebook itself.",
    **dict.fromkeys((b"<!doctype", b"<html", b"%pdf"), f"This is a web page or a PDF, {NOT_ONE}"),
    **dict.fromkeys(
        (b"rar!", b"7z\xbc\xaf", b"\x1f\x8b"), f"This is an archive of a kind that is not opened, {NOT_ONE}"
    ),
    **dict.fromkeys((b"\x89png", b"\xff\xd8\xff"), f"This is a picture, {NOT_ONE}"),
    **dict.fromkeys((b"import ", b"from ", b"#", b"def ", b"%", b"!"), f"This is Python code, {NOT_ONE}"),
    **dict.fromkeys((b"http://", b"https://"), f"This is a link, {NOT_ONE}"),
    b"version https:/": f"{NOT_WHOLE} what Git LFS keeps for it: run git lfs pull, and hand in what is there then.",
    b"<<<<<<<": "It holds a conflict that Git could not merge: settle it, save it in Jupyter, hand it in again.",
    b"\0\0\0\0": f"{NOT_WHOLE} zeros, as after a failed upload: hand it in again.",
}
SAVED = re.compile(r"""savefig\s{0,9}\([^)]{0,80}?['"]([\w./-]{1,80})['"]""")
SHOWN_NAME = re.compile(r"[a-z0-9_]+")  # of a figure, as the file says it
ESCAPED_HALF = re.compile(r"\\u[dD][89a-fA-F]")  # of a character, as JSON may write it: with or without its other half
MOST_NAME = 80


class Unreadable(ValueError):
    """A file that cannot be taken for a notebook; the message is one sentence that says what to do."""


class Picture(NamedTuple):
    """A picture among a cell's outputs, and the words around it."""

    cell: int  # among the code cells, from 0
    kind: str  # of PICTURE_KINDS
    data: bytes  # empty where this kind is not opened
    words: str  # lower case: its name, alt text, fingerprint's titles, cell's source and heading
    label: str  # only what names it: its name, or a saved file's name, titles


class Output(NamedTuple):
    """One output of a cell."""

    kind: Literal["stream", "display", "error"]
    text: str  # printed, or the plain form of what is displayed
    pictures: Mapping[str, str]  # what stands in the file, by kind
    error: str = ""  # "ValueError: no", whole: whoever shows it takes out secrets first, then shortens it
    traceback: str = ""
    rich: str = ""  # what is displayed as HTML or Markdown, as text
    name: str = ""  # of the figure, where show() displayed it


class Cell(NamedTuple):
    """A code cell."""

    number: int  # among all cells, from 1
    source: str
    count: int | None  # in which it was executed
    outputs: tuple[Output, ...]
    text: str  # what its outputs print, as far as there is room
    error: str | None  # in which it ended
    heading: str  # the last one above it
    pictures: tuple[Picture, ...] = ()
    may_fail: bool = False  # tagged MAY_FAIL


@dataclass(frozen=True)
class Submission:
    """A notebook that somebody handed in."""

    name: str  # of its file
    cells: tuple[Cell, ...] = ()  # those with code
    prose: tuple[tuple[int, str], ...] = ()  # the others' numbers and texts
    origin: Mapping[str, Any] | None = None  # what ``submit`` noted about its outputs
    damage: str | None = None  # a sentence, where the file has not quite the form of a notebook

    @property
    def pictures(self) -> list[Picture]:
        pictures: list[Picture] = []
        for cell in self.cells:
            pictures += cell.pictures
        return pictures

    @cached_property
    def counted(self) -> bool:
        """Whether the file says which cells were executed; Colab stores no counts, or zeros."""
        return any(cell.count for cell in self.cells)

    def ran(self, cell: Cell) -> bool:
        """Say whether a cell was executed; where nothing is counted, outputs anywhere say so of all cells."""
        if self.counted:
            return cell.count is not None
        return any(other.text or other.pictures for other in self.cells)

    @cached_property
    def text(self) -> str:
        return "\n".join(cell.text for cell in self.cells)

    @cached_property
    def source(self) -> str:
        return "\n".join(cell.source for cell in self.cells)


# ---------------------------------------------------------------- the file


def read_bytes(path: Path) -> bytes:
    """Return the file's content; links and special files are not followed.

    Raises:
        Unreadable: it is not a regular file, too large, or may not be read.
    """
    try:
        fd = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        why = "it is a symbolic link" if path.is_symlink() else error.strerror
        raise Unreadable(f"it cannot be opened ({why})") from error
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise Unreadable("it is not a regular file")
    with os.fdopen(fd, "rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise Unreadable(f"it is larger than {MOST_BYTES // MEGA} MB")
    return content


def parse(name: str, content: bytes) -> Submission:
    """Return the notebook that these bytes are.

    Raises:
        Unreadable: they are no notebook of format 4, nested too deeply, or have too many cells.
    """
    tree = _tree(content)
    version, cells = tree.get("nbformat"), tree.get("cells")
    if not isinstance(cells, list):
        raise Unreadable(_version_problem(version) or NO_LIST)
    if len(cells) > MOST_CELLS:
        raise Unreadable(NO_LIST)
    damage = _version_problem(version) or _damage(cells)
    metadata = tree.get("metadata")
    origin = metadata.get("submission") if isinstance(metadata, dict) else None
    code, prose = _split(cells)
    return Submission(name, code, prose, origin if isinstance(origin, dict) else None, damage)


def _tree(content: bytes) -> dict[str, Any]:
    """Return the JSON object in the file; the message of the exception says what is there instead."""
    head = content.lstrip(b"\xef\xbb\xbf \r\n\t")[:15].lower()
    if not head:
        raise Unreadable("The file is empty: save the notebook again.")
    for start, what in INSTEAD.items():
        if head.startswith(start):
            raise Unreadable(what)
    if content.count(b'"cell_type"') > MOST_CELLS:
        raise Unreadable(NO_LIST)
    try:
        text = printable(content.decode(json.detect_encoding(content), "surrogatepass"))
        tree = json.loads(text)
    except UnicodeDecodeError as error:
        raise Unreadable(
            f"The file is not text in UTF-8 (byte {error.start:,}), so it is no notebook: download or save it again."
        ) from error
    except json.JSONDecodeError as error:
        raise Unreadable(
            f"The file is not a notebook: it breaks off or is damaged at line {error.lineno}, column {error.colno} "
            f"({error.msg}). Save it again in Jupyter or Colab, and hand in that file unchanged."
        ) from error
    except (RecursionError, ValueError) as error:
        raise Unreadable(
            "The file is nested too deeply, or holds too long a number, for a notebook: save it again in Jupyter."
        ) from error
    if not isinstance(tree, dict):
        raise Unreadable(NO_NOTEBOOK)
    return all_printable(tree) if ESCAPED_HALF.search(text) else tree


def _version_problem(version: Any) -> str | None:
    if not _is_int(version):
        return NO_NOTEBOOK
    if version == NBFORMAT:
        return None
    age = "an old" if version < NBFORMAT else "an unknown, newer"
    return (
        f"The notebook is in {age} format (nbformat {version}, expected {NBFORMAT}): open it in a current Jupyter or "
        "Colab, run all cells and save it."
    )


def _damage(cells: list[Any]) -> str | None:
    """Say what the notebook format does not know; small omissions of other tools are let pass."""
    if not cells:
        return "The notebook has no cells."
    for number, cell in enumerate(cells, 1):
        problem = _cell_damage(number, cell)
        if problem:
            return f"The notebook's structure is damaged ({problem}): open it in Jupyter, run all cells and save it."
    return None


def _cell_damage(number: int, cell: Any) -> str | None:
    if not isinstance(cell, dict) or cell.get("cell_type") not in ("code", "markdown", "raw"):
        return f"cell {number} is neither code nor text"
    if not _is_text(cell.get("source")):
        return f"cell {number} has no text"
    if cell["cell_type"] != "code":
        return None
    outputs, count = cell.get("outputs", []), cell.get("execution_count")
    if not isinstance(outputs, list) or not all(_is_output(output) for output in outputs):
        return f"an output of cell {number} is of no known kind"
    return None if count is None or _is_int(count) else f"cell {number} has no proper number"


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(v, str) for v in value))


def _is_output(output: Any) -> bool:
    kind = output.get("output_type") if isinstance(output, dict) else None
    if kind == "stream":
        return _is_text(output.get("text"))
    if kind in ("display_data", "execute_result"):
        return isinstance(output.get("data"), dict)
    return kind == "error"


def text_of(value: Any) -> str:
    """Return a notebook's multi-line string, which is a string or a list of them, in characters that can be printed."""
    if isinstance(value, list):
        value = "".join(v for v in value if isinstance(v, str))
    return printable(value) if isinstance(value, str) else ""


def printable(text: str) -> str:
    """Replace halves of characters (lone surrogates), which no file and no terminal takes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def all_printable(tree: Any) -> Any:
    """Return what was read from JSON with every string in it printable, keys included."""
    if isinstance(tree, str):
        return printable(tree)
    if isinstance(tree, list):
        return [all_printable(value) for value in tree]
    if isinstance(tree, dict):
        return {printable(key): all_printable(value) for key, value in tree.items()}
    return tree


# ---------------------------------------------------------------- its cells


def _split(cells: list[Any]) -> tuple[tuple[Cell, ...], tuple[tuple[int, str], ...]]:
    """Return the cells with code, and the numbers and texts of the others."""
    code: list[Cell] = []
    prose: list[tuple[int, str]] = []
    heading, room = "", MOST_TEXT
    for number, cell in enumerate(cells, 1):
        if not isinstance(cell, dict):
            continue
        source = text_of(cell.get("source"))[:MOST_TEXT]
        if cell.get("cell_type") != "code":
            prose.append((number, source))
            heading = _last_heading(source) or heading
            continue
        code.append(_code_cell(len(code), number, source, cell, heading, room))
        room -= len(code[-1].text)
    return tuple(code), tuple(prose)


def _last_heading(source: str) -> str:
    lines = [line for line in source.splitlines() if line.startswith("#")]
    return lines[-1][:200] if lines else ""


def _code_cell(index: int, number: int, source: str, cell: dict[str, Any], heading: str, room: int) -> Cell:
    values = cell.get("outputs")
    outputs = tuple(filter(None, map(_output, values if isinstance(values, list) else [])))
    printed = (
        without_checks(folded(output.text))
        if output.kind == "stream"
        else f"{output.rich or output.text[:MOST_PLAIN]}\n"
        for output in outputs
        if output.kind != "error" and not output.pictures
    )
    count = cell.get("execution_count")
    errors = [output.error for output in outputs if output.kind == "error"]
    return Cell(
        number=number,
        source=source,
        count=count if isinstance(count, int) else None,
        outputs=outputs,
        text=shortened("".join(printed), max(room, 0)),
        error=errors[-1][:MOST_ERROR] if errors else None,
        heading=heading,
        pictures=tuple(_pictures(index, source, heading, outputs)),
        may_fail=_is_tagged(cell, MAY_FAIL),
    )


def _is_tagged(cell: dict[str, Any], tag: str) -> bool:
    metadata = cell.get("metadata")
    tags = metadata.get("tags") if isinstance(metadata, dict) else None
    return isinstance(tags, list) and tag in tags


def _output(output: Any) -> Output | None:
    """Return one output; None where it is of no known kind."""
    if not isinstance(output, dict):
        return None
    kind, data = output.get("output_type"), output.get("data")
    if kind == "stream":
        return Output("stream", text_of(output.get("text")), {})
    if kind == "error":
        error, trace = f"{text_of(output.get('ename'))}: {text_of(output.get('evalue'))}", output.get("traceback")
        lines = map(text_of, trace) if isinstance(trace, list) else ()
        return Output("error", "", {}, error, "\n".join(lines))
    if kind in ("display_data", "execute_result") and isinstance(data, dict):
        name = _figure_name(output.get("metadata"))
        return Output("display", text_of(data.get("text/plain")), _stored_pictures(data), rich=_rich(data), name=name)
    return None


def _rich(data: dict[str, Any]) -> str:
    """Return what is displayed as HTML or Markdown, as text; empty where only plain text is."""
    content = text_of(data.get("text/html"))
    return text_of_html(content[:MOST_RICH]) if content else text_of(data.get("text/markdown"))[:MOST_RICH]


def _figure_name(metadata: Any) -> str:
    """Return the name under which show() displayed a picture, empty where it did not."""
    name = metadata.get("figure") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) and SHOWN_NAME.fullmatch(name[:MOST_NAME]) else ""


def _stored_pictures(data: dict[str, Any]) -> dict[str, str]:
    """Return the forms in which a picture stands in an output; what is no text (plotly's is an object) stays empty."""
    return {kind: text_of(data[kind]) for kind in PICTURE_KINDS if data.get(kind)}


def _pictures(index: int, source: str, heading: str, outputs: tuple[Output, ...]) -> Iterator[Picture]:
    """Yield the pictures of a cell, each with the words that may say which figure it is."""
    saved = SAVED.findall(source)
    number = 0
    for output in outputs:
        if not output.pictures or number >= MOST_PICTURES:
            continue
        kind = next(iter(output.pictures))
        data = _decoded(output.pictures[kind]) if kind in OPENED_KINDS else b""
        label = output.name or "".join(saved[number : number + 1])
        titles = _titles(data)
        words = f"{label} {titles} {output.text[:MOST_PLAIN]} {heading} {source[:5000]}".lower()
        yield Picture(index, kind, data, words, f"{label} {titles}".lower())
        number += 1


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text[:MOST_PICTURE_TEXT], validate=False)
    except (binascii.Error, ValueError):
        return b""


def is_of_bearable_size(data: bytes) -> bool:
    """Say whether a picture's header promises a size that can be decoded; decoding comes after."""
    try:
        opened(data, FORMATS)
    except FigureError:
        return False
    return True


def _titles(data: bytes) -> str:
    """Return titles and labels from a figure's fingerprint, where it has one: a hint where it belongs, no more."""
    try:
        fingerprint = read_fingerprint(data)
    except FigureError:
        return ""
    if fingerprint is None or not is_of_bearable_size(data):  # in this order: students' figures have none
        return ""
    axes = fingerprint.get("axes") if isinstance(fingerprint, dict) else None
    titles: list[str] = []
    for entry in axes[:50] if isinstance(axes, list) else []:
        values = [entry.get(key) for key in ("title", "xlabel", "ylabel")] if isinstance(entry, dict) else []
        titles += [printable(value[:100]) for value in values if isinstance(value, str)]
    return " ".join(titles)[:2000]
