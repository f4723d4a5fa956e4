"""The student version, made out of the one source: tasks open, answers gone, what is given and what checks them kept.

It holds the notebooks of the assignments, the helpers that they import, the checks of their tasks, and of ``course``
all but :data:`STAFF`: what runs notebooks and hands in. Graders' bands, hints and checks stay here: a table of an
assignment goes out with what handing in needs of it (``course/handout/lean.py``).
"""

import ast
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from course.assignments import ASSIGNMENTS, Assignment, find
from course.handin import inlining
from course.handout import repository
from course.handout.kit import checks_of, files_of
from course.handout.lean import HINTS, table
from course.handout.notebooks import code_cells, cut_notebook, prose_in
from course.handout.regions import cut, regions
from course.handout.sheet import notebook_of, tasks_in
from course.handout.writing import Changes, sentences, write
from course.paths import ROOT

ALWAYS = ("LICENSE", "requirements.txt", "pyproject.toml", ".gitignore", "tests/conftest.py",
          "tests/tasks/test_tasks.py", "helpers/__init__.py", "helpers/colab.py", "helpers/edition_1",
          "helpers/core/standin/mnist.safetensors", "helpers/core/standin/fashion.safetensors",
          "course/regression/__init__.py", "course/regression/run.py")  # fmt: skip
ABOUT = (
    "**Assignment {number}: {title}.** In every section: predict, run, read; what is yours to write is listed below."
)
STAFF = ("assignments", "bench", "dev", "grading", "handout", "regression")  # folders of course


class Release(NamedTuple):
    """A student version that was written."""

    folder: Path
    tasks: tuple[str, ...]  # what is open, ``A1: toy_vae.VAE.forward``
    files: int
    changes: Changes


def release(folder: Path, assignment: str | None = None, url: str | None = None, *, single: bool = False) -> Release:
    """Write the student version of one assignment, or of all, into a new folder, or over an older one in a git clone.

    Only what is listed here goes in, file by file: no history, no caches, no trained weights.

    Args:
        url: the repository that students get it from; that of ``pyproject.toml`` where none is given.
        single: one notebook an assignment, which needs nothing else.

    Raises:
        ValueError: an unknown assignment or address, marks that do not pair, something of the assignment that is not
            there, or a git clone with changes that are not committed.
        FileExistsError: the folder has something in it, and is no git clone.
        OSError: it cannot be written; nothing half-written stays behind.
    """
    chosen = [find(assignment)] if assignment else list(ASSIGNMENTS.values())
    url = repository.checked(url or repository.project_url())
    files, tasks = singles(chosen, url) if single else contents(chosen, url)
    return Release(Path(folder), tasks, len(files), write(Path(folder), files))


def singles(chosen: Sequence[Assignment], url: str) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """Make one notebook for each of some assignments, and list the tasks that are open in them."""
    files = {f"{a.key}.ipynb": notebook_of(a, url).encode() for a in chosen}
    return files, tuple(f"{a.key}: task {task.name}" for a in chosen for task in a.tasks if task.asks)


def contents(chosen: Sequence[Assignment], url: str) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """Make the files of the student version of some assignments, and list the tasks that are open in it."""
    notebooks: dict[str, str] = {}
    for assignment in chosen:
        notebooks |= {stem: _notebook(stem) for stem in assignment.notebooks}
    labels = _labels(chosen, notebooks)
    asked = _asked(chosen)
    files: dict[str, bytes] = {}
    tasks: list[str] = []
    for module in sorted(_modules(notebooks.values())):
        text = module.read_text(encoding="utf-8")
        name = module.relative_to(ROOT / "helpers").with_suffix("").as_posix().replace("/", ".")
        files[_relative(module)] = cut(text, labels.get(name, {}), str(module)).encode()
        here = [r.function for r in regions(text) if f"{name}.{r.function}" in asked]
        tasks += [f"{labels[name][function]}: {name}.{function}" for function in here]
    for assignment in chosen:
        for stem in assignment.notebooks:
            about = ABOUT.format(number=assignment.key.removeprefix("a"), title=assignment.title)
            texts = tasks_in(assignment, prose_in(notebooks[stem]))
            text = cut_notebook(notebooks[stem], stem, url, *texts, about)
            files[f"notebooks/{stem}.ipynb"] = text.encode()
    for path in [*ALWAYS, *_checks(chosen), *_course()]:
        files[path] = (ROOT / path).read_bytes()
    files |= {f"course/assignments/{a.key}.py": table(a).encode() for a in chosen}
    files["course/assignments/hints.py"] = HINTS.encode()
    commands = (ROOT / "course" / "__main__.py").read_text(encoding="utf-8")
    files["course/__main__.py"] = verbs(commands, set(files)).encode()
    files["README.md"] = readme(chosen).encode()
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    files["pyproject.toml"] = project.replace(repository.project_url(), url).encode()
    return files, tuple(dict.fromkeys(tasks))


