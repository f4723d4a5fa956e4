"""One static page for a regression run: each figure as expected, as it came out, and the difference; failures first."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image, ImageChops

from course.assignments import FIGURES
from course.figures.comparison import KINDS, tolerance
from course.figures.pictures import picture
from course.figures.png import FigureError
from course.notebooks import versions
from course.regression.results import MOST_PROBLEMS, FigureResult, NotebookResult
from helpers.core.files import write_whole

NAME = "report.html"
TEMPLATES = Path(__file__).with_name("templates")


class Panel(NamedTuple):
    """One picture of a figure on the page; ``source`` is a data URI, empty where there is no picture."""

    caption: str
    source: str


class Section(NamedTuple):
    """One figure on the page."""

    notebook: str
    cell: int
    name: str
    status: str
    failed: bool
    tolerance: str
    sentence: str
    pictures: list[Panel]
    problems: list[str]
    measured: list[str]


def write_report(results: Sequence[NotebookResult], folder: Path, expected: Path) -> Path:
    """Write the page of these results to ``folder``; pictures lie inside it, so it can be sent as one file.

    It begins with the versions that ran, and with what has changed since the tests were last green.
    """
    sections = []
    for result in results:
        sections += [_section(result.stem, figure, folder, expected) for figure in result.figures]
    sections.sort(key=lambda section: not section.failed)  # stable: notebooks and cells stay in order
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    here = versions.installed()
    page = environment.get_template(NAME).render(
        versions=versions.one_line(here),
        changes=versions.changes(here, versions.locked()),
        results=results,
        figures=sections,
        failed=sum(section.failed for section in sections),
        most_problems=MOST_PROBLEMS,
    )
    write_whole(folder / NAME, page.encode())
    return folder / NAME


def _section(notebook: str, figure: FigureResult, folder: Path, expected: Path) -> Section:
    kind, measured = _tolerance(figure)
    pictures = _pictures(figure, folder, expected)
    return Section(
        notebook, figure.cell, figure.name, figure.status, figure.failed, kind, figure.sentence, pictures,
        figure.problems, measured,
    )  # fmt: skip


def _tolerance(figure: FigureResult) -> tuple[str, list[str]]:
    """Return the figure's tolerance in words, and each measured difference beside what is allowed."""
    try:
        allowed = tolerance(figure.name)
    except FigureError:
        return "none, for no assignment's table has it", []
    kinds = [kind for kind in KINDS if kind in figure.measured]
    measured = [f"{kind} {figure.measured[kind]:.3g} (allowed {getattr(allowed, kind):g})" for kind in kinds]
    return f"{FIGURES[figure.name].tolerance}, {allowed.reason}", measured


def _pictures(figure: FigureResult, folder: Path, expected: Path) -> list[Panel]:
    old = _read(expected / f"{figure.name}.png")
    new = _read(folder / figure.actual) if figure.actual else None
    if old is not None and old == new:
        return [_panel("expected and actual, the same to the byte", old)]
    panels = [_panel("expected", old), _panel("actual", new)]
    if old is not None and new is not None:
        panels.append(_panel("difference (black: none)", _difference(old, new)))
    return panels


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _panel(caption: str, png: bytes | None) -> Panel:
    return Panel(caption, "" if png is None else f"data:image/png;base64,{base64.b64encode(png).decode()}")


def _difference(old: bytes, new: bytes) -> bytes | None:
    try:
        a, b = picture(old), picture(new)
    except FigureError:
        return None
    size = (max(a.width, b.width), max(a.height, b.height))
    a, b = (_on_white(p, size) for p in (a, b))
    buffer = io.BytesIO()
    ImageChops.difference(a, b).convert("L").save(buffer, "PNG")
    return buffer.getvalue()


def _on_white(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    page = Image.new("RGB", size, "white")
    page.paste(image, (0, 0))
    return page
