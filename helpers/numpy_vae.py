"""A VAE computed by hand, NumPy only (notebook 01; assignment "Hands-on VAE concepts and latent space").

Reading order: the parameters of both scenarios, the data, the forward pass step by step, the loss; then the exact
expectations of all of it, against which the notebook measures. All terms are in nats per example, summed over
dimensions. Rows of an array are examples, and matrices act on columns as the assignment writes them, so W x for all
rows at once is ``X @ W.T``.

KL and log-density stand here a second time on purpose: this module shares no code with ``core.gaussian``, so that
either can be tested against the other.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import numpy as np

DATA_MEAN = np.array([3.0, 2.0])
DATA_COV = np.eye(2)


# ---------------------------------------------------------------- refusing bad input


def _finite(name: str, value: np.ndarray) -> np.ndarray:
    array = np.asarray(value, dtype=np.float64)
    if not np.isfinite(array).all():
        raise ValueError(
            f"{name} expected finite numbers, got {int((~np.isfinite(array)).sum())} that are NaN or infinite "
            f"among {array.size}: look at the step that made it"
        )
    return array


def _rows(name: str, value: np.ndarray, width: int) -> np.ndarray:
    array = _finite(name, value)
    if array.ndim != 2 or array.shape[1] != width:
        raise ValueError(
            f"{name} expected shape (N, {width}), one row a point, got {array.shape}: transpose it, or use "
            f"{name}[None] for a single point"
        )
    return array


def _alike(**values: np.ndarray) -> list[np.ndarray]:
    arrays = {name: _finite(name, value) for name, value in values.items()}
    if len({array.shape for array in arrays.values()}) > 1:
        got = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise ValueError(f"expected arrays of one shape, got {got}: pass values of the same points and dimensions")
    return list(arrays.values())


def _check_beta(beta: float) -> None:
    if not 0 <= beta < math.inf:
        raise ValueError(f"beta must be a number from 0 on, got {beta}: it weighs the KL term of the loss")


# ---------------------------------------------------------------- the parameters of both scenarios


@dataclass(frozen=True, eq=False)
class Parameters:
    """The parameters of an affine encoder and an affine decoder, for 2-D data and K latents.

        mu = W_mu x + b_mu,   log sigma^2 = W_ls x + b_ls,   x' = W_dec z + b_dec

    They become float64 arrays that cannot be written to; ``dataclasses.replace`` makes a changed copy.

    Args:
        W_mu, W_ls: shape (K, 2).
        b_mu, b_ls: shape (K,).
        W_dec: shape (2, K).
        b_dec: shape (2,).

    Raises:
        ValueError: another shape, or a number that is not finite.
    """

    W_mu: np.ndarray
    b_mu: np.ndarray
    W_ls: np.ndarray
    b_ls: np.ndarray
    W_dec: np.ndarray
    b_dec: np.ndarray

    def __post_init__(self) -> None:
        features, latents = len(DATA_MEAN), len(np.atleast_1d(self.W_mu))
        shapes = {"W_mu": (latents, features), "W_ls": (latents, features), "W_dec": (features, latents)}
        shapes |= {"b_mu": (latents,), "b_ls": (latents,), "b_dec": (features,)}
        for name, shape in shapes.items():
            array = _finite(name, getattr(self, name)).copy()
            if array.shape != shape:
                raise ValueError(
                    f"{name} expected shape {shape} for {features} features and {latents} latents, got {array.shape}: "
                    "give an encoder's matrices one row a latent, the decoder's one row a feature"
                )
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    def __iter__(self) -> Iterator[np.ndarray]:
        return (getattr(self, field.name) for field in fields(self))


STANDARD = Parameters(
    W_mu=0.5 * np.eye(2), b_mu=np.array([-0.5, -0.25]),
    W_ls=0.1 * np.eye(2), b_ls=np.array([-1.0, -1.0]),
    W_dec=1.4 * np.eye(2), b_dec=np.array([1.5, 1.0]),
)  # fmt: skip
"""Scenario 1."""

COLLAPSE = replace(
    STANDARD,
    W_mu=np.array([[0.01, 0.01], [-0.01, -0.01]]), b_mu=np.array([0.05, -0.05]),
    W_ls=np.zeros((2, 2)), b_ls=np.array([-0.1, -0.1]),
)  # fmt: skip
"""Scenario 2: another encoder, the same decoder."""


# ---------------------------------------------------------------- the forward pass


def generate_data(num_points: int, rng: np.random.Generator) -> np.ndarray:
    """Draw x ~ N(DATA_MEAN, DATA_COV), shape (num_points, 2).

        x = m + L eps,   L L^T = DATA_COV,   eps ~ N(0, I)

    Raises:
        ValueError: fewer than one point.
    """
    if num_points < 1:
        raise ValueError(f"num_points must be at least 1, got {num_points}: the assignment takes 1000")
    ### START CODE HERE ###
    factor = np.linalg.cholesky(DATA_COV)
    X_true = DATA_MEAN + rng.standard_normal((num_points, len(DATA_MEAN))) @ factor.T
    ### END CODE HERE ###
    return X_true


def encode(X: np.ndarray, p: Parameters) -> tuple[np.ndarray, np.ndarray]:
    """Compute mean and log-variance of q(z|x), shape (N, K) each.

        mu = W_mu x + b_mu,   log sigma^2 = W_ls x + b_ls

    Source: Kingma & Welling 2014 (arXiv 1312.6114), appendix C.2, without its hidden layer.

    Args:
        X: shape (N, 2).

    Raises:
        ValueError: another shape, or a number that is not finite.
    """
    X = _rows("X", X, p.W_mu.shape[1])
    ### START CODE HERE ###
    mu = X @ p.W_mu.T + p.b_mu
    logvar = X @ p.W_ls.T + p.b_ls
    ### END CODE HERE ###
    return mu, logvar


def reparameterize(mu: np.ndarray, logvar: np.ndarray, eps: np.ndarray) -> np.ndarray:
    """Turn standard normal noise into a draw from N(mu, sigma^2), shape (..., K).

        sigma = exp(log sigma^2 / 2),   z = mu + sigma * eps

    Source: Kingma & Welling 2014 (arXiv 1312.6114), section 2.4.

    Args:
        mu, logvar, eps: shape (..., K) each; ``eps`` is drawn by the caller.

    Raises:
        ValueError: the shapes differ, or a number is not finite.
    """
    mu, logvar, eps = _alike(mu=mu, logvar=logvar, eps=eps)
    ### START CODE HERE ###
    z = mu + np.exp(0.5 * logvar) * eps
    ### END CODE HERE ###
    return z


def decode(Z: np.ndarray, p: Parameters) -> np.ndarray:
    """Decode latents to reconstructions, shape (N, 2).

        x' = W_dec z + b_dec

    Source: Kingma & Welling 2014 (arXiv 1312.6114), appendix C.2, without its hidden layer.

    Args:
        Z: shape (N, K).

    Raises:
        ValueError: another shape, or a number that is not finite.
    """
    Z = _rows("Z", Z, p.W_dec.shape[1])
    ### START CODE HERE ###
    X_prime = Z @ p.W_dec.T + p.b_dec
    ### END CODE HERE ###
    return X_prime


def squared_error(X: np.ndarray, X_prime: np.ndarray) -> np.ndarray:
    """Compute the reconstruction error of each point, summed over its dimensions, shape (N,).

        ||x - x'||^2 = -log N(x; x', I/2) - log pi   in two dimensions: hence nats

    Source: Kingma & Welling 2014 (arXiv 1312.6114), appendix C.2, with the variance fixed at 1/2.

    Args:
        X, X_prime: shape (N, 2) each.

    Raises:
        ValueError: the shapes differ, or a number is not finite.
    """
    X, X_prime = _alike(X=X, X_prime=X_prime)
    ### START CODE HERE ###
    recon = ((X - X_prime) ** 2).sum(axis=-1)
    ### END CODE HERE ###
    return recon


def kl_divergence(mu: np.ndarray, logvar: np.ndarray) -> np.ndarray:
    """Compute the KL divergence of N(mu, exp(logvar)) from N(0, I), in nats per example, shape (...).

        D_KL = 1/2 sum_j (sigma_j^2 + mu_j^2 - log sigma_j^2 - 1)

    Source: Kingma & Welling 2014 (arXiv 1312.6114), appendix B.

    Args:
        mu, logvar: shape (..., K) each.

    Raises:
        ValueError: the shapes differ, or a number is not finite.
    """
    mu, logvar = _alike(mu=mu, logvar=logvar)
    ### START CODE HERE ###
    kl = 0.5 * (np.exp(logvar) + mu**2 - logvar - 1).sum(axis=-1)
    ### END CODE HERE ###
    return kl


def vae_loss(recon: np.ndarray, kl: np.ndarray, beta: float = 1.0) -> float:
    """Average recon + beta * kl over the points: the loss of a beta-VAE, in nats per example.

        Loss = L_recon + beta L_KL

    Source: Higgins et al. 2017, "beta-VAE", equation 4; beta = 1 is the negative ELBO, less log pi.

    Args:
        recon, kl: terms of each point, shape (N,) each.

    Raises:
        ValueError: the shapes differ, a number is not finite, or beta is negative.
    """
    recon, kl = _alike(recon=recon, kl=kl)
    _check_beta(beta)
    ### START CODE HERE ###
    loss = float((recon + beta * kl).mean())
    ### END CODE HERE ###
    return loss


class Forward(NamedTuple):
    """The results of one pass over N points: of each step, and both terms of the loss of each point."""

    mu: np.ndarray  # (N, K)
    logvar: np.ndarray  # (N, K)
    Z: np.ndarray  # (N, K)
    X_prime: np.ndarray  # (N, 2)
    recon: np.ndarray  # (N,)
    kl: np.ndarray  # (N,)

    @property
    def L_recon(self) -> float:
        return float(self.recon.mean())

    @property
    def L_KL(self) -> float:
        return float(self.kl.mean())

    def loss(self, beta: float = 1.0) -> float:
        return vae_loss(self.recon, self.kl, beta)


def forward(X: np.ndarray, p: Parameters, eps: np.ndarray) -> Forward:
    """Encode, sample, decode, and score; ``eps`` is standard normal noise of shape (N, K).

    Raises:
        ValueError: a step got a wrong shape, or a number that is not finite.
    """
    mu, logvar = encode(X, p)
    Z = reparameterize(mu, logvar, eps)
    X_prime = decode(Z, p)
    return Forward(mu, logvar, Z, X_prime, squared_error(X, X_prime), kl_divergence(mu, logvar))


def log_density(x: np.ndarray, mu: np.ndarray, logvar: np.ndarray) -> np.ndarray:
    """Compute the log-density of N(mu, exp(logvar)) at x, in nats per example, shape (...).

        log p(x) = log prod_j exp(-(x_j - mu_j)^2 / (2 sigma_j^2)) / sqrt(2 pi sigma_j^2)

    Args:
        x, mu, logvar: shape (..., D) each, or broadcasting to one.

    Raises:
        ValueError: a number is not finite.
    """
    x, mu, logvar = _finite("x", x), _finite("mu", mu), _finite("logvar", logvar)
    return (-0.5 * math.log(2 * math.pi) - 0.5 * logvar - 0.5 * ((x - mu) / np.exp(0.5 * logvar)) ** 2).sum(axis=-1)


# ---------------------------------------------------------------- exact expectations


class Exact(NamedTuple):
    """Expectations over the data's distribution and the noise, and how far the mean of N points is from them.

    The squared error has three parts: the reconstructions' centre is not the data's; the encoder and the decoder lose
    a part of each point; and the decoder turns the noise eps into error.
    """

    off_centre: float  # ||E[x - x']||^2
    lost: float  # E||y - E[x'|x] + E[x']||^2, y = x - E[x]
    noise: float  # E||W_dec (sigma * eps)||^2
    L_KL: float
    covariance: np.ndarray  # (2, 2), of one point's squared error and KL

    @property
    def L_recon(self) -> float:
        return self.off_centre + self.lost + self.noise

    def loss(self, beta: float = 1.0) -> float:
        """Compute E[squared error + beta * KL]."""
        _check_beta(beta)
        return self.L_recon + beta * self.L_KL

    def standard_error(self, recon: float = 1.0, kl: float = 1.0, num_points: int = 1000) -> float:
        """Compute the standard deviation of the mean over ``num_points`` of recon * squared error + kl * KL."""
        weights = np.array([recon, kl])
        return math.sqrt(weights @ self.covariance @ weights / num_points)


def expected_losses(p: Parameters) -> Exact:
    """Compute the exact mean and covariance of one point's squared error R and KL K, for affine encoders and decoders.

    With y = x - DATA_MEAN ~ N(0, I), the pass is affine in y but for sigma:

        x - x' = r + A y - W_dec (sigma * eps),   mu = n + W_mu y,   log sigma_j^2 = l_j + t_j . y

    so E[R|y] and K are both a.y + y.Q y + sum_j c_j sigma_j^2 plus a constant. Their moments follow from
    E[exp(t.y) f(y)] = exp(|t|^2 / 2) E[f(y + t)], t fixed (complete the square), and the noise adds
    Var[R|y] = 4 sum_j sigma_j^2 (d_j . (r + A y))^2 + 2 sum_jk (d_j . d_k)^2 sigma_j^2 sigma_k^2 with d_j the
    columns of W_dec. The notebook derives the means.

    Raises:
        OverflowError: variances so large that their moments are not finite numbers.
    """
    A = np.eye(len(DATA_MEAN)) - p.W_dec @ p.W_mu
    n = p.W_mu @ DATA_MEAN + p.b_mu
    r = DATA_MEAN - p.W_dec @ n - p.b_dec
    t = p.W_ls
    log_s = t @ DATA_MEAN + p.b_ls
    gram = p.W_dec.T @ p.W_dec
    with np.errstate(over="ignore", invalid="ignore"):
        s = np.exp(log_s + 0.5 * (t**2).sum(axis=1))  # E[sigma_j^2]
        ss = np.outer(s, s) * np.exp(t @ t.T)  # E[sigma_j^2 sigma_k^2]
        cov_s = np.outer(s, s) * np.expm1(t @ t.T)

        error = _Form(a=2 * A.T @ r, Q=A.T @ A, c=np.diag(gram))
        kl = _Form(a=p.W_mu.T @ n - 0.5 * t.sum(axis=0), Q=0.5 * p.W_mu.T @ p.W_mu, c=np.full(len(s), 0.5))
        both = error.covariance(kl, t, s, cov_s)
        covariance = np.array([[error.covariance(error, t, s, cov_s), both], [both, kl.covariance(kl, t, s, cov_s)]])
        across = ((p.W_dec.T @ r + ((p.W_dec.T @ A) * t).sum(axis=1)) ** 2 + ((p.W_dec.T @ A) ** 2).sum(axis=1)) * s
        covariance[0, 0] += 4 * across.sum() + 2 * (gram**2 * ss).sum()

        exact = Exact(
            off_centre=float(r @ r),
            lost=float((A**2).sum()),
            noise=float(np.diag(gram) @ s),
            L_KL=float(0.5 * (s + n**2 + (p.W_mu**2).sum(axis=1) - log_s - 1).sum()),
            covariance=covariance,
        )
    if not np.isfinite([*exact[:4], *covariance.flat]).all():
        raise OverflowError(
            f"the expected variances {s} are too large for finite moments, expected numbers below about 1e100: "
            "make W_ls or b_ls smaller"
        )
    return exact


class _Form(NamedTuple):
    """A function of y ~ N(0, I), up to a constant: a.y + y.Q y + sum_j c_j sigma_j^2(y), Q symmetric."""

    a: np.ndarray
    Q: np.ndarray
    c: np.ndarray

    def covariance(self, other: "_Form", t: np.ndarray, s: np.ndarray, cov_s: np.ndarray) -> float:
        polynomials = self.a @ other.a + 2 * (self.Q * other.Q).sum()
        mixed = self.c @ other._with_variances(t, s) + other.c @ self._with_variances(t, s)
        return float(polynomials + mixed + self.c @ cov_s @ other.c)

    def _with_variances(self, t: np.ndarray, s: np.ndarray) -> np.ndarray:
        """Compute Cov(a.y + y.Q y, sigma_j^2): moving y by t_j adds a.t_j + t_j.Q t_j to the polynomial's mean."""
        return s * (t @ self.a + ((t @ self.Q) * t).sum(axis=1))