def _asked(chosen: Sequence[Assignment]) -> set[str]:
    """Collect the functions that some assignments ask for."""
    asked: set[str] = set()
    for assignment in chosen:
        for task in assignment.tasks:
            asked |= set(task.regions)
    return asked


def _relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _notebook(stem: str) -> str:
    path = ROOT / "notebooks" / f"{stem}.ipynb"
    if not path.is_file():
        raise ValueError(f"there is no {path.name} in {path.parent}: its assignment cannot be handed out yet")
    return path.read_text(encoding="utf-8")


def _labels(chosen: Sequence[Assignment], notebooks: dict[str, str]) -> dict[str, dict[str, str]]:
    """For each module, list the functions that are open, and their tasks.

    Open are the tasks of the chosen assignments, and those of others as long as nothing chosen is in need of them.
    """
    uses = inlining.used([(stem, code_cells(text)) for stem, text in notebooks.items()])
    needs = {f"{d.module}.{d.name}".removeprefix("helpers.") for d in uses}
    labels: dict[str, dict[str, str]] = {}
    for assignment in [*chosen, *(a for a in ASSIGNMENTS.values() if a not in chosen)]:
        for task in assignment.tasks:
            for region in task.regions:
                module, function = _split(region)
                if assignment in chosen or f"{module}.{function.split('.')[0]}" not in needs:
                    label = f"{task.name} of assignment {assignment.key.removeprefix('a')}"
                    labels.setdefault(module, {}).setdefault(function, label)
    return labels


def _split(region: str) -> tuple[str, str]:
    """Split ``core.training.fit`` into its module and its function."""
    parts = region.split(".")
    for n in range(1, len(parts)):
        if (ROOT / "helpers").joinpath(*parts[:n]).with_suffix(".py").is_file():
            return ".".join(parts[:n]), ".".join(parts[n:])
    raise ValueError(f"the table of an assignment names {region}, and there is no such module in {ROOT / 'helpers'}")


def _modules(notebooks: Iterable[str]) -> set[Path]:
    """Return the files of the helpers that notebooks import anywhere, and of those that these import in turn."""
    named = [name for text in notebooks for name in _imports("\n".join(code_cells(text)), "helpers")]
    return files_of(named, lambda source: _imports(source, "helpers"))


def _imports(source: str, package: str) -> list[str]:
    """List the modules of a package that some code imports, and the names that may be modules."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == package:
            names += [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names if alias.name.split(".")[0] == package]
    return names


def _checks(chosen: Iterable[Assignment]) -> list[str]:
    return sorted(map(_relative, files_of(["helpers.checks", *checks_of(chosen)])))


# ---------------------------------------------------------------- the commands


def _course() -> list[str]:
    """List the files of ``course`` that go out as they are."""
    paths = sorted(path for path in (ROOT / "course").rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    names = [_relative(path) for path in paths if path.relative_to(ROOT / "course").parts[0] not in STAFF]
    return [*names, "course/assignments/__init__.py", "course/assignments/task.py"]


def verbs(source: str, files: set[str]) -> str:
    """Return the command line without the verbs whose code is not part of the student version."""
    lines = source.split("\n")
    for node in reversed(ast.parse(source).body):
        if isinstance(node, ast.FunctionDef) and _lacks(node, files):
            first = min(n.lineno for n in (node, *node.decorator_list))
            del lines[first - 1 : (node.end_lineno or node.lineno) + 2]
    return "\n".join(lines)


def _lacks(node: ast.FunctionDef, files: set[str]) -> bool:
    paths = [f"{name.replace('.', '/')}.py" for name in _imports(ast.unparse(node), "course")]
    return any((ROOT / path).is_file() and path not in files for path in paths)


def readme(chosen: Sequence[Assignment]) -> str:
    """Write what students are told."""
    loader = PackageLoader("course.handout")
    templates = Environment(loader=loader, undefined=StrictUndefined, keep_trailing_newline=True)
    return templates.get_template("README.md").render(assignments=chosen)


def summary(version: Release) -> str:
    """Say what was written, and what of an older version it changed."""
    changes = version.changes
    if changes.replaced or changes.removed or changes.kept or len(changes.added) < version.files:
        return "\n".join([f"updated: {version.folder}", *(f"  {line}" for line in sentences(changes))])
    first = f"written: {version.folder}, {version.files} files, {len(version.tasks)} tasks open:"
    return "\n".join([first, *(f"  {task}" for task in version.tasks)])
