"""What outputs print, as a person reads it: bars folded, HTML and Markdown as text, numbers behind their labels.

All of it is untrusted: every pattern here takes time that grows as the text does.
"""

import functools
import html
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

# ---------------------------------------------------------------- folding

ANSI = re.compile(r"\x1b\[[0-9;?]{0,20}[A-Za-z]")  # colours, and what moves a terminal's cursor
PROGRESS = re.compile(r"\d%\||\d/\d+ \[|━|it/s\]|s/it\]")
CHECK = re.compile(r"[✓✗–] [^|\n]{1,60}: ")  # "✓ A1, KL: agrees with …"; a claim's line has bars
CUT = "\n[... cut ...]\n"


def folded(text: str) -> str:
    """Return a stream as a terminal shows it in the end: of lines written over, and of bars, the last form."""
    if "\x1b" in text:
        text = ANSI.sub("", text)
    if "\r" not in text and not PROGRESS.search(text):
        return text
    lines: list[str] = []
    bar = False
    for line in text.replace("\r\n", "\n").split("\n"):
        last = next((part for part in reversed(line.split("\r")) if part.strip()), "")
        was_bar, bar = bar, bool(PROGRESS.search(last))
        if bar and was_bar:
            lines[-1] = last
        else:
            lines.append(last)
    return "\n".join(lines)


def without_checks(text: str) -> str:
    """Leave out what the student's own checks say: the numbers in their sentences are no results."""
    if "✓" not in text and "✗" not in text:
        return text
    return "\n".join(line for line in text.split("\n") if not CHECK.match(line))


def shortened(text: str, room: int) -> str:
    """Return the beginning and the end of a text that has no room: results stand last."""
    if len(text) <= room:
        return text
    half = (room - len(CUT)) // 2
    return f"{text[:half]}{CUT}{text[-half:]}" if half > 0 else ""


# ---------------------------------------------------------------- HTML

HIDDEN = re.compile(r"<(style|script)\b", re.I)
TAG = re.compile(r"<[^<>]*>")
ROW_ENDS, CELL_ENDS = re.compile(r"</(?:tr|p|div|li|h\d)>|<br ?/?>", re.I), re.compile(r"</t[dh]>", re.I)


def text_of_html(content: str) -> str:
    """Return the words of a piece of HTML: a line for each row, bars between its cells."""
    content = ROW_ENDS.sub("\n", CELL_ENDS.sub(" | ", without_hidden(content).replace("\n", " ")))
    lines = (" ".join(line.split()) for line in html.unescape(TAG.sub("", content)).split("\n"))
    return "\n".join(line for line in lines if line)


def without_hidden(content: str) -> str:
    """Leave out style sheets and scripts."""
    parts, position = [], 0
    lower = content.lower()
    while match := HIDDEN.search(content, position):
        parts.append(content[position : match.start()])
        end = lower.find(f"</{match[1].lower()}", match.end())
        if end < 0:
            return "".join(parts)
        position = end
    return "".join([*parts, content[position:]])


# ---------------------------------------------------------------- numbers behind labels

NUMBER = r"[-+\u2212]?(?:\d+(?:\.\d+)?(?:[eE][-+]?\d{1,3})?|(?<![a-zA-Z])(?:nan|inf)(?![a-zA-Z]))"
READING = re.compile(rf"(?<![\w.]){NUMBER}(?!\w)", re.I)
COMMA = re.compile(r"(?<![\d.,])(\d{1,6}),(\d{2,})(?![\d]|[.,]\d)|(?<![\d.,(\[{])(\d{1,6}),(\d)(?![\d]|[.,]\d)")
ABOUT = r"(?:, ?(?:device|dtype|grad_fn|weak_type|requires_grad)=[^(),\n]{0,60})"
WRAPPED = re.compile(rf"\b(?:(?:np|numpy)\.\w{{3,10}}|tensor|Array)\(({NUMBER}){ABOUT}*\)")  # by NumPy or torch
POINT = re.compile(r"\d\.\d")
WORD = re.compile(r"[^\W\d_]")
UNIT, NO_ASIDE = re.compile(r" ?(?:nats?|bits?)\b", re.I), re.compile(r"[)=:|,;\d]")
ASIDE = re.compile(r" [^\W\d][^()\n]{0,40}\)")
MOST_LINE, MOST_LINES, MOST_LABEL = 1000, 50_000, 60
IN_BRACKETS = re.compile(r"\([^()\n]{0,40}\)")
END = r"(?:start|begin|first|initial|init|anfang|inizio|inicio|début|debut|end|final|last|ende|fine|fin)"
OF_STEPS = r"\d{1,6} (?:steps?|iter\w{0,6}|epoch\w{0,2}|batch(?:es)?|updates?|schritt\w?|epoche\w?)"  # no value
ENDS = re.compile(rf"\W{{0,9}}{END}(?:[ _](?:value|wert)| {OF_STEPS})?\W{{0,9}}", re.I)
COUNT_OF_STEPS = re.compile(rf"{END} ({OF_STEPS})", re.I)
LEAST_COLUMNS = 2
SETTING = re.compile(r"(?<!\w)([^\W\d_]{1,20}) ?= ?\d{1,6}(?:\.\d{1,6})?(?![\w.])")

