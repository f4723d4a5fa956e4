"""VAEs on 2-D toy data (notebook 02; assignment 1, part A).

Reading order: the model (``VAE``), its training (``train_vae``), what a trained model is worth, then the data with
their exact densities, against which the notebook measures. The last section is for part B: a decoder with one variance
for all pixels. All terms are in nats per example, summed over features.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor, nn

from helpers import plots
from helpers.core.batches import Batch, Loader, Objective, Scalars, TensorBatches
from helpers.core.gaussian import LOG_2PI, kl_standard_normal, log_prob, reparameterize, rsample
from helpers.core.history import History
from helpers.core.kept import fit_once
from helpers.core.networks import MLP
from helpers.core.objective import beta_objective, importance_weighted_bound
from helpers.core.speed import Precision, in_precision
from helpers.core.training import evaluate, fit

# A step that meets an outlier under a tiny decoder variance has a gradient thousands of times the usual one.
MAX_NORM = 3.0


class VAE(nn.Module):
    """Model data by a variational autoencoder with a Gaussian posterior and a Gaussian decoder, both diagonal.

        q(z|x) = N(z; mu(x), sigma^2(x)),   p(z) = N(0, I),   p(x|z) = N(x; mu(z), sigma^2(z))

    Source: Kingma & Welling 2014 (arXiv 1312.6114), section 3 and appendix C.2.

    Args:
        input_size: features of an example.
        latent_size: dimensions of z.
        encoder_sizes, decoder_sizes: widths of the hidden layers.
        hidden_activation: between the layers of both networks.
        flatten: flatten each example first (images).
        sigmoid: squash the decoder's mean into (0, 1).
    """

    decoder_heads = 2  # numbers that the decoder gives for each feature: a mean and a log-variance

    def __init__(
        self,
        input_size: int,
        latent_size: int,
        encoder_sizes: Sequence[int],
        decoder_sizes: Sequence[int],
        hidden_activation: Callable[[Tensor], Tensor] = F.relu,
        flatten: bool = False,
        sigmoid: bool = False,
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.latent_size = latent_size
        self.flatten = flatten
        self.sigmoid = sigmoid
        self.encoder = MLP(input_size, encoder_sizes, 2 * latent_size, hidden_activation)
        self.decoder = MLP(latent_size, decoder_sizes, self.decoder_heads * input_size, hidden_activation)

    def start_at_unit_variance(self) -> "VAE":
        """Set both networks' log-variances to 0 at first, whatever the input; means start as they are drawn.

        Data that reach to 15 make an untrained encoder's log-variance 14 for some seeds: codes then lie a thousand
        wide, the decoder's log-variances reach the hundreds, and the first ELBO is minus infinity. Training moves the
        log-variances from there as it does from any other start.

        Returns:
            The model itself.

        Raises:
            ValueError: The decoder has no log-variances of its own (``decoder_heads`` is 1).
        """
        if self.decoder_heads != 2:
            raise ValueError("the decoder gives no log-variances: there is nothing to start at unit variance")
        for network in (self.encoder, self.decoder):
            last = network.layers[-1]
            with torch.no_grad():
                for parameter in last.parameters():  # weight and bias; log-variances are the second half of the outputs
                    parameter[len(parameter) // 2 :].zero_()
        return self

    def forward(self, x: Tensor, *, per_example: bool = False) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Compute the ELBO from one posterior sample per example.

            ELBO = log p(x|z) - KL(q(z|x) || p(z)),   z ~ q(z|x)

        Source: Kingma & Welling 2014 (arXiv 1312.6114), equation 3.

        Args:
            per_example: give the three terms for each example, shape (B,), instead of their means.

        Returns:
            x_pred: mean of p(x|z), in the shape of x.
            z: the posterior sample, shape (B, latent_size).
            elbo, kl, nll: means over the batch, in nats; kl and nll sum to -elbo.

        Raises:
            ValueError: examples of another size than ``input_size``.
        """
        ### START CODE HERE ###
        mu, logvar = self.encode(x)
        z = self.sample_posterior(mu, torch.exp(0.5 * logvar))
        x_mu, x_logvar = self.likelihood(z)
        nll = -log_prob(self.as_vectors(x), x_mu, x_logvar)
        kl = kl_standard_normal(mu, logvar)
        elbo = -(nll + kl)
        x_pred = x_mu.reshape(x.shape)
        ### END CODE HERE ###
        if per_example:
            return x_pred, z, elbo, kl, nll
        return x_pred, z, elbo.mean(), kl.mean(), nll.mean()

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Compute mean and log-variance of q(z|x), shape (B, latent_size) each.

        Source: Kingma & Welling 2014 (arXiv 1312.6114), equation 9.
        """
        ### START CODE HERE ###
        mu, logvar = self.encoder(self.as_vectors(x)).chunk(2, dim=-1)
        ### END CODE HERE ###
        return mu, logvar

    def likelihood(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Compute mean and log-variance of p(x|z), shape (B, input_size) each."""
        x_mu, x_logvar = self.decoder(z).chunk(2, dim=-1)
        return torch.sigmoid(x_mu) if self.sigmoid else x_mu, x_logvar

    def decode(self, z: Tensor, noise: bool = True) -> Tensor:
        """Draw from p(x|z), or give its mean without ``noise``; shape (B, input_size)."""
        ### START CODE HERE ###
        x_mu, x_logvar = self.likelihood(z)
        x_pred = reparameterize(x_mu, x_logvar) if noise else x_mu
        ### END CODE HERE ###
        return x_pred

    def sample(self, batch_size: int, decoder_noise: bool = False) -> Tensor:
        """Draw from the model: z ~ p(z), then x ~ p(x|z), or its mean without ``decoder_noise``.

        Returns:
            Shape (batch_size, input_size), without gradient.
        """
        with torch.no_grad():
            ### START CODE HERE ###
            x_sampled = self.decode(self.sample_prior(batch_size), noise=decoder_noise)
            ### END CODE HERE ###
            return x_sampled

    def sample_prior(self, batch_size: int, device: torch.device | None = None) -> Tensor:
        """Draw z ~ N(0, I), shape (batch_size, latent_size), on the model's device where no other is named."""
        like = next(self.parameters())
        return torch.randn(batch_size, self.latent_size, device=device or like.device, dtype=like.dtype)

    def sample_posterior(self, mean: Tensor, std: Tensor) -> Tensor:
        """Draw z ~ N(mean, std^2) so that gradients reach both: z = mean + std * eps, eps ~ N(0, I).

        Source: Kingma & Welling 2014 (arXiv 1312.6114), section 2.4.
        """
        ### START CODE HERE ###
        z = rsample(mean, std)
        ### END CODE HERE ###
        return z

    def encode_latent(self, x: Tensor) -> Tensor:
        """Draw z ~ q(z|x), shape (B, latent_size).

        Source: Kingma & Welling 2014 (arXiv 1312.6114), section 2.4.
        """
        ### START CODE HERE ###
        mean, logvar = self.encode(x)
        std = torch.exp(0.5 * logvar)
        ### END CODE HERE ###
        return self.sample_posterior(mean, std)

    def as_vectors(self, x: Tensor) -> Tensor:
        """Flatten each example where ``flatten`` says so; refuse examples of another size than ``input_size``."""
        x = x.flatten(1) if self.flatten else x
        if x.ndim != 2 or x.shape[-1] != self.input_size:
            raise ValueError(
                f"the VAE expected examples of {self.input_size} features, shape (batch, {self.input_size}), "
                f"got shape {tuple(x.shape)}: reshape the data, set flatten=True for images, or change input_size"
            )
        return x

    def log_weights(self, x: Tensor, num_samples: int) -> Tensor:
        """Compute importance weights log p(x, z) - log q(z|x) of posterior samples, shape (num_samples, B)."""
        mu, logvar = self.encode(x)
        z = reparameterize(mu.expand(num_samples, -1, -1), logvar)
        prior = torch.zeros_like(mu)
        log_joint = log_prob(self.as_vectors(x), *self.likelihood(z)) + log_prob(z, prior, prior)
        return log_joint - log_prob(z, mu, logvar)


