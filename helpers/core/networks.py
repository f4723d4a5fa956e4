"""Networks that several assignments build on."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn


class MLP(nn.Module):
    """Multilayer perceptron: linear layers with an activation between them, none after the last.

    Args:
        input_size: features coming in.
        hidden_sizes: widths of the hidden layers; empty means one affine map.
        output_size: features going out.
        hidden_activation: applied after every layer but the last.
    """

    def __init__(
        self,
        input_size: int,
        hidden_sizes: Sequence[int],
        output_size: int,
        hidden_activation: Callable[[Tensor], Tensor] = F.relu,
    ) -> None:
        super().__init__()
        widths = [input_size, *hidden_sizes, output_size]
        self.hidden_activation = hidden_activation
        self.layers = nn.ModuleList(nn.Linear(n_in, n_out) for n_in, n_out in pairwise(widths))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            x = self.hidden_activation(layer(x))
        return self.layers[-1](x)
