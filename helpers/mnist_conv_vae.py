"""A convolutional VAE on MNIST with honest ELBOs (notebook 05; exercise "Variational Auto-Encoders").

Reading order: the model, ``calc_elbo`` (one function for training, validation and test), ``sample``, training, then
what is measured: the importance-weighted NLL and the report on the test set.

The likelihood is Bernoulli, so it is a likelihood only of pixels that are 0 or 1. Training draws new binary pixels
from the gray values every time it sees an image (*dynamic binarisation*); evaluation fixes one draw by a seed. Numbers
on gray values as targets are a cross-entropy, not a likelihood, and are reported apart.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from helpers.core.batches import Batch, Loader, Scalars, TensorBatches
from helpers.core.gaussian import kl_per_latent, kl_standard_normal, log_prob, reparameterize
from helpers.core.history import History
from helpers.core.kept import fit_once
from helpers.core.networks import CHUNK, ConvDecoder, ConvEncoder
from helpers.core.objective import bernoulli_nll
from helpers.core.speed import in_precision
from helpers.core.training import fit


class VAE(nn.Module):
    """Model binary images by a convolutional encoder and decoder around a Gaussian posterior; Bernoulli pixels.

        q(z|x) = N(z; mu(x), sigma^2(x)),   p(z) = N(0, I),   p(x|z) = prod_i Bernoulli(x_i; sigmoid(logits_i(z)))

    Source: Kingma & Welling 2014 (arXiv 1312.6114), appendix C.1.
    """

    def __init__(self, latent_dim: int = 24, channels: tuple[int, int] = (16, 48), hidden: int = 256) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.encoder = ConvEncoder(2 * latent_dim, channels, hidden)
        self.decoder = ConvDecoder(latent_dim, channels, hidden)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Compute mean and log-variance of q(z|x), shape (B, latent_dim) each.

        Raises:
            ValueError: images of another shape than (B, 1, 28, 28).
        """
        if x.ndim != 4 or x.shape[1:] != (1, 28, 28):
            raise ValueError(f"the VAE expected images of shape (batch, 1, 28, 28), got {tuple(x.shape)}: reshape them")
        mu, logvar = self.encoder(x).chunk(2, dim=-1)
        return mu, logvar

    def decode(self, z: Tensor) -> Tensor:
        """Compute logits of the pixels, shape (B, 1, 28, 28); their sigmoid is the probability of a white pixel."""
        return self.decoder(z)


class ElboTerms(NamedTuple):
    """Hold what ``calc_elbo`` gives, in nats per example, shape (B,); elbo = log_likelihood - kl."""

    elbo: Tensor
    log_likelihood: Tensor
    kl: Tensor


