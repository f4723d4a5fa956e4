"""How fast training is beside the assignments' own way: both measured in one process, in turn.

*As assigned* is the loop that the texts describe (:func:`as_assigned`): PyTorch's ``DataLoader`` collating single
examples, images through torchvision's ``ToTensor``, default Adam, ``.item()`` every step. *Ours* is what the notebooks
run. Both train the same model on the same data, with as many updates on batches of the same size. Every round starts
anew from a seed of its own, the same for both, so that what they reach on the test set has a spread.
"""

import contextlib
import logging
import math
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import mean, median, stdev
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
import torchvision
from matplotlib.figure import Figure
from rich.table import Table
from torch import Tensor, nn, optim
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.flop_counter import FlopCounterMode

from helpers import fashion_latent_space, mnist_beta_vae, mnist_conv_vae, plots, swiss_roll, toy_vae
from helpers.core.data import ImageSet
from helpers.core.networks import MLP
from helpers.core.training import (
    Batch,
    Objective,
    Scalars,
    TensorBatches,
    best_device,
    evaluate,
    progress,
    training_dtype,
)

Train = Callable[[int], nn.Module]  # a fresh model, trained for so many epochs
PEAK_SIZE = 2048  # of the square matrices whose product sets the peak
IMAGE = 28 * 28


# ---------------------------------------------------------------- as assigned


def as_assigned(
    model: nn.Module,
    loader: Iterable[Batch],
    objective: Objective,
    epochs: int,
    lr: float = 1e-3,
    val_loader: Iterable[Batch] = (),
) -> nn.Module:
    """Train by the loop of the assignments' texts, which reads every loss with ``.item()`` as soon as it is there."""
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
    return model


class TorchvisionImages(torchvision.datasets.MNIST):
    """torchvision's data set, with its own way to one example, around images that are in memory already."""

    def __init__(self, data: ImageSet) -> None:
        self.data, self.targets = (data.train_x[:, 0] * 255).round().to(torch.uint8).cpu(), data.train_y.cpu()
        self.transform, self.target_transform = torchvision.transforms.ToTensor(), None


def image_loader(data: ImageSet, batch_size: int) -> DataLoader:
    return DataLoader(TorchvisionImages(data), batch_size=batch_size, shuffle=True)


# ---------------------------------------------------------------- what is compared


@dataclass(frozen=True)
class Case:
    """One model on one data set, and the ways to train it."""

    name: str
    assigned: Train
    ours: Train
    loss: Callable[[], Tensor]  # of one full batch, for counting its matrix products
    steps: float  # in an epoch; a smaller last batch counts in part
    test: Callable[[nn.Module], float]
    tested: str  # what ``test`` measures
    precisions: tuple[str, ...] = ("float32",)
    epochs: int = 1  # trained in a round
    unit: str = "epoch"
    others: Mapping[str, Train] | None = None  # ways that a user might pick instead


def toy(number: int, batch_size: int, lr: float, *sizes: list[int]) -> Case:
    """Part A's VAE on toy set 1, 2 or 3, validated after every epoch; for its full ten epochs."""
    device = best_device()
    data = toy_vae.load_toy(number, device)

    def new() -> toy_vae.VAE:
        return toy_vae.VAE(2, 2, *sizes).to(device)

    def assigned(epochs: int) -> nn.Module:
        model = new()
        loader = DataLoader(TensorDataset(data.train), batch_size=batch_size, shuffle=True)
        val_loader = DataLoader(TensorDataset(data.val), batch_size=batch_size)
        return as_assigned(model, loader, toy_vae.vae_objective(model), epochs, lr, val_loader)

    def ours(epochs: int) -> nn.Module:
        model = new()
        train_loader, val_loader, _ = data.loaders(batch_size)
        optimizer = optim.Adam(model.parameters(), lr, fused=True)
        toy_vae.fit_vae(model, optimizer, train_loader, val_loader, epochs)
        return model

    return Case(
        f"toy {number}", assigned, ours, lambda: toy_vae.vae_objective(new())((data.train[:batch_size],))[0],
        len(data.train) / batch_size, lambda model: float(toy_vae.negative_elbo(model, data.test).mean()), "-ELBO",
        epochs=10,
    )  # fmt: skip


