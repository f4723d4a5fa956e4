"""A VAE on the 2-D Swiss roll (notebook 03).

Reading order: the data (``generate_swiss_roll``), the model (``VAE``), its loss (``compute_vae_loss``), training and
pictures; then what the notebook measures with: two estimators of one gradient, a model's report, and the least loss
that any VAE can have. Losses follow the assignment: means over points *and* dimensions, not nats per point.
"""

import contextlib
import functools
import math
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple, get_args

import numpy as np
import torch
from IPython.display import display
from matplotlib.figure import Figure
from torch import Tensor, nn

from helpers import plots
from helpers.core import gaussian, latent
from helpers.core.batches import Batch, Objective, Scalars
from helpers.core.kept import fit_once
from helpers.core.networks import MLP
from helpers.core.objective import beta_objective
from helpers.core.training import best_device, fit

__all__ = [
    "ESTIMATORS", "VAE", "Report", "SwissRollBatches", "compute_vae_loss", "decoded_grid", "decoder_variance",
    "distance_to_roll", "expected_error_gradients", "generate_swiss_roll", "least_loss", "measure", "roll",
    "score_function_loss", "teach_parameter", "train_vae", "train_vae_with_visualization", "visualize_latent_space",
    "visualize_reconstructions",
]  # fmt: skip

DATA_DIM = 2
T_MIN, T_MAX = 1.5 * math.pi, 4.5 * math.pi  # one and a half turns
SCALE = 15.0  # brings the outer end to radius 0.94; neighbouring turns lie 2 pi / 15 = 0.42 apart
TAUGHT_LOGVAR = -6.0  # that neighbours on the roll keep apart when the decoder first meets noise
STEPS_PER_READ = 50  # losses are read from the device, and the progress bar's number renewed, this often


# ---------------------------------------------------------------- the data


def roll(t: Tensor) -> Tensor:
    """Compute points of the curve itself: t (cos t, sin t) / 15; shape (N,) gives (N, 2)."""
    return torch.stack([t * torch.cos(t), t * torch.sin(t)], dim=1) / SCALE


def generate_swiss_roll(n_samples: int = 1000, *, generator: torch.Generator | None = None) -> Tensor:
    """Draw points of the roll at uniform angles, without noise, shape (n_samples, 2), on the CPU.

        x = t (cos t, sin t) / 15,   t = 1.5 pi (1 + 2 u),   u ~ U(0, 1)

    Uniform in the angle is not uniform along the curve: the inner turn is more densely covered.

    Args:
        generator: source of u where a result must not depend on what ran before.

    Raises:
        ValueError: fewer than one point.
    """
    if n_samples < 1:
        raise ValueError(f"n_samples must be at least 1, got {n_samples}: it counts the points to draw")
    return roll(T_MIN * (1 + 2 * torch.rand(n_samples, generator=generator, device="cpu")))


class SwissRollBatches:
    """Draw new points for every batch, none of them twice: so training loss is test loss.

    Args:
        batch_size: points in a batch.
        length: batches in one pass; the next pass brings others.
    """

    def __init__(self, batch_size: int, length: int) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        self.batch_size = batch_size
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[Batch]:
        for _ in range(self.length):
            yield (generate_swiss_roll(self.batch_size),)


# ---------------------------------------------------------------- the model and its loss


