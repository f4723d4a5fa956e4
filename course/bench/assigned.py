"""Training as the assignments' texts have it: the way that ours is measured against."""

from collections.abc import Callable, Iterable
from typing import TypeVar

import torch
import torchvision
from torch import nn, optim
from torch.utils.data import DataLoader

from helpers.core.batches import Batch, Objective
from helpers.core.data import ImageSet

Model = TypeVar("Model", bound=nn.Module)


def as_assigned(
    model: Model,
    loader: Iterable[Batch],
    objective: Objective,
    epochs: int,
    lr: float = 1e-3,
    val_loader: Iterable[Batch] = (),
    ends: Callable[[Model], bool] = lambda model: False,
) -> Model:
    """Train by the loop of the assignments' texts, which reads every loss with ``.item()`` as soon as it is there.

    Args:
        ends: asked after every epoch; training ends where it says so, after ``epochs`` at the latest.
    """
    device = next(model.parameters()).device
    optimizer = optim.Adam(model.parameters(), lr=lr)
    history = []
    for _ in range(epochs):
        for batch in loader:
            loss, scalars = objective((batch[0].to(device),))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            history.append([value.item() for value in scalars.values()])
        with torch.no_grad():
            for batch in val_loader:
                history.append([value.item() for value in objective((batch[0].to(device),))[1].values()])
        if ends(model):
            break
    return model


class TorchvisionImages(torchvision.datasets.MNIST):
    """Wrap images that are in memory in torchvision's data set, with its own way to one example."""

    def __init__(self, data: ImageSet) -> None:
        self.data, self.targets = (data.train_x[:, 0] * 255).round().to(torch.uint8).cpu(), data.train_y.cpu()
        self.transform, self.target_transform = torchvision.transforms.ToTensor(), None


def image_loader(data: ImageSet, batch_size: int) -> DataLoader:
    return DataLoader(TorchvisionImages(data), batch_size=batch_size, shuffle=True)