def roll() -> Case:
    """The Swiss roll's VAE, for its full thousand steps; an "epoch" is a hundred of them."""

    def objective_of(model: nn.Module) -> Objective:
        def objective(batch: Batch) -> tuple[Tensor, Scalars]:
            loss = swiss_roll.compute_vae_loss(model, batch[0], beta=0.01)
            return loss, {"loss": loss}

        return objective

    def assigned(hundreds: int) -> nn.Module:
        model = swiss_roll.VAE().to(best_device())
        return as_assigned(model, swiss_roll.SwissRollBatches(128, 100), objective_of(model), hundreds)

    def ours(hundreds: int) -> nn.Module:
        return swiss_roll.train_vae(n_steps=100 * hundreds)[0]

    @torch.no_grad()
    def test(model: nn.Module) -> float:
        points = swiss_roll.generate_swiss_roll(20_000, generator=torch.Generator().manual_seed(0))
        return float(swiss_roll.compute_vae_loss(model, points.to(best_device()), beta=0.01))

    def loss() -> Tensor:
        model = swiss_roll.VAE()
        return objective_of(model)((swiss_roll.generate_swiss_roll(128),))[0]

    return Case("Swiss roll", assigned, ours, loss, 100, test, "loss", epochs=10, unit="100 steps")


class AssignedVAE(toy_vae.VAE):
    """Part B's network as assigned: its decoder computes log-variances too, which a squared error has no use for."""

    def __init__(self) -> None:
        super().__init__(IMAGE, 2, [512], [512], flatten=True, sigmoid=True, decoder_variance="shared")
        self.decoder = MLP(2, [512], 2 * IMAGE)

    def likelihood(self, z: Tensor) -> tuple[Tensor, Tensor]:
        x_mu, _ = self.decoder(z).chunk(2, dim=-1)
        return torch.sigmoid(x_mu), self.shared_logvar


def mean_head(latents: int = 2) -> toy_vae.VAE:
    """Part B's network as notebook 04 trains it."""
    return toy_vae.VAE(IMAGE, latents, [512], [512], flatten=True, sigmoid=True, decoder_variance="shared")


def mnist_vae(
    data: ImageSet, name: str, network: Callable[[], toy_vae.VAE], others: Mapping[str, Train] | None = None
) -> Case:
    """Part B's VAE, 784-512-2-512-784, beta = 1; ``network`` is what the assigned way trains."""
    batch_size, test_batches, device = 512, TensorBatches(data.test_x, batch_size=1000), data.train_x.device

    def assigned(epochs: int) -> nn.Module:
        model = network().to(device)
        return as_assigned(model, image_loader(data, batch_size), toy_vae.vae_objective(model), epochs)

    def ours(epochs: int) -> nn.Module:
        model = mean_head().to(device)
        loader = mnist_beta_vae.train_loader(data.train_x, data.train_y, batch_size)
        optimizer = optim.Adam(model.parameters(), lr=1e-3, fused=True)
        toy_vae.fit_vae(model, optimizer, loader, None, epochs, precision="auto")
        return model

    return Case(
        name, assigned, ours, lambda: toy_vae.vae_objective(mean_head().to(device))((data.train_x[:batch_size],))[0],
        len(data.train_x) / batch_size,
        lambda model: -evaluate(model, test_batches, toy_vae.vae_objective(model))["elbo"], "-ELBO",
        precisions(), others=others,
    )  # fmt: skip


def autoencoder(data: ImageSet) -> Case:
    """Part B's autoencoder."""
    batch_size, test_batches = 512, TensorBatches(data.test_x, batch_size=1000)

    def objective_of(model: nn.Module) -> Objective:
        def objective(batch: Batch) -> tuple[Tensor, Scalars]:
            loss = F.mse_loss(model(batch[0])[0], batch[0])
            return loss, {"mse": loss}

        return objective

    def new() -> nn.Module:
        return mnist_beta_vae.Autoencoder(2).to(data.train_x.device)

    def assigned(epochs: int) -> nn.Module:
        model = new()
        return as_assigned(model, image_loader(data, batch_size), objective_of(model), epochs)

    def ours(epochs: int) -> nn.Module:
        model = new()
        loader = mnist_beta_vae.train_loader(data.train_x, data.train_y, batch_size)
        return mnist_beta_vae.train_ae(model, loader, optim.Adam(model.parameters(), lr=1e-3, fused=True), epochs)

    return Case(
        "MNIST autoencoder", assigned, ours, lambda: objective_of(new())((data.train_x[:batch_size],))[0],
        len(data.train_x) / batch_size,
        lambda model: IMAGE * evaluate(model, test_batches, objective_of(model))["mse"], "squared error", precisions(),
    )  # fmt: skip


