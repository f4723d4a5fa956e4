"""Probe part B's networks and plot functions: what they draw of stub models whose images bear their codes."""

import contextlib
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from matplotlib import pyplot as plt
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from .models import build, perturb, plain

FIRST, SECOND = (slice(3, 12), slice(3, 12)), (slice(3, 12), slice(16, 25))  # blocks that bear a code
WHITE, BLACK = (slice(17, 25), slice(3, 12)), (slice(17, 25), slice(16, 25))  # blocks that are always the same
BLOCKS = (FIRST, SECOND, WHITE, BLACK)
SIDES = {False: (-5.0, 5.0), True: (-3.0, 3.0)}  # of the grids, without and with a VAE
CELLS, STEPS, IMAGES = 6, 9, 192
MOST_SCATTERS, MOST_POINTS, MOST_USES = 24, 300, 3
Models = list[tuple[Any, bool]]  # a model, and whether it is a VAE


class StubEncoder(nn.Module):
    """Read a code from an image's blocks; with four outputs, beside a log-variance of nearly no noise."""

    def __init__(self, head: int = 2) -> None:
        super().__init__()
        self.head = head

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.reshape(-1, 28, 28)
        z = torch.stack([x[(..., *FIRST)].mean((1, 2)), x[(..., *SECOND)].mean((1, 2))], 1) * 16 - 8
        return z if self.head == 2 else torch.cat([z, torch.full_like(z, -40.0)], 1)


class StubDecoder(nn.Module):
    """Write a code into an image's blocks."""

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        z = z.reshape(-1, 2)
        levels = torch.sigmoid(z / 4)[..., None, None, None]
        image = torch.full((len(z), 1, 28, 28), 0.5)
        image[(..., *FIRST)], image[(..., *SECOND)] = levels[:, 0], levels[:, 1]
        image[(..., *WHITE)], image[(..., *BLACK)] = 0.98, 0.02
        return image


def stub_models(space: dict[str, Any]) -> Models:
    """Return the submission's own classes with known networks inside: ``isinstance`` and methods stay as they were."""
    models: Models = []
    autoencoder, vae = space.get("Autoencoder"), space.get("VAE")
    if inspect.isclass(autoencoder):
        with contextlib.suppress(Exception):
            models.append((stub_autoencoder(autoencoder), False))
    if inspect.isclass(vae):
        with contextlib.suppress(Exception):
            models.append((stub_vae(vae), True))
    return models


def stub_autoencoder(cls: Callable[..., Any]) -> Any:
    model = cls(2).eval()
    model.encoder, model.decoder = StubEncoder(), StubDecoder()
    return model


def stub_vae(cls: type) -> Any:
    model = build(cls, 784, 2, 4, flatten=True, sigmoid=True).eval()
    used: list[bool] = []

    def decode(z: torch.Tensor, noise: bool = True) -> torch.Tensor:
        used.append(bool(noise))
        return StubDecoder()(z).reshape(-1, 784)

    model.decode, model.encode_latent, model.noise_used = decode, StubEncoder().forward, used
    model.encoder = StubEncoder(4)
    return model


def noise_of(model: Any) -> list[bool]:
    """Return with which noise flags a stub was decoded first."""
    return list(getattr(model, "noise_used", []))[:MOST_USES]


def draw(function: Callable[..., Any], model: Any, vae: bool, *args: Any, **options: Any) -> None:
    """Call a plot function with those options that it knows, on an empty figure."""
    names = inspect.signature(function).parameters
    known = {name: value for name, value in options.items() if name in names}
    if "vae" in names:
        known["vae"] = vae
    plt.close("all")
    plt.figure(figsize=(8, 4))
    with torch.no_grad():
        function(model, *args, **known)


# ---------------------------------------------------------------- pictures made of tiles


def tiles(columns: int, rows: int) -> dict[str, Any]:
    """Cut what was drawn into its images: the blocks of each, row by row from the top of the screen."""
    images = []
    for ax in plt.gcf().axes:
        images += ax.get_images()
    arrays = [on_screen(image) for image in images]
    whole = [i for i, array in enumerate(arrays) if array.shape == (28 * rows, 28 * columns)]
    if whole:
        array, extent = arrays[whole[-1]], images[whole[-1]].get_extent()
        parts = array.reshape(rows, 28, columns, 28).swapaxes(1, 2)
        return {"extent": [float(e) for e in extent], "cells": [list(map(blocks, row)) for row in parts]}
    if len(arrays) == rows * columns and all(array.shape == (28, 28) for array in arrays):
        parts = [arrays[r * columns : (r + 1) * columns] for r in range(rows)]
        return {"cells": [list(map(blocks, row)) for row in parts]}
    return {}


def on_screen(image: Any) -> np.ndarray:
    """Return an image's values as they stand on the screen, whichever end its array begins at."""
    array = np.asarray(image.get_array(), dtype=float)
    array = array[..., 0] if array.ndim == 3 else array
    return array[::-1] if image.origin == "lower" else array


