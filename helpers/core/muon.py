"""The optimizer Muon: steps of matrices are made orthogonal, so that no direction of a layer is left behind."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

COEFFICIENTS = 3.4445, -4.7750, 2.0315  # of the quintic: the steepest at 0 that keeps singular values near 1


class Muon(torch.optim.Optimizer):
    """Step matrices along the nearest orthogonal matrix to their averaged gradient, and all else by Adam.

        M <- momentum M + (1 - momentum) G,   W <- W - lr sqrt(max(1, rows / columns)) orthogonal(M')

    with Nesterov's M' = momentum M + (1 - momentum) G. A gradient of a layer has few large singular values and many
    small ones; a step along the gradient, or Adam's, moves the layer in those few directions alone. Convolutions count
    as matrices too: one row for each entry of their first dimension. What has one row or column only, biases and the
    scales of batch normalisation have no such directions.

    PyTorch has ``torch.optim.Muon`` from 2.9 on, for layers of two dimensions; this one runs on older ones as well,
    takes convolutions, and has one schedule for both kinds of parameters.
    Source: Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks"
    (https://kellerjordan.github.io/posts/muon/).

    Args:
        parameters: all parameters of a model.
        lr: for matrices: the step's singular values are about this large, whatever the gradient's size.
        adam_lr: for the others.
        momentum: how much of the average of past gradients stays in each step.
    """

    def __init__(
        self, parameters: Iterable[Tensor], lr: float = 0.02, adam_lr: float = 0.005, momentum: float = 0.95
    ) -> None:
        parameters = list(parameters)
        matrices = [p for p in parameters if p.ndim > 1 and min(as_matrix(p).shape) > 1]
        others = [p for p in parameters if not any(p is matrix for matrix in matrices)]
        if not matrices or not others:
            raise ValueError(
                f"Muon expected both matrices and other parameters, got {len(matrices)} and {len(others)}: use Adam"
            )
        super().__init__([{"params": matrices, "lr": lr}, {"params": others, "lr": adam_lr}], {"momentum": momentum})
        self.adam = torch.optim.Adam([self.param_groups[1]])  # the very same group, which a schedule changes for both

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        """Make one step from the gradients that are there."""
        loss = None if closure is None else torch.enable_grad()(closure)()
        group = self.param_groups[0]
        for weight in group["params"]:
            if weight.grad is None:
                continue
            average = self.state[weight].setdefault("average", torch.zeros_like(weight))
            average.lerp_(weight.grad, 1 - group["momentum"])
            direction = orthogonal(as_matrix(weight.grad.lerp(average, group["momentum"])))
            rows, columns = direction.shape
            weight.add_(direction.view_as(weight), alpha=-group["lr"] * max(1, rows / columns) ** 0.5)
        self.adam.step()
        return loss


def as_matrix(weight: Tensor) -> Tensor:
    """Write a weight as a matrix, one row for each entry of its first dimension."""
    return weight.reshape(len(weight), -1)


def orthogonal(matrix: Tensor, num_steps: int = 5) -> Tensor:
    """Bring all singular values of a matrix near 1, between 0.7 and 1.2, but for those that are nearly 0.

        X <- a X + b (X X^T) X + c (X X^T)^2 X

    acts on each singular value by itself, and leaves the singular vectors. All steps together are X <- P X, with P a
    polynomial in the small matrix A = X X^T: P is found from A alone, and the large X is multiplied twice.
    Source: Jordan et al. 2024, as for :class:`Muon`, the iteration; Björck & Bowie 1971 for its kind.
    """
    if len(matrix) > matrix.shape[1]:
        return orthogonal(matrix.T, num_steps).T
    x = matrix / (matrix.norm() + 1e-7)
    a, b, c = COEFFICIENTS
    gram, product = x @ x.T, torch.eye(len(x), device=x.device, dtype=x.dtype)
    for _ in range(num_steps):
        step = torch.addmm(gram, gram, gram, beta=b, alpha=c)
        step.diagonal().add_(a)
        product, gram = step @ product, step @ gram @ step
    return product @ x


def warm_up_and_decay(
    optimizer: torch.optim.Optimizer, num_steps: int, warm_up: int = 100
) -> torch.optim.lr_scheduler.LambdaLR:
    """Let all learning rates rise for ``warm_up`` steps, and fall in a straight line to 0 at ``num_steps``."""

    def factor(step: int) -> float:
        return min(1.0, (step + 1) / warm_up) * max(0.0, 1 - step / num_steps)

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