def conv_vae(data: ImageSet) -> Case:
    """The convolutional VAE on MNIST, pixels drawn anew in every batch."""
    batch_size = 128

    def objective_of(model: nn.Module) -> Objective:
        def objective(batch: Batch) -> tuple[Tensor, Scalars]:
            terms = mnist_conv_vae.calc_elbo(model, mnist_conv_vae.binarize(batch[0]))
            means = {name: value.mean() for name, value in terms._asdict().items()}
            return -means["elbo"], means

        return objective

    def new() -> nn.Module:
        return mnist_conv_vae.VAE().to(data.train_x.device)

    def assigned(epochs: int) -> nn.Module:
        model = new()
        return as_assigned(model, image_loader(data, batch_size), objective_of(model), epochs)

    def ours(epochs: int) -> nn.Module:
        model = new()
        loader = TensorBatches(data.train_x, batch_size=batch_size, shuffle=True)
        mnist_conv_vae.train(model, optim.Adam(model.parameters(), lr=1e-3, fused=True), loader, None, epochs)
        return model

    def test(model: nn.Module) -> float:
        generator = torch.Generator(device=data.test_x.device).manual_seed(2)
        x = mnist_conv_vae.binarize(data.test_x, generator)
        return -float(mnist_conv_vae.elbo_terms(model.eval(), x).elbo.mean())

    return Case(
        "conv VAE on MNIST", assigned, ours, lambda: objective_of(new())((data.train_x[:batch_size],))[0],
        len(data.train_x) / batch_size, test, "-ELBO", precisions(),
    )  # fmt: skip


def fashion_vae(data: ImageSet) -> Case:
    """The Fashion-MNIST VAE of the latent-space exercises; as assigned, its loss is summed over the batch."""
    recipe = fashion_latent_space.Recipe()

    def objective_of(model: nn.Module) -> Objective:
        def objective(batch: Batch) -> tuple[Tensor, Scalars]:
            x_hat, mu, logvar = model(batch[0])
            loss = fashion_latent_space.vae_loss(x_hat, batch[0], mu, logvar)
            return loss, {"loss": loss}

        return objective

    def new() -> nn.Module:
        return fashion_latent_space.VAE().to(data.train_x.device)

    def assigned(epochs: int) -> nn.Module:
        model = new()
        return as_assigned(model, image_loader(data, recipe.batch_size), objective_of(model), epochs, recipe.lr)

    def ours(epochs: int) -> nn.Module:
        seed = int(torch.randint(2**31, ()))
        told = fashion_latent_space.Recipe(num_epochs=epochs, seed=seed)
        return fashion_latent_space.train_vae(data.train_x, told)[0]

    return Case(
        "Fashion VAE", assigned, ours, lambda: objective_of(new())((data.train_x[: recipe.batch_size],))[0],
        len(data.train_x) / recipe.batch_size,
        lambda model: fashion_latent_space.measure_loss(model, data.test_x)["loss"], "loss", precisions(),
    )  # fmt: skip


def precisions() -> tuple[str, ...]:
    """float32, and what training uses here where that is another."""
    used = str(training_dtype(best_device(), "auto")).removeprefix("torch.")
    return tuple(dict.fromkeys(("float32", used)))


def cases(mnist: ImageSet, fashion: ImageSet) -> list[Case]:
    """All rows of the benchmark."""
    return [
        toy(1, 512, 1e-2, [20], []),
        toy(3, 500, 1e-4, [150, 250], [250, 150]),
        mnist_vae(mnist, "MNIST VAE", AssignedVAE),
        mnist_vae(mnist, "MNIST VAE, mean head only", mean_head, with_pythae(mnist)),
        autoencoder(mnist),
        roll(),
        conv_vae(mnist),
        fashion_vae(fashion),
    ]


