"""The one file that a student hands in: an assignment's solved notebooks joined, freed from the helpers, executed."""

import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from course import paths
from course.assignments import Assignment, find
from course.handin import inlining
from course.handin import validate as validation
from course.inbox.names import file_name
from course.notebooks.code import imported_modules, parse
from course.notebooks.reading import MAY_FAIL
from course.notebooks.running import client_of, first_line, kernel_environment, tidy, try_folder, without_packages
from course.notebooks.running import execute as execute_notebook
from course.notebooks.visible import visible
from helpers.core.files import write_whole
from helpers.core.settings import data_root

PACKAGES = {"sklearn": "scikit-learn", "IPython": "ipython", "PIL": "pillow"}  # where another name installs a module
TAKEN_OVER = (
    "The outputs below are those of the notebooks' own runs, with the same cells, and the helpers in their modules; "
    "this joined notebook itself was not run, and its cells are numbered anew."
)
Progress = Callable[[int, int, str], None]  # the next cell's number, how many there are, its first line


class NotReady(ValueError):
    """What was made cannot be handed in as it is; the message says what is missing, a line each."""


class Handin(NamedTuple):
    """A file that was written for handing in."""

    path: Path
    own: list[str]  # the student's own definitions that took a helper's place
    notes: list[str]


def submit(
    first: str,
    last: str | None,
    assignment: str,
    *,
    out: Path = Path(),
    notebooks: Sequence[Path] = (),
    execute: bool = True,
    quick: bool = False,
    force: bool = False,
    on_cell: Progress = lambda number, total, line: None,
) -> Handin:
    """Write ``first_last_assignment.ipynb`` into ``out``.

    Args:
        last: the surname; None for people of one name, which then stands twice in the file's name.
        notebooks: the solved notebooks in the order in which to join them; the assignment's own where none is given.
        execute: run the joined notebook in an empty folder; else take over the outputs stored in ``notebooks``.
        quick: run with small budgets, for trying; the results are not worth handing in.
        force: overwrite an existing file.
        on_cell: called before each cell is run, and after the last.

    Raises:
        ValueError: a name or an assignment that is none, or a notebook that cannot be read or freed from the helpers.
        NotReady: an error in a cell, or something is missing; nothing is written under the student's name, and what
            was run is kept beside it.
        FileExistsError: the file is there already, and not to be overwritten.
    """
    about = find(assignment)
    path = Path(out) / file_name(first, last or first, about.key)
    if path.exists() and not force:
        raise FileExistsError(f"{path} exists already: give another folder with --out, or overwrite it with --force")
    sources = [Path(p) for p in notebooks] or stored_notebooks(about)
    nb, own = join(sources, about, " ".join(filter(None, (first, last))), executed=execute)
    if execute:
        _refuse_what_is_unfinished(nb, about.key)
        try_folder(path.parent)
        failure = _execute(nb, quick, on_cell)
        if failure is not None:
            raise NotReady(f"not written, for it stopped with an error:\n{failure}\n{_kept(nb, path)}")
    content = _content(nb)
    remarks = validation.check(content, about.key)
    problems = [r.text for r in remarks if r.problem]
    if problems:
        lines = ["not written, for it cannot be handed in like this:", *problems, *([_kept(nb, path)] * execute)]
        raise NotReady("\n".join(lines))
    write_whole(path, content)
    return Handin(path, own, [r.text for r in remarks])


def _content(nb: nbformat.NotebookNode) -> bytes:
    return (nbformat.writes(nb) + "\n").encode()


def _refuse_what_is_unfinished(nb: nbformat.NotebookNode, key: str) -> None:
    """Say before minutes of computing what can be said without them.

    Raises:
        NotReady: something is missing, and would be after a run, too.
    """
    problems = [remark.text for remark in validation.check(_content(nb), key, before_run=True) if remark.problem]
    if problems:
        raise NotReady("\n".join(["not run, for it could not be handed in like this:", *problems]))


