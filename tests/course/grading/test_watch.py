"""What is seen of trainings: steps with a gradient from data, weights that came in another way, images trained on."""

import json
import subprocess
import sys

import numpy as np
import pytest

from course.assignments import ASSIGNMENTS
from course.grading.answers import Answers
from course.grading.common_behaviour import judge_trainings, trains_on_test
from course.grading.rerun.digits import INTERIOR, TRAIN_DIGITS, digits, know_trained, small_set
from course.paths import ROOT

A4 = ASSIGNMENTS["a4"].tasks[0]
PRELUDE = """
import json, sys
from dataclasses import dataclass
import torch
from torch import nn
from course.grading.probes.watch import Watch
torch.set_num_threads(1)
torch.manual_seed(0)
watch = Watch()
watch.install()
def net(): return nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2))
def fit(model, loss_of, steps=20, adam=torch.optim.Adam, after=None):
    optimizer = adam(model.parameters(), 0.01)
    for step in range(steps):
        optimizer.zero_grad()
        loss_of(step).backward()
        optimizer.step()
        if after: after(step)
    return model
def error(model): return lambda _: (model(x) - x).square().mean()
x = torch.randn(64, 2)
class Own(torch.optim.Adam):
    pass
@dataclass
class Out:
    loss: torch.Tensor
class Wrapped(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = net()
    def forward(self, data): return Out((self.inner(data) - data).square().mean())
class Halves(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(2, 4), nn.Linear(2, 2)
    def posterior(self, data): return self.one(data)
    def likelihood(self, z): return self.two(z)
"""
SCENES = {
    "honest": "m = net(); fit(m, error(m))",
    "printed": """
m = net()
def jitter(step):
    with torch.no_grad():
        for p in m.parameters(): p.add_(0.1 * torch.randn_like(p))
fit(m, lambda n: -torch.tensor([-100.0 * 0.9 ** n], requires_grad=True), after=jitter)
""",
    "weightless": "m = net(); fit(m, lambda _: 0 * m(x).sum() + torch.ones((), requires_grad=True))",
    "noise": "m = net(); fit(m, lambda _: sum(p.square().sum() for p in m.parameters()))",
    "own step": "m = net(); fit(m, error(m), adam=Own)",
    "pasted": "m = net(); fit(m, error(m)); m.load_state_dict(net().state_dict())",
    "one layer pasted": "m = net(); fit(m, error(m)); m[2].load_state_dict(net()[2].state_dict())",
    "early stopping": """
m = net(); states = []
fit(m, error(m), after=lambda n: states.append({k: v.clone() for k, v in m.state_dict().items()}))
m.load_state_dict(states[7])
""",
    "trained on": "m = net(); fit(m, error(m)); fit(m, error(m))",
    "by keyword": "m = Wrapped(); fit(m, lambda _: m(data=x).loss)",
    "two optimizers": """
m = net(); pair = [torch.optim.Adam(m[i].parameters(), 0.01) for i in (0, 2)]
for _ in range(20):
    for o in pair: o.zero_grad()
    error(m)(0).backward()
    for o in pair: o.step()
""",
    "own names": "m = Halves(); fit(m, lambda _: (m.likelihood(m.posterior(x)[:, :2]) - x).square().mean())",
    "two networks": """
one, two = nn.Linear(2, 4), nn.Linear(2, 2)
fit(nn.ModuleList([one, two]), lambda _: (two(one(x)[:, :2]) - x).square().mean(), steps=20)
""",
    "marked": """
m = nn.Linear(784, 784); images = torch.rand(40, 784) * 0.9; images[:, 0] = images[:, 1]
images[:10, 0] += 0.012
fit(m, lambda _: m((images - 0.13) / 0.31).square().mean(), steps=1)
""",
    "drawn pixels": """
m = nn.Linear(784, 784); fit(m, lambda _: m(torch.bernoulli(torch.full((40, 784), 0.5))).square().mean(), steps=1)
""",
    "images": """
m = nn.Linear(784, 784); images = torch.rand(40, 1, 28, 28); images[:, 0, 0, 0] = images[:, 0, 0, 1]
fit(m, lambda _: m(images[:20].flatten(1)).square().mean())
m(images[20:].flatten(1))
""",
}
END = """
watch.end(space)
training = watch.trainings
def asked(n):
    try: return list(watch.reconstruct(n, torch.randn(5, 2), before=True).shape)
    except Exception: return None
kept = {name: len(images) for name, images in watch.kept.items()}
print(json.dumps([{**t, "asked": asked(t["model"]), "kept": kept, "tagged": watch.tagged} for t in training]))
"""


@pytest.fixture(scope="module")
def seen() -> dict[str, list[dict]]:
    """What is seen of each scene, all in one process: its hooks are for good."""
    program = [PRELUDE, f"scenes = {SCENES!r}", "for name, source in scenes.items():"]
    program += ["    watch.__init__()", "    space = dict(globals())", "    exec(source, space)"]
    program += ["    " + line for line in END.splitlines()]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(program)], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return dict(zip(SCENES, map(json.loads, done.stdout.splitlines()), strict=True))


