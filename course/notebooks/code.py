"""Parse the code of cells as IPython reads it, and say what it defines, uses and shows; nothing is executed."""

import ast
import re
import warnings
from collections.abc import Iterator
from textwrap import dedent

NAME_PLACE = {"show": 1, "explore": 2}  # where the figure's name stands among a function's arguments
Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
DEEPEST = 150  # nodes below one another: whatever goes down a tree takes a few calls for each, and has a thousand

# ---------------------------------------------------------------- IPython's own syntax

BLANK = " \t\n\f"
PYTHON_MAGICS = frozenset(("capture", "debug", "memit", "prun", "time", "timeit"))  # whose cell is run as Python
CELL_MAGIC = re.compile(r"%%(\w+)([^\n]*)")
COMMAND = re.compile(r"([ \t]*)(%|!!|!|\?\??|[,;/])((?:\\\n|[^\n])*)")
CAPTURE = re.compile(r"((?:[^\n=#\"'(){}\[\]]|\[[^\n\]]{0,80}\]){0,400}=[ \t]*)([%!])((?:\\\n|[^\n])*)")
QUESTION = re.compile(r"([ \t]*)(%{0,2}[\w.*\[\]]{1,200})(\?\??)[ \t]*(?=\n|\Z)")
PROMPT = re.compile(r"^(?:>>>|\.\.\.|In \[\d+\]:|[ ]{0,9}\.\.\.+:)(?:[ ]|$)", re.MULTILINE)
MARK = re.compile(r"\\\n|\"\"\"|'''|[\"'#()\[\]{}\n]")
STRING_ENDS = {quote: re.compile(rf"\\[\s\S]|{quote}") for quote in ('"""', "'''")}
STRING_ENDS |= {quote: re.compile(rf"\\[\s\S]|[{quote}\n]") for quote in "\"'"}


def parse(source: str) -> ast.Module:
    """Return a cell's code as Python, with IPython's magics turned into calls; lines keep their numbers.

    Raises:
        SyntaxError: it is no Python.
        ValueError, RecursionError, MemoryError: it is more than the parser takes, or nested more deeply than
            anybody writes.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about escapes such as "\\d", which are their author's
        try:
            tree = ast.parse(source if not PROMPT.match(source.lstrip(BLANK)) else as_python(source))
        except SyntaxError:
            tree = ast.parse(as_python(source))
    if is_too_deep(tree):
        raise RecursionError(f"it is nested more than {DEEPEST} deep")
    return tree


def is_too_deep(tree: ast.AST) -> bool:
    """Say whether more nodes than ``DEEPEST`` stand below one another."""
    level = [tree]
    for _ in range(DEEPEST):
        level = [inner for node in level for inner in ast.iter_child_nodes(node)]
        if not level:
            return False
    return True


def parse_or_none(source: str) -> ast.Module | None:
    """Return a cell's code as Python; None where it is none, or more than the parser takes."""
    try:
        return parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def is_empty(source: str) -> bool:
    """Say whether a cell holds nothing but comments."""
    return all(not line.strip() or line.lstrip().startswith("#") for line in source.splitlines())


def as_python(source: str) -> str:
    """Turn IPython's syntax into calls, one statement after the other, in time that grows as the source does.

    IPython itself reads the whole cell again for each magic, and gives up after 500.
    """
    text = _plain(source)
    position = text.rfind("\n", 0, len(text) - len(text.lstrip(BLANK))) + 1
    parts = ["\n" * text.count("\n", 0, position)]
    magic = CELL_MAGIC.match(text, position)
    if magic and magic[1] not in PYTHON_MAGICS:
        return f"{parts[0]}get_ipython().run_cell_magic({magic[1]!r}, {magic[2]!r}, {text[magic.end() + 1 :]!r})"
    while position < len(text):
        end, call = _command(text, position)
        if call is None:
            end = _end_of_statement(text, position)
            parts.append(text[position:end])
        else:
            parts += [call, "\n" * text.count("\n", position, end)]
        position = end
    return "".join(parts)


def _plain(source: str) -> str:
    """Return the source with line feeds only, and without the prompts and the indentation of what was pasted."""
    text = source.replace("\r\n", "\n").replace("\r", "\n")
    if PROMPT.match(text.lstrip(BLANK)):
        text = PROMPT.sub("", dedent(text))
    blanks = text[: len(text) - len(text.lstrip(BLANK))]
    return text if blanks[-1:] in ("", "\n") else dedent(text)


def _command(text: str, position: int) -> tuple[int, str | None]:
    """Return where the command at the start of a statement ends, and the call that it means; None where none is."""
    question = QUESTION.match(text, position)
    if question:
        indent, name, marks = question.groups()
        return question.end(), indent + _call(marks, name)
    command = COMMAND.match(text, position)
    if command:
        indent, escape, rest = command.groups()
        return command.end(), indent + _call(escape, rest)
    capture = CAPTURE.match(text, position)
    if capture:
        target, escape, rest = capture.groups()
        return capture.end(), target + _call("!!" if escape == "!" else escape, rest)
    return position, None


