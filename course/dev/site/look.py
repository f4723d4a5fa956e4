"""Open every page of the site in a headless browser, at the width of a desk and of a phone, and look (make site-look).

    python -m course.dev.site.look [WORDS ...] [--site site]

No page may show an error, fetch anything from elsewhere, miss a picture, leave a formula as TeX, or be wider than the
screen; every link within the site must lead to a page and a place on it; search must find. The latent plane is moved by
mouse, finger and keyboard, and its pictures are compared with what PyTorch draws. Screenshots go to
``executed/site-look``. Needs the package playwright, and Chromium (CHROMIUM names it where it is not found).
"""

import argparse
import functools
import http.server
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin, urlparse

from course.dev.browser import chromium_and_playwright
from course.paths import EXECUTED, ROOT

SHOTS = EXECUTED / "site-look"
WIDTHS = {"desk": 1300, "phone": 390}
HEIGHT, TALLEST = 900, 16_000  # Chromium cannot paint a page much taller
AGREES = 1e-3  # a pixel of the browser and of PyTorch
WAIT_MS = 60_000
LOOK = """async () => {
  const all = query => [...document.querySelectorAll(query)];
  all('img').forEach(image => { image.loading = 'eager' });
  await Promise.all(all('img').map(image => image.decode().catch(() => {})));
  if (window.MathJax?.startup?.promise) await MathJax.startup.promise;
  return {
    blank: all('img').filter(image => !image.naturalWidth).map(image => image.src),
    unnamed: all('img').filter(image => !image.hasAttribute('alt')).map(image => image.src),
    formulas: all('.math').length,
    typeset: all('mjx-container').length,
    wrong: all('mjx-merror, [data-mjx-error]').map(e => e.dataset.mjxError || e.title || e.textContent),
    wider: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    links: all('a[href]').map(a => a.href),
    anchors: all('[id]').map(e => e.id),
  };
}"""
COMPARE = """async () => {
  const { folder, runtime } = document.getElementById('plane-app').dataset;
  const worst = {};
  for (const [name, cases] of Object.entries(await load(folder + 'checked.json'))) {
    const decoder = await Decoder.open(`${folder}${name}.onnx`, runtime);
    worst[name] = 0;
    for (const { z, pixels } of cases) {
      const drawn = await decoder.decode(z);
      pixels.forEach((value, i) => { worst[name] = Math.max(worst[name], Math.abs(value - drawn[i])) });
    }
  }
  return worst;
}"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serve files, and log nothing."""

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on this machine alone; yield its address."""
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


def open_page(context: Any, base: str, name: str, problems: list[str]) -> Any:
    """Open a page; what its console, its scripts and its requests complain of is added to ``problems``."""
    page = context.new_page()
    page.on("console", lambda m: problems.append(f"console: {m.text}") if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: problems.append(f"script: {error}"))
    page.on("request", lambda r: problems.append(f"fetches {r.url}") if not is_local(r.url, base) else None)
    page.on("response", lambda r: problems.append(f"{r.status}: {r.url}") if r.status >= 400 else None)
    page.goto(base + name, wait_until="load")
    page.wait_for_load_state("networkidle")
    return page


def is_local(address: str, base: str) -> bool:
    return address.startswith((base, "data:", "blob:"))


def look_at(page: Any, name: str, width: str, problems: list[str]) -> dict[str, Any]:
    """Look at an open page, and keep a picture of it; return what it holds."""
    seen = page.evaluate(LOOK)
    problems += [f"blank picture {source}" for source in seen["blank"]]
    problems += [f"no words for the picture {source}" for source in seen["unnamed"]]
    problems += [f"formula not understood: {text}" for text in seen["wrong"]]
    if seen["formulas"] != seen["typeset"]:
        problems.append(f"{seen['typeset']} of {seen['formulas']} formulas typeset")
    if seen["wider"] > 0:
        problems.append(f"{seen['wider']} pixels wider than the screen")
    tall = min(TALLEST, page.evaluate("document.documentElement.scrollHeight"))
    page.set_viewport_size({"width": WIDTHS[width], "height": max(HEIGHT, tall)})
    page.screenshot(path=SHOTS / f"{name.removesuffix('.html').replace('/', '_')}_{width}.png")
    return seen


def dead_links(seen: dict[str, dict[str, Any]], base: str, site: Path) -> list[str]:
    """Return the links within the site that lead to no file, or to no place on a page."""
    dead = []
    for name, page in seen.items():
        for link in page["links"]:
            if not link.startswith(base):
                continue
            address, place = urldefrag(link)
            target = unquote(urlparse(address).path).lstrip("/") or "index.html"
            if not (site / target).is_file():
                dead.append(f"{name}: no file {target}")
            elif place and target in seen and unquote(place) not in seen[target]["anchors"]:
                dead.append(f"{name}: no place #{place} in {target}")
    return sorted(set(dead))


def search(page: Any, word: str) -> list[str]:
    """Look for a word in the site's own search; return what is wrong with what it finds."""
    page.goto(urljoin(page.url, f"search.html?q={word}"))
    page.wait_for_selector("#search-results li", timeout=WAIT_MS)
    page.wait_for_function("!document.querySelector('#search-results p')?.innerText.includes('...')")
    links = page.locator("#search-results li a").count()
    return [] if links else [f"search for {word} finds nothing"]


