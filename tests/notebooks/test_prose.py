"""What the text of the notebooks says: each number that stands for a result is one that a run printed."""

import json
import math
import re
from pathlib import Path

import pytest

from course.bench import seeds
from helpers import claims

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NUMBER = r"\d[\d,]*\d|\d"
RESULT = re.compile(
    rf"(?<![\w.^/-])(?P<minus>[-−]?)(?P<number>\d[\d,]*\.\d+|(?:{NUMBER})(?= ?%| percent| nats?\b| times\b))"
    r"(?P<percent> ?%| percent)?"
)
SECTION = r"[Ss]ections? \d+(?:\.\d+)*(?:(?:, | and )\d+(?:\.\d+)*)*"
LEFT_OUT = re.compile(
    r"```.*?```|`[^`]*`|\$\$.*?\$\$|\]\([^)]*\)|<[^>]*>|https?://\S+|arXiv:? ?\d+\.\d+|^#+ [^\n]*"
    rf"|{SECTION}|[Ff]ig(?:ure|\.) [\d.]+|[Ee]quations? [\d.()]+|(?:version|PyTorch) [\d.]+",
    re.DOTALL | re.MULTILINE,
)
PRINTED = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")


def cells_of(path: Path) -> list[dict]:
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def sections(path: Path) -> list[list[dict]]:
    """The cells, parted where a heading of the second level begins."""
    parts: list[list[dict]] = [[]]
    for cell in cells_of(path):
        if cell["cell_type"] == "markdown" and re.match(r"## ", "".join(cell["source"])):
            parts.append([])
        parts[-1].append(cell)
    return parts


def printed_by(cell: dict) -> str:
    texts = []
    for output in cell.get("outputs", []):
        text = output.get("text") or output.get("data", {}).get("text/plain", "")
        texts.append("".join(text))
    return "\n".join(texts)


def numbers_in(text: str) -> list[float]:
    return [float(number) for number in PRINTED.findall(text.replace("−", "-"))]


def results_in(text: str) -> list[tuple[str, float, float, bool]]:
    """Each number that stands for a result: as written, value, half of its last digit, whether it is a percentage."""
    results = []
    for match in RESULT.finditer(LEFT_OUT.sub(" ", text)):
        digits = match["number"].replace(",", "")
        half = 0.5 * 10.0 ** -len(digits.partition(".")[2])
        results.append((match[0].strip(), float(digits), half, bool(match["percent"])))
    return results


def comes_from(value: float, half: float, percent: bool, known: list[float]) -> bool:
    """Whether one of the known numbers, rounded, is the value; a percentage may be of a share or of a ratio."""
    forms = [abs(k) for k in known]
    if percent:
        forms += [100 * abs(k) for k in known] + [100 * abs(k - 1) for k in known]
    return any(abs(form - value) <= half * (1 + 1e-6) for form in forms)


def unexplained(path: Path, sheet: claims.Sheet) -> list[str]:
    """The numbers in a notebook's text that come from nowhere.

    They may come from what its section or one before it prints, from any claim's value here or over the seeds, from the
    code's own settings, and from the constants that the notebook's claims explain.
    """
    code = "\n".join("".join(c["source"]) for c in cells_of(path) if c["cell_type"] == "code")
    spread = [value for claim in sheet.claims.values() for value in [*claim.values, claim.above, claim.below]]
    everywhere = [*numbers_in(code), *[float(number) for number in sheet.constants], *filter(math.isfinite, spread)]
    for cell in cells_of(path):
        for output in cell.get("outputs", []):
            everywhere += output.get("metadata", {}).get("claims", {}).values()
    problems = []
    known = everywhere
    for section in sections(path):
        known = known + [number for cell in section for number in numbers_in(printed_by(cell))]
        for cell in section:
            if cell["cell_type"] == "markdown":
                for written, value, half, percent in results_in("".join(cell["source"])):
                    if not comes_from(value, half, percent, known):
                        problems.append(written)
    return problems


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_each_result_in_the_text_was_printed_by_a_run(path):
    assert unexplained(path, claims.load(path.stem)) == []


def test_a_wrong_number_is_seen():
    known = [0.0514, 1.07, 78208.0]
    for text, right in (("is 0.051 nats", True), ("is 0.052 nats", False), ("7 % more", True), ("9 % more", False),
                        ("78,208 nats", True), ("some 501 times", False)):  # fmt: skip
        (_, value, half, percent) = results_in(text)[0]
        assert comes_from(value, half, percent, known) is right, text
    assert results_in("in 2014, section 2.4, `0.3` and three rows; $$0.5$$ [x](a/0.7)") == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_each_claim_can_fail_and_held_for_every_seed(path):
    """Limits exclude the opposite of a sentence; a band comes from theory or from this repository's own runs."""
    sheet = claims.load(path.stem)
    made: set[str] = set()
    for cell in cells_of(path):
        for output in cell.get("outputs", []):
            made |= output.get("metadata", {}).get("claims", {}).keys()
    assert made == sheet.claims.keys()
    for name, claim in sheet.claims.items():
        assert not claim.is_open(), name
        assert bool(claim.source) != bool(claim.values), f"{name}: a source, or values of seeds"
        assert claim.source or len(claim.values) == len(sheet.seeds) >= 4, name
        assert not seeds.is_untouched(claim), f"{name}: no seed changes it, so its training does not know the seed"
        assert all(claim.above <= value <= claim.below for value in claim.values), name


# ------------------------------------------------------------------------------- what pages quote of the notebooks

FINDING = re.compile(r"notebooks/(\d\d_\w+)\.ipynb")


def known_of(path: Path) -> list[float]:
    """The numbers that a notebook prints, measures or explains."""
    sheet = claims.load(path.stem)
    known = [float(number) for number in sheet.constants]
    for cell in cells_of(path):
        known += numbers_in(printed_by(cell)) + numbers_in("".join(cell["source"]))
        for output in cell.get("outputs", []):
            known += output.get("metadata", {}).get("claims", {}).values()
    return known


@pytest.mark.parametrize("page", ["README.md", "docs/findings.md"])
def test_each_result_that_a_page_quotes_stands_in_the_notebook(page):
    quoted = []
    for line in (ROOT / page).read_text(encoding="utf-8").splitlines():
        notebook = FINDING.search(line)
        if notebook is not None:
            known = known_of(ROOT / "notebooks" / f"{notebook[1]}.ipynb")
            for written, value, half, percent in results_in(line):
                assert comes_from(value, half, percent, known), f"{page}: {written} stands nowhere in {notebook[1]}"
                quoted.append(written)
    assert len(quoted) >= 5
