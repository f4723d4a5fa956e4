"""Whether a finished notebook can be handed in, said in its author's words.

Works on any notebook, one made by hand too; nothing of it is executed. What is checked is form and presence: cells run
once and in order, no error, every task and figure there, nothing that belongs to one machine or to nobody else's eyes.
"""

import ast
import json
import mmap
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import nbformat

from course import assignments
from course.assignments import FIGURES, Figure, Task
from course.handin import inlining
from course.inbox import names

LARGEST_FILE = 20_000_000  # bytes; ours have at most 3 MB, and a course's upload form takes little more
LARGEST_SHOWN = 3
MOST_CELLS = 2_000
SHOWN_OF_A_KIND = 8
FIGURE_LINE = re.compile(r"^figure ([a-z0-9_]+)$", re.MULTILINE)
EMPTY_REGION = re.compile(r"### START CODE HERE ###\s*(?:#(?!## ).*\s*)*### END CODE HERE ###")
ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")

PATHS = re.compile(
    r"(?<![\w.:/~)\]}-])/(?:home|Users|root|tmp|mnt|media|opt|work|workspace|content|kaggle|Volumes|private|scratch)"
    r"/[\w.@-]+"
    r"|file:///\w+|\b[A-Za-z]:(?:\\{1,2}|/)(?:Users|Program|Windows|Documents|Temp|temp|home)\b"
)
LIBRARIES = re.compile(r"\S*(?:site|dist)-packages\S*")  # where a library lives: in its warnings
SECRETS = {
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "an AWS access key": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "a GitHub token": re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,})"),
    "a GitLab token": re.compile(r"\bglpat-[\w-]{20,}"),
    "a Hugging Face token": re.compile(r"\bhf_[A-Za-z0-9]{30,}"),
    "an API key": re.compile(r"\b(?:sk-[A-Za-z0-9_-]{20,}|AIza[\w-]{35})"),
    "a Slack token": re.compile(r"\bxox[abprs]-[\w-]{10,}"),
    "a signed token (JWT)": re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"),
    "a password in an address": re.compile(r"\b[a-z][a-z+]*://[^\s/:@'\"{}]+:[^\s/@'\"{}]+@"),
    "a password": re.compile(
        r"""(?i)\b(?:\w*_)?(?:password|passwd|passphrase|secret|api_?key|access_?key|auth_?token|token)["']?"""
        r"""\s*[=:]\s*["'][^"'\s]{6,}["']"""
    ),
}  # fmt: skip


class Finding(NamedTuple):
    """One thing to say about a notebook; a problem is to be mended before handing in, a note is to be known."""

    problem: bool
    text: str


def validate(path: Path, assignment: str | None = None) -> list[Finding]:
    """All there is to say about the file ``path``; it can be handed in when none is a problem.

    Args:
        assignment: ``a1`` to ``a5``; read off the file's name where not given.

    Raises:
        ValueError: an unknown assignment.
        OSError: there is no such file, or it cannot be read.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}: look at its name and folder")
    named = names.FORM.fullmatch(path.name)
    findings = [] if named else [_problem(
        f"The file is called {path.name}; the course asks for name_surname_a1.ipynb, in small letters without umlauts, "
        "such as max_mustermann_a1.ipynb."
    )]  # fmt: skip
    assignment = assignment or (named["assignment"] if named else None)
    if named and named["assignment"] != assignment:
        findings.append(_problem(f"The file's name says {named['assignment']}, but you are handing in {assignment}."))
    if assignment is None:
        findings.append(
            _problem("Which assignment this is cannot be told from its name, so its tasks were not checked.")
        )
    elif named and assignment not in assignments.ASSIGNMENTS:
        findings.append(_problem(f"There is no assignment {assignment}: {', '.join(assignments.ASSIGNMENTS)} exist."))
        assignment = None
    size = path.stat().st_size
    if size > LARGEST_FILE:
        return [*findings, _too_large(size, largest_outputs(path))]
    return findings + check(path.read_bytes(), assignment)


def check(content: bytes, assignment: str | None) -> list[Finding]:
    """:func:`validate` of a file's content, whatever its name."""
    if len(content) > LARGEST_FILE:
        return [
            _problem(f"The notebook has {len(content) / 1e6:.0f} MB; at most {LARGEST_FILE / 1e6:.0f} MB are taken.")
        ]
    nb = _parsed(content)
    if isinstance(nb, str):
        return [_problem(nb)]
    view = _View(nb)
    findings = [
        *_execution(view), *_errors(view), *_imports(view), *_twice(view, assignment), *_private(view), *_remarks(view),
    ]  # fmt: skip
    if assignment is not None:
        for task in assignments.find(assignment).tasks:
            findings += _task(view, task)
        findings += _promised(view, assignment)
    return findings


