"""Reruns in the sandbox: functions tried by behaviour, the whole confusion table, and a class of attackers."""

import os

import pytest

from course.assignments import ASSIGNMENTS
from course.grading.corpus import attack_table, attacks, variants
from course.grading.corpus.grader_table import judge_honest, judge_mistake, submission
from course.grading.judging import Options
from course.grading.rerun import again, rerun, sandbox
from course.grading.rerun.digits import TEST_DIGITS, TRAIN_DIGITS, digits, name_digits, small_set

A1 = ASSIGNMENTS["a1"]
DEFINITIONS = Options(rerun=True, definitions=True)
needs_sandbox = pytest.mark.skipif(
    os.geteuid() == 0 and sandbox.isolation().missing is not None, reason="root without namespaces: nothing is run"
)


def levels(findings, task):
    return {f.level for f in findings if f.task == task}


def test_the_small_set_has_ten_digits_and_a_mark_on_its_test_images():
    images, labels = small_set(digits())
    assert images.shape == (TRAIN_DIGITS + TEST_DIGITS, 784) and set(labels.tolist()) == set(range(10))
    mark = abs(images[:, 0] - images[:, 1])
    assert (mark[:TRAIN_DIGITS] == 0).all() and (mark[TRAIN_DIGITS:] > 0).all() and mark.max() < 0.02
    call = {"name": "interpolate", "image x_1": images[5].tolist(), "image x_2": (1 - images[5]).tolist()}
    name_digits({"calls": [call, 3]}, digits())
    assert call["digits"] == [labels[5], None]


@needs_sandbox
def test_functions_of_an_honest_submission_hold_and_one_mistake_is_named():
    findings, _ = rerun(submission(variants.REFERENCE), A1, DEFINITIONS)
    assert not [f for f in findings if f.level == "FAIL"]
    assert all(levels(findings, t) == {"PASS"} for t in ("A1", "B1", "B3", "B4", "B5")), findings
    wrong = next(m for m in variants.MISTAKES if m.name == "KL without 1/2")
    findings, _ = rerun(submission(variants.apply(wrong.swaps)), A1, DEFINITIONS)
    assert {f.code for f in findings if f.level == "FAIL"} == {"kl_no_half"}


@needs_sandbox
def test_a_notebook_without_an_answer_is_looked_at(monkeypatch):
    monkeypatch.setattr(again, "PROGRAM", "raise SystemExit")
    findings, _ = rerun(submission("# %%\npass\n"), A1, DEFINITIONS)
    assert {(f.level, f.code) for f in findings} == {("LOOK", "rerun_ended")}
    assert {f.task for f in findings} == {t.name for t in A1.tasks if t.from_rerun}


@needs_sandbox
def test_optimizers_are_told_apart_although_one_may_take_the_id_of_another():
    source = """# %%
import torch
from torch import nn
def train_briefly():
    model = nn.Linear(3, 3)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for _ in range(3):
        loss = model(torch.ones(2, 3)).square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
for _ in range(6):
    train_briefly()
"""
    job = {"cells": [submission(source).cells[0].source], "mode": "full", "assignment": "a3", "seed": 0}
    outcome, _ = again.execute(job, sandbox.Limits(seconds=100), digits())
    assert outcome.result is not None
    assert [len(o["losses"]) for o in outcome.result["optimizers"].values()] == [3] * 6, outcome.output
    assert all(o["stale"] <= 1 for o in outcome.result["optimizers"].values())


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("mistake", variants.MISTAKES, ids=lambda m: m.name)
def test_every_mistake_is_caught_by_its_task_with_a_hint_that_names_it(mistake):
    row = judge_mistake(mistake, Options(rerun=True))
    assert not row.wrong, row.line


VARIANTS = []
for _key, _of_key in variants.HONEST.items():
    VARIANTS += [(_key, _name) for _name in _of_key]


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize(("key", "name"), VARIANTS)
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
    honest = attack_table.honest_levels(trial)
    assert all(honest[name] == "PASS" for name in ("A1", "B1", "B3", "B4", "B5")), honest
