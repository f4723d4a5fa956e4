"""Let a submission's plot functions draw stub models, and return what stands on the figure."""

import contextlib
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from matplotlib import pyplot as plt
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from .models import build
from .notebook import Notebook

FIRST, SECOND = (slice(3, 12), slice(3, 12)), (slice(3, 12), slice(16, 25))  # blocks that bear a code
WHITE, BLACK = (slice(17, 25), slice(3, 12)), (slice(17, 25), slice(16, 25))  # blocks that are always the same
MOST_SCATTERS, MOST_POINTS, MOST_USES, MOST_IMAGES = 24, 2000, 3, 400


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


class Drawings:
    """Acts that call plot functions on the submission's own classes, with known networks inside."""

    def __init__(self, notebook: Notebook) -> None:
        self.notebook = notebook

    def stub(self, vae: bool) -> Any:
        """Return the submission's own class with known networks inside: ``isinstance`` and methods stay as they were.

        Raises:
            LookupError: there is no such class.
        """
        cls = self.notebook.first("VAE" if vae else "Autoencoder", *(() if vae else ("AutoEncoder", "AE")))
        if not inspect.isclass(cls):
            raise LookupError("VAE" if vae else "Autoencoder")
        return stub_vae(cls) if vae else stub_autoencoder(cls)

    def function(self, name: str) -> Callable[..., Any]:
        function = self.notebook.first(name)
        if function is None:
            raise LookupError(name)
        return function

    def grid(self, vae: bool, r0: list[float], r1: list[float], n: int) -> dict[str, Any]:
        model = self.stub(vae)
        draw(self.function("plot_reconstructed"), model, vae, r0=tuple(r0), r1=tuple(r1), n=n, plot_idx=0)
        return {"images": images(), "noise": noise_of(model)}

    def interpolation(self, vae: bool, first: torch.Tensor, second: torch.Tensor, n: int) -> dict[str, Any]:
        model, function = self.stub(vae), self.function("interpolate")
        try:
            draw(function, model, vae, first.reshape(1, 28, 28), second.reshape(1, 28, 28), n=n, plot_idx=0)
        except Exception:
            draw(function, model, vae, first.reshape(1, 1, 28, 28), second.reshape(1, 1, 28, 28), n=n, plot_idx=0)
        return {"images": images(), "noise": noise_of(model)}

    def latent_plot(self, vae: bool, x: torch.Tensor, y: torch.Tensor, batches: int) -> dict[str, Any]:
        model = self.stub(vae)
        data = DataLoader(TensorDataset(x.reshape(-1, 1, 28, 28), y), batch_size=len(x) // batches)
        draw(self.function("plot_latent2D"), model, vae, data, num_batches=batches, plot_idx=0)
        scatters = []
        for ax in plt.gcf().axes:
            scatters += [scatter_of(collection) for collection in ax.collections if is_scatter(collection)]
        return {"scatters": joined(scatters)[:MOST_SCATTERS]}


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


def images() -> list[dict[str, Any]]:
    """Return the images on the current figure as they stand on the screen, whichever end an array begins at."""
    found = []
    for ax in plt.gcf().axes:
        for image in ax.get_images()[:MOST_IMAGES]:
            array = np.asarray(image.get_array(), dtype=float)
            array = array[..., 0] if array.ndim == 3 else array
            array = array[::-1] if image.origin == "lower" else array
            found.append({"array": array.astype(np.float32), "extent": [float(e) for e in image.get_extent()]})
    return found[:MOST_IMAGES]


def noise_of(model: Any) -> list[bool]:
    """Return with which noise flags a stub was decoded first."""
    return list(getattr(model, "noise_used", []))[:MOST_USES]


def is_scatter(collection: Any) -> bool:
    """Say whether a collection is a scatter's: a colour bar's lines and patches are none."""
    from matplotlib.collections import PathCollection

    with contextlib.suppress(Exception):
        return isinstance(collection, PathCollection) and np.asarray(collection.get_offsets()).size > 0
    return False


def scatter_of(collection: Any) -> tuple[np.ndarray, np.ndarray | None]:
    """Return a scatter's points, and the values of its colours where it has some."""
    array, points = collection.get_array(), np.asarray(collection.get_offsets(), dtype=float)[:MOST_POINTS]
    return points, None if array is None else np.asarray(array, dtype=float)[:MOST_POINTS]


def joined(scatters: list[tuple[np.ndarray, np.ndarray | None]]) -> list[list[Any]]:
    """Return scatters that have values for their colours as one: many draw one a batch."""
    valued = [(points, values) for points, values in scatters if values is not None and len(values) == len(points)]
    if len(valued) > 1 and len(valued) == len(scatters):
        points, values = zip(*valued, strict=True)
        return [[np.concatenate(points), np.concatenate(values)]]
    return [list(scatter) for scatter in scatters]