# ---------------------------------------------------------------- training


def vae_objective(model: VAE, beta: float = 1.0) -> Objective:
    """Make the objective that :func:`helpers.core.training.fit` minimises: a batch's nll + beta * kl, and its terms.

    Source: Higgins et al. 2017, "beta-VAE", equation 4.
    """

    def objective(batch: Batch) -> tuple[Tensor, Scalars]:
        ### START CODE HERE ###
        _, _, elbo, kl, nll = model(batch[0])
        loss = beta_objective(nll, kl, beta)
        ### END CODE HERE ###
        return loss, {"elbo": elbo, "kl": kl, "nll": nll}

    return objective


def fit_vae(
    model: VAE,
    optimizer: torch.optim.Optimizer,
    train_loader: Loader,
    val_loader: Loader | None,
    num_epochs: int = 10,
    beta: float = 1.0,
    max_norm: float = MAX_NORM,
    description: str = "VAE",
    precision: Precision = "float32",
    keep: bool = False,
) -> History:
    """Train without drawing; ``train_vae`` is this and its figures."""
    objective = in_precision(precision, vae_objective(model, beta), next(model.parameters()).device)
    return (fit_once if keep else fit)(
        model, optimizer, train_loader, objective, num_epochs=num_epochs, val_loader=val_loader,
        max_norm=max_norm, description=description,
    )  # fmt: skip


