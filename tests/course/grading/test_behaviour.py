"""The checks by behaviour alone: known answers and their findings, and the tables that name the checks."""

import dataclasses
import importlib
import inspect
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from course.assignments import ASSIGNMENTS
from course.grading import a1 as package_a1
from course.grading import common_behaviour
from course.grading.a1 import behaviour as a1
from course.grading.a4 import behaviour as a4
from course.grading.answers import Answers, NotTried, Tampered, number, numbers
from course.grading.rerun import again
from course.grading.verdicts import Finding

A1 = ASSIGNMENTS["a1"]
TASKS = {task.name: task for task in A1.tasks}
NAMES = []
for _assignment in ASSIGNMENTS.values():
    for _task in _assignment.tasks:
        NAMES += [(_assignment.key, _task.name, name) for name in _task.from_rerun]


def codes(findings, level=None) -> set[str]:
    return {f.code for f in findings if level in (None, f.level)}


def judged(checks, task: str, **content) -> list[Finding]:
    """Findings of these checks of assignment 1 about answers, as JSON brings them."""
    answers, findings = Answers(json.loads(json.dumps(content))), []
    for check in checks:
        findings += list(check(answers, TASKS[task]))
    return findings


# ---------------------------------------------------------------- the tables govern


def module_of(key: str, name: str):
    own = importlib.import_module(f"course.grading.{key}.behaviour")
    return own if hasattr(own, name) else common_behaviour


def with_checks(key: str, task: str, names: tuple[str, ...]):
    """The assignment with only these checks for one task, and none for the others."""
    tasks = ASSIGNMENTS[key].tasks
    table = tuple(dataclasses.replace(t, from_rerun=names if t.name == task else ()) for t in tasks)
    return dataclasses.replace(ASSIGNMENTS[key], tasks=table)


@pytest.mark.parametrize(("key", "task", "name"), NAMES, ids=lambda part: str(part))
def test_a_check_that_is_struck_from_the_table_is_not_run(key, task, name, monkeypatch):
    monkeypatch.setattr(module_of(key, name), name, lambda answers, task: iter([Finding("FAIL", "ran", name)]))
    answers = Answers({"probes": {}})
    findings = again.judge(answers, with_checks(key, task, (name,)))
    assert findings == [Finding("FAIL", "ran", name, task)]
    others = tuple(n for n in next(t for t in ASSIGNMENTS[key].tasks if t.name == task).from_rerun if n != name)
    assert "ran" not in codes(again.judge(answers, with_checks(key, task, others)))


def checks_in(module) -> set[str]:
    functions = inspect.getmembers(module, inspect.isfunction)
    return {name for name, f in functions if list(inspect.signature(f).parameters) == ["answers", "task"]}


def test_every_check_is_named_in_a_table():
    for key in ASSIGNMENTS:
        module = importlib.import_module(f"course.grading.{key}.behaviour")
        assert checks_in(module) - checks_in(common_behaviour) <= {name for k, _, name in NAMES if k == key}
    assert checks_in(common_behaviour) <= {name for _, _, name in NAMES}


@pytest.mark.parametrize("key", ["a1", "a3", "a5"])
def test_every_own_way_is_named_in_a_table(key):
    module = importlib.import_module(f"course.grading.{key}.own_ways")
    named = {name for task in ASSIGNMENTS[key].tasks for name in task.own_ways}
    assert checks_in(module) and checks_in(module) <= named


def test_behaviour_of_assignment_1_brings_together_the_checks_of_its_files():
    files = {path.stem for path in Path(package_a1.__file__).parent.glob("*.py")} - {"__init__", "outputs", "own_ways"}
    names = set()
    for name in files:
        names |= checks_in(importlib.import_module(f"course.grading.a1.{name}"))
    assert names == set(a1.__all__)


def test_judging_needs_no_torch():
    names = [f"course.grading.{key}.behaviour" for key in ASSIGNMENTS]
    source = f"import sys, {', '.join(names)}, course.grading.rerun\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", source], check=True, cwd=Path(__file__).parents[3])


# ---------------------------------------------------------------- untrusted answers


def test_numbers_are_read_with_mistrust():
    assert numbers([[1, 2.5]]).tolist() == [[1.0, 2.5]] and number(3) == 3.0
    for value in ("1", True, None, [1], {}):
        with pytest.raises(Tampered):
            number(value)
    for value in ("x", [[1], [1, 2]], {"a": 1}, [0.0] * 100_001):
        with pytest.raises(Tampered):
            numbers(value)


