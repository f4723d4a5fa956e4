"""How the cost of an epoch grows with the training images and with the latents."""

import math
from collections.abc import Sequence
from functools import partial
from statistics import median

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor, nn, optim

from course.bench.measure import timed
from course.bench.rows import mean_head
from helpers import plots, toy_vae
from helpers.core.batches import TensorBatches
from helpers.core.data import ImageSet
from helpers.core.training import progress


def growth(
    data: ImageSet,
    sizes: Sequence[int] = (6_000, 20_000, 60_000, 200_000, 600_000),
    latents: Sequence[int] = (2, 8, 32, 128, 512),
    rounds: int = 3,
) -> Figure:
    """Draw the seconds that an epoch of part B's VAE takes, against the numbers of training images and of latents."""
    by_size = [_epoch_seconds(_tiled(data.train_x, n), 2, rounds) for n in progress(sizes, "training images")]
    by_latents = [_epoch_seconds(data.train_x, d, rounds) for d in progress(latents, "latents")]
    figure = plots.panels(1, 2, (10, 3.8))
    left, right = figure.axes
    left.loglog(sizes, by_size, "o-", label="measured")
    left.loglog(sizes, by_size[-1] * np.array(sizes) / sizes[-1], "k--", lw=1, label="proportional")
    left.set(xlabel="training images", ylabel="seconds an epoch", title="Cost against training images")
    left.legend()
    right.semilogx(latents, by_latents, "o-", base=2)
    right.set(xlabel="latents", ylabel="seconds an epoch", title="Cost against latents")
    right.set_ylim(0, 1.3 * max(by_latents))
    return figure


def _tiled(x: Tensor, n: int) -> Tensor:
    return x.repeat(math.ceil(n / len(x)), 1, 1, 1)[:n]


def _epoch_seconds(x: Tensor, latents: int, rounds: int) -> float:
    """Take the median of ``rounds`` epochs after a warm-up of a few batches."""
    model = mean_head(latents).to(x.device)
    optimizer = optim.Adam(model.parameters(), lr=1e-3, fused=True)

    def epoch(images: Tensor) -> nn.Module:
        loader = TensorBatches(images, batch_size=512, shuffle=True)
        toy_vae.fit_vae(model, optimizer, loader, None, 1, precision="auto")
        return model

    epoch(x[:5120])
    return median(timed(partial(epoch, x))[0] for _ in range(rounds))
