"""Checks of what was trained: right code that trained little is not called wrong, nor wrong code right."""

import contextlib
import io

import numpy as np
import pytest
import torch
from torch import nn

from helpers import checks, mnist_conv_vae, swiss_roll
from helpers.checks.pictures import BLOCKS, Reader

FRAMES = 15
T = torch.linspace(0, 1, FRAMES)[:, None]


def state_of(key, **given):
    (result,) = checks.run(key, None, **given)
    assert result.state != "wrong" or result.sentence
    return result.state


def told(key, **given):
    (result,) = checks.run(key, None, **given)
    return str(result)


class Known(nn.Module):
    """Decode to a bright corner whose edges move with the code; with ``strength`` 0, as if nothing were learned."""

    latent_dim = 2

    def __init__(self, strength=1.0):
        super().__init__()
        self.strength, self.reader = strength, Reader(True)

    def encode(self, x):
        return self.reader(x).chunk(2, dim=1)

    def decode(self, z):
        edges = torch.sigmoid(torch.arange(28) - 14 - 1.5 * z[:, :, None])  # (B, 2, 28)
        corner = edges[:, 0, None, :] * edges[:, 1, :, None]
        return 0.5 + self.strength * (corner[:, None] - 0.5)


def two_images():
    x = torch.full((2, 1, 28, 28), 0.1)
    for image, levels in zip(x, ((0.05, 0.1, 0.9, 0.3), (0.95, 0.9, 0.2, 0.6)), strict=True):
        for block, level in zip(BLOCKS, levels, strict=True):
            image[0, block[0], block[1]] = level
    return x


@torch.no_grad()
def rows_of(model, x, probability=lambda images: images):
    """The right frames, and wrong ones by their names."""
    first, last = model.encode(x)[0]
    right = probability(model.decode((1 - T) * first + T * last)).reshape(FRAMES, 28, 28)
    t = T[:, :, None]
    return right, {
        "blend of decoded images": (1 - t) * right[0] + t * right[-1],
        "blend of the images": (1 - t) * x[0] + t * x[1],
        "reversed": right.flip(0),
        "a jump": torch.cat([right[:1].repeat(8, 1, 1), right[-1:].repeat(7, 1, 1)]),
    }


# ---------------------------------------------------------------- walks


@pytest.mark.parametrize("wrong", ["blend of decoded images", "blend of the images", "reversed", "a jump"])
@pytest.mark.parametrize("assignment", ["a4", "a5"])
def test_a_walk_of_a_trained_model_is_told_from_wrong_ones(assignment, wrong):
    model, x = Known(), two_images()
    right, rows = rows_of(model, x)

    def state(row):
        if assignment == "a4":
            return state_of("a4.5.walk", model=model, frames=row, images=x)
        pixels = rows["blend of the images"]
        return state_of("a5.2.walk", model=model, image_a=x[0], image_b=x[1], pixels=pixels, latents=row)

    assert (state(right), state(rows[wrong])) == ("right", "wrong")


@pytest.mark.parametrize("seed", range(4))
def test_a_walk_of_an_untrained_model_is_neither_right_nor_wrong(seed):
    torch.manual_seed(seed)
    model, x = mnist_conv_vae.VAE().eval(), two_images()
    right, rows = rows_of(model, x, torch.sigmoid)
    said = told("a4.5.walk", model=model, frames=right, images=x)
    assert said.startswith("? ") and "cannot tell yet: train the model longer" in said
    assert state_of("a4.5.walk", model=model, frames=rows["blend of the images"], images=x) == "wrong"
    for name in ("blend of decoded images", "reversed", "a jump"):
        assert state_of("a4.5.walk", model=model, frames=rows[name], images=x) != "right", name


def test_a_walk_that_is_nearly_a_blend_is_neither_right_nor_wrong():
    model, x = Known(strength=0.02), two_images()
    right, rows = rows_of(model, x)
    for row in (right, rows["blend of decoded images"]):
        given = {"image_a": x[0], "image_b": x[1], "pixels": rows["blend of the images"], "latents": row}
        assert state_of("a5.2.walk", model=model, **given) == "unclear"


# ---------------------------------------------------------------- the Swiss roll


@pytest.mark.parametrize(("n_steps", "states"), [(3, "unclear"), (20, "unclear right"), (1000, "right")])
def test_a_short_training_of_right_code_is_not_wrong(n_steps, states):
    with contextlib.redirect_stderr(io.StringIO()):
        model, losses, _ = swiss_roll.train_vae(n_steps=n_steps, hidden_dim=32, seed=3)
    assert state_of("a3.train.trained", model=model, losses=losses) in states.split()


@pytest.mark.parametrize(
    ("losses", "state"),
    [
        ([0.3] * 20, "unclear"),
        ([0.3] * 1000, "wrong"),
        (np.linspace(0.3, 2, 20), "wrong"),
        ([], "wrong"),
        (np.geomspace(0.3, 0.01, 20), "unclear"),  # they fell, but the model is another, or has hardly moved
        (np.geomspace(0.3, 0.01, 1000), "wrong"),
    ],
)
def test_a_model_that_never_learned_is_not_right(losses, state):
    torch.manual_seed(0)
    assert state_of("a3.train.trained", model=swiss_roll.VAE(2, 32), losses=losses) == state


# ---------------------------------------------------------------- the latent space of clothes


@pytest.mark.parametrize(("apart", "state"), [(3.0, "right"), (0.7, "unclear"), (0.0, "wrong")])
def test_a_plane_is_wrong_only_where_neighbours_have_nothing_in_common(apart, state):
    rng = np.random.default_rng(0)
    labels = rng.integers(10, size=2000)
    points = apart * np.stack([labels % 4, labels // 4], axis=1) + rng.normal(size=(2000, 2))
    assert state_of("a5.1.plane", plane=points, labels=labels) == state


def test_the_order_of_a_grid_is_told_only_where_its_images_differ():
    side = torch.linspace(-3, 3, 6)
    z = torch.stack([torch.stack([a, b]) for b in side.flip(0) for a in side])
    for model, states in ((Known(), ("right", "wrong")), (Known(strength=0.0), ("unclear", "unclear"))):
        images = model.decode(z)
        assert tuple(state_of("a5.4.grid", model=model, grid=g) for g in (images, images.flip(0))) == states


def test_an_average_code_is_wrong_only_where_categories_lie_apart():
    rng = np.random.default_rng(0)
    labels = np.arange(2000) % 10
    for apart, state in ((5.0, "wrong"), (0.02, "unclear")):
        codes = apart * labels[:, None] + rng.normal(size=(2000, 2))
        average = {name: codes[labels == k][:20].mean(0) for name, k in (("boot", 9), ("sneaker", 7), ("sandal", 5))}
        given = average | {"direction": average["boot"] - average["sneaker"]}
        given["result"] = given["sandal"] + given["direction"]
        assert state_of("a5.3.arithmetic", **given) == "right"
        swapped = given | {"sandal": average["sneaker"], "result": average["sneaker"] + given["direction"]}
        assert state_of("a5.3.arithmetic", **swapped, codes=codes, labels=labels) == state


def test_variations_that_look_the_same_are_wrong_only_where_they_are():
    images = 0.5 + 1e-3 * torch.rand(20, 1, 28, 28)
    assert state_of("a5.5.variations", images=images) == "unclear"
    assert state_of("a5.5.variations", images=images[:1].repeat(20, 1, 1, 1)) == "wrong"
    assert state_of("a5.5.variations", images=torch.rand(20, 1, 28, 28)) == "right"
