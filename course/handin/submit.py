"""The one file that a student hands in: an assignment's solved notebooks joined, freed from the helpers, executed."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from course import paths
from course.assignments import presence as assignments
from course.handin import inlining
from course.handin import validate as validation
from course.handin.validate import Finding
from course.inbox.names import file_name
from course.notebooks.running import client_of, first_line, kernel_environment, tidy
from course.notebooks.running import execute as execute_notebook
from helpers.core.files import write_whole
from helpers.core.settings import data_root

PACKAGES = "torch torchvision scikit-learn matplotlib safetensors tqdm"
TAKEN_OVER = (
    "The outputs below are those of the notebooks' own runs, with the same cells, and the helpers in their modules; "
    "this joined notebook itself was not run, and its cells are numbered anew."
)
Progress = Callable[[int, int, str], None]  # cells done, cells in all, first line of the next one


class NotReady(ValueError):
    """The submission cannot be handed in as it is; the message says what is missing, a line each."""


class Submission(NamedTuple):
    path: Path
    kept: list[str]  # the student's own definitions that took a helper's place
    notes: list[Finding]


def submit(
    first: str,
    last: str,
    assignment: str,
    *,
    out: Path = Path(),
    notebooks: Sequence[Path] = (),
    execute: bool = True,
    quick: bool = False,
    force: bool = False,
    on_cell: Progress = lambda done, total, line: None,
) -> Submission:
    """Write ``first_last_assignment.ipynb`` into ``out``.

    Args:
        notebooks: the solved notebooks in the order in which to join them; the assignment's own where none is given.
        execute: run the joined notebook in an empty folder; else take over the outputs stored in ``notebooks``.
        quick: run with small budgets, for trying; the results are not worth handing in.
        force: overwrite an existing file.
        on_cell: called before each cell is run, and after the last.

    Raises:
        ValueError: a name or an assignment that is none, or a notebook that cannot be read or freed from the helpers.
        NotReady: an error in a cell, or something is missing; nothing is written.
        FileExistsError: the file is there already, and not to be overwritten.
    """
    path = Path(out) / file_name(first, last, assignment)
    if path.exists() and not force:
        raise FileExistsError(f"{path} exists already: give another folder with --out, or overwrite it with --force")
    sources = [Path(p) for p in notebooks] or stored_notebooks(assignment)
    nb, kept = join(sources, assignment, f"{first} {last}", executed=execute)
    if execute:
        _execute(nb, quick, on_cell)
    content = (nbformat.writes(nb) + "\n").encode()
    findings = validation.check(content, assignment)
    problems = [f.text for f in findings if f.problem]
    if problems:
        raise NotReady("\n".join(["not written, for it cannot be handed in like this:", *problems]))
    write_whole(path, content)
    return Submission(path, kept, [f for f in findings if not f.problem])


def stored_notebooks(assignment: str) -> list[Path]:
    """The repository's notebooks of an assignment.

    Raises:
        ValueError: an unknown assignment, or a notebook of it is not there.
    """
    return paths.notebook_paths(list(assignments.find(assignment).notebooks))


def join(paths: Sequence[Path], assignment: str, author: str, *, executed: bool) -> tuple[nbformat.NotebookNode, list]:
    """One notebook of several, with the helpers that they use in its cells; and what of the author's own it keeps.

    Args:
        executed: whether it is about to be run; else it keeps the outputs of ``paths``, numbered anew.

    Raises:
        ValueError: a file is no notebook, or cannot be freed from the helpers.
        NotReady: outputs are to be kept, and a notebook was not run in order, or not without error.
    """
    nbs = [_read(path) for path in paths]
    codes = [[c.source for c in nb.cells if c.cell_type == "code"] for nb in nbs]
    about = assignments.find(assignment)
    joined = inlining.join([(p.name, c) for p, c in zip(paths, codes, strict=True)], about.modules)
    cells = [_title(assignment, about.title, author, paths, executed), new_code_cell(joined.imports)]
    for section in joined.sections:
        cells.append(new_markdown_cell(f"### {section.title}\n\n{section.about}".strip()))
        cells += [new_code_cell(code) for code in section.cells]
    for path, nb, sources in zip(paths, nbs, joined.cells, strict=True):
        if not executed:
            _check_run(path, nb)
        kept = iter(sources)
        for cell in nb.cells:
            source = next(kept) if cell.cell_type == "code" else cell.source
            if source is not None:
                cells.append(_copy(cell, source))
    count = 0
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number:03d}"
        if cell.cell_type == "code":
            count += bool(cell.source.strip())
            cell.execution_count = count if not executed and cell.source.strip() else None
            if executed:
                cell.outputs = []
    origin = {"assignment": assignment, "outputs": "run here" if executed else "taken over"}
    nb = new_notebook(cells=cells)
    tidy(nb)
    nb.metadata["submission"] = origin
    return nb, joined.own


def _title(assignment: str, title: str, author: str, paths: Sequence[Path], executed: bool) -> nbformat.NotebookNode:
    parts = ", ".join(f"`{path.stem}`" for path in paths)
    lines = [
        f"# Assignment {assignment.removeprefix('a')}: {title}",
        f"**{author}**",
        f"This notebook stands alone: first the helper functions that it uses, in dependency order, then {parts}.",
        f"It needs `pip install {PACKAGES}`; on Colab these are installed. Image data are read from the folder that "
        "the environment variable `DATA_ROOT` names, else from `data`, else downloaded into it.",
        "## Helper functions",
    ]
    if not executed:
        lines.insert(4, TAKEN_OVER)
    return new_markdown_cell("\n\n".join(lines))


def _read(path: Path) -> nbformat.NotebookNode:
    try:
        return nbformat.read(path, as_version=4)
    except FileNotFoundError:
        raise ValueError(f"there is no notebook {path}: look at its name and folder") from None
    except Exception as error:  # nbformat raises a dozen kinds, from JSON errors to its own
        raise ValueError(f"{path} is not a notebook that can be read: {error}") from error


def _check_run(path: Path, nb: nbformat.NotebookNode) -> None:
    """Outputs are worth keeping of a notebook that was run once, in order, without error."""
    code = [c for c in nb.cells if c.cell_type == "code" and c.source.strip()]
    if [c.execution_count for c in code] != list(range(1, len(code) + 1)):
        raise NotReady(
            f"{path.name} was not run once and in order, so its outputs cannot be taken over: run it, or all"
        )
    if any(o.output_type == "error" for c in code for o in c.outputs):
        raise NotReady(f"{path.name} holds an error among its outputs: mend it and run it again")


def _copy(cell: nbformat.NotebookNode, source: str) -> nbformat.NotebookNode:
    copy = nbformat.from_dict(cell)
    copy.source = source
    for private in ("execution", "tags", "student"):
        copy.metadata.pop(private, None)
    return copy


def _execute(nb: nbformat.NotebookNode, quick: bool, on_cell: Progress) -> None:
    """Run a notebook in an empty folder, where no helpers can be imported.

    Raises:
        NotReady: a cell failed; the message is its error.
    """
    images = str(data_root().resolve())  # the folder that a run in the repository reads
    code = [i for i, cell in enumerate(nb.cells) if cell.cell_type == "code"]

    def starts(cell: nbformat.NotebookNode, cell_index: int) -> None:
        on_cell(code.index(cell_index), len(code), first_line(cell))

    with tempfile.TemporaryDirectory(prefix="submission-") as folder:
        environment = kernel_environment(Path(folder) / "student_figures") | {"DATA_ROOT": images}
        for name in ("PYTHONPATH", "QUICK", "FIGURE_HOOK"):
            environment.pop(name, None)
        if quick:
            environment["QUICK"] = "1"
        failure = execute_notebook(client_of(nb, Path(folder), on_cell_execute=starts), environment)
    if failure is not None:
        raise NotReady(f"not written, for it stopped with an error:\n{failure}")
    on_cell(len(code), len(code), "")


@contextmanager
def progress(console: Console | None = None) -> Iterator[Progress]:
    """A progress bar for ``on_cell``."""
    columns = BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False)
    with Bars(*columns, console=console) as bars:
        task = bars.add_task("joining the notebooks", total=None)

        def on_cell(done: int, total: int, line: str) -> None:
            bars.update(task, completed=done, total=total, description=line)

        yield on_cell


def summary(done: Submission) -> str:
    """What a submission leaves on the screen."""
    lines = [f"written: {done.path} ({done.path.stat().st_size / 1e6:.1f} MB), checked"]
    if done.kept:
        lines.append(f"your own in place of the helpers': {', '.join(done.kept)}")
    return "\n".join([*lines, *(f"note: {f.text}" for f in done.notes)])
