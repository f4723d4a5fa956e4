"""Diagonal Gaussians: sampling, density, and the divergence from the standard normal.

Everything is per example: features lie on the last axis and are summed, so an input of shape (..., D)
gives (...) nats. Log-variances are log(sigma^2), never log(sigma).
"""

import math

import torch
from torch import Tensor

LOG_2PI = math.log(2 * math.pi)


def rsample(mu: Tensor, std: Tensor, generator: torch.Generator | None = None, eps: Tensor | None = None) -> Tensor:
    """Draw z ~ N(mu, std^2) so that gradients reach mu and std: the reparameterization trick.

        z = mu + std * eps,   eps ~ N(0, I)

    Source: Kingma & Welling 2014 (arXiv 1312.6114), section 2.4.

    Args:
        mu: means, shape (..., D).
        std: standard deviations, of a shape that broadcasts to that of ``mu``.
        generator: source of eps where a result must not depend on what ran before.
        eps: the noise itself, where it is drawn already.
    """
    noise = torch.randn(mu.shape, generator=generator, device=mu.device, dtype=mu.dtype) if eps is None else eps
    return mu + std * noise


def reparameterize(
    mu: Tensor, logvar: Tensor, generator: torch.Generator | None = None, eps: Tensor | None = None
) -> Tensor:
    """Draw z ~ N(mu, exp(logvar)) with :func:`rsample`; std = exp(logvar / 2)."""
    return rsample(mu, torch.exp(0.5 * logvar), generator, eps)


def kl_standard_normal(mu: Tensor, logvar: Tensor) -> Tensor:
    """Compute the KL divergence of N(mu, exp(logvar)) from N(0, I), in nats per example.

        KL = 1/2 sum_j (mu_j^2 + sigma_j^2 - log sigma_j^2 - 1)

    Source: Kingma & Welling 2014 (arXiv 1312.6114), appendix B.

    Args:
        mu, logvar: shape (..., D) both.

    Returns:
        Shape (...).

    Raises:
        ValueError: the two shapes differ.
    """
    if mu.shape != logvar.shape:
        raise ValueError(
            f"kl_standard_normal expected mu and logvar of one shape, got {tuple(mu.shape)} and "
            f"{tuple(logvar.shape)}: give both heads of the encoder the same width"
        )
    return kl_per_latent(mu, logvar).sum(dim=-1)


def kl_per_latent(mu: Tensor, logvar: Tensor) -> Tensor:
    """Compute the summands of :func:`kl_standard_normal`, one for each latent dimension, in nats.

    Source: Kingma & Welling 2014 (arXiv 1312.6114), appendix B.
    """
    return 0.5 * (mu.square() + logvar.exp() - logvar - 1)


def log_prob(x: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """Compute the log-density of N(mu, exp(logvar)) at x, in nats per example, with its log(2 pi).

        log p(x) = -1/2 sum_j ((x_j - mu_j)^2 / sigma_j^2 + log sigma_j^2 + log 2 pi)

    Source: Kingma & Welling 2014 (arXiv 1312.6114), appendix C.2.

    Args:
        x, mu: shape (..., D), or broadcasting to it.
        logvar: broadcasts to the shape of ``x - mu``; one number is a variance shared by all features.

    Returns:
        Shape (...).

    Raises:
        ValueError: the numbers of features differ.
    """
    if x.shape[-1] != mu.shape[-1]:
        raise ValueError(
            f"log_prob expected x and mu with the same number of features, got {x.shape[-1]} and "
            f"{mu.shape[-1]}: compare flattened data with flattened predictions"
        )
    residual = (x - mu).square()
    if logvar.ndim == 0:  # one variance for all features leaves the sum: two passes over an image less
        return -0.5 * (residual.sum(dim=-1) * torch.exp(-logvar) + x.shape[-1] * (logvar + LOG_2PI))
    return -0.5 * (residual * torch.exp(-logvar) + logvar + LOG_2PI).sum(dim=-1)
