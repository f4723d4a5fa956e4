"""The reference solution does not depend on luck: seeds that start at minus infinity as PyTorch draws the network."""

import math

import pytest

from course.bench import starts
from helpers.toy_vae import VAE, load_toy


@pytest.mark.parametrize("number", starts.SETS)
def test_where_the_drawn_network_starts_in_ruins_the_solved_one_does_not(number):
    drawn = starts.starts(number, 12, VAE)
    solved = starts.starts(number, 12)
    assert drawn.infinite + drawn.low > 0, "the fault, without which the cure shows nothing"
    assert solved.infinite == solved.low == 0 and solved.least > -100


def test_only_log_variances_are_changed_and_the_random_state_is_not():
    points = load_toy(1).test
    starts.torch.manual_seed(3)
    drawn, after_drawn = VAE(**starts.NETWORK), starts.torch.rand(1)
    starts.torch.manual_seed(3)
    solved, after_solved = starts.as_solved(**starts.NETWORK), starts.torch.rand(1)
    assert starts.torch.equal(after_drawn, after_solved)
    (mean, logvar), (mean_drawn, _) = solved.encode(points), drawn.encode(points)
    assert starts.torch.equal(mean, mean_drawn) and not logvar.any()


def test_a_training_that_fails_is_an_infinite_gap(monkeypatch):
    def fails(*_, **__):
        raise FloatingPointError("elbo was -inf")

    monkeypatch.setattr(starts, "fit_vae", fails)
    assert starts.gap(load_toy(1), 0) == math.inf