def train_vae(
    model: VAE,
    optimizer: torch.optim.Optimizer,
    train_loader: Loader,
    val_loader: Loader,
    test_loader: Loader | None = None,
    figtitle: str | None = None,
    num_epochs: int = 10,
    beta: float = 1.0,
    precision: Precision = "float32",
    keep: bool = False,
) -> tuple[Figure, Figure | None]:
    """Train a beta-VAE and draw how it went.

        loss = nll + beta * kl = -log p(x|z) + beta * KL(q(z|x) || p(z))

    Curves and the printed test line use one posterior sample per example.

    Args:
        train_loader, val_loader, test_loader: yield tuples of tensors, the data first.
        figtitle: above the curves.
        precision: see :func:`helpers.core.speed.training_dtype`; layers as small as the toy sets' gain nothing.
        keep: train once, and load what was trained the next time: see :func:`helpers.core.kept.fit_once`.

    Returns:
        The curves; and, with a test loader, the data beside samples with and without decoder noise.

    Raises:
        ValueError: an empty loader, or beta below 0.
        FloatingPointError: a term of the loss became NaN or infinite.
    """
    history = fit_vae(
        model, optimizer, train_loader, val_loader, num_epochs, beta,
        description=figtitle or "VAE", precision=precision, keep=keep,
    )  # fmt: skip
    test = None if test_loader is None else evaluate(model, test_loader, vae_objective(model, beta))
    names = {"elbo": "ELBO", "kl": "KL divergence", "nll": "Negative log-likelihood"}
    curves = plots.training_curves(history, test, names, figtitle)
    if test_loader is None or test is None:
        return curves, None
    clouds = {
        "Data (test set)": torch.cat([batch[0] for batch in test_loader]).cpu().numpy(),
        "Samples with decoder noise": model.sample(5000, decoder_noise=True).cpu().numpy(),
        "Samples without decoder noise": model.sample(5000, decoder_noise=False).cpu().numpy(),
    }
    print(f"Final test performance: ELBO = {test['elbo']:.5f}, KL = {test['kl']:.5f}, NLL = {test['nll']:.5f}")
    return curves, plots.scatters(clouds, title=figtitle)


# ---------------------------------------------------------------- what a trained model is worth


