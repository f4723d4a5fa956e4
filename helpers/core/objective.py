"""From per-example terms to the scalar that training minimises, and to bounds on log p(x)."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class Terms(NamedTuple):
    """Hold the two halves of the ELBO, in nats per example, summed over features or latents.

        ELBO = E_q[log p(x|z)] - KL(q(z|x) || p(z)) = -(nll + kl)

    Source: Kingma & Welling 2014 (arXiv 1312.6114), equation 3.
    """

    nll: Tensor  # (B,)  -log p(x|z), z ~ q(z|x)
    kl: Tensor  # (B,)

    @property
    def elbo(self) -> Tensor:
        """Compute the evidence lower bound, shape (B,)."""
        return -(self.nll + self.kl)


def beta_objective(nll: Tensor, kl: Tensor, beta: float) -> Tensor:
    """Compute the beta-VAE's loss: the mean over the batch of nll + beta * kl, in nats per example.

    Source: Higgins et al. 2017, "beta-VAE", equation 4; beta = 1 is the negative ELBO.

    Raises:
        ValueError: beta is negative or not a number.
    """
    if not beta >= 0:
        raise ValueError(f"beta must be 0 or larger, got {beta}: it weighs the KL term of the loss")
    return (nll + beta * kl).mean()


def importance_weighted_bound(log_weights: Tensor) -> Tensor:
    """Compute a lower bound on log p(x) from K posterior samples; it rises with K and is the ELBO at K = 1.

        L_K = log 1/K sum_k w_k,   w_k = p(x, z_k) / q(z_k | x),   z_k ~ q(z | x)

    Source: Burda et al. 2016 (arXiv 1509.00519), equation 8.

    Args:
        log_weights: log w_k, shape (K, B).

    Returns:
        Shape (B,), in nats.
    """
    return torch.logsumexp(log_weights, dim=0) - math.log(log_weights.shape[0])


def bernoulli_nll(logits: Tensor, x: Tensor) -> Tensor:
    """Compute -log p(x) of independent Bernoulli pixels, in nats per example, summed over pixels, shape (B,).

        -sum_i (x_i log p_i + (1 - x_i) log(1 - p_i)),   p = sigmoid(logits)

    For gray targets between 0 and 1 the same formula is a cross-entropy and no likelihood.
    Source: Kingma & Welling 2014 (arXiv 1312.6114), equation 11.
    """
    return F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(dim=1)
