"""Solve a task of a single-file notebook in JupyterLab, as a student does: wrong first, then right (make browser).

Types a VAE whose KL has the wrong sign into the released ``a1.ipynb``, runs its cell and the check below it, and reads
what the page says; then types the right one and runs the same two cells again. The kernel is not restarted.
"""

import time
from pathlib import Path
from typing import Any, NamedTuple

import nbformat

from course.assignments import find
from course.handout.repository import project_url
from course.handout.sheet import notebook_of

NAME = "a1"
RIGHT, WRONG = "kl = 0.5 * (mean**2", "kl = -0.5 * (mean**2"
EXPECTED = {WRONG: "✗ A1, KL: ", RIGHT: "✓ A1, KL: "}  # what the page has to say
RUN_MS = 120_000
SELECT = """index => {
  const content = jupyterapp.shell.currentWidget.content;
  content.deselectAll();
  content.activeCellIndex = index;
  content.activeCell.inputHidden = false;
  content.activeCell.node.scrollIntoView({block: 'start'});
  return content.widgets.length;
}"""
RUN = "() => jupyterapp.commands.execute('notebook:run-cell')"
OUTPUT = "index => jupyterapp.shell.currentWidget.content.widgets[index].outputArea.node.innerText"
READY = "() => window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"


class Told(NamedTuple):
    """What the page said below one solution."""

    typed: str
    sentence: str
    seconds: float


def write(folder: Path) -> None:
    """Write the released notebook into a folder."""
    (folder / f"{NAME}.ipynb").write_text(notebook_of(find(NAME), project_url()), encoding="utf-8")


def solve(page: Any, url: str, token: str, shots: Path) -> list[Told]:
    """Open the notebook, and solve task A1 twice."""
    page.set_viewport_size({"width": 1200, "height": 1000})
    page.goto(f"{url}/lab/tree/{NAME}.ipynb?token={token}&reset")
    page.wait_for_function(READY, timeout=RUN_MS)
    page.evaluate("() => jupyterapp.commands.execute('application:toggle-left-area')")
    cells = nbformat.reads(notebook_of(find(NAME), project_url(), solved=True), as_version=4).cells
    vae = next(i for i, cell in enumerate(cells) if cell.source.startswith("class VAE"))
    check = next(i for i, cell in enumerate(cells) if cell.source == 'check("A1")')
    for i in (i for i, cell in enumerate(cells[:vae]) if cell.cell_type == "code"):
        run(page, i)
    shots.mkdir(parents=True, exist_ok=True)
    told = []
    for name, kl in (("wrong", WRONG), ("right", RIGHT)):
        started = time.perf_counter()
        type_into(page, vae, cells[vae].source.replace(RIGHT, kl))
        run(page, vae)
        run(page, check)
        text = page.evaluate(OUTPUT, check)
        told.append(
            Told(kl, next((s for s in text.split("\n") if "A1, KL: " in s), text), time.perf_counter() - started)
        )
        page.screenshot(path=shots / f"{NAME}_{name}.png")
    return told


def run(page: Any, index: int) -> None:
    """Run one cell, and wait for it."""
    page.evaluate(SELECT, index)
    page.evaluate(RUN)
    page.wait_for_function(READY, timeout=RUN_MS)
    page.wait_for_timeout(300)


def type_into(page: Any, index: int, text: str) -> None:
    """Replace the text of a cell with the keyboard."""
    page.evaluate(SELECT, index)
    page.locator(".jp-Notebook-cell").nth(index).locator(".cm-content").click()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.insert_text(text)


def problems_in(told: list[Told]) -> list[str]:
    """Say where the page said something else than it should."""
    return [
        f"{one.typed!r} is told {one.sentence!r}" for one in told if not one.sentence.startswith(EXPECTED[one.typed])
    ]