class VAE(nn.Module):
    """Model points in the plane by a variational autoencoder, three hidden layers each way.

        q(z|x) = N(z; mu(x), sigma^2(x)),   p(z) = N(0, I),   x_hat = decoder(z)

    Source: Kingma & Welling 2014 (arXiv 1312.6114), section 3.

    Args:
        latent_dim: dimensions of z.
        hidden_dim: units in each hidden layer.

    Raises:
        ValueError: one of them is below 1.
    """

    def __init__(self, latent_dim: int = 2, hidden_dim: int = 256) -> None:
        super().__init__()
        if min(latent_dim, hidden_dim) < 1:
            raise ValueError(f"latent_dim and hidden_dim must be at least 1, got {latent_dim} and {hidden_dim}")
        self.latent_dim = latent_dim
        self.encoder = nn.Sequential(MLP(DATA_DIM, [hidden_dim, hidden_dim], hidden_dim), nn.ReLU())
        self.fc_mu = nn.Linear(hidden_dim, latent_dim)
        self.fc_logvar = nn.Linear(hidden_dim, latent_dim)
        self.decoder = MLP(latent_dim, [hidden_dim] * 3, DATA_DIM)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Compute mean and log-variance of q(z|x), shape (B, latent_dim) each, for points of shape (B, 2).

        Raises:
            ValueError: points of another shape.
        """
        if x.ndim != 2 or x.shape[1] != DATA_DIM:
            raise ValueError(
                f"the VAE expected points of shape (batch, {DATA_DIM}), got {tuple(x.shape)}: reshape them"
            )
        h = self.encoder(x)
        return self.fc_mu(h), self.fc_logvar(h)

    def reparameterize(self, mu: Tensor, logvar: Tensor) -> Tensor:
        """Draw z ~ N(mu, exp(logvar)) so that gradients reach both; shapes (..., latent_dim).

            z = mu + exp(logvar / 2) * eps,   eps ~ N(0, I)

        Source: Kingma & Welling 2014 (arXiv 1312.6114), section 2.4.
        """
        ### START CODE HERE ###
        z = gaussian.reparameterize(mu, logvar)
        ### END CODE HERE ###
        return z

    def decode(self, z: Tensor) -> Tensor:
        """Compute the point that a code stands for: (..., latent_dim) gives (..., 2)."""
        return self.decoder(z)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map points of shape (B, 2) to ``(recon_x, mu, logvar)``, with one posterior sample per point."""
        mu, logvar = self.encode(x)
        return self.decode(self.reparameterize(mu, logvar)), mu, logvar


def compute_vae_loss(model: VAE, x: Tensor, beta: float) -> Tensor:
    """Add beta times the divergence to the squared error, both averaged over the batch *and* their dimensions.

        loss = 1/D E|x - x_hat|^2 + beta/d E[KL(q(z|x) || p(z))],   D = 2 coordinates, d latents

    Both means hide a factor. For a decoder p(x|z) = N(x_hat, s^2 I) of the variance s^2 = beta D / (2 d),

        loss = beta/d (-ELBO - D/2 log(2 pi s^2)),

    so beta *is* a choice of decoder noise: beta = 0.01 with 2 latents says s^2 = 0.005. Against a summed squared error
    it counts as the weight beta D / d on the KL, against a decoder of variance 1 as beta D / (2 d).

    Source: Kingma & Welling 2014 (arXiv 1312.6114), equation 10, for the KL; Higgins et al. 2017, "beta-VAE",
    equation 4, for its weight.

    Raises:
        ValueError: points of another shape than (B, 2), or beta below 0.
    """
    recon_x, mu, logvar = model(x)
    recon_loss = (recon_x - x).square().mean()
    ### START CODE HERE ###
    kl_loss = gaussian.kl_per_latent(mu, logvar).mean()
    ### END CODE HERE ###
    return beta_objective(recon_loss, kl_loss, beta)


def decoder_variance(beta: float, latent_dim: int = 2) -> float:
    """Compute the decoder variance s^2 = beta D / (2 d) for which :func:`compute_vae_loss` is a scaled -ELBO.

    In squared units of the data; derived in :func:`compute_vae_loss`.

    Raises:
        ValueError: beta is not above 0, or no latents: no Gaussian decoder belongs to such a loss.
    """
    if not beta > 0 or latent_dim < 1:
        raise ValueError(f"a decoder variance needs beta above 0 and at least 1 latent, got {beta} and {latent_dim}")
    return beta * DATA_DIM / (2 * latent_dim)


# ---------------------------------------------------------------- training and pictures

Loss = Callable[[VAE, Tensor, float], Tensor]