# what a label says that a number is, in the languages of those who hand in
KINDS = {
    "elbo": re.compile(r"(?<![a-z])elbo(?![a-z])"),
    "kl": re.compile(r"(?<![a-z])kld?(?![a-z])|(?<![a-z\d])lkl(?![a-z])|kullback|divergen[zc]|дивергенц"),
    "nll": re.compile(
        r"(?<![a-z])(?:nll|mse|bce|sse)(?![a-z])|re[ck]on|(?<![a-z])re[ck](?![a-z])|ricostr|реконстр|восстан|cross.?ent|squared|quadrat"
    ),
    "ll": re.compile(r"lik?elihood|log.?lik|(?<![a-z])log_?p[x_(]|(?<![a-z])ll(?![a-z])|правдоп"),
    "loss": re.compile(
        r"loss|verlust|total|gesamt|summe|(?<![a-z])sum(?![a-z])|потер|objective|zielfunktion|perte|p[eé]rdida|perdita"
        r"|(?<![a-z])perda(?![a-z])|kayıp|strata|verlies|损失|損失"
    ),
}  # fmt: skip
MINUS = r"(?:neg\w{0,10}|minus|menos|moins|eksi|负|負|минус|отриц\w{0,10}|(?:^|[^\w)])[-\u2212])"
NEGATIVE = re.compile(MINUS + r"[ ._-]{0,3}(?:test[ _-]?)?(?:elbo|log|lik|ll(?![a-z]))|elbo[ _-]?loss")
LAST_PART = re.compile(r"[:(,;|/]")
MOST_LABELS = 1000  # that are remembered: a training prints the same ones in each epoch


@functools.lru_cache(MOST_LABELS)
def kind_of(label: str) -> str | None:
    """Say what a label names: ``elbo``, ``-elbo``, ``kl``, ``nll`` (or another error), ``ll``, ``loss``, or None."""
    parts = [part for part in LAST_PART.split(label) if part.strip()]
    for part in [*parts[-1:], label]:
        kinds = [kind for kind, pattern in KINDS.items() if pattern.search(part)]
        if kinds:
            return _one_kind(kinds, bool(NEGATIVE.search(part)))
    return None


def _one_kind(kinds: list[str], negative: bool) -> str:
    if "elbo" in kinds:
        return "-elbo" if negative else "elbo"
    if "kl" in kinds:  # a term and the KL named together are their sum
        return "loss" if "nll" in kinds else "kl"
    if "ll" in kinds:
        return "nll" if negative or ("nll" in kinds and "loss" in kinds) else "ll"
    return kinds[0]


class Reading(NamedTuple):
    """A number that was printed, and the words before it."""

    label: str  # lower case; of a table, its column's
    value: float
    decimals: int
    line: int
    text: str  # the line, as it was printed
    row: str = ""  # of a table, what stands before the numbers


def with_points(line: str) -> str:
    """Return a line with points in the place of decimal commas, where it has no decimal points."""
    return line if "," not in line or POINT.search(line) else COMMA.sub(r"\1\3.\2\4", line)


def to_number(text: str) -> float:
    return float(text.replace("\u2212", "-"))