def report(path: Path, findings: list[Finding]) -> str:
    """The findings as text, problems first."""
    problems, notes = ([f.text for f in findings if f.problem is kind] for kind in (True, False))
    head = f"{path}: {f'{len(problems)} to mend' if problems else 'ready to hand in'}"
    return "\n".join([head, *(f"- {text}" for text in problems), *(f"  note: {text}" for text in notes)])


def _problem(text: str) -> Finding:
    return Finding(True, text)


# ---------------------------------------------------------------- reading


def _parsed(content: bytes) -> nbformat.NotebookNode | str:
    """The notebook, or what is wrong with it as one."""
    start = content.lstrip(b"\xef\xbb\xbf \r\n\t")[:15].lower()
    if not start:
        return "The file is empty: save the notebook again."
    if start.startswith(b"pk\x03\x04"):
        return "This is a zip archive: hand in the notebook itself."
    if start.startswith((b"<!doctype", b"<html", b"%pdf")):
        return "This is a web page or a PDF, not a notebook: hand in the .ipynb file itself."
    try:
        raw = json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        return f"The file is not text in UTF-8 (byte {error.start:,}), so it is no notebook: download or save it again."
    except json.JSONDecodeError as error:
        return (
            f"The file is not a notebook: it breaks off or is damaged at line {error.lineno}, column {error.colno} "
            f"({error.msg}). Save it again in Jupyter or Colab, and hand in that file unchanged."
        )
    except (RecursionError, ValueError):
        return "The file is nested too deeply, or holds too long a number, for a notebook: save it again in Jupyter."
    version = raw.get("nbformat") if isinstance(raw, dict) else None
    if not isinstance(version, int) or isinstance(version, bool):
        return (
            "The file is JSON, but no notebook (it has no nbformat number): hand in the .ipynb file that Jupyter saved."
        )
    if version != 4:
        age = "an old" if version < 4 else "an unknown, newer"
        return (
            f"The notebook is in {age} format (nbformat {version}, expected 4): open it in a current Jupyter or Colab, "
            "run all cells and save it."
        )
    if not isinstance(raw.get("cells"), list) or len(raw["cells"]) > MOST_CELLS:
        return f"A list of at most {MOST_CELLS} cells was expected under 'cells': save the notebook again in Jupyter."
    if not raw["cells"]:
        return "The notebook has no cells."
    try:
        nb = nbformat.from_dict(raw)
        if not _is_int(raw.get("nbformat_minor")):
            nb.nbformat_minor = 5
        problem = _unlike_a_notebook(nb)
    except RecursionError:
        problem = "it is nested too deeply"
    if problem:
        return f"The notebook's structure is damaged ({problem}): open it in Jupyter, run all cells and save it."
    return nb


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _unlike_a_notebook(nb: nbformat.NotebookNode) -> str | None:
    """The first thing that the notebook format does not know; small omissions of other tools are let pass."""
    for number, cell in enumerate(nb.cells, 1):
        if not isinstance(cell, dict) or cell.get("cell_type") not in ("code", "markdown", "raw"):
            return f"cell {number} is neither code nor text"
        if not _is_text(cell.get("source")):
            return f"cell {number} has no text"
        if cell.cell_type == "code":
            outputs = cell.setdefault("outputs", [])
            cell.setdefault("execution_count", None)
            if not isinstance(outputs, list) or not all(isinstance(o, dict) and _is_output(o) for o in outputs):
                return f"an output of cell {number} is of no known kind"
            if not (cell.execution_count is None or _is_int(cell.execution_count)):
                return f"cell {number} has no proper number"
    return None


def _is_text(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(v, str) for v in value))


def _is_output(output: dict) -> bool:
    kind = output.get("output_type")
    if kind == "stream":
        return _is_text(output.get("text"))
    if kind in ("display_data", "execute_result"):
        return isinstance(output.get("data"), dict)
    return kind == "error"


def _mapping(value: object) -> dict:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return "".join(value) if isinstance(value, list) and _is_text(value) else value if isinstance(value, str) else ""


