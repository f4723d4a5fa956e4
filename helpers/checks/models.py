"""What trained VAEs give away about their training: with which beta, on which images, and whether on any.

At a minimum of nll + beta * kl no parameter changes the loss, so along each of them nll' = -beta kl'. The bias of the
encoder's log-variances finds that balance first: a shift of all log-variances tells the beta that a VAE was trained
with, after few epochs, and without a word about how it was trained.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from helpers.checks.base import Mistake, Unclear

COLLAPSED = 0.3  # nats: below it the KL has no gradient to balance
WITHIN = 1.7  # a factor by which an estimated beta may be off: the assigned ones differ by more than three


class Shifted(torch.nn.Module):
    """An encoder whose log-variances are shifted by a few numbers."""

    def __init__(self, encoder: torch.nn.Module, shift: Tensor) -> None:
        super().__init__()
        self.encoder, self.shift = encoder, shift

    def forward(self, x: Tensor) -> Tensor:
        mean, logvar = self.encoder(x).chunk(2, dim=-1)
        return torch.cat([mean, logvar + self.shift.to(mean.device)], dim=-1)


def beta_of(vae: Any, x: Tensor, repeats: int = 3) -> tuple[float, float]:
    """Estimate the beta that a VAE was trained with, from images; also return its mean KL."""
    shift = torch.zeros(vae.latent_size, requires_grad=True)
    encoder = vae.encoder
    slopes, total = np.zeros((2, vae.latent_size)), 0.0
    vae.encoder = Shifted(encoder, shift)
    try:
        for _ in range(repeats):
            *_, kl, nll = vae(x.to(next(encoder.parameters()).device))
            for i, term in enumerate((nll, kl)):
                (slope,) = torch.autograd.grad(term.mean(), shift, retain_graph=True)
                slopes[i] += slope.cpu().double().numpy()
            total += float(kl.mean().detach()) / repeats
    finally:
        vae.encoder = encoder
    of_nll, of_kl = slopes
    return float(-(of_nll @ of_kl) / max(of_kl @ of_kl, 1e-12)), total


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
