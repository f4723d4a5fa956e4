"""Read what the name of a file or folder says that came in: who, which assignment, and which copy of it.

The names are those that people, browsers, file managers and learning platforms make of ``max_mustermann_a1.ipynb``.
"""

import functools
import re
import unicodedata
from typing import NamedTuple

from course.assignments import ASSIGNMENTS
from course.inbox.kinds import REASONS
from course.inbox.names import LETTERS, LOOSE, PARTICLES

SUFFIX = re.compile(rf"(?:\.(?:{'|'.join(('ipynb', 'zip', 'download', *REASONS))})[\s_.]*)+$", re.IGNORECASE)
GLUED = re.compile(r"(?<=[a-zß-ÿ])A\d{1,2}(?![^\W_])")  # MaxMustermannA1
NUMBERED = re.compile(  # the assignment in words, which count where no a1 stands
    r"(?<![^\W_])(?:a|abgabe|assignment|aufgabe|aufgabenblatt|blatt|ex|exercise|ha|hausaufgabe|homework|hw|lab|labor|"
    r"problem[ _.-]?set|pset|series?|sheet|zettel|(?:u[e]?bung|übung)(?:sblatt|szettel|sserie)?)"
    r"[ _.-]*0*(\d{1,2})(?![^\W_])",
    re.IGNORECASE,
)
COPY_OF = re.compile(r"(?:^|(?<=[\s_-]))(?:copy of|kopie von|copie de|copia de)[ _]+", re.IGNORECASE)
AT_END = r"[\s_.,-]*"
COPIES = re.compile(  # each leaves a number, or none: then it is one copy
    rf"{AT_END}(?:[(\[]\s*(?P<bracket>\d{{1,3}})\s*[)\]]"
    r"|[(\[][^()\[\]]*(?:conflict|konflikt)[^()\[\]]*[)\]]"
    r"|(?<=[\s_.-])(?:copy|kopie|copie|copia)[\s_-]*(?P<copy>\d{0,3})"
    r"|(?<=[\s_-])(?P<bare>\d{1,2}))$",
    re.IGNORECASE,
)
VERSIONS = re.compile(rf"{AT_END}(?<=[\s_.-])(?:v|ver|version)[\s_.-]?(\d{{1,3}})$", re.IGNORECASE)


def _day(separator: str) -> str:
    """Return the pattern of a day with this between its parts, the year first."""
    return rf"(?P<year>20\d\d){separator}(?P<month>0[1-9]|1[0-2]){separator}(?P<day>0[1-9]|[12]\d|3[01])"