@dataclass(frozen=True)
class _Cell:
    number: int  # in the notebook, from 1, text cells included
    source: str
    count: int | None
    outputs: list[dict]
    tree: ast.Module | None  # None where the code does not parse

    @property
    def name(self) -> str:
        if any(pattern.search(self.source) for pattern in SECRETS.values()):
            return f"cell {self.number}"  # a secret is not repeated
        line = next((ln.strip() for ln in self.source.splitlines() if ln.strip()), "")
        return f"cell {self.number} ({line[:50]}{'...' if len(line) > 50 else ''})"

    @cached_property
    def words(self) -> set[str]:
        """Names and attributes in the code, and words of a cell that does not parse."""
        if self.tree is None:
            return set(re.findall(r"\w+", self.source))
        nodes = list(ast.walk(self.tree))
        found = {n.id for n in nodes if isinstance(n, ast.Name)} | {
            n.attr for n in nodes if isinstance(n, ast.Attribute)
        }
        found |= {a.asname or a.name for n in nodes if isinstance(n, ast.Import | ast.ImportFrom) for a in n.names}
        return found | {n.arg for n in nodes if isinstance(n, ast.keyword | ast.arg) and n.arg}

    @cached_property
    def strings(self) -> str:
        """All string literals, f-strings' fixed parts included."""
        if self.tree is None:
            return self.source
        return "\n".join(
            n.value for n in ast.walk(self.tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)
        )

    @cached_property
    def pictures(self) -> int:
        kinds = ("image/png", "image/jpeg", "image/svg+xml", "image/gif", "application/vnd.plotly.v1+json")
        return sum(any(k in _mapping(o.get("data")) for k in kinds) for o in self.outputs)

    @cached_property
    def text(self) -> str:
        """What the cell printed."""
        parts = []
        for o in self.outputs:
            parts.append(_text(o.get("text")) or _text(_mapping(o.get("data")).get("text/plain")))
            parts.append(
                "\n".join(t for t in o["traceback"] if isinstance(t, str))
                if isinstance(o.get("traceback"), list)
                else ""
            )
        return ANSI.sub("", "\n".join(p for p in parts if p))


class _View:
    """A notebook as the checks look at it."""

    def __init__(self, nb: nbformat.NotebookNode) -> None:
        numbered = list(enumerate(nb.cells, 1))
        self.code = [_cell(n, c) for n, c in numbered if c.cell_type == "code" and _text(c.source).strip()]
        self.prose = [(n, _text(c.source)) for n, c in numbered if c.cell_type == "markdown"]
        self.origin = _mapping(nb.get("metadata")).get("submission")

    @cached_property
    def words(self) -> set[str]:
        return set().union(*(c.words for c in self.code))

    @cached_property
    def printed(self) -> str:
        return "\n".join(c.text for c in self.code)

    @cached_property
    def definitions(self) -> dict[str, list[tuple[_Cell, ast.AST | None]]]:
        """Where functions, classes, methods (``VAE.forward``) and variables get their meaning."""
        found: dict[str, list[tuple[_Cell, ast.AST | None]]] = {}
        for cell in self.code:
            for node in cell.tree.body if cell.tree else ():
                for name in inlining.bound(node):
                    found.setdefault(name, []).append((cell, node))
                if isinstance(node, ast.ClassDef):
                    for part in node.body:
                        if isinstance(part, ast.FunctionDef):
                            found.setdefault(f"{node.name}.{part.name}", []).append((cell, part))
        return found


def _cell(number: int, cell: dict) -> _Cell:
    source = _text(cell.source)
    try:
        tree = inlining.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        tree = None
    return _Cell(number, source, cell.execution_count, cell.outputs, tree)


# ---------------------------------------------------------------- checks


def _execution(view: _View) -> Iterator[Finding]:
    """Every code cell once, in order."""
    if not view.code:
        yield _problem("The notebook has no code cells.")
        return
    unrun = [c for c in view.code if c.count is None]
    if len(unrun) == len(view.code):
        yield _problem("No cell has been run: choose 'Restart kernel and run all cells', wait, and save.")
        return
    for cell in _few(unrun):
        yield _problem(f"You have not run {cell.name} since you last changed it, or since you opened the notebook.")
    counts = [c.count for c in view.code if c.count is not None]
    if counts == list(range(1, len(counts) + 1)):
        return
    for before, after in pairwise(view.code):
        if before.count is not None and after.count is not None and after.count <= before.count:
            yield _problem(
                f"Cells were run out of order: {after.name} was run as number {after.count}, before "
                f"{before.name}, number {before.count}. Choose 'Restart kernel and run all cells', and save."
            )
            return
    yield _problem(
        f"Cells were run more than once, or some are gone: the numbers go from {counts[0]} to {counts[-1]} over "
        f"{len(counts)} cells. Choose 'Restart kernel and run all cells', and save."
    )


