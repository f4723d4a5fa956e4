"""Write files whole or not at all, and put a picture into a page."""

import base64
import contextlib
import os
import re
from html import escape
from pathlib import Path

FIGURE_NAME = re.compile(r"[a-z0-9]+(_[a-z0-9]+)*")  # also the name of its file, without ".png"


def write_whole(path: Path, content: bytes) -> None:
    """Write next to ``path``, then move into place, so that readers see the old file or the new one, never a part.

    Raises:
        OSError: it cannot be written; nothing half-written stays behind.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):  # where a folder is none, or may not be written to, there is no part either
            part.unlink(missing_ok=True)
        raise OSError(
            f"{path} could not be written ({error.strerror}): free some space there, or make the folder "
            "one that you may write to"
        ) from error


def html_figure(png: bytes, alt: str) -> str:
    """Return a picture and its caption as HTML that needs no other file."""
    source = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    words = escape(alt)
    return f'<figure style="margin: 0"><img src="{source}" alt="{words}"><figcaption>{words}</figcaption></figure>'
