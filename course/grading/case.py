"""A submission beside its assignment: which of its figures belong to which task."""

from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass, fields
from functools import cached_property
from typing import NamedTuple

from course.assignments import Assignment, Task
from course.grading import evidence
from course.grading.evidence import Look, Trace
from course.notebooks.reading import OPENED_KINDS, Picture, Submission


@dataclass(frozen=True)
class View:
    """A figure of a submission; it is decoded when somebody asks what its pixels say."""

    number: int  # among the pictures of the submission
    picture: Picture

    @cached_property
    def trace(self) -> Trace:
        return evidence.trace_of(self.picture.data)

    @cached_property
    def look(self) -> Look:
        return Look(False, (0, 0), self.trace.problem) if self.trace.problem else evidence.look_at(self.picture.data)

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
    certain: bool  # by a name or a title, or by words that belong to this task alone

    @property
    def opened(self) -> list[View]:
        return [view for view in self.views if view.opens]

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
        return not self.drawn_on and bool(self.opened)


@dataclass(frozen=True)
class Case(Submission):
    """A submission, to be judged by the table of one assignment."""

    _: KW_ONLY
    assignment: Assignment

    @cached_property
    def views(self) -> list[View]:
        return [View(n, picture) for n, picture in enumerate(self.pictures)]

    @cached_property
    def shares(self) -> dict[str, Share]:
        """The figures of each task that has words for them."""
        return {task.name: share_of(task, self.views, self.assignment) for task in self.assignment.tasks if task.words}

    def share(self, task: Task) -> Share:
        return self.shares.get(task.name, Share([], False))

    def certain_tasks(self, view: View) -> set[str]:
        """Return the names of the tasks that a figure certainly belongs to."""
        numbers = {name: {v.number for v in share.views} for name, share in self.shares.items() if share.certain}
        return {name for name, of_task in numbers.items() if view.number in of_task}

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


def share_of(task: Task, views: list[View], assignment: Assignment) -> Share:
    """Return the figures of a task: by name or title where there is one, else by words around it, where clear."""
    possible = [view for view in views if not holds(view.picture.label, task.elsewhere)]
    labelled = [view for view in possible if holds(view.picture.label, task.words)]
    if labelled:
        return Share(labelled, True)
    near = [view for view in possible if holds(view.picture.words, task.words)]
    # words in a source tell it only where they tell no other task's figure
    of_others = [other.words for other in assignment.tasks if other.name != task.name and other.panels]
    clear = [view for view in near if not any(holds(view.picture.words, words) for words in of_others)]
    return Share(clear or near, bool(clear))


def holds(text: str, words: Iterable[str]) -> bool:
    """Say whether one of the words stands in a text."""
    return any(word in text for word in words)
