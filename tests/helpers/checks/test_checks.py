"""What checks say: of another style, of what is open, of what breaks or never ends; and what they leave as it was."""

import ast
import functools
import importlib
import random
import sys
import types
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt

from course.assignments import ASSIGNMENTS
from course.handout.regions import cut, regions
from course.handout.sheet import SHEETS, cells_of
from course.notebooks.code import parse
from helpers import checks
from helpers.checks.student import undisturbed

ROOT = Path(__file__).resolve().parents[3]
OF_FUNCTIONS = [one for one in checks.all_checks() if not one.needs]
OTHERS = {path.stem[6:]: path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("other_*.py")}


@functools.cache
def other_style(key):
    space = {"__name__": "other"}
    exec(compile(OTHERS[key], f"other_{key}.py", "exec"), space)
    return space


def result_of(key, space=None, **given):
    (result,) = checks.run(key, space, **given)
    return result


# ---------------------------------------------------------------- right


@pytest.mark.parametrize("one", OF_FUNCTIONS, ids=lambda one: one.key)
def test_another_style_is_right(one):
    space = other_style(one.assignment)
    special = {"a4.3.encoder": "VAE", "a4.3.decoder": "VAE", "a1.B5.interpolate": "interpolate"}
    names = {part for name in one.of for part in name.split(".")} | {special.get(one.key)}
    assert names & set(space), "the second solution lacks it, so the check would look at the helpers"
    result = result_of(one.key, space)
    assert result.state == "right", str(result)


def test_the_helpers_are_looked_at_where_a_notebook_defines_nothing():
    assert result_of("a2.3.kl").state == "right"
    assert result_of("a2.3.kl", {"kl_divergence": lambda mu, logvar: np.zeros(len(mu))}).state == "wrong"
    assert result_of("a2.3.kl", {"kl_divergence": 3.0}).state == "right", "a number of this name is no function"


# ---------------------------------------------------------------- alone


def module_of(region):
    names = region.split(".")
    for n in (2, 1):
        if ROOT.joinpath("helpers", *names[:n]).with_suffix(".py").is_file():
            return ".".join(names[:n])
    raise AssertionError(region)


def regions_of_tables():
    listed = []
    for assignment in ASSIGNMENTS.values():
        for task in assignment.tasks:
            listed += [(assignment.key, region) for region in task.regions]
    return listed


ALL_REGIONS = {region for _, region in regions_of_tables()}
MODULES = sorted({module_of(region) for region in ALL_REGIONS}, key=lambda name: (not name.startswith("core"), name))


@pytest.mark.slow
@pytest.mark.parametrize(("key", "region"), regions_of_tables(), ids=lambda word: word)
def test_a_check_works_with_only_its_own_function_filled_in(monkeypatch, key, region):
    for name in MODULES:  # those of core first, which the others import
        path = ROOT.joinpath("helpers", *name.split(".")).with_suffix(".py")
        source = path.read_text(encoding="utf-8")
        tasks = {r.function: "X" for r in regions(source) if f"{name}.{r.function}" != region}
        module = types.ModuleType(f"helpers.{name}")
        monkeypatch.setitem(sys.modules, module.__name__, module)
        package = importlib.import_module(module.__name__.rpartition(".")[0])
        monkeypatch.setattr(package, name.rpartition(".")[2], module, raising=False)
        exec(compile(cut(source, tasks), str(path), "exec"), module.__dict__)
    mine = [one for one in checks.all_checks(key) if region in one.of and not one.needs]
    states = {one.name: result_of(one.key) for one in mine}
    assert states
    open_still = {name for name, r in states.items() if r.state == "open"}
    # what calls two open functions waits for both; some check of the region must not
    assert any(r.state == "right" for r in states.values()), {n: str(r) for n, r in states.items()}
    assert all(states[name].state == "right" for name in states if name not in open_still), states
    others = [one for one in checks.all_checks(key) if not one.needs and region not in one.of]
    wrong = [str(r) for one in others if (r := result_of(one.key)).state == "wrong" and set(one.of) & ALL_REGIONS]
    assert not wrong, "what is open is no mistake"


