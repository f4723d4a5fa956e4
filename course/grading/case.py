"""A submission beside its assignment: which of its figures belong to which task."""

import re
from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass, fields
from functools import cached_property
from typing import NamedTuple

from PIL import Image

from course.assignments import Assignment, Task
from course.grading import evidence
from course.grading.evidence import Look, Series, ToyResults, Trace
from course.grading.sources import Sources
from course.notebooks.code import is_empty
from course.notebooks.newer import are_newer_python
from course.notebooks.reading import OPENED_KINDS, Cell, Picture, Submission


@dataclass(frozen=True)
class View:
    """A figure of a submission; it is decoded when somebody asks what its pixels say."""

    number: int  # among the pictures of the submission
    picture: Picture

    @cached_property
    def trace(self) -> Trace:
        return evidence.trace_of(self.picture.data)

    @cached_property
    def decoded(self) -> Image.Image | str:
        """The picture in gray, or why there is none."""
        return self.trace.problem or evidence.decoded(self.picture.data)

    @cached_property
    def look(self) -> Look:
        return evidence.look_at(self.decoded)

    @cached_property
    def pieces(self) -> int:
        """How many pieces its coloured parts fall into; none where it is black and white, or cannot be opened."""
        return 0 if self.trace.problem else evidence.pieces_of(self.picture.data)

    @cached_property
    def nothing_new(self) -> str:
        """Whether its panels are "flat", or all "alike"; empty where they are neither, or it cannot be opened."""
        return evidence.nothing_new(self.decoded)

    @property
    def problem(self) -> str | None:
        """Why it cannot be opened, as far as its file says without being decoded."""
        return self.trace.problem

    @property
    def is_of_open_kind(self) -> bool:
        """Say whether pictures of this kind can be opened at all."""
        return self.picture.kind in OPENED_KINDS

    @property
    def opens(self) -> bool:
        return self.look.problem is None

    @property
    def empty(self) -> bool:
        return self.opens and self.look.blank

    @property
    def drawn_on(self) -> bool:
        return self.opens and not self.look.blank


class Share(NamedTuple):
    """The figures that are taken for those of one task."""

    views: list[View]
    certain: bool  # by a name, a title, a function of the assignment's, or the heading of the task's section
    told_by: str = ""  # a clause that says by what

    @property
    def opened(self) -> list[View]:
        return [view for view in self.views if view.opens]

    @property
    def opens(self) -> bool:
        """Say whether one of the figures at least can be opened."""
        return any(view.opens for view in self.views)

    @property
    def closed_kinds(self) -> list[str]:
        """The kinds of those that cannot be opened here, so that nobody knows what they show."""
        return sorted({view.picture.kind for view in self.views if not view.is_of_open_kind})

    @property
    def drawn_on(self) -> bool:
        """Say whether something is drawn in one of the figures at least; the smallest one answers for most tasks."""
        return any(view.drawn_on for view in sorted(self.views, key=lambda view: len(view.picture.data)))

    @property
    def all_blank(self) -> bool:
        """Say whether there are figures, and nothing is drawn in any of them."""
        return not self.drawn_on and self.opens

    @property
    def places(self) -> str:
        """The code cells in which they stand, in words."""
        cells = sorted({view.picture.cell + 1 for view in self.views})
        listed = ", ".join(map(str, cells[:MOST_PLACES])) + (", ..." if len(cells) > MOST_PLACES else "")
        return f"code cell{'s' if len(cells) > 1 else ''} {listed}"


