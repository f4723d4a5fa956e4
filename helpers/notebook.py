"""What every notebook says and shows: ``show``, ``claims``, ``show_numbers``, ``explore``, ``check``, ``solution``."""

import inspect
import io
import math
import re
import textwrap
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.display import display
from matplotlib.figure import Figure
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from helpers import claims as sheets
from helpers import plots
from helpers.checks import check
from helpers.core.files import FIGURE_NAME, html_figure, write_whole
from helpers.core.settings import budget, figure_hook, figures_folder, is_live, is_quick

if TYPE_CHECKING:  # it would load torch, which notebook 01 does without
    from helpers.core.data import ImageSet

__all__ = ["budget", "check", "claims", "explore", "show", "show_numbers", "solution"]

DPI = 100
DOCSTRING = re.compile(r'^ +r?"""(?:.|\n)*?"""\n', re.MULTILINE)  # the first of a source is its own


def show(figure: Figure, name: str, alt: str, *, data: "ImageSet | None" = None) -> None:
    """Display a figure with a caption below it, and write exactly those bytes to ``<name>.png`` in the figures folder.

    Viewers that know HTML (JupyterLab, nbconvert) take the picture with its caption, others the picture alone.

    Args:
        name: lower-case words joined by underscores; the file's name.
        alt: one sentence that says what the figure shows: its caption, and what a screen reader says.
        data: the images that the figure is made from; a stand-in is announced on the figure.

    Where the folder cannot be written to, as in a shared checkout, a warning says so, once.

    Raises:
        ValueError: another form of name, or no ``alt``.
    """
    if not FIGURE_NAME.fullmatch(name):
        raise ValueError(f"a figure's name is lower-case words joined by underscores, got {name!r}")
    if not alt.strip():
        raise ValueError(f"figure {name} needs a sentence in alt, for those who cannot see it")
    if data is not None and not data.genuine:
        figure.text(0.995, 0.005, data.title, ha="right", va="bottom", fontsize=8, color=plots.RED)
    png = render(figure, name)
    bundle = {"text/html": html_figure(png, alt), "image/png": png, "text/plain": alt}
    display(bundle, metadata={"figure": name, "image/png": {"alt": alt}}, raw=True)
    folder = figures_folder()
    try:
        write_whole(folder / f"{name}.png", png)
    except OSError as error:
        _warn_of(folder, getattr(error.__cause__, "strerror", None) or str(error))


@cache
def _warn_of(folder: Path, reason: str) -> None:
    """Warn once of a folder that figures cannot be written into: seeing them matters more than the files."""
    warnings.warn(f"figures are shown, but not saved to {folder} ({reason}): FIGURES_DIR names another", stacklevel=3)


def render(figure: Figure, name: str) -> bytes:
    """Return the figure as a PNG of fixed size, without a version or date, and with what a hook adds to it."""
    buffer = io.BytesIO()
    hook = figure_hook()
    with plots.style():
        options: dict[str, Any] = {"metadata": {"Software": None}} if hook is None else hook(figure, name)
        figure.savefig(buffer, format="png", dpi=DPI, **options)
    return buffer.getvalue()


@contextmanager
def claims(notebook: str, data: "ImageSet | None" = None) -> Iterator[Callable[[str, float], None]]:
    """Collect claims, and display at the end how many hold: one line that opens to all; those that fail stand in full.

    ``with claims("02_toy_vae") as claim: claim("gap on set 1", gap)`` judges by the band that stands under this name in
    ``helpers/claims/02_toy_vae.json``. A regression run replaces the number behind "measured" and compares the rest to
    the letter, so it fails exactly when a verdict flips.

    Args:
        notebook: the name of the notebook's file, without ``.ipynb``.
        data: the images measured on; on a stand-in nothing is judged.

    Raises:
        ValueError: one is made twice, or the file holds something else.
    """
    sheet = sheets.load(notebook)
    values: dict[str, float] = {}

    def claim(name: str, value: Any) -> None:
        if name in values:
            raise ValueError(f"the claim {name!r} is made twice in one cell: give each its own name")
        values[name] = float(value.detach() if hasattr(value, "detach") else value)  # a tensor may have a gradient

    yield claim
    reason = "stand-in data" if data is not None and not data.genuine else "quick run" if is_quick() else ""
    numbers = {name: value for name, value in values.items() if math.isfinite(value)}  # JSON knows no others
    display(claims_bundle(values, sheet, reason), metadata={"claims": numbers}, raw=True)