@pytest.mark.parametrize(
    "content",
    [
        {}, {"probes": 3}, {"probes": {"vae": None}}, {"probes": {"vae": [{"cases": "x"}]}},
        {"probes": {"vae": [{"cases": [{"kl": "1"}]}]}}, {"probes": {"train_vae": {"runs": {}, "has_epochs": 1}}},
        {"probes": {"interpolate": [{"cells": [[1e999]], "ends": [], "vae": 0, "noise": []}]}},
        {"probes": {"plot_reconstructed": [{"cells": [[["a"] * 4]]}]}, "optimizers": {"a": {"stale": "x"}}},
        {"probes": {"error": "x", "vae": {"error": {"a": []}}}, "calls": 5, "rows": [], "tagged": {"A": 1}},
        {"probes": {"vae": [{"cases": [[[[[]]]]]}]}, "calls": [{"beta": []}]},
        {"probes": {"vae@1": 1, "vae@2": [], "flat@1": {}}},
    ],
)  # fmt: skip
@pytest.mark.parametrize("key", ASSIGNMENTS)
def test_answers_that_were_tampered_with_never_pass_and_never_raise(content, key):
    findings = again.judge(Answers(json.loads(json.dumps(content))), ASSIGNMENTS[key])
    assert findings
    if key == "a1":
        assert all(f.level == "LOOK" for f in findings if f.task in ("A1", "B4", "B5")), findings


def test_what_raises_is_looked_at_whatever_it_raises():
    def failing(error):
        def check(answers, task):
            yield Finding("PASS", "x", "before")
            raise error

        return again.attempt(check, Answers({}), TASKS["A1"])

    for error in (KeyError("x"), RecursionError(), OverflowError(), Tampered("x"), AssertionError()):
        assert [(f.level, f.code) for f in failing(error)] == [("LOOK", "unclear")]
    assert failing(NotTried("no sample")) == [Finding("LOOK", "own_way", "no sample")]


@pytest.mark.parametrize(
    ("last", "first", "expected"),
    [
        ({"PASS"}, {"PASS"}, {"PASS"}),
        ({"FAIL"}, {"PASS"}, {"LOOK"}),  # the figures may come from the first definition
        ({"PASS"}, {"FAIL"}, {"PASS", "LOOK"}),  # or from the last
        ({"FAIL"}, {"FAIL"}, {"FAIL"}),  # neither is right
    ],
)
def test_of_two_definitions_one_failure_is_a_doubt(last, first, expected):
    versions = [[Finding(level, "kl", which) for level in levels] for which, levels in (("a", last), ("b", first))]
    assert {f.level for f in again.settle(versions)} == expected


def test_earlier_definitions_of_the_vae_are_judged_too():
    wrong, right = ([network(kl_factor=f, seed=s) for s in range(3)] for f in (2.0, 1.0))
    assert kl_levels(vae=wrong) == {"FAIL"} and kl_levels(vae=right) == {"PASS"}
    assert kl_levels(**{"vae": wrong, "vae@1": right}) == {"LOOK"}
    assert kl_levels(**{"vae": right, "vae@1": wrong}) == {"PASS", "LOOK"}
    assert kl_levels(**{"vae": wrong, "vae@1": wrong}) == {"FAIL"}


def kl_levels(**probes) -> set[str]:
    return {f.level for f in again.judge(Answers({"probes": probes}), with_checks("a1", "A1", ("kl",)))}


# ---------------------------------------------------------------- the VAE


def network(kl_factor=1.0, nll=lambda full, d2, n: full, elbo_sign=-1.0, z_noise=1.0, seed=0):
    """Answers such as probes send, made from closed forms that are written out here."""
    rand = np.random.RandomState(seed)
    cases = []
    for _ in range(4):
        mean, logvar = rand.randn(5), rand.randn(5)
        x, d_mean, d_logvar = rand.randn(3), rand.randn(3), rand.randn(3)
        kl = kl_factor * 0.5 * (mean**2 + np.exp(logvar) - logvar - 1).sum()
        d2 = (x - d_mean) ** 2
        full = 0.5 * (d2 / np.exp(d_logvar) + d_logvar + np.log(2 * np.pi)).sum()
        value = nll(full, d2, len(x))
        cases.append({
            "x": x.tolist(), "z": mean.tolist(), "x_pred": d_mean.tolist(), "kl": kl, "nll": value,
            "elbo": elbo_sign * (value + kl), "encoder_out": [*mean, *logvar], "decoder_out": [*d_mean, *d_logvar],
            "z_mean": mean.tolist(), "z_std": (z_noise * np.exp(logvar / 2)).tolist(), "z_kurtosis": [3.0] * 5,
            "of_many": [elbo_sign * (value + kl), kl, value], "z_corr": 0.0, "z_between_calls": z_noise,
            "x_pred_std": [0.3] * 3, "d_mean": d_mean.tolist(), "d_std": np.exp(d_logvar / 2).tolist(),
            "d_clean": d_mean.tolist(), "d_clean_again": d_mean.tolist(),
        })  # fmt: skip
    slopes = [[-2.0, 1.0, 1.0]] * 3
    return {"cases": cases, "shapes": [[7, 3], [7, 5], [], [], []], "kl_of_six": 1.0, "kl_of_one": 1.0,
            "gradients": {"analytic": slopes, "numeric": slopes}}  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({}, None),
        ({"kl_factor": 2.0}, "kl_no_half"),
        ({"kl_factor": 0.2}, "kl_mean_latents"),
        ({"kl_factor": -1.0}, "kl_sign"),
        ({"kl_factor": 1.3}, "kl_wrong"),
        ({"elbo_sign": 1.0}, "elbo_sign"),
        ({"nll": lambda full, d2, n: full / n}, "nll_mean_features"),
        ({"nll": lambda full, d2, n: full - 0.5 * n * np.log(2 * np.pi)}, None),
        ({"nll": lambda full, d2, n: d2.sum()}, None),
        ({"nll": lambda full, d2, n: d2.mean()}, None),
        ({"nll": lambda full, d2, n: -full}, "nll_sign"),
        ({"nll": lambda full, d2, n: full + 1.0}, "nll_wrong"),
        ({"z_noise": 0.0}, "no_noise"),
    ],
)
def test_the_checks_tell_mistakes_from_honest_conventions(changed, code):
    probes = {"vae": [network(**changed, seed=s) for s in range(3)]}
    findings = [f for f in again.judge(Answers({"probes": probes}), A1) if f.task == "A1"]
    assert codes(findings, "FAIL") == ({code} if code else set()), findings


