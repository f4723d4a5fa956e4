"""What is compared: one case for each model of the notebooks, and the ways to train it.

*As assigned* is the loop that the texts describe (:func:`course.bench.assigned.as_assigned`): PyTorch's ``DataLoader``
collating single examples, images through torchvision's ``ToTensor``, default Adam, ``.item()`` every step. *Ours* is
what the notebooks run. Both train the same model on the same data, with as many updates on batches of the same size.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn, optim
from torch.utils.data import DataLoader, TensorDataset

from course.bench import with_pythae
from course.bench.assigned import as_assigned, image_loader
from helpers import fashion_latent_space, mnist_beta_vae, mnist_conv_vae, swiss_roll, toy_vae
from helpers.core.batches import Batch, Objective, Scalars, TensorBatches
from helpers.core.data import ImageSet
from helpers.core.speed import training_dtype
from helpers.core.training import best_device, evaluate

Model = TypeVar("Model", bound=nn.Module)
Ways = Mapping[str, Callable[[int], nn.Module]]
IMAGE = 28 * 28


@dataclass(frozen=True)
class Case(Generic[Model]):
    """Hold one model on one data set, and the ways to train it."""

    name: str
    assigned: Callable[[int], Model]  # a fresh model, trained for so many epochs
    ours: Callable[[int], Model]
    loss: Callable[[], Tensor]  # of one full batch, for counting its matrix products
    steps: float  # in an epoch; a smaller last batch counts in part
    test: Callable[[Model], float]
    tested: str  # what ``test`` measures
    precisions: tuple[str, ...] = ("float32",)
    epochs: int = 1  # trained in a round
    unit: str = "epoch"
    others: Ways | None = None  # ways that a user might pick instead


def toy(
    number: Literal[1, 2, 3], batch_size: int, lr: float, encoder_sizes: list[int], decoder_sizes: list[int]
) -> Case[toy_vae.VAE]:
    """Compare part A's VAE on toy set 1, 2 or 3, validated after every epoch; for its full ten epochs."""
    device = best_device()
    data = toy_vae.load_toy(number, device)

    def new() -> toy_vae.VAE:
        return toy_vae.VAE(2, 2, encoder_sizes, decoder_sizes).to(device)

    def assigned(epochs: int) -> toy_vae.VAE:
        model = new()
        loader = DataLoader(TensorDataset(data.train), batch_size=batch_size, shuffle=True)
        val_loader = DataLoader(TensorDataset(data.val), batch_size=batch_size)
        return as_assigned(model, loader, toy_vae.vae_objective(model), epochs, lr, val_loader)

    def ours(epochs: int) -> toy_vae.VAE:
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


def roll() -> Case[swiss_roll.VAE]:
    """Compare the Swiss roll's VAE, for its full thousand steps; an "epoch" is a hundred of them."""

    def objective_of(model: swiss_roll.VAE) -> Objective:
        def objective(batch: Batch) -> tuple[Tensor, Scalars]:
            loss = swiss_roll.compute_vae_loss(model, batch[0], beta=0.01)
            return loss, {"loss": loss}

        return objective

    def assigned(hundreds: int) -> swiss_roll.VAE:
        model = swiss_roll.VAE().to(best_device())
        return as_assigned(model, swiss_roll.SwissRollBatches(128, 100), objective_of(model), hundreds)

    def ours(hundreds: int) -> swiss_roll.VAE:
        return swiss_roll.train_vae(n_steps=100 * hundreds)[0]

    @torch.no_grad()
    def test(model: swiss_roll.VAE) -> float:
        points = swiss_roll.generate_swiss_roll(20_000, generator=torch.Generator().manual_seed(0))
        return float(swiss_roll.compute_vae_loss(model, points.to(best_device()), beta=0.01))

    def loss() -> Tensor:
        model = swiss_roll.VAE()
        return objective_of(model)((swiss_roll.generate_swiss_roll(128),))[0]

    return Case("Swiss roll", assigned, ours, loss, 100, test, "loss", epochs=10, unit="100 steps")


class AssignedVAE(toy_vae.SharedVarianceVAE):
    """Build part B's network as assigned: its decoder gives log-variances too, which its loss does not use."""

    decoder_heads = 2

    def __init__(self) -> None:
        super().__init__(IMAGE, 2, [512], [512], flatten=True, sigmoid=True)

    def likelihood(self, z: Tensor) -> tuple[Tensor, Tensor]:
        x_mu, _ = self.decoder(z).chunk(2, dim=-1)
        return torch.sigmoid(x_mu), self.shared_logvar


def mean_head(latents: int = 2) -> toy_vae.SharedVarianceVAE:
    """Make part B's network as notebook 04 trains it."""
    return toy_vae.SharedVarianceVAE(IMAGE, latents, [512], [512], flatten=True, sigmoid=True)


def mnist_vae(
    data: ImageSet,
    name: str,
    network: Callable[[], toy_vae.VAE],
    others: Ways | None = None,
) -> Case[toy_vae.VAE]:
    """Compare part B's VAE, 784-512-2-512-784, beta = 1; ``network`` is what the assigned way trains."""
    batch_size, test_batches, device = 512, TensorBatches(data.test_x, batch_size=1000), data.train_x.device

    def assigned(epochs: int) -> toy_vae.VAE:
        model = network().to(device)
        return as_assigned(model, image_loader(data, batch_size), toy_vae.vae_objective(model), epochs)

    def ours(epochs: int) -> toy_vae.VAE:
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


