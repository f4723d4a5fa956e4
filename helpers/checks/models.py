"""What trained VAEs give away about their training: with which beta, on which images, and whether on any.

At a minimum of nll + beta * kl the two gradients with respect to the encoder's own output balance. So the beta that a
VAE was trained with is what balances them, without a word about how it was trained.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from helpers.checks.base import Mistake, Unclear

COLLAPSED = 0.3  # nats: below it the KL has no gradient to balance
WITHIN = 2.2  # a factor by which an estimated beta may be off: the assigned ones differ by more than three


def beta_of(vae: Any, x: Tensor) -> tuple[float, float]:
    """Estimate the beta that a VAE was trained with, from images; also return its mean KL.

    The encoder's output is shifted and stretched by a few numbers; nll and kl depend on them, and at the end of a
    training their gradients are opposite, nll' = -beta kl'.
    """
    stretch = torch.zeros(2, vae.latent_size, requires_grad=True)
    encoder = vae.encoder

    class Moved(torch.nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            mean, logvar = encoder(x).chunk(2, dim=-1)
            factors = stretch.to(mean.device)
            return torch.cat([mean * (1 + factors[0]), logvar + factors[1]], dim=-1)

    vae.encoder = Moved()
    try:
        slopes = np.zeros((2, 2 * vae.latent_size))
        total, parts = 0.0, x.split(500)
        for part in [*parts] * 4:
            *_, kl, nll = vae(part.to(next(encoder.parameters()).device))
            for i, term in enumerate((nll, kl)):
                (slope,) = torch.autograd.grad(term.mean(), stretch, retain_graph=True)
                slopes[i] += slope.double().cpu().numpy().ravel()
            total += float(kl.mean().detach())
    finally:
        vae.encoder = encoder
    nll_slope, kl_slope = slopes
    return float(-(nll_slope @ kl_slope) / max(kl_slope @ kl_slope, 1e-12)), total / (4 * len(parts))


def judge_betas(vaes: Mapping[float, Any], x: Tensor) -> str:
    """Say whether the VAEs were trained with the betas that they are listed under, in two latents, each its own.

    Raises:
        Mistake: one was not.
    """
    named = {float(beta): vae for beta, vae in vaes.items()}
    if not {1.0, 3.0, 10.0} <= set(named):
        raise Mistake(f"given were VAEs with beta {', '.join(f'{b:g}' for b in named)}", "one_beta")
    if len({id(vae) for vae in named.values()}) < len(named):
        raise Mistake("two betas name one and the same model", "same_model")
    estimates, collapsed = {}, []
    for beta, vae in named.items():
        if getattr(vae, "latent_size", 2) != 2:
            raise Mistake(f"the VAE with beta = {beta:g} has {vae.latent_size} latents", "latent_size")
        judge_learned(vae, x, beta)
        estimate, kl = beta_of(vae, x)
        if kl < COLLAPSED:
            collapsed.append(beta)
        else:
            estimates[beta] = estimate
    off = [beta for beta, estimate in estimates.items() if not beta / WITHIN < estimate < beta * WITHIN]
    text = ", ".join(f"{beta:g} (its gradients say {estimate:.2g})" for beta, estimate in estimates.items())
    if off:
        raise Mistake(f"the VAEs listed under beta = {text}", "one_beta")
    remark = (
        f"; with beta = {', '.join(f'{b:g}' for b in collapsed)} the KL is 0: the model has collapsed"
        if collapsed
        else ""
    )
    return f"VAEs of two latents each, trained with beta = {', '.join(f'{b:g}' for b in named)}{remark}"


@torch.no_grad()
def judge_learned(vae: Any, x: Tensor, beta: float) -> None:
    """Raise a mistake where reconstructions are no better than noise around the mean image."""
    x_pred = vae(x.to(next(vae.parameters()).device))[0].reshape(len(x), -1).cpu()
    flat = x.reshape(len(x), -1)
    error = float((x_pred - flat).square().sum(1).mean())
    of_mean = float((flat - flat.mean(0)).square().sum(1).mean())
    if error > 1.1 * of_mean:
        text = f"the VAE with beta = {beta:g} reconstructs with a squared error of {error:.1f}"
        raise Mistake(f"{text}, the mean image alone has {of_mean:.1f}", "nothing_learned")


def judge_data(loader: Iterable[Any], test: Tensor) -> None:
    """Raise a mistake where test images are among those that a loader gives."""
    known = {row.tobytes() for row in _bytes(test)}
    seen = marked = 0
    for batch in loader:
        rows = _bytes(batch[0])
        seen += len(rows)
        marked += sum(row.tobytes() in known for row in rows)
        if seen >= 5000:
            break
    if seen == 0:
        raise Unclear("the loader gives no images")
    if marked > 0.01 * seen:
        raise Mistake(f"{marked} of the first {seen} images of the loader are test images", "trains_on_test")


def _bytes(images: Tensor) -> np.ndarray:
    return np.round(255 * images.reshape(len(images), -1).cpu().numpy()).astype(np.uint8)
