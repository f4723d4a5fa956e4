"""What checks share: how draws are judged, and a training loop for tasks that are trained by another task's."""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from helpers.core.batches import Loader, Objective
from helpers.core.history import History


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


def train_plainly(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    loader: Loader,
    objective: Objective,
    *,
    num_epochs: int,
    val_loader: Loader | None = None,
    **_: Any,
) -> History:
    """Stand in for ``core.training.fit``, which is a task of its own."""
    parameters = list(model.parameters())
    history = History(len(loader))
    for _epoch in range(num_epochs):
        for batch in loader:
            value, terms = objective(batch)
            for parameter, slope in zip(parameters, torch.autograd.grad(value, parameters), strict=True):
                parameter.grad = slope
            optimizer.step(None)
            _remember(history.train, terms)
        for batch in val_loader or ():
            _remember(history.val, objective(batch)[1])
    return history


def _remember(curves: dict[str, np.ndarray], terms: dict[str, Tensor]) -> None:
    for name, term in terms.items():
        curves[name] = np.append(curves.get(name, np.empty(0)), float(term.detach()))