TURNED_DAY = r"(?P<day>0?[1-9]|[12]\d|3[01])[-_.](?P<month>0?[1-9]|1[0-2])[-_.](?P<year>20\d\d)"
TIME = r"(?P<hour>[01]\d|2[0-3])[-_.:h]?(?P<minute>[0-5]\d)(?:[-_.:m]?(?P<second>[0-5]\d))?s?"
STAMPS = tuple(  # a day, and often a time, as platforms, scanners and careful people write them into names
    re.compile(rf"(?<![^\W_]){form}(?![^\W_])", re.IGNORECASE)
    for form in (
        _day("[-_.]") + rf"(?:(?:\s-\s|[-_T ]){TIME})?",
        _day("") + rf"[-_T ]?{TIME}",
        TURNED_DAY + rf"(?:(?:\s-\s|[-_T ]){TIME})?",
    )
)
FIRST_DAY = re.compile(rf"^{_day('')}(?=[\s_-])")  # elsewhere eight digits may be a person's number
LAST_DAY = re.compile(rf"{AT_END}(?<=[\s_-]){_day('')}$")
CHECKPOINT = re.compile(r"-checkpoint$", re.IGNORECASE)
PART_AT_END = re.compile(r"(?<![^\W_])(?:part|teil)[\s_.-]*\d{1,2}$", re.IGNORECASE)
LAST_WORD = re.compile(r"[\s_.,-]+([^\W\d_]+)(\d{0,3})$")
NEWER = frozenset((  # words by which people call a copy the newer one
    "corrected", "correction", "correct", "endgueltig", "endgültig", "endversion", "final", "finale", "finished",
    "fertig", "fix", "fixed", "korrektur", "korrigiert", "last", "latest", "letzte", "neu", "neue", "new", "newest",
    "rerun", "resubmission", "revised", "update", "updated", "ueberarbeitet", "überarbeitet", "verbessert",
))  # fmt: skip
SURNAMES = frozenset(("alt", "fix", "last", "neu", "neue", "new", "old"))  # among the words above and below
COPY = frozenset(("copia", "copie", "copy", "kopie"))
OLDER = frozenset(("alt", "alte", "backup", "bak", "draft", "entwurf", "old", "previous", "vorherige", "wip"))
NOISE = frozenset((  # words that are nobody's name, and tell no two files apart
    "abgabe", "abgaben", "answer", "answers", "assignment", "assignments", "attempt", "aufgabe", "aufgaben",
    "autoencoder", "autoencoders", "colab", "dr", "executed", "exercise", "exercises", "firstname", "frau",
    "hausaufgabe", "herr", "homework", "ilias", "ipynb", "jupyter", "lastname", "late", "loesung", "loesungen",
    "lösung", "lösungen", "matr", "matrikel", "matrikelnr", "matrikelnummer", "matrnr", "mnist",
    "moodle", "nachname", "notebook", "notebooks", "prof", "sciebo", "solution", "solutions", "solved", "submission",
    "submissions", "submitted", "surname", "tutorium", "uebung", "uebungen", "uebungsblatt", "unbenannt", "untitled",
    "upload", "uploads", "vae", "vaes", "vorname", "übung", "übungen", "übungsblatt",
))  # fmt: skip
RARE_NAMES = frozenset((  # words that may be a surname, but are nobody's name among themselves
    "all", "alle", "beta", "code", "conv", "course", "data", "daten", "deep", "download", "downloads", "fashion",
    "feedback", "file", "files", "first", "folder", "group", "gruppe", "handin", "kurs", "last", "latent", "learning",
    "main", "material", "mein", "meine", "my", "name", "neuer", "numpy", "ordner", "project", "projekt", "python",
    "roll", "run", "space", "swiss", "task", "tasks", "template", "test", "toy", "version", "vorlage",
))  # fmt: skip
PARTS = frozenset(("part", "parts", "teil", "teile"))
SEPARATORS = re.compile(r"\s+[-–—]+\s+|[\s_.+&;:(){}\[\]–—/\\#!?\"]+|^[-–—]+|[-–—]+$")
CAMEL = re.compile(r"(?<=[a-zß-öø-ÿ])(?=[A-ZÀ-ÖØ-Þ])")
MOST_KEPT = 4096  # names read that are asked for again, such as those of folders
MOST_WORDS = 6  # of a person's name; a sentence has more
ID_DIGITS = 10  # of a person's number at most: a longer one is a machine's, such as milliseconds
NUMBER = re.compile(  # a person's, such as s1234567
    r"(?<![^\W_])(?:[a-z]{1,3}|matr[a-z]*)?[-:]?(\d{5,})(?![^\W_])", re.IGNORECASE
)
LONE_NUMBER = re.compile(r"(?<![^\W_])(\d{3,})(?![^\W_])")  # where nothing else says who it is
WHOLE_NAME = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{2,}")  # surname and first name, written as one
DOMAIN = re.compile(r"@[^\W_][^\W_-]*(?:[.-][^\W_]+)+")  # of an address, whose first half is somebody's name
JOINED = re.compile(r"\s*[&+]\s*|(?<![^\W_])(?:und|and|et)(?![^\W_])", re.IGNORECASE)  # between two persons


class Copy(NamedTuple):
    """Which of several files of one name it is; the larger one is the newer."""

    version: int = 0  # _v2, or a date
    number: int = 0  # (2), -Copy1, _1
    newer: int = 0  # words such as "final"


class Upload(NamedTuple):
    """What the name of a file or folder says; each part may be missing."""

    person: str  # "Max Mustermann", as it is spelt there
    assignment: str | None  # "a1"
    copy: Copy
    rest: tuple[str, ...]  # other words: they tell parts of one work apart
    id: str = ""  # a number that is the person's
    team: tuple[str, ...] = ()  # the persons, where it names several

    @property
    def sure(self) -> bool:
        """Say whether the name names a person: by a first name and a surname at least."""
        return 2 <= len(self.person.split()) <= MOST_WORDS or bool(WHOLE_NAME.fullmatch(self.person))


@functools.lru_cache(maxsize=MOST_KEPT)
def read_upload(name: str) -> Upload:
    """Read the name of a file or folder; never raises, whatever the name is."""
    text = SUFFIX.sub("", unicodedata.normalize("NFC", name)).strip()
    text, copies = COPY_OF.subn("", DOMAIN.sub(" ", text))
    text, copy = without_stamps(text)
    copy = add(copy, Copy(number=copies))
    text, number = without_number(text)
    assignment, before, after = split_at_assignment(text)
    if assignment is None:
        before, marks = without_marks(before)
    else:
        after, marks = without_marks(after)
        before, earlier = without_marks(before, numbers=False)
        marks = add(marks, earlier)
    words, others, more = sorted_words(before, after)
    team = team_in(f"{before} {after}")
    return Upload(" ".join(words), assignment, add(add(copy, marks), more), tuple(others), number, team)


