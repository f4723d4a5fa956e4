"""Notebooks as the site shows them: with their stored outputs, and with figures as files instead of text."""

import base64
import re
from pathlib import Path
from typing import Any

import nbformat

from course.paths import notebook_paths

BADGE = "https://colab.research.google.com/assets/colab-badge.svg"
EMBEDDED = re.compile(r'src="data:image/png;base64,[^"]*"')


def write_pages(folder: Path, figures: Path, badge: str) -> list[str]:
    """Write a copy of every notebook into ``folder``, and its pictures into ``figures``; return the notebooks' names.

    Args:
        folder: where Sphinx reads; the site's pages lie in a folder of the same name.
        figures: a folder beside ``folder`` on the site.
        badge: the address of Colab's badge, as a notebook's text has it.
    """
    folder.mkdir(parents=True)
    figures.mkdir(parents=True)
    names = []
    for path in notebook_paths([]):
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                prepare_code(cell, figures)
            else:
                cell.source = cell.source.replace(BADGE, badge)
        nbformat.write(notebook, folder / path.name)
        names.append(path.stem)
    return names


def prepare_code(cell: Any, figures: Path) -> None:
    """Fold the input that Jupyter hides, too, and let pictures be files."""
    if cell.metadata.get("jupyter", {}).get("source_hidden"):
        cell.metadata.setdefault("tags", []).append("hide-input")
    for output in cell.outputs:
        name = output.get("metadata", {}).get("figure")
        if name:
            png = base64.b64decode(output.data.pop("image/png"))
            (figures / f"{name}.png").write_bytes(png)
            size = f'width="{width(png)}" height="{height(png)}" loading="lazy"'
            source = f'src="../{figures.name}/{name}.png" {size}'
            output.data["text/html"] = EMBEDDED.sub(source, output.data["text/html"])


def width(png: bytes) -> int:
    """Read a picture's width from its header, so that the page does not jump when it arrives."""
    return int.from_bytes(png[16:20], "big")


def height(png: bytes) -> int:
    """Read a picture's height from its header."""
    return int.from_bytes(png[20:24], "big")
