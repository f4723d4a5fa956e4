"""The last cell of a single-file notebook: ``hand_in("Max", "Mustermann")`` checks the notebook and makes the file.

The notebook is looked for where it is running: Colab gives it by a message, Jupyter names its file in the environment
variable ``JPY_SESSION_NAME``, VS Code in a variable of the kernel. Nothing of it is executed.
"""

import importlib
import json
import os
import re
import time
from pathlib import Path
from typing import Any, NamedTuple

from IPython.core.getipython import get_ipython
from IPython.display import FileLink, display

from course.handin import validate as validation
from course.inbox.names import file_name

CALL = re.compile(r"^hand_in\(", re.MULTILINE)
COLAB_SECONDS = 60  # how long Colab may take to answer


class Running(NamedTuple):
    """The notebook that is running, as it was saved last."""

    content: bytes
    file: Path | None  # None on Colab, whose notebooks are no files here


def hand_in(first: str, last: str, file: str | None = None, *, assignment: str) -> None:
    """Say what the file is to be called and what is missing in it, write it, and offer it for download.

    Args:
        first: the first name, the first one only.
        last: the surname.
        file: this notebook's file, where it is not found by itself.
        assignment: a1 to a5.
    """
    try:
        name = file_name(first, last, assignment)
        running = running_notebook(file)
        content = None if running is None else without_call(running.content)
    except (ValueError, OSError) as error:
        print(f"Nothing was written: {error}")
        return
    print(f"Your file is called {name}.")
    if running is None or content is None:
        print(
            "This notebook's file is not found from here. Save it, download it, rename it, and hand it in; to have it "
            f'checked before, name its file: hand_in("{first}", "{last}", file="{assignment}.ipynb").'
        )
        return
    if running.file is not None:
        saved = time.strftime("%H:%M:%S", time.localtime(running.file.stat().st_mtime))
        print(f"Looking at {running.file.name} as it was saved at {saved}; later changes are not in it: save first.")
    print(validation.report(Path(name), validation.check(content, assignment)))
    _offer(name, content, running.file)


def without_call(content: bytes) -> bytes:
    """Return a notebook without the cell that hands it in, which is not part of what is handed in.

    Raises:
        ValueError: it is no notebook.
    """
    try:
        nb = json.loads(content)
        nb["cells"] = [cell for cell in nb["cells"] if not CALL.search("".join(cell["source"]))]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"this notebook cannot be read as it was saved ({error}): save it again") from error
    return (json.dumps(nb, ensure_ascii=False, indent=1) + "\n").encode()


def running_notebook(file: str | None = None) -> Running | None:
    """Return the notebook that is running, None where it cannot be found.

    Raises:
        OSError: a file was named, and there is none, or it cannot be read.
    """
    if file is not None:
        return Running(Path(file).read_bytes(), Path(file))
    try:
        message: Any = importlib.import_module("google.colab._message")
    except ImportError:
        path = next((path for path in _named_files() if path.is_file()), None)
        return None if path is None else Running(path.read_bytes(), path)
    answer = message.blocking_request("get_ipynb", request="", timeout_sec=COLAB_SECONDS)
    return None if not answer else Running(json.dumps(answer["ipynb"]).encode(), None)


def _named_files() -> list[Path]:
    """List where the notebook's file may lie, by what Jupyter and VS Code say of it."""
    shell = get_ipython()
    names = [os.environ.get("JPY_SESSION_NAME"), shell.user_ns.get("__vsc_ipynb_file__") if shell else None]
    paths = [Path(name) for name in names if name]
    return [*paths, *(Path(path.name) for path in paths)]


def _offer(name: str, content: bytes, source: Path | None) -> None:
    """Write the file beside the notebook, and offer it for download."""
    path = Path(name)
    if source is not None and path.resolve() == source.resolve():
        print("This notebook has the right name already: hand in this file.")
        return
    part = path.with_suffix(".part")
    part.write_bytes(content)
    part.replace(path)
    try:
        importlib.import_module("google.colab.files").download(str(path))
        print(f"{name} is being downloaded: hand in that file.")
    except ImportError:
        print(f"{name} is written beside this notebook: hand in that file. To download it:")
        display(FileLink(str(path)))
