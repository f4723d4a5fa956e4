"""Own loops and own names are found by what they do: what a loss is made of, what a figure was decoded from."""

import math

import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt

from course.assignments import ASSIGNMENTS
from course.grading.a1 import own_ways as a1
from course.grading.a5 import own_ways as a5
from course.grading.answers import Answers
from course.grading.common_own_ways import likelihood_and_kl, objectives, samples
from course.grading.probes.deeds import Deeds, tiles_of
from course.grading.probes.machine import ROWS, rows_for

TASK = ASSIGNMENTS["a1"].tasks[0]


def codes(findings) -> list[tuple[str, str]]:
    return [(finding.level, finding.code) for finding in findings]


# ---------------------------------------------------------------- losses

BATCH, FEATURES, LATENTS = 16, 784, 3


def kl_of(mu, s):
    return 0.5 * (mu**2 + s.exp() - s - 1)


def gaussian(out, x):
    mean, s = out.chunk(2, 1)
    return 0.5 * (math.log(2 * math.pi) + s + (x - mean) ** 2 / s.exp())


# what a notebook may write, and what its loss is made of: kind, weight of the summed error, weight of the summed KL
LOSSES = {
    "squared error, means, beta 3": (
        lambda out, x, mu, s: ((out.sigmoid() - x) ** 2).mean() + 3 * kl_of(mu, s).mean(),
        ("squared error", 1 / FEATURES, 3 / LATENTS),
    ),
    "cross-entropy of logits, sums over the batch": (
        lambda out, x, mu, s: (
            torch.nn.functional.binary_cross_entropy_with_logits(out, x, reduction="sum") + kl_of(mu, s).sum()
        ),
        ("cross-entropy", BATCH, BATCH),
    ),
    "the KL of the wrong sign": (
        lambda out, x, mu, s: ((out.sigmoid() - x) ** 2).sum(1).mean() - kl_of(mu, s).sum(1).mean(),
        ("squared error", 1.0, -1.0),
    ),
    "no KL": (lambda out, x, mu, s: 2 * ((out.sigmoid() - x) ** 2).sum(1).mean(), ("squared error", 2.0, 0.0)),
}


def train(loss_of, log_sigma: bool = False, features: int = FEATURES, wide: int = 1) -> Answers:
    """Train an encoder and a decoder of plain functions, and return what was noted."""
    torch.manual_seed(0)
    deeds = Deeds()
    down, up = (0.1 * torch.randn(a, b) for a, b in ((features, 2 * LATENTS), (LATENTS, wide * features)))
    weights = [down.requires_grad_(), up.requires_grad_()]

    @deeds.wrap
    def hin(x):
        return (x @ weights[0]).chunk(2, 1)

    @deeds.wrap
    def her(z):
        return z @ weights[1]

    adam = torch.optim.Adam(weights, 1e-3)
    for _ in range(12):
        x = torch.rand(BATCH, features)
        mu, s = hin(x)
        s = 2 * s if log_sigma else s
        loss = loss_of(her(mu + (s / 2).exp() * torch.randn_like(mu)), x, mu, s)
        adam.zero_grad()
        deeds.backward(loss)
        loss.backward()
        adam.step()
        deeds.step("0")
    return Answers({"losses": deeds.fits(), "figures": []})


@pytest.mark.parametrize("log_sigma", [False, True])
@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_taken_apart_into_its_error_and_its_kl(name, log_sigma):
    loss_of, (kind, error, kl) = LOSSES[name]
    (objective,) = objectives(train(loss_of, log_sigma), FEATURES)
    assert objective.kind == kind
    assert objective.error == pytest.approx(error, rel=1e-2) and objective.kl == pytest.approx(kl, rel=1e-2)


def test_a_learned_variance_is_told_and_what_is_no_sum_of_the_two_is_not():
    answers = train(lambda out, x, mu, s: gaussian(out, x).sum(1).mean() + kl_of(mu, s).sum(1).mean(), False, 2, 2)
    (objective,) = objectives(answers, 2)
    assert objective.kind == "Gaussian likelihood" and objective.ratio == pytest.approx(1, rel=1e-2)
    other = train(lambda out, x, mu, s: (out - x).abs().sum() + kl_of(mu, s).sum(1).mean() ** 2)
    assert objectives(other, FEATURES) == []


