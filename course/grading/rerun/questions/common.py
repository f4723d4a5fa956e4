"""Questions about functions that several assignments have under one name: reparameterize, and a loss with a beta."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from course.grading.rerun.questions.asking import Asker, array, plain

REPEATS = 20_000
BETAS = (0.0, 1.0, 3.0)


def questions(ask: Asker, data: Path) -> Iterator[tuple[str, Callable[[], Any]]]:
    yield "reparameterize", lambda: ask_reparameterize(ask)
    yield "losses", lambda: ask_losses(ask)


def ask_reparameterize(ask: Asker) -> dict[str, Any]:
    """Let it draw 20,000 times for one mu and logvar: the distribution of z, and its gradients."""
    mu, logvar = np.array([[3.0, -1.0]], np.float32), np.array([[0.0, 2 * np.log(2)]], np.float32)
    out = ask("reparameterize", mu=mu, logvar=logvar, copies=REPEATS)
    z = array(out["z"], REPEATS, 2)
    a, b = (array(ask("reparameterize", mu=mu, logvar=logvar, copies=8)["z"], 8, 2) for _ in range(2))
    c = (z - z.mean(0)) / np.maximum(z.std(0, ddof=1), 1e-12)
    grad_mu, grad_logvar = out["grad_mu"], out["grad_logvar"]
    half = 0.5 * (z - mu)
    return {
        "mean": plain(z.mean(0)), "std": plain(z.std(0, ddof=1)), "kurtosis": plain((c**4).mean(0)),
        "corr": float((c[:, 0] * c[:, 1]).mean()), "between": float(np.abs(a - b).max()),
        "grad_mu": None if grad_mu is None else plain(array(grad_mu, REPEATS, 2).mean(0)),
        "grad_logvar": None if grad_logvar is None else float(np.abs(array(grad_logvar, REPEATS, 2) - half).max()),
    }  # fmt: skip


def ask_losses(ask: Asker) -> dict[str, Any]:
    """Ask for the loss at three betas, for one reconstruction, mu and logvar."""
    x, recon = (
        ask.rng.random((6, 2), np.float32),
        ask.rng.random((6, 2), np.float32) * np.float32(0.8) + np.float32(0.1),
    )
    mu, logvar = ask.normal(6, 4), ask.normal(6, 4)
    betas = {f"{beta:g}": beta for beta in BETAS}
    values = {key: ask("loss", x=x, recon=recon, mu=mu, logvar=logvar, beta=beta) for key, beta in betas.items()}
    return {"x": plain(x), "recon": plain(recon), "mu": plain(mu), "logvar": plain(logvar), "values": values}