def train_vae(
    n_steps: int = 1000,
    batch_size: int = 128,
    lr: float = 1e-3,
    beta: float = 0.01,
    *,
    latent_dim: int = 2,
    hidden_dim: int = 256,
    seed: int | None = None,
    loss: Loss = compute_vae_loss,
    start: VAE | None = None,
    on_step: Callable[[VAE, int], None] | None = None,
    every: int = STEPS_PER_READ,
    keep: bool = False,
) -> tuple[VAE, list[float], torch.device]:
    """Train a fresh VAE with Adam, each step on new points.

    Args:
        n_steps, batch_size, lr, beta: as the assignment has them.
        latent_dim, hidden_dim: of the VAE.
        seed: of weights, data and noise; without it PyTorch's global state goes on.
        loss: minimised in place of :func:`compute_vae_loss`.
        start: trained in place of a fresh VAE of these sizes.
        on_step: called with the model and the number of its steps, before the first, after every ``every`` and
            after the last: for drawing.
        keep: train once, and load what was trained the next time: see :func:`helpers.core.kept.fit_once`.

    Returns:
        The model, the loss of every step, and the device that it ran on.

    Raises:
        ValueError: a count below 1, or beta below 0.
        FloatingPointError: a loss became NaN or infinite.
    """
    batches = SwissRollBatches(batch_size, _steps_in_a_pass(n_steps, every))
    device = best_device()
    with _seeded(seed):
        model = (VAE(latent_dim, hidden_dim) if start is None else start).to(device)
        optimizer = torch.optim.Adam(model.parameters(), lr=lr, fused=device.type != "mps")
        history = (fit_once if keep else fit)(
            model, optimizer, batches, _objective(model, beta, loss), num_epochs=n_steps // len(batches),
            max_norm=math.inf, on_epoch=_between_passes(model, on_step, len(batches), n_steps, every),
            description="Swiss roll",
        )  # fmt: skip
    return model, history.train["loss"].tolist(), device


def teach_parameter(model: VAE, n_steps: int = 1000, batch_size: int = 128, lr: float = 1e-3) -> VAE:
    """Teach both networks where on the roll a point is, as the prior would have it, before the loss is trained.

    A point of the angle u gets the code z that lays the roll along the prior: the standard normal quantile of u. By
    squared errors the encoder's mean is taught z, its log-variance a small value, and the decoder the point itself.

    Raises:
        ValueError: a model of more than one latent.
    """
    if model.latent_dim != 1:
        raise ValueError(f"expected a model with 1 latent, got {model.latent_dim}: the roll's parameter is one number")
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)

    def objective(batch: Batch) -> tuple[Tensor, Scalars]:
        u = batch[0].clamp(1e-4, 1 - 1e-4)
        x, z = roll(T_MIN * (1 + 2 * u)), torch.special.ndtri(u)[:, None]
        mu, logvar = model.encode(x)
        errors = mu - z, logvar - TAUGHT_LOGVAR, model.decode(z) - x
        error = sum((e.square().sum(dim=1).mean() for e in errors), torch.zeros(()))
        return error, {"error": error}

    uniform = [(torch.rand(batch_size),) for _ in range(n_steps)]
    fit(model, optimizer, uniform, objective, num_epochs=1, max_norm=math.inf, description="parameter")
    return model


def _steps_in_a_pass(n_steps: int, every: int) -> int:
    """Divide the steps into passes so that pictures and the end fall between two of them."""
    if min(n_steps, every) < 1:
        raise ValueError(f"the numbers of steps must be at least 1, got {n_steps} in all and {every} between pictures")
    return math.gcd(n_steps, every, STEPS_PER_READ)


@contextlib.contextmanager
def _seeded(seed: int | None) -> Iterator[None]:
    """Seed PyTorch's random numbers inside, and leave its global state as it was; do nothing where seed is None."""
    if seed is None:
        yield
        return
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def _objective(model: VAE, beta: float, loss: Loss) -> Objective:
    def objective(batch: Batch) -> tuple[Tensor, Scalars]:
        value = loss(model, batch[0], beta)
        return value, {"loss": value}

    return objective


def _between_passes(
    model: VAE, on_step: Callable[[VAE, int], None] | None, length: int, n_steps: int, every: int
) -> Callable[[int], None] | None:
    """Call ``on_step`` now, and return what calls it after the passes that end where it is due."""
    if on_step is None:
        return None
    on_step(model, 0)

    def on_epoch(epoch: int) -> None:
        step = epoch * length
        if step % every == 0 or step == n_steps:
            on_step(model, step)

    return on_epoch


