"""The student version: it loses the solution and nothing else, and each task fails alone."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from typer.testing import CliRunner

from course.__main__ import app
from course.assignments import ASSIGNMENTS
from course.handout import release

ROOT = Path(__file__).resolve().parents[3]
NOTEBOOKS = sorted(ROOT.glob("notebooks/*.ipynb"))
MODULES = sorted(p for p in (ROOT / "helpers").rglob("*.py") if "course" not in p.parts)
MARKED = [p for p in MODULES if release.regions(p.read_text())]
ALL_OPEN = {r: name for name, a in ASSIGNMENTS.items() for t in a.tasks for r in t.regions}


def module_of(path):
    return path.relative_to(ROOT / "helpers").with_suffix("").as_posix().replace("/", ".")


def functions(path):
    return [f"{module_of(path)}.{r.function}" for r in release.regions(path.read_text())]


def telling(lines):
    """Lines that say something: a bracket or an else on its own stands everywhere."""
    return {line.strip() for line in lines if len(re.findall(r"\w", line)) >= 8}


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    """The student version of all assignments whose notebooks are there."""
    folder = tmp_path_factory.mktemp("release") / "student"
    files, _ = release.contents(list(ASSIGNMENTS))
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


# ------------------------------------------------------------------------------- cutting and putting back


@pytest.mark.parametrize("path", MARKED, ids=module_of)
@pytest.mark.parametrize("opened", [True, False])
def test_putting_back_gives_a_module_byte_for_byte(path, opened):
    source = path.read_text()
    tasks = {r.function: "X" for r in release.regions(source)} if opened else {}
    cut = release.cut(source, tasks)
    ast.parse(cut.text)
    assert release.put_back(cut) == source != cut.text
    assert (
        cut.text.count("raise NotImplementedError") - source.count("raise NotImplementedError")
        == len(cut.edits) * opened
    )
    assert all(len(line) <= 120 for line in cut.text.split("\n"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_putting_back_gives_a_notebook_byte_for_byte(path):
    source = path.read_text()
    cut = release.cut_notebook(source)
    assert release.put_back_notebook(cut) == source != cut.text
    nb = nbformat.reads(cut.text, as_version=4)
    nbformat.validate(nb)
    assert all(not c.get("outputs") and c.get("execution_count") is None and "tags" not in c.metadata for c in nb.cells)
    assert [c.id for c in nb.cells] == [c.id for c in nbformat.reads(source, as_version=4).cells]
    for cell in nb.cells:
        if cell.cell_type == "code":
            ast.parse(cell.source)


def test_every_region_belongs_to_a_task_and_has_its_check():
    marked = {name for path in MARKED for name in functions(path)}
    assert marked == set(ALL_OPEN)
    for path in MARKED:
        tests = ROOT / "tests" / "tasks" / f"test_tasks_{module_of(path).replace('.', '_')}.py"
        checks = {n.name for n in ast.parse(tests.read_text()).body if isinstance(n, ast.FunctionDef)}
        assert {release.test_name(name) for name in functions(path)} <= checks


def test_a_stub_names_the_task_the_equation_and_what_to_compute():
    text = release.cut((ROOT / "helpers/toy_vae.py").read_text(), {"VAE.terms": "A1"}).text
    stub = text[text.index(release.START) : text.index(release.END)]
    assert "# your code computes z, x_mu, nll, kl\n" in stub
    space = {}
    with pytest.raises(NotImplementedError) as raised:
        exec("\n".join(line.strip() for line in stub.split("\n")[2:]).strip().removesuffix("###"), space)
    assert str(raised.value).startswith("Task A1, VAE.terms: The terms of the ELBO per example")
    assert str(raised.value).endswith("(arXiv 1312.6114), equation 3.")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["def f():", "    START", "    x = 1"], "line 2: ### START CODE HERE ### without its partner"),
        (["def f():", "    END"], "line 2: ### END CODE HERE ### without its partner"),
        (["def f():", "    START", "    START", "    END"], "line 3: ### START CODE HERE ### without its partner"),
        (["START", "x = 1", "END"], "line 1: .* outside of any function"),
    ],
)
def test_marks_that_do_not_pair_are_refused(lines, message):
    source = "\n".join(line.replace("START", release.START).replace("END", release.END) for line in lines)
    with pytest.raises(ValueError, match=message):
        release.regions(source)


# ------------------------------------------------------------------------------- what goes out


def removed(path, student):
    """The telling lines of a source that its released file is to be without."""
    source, released = path.read_text(), (student / path.relative_to(ROOT)).read_text()
    if path.suffix == ".ipynb":
        pairs = zip(*(nbformat.reads(text, as_version=4).cells for text in (source, released)), strict=True)
        return set().union(*(telling(a.source.split("\n")) - telling(b.source.split("\n")) for a, b in pairs))
    lines = source.split("\n")
    found = {f"{module_of(path)}.{r.function}": lines[r.first + 1 : r.last] for r in release.regions(source)}
    needed = [name for name in found if f"{name.removeprefix(module_of(path) + '.')}: " in released]
    assert len(needed) == len(found), "with three assignments nothing marked is left as given"
    return telling(line for lines in found.values() for line in lines)


def test_nothing_of_the_solution_leaks(student):
    files = sorted(p for p in student.rglob("*") if p.is_file())
    texts = {p: p.read_text() for p in files if p.suffix not in (".png", ".safetensors")}
    solution = set()
    for path in texts:
        source = ROOT / path.relative_to(student)
        if source in MARKED or path.suffix == ".ipynb":
            solution |= removed(source, student)
    assert len(solution) > 250
    solution.add("github.com/vae-solutions")  # where the solutions can be fetched
    for path, text in texts.items():
        if path.suffix == ".ipynb":
            cells = nbformat.reads(text, as_version=4).cells
            assert not any(c.get("outputs") or c.get("execution_count") for c in cells)
            text = "\n".join(c.source for c in cells)
        found = sorted(line for line in solution if line in text)
        assert found == [], f"{path.name} holds {found[:3]}"
    names = {part for p in files for part in p.relative_to(student).parts}
    forbidden = {".git", "__pycache__", ".ipynb_checkpoints", "checkpoints", "executed", "tools"}
    assert not names & forbidden and not any(p.suffix == ".pyc" for p in files)
    assert not {"release.py", "grading.py", "regression.py"} & names


def test_the_leak_test_sees_a_leak(student, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(student, copy)
    source = (ROOT / "helpers/core/gaussian.py").read_text()
    line = next(ln for ln in source.split("\n") if ln.strip().startswith("kl = "))
    (copy / "README.md").write_text(line)
    with pytest.raises(AssertionError, match=r"README\.md holds"):
        test_nothing_of_the_solution_leaks(copy)


def test_all_that_a_student_needs_is_there(student):
    for path in student.rglob("*.py"):
        compile(path.read_text(), str(path), "exec")
    figures = {p.name for p in (ROOT / "student_figures" / "expected").glob("*.png")}
    assert {p.name for p in (student / "student_figures" / "expected").glob("*.png")} == figures
    code = (
        "import helpers.toy_vae, helpers.mnist_beta_vae, helpers.numpy_vae, helpers.swiss_roll, sys;"
        "from course.__main__ import app; app()"
    )
    command = [sys.executable, "-c", code, "--help"]
    done = subprocess.run(
        command, cwd=student, capture_output=True, text=True, env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    )
    assert done.returncode == 0, done.stderr
    assert {"run", "submit", "validate"} <= set(re.findall(r"\w+", done.stdout))
    assert not {"release", "check"} & set(re.findall(r"^\W*(\w+)", done.stdout, re.MULTILINE))
    readme = (student / "README.md").read_text()
    assert all(f"| {t.name} |" in readme for n in ASSIGNMENTS for t in ASSIGNMENTS[n].tasks)


def test_one_assignment_alone_is_given_what_it_needs_of_others(tmp_path):
    done = CliRunner().invoke(app, ["release", str(tmp_path / "a3"), "--assignment", "a3"])
    assert done.exit_code == 0, done.exception
    assert sorted(p.name for p in (tmp_path / "a3" / "notebooks").iterdir()) == ["03_swiss_roll.ipynb"]
    gaussian = (tmp_path / "a3/helpers/core/gaussian.py").read_text()
    source = (ROOT / "helpers/core/gaussian.py").read_text()
    log_prob = (
        source[source.index("def log_prob") :].replace(f"    {release.START}\n", "").replace(f"    {release.END}\n", "")
    )
    assert gaussian.endswith(log_prob), "a task of assignment 1 that notebook 03 builds on"
    assert "Task KL of assignment 3, kl_per_latent" in gaussian
    assert "Task 1 of assignment 4, bernoulli_nll" in (tmp_path / "a3/helpers/core/objective.py").read_text()
    assert not (tmp_path / "a3/helpers/toy_vae.py").exists()
    again = CliRunner().invoke(app, ["release", str(tmp_path / "a3")])
    assert again.exit_code == 1 and "not empty" in str(again.exception)
    unknown = CliRunner().invoke(app, ["release", str(tmp_path / "b"), "--assignment", "b7"])
    assert unknown.exit_code == 1 and list(tmp_path.iterdir()) == [tmp_path / "a3"]


def test_a_release_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    def fails(self, content):
        raise OSError("no space")

    monkeypatch.setattr(Path, "write_bytes", fails)
    with pytest.raises(OSError, match="no space"):
        release.release(tmp_path / "out", "a2")
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------------- each task fails alone


# one process for all of them, which has imported what takes long before it forks
DRIVER = """
import json, os, sys
import matplotlib.figure, pytest, sklearn.neighbors, torch, torchvision

