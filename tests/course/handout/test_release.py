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
from course.assignments import ASSIGNMENTS, HINTS
from course.handout import release
from course.handout.neutral import CAPTION, TITLE, neutral
from course.handout.notebooks import cut_notebook, set_up
from course.handout.regions import END, START, cut, pairs, regions
from course.notebooks.code import parse
from course.notebooks.running import client_of
from helpers import checks
from helpers.checks.hints import HINTS as OF_CHECKS

ROOT = Path(__file__).resolve().parents[3]
NOTEBOOKS = sorted(ROOT.glob("notebooks/*.ipynb"))
MODULES = sorted(p for p in (ROOT / "helpers").rglob("*.py"))
MARKED = [p for p in MODULES if regions(p.read_text())]
URL = "https://github.com/course/vae-2026"
ALL_OPEN = {r: name for name, a in ASSIGNMENTS.items() for t in a.tasks for r in t.regions}


def module_of(path):
    return path.relative_to(ROOT / "helpers").with_suffix("").as_posix().replace("/", ".")


def functions(path):
    return [f"{module_of(path)}.{r.function}" for r in regions(path.read_text())]


def telling(lines):
    """Lines that say something: a bracket or an else on its own stands everywhere."""
    return {line.strip() for line in lines if len(re.findall(r"\w", line)) >= 8}


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    """The student version of all assignments whose notebooks are there."""
    folder = tmp_path_factory.mktemp("release") / "student"
    files, _ = release.contents(list(ASSIGNMENTS.values()), URL)
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


# ------------------------------------------------------------------------------- cutting

