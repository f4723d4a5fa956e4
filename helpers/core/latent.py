"""Moving through a latent space: tensors in, tensors out."""

import torch
from torch import Tensor


def interpolate(z_1: Tensor, z_2: Tensor, n: int) -> Tensor:
    """Walk the straight path z(t) = z_1 + (z_2 - z_1) t at n equally spaced t from 0 to 1, both ends included.

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
    """Lay out an n x n grid of 2-D codes in reading order: rows from the top, where the second latent is largest.

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
    """Divide the largest step between neighbouring frames by the mean step (Euclidean); 1 is perfectly even."""
    steps = frames.flatten(1).diff(dim=0).norm(dim=1)
    return float(steps.max() / steps.mean())


def slerp(z_1: Tensor, z_2: Tensor, n: int) -> Tensor:
    """Walk the great circle between two codes at n equally spaced angles; lengths change evenly from one to the other.

        z(t) = sin((1-t) w) / sin(w) z_1 + sin(t w) / sin(w) z_2,   cos w = z_1 . z_2 / (|z_1| |z_2|)

    Source: Shoemake 1985; for latent spaces White 2016 (arXiv 1609.04468).

    Args:
        z_1, z_2: the two ends, shape (D,) or (1, D), not opposite and not 0.

    Returns:
        Shape (n, D).
    """
    if n < 2:
        raise ValueError(f"an interpolation needs at least its two ends, got n = {n}")
    z_1, z_2 = z_1.reshape(1, -1), z_2.reshape(1, -1)
    w = torch.acos((z_1 * z_2).sum().div(z_1.norm() * z_2.norm()).clamp(-1, 1))
    if not 1e-4 < w < torch.pi - 1e-4:  # on one line the circle is not defined, or its own chord
        return interpolate(z_1, z_2, n)
    t = torch.linspace(0, 1, n, device=z_1.device, dtype=z_1.dtype)[:, None]
    return (torch.sin((1 - t) * w) * z_1 + torch.sin(t * w) * z_2) / torch.sin(w)


def traverse(z: Tensor, dimension: int, values: Tensor) -> Tensor:
    """Copy one code, shape (D,), and set one latent to each of ``values``; shape (len(values), D)."""
    moved = z.reshape(1, -1).repeat(len(values), 1)
    moved[:, dimension] = values.to(moved)
    return moved


def walk(z: Tensor, direction: Tensor, amounts: Tensor) -> Tensor:
    """Compute the codes z + a * direction for each a of ``amounts``; shapes (D,), (D,) and (n,) give (n, D)."""
    return z.reshape(1, -1) + amounts.to(z)[:, None] * direction.reshape(1, -1)


def plane(coordinates: Tensor, dimensions: tuple[int, int], width: int) -> Tensor:
    """Make codes of ``width`` latents that are 0 but for two of them; 2-D coordinates, shape (n, 2), give (n, width).

    Raises:
        ValueError: the two are one, or not among the ``width``.
    """
    first, second = dimensions
    if first == second or not (0 <= first < width and 0 <= second < width):
        raise ValueError(f"a plane needs two different latents among 0 to {width - 1}, got {first} and {second}")
    codes = coordinates.new_zeros(len(coordinates), width)
    codes[:, [first, second]] = coordinates
    return codes


def principal_directions(codes: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Find the n orthogonal unit directions along which codes spread most, and how far: one standard deviation each.

    Each direction's sign is chosen so that its largest component is positive.

    Args:
        codes: shape (N, D), more rows than n.

    Returns:
        Directions, shape (n, D), the widest first, and standard deviations, shape (n,).

    Raises:
        ValueError: more directions than the codes can show.
    """
    if not 0 < n <= min(len(codes) - 1, codes.shape[1]):
        raise ValueError(f"{len(codes)} codes of {codes.shape[1]} latents do not show {n} directions: ask for fewer")
    _, scale, directions = torch.linalg.svd(codes - codes.mean(0), full_matrices=False)
    largest = directions.gather(1, directions.abs().argmax(1, keepdim=True))
    return (directions * largest.sign())[:n], scale[:n] / (len(codes) - 1) ** 0.5


def leave_one_out(codes: Tensor, labels: Tensor, neighbours: int = 10) -> Tensor:
    """Find for each code the most frequent label among its nearest ``neighbours``, itself left out; shape (N,).

    Where labels are equally frequent, the smallest counts.

    Raises:
        ValueError: no neighbours, or fewer codes than that.
    """
    if not 0 < neighbours < len(codes):
        raise ValueError(f"{len(codes)} codes do not have {neighbours} neighbours each: ask for 1 to {len(codes) - 1}")
    majorities = []
    for rows in torch.arange(len(codes), device=codes.device).split(1000):  # else the distances fill the memory
        distances = torch.cdist(codes[rows], codes)
        distances[torch.arange(len(rows)), rows] = torch.inf
        nearest = distances.topk(neighbours, largest=False).indices
        majorities.append(torch.nn.functional.one_hot(labels[nearest]).sum(1).argmax(1))
    return torch.cat(majorities)
