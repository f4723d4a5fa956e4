"""Where the parts of the repository lie, and which of its notebooks a name means."""

from pathlib import Path

SOURCES = Path(__file__).resolve().parents[1]  # the packages helpers and course lie here, installed or in a clone


def is_clone(folder: Path) -> bool:
    """Say whether a folder is a clone of this repository, or the student version of it."""
    return (folder / "notebooks").is_dir() and (folder / "helpers" / "core").is_dir()


def clone_near(sources: Path, working_directory: Path) -> Path:
    """Return the clone in which the packages lie, else the one around the working directory, else that directory."""
    for folder in (sources, working_directory, *working_directory.parents):
        if is_clone(folder):
            return folder
    return working_directory


ROOT = clone_near(SOURCES, Path.cwd())
NOTEBOOKS = ROOT / "notebooks"
EXECUTED = ROOT / "executed"
EXPECTED = ROOT / "student_figures" / "expected"


def clone() -> Path:
    """Return the repository's folder, for verbs that read more of it than the installed package holds.

    Raises:
        ValueError: There is none.
    """
    if not is_clone(ROOT):
        raise ValueError(
            f"this needs the repository's notebooks, and there are none in {ROOT} or above it: "
            "run it inside a clone of the repository"
        )
    return ROOT


def notebook_paths(names: list[str]) -> list[Path]:
    """Find notebooks by file name, stem or leading number (``04``); all of them, in order, for an empty list.

    Raises:
        ValueError: A name fits none, or several, or there are no notebooks here.
    """
    if not NOTEBOOKS.is_dir():
        clone()
    notebooks = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
    if not names:
        return notebooks
    return [_one(name, notebooks) for name in names]


def _one(name: str, notebooks: list[Path]) -> Path:
    stem = Path(name).name.removesuffix(".ipynb")
    fits = [p for p in notebooks if p.stem == stem] or [p for p in notebooks if stem and p.stem.startswith(stem)]
    if len(fits) != 1:
        stems = ", ".join(p.stem for p in notebooks)
        raise ValueError(f"{name!r} names {len(fits)} notebooks, expected one of: {stems}")
    return fits[0]