REGION = re.compile(rf"^ *{START}\n.*?^ *{END}\n", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("path", MARKED, ids=module_of)
@pytest.mark.parametrize("opened", [True, False])
def test_a_module_loses_its_solutions_and_nothing_else(path, opened):
    source = path.read_text()
    tasks = {r.function: "X" for r in regions(source)} if opened else {}
    text = cut(source, tasks)
    ast.parse(text)
    if opened:
        assert REGION.split(text) == REGION.split(source) and text != source
        assert all("raise NotImplementedError(" in region for region in REGION.findall(text))
    else:
        assert text.split("\n") == [ln for ln in source.split("\n") if ln.strip() not in (START, END)]
    assert all(len(line) <= 120 for line in text.split("\n"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_loses_its_solutions_answers_and_outputs_and_nothing_else(path):
    source = path.read_text()
    cells = {c.id: c for c in nbformat.reads(source, as_version=4).cells}
    nb = nbformat.reads(cut_notebook(source, path.stem, URL, "## The tasks", "check()", "**Assignment**"), as_version=4)
    nbformat.validate(nb)
    assert all(not c.get("outputs") and c.get("execution_count") is None and "tags" not in c.metadata for c in nb.cells)
    assert [c.id for c in nb.cells[1:2]] == ["tasks"]
    nb.cells = [c for c in nb.cells if c.id != "checks"]
    kept = [c.id for c in nb.cells if c.id != "tasks"]
    left_out = [c for i, c in cells.items() if i not in kept]
    assert [i for i in cells if i in kept] == kept
    assert all(c.source.startswith("solution(") or "solution" in c.metadata.get("tags", ()) for c in left_out)
    for cell in nb.cells[2:]:
        old = cells[cell.id]
        if '"google.colab"' in old.source:
            assert cell.source == set_up(URL)
        elif cell.cell_type == "code":
            ast.parse(cell.source)
            kept_code = neutral(old.source, old.metadata.get("student", {}), cell.id)
            assert REGION.split(cell.source + "\n") == REGION.split(kept_code + "\n")
        elif not {"tags", "student"} & old.metadata.keys():
            assert cell.source == old.source
    answers = [c for c in cells.values() if {"answer", "answer-throughout"} & set(c.metadata.get("tags", ()))]
    text = "\n".join(c.source for c in nb.cells)
    for answer in answers:
        for question in re.findall(r"^\*\*Predict:\*\*.*$", answer.source, re.MULTILINE):
            assert question in text or isinstance(answer.metadata.get("student"), dict | str), (
                "questions keep their words"
            )
        assert re.search(r"\*.+[?:]\*|Predict", next(c.source for c in nb.cells if c.id == answer.id)), (
            "a question stays"
        )


def test_what_a_cell_says_of_results_is_gone():
    source = (
        'fig = bars(x, "A few latents carry most of the information")\n'
        'show(fig, "rates", alt="Bars falling from 2 nats.")\n'
        'title = "Left it rises, right it falls"\n'
        'alt = "Two curves, «the one» above."; ax.set(title="Panel 1")\n'
        'with claims("02_toy_vae", data) as claim:\n    claim("KL; an exact model needs 1.609", kl)'
    )
    text = neutral(source, {"Panel 1": "First panel"}, "a cell")
    assert text.split("\n") == [
        f'fig = bars(x, "{TITLE}")',
        f'show(fig, "rates", alt="{CAPTION}")',
        f'title = "{TITLE}"',
        f'alt = "{CAPTION}"; ax.set(title="First panel")',
        "with show_numbers() as claim:",
        '    claim("KL", kl)',
    ]
    with pytest.raises(ValueError, match="a cell does not hold 'Panel 2' any more"):
        neutral(source, {"Panel 2": ""}, "a cell")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_no_cell_takes_a_name_that_the_released_notebook_imports(path):
    nb = nbformat.reads(cut_notebook(path.read_text(), path.stem, URL, "", "", ""), as_version=4)
    trees = [parse(cell.source) for cell in nb.cells if cell.cell_type == "code"]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    imports = [n for n in nodes if isinstance(n, ast.ImportFrom) and n.module == "helpers.notebook"]
    imported = {a.asname or a.name for n in imports for a in n.names}
    assigned = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    assert "show_numbers" in imported and imported & assigned == set()


def test_every_region_belongs_to_a_task_and_has_its_check():
    marked = {name for path in MARKED for name in functions(path)}
    assert marked == set(ALL_OPEN)
    called = {name for one in checks.all_checks() for name in one.of}
    assert marked <= called, "tests/course/assignments names the task that lacks one"


def test_a_stub_names_the_task_the_equation_and_what_to_compute():
    text = cut((ROOT / "helpers/toy_vae.py").read_text(), {"VAE.forward": "A1"})
    stub = text[text.index(START) : text.index(END)]
    assert re.search("# your code computes (.*, )?kl, elbo", stub)
    space = {}
    with pytest.raises(NotImplementedError) as raised:
        exec("\n".join(line.strip() for line in stub.split("\n")[2:]).strip().removesuffix("###"), space)
    assert str(raised.value).startswith("Task A1, VAE.forward: Compute the ELBO from one posterior sample per example")
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
    source = "\n".join(line.replace("START", START).replace("END", END) for line in lines)
    with pytest.raises(ValueError, match=message):
        regions(source)


# ------------------------------------------------------------------------------- what goes out


def removed(path, student):
    """The telling lines of a source that its released file is to be without."""
    source, released = path.read_text(), (student / path.relative_to(ROOT)).read_text()
    if path.suffix == ".ipynb":
        before, after = ({c.id: c for c in nbformat.reads(text, as_version=4).cells} for text in (source, released))
        lines = [(c.source.split("\n"), after[i].source.split("\n") if i in after else []) for i, c in before.items()]
        return set().union(*(telling(old) - telling(new) for old, new in lines))
    lines = source.split("\n")
    found = {f"{module_of(path)}.{r.function}": lines[r.first + 1 : r.last] for r in regions(source)}
    needed = [name for name in found if f"{name.removeprefix(module_of(path) + '.')}: " in released]
    assert len(needed) == len(found), "with three assignments nothing marked is left as given"
    return telling(line for lines in found.values() for line in lines)


# lines that stand in given code, too: the set-up cell loses the first, other assignments' models keep the second
GIVEN = {
    "import subprocess", "mu, logvar = self.encode(x)", ")", "import sys", "from pathlib import Path",
    "optimizer.step()", "optimizer.zero_grad()", "loss.backward()",  # the checks' hints name them
    'repository = "https://github.com/vae-solutions/vae-solutions"', "raise ModuleNotFoundError(",
    "(fit_once if keep else fit)(", "def objective(batch: Batch) -> tuple[Tensor, Scalars]:",  # of every training loop
}  # fmt: skip


def test_nothing_of_the_solution_leaks(student):
    files = sorted(p for p in student.rglob("*") if p.is_file())
    texts = {p: p.read_text() for p in files if p.suffix not in (".png", ".safetensors")}
    solution = set()
    for path in texts:
        source = ROOT / path.relative_to(student)
        if source in MARKED or path.suffix == ".ipynb":
            solution |= removed(source, student)
    assert len(solution) > 250
    solution = {line for line in solution - GIVEN if not line.startswith("with claims(")}
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
    source = (ROOT / "helpers/numpy_vae.py").read_text()
    line = next(ln for ln in source.split("\n") if ln.strip().startswith("kl = "))
    (copy / "README.md").write_text(line)
    with pytest.raises(AssertionError, match=r"README\.md holds"):
        test_nothing_of_the_solution_leaks(copy)


def test_all_that_a_student_needs_is_there(student):
    for path in student.rglob("*.py"):
        compile(path.read_text(), str(path), "exec")
    assert not list(student.rglob("*.png")), "expected figures show what is to be predicted"
    readme = (student / "README.md").read_text()
    assert all(f"| {t.name} |" in readme for n in ASSIGNMENTS for t in ASSIGNMENTS[n].tasks)


@pytest.mark.slow
def test_a_student_has_the_verbs_of_a_student(student):
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


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_no_band_hint_or_check_of_the_graders_goes_out(student, name):
    source = (ROOT / "course" / "assignments" / f"{name}.py").read_text()
    constants = set(re.findall(r"^([A-Z][A-Z_0-9]{3,}) =", source, re.MULTILINE)) - {"ASSIGNMENT"}
    own = set(HINTS.values()) - set(OF_CHECKS.values())  # what checks say, students may read
    graders = constants | own | {task.requires for task in ASSIGNMENTS[name].tasks}
    text = (student / "course" / "assignments" / f"{name}.py").read_text()
    assert not [word for word in graders if word in text]
    assert not [hint for hint in own if hint in (student / "course/assignments/hints.py").read_text()]
    space = {}
    exec(text, space)
    lean = space["ASSIGNMENT"]
    assert [(t.name, t.asks, t.regions, t.defines, t.prints, t.writes, t.figures) for t in lean.tasks] == [
        (t.name, t.asks, t.regions, t.defines, t.prints, t.writes, t.figures) for t in ASSIGNMENTS[name].tasks
    ]
    assert (
        not [t for t in lean.tasks if t.from_outputs or t.from_rerun] and lean.notebooks == ASSIGNMENTS[name].notebooks
    )


def fill(released, source):
    """Put the solution's regions, and nothing else, into a released text."""
    solved = [source.split("\n")[first : last + 1] for first, last in pairs(source.split("\n"), "source")]
    lines = released.split("\n")
    for (first, last), region in reversed(list(zip(pairs(lines, "released"), solved, strict=True))):
        lines[first : last + 1] = region
    return "\n".join(lines)


def solve(folder, stems):
    """Solve a student version by the regions of our helpers and notebooks alone."""
    for path in MARKED:
        target = folder / path.relative_to(ROOT)
        if target.is_file() and START in target.read_text():
            target.write_text(fill(target.read_text(), path.read_text()))
    for stem in stems:
        target = folder / "notebooks" / f"{stem}.ipynb"
        nb = nbformat.read(target, 4)
        sources = {c.id: c.source for c in nbformat.read(ROOT / "notebooks" / f"{stem}.ipynb", 4).cells}
        for cell in nb.cells:
            if cell.cell_type == "code" and START in cell.source:
                cell.source = fill(cell.source, sources[cell.id])
        nbformat.write(nb, target)


@pytest.mark.slow
@pytest.mark.parametrize("stem", ["01_numpy_vae", "02_toy_vae"])
def test_the_regions_of_the_solution_alone_solve_the_folder(tmp_path, stem):
    key = next(key for key, a in ASSIGNMENTS.items() if stem in a.notebooks)
    release.release(tmp_path / "student", key, URL)
    folder = tmp_path / "student"
    solve(folder, [stem])
    nb = nbformat.read(folder / "notebooks" / f"{stem}.ipynb", 4)
    environment = {**os.environ, "QUICK": "1", "TQDM_DISABLE": "1", "PYTHONPATH": "", "MPLBACKEND": "agg"}
    client_of(nb, folder / "notebooks").execute(env=environment)
    checked = "import helpers; assert helpers.__file__.startswith(str(Path.cwd().parent)), helpers.__file__"
    assert not [o for c in nb.cells for o in c.get("outputs", ()) if o.output_type == "error"], checked


def test_one_assignment_alone_is_given_what_it_needs_of_others(tmp_path):
    done = CliRunner().invoke(app, ["release", str(tmp_path / "a3"), "--assignment", "a3"])
    assert done.exit_code == 0, done.exception
    assert sorted(p.name for p in (tmp_path / "a3" / "notebooks").iterdir()) == ["03_swiss_roll.ipynb"]
    source = (ROOT / "helpers/core/training.py").read_text()
    given = (tmp_path / "a3/helpers/core/training.py").read_text()
    assert given == cut(source, {}) and START not in given, "a task of assignment 1 that notebook 03 builds on"
    assert "Task KL of assignment 3, compute_vae_loss" in (tmp_path / "a3/helpers/swiss_roll.py").read_text()
    assert "Task 3 of assignment 4, ConvEncoder.__init__" in (tmp_path / "a3/helpers/core/networks.py").read_text()
    assert {p.name for p in (tmp_path / "a3/course/assignments").glob("a*.py")} == {"a3.py"}
    own = {p.stem for p in (tmp_path / "a3/helpers/checks").glob("a*.py")}
    assert {"__init__", "hints", "student"} <= {p.stem for p in (tmp_path / "a3/helpers/checks").glob("*.py")}
    assert all(stem.partition("_")[0] == "a3" for stem in own)
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
        lines = Path(report).read_text().replace("::test_task[", "::[")
        went = re.findall(r"^(PASSED|FAILED|ERROR) \S+?::\[([\w.]+)", lines, re.MULTILINE)
        yield tuple({name for state, name in went if (state == "PASSED") is passed} for passed in (True, False))


@pytest.mark.slow
@pytest.mark.long
def test_each_open_task_fails_its_own_check_and_no_other(student, tmp_path):
    asked = {region for n in ASSIGNMENTS for task in ASSIGNMENTS[n].tasks for region in task.regions}
    places = {name: path for path in MARKED for name in functions(path) if name in asked}
    solved = []
    for name, path in places.items():
        source = path.read_text()
        others = {r.function: "X" for r in regions(source) if f"{module_of(path)}.{r.function}" != name}
        solved.append((path.relative_to(ROOT), cut(source, others)))
    readme = Path("README.md")
    none, *one_by_one = run_checks(student, [(readme, (student / readme).read_text()), *solved], tmp_path)
    of_regions = {one.key: set(one.of) & asked for one in checks.all_checks() if not one.needs and set(one.of) & asked}
    assert none[1] >= set(of_regions), "as handed out, every check of an open function fails"
    assert "still to do" in (tmp_path / "0.txt").read_text()
    for name, (passed, failed) in zip(places, one_by_one, strict=True):
        mine = {key for key, of in of_regions.items() if name in of}
        assert passed & mine, f"with {name} alone solved, one of its checks passes"
        assert failed >= set(of_regions) - mine, f"with {name} alone solved, no check of another passes"