def claims_bundle(values: Mapping[str, float], sheet: sheets.Sheet, reason: str = "") -> dict[str, str]:
    """Return what a cell of claims displays, as HTML and as text; ``reason`` says why nothing is judged."""
    lines = [claim_line(name, value, sheet.claims.get(name), reason) for name, value in values.items()]
    failures = [line for line in lines if line.startswith("✗")]
    if reason:
        summary = f"{len(lines)} claims not judged: {reason}"
    else:
        summary = f"{len(lines) - len(failures)} of {len(lines)} claims hold"
    text = "\n".join(lines)
    first = html_block("\n".join(map(escape, failures))) if failures else ""
    html = f"{first}<details><summary>{summary}</summary>{html_block(escape(text))}</details>"
    return {"text/html": html, "text/plain": f"{summary}\n{text}"}


@contextmanager
def show_numbers() -> Iterator[Callable[[str, float], None]]:
    """Collect numbers as :func:`claims` does, and display them folded and without a verdict: for those who predict."""
    lines: list[str] = []
    yield lambda name, value: lines.append(f"{name} | measured {float(value):.4g}")
    text = "\n".join(lines)
    html = f"<details><summary>{len(lines)} numbers</summary>{html_block(escape(text))}</details>"
    display({"text/html": html, "text/plain": text}, raw=True)


def claim_line(name: str, value: float, claim: sheets.Claim | None, reason: str = "") -> str:
    """Return one line with verdict, name, number and band; ``reason`` says why it is not judged."""
    claim = claim or sheets.Claim()
    judged = not claim.is_open() and claim.holds(value)
    mark = f"– not judged: {reason}" if reason else "✓ holds" if judged else "✗ FAILS"
    low, high = claim.band()
    if claim.is_open():
        band = "nothing yet: give it limits in helpers/claims"
    elif low == -math.inf:
        band = f"at most {high:.4g}"
    else:
        band = f"at least {low:.4g}" if high == math.inf else f"{low:.4g} to {high:.4g}"
    measured = f"measured {value:.4g} {claim.unit}".rstrip()  # nbval_sanitize.cfg knows this word and "(band:"
    return f"{mark} | {name} | {measured} | accepted {band} (band: {claim.origin()})"


def solution(*functions: Callable[..., Any]) -> None:
    """Show the source of functions as it stands in ``helpers``, highlighted, without their docstrings."""
    sources = [textwrap.dedent(inspect.getsource(function)) for function in functions]
    text = "\n\n".join(DOCSTRING.sub("", source, count=1).rstrip() for source in sources)
    html = html_block(highlight(text, PythonLexer(), HtmlFormatter(nowrap=True, noclasses=True)).rstrip())
    display({"text/html": html, "text/plain": text}, raw=True)


def html_block(text: str) -> str:
    """Return lines of HTML as they stand, in letters of one width whatever page they stand in."""
    return f'<pre style="font-family: monospace; white-space: pre-wrap">{text}\n</pre>'


def explore(
    draw: Callable[[Sequence[float]], Figure],
    sliders: Mapping[str, tuple[float, float, float]],
    name: str,
    alt: str,
    *,
    data: "ImageSet | None" = None,
) -> None:
    """Show ``draw`` of the starting values under ``name``, as every figure; for a live reader, sliders below it.

    Stored notebooks, regression runs and machines without ipywidgets have the picture alone.

    Args:
        draw: values, in the order of ``sliders``, to a Figure.
        sliders: label to least, starting and largest value.
        name: as for :func:`helpers.notebook.show`; so are ``alt`` and ``data``.

    Raises:
        ValueError: a slider that starts outside its limits.
    """
    for label, (low, start, high) in sliders.items():
        if not low <= start <= high:
            raise ValueError(f"slider {label!r} starts at {start}, expected a value from {low} to {high}")
    show(draw([start for _, start, _ in sliders.values()]), name, alt, data=data)
    widget = controls(draw, sliders, name) if is_live() else None
    if widget is not None:
        display(widget)


def controls(draw: Callable[[Sequence[float]], Figure], sliders: Mapping[str, tuple[float, float, float]], name: str):
    """Return sliders above an image that follows them; None where ipywidgets is not installed."""
    try:
        import ipywidgets as widgets
    except ImportError:
        return None
    handles = [
        widgets.FloatSlider(
            start, min=low, max=high, step=(high - low) / 60, description=label, continuous_update=False
        )
        for label, (low, start, high) in sliders.items()
    ]
    image = widgets.Image(format="png")

    def redraw(_change: object = None) -> None:
        image.value = render(draw([slider.value for slider in handles]), name)

    for slider in handles:
        slider.observe(redraw, names="value")
    redraw()
    return widgets.VBox([*handles, image])
