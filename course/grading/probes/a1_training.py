"""Probe train_vae and train_ae with stubs whose gradients say what they came from."""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from matplotlib import pyplot as plt
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from .models import plain

TRAIN_POINT, VAL_POINT, TEST_POINT, PIXEL = 0.05, 0.06, 0.07, 0.4
BETAS = (1.0, 5.0)
EPOCHS, BATCHES, BATCH = 2, 3, 4
MOST_STEPS, MOST_USES = 12, 40


class Stub(nn.Module):
    """Stand for a VAE with nll = |x - b|^2 / 2 and kl = |a - 1|^2 / 2."""

    def __init__(self, size: int = 2) -> None:
        super().__init__()
        self.a, self.b = nn.Parameter(torch.full((2,), 1.05)), nn.Parameter(torch.zeros(size))
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


class Recording(torch.optim.SGD):
    """An optimizer that notes gradients at each step, and moves next to nothing."""

    def __init__(self, parameters: Any) -> None:
        super().__init__(parameters, lr=1e-9)
        self.steps: list[list[Any]] = []

    def step(self, closure: Any = None) -> Any:
        parameters = []
        for group in self.param_groups:
            parameters += group["params"]
        self.steps.append([None if p.grad is None else plain(p.grad.reshape(-1)[:4], 12) for p in parameters])
        return super().step(closure)


def loader(value: float, batches: int, size: tuple[int, ...], labels: bool = False) -> DataLoader[Any]:
    x = torch.full((batches * BATCH, *size), value)
    tensors = (x, torch.zeros(len(x), dtype=torch.long)) if labels else (x,)
    return DataLoader(TensorDataset(*tensors), batch_size=BATCH)


def name_like(names: list[str], word: str) -> str | None:
    return next((name for name in names if word in name), None)


def probe_train_vae(train: Callable[..., Any]) -> dict[str, Any]:
    """Train the stub with beta = 1 and beta = 5; send the gradients at each step, and which batches gave some."""
    names = list(inspect.signature(train).parameters)
    epochs, beta_name = name_like(names, "epoch"), name_like(names, "beta")
    runs = {}
    for beta in BETAS:
        stub = Stub()
        optimizer = Recording(stub.parameters())
        options: dict[str, Any] = {}
        if epochs:
            options[epochs] = EPOCHS
        if beta_name:
            options[beta_name] = beta
        if "test_loader" in names:
            options["test_loader"] = loader(TEST_POINT, 2, (2,))
        train(stub, optimizer, loader(TRAIN_POINT, BATCHES, (2,)), loader(VAL_POINT, 2, (2,)), **options)
        plt.close("all")
        steps = optimizer.steps
        runs[f"{beta:g}"] = {"steps": steps[:MOST_STEPS], "count": len(steps), "used": stub.used[:MOST_USES]}
    return {"runs": runs, "has_beta": beta_name is not None, "has_epochs": epochs is not None}


class StubAutoencoder(nn.Module):
    """Stand for an autoencoder with pixels of two levels: squared error and cross-entropy have other gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.b, self.c = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.full((2,), 0.3))

    def encoder(self, x: torch.Tensor) -> torch.Tensor:
        return self.c.expand(len(x), 2)

    def decoder(self, z: torch.Tensor) -> torch.Tensor:
        level = torch.sigmoid(self.b + torch.tensor([0.0, 2.0]))
        return level.repeat_interleave(392).reshape(1, 1, 28, 28).expand(len(z), 1, 28, 28) + 0 * z.sum()

    decode = decoder

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return self.encoder(x)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        z = self.encoder(x)
        return self.decoder(z), z


def probe_train_ae(train: Callable[..., Any]) -> dict[str, Any]:
    """Train the stub; send the gradients at each step."""
    stub = StubAutoencoder()
    optimizer = Recording(stub.parameters())
    epochs = name_like(list(inspect.signature(train).parameters), "epoch")
    batches = loader(PIXEL, BATCHES, (1, 28, 28), labels=True)
    train(stub, batches, optimizer, **({epochs: EPOCHS} if epochs else {}))
    return {"steps": optimizer.steps[:MOST_STEPS], "count": len(optimizer.steps), "has_epochs": epochs is not None}
