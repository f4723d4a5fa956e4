"""Checks of the task in ``helpers/core/training.py``."""

import torch
from torch import nn

from helpers.core import training


def fit() -> None:
    """Plain gradient descent on |w - target|^2, by hand: w <- w - lr * 2 (w - target), clipped where it is too long."""
    target = torch.tensor([3.0, -4.0])

    def weights_after(steps, max_norm):
        model = nn.Linear(1, 2, bias=False)
        nn.init.zeros_(model.weight)

        def objective(batch):
            loss = (model.weight[:, 0] - target).square().sum()
            return loss, {"loss": loss}

        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        history = training.fit(
            model, optimizer, [(torch.zeros(1, 1),)] * steps, objective, num_epochs=1, max_norm=max_norm
        )
        assert len(history.train["loss"]) == steps, "every step's scalars are remembered"
        assert history.train["loss"][0] == 25
        return model.weight[:, 0].detach()

    assert torch.allclose(weights_after(1, 1e9), 0.2 * target), "one step against the gradient"
    assert torch.allclose(weights_after(2, 1e9), 0.36 * target), "gradients do not add up from step to step"
    assert torch.allclose(weights_after(1, 2.0), 0.1 * 2.0 * target / 5), "the gradient's norm is bounded"
