"""The student version, made out of the one source: tasks open, answers gone, what is given and what checks them kept.

What stands between ``### START CODE HERE ###`` and ``### END CODE HERE ###`` gives way to a stub that says what to
compute and where the equation stands. In notebooks, text cells with the tag ``answer`` lose what comes before their
first heading or **Predict**; with ``answer-throughout`` they keep headings and **Predict** only; and a text in the
cell's metadata under ``student`` is shown in place of either. Every change is kept as it is made, so that putting the
pieces back gives the source, byte for byte.
"""

import ast
import json
import re
import shutil
import tempfile
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import nbformat

from course import assignments
from course.handin import inlining
from course.handin.validate import shown
from course.paths import ROOT

START, END = "### START CODE HERE ###", "### END CODE HERE ###"
PROMPT = "*Your reading: what did you expect, and what came out?*"
ANSWERS = {"answer", "answer-throughout"}
ALWAYS = ("LICENSE", "requirements.txt", "pyproject.toml", ".gitignore", "tests/conftest.py", "helpers/__init__.py")
TOOLS = ("course.regression.run", "course.notebooks.images", "course.handin.submit", "course.handin.validate")  # what students work with
TASK_HEADING = re.compile(r"^#+ (?:\d+\. )?(?P<name>.+)$", re.MULTILINE)
BADGE = re.compile(r"^\[!\[Open in Colab\].*\n\n?", re.MULTILINE)  # leads to the solutions
WIDTH = 116


class Region(NamedTuple):
    """A solved piece of a module: from the line of START to that of END, counted from 0, both included."""

    first: int
    last: int
    function: str  # ``VAE.terms``
    title: str  # of its docstring
    source: str  # where the equation stands
    computes: tuple[str, ...]  # names that the code behind the region uses


class Edit(NamedTuple):
    """Lines of a source, and what stands in their place in the student version."""

    at: int  # line in the student version, from 0
    put: tuple[str, ...]
    taken: tuple[str, ...]


class Cut(NamedTuple):
    """A source with its solution taken out."""

    text: str
    edits: tuple[Edit, ...]


class CutNotebook(NamedTuple):
    """A notebook with its solution taken out, and the cells that were changed, by id."""

    text: str
    cells: dict[str, nbformat.NotebookNode]


class Released(NamedTuple):
    folder: Path
    tasks: tuple[str, ...]  # what is open, ``A1: VAE.terms``
    files: int


# ---------------------------------------------------------------- regions of a module


def regions(source: str, name: str = "the source") -> list[Region]:
    """The solved pieces of a module.

    Raises:
        ValueError: a START without its END, or the reverse; or a region outside of any function.
    """
    lines = source.split("\n")
    found = []
    for first, last in _pairs(lines, name):
        chain = _enclosing(ast.parse(source), first + 1, last + 1)
        if not any(isinstance(n, ast.FunctionDef) for n in chain):
            raise ValueError(f"{name}, line {first + 1}: {START} stands outside of any function")
        outermost = next(i for i, n in enumerate(chain) if isinstance(n, ast.FunctionDef))
        docs = [ast.get_docstring(n) or "" for n in chain[outermost::-1]]
        found.append(
            Region(
                first,
                last,
                function=".".join(n.name for n in chain[: outermost + 1]),
                title=inlining.plain_text(next(filter(None, docs), "").split("\n\n")[0]),
                source=next(filter(None, map(_source_of, docs)), ""),
                computes=_computed(chain[-1], first + 1, last + 1),
            )
        )
    return found


def _pairs(lines: list[str], name: str) -> Iterator[tuple[int, int]]:
    first = None
    for i, line in enumerate(lines):
        if line.strip() not in (START, END):
            continue
        if (line.strip() == START) != (first is None):
            raise ValueError(f"{name}, line {i + 1}: {line.strip()} without its partner")
        if first is None:
            first = i
        else:
            yield first, i
            first = None
    if first is not None:
        raise ValueError(f"{name}, line {first + 1}: {START} without its partner")


def _enclosing(tree: ast.Module, first: int, last: int) -> list[ast.ClassDef | ast.FunctionDef]:
    """Classes and functions around some lines, the outermost first."""
    chain, body = [], tree.body
    while True:
        inside = [n for n in body if n.lineno < first and n.end_lineno >= last - 1]
        if not inside:
            return chain
        node = inside[-1]
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            chain.append(node)
        body = [n for n in ast.iter_child_nodes(node) if isinstance(n, ast.stmt)]


