"""Know everybody who takes the course, from any table with their names or numbers."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from course.inbox.rows import Row
from course.inbox.tables import read_table
from course.inbox.uploads import person_key

HEADER = frozenset((  # words that head a column, in letters only
    "account", "email", "emailaddress", "emailadresse", "familienname", "firstname", "fullname", "givenname", "id",
    "identifier", "kennung", "lastname", "login", "mail", "matrikel", "matrikelnr", "matrikelnummer", "matriculation",
    "nachname", "name", "nutzername", "participant", "student", "studentid", "surname", "userid", "username", "vorname",
    "vollstaendigername", "benutzername", "familyname", "idnumber", "idnummer", "anmeldename", "teilnehmer",
    "apellido", "apellidos", "cognome", "nom", "nombre", "nome", "nomdefamille", "prenom", "achternaam", "voornaam",
))  # fmt: skip
FIRST = frozenset(("firstname", "givenname", "nombre", "prenom", "voornaam", "vorname"))
LAST = frozenset((
    "achternaam", "apellido", "apellidos", "cognome", "familienname", "familyname", "lastname", "nachname", "nom",
    "nomdefamille", "surname",
))  # fmt: skip
FULL = frozenset(("name", "fullname", "vollstaendigername", "student", "participant", "teilnehmer"))
NUMBERS = frozenset((
    "id", "identifier", "idnumber", "idnummer", "matrikel", "matrikelnr", "matrikelnummer", "matriculation",
    "studentid",
))  # fmt: skip
MOST_CELLS = 20  # of a line
MOST_TITLE = 10  # lines above the one that names the columns
NO_NAME = re.compile(r"[\d@]")
NUMBER = re.compile(r"\D*?(\d{3,})\D*")


class Listed(NamedTuple):
    """One person of the roster."""

    name: str
    keys: frozenset[str]  # under any of which this person's files are known
    ids: frozenset[str]
    number: str  # the one to show; empty where the table has none


def read_roster(path: Path) -> list[Listed]:
    """Read a table with a person a line: names in one column or two, in any order, or numbers, or logins.

    Raises:
        ValueError: it holds nobody.
        OSError: it cannot be read.
    """
    rows = read_table(path).rows
    start = lines_of_header(rows)
    header = [person_key(cell) for cell in rows[start - 1]] if start else []
    listed = [listed_in(row, header) for row in rows[start:]]
    people = [person for person in listed if person.name]
    if not people:
        raise ValueError(f"{path} lists nobody: expected a table with a person a line")
    return people


def lines_of_header(rows: Sequence[Sequence[str]]) -> int:
    """Return after how many lines the persons begin: behind the columns' names, and what stands above these."""
    known = [len(HEADER & {person_key(cell) for cell in row}) for row in rows[:MOST_TITLE]]
    named = next((line for line, words in enumerate(known, 1) if words > (line > 1)), 0)  # a title may hold one
    if named or len(rows) < 3:
        return named
    columns = range(min(map(len, rows)))  # in any language: words above a column of numbers or addresses
    return int(any(not NO_NAME.search(rows[0][at]) and all(NO_NAME.search(r[at]) for r in rows[1:]) for at in columns))


def listed_in(row: Sequence[str], header: Sequence[str]) -> Listed:
    """Return who stands in a line; every cell, and every two cells together, may be a name that files bear."""
    cells = [cell.strip() for cell in row[:MOST_CELLS] if cell.strip()]
    keys = {person_key(cell) for cell in cells}
    for one in cells:
        keys |= {person_key(f"{one} {other}") for other in cells if other is not one}
        last, comma, first = one.partition(",")
        keys |= {person_key(f"{first} {last}")} if comma else set()
        keys |= {person_key(one.partition("@")[0])}  # the login in an address
    ids = set(cells) | {match[1] for cell in cells if (match := NUMBER.fullmatch(cell))}
    return Listed(name_of(row, header), frozenset(keys - {""}), frozenset(ids), number_of(row, header))


def number_of(row: Sequence[str], header: Sequence[str]) -> str:
    """Return the number in a line: by the columns' names, else its one cell of three digits or more."""
    by_name = [cell for key, cell in zip(header, row, strict=False) if key in NUMBERS]
    named = [match[1] for cell in by_name if (match := re.fullmatch(r"\D*?(\d+)\D*", cell.strip()))]
    plain = [cell.strip() for cell in row if re.fullmatch(r"\d{3,}", cell.strip())]
    return next(iter(named), plain[0] if len(plain) == 1 else "")


def name_of(row: Sequence[str], header: Sequence[str]) -> str:
    """Return the name in a line: by the columns' names, else its first cells of letters."""
    by_name = dict(zip(header, (cell.strip() for cell in row), strict=False))
    for columns in (FIRST, LAST), (FULL,):
        parts = [next((by_name[key] for key in by_name if key in column), "") for column in columns]
        if all(parts):
            return " ".join(parts)
    cells = [cell.strip() for cell in row if cell.strip()]
    words = [cell for cell in cells if not any(c.isdigit() or c == "@" for c in cell)]
    return " ".join(words[:1] if words and " " in words[0] else words[:2]) or "".join(cells[:1])


def find(people: Sequence[Listed], row: Row) -> Listed | None:
    """Return who handed a row in, where exactly one person of the roster can be meant."""
    if row.id:
        by_id = [person for person in people if row.id in person.ids]
        if len(by_id) == 1:
            return by_id[0]
    by_name = [person for person in people if row.key and person_key(row.person) in person.keys]
    return by_name[0] if len(by_name) == 1 else None


class Seen(NamedTuple):
    """Somebody who handed something in."""

    key: str  # of the name, and behind # the number where two share it
    id: str

    @property
    def name_key(self) -> str:
        return self.key.partition("#")[0]


class Absent(NamedTuple):
    """Somebody on the roster who handed in nothing."""

    name: str
    number: str


def by_name(people: Sequence[Listed]) -> dict[str, list[Listed]]:
    """Return who stands on the roster under each name: two of one name are two where they have two numbers."""
    groups: dict[str, dict[str, Listed]] = {}
    for person in people:
        groups.setdefault(person_key(person.name), {})[person.number] = person
    return {key: list(group.values()) for key, group in groups.items()}


def absent(people: Sequence[Listed], seen: Sequence[Seen]) -> list[Absent]:
    """Return who on the roster handed in nothing; of two of one name, it is by number that one is known."""
    found: list[Absent] = []
    for key, listed in by_name(people).items():
        there = [one for one in seen if one.name_key == key]
        unseen = [person for person in listed if not any(one.id and one.id in person.ids for one in there)]
        unnumbered = len(there) - (len(listed) - len(unseen))  # who may be any of those who are left
        found += [Absent(p.name, "" if unnumbered > 0 else p.number) for p in unseen[max(0, unnumbered) :]]
    return sorted(found, key=lambda one: (one.name.casefold(), one.number))


def known_by_roster(rows: Sequence[Row], people: Sequence[Listed]) -> list[Row]:
    """Give each row of somebody on the roster that person's name, however the file spells it."""
    known = []
    for row in rows:
        person = find(people, row)
        if person is not None:
            remarks = tuple(remark for remark in row.remarks if remark.code != "file_name" or row.sure)
            row = replace(row, person=person.name, key=person_key(person.name), sure=True, remarks=remarks)
        known.append(row)
    return known