def test_losses_are_judged_by_the_weight_of_their_kl():
    right, negative, none = (train(LOSSES[name][0]) for name in list(LOSSES)[1:])
    assert codes(likelihood_and_kl(right, TASK)) == [("PASS", "objective")]
    assert codes(a1.betas_of_losses(negative, TASK)) == [("FAIL", "kl_sign")]
    assert codes(a1.autoencoder_loss(none, TASK)) == [("PASS", "train_ae")]
    assert codes(a1.betas_of_losses(none, TASK)) == codes(likelihood_and_kl(none, TASK)) == []


@pytest.mark.parametrize(("betas", "judged"), [((1, 3, 10), "PASS"), ((1, 2, 4), "LOOK"), ((3, 3, 3), "LOOK")])
def test_three_betas_are_told_by_the_losses(betas, judged):
    rand = np.random.default_rng(0)
    losses = {}
    for number, beta in enumerate(betas):
        error, kl = rand.random(10), rand.random(10)
        losses[str(number)] = {"loss": (5 * error + 5 * beta * kl).tolist(), "error": error.tolist(),
                               "error_kind": "squared error", "kl": kl.tolist(), "features": FEATURES}  # fmt: skip
    assert [level for level, _ in codes(a1.betas_of_losses(Answers({"losses": losses}), TASK))] == [judged]


# ---------------------------------------------------------------- figures


def decoder(deeds, seed: int):
    weights = torch.from_numpy(np.random.default_rng(seed).normal(size=(2, 784))).float()

    def from_codes(z):
        return torch.sigmoid(z @ weights).reshape(-1, 1, 28, 28)

    from_codes.__qualname__ = f"decoder {seed}"
    return deeds.wrap(from_codes)


def drawn(draw) -> Answers:
    deeds = Deeds()
    plt.close("all")
    draw(deeds)
    deeds.look(4)
    plt.close("all")
    return Answers({"figures": deeds.figures, "losses": {}})


def grids(ends=(5, 3, 3, 3), cells=12, models=4):
    def draw(deeds):
        _, axes = plt.subplots(1, 4)
        for number, (ax, end) in enumerate(zip(axes, ends, strict=True)):
            side = torch.linspace(-end, end, cells)
            z = torch.cartesian_prod(side.flip(0), side).flip(1)
            tiles = decoder(deeds, number % models)(z).reshape(cells, cells, 28, 28)
            ax.imshow(tiles.permute(0, 2, 1, 3).reshape(28 * cells, 28 * cells), cmap="gray")

    return draw


@pytest.mark.parametrize(
    ("draw", "judged"),
    [
        (grids(), ("PASS", "grid")),
        (grids((5, 5, 5, 5)), ("LOOK", "grid_range")),
        (grids(cells=8), ("LOOK", "grid_range")),
        (grids(models=1), ("LOOK", "same_panel")),
    ],
)
def test_grids_are_told_by_the_codes_that_were_decoded(draw, judged):
    assert codes(a1.drawn_grids(drawn(draw), TASK)) == [judged]


def walk(steps=15, models=4, pixels=False):
    def draw(deeds):
        _, axes = plt.subplots(4, 1)
        for number, ax in enumerate(axes):
            decode = decoder(deeds, number % models)
            ends = torch.tensor([[-1.0, 2.0 + number], [1.5, -1.0]])
            t = torch.linspace(0, 1, steps)[:, None]
            first, last = decode(ends)
            frames = (1 - t[..., None]) * first + t[..., None] * last if pixels else None
            frames = decode((1 - t) * ends[0] + t * ends[1])[:, 0] if frames is None else frames
            ax.imshow(torch.hstack(list(frames)))

    return draw


