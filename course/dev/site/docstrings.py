"""Docstrings for the API reference: their formulas, which the source has as plain text, are typeset.

A block of a docstring that is indented, belongs to none of its sections, and is no Python is taken as formulas, a line
each. They are written as people write mathematics in a text file, ``KL = 1/2 sum_j (mu_j^2 + ...)``, and turned into
TeX word by word.
"""

import ast
import re
from collections.abc import Iterator
from itertools import groupby
from textwrap import dedent

SECTION = re.compile(r"(Args|Returns|Raises|Yields|Attributes):$")
TOKEN = re.compile(
    r"(?P<gap>,?\s{2,})|(?P<hat>[A-Za-z]_hat\b)|(?P<ratio>[A-Za-z0-9]+/[A-Za-z0-9]+(?:\^\d)?)|(?P<root>sqrt\()"
    r"|(?P<sub>_[A-Za-z0-9]+)|(?P<word>[A-Za-z]+)|(?P<bars> \|\| |\|\|)|(?P<sign><=|<-|[*~]| \. )|(?P<rest>.)"
)
CODE = re.compile(r"(``.*?``|`.*?`)")
GREEK = {"mu": r"\mu", "sigma": r"\sigma", "beta": r"\beta", "pi": r"\pi", "eps": r"\varepsilon"}
WORDS = {
    **GREEK, "N": r"\mathcal{N}", "E": r"\mathbb{E}", "H": r"\mathbb{H}", "KL": r"\mathrm{KL}", "std": r"\sigma",
    "log": r"\log ", "exp": r"\exp ", "sin": r"\sin ", "cos": r"\cos ", "min": r"\min ", "sum": r"\sum ",
    "prod": r"\prod ", "grad": r"\nabla ", "diag": r"\operatorname{diag}",
}  # fmt: skip
SIGNS = {"<=": r"\le ", "<-": r"\leftarrow ", "*": r"\,", "~": r"\sim ", " . ": r" \cdot "}


def typeset(lines: list[str]) -> list[str]:
    """Return a docstring in which formulas are math directives, and code is a code block, for reStructuredText."""
    typeset_lines: list[str] = []
    for indented, block in blocks(lines):
        if not indented:
            typeset_lines += [without_substitutions(line) for line in block]
            continue
        text = [line.strip() for line in block if line.strip()]
        if is_python("\n".join(block)):
            typeset_lines += ["", ".. code-block:: python", "", *block, ""]
        else:
            typeset_lines += ["", ".. math::", ""]
            for formula in text:
                typeset_lines += [f"   {tex(formula)}", ""]
    return typeset_lines


def blocks(lines: list[str]) -> Iterator[tuple[bool, list[str]]]:
    """Part a docstring into blocks that are indented, outside of sections, and all else."""
    in_section = False
    marked: list[tuple[bool, str]] = []
    for line in lines:
        if line and not line[0].isspace():
            in_section = bool(SECTION.match(line))
        blank_in_block = not line.strip() and bool(marked) and marked[-1][0]
        marked.append((blank_in_block or (line.startswith("    ") and not in_section), line))
    for indented, block in groupby(marked, key=lambda pair: pair[0]):
        yield indented, [line for _, line in block]


def without_substitutions(line: str) -> str:
    """Escape the bars of p(x|z) and of |z|, outside of code: reStructuredText would look for what they enclose."""
    parts = CODE.split(line)
    return "".join(part if place % 2 else part.replace("|", r"\|") for place, part in enumerate(parts))


def is_python(text: str) -> bool:
    """Say whether Python could run a text: plain mathematics leaves the signs of its products out."""
    try:
        ast.parse(dedent(text))
    except SyntaxError:
        return False
    return True


def tex(formula: str) -> str:
    """Return a formula in TeX.

    Raises:
        ValueError: a square root that is not closed.
    """
    formula = formula.replace("log_s_", "log s_")
    parts, place = [], 0
    while place < len(formula):
        match = TOKEN.match(formula, place)
        assert match is not None  # the last way takes any character
        kind, text, place = str(match.lastgroup), match[0], match.end()
        if kind == "root":
            end = closing(formula, place)
            parts.append(rf"\sqrt{{{tex(formula[place:end])}}}")
            place = end + 1
        elif kind == "word":
            parts.append(word(text, before=formula[: match.start()], after=formula[place:]))
        else:
            parts.append(one(kind, text))
    return "".join(parts)


def one(kind: str, text: str) -> str:
    """Return one token in TeX, by its kind."""
    if kind == "gap":
        return rf"{',' if text.startswith(',') else ''}\quad "
    if kind == "hat":
        return rf"\hat{{{text[0]}}}"
    if kind == "ratio":
        upper, lower = text.split("/")
        return rf"\tfrac{{{tex(upper)}}}{{{tex(lower)}}}"
    if kind == "sub":
        return f"_{{{subscript(text[1:])}}}"
    if kind == "bars":
        return r"\,\|\," if text.startswith(" ") else r"\|"
    return SIGNS.get(text, text)


def subscript(name: str) -> str:
    """Return an index: letters are variables, longer names are names."""
    return GREEK.get(name) or (name if len(name) == 1 or set(name) <= set("jk") else rf"\mathrm{{{name}}}")


def word(text: str, before: str, after: str) -> str:
    """Return a word in TeX: a known one by its sign, a letter as a variable, else upright, with its spaces."""
    if text in WORDS:
        return WORDS[text]
    if len(text) == 1:
        return text
    left, right = " " * before.endswith(" "), " " * after.startswith(" ")
    return rf"\text{{{left}{text}{right}}}"


def closing(text: str, start: int) -> int:
    """Find the parenthesis that closes the one before ``start``."""
    depth = 1
    for place in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        if not depth:
            return place
    raise ValueError(f"a parenthesis is not closed in the formula {text!r}")