def _call(escape: str, rest: str) -> str:
    """Write the call that a command means; calls without brackets (``/f x``), which IPython knows too, mean none."""
    words = rest.replace("\\\n", " ").strip()
    if escape == "%":
        name, _, arguments = words.partition(" ")
        return f"get_ipython().run_line_magic({name!r}, {arguments.strip()!r})"
    if escape.startswith("?"):
        magic = "pinfo" if escape == "?" else "pinfo2"
        return f"get_ipython().run_line_magic({magic!r}, {words!r})"
    if escape.startswith("!"):
        return f"get_ipython().{'system' if escape == '!' else 'getoutput'}({words!r})"
    return "pass"


def _end_of_statement(text: str, position: int) -> int:
    """Return where the statement that starts at ``position`` ends, its line feed included."""
    depth = 0
    while mark := MARK.search(text, position):
        position = mark.end()
        if mark[0] in STRING_ENDS:
            position = _end_of_string(text, position, mark[0])
        elif mark[0] == "#":
            position = text.find("\n", position)
            if position < 0:
                break
        elif mark[0] in "([{":
            depth += 1
        elif mark[0] in ")]}":
            depth = max(0, depth - 1)
        elif mark[0] == "\n" and not depth:
            return position
    return len(text)


def _end_of_string(text: str, position: int, quote: str) -> int:
    """Return where a string ends whose opening quote ends at ``position``; a short one never goes over its line."""
    for mark in STRING_ENDS[quote].finditer(text, position):
        if mark[0] == quote:
            return mark.end()
        if mark[0] == "\n":
            return mark.start()
    return len(text)


# ---------------------------------------------------------------- what the code says


def bound(statement: ast.stmt) -> Iterator[str]:
    """Yield the names that a statement binds at the top level; what functions and classes bind inside stays there."""
    pending: list[ast.AST] = [statement]
    while pending:
        node = pending.pop()
        yield from _bound_by(node)
        if not isinstance(node, Scope | Comprehension | ast.Import | ast.ImportFrom | ast.Lambda):
            pending.extend(ast.iter_child_nodes(node))


def _bound_by(node: ast.AST) -> Iterator[str]:
    """Yield the names that this node itself binds."""
    if isinstance(node, Scope):
        yield node.name
        yield from _bound_outside(node)
    elif isinstance(node, Comprehension):
        yield from _bound_outside(node)
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from (alias.asname or alias.name.split(".")[0] for alias in node.names)
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif isinstance(node, ast.ExceptHandler) and node.name:
        yield node.name


def _bound_outside(scope: ast.AST) -> Iterator[str]:
    """Yield the names that the inside of a function, class or comprehension binds around it."""
    for inner in ast.walk(scope):
        if isinstance(inner, ast.Global):
            yield from inner.names
        elif isinstance(inner, ast.NamedExpr) and isinstance(scope, Comprehension):
            yield inner.target.id


def imported_modules(tree: ast.Module | None) -> set[str]:
    """Return the modules that a cell's imports name."""
    modules: set[str] = set()
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.ImportFrom):
            modules.add(node.module or "")
        elif isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
    return modules


def figure_names(tree: ast.Module) -> Iterator[str]:
    """Yield the names of the figures that a cell's ``show`` or ``explore`` displays."""
    for node in tree.body:
        call = node.value if isinstance(node, ast.Expr) else None
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            continue
        place = NAME_PLACE.get(call.func.id, len(call.args))
        name = call.args[place] if place < len(call.args) else None
        if isinstance(name, ast.Constant) and isinstance(name.value, str):
            yield name.value


# ---------------------------------------------------------------- what is not finished

EMPTY_REGION = re.compile(
    r"^[^\S\n]*### START CODE HERE ###(?:[^\S\n]*(?:#(?!## )[^\n]*)?\n)*[^\S\n]*### END CODE HERE ###", re.MULTILINE
)  # from the beginning of a line, one turn a line: there is one way only to match a comment


def is_stub(node: ast.stmt) -> bool:
    """Say whether a function raises NotImplementedError, or does nothing but ``pass``."""
    if not isinstance(node, ast.FunctionDef | ast.ClassDef):
        return False
    body = [n for n in node.body if not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))]
    if isinstance(node, ast.FunctionDef) and all(isinstance(n, ast.Pass) for n in body):
        return True
    return any(_raises_not_implemented(n) for n in ast.walk(node))


def _raises_not_implemented(node: ast.AST) -> bool:
    if not isinstance(node, ast.Raise) or node.exc is None:
        return False
    return any(isinstance(n, ast.Name) and n.id == "NotImplementedError" for n in ast.walk(node.exc))
