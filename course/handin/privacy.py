"""Find what should not leave an author's machine: paths of its folders, and what looks like a secret."""

import re
from collections.abc import Iterator

# No pattern here may take longer than the text grows: none begins with a repetition, or at each letter of one.
PATHS = re.compile(
    r"(?<![\w.:/~)\]}-])/(?:home|Users|root|tmp|mnt|media|opt|work|workspace|Volumes|private|scratch)"
    r"/[\w.@-]+"
    r"|file:///\w+|\b[A-Za-z]:(?:\\{1,2}|/)(?:Users|Program|Windows|Documents|Temp|temp|home)\b"
)
LIBRARIES = ("site-packages", "dist-packages")  # where a library lives: in its warnings
SECRETS = {
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "an AWS access key": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "a GitHub token": re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,})"),
    "a GitLab token": re.compile(r"\bglpat-[\w-]{20,}"),
    "a Hugging Face token": re.compile(r"\bhf_[A-Za-z0-9]{30,}"),
    "an API key": re.compile(r"\b(?:sk-[A-Za-z0-9_-]{20,}|AIza[\w-]{35})"),
    "a Slack token": re.compile(r"\bxox[abprs]-[\w-]{10,}"),
    "a signed token (JWT)": re.compile(r"(?<![\w-])eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"),
    "a password in an address": re.compile(r"\b[a-z][a-z+]{0,20}://[^\s/:@'\"{}]+:[^\s/@'\"{}]+@"),
    "a password": re.compile(
        r"""(?i)\b(?:\w*_)?(?:password|passwd|passphrase|secret|api_?key|access_?key|auth_?token|token)["']?"""
        r"""\s*[=:]\s*["'][^"'\s]{6,}["']"""
    ),
}  # fmt: skip


def folder_of_one_machine(text: str, *, output: bool = False) -> str | None:
    """Return the first path in a text that belongs to one machine; libraries' own, as in warnings, do not count.

    Colab's and Kaggle's folders are the same for everybody; what is printed of ``/tmp`` is Jupyter's own.
    """
    paths = (match[0] for match in PATHS.finditer(re.sub(r"\S+", _unless_library, text)))
    return next((path for path in paths if not (output and path.startswith("/tmp"))), None)


def _unless_library(word: re.Match[str]) -> str:
    return "" if any(library in word[0] for library in LIBRARIES) else word[0]


def secrets_in(text: str) -> Iterator[str]:
    """Yield what a text seems to contain: "a password"."""
    return (what for what, pattern in SECRETS.items() if pattern.search(text))


def holds_secret(text: str) -> bool:
    return any(True for _ in secrets_in(text))


def without_secrets(text: str) -> str:
    """Return a text with dots in the place of what looks like a secret."""
    for pattern in SECRETS.values():
        text = pattern.sub("...", text)
    return text
