"""The parts of the site's build: notebooks as pages, formulas of docstrings, links between pages."""

import ast
import base64
import hashlib
import io
import re
import tarfile
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest

from course.dev.site import docstrings, notebooks, packages
from course.paths import notebook_paths

ROOT = Path(__file__).resolve().parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\(([^)#]+)")

# ------------------------------------------------------------------------------- formulas


@pytest.mark.parametrize(
    ("plain", "tex"),
    [
        ("z = mu + std * eps", r"z = \mu + \sigma \, \varepsilon"),
        ("1/2 sum_j mu_j^2", r"\tfrac{1}{2} \sum _{j} \mu_{j}^2"),
        ("KL(q(z|x) || p(z))", r"\mathrm{KL}(q(z|x)\,\|\,p(z))"),
        ("||x - x'||^2", r"\|x - x'\|^2"),
        ("1 / sqrt(2 pi (s + t))", r"1 / \sqrt{2 \pi (s + t)}"),
        ("W_dec z,   eps ~ N(0, I)", r"W_{\mathrm{dec}} z,\quad \varepsilon \sim  \mathcal{N}(0, I)"),
        ("beta/d for beta <= 2", r"\tfrac{\beta}{d}\text{ for }\beta \le  2"),
    ],
)
def test_a_formula_in_plain_text_becomes_tex(plain, tex):
    assert docstrings.tex(plain).replace(" ", "") == tex.replace(" ", "")


def test_formulas_are_told_from_code_sections_and_text():
    text = """Draw z.

    z = mu + std * eps,   eps ~ N(0, I)

Where |z| is small, ``a | b`` is code:

    fit(model)

Args:
    mu: means
""".splitlines()
    typeset = docstrings.typeset(text)
    assert typeset.count(".. math::") == 1 and typeset.count(".. code-block:: python") == 1
    assert r"Where \|z\| is small, ``a | b`` is code:" in typeset
    assert typeset[-2:] == ["Args:", "    mu: means"]


def test_a_root_that_is_never_closed_is_named():
    with pytest.raises(ValueError, match=r"sqrt\(2"):
        docstrings.tex("sqrt(2 pi")


def formulas() -> list[str]:
    """The formulas of all docstrings of the helpers."""
    lines: list[str] = []
    for path in sorted((ROOT / "helpers").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
                text = ast.get_docstring(node) or ""
                typeset = docstrings.typeset(text.splitlines())
                lines += [line.strip() for line in typeset if line.startswith("   ") and "\\" in line]
    return lines


def test_the_helpers_formulas_are_tex_with_closed_braces():
    found = formulas()
    assert len(found) > 30
    for formula in found:
        assert formula.count("{") == formula.count("}") and "_{}" not in formula, formula


# ------------------------------------------------------------------------------- notebooks


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big")


def shown(name: str, picture: bytes) -> nbformat.NotebookNode:
    text = base64.b64encode(picture).decode()
    html = f'<figure><img src="data:image/png;base64,{text}" alt="a"><figcaption>a</figcaption></figure>'
    data = {"image/png": text, "text/html": html, "text/plain": "a"}
    return nbformat.v4.new_output("display_data", data, metadata={"figure": name})


def test_a_figure_is_a_file_that_its_caption_stands_under(tmp_path):
    cell = nbformat.v4.new_code_cell("show()", outputs=[shown("one", png(640, 480)), shown("two", png(3, 4))])
    notebooks.prepare_code(cell, tmp_path)
    assert (tmp_path / "one.png").read_bytes() == png(640, 480)
    first, second = (output.data["text/html"] for output in cell.outputs)
    assert f'src="../{tmp_path.name}/one.png" width="640" height="480"' in first and "<figcaption>a<" in first
    assert "two.png" in second and "base64" not in first + second
    assert all("image/png" not in output.data for output in cell.outputs)


def test_what_jupyter_folds_the_page_folds_too(tmp_path):
    folded = nbformat.v4.new_code_cell("a", metadata={"jupyter": {"source_hidden": True}})
    plain = nbformat.v4.new_code_cell("a")
    for cell in (folded, plain):
        notebooks.prepare_code(cell, tmp_path)
    assert folded.metadata.tags == ["hide-input"] and "tags" not in plain.metadata


def test_pages_of_the_notebooks_hold_no_pictures_and_nothing_from_elsewhere(tmp_path):
    names = notebooks.write_pages(tmp_path / "notebooks", tmp_path / "figures", "badge.svg")
    assert len(names) == len(notebook_paths([])) >= 6
    for path in (tmp_path / "notebooks").iterdir():
        text = path.read_text(encoding="utf-8")
        assert ";base64," not in text and "colab-badge" not in text and "badge.svg" in text
    assert len(list((tmp_path / "figures").glob("*.png"))) > 50


# ------------------------------------------------------------------------------- pages


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_link_of_a_page_leads_to_a_file(page):
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        assert "://" in target or (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_readme_fits_on_one_screen():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 50


# ------------------------------------------------------------------------------- what comes from the npm registry


@pytest.fixture
def registry(monkeypatch) -> SimpleNamespace:
    """Stands in for npm and its registry: serves one package, or refuses; counts how often it is asked."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name in ("LICENSE", "dist/run.js", "dist/unused.js"):
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(name)
            archive.addfile(entry, io.BytesIO(name.encode()))
    fake = SimpleNamespace(content=buffer.getvalue(), asked=0, reachable=True)

    def npm(arguments, *, cwd, **options):
        fake.asked += 1
        if fake.reachable:
            (cwd / "any-1.0.tgz").write_bytes(fake.content)
        return SimpleNamespace(returncode=0 if fake.reachable else 1)

    checksum = base64.b64encode(hashlib.sha512(fake.content).digest()).decode()
    package = packages.Package("any", "1.0", checksum, ("LICENSE", "dist/run.js"))
    monkeypatch.setattr(packages, "PACKAGES", (package,))
    monkeypatch.setattr(packages, "npm", npm)
    return fake


def test_a_package_is_downloaded_once_and_then_the_site_is_built_without_a_network(tmp_path, registry):
    packages.bring(tmp_path / "vendor", tmp_path / "npm")
    registry.reachable = False
    packages.bring(tmp_path / "again", tmp_path / "npm")
    assert registry.asked == 1
    assert sorted(path.name for path in (tmp_path / "again" / "any").iterdir()) == ["LICENSE", "run.js"]


def test_a_download_that_was_cut_short_is_done_again(tmp_path, registry):
    (tmp_path / "npm").mkdir()
    (tmp_path / "npm" / "any-1.0.tgz").write_bytes(registry.content[:50])
    packages.bring(tmp_path / "vendor", tmp_path / "npm")
    assert (tmp_path / "vendor" / "any" / "run.js").read_text() == "dist/run.js"


def test_without_a_network_one_sentence_names_the_file_that_is_missing(tmp_path, registry):
    registry.reachable = False
    with pytest.raises(OSError, match=r"any 1\.0, .* could not be downloaded .*put any-1\.0\.tgz into "):
        packages.bring(tmp_path / "vendor", tmp_path / "npm")


def test_another_file_than_the_chosen_one_is_not_shipped(tmp_path, registry):
    registry.content = registry.content[:-1] + b"!"
    with pytest.raises(OSError, match="came as another file"):
        packages.bring(tmp_path / "vendor", tmp_path / "npm")
    assert not (tmp_path / "vendor").exists()