def readings(text: str) -> list[Reading]:
    """Return every number of a text with its label, tables read by their columns."""
    found: list[Reading] = []
    columns: list[str] = []
    for number, raw in enumerate(text.split("\n")[:MOST_LINES]):
        line = with_points(WRAPPED.sub(r"\1", raw[:MOST_LINE].replace("**", " ").replace("`", " ")))
        if set(line.strip()) <= set("|-+: =\u2500"):
            continue  # a rule below a table's head, or an empty line
        of_line = list(of_plain_line(line, number, raw))
        named = bool(columns) and len(of_line) == len(columns) - 1 and bool(WORD.match(line.strip("| ")))
        if columns and (named or len(of_line) >= len(columns)) and not _words_between(line):
            found += of_table_row(of_line, columns[named:])  # the names of the rows have a column, too
            continue
        settings = is_settings(line)
        is_head = settings or line.lstrip().startswith("|") or not READING.search(IN_BRACKETS.sub(" ", line))
        head = columns_of(line) if is_head else []
        if head and (settings or any(map(kind_of, head))):
            columns = head
            continue
        if of_line or len(line.replace("|", " ").split()) > 1:  # the name of the rows may stand between head and rows
            columns = []
        found += of_line
    return found


def is_settings(line: str) -> bool:
    """Say whether a line holds several values of one setting and nothing else: "beta=1.0  beta=0.2" heads a table."""
    names = [match[1] for match in SETTING.finditer(line)]
    return len(names) >= LEAST_COLUMNS and len(set(names)) == 1 and not SETTING.sub("", line).strip(" |\t")


def _words_between(line: str) -> bool:
    """Say whether words stand between the numbers of a line, as no table has them."""
    numbers = list(READING.finditer(line))
    return any(WORD.search(line[a.end() : b.start()]) for a, b in pairwise(numbers))


def of_plain_line(line: str, number: int, printed: str) -> Iterator[Reading]:
    """Yield the numbers of a line, as it was printed: one without words before it bears the label of the one before."""
    label, end = "", 0
    counts = {match.start(1) for match in COUNT_OF_STEPS.finditer(line)}  # "last 10 steps: 0.02"
    for match in READING.finditer(line):
        if is_count_aside(line, match) or match.start() in counts:
            continue
        before = line[end : match.start()]
        if label and ENDS.fullmatch(before):  # "loss: start 0.3, end 0.1" is a loss twice
            label = f"{label} {before.lower().strip()}"[-MOST_LABEL:]
        elif WORD.search(before) or not label:
            label = before[-MOST_LABEL:].lower().strip()
        end = match.end()
        digits = match[0]
        yield Reading(label, to_number(digits), len(re.split("[eE]", digits)[0].partition(".")[2]), number, printed)


def is_count_aside(line: str, number: re.Match[str]) -> bool:
    """Say whether a number is part of a label, as in "(4 samples)" or "(mean of the last 50 steps)"."""
    if not ASIDE.match(line, number.end()):
        return False
    opens = line.rfind("(", 0, number.start())
    before = line[opens + 1 : number.start()] if opens >= 0 else ")"
    words = WORD.search(before) and not NO_ASIDE.search(before)
    return not before or bool(words and number[0].isdigit() and not UNIT.match(line, number.end()))


def columns_of(line: str) -> list[str]:
    """Return the names of a table's columns, where a line is nothing but names."""
    if "|" in line:
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
    else:
        cells = re.split(r" {2,}|\t", line.strip()) if re.search(r"\S {2,}\S|\t", line) else line.split()
    names = [cell for cell in cells if cell]
    if len(names) < LEAST_COLUMNS or not all(WORD.search(name) and len(name) < MOST_LABEL for name in names):
        return []
    return [name.lower() for name in names]


def of_table_row(of_line: list[Reading], columns: list[str]) -> list[Reading]:
    """Give the last numbers of a row the names of its columns, as many as there are."""
    numbers = of_line[-len(columns) :]
    line = numbers[0].text
    row = line[: READING.search(line).start()] if READING.search(line) else line  # pyright: ignore[reportOptionalMemberAccess]
    if len(of_line) > len(columns):
        row = " ".join([row, *(f"{r.value:g}" for r in of_line[: -len(columns)])])
    return [r._replace(label=name, row=row.strip(" |").lower()) for r, name in zip(numbers, columns, strict=True)]
