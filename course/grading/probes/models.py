"""What several probes need of models: build them, perturb them, call them, and send their tensors."""

import contextlib
import inspect
from typing import Any

import numpy as np
import torch
from torch import nn

SIGN_OF_LATENTS = ("z_dim", "zdim", "n_z")
SIGNS_OF_LAYERS = ("enc", "dec", "hidden_sizes", "layers")
SIGNS_OF_INPUTS = ("in_dim", "x_dim", "data_dim", "n_in", "dim")


def plain(value: Any, digits: int = 7) -> Any:
    """Return tensors and arrays as nested lists of floats."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().double().numpy()
    return np.round(np.asarray(value, dtype=np.float64), digits).tolist()


def scalar(value: Any) -> float:
    return float(torch.as_tensor(value).detach().double().mean())


def build(cls: type, input_size: int, latent_size: int, hidden: int, **flags: bool) -> Any:
    """Return an instance by the assignment's signature, or by what the parameters' names say.

    Raises:
        TypeError: a parameter whose meaning is unknown.
    """
    with contextlib.suppress(Exception):
        return cls(input_size, latent_size, [hidden], [hidden], **flags)
    arguments = {}
    for name, parameter in inspect.signature(cls).parameters.items():
        value = flags.get(name.lower(), meaning(name.lower(), input_size, latent_size, hidden))
        if value is not None:
            arguments[name] = value
        elif parameter.default is parameter.empty and parameter.kind in (
            parameter.POSITIONAL_OR_KEYWORD,
            parameter.KEYWORD_ONLY,
        ):
            raise TypeError(f"no value known for {name}")
    return cls(**arguments)


def meaning(name: str, input_size: int, latent_size: int, hidden: int) -> int | list[int] | None:
    """Return the value of a parameter by what its name, in lower case, says."""
    if "latent" in name or name in SIGN_OF_LATENTS:
        return latent_size
    if any(sign in name for sign in SIGNS_OF_LAYERS):
        return [hidden]
    if "hidden" in name and "act" not in name:
        return hidden
    return input_size if "input" in name or name in SIGNS_OF_INPUTS else None


def perturb(model: nn.Module, scale: float = 1.0) -> Any:
    """Set weights far from their start, so that every term matters; return the model in evaluation mode."""
    with torch.no_grad():
        for p in model.parameters():
            width = p.shape[-1] ** 0.5 if p.ndim > 1 else 1.5
            p.copy_(torch.randn_like(p) * scale / width)
    return model.eval()


def five(model: Any, x: torch.Tensor) -> Any:
    """Return what forward gives: x_pred, z, elbo, kl, nll.

    Raises:
        TypeError: anything but five values.
    """
    out = model(x)
    if not isinstance(out, tuple | list) or len(out) != 5:
        count = len(out) if hasattr(out, "__len__") else 1
        raise TypeError(f"forward returned {type(out).__name__} of {count}, not 5")
    return out


def decode(model: Any, z: torch.Tensor, noise: bool) -> torch.Tensor:
    try:
        return model.decode(z, noise=noise)
    except TypeError:
        return model.decode(z, noise)