def _source_of(docstring: str) -> str:
    found = re.search(r"Source: (.+?)(?:\n\n|\Z)", docstring, re.DOTALL)
    return " ".join(found[1].split()).rstrip(".") if found else ""


def _computed(function: ast.AST, first: int, last: int) -> tuple[str, ...]:
    """Names bound between two lines and used behind them, in the order in which they are bound."""
    bound, used = {}, set()
    for node in ast.walk(function):
        if isinstance(node, ast.Name | ast.Attribute) and not isinstance(getattr(node, "value", None), ast.Call):
            text = ast.unparse(node)
            if first <= node.lineno <= last and isinstance(node.ctx, ast.Store):
                bound.setdefault(text, (node.lineno, node.col_offset))
            elif node.lineno > last and isinstance(node.ctx, ast.Load):
                used.add(text)
    return tuple(sorted((b for b in bound if b in used or "." in b), key=bound.get))


def cut(source: str, tasks: dict[str, str], name: str = "the source") -> Cut:
    """Take the solution out of a module.

    Args:
        tasks: functions that are open, with their task's name; the regions of others lose their marks and stay.

    Raises:
        ValueError: as :func:`regions`.
    """
    lines, edits, shift = source.split("\n"), [], 0
    for region in regions(source, name):
        taken = lines[region.first : region.last + 1]
        task = tasks.get(region.function)
        indent = taken[0][: len(taken[0]) - len(taken[0].lstrip())]
        put = taken[1:-1] if task is None else textwrap.indent(_stub(region, task), indent).split("\n")
        edits.append(Edit(region.first + shift, tuple(put), tuple(taken)))
        shift += len(put) - len(taken)
    return Cut("\n".join(_applied(lines, edits)), tuple(edits))


def _applied(lines: list[str], edits: Iterable[Edit]) -> list[str]:
    lines = list(lines)
    for edit in edits:
        lines[edit.at : edit.at + len(edit.taken)] = edit.put
    return lines


def put_back(cut: Cut) -> str:
    """The source that a module was cut from."""
    lines = cut.text.split("\n")
    for edit in reversed(cut.edits):
        lines[edit.at : edit.at + len(edit.put)] = edit.taken
    return "\n".join(lines)


def _stub(region: Region, task: str) -> str:
    about = f"Task {task}, {region.function}: {region.title}"
    return _raising(f"{about} {region.source}.".strip() if region.source else about, region.computes)


def _raising(about: str, computes: Iterable[str]) -> str:
    words = ", ".join(computes)
    hint = textwrap.wrap(f"your code computes {words}", WIDTH - 20) if words else ["your code"]
    pieces = textwrap.wrap(about, WIDTH - 20, break_long_words=False, break_on_hyphens=False)
    text = [
        f"    {json.dumps(piece + ' ' * (i < len(pieces) - 1), ensure_ascii=False)}" for i, piece in enumerate(pieces)
    ]
    return "\n".join([START, *(f"# {line}" for line in hint), "raise NotImplementedError(", *text, ")", END])


# ---------------------------------------------------------------- notebooks


def cut_notebook(source: str, name: str = "the notebook") -> CutNotebook:
    """Take the solution out of a notebook: its open tasks, its answers, and all outputs.

    Raises:
        ValueError: a START without its END, or the reverse.
    """
    nb = nbformat.reads(source, as_version=4)
    changed = {}
    heading = ""
    for i, cell in enumerate(nb.cells):
        before = nbformat.from_dict(cell)
        if cell.cell_type == "markdown":
            heading = ([m["name"] for m in TASK_HEADING.finditer(cell.source)] or [heading])[-1]
            _without_answer(cell)
            cell.source = BADGE.sub("", cell.source)
        elif cell.cell_type == "code":
            rest = "\n".join(c.source for c in nb.cells[i + 1 :] if c.cell_type == "code")
            cell.source = _cut_cell(_without_colab(cell.source), heading, rest, f"{name}, cell {cell.id}")
            cell.outputs, cell.execution_count = [], None
        if cell != before:
            changed[cell.id] = before
    return CutNotebook(nbformat.writes(nb) + "\n", changed)


