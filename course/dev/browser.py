"""Open each notebook in JupyterLab in a headless browser, run it in quick mode, and look (make browser).

    python -m course.dev.browser [02 05 a1]

A copy of the repository is served, so nothing here changes. For each notebook: no cell may show an error or a warning,
every figure it names must be visible, and ``executed/browser/<notebook>.png`` shows the page from top to bottom. In the
students' ``a1`` a task is solved, wrong and then right (``course/dev/single_file.py``).
Needs the package playwright, and Chromium (CHROMIUM names it where it is not found).
"""

import argparse
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from course.dev import single_file
from course.paths import EXECUTED, ROOT, notebook_paths
from helpers.core.settings import data_root

SHOTS = EXECUTED / "browser"
WIDTH, TALLEST = 1200, 16_000  # Chromium cannot paint a page much taller
WAIT_MS = 900_000
POLL_S, START_S = 0.5, 60
RUN_ALL = """() => {
  window.ran = false;
  jupyterapp.commands.execute('application:toggle-left-area');
  jupyterapp.commands.execute('notebook:run-all-cells').then(() => { window.ran = true });
}"""
LOOK = """() => {
  const all = q => [...document.querySelectorAll(q)];
  return {
    errors: all('[data-mime-type="application/vnd.jupyter.error"], [data-mime-type="application/vnd.jupyter.stderr"]')
      .map(e => e.innerText.slice(0, 300)),
    named: all('.jp-OutputArea-output figcaption').map(e => e.innerText),
    visible: all('.jp-OutputArea-output img').filter(i => i.naturalWidth > 100 && i.offsetHeight > 50).length,
    unrun: all('.jp-CodeCell .jp-InputArea-prompt').filter(e => /\\[[ *]\\]/.test(e.innerText)).length,
    sliders: all('.widget-slider, .jupyter-widget-slider').length,
    height: Math.max(...all('.jp-Notebook, .jp-Notebook [class*="jp-WindowedPanel"]').map(e => e.scrollHeight)),
  };
}"""


class Look(NamedTuple):
    """What the page of one notebook showed."""

    notebook: str
    seconds: float
    figures: int
    sliders: int
    problems: list[str]


def variables(folder: Path) -> dict[str, str]:
    """Return JupyterLab's environment: quick mode, and settings that keep every cell in the page, not only the visible.

    Args:
        folder: Settings, figures and the home directory go here.
    """
    settings = {
        "notebook-extension/tracker": {"windowingMode": "none"},
        "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    }
    for name, values in settings.items():
        path = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(values))
    return {
        **os.environ, "QUICK": "1", "DATA_ROOT": str(data_root().resolve()), "HOME": str(folder),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"), "FIGURES_DIR": str(folder / "figures"),
    }  # fmt: skip


@contextmanager
def serve(folder: Path, port: int, token: str) -> Iterator[str]:
    """Serve JupyterLab on the copy of the repository in ``folder``; yield its address."""
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}", "--port-retries=0",
        f"--IdentityProvider.token={token}", "--expose-app-in-browser", f"--ServerApp.root_dir={folder / 'copy'}",
    ]  # fmt: skip
    log = folder / "server.log"
    with open(log, "w") as output:
        server = subprocess.Popen(command, env=variables(folder), stdout=output, stderr=output, cwd=folder)
        try:
            deadline = time.monotonic() + START_S
            while not _answers(f"http://127.0.0.1:{port}/api/status?token={token}"):
                if server.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"JupyterLab did not start:\n{log.read_text()[-2000:]}")
                time.sleep(POLL_S)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(timeout=30)


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=2).close()
    except (urllib.error.URLError, OSError):
        return False
    return True


