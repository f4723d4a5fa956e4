"""Where the parts of the repository lie, and which of its notebooks a name means."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
EXECUTED = ROOT / "executed"
EXPECTED = ROOT / "student_figures" / "expected"


def notebook_paths(names: list[str]) -> list[Path]:
    """Notebooks by file name, stem or leading number (``04``); all of them, in order, for an empty list.

    Raises:
        ValueError: a name that fits none, or several.
    """
    known = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
    if not names:
        return known
    return [_one(name, known) for name in names]


def _one(name: str, known: list[Path]) -> Path:
    stem = Path(name).name.removesuffix(".ipynb")
    fits = [p for p in known if p.stem == stem] or [p for p in known if stem and p.stem.startswith(stem)]
    if len(fits) != 1:
        listed = ", ".join(p.stem for p in known)
        raise ValueError(f"{name!r} names {len(fits)} notebooks, expected one of: {listed}")
    return fits[0]
