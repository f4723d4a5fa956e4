"""The types of the assignments' tables: what is known of a figure, a task, an assignment.

A table is data. It names functions (of the helpers, of the checks) by their names, so it imports nothing, and whoever
needs one of them looks it up.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Figure:
    """A figure that a notebook of the assignment shows."""

    name: str  # of its file in student_figures/expected, without its suffix
    tolerance: str  # how much another machine's may differ: a name of course.figures.comparison.TOLERANCES
    drawn_by: tuple[str, ...] = ()  # a picture under a cell that uses one of these counts too: not all assignments name


@dataclass(frozen=True)
class Task:
    """One task: what it asks for, the traces that doing it leaves, and what shows that it is right."""

    name: str
    asks: str  # a clause for students: "implement the autoencoder and its training"
    requires: str  # a sentence for tutors: what a right solution is

    # what must be present, whatever it is worth
    defines: tuple[str, ...] = ()  # functions, classes, methods or variables; "a|b": either
    uses: tuple[str, ...] = ()  # names that occur in the code; "a|b": either
    prints: tuple[tuple[str, str], ...] = ()  # what is printed, and a pattern that finds it
    writes: tuple[tuple[str, str], ...] = ()  # what text cells say, and a pattern that finds it
    apart: str = ""  # a pattern in a text that tells that it answers another task
    figures: tuple[str, ...] = ()  # figures that a submission must show

    # what the student version leaves open
    regions: tuple[str, ...] = ()  # functions of the helpers: "toy_vae.VAE.forward"
    checks: tuple[str, ...] = ()  # what tells the student at once, by the names of functions in helpers/checks

    # what shows whether it is right
    from_outputs: tuple[str, ...] = ()  # checks on what is stored in the file, by the names of their functions
    from_rerun: tuple[str, ...] = ()  # checks by behaviour
    own_ways: tuple[str, ...] = ()  # what shows it in a rerun where nothing bears the assignment's names
    words: tuple[str, ...] = ()  # begin a word in the names and titles of its figures
    calls: tuple[str, ...] = ()  # the assignment's own functions that draw them
    elsewhere: tuple[str, ...] = ()  # in a name or title: the figure is another task's
    panels: tuple[int, int] | None = None  # rows and columns that its main figure should have
    expected: tuple[str, ...] = ()  # our own figures of it, which a tutor sees beside the submitted ones


@dataclass(frozen=True)
class Assignment:
    """All that is known of one assignment."""

    key: str  # a1
    title: str
    notebooks: tuple[str, ...]  # stems, in the order in which they are joined
    tasks: tuple[Task, ...]
    figures: tuple[Figure, ...]  # every figure that its notebooks show
    images: tuple[str, ...] = ()  # image sets that its notebooks load: "mnist", "fashion"
    marks: tuple[str, ...] = ()  # names that tell its notebooks from any other's, besides those of its functions
    hints: Mapping[str, str] = field(default_factory=dict)  # what a student is told, by code; besides those of all

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules of ``helpers`` that belong to its notebooks, which bear the same names."""
        return tuple(stem.split("_", 1)[1] for stem in self.notebooks)

    def figure(self, name: str) -> Figure:
        """Return what is known of one of its figures.

        Raises:
            KeyError: its table has none of that name.
        """
        entry = next((figure for figure in self.figures if figure.name == name), None)
        if entry is None:
            raise KeyError(f"{name} stands in no figures of {self.key}: add it to course/assignments/{self.key}.py")
        return entry

    @property
    def graded(self) -> tuple[Task, ...]:
        """What a verdict is given on: the file itself, then each task."""
        return (FILE, *self.tasks)


FILE = Task(
    name="file",
    asks="hand in one executed notebook",
    requires="One notebook named name_surname_<assignment>.ipynb, all code cells executed once and in order, "
    "without errors.",
    from_outputs=("order", "errors", "sources_there", "unfinished"),  # what its name says is the inbox's
)
