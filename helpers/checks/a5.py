"""Checks of assignment 5: the latent space of a Fashion-MNIST VAE."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from helpers.checks.base import Mistake, Unclear, checks
from helpers.checks.losses import (
    cases_of,
    draws_and_slopes,
    entropy_mean,
    entropy_sum,
    judge_beta_loss,
    squared_sum,
)
from helpers.checks.oracles import Array, as_array, close, in_shape, judge_forms, listed
from helpers.checks.pictures import (
    SAME_FRAMES,
    TOLD_APART,
    TRAIN_LONGER,
    Tiles,
    Writer,
    blend,
    judge_grid,
    judge_tiles,
    off,
)
from helpers.checks.student import Student

LATENTS, DRAWS = 5, 20_000


@checks("VAE", "The VAE, reparameterize", "fashion_latent_space.VAE.reparameterize", stops=True)
def reparameterize(student: Student) -> str:
    draws, _ = draws_and_slopes(student.get("fashion_latent_space.VAE")(3).reparameterize)
    return f"{len(draws)} draws have the mean and the spread that were asked for, and gradients reach both"


@checks("VAE", "The VAE, its loss", "fashion_latent_space.vae_loss", stops=True)
def loss(student: Student) -> str:
    function = student.get("fashion_latent_space.vae_loss")
    forms = {"the cross-entropy": entropy_sum, "the cross-entropy of an image": entropy_mean,
             "the squared error": squared_sum}  # fmt: skip
    return judge_beta_loss(
        lambda c, beta: function(c.recon, c.x, c.mu, c.logvar, beta), cases_of(1, 28, 28), "sum", forms
    )


# ---------------------------------------------------------------- exercises 1 and 2

NEIGHBOURS, LEAST_SHARE = 10, 2.5  # times what chance gives
SHUFFLED_SHARE = 1.3  # times what chance gives: labels in any order reach no more


@checks("1", "Exercise 1, the plane")
def plane(student: Student, plane: Any, labels: Any) -> str:
    """``plane``: a point for each image; ``labels``: their categories."""
    points, classes = as_array(plane, "the plane"), as_array(labels, "labels").ravel()
    if points.shape != (len(classes), 2):
        raise Mistake(f"the plane has the shape {points.shape}, expected a point for each of {len(classes)} images")
    if len(points) < 1000:
        raise Mistake(f"{len(points)} points are a small part of the test set", "latent_few")
    some = np.random.default_rng(0).permutation(len(points))[:1000]
    distance = np.square(points[some, None] - points[None]).sum(-1)
    distance[np.arange(len(some)), some] = np.inf
    near = classes[np.argpartition(distance, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]]
    share = float((near == classes[some, None]).mean())
    chance = float(np.square(np.unique(classes, return_counts=True)[1] / len(classes)).sum())
    if share < LEAST_SHARE * chance:
        text = f"of a point's neighbours {100 * share:.0f} % are of its category, chance gives {100 * chance:.0f} %"
        if share > SHUFFLED_SHARE * chance:
            raise Unclear(f"{text}, {TRAIN_LONGER}")
        raise Mistake(text, "labels_shuffled")
    return f"{len(points)} images in the plane, and neighbours are mostly of one category"


@torch.no_grad()
def decode(model: Any, z: Array) -> Array:
    """Decode codes to images, shape (N, 28, 28)."""
    codes = torch.as_tensor(z, dtype=torch.float32, device=next(model.parameters()).device)
    return as_array(model.decode(codes), "decode(z)").reshape(-1, 28, 28)


@checks("2", "Exercise 2, the walk")
def walk(student: Student, model: Any, image_a: Any, image_b: Any, pixels: Any, latents: Any) -> str:
    """``pixels``, ``latents``: the frames of both rows, from ``image_a`` to ``image_b``."""
    ends = torch.stack(
        [torch.as_tensor(as_array(i, "image"), dtype=torch.float32).reshape(1, 28, 28) for i in (image_a, image_b)]
    )
    with torch.no_grad():
        start, end = as_array(model.encode(ends.to(next(model.parameters()).device))[0], "mu")
    first, last = as_array(ends, "images").reshape(2, 28, 28)
    blended, walked = (stacked(row, name) for row, name in ((pixels, "the pixel row"), (latents, "the latent row")))
    if not near(blended, blend(np.stack([first, last]), len(blended))):
        raise Mistake("the pixel row is not (1 - t) A + t B")
    steps = np.linspace(0, 1, len(walked))[:, None]
    right = decode(model, (1 - steps) * start + steps * end)
    blends = [blend(ends, len(walked)) for ends in (np.stack([first, last]), right[[0, -1]])]
    if near(walked, right):
        if off(right[0], right[-1]) < TOLD_APART or near(right, blends[1]):
            raise Unclear(f"on the way, the model decodes nearly a blend of the two ends, {TRAIN_LONGER}")
        return f"{len(blended)} blends of pixels, and {len(walked)} decoded codes on the straight line"
    if any(near(walked, row) for row in blends):
        raise Mistake("the latent row blends pixels", "interpolation_pixels")
    if near(walked, right[::-1]):
        raise Mistake("", "interpolation_reversed")
    ends_right = [near(walked[place], right[place]) for place in (0, -1)]
    code = (
        "interpolation_uneven" if all(ends_right) else "interpolation_end" if ends_right[0] else "interpolation_start"
    )
    raise Mistake("the latent row is not the decoded straight line", code)


def stacked(row: Any, name: str) -> Array:
    """Return frames that may come as a list, shape (n, 28, 28)."""
    frames = [as_array(frame, name).reshape(28, 28) for frame in row]
    if len(frames) < 3:
        raise Mistake(f"{name} has {len(frames)} frames")
    return np.stack(frames)


def near(a: Array, b: Array) -> bool:
    return a.shape == b.shape and off(a, b) < SAME_FRAMES


# ---------------------------------------------------------------- exercise 3


@checks("3", "Exercise 3, attribute_direction", "fashion_latent_space.attribute_direction")
def direction(student: Student) -> str:
    having, lacking = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[0.0, 1.0], [0.0, 1.0], [0.0, 4.0]])
    value = as_array(student.get("fashion_latent_space.attribute_direction")(having, lacking), "the direction")
    right = np.array([2.0, 1.0])
    if value.shape not in ((2,), (1, 2)):
        raise Mistake(f"the direction has the shape {value.shape}, expected (1, 2) for codes of two numbers", "shape")
    judge_forms(value.ravel(), right, [(-right, "direction_reversed")])
    return "the mean code with the attribute minus the mean code without it"


@checks("3", "Exercise 3, add_direction", "fashion_latent_space.add_direction")
def add_direction(student: Student) -> str:
    function = student.get("fashion_latent_space.add_direction")
    z, way = torch.tensor([[1.0, 2.0], [0.0, 0.0]]), torch.tensor([[1.0, -1.0]])
    right = np.array([[2.0, 1.0], [1.0, -1.0]])
    judge_forms(
        in_shape(function(z, way), (2, 2), "the codes"), right, [(np.array([[0.0, 3.0], [-1.0, 1.0]]), "arithmetic")]
    )
    judge_forms(
        in_shape(function(z, way, 3.0), (2, 2), "the codes"), np.array([[4.0, -1.0], [3.0, -3.0]]), [], "amount 3: "
    )
    return "moves codes by an amount of a direction"


@checks("3", "Exercise 3, the arithmetic")
def arithmetic(
    student: Student,
    boot: Any,
    sneaker: Any,
    sandal: Any,
    direction: Any,
    result: Any,
    codes: Any = None,
    labels: Any = None,
) -> str:
    """``boot``, ``sneaker``, ``sandal``: average codes; ``codes``, ``labels``: of the test set, to tell categories."""
    means = {
        name: as_array(value, name).ravel()
        for name, value in (("ankle boot", boot), ("sneaker", sneaker), ("sandal", sandal))
    }
    way, moved = as_array(direction, "the direction").ravel(), as_array(result, "the result").ravel()
    right = means["ankle boot"] - means["sneaker"]
    judge_forms(way, right, [(-right, "direction_reversed")])
    judge_forms(moved, means["sandal"] + way, [(means["sandal"] - way, "arithmetic"), (means["sandal"], "arithmetic")])
    if codes is not None and labels is not None:
        judge_categories(means, as_array(codes, "codes"), as_array(labels, "labels").ravel())
    return "the direction is boot minus sneaker, and the result is the sandal plus it"


CATEGORIES = {"sandal": 5, "sneaker": 7, "ankle boot": 9}
FEWEST, CHANCE_OFF = 20, 3.0  # codes in an average, and how far it may lie from the middle, in its own variances


def judge_categories(means: dict[str, Array], codes: Array, labels: Array) -> None:
    """Compare average codes with the middles of the categories.

    Raises:
        Mistake: one belongs to another category.
        Unclear: categories lie so near to each other that an average of a few codes falls to either.
    """
    groups = [codes[labels == k] for k in range(10)]
    middles = np.stack([group.mean(0) for group in groups])
    for name, mean in means.items():
        away, right = np.square(middles - mean).sum(1), CATEGORIES[name]
        nearest = int(away.argmin())
        if nearest == right:
            continue
        if away[right] < CHANCE_OFF * groups[right].var(0).sum() / FEWEST:
            raise Unclear(f"the average {name} is as near to category {nearest} as to {right}, {TRAIN_LONGER}")
        raise Mistake(f"the average {name} is nearest to category {nearest}, not {right}", "category")


# ---------------------------------------------------------------- exercise 4


class Known(nn.Module):
    """A model whose images bear the codes of two latents, as long as all others are 0."""

    latent_dim = LATENTS

    def __init__(self, dimensions: tuple[int, int]) -> None:
        super().__init__()
        self.dimensions = dimensions
        self.weight = nn.Parameter(torch.zeros(()))

    def decode(self, z: Tensor) -> Tensor:
        others = [i for i in range(LATENTS) if i not in self.dimensions]
        if z.shape[-1] != LATENTS or z[:, others].any():
            raise Mistake("the other latents are not all 0")
        return Writer()(z[:, list(self.dimensions)])


@checks("4", "Exercise 4, region_map", "fashion_latent_space.region_map")
def region_map(student: Student) -> str:
    function = student.get("fashion_latent_space.region_map")
    for dimensions, limit, size in (((0, 1), 3.0, 4), ((1, 3), 2.0, 3)):
        images = in_shape(function(Known(dimensions), dimensions, limit, size), (size**2, 28, 28), "the images")
        tiles = Tiles(images.reshape(size, size, 28, 28), (-limit, limit, -limit, limit))
        judge_tiles(tiles, "map")
        judge_grid(tiles, "map", (-limit, limit), (-limit, limit))
    return "decodes a square of two latents, the first to the right and the second upwards"


@checks("4", "Exercise 4, the decoded grid")
def grid(student: Student, model: Any, grid: Any, dimensions: tuple[int, int] = (0, 1), limit: float = 3.0) -> str:
    """``grid``: the decoded images, in reading order; over two latents from -limit to limit."""
    tiles = as_array(grid, "the grid").reshape(-1, 28, 28)
    size = round(len(tiles) ** 0.5)
    if size**2 != len(tiles):
        raise Mistake(f"{len(tiles)} images are no square grid", "shape")
    z = np.zeros((size, size, int(model.latent_dim)))
    z[..., dimensions[0]] = np.linspace(-limit, limit, size)
    z[..., dimensions[1]] = np.linspace(limit, -limit, size)[:, None]
    right = decode(model, z.reshape(size**2, -1)).reshape(size, size, 28, 28)
    shown = tiles.reshape(size, size, 28, 28)
    orders = {"": right, "grid_flipped": right[::-1], "grid_mirrored": right[:, ::-1],
              "grid_transposed": right.swapaxes(0, 1)[::-1, ::-1]}  # fmt: skip
    matching = [code for code, form in orders.items() if near(shown, form)]
    if "" in matching and len(matching) > 1:
        which = f"latents {dimensions[0] + 1} and {dimensions[1] + 1} of this model hardly change the image"
        raise Unclear(
            f"{which}, so the order of the cells cannot be told; if the model trained little, train it longer"
        )
    code = matching[0] if matching else "grid_wrong"
    if code:
        raise Mistake(f"the {size} x {size} images are not the decoded grid in its order", code)
    return f"{size} x {size} decoded codes, the first latent to the right and the second upwards"


# ---------------------------------------------------------------- exercise 5

LEAST_IMAGES = 15


@checks("5", "Exercise 5, neighbourhood", "fashion_latent_space.neighbourhood")
def neighbourhood(student: Student) -> str:
    function = student.get("fashion_latent_space.neighbourhood")
    codes = torch.randn(4000, 2) @ torch.tensor([[2.0, 1.0], [0.0, 0.5]]) + torch.tensor([5.0, -5.0])
    known = as_array(codes, "codes")
    for isotropic, covariance in ((True, np.eye(2)), (False, np.cov(known.T))):
        draws = in_shape(function(codes, DRAWS, 0.5, isotropic=isotropic), (DRAWS, 2), "the codes")
        centre, spread = draws.mean(0), np.cov(draws.T)
        if np.abs(centre - known.mean(0)).max() > 0.05:
            raise Mistake(f"the draws lie around {listed(centre)}, right is the mean code {listed(known.mean(0))}")
        if np.abs(spread - 0.25 * covariance).max() > 0.06:
            text = f"isotropic={isotropic}, scale 0.5: the draws have the covariance {spread.round(2).tolist()}"
            raise Mistake(f"{text}, right is {(0.25 * covariance).round(2).tolist()}")
    return "draws around the mean code, as wide in all directions, and as wide as the codes themselves"


@checks("5", "Exercise 5, the variations")
def variations(student: Student, images: Any) -> str:
    """``images``: the generated variations."""
    pixels = as_array(images, "the images").reshape(-1, 784)
    if len(pixels) < LEAST_IMAGES:
        raise Mistake(f"{len(pixels)} images, asked for were at least {LEAST_IMAGES}")
    if pixels.min() < -1e-6 or pixels.max() > 1 + 1e-6:
        raise Mistake(f"pixels lie between {pixels.min():.2f} and {pixels.max():.2f}", "sigmoid_missing")
    different = len(np.unique(pixels.round(5), axis=0))
    if different < len(pixels):
        raise Mistake(f"of {len(pixels)} images only {different} differ")
    if close(pixels, pixels[:1], 0, 1e-2):
        raise Unclear(f"all {len(pixels)} images look the same, {TRAIN_LONGER}, or draw the codes further apart")
    return f"{len(pixels)} images, all different"
