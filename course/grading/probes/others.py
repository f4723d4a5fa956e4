"""Acts on what assignments 1 to 5 name besides: parts of networks, losses, codes, grids, walks."""

import contextlib
import copy
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from .models import perturb, scalar
from .notebook import Notebook

MODEL_NAMES = ("model", "vae", "net", "network")
IMAGE_NAMES = ("x", "batch", "images", "imgs", "data", "inputs", "x_true", "target")
PIXELS = 784
MOST_VALUES = 2_000_000


class Fixed(nn.Module):
    """Stand for a model that returns fixed values: the loss alone is tried."""

    def __init__(self, *out: torch.Tensor) -> None:
        super().__init__()
        self.out = out
        self.p = nn.Parameter(torch.zeros(()))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return self.out


class Others:
    """Acts on functions and variables."""

    def __init__(self, notebook: Notebook) -> None:
        self.notebook = notebook
        self.parts: list[Any] = []

    # ------------------------------------------------------------ Encoder and Decoder of assignment 1

    def build_part(self, name: str, latents: int) -> dict[str, Any]:
        part = self.notebook.first(name)
        if not inspect.isclass(part):
            raise LookupError(name)
        self.parts.append(new_part(part, latents))
        return {"part": len(self.parts) - 1, "shapes": [list(p.shape) for p in self.parts[-1].parameters()]}

    def call_part(self, part: int, x: torch.Tensor, weights: list[torch.Tensor] | None = None) -> torch.Tensor:
        with torch.no_grad():
            if weights is not None:
                for p, value in zip(self.parts[part].parameters(), weights, strict=True):
                    p.copy_(value)
            return self.parts[part](x)

    # ------------------------------------------------------------ what several assignments name alike

    def reparameterize(self, mu: torch.Tensor, logvar: torch.Tensor, copies: int) -> dict[str, Any]:
        """Draw z many times for one mu and logvar; return it with the gradients of its sum."""
        cls = self.notebook.first("VAE")
        if cls is None or not hasattr(cls, "reparameterize"):
            raise LookupError("reparameterize")
        model = cls()
        m, s = (t.expand(copies, -1).clone().requires_grad_() for t in (mu, logvar))
        z = model.reparameterize(m, s)
        grads = torch.autograd.grad(z.sum(), (m, s), allow_unused=True) if z.requires_grad else (None, None)
        return {"z": z.detach(), "grad_mu": grads[0], "grad_logvar": grads[1]}

    def loss(self, x: torch.Tensor, recon: torch.Tensor, mu: torch.Tensor, logvar: torch.Tensor, beta: float) -> float:
        """Call the loss once, for one reconstruction, mu and logvar."""
        space = self.notebook.space
        if "compute_vae_loss" in space:
            value = space["compute_vae_loss"](Fixed(recon, mu, logvar), x, beta)
        elif "vae_loss" in space:
            value = space["vae_loss"](recon, x, mu, logvar, beta)
        else:
            raise LookupError("compute_vae_loss or vae_loss")
        return scalar(value[0] if isinstance(value, tuple | list) else value)

    def variable(self, name: str) -> np.ndarray:
        """Return an array or tensor of the notebook's."""
        if name not in self.notebook.space:
            raise LookupError(name)
        value = self.notebook.space[name]
        if isinstance(value, list | tuple) and value and isinstance(value[0], torch.Tensor):
            value = torch.stack([torch.as_tensor(v).detach().reshape(-1) for v in value])
        if isinstance(value, torch.Tensor):
            value = value.detach().cpu().double().numpy()
        array = np.asarray(value, dtype=np.float64)
        if array.size > MOST_VALUES:
            raise ValueError("too large")
        return array

    # ------------------------------------------------------------ models of images, as the notebook left them

    def image_models(self) -> list[Any]:
        """Return trained models as the notebook has them, then new ones; in evaluation mode."""
        models = [
            copy.deepcopy(m).eval()
            for m in self.notebook.space.values()
            if isinstance(m, nn.Module) and hasattr(m, "encode")
        ]
        for versions in self.notebook.versions.values():
            cls = versions[-1]
            if inspect.isclass(cls) and issubclass(cls, nn.Module) and hasattr(cls, "encode"):
                with contextlib.suppress(Exception):
                    models.append(perturb(cls()))
        return models

    def elbo_of(self, x: torch.Tensor, draws: int) -> dict[str, Any]:
        """Call calc_elbo on images, several times; return with it what the model's parts give for the same."""
        for model in self.image_models():
            function = self.notebook.first("calc_elbo") or getattr(model, "calc_elbo", None)
            if function is None:
                raise LookupError("calc_elbo")
            with contextlib.suppress(Exception), torch.no_grad():
                rows = [returned(function(*by_name(function, model, x)), len(x)) for _ in range(draws)]
                mu, logvar = model.encode(x)
                decoded = [model.decode(mu + torch.exp(logvar / 2) * torch.randn_like(mu)) for _ in range(draws)]
                return {
                    "values": rows,
                    "mu": mu,
                    "logvar": logvar,
                    "decoded": torch.stack(decoded).reshape(draws, len(x), -1),
                }
        raise TypeError("calc_elbo could not be called with a model and images")

    def samples_of(self, z_seed: int, count: int) -> dict[str, Any]:
        """Return samples beside decoded draws of the prior."""
        for model in self.image_models():
            function = self.notebook.first("sample") or getattr(model, "sample", None)
            if function is None:
                raise LookupError("sample")
            with torch.no_grad():
                torch.manual_seed(z_seed)
                latents = model.encode(torch.rand(2, 1, 28, 28))[0].shape[-1]
                direct = model.decode(torch.randn(count, latents)).reshape(count, -1)
                direct = torch.sigmoid(direct) if direct.min() < 0 or direct.max() > 1 else direct
                for arguments in ((model, count), (count,), (count, model)):
                    with contextlib.suppress(Exception):
                        images = function(*arguments)
                        images = images[0] if isinstance(images, tuple | list) else images
                        return {"samples": images.reshape(len(images), -1).float(), "direct": direct.float()}
        raise TypeError("sample could not be called with a model and a number")

    def decode_with(self, name: str, z: torch.Tensor) -> torch.Tensor:
        """Decode codes with a model of the notebook's."""
        with torch.no_grad():
            out = self.notebook.space[name].decode(z)
            return out.reshape(len(z), -1)

    def encode_with(self, name: str, x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return self.notebook.space[name].encode(x)[0]

    def latent_size(self, name: str) -> int:
        return int(self.notebook.space[name].latent_dim)


def new_part(cls: Any, latents: int) -> Any:
    return cls(latents).eval()


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


def returned(out: Any, batch: int) -> list[float]:
    """Return the numbers among a function's results, examples averaged."""
    values = out.values() if isinstance(out, dict) else out if isinstance(out, tuple | list) else [out]
    return [scalar(t) for t in values if torch.as_tensor(t).numel() in (1, batch)]
