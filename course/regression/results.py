"""Keep what a regression run observes, one JSON a notebook: the figures of every cell, times, and what to do."""

import base64
import binascii
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import nbformat

from course.figures.comparison import compare
from course.notebooks import versions
from course.notebooks.reading import PICTURE_KINDS
from helpers.core.files import html_figure, write_whole

MOST_PROBLEMS = 8  # of one figure, in a failure's text; the report has all


@dataclass(frozen=True)
class FigureResult:
    """One figure of one cell: ``status`` is ok, differs, missing, unexpected, duplicate, unnamed or not compared."""

    name: str
    cell: int
    status: str
    problems: list[str] = field(default_factory=list)
    measured: dict[str, float] = field(default_factory=dict)
    actual: str = ""  # file in the results' folder
    sentence: str = ""  # for those who cannot see the figure

    @property
    def failed(self) -> bool:
        return self.status not in ("ok", "not compared")


@dataclass(frozen=True)
class CellResult:
    """How one cell went; ``outcome`` is passed, failed or not run."""

    cell: int
    seconds: float
    outcome: str


@dataclass
class NotebookResult:
    """How one notebook's run went."""

    notebook: str  # its path
    compared: bool
    cells: list[CellResult] = field(default_factory=list)
    figures: list[FigureResult] = field(default_factory=list)

    @property
    def stem(self) -> str:
        return Path(self.notebook).stem

    @property
    def failed_cells(self) -> list[int]:
        """Return the cells that failed, were not run, or whose text differs."""
        return [c.cell for c in self.cells if c.outcome != "passed"]

    @property
    def passed(self) -> bool:
        return not self.failed_cells and not any(f.failed for f in self.figures)

    @property
    def state(self) -> str:
        if not self.compared:
            return "not compared: stand-in data"
        return "ok" if self.passed else "FAILED"

    @property
    def seconds(self) -> float:
        return sum(c.seconds for c in self.cells)

    def save(self, folder: Path) -> None:
        """Write the result to ``folder``, under the notebook's name."""
        write_whole(folder / f"{self.stem}.json", json.dumps(asdict(self), indent=1).encode())


def load(folder: Path) -> list[NotebookResult]:
    """Read all results in a folder, in the notebooks' order."""
    results = []
    for path in sorted(folder.glob("*.json")):
        raw = json.loads(path.read_text(encoding="utf-8"))
        cells = [CellResult(**c) for c in raw.pop("cells")]
        figures = [FigureResult(**f) for f in raw.pop("figures")]
        results.append(NotebookResult(**raw, cells=cells, figures=figures))
    return results


# ---------------------------------------------------------------- the figures of one cell


class Display(NamedTuple):
    """A figure among a cell's outputs; ``png`` is None where it cannot be read."""

    name: str | None
    png: bytes | None
    sentence: str


def figures_in(outputs: Iterable[Any]) -> list[Display]:
    """Return the figures among a cell's outputs, each with the name under which it was shown."""
    displays = []
    for output in outputs:
        data = output.get("data", {})
        if any(kind in data for kind in PICTURE_KINDS):
            name = output.get("metadata", {}).get("figure")
            displays.append(Display(name, _decoded(data.get("image/png")), str(data.get("text/plain", ""))))
    return displays


def _decoded(text: str | None) -> bytes | None:
    try:
        return base64.b64decode(text or "") or None
    except (binascii.Error, ValueError):
        return None


def judge_cell(
    cell: int, stored: Iterable[Any], outputs: Iterable[Any], names: set[str], expected: Path, *, compared: bool = True
) -> list[tuple[FigureResult, bytes | None]]:
    """Judge every figure of a cell that was run; return each result with its picture.

    Args:
        cell: The cell's number.
        stored: The cell's outputs as committed.
        outputs: The cell's outputs as they came out now.
        names: Of figures that this notebook has shown before; the cell's are added.
        expected: Folder of the expected figures.
        compared: False where the data are not the genuine ones.
    """
    stored_names = [display.name for display in figures_in(stored) if display.name is not None]
    results: list[tuple[FigureResult, bytes | None]] = []
    for number, display in enumerate(figures_in(outputs), start=1):
        judgement = _judge(display, stored_names, names, expected) if compared else Judgement("not compared", [], {})
        name = display.name or f"unnamed_{cell}_{number}"
        result = FigureResult(name, cell, *judgement, actual="", sentence=display.sentence)
        results.append((result, display.png))
        if display.name:
            names.add(display.name)
    if compared:
        present = {result.name for result, _ in results}
        results += [(_missing(name, cell, expected), None) for name in stored_names if name not in present]
    return results