# ---------------------------------------------------------------- open, broken, endless


def raising(error):
    def function(*_, **__):
        raise error

    return function


def test_what_is_open_is_said_to_be():
    result = result_of("a2.3.decode", {"decode": raising(NotImplementedError("Task 3, decode: W z + b."))})
    assert str(result) == "… Task 3, decode: still to do. Task 3, decode: W z + b."
    assert result_of("a2.3.decode", {"decode": lambda Z, p: None}).state == "open"


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (lambda Z, p: Z @ np.ones((3, 3)), "your code stopped with ValueError: matmul"),
        (lambda Z: Z, "it could not be called as the assignment says"),
        (lambda Z, p: "no numbers", "X_prime is a str, expected numbers"),
        (lambda Z, p: Z[:2], "X_prime has the shape (2, 2), expected (5, 2)"),
        (lambda Z, p: Z * np.nan, "X_prime holds NaN or infinity"),
        (raising(KeyError("W")), "your code stopped with KeyError: 'W'"),
    ],
)
def test_what_breaks_is_one_sentence_without_numbers_of_arrays(function, says):
    result = result_of("a2.3.decode", {"decode": function})
    assert result.state == "wrong" and says in result.sentence, result
    assert "\n" not in result.sentence and "tensor(" not in result.sentence and len(result.sentence) < 300


@pytest.mark.parametrize("turned", [lambda X: X, np.transpose])
def test_a_matrix_on_the_left_of_rows_is_named_although_it_stops(turned):
    def encode(X, p):
        return p.W_mu @ turned(X) + p.b_mu, p.W_ls @ turned(X) + p.b_ls

    for key, space in (
        ("a2.3.encode", {"encode": encode}),
        ("a2.3.decode", {"decode": lambda Z, p: p.W_dec @ turned(Z) + p.b_dec}),
    ):
        result = result_of(key, space)
        assert (result.state, result.code) == ("wrong", "matrix_side") and "X @ W.T" in result.sentence, result


def test_a_function_that_does_not_end_is_stopped(monkeypatch):
    def forever(*_):
        while True:
            pass

    monkeypatch.setattr(checks, "undisturbed", functools.partial(undisturbed, 0.3))
    result = result_of("a2.3.decode", {"decode": forever})
    assert result.state == "wrong" and "it computed for 0.3 seconds, so it was stopped" in result.sentence


def test_a_function_that_is_nowhere_is_named():
    result = checks.run("a1.A1.kl", {"VAE": None})  # the helpers have one
    assert result[0].state == "right"
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(sys.modules, "helpers.toy_vae", types.ModuleType("helpers.toy_vae"))
        result = checks.run("a1.A1.kl")[0]
    assert result.state == "wrong" and "nothing is called VAE: run the cell that defines it" in result.sentence


# ---------------------------------------------------------------- what is left as it was


def noisy_loss(recon, kl, beta):
    print("a student prints")
    plt.figure()
    np.random.seed(7)
    random.random()
    torch.rand(3)
    return np.mean(np.asarray(recon) + beta * np.asarray(kl))


def test_outputs_figures_and_random_states_stay_as_they_were(capsys):
    before = (torch.rand(1).item(), np.random.rand(), random.random())
    torch.manual_seed(5), np.random.seed(5), random.seed(5)
    expected = (torch.rand(1).item(), np.random.rand(), random.random())
    torch.manual_seed(5), np.random.seed(5), random.seed(5)
    open_figures = plt.get_fignums()
    assert result_of("a2.3.loss", {"vae_loss": noisy_loss}).state == "right"
    assert result_of("a1.A1.sample_posterior").state == "right"
    assert (torch.rand(1).item(), np.random.rand(), random.random()) == expected != before
    assert plt.get_fignums() == open_figures and capsys.readouterr().out == ""


