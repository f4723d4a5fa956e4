"""What a regression run found out, one JSON a notebook: figures of every cell, times, and what to do about them."""

import base64
import binascii
import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import nbformat

from course.figures.comparison import compare
from course.figures.fingerprint import FigureError, read_fingerprint
from helpers.core.files import FIGURE_NAME, write_whole

LINE = re.compile(rf"^figure ({FIGURE_NAME.pattern})$", re.MULTILINE)
PICTURES = ("image/png", "image/jpeg", "image/svg+xml", "application/pdf")
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
    def passed(self) -> bool:
        return all(c.outcome == "passed" for c in self.cells) and not any(f.failed for f in self.figures)

    def save(self, folder: Path) -> None:
        write_whole(folder / f"{self.stem}.json", json.dumps(asdict(self), indent=1).encode())


def load(folder: Path) -> list[NotebookResult]:
    """All results in a folder, in the notebooks' order."""
    found = []
    for path in sorted(folder.glob("*.json")):
        raw = json.loads(path.read_text(encoding="utf-8"))
        cells = [CellResult(**c) for c in raw.pop("cells")]
        figures = [FigureResult(**f) for f in raw.pop("figures")]
        found.append(NotebookResult(**raw, cells=cells, figures=figures))
    return found


# ---------------------------------------------------------------- the figures of one cell


class Shown(NamedTuple):
    """A figure among a cell's outputs; ``png`` is None where only its line was printed."""

    name: str | None
    png: bytes | None
    sentence: str


def figures_in(outputs: Iterable[Any]) -> list[Shown]:
    """The figures of a cell's outputs: lines "figure NAME", each with its picture.

    nbval merges all printed text before any picture, so the two come apart and are paired by order; where their numbers
    differ, by the name inside the picture.
    """
    names: list[str] = []
    pictures: list[tuple[bytes | None, str]] = []
    for output in outputs:
        if output.get("output_type") == "stream" and output.get("name") == "stdout":
            names += [match[0] for match in LINE.findall(output["text"])]
        data = output.get("data", {})
        if any(kind in data for kind in PICTURES):
            pictures.append((_decoded(data.get("image/png")), str(data.get("text/plain", ""))))
    if len(names) == len(pictures):
        return [Shown(name, png, sentence) for name, (png, sentence) in zip(names, pictures, strict=True)]
    left, shown = list(names), []
    for png, sentence in pictures:
        inside = _name_inside(png)
        name = inside if inside in left else None
        if name is not None:
            left.remove(name)
        shown.append(Shown(name, png, sentence))
    return shown + [Shown(name, None, "") for name in left]


def _decoded(text: str | None) -> bytes | None:
    try:
        return None if text is None else base64.b64decode(text)
    except (binascii.Error, ValueError):
        return None


def _name_inside(png: bytes | None) -> str | None:
    try:
        found = read_fingerprint(png or b"")
    except FigureError:
        return None
    return None if found is None else found["name"]


def judge_cell(
    cell: int, stored: Iterable[Any], outputs: Iterable[Any], seen: set[str], expected: Path, *, compared: bool = True
) -> list[tuple[FigureResult, bytes | None]]:
    """Every figure of a cell that was run, with its picture.

    Args:
        stored, outputs: the cell's outputs as committed, and as they came out now.
        seen: names that this notebook has shown before; the cell's are added.
        expected: folder of the expected figures.
        compared: False where the data are not the genuine ones.
    """
    wanted = [s.name for s in figures_in(stored) if s.name is not None]
    results: list[tuple[FigureResult, bytes | None]] = []
    for i, shown in enumerate(figures_in(outputs), start=1):
        status, problems, measured = _judge(shown, wanted, seen, expected) if compared else ("not compared", [], {})
        name = shown.name or f"unnamed_{cell}_{i}"
        results.append((FigureResult(name, cell, status, problems, measured, "", shown.sentence), shown.png))
        if shown.name:
            seen.add(shown.name)
    for name in wanted:
        if compared and name not in {r.name for r, _ in results}:
            sentence = (
                f"the cell no longer shows it: show it under this name, or take {name}.png out of {expected.name}"
            )
            results.append((FigureResult(name, cell, "missing", [sentence]), None))
    return results


