"""Probes of functions that several assignments have under one name: reparameterize, and a loss with a beta."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from .models import plain, scalar
from .notebook import Notebook

REPEATS = 20_000
BETAS = (0.0, 1.0, 3.0)


class Fixed(nn.Module):
    """Stand for a model that returns fixed values: the loss alone is tried."""

    def __init__(self, *out: torch.Tensor) -> None:
        super().__init__()
        self.out = out
        self.p = nn.Parameter(torch.zeros(()))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return self.out


def probes(notebook: Notebook) -> Iterator[tuple[str, Callable[[], Any]]]:
    cls = notebook.first("VAE")
    if cls is not None and hasattr(cls, "reparameterize"):
        yield "reparameterize", lambda: probe_reparameterize(cls)
    if notebook.first("compute_vae_loss", "vae_loss") is not None:
        yield "losses", lambda: probe_losses(notebook.space)


def probe_reparameterize(cls: Callable[[], Any]) -> dict[str, Any]:
    """Draw 20,000 times for one mu and logvar: the distribution of z, and its gradients."""
    model = cls()
    mu, logvar = torch.tensor([[3.0, -1.0]]).expand(REPEATS, 2), torch.tensor([[0.0, 2 * np.log(2)]]).expand(REPEATS, 2)
    m, s = mu.clone().float().requires_grad_(), logvar.clone().float().requires_grad_()
    z = model.reparameterize(m, s)
    grads = torch.autograd.grad(z.sum(), (m, s), allow_unused=True) if z.requires_grad else (None, None)
    c = (z - z.mean(0)) / z.std(0).clamp_min(1e-12)
    half = 0.5 * (z - m).detach()
    return {
        "mean": plain(z.mean(0)), "std": plain(z.std(0)), "kurtosis": plain((c**4).mean(0)),
        "corr": float((c[:, 0] * c[:, 1]).mean()),
        "between": float((model.reparameterize(m[:8], s[:8]) - model.reparameterize(m[:8], s[:8])).abs().max()),
        "grad_mu": None if grads[0] is None else plain(grads[0].mean(0)),
        "grad_logvar": None if grads[1] is None else float((grads[1] - half).abs().max()),
    }  # fmt: skip


def probe_losses(space: dict[str, Any]) -> dict[str, Any]:
    """Call the loss at three betas, for one reconstruction, mu and logvar."""
    x, recon = torch.rand(6, 2), torch.rand(6, 2) * 0.8 + 0.1
    mu, logvar = torch.randn(6, 4), torch.randn(6, 4)
    values = {}
    for beta in BETAS:
        if "compute_vae_loss" in space:
            value = space["compute_vae_loss"](Fixed(recon, mu, logvar), x, beta)
        else:
            value = space["vae_loss"](recon, x, mu, logvar, beta)
        values[f"{beta:g}"] = scalar(value)
    return {"x": plain(x), "recon": plain(recon), "mu": plain(mu), "logvar": plain(logvar), "values": values}