def split_at_assignment(text: str) -> tuple[str | None, str, str]:
    """Return the assignment that a name says once, and what stands before and after it."""
    found = [(match, f"a{int(match[0][1:])}") for match in LOOSE.finditer(text)]
    found = found or [(match, f"a{int(match[0][1:])}") for match in GLUED.finditer(text)]
    known = [(match, key) for match, key in found if key in ASSIGNMENTS]
    if not found:
        known = [(m, f"a{int(m[1])}") for m in NUMBERED.finditer(text) if f"a{int(m[1])}" in ASSIGNMENTS]
    if not found and not known:
        return None, text, ""
    found = known or found
    if len({key for _, key in found}) > 1:  # it names several: the content has to say which
        return None, LOOSE.sub(" ", text), ""
    key, before, after = found[0][1], text[: found[0][0].start()], text[found[-1][0].end() :]
    return key, without_numbered(before, key), without_numbered(after, key)


def without_numbered(text: str, key: str) -> str:
    """Take an assignment in words, such as "Blatt 1", out of a name that says it already."""
    return NUMBERED.sub(lambda match: " " if f"a{int(match[1])}" == key else match[0], text)


def without_stamps(text: str) -> tuple[str, Copy]:
    """Take days and times out of a name, wherever they stand: they tell the newer file, and are nobody's name."""
    latest = 0
    for form in (*STAMPS, FIRST_DAY):
        while match := form.search(text):
            rest = f"{text[: match.start()]} {text[match.end() :]}".strip()
            if form is FIRST_DAY and not any(c.isalpha() for c in LOOSE.sub("", rest)):
                break  # nothing else says who it is: the number does
            latest, text = max(latest, moment_of(match)), rest
    return text, Copy(version=latest)


def without_number(text: str) -> tuple[str, str]:
    """Take numbers out of a name, the first of which is a person's; eight digits at its end may be a day instead."""
    is_named = any(character.isalpha() for character in LOOSE.sub("", text))
    rest, number = text, ""
    for match in reversed(list((NUMBER if is_named else LONE_NUMBER).finditer(text))):
        before, after = text[: match.start()], text[match.end() :]
        at_end = LOOSE.search(before) or not any(character.isalpha() for character in after)
        if not (is_named and at_end and LAST_DAY.search(f" {match[0]}")):
            rest = f"{rest[: match.start()]} {rest[match.end() :]}"
            number = match[1] if len(match[1]) <= ID_DIGITS else number
    return rest, number


def moment_of(match: re.Match[str]) -> int:
    """Return a day and its time as a number that grows with them."""
    found = match.groupdict()
    parts = (found.get(name) or "0" for name in ("month", "day", "hour", "minute", "second"))
    return int(found["year"] + "".join(part.zfill(2) for part in parts))


def team_in(text: str) -> tuple[str, ...]:
    """Return the persons whom a name joins by "and", "&" or "+", each by two words at least; else none."""
    names = [_names_and_parts(words_of(part))[0] for part in JOINED.split(text)]
    whole = (len(name) > 1 and not {name[0].casefold(), name[-1].casefold()} & PARTICLES for name in names)
    return tuple(map(" ".join, names)) if len(names) > 1 and all(whole) else ()  # von und zu Stein is one


def without_marks(text: str, *, numbers: bool = True) -> tuple[str, Copy]:
    """Take the marks of copies off the end of a name, one after the other."""
    copy = Copy()
    text = f" {text.rstrip(' _.,-')}"  # a mark may be all there is, as after the assignment
    while True:
        step = _last_mark(text, numbers)
        if step is None:
            return text.strip(), copy
        text, mark = step
        copy = add(copy, mark)


def _last_mark(text: str, numbers: bool) -> tuple[str, Copy] | None:
    """Return a name without its last mark, and what that says; None where it ends in none."""
    if PART_AT_END.search(text):
        return None
    word = LAST_WORD.search(text)
    if word and not word[2] and word[1].casefold() in NOISE:  # it may stand behind another mark
        return text[: word.start()], Copy()
    mark = called(word[1], word[2]) if word else None
    if word and mark and not is_surname(word[1], words_of(text[: word.start()])):
        return text[: word.start()], mark
    if match := CHECKPOINT.search(text):
        return text[: match.start()], Copy(number=-1)
    match = LAST_DAY.search(text)
    if match and (numbers or any(character.isalpha() for character in text[: match.start()])):
        return text[: match.start()], Copy(version=moment_of(match))
    if match := VERSIONS.search(text):
        return text[: match.start()], Copy(version=int(match[1]))
    match = COPIES.search(text)
    if match and (numbers or not match["bare"]):
        count = match["bracket"] or match["copy"] or match["bare"]
        return text[: match.start()], Copy(number=int(count) if count else 1)
    return None


