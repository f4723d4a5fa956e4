"""Networks that several assignments build on."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

CHUNK = 250  # images that convolutions are evaluated on at once: the maps of more spill out of a processor's cache


class MLP(nn.Module):
    """Apply linear layers with an activation between them, none after the last: a multilayer perceptron.

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
        *hidden, last = self.layers  # a slice of a ModuleList is a module, built anew in every step
        for layer in hidden:
            x = self.hidden_activation(layer(x))
        return last(x)


class Residual(nn.Module):
    """Add conv(silu(conv(silu(x)))) to x, in the same shape; it starts as the identity, so that depth does no harm."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.activation = nn.SiLU()
        self.inner = nn.Conv2d(channels, channels, 3, padding=1)
        self.outer = nn.Conv2d(channels, channels, 1)
        for parameter in self.outer.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.outer(self.activation(self.inner(self.activation(x))))


class ConvEncoder(nn.Module):
    """Map 28 x 28 images to features: two strided convolutions and a residual block, then fully connected layers.

    Shapes: (B, 1, 28, 28) - (B, c1, 14, 14) - (B, c2, 7, 7) - (B, hidden) - (B, output_size). The maps are
    batch-normalised, so examples are independent only in ``eval`` mode.
    SiLU, x sigmoid(x), has a gradient everywhere: with ReLU in its place the same training ends over a nat of ELBO
    behind (``python -m course bench quality`` prints by how much).
    """

    def __init__(self, output_size: int, channels: tuple[int, int] = (16, 48), hidden: int = 256) -> None:
        super().__init__()
        c1, c2 = channels
        ### START CODE HERE ###
        self.layers = nn.Sequential(
            nn.Conv2d(1, c1, 4, stride=2, padding=1), nn.BatchNorm2d(c1), nn.SiLU(),
            nn.Conv2d(c1, c2, 4, stride=2, padding=1), nn.BatchNorm2d(c2), Residual(c2), nn.SiLU(),
            nn.Flatten(), nn.Linear(c2 * 49, hidden), nn.SiLU(),
            nn.Linear(hidden, output_size),
        )  # fmt: skip
        ### END CODE HERE ###

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class ConvDecoder(nn.Module):
    """Map codes to 28 x 28 maps: :class:`ConvEncoder` backwards, with transposed convolutions.

    Shapes: (B, latent_size) - (B, hidden) - (B, c2, 7, 7) - (B, c1, 14, 14) - (B, 1, 28, 28); no squashing at the end.
    """

    def __init__(self, latent_size: int, channels: tuple[int, int] = (16, 48), hidden: int = 256) -> None:
        super().__init__()
        c1, c2 = channels
        ### START CODE HERE ###
        self.layers = nn.Sequential(
            nn.Linear(latent_size, hidden), nn.SiLU(),
            nn.Linear(hidden, c2 * 49), nn.Unflatten(1, (c2, 7, 7)), nn.BatchNorm2d(c2), Residual(c2), nn.SiLU(),
            nn.ConvTranspose2d(c2, c1, 4, stride=2, padding=1), nn.BatchNorm2d(c1), nn.SiLU(),
            nn.ConvTranspose2d(c1, 1, 4, stride=2, padding=1),
        )  # fmt: skip
        ### END CODE HERE ###

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(z)
