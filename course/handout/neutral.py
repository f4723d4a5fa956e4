"""What a student's notebook says before the student has looked: nothing that answers a question above it.

Captions and titles that state a finding become prompts, claims become numbers without a verdict or a band, and what a
cell's metadata lists under ``student`` (old text to new) is replaced.
"""

import ast
import re
from collections.abc import Iterator, Mapping

from course.notebooks.code import parse

CAPTION = "What do you see? Describe it here."
TITLE = "(your title)"
FINDING = 5  # words from which on a title may say what comes out
SPEAKERS = ("print", "show", "explore", "claim", "claims", "ValueError")  # calls whose strings are no titles
CLAIMS = re.compile(r"with claims\([^)]*\) as claim:")
ADDITION = re.compile(r'(claim\(\s*f?"[^";]*);[^"]*"')


def neutral(source: str, replacements: Mapping[str, str], name: str) -> str:
    """Return a code cell without what it says of results.

    Raises:
        ValueError: a text to replace is not there.
    """
    source = replaced(source, replacements, name)
    source = ADDITION.sub(r'\1"', CLAIMS.sub("with show_numbers() as claim:", source))
    if "from helpers.notebook import" in source:
        source = re.sub(r"\bclaims\b", "show_numbers", source)
    edits = [(node, CAPTION) for node in captions(parse(source))] + [(node, TITLE) for node in titles(parse(source))]
    lines = source.split("\n")
    for node, text in sorted(edits, key=lambda edit: (edit[0].lineno, edit[0].col_offset), reverse=True):
        line = lines[node.lineno - 1].encode()
        if node.end_lineno == node.lineno:
            start, end = node.col_offset, node.end_col_offset or 0
            lines[node.lineno - 1] = (line[:start] + f'"{text}"'.encode() + line[end:]).decode()
    return "\n".join(lines)


def replaced(text: str, replacements: Mapping[str, str], name: str) -> str:
    """Replace texts by others.

    Raises:
        ValueError: one is not there.
    """
    for old, new in replacements.items():
        if old not in text:
            raise ValueError(f"{name} does not hold {old!r} any more, which its metadata replaces for students")
        text = text.replace(old, new)
    return text


def captions(tree: ast.Module) -> Iterator[ast.Constant]:
    """Yield the strings that are captions: ``alt="..."``, as an argument or by itself."""
    for node in ast.walk(tree):
        value = _named(node, "alt")
        if value is not None:
            yield value


def titles(tree: ast.Module) -> Iterator[ast.Constant]:
    """Yield the strings of several words that are titles: by their name, or as arguments of what draws."""
    for node in ast.walk(tree):
        value = _named(node, "title")
        found = [value] if value is not None else []
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] not in SPEAKERS:
            found += [argument for argument in node.args if isinstance(argument, ast.Constant)]
        yield from (one for one in found if isinstance(one.value, str) and len(one.value.split()) >= FINDING)


def _named(node: ast.AST, name: str) -> ast.Constant | None:
    """Return the string that a keyword or an assignment gives a name."""
    value = node.value if isinstance(node, ast.keyword) and node.arg == name else None
    if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == [name]:
        value = node.value
    elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple) and isinstance(node.targets[0], ast.Tuple):
        pairs = zip(node.targets[0].elts, node.value.elts, strict=False)
        value = next((v for t, v in pairs if ast.unparse(t) == name), None)
    return value if isinstance(value, ast.Constant) and isinstance(value.value, str) else None
