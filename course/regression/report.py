"""One static page for a regression run: each figure as expected, as it came out, and the difference; failures first."""

import base64
import html
import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageChops

from course.figures.comparison import FIGURES, KINDS, picture, tolerance
from course.figures.fingerprint import FigureError
from course.regression.results import MOST_PROBLEMS, FigureResult, NotebookResult
from helpers.core.files import write_whole

NAME = "report.html"
STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 1500px; padding: 0 1rem; color: #1b1b1b }
h2 { margin: 2.2rem 0 .4rem; font-size: 1.1rem } h2 small { font-weight: normal; color: #555 }
.bad { border-left: 6px solid #D55E00; padding-left: 1rem } .good { border-left: 6px solid #009E73; padding-left: 1rem }
.row { display: flex; gap: 1rem; flex-wrap: wrap } figure { margin: 0; flex: 1 1 30%; min-width: 280px }
img { max-width: 100%; border: 1px solid #ddd } figcaption { color: #555 }
table { border-collapse: collapse } td, th { padding: .15rem .8rem .15rem 0; text-align: left; vertical-align: top }
"""


def write(results: Sequence[NotebookResult], folder: Path, expected: Path) -> Path:
    """Write the page of these results to ``folder``; pictures lie inside it, so it can be sent as one file."""
    figures = [(result, figure) for result in results for figure in result.figures]
    figures.sort(key=lambda pair: not pair[1].failed)  # stable: notebooks and cells stay in order
    failed = sum(figure.failed for _, figure in figures)
    body = [
        f"<h1>{failed} of {len(figures)} figures failed</h1>"
        if failed
        else f"<h1>{len(figures)} figures, none failed</h1>",
        _table(results),
        *(_section(result, figure, folder, expected) for result, figure in figures),
    ]
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Figures of the notebooks</title><style>{STYLE}</style><body>{''.join(body)}</body></html>\n"
    )
    write_whole(folder / NAME, page.encode())
    return folder / NAME


def _table(results: Sequence[NotebookResult]) -> str:
    rows = []
    for result in results:
        failing = ", ".join(str(c.cell) for c in result.cells if c.outcome != "passed")
        state = "not compared: stand-in data" if not result.compared else "ok" if result.passed else "FAILED"
        times = " ".join(f"{c.cell}:&nbsp;{c.seconds:.1f}" for c in result.cells)
        total = sum(c.seconds for c in result.cells)
        rows.append(f"<tr><td>{html.escape(result.stem)}<td>{state}<td>{failing or '–'}<td>{total:.1f}<td>{times}")
    head = "<tr><th>notebook<th>result<th>cells that failed otherwise<th>seconds<th>of each cell"
    return f"<table>{head}{''.join(rows)}</table>"


def _section(result: NotebookResult, figure: FigureResult, folder: Path, expected: Path) -> str:
    kind = FIGURES.get(figure.name, "trained")
    allowed = tolerance(figure.name)
    measured = ", ".join(
        f"{k} {figure.measured[k]:.3g} (allowed {getattr(allowed, k):g})" for k in KINDS if k in figure.measured
    )
    problems = _list(figure.problems[:MOST_PROBLEMS])
    if len(figure.problems) > MOST_PROBLEMS:
        more = figure.problems[MOST_PROBLEMS:]
        problems += f"<details><summary>{len(more)} more differences</summary>{_list(more)}</details>"
    return (
        f'<section class="{"bad" if figure.failed else "good"}"><h2>{html.escape(figure.name)}: {figure.status} '
        f"<small>{html.escape(result.stem)}, cell {figure.cell}; tolerance: {kind}, "
        f"{html.escape(allowed.reason)}</small></h2>"
        f'<div class="row">{_pictures(figure, folder, expected)}</div>{problems}'
        f"<p>{'measured differences: ' + measured if measured else ''}</p></section>"
    )


def _list(sentences: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{html.escape(s)}' for s in sentences)}</ul>" if sentences else ""


def _pictures(figure: FigureResult, folder: Path, expected: Path) -> str:
    old, new = _read(expected / f"{figure.name}.png"), _read(folder / figure.actual) if figure.actual else None
    if old is not None and old == new:
        return _image("expected and actual, the same to the byte", old, figure.sentence)
    shown = [_image("expected", old, figure.sentence), _image("actual", new, figure.sentence)]
    if old is not None and new is not None:
        shown.append(_image("difference (black: none)", _difference(old, new), "Difference of the two pictures."))
    return "".join(shown)


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _image(caption: str, png: bytes | None, sentence: str) -> str:
    if png is None:
        return f"<figure><figcaption>{caption}: none</figcaption></figure>"
    source = base64.b64encode(png).decode()
    alt = html.escape(sentence, quote=True)
    return (
        f'<figure><img loading="lazy" alt="{alt}" src="data:image/png;base64,{source}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


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