@pytest.mark.parametrize(
    ("draw", "judged"),
    [
        (walk(), [("PASS", "interpolation")]),
        (walk(steps=9), [("LOOK", "interpolation_steps")]),
        (walk(models=2), [("LOOK", "same_panel")]),
        (walk(pixels=True), []),
        (grids(), []),
    ],
)
def test_walks_are_told_by_the_codes_that_were_decoded(draw, judged):
    assert codes(a1.drawn_walks(drawn(draw), TASK)) == judged


def plane(points=2000, right=True):
    def draw(deeds):
        _, axes = plt.subplots(1, 4)
        for number, ax in enumerate(axes):
            weights = torch.from_numpy(np.random.default_rng(number).normal(size=(784, 2))).float()

            def to_codes(x, weights=weights):
                return x.flatten(1) @ weights

            to_codes.__qualname__ = f"encoder {number}"
            z = deeds.wrap(to_codes)(torch.rand(points, 1, 28, 28))
            ax.scatter(*(z if right else z.roll(1, 0) + 1).T, c=torch.arange(points) % 10)

    return draw


@pytest.mark.parametrize(
    ("draw", "judged"),
    [(plane(), [("PASS", "latent_plot")]), (plane(500), [("LOOK", "latent_few")]), (plane(right=False), [])],
)
def test_planes_are_told_by_the_codes_of_images(draw, judged):
    assert codes(a1.drawn_planes(drawn(draw), TASK)) == judged


@pytest.mark.parametrize("spread", [1.0, 0.3])
def test_samples_are_decoded_draws_of_the_prior(spread):
    def draw(deeds):
        torch.manual_seed(0)
        images = decoder(deeds, 1)(spread * torch.randn(16, 2))
        _, axes = plt.subplots(4, 4)
        for ax, image in zip(axes.flat, images, strict=True):
            ax.imshow(image[0])

    assert codes(samples(drawn(draw), TASK)) == ([("PASS", "sample")] if spread == 1 else [])


@pytest.mark.parametrize(("last", "judged"), [("sum", [("PASS", "arithmetic")]), ("other", []), ("line", [])])
def test_added_codes_are_told(last, judged):
    def draw(deeds):
        boot, shoe, sandal = torch.tensor([[1.0, 0.5], [0.2, -1.0], [-1.0, 0.3]])
        result = {"sum": sandal + boot - shoe, "other": sandal + boot, "line": sandal}[last]
        z = torch.stack([boot, shoe, sandal, result])
        z = torch.linspace(0, 1, 4)[:, None] * boot if last == "line" else z
        _, axes = plt.subplots(1, 4)
        for ax, image in zip(axes, decoder(deeds, 3)(z), strict=True):
            ax.imshow(image[0])

    assert codes(a5.added_codes(drawn(draw), TASK)) == judged


def test_tiles_are_cut_with_and_without_a_margin_from_the_top_of_the_screen():
    tiles = np.random.default_rng(0).random((2, 3, 28, 28))
    plain = tiles.transpose(0, 2, 1, 3).reshape(56, 84)
    framed = np.pad(tiles, ((0, 0), (0, 0), (2, 0), (2, 0))).transpose(0, 2, 1, 3).reshape(60, 90)
    framed = np.pad(framed, ((0, 2), (0, 2)))
    for array, origin in ((plain, "upper"), (plain[::-1], "lower"), (framed, "upper")):
        image = plt.figure().subplots().imshow(array, origin=origin)
        assert np.array_equal(tiles_of(image), tiles.reshape(2, 3, 784))
    assert tiles_of(plt.figure().subplots().imshow(np.zeros((30, 41)))) is None
    plt.close("all")


def test_own_loops_get_fewer_rows_unless_the_notebook_counts_them():
    own = "for batch in x[torch.randperm(len(x))].split(128): step(batch)"
    assert rows_for(own)[True] < 4096 and rows_for(own)[False] > 1500
    for counts in ("DataLoader(train, 128)", f"{own}\ntrain, val = x[:50000], x[50000:]", f"{own}\nn = 60_000"):
        assert rows_for(counts) == ROWS
