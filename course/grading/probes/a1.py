"""Probes of assignment 1: which functions are tried, and with which definition of the VAE's class."""

import contextlib
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from .a1_pictures import probe_grid, probe_interpolation, probe_latent_plot, probe_parts
from .a1_training import probe_train_ae, probe_train_vae
from .a1_vae import probe_flat, probe_network
from .models import build, five
from .notebook import Notebook

NETWORKS = 3
INPUTS, LATENTS, HIDDEN = 3, 5, 12
MOST_VERSIONS, MOST_OTHERS = 3, 2
TRAINING = {"train_vae": probe_train_vae, "train_ae": probe_train_ae}
PLOTS = {"plot_latent2D": probe_latent_plot, "plot_reconstructed": probe_grid, "interpolate": probe_interpolation}


def probes(notebook: Notebook) -> Iterator[tuple[str, Callable[[], Any]]]:
    classes = vae_classes(notebook)
    for number, cls in enumerate(reversed(classes)):
        suffix = "" if number == 0 else f"@{number}"
        yield f"vae{suffix}", lambda cls=cls: probe_networks(cls)
        yield f"flat{suffix}", lambda cls=cls: probe_flat(cls)
    space = notebook.space | {"VAE": classes[-1]} if classes else notebook.space
    for name, probe in TRAINING.items():
        function = notebook.first(name)
        if function is not None:
            yield name, lambda probe=probe, function=function: probe(function)
    yield "parts", lambda: probe_parts(space)
    for name, probe in PLOTS.items():
        function = notebook.first(name)
        if function is not None:
            yield name, lambda probe=probe, function=function: probe(function, space)


def probe_networks(cls: type) -> list[dict[str, Any]]:
    return [probe_network(lambda: build(cls, INPUTS, LATENTS, HIDDEN)) for _ in range(NETWORKS)]


def vae_classes(notebook: Notebook) -> list[Any]:
    """Return the definitions of VAE, or else of the classes that behave like one; the last one last."""
    if notebook.versions.get("VAE"):
        return notebook.versions["VAE"][-MOST_VERSIONS:]
    classes = []
    for versions in notebook.versions.values():
        cls = versions[-1]
        if inspect.isclass(cls) and issubclass(cls, nn.Module):
            with contextlib.suppress(Exception):
                five(build(cls, 3, 2, 8), torch.randn(4, 3))
                classes.append(cls)
    return classes[-MOST_OTHERS:]