def called(word: str, count: str) -> Copy | None:
    """Return what a word such as "final2" or "v2" says of a copy; None where it says nothing."""
    folded = word.casefold()
    if folded == "v" and count:
        return Copy(version=int(count))
    if folded in COPY:
        return Copy(number=int(count or 1))
    newer = (folded in NEWER) - (folded in OLDER)
    return Copy(newer=newer, number=int(count or 0)) if newer else None


def mark_of_folder(name: str) -> Copy:
    """Return how new a folder calls what is in it: by a day, or a word such as "old"."""
    text, copy = without_stamps(name)
    marks = [mark for word in words_of(text) if (mark := called(word, ""))]
    return add(copy, *(Copy(newer=mark.newer) for mark in marks))


def is_surname(word: str, others: list[str]) -> bool:
    """Say whether a word that may call a copy new is somebody's name: Erika Neu is a person."""
    return word.casefold() in SURNAMES and len(_names_and_parts(others)[0]) == 1


def add(*copies: Copy) -> Copy:
    return Copy(*map(sum, zip(*copies, strict=True)))


def sorted_words(before: str, after: str) -> tuple[list[str], list[str], Copy]:
    """Return the words of a person's name, the others that matter, and how new they call it."""
    sides = [words_of(before), words_of(after)]
    copy = Copy()
    for side in sides:
        for word in side[:]:
            folded = word.casefold()
            stem = folded.rstrip("0123456789")
            mark = called(stem, folded[len(stem) : len(stem) + 3])
            if mark and not is_surname(word, [other for other in side if other != word]):
                copy = add(copy, mark)
                side.remove(word)
    parts: list[str] = []
    names: list[list[str]] = []
    for side in sides:
        own, others = _names_and_parts(side)
        names.append(own)
        parts += others
    if len(names[0]) < 2 and len(names[1]) >= 2:
        names.reverse()
    if len(names[0]) == 1 and len(names[1]) == 1 and len(names[1][0]) > 1:  # max_a1_mustermann
        names = [names[0] + names[1], []]
    person = names[0] or names[1]
    rest = names[1] if names[0] else []
    return person, [word.casefold() for word in [*rest, *parts]], copy


def _names_and_parts(side: list[str]) -> tuple[list[str], list[str]]:
    """Tell words of a name from those that tell parts of one work apart; noise is neither."""
    own: list[str] = []
    parts: list[str] = []
    follows_part = False
    if all(word.casefold() in NOISE | RARE_NAMES | PARTS or word.isdecimal() for word in side):
        side = [word for word in side if word.casefold() not in RARE_NAMES]
    for word in side:
        folded = word.casefold()
        if folded in PARTS or follows_part or folded.isdecimal() or re.fullmatch(r"(?:part|teil)[a-z0-9]{1,2}", folded):
            parts.append(folded)
        elif folded not in NOISE:
            own.append(word)
        follows_part = folded in PARTS
    return own, parts


def words_of(text: str) -> list[str]:
    """Split a name into words: at separators; a word alone also at its hyphens or its capitals; a surname goes last."""
    if text.count(",") == 1:  # Mustermann, Max
        last, first = text.split(",")
        if last.strip(" _") and first.strip(" _"):
            text = f"{first} {last}"
    words = [re.sub(r"^\W+|\W+$", "", word) for word in SEPARATORS.split(text.replace(",", " "))]
    words = [word for word in words if any(c.isalnum() for c in word)]
    if len(words) == 1:
        parts = [part for part in re.split("[-‐‑]", words[0]) if part]
        words = parts if len(parts) > 1 else [part for part in CAMEL.split(words[0]) if part]
    return words


def person_key(name: str) -> str:
    """Return the letters by which a person is known, however the name is spelt: ``juergengross`` for Jürgen Groß."""
    letters: list[str] = []
    for character in unicodedata.normalize("NFC", name).lower():
        if character in LETTERS:
            letters.append(LETTERS[character])
            continue
        for part in unicodedata.normalize("NFKD", character).casefold():
            if part.isalnum():
                letters.append(LETTERS.get(part, part))
    return "".join(letters)