def _missing(name: str, cell: int, expected: Path) -> FigureResult:
    sentence = f"the cell no longer shows it: show it under this name, or take {name}.png out of {expected.name}"
    return FigureResult(name, cell, "missing", [sentence])


class Judgement(NamedTuple):
    """What is to be said of one figure; see :class:`FigureResult`."""

    status: str
    problems: list[str]
    measured: dict[str, float]


def _judge(display: Display, stored_names: Sequence[str], names: set[str], expected: Path) -> Judgement:
    if display.name is None:
        return Judgement("unnamed", ["a picture without a name: display it with show(figure, name, alt)"], {})
    if display.name in names:
        return Judgement(
            "duplicate", ["the notebook has shown a figure of this name before: give each its own name"], {}
        )
    if display.png is None:
        return Judgement("missing", ["its picture cannot be read: display it with show(figure, name, alt)"], {})
    file = expected / f"{display.name}.png"
    if display.name not in stored_names or not file.is_file():
        place = "the stored outputs of this cell" if file.is_file() else f"{expected.name}/{file.name}"
        return Judgement("unexpected", [f"it is not in {place}: where it is meant, run make figures"], {})
    comparison = compare(display.name, file.read_bytes(), display.png)
    return Judgement("differs" if comparison.problems else "ok", comparison.problems, comparison.measured)


def failure_text(stem: str, results: Iterable[FigureResult], report: Path) -> str:
    """Return what a failing cell says of its figures."""
    lines = []
    for result in results:
        if result.failed:
            lines.append(f"{stem}, cell {result.cell}: figure {result.name}: {result.status}")
            lines += [f"    {problem}" for problem in result.problems[:MOST_PROBLEMS]]
            if len(result.problems) > MOST_PROBLEMS:
                lines.append(f"    and {len(result.problems) - MOST_PROBLEMS} more differences")
    number = stem.partition("_")[0]
    changes = versions.changes(versions.installed(), versions.locked())
    if changes:
        lines.append(f"Other versions than those that were last green: {'; '.join(changes)}")
    lines.append(f"Side by side: {report}")
    lines.append(f"Where the new figures are right: python -m course check --figures-update {number}")
    return "\n".join(lines)


# ---------------------------------------------------------------- accepting what came out


def refuse_under_ci() -> None:
    """Raise ValueError where ``CI`` is set: a machine must not approve its own figures."""
    if os.environ.get("CI", "").lower() not in ("", "0", "false"):
        raise ValueError("--figures-update is refused where CI is set: run it on your own machine and commit the files")


def update(results: Iterable[NotebookResult], folder: Path, expected: Path) -> list[str]:
    """Make figures that differ the expected ones, there and in the stored notebooks; return a sentence for each.

    Figures within tolerance stay, so a run on another machine changes nothing. A notebook with any other failure is
    left alone.

    Raises:
        ValueError: ``CI`` is set.
    """
    refuse_under_ci()
    sentences = []
    for result in results:
        obstacle = _obstacle(result)
        changed = [figure for figure in result.figures if figure.status == "differs"]
        if obstacle:
            sentences.append(f"{result.stem}: left as it is ({obstacle}); mend that first, or run make figures")
        elif not changed:
            sentences.append(f"{result.stem}: nothing to change")
        else:
            _accept(result, changed, folder, expected)
            sentences += [f"{result.stem}: {f.name} changed: {'; '.join(f.problems[:3])}" for f in changed]
    return sentences


def _obstacle(result: NotebookResult) -> str:
    """Say why figures of this notebook cannot be accepted; nothing where they can."""
    if not result.compared:
        return "not compared"
    if result.failed_cells:
        return "cells " + ", ".join(map(str, result.failed_cells))
    return ", ".join(f.name for f in result.figures if f.failed and f.status != "differs")


def _accept(result: NotebookResult, changed: Iterable[FigureResult], folder: Path, expected: Path) -> None:
    pictures = {figure.name: (folder / figure.actual).read_bytes() for figure in changed}
    _put_into(Path(result.notebook), pictures)
    for name, png in pictures.items():
        write_whole(expected / f"{name}.png", png)


def _put_into(notebook: Path, pictures: dict[str, bytes]) -> None:
    nb = nbformat.read(notebook, as_version=4)
    for cell in nb.cells:
        outputs = cell.get("outputs", [])
        with_png = [output for output in outputs if "image/png" in output.get("data", {})]
        for output, display in zip(with_png, figures_in(outputs), strict=False):
            if display.name in pictures:
                png = pictures[display.name]
                output["data"]["image/png"] = base64.b64encode(png).decode()
                output["data"]["text/html"] = html_figure(png, display.sentence)
    write_whole(notebook, (nbformat.writes(nb) + "\n").encode())