def least_loss(beta: float) -> float:
    """Compute the minimum of E[squared error + beta * KL] over all encoders and decoders on this data, affine or not.

        beta (1 + log(2 / beta))   for beta <= 2,   else 2

    Source: no -ELBO is below the data's entropy, here with a decoder of variance beta / 2; and for beta > 2 no loss is
    below that of the same model at beta = 2. ``optimal_parameters`` attain it.

    Raises:
        ValueError: beta is negative or not a number.
    """
    _check_beta(beta)
    if beta == 0:
        return 0.0
    return beta * (1 + math.log(2 / beta)) if beta <= 2 else 2.0


def optimal_parameters(beta: float) -> Parameters:
    """Return parameters that attain ``least_loss(beta)``; from beta = 2 on they are collapsed, but centred.

        v = min(beta / 2, 1):   x' = m + sqrt(1 - v) z,   mu = sqrt(1 - v) (x - m),   sigma^2 = v

    Source: Tipping & Bishop 1999, "Probabilistic principal component analysis", equations 6 and 7, for a unit
    covariance and noise of variance v.

    Raises:
        ValueError: beta is not above 0: at 0 the best variance is 0, whose logarithm is not a number.
    """
    _check_beta(beta)
    if beta == 0:
        raise ValueError("beta must be above 0 for optimal parameters, got 0: the best sigma would be 0 there")
    v = min(beta / 2, 1.0)
    gain = math.sqrt(1 - v) * np.eye(2)
    return Parameters(
        W_mu=gain, b_mu=-gain @ DATA_MEAN, W_ls=np.zeros((2, 2)), b_ls=np.full(2, math.log(v)),
        W_dec=gain, b_dec=DATA_MEAN,
    )  # fmt: skip


