"""Whether draws have the mean and the spread that they should have."""

import math

from torch import Tensor


def expect_moments(draws: Tensor, mean: Tensor, std: Tensor) -> None:
    """Compare mean and standard deviation of N draws, along the first axis, to 4.5 standard errors.

    Raises:
        AssertionError: one is further off.
    """
    n = math.sqrt(len(draws))
    near = (draws.mean(0) - mean).abs() < 4.5 * std / n
    assert near.all(), f"the draws have the mean {draws.mean(0)}, expected {mean}"
    alike = (draws.std(0) / std - 1).abs() < 4.5 / n
    assert alike.all(), f"the draws have the standard deviation {draws.std(0)}, expected {std}"