@torch.no_grad()
def negative_elbo(model: VAE, x: Tensor, num_samples: int = 16, seed: int = 0) -> Tensor:
    """Average -ELBO per example over posterior samples, shape (B,); the same for the same seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return -torch.stack([model(x, per_example=True)[2] for _ in range(num_samples)]).mean(dim=0)


@torch.no_grad()
def importance_weighted_nll(model: VAE, x: Tensor, num_samples: int = 500, chunk: int = 8, seed: int = 0) -> Tensor:
    """Estimate -log p(x) per example from ``num_samples`` posterior samples, shape (B,); an upper bound on average.

    Source: Burda et al. 2016 (arXiv 1509.00519), equation 8.

    Args:
        chunk: examples at once; more spill out of a processor's cache. The same below.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return -torch.cat([importance_weighted_bound(model.log_weights(part, num_samples)) for part in x.split(chunk)])


@torch.no_grad()
def prior_nll(model: VAE, x: Tensor, num_samples: int = 20_000, chunk: int = 20, seed: int = 0) -> Tensor:
    """Estimate -log p(x) per point from draws of the prior, shape (B,): log-mean-exp of log p(x|z), z ~ p(z).

    It does not use the encoder, so it checks :func:`importance_weighted_nll`, and is smooth where no posterior was ever
    trained. It needs few dimensions: with more, hardly a draw of z would fit a given x.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        x_mu, x_logvar = model.likelihood(model.sample_prior(num_samples))
    nll = [math.log(num_samples) - log_prob(p[:, None], x_mu, x_logvar).logsumexp(dim=1) for p in x.split(chunk)]
    return torch.cat(nll)


# ---------------------------------------------------------------- the data, and what is exactly known of them

COUNT = 100_000
CENTRE, SPREAD = np.array([1.0, 2.0]), np.array([5.0, 1.0])
ROTATION = np.array([[1.0, 1.0], [-1.0, 1.0]]) * np.sqrt(2) / 2
BLOBS, NOISE = np.array([[-1.5, 2.5], [1.5, 2.5]]), 0.2


def sample_data_1() -> np.ndarray:
    """Draw dataset 1, shape (100000, 2): independent normals, mean (1, 2), standard deviations 5 and 1."""
    return CENTRE + np.random.RandomState(0).randn(COUNT, 2) * SPREAD


def sample_data_2() -> np.ndarray:
    """Draw dataset 2, shape (100000, 2): the same ellipse, rotated by 45 degrees."""
    return CENTRE + (np.random.RandomState(0).randn(COUNT, 2) * SPREAD) @ ROTATION


def sample_data_3() -> tuple[np.ndarray, np.ndarray]:
    """Draw dataset 3: two round blobs above a half circle, points (99999, 2) and their component 0, 1, 2, shuffled."""
    rand = np.random.RandomState(0)
    third = COUNT // 3
    blobs = [centre + rand.randn(third, 2) * NOISE for centre in BLOBS]
    angle = np.linspace(0, np.pi, third)
    arc = np.stack([2 * np.cos(angle), -np.sin(angle)], axis=1)
    arc += rand.randn(third, 2) * NOISE
    points, component = np.concatenate([*blobs, arc]), np.repeat([0, 1, 2], third)
    order = rand.permutation(len(points))
    return points[order], component[order]


def exact_nll_1(x: np.ndarray) -> np.ndarray:
    """Compute -log p(x) under the distribution that dataset 1 is drawn from, shape (B,)."""
    w = (np.asarray(x, dtype=np.float64) - CENTRE) / SPREAD
    return 0.5 * (w**2).sum(axis=1) + LOG_2PI + np.log(SPREAD).sum()


def exact_nll_2(x: np.ndarray) -> np.ndarray:
    """Compute -log p(x) for dataset 2: rotate back, a rotation keeps volumes."""
    return exact_nll_1(CENTRE + (np.asarray(x, dtype=np.float64) - CENTRE) @ ROTATION.T)


def exact_nll_3(x: np.ndarray, nodes: int = 128) -> np.ndarray:
    """Compute -log p(x) for dataset 3: a third each blob, a third the arc, integrated by Gauss-Legendre quadrature."""
    x = np.asarray(x, dtype=np.float64)
    position, weight = np.polynomial.legendre.leggauss(nodes)
    angle, weight = np.pi * (position + 1) / 2, weight / 2
    arc = np.stack([2 * np.cos(angle), -np.sin(angle)], axis=1)
    centres = np.concatenate([BLOBS, arc])
    shares = np.concatenate([[1 / 3, 1 / 3], weight / 3])
    squared = ((x[:, None, :] - centres) ** 2).sum(axis=-1)
    density = np.exp(-squared / (2 * NOISE**2)) @ shares / (2 * np.pi * NOISE**2)
    return -np.log(np.maximum(density, np.finfo(np.float64).tiny))


class ToyData(NamedTuple):
    """Hold a toy set in the assignment's splits, with what is exactly known of it (nats per point)."""

    train: Tensor
    val: Tensor
    test: Tensor
    exact_nll: Callable[[np.ndarray], np.ndarray]  # of the distribution that the points are drawn from
    entropy: float  # its mean: no model's expected -ELBO is below it
    component: np.ndarray | None  # of the test points, dataset 3 only

    def loaders(self, batch_size: int) -> tuple[TensorBatches, TensorBatches, TensorBatches]:
        """Cut batches of the three splits; only those for training are shuffled."""
        return (
            TensorBatches(self.train, batch_size=batch_size, shuffle=True),
            TensorBatches(self.val, batch_size=batch_size),
            TensorBatches(self.test, batch_size=batch_size),
        )

    def gap(self, nll: Tensor) -> float:
        """Subtract the true density's mean NLL on the test points from a model's nll (or -ELBO) on the same points."""
        return float(nll.cpu().double().mean()) - float(self.exact_nll(self.test.cpu().numpy()).mean())


