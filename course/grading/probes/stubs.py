"""Train stubs with a submission's training functions: their gradients say what they came from.

Every value comes with the question, so that an answer to another one is of no use.
"""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from matplotlib import pyplot as plt
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from .notebook import Notebook

MOST_STEPS, MOST_USES = 12, 40


class Stub(nn.Module):
    """Stand for a VAE with nll = |x - b|^2 / 2 and kl = |a - 1|^2 / 2."""

    def __init__(self, start: float, size: int = 2) -> None:
        super().__init__()
        self.a, self.b = nn.Parameter(torch.full((2,), start)), nn.Parameter(torch.zeros(size))
        self.input_size = self.latent_size = size
        self.flatten = self.sigmoid = False
        self.used: list[list[Any]] = []

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        self.used.append([float(x.detach().reshape(len(x), -1)[0, 0]), torch.is_grad_enabled()])
        flat = x.reshape(len(x), -1)
        nll = 0.5 * ((flat - self.b) ** 2).sum(1).mean()
        kl = 0.5 * ((self.a - 1) ** 2).sum()
        return (self.b + 0 * flat).reshape(x.shape), self.a + 0 * flat[:, :2], -(nll + kl), kl, nll

    def sample(self, n: int, decoder_noise: bool = False) -> torch.Tensor:
        return torch.randn(n, len(self.b))

    def encode_latent(self, x: torch.Tensor) -> torch.Tensor:
        return x.reshape(len(x), -1)[:, :2]

    def decode(self, z: torch.Tensor, noise: bool = True) -> torch.Tensor:
        return z


class StubAutoencoder(nn.Module):
    """Stand for an autoencoder with pixels of two levels: squared error and cross-entropy have other gradients."""

    def __init__(self, levels: tuple[float, float]) -> None:
        super().__init__()
        self.b, self.c = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.full((2,), 0.3))
        self.levels = torch.tensor(levels)

    def encoder(self, x: torch.Tensor) -> torch.Tensor:
        return self.c.expand(len(x), 2)

    def decoder(self, z: torch.Tensor) -> torch.Tensor:
        level = torch.sigmoid(self.b + self.levels)
        return level.repeat_interleave(392).reshape(1, 1, 28, 28).expand(len(z), 1, 28, 28) + 0 * z.sum()

    decode = decoder

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return self.encoder(x)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        z = self.encoder(x)
        return self.decoder(z), z


class Recording(torch.optim.SGD):
    """An optimizer that notes gradients at each step, and moves next to nothing."""

    def __init__(self, parameters: Any) -> None:
        super().__init__(parameters, lr=1e-9)
        self.steps: list[list[Any]] = []

    def step(self, closure: Any = None) -> Any:
        parameters = []
        for group in self.param_groups:
            parameters += group["params"]
        self.steps.append([None if p.grad is None else p.grad.reshape(-1)[:4].double().tolist() for p in parameters])
        return super().step(closure)


def loader(value: float, batches: int, size: tuple[int, ...], batch: int, labels: bool = False) -> DataLoader[Any]:
    x = torch.full((batches * batch, *size), value)
    tensors = (x, torch.zeros(len(x), dtype=torch.long)) if labels else (x,)
    return DataLoader(TensorDataset(*tensors), batch_size=batch)


def name_like(names: list[str], word: str) -> str | None:
    return next((name for name in names if word in name), None)


def by_names(function: Callable[..., Any], roles: dict[str, Any]) -> dict[str, Any] | None:
    """Return arguments by what the parameters' names say; None where one without a default means nothing known."""
    arguments = {}
    for name, parameter in inspect.signature(function).parameters.items():
        role = role_of(name.lower())
        if role in roles:
            arguments[name] = roles[role]
        elif parameter.default is parameter.empty and parameter.kind not in (
            parameter.VAR_POSITIONAL,
            parameter.VAR_KEYWORD,
        ):
            return None
    return arguments


def role_of(name: str) -> str:
    """Return what a parameter of a training function is for."""
    signs = (
        ("opt", "optimizer"), ("val", "val"), ("test", "test"), ("train", "train"), ("load", "train"),
        ("data", "train"), ("dl", "train"), ("beta", "beta"), ("epoch", "epochs"), ("model", "model"),
        ("vae", "model"), ("net", "model"), ("auto", "model"),
    )  # fmt: skip
    return next((role for sign, role in signs if sign in name), "model" if name in ("ae", "m") else "")


class Trainings:
    """Acts that call training functions."""

    def __init__(self, notebook: Notebook) -> None:
        self.notebook = notebook

    def train_vae(
        self, start: float, points: list[float], beta: float, epochs: int, batches: int, batch: int
    ) -> dict[str, Any]:
        """Train a stub; return the gradients at each step, and which batches gave some."""
        train = self.notebook.first("train_vae")
        if train is None:
            raise LookupError("train_vae")
        names = list(inspect.signature(train).parameters)
        stub = Stub(start)
        optimizer = Recording(stub.parameters())
        loaders = [loader(value, count, (2,), batch) for value, count in zip(points, (batches, 2, 2), strict=True)]
        epochs_name, beta_name = name_like(names, "epoch"), name_like(names, "beta")
        options: dict[str, Any] = {epochs_name: epochs} if epochs_name else {}
        options |= {beta_name: beta} if beta_name else {}
        if "test_loader" in names:
            options["test_loader"] = loaders[2]
        roles = {"model": stub, "optimizer": optimizer, "beta": beta, "epochs": epochs}
        roles |= {"train": loaders[0], "val": loaders[1], "test": loaders[2]}
        try:
            train(stub, optimizer, *loaders[:2], **options)
        except TypeError:
            arguments = by_names(train, roles)
            if arguments is None or optimizer.steps:
                raise
            train(**arguments)
        finally:
            plt.close("all")
        return {
            "steps": optimizer.steps[:MOST_STEPS], "count": len(optimizer.steps), "used": stub.used[:MOST_USES],
            "has_beta": beta_name is not None, "has_epochs": epochs_name is not None,
        }  # fmt: skip

    def train_ae(self, levels: list[float], pixel: float, epochs: int, batches: int, batch: int) -> dict[str, Any]:
        """Train the stub; return the gradients at each step."""
        train = self.notebook.first("train_ae")
        if train is None:
            raise LookupError("train_ae")
        stub = StubAutoencoder((levels[0], levels[1]))
        optimizer = Recording(stub.parameters())
        epochs_name = name_like(list(inspect.signature(train).parameters), "epoch")
        images = loader(pixel, batches, (1, 28, 28), batch, labels=True)
        try:
            train(stub, images, optimizer, **({epochs_name: epochs} if epochs_name else {}))
        except (TypeError, AttributeError):
            arguments = by_names(train, {"model": stub, "optimizer": optimizer, "train": images, "epochs": epochs,
                                         "val": images, "test": images})  # fmt: skip
            if arguments is None or optimizer.steps:
                raise
            train(**arguments)
        return {
            "steps": optimizer.steps[:MOST_STEPS],
            "count": len(optimizer.steps),
            "has_epochs": epochs_name is not None,
        }
