"""Probes of assignment 5: the codes, the grid and the walk that the notebook left under the assignment's names."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from . import common
from .models import plain
from .notebook import Notebook

CODES = ("boot_direction", "z_result", "z_ankle_boot_avg", "z_sneaker_avg", "z_sandal_avg")
MOST_LATENTS = 64


def probes(notebook: Notebook) -> Iterator[tuple[str, Callable[[], Any]]]:
    yield from common.probes(notebook)
    yield "fashion", lambda: probe_fashion(notebook)


def probe_fashion(notebook: Notebook) -> dict[str, Any]:
    space, model = notebook.space, notebook.space.get("model")
    result: dict[str, Any] = {}
    for name in CODES:
        if isinstance(space.get(name), torch.Tensor):
            result[name] = plain(space[name].reshape(-1)[:MOST_LATENTS], 6)
    parts = {
        "grid": lambda: grid_distances(space.get("decoded_grid"), model),
        "class_codes": lambda: class_codes(model, notebook.data),
        "strips": lambda: strip_distances(space, model),
    }
    for name, part in parts.items():
        with contextlib.suppress(Exception), torch.no_grad():
            result[name] = part()
    return result


def grid_distances(grid: Any, model: Any) -> dict[str, float]:
    """Return how far the notebook's grid is from the decoded one, in its order and in others."""
    images = np.asarray(grid, dtype=np.float32).reshape(10, 10, 28, 28)
    side = torch.linspace(-3, 3, 10)
    z = torch.zeros(10, 10, model.latent_dim)
    z[..., 0], z[..., 1] = side[None, :], side.flip(0)[:, None]
    right = model.decode(z.reshape(100, -1)).reshape(10, 10, 28, 28).numpy()
    orders = {
        "right": right, "flipped": right[::-1], "swapped": right.transpose(1, 0, 2, 3), "mirrored": right[:, ::-1],
    }  # fmt: skip
    return {name: float(np.abs(images - other).mean()) for name, other in orders.items()}


def class_codes(model: Any, data: str | None) -> list[Any]:
    """Return the mean code of each category's test images."""
    from torchvision import datasets

    test = datasets.FashionMNIST(str(data), train=False)
    codes = model.encode(test.data[:, None].float() / 255)[0]
    return [plain(codes[test.targets == category].mean(0), 5) for category in range(10)]


def strip_distances(space: dict[str, Any], model: Any) -> dict[str, float]:
    """Return how far the walk and its ends are from the decoded codes, and from the blended images."""
    walk = torch.stack([torch.as_tensor(image).reshape(784) for image in space["latent_interp"]]).float()
    first, last = (space[name].reshape(784).float() for name in ("image_A", "image_B"))
    start, end = (model.decode(space[name].reshape(1, -1)).reshape(784) for name in ("z_A", "z_B"))
    t = torch.linspace(0, 1, len(walk))[:, None]
    codes = (1 - t) * space["z_A"].reshape(1, -1) + t * space["z_B"].reshape(1, -1)
    blend, straight = (1 - t) * first + t * last, model.decode(codes).reshape(len(walk), 784)
    return {
        "start": distance(walk[0], start), "end": distance(walk[-1], end), "swapped": distance(walk[0], end),
        "walk": distance(walk, straight), "walk_blended": distance(walk, blend), "apart": distance(start, end),
    }  # fmt: skip


def distance(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).abs().mean())
