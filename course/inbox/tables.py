"""Read tables that people and spreadsheets made: any delimiter, with or without a byte order mark."""

import codecs
import csv
import io
import re
from pathlib import Path
from typing import NamedTuple

from course.notebooks.visible import visible

DELIMITERS = ",;\t|"
# what a spreadsheet takes for a formula, where a cell begins, or would begin if it were split at another delimiter
FORMULA = re.compile(r"""(?:^|[,;|])[\s"]*(?=[=+\-@\uff1d\uff0b\uff0d\uff20])""")
MOST_BYTES = 20_000_000
BOM = "\ufeff"
SEPARATOR = re.compile(r"""["']?sep=(.)["']?[,;]*\r?\n""", re.IGNORECASE)  # a first line for Excel alone
SAMPLE = 1000  # bytes by which UTF-16 is known


def harmless(cell: str) -> str:
    """Return a cell in which no spreadsheet finds a formula, whichever delimiter it knows; all in it can be seen."""
    return FORMULA.sub(r"\g<0>'", visible(cell))


class Table(NamedTuple):
    """The cells of a table, and how they were written."""

    rows: list[list[str]]
    delimiter: str
    bom: bool
    newline: str
    encoding: str
    head: str = ""  # Excel's own line before the table


def read_table(path: Path) -> Table:
    """Read a table of comma-separated values, or of semicolons, or of tabs.

    Raises:
        ValueError: it is no such table.
        OSError: it cannot be read.
    """
    content = path.read_bytes()
    encoding = encoding_of(content)
    if len(content) > MOST_BYTES or encoding is None:
        raise ValueError(f"{path} is no table in text: save it as CSV")
    return parse_table(content.decode(encoding, "replace"), encoding)


def encoding_of(content: bytes) -> str | None:
    """Return in which letters a text is written; None where it is none."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # Excel's "Unicode text"
        return "utf-16"
    sample = content[:SAMPLE]
    if b"\0" in sample:  # most letters of UTF-16 are half zeros, all on one side
        halves = {"utf-16-be": (sample[::2], sample[1::2]), "utf-16-le": (sample[1::2], sample[::2])}
        return next((n for n, (high, low) in halves.items() if high.count(0) * 2 > len(high) and 0 not in low), None)
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:  # a German Excel that was asked for CSV, and not for "CSV UTF-8"
        return "cp1252"
    return "utf-8"


def parse_table(text: str, encoding: str = "utf-8") -> Table:
    """Return the cells of a text; the delimiter is what its first line names, or the one that it holds most of.

    Raises:
        ValueError: a cell is larger than any table's.
    """
    bom = text.startswith(BOM)
    text = text.removeprefix(BOM)
    said = SEPARATOR.match(text)
    head, text = (said[0], text[said.end() :]) if said else ("", text)
    lines = (line for line in text.splitlines() if any(d in line for d in DELIMITERS))  # a title may have none
    delimiter = said[1] if said else max(DELIMITERS, key=next(lines, "").count)
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if any(row)]
    except csv.Error as error:
        raise ValueError(f"this is no table ({error})") from error
    return Table(rows, delimiter, bom, "\r\n" if "\r\n" in text else "\n", encoding, head)


def write_table(table: Table) -> bytes:
    """Return the bytes of a table, written as it was."""
    buffer = io.StringIO(newline="")
    csv.writer(buffer, delimiter=table.delimiter, lineterminator=table.newline).writerows(table.rows)
    text = (BOM if table.bom else "") + table.head + buffer.getvalue()
    return text.encode(table.encoding, "replace" if table.encoding != "utf-8" else "strict")
