"""Open each notebook in JupyterLab in a headless browser, run it in quick mode, and look (make browser).

    python -m course.dev.browser [02 05]

A copy of the repository is served, so nothing here changes. For each notebook: no cell may show an error or a warning,
every figure it names must be visible, and ``executed/browser/<notebook>.png`` shows the page from top to bottom.
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
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from course.paths import EXECUTED, ROOT, notebook_paths
from helpers.core.settings import data_root

SHOTS = EXECUTED / "browser"
WIDTH, TALLEST = 1200, 16_000  # Chromium cannot paint a page much taller
WAIT_MS = 900_000
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
    named: all('.jp-OutputArea-output').map(e => e.innerText).join('\\n').match(/^figure [a-z0-9_]+$/gm) || [],
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


@contextmanager
def served(folder: Path, port: int, token: str):
    """JupyterLab on a copy of the repository in quick mode; every cell is kept in the page, not only the visible."""
    settings = {
        "notebook-extension/tracker": {"windowingMode": "none"},
        "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    }
    for name, values in settings.items():
        path = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(values))
    env = {
        **os.environ, "QUICK": "1", "DATA_ROOT": str(data_root().resolve()), "HOME": str(folder),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"), "FIGURES_DIR": str(folder / "figures"),
    }  # fmt: skip
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}", "--port-retries=0",
        f"--IdentityProvider.token={token}", "--expose-app-in-browser", f"--ServerApp.root_dir={folder / 'copy'}",
    ]  # fmt: skip
    with open(folder / "server.log", "w") as log:
        server = subprocess.Popen(command, env=env, stdout=log, stderr=log, cwd=folder)
        try:
            for _ in range(120):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/api/status?token={token}", timeout=2).close()
                    break
                except (urllib.error.URLError, OSError):
                    if server.poll() is not None:
                        raise SystemExit(
                            f"JupyterLab did not start:\n{(folder / 'server.log').read_text()[-2000:]}"
                        ) from None
                    time.sleep(0.5)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(timeout=30)


def look_at(page, url: str, token: str, name: str) -> Look:
    """Open, run all cells, wait, take the picture."""
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
    seen = page.evaluate(LOOK)
    page.set_viewport_size({"width": WIDTH, "height": min(seen["height"] + 150, TALLEST)})
    page.evaluate("() => document.querySelectorAll('.jp-WindowedPanel-outer').forEach(e => { e.scrollTop = 0 })")
    page.wait_for_timeout(2000)
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png")
    problems = [f"shows {text!r}" for text in seen["errors"]]
    if seen["visible"] < len(seen["named"]) or not seen["named"]:
        problems.append(f"names {len(seen['named'])} figures, but {seen['visible']} pictures are visible")
    if seen["unrun"]:
        problems.append(f"{seen['unrun']} cells did not run")
    page.evaluate("() => jupyterapp.serviceManager.sessions.shutdownAll()")
    return Look(name, time.perf_counter() - start, len(seen["named"]), seen["sliders"], problems)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebooks", nargs="*", help="names or numbers; all of them where none is given")
    paths = notebook_paths(parser.parse_args().notebooks)
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("no Chromium found: install it (Debian: apt install chromium), or name it in CHROMIUM")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise SystemExit("the package playwright is missing: pip install playwright") from None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token, looks = secrets.token_hex(16), []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary)
        for part in ("helpers", "notebooks", "pyproject.toml"):
            source = ROOT / part
            (shutil.copytree if source.is_dir() else shutil.copy)(source, _parent(folder / "copy") / part)
        with served(folder, port, token) as url, sync_playwright() as playwright:
            options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
            browser = playwright.chromium.launch(executable_path=chromium, args=options)
            for path in paths:
                page = browser.new_page()
                looks.append(look_at(page, url, token, path.stem))
                page.close()
                found = looks[-1]
                counts = f"{found.seconds:6.0f} s {found.figures:4d} figures {found.sliders:3d} sliders"
                print(f"{found.notebook:<24}{counts}  {'; '.join(found.problems) or 'ok'}", flush=True)
            browser.close()
    print(f"pictures in {SHOTS.relative_to(ROOT)}")
    raise SystemExit(int(any(look.problems for look in looks)))


def _parent(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


if __name__ == "__main__":
    main()