def visualize_reconstructions(model: VAE, n_points: int = 1000) -> Figure:
    """Draw points of the roll beside their reconstructions (one posterior sample each), joined by lines."""
    x = generate_swiss_roll(n_points, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        recon_x, _, _ = model(x.to(_device(model)))
    return plots.displacements(x.numpy(), recon_x.cpu().numpy(), ("Original points", "Reconstructed points"))


def visualize_latent_space(model: VAE, n_points: int = 1000) -> Figure:
    """Draw the decoded grid of codes from -2 to 2 over real data; see :func:`decoded_grid`.

    Raises:
        ValueError: a model without exactly two latents: its codes are no grid in a plane.
    """
    return plots.overlays({"Decoded grid over real data": decoded_grid(model, n_points)}, _real(n_points))


def train_vae_with_visualization(
    n_steps: int = 1000,
    batch_size: int = 128,
    lr: float = 1e-3,
    beta: float = 0.01,
    viz_interval: int = 100,
    *,
    hidden_dim: int = 256,
    seed: int | None = None,
    show: Callable[[Figure], object] = display,
) -> tuple[VAE, list[float], torch.device]:
    """Train as :func:`train_vae` does, and show the decoded grid before, every ``viz_interval`` steps, and after.

    Drawing takes no random numbers: the same seed gives the same model with and without it.

    Args:
        show: called with the one figure of all panels.
    """
    grids: dict[int, np.ndarray] = {}
    model, losses, device = train_vae(
        n_steps, batch_size, lr, beta, hidden_dim=hidden_dim, seed=seed, every=viz_interval,
        on_step=lambda model, step: grids.update({step: decoded_grid(model)}),
    )  # fmt: skip
    names = {0: "before", n_steps: f"after {n_steps} steps"}
    clouds = {names.get(step, f"step {step}"): grid for step, grid in grids.items()}
    show(plots.overlays(clouds, _real(), title="The decoded grid of codes over real data"))
    return model, losses, device


@torch.no_grad()
def decoded_grid(model: VAE, n_points: int = 1000) -> np.ndarray:
    """Decode a square grid of codes from -2 to 2: ``n_points`` of them, or the next smaller square number."""
    if model.latent_dim != 2:
        raise ValueError(
            f"a grid of codes in the plane needs a model with 2 latents, got {model.latent_dim}: "
            "look at decoded prior samples instead"
        )
    codes = latent.grid((-2, 2), (-2, 2), math.isqrt(n_points))
    return model.decode(codes.to(_device(model))).cpu().numpy()


def _real(n_points: int = 1000) -> np.ndarray:
    return generate_swiss_roll(n_points, generator=torch.Generator().manual_seed(0)).numpy()


def _device(model: nn.Module) -> torch.device:
    return next(model.parameters()).device


# ---------------------------------------------------------------- one gradient, two estimators

Estimator = Literal["reparameterization", "score function", "score function with baseline"]
ESTIMATORS = get_args(Estimator)


def expected_error_gradients(model: VAE, x: Tensor, num_samples: int, estimator: Estimator) -> Tensor:
    """Estimate the gradient of f = E_q[error(z)] with respect to mu and logvar of each x, from each sample alone.

        reparameterization:  grad error(mu + sigma eps),   eps ~ N(0, I)
        score function:      error(z) grad log q(z|x),     z ~ q(z|x)

    with error(z) the mean over coordinates of (decode(z) - x)^2. The baseline subtracts from each error the mean of
    the other samples' errors for the same x, which keeps the expectation.

    Source: Kingma & Welling 2014 (arXiv 1312.6114), section 2.2; Williams 1992, "REINFORCE"; Kool et al. 2019, "Buy 4
    REINFORCE samples, get a baseline for free!", for the baseline.

    Args:
        x: points, shape (B, 2).
        num_samples: S, at least 2.

    Returns:
        Shape (S, B, 2 * latent_dim), first mu's part; units squared per unit of mu or logvar.

    Raises:
        ValueError: fewer than 2 samples, or another estimator.
    """
    if num_samples < 2:
        raise ValueError(f"num_samples must be at least 2, got {num_samples}: one estimate has no variance")
    if estimator not in ESTIMATORS:
        raise ValueError(f"there is no estimator {estimator!r}: expected one of {', '.join(ESTIMATORS)}")
    mu, logvar = (p.detach().expand(num_samples, -1, -1).clone().requires_grad_() for p in model.encode(x))
    z = model.reparameterize(mu, logvar)
    if estimator == "reparameterization":
        surrogate = _error(model, z, x)
    else:
        z = z.detach()
        error = _error(model, z, x).detach()
        if estimator == "score function with baseline":
            error = (error - error.mean(dim=0)) * num_samples / (num_samples - 1)
        surrogate = error * gaussian.log_prob(z, mu, logvar)
    return torch.cat(torch.autograd.grad(surrogate.sum(), [mu, logvar]), dim=-1)


def score_function_loss(model: VAE, x: Tensor, beta: float) -> Tensor:
    """Compute the value of :func:`compute_vae_loss`, with the score function as the encoder's gradient of the error."""
    mu, logvar = model.encode(x)
    z = model.reparameterize(mu, logvar).detach()
    error = _error(model, z, x)
    surrogate = error.detach() * gaussian.log_prob(z, mu, logvar)
    recon_loss = (error + surrogate - surrogate.detach()).mean()
    ### START CODE HERE ###
    kl_loss = gaussian.kl_per_latent(mu, logvar).mean()
    ### END CODE HERE ###
    return beta_objective(recon_loss, kl_loss, beta)


def _error(model: VAE, z: Tensor, x: Tensor) -> Tensor:
    return (model.decode(z) - x).square().mean(dim=-1)


# ---------------------------------------------------------------- measures


def distance_to_roll(points: Tensor, resolution: int = 4000) -> Tensor:
    """Measure how far each point is from the nearest of ``resolution`` points of the roll: (N, 2) gives (N,).

    In units of the data; right to 0.001, which is what float32 and 4000 points leave.
    """
    curve = roll(torch.linspace(T_MIN, T_MAX, resolution, device=points.device))
    return torch.cat([torch.cdist(part, curve).amin(dim=1) for part in points.split(2000)])


class Report(NamedTuple):
    """Hold what a trained model does; distances in units of the data, whose radius reaches 0.94."""

    error: float  # root mean squared distance between a point and its reconstruction
    kl: float  # nats per point, summed over latents
    loss: float  # of compute_vae_loss, on new points
    off_roll: float  # mean distance from decoded prior samples to the roll
    missed: float  # mean distance from points of the roll to the nearest decoded prior sample


@torch.no_grad()
def measure(model: VAE, beta: float, num: int = 4000, seed: int = 0) -> Report:
    """Report on ``num`` new points and prior samples, one posterior sample each; the same for the same seed."""
    device = _device(model)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        x = generate_swiss_roll(num).to(device)
        recon_x, mu, logvar = model(x)
        samples = model.decode(torch.randn(num, model.latent_dim, device=device))
    squared = (recon_x - x).square().sum(dim=1).mean()
    kl = gaussian.kl_standard_normal(mu, logvar).mean()
    return Report(
        error=math.sqrt(squared),
        kl=float(kl),
        loss=float(squared / DATA_DIM + beta * kl / model.latent_dim),
        off_roll=float(distance_to_roll(samples).mean()),
        missed=float(torch.cdist(x, samples).amin(dim=1).mean()),
    )


@functools.cache
def least_loss(beta: float, latent_dim: int = 2, *, iterations: int = 150) -> float:
    """Compute the least expected loss of any encoder and decoder on the roll, Gaussian or not; low by 0.3 % at most.

    The mean KL is at least the information that z carries on x, so no VAE is below the rate-distortion limit

        min over r of  -beta/d E_x[log sum_m r(m) k(x, m)],   k(x, m) = exp(-|x - m|^2 / (2 s^2)),

    with s^2 = decoder_variance(beta, d) and r a distribution over decoded points m. Blahut's iteration
    r(m) <- r(m) g(m), g(m) = E_x[k(x, m) / sum_m' r(m') k(x, m')], comes down to it; by Jensen's inequality it is never
    further above than beta/d log max g, which is subtracted.

    Source: Alemi et al. 2018, "Fixing a broken ELBO" (arXiv 1711.00464), section 2; Blahut 1972, "Computation of
    channel capacity and rate-distortion functions".

    Raises:
        ValueError: beta outside 0.0005 to 10, where the grid of candidates m is fine enough.
    """
    if not 0.0005 <= beta <= 10:
        raise ValueError(f"least_loss is computed on a grid made for beta from 0.0005 to 10, got {beta}")
    scale, variance = beta / latent_dim, decoder_variance(beta, latent_dim)
    t = torch.linspace(T_MIN, T_MAX, 601, dtype=torch.float64)
    x = roll((t[1:] + t[:-1]) / 2)  # 600 equally likely points
    near_roll = [roll(t) * inward for inward in (1, 0.985, 0.97)]
    m = torch.cat([x.mean(dim=0, keepdim=True), latent.grid((-1, 1), (-1, 1), 50).double(), *near_roll])
    k = torch.exp(-torch.cdist(x, m).square() / (2 * variance))  # (points, candidates)
    r = torch.full((len(m),), 1 / len(m), dtype=k.dtype)
    for _ in range(iterations):
        p = k @ r
        g = (1 / p) @ k / len(x)
        r = r * g
    return float(-scale * (p.log().mean() + g.max().log()))