def _errors(view: _View) -> Iterator[Finding]:
    for cell in view.code:
        for o in cell.outputs:
            if o.get("output_type") == "error":
                what = ANSI.sub("", f"{_text(o.get('ename'))}: {_text(o.get('evalue'))}").strip()
                for pattern in SECRETS.values():
                    what = pattern.sub("...", what)
                yield _problem(
                    f"{_capital(cell.name)} ended in an error: {what[:200].splitlines()[0] if what else '?'}"
                )
        if cell.tree is None:
            yield _problem(f"{_capital(cell.name)} is not valid Python.")
        if EMPTY_REGION.search(cell.source):
            yield _problem(f"{_capital(cell.name)} is not finished: nothing stands between START and END.")


def _imports(view: _View) -> Iterator[Finding]:
    for cell in view.code:
        modules = {
            n.module or "" if isinstance(n, ast.ImportFrom) else n.names[0].name
            for n in (ast.walk(cell.tree) if cell.tree else ())
            if isinstance(n, ast.Import | ast.ImportFrom)
        }
        if any(m.split(".")[0] == "helpers" for m in modules):
            yield _problem(
                f"{_capital(cell.name)} imports the helpers, which are not part of the file: make it with "
                "'python -m course submit', which writes them into it."
            )


def _twice(view: _View, assignment: str | None) -> Iterator[Finding]:
    """Classes defined twice, and functions that the assignment asks for."""
    asked = set()
    if assignment is not None:
        asked = {n.split(".")[0] for t in assignments.find(assignment).tasks for d in t.defines for n in d.split("|")}
    for name, places in view.definitions.items():
        defined = [(c, n) for c, n in places if isinstance(n, ast.ClassDef | ast.FunctionDef) and "." not in name]
        is_class = any(isinstance(n, ast.ClassDef) for _, n in defined)
        if len(defined) > 1 and (is_class or name in asked):
            cells = ", ".join(str(c.number) for c, _ in defined)
            kind = "class" if is_class else "function"
            yield _problem(
                f"The {kind} {name} is defined {len(defined)} times, in cells {cells}: from cell "
                f"{defined[-1][0].number} on another one answers to that name. Keep one, or give them different names."
            )


def _private(view: _View) -> Iterator[Finding]:
    """Paths of one machine, and what looks like a secret; a secret is never repeated."""
    places = [(f"cell {n}", "the text", text) for n, text in view.prose]
    for cell in view.code:
        places += [(cell.name, "the code", cell.source), (cell.name, "the output", cell.text)]
    paths, secrets = [], []
    for where, part, text in places:
        found = PATHS.search(LIBRARIES.sub("", text))
        if found:
            paths.append(
                f"{_capital(part)} of {where} names a folder of one machine ({found[0]}): use a path relative to the "
                "notebook, or clear that output's cause."
            )
        for what, pattern in SECRETS.items():
            if pattern.search(text):
                secrets.append(
                    f"{_capital(part)} of {where} contains what looks like {what}: take it out, run the notebook "
                    "again, and change it where it is used."
                )
                break
    yield from map(_problem, [*_few(paths), *_few(secrets)])


def _remarks(view: _View) -> Iterator[Finding]:
    failed = view.printed.count("✗ FAILS |")
    if failed:
        yield Finding(False, f"{failed} of the notebook's own claims fail; search the outputs for ✗.")
    unjudged = Counter(re.findall(r"– not judged: ([^|\n]+?) \|", view.printed))
    for why, times in unjudged.items():
        yield Finding(False, f"{times} claims are not judged ({why}): such results are not worth handing in.")
    if isinstance(view.origin, dict) and view.origin.get("outputs") == "taken over":
        yield Finding(False, "The outputs were taken over from the notebooks' own runs; this file itself was not run.")


def _task(view: _View, task: Task) -> Iterator[Finding]:
    """What is missing of one task."""
    missing = []
    for wanted in task.defines:
        options = wanted.split("|")
        if not any(name in view.definitions for name in options):
            missing.append(f"nothing is called {' or '.join(options)}")
            continue
        for name in options:
            if name in view.definitions and _is_stub(view.definitions[name][-1][1]):
                missing.append(f"{name} is still a stub")
    missing += [f"{' or '.join(u.split('|'))} is not used" for u in task.uses if not view.words & set(u.split("|"))]
    missing += [f"no output shows {what}" for what, pattern in task.prints if not re.search(pattern, view.printed)]
    prose = "\n".join(text for _, text in view.prose)
    missing += [f"no text cell says {what}" for what, pattern in task.writes if not re.search(pattern, prose)]
    missing += [m for name in task.figures if (m := _missing_figure(view, FIGURES[name]))]
    if missing:
        yield _problem(f"Task {task.name} ({task.asks}) is missing or not finished: {'; '.join(missing)}.")


