"""Checks of the tasks in ``helpers/coin.py``."""

import math

from helpers import coin


def log_likelihood() -> None:
    probability = math.exp(coin.log_likelihood([1, 0, 1], 0.3))
    assert math.isclose(probability, 0.3 * 0.7 * 0.3), f"p of heads, tails, heads is 0.063, got {probability:.3f}"
