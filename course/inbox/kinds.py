"""Tell by a name, and by a first look at the content, what a file is: a notebook, a zip, or left out, and why."""

import re
from collections.abc import Sequence
from typing import Literal

Kind = Literal["notebook", "zip", "other"]

NOTEBOOK = re.compile(r"\.ipynb(?:[\s_-]?\(\d{1,3}\))?(?:\.(?:txt|json|ipynb|download|bin))?[\s_.]*$", re.IGNORECASE)
ZIP_HEAD = b"PK\x03\x04"
IGNORED_FOLDERS = frozenset(("__macosx", ".ipynb_checkpoints", "__pycache__", ".git", ".venv", ".idea", ".vscode"))
IGNORED_FILES = re.compile(
    r"\._.*|\.ds_store|thumbs\.db|desktop\.ini|~\$.*|\.~lock.*|\.gitkeep|\.localized", re.IGNORECASE
)
MAY_BE_NOTEBOOKS = frozenset(("", "json", "txt", "bin", "download", "nb", "text"))  # by their content
HOLDS_NONE = "holds no notebook"
WORK = frozenset(
    ("is a PDF", "is a web page", "is a Python file", "is a mail", "is a link")
)  # what people hand in instead of a notebook
REASONS = {  # why a file is left out, by its suffix
    **dict.fromkeys(("pdf",), "is a PDF"),
    **dict.fromkeys(("html", "htm", "mhtml", "webarchive"), "is a web page"),
    **dict.fromkeys(("py", "pyw"), "is a Python file"),
    **dict.fromkeys(("png", "jpg", "jpeg", "gif", "svg", "heic", "webp", "bmp"), "is a picture"),
    **dict.fromkeys(("rar", "7z", "tar", "gz", "tgz", "bz2", "xz"), "is an archive of a kind that is not opened"),
    **dict.fromkeys(("doc", "docx", "odt", "rtf", "md", "tex", "txt", "pages"), "is a text"),
    **dict.fromkeys(("eml", "msg", "mbox"), "is a mail"),
    **dict.fromkeys(("url", "webloc", "lnk", "gdoc", "desktop"), "is a link"),
    "icloud": "is a placeholder for a file that stayed in the cloud",
    **dict.fromkeys(("csv", "tsv", "npy", "npz", "pt", "pth", "pkl", "h5", "xlsx", "json", "safetensors"), "is data"),
}


def is_notebook_name(name: str) -> bool:
    """Say whether a name is a notebook's, as Jupyter, browsers and mail programs write it."""
    return bool(NOTEBOOK.search(name))


def is_zip_name(name: str) -> bool:
    return name.lower().endswith(".zip")


def is_ignored(parts: Sequence[str]) -> bool:
    """Say whether a path is something that a system made by itself, and nobody handed in."""
    folders = any(part.lower() in IGNORED_FOLDERS for part in parts[:-1])
    return folders or (bool(parts) and bool(IGNORED_FILES.fullmatch(parts[-1])))


def suffix_of(name: str) -> str:
    return name.rpartition(".")[2].lower() if "." in name else ""


def kind_of(name: str, head: bytes) -> Kind:
    """Return what a file is by its name and its first bytes; a zip may bear a notebook's name."""
    if is_zip_name(name) or (is_notebook_name(name) and head.startswith(ZIP_HEAD)):
        return "zip"
    return "notebook" if is_notebook_name(name) else "other"


def may_be_notebook(name: str, head: bytes) -> bool:
    """Say whether it is worth reading a file of another suffix, which may be a notebook that lost its own."""
    return suffix_of(name) in MAY_BE_NOTEBOOKS and head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"{")


def is_notebook(content: bytes) -> bool:
    """Say whether a content has the marks of a notebook."""
    return b'"nbformat"' in content and b'"cells"' in content


def reason_of(name: str) -> str:
    """Return why a file that is no notebook is left out, to follow "because it"."""
    return REASONS.get(suffix_of(name), "is no notebook")
