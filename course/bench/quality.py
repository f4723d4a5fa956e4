"""How long the convolutional VAE trains until its validation -ELBO is good, and how good it gets.

As assigned, as notebook 05 does, as the notebook does but for one thing (ReLU in place of SiLU), and as assigned but by
pythae's trainer, where that is installed.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from rich.table import Table
from torch import nn

from course.bench import with_pythae
from course.bench.assigned import as_assigned, image_loader
from course.bench.rows import objective_of_conv_vae
from helpers import mnist_conv_vae
from helpers.core.batches import TensorBatches
from helpers.core.data import ImageSet
from helpers.core.muon import Muon, warm_up_and_decay

BATCH_SIZE = 128
OUR_EPOCHS, OUR_BATCH_SIZE, OUR_HIDDEN = 12, 256, 128  # as in the notebook; the schedule falls over all epochs
OUR_LR, OUR_ADAM_LR = 0.03, 0.005


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
    """Train as assigned until the target is reached, ``most`` epochs at most; then as the notebook does, to its end."""
    order = torch.randperm(len(data.train_x), generator=torch.Generator().manual_seed(0))
    train, val = order[:-num_val], order[-num_val:]
    x = mnist_conv_vae.binarize(data.train_x[val], torch.Generator().manual_seed(1))
    data = replace(data, train_x=data.train_x[train], train_y=data.train_y[train])
    trainings = {
        "as assigned: Adam, 0.001": lambda watch: _assigned(data, watch, most),
        "as notebook 05: Muon, SiLU": lambda watch: _ours(data, watch, mnist_conv_vae.VAE(hidden=OUR_HIDDEN)),
        "the same with ReLU": lambda watch: _ours(data, watch, with_relu(mnist_conv_vae.VAE(hidden=OUR_HIDDEN))),
    }
    if with_pythae.is_installed():
        trainings[with_pythae.RELEASE] = lambda watch: with_pythae.train_conv_vae(
            mnist_conv_vae.VAE(), data, most, BATCH_SIZE, watch
        )
    results = []
    for name, train_in_a_way in trainings.items():
        torch.manual_seed(seed)
        watch = Watch(name, x, target)
        train_in_a_way(watch)
        results.append(watch.way)
    return results


def with_relu(model: mnist_conv_vae.VAE) -> mnist_conv_vae.VAE:
    """Put ReLU in the place of every SiLU; the weights stay."""
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.SiLU):
                setattr(module, name, nn.ReLU())
    return model


def _assigned(data: ImageSet, watch: Watch, most: int) -> None:
    model = mnist_conv_vae.VAE()
    as_assigned(model, image_loader(data, BATCH_SIZE), objective_of_conv_vae(model), most, ends=watch)


def _ours(data: ImageSet, watch: Watch, model: mnist_conv_vae.VAE) -> None:
    loader = TensorBatches(data.train_x, batch_size=OUR_BATCH_SIZE, shuffle=True)
    optimizer = Muon(model.parameters(), lr=OUR_LR, adam_lr=OUR_ADAM_LR)
    schedule = warm_up_and_decay(optimizer, OUR_EPOCHS * len(loader))
    for _ in range(OUR_EPOCHS):
        mnist_conv_vae.train(model, optimizer, loader, None, 1, schedule)
        watch(model)


def table(results: Sequence[Way], target: float) -> Table:
    """Lay the ways out, each beside the first."""
    grid = Table(title=f"until {target:g} nats, and to the end: validation -ELBO, dynamic binarisation")
    for column in ("way", "epochs", "seconds", "seconds an epoch", "times faster", "-ELBO at the end"):
        grid.add_column(column, justify="left" if column == "way" else "right")
    first = results[0].reached(target)
    for way in results:
        reached = way.reached(target)
        each, end = f"{way.seconds[-1] / len(way.seconds):.1f}", f"{way.worse[-1]:.2f} after {len(way.worse)}"
        if reached is None:
            grid.add_row(way.name, f"not in {len(way.worse)}: {min(way.worse):.2f}", "", each, "", end)
        else:
            faster = f"{first[1] / reached[1]:.1f}" if first else f"over {results[0].seconds[-1] / reached[1]:.1f}"
            grid.add_row(way.name, str(reached[0]), f"{reached[1]:.0f}", each, faster, end)
    return grid