def _is_stub(node: ast.AST | None) -> bool:
    """Whether a function raises NotImplementedError, or says nothing but ``pass``."""
    if not isinstance(node, ast.FunctionDef | ast.ClassDef):
        return False
    body = [n for n in node.body if not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))]
    if isinstance(node, ast.FunctionDef) and all(isinstance(n, ast.Pass) for n in body):
        return True
    raised = (n.exc for n in ast.walk(node) if isinstance(n, ast.Raise))
    return any(isinstance(n, ast.Name) and n.id == "NotImplementedError" for e in raised if e for n in ast.walk(e))


def _missing_figure(view: _View, figure: Figure) -> str | None:
    """Why a figure is missing; None where it is there."""
    naming = [c for c in view.code if re.search(rf"(?<!\w){figure.name}(?!\w)", f"{c.strings}\n{c.text}")]
    drawing = [c for c in view.code if c.words & set(figure.drawn_by) and c.pictures]
    if any(c.pictures for c in naming) or drawing:
        return None
    if naming:
        return f"{naming[0].name} names the figure {figure.name}, but no picture is stored under it"
    return f"there is no figure {figure.name}"


def _promised(view: _View, assignment: str) -> Iterator[Finding]:
    """Figures that a cell shows by name, beyond those that a task asks for."""
    asked = {name for t in assignments.find(assignment).tasks for name in t.figures}
    for cell in view.code:
        named = set(shown(cell.tree)) - asked if cell.tree else set()
        if named and not cell.pictures and cell.count is not None:
            yield _problem(
                f"{_capital(cell.name)} shows {', '.join(sorted(named))}, but no picture is stored under it."
            )


def shown(tree: ast.Module) -> Iterator[str]:
    """Names of the figures that a cell's ``show`` or ``explore`` displays."""
    place = {"show": 1, "explore": 2}  # of the name among the arguments
    for node in tree.body:
        call = node.value if isinstance(node, ast.Expr) else None
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            continue
        at = place.get(call.func.id, len(call.args))
        name = call.args[at] if at < len(call.args) else None
        if isinstance(name, ast.Constant) and isinstance(name.value, str):
            yield name.value


def _few(items: list) -> Iterable:
    """No more than anybody would read of one kind."""
    return items[:SHOWN_OF_A_KIND]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


# ---------------------------------------------------------------- too large to be read


def _too_large(size: int, largest: list[tuple[int, int]]) -> Finding:
    large = [f"cell {number} has {n / 1e6:.1f} MB of output" for number, n in largest if n > size / 100]
    where = _capital("; ".join(large) or "no output is large")
    return _problem(
        f"The file has {size / 1e6:.0f} MB, at most {LARGEST_FILE / 1e6:.0f} MB are taken. {where}. Print less there, "
        "or show fewer or smaller pictures; the rest is checked when it is smaller."
    )


def largest_outputs(path: Path) -> list[tuple[int, int]]:
    """Numbers of the cells with the largest outputs, and their bytes; memory does not grow with the file.

    Reads the JSON's brackets and strings only, so it copes with files of any size, and with damaged ones.
    """
    sizes: Counter[int] = Counter()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        depth, cell, start, key = 0, 0, 0, b""
        token = re.compile(rb'["{}\[\]]')
        position = 0
        while found := token.search(data, position):
            position = found.end()
            mark = found[0]
            if mark == b'"':
                begin, position = position, _end_of_string(data, position)
                if depth == 3 and not start and position - begin < 40:
                    key = data[begin : position - 1]
            elif mark in b"{[":
                depth += 1
                cell += mark == b"{" and depth == 3
                if depth == 4 and mark == b"[" and key == b"outputs":
                    start = position
            else:
                if depth == 4 and start:
                    sizes[cell] += position - start
                    start = 0
                depth -= 1
    return sizes.most_common(LARGEST_SHOWN)


def _end_of_string(data: mmap.mmap, position: int) -> int:
    """The place behind the closing quote of the string that begins at ``position``."""
    length = 256  # of the piece looked at; most strings are short, those that matter here are not
    while position < len(data):
        piece = data[position : position + length]
        if (len(piece) - len(piece.rstrip(b"\\"))) % 2 and len(piece) > 1:
            piece = piece[:-1]  # a backslash stays with what it escapes
        quote = piece.replace(b"\\\\", b"..").replace(b'\\"', b"..").find(b'"')
        if quote >= 0:
            return position + quote + 1
        position += len(piece)
        length = min(2 * length, 1 << 20)
    return len(data)
