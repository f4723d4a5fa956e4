"""The repository's address: it stands in ``pyproject.toml``, and ``release --url`` gives another."""

import re

from course.paths import ROOT

ADDRESS = re.compile(r"https://github\.com/(?P<name>[\w.-]+/[\w.-]+?)(?:\.git)?/?")
IN_PROJECT = re.compile(r'^Repository = "(?P<url>[^"]+)"', re.MULTILINE)  # tomllib comes with Python 3.11 only
COLAB = "https://colab.research.google.com"


def project_url() -> str:
    """Return the address that ``pyproject.toml`` gives.

    Raises:
        ValueError: it gives none.
    """
    found = IN_PROJECT.search((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    if found is None:
        raise ValueError("pyproject.toml names no Repository under [project.urls]: add it, or give --url")
    return found["url"]


def checked(url: str) -> str:
    """Return an address in its plain form, https://github.com/COURSE/NAME.

    Raises:
        ValueError: it is no address of a repository on GitHub.
    """
    found = ADDRESS.fullmatch(url.strip())
    if found is None:
        raise ValueError(f"{url!r} is no address of a repository: expected one like https://github.com/COURSE/NAME")
    return f"https://github.com/{found['name']}"


def badge(url: str, path: str) -> str:
    """Write the badge that opens a notebook of a repository in Colab, and the blank line behind it."""
    name = checked(url).removeprefix("https://github.com/")
    return f"[![Open in Colab]({COLAB}/assets/colab-badge.svg)]({COLAB}/github/{name}/blob/main/{path})\n\n"
