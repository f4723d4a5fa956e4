"""Build the site: see :mod:`course.dev.site`.

python -m course.dev.site [--out site]
"""

import argparse
import shutil
from pathlib import Path

from sphinx.cmd.build import build_main

from course.dev.site import notebooks, packages
from course.paths import EXECUTED, EXPECTED, ROOT, clone

SOURCE = EXECUTED / "site"  # what Sphinx reads, made anew each time
CACHE = EXECUTED / "npm"
BADGE = "../_static/colab-badge.svg"


def build(out: Path) -> int:
    """Write the site into ``out``, in place of an earlier one; return the exit status, 1 for any warning of Sphinx."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    copy_pages(clone() / "docs", SOURCE)
    notebooks.write_pages(SOURCE / "notebooks", SOURCE / "extra" / "figures", BADGE)
    shutil.copytree(EXPECTED, SOURCE / "expected")
    packages.bring(SOURCE / "_static" / "vendor", CACHE)
    shutil.rmtree(out, ignore_errors=True)
    return build_main(
        ["-q", "-W", "--keep-going", "-b", "html", "-d", str(SOURCE / ".doctrees"), str(SOURCE), str(out)]
    )


def copy_pages(docs: Path, target: Path) -> None:
    """Copy the pages; what they show of the repository lies beside them on the site."""
    shutil.copytree(docs, target, ignore=shutil.ignore_patterns("__pycache__"))
    for page in target.rglob("*.md"):
        text = page.read_text(encoding="utf-8")
        text = text.replace("](../student_figures/expected/", "](expected/").replace("](../notebooks/", "](notebooks/")
        page.write_text(text, encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "site", help="a folder that is written anew")
    out = parser.parse_args().out
    try:
        status = build(out)
    except OSError as error:
        raise SystemExit(f"site: {error}") from error
    if status == 0:
        print(f"{out / 'index.html'}: open it, or python -m http.server --directory {out} for the latent plane")
    return status


if __name__ == "__main__":
    raise SystemExit(main())