def binarize(x: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Draw pixels that are 0 or 1, white with the gray value's probability; fixed by a generator's seed."""
    return (torch.rand(x.shape, generator=generator, device=x.device) < x).to(x.dtype)


def calc_elbo(model: VAE, x: Tensor, generator: torch.Generator | None = None) -> ElboTerms:
    """Compute the ELBO of each image from one posterior sample: the same function for training, validation and test.

        ELBO = log p(x|z) - KL(q(z|x) || p(z)),   z ~ q(z|x)

    Source: Kingma & Welling 2014 (arXiv 1312.6114), equation 3.

    Args:
        x: shape (B, 1, 28, 28); binary pixels make the first term a log-likelihood, gray values a cross-entropy.
        generator: source of z where a result must not depend on what ran before.
    """
    mu, logvar = model.encode(x)
    ### START CODE HERE ###
    logits = model.decode(reparameterize(mu, logvar, generator))
    log_likelihood = -bernoulli_nll(logits, x)
    kl = kl_standard_normal(mu, logvar)
    ### END CODE HERE ###
    return ElboTerms(log_likelihood - kl, log_likelihood, kl)


@torch.no_grad()
def sample(model: VAE, n: int, binary: bool = False, generator: torch.Generator | None = None) -> Tensor:
    """Draw images from the model: z ~ N(0, I), decoded; shape (n, 28, 28).

    Args:
        binary: draw the pixels too, as p(x|z) says; else their probabilities, which are means and not draws.
    """
    device = next(model.parameters()).device
    ### START CODE HERE ###
    z = torch.randn(n, model.latent_dim, generator=generator, device=device)
    x = torch.sigmoid(model.decode(z))
    ### END CODE HERE ###
    return (binarize(x, generator) if binary else x)[:, 0]


def train(
    model: VAE,
    optimizer: torch.optim.Optimizer,
    train_loader: Loader,
    val_loader: Loader | None,
    num_epochs: int,
    schedule: torch.optim.lr_scheduler.LRScheduler | None = None,
    *,
    keep: bool = False,
) -> History:
    """Maximise the ELBO, and remember ELBO, log-likelihood and KL of both loaders.

    Args:
        train_loader: yields gray images; each batch is binarised anew.
        val_loader: yields images that are binary already.
        keep: train once, and load what was trained the next time: see :func:`helpers.core.kept.fit_once`.
    """

    def objective(batch: Batch) -> tuple[Tensor, Scalars]:
        ### START CODE HERE ###
        x = binarize(batch[0])  # leaves binary images as they are
        terms = calc_elbo(model, x)
        means = {name: t.mean() for name, t in terms._asdict().items()}
        loss = -means["elbo"]
        ### END CODE HERE ###
        return loss, means

    return (fit_once if keep else fit)(
        model, optimizer, train_loader, in_precision("auto", objective, next(model.parameters()).device),
        num_epochs=num_epochs, val_loader=val_loader, max_norm=200.0,
        schedule=None if schedule is None else schedule.step, description="conv VAE",
    )  # fmt: skip


@torch.no_grad()
def elbo_terms(model: VAE, x: Tensor, num_samples: int = 1, seed: int = 0, chunk: int = CHUNK) -> ElboTerms:
    """Apply ``calc_elbo`` to a whole set, averaged over posterior samples; the same for the same seed."""
    generator = torch.Generator(device=x.device).manual_seed(seed)
    parts = []
    for part in x.split(chunk):
        draws = [calc_elbo(model, part, generator) for _ in range(num_samples)]
        parts.append([torch.stack(t).mean(dim=0) for t in zip(*draws, strict=True)])
    return ElboTerms(*(torch.cat(t) for t in zip(*parts, strict=True)))


@torch.no_grad()
def importance_weighted_nll(model: VAE, x: Tensor, num_samples: int = 500, seed: int = 0) -> Tensor:
    """Estimate -log p(x) per image, shape (B,), on average an upper bound: each image is encoded once.

        -log 1/K sum_k p(x|z_k) p(z_k) / q(z_k|x),   z_k ~ q(z|x)

    The sum is streamed in the log domain, so memory does not grow with K.
    Source: Burda et al. 2016 (arXiv 1509.00519), equation 8.
    """
    generator = torch.Generator(device=x.device).manual_seed(seed)
    totals = []
    for part in x.split(CHUNK):
        mu, logvar = model.encode(part)
        total = torch.full((len(part),), -torch.inf, device=x.device)
        for _ in range(num_samples):
            z = reparameterize(mu, logvar, generator)
            log_prior, log_q = log_prob(z, torch.zeros_like(mu), torch.zeros_like(mu)), log_prob(z, mu, logvar)
            nll = bernoulli_nll(model.decode(z), part)
            total = torch.logaddexp(total, log_prior - log_q - nll)
        totals.append(total)
    return torch.log(torch.tensor(float(num_samples))) - torch.cat(totals)


@torch.no_grad()
def rotated_elbo(model: VAE, x: Tensor, rotation: Tensor, num_samples: int = 4, seed: int = 0) -> Tensor:
    """Compute the ELBO per image, shape (B,), of the model whose latent space is turned: z' = R z, decoded from R^T z'.

    The density p(x) of such a model is the same, for the prior N(0, I) does not change. The posterior N(mu, diag(s^2))
    becomes N(R mu, R diag(s^2) R^T), whose axes are no longer those of the latents. Of all diagonal Gaussians

        q'(z'|x) = N(R mu, diag(1 / (R diag(1/s^2) R^T)_jj))

    has the least KL divergence from it (Bishop 2006, "Pattern Recognition and Machine Learning", section 10.1.2).

    Args:
        rotation: R, orthogonal, shape (latent_dim, latent_dim).
    """
    generator = torch.Generator(device=x.device).manual_seed(seed)
    parts = []
    for part in x.split(CHUNK):
        mu, logvar = model.encode(part)
        mu, logvar = mu @ rotation.T, -torch.log(torch.exp(-logvar) @ rotation.T.square())
        draws = [reparameterize(mu, logvar, generator) @ rotation for _ in range(num_samples)]
        nll = torch.stack([bernoulli_nll(model.decode(z), part) for z in draws]).mean(dim=0)
        parts.append(-nll - kl_standard_normal(mu, logvar))
    return torch.cat(parts)


def refine_posterior(
    model: VAE, x: Tensor, num_steps: int = 300, num_samples: int = 8, lr: float = 0.03, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Optimise mean and log-variance of each image's own posterior, from what the encoder says; the model stays.

    Maximises the ELBO by Adam, its learning rate falling to zero, and gives shapes (B, latent_dim) each. What the ELBO
    gains is the *amortisation gap*: the price of one encoder for all images.
    Source: Cremer et al. 2018 (arXiv 1801.03558), section 3.
    """
    generator = torch.Generator(device=x.device).manual_seed(seed)
    with torch.no_grad():
        posterior = nn.ParameterList([nn.Parameter(part.clone()) for part in model.encode(x)])
    optimizer = torch.optim.Adam(posterior.parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, num_steps)

    def objective(batch: Batch) -> tuple[Tensor, Scalars]:
        mu, logvar = posterior
        codes = [reparameterize(mu, logvar, generator) for _ in range(num_samples)]
        draws = [bernoulli_nll(model.decode(z), batch[0]) for z in codes]
        loss = (torch.stack(draws).mean(dim=0) + kl_standard_normal(mu, logvar)).sum()
        return loss, {"loss": loss}

    fit(
        posterior, optimizer, [(x,)] * num_steps, objective,
        num_epochs=1, max_norm=float("inf"), schedule=schedule.step, description="posteriors",
    )  # fmt: skip
    model.zero_grad()  # its weights took part, and stay
    mu, logvar = posterior
    return mu.detach(), logvar.detach()