def loss_gradient(p: Parameters, beta: float) -> Parameters:
    """Compute the gradient of E[squared error + beta * KL] with respect to each parameter, in its own shape.

    It follows by the chain rule through r, A, n and s of ``expected_losses``, where E[loss] is

        |r|^2 + |A|^2 + sum_j |d_j|^2 s_j + beta/2 sum_j (s_j + n_j^2 + |row j of W_mu|^2 - log_s_j - 1)

    Raises:
        ValueError: beta is negative, or a derivative is not finite.
    """
    _check_beta(beta)
    A = np.eye(len(DATA_MEAN)) - p.W_dec @ p.W_mu
    n = p.W_mu @ DATA_MEAN + p.b_mu
    r = DATA_MEAN - p.W_dec @ n - p.b_dec
    s = np.exp(p.W_ls @ DATA_MEAN + p.b_ls + 0.5 * (p.W_ls**2).sum(axis=1))
    to_n = beta * n - 2 * p.W_dec.T @ r
    to_log_s = ((p.W_dec**2).sum(axis=0) + beta / 2) * s
    return Parameters(
        W_mu=np.outer(to_n, DATA_MEAN) - 2 * p.W_dec.T @ A + beta * p.W_mu,
        b_mu=to_n,
        W_ls=np.outer(to_log_s - beta / 2, DATA_MEAN) + to_log_s[:, None] * p.W_ls,
        b_ls=to_log_s - beta / 2,
        W_dec=2 * (p.W_dec * s - np.outer(r, n) - A @ p.W_mu.T),
        b_dec=-2 * r,
    )


def descend(start: Parameters, beta: float, num_steps: int = 2000, step_size: float = 0.01) -> list[Parameters]:
    """Run gradient descent on the exact E[squared error + beta * KL], all parameters free.

    Returns:
        The parameters before the first step and after each, num_steps + 1 in all.

    Raises:
        ValueError: beta is negative, or there are no steps to take.
        FloatingPointError: the descent diverged.
    """
    _check_beta(beta)
    if num_steps < 1 or not step_size > 0:
        raise ValueError(f"expected at least 1 step of a size above 0, got {num_steps} of {step_size}")
    path = [start]
    for step in range(1, num_steps + 1):
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                slope = loss_gradient(path[-1], beta)
                path.append(Parameters(*(w - step_size * g for w, g in zip(path[-1], slope, strict=True))))
        except ValueError as error:
            raise FloatingPointError(f"the descent diverged at step {step} ({error}): take smaller steps") from error
    return path
