"""Say whether a finished notebook can be handed in, in its author's words.

Works on any notebook, one made by hand too; nothing of it is executed. What is checked is form and presence: cells run
once and in order, no error, every task and figure there, nothing that belongs to one machine or to nobody else's eyes.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from course import assignments
from course.assignments import Assignment
from course.handin.privacy import folder_of_one_machine, secrets_in, without_secrets
from course.handin.view import CodeView, NotebookView, Remark, capital, problem
from course.inbox.names import course_spelling, parse_name
from course.notebooks.code import EMPTY_REGION, figure_names, imported_modules, is_empty
from course.notebooks.newer import are_newer_python
from course.notebooks.printed import ANSI
from course.notebooks.reading import MOST_BYTES, Submission, Unreadable, parse, read_bytes
from course.notebooks.visible import visible

LARGEST_FILE = 20_000_000  # bytes; ours have at most 3 MB, and a course's upload form takes little more
LARGEST_CELLS = 3  # that are named of a file which is too large
LARGE_SHARE = 0.01  # of the file's size: what a cell's output must have to be named
MOST_OF_A_KIND = 8  # sentences: nobody would read more
# findings of the grader that say that something is not there; what else it doubts, a tutor looks at: a note
MISSING = {
    "numbers_missing", "figure_missing", "figure_blank", "text_missing", "betas_missing", "not_trained",
    "experiment_missing", "no_convolution", "stub", "source_missing", "not_executed", "other_assignment",
}  # fmt: skip
ABOUT_FILE = {"other_assignment", "stub"}  # of the file's own findings, those that nothing else here says


def validate(path: Path, assignment: str | None = None) -> list[Remark]:
    """Return all there is to say about the file ``path``; it can be handed in when nothing of it is a problem.

    Args:
        assignment: ``a1`` to ``a5``; read off the file's name where it is not given.

    Raises:
        ValueError: an unknown assignment.
        OSError: there is no such file, or it cannot be read.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}: look at its name and folder")
    key = assignments.find(assignment).key if assignment else None
    remarks = list(_remarks_on_name(path.name, key))
    key = key or parse_name(path.name).assignment
    size = path.stat().st_size
    if size > MOST_BYTES:
        return [*remarks, too_large(size)]
    try:
        content = read_bytes(path)
    except Unreadable as error:
        return [*remarks, problem(f"The file cannot be read: {error}.")]
    return remarks + check(content, key if key in assignments.ASSIGNMENTS else None)


def notebooks_in(paths: Sequence[Path]) -> list[Path]:
    """Return the files among ``paths``, and the notebooks in its folders; hidden ones and checkpoints do not count.

    Raises:
        FileNotFoundError: there is no such file or folder, or a folder without a notebook.
    """
    files: list[Path] = []
    for path in map(Path, paths):
        inside = sorted(_visible_notebooks(path)) if path.is_dir() else [path]
        if not inside:
            raise FileNotFoundError(f"there is no notebook (.ipynb) in the folder {path}: look at its name")
        files += inside
    return list(dict.fromkeys(files))


