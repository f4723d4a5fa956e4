"""Read tables that people and spreadsheets made: any delimiter, with or without a byte order mark."""

import csv
import io
from pathlib import Path
from typing import NamedTuple

DELIMITERS = ",;\t"
MOST_BYTES = 20_000_000
BOM = "\ufeff"


class Table(NamedTuple):
    """The cells of a table, and how they were written."""

    rows: list[list[str]]
    delimiter: str
    bom: bool
    newline: str
    encoding: str


def read_table(path: Path) -> Table:
    """Read a table of comma-separated values, or of semicolons, or of tabs.

    Raises:
        ValueError: it is no such table.
        OSError: it cannot be read.
    """
    content = path.read_bytes()
    if len(content) > MOST_BYTES or b"\0" in content[:1000]:
        raise ValueError(f"{path} is no table in text: save it as CSV")
    try:
        text, encoding = content.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:  # a German Excel that was asked for CSV, and not for "CSV UTF-8"
        text, encoding = content.decode("cp1252", "replace"), "cp1252"
    return parse_table(text, encoding)


def parse_table(text: str, encoding: str = "utf-8") -> Table:
    """Return the cells of a text; the delimiter is the one that its first line holds most of.

    Raises:
        ValueError: a cell is larger than any table's.
    """
    bom = text.startswith(BOM)
    text = text.removeprefix(BOM)
    first = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=first.count)
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if any(row)]
    except csv.Error as error:
        raise ValueError(f"this is no table ({error})") from error
    return Table(rows, delimiter, bom, "\r\n" if "\r\n" in text else "\n", encoding)


def write_table(table: Table) -> bytes:
    """Return the bytes of a table, written as it was."""
    buffer = io.StringIO(newline="")
    csv.writer(buffer, delimiter=table.delimiter, lineterminator=table.newline).writerows(table.rows)
    text = (BOM if table.bom else "") + buffer.getvalue()
    return text.encode(table.encoding, "replace" if table.encoding != "utf-8" else "strict")