@torch.no_grad()
def elbo_of(model: VAE, x: Tensor, mu: Tensor, logvar: Tensor, num_samples: int = 100, seed: int = 1) -> Tensor:
    """Compute the ELBO per image, shape (B,), for a given posterior, averaged over its samples."""
    generator = torch.Generator(device=x.device).manual_seed(seed)
    draws = [bernoulli_nll(model.decode(reparameterize(mu, logvar, generator)), x) for _ in range(num_samples)]
    return -torch.stack(draws).mean(dim=0) - kl_standard_normal(mu, logvar)


def train_classifier(x: Tensor, y: Tensor, num_epochs: int = 3) -> nn.Module:
    """Train a small network to name the digit on a gray image: the judge of what the model generates."""
    size = 28 * 28
    judge = nn.Sequential(nn.Flatten(), nn.Linear(size, 256), nn.ReLU(), nn.Linear(256, 10)).to(x.device)
    optimizer = torch.optim.Adam(judge.parameters(), lr=1e-3)
    loader = TensorBatches(x, y, batch_size=128, shuffle=True)

    def objective(batch: Batch) -> tuple[Tensor, Scalars]:
        loss = nn.functional.cross_entropy(judge(batch[0]), batch[1])
        return loss, {"loss": loss}

    fit(judge, optimizer, loader, objective, num_epochs=num_epochs, description="classifier")
    return judge.eval()


@torch.no_grad()
def share_recognised(judge: nn.Module, images: Tensor, least: float = 0.9) -> float:
    """Return the share of images, shape (N, 28, 28), to which the judge gives a digit at least this probability."""
    return float((judge(images[:, None]).softmax(dim=1).amax(dim=1) >= least).float().mean())


@torch.no_grad()
def rates(model: VAE, x: Tensor) -> Tensor:
    """Average the KL of each latent over images, in nats, shape (latent_dim,)."""
    mu, logvar = zip(*(model.encode(part) for part in x.split(CHUNK)), strict=True)
    return kl_per_latent(torch.cat(mu), torch.cat(logvar)).mean(dim=0)


@torch.no_grad()
def active_units(model: VAE, x: Tensor, threshold: float = 0.01) -> Tensor:
    """Find the latents whose posterior means vary over images by more than ``threshold``, shape (latent_dim,), bool.

    Source: Burda et al. 2016 (arXiv 1509.00519), section 5: A_u = Cov_x(E_{q(u|x)}[u]) > 0.01.
    """
    return torch.cat([model.encode(part)[0] for part in x.split(CHUNK)]).var(dim=0) > threshold


@torch.no_grad()
def decode_images(model: VAE, z: Tensor) -> Tensor:
    """Decode codes to pixel probabilities, shape (N, 28, 28)."""
    return torch.sigmoid(model.decode(z))[:, 0].cpu()


def report(rows: Mapping[str, float]) -> str:
    """Write named numbers in nats per image, one a line."""
    return "\n".join(f"{name:<58}{value:9.2f}" for name, value in rows.items())
