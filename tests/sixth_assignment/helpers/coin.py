"""The likelihood of coin flips, the smallest there is (notebook 07).

All terms are in nats.
"""

import math
from collections.abc import Sequence


def log_likelihood(flips: Sequence[int], p: float) -> float:
    """Compute the log-probability of independent flips of a coin that shows heads with probability p, in nats.

        log p(x) = sum_i x_i log p + (1 - x_i) log(1 - p)

    Source: Bishop 2006, "Pattern Recognition and Machine Learning", equation 2.6.

    Args:
        flips: 1 for heads, 0 for tails.
        p: between 0 and 1, both excluded.

    Raises:
        ValueError: p is no probability between 0 and 1.
    """
    if not 0 < p < 1:
        raise ValueError(f"p must lie between 0 and 1, got {p}: it is the probability of heads")
    ### START CODE HERE ###
    value = sum(math.log(p if flip else 1 - p) for flip in flips)
    ### END CODE HERE ###
    return value
