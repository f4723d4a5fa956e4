"""How much a result owes to its seed: the assigned runs over many seeds, as a table.

    python -m course.dev.seed_spread toy              datasets 1 and 2, seeds 0 to 9
    python -m course.dev.seed_spread mnist --seeds 5  part B's four models

Toy: gap between the test set's -ELBO (64 posterior samples a point) and the true density's NLL on the same points.
"""

import argparse
import math

import numpy as np
import torch
from torch import Tensor
from torch.optim import Adam

from helpers.core.data import load_images
from helpers.mnist_beta_vae import Autoencoder, Measures, measure, train_ae, train_loader
from helpers.toy_vae import MAX_NORM, VAE, SharedVarianceVAE, ToyData, fit_vae, load_toy, negative_elbo


def toy_run(data: ToyData, seed: int, max_norm: float) -> tuple[float, float]:
    """Do the assigned run on dataset 1 or 2; return gap and KL on the test set, in nats."""
    torch.manual_seed(seed)
    model = VAE(2, 2, [20], [])
    train, _, _ = data.loaders(512)
    optimizer = Adam(model.parameters(), 1e-2, fused=True)
    fit_vae(model, optimizer, train, None, num_epochs=10, max_norm=max_norm, description=f"seed {seed}")
    with torch.no_grad():
        kl = float(model(data.test)[3])
    return data.gap(negative_elbo(model, data.test, num_samples=64)), kl


def toy(seeds: int, max_norm: float) -> None:
    """Print gap and KL of datasets 1 and 2 for each seed."""
    print("dataset   seed   gap (nats)   KL (nats)")
    for number in (1, 2):
        data = load_toy(number)
        rows = np.array([toy_run(data, seed, max_norm) for seed in range(seeds)])
        for seed, (gap, kl) in enumerate(rows):
            print(f"{number:7d} {seed:6d} {gap:12.4f} {kl:11.3f}")
        print(f"{number:7d} median {np.median(rows[:, 0]):11.4f} {np.median(rows[:, 1]):11.3f}")
        print(f"{number:7d} worst  {rows[:, 0].max():11.4f} {rows[:, 1].min():11.3f}  (largest gap, smallest KL)")


def mnist(seeds: int) -> None:
    """Print the measures of part B's four models for each seed."""
    data = load_images("mnist", allow_standin=False)
    train, test = (data.train_x, data.train_y), (data.test_x, data.test_y)
    print("model         seed   squared error      NLL   KL per latent   kNN mu    kNN z   silhouette")
    for seed in range(seeds):
        for beta in (None, 1, 3, 10):
            torch.manual_seed(seed)
            model = autoencoder(train) if beta is None else beta_vae(train, beta)
            name = "autoencoder" if beta is None else f"VAE beta {beta}"
            print(line(name, seed, measure(model, beta is not None, train, test)), flush=True)


def autoencoder(train: tuple[Tensor, Tensor]) -> Autoencoder:
    model = Autoencoder(2)
    return train_ae(model, train_loader(*train), Adam(model.parameters(), 1e-3, fused=True), num_epochs=15)


def beta_vae(train: tuple[Tensor, Tensor], beta: float) -> VAE:
    model = SharedVarianceVAE(784, 2, [512], [512], flatten=True, sigmoid=True)
    fit_vae(model, Adam(model.parameters(), 1e-3, fused=True), train_loader(*train), None, 15, beta)
    return model


def line(name: str, seed: int, m: Measures) -> str:
    nll = "-" if m.nll is None else f"{m.nll:.1f}"
    kl = "-" if m.kl is None else " ".join(f"{k:.2f}" for k in m.kl)
    knn_z = "-" if m.knn_z is None else f"{m.knn_z:.3f}"
    return (
        f"{name:<12} {seed:5d} {m.squared_error:15.2f} {nll:>8} {kl:>15} {m.knn_mu:8.3f} {knn_z:>8} "
        f"{m.silhouette:12.3f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["toy", "mnist"])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--plain", action="store_true", help="toy: train without the bound on the gradient's norm")
    args = parser.parse_args()
    if args.part == "toy":
        toy(args.seeds, math.inf if args.plain else MAX_NORM)
    else:
        mnist(args.seeds)


if __name__ == "__main__":
    main()
