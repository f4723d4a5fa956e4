"""Write a student version: into a new folder, or over an older one in a clean git work tree.

A student version lists its files with their digests in ``.handout.json``. So a later release knows which of them were
edited since: those are left as they are, and the new text is put beside them.
"""

import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from helpers.core.files import write_whole

LIST = ".handout.json"
MOST_NAMED = 6  # files that are named of each kind of change


@dataclass(frozen=True)
class Changes:
    """What writing changed, by path."""

    added: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)  # edited since it was handed out: where the new text is


def write(folder: Path, files: Mapping[str, bytes]) -> Changes:
    """Write files into a new or empty folder, or update a clean git work tree in place.

    Raises:
        FileExistsError: the folder has something in it, and is no git work tree.
        ValueError: the work tree has changes that are not committed.
        OSError: it cannot be written; of a new folder nothing half-written stays behind.
    """
    files = {**files, LIST: _list(files)}
    if (folder / ".git").exists():
        return _update(folder, files)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(
            f"{folder} is not empty and no git work tree: give a new folder, empty it yourself, or commit what is in it"
        )
    _write_new(folder, files)
    return Changes(added=sorted(set(files) - {LIST}))


def _list(files: Mapping[str, bytes]) -> bytes:
    digests = {path: _digest(content) for path, content in sorted(files.items())}
    return (json.dumps(digests, indent=1) + "\n").encode()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _write_new(folder: Path, files: Mapping[str, bytes]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for path, content in files.items():
            target = part / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        part.chmod(0o755)
        if folder.exists():
            folder.rmdir()
        part.rename(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


# ---------------------------------------------------------------- over an older one


def _update(folder: Path, files: Mapping[str, bytes]) -> Changes:
    _require_clean(folder)
    before: dict[str, str] = json.loads((folder / LIST).read_text()) if (folder / LIST).is_file() else {}
    changes = Changes()
    for path, content in sorted(files.items()):
        old = (folder / path).read_bytes() if (folder / path).is_file() else None
        if old == content or path == LIST:
            continue
        if old is None:
            changes.added.append(path)
            write_whole(folder / path, content)
        elif before.get(path) == _digest(old):
            changes.replaced.append(path)
            write_whole(folder / path, content)
        elif before.get(path) != _digest(content):  # edited, and there is something new
            changes.kept[path] = beside(path)
            write_whole(folder / changes.kept[path], content)
    for path in sorted(set(before) - set(files)):
        file = folder / path
        if file.is_file() and before[path] == _digest(file.read_bytes()):
            changes.removed.append(path)
            file.unlink()
    write_whole(folder / LIST, files[LIST])
    return changes


def beside(path: str) -> str:
    """Return where the new text of an edited file goes: ``notebooks/02_toy_vae.new.ipynb``."""
    place = PurePosixPath(path)
    return place.with_name(f"{place.stem}.new{place.suffix}").as_posix()


def _require_clean(folder: Path) -> None:
    try:
        status = subprocess.run(
            ["git", "status", "--porcelain"], cwd=folder, capture_output=True, text=True, check=True
        ).stdout
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        raise ValueError(f"git cannot tell whether {folder} has changes: {error}") from error
    if status.strip():
        first = status.strip().splitlines()[0].split(maxsplit=1)[-1]
        raise ValueError(
            f"{folder} has changes that are not committed (such as {first}): commit them or put them away (git stash), "
            "so that nothing is lost"
        )


def sentences(changes: Changes) -> list[str]:
    """Say what changed, a line for each kind of change."""
    lines = []
    for what, paths in (("new", changes.added), ("replaced", changes.replaced), ("removed", changes.removed)):
        if paths:
            more = f", and {len(paths) - MOST_NAMED} more" if len(paths) > MOST_NAMED else ""
            lines.append(f"{len(paths)} {what}: {', '.join(paths[:MOST_NAMED])}{more}")
    for path, new in changes.kept.items():
        lines.append(f"{path} was edited since it was handed out, so it stays; what is handed out now is in {new}")
    return lines or ["nothing changed"]
