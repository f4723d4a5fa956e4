"""Data flows one way: notebook -> its module -> core; nobody but notebooks, command line and tests imports course."""

import ast
import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = {p.stem for p in (ROOT / "notebooks").glob("*.ipynb")}
NOTEBOOK_MODULES = {re.sub(r"^\d+_", "", stem) for stem in MODULES}
NOTEBOOKS_MAY_IMPORT_OF_COURSE = {"helpers.course.figures", "helpers.course.claims", "helpers.course.explore"}


def imported(source: str) -> set[str]:
    """Dotted names that a source imports, "from a import b" counting as a and a.b."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def inside(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def violations(path: str, names: set[str]) -> list[str]:
    """What a file of the helpers, by its path below helpers/, may not import."""
    own = path.removesuffix(".py").replace("/", ".")
    found = []
    for name in names:
        to_course, to_core = inside(name, "helpers.course"), inside(name, "helpers.core")
        to_module = [m for m in NOTEBOOK_MODULES if inside(name, f"helpers.{m}") and m != own]
        if to_module and own not in MAY_IMPORT_MODULES:
            found.append(f"{path} imports the notebook module {name}")
        if to_course and not (own.startswith("course") or own == "__main__"):
            found.append(f"{path} imports course: {name}")
        if own == "core.training" and inside(name, "helpers.core.plots"):
            found.append("training knows plots")
        if own == "core.plots" and to_core and name not in ALLOWED_IN_PLOTS and inside(name, "helpers.core.training"):
            found.append(f"plots knows training: {name}")
    return found


MAY_IMPORT_MODULES = {"course.bench"}  # which times what they train
ALLOWED_IN_PLOTS = {"helpers.core.training", "helpers.core.training.History"}  # the record, not the loop
SOURCES = sorted(p.relative_to(ROOT / "helpers").as_posix() for p in (ROOT / "helpers").rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES)
def test_layers(path):
    assert violations(path, imported((ROOT / "helpers" / path).read_text(encoding="utf-8"))) == []


def test_the_rule_notices_what_it_forbids():
    module, other = "toy_vae", "mnist_beta_vae"
    assert violations("core/latent.py", {f"helpers.{module}"})
    assert violations("core/latent.py", {"helpers.course.figures"})
    assert violations(f"{module}.py", {f"helpers.{other}.VAE"})
    assert violations("core/training.py", {"helpers.core.plots"})
    assert violations("core/plots.py", {"helpers.core.training.fit"})
    assert not violations(f"{module}.py", {"helpers.core.gaussian.log_prob", f"helpers.{module}"})


@pytest.mark.parametrize("stem", sorted(MODULES))
def test_every_notebook_has_its_module_and_imports_little_of_course(stem):
    assert (ROOT / "helpers" / f"{re.sub(r'^[0-9]+_', '', stem)}.py").is_file()
    cells = nbformat.read(ROOT / "notebooks" / f"{stem}.ipynb", as_version=4).cells
    code = "\n".join(c.source for c in cells if c.cell_type == "code")
    of_course = {n for n in imported(code) if inside(n, "helpers.course")}
    assert all(any(inside(n, allowed) for allowed in NOTEBOOKS_MAY_IMPORT_OF_COURSE) for n in of_course)


def test_core_draws_without_pyplot():
    """pyplot keeps figures open behind a notebook's back; only the assignments' own plot functions may use it."""
    for path in (ROOT / "helpers" / "core").rglob("*.py"):
        assert not any("pyplot" in name for name in imported(path.read_text(encoding="utf-8"))), path