def put_back_notebook(cut: CutNotebook) -> str:
    """The notebook that one was cut from."""
    nb = nbformat.reads(cut.text, as_version=4)
    nb.cells = [cut.cells.get(cell.id, cell) for cell in nb.cells]
    return nbformat.writes(nb) + "\n"


def _without_colab(source: str) -> str:
    """A set-up cell that does not fetch this repository on Colab: it holds the solutions."""
    if '"google.colab"' not in source:
        return source
    lines = source.split("\n")
    for node in ast.parse(source).body:
        if isinstance(node, ast.If) and "google.colab" in ast.unparse(node.test):
            del lines[node.lineno - 1 : node.end_lineno + 1]  # and the blank line after it
            break
    kept = [line for line in lines if line != "import subprocess"]
    return "\n".join(kept).replace(', Path("vae-solutions").resolve()', "")


def _without_answer(cell: nbformat.NotebookNode) -> None:
    tags = set(cell.metadata.pop("tags", ()))
    student = cell.metadata.pop("student", None)
    if student is not None:
        cell.source = student
        return
    if not tags & ANSWERS:
        return
    blocks = cell.source.split("\n\n")
    open_ones = [i for i, block in enumerate(blocks) if _is_question(block)]
    if "answer-throughout" in tags:
        kept = [blocks[i].split("\n")[0] if blocks[i].startswith("#") else blocks[i] for i in open_ones]
        prompt = [*kept[:1], PROMPT, *kept[1:]] if kept and kept[0].startswith("#") else [PROMPT, *kept]
        cell.source = "\n\n".join(prompt)
    else:
        kept = blocks[open_ones[0] :] if open_ones else []
        cell.source = "\n\n".join([PROMPT, *kept])


def _is_question(block: str) -> bool:
    return block.startswith(("#", "**Predict"))


def _cut_cell(source: str, heading: str, rest: str, name: str) -> str:
    lines = source.split("\n")
    for first, last in reversed(list(_pairs(lines, name))):
        indent = lines[first][: len(lines[first]) - len(lines[first].lstrip())]
        inside = textwrap.dedent("\n".join(lines[first : last + 1]))
        later = set(re.findall(r"\w+", "\n".join(lines[last + 1 :]) + rest))
        stub = _raising(f"{_label(heading)}: see the text above.", _computed_in(inside, later))
        lines[first : last + 1] = textwrap.indent(stub, indent).split("\n")
    return "\n".join(lines)


def _label(heading: str) -> str:
    return heading if heading.startswith(("Task", "Exercise")) else f"Section {heading!r}"


def _computed_in(code: str, later: set[str]) -> list[str]:
    """Names that a piece of a cell binds, or fills, and that are used behind it."""
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return []
    stored = [n for n in ast.walk(tree) if isinstance(n, ast.Name | ast.Subscript) and isinstance(n.ctx, ast.Store)]
    names = [n.value if isinstance(n, ast.Subscript) else n for n in stored]
    loops = {id(n) for f in ast.walk(tree) if isinstance(f, ast.For) for n in ast.walk(f.target)}
    found = [n.id for n in names if isinstance(n, ast.Name) and id(n) not in loops and not n.id.startswith("_")]
    return [name for name in dict.fromkeys(found) if name in later]


# ---------------------------------------------------------------- the whole


