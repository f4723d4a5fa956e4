"""Closed forms that a submission's answers are judged by, in NumPy: diagonal Gaussians and Bernoulli pixels.

Whatever is not a number cannot be judged, so it raises a ValueError here, as ``torch.distributions`` does.
"""

import math

import numpy as np

LOG_2PI = math.log(2 * math.pi)
LEAST_STD = 1e-12  # below it a spread counts as this, so that its logarithm exists
LEAST_PROBABILITY = 1e-6


def check_numbers(*arrays: np.ndarray) -> None:
    """Raise a ValueError where an array holds NaN."""
    if any(np.isnan(array).any() for array in arrays):
        raise ValueError("expected numbers, found NaN")


def gaussian_kl(mean: np.ndarray, std: np.ndarray) -> float:
    """Compute KL(N(mean, std^2) || N(0, I)) in nats, summed over the dimensions.

    Raises:
        ValueError: NaN in the mean or the standard deviation.
    """
    check_numbers(mean, std)
    variance = np.maximum(std, LEAST_STD) ** 2
    return float(0.5 * (mean**2 + variance - np.log(variance) - 1).sum())


def gaussian_nll(x: np.ndarray, mean: np.ndarray, std: np.ndarray) -> float:
    """Compute -log N(x; mean, std^2) in nats, summed over the dimensions.

    Raises:
        ValueError: NaN in the point, the mean or the standard deviation.
    """
    check_numbers(x, mean, std)
    std = np.maximum(std, LEAST_STD)
    return float((0.5 * ((x - mean) / std) ** 2 + np.log(std) + 0.5 * LOG_2PI).sum())


def bernoulli_log_likelihood(decoded: np.ndarray, x: np.ndarray) -> float:
    """Compute log p(x) of pixels that are 0 or 1, from probabilities, or from logits where values leave [0, 1].

    Raises:
        ValueError: NaN, or a pixel that is neither 0 nor 1.
    """
    check_numbers(decoded, x)
    if not np.isin(x, (0, 1)).all():
        raise ValueError("expected pixels that are 0 or 1")
    if decoded.min() >= 0 and decoded.max() <= 1:
        p = np.clip(decoded, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
        return float((x * np.log(p) + (1 - x) * np.log1p(-p)).sum())
    return float((x * decoded - np.logaddexp(0, decoded)).sum())
