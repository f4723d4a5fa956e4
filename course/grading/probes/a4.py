"""Probes of assignment 4: calc_elbo and sample, whatever they take and return."""

import contextlib
import copy
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from .models import perturb, plain, scalar
from .notebook import Notebook

MODEL_NAMES = ("model", "vae", "net", "network")
IMAGE_NAMES = ("x", "batch", "images", "imgs", "data", "inputs", "x_true", "target")
PIXELS = 784
DRAWS, SAMPLES = 8, 400


def probes(notebook: Notebook) -> Iterator[tuple[str, Callable[[], Any]]]:
    yield "elbo", lambda: probe_elbo(notebook)
    yield "sample", lambda: probe_images(notebook)


def models_of(notebook: Notebook) -> list[Any]:
    """Return trained models as the notebook has them, then new ones; in evaluation mode."""
    models = [
        copy.deepcopy(m).eval() for m in notebook.space.values() if isinstance(m, nn.Module) and hasattr(m, "encode")
    ]
    for versions in notebook.versions.values():
        cls = versions[-1]
        if inspect.isclass(cls) and issubclass(cls, nn.Module) and hasattr(cls, "encode"):
            with contextlib.suppress(Exception):
                models.append(perturb(cls()))
    return models


def by_name(function: Callable[..., Any], model: Any, x: torch.Tensor) -> list[Any]:
    """Return arguments as their names ask for them: a model, images, or what the model makes of images."""
    arguments: list[Any] = []
    out: list[torch.Tensor] = []
    for name, parameter in inspect.signature(function).parameters.items():
        name = name.lower()
        if name in MODEL_NAMES:
            arguments.append(model)
        elif name in IMAGE_NAMES:
            arguments.append(x)
        elif parameter.default is not parameter.empty or parameter.kind in (
            parameter.VAR_POSITIONAL,
            parameter.VAR_KEYWORD,
        ):
            break
        else:
            out = out or list(model(x))
            arguments.append(part_of(out, name))
    return arguments


def part_of(out: list[torch.Tensor], name: str) -> torch.Tensor:
    """Return which of a model's outputs a name means: the images, the mean, or the variance."""
    if "rec" in name or "hat" in name or "logit" in name:
        return next(t for t in out if t[0].numel() == PIXELS)
    codes = [t for t in out if t.ndim == 2 and t.shape[1] != PIXELS]
    return codes["var" in name or "std" in name]


def probe_elbo(notebook: Notebook) -> dict[str, Any]:
    """Call calc_elbo on eight black and white images, eight times; send what the model's parts give for the same.

    Raises:
        TypeError: there is none, or none that can be called.
    """
    x = (torch.rand(8, 1, 28, 28) < torch.linspace(0.05, 0.6, 8)[:, None, None, None]).float()
    for model in models_of(notebook):
        function = notebook.first("calc_elbo") or getattr(model, "calc_elbo", None)
        if function is None:
            raise TypeError("there is no calc_elbo")
        with contextlib.suppress(Exception), torch.no_grad():
            rows = [returned(function(*by_name(function, model, x)), len(x)) for _ in range(DRAWS)]
            mu, logvar = model.encode(x)
            decoded = [model.decode(mu + torch.exp(logvar / 2) * torch.randn_like(mu)) for _ in range(DRAWS)]
            return {
                "values": plain(rows, 5), "mu": plain(mu), "logvar": plain(logvar), "x": plain(x.reshape(8, -1), 0),
                "decoded": plain(torch.stack(decoded).reshape(DRAWS, 8, -1), 4),
            }  # fmt: skip
    raise TypeError("calc_elbo could not be called with a model and images")


def returned(out: Any, batch: int) -> list[float]:
    """Return the numbers among a function's results, examples averaged."""
    values = out.values() if isinstance(out, dict) else out if isinstance(out, tuple | list) else [out]
    return [scalar(t) for t in values if torch.as_tensor(t).numel() in (1, batch)]


def probe_images(notebook: Notebook) -> dict[str, Any]:
    """Send samples beside decoded draws of the prior, as mean, spread and range over pixels.

    Raises:
        TypeError: there is no sample, or none that can be called.
    """
    for model in models_of(notebook):
        function = notebook.first("sample") or getattr(model, "sample", None)
        if function is None:
            raise TypeError("there is no sample")
        direct = decoded_prior(model)
        for arguments in ((model, SAMPLES), (SAMPLES,), (SAMPLES, model)):
            with contextlib.suppress(Exception), torch.no_grad():
                images = function(*arguments)
                images = images[0] if isinstance(images, tuple | list) else images
                binary = bool(((images == 0) | (images == 1)).all())
                return {"count": len(images), "samples": moments(images), "direct": moments(direct), "binary": binary}
    raise TypeError("sample could not be called with a model and a number")


def decoded_prior(model: Any) -> torch.Tensor:
    """Return decoded draws of N(0, I), as probabilities."""
    latents = model.encode(torch.rand(2, 1, 28, 28))[0].shape[-1]
    images = model.decode(torch.randn(SAMPLES, latents)).reshape(SAMPLES, -1)
    return torch.sigmoid(images) if images.min() < 0 or images.max() > 1 else images


def moments(images: torch.Tensor) -> list[float]:
    images = images.reshape(len(images), -1).float()
    spread = float(images.std(0).mean())
    return [float(images.mean()), spread, float(images.min()), float(images.max()), float(images[0].numel())]