def release(folder: Path, assignment: str | None = None) -> Released:
    """Write the student version of one assignment, or of all, into a new or empty folder.

    Only what is listed here goes in, file by file: no history, no caches, no checkpoints.

    Raises:
        ValueError: an unknown assignment, marks that do not pair, or a notebook of the assignment that is not there.
        FileExistsError: the folder has something in it.
        OSError: it cannot be written; nothing half-written stays behind.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"{folder} is not empty: give a new folder, or empty it yourself")
    names = [assignment] if assignment else list(assignments.ASSIGNMENTS)
    files, opened = contents(names)
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for path, content in files.items():
            target = part / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        part.chmod(0o755)
        if folder.exists():
            folder.rmdir()
        part.rename(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return Released(folder, opened, len(files))


def contents(names: list[str]) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """The files of the student version of some assignments, and the tasks that are open in it."""
    chosen = {name: assignments.find(name) for name in names}
    notebooks = [_notebook(stem) for a in chosen.values() for stem in a.notebooks]
    texts = {path: path.read_text(encoding="utf-8") for path in notebooks}
    given = sorted(_modules(texts.values()))
    labels = _labels(chosen, texts)
    asked = {region for assignment in chosen.values() for task in assignment.tasks for region in task.regions}
    files: dict[str, bytes] = {}
    opened: list[str] = []
    for path in given:
        module = path.with_suffix("").as_posix().removeprefix("helpers/").replace("/", ".")
        text = (ROOT / path).read_text(encoding="utf-8")
        files[path.as_posix()] = cut(text, labels.get(module, {}), str(path)).text.encode()
        found = [f"{module}.{r.function}" for r in regions(text)]
        opened += [f"{labels[module][name.removeprefix(f'{module}.')]}: {name}" for name in found if name in asked]
        tests = ROOT / "tests" / "tasks" / f"test_tasks_{module.replace('.', '_')}.py"
        if asked & set(found):
            kept = {test_name(name) for name in found if name in asked}
            files[tests.relative_to(ROOT).as_posix()] = _only_tests(tests.read_text(encoding="utf-8"), kept).encode()
    commands = (ROOT / "helpers" / "__main__.py").read_text(encoding="utf-8")
    files["course/__main__.py"] = without_verbs(commands, set(given)).encode()
    for path, text in texts.items():
        files[f"notebooks/{path.name}"] = cut_notebook(text, path.name).text.encode()
        for figure in _figures(text):
            expected = ROOT / "student_figures" / "expected" / f"{figure}.png"
            if expected.is_file():
                files[expected.relative_to(ROOT).as_posix()] = expected.read_bytes()
    for path in [*ALWAYS, "tests/tasks/conftest.py", "tests/tasks/test_tasks_notebooks.py", *_weights()]:
        files[path] = (ROOT / path).read_bytes()
    files["README.md"] = readme(chosen).encode()
    return files, tuple(dict.fromkeys(opened))


def test_name(region: str) -> str:
    """The name of the check of a task: ``toy_vae.VAE.terms`` has ``test_toy_vae_VAE_terms``."""
    return f"test_{region.replace('.', '_')}"


test_name.__test__ = False  # its name makes pytest curious


def _only_tests(source: str, kept: set[str]) -> str:
    """A file of checks without those of other assignments' tasks."""
    lines = source.split("\n")
    gone: set[int] = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and node.name not in kept:
            gone |= set(range(_first_line(node) - 1, node.end_lineno + 2))
    return "\n".join(line for i, line in enumerate(lines) if i not in gone).rstrip("\n") + "\n"


def _first_line(node: ast.FunctionDef) -> int:
    return min(n.lineno for n in (node, *node.decorator_list))


def _notebook(stem: str) -> Path:
    path = ROOT / "notebooks" / f"{stem}.ipynb"
    if not path.is_file():
        raise ValueError(f"there is no {path.name} in {path.parent}: its assignment cannot be handed out yet")
    return path


def _labels(chosen: dict[str, assignments.Assignment], notebooks: dict[Path, str]) -> dict[str, dict[str, str]]:
    """For each module the functions that are open, and their tasks.

    Open are the tasks of the chosen assignments, and those of others as long as nothing chosen is in need of them.
    """
    needed = {
        f"{d.module}.{d.name}".removeprefix("helpers.")
        for d in inlining.used([(path.name, _code(text)) for path, text in notebooks.items()])
    }
    found: dict[str, dict[str, str]] = {}
    others = {name: a for name, a in assignments.ASSIGNMENTS.items() if name not in chosen}
    for name, assignment in {**chosen, **others}.items():
        for task in assignment.tasks:
            for region in task.regions:
                files = ((m, ROOT / "helpers" / f"{m.replace('.', '/')}.py") for m in _prefixes(region))
                module = next(m for m, file in files if file.is_file())
                function = region.removeprefix(f"{module}.")
                if name in chosen or f"{module}.{function.split('.')[0]}" not in needed:
                    label = f"{task.name} of assignment {name.removeprefix('a')}"
                    found.setdefault(module, {}).setdefault(function, label)
    return found


