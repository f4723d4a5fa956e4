"""``show``: one figure, under its name, saved and displayed as the same bytes."""

import io
import os
from pathlib import Path

from IPython.display import display
from matplotlib.figure import Figure

from helpers.core import plots
from helpers.core.data import ImageSet
from helpers.core.files import write_whole
from helpers.course import fingerprint
from helpers.course.fingerprint import NAME

DPI = 100


def figures_folder() -> Path:
    """``FIGURES_DIR``, else the repository's ``student_figures``, else that name in the working directory."""
    if os.environ.get("FIGURES_DIR"):
        return Path(os.environ["FIGURES_DIR"])
    root = Path(__file__).resolve().parents[2]
    return (root if (root / "pyproject.toml").is_file() else Path.cwd()) / "student_figures"


def show(figure: Figure, name: str, alt: str, *, data: ImageSet | None = None) -> None:
    """Write ``<name>.png`` to the figures folder and display exactly those bytes, with one stable line.

    Args:
        name: lower-case words joined by underscores; the file's name.
        alt: one sentence for those who cannot see the figure.
        data: the images that the figure is made from; a stand-in is announced on the figure.

    Raises:
        ValueError: another form of name, or no ``alt``.
        OSError: the folder cannot be written to; nothing half-written stays behind.
    """
    if not NAME.fullmatch(name):
        raise ValueError(f"a figure's name is lower-case words joined by underscores, got {name!r}")
    if not alt.strip():
        raise ValueError(f"figure {name} needs a sentence in alt, for those who cannot see it")
    if data is not None and not data.genuine:
        figure.text(0.995, 0.005, data.title, ha="right", va="bottom", fontsize=8, color="#D55E00")
    png = render(figure, name)
    write_whole(figures_folder() / f"{name}.png", png)
    print(f"figure {name}")
    display({"image/png": png, "text/plain": alt}, metadata={"image/png": {"alt": alt}}, raw=True)


def render(figure: Figure, name: str) -> bytes:
    """The figure as a PNG of fixed size, its fingerprint inside: no tight bounding box, no version or date."""
    buffer = io.BytesIO()
    with plots.style():
        info = fingerprint.embed(fingerprint.describe(figure, name))
        figure.savefig(buffer, format="png", dpi=DPI, pil_kwargs={"pnginfo": info})
    return buffer.getvalue()