def play(page: Any) -> list[str]:
    """Move the cross by mouse or finger and by keyboard, choose another model, turn a dial; compare with PyTorch."""
    for app in ("plane-app", "garment-app"):
        page.wait_for_selector(f"#{app}[data-ready]", timeout=WAIT_MS)
    steps = {
        "dragging": lambda: drag(page),
        "an arrow key": lambda: page.locator(".play-plane").press("Shift+ArrowRight"),
        "a slider": lambda: page.locator("#plane-app input[type=range]").first.press("ArrowLeft"),
        "another model": lambda: page.get_by_label("β = 10").check(),
    }
    problems = [
        f"{name} leaves the plane as it was" for name, do in steps.items() if not changes(page, "plane-app", do)
    ]
    dial = page.locator("#garment-app input[type=range]").first
    if not changes(page, "garment-app", lambda: dial.press("ArrowLeft")):
        problems.append("a dial leaves the garment as it was")
    worst = page.evaluate(COMPARE)
    print("largest difference of a pixel from PyTorch's:", ", ".join(f"{k} {v:.1e}" for k, v in worst.items()))
    return problems + [f"{name} differs from PyTorch by {value}" for name, value in worst.items() if not value < AGREES]


def drag(page: Any) -> None:
    """Drag across the plane; where the page has a touch screen, tap on it."""
    plane = page.locator(".play-plane")
    plane.scroll_into_view_if_needed()
    box = plane.bounding_box()
    x, y = box["x"] + 0.3 * box["width"], box["y"] + 0.3 * box["height"]
    if page.evaluate("navigator.maxTouchPoints"):
        page.touchscreen.tap(x, y)
        return
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 40, y + 60, steps=5)
    page.mouse.up()


def changes(page: Any, app: str, do: Any) -> bool:
    """Say whether what is done changes both the picture that is drawn and the words below it."""
    state = f"""() => [document.querySelector('#{app} .play-image').toDataURL(),
      document.querySelector('#{app} .play-place').textContent]"""
    before = page.evaluate(state)
    do()
    page.wait_for_timeout(1000)
    after = page.evaluate(state)
    return all(old != new for old, new in zip(before, after, strict=True))


def look_at_all(site: Path, words: Sequence[str], chromium: str, sync_playwright: Any) -> int:
    """Look at every page whose name holds one of the words, at both widths; return how many have problems."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    names = sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html"))
    names = [name for name in names if not re.match(r"_static/|_modules/|search\.html", name)]
    names = [name for name in names if not words or any(word in name for word in words)]
    bad = 0
    with served(site) as base, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for width, pixels in WIDTHS.items():
            context = browser.new_context(
                viewport={"width": pixels, "height": HEIGHT}, has_touch=width == "phone", is_mobile=width == "phone"
            )
            seen = {}
            for name in names:
                problems: list[str] = []
                page = open_page(context, base, name, problems)
                if name == "play.html":
                    problems += play(page)
                seen[name] = look_at(page, name, width, problems)
                if name == "index.html":
                    problems += search(page, "posterior")
                page.close()
                bad += report(f"{name} ({width})", f"{seen[name]['typeset']:4d} formulas", problems)
            bad += report(f"links ({width})", "", dead_links(seen, base, site))
            context.close()
        browser.close()
    return bad


def report(name: str, about: str, problems: list[str]) -> bool:
    """Print one line; say whether there are problems."""
    print(f"{name:<48}{about:<16}{'; '.join(dict.fromkeys(problems)) or 'ok'}", flush=True)
    return bool(problems)


def main() -> int:
    """Look at the site, and exit with 1 where anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--site", type=Path, default=ROOT / "site", help="a folder that make site wrote")
    parser.add_argument("words", nargs="*", help="only pages whose name holds one of these")
    arguments = parser.parse_args()
    site = arguments.site
    if not (site / "index.html").is_file():
        raise SystemExit(f"there is no site in {site}: make site writes it")
    bad = look_at_all(site, arguments.words, *chromium_and_playwright())
    print(f"pictures in {SHOTS.relative_to(ROOT)}")
    return int(bad > 0)


if __name__ == "__main__":
    raise SystemExit(main())