@dataclass(frozen=True)
class Case(Submission):
    """A submission, to be judged by the table of one assignment."""

    _: KW_ONLY
    assignment: Assignment

    @cached_property
    def code(self) -> Sources:
        """Its cells, parsed."""
        return Sources(self.cells)

    @cached_property
    def sections(self) -> dict[int, str]:
        """The task in whose section each code cell stands, by its number among all cells; where headings name tasks."""
        return sections_of(self.prose, [cell.number for cell in self.cells], self.assignment)

    @cached_property
    def prose_by_number(self) -> dict[int, str]:
        """Its texts, by their numbers among all cells."""
        return dict(self.prose)

    @cached_property
    def sourceless(self) -> list[int]:
        """The indices of the code cells that are no Python, or are empty though something is shown below them."""
        trees = zip(self.cells, self.code.trees, strict=True)
        unread = [index for index, (cell, tree) in enumerate(trees) if tree is None and cell.source.strip()]
        newer = dict(zip(unread, are_newer_python([self.cells[index].source for index in unread]), strict=True))
        emptied = {n for n, cell in enumerate(self.cells) if (cell.text or cell.pictures) and is_empty(cell.source)}
        return sorted(emptied | {index for index in unread if not newer[index]})

    @cached_property
    def views(self) -> list[View]:
        return [View(n, picture) for n, picture in enumerate(self.pictures)]

    @cached_property
    def shares(self) -> dict[str, Share]:
        """The figures of each task that has words for them."""
        return {task.name: share_of(task, self) for task in self.assignment.tasks if task.words}

    def share(self, task: Task) -> Share:
        return self.shares.get(task.name, Share([], False))

    def certain_tasks(self, view: View) -> set[str]:
        """Return the names of the tasks that a figure certainly belongs to."""
        numbers = {name: {v.number for v in share.views} for name, share in self.shares.items() if share.certain}
        return {name for name, of_task in numbers.items() if view.number in of_task}

    @cached_property
    def series(self) -> list[list[Series]]:
        """The losses that each code cell prints."""
        return [evidence.loss_series(cell.text) for cell in self.cells]

    @cached_property
    def toy_results(self) -> ToyResults:
        """The final results on the toy data sets."""
        return evidence.toy_results(self)

    @cached_property
    def repeats(self) -> list[tuple[View, View]]:
        """Pairs of figures with the same pixels in different cells: the earlier one first."""
        first: dict[str, View] = {}
        pairs = []
        for view in self.views:
            if view.problem:
                continue
            earlier = first.setdefault(view.trace.digest, view)
            # a display repeated in one cell is nobody's mistake
            if earlier.picture.cell != view.picture.cell and view.drawn_on:
                pairs.append((earlier, view))
        return pairs


def case_of(submission: Submission, assignment: Assignment) -> Case:
    """Return a submission beside the assignment that it is graded by."""
    values = {field.name: getattr(submission, field.name) for field in fields(Submission)}
    return Case(**values, assignment=assignment)


# ---------------------------------------------------------------- whose figure is whose

HEADING = re.compile(r"(#{1,6}|^\*\*)[ \t]*([^\n]{1,200})", re.M)
BOLD, LEVEL_OF_BOLD = "**", 6  # the words that begin a line; they head a section only where they name a task
NUMBERED = (
    r"(?:task|aufgabe|exercise|ex|teilaufgabe|part|übung|problem|question|frage|задание|упражнение|ejercicio|tarea"
    r"|esercizio|exercice|alıştırma|练习|任务|題|题)"
)
MOST_PLACES, LEAST_SECTIONS = 6, 2


def section_pattern(assignment: Assignment) -> re.Pattern[str]:
    """Return what finds the task that a heading names: "Task B3", "B3 The plane", "Exercise 5"; no bare number."""
    numbers = "|".join(re.escape(task.name) for task in assignment.tasks if task.name.isdigit())
    names = "|".join(re.escape(task.name) for task in assignment.tasks if not task.name.isdigit())
    named = [rf"(?:{NUMBERED}[ .:#-]{{0,3}})?({names})"] if names else []
    numbered = [rf"{NUMBERED}[ .:#-]{{0,3}}({numbers})"] if numbers else []
    others = "|".join(re.escape(task.name) for task in assignment.tasks)
    several = rf"[ ]?(?:[/&+,–-]|and|und|et|y)[ ]?(?:{others})(?!\w)"  # "Task A1/A2" is the heading of both
    return re.compile(rf"(?:{'|'.join(named + numbered)})(?!\w)(?!{several})", re.I)


BARE = re.compile(r"(\d)(?!\w|[.,]\d)")


def are_numbered(titles: list[str], assignment: Assignment) -> bool:
    """Say whether headings bear the numbers of all tasks and nothing before them, each once and in their order."""
    numbers = [found[1] for title in titles if (found := BARE.match(title))]
    return len(numbers) > LEAST_SECTIONS and numbers == [t.name for t in assignment.tasks if t.name.isdigit()]