for path, text, report in json.load(sys.stdin):
    with open(path) as file:
        before = file.read()
    with open(path, "w") as file:
        file.write(text)
    if os.fork() == 0:
        sys.stdout = open(report, "w")
        pytest.main(["tests/tasks", "-q", "-rA", "--tb=line", "-p", "no:cacheprovider"])
        sys.stdout.flush()
        os._exit(0)
    os.wait()
    with open(path, "w") as file:
        file.write(before)
"""


def run_checks(folder, solved, reports):
    """How the checks went, by name, for each of some texts put into a module of a student version."""
    jobs = [(str(path), text, str(reports / f"{i}.txt")) for i, (path, text) in enumerate(solved)]
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", DRIVER],
        input=json.dumps(jobs),
        cwd=folder,
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    for _, _, report in jobs:
        went = re.findall(r"^(PASSED|FAILED|ERROR) \S+::(test_\w+)", Path(report).read_text(), re.MULTILINE)
        yield tuple({name for state, name in went if (state == "PASSED") is passed} for passed in (True, False))


@pytest.mark.slow
@pytest.mark.long
def test_each_open_task_fails_its_own_check_and_no_other(student, tmp_path):
    asked = {region for n in ASSIGNMENTS for task in ASSIGNMENTS[n].tasks for region in task.regions}
    places = {name: path for path in MARKED for name in functions(path) if name in asked}
    solved = []
    for name, path in places.items():
        source = path.read_text()
        others = {r.function: "X" for r in release.regions(source) if f"{module_of(path)}.{r.function}" != name}
        solved.append((path.relative_to(ROOT), release.cut(source, others).text))
    readme = Path("README.md")
    none, *one_by_one = run_checks(student, [(readme, (student / readme).read_text()), *solved], tmp_path)
    everything = {release.test_name(name) for name in places} | {"test_notebooks"}
    assert none == (set(), everything), "as handed out, every check fails"
    reasons = re.findall(r"NotImplementedError: Task [\w ]+, ([\w.]+):", (tmp_path / "0.txt").read_text())
    assert set(reasons) == {r.function for p in MARKED for r in release.regions(p.read_text())} & {
        name.removeprefix(f"{module_of(path)}.") for name, path in places.items()
    }, "each for want of its own task"
    for name, (passed, failed) in zip(places, one_by_one, strict=True):
        assert passed - failed == {release.test_name(name)}, f"with {name} alone solved"
        assert failed == everything - {release.test_name(name)}
