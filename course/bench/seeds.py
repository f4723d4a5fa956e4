"""Run whole notebooks with several seeds, and keep what their claims measured: where every band comes from."""

import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat

from course import paths
from course.notebooks.running import client_of, execute, kernel_environment
from helpers import claims
from helpers.core.files import write_whole
from helpers.notebook import claims_bundle

SEED_LINE = re.compile(r"^SEED = (\d+)$", re.MULTILINE)


def measure(notebook: str, others: int = 4, jobs: int = 1) -> list[str]:
    """Run a notebook with other seeds, and write the values of its claims; return sentences to print.

    The values of its own seed are those that it has stored. Limits, sources and constants stay as they are. Claims that
    the notebook no longer makes leave the file; a new one gets values, and still needs its limits. What the notebook
    has stored of its claims is written anew, with the bands that follow.

    Args:
        notebook: The name of its file, without ``.ipynb``.
        others: Seeds beside the notebook's own: the first from 0 on.
        jobs: Runs at a time.

    Raises:
        ValueError: There is no such notebook, it sets no seed, was not executed, or a run of it fails.
    """
    own = own_seed(notebook)
    path = paths.NOTEBOOKS / f"{notebook}.ipynb"
    stored = values_in(nbformat.read(path, as_version=4))
    if not stored:
        raise ValueError(f"{path.name} has no values of claims stored: run it first, python -m course run --inplace")
    seeds = [seed for seed in range(others + 1) if seed != own][:others]
    with ThreadPoolExecutor(jobs) as pool:
        runs = list(pool.map(lambda seed: run_with(notebook, seed), seeds))
    text, sentences = updated(claims.load(notebook), [own, *seeds], [stored, *runs])
    write_whole(claims.path_of(notebook), text.encode())
    refresh(path)
    return sentences


def refresh(path: Path) -> None:
    """Write what a notebook displays of its claims anew, by the bands of today; values and all else stay."""
    nb = nbformat.read(path, as_version=4)
    sheet = claims.load(path.stem)
    for cell in nb.cells:
        for output in cell.get("outputs", []):
            if values := claimed(output):
                output.data.update(claims_bundle(values, sheet))
    write_whole(path, (nbformat.writes(nb) + "\n").encode())


def own_seed(notebook: str) -> int:
    """Return the seed that a notebook sets in a line ``SEED = 42`` of its own.

    Raises:
        ValueError: There is no such notebook, or it has not exactly one such line.
    """
    path = paths.NOTEBOOKS / f"{notebook}.ipynb"
    if not path.is_file():
        names = ", ".join(sorted(p.stem for p in paths.NOTEBOOKS.glob("*.ipynb")))
        raise ValueError(f"there is no notebook {notebook}: expected one of {names}")
    nb = nbformat.read(path, as_version=4)
    lines = SEED_LINE.findall("\n".join(cell.source for cell in nb.cells if cell.cell_type == "code"))
    if len(lines) != 1:
        raise ValueError(f"{path.name} has {len(lines)} lines of the form SEED = 42: give it exactly one")
    return int(lines[0])


def run_with(notebook: str, seed: int) -> dict[str, float]:
    """Run a notebook with another seed, figures into a folder that goes; return the value of each claim.

    Raises:
        ValueError: A cell fails, or the notebook makes a claim twice.
    """
    nb = nbformat.read(paths.NOTEBOOKS / f"{notebook}.ipynb", as_version=4)
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.source = SEED_LINE.sub(f"SEED = {seed}", cell.source)
    with tempfile.TemporaryDirectory() as folder:
        failure = execute(client_of(nb, paths.NOTEBOOKS), kernel_environment(Path(folder), threads=1))
    if failure is not None:
        raise ValueError(f"{notebook} with seed {seed} stops: {failure.strip().splitlines()[-1]}")
    return values_in(nb)


def values_in(nb: nbformat.NotebookNode) -> dict[str, float]:
    """Collect the values of the claims in an executed notebook.

    Raises:
        ValueError: Two claims have one name.
    """
    values: dict[str, float] = {}
    for cell in nb.cells:
        for output in cell.get("outputs", []):
            new = claimed(output)
            if twice := values.keys() & new.keys():
                raise ValueError(f"the claim {min(twice)!r} is made twice: give each its own name")
            values |= new
    return values


def claimed(output: nbformat.NotebookNode) -> dict[str, float]:
    """Return the values of the claims that an output shows, in the order of its lines: metadata are stored sorted."""
    values = output.get("metadata", {}).get("claims", {})
    names = [line.split(" | ")[1] for line in output.data["text/plain"].splitlines()[1:]] if values else []
    return {name: values[name] for name in names if name in values}


def updated(before: claims.Sheet, seeds: Sequence[int], runs: Sequence[Mapping[str, float]]) -> tuple[str, list[str]]:
    """Return the new text of a notebook's claims, and a sentence for each that needs a look."""
    entries, sentences = {}, []
    for name in runs[0]:
        old = before.claims.get(name, claims.Claim())
        exact = [run[name] for run in runs if name in run]
        values = [float(f"{value:.4g}") for value in exact]
        entry = claims.Claim(old.unit, old.above, old.below, old.source, [] if old.source else values)
        entries[name] = entry
        pairs = zip(seeds, exact, strict=False)
        wrong = [f"seed {seed}: {value:g}" for seed, value in pairs if not entry.holds(value)]
        if entry.is_open():
            sentences.append(f"NO LIMITS  {name}: {values}")
        elif wrong:
            sentences.append(f"REFUTED    {name}, above {entry.above:g}, below {entry.below:g}: {', '.join(wrong)}")
        else:
            sentences.append(f"ok         {name}, above {entry.above:g}, below {entry.below:g}: {values}")
        if is_untouched(entry):
            sentences.append(f"SAME       {name}: {values[0]:g} with every seed; does the seed reach its training?")
    sentences += [f"GONE       {name}" for name in before.claims if name not in entries]
    return text_of(claims.Sheet(list(seeds), entries, before.constants)), sentences


def is_untouched(claim: claims.Claim) -> bool:
    """Say whether several seeds left one value to all digits, which only counts may do."""
    return len(claim.values) > 1 and len(set(claim.values)) == 1 and not claim.values[0].is_integer()


def text_of(sheet: claims.Sheet) -> str:
    """Return the file's text: one claim a line, so that a change is a line in a comparison of versions."""
    lines = [f"  {as_json(name)}: {as_json(compact(claim))}" for name, claim in sheet.claims.items()]
    constants = [f"  {as_json(number)}: {as_json(reason)}" for number, reason in sheet.constants.items()]
    return (
        f'{{"seeds": {json.dumps(sheet.seeds)},\n "claims": {{\n' + ",\n".join(lines) + "\n },\n"
        ' "constants": {\n' + ",\n".join(constants) + "\n }}\n"
    )


def as_json(part: object) -> str:
    """Return JSON that keeps letters readable."""
    return json.dumps(part, ensure_ascii=False)


def compact(claim: claims.Claim) -> dict[str, object]:
    """Return the parts of a claim that say something."""
    parts = {name: getattr(claim, name) for name in ("unit", "above", "below", "source", "values")}
    return {name: value for name, value in parts.items() if value not in ("", [], float("inf"), -float("inf"))}