def with_pythae(data: ImageSet) -> dict[str, Train]:
    """The VAE of 784-512-2 under pythae's own trainer, where pythae is installed (``pip install pythae``)."""
    try:
        logging.disable(logging.WARNING)
        from pythae.data.datasets import BaseDataset
        from pythae.models import VAE, VAEConfig
        from pythae.trainers import BaseTrainer, BaseTrainerConfig
    except ImportError:
        return {}
    finally:
        logging.disable(logging.NOTSET)

    def train(epochs: int) -> nn.Module:
        logging.disable(logging.WARNING)
        try:
            with tempfile.TemporaryDirectory() as folder:
                model = VAE(VAEConfig(input_dim=(1, 28, 28), latent_dim=2, reconstruction_loss="mse"))
                told = BaseTrainerConfig(
                    output_dir=folder, num_epochs=epochs, learning_rate=1e-3, per_device_train_batch_size=512
                )
                trainer = BaseTrainer(model, BaseDataset(data.train_x, data.train_y), training_config=told)
                trainer.prepare_training()
                for epoch in range(1, epochs + 1):
                    trainer.train_step(epoch)
        finally:
            logging.disable(logging.NOTSET)
        return model

    return {"pythae": train}


# ---------------------------------------------------------------- measuring


class Row(NamedTuple):
    """One line of the table; seconds are of one unit and medians over the rounds."""

    name: str
    unit: str
    precision: str  # of our training steps
    assigned_s: float
    ours_s: float
    ratio: float  # median of the rounds' ratios
    gflops: float  # matrix products and convolutions a second, ours
    peak_share: float  # of the float32 matrix product measured in the same rounds
    pythae_s: float | None
    pythae_ratio: float | None
    tested: str
    assigned_test: float  # means over the rounds' seeds
    assigned_spread: float  # standard deviation over them
    ours_test: float


def run(mnist: ImageSet, fashion: ImageSet, words: Sequence[str], rounds: int, epochs: int | None = None) -> list[Row]:
    """Measure the rows whose name holds one of ``words``, all of them where none is given.

    Raises:
        ValueError: no row has such a name.
    """
    known = cases(mnist, fashion)
    chosen = [case for case in known if not words or any(word.lower() in case.name.lower() for word in words)]
    if not chosen:
        raise ValueError(f"no row holds {' or '.join(words)}: expected a part of {', '.join(c.name for c in known)}")
    return [row for case in chosen for row in measure(case, rounds, epochs)]


def measure(case: Case, rounds: int = 5, epochs: int | None = None) -> list[Row]:
    """Train a case in every way, in turn, ``rounds`` times after a warm-up; one row for each precision.

    Args:
        rounds: counted ones, each with a seed of its own.
        epochs: trained in a round; the case's own number where not given.
    """
    epochs = epochs or case.epochs
    ways = {"assigned": case.assigned, **(case.others or {})}
    ways |= {word: partial(_in_precision, word, case.ours) for word in case.precisions}
    seconds: dict[str, list[float]] = {name: [] for name in (*ways, "peak")}
    reached: dict[str, list[float]] = {name: [] for name in ways}
    for seed in progress(range(rounds + 1), case.name):
        for name, train in ways.items():
            torch.manual_seed(seed)
            spent, model = timed(partial(train, 1 if seed == 0 else epochs))
            if seed > 0:
                seconds[name].append(spent / epochs)
                reached[name].append(_tested(case, model) if name not in (case.others or {}) else math.nan)
        seconds["peak"].append(peak_seconds())
    peak = 2 * PEAK_SIZE**3 / median(seconds["peak"]) / 1e9
    work = flops(case.loss) * case.steps / 1e9
    rows = []
    for word in case.precisions:
        gflops = work / median(seconds[word])
        other = seconds.get("pythae")
        rows.append(Row(
            case.name, case.unit, word, median(seconds["assigned"]), median(seconds[word]),
            ratio(seconds["assigned"], seconds[word]), gflops, gflops / peak,
            median(other) if other else None, ratio(other, seconds[word]) if other else None, case.tested,
            mean(reached["assigned"]), stdev(reached["assigned"]) if rounds > 1 else math.nan, mean(reached[word]),
        ))  # fmt: skip
    return rows