def _kept(nb: nbformat.NotebookNode, path: Path) -> str:
    """Write a notebook that was run beside the place of the one to hand in, and say so: its run may have taken long."""
    place = path.with_name(f"{path.stem}.to-mend.ipynb")
    write_whole(place, _content(nb))
    return (
        f"What was run is kept in {place}, not to be handed in: look at its outputs, mend your notebook, submit anew."
    )


def stored_notebooks(assignment: Assignment) -> list[Path]:
    """Find the repository's notebooks of an assignment.

    Raises:
        ValueError: one is not there.
    """
    return paths.notebook_paths(list(assignment.notebooks))


def join(
    paths: Sequence[Path], assignment: Assignment, author: str, *, executed: bool
) -> tuple[nbformat.NotebookNode, list[str]]:
    """Make one notebook of several, with the helpers that they use in its cells; also tell what of the author's it has.

    Args:
        executed: whether it is about to be run; else it keeps the outputs of ``paths``, numbered anew.

    Raises:
        ValueError: a file is no notebook, or cannot be freed from the helpers.
        NotReady: outputs are to be kept, and a notebook was not run in order, or not without error.
    """
    nbs = [_read(path) for path in paths]
    if not executed:
        for path, nb in zip(paths, nbs, strict=True):
            _check_run(path, nb)
    codes = [[c.source for c in nb.cells if c.cell_type == "code"] for nb in nbs]
    alone = inlining.join([(p.name, c) for p, c in zip(paths, codes, strict=True)], assignment.modules)
    cells = [*_helper_cells(alone), *_own_cells(nbs, alone.cells)]
    title = f"# Assignment {assignment.key.removeprefix('a')}: {assignment.title}\n\n**{author}**"
    cells.insert(0, new_markdown_cell("\n\n".join([title, *_introduction(paths, cells, executed)])))
    _number(cells, executed)
    nb = new_notebook(cells=cells)
    tidy(nb)
    nb.metadata["submission"] = {"assignment": assignment.key, "outputs": "run here" if executed else "taken over"}
    return nb, alone.own


def _helper_cells(alone: inlining.StandAlone) -> Iterator[nbformat.NotebookNode]:
    yield new_code_cell(alone.imports)
    for section in alone.sections:
        yield new_markdown_cell(f"### {section.title}\n\n{section.about}".strip())
        yield from map(new_code_cell, section.cells)


def _own_cells(nbs: list[nbformat.NotebookNode], sources: list[list[str | None]]) -> Iterator[nbformat.NotebookNode]:
    """Yield the notebooks' cells, with new sources for the cells of code."""
    for nb, code in zip(nbs, sources, strict=True):
        new = iter(code)
        for cell in nb.cells:
            source = next(new) if cell.cell_type == "code" else cell.source
            if source is not None:
                yield _copy(cell, source)


def _number(cells: list[nbformat.NotebookNode], executed: bool) -> None:
    """Give each cell its id, and code cells their count; outputs go where they are about to be made anew."""
    count = 0
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number:03d}"
        if cell.cell_type == "code":
            count += bool(cell.source.strip())
            cell.execution_count = count if not executed and cell.source.strip() else None
            if executed:
                cell.outputs = []


def _introduction(paths: Sequence[Path], cells: list[nbformat.NotebookNode], executed: bool) -> Iterator[str]:
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    parts = ", ".join(f"`{path.stem}`" for path in paths)
    yield f"This notebook stands alone: first the helper functions that it uses, in dependency order, then {parts}."
    yield f"It needs `pip install {' '.join(_packages(code))}`; on Colab these are installed."
    if any("DATA_ROOT" in source for source in code):
        yield (
            "Image data are read from the folder that the environment variable `DATA_ROOT` names, else from `data`, "
            "else downloaded into it."
        )
    if not executed:
        yield TAKEN_OVER
    yield "## Helper functions"