def look_at(page: Any, url: str, token: str, name: str) -> Look:
    """Open a notebook in the browser's page, run all cells, wait, take the picture."""
    start = time.perf_counter()
    page.set_viewport_size({"width": WIDTH, "height": 1000})
    page.goto(f"{url}/lab/tree/notebooks/{name}.ipynb?token={token}&reset")
    page.wait_for_function(
        "() => window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'",
        timeout=120_000,
    )
    page.evaluate(RUN_ALL)
    page.wait_for_function("() => window.ran", timeout=WAIT_MS)
    page.wait_for_timeout(2000)
    content = page.evaluate(LOOK)
    page.set_viewport_size({"width": WIDTH, "height": min(content["height"] + 150, TALLEST)})
    page.evaluate("() => document.querySelectorAll('.jp-WindowedPanel-outer').forEach(e => { e.scrollTop = 0 })")
    page.wait_for_timeout(2000)
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png")
    page.evaluate("() => jupyterapp.serviceManager.sessions.shutdownAll()")
    return Look(name, time.perf_counter() - start, len(content["named"]), content["sliders"], problems_in(content))


def solve(page: Any, url: str, token: str) -> Look:
    """Solve a task of the single-file notebook, wrong first; print what the page said."""
    start = time.perf_counter()
    told = single_file.solve(page, url, token, SHOTS)
    for one in told:
        print(f"  {one.typed} ... -> {one.sentence}  ({one.seconds:.0f} s)", flush=True)
    page.evaluate("() => jupyterapp.serviceManager.sessions.shutdownAll()")
    return Look(single_file.NAME, time.perf_counter() - start, 0, 0, single_file.problems_in(told))


def problems_in(content: dict[str, Any]) -> list[str]:
    """Say what is wrong with a page, by what ``LOOK`` returned of it."""
    problems = [f"shows {text!r}" for text in content["errors"]]
    if content["visible"] < len(content["named"]) or not content["named"]:
        problems.append(f"names {len(content['named'])} figures, but {content['visible']} pictures are visible")
    if content["unrun"]:
        problems.append(f"{content['unrun']} cells did not run")
    return problems


def look_at_all(names: list[str], chromium: str, sync_playwright: Any) -> list[Look]:
    """Serve a copy of the repository, and look at each notebook in a page of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token, looks = secrets.token_hex(16), []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        copy_repository(Path(temporary) / "copy")
        with serve(Path(temporary), port, token) as url, sync_playwright() as playwright:
            options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
            browser = playwright.chromium.launch(executable_path=chromium, args=options)
            for name in names:
                page = browser.new_page()
                look = look_at(page, url, token, name) if name != single_file.NAME else solve(page, url, token)
                page.close()
                looks.append(look)
                counts = f"{look.seconds:6.0f} s {look.figures:4d} figures {look.sliders:3d} sliders"
                print(f"{look.notebook:<24}{counts}  {'; '.join(look.problems) or 'ok'}", flush=True)
            browser.close()
    return looks


def copy_repository(folder: Path) -> None:
    """Copy what a notebook needs of the repository."""
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "pyproject.toml", folder)
    for part in ("helpers", "notebooks"):
        shutil.copytree(ROOT / part, folder / part)
    single_file.write(folder)


def chromium_and_playwright() -> tuple[str, Any]:
    """Return where Chromium is, and what drives it.

    Raises:
        SystemExit: one of them is missing.
    """
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("no Chromium found: install it (Debian: apt install chromium), or name it in CHROMIUM")
    try:
        from playwright.sync_api import sync_playwright  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise SystemExit("the package playwright is missing: pip install playwright") from None
    return chromium, sync_playwright


def main() -> None:
    """Look at the notebooks, and exit with 1 where one of them has a problem."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebooks", nargs="*", help="names or numbers; all of them where none is given")
    asked = parser.parse_args().notebooks
    others = [name for name in asked if name != single_file.NAME]
    names = [path.stem for path in notebook_paths(others)] if others or not asked else []
    names += [single_file.NAME] if len(others) < len(asked) or not asked else []
    looks = look_at_all(names, *chromium_and_playwright())
    print(f"pictures in {SHOTS.relative_to(ROOT)}")
    raise SystemExit(int(any(look.problems for look in looks)))


if __name__ == "__main__":
    main()
