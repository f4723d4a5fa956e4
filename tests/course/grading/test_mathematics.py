"""The closed forms of the grader against torch.distributions, which they stand for."""

import numpy as np
import pytest
import torch
from torch.distributions import Bernoulli, Independent, Normal, kl_divergence

from course.grading.mathematics import bernoulli_log_likelihood, gaussian_kl, gaussian_nll


@pytest.mark.parametrize("seed", range(20))
def test_kl_and_density_of_diagonal_gaussians_are_those_of_torch(seed):
    rand = np.random.RandomState(seed)
    x, mean, std = rand.randn(7) * 3, rand.randn(7) * 3, np.exp(rand.randn(7) * 2)
    q = Independent(Normal(torch.tensor(mean), torch.tensor(std)), 1)
    prior = Independent(Normal(torch.zeros(7, dtype=torch.float64), torch.ones(7, dtype=torch.float64)), 1)
    assert gaussian_kl(mean, std) == pytest.approx(float(kl_divergence(q, prior)), rel=1e-12)
    assert gaussian_nll(x, mean, std) == pytest.approx(-float(q.log_prob(torch.tensor(x))), rel=1e-12)


def test_a_spread_of_zero_has_a_large_finite_kl_and_density():
    q = Normal(torch.tensor(1.0, dtype=torch.float64), torch.tensor(1e-12, dtype=torch.float64))
    assert gaussian_kl(np.ones(1), np.zeros(1)) == pytest.approx(float(kl_divergence(q, Normal(0.0, 1.0))), rel=1e-9)
    assert gaussian_nll(np.ones(1), np.ones(1), np.zeros(1)) == pytest.approx(-float(q.log_prob(q.loc)), rel=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_bernoulli_pixels_from_probabilities_and_from_logits_are_those_of_torch(seed):
    rand = np.random.RandomState(seed)
    x, logits = (rand.rand(784) < 0.3).astype(float), rand.randn(784) * 30
    probabilities = np.concatenate([[0.0, 1.0], rand.rand(782)])
    clamped = torch.tensor(probabilities).clamp(1e-6, 1 - 1e-6)
    expected = float(Bernoulli(probs=clamped).log_prob(torch.tensor(x)).sum())
    assert bernoulli_log_likelihood(probabilities, x) == pytest.approx(expected, rel=1e-9)
    expected = float(Bernoulli(logits=torch.tensor(logits)).log_prob(torch.tensor(x)).sum())
    assert bernoulli_log_likelihood(logits, x) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("where", range(3))
def test_what_is_not_a_number_is_no_evidence(where):
    arguments = [np.ones(3), np.ones(3), np.ones(3)]
    arguments[where][1] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        gaussian_nll(*arguments)
    if where:
        with pytest.raises(ValueError, match="NaN"):
            gaussian_kl(*arguments[1:])
    with pytest.raises(ValueError, match="0 or 1"):
        bernoulli_log_likelihood(np.full(3, 0.5), np.full(3, 0.5))
