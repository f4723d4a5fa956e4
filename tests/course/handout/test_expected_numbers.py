"""No number that a student is to find goes out: of the graders' tables, of the claims, of what our notebooks print."""

import base64
import functools
import importlib
import io
import json
import re
import zipfile
from pathlib import Path

import nbformat
import pytest

from course.assignments import ASSIGNMENTS
from course.handout import release
from course.handout.sheet import notebook_of

ROOT = Path(__file__).resolve().parents[3]
URL = "https://github.com/course/vae-2026"
NUMBER = re.compile(r"(?<![\w.])\d+\.\d+(?![\w.]*\d)")
TELLING = 3  # significant digits: shorter numbers stand everywhere
PRINTED = 4  # of a number among the many that a notebook prints
HARMLESS = {
    "0.999", "1.001",  # rounding that code allows
    "4.447", "4.4473", "4.44732", "1.334", "1.3339", "1.333929", "1.33393",  # entropies, given to predict from
}  # fmt: skip


def significant(number):
    return len(number.replace(".", "").strip("0"))


def spellings(value):
    """A number as it would be written, whole or rounded."""
    written = {f"{value:.7g}", *(f"{value:.{places}f}" for places in (2, 3, 4, 5))}
    return {text for text in written if significant(text) >= TELLING and abs(float(text) / value - 1) < 1e-3}


def floats_in(value):
    """All fractions in a table, whatever it is nested in."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return set().union(*map(floats_in, value))
    return {abs(value)} if isinstance(value, float) and value else set()


@functools.cache
def expected_numbers(key):
    """The numbers that a student of an assignment is to find, as they may be written."""
    module = importlib.import_module(f"course.assignments.{key}")
    values = floats_in([v for name, v in vars(module).items() if name.isupper() and name != "ASSIGNMENT"])
    printed = set()
    for stem in ASSIGNMENTS[key].notebooks:
        values |= floats_in(json.loads((ROOT / "helpers" / "claims" / f"{stem}.json").read_text(encoding="utf-8")))
        for cell in nbformat.read(ROOT / "notebooks" / f"{stem}.ipynb", as_version=4).cells:
            for output in cell.get("outputs", ()):
                text = output.get("text", "") + str(output.get("data", {}).get("text/plain", ""))
                printed |= {number for number in NUMBER.findall(text) if significant(number) >= PRINTED}
    return {n for n in set().union(printed, *map(spellings, values)) if NUMBER.fullmatch(n)} - HARMLESS


def source_of(text):
    return "\n".join(cell.source for cell in nbformat.reads(text, as_version=4).cells)


def single_file(key):
    """The texts of a single-file notebook, those that it is packed with included."""
    source = source_of(notebook_of(ASSIGNMENTS[key], URL))
    packed = re.search(r'b64decode\("([^"]+)', source)[1]
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(packed))) as archive:
        files = {name: archive.read(name).decode() for name in archive.namelist()}
    return {f"{key}.ipynb": source.replace(packed, "")} | files


def folder(path, key):
    """The texts of an assignment's folder; those of a notebook without what only looks like numbers."""
    release.release(path, key, URL)
    files = [p for p in path.rglob("*") if p.suffix in (".py", ".md", ".ipynb", ".json", ".txt")]
    texts = {p.relative_to(path).as_posix(): p.read_text(encoding="utf-8") for p in files}
    return {name: source_of(text) if name.endswith(".ipynb") else text for name, text in texts.items()}


def leaks(texts, numbers):
    return [(name, n) for name, text in texts.items() for n in sorted(set(NUMBER.findall(text)) & numbers)]


@pytest.mark.parametrize("key", ASSIGNMENTS)
def test_no_expected_number_goes_out(key, tmp_path):
    numbers = expected_numbers(key)
    assert len(numbers) > 20
    assert leaks(single_file(key), numbers) == []
    assert leaks(folder(tmp_path / key, key), numbers) == []


@pytest.mark.parametrize("key", ASSIGNMENTS)
def test_a_leak_is_seen(key):
    numbers = expected_numbers(key)
    assert all(leaks({"README.md": f"Nearly {number}."}, numbers) for number in numbers)


@pytest.mark.parametrize(("key", "text"), [("a2", "$L = 3.312$"), ("a2", "an L_KL of 1.257"), ("a3", "below 0.0173")])
def test_a_rounded_number_is_a_leak_too(key, text):
    assert leaks({"README.md": text}, expected_numbers(key))