def _code(notebook: str) -> list[str]:
    return [c.source for c in nbformat.reads(notebook, as_version=4).cells if c.cell_type == "code"]


def _prefixes(region: str) -> Iterator[str]:
    parts = region.split(".")
    return (".".join(parts[:n]) for n in range(1, len(parts)))


def _modules(notebooks: Iterable[str]) -> Iterator[Path]:
    """Files of the helpers that notebooks and students' tools import, and what those import in turn."""
    code = "\n".join(source for text in notebooks for source in _code(text))
    pending = [*_imported(code), *TOOLS]
    done: set[Path] = set()
    while pending:
        path = Path(*pending.pop().split("."))
        path = path.with_suffix(".py") if (ROOT / path.with_suffix(".py")).is_file() else path / "__init__.py"
        if path not in done and (ROOT / path).is_file():
            done.add(path)
            pending += _imported((ROOT / path).read_text(encoding="utf-8"))
            pending += [".".join(parent.parts) for parent in path.parents if parent.parts]
    yield from done


def _imported(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "helpers":
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "helpers")


def without_verbs(source: str, given: set[Path]) -> str:
    """The command line without the verbs whose code is not part of the student version."""
    lines = source.split("\n")
    gone: set[int] = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef):
            wanted = {Path(*m.split(".")).with_suffix(".py") for m in _imported(ast.unparse(node))}
            if any((ROOT / path).is_file() and path not in given for path in wanted):
                gone |= set(range(_first_line(node) - 1, node.end_lineno + 2))
    return "\n".join(line for i, line in enumerate(lines) if i not in gone)


def _figures(notebook: str) -> Iterator[str]:
    for source in _code(notebook):
        yield from shown(inlining.parse(source))


def _weights() -> list[str]:
    return [p.relative_to(ROOT).as_posix() for p in sorted((ROOT / "helpers/core/standin").glob("*.safetensors"))]


def readme(chosen: dict[str, assignments.Assignment]) -> str:
    """What students are told."""
    parts = [
        "# Variational autoencoders: assignments",
        "What is yours to write stands between `### START CODE HERE ###` and `### END CODE HERE ###`, in `helpers/` "
        "and in the notebooks. There a stub says which task it is, what your code has to compute, and where the "
        "equation stands; replace it. Everything else is given, and you may change it too.",
        "```sh\n"
        "python -m venv .venv && .venv/bin/python -m pip install -r requirements.txt\n"
        ".venv/bin/python -m jupyter lab notebooks        # predict, run, read: in this order\n"
        ".venv/bin/python -m pytest tests/tasks           # one check a task: which are solved?\n"
        "```",
        "A check tests its task alone: it does not need the others to be solved. The notebooks do; work from the "
        "front. `student_figures/expected/` shows what your figures should look like; they need not match exactly.",
        "Image data are downloaded on first use into `data/`; set `DATA_ROOT` to use files that you have.",
    ]
    for name, assignment in chosen.items():
        notebooks = ", ".join(f"`notebooks/{stem}.ipynb`" for stem in assignment.notebooks)
        rows = [
            f"| {t.name} | {t.asks} | {', '.join(f'`{r}`' for r in t.regions) or 'in the notebook'} |"
            for t in assignment.tasks
        ]
        table = "\n".join(["| task | | functions in `helpers/` |", "|---|---|---|", *rows])
        parts.append(f"## Assignment {name.removeprefix('a')}: {assignment.title}\n\n{notebooks}\n\n{table}")
    parts.append(
        "## Handing in\n\n"
        "```sh\n"
        f"python -m course submit --first Max --last Mustermann --assignment {next(iter(chosen))}\n"
        f"python -m course validate max_mustermann_{next(iter(chosen))}.ipynb\n"
        "```\n\n"
        "`submit` joins the notebooks, writes the helpers that they use into them, runs the result in an empty folder, "
        "and checks it. `validate` checks any finished notebook, also one that you joined by hand. Hand in that file."
    )
    return "\n\n".join(parts) + "\n"


def summary(released: Released) -> str:
    """What a release leaves on the screen."""
    return f"written: {released.folder}, {released.files} files, {len(released.tasks)} functions open:\n" + "\n".join(
        f"  {task}" for task in released.tasks
    )
