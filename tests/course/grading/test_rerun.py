# ruff: noqa: E501 programs of attackers stand on long lines
"""Reruns: functions tried by behaviour in the sandbox, judged outside; and what answers that were tampered with do."""

import json
import os

import numpy as np
import pytest

from course.assignments.a1 import ASSIGNMENT as A1
from course.grading import grade as grading
from course.grading import oracles
from course.grading.corpus import attack_table, attacks, variants
from course.grading.corpus.grader_table import judge_honest, judge_mistake, submission
from course.grading.grade import Options
from course.grading.rerun import sandbox

DEFINITIONS = Options(rerun=True, definitions=True)


def levels(found, task):
    return {f.level for f in found if f.task == task}


# ---------------------------------------------------------------- oracles alone, fast


def network(kl_factor=1.0, nll=lambda full, d2, n: full, elbo_sign=-1.0, z_noise=1.0, seed=0):
    """Answers such as probes send, made from closed forms written out here: the oracles use torch.distributions."""
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
            "of_many": [elbo_sign * (value + kl), kl, value], "z_corr": 0.0, "z_between_calls": z_noise, "x_pred_std": [0.3] * 3, "d_mean": d_mean.tolist(),
            "d_std": np.exp(d_logvar / 2).tolist(), "d_clean": d_mean.tolist(), "d_clean_again": d_mean.tolist(),
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
def test_the_oracles_tell_mistakes_from_honest_conventions(changed, code):
    found = oracles.attempt("A1", oracles.judge_vae, [network(**changed, seed=s) for s in range(3)])
    failed = {f.code for f in found if f.level == "FAIL"}
    assert failed == ({code} if code else set()), found


@pytest.mark.parametrize(
    "answers",
    [
        {}, {"probes": 3}, {"probes": {"vae": None}}, {"probes": {"vae": [{"cases": "x"}]}},
        {"probes": {"vae": [{"cases": [{"kl": "1"}]}]}}, {"probes": {"train_vae": {"runs": {}, "has_epochs": 1}}},
        {"probes": {"interpolate": [{"cells": [[1e999]], "ends": [], "vae": 0, "noise": []}]}},
        {"probes": {"plot_reconstructed": [{"cells": [[["a"] * 4]]}]}, "optimizers": {"a": {"stale": "x"}}},
        {"probes": {"error": "x", "vae": {"error": {"a": []}}}, "calls": 5, "rows": [], "tagged": {"A": 1}},
        {"probes": {"vae": [{"cases": [[[[[]]]]]}]}, "calls": [{"beta": []}]},
    ],
)  # fmt: skip
def test_answers_that_were_tampered_with_never_pass_and_never_raise(answers):
    found = oracles.judge(json.loads(json.dumps(answers)), "a1")
    assert all(f.level == "LOOK" for f in found if f.task in ("A1", "B4", "B5")), found


def test_a_stub_with_known_gradients_tells_beta_from_its_absence():
    def run(a, b):
        return {"steps": [[[a * 0.05] * 2, [-b * 0.05] * 2]] * 6, "count": 6, "used": [[0.05, True]]}

    def judged(first, fifth):
        runs = {"1": run(*first), "5": run(*fifth)}
        return {f.code for f in oracles.judge_train_vae({"runs": runs, "has_beta": True, "has_epochs": True})}

    assert judged((1, 1), (5, 1)) == {"objective"}
    assert judged((0.1, 0.1), (0.5, 0.1)) == {"objective"}  # clipped: both scaled
    assert judged((1, 1), (1, 5)) == {"beta_on_nll"}
    assert judged((1, 1), (1, 1)) == judged((1, 1), (5, 5)) == {"beta_ignored"}
    assert judged((-1, -1), (-5, -1)) == {"maximises"} and judged((0, 1), (0, 1)) == {"kl_left_out"}