def test_where_the_decoders_spread_cannot_be_asked_its_likelihood_is_no_failure():
    """Own classes may keep the two halves of their decoder's output, and its noise, to themselves."""
    for changed in ({}, {"nll": lambda full, d2, n: full + 1.0}):
        networks = [network(**changed, seed=s) for s in range(3)]
        for case in (case for one in networks for case in one["cases"]):
            del case["decoder_out"], case["d_std"], case["d_clean"], case["d_clean_again"]
        findings = again.judge(Answers({"probes": {"vae": networks}}), with_checks("a1", "A1", ("nll",)))
        assert [(f.level, f.code) for f in findings] == [("LOOK", "unclear")]


def test_a_network_whose_variance_is_nearly_zero_somewhere_is_no_mistake():
    """An infinite NLL is left out; one in a hundred honest reruns has one."""
    networks = [network(seed=s) for s in range(3)]
    networks[0]["cases"][1] |= {"of_many": [-np.inf, 1.0, np.inf]}
    networks[1]["cases"][0] |= {"elbo": -np.inf, "nll": np.inf}
    findings = again.judge(Answers({"probes": {"vae": networks}}), with_checks("a1", "A1", ("elbo", "nll")))
    assert [(f.level, f.code) for f in findings] == [("PASS", "elbo"), ("PASS", "nll")]
    for one in networks:
        for case in one["cases"]:
            case |= {"of_many": [np.nan] * 3, "nll": np.nan}
    findings = again.judge(Answers({"probes": {"vae": networks}}), with_checks("a1", "A1", ("elbo", "nll")))
    assert {(f.level, f.code) for f in findings} == {("LOOK", "unclear")}


# ---------------------------------------------------------------- training


def test_a_stub_with_known_gradients_tells_beta_from_its_absence():
    def run(a, b):
        return {"steps": [[[a * 0.05] * 2, [-b * 0.05] * 2]] * 6, "count": 6, "used": [[0.05, True]]}

    def of_weights(first, fifth):
        runs = {"1": run(*first), "5": run(*fifth)}
        probe = {"runs": runs, "has_beta": True, "has_epochs": True, "points": [0.05, 0.07, 0.09], "start_off": 0.05}
        return codes(judged((a1.steps, a1.loaders, a1.objective), "A2", probes={"train_vae": probe}))

    assert of_weights((1, 1), (5, 1)) == {"objective"}
    assert of_weights((0.1, 0.1), (0.5, 0.1)) == {"objective"}  # clipped: both scaled
    assert of_weights((1, 1), (1, 5)) == {"beta_on_nll"}
    assert of_weights((1, 1), (1, 1)) == of_weights((1, 1), (5, 5)) == {"beta_ignored"}
    assert of_weights((-1, -1), (-5, -1)) == {"maximises"} and of_weights((0, 1), (0, 1)) == {"kl_left_out"}


def rows(trained: str, tested: str, leaked: int = 0) -> dict:
    """Of a model that saw 20,000 points of one set in training, and test points of others."""
    sets = {
        k: {
            "trained": 20_000 * (k == trained),
            "trained_test": leaked * (k == trained),
            "evaluated_test": 5000 * (k in tested),
        }
        for k in "123"
    }
    return {"trained": 20_000, "evaluated": 5000, "sets": sets}