def _judge(shown: Shown, wanted: Sequence[str], seen: set[str], expected: Path) -> tuple[str, list[str], dict]:
    if shown.name is None:
        return "unnamed", ["a picture without a line 'figure NAME': display it with show(figure, name, alt)"], {}
    if shown.name in seen:
        return "duplicate", ["the notebook has shown a figure of this name before: give each its own name"], {}
    if shown.png is None:
        return "missing", ["its line is printed, but there is no picture: display it with show"], {}
    file = expected / f"{shown.name}.png"
    if shown.name not in wanted or not file.is_file():
        where = f"{expected.name}/{file.name}" if not file.is_file() else "the stored outputs of this cell"
        return "unexpected", [f"it is not in {where}: where it is meant, run make figures"], {}
    found = compare(shown.name, file.read_bytes(), shown.png)
    return ("differs" if found.problems else "ok"), found.problems, found.measured


def failure_text(stem: str, results: Iterable[FigureResult], report: Path) -> str:
    """What a failing cell says of its figures."""
    lines = []
    for result in results:
        if result.failed:
            lines.append(f"{stem}, cell {result.cell}: figure {result.name}: {result.status}")
            lines += [f"    {problem}" for problem in result.problems[:MOST_PROBLEMS]]
            if len(result.problems) > MOST_PROBLEMS:
                lines.append(f"    and {len(result.problems) - MOST_PROBLEMS} more differences")
    number = stem.partition("_")[0]
    lines.append(f"Side by side: {report}")
    lines.append(f"Where the new figures are right: python -m course check --figures-update {number}")
    return "\n".join(lines)


# ---------------------------------------------------------------- accepting what came out


def refuse_under_ci() -> None:
    """Raises ValueError where ``CI`` is set: a machine must not approve its own figures."""
    if os.environ.get("CI", "").lower() not in ("", "0", "false"):
        raise ValueError("--figures-update is refused where CI is set: run it on your own machine and commit the files")


def update(results: Iterable[NotebookResult], folder: Path, expected: Path) -> list[str]:
    """Make figures that differ the expected ones, there and in the stored notebooks; a sentence for each.

    Figures within tolerance stay, so a run on another machine changes nothing. A notebook with any other failure is
    left alone.

    Raises:
        ValueError: ``CI`` is set.
    """
    refuse_under_ci()
    said = []
    for result in results:
        other = [f.name for f in result.figures if f.failed and f.status != "differs"]
        bad = [str(c.cell) for c in result.cells if c.outcome != "passed"]
        if not result.compared or other or bad:
            why = "not compared" if not result.compared else "cells " + ", ".join(bad) if bad else ", ".join(other)
            said.append(f"{result.stem}: left as it is ({why}); mend that first, or run make figures")
            continue
        changed = {f.name: f for f in result.figures if f.status == "differs"}
        if not changed:
            said.append(f"{result.stem}: nothing to change")
            continue
        pictures = {name: (folder / f.actual).read_bytes() for name, f in changed.items()}
        _put_into(Path(result.notebook), pictures)
        for name, png in pictures.items():
            write_whole(expected / f"{name}.png", png)
            said.append(f"{result.stem}: {name} changed: {'; '.join(changed[name].problems[:3])}")
    return said


def _put_into(notebook: Path, pictures: dict[str, bytes]) -> None:
    nb = nbformat.read(notebook, as_version=4)
    for cell in nb.cells:
        outputs = cell.get("outputs", [])
        drawn = [o for o in outputs if "image/png" in o.get("data", {})]
        for output, shown in zip(drawn, figures_in(outputs), strict=False):
            if shown.name in pictures:
                output["data"]["image/png"] = base64.b64encode(pictures[shown.name]).decode()
    write_whole(notebook, (nbformat.writes(nb) + "\n").encode())