def blocks(image: np.ndarray) -> list[float]:
    return [round(float(image[where].mean()), 5) for where in BLOCKS]


def probe_grid(function: Callable[..., Any], space: dict[str, Any]) -> list[dict[str, Any]]:
    records = []
    for model, vae in stub_models(space):
        with contextlib.suppress(Exception):
            low, high = SIDES[vae]
            r0, r1 = (low, high), (low, high - 1)
            draw(function, model, vae, r0=r0, r1=r1, n=CELLS, plot_idx=0)
            records.append(tiles(CELLS, CELLS) | {"vae": vae, "r0": r0, "r1": r1, "noise": noise_of(model)})
    return records


def probe_interpolation(function: Callable[..., Any], space: dict[str, Any]) -> list[dict[str, Any]]:
    records = []
    x_1, x_2 = torch.rand(1, 28, 28) * 0.1, torch.rand(1, 28, 28) * 0.1
    for x, (left, right) in ((x_1, (0.25, 0.65)), (x_2, (0.85, 0.35))):
        x[(..., *FIRST)], x[(..., *SECOND)] = left, right
    ends = [plain(StubEncoder()(x)[0]) for x in (x_1, x_2)]
    for model, vae in stub_models(space):
        for shape in ((1, 28, 28), (1, 1, 28, 28)):
            with contextlib.suppress(Exception):
                draw(function, model, vae, x_1.reshape(shape), x_2.reshape(shape), n=STEPS, plot_idx=0)
                records.append(tiles(STEPS, 1) | {"vae": vae, "ends": ends, "noise": noise_of(model)})
                break
    return records


def probe_latent_plot(function: Callable[..., Any], space: dict[str, Any]) -> list[dict[str, Any]]:
    records = []
    x, y = torch.rand(IMAGES, 1, 28, 28), torch.randint(0, 10, (IMAGES,))
    levels = torch.rand(IMAGES, 2)[..., None, None, None]
    x[(..., *FIRST)], x[(..., *SECOND)] = levels[:, 0], levels[:, 1]
    data = DataLoader(TensorDataset(x, y), batch_size=IMAGES // 3)
    codes = plain(StubEncoder()(x), 4)
    for model, vae in stub_models(space):
        with contextlib.suppress(Exception):
            draw(function, model, vae, data, num_batches=3, plot_idx=0)
            scatters = []
            for ax in plt.gcf().axes:
                scatters += [scatter_of(collection) for collection in ax.collections]
            records.append({"scatters": scatters[:MOST_SCATTERS], "codes": codes, "labels": y.tolist(), "vae": vae})
    return records


def scatter_of(collection: Any) -> list[Any]:
    """Return a scatter's points, and the values of its colours where it has some."""
    array, points = collection.get_array(), np.asarray(collection.get_offsets())[:MOST_POINTS]
    return [plain(points, 4), None if array is None else plain(np.asarray(array)[:MOST_POINTS])]


# ---------------------------------------------------------------- encoder and decoder


def probe_parts(space: dict[str, Any]) -> dict[str, Any]:
    """Probe Encoder and Decoder of part B, as far as they can be built and called."""
    result = {}
    for name, probe in (("encoder", probe_encoder), ("decoder", probe_decoder)):
        with contextlib.suppress(Exception), torch.no_grad():
            probe(space, result.setdefault(name, {}))
        if not result[name]:
            del result[name]
    return result


def superposition(f: Callable[[torch.Tensor], torch.Tensor], a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return by how much f(a) + f(b) differs from f(a + b) + f(0), as a share; nothing for an affine function."""
    parts = [f(t) for t in (a, b, a + b, torch.zeros_like(a))]
    return (parts[0] + parts[1] - parts[2] - parts[3]).abs().max() / parts[2].abs().max().clamp_min(1e-9)


def probe_encoder(space: dict[str, Any], result: dict[str, Any]) -> None:
    encoder = perturb(space["Encoder"](2), 2.0)
    a, b = torch.randn(1, 1, 28, 28), torch.randn(1, 1, 28, 28)
    nonlinear = float(superposition(encoder, a, b))
    result |= {"shape": list(encoder(torch.rand(5, 1, 28, 28)).shape), "nonlinear": nonlinear}
    result["negative"] = float(encoder(torch.randn(200, 1, 28, 28)).min())
    result["repeatable"] = bool(torch.equal(encoder(a), encoder(a)))
    result["largest"] = float(encoder(100 * torch.randn(200, 1, 28, 28)).abs().max())


def probe_decoder(space: dict[str, Any], result: dict[str, Any]) -> None:
    decoder = perturb(space["Decoder"](2), 3.0)
    out = decoder(torch.randn(64, 2) * 2)
    result |= {"shape": list(out.shape), "low": float(out.min()), "high": float(out.max())}
    decoder, (a, b) = perturb(decoder), torch.randn(2, 1, 2)
    result["nonlinear"] = float(superposition(lambda t: torch.logit(decoder(t).double(), 1e-9), a, b))