# ---------------------------------------------------------------- check, and its keys


def test_check_looks_where_it_is_called_prints_and_stops_before_training(capsys):
    right = other_style("a2")["kl_divergence"]
    space = {"check": checks.check, "kl_divergence": lambda mu, logvar: [-value for value in right(mu, logvar)]}
    with pytest.raises(checks.NotRight, match="It is negative, which a divergence never is"):
        exec('check("a2.3.kl")', space)
    assert capsys.readouterr().out.startswith("✗ Task 3, KL: yours gives -")
    shown = checks.NotRight("A1, KL: wrong.")._render_traceback_()
    assert shown == ["Stopped here, before anything is computed with it: A1, KL: wrong."], "no traceback in Jupyter"
    exec('check("a2.3.encode")', space)
    assert capsys.readouterr().out == "✓ Task 3, encode: W x + b for each of 5 points, mean and log-variance.\n"


def test_a_wrong_picture_is_said_and_stops_nothing(capsys):
    space = {"check": checks.check, "attribute_direction": lambda a, b: (b.mean(0) - a.mean(0))[None]}
    exec('check("a5.3.direction")', space)
    assert "The direction points from boots to sneakers" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("key", "given", "says"),
    [
        ("A9", {}, "no check is called 'A9': expected one of a1.A1"),
        ("3", {}, "'3' is a task of several assignments: write a2.3 or a4.3 or a5.3"),
        ("B2", {}, r"was given nothing; the checks are a1.B2.models\(vaes, images, loader\)"),
        ("A1.kl", {"vaes": 1}, "was given vaes"),
    ],
)
def test_keys_that_are_none_are_refused(key, given, says):
    with pytest.raises(ValueError, match=says):
        checks.run(key, **given)


def test_a_key_may_leave_out_the_assignment_or_name_a_whole_task():
    assert [one.key for one in checks.find("A1.kl")] == ["a1.A1.kl"] == [one.key for one in checks.find("a1.A1.kl")]
    assert [one.key for one in checks.find("B1")] == ["a1.B1.encoder", "a1.B1.decoder", "a1.B1.train_ae"]


def calls_of_check(source):
    nodes = [node for node in ast.walk(parse(source)) if isinstance(node, ast.Call)]
    calls = [node for node in nodes if isinstance(node.func, ast.Name) and node.func.id == "check"]
    named = [call for call in calls if all(word.arg for word in call.keywords)]  # without **options
    return [(ast.literal_eval(call.args[0]), {word.arg: None for word in call.keywords}) for call in named]


@pytest.mark.parametrize("key", ASSIGNMENTS)
def test_every_cell_that_calls_a_check_gives_it_what_it_takes(key):
    paths = [SHEETS / f"{key}.md", *(ROOT / "notebooks" / f"{stem}.ipynb" for stem in ASSIGNMENTS[key].notebooks)]
    sources = [cell.source for cell in cells_of(paths[0].read_text(encoding="utf-8")) if cell.kind == "code"]
    for path in paths[1:]:
        cells = nbformat.read(path, as_version=4).cells
        sources += [cell.source for cell in cells if cell.cell_type == "code"]
    calls = [call for source in sources for call in calls_of_check(source)]
    assert calls
    for name, given in calls:
        selected = checks.selected(name, given)
        assert set(given) == {word for one in selected for word in one.takes if word in given}, name


def test_checks_need_nothing_else_of_the_helpers():
    for path in (ROOT / "helpers" / "checks").glob("*.py"):
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
        imports = [line for line in lines if line.startswith(("from helpers", "import helpers"))]
        late = "from helpers.core.history import History"  # where the helpers' own loop is stood in for
        assert all(line.startswith("from helpers.checks.") or line == late for line in imports), path.name
