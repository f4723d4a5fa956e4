"""How long the convolutional VAE trains until its validation -ELBO is good: as assigned, and as notebook 05 does."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from rich.table import Table

from course.bench.assigned import as_assigned, image_loader
from course.bench.rows import objective_of_conv_vae
from helpers import mnist_conv_vae
from helpers.core.batches import TensorBatches
from helpers.core.data import ImageSet
from helpers.core.muon import Muon, warm_up_and_decay

BATCH_SIZE = 128
OUR_EPOCHS = 10  # as in the notebook: the schedule falls over all of them


class Way(NamedTuple):
    """Hold what one training reached: epoch by epoch, in nats per validation image, and seconds since it began."""

    name: str
    seconds: list[float]
    worse: list[float]  # -ELBO

    def reached(self, target: float) -> tuple[int, float] | None:
        """Return the first epoch whose -ELBO is at most ``target``, and the seconds up to its end; None: never."""
        for epoch, (seconds, value) in enumerate(zip(self.seconds, self.worse, strict=True), start=1):
            if value <= target:
                return epoch, seconds
        return None


class Watch:
    """Measure a model after every epoch; the seconds that measuring takes do not count."""

    def __init__(self, name: str, x: torch.Tensor, target: float) -> None:
        self.way = Way(name, [], [])
        self.x, self.target = x, target
        self.start = time.perf_counter()

    def __call__(self, model: mnist_conv_vae.VAE) -> bool:
        """Note seconds and -ELBO; say whether the target is reached."""
        pause = time.perf_counter()
        self.way.seconds.append(pause - self.start)
        self.way.worse.append(-float(mnist_conv_vae.elbo_terms(model.eval(), self.x).elbo.mean()))
        model.train()
        self.start += time.perf_counter() - pause
        return self.way.worse[-1] <= self.target


def ways(data: ImageSet, target: float, most: int, *, seed: int = 0, num_val: int = 5000) -> list[Way]:
    """Train as assigned until the target is reached, ``most`` epochs at most; then as the notebook does."""
    order = torch.randperm(len(data.train_x), generator=torch.Generator().manual_seed(0))
    train, val = order[:-num_val], order[-num_val:]
    x = mnist_conv_vae.binarize(data.train_x[val], torch.Generator().manual_seed(1))
    data = replace(data, train_x=data.train_x[train], train_y=data.train_y[train])
    watches = [Watch(name, x, target) for name in ("as assigned: Adam, 0.001", "as notebook 05: Muon")]
    for train_in_a_way, watch in zip((_assigned, _ours), watches, strict=True):
        torch.manual_seed(seed)
        watch.start = time.perf_counter()
        train_in_a_way(data, watch, most)
    return [watch.way for watch in watches]


def _assigned(data: ImageSet, watch: Watch, most: int) -> None:
    model = mnist_conv_vae.VAE()
    as_assigned(model, image_loader(data, BATCH_SIZE), objective_of_conv_vae(model), most, ends=watch)


def _ours(data: ImageSet, watch: Watch, most: int) -> None:
    model = mnist_conv_vae.VAE(hidden=128)
    loader = TensorBatches(data.train_x, batch_size=BATCH_SIZE, shuffle=True)
    optimizer = Muon(model.parameters(), lr=0.02, adam_lr=0.005)
    schedule = warm_up_and_decay(optimizer, OUR_EPOCHS * len(loader))
    for _ in range(OUR_EPOCHS):
        mnist_conv_vae.train(model, optimizer, loader, None, 1, schedule)
        if watch(model):
            break


def table(results: Sequence[Way], target: float) -> Table:
    """Lay the ways out, each beside the first."""
    grid = Table(title=f"until {target:g} nats: validation -ELBO, dynamic binarisation")
    for column in ("way", "epochs", "seconds", "seconds an epoch", "times faster"):
        grid.add_column(column, justify="left" if column == "way" else "right")
    first = results[0].reached(target)
    for way in results:
        reached = way.reached(target)
        each = f"{way.seconds[-1] / len(way.seconds):.1f}"
        if reached is None:
            grid.add_row(way.name, f"not in {len(way.worse)}: {min(way.worse):.2f}", f"{way.seconds[-1]:.0f}", each, "")
        else:
            faster = f"{first[1] / reached[1]:.1f}" if first else f"over {results[0].seconds[-1] / reached[1]:.1f}"
            grid.add_row(way.name, str(reached[0]), f"{reached[1]:.0f}", each, faster)
    return grid
