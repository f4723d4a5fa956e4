"""Moving through a latent space: tensors in, tensors out."""

import torch
from torch import Tensor


def interpolate(z_1: Tensor, z_2: Tensor, n: int) -> Tensor:
    """The straight path z(t) = z_1 + (z_2 - z_1) t at n equally spaced t from 0 to 1, both ends included.

    Args:
        z_1, z_2: the two ends, shape (D,) or (1, D).
        n: number of points, at least 2.

    Returns:
        Shape (n, D).

    Raises:
        ValueError: fewer than 2 points.
    """
    if n < 2:
        raise ValueError(f"an interpolation needs at least its two ends, got n = {n}")
    t = torch.linspace(0, 1, n, device=z_1.device, dtype=z_1.dtype)[:, None]
    return torch.lerp(z_1.reshape(1, -1), z_2.reshape(1, -1), t)


def grid(r0: tuple[float, float], r1: tuple[float, float], n: int) -> Tensor:
    """An n x n grid of 2-D codes in reading order: rows from the top, where the second latent is largest.

    Tiled in that order (:func:`tile`), the first latent grows to the right and the second upwards.

    Returns:
        Shape (n * n, 2).
    """
    rows, columns = torch.linspace(r1[1], r1[0], n), torch.linspace(*r0, n)
    second, first = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack([first, second], dim=-1).reshape(-1, 2)


def tile(images: Tensor, columns: int) -> Tensor:
    """Lay images out in reading order: (rows * columns, ..., H, W) becomes (rows * H, columns * W)."""
    h, w = images.shape[-2:]
    return images.reshape(-1, columns, h, w).permute(0, 2, 1, 3).reshape(-1, columns * w)


def unevenness(frames: Tensor) -> float:
    """Largest step between neighbouring frames over the mean step (Euclidean); 1 is perfectly even."""
    steps = frames.flatten(1).diff(dim=0).norm(dim=1)
    return float(steps.max() / steps.mean())