def _packages(code: Iterable[str]) -> list[str]:
    """List what is to be installed for some code."""
    modules: set[str] = set()
    for source in code:
        modules |= {module.partition(".")[0] for module in imported_modules(parse(source))}
    return sorted(PACKAGES.get(module, module) for module in modules - {"", *sys.stdlib_module_names})


def _read(path: Path) -> nbformat.NotebookNode:
    try:
        return nbformat.read(path, as_version=4)
    except FileNotFoundError:
        raise ValueError(f"there is no notebook {path}: look at its name and folder") from None
    except Exception as error:  # nbformat raises a dozen kinds, from JSON errors to its own
        raise ValueError(f"{path} is not a notebook that can be read: {error}") from error


def _check_run(path: Path, nb: nbformat.NotebookNode) -> None:
    """Refuse the outputs of a notebook that was not run once, in order, without error."""
    code = [c for c in nb.cells if c.cell_type == "code" and c.source.strip()]
    if [c.execution_count for c in code] != list(range(1, len(code) + 1)):
        raise NotReady(
            f"{path.name} was not run once and in order, so its outputs cannot be taken over: run it, or all"
        )
    outputs = chain.from_iterable(c.outputs for c in code if MAY_FAIL not in c.metadata.get("tags", ()))
    if any(output.output_type == "error" for output in outputs):
        raise NotReady(f"{path.name} holds an error among its outputs: mend it and run it again")


def _copy(cell: nbformat.NotebookNode, source: str) -> nbformat.NotebookNode:
    copy = deepcopy(cell)
    copy.source = source
    may_fail = MAY_FAIL in copy.metadata.get("tags", ())
    for private in ("execution", "tags", "student"):
        copy.metadata.pop(private, None)
    if may_fail:
        copy.metadata["tags"] = [MAY_FAIL]
    for output in copy.get("outputs", []):
        if "figure" in output.get("metadata", {}):
            output.data.pop("text/html", None)  # the same picture again: a submission shows the picture alone
    return copy


def _execute(nb: nbformat.NotebookNode, quick: bool, on_cell: Progress) -> str | None:
    """Run a notebook in an empty folder, where no helpers can be imported; return the error where a cell failed."""
    images = str(data_root().resolve())  # the folder that a run in the repository reads
    code = [i for i, cell in enumerate(nb.cells) if cell.cell_type == "code"]

    def starts(cell: nbformat.NotebookNode, cell_index: int) -> None:
        on_cell(code.index(cell_index), len(code), first_line(cell))

    with tempfile.TemporaryDirectory(prefix="submission-") as outside, tempfile.TemporaryDirectory() as packages:
        folder = Path(outside)
        environment = kernel_environment(folder / "student_figures") | {"DATA_ROOT": images}
        environment = {name: value for name, value in environment.items() if name not in ("FIGURE_HOOK", "QUICK")}
        environment |= {"QUICK": "1"} if quick else {}
        environment = without_packages(environment, Path(packages))
        failure = execute_notebook(client_of(nb, folder, on_cell_execute=starts), environment)
    if failure is None:
        on_cell(len(code), len(code), "")
    return failure


@contextmanager
def progress(console: Console | None = None) -> Iterator[Progress]:
    """Show a progress bar, and give the function that moves it, for ``on_cell``."""
    columns = BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False)
    with Bars(*columns, console=console) as bars:
        task = bars.add_task("joining the notebooks", total=None)

        def on_cell(number: int, total: int, line: str) -> None:
            bars.update(task, completed=number, total=total, description=visible(line))

        yield on_cell


def summary(handin: Handin) -> str:
    """Say what was written, and what its author should know of it."""
    lines = [f"written: {handin.path} ({handin.path.stat().st_size / 1e6:.1f} MB), checked"]
    if handin.own:
        lines.append(f"your own in place of the helpers': {', '.join(handin.own)}")
    return "\n".join(map(visible, [*lines, *(f"note: {note}" for note in handin.notes)]))
