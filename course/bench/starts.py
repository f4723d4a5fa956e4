"""Must the reference solution be lucky? The toy VAE of notebook 02, as assigned, from many seeds."""

import math
import os
import statistics
from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn, optim
from torch.nn import functional as F

from helpers.toy_vae import VAE, ToyData, fit_vae, load_toy, negative_elbo

Number = Literal[1, 2]
SETS: tuple[Number, ...] = (1, 2)
NETWORK = {"input_size": 2, "latent_size": 2, "encoder_sizes": [20], "decoder_sizes": []}  # the assignment's
BATCH_SIZE, LR, NUM_EPOCHS = 512, 1e-2, 10
LARGEST_GAP = 0.05  # nats above the true density: more is a failure
LOW = -10_000.0  # nats: a first ELBO below it is a failure that training mends at best


def as_solved(**network) -> VAE:
    """Build the network as notebook 02 starts it; ``VAE`` itself is how PyTorch draws it, and a student's own."""
    return VAE(**network).start_at_unit_variance()


class Starts(NamedTuple):
    """The first ELBOs of many seeds on one set, in nats."""

    number: int
    seeds: int
    infinite: int
    low: int
    least: float

    def __str__(self) -> str:
        return (
            f"set {self.number}: of {self.seeds} seeds {self.infinite} start at an infinite ELBO, {self.low} more "
            f"below {LOW:,.0f} nats; the least finite one is {self.least:.4g}"
        )


def starts(number: Number, seeds: int, network: Callable[..., VAE] = as_solved) -> Starts:
    """Compute the ELBO of all training points before any step, with seeds from 0 on."""
    points = load_toy(number).train
    elbos = [_first_elbo(points, seed, network) for seed in range(seeds)]
    finite = [elbo for elbo in elbos if math.isfinite(elbo)]
    low = sum(elbo < LOW for elbo in finite)
    return Starts(number, seeds, len(elbos) - len(finite), low, min(finite, default=math.nan))


@torch.no_grad()
def _first_elbo(points: Tensor, seed: int, network: Callable[..., VAE]) -> float:
    torch.manual_seed(seed)
    return float(network(**NETWORK, hidden_activation=F.relu)(points)[2])


def gap(data: ToyData, seed: int, network: Callable[..., VAE] = as_solved) -> float:
    """Train as assigned; return how far the test -ELBO is above the true density's NLL, infinity where it fails."""
    torch.manual_seed(seed)
    model: nn.Module = network(**NETWORK, hidden_activation=F.relu)
    train, val, _ = data.loaders(BATCH_SIZE)
    try:
        fit_vae(model, optim.Adam(model.parameters(), LR), train, val, NUM_EPOCHS)
    except FloatingPointError:
        return math.inf
    return data.gap(negative_elbo(model, data.test))


def print_starts(seeds: int, trainings: int) -> int:
    """Print how many seeds start badly, as drawn and as solved, and the gaps after training; return 1 for a failure."""
    os.environ["TQDM_DISABLE"] = "1"  # hundreds of bars of two seconds each tell nobody anything
    torch.set_num_threads(1)  # layers this small gain nothing from a second thread
    failed = False
    for number in SETS:
        print(f"as PyTorch draws it, {starts(number, seeds, VAE)}", flush=True)
        ours = starts(number, seeds)
        print(f"as solved here, {ours}", flush=True)
        failed |= ours.infinite + ours.low > 0
        data = load_toy(number)
        gaps = [gap(data, seed) for seed in range(trainings)]
        if gaps:
            print(
                f"set {number}: gaps of {trainings} trainings: median {statistics.median(gaps):.4f}, "
                f"largest {max(gaps):.4f} nats (seed {gaps.index(max(gaps))})",
                flush=True,
            )
            failed |= max(gaps) > LARGEST_GAP
    return int(failed)
