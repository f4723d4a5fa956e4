"""Tables as Excel, Moodle and people write them: read alike, and written back as they were."""

import pytest

from course.inbox.roster import read_roster
from course.inbox.tables import read_table, write_table

CELLS = [["Name", "Matrikel"], ["Groß, Jürgen", "4711"], ["Nguyễn; An", "4712"]]
PLAIN = [["Nachname", "Vorname", "Matrikel"], ["Groß", "Jürgen", "4711"], ["Echt", "Eva", "4712"]]


def text_of(rows: list[list[str]], delimiter: str, newline: str = "\r\n") -> str:
    quoted = [[f'"{cell}"' if delimiter in cell else cell for cell in row] for row in rows]
    return "".join(delimiter.join(row) + newline for row in quoted)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("head", ["", "sep={}\r\n"])
def test_a_table_is_read_in_any_form_and_written_back_as_it_was(tmp_path, encoding, delimiter, head):
    rows = CELLS if delimiter != "\t" else PLAIN
    path = tmp_path / "table.csv"
    path.write_bytes((head.format(delimiter) + text_of(rows, delimiter)).encode(encoding))
    table = read_table(path)
    assert table.rows == rows and table.delimiter == delimiter
    assert write_table(table) == path.read_bytes()


def test_a_title_without_a_delimiter_does_not_hide_it(tmp_path):
    (tmp_path / "t.csv").write_text("Course, 2026\nName;Matrikel\nA B;1\n".replace(",", ""), encoding="utf-8")
    assert read_table(tmp_path / "t.csv").rows[1:] == [["Name", "Matrikel"], ["A B", "1"]]


@pytest.mark.parametrize("content", [b"PK\x03\x04\x14\0\0\0\x08\0" + bytes(40), bytes(300), b"a\0b" * 50])
def test_what_is_no_text_is_no_table(tmp_path, content):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(ValueError, match=r"t\.csv is no table in text: save it as CSV"):
        read_table(tmp_path / "t.csv")


@pytest.mark.parametrize(
    "text",
    [
        "sep=;\r\nNachname;Vorname;Matrikel\r\nGroß;Jürgen;4711\r\nEcht;Eva;4712\r\n",
        "Kurs WS 2026;;\n;;\nNachname;Vorname;Matrikel\nGroß;Jürgen;4711\nEcht;Eva;4712\n",
        "Prénom,Nom,Numéro\nJürgen,Groß,4711\nEva,Echt,4712\n",
        "Keresztnév,Vezetéknév,Szám\nJürgen,Groß,4711\nEva,Echt,4712\n",  # no word of which is known
        "Jürgen,Groß,4711\nEva,Echt,4712\n",
        "Name\nJürgen Groß\nEva Echt\n",
    ],
)
def test_a_roster_lists_the_persons_and_nobody_else(tmp_path, text):
    (tmp_path / "roster.csv").write_text(text, encoding="utf-8")
    assert [person.name for person in read_roster(tmp_path / "roster.csv")] == ["Jürgen Groß", "Eva Echt"]