def load_toy(number: Literal[1, 2, 3], device: torch.device | str = "cpu") -> ToyData:
    """Load toy set 1, 2 or 3; the last 5,000 points are the test set (20,000 for set 3), 5,000 before validation."""
    ellipse_entropy = LOG_2PI + 1 + float(np.log(SPREAD).sum())
    if number == 1:
        points, component, exact, entropy, n_test = sample_data_1(), None, exact_nll_1, ellipse_entropy, 5_000
    elif number == 2:
        points, component, exact, entropy, n_test = sample_data_2(), None, exact_nll_2, ellipse_entropy, 5_000
    elif number == 3:
        (points, component), exact, entropy, n_test = sample_data_3(), exact_nll_3, 1.333929, 20_000
    else:
        raise ValueError(f"there are toy sets 1, 2 and 3, got {number!r}")
    x = torch.as_tensor(points, dtype=torch.float32, device=device)
    train, val, test = x.split([len(x) - 5_000 - n_test, 5_000, n_test])
    return ToyData(train, val, test, exact, entropy, None if component is None else component[-n_test:])


# ---------------------------------------------------------------- part B: one variance for all pixels


class SharedVarianceVAE(VAE):
    """Give the decoder of a VAE one variance for all features: learned with the network, or a fixed number.

    For images a variance of each pixel's own would be fitted to pixels that are always black. One learned number for
    all is the sigma-VAE of Rybkin et al. 2021 (arXiv 2006.13202). A fixed 1/2 makes the nll the plain summed squared
    error plus a constant.

    Args:
        sizes, options: those of :class:`VAE`.
        variance: the fixed variance; where it is None, it is learned.
    """

    decoder_heads = 1  # a mean
    logvar_in_tens: Tensor

    def __init__(self, *sizes: Any, variance: float | None = None, **options: Any) -> None:
        super().__init__(*sizes, **options)
        if variance is None:
            self.logvar_in_tens = nn.Parameter(torch.zeros(()))
        else:
            self.register_buffer("logvar_in_tens", torch.tensor(math.log(variance) / 10))

    @property
    def shared_logvar(self) -> Tensor:
        """Compute the log-variance common to all features, shape ().

        Adam moves any parameter by about its learning rate a step: at 1e-3 a log-variance on its way from 0 to -3
        would not arrive in 25 epochs of MNIST. Counted in tens, it takes steps ten times as long.
        """
        return 10 * self.logvar_in_tens

    def likelihood(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the mean of p(x|z), shape (B, input_size), and its log-variance, shape ()."""
        x_mu = self.decoder(z)
        return torch.sigmoid(x_mu) if self.sigmoid else x_mu, self.shared_logvar