@pytest.mark.parametrize(
    "name", ["honest", "early stopping", "by keyword", "two optimizers", "own names", "two networks"]
)
def test_steps_with_a_gradient_from_data_are_seen(seen, name):
    assert [(t["steps"], t["elsewhere"]) for t in seen[name]] == [(20, False)] * len(seen[name])
    assert seen[name]


@pytest.mark.parametrize("name", ["printed", "weightless", "noise", "own step"])
def test_steps_without_a_gradient_from_data_are_none(seen, name):
    assert [t["steps"] for t in seen[name]] == [0]


@pytest.mark.parametrize("name", ["printed", "pasted", "one layer pasted"])
def test_weights_that_no_step_made_are_noticed(seen, name):
    assert [t["elsewhere"] for t in seen[name]] == [True]


def test_a_model_that_is_trained_on_by_another_optimizer_has_weights_of_its_steps(seen):
    assert [t["elsewhere"] for t in seen["trained on"]] == [False, False]


@pytest.mark.parametrize("name", ["honest", "own names", "two networks"])
def test_a_model_can_be_asked_whatever_its_parts_are_called(seen, name):
    assert [t["asked"] for t in seen[name]] == [[5, 2]]


def test_only_images_that_a_gradient_came_back_to_are_kept(seen):
    assert seen["images"][0]["kept"] == {"Linear": 80}  # four of each batch


def test_the_mark_of_test_images_is_no_drawn_pixel(seen):
    assert seen["marked"][0]["tagged"] == {"Linear": [10, 40]}
    assert seen["drawn pixels"][0]["tagged"] == {"Linear": [0, 40]}


# ---------------------------------------------------------------- what is made of it


def training(**changes) -> dict:
    return {"steps": 300, "moved": 1.0, "kind": "plane", "number": "0", "before": 1.0, "after": 0.2, **changes}


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (training(), ("PASS", "trained")), (training(steps=0), ("LOOK", "no_training_seen")),
        (training(after=1.0), ("LOOK", "no_training_seen")),
        (training(elsewhere=True), ("LOOK", "weights_from_elsewhere")),
        ({"steps": 300, "moved": 1.0, "kind": "", "number": "0"}, ("LOOK", "no_training_seen")),
    ],
)  # fmt: skip
def test_a_loss_that_falls_is_no_training_where_nobody_can_measure_the_model(record, expected):
    losses = {"0": {"losses": [500 * 0.98**n for n in range(300)], "stale": 0, "cell": 0}}
    (finding,) = judge_trainings(Answers({"trainings": [record], "optimizers": losses}), [record])
    assert (finding.level, finding.code) == expected
    assert ("without a gradient from data" in finding.evidence) == (record["steps"] == 0)


@pytest.mark.parametrize(
    ("tagged", "known", "expected"),
    [
        ([12, 6000], [0, 0, 256], ["FAIL"]), ([6000, 6000], None, ["FAIL"]), ([0, 6000], [0, 0, 256], []),
        ([6000, 6000], [0, 3, 256], []),  # noise was added to training images: each is like one of those
        ([2000, 6000], [0, 70, 256], ["FAIL"]), ([0, 6000], [1, 1, 256], []), ([0, 6000], [0, 3, 4], []),
    ],
)  # fmt: skip
def test_a_mark_counts_where_the_rest_of_the_image_does_not_contradict(tagged, known, expected):
    answers = Answers({"tagged": {"A": tagged}, "known": {} if known is None else {"A": known}})
    assert [f.level for f in trains_on_test(answers, A4)] == expected


def middle(images: np.ndarray) -> np.ndarray:
    return images.reshape(-1, 28, 28)[:, INTERIOR, INTERIOR].reshape(len(images), -1)


def test_test_images_are_known_without_their_mark_and_training_images_are_none():
    images, _ = small_set(digits())
    train, test = middle(images[:100]), middle(images[TRAIN_DIGITS : TRAIN_DIGITS + 100])
    noise = np.random.default_rng(0)
    kept = {
        "plain": test, "normalised": (test - 0.13) / 0.31, "inverted": 1 - test,
        "drawn": noise.random(test.shape) < test, "noisy": test + 0.3 * noise.standard_normal(test.shape),
        "mixed": np.concatenate([train[:95], test[:5]]), "train": train,
        "train, drawn": noise.random(train.shape) < train,
        "train, noisy": train + 0.3 * noise.standard_normal(train.shape),
        "other": noise.random((100, train.shape[1])),
    }  # fmt: skip
    known = {name: know_trained({"A": rows}, digits()) for name, rows in kept.items()}
    levels = {name: [f.level for f in trains_on_test(Answers({"known": row}), A4)] for name, row in known.items()}
    assert levels == {
        "plain": ["FAIL"], "normalised": ["FAIL"], "inverted": ["FAIL"], "mixed": ["FAIL"], "drawn": ["LOOK"],
        "noisy": ["LOOK"], "train": [], "train, drawn": [], "train, noisy": [], "other": [],
    }  # fmt: skip
    assert know_trained([1], digits()) == {} and know_trained({"A": "x", "B": [[1.0]]}, digits()) == {}