def _visible_notebooks(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        hidden = any(part.startswith((".", "__")) for part in path.relative_to(folder).parts)
        if path.suffix.lower() == ".ipynb" and path.is_file() and not hidden:
            yield path


def _remarks_on_name(name: str, key: str | None) -> Iterator[Remark]:
    """Say what a file's name leaves open, and which assignment it names."""
    parts = parse_name(name)
    spelling = course_spelling(parts)
    if not parts.person or spelling is None:
        yield problem(
            f"The file is called {name}; the course asks for name_surname_a1.ipynb, in small letters without umlauts, "
            "such as max_mustermann_a1.ipynb."
        )
    elif spelling != name:
        yield Remark(False, f"The file is called {name}; the course's own spelling of it is {spelling}.")
    if parts.assignment and key and parts.assignment != key:
        yield problem(f"The file's name says {parts.assignment}, but you are handing in {key}.")
    elif parts.assignment is None and key is None:
        yield problem("Which assignment this is cannot be told from its name, so its tasks were not checked.")
    elif key is None and parts.assignment not in assignments.ASSIGNMENTS:
        known = ", ".join(assignments.ASSIGNMENTS)
        yield problem(f"There is no assignment {parts.assignment}: {known} exist.")


def check(content: bytes, assignment: str | None, *, before_run: bool = False) -> list[Remark]:
    """Do what :func:`validate` does for a file's content, whatever its name.

    Args:
        before_run: Say only what can be said of a notebook that is about to be run.
    """
    try:
        submission = parse("", content)
    except Unreadable as error:
        return [problem(str(error))]
    if len(content) > LARGEST_FILE:
        return [too_large(len(content), submission)]
    if submission.damage:
        return [problem(submission.damage)]
    about = assignments.find(assignment) if assignment else None
    view = NotebookView(submission)
    remarks = [] if before_run else [*_execution(view), *_sources(submission)]
    remarks += [*_errors(view), *_imports(view), *_twice(view, about), *_private(view), *_notes(view)]
    if about is not None:
        remarks += _tasks(submission, about, before_run=before_run)
    return remarks


def _tasks(submission: Submission, about: Assignment, *, before_run: bool) -> Iterator[Remark]:
    """Say of each task what the grader finds: what is missing is to be mended, what is doubted to be known."""
    try:  # here, for what a student's one file holds of us has no grader in it
        from course.grading import judging
        from course.grading.case import case_of
    except ModuleNotFoundError:
        return
    findings = judging.judge(case_of(submission, about))
    was_run = any(cell.count or cell.text or cell.pictures for cell in submission.cells)
    if before_run or not was_run:
        findings = [finding for finding in findings if finding.code == "stub"]  # what only outputs tell is for later
    for task in about.graded:
        doubts = [f for f in findings if f.task == task.name and f.level != "PASS"]
        if task.name == "file":
            doubts = [finding for finding in doubts if finding.code in ABOUT_FILE]
        hints = assignments.HINTS
        said = "; ".join(dict.fromkeys(f"{hints[f.code].rstrip('.')} ({f.evidence})" for f in doubts))
        if not doubts:
            continue
        what = "The file" if task.name == "file" else f"Task {task.name} ({task.asks})"
        if any(f.level == "FAIL" or f.code in MISSING for f in doubts):
            yield problem(f"{what} is missing or not finished: {said}.")
        else:
            yield Remark(False, f"{what}: a tutor will look at it. {said}.")


def report(path: Path, remarks: Sequence[Remark]) -> str:
    """Write the remarks as text, problems first."""
    problems, notes = ([visible(r.text) for r in remarks if r.problem is kind] for kind in (True, False))
    head = f"{visible(str(path))}: {f'{len(problems)} to mend' if problems else 'ready to hand in'}"
    return "\n".join([head, *(f"- {text}" for text in problems), *(f"  note: {text}" for text in notes)])


def summary(results: Sequence[tuple[Path, Sequence[Remark]]]) -> str:
    """Say in one line how many of several files are ready, and which are not."""
    unready = [visible(path.name) for path, remarks in results if any(remark.problem for remark in remarks)]
    listed = f"; still to mend: {', '.join(unready)}" if unready else ""
    return f"{len(results) - len(unready)} of {len(results)} files are ready to hand in{listed}"


def too_large(size: int, submission: Submission | None = None) -> Remark:
    """Refuse a file, and name the cells whose outputs make it large, where it was read."""
    sizes: Counter[int] = Counter()
    for cell in submission.cells if submission else ():
        for output in cell.outputs:
            sizes[cell.number] += len(output.text) + sum(len(picture) for picture in output.pictures.values())
    large = [(number, n) for number, n in sizes.most_common(LARGEST_CELLS) if n > LARGE_SHARE * size]
    where = "; ".join(f"cell {number} has {n / 1e6:.1f} MB of output" for number, n in large)
    return problem(
        f"The file has {size / 1e6:.0f} MB, at most {LARGEST_FILE / 1e6:.0f} MB are taken. "
        f"{capital(where) + '. ' if where else ''}Print less, or show fewer or smaller pictures; the rest is checked "
        "when it is smaller."
    )


# ---------------------------------------------------------------- checks


def _execution(view: NotebookView) -> Iterator[Remark]:
    """Ask for every code cell to be run once, in order."""
    if not view.code:
        yield problem("The notebook has no code cells.")
        return
    idle = [cell for cell in view.code if not cell.count]
    if len(idle) == len(view.code):
        if any(cell.text or cell.has_picture for cell in view.code):
            yield Remark(
                False, "The file does not count which cells were run, as files of Colab do; its outputs are there."
            )
        else:
            yield problem("No cell has been run: choose 'Restart kernel and run all cells', wait, and save.")
        return
    for cell in idle[:MOST_OF_A_KIND]:
        yield problem(f"You have not run {cell.name} since you last changed it, or since you opened the notebook.")
    counts = [cell.count for cell in view.code if cell.count]
    if counts != list(range(1, len(counts) + 1)):
        yield _disorder(view, counts)


def _disorder(view: NotebookView, counts: list[int]) -> Remark:
    for before, after in pairwise(view.code):
        if before.count and after.count and after.count <= before.count:
            return problem(
                f"Cells were run out of order: {after.name} was run as number {after.count}, before "
                f"{before.name}, number {before.count}. Choose 'Restart kernel and run all cells', and save."
            )
    return Remark(
        False,
        f"Cells were run more than once, or some are gone: the numbers go from {counts[0]} to {counts[-1]} over "
        f"{len(counts)} cells. 'Restart kernel and run all cells' makes sure that they still work one after the other.",
    )


def _sources(submission: Submission) -> Iterator[Remark]:
    """Name cells that show something though they were emptied; what is no Python is an error, said there."""
    for cell in submission.cells:
        if (cell.text or cell.pictures) and is_empty(cell.source):
            yield problem(
                f"Cell {cell.number} shows an output, but the code that made it is gone: write it again and run the "
                "cell, or delete the cell."
            )


def _errors(view: NotebookView) -> Iterator[Remark]:
    unread = [cell for cell in view.code if cell.tree is None]
    newer = dict(zip((c.number for c in unread), are_newer_python([c.source for c in unread]), strict=True))
    for cell in view.code:
        for output in cell.cell.outputs:
            if output.kind == "error":
                what = without_secrets(ANSI.sub("", output.error)).strip()
                sentence = f"{capital(cell.name)} ended in an error: {what[:200].splitlines()[0] if what else '?'}"
                yield Remark(not cell.cell.may_fail, sentence)
        if cell.tree is None:
            yield _unread(cell, newer[cell.number])
        if EMPTY_REGION.search(cell.source):
            yield problem(f"{capital(cell.name)} is not finished: nothing stands between START and END.")


def _unread(cell: CodeView, newer: bool | None) -> Remark:
    """Say what became of a cell that this Python does not parse."""
    if newer is None:
        known = "could not be read here, and whether another Python can was not found out"
        return Remark(False, f"{capital(cell.name)} {known}; a tutor will look at it.")
    if newer:
        known = "is written for a newer Python than this one, or nested too deeply for it"
        return Remark(False, f"{capital(cell.name)} {known}; it was not looked into.")
    return problem(f"{capital(cell.name)} is not valid Python.")


def _imports(view: NotebookView) -> Iterator[Remark]:
    for cell in view.code:
        if any(module.split(".")[0] == "helpers" for module in imported_modules(cell.tree)):
            yield problem(
                f"{capital(cell.name)} imports the helpers, which are not part of the file: make it with "
                "'python -m course submit', which writes them into it."
            )


def _twice(view: NotebookView, assignment: Assignment | None) -> Iterator[Remark]:
    """Name classes that are defined twice, and functions that the assignment asks for."""
    required = _required_names(assignment)
    for name, definitions in view.definitions.items():
        places = [d for d in definitions if isinstance(d.node, ast.ClassDef | ast.FunctionDef) and "." not in name]
        is_class = any(isinstance(place.node, ast.ClassDef) for place in places)
        if len(places) > 1 and (is_class or name in required):
            cells = ", ".join(str(place.view.number) for place in places)
            kind = "class" if is_class else "function"
            yield Remark(
                False,
                f"The {kind} {name} is defined {len(places)} times, in cells {cells}: from cell "
                f"{places[-1].view.number} on another one answers to that name. Keep one, or rename one.",
            )


def _required_names(assignment: Assignment | None) -> set[str]:
    names: set[str] = set()
    for task in assignment.tasks if assignment else ():
        for alternatives in task.defines:
            names |= {name.split(".")[0] for name in alternatives.split("|")}
    return names


def _private(view: NotebookView) -> Iterator[Remark]:
    """Name paths of one machine, and what looks like a secret; a secret is never repeated.

    Paths in outputs are notes: a warning names the file of the student's own cell, and nothing is wrong with that.
    """
    places = [(f"cell {number}", "the text", text) for number, text in view.prose]
    for cell in view.code:
        places += [(cell.name, "the code", cell.source), (cell.name, "the output", cell.text)]
    folders, printed, secrets = [], [], []
    for where, part, text in places:
        folder = folder_of_one_machine(text, output=part == "the output")
        secret = next(secrets_in(text), None)
        if folder and part == "the output":
            printed.append(f"{capital(part)} of {where} names a folder of one machine ({folder}).")
        elif folder:
            folders.append(
                f"{capital(part)} of {where} names a folder of one machine ({folder}): use a path relative to the "
                "notebook."
            )
        if secret:
            secrets.append(
                f"{capital(part)} of {where} contains what looks like {secret}: take it out, run the notebook again, "
                "and change it where it is used."
            )
    yield from map(problem, [*folders[:MOST_OF_A_KIND], *secrets[:MOST_OF_A_KIND]])
    yield from (Remark(False, text) for text in printed[:MOST_OF_A_KIND])


def _notes(view: NotebookView) -> Iterator[Remark]:
    for cell in view.code:
        names = set(figure_names(cell.tree)) if cell.tree else set()
        if names and not cell.has_picture and cell.count is not None:
            listed = ", ".join(sorted(names))
            yield Remark(False, f"{capital(cell.name)} shows {listed}, but no picture is stored under it.")
    failures = view.printed.count("✗ FAILS |")
    if failures:
        yield Remark(False, f"{failures} of the notebook's own claims fail; search the outputs for ✗.")
    reasons = Counter(re.findall(r"– not judged: ([^|\n]{1,200}?) \|", view.printed))
    for why, times in reasons.items():
        yield Remark(False, f"{times} claims are not judged ({why}): such results are not worth handing in.")
    if view.origin and view.origin.get("outputs") == "taken over":
        yield Remark(False, "The outputs were taken over from the notebooks' own runs; this file itself was not run.")