def sections_of(prose: Iterable[tuple[int, str]], cells: list[int], assignment: Assignment) -> dict[int, str]:
    """Return the task whose section each cell stands in; a heading of its level or above ends a section."""
    names = {task.name.lower(): task.name for task in assignment.tasks}
    headings = {number: HEADING.findall(text) for number, text in prose}
    titles = [title.strip(" *_\t") for of_cell in headings.values() for marks, title in of_cell if marks != BOLD]
    pattern = BARE if are_numbered(titles, assignment) else section_pattern(assignment)
    named = {
        found[0].lower()
        for of_cell in headings.values()
        for _, t in of_cell
        if (found := pattern.match(t.strip(" *_\t")))
    }
    if len(named) < LEAST_SECTIONS:
        return {}  # one heading alone is the sheet's: "Exercise 5: VAE"
    sections: dict[int, str] = {}
    task, level = "", 0
    for number in sorted([*headings, *cells]):
        for marks, title in headings.get(number, ()):
            found = pattern.match(title.strip(" *_\t"))
            if found:
                task = names["".join(filter(None, found.groups())).lower()]
                level = LEVEL_OF_BOLD if marks == BOLD else len(marks)
            elif marks != BOLD and len(marks) <= level:
                task, level = "", 0
        if task:
            sections[number] = task
    return sections


def share_of(task: Task, case: Case) -> Share:
    """Return a task's figures: by name, by title, by a function of the assignment's, by section, or by a word."""
    possible = [
        v for v in case.views if not holds(v.picture.label, task.elsewhere) or holds(v.picture.label, task.figures)
    ]
    named = [view for view in possible if holds(view.picture.label, (*task.words, *task.figures, *task.expected))]
    if named:
        return Share(named, True, f"by the name or title {named[0].picture.label.strip()[:60]!r}")
    in_section = [view for view in possible if case.sections.get(cell_of(case, view).number) == task.name]
    elsewhere = {
        view.number for view in possible if case.sections.get(cell_of(case, view).number, task.name) != task.name
    }
    titled, title = [], ""
    for view in possible:
        reach = case.code.reach(view.picture.cell)
        titles = (
            *reach.saved,
            *reach.titles,
            *printed_titles(case, view),
            cell_of(case, view).heading.strip("# ").lower(),
            text_above(case, view),
        )
        hits = [t for t in titles if tells(task, t)]
        hits += [name for name in task.calls if name in reach.calls]
        if hits and view.number not in elsewhere:
            titled.append(view)
            title = title or hits[0]
    certain = [view for view in in_section if not contradicts(task, case, view)] + [
        v for v in titled if v not in in_section
    ]
    certain = [view for view in certain if view.picture.cell not in case.sourceless and not cell_of(case, view).error]
    if certain:
        told_by = f"by {title!r} in its code" if titled else f"by the heading of task {task.name}"
        return Share(certain, True, told_by)
    near = [view for view in possible if view.number not in elsewhere and holds(view.picture.words, task.words)]
    return Share([*in_section, *near], False)


def cell_of(case: Case, view: View) -> Cell:
    return case.cells[view.picture.cell]


def printed_titles(case: Case, view: View) -> list[str]:
    """Return short lines that a cell prints beside its pictures, as loops announce them."""
    lines = cell_of(case, view).text.lower().splitlines()[:MOST_LINES]
    return [line for line in lines if 0 < len(line) < LONGEST_LINE]


MOST_LINES, LONGEST_LINE = 200, 60


def text_above(case: Case, view: View) -> str:
    """Return the text right above a figure's cell where it is one short line, which is a title without its marks."""
    above = case.prose_by_number.get(cell_of(case, view).number - 1, "").strip()
    return above.strip("*_ ").lower() if len(above) < LONGEST_LINE and "\n" not in above else ""


def tells(task: Task, title: str) -> bool:
    """Say whether a title is one of this task's figures."""
    return holds(title, task.words) and not holds(title, task.elsewhere)


def contradicts(task: Task, case: Case, view: View) -> bool:
    """Say whether a figure in the task's section is called another task's by its titles, and not this one's."""
    reach = case.code.reach(view.picture.cell)
    titles = [*reach.saved, *reach.titles]
    return any(holds(t, task.elsewhere) for t in titles) and not any(tells(task, t) for t in titles)


def holds(text: str, words: Iterable[str]) -> bool:
    """Say whether one of the words begins a word of a text; underscores and dashes part words, as spaces do."""
    spaced = f" {SEPARATORS.sub(' ', text.lower())}"
    return any(f" {SEPARATORS.sub(' ', word.lower())}" in spaced for word in words)


SEPARATORS = re.compile(r"[\W_]+")