def _tested(case: Case, model: nn.Module) -> float:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return case.test(model)


def ratio(slow: Sequence[float], fast: Sequence[float]) -> float:
    """Median of the rounds' ratios: what both lost to a disturbed round cancels."""
    return median(a / b for a, b in zip(slow, fast, strict=True))


def timed(run: Callable[[], nn.Module]) -> tuple[float, nn.Module]:
    """Seconds of the wall clock, the device's work included."""
    wait_for_device()
    start = time.perf_counter()
    result = run()
    wait_for_device()
    return time.perf_counter() - start, result


def wait_for_device() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _in_precision(word: str, train: Train, epochs: int) -> nn.Module:
    with precision(word):
        return train(epochs)


@contextlib.contextmanager
def precision(word: str) -> Iterator[None]:
    """What ``precision="auto"`` means inside."""
    before = os.environ.get("PRECISION")
    os.environ["PRECISION"] = word
    try:
        yield
    finally:
        if before is None:
            del os.environ["PRECISION"]
        else:
            os.environ["PRECISION"] = before


def flops(loss: Callable[[], Tensor]) -> int:
    """Floating-point operations of one step's matrix products and convolutions, forward and backward."""
    with FlopCounterMode(display=False) as counter:
        loss().backward()
    return counter.get_total_flops()


def peak_seconds(repeats: int = 3) -> float:
    """The median time of a float32 product of two square matrices of :data:`PEAK_SIZE`."""
    a = torch.ones(PEAK_SIZE, PEAK_SIZE, device=best_device())
    return median(timed(lambda: a @ a)[0] for _ in range(repeats))


# ---------------------------------------------------------------- how cost grows


def growth(
    data: ImageSet,
    sizes: Sequence[int] = (6_000, 20_000, 60_000, 200_000, 600_000),
    latents: Sequence[int] = (2, 8, 32, 128, 512),
    rounds: int = 3,
) -> Figure:
    """Seconds an epoch of part B's VAE takes, against the number of training images and the number of latents."""
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
    """The median of ``rounds`` epochs after a warm-up of a few batches."""
    model = mean_head(latents).to(x.device)
    optimizer = optim.Adam(model.parameters(), lr=1e-3, fused=True)

    def epoch(images: Tensor) -> nn.Module:
        loader = TensorBatches(images, batch_size=512, shuffle=True)
        toy_vae.fit_vae(model, optimizer, loader, None, 1, precision="auto")
        return model

    epoch(x[:5120])
    return median(timed(partial(epoch, x))[0] for _ in range(rounds))


# ---------------------------------------------------------------- what is printed


def machine() -> str:
    """Processor, threads and versions: what a timing is of."""
    device = best_device()
    name = (
        torch.cuda.get_device_name() if device.type == "cuda" else f"{processor()}, {torch.get_num_threads()} threads"
    )
    return f"{name}, torch {torch.__version__.split('+')[0]}, Python {platform.python_version()}"


def processor() -> str:
    """The processor's name as Linux tells it, else its architecture."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.machine()


def table(rows: Iterable[Row]) -> Table:
    """The rows for people; ``pythae`` stands beside the model that its trainer was given."""
    made = Table(title=f"Seconds on {machine()}", title_justify="left")
    left = {"row", "precision", "test number"}
    for name in ("row", "of", "precision", "as assigned", "ours", "ratio", "GFLOP/s", "of the peak", "pythae",
                 "its ratio", "test number", "as assigned, ± over seeds", "ours "):  # fmt: skip
        made.add_column(name, justify="left" if name in left else "right")
    for r in rows:
        other = ("", "") if r.pythae_s is None else (f"{r.pythae_s:.2f}", f"{r.pythae_ratio:.1f}")
        made.add_row(
            r.name, r.unit, r.precision, f"{r.assigned_s:.3f}", f"{r.ours_s:.3f}", f"{r.ratio:.1f}", f"{r.gflops:.0f}",
            f"{r.peak_share:.0%}", *other, r.tested, f"{r.assigned_test:.4g} ± {r.assigned_spread:.2g}",
            f"{r.ours_test:.4g}",
        )  # fmt: skip
    return made