@pytest.mark.parametrize(
    ("models", "stopped", "expected"),
    [
        ([rows("1", "1"), rows("2", "2")], False, set()),
        ([rows("1", ""), rows("2", "2")], False, set()),  # a trial that was never evaluated
        ([rows("1", ""), rows("2", "")], False, {("FAIL", "evaluates_on_train")}),
        ([rows("1", "")], True, {("LOOK", "evaluates_on_train")}),  # it stopped before it could
        ([rows("1", "1"), rows("2", "1")], False, {("FAIL", "mixed_sets")}),
        ([rows("1", "1", leaked=15_000)], False, {("FAIL", "trains_on_test")}),
        ([rows("1", "1", leaked=500)], False, {("LOOK", "trains_on_test")}),
    ],
)
def test_what_models_were_trained_and_evaluated_on(models, stopped, expected):
    content = {"rows": {str(i): row for i, row in enumerate(models)}, "errors": [[3, "x"]] if stopped else []}
    assert {(f.level, f.code) for f in judged((a1.test_set,), "A2", **content)} == expected


# ---------------------------------------------------------------- panels


def test_panels_under_a_wrong_title_of_one_model_or_of_wrong_digits():
    trained = [{"name": "train_vae", "model": m, "beta": b} for m, b in ((1, 1.0), (3, 3.0), (10, 10.0))]

    def of_calls(*calls) -> set[str]:
        by_task = {"B3": (a1.panels,), "B4": (a1.panels, a1.ranges), "B5": (a1.panels, a1.walks)}
        findings = []
        for task, checks in by_task.items():
            findings += judged(checks, task, calls=[*trained, *calls])
        return codes(findings)

    right = [{"name": "plot_latent2D", "model": m, "title": f"$\\beta$ = {m}"} for m in (1, 3, 10)]
    ae = {"name": "plot_latent2D", "model": 7, "title": "Autoencoder"}
    assert of_calls(ae, *right) == set()
    assert of_calls(ae, *right[:2], {**right[2], "title": "beta=3"}) == {"panels_mixed"}
    assert of_calls(ae, *[{**c, "model": 10, "title": ""} for c in right]) == {"same_panel"}
    walk = {"name": "interpolate", "n": 15.0}
    assert of_calls({**walk, "digits": [0, 1]}) == of_calls({**walk, "digits": [1, 0]}) == set()
    assert of_calls({**walk, "digits": [None, 7]}) == set()  # not to be recognised: no verdict
    assert of_calls({**walk, "digits": [0, 0]}) == of_calls({**walk, "digits": [0, 7]}) == {"interpolation_digits"}
    grid = {"name": "plot_reconstructed", "model": 3}
    assert of_calls({**grid, "r0": [-3.0, 3.0], "r1": [-3.0, 3.0]}) == set()
    assert of_calls({**grid, "r0": [-5.0, 5.0], "r1": [-5.0, 5.0]}) == {"grid_range"}


def test_a_forged_answer_of_thousands_of_numbers_is_not_tried_in_pairs(monkeypatch):
    def refuse(*_):
        raise AssertionError("pairs of thousands of numbers are millions")

    monkeypatch.setattr(a4, "form_of", refuse)
    rand = np.random.RandomState(0)
    returned = np.concatenate([np.full((4, 1), 0.5), rand.randn(4, 2000)], axis=1)  # the KL first, then noise
    probe = {"values": returned, "mu": np.ones((2, 1)), "logvar": np.zeros((2, 1))}
    probe |= {"x": np.ones((2, 3)), "decoded": np.full((4, 2, 3), 0.9)}
    answers = Answers({"probes": {"elbo": {name: value.tolist() for name, value in probe.items()}}})
    (finding,) = [f for f in again.judge(answers, with_checks("a4", "1", ("elbo",))) if f.task == "1"]
    assert (finding.level, finding.code) == ("LOOK", "own_way") and "2001 numbers" in finding.evidence


def test_an_infinite_loss_of_the_first_steps_is_an_unlucky_start_and_one_later_a_doubt():
    falling = np.linspace(9, 4, 100)
    for where, expected in ((slice(0, 3), set()), (slice(60, None), {"not_finite"})):
        losses = falling.copy()
        losses[where] = np.inf
        findings = list(common_behaviour.judge_losses([{"losses": losses.tolist()}]))
        assert codes(findings, "LOOK") - {"not_decreasing"} == expected


def test_assignment_1_knows_test_images_without_their_mark_as_the_others_do():
    content = {
        "tagged": {"Autoencoder": [0, 640], "VAE": [0, 640]},
        "known": {"Autoencoder": [40, 64, 64], "VAE": [0, 20, 64]},
    }
    for task, expected in (("B1", {"trains_on_test"}), ("B2", set())):
        assert codes(judged([a1.test_images], task, **content), "FAIL") == expected