def autoencoder(data: ImageSet) -> Case[mnist_beta_vae.Autoencoder]:
    """Compare part B's autoencoder."""
    batch_size, test_batches = 512, TensorBatches(data.test_x, batch_size=1000)

    def objective_of(model: mnist_beta_vae.Autoencoder) -> Objective:
        def objective(batch: Batch) -> tuple[Tensor, Scalars]:
            loss = F.mse_loss(model(batch[0])[0], batch[0])
            return loss, {"mse": loss}

        return objective

    def new() -> mnist_beta_vae.Autoencoder:
        return mnist_beta_vae.Autoencoder(2).to(data.train_x.device)

    def assigned(epochs: int) -> mnist_beta_vae.Autoencoder:
        model = new()
        return as_assigned(model, image_loader(data, batch_size), objective_of(model), epochs)

    def ours(epochs: int) -> mnist_beta_vae.Autoencoder:
        model = new()
        loader = mnist_beta_vae.train_loader(data.train_x, data.train_y, batch_size)
        return mnist_beta_vae.train_ae(model, loader, optim.Adam(model.parameters(), lr=1e-3, fused=True), epochs)

    return Case(
        "MNIST autoencoder", assigned, ours, lambda: objective_of(new())((data.train_x[:batch_size],))[0],
        len(data.train_x) / batch_size,
        lambda model: IMAGE * evaluate(model, test_batches, objective_of(model))["mse"], "squared error", precisions(),
    )  # fmt: skip


def objective_of_conv_vae(model: mnist_conv_vae.VAE) -> Objective:
    """Return the negative ELBO of a batch whose pixels are drawn anew."""

    def objective(batch: Batch) -> tuple[Tensor, Scalars]:
        terms = mnist_conv_vae.calc_elbo(model, mnist_conv_vae.binarize(batch[0]))
        means = {name: value.mean() for name, value in terms._asdict().items()}
        return -means["elbo"], means

    return objective


def conv_vae(data: ImageSet) -> Case[mnist_conv_vae.VAE]:
    """Compare the convolutional VAE on MNIST, pixels drawn anew in every batch."""
    batch_size = 128

    def new() -> mnist_conv_vae.VAE:
        return mnist_conv_vae.VAE().to(data.train_x.device)

    def assigned(epochs: int) -> mnist_conv_vae.VAE:
        model = new()
        return as_assigned(model, image_loader(data, batch_size), objective_of_conv_vae(model), epochs)

    def ours(epochs: int) -> mnist_conv_vae.VAE:
        model = new()
        loader = TensorBatches(data.train_x, batch_size=batch_size, shuffle=True)
        mnist_conv_vae.train(model, optim.Adam(model.parameters(), lr=1e-3, fused=True), loader, None, epochs)
        return model

    def test(model: mnist_conv_vae.VAE) -> float:
        generator = torch.Generator(device=data.test_x.device).manual_seed(2)
        x = mnist_conv_vae.binarize(data.test_x, generator)
        return -float(mnist_conv_vae.elbo_terms(model.eval(), x).elbo.mean())

    return Case(
        "conv VAE on MNIST", assigned, ours, lambda: objective_of_conv_vae(new())((data.train_x[:batch_size],))[0],
        len(data.train_x) / batch_size, test, "-ELBO", precisions(),
    )  # fmt: skip


def fashion_vae(data: ImageSet) -> Case[fashion_latent_space.VAE]:
    """Compare the Fashion-MNIST VAE of the latent-space exercises; as assigned, its loss is summed over the batch."""
    recipe = fashion_latent_space.Recipe()

    def objective_of(model: fashion_latent_space.VAE) -> Objective:
        def objective(batch: Batch) -> tuple[Tensor, Scalars]:
            x_hat, mu, logvar = model(batch[0])
            loss = fashion_latent_space.vae_loss(x_hat, batch[0], mu, logvar)
            return loss, {"loss": loss}

        return objective

    def new() -> fashion_latent_space.VAE:
        return fashion_latent_space.VAE().to(data.train_x.device)

    def assigned(epochs: int) -> fashion_latent_space.VAE:
        model = new()
        return as_assigned(model, image_loader(data, recipe.batch_size), objective_of(model), epochs, recipe.lr)

    def ours(epochs: int) -> fashion_latent_space.VAE:
        seed = int(torch.randint(2**31, ()))
        recipe = fashion_latent_space.Recipe(num_epochs=epochs, seed=seed)
        return fashion_latent_space.train_vae(data.train_x, recipe)[0]

    return Case(
        "Fashion VAE", assigned, ours, lambda: objective_of(new())((data.train_x[: recipe.batch_size],))[0],
        len(data.train_x) / recipe.batch_size,
        lambda model: fashion_latent_space.measure_loss(model, data.test_x)["loss"], "loss", precisions(),
    )  # fmt: skip


def precisions() -> tuple[str, ...]:
    """List float32, and what training uses here where that is another."""
    used = str(training_dtype(best_device(), "auto")).removeprefix("torch.")
    return tuple(dict.fromkeys(("float32", used)))


def cases(mnist: ImageSet, fashion: ImageSet) -> list[Case[Any]]:
    """List all rows of the benchmark."""
    return [
        toy(1, 512, 1e-2, [20], []),
        toy(3, 500, 1e-4, [150, 250], [250, 150]),
        mnist_vae(mnist, "MNIST VAE", AssignedVAE),
        mnist_vae(mnist, "MNIST VAE, mean head only", mean_head, by_pythae(mnist)),
        autoencoder(mnist),
        roll(),
        conv_vae(mnist),
        fashion_vae(fashion),
    ]


def by_pythae(data: ImageSet) -> Ways:
    """Return how pythae trains the VAE of 784-512-2, where it is installed."""
    if not with_pythae.is_installed():
        return {}
    return {"pythae": lambda epochs: with_pythae.train_mnist_vae(data, epochs)}
