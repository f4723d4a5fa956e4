"""Ways to let a model reconstruct, whatever its parts are called: as one, by encoding and decoding, by two networks."""

import contextlib
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from .deeds import tensors_in

PLANE, PIXELS = 2, 784
HALVES = (("encode", "decode"), ("encoder", "decoder"), ("enc", "dec"), ("posterior", "likelihood"))
ALL_SHAPES, PLAIN_SHAPES = 4, 2
MOST_PARTS = 8  # networks of which pairs are tried
Way = Callable[[torch.Tensor], Any]


def reconstruct(modules: list[nn.Module], x: torch.Tensor) -> torch.Tensor:
    """Return the first reconstruction that one of these models gives, tried in the shapes that are usual.

    Raises:
        TypeError: there is none.
    """
    for way, count in ways(modules):
        for shaped in shapes_of(x)[:count]:
            with contextlib.suppress(Exception):
                found = next(like(way(shaped), shaped), None)
                if found is not None:
                    return found[..., 2:30, 2:30].reshape(len(x), -1) if shaped.shape[-1] == 32 else found
    raise TypeError("it gives no reconstruction")


def shapes_of(x: torch.Tensor) -> list[torch.Tensor]:
    """Return points as they are, images in their usual shapes, and with a margin that makes them 32 pixels wide."""
    if x.ndim == 2 and x.shape[1] == PLANE:
        return [x]
    images = x.reshape(len(x), 1, 28, 28)
    return [images, x.reshape(len(x), PIXELS), images[:, 0], nn.functional.pad(images, (2, 2, 2, 2))]


def ways(modules: list[nn.Module]) -> Iterator[tuple[Way, int]]:
    """Yield what may turn an input into its reconstruction, the plainest first, and in how many shapes it is tried.

    A single layer takes many shapes that its model does not.
    """
    for module in modules:
        yield module, ALL_SHAPES
    for module in modules:
        for first, second in HALVES:
            if callable(getattr(module, first, None)) and callable(getattr(module, second, None)):
                yield chain(getattr(module, first), getattr(module, second)), ALL_SHAPES
    parts = modules if len(modules) > 1 else [child for module in modules for child in module.children()]
    for first, second in itertools.permutations(parts[:MOST_PARTS], 2):
        yield chain(first, second), PLAIN_SHAPES


def chain(encode: Callable[[Any], Any], decode: Callable[[Any], Any]) -> Way:
    """Return the way through a code: the mean, where the encoder gives a spread with it."""

    def way(x: torch.Tensor) -> Any:
        for code in codes_in(encode(x)):
            with contextlib.suppress(Exception):
                out = decode(code)
                if next(like(out, x), None) is not None:
                    return out
        raise TypeError("it decodes none of its codes")

    return way


def codes_in(out: Any) -> Iterator[torch.Tensor]:
    """Yield what may be the mean: an output, or a half of one."""
    for t in tensors_in(out):
        yield t
        if t.ndim >= 2 and t.shape[1] % 2 == 0:
            yield t.chunk(2, 1)[0]
            yield t[:, ::2]


def like(out: Any, x: torch.Tensor) -> Iterator[torch.Tensor]:
    """Yield the outputs that have as many numbers as the input; of a mean with its spread, the mean."""
    for t in tensors_in(out):
        if len(t) != len(x):
            continue
        if t.numel() == x.numel():
            yield t.reshape(x.shape if x.shape[-1] == 32 else (len(x), -1)).float()
        elif t.numel() == 2 * x.numel():
            yield t.chunk(2, 1)[0].reshape(x.shape if x.shape[-1] == 32 else (len(x), -1)).float()