def rows(trained: str, tested: str, leaked: int = 0) -> dict:
    """Of a model that saw 20,000 points of one set in training, and test points of others."""
    sets = {
        k: {
            "trained": 20_000 * (k == trained),
            "trained_test": leaked * (k == trained),
            "seen_test": 5000 * (k in tested),
        }
        for k in "123"
    }
    return {"trained": 20_000, "seen": 5000, "sets": sets}


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
    assert {(f.level, f.code) for f in oracles.judge_rows(models, stopped)} == expected


def test_panels_under_a_wrong_title_of_one_model_or_of_wrong_digits():
    trained = [{"name": "train_vae", "model": m, "beta": b} for m, b in ((1, 1.0), (3, 3.0), (10, 10.0))]

    def judged(*calls) -> set[str]:
        return {f.code for f in oracles.judge_panels([*trained, *calls])}

    right = [{"name": "plot_latent2D", "model": m, "title": f"$\\beta$ = {m}"} for m in (1, 3, 10)]
    ae = {"name": "plot_latent2D", "model": 7, "title": "Autoencoder"}
    assert judged(ae, *right) == set()
    assert judged(ae, *right[:2], {**right[2], "title": "beta=3"}) == {"panels_mixed"}
    assert judged(ae, *[{**c, "model": 10, "title": ""} for c in right]) == {"same_panel"}
    walk = {"name": "interpolate", "n": 15.0}
    assert judged({**walk, "digits": [0, 1]}) == judged({**walk, "digits": [1, 0]}) == set()
    assert judged({**walk, "digits": [None, 7]}) == set()  # not to be recognised: no verdict
    assert judged({**walk, "digits": [0, 0]}) == judged({**walk, "digits": [0, 7]}) == {"interpolation_digits"}
    grid = {"name": "plot_reconstructed", "model": 3}
    assert judged({**grid, "r0": [-3.0, 3.0], "r1": [-3.0, 3.0]}) == set()
    assert judged({**grid, "r0": [-5.0, 5.0], "r1": [-5.0, 5.0]}) == {"grid_range"}


# ---------------------------------------------------------------- in the sandbox


@pytest.mark.skipif(
    os.geteuid() == 0 and sandbox.isolation().missing is not None, reason="root without namespaces: nothing is run"
)
def test_functions_of_an_honest_submission_hold_and_one_mistake_is_named():
    found, _ = grading.rerun(submission(variants.REFERENCE), A1, DEFINITIONS)
    assert not [f for f in found if f.level == "FAIL"]
    assert all(levels(found, t) == {"PASS"} for t in ("A1", "B1", "B3", "B4", "B5")), found
    wrong = next(m for m in variants.MISTAKES if m.name == "KL without 1/2")
    found, _ = grading.rerun(submission(variants.apply(wrong.swaps)), A1, DEFINITIONS)
    assert {f.code for f in found if f.level == "FAIL"} == {"kl_no_half"}


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("mistake", variants.MISTAKES, ids=lambda m: m.name)
def test_every_mistake_is_caught_by_its_task_with_a_hint_that_names_it(mistake):
    row = judge_mistake(mistake, Options(rerun=True))
    assert not row.wrong, row.line


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize(("key", "name"), [(key, name) for key, those in variants.HONEST.items() for name in those])
def test_no_honest_variant_fails(key, name):
    row = judge_honest(key, name, variants.HONEST[key][name], Options(rerun=True))
    assert not row.wrong, row.line


@pytest.mark.slow
@pytest.mark.long
def test_attacks_in_a_class_harm_nobody_else(tmp_path):
    trial = attack_table.run(tmp_path)
    print(attack_table.show(trial))
    assert not trial.lost and not attack_table.harmed(trial)
    assert len(trial.outcomes) == len(attacks.attacks(tmp_path, 1, tmp_path))
    # whose programs end before anything of theirs can be tried, and whose files cannot be read, never pass
    harmless = {"path", "script", "formula"}  # honest contents under a hostile name
    assert all(o.verdict in ("LOOK", "FAIL") for key, o in trial.outcomes.items() if key not in harmless)
    honest = {name: t["verdict"] for name, t in trial.honest["tasks"].items()}
    assert all(honest[name] == "PASS" for name in ("A1", "B1", "B3", "B4", "B5")), honest
