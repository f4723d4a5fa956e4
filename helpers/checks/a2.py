"""Checks of assignment 2, a VAE by hand, in NumPy: each step with matrices that are not symmetric, and the numbers.

Nothing here imports torch: notebook 01 does without.
"""

import contextlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from helpers.checks.base import Mistake, checks
from helpers.checks.oracles import (
    Array,
    as_array,
    as_number,
    close,
    compared,
    in_shape,
    judge_forms,
    judge_kl,
    kl_from_standard,
    listed,
)
from helpers.checks.student import Student

MEAN, POINTS = np.array([3.0, 2.0]), 1000
ERRORS = 4.0  # standard errors that a number may be off


# ---------------------------------------------------------------- task 1


@checks("1", "Task 1, the data", "numpy_vae.generate_data")
def data(student: Student, X_true: Any = None) -> str:
    """``X_true``: the points themselves, where they were made in the notebook."""
    if X_true is None:
        X_true = student.get("numpy_vae.generate_data")(20_000, np.random.default_rng(1))
    X = as_array(X_true, "X_true")
    if X.ndim != 2 or X.shape[1] != 2 or len(X) < POINTS:
        raise Mistake(
            f"X_true has the shape {X.shape}, expected a row for each of {POINTS} points, (N, 2)", "data_wrong"
        )
    centre, covariance, n = X.mean(0), np.cov(X.T), np.sqrt(len(X))
    evidence = f"{len(X)} points with mean {listed(centre)} and covariance {covariance.round(2).tolist()}"
    if np.abs(centre - MEAN).max() > ERRORS / n or np.abs(covariance - np.eye(2)).max() > ERRORS * np.sqrt(2) / n:
        raise Mistake(evidence, "data_wrong")
    return f"{evidence}, as N((3, 2), I) has them, up to luck"


# ---------------------------------------------------------------- task 3: the steps


class Map(NamedTuple):
    """An affine map with a matrix that is not symmetric: on the wrong side it gives something else."""

    W: Array
    b: Array

    def __call__(self, rows: Array) -> Array:
        return np.einsum("ij,nj->ni", self.W, rows) + self.b

    def other_side(self, rows: Array) -> Array:
        return np.einsum("ji,nj->ni", self.W, rows) + self.b


TO_MEAN = Map(np.array([[0.5, 0.1], [-0.3, 0.2]]), np.array([1.0, 2.0]))
TO_LOGVAR = Map(np.array([[0.2, 0.0], [0.1, -0.1]]), np.array([-1.0, 0.5]))
TO_POINT = Map(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([0.5, -0.5]))


def parameters(student: Student) -> Any:
    """Make the parameters that the steps take."""
    names = ("W_mu", "b_mu", "W_ls", "b_ls", "W_dec", "b_dec")
    return student.get("numpy_vae.Parameters")(**dict(zip(names, (*TO_MEAN, *TO_LOGVAR, *TO_POINT), strict=True)))


def rows(count: int, columns: int = 2) -> Array:
    return np.random.default_rng(0).normal(size=(count, columns))


def judge_map(value: Array, affine: Map, points: Array) -> None:
    """Compare what an affine map gives, and tell a matrix on the wrong side and a missing bias."""
    if close(value, affine(points) - affine.b):
        raise Mistake(f"{compared(value, affine(points))}. The bias is missing")
    judge_forms(value, affine(points), [(affine.other_side(points), "matrix_side")])


def sent_through(step: Callable[..., Any], points: Array, p: Any, affine: Map) -> Any:
    """Send points through a step; where it stops, look whether its matrix stands on the left of them.

    Raises:
        Mistake: it does: of as many points as coordinates, such a step gives the product.
    """
    try:
        return step(points, p)
    except ValueError as error:
        square = rows(2)
        products = [affine.W @ side + affine.b for side in (square, square.T)]
        with contextlib.suppress(ValueError):
            result = step(square, p)
            value = result[0] if isinstance(result, tuple | list) else result
            if any(close(value, product) for product in products):
                raise Mistake(f"for {len(points)} points in rows it stops: sizes do not match", "matrix_side") from None
        raise error


@checks("3", "Task 3, encode", "numpy_vae.encode")
def encode(student: Student) -> str:
    X = rows(5)
    result = sent_through(student.get("numpy_vae.encode"), X, parameters(student), TO_MEAN)
    if not isinstance(result, tuple | list) or len(result) != 2:
        raise Mistake("it gives back something else than the pair mu, logvar", "shape")
    for value, affine, name in zip(result, (TO_MEAN, TO_LOGVAR), ("mu", "logvar"), strict=True):
        judge_map(in_shape(value, (5, 2), name), affine, X)
    return "W x + b for each of 5 points, mean and log-variance"


@checks("3", "Task 3, reparameterize", "numpy_vae.reparameterize")
def reparameterize(student: Student) -> str:
    mu, logvar, eps = (as_array(a, "") for a in np.random.default_rng(2).normal(size=(3, 4, 2)))
    z = in_shape(student.get("numpy_vae.reparameterize")(mu, logvar, eps), (4, 2), "z")
    sigma = np.sqrt(np.exp(logvar))
    forms = ((mu, "no_noise"), (mu + eps, "noise_unscaled"), (mu + logvar * eps, "logvar_as_std"),
             (mu + sigma**2 * eps, "std_no_half"))  # fmt: skip
    judge_forms(z, mu + sigma * eps, forms)
    return "mu + sigma * eps for 4 points"


@checks("3", "Task 3, decode", "numpy_vae.decode")
def decode(student: Student) -> str:
    Z = rows(5)
    result = sent_through(student.get("numpy_vae.decode"), Z, parameters(student), TO_POINT)
    judge_map(in_shape(result, (5, 2), "X_prime"), TO_POINT, Z)
    return "W z + b for each of 5 codes"


@checks("3", "Task 3, squared_error", "numpy_vae.squared_error", stops=True)
def squared_error(student: Student) -> str:
    X, X_prime = np.array([[1.0, 2.0], [0.0, 0.0], [1.0, -1.0]]), np.array([[4.0, 6.0], [0.0, 1.0], [1.0, 1.0]])
    right = np.array([25.0, 1.0, 4.0])
    value = as_array(student.get("numpy_vae.squared_error")(X, X_prime), "the error")
    if value.shape != right.shape and close(value, right.sum()):
        raise Mistake(
            f"it gives {value:.4g} for three points, right is one number each, {listed(right)}", "nll_sum_batch"
        )
    value = in_shape(value, (3,), "the error of three points")
    if close(value, np.sqrt(right)):
        raise Mistake(f"{compared(value, right)}. It is the distance, not its square")
    judge_forms(value, right, [(right / 2, "recon_mean")])
    return "the squared distance of each of 3 points"


@checks("3", "Task 3, KL", "numpy_vae.kl_divergence", stops=True)
def kl(student: Student) -> str:
    function = student.get("numpy_vae.kl_divergence")
    random = np.random.default_rng(3)
    means = [random.normal(size=1 + i % 5) for i in range(15)]
    logvars = [random.normal(size=len(m)) for m in means]
    values = [as_number(function(m[None], v[None]), "the KL of one point") for m, v in zip(means, logvars, strict=True)]
    judge_kl(np.array(values), means, logvars)
    many = as_array(function(np.zeros((6, 2)) + means[1][:1], np.zeros((6, 2))), "the KL of 6 points")
    if many.shape != (6,):
        raise Mistake(f"the KL of 6 points has the shape {many.shape}, expected (6,): one number each", "shape")
    return f"agrees with the closed form on {len(means)} cases of one to five latents"


@checks("3", "Task 3, the loss", "numpy_vae.vae_loss", stops=True)
def loss(student: Student) -> str:
    recon, kl_of_each, function = np.array([1.0, 3.0]), np.array([2.0, 5.0]), student.get("numpy_vae.vae_loss")
    for beta in (1.0, 0.5, 2.0):
        value = as_array(function(recon, kl_of_each, beta), "the loss")
        if value.size != 1:
            raise Mistake(
                f"the loss of two points has the shape {value.shape}, expected one number, their mean", "shape"
            )
        judge_sum(float(value.reshape(())), 2.0, 3.5, beta, 2, "the loss: ")
    return "L_recon + beta * L_KL, averaged over the points, for three betas"


def judge_sum(value: float, recon: float, kl_mean: float, beta: float, count: int, remark: str = "") -> None:
    """Compare a loss with L_recon + beta * L_KL."""
    right = recon + beta * kl_mean
    forms = ((recon - beta * kl_mean, "loss_kl_sign"), (beta * recon + kl_mean, "beta_on_nll"),
             (recon + kl_mean, "beta_ignored"), (count * right, "nll_sum_batch"))  # fmt: skip
    judge_forms(value, right, [form for form in forms if not close(form[0], right)], f"at beta = {beta:g} {remark}")


# ---------------------------------------------------------------- tasks 3 to 5: the numbers

DECODER = Map(1.4 * np.eye(2), np.array([1.5, 1.0]))
STANDARD = (Map(0.5 * np.eye(2), np.array([-0.5, -0.25])), Map(0.1 * np.eye(2), np.array([-1.0, -1.0])))
COLLAPSED = (
    Map(np.array([[0.01, 0.01], [-0.01, -0.01]]), np.array([0.05, -0.05])),
    Map(np.zeros((2, 2)), np.array([-0.1, -0.1])),
)
ROUNDING = 0.006  # of numbers that were reported with two decimals
DRAWS = 200  # of the noise, to know how far luck goes


@checks("3", "Task 3, the numbers")
def scenario_1(student: Student, L_recon: Any, L_KL: Any, loss: Any, X_true: Any = None) -> str:
    """``X_true``: the points, the notebook's own where none are given."""
    return judge_numbers(STANDARD, student.value("X_true", X_true), L_recon, L_KL, loss)


@checks("4", "Task 4, the numbers")
def scenario_2(student: Student, L_recon: Any, L_KL: Any, loss: Any, X_true: Any = None) -> str:
    return judge_numbers(COLLAPSED, student.value("X_true", X_true), L_recon, L_KL, loss)


@checks("5", "Task 5, beta = 0.2")
def small_beta(
    student: Student,
    loss: Any,
    loss_c: Any,
    L_recon: Any = None,
    L_KL: Any = None,
    L_recon_c: Any = None,
    L_KL_c: Any = None,
) -> str:
    """``loss``, ``loss_c``: of both scenarios at beta = 0.2; their parts are the notebook's where none are given."""
    scenarios = (
        (1, loss, student.value("L_recon", L_recon), student.value("L_KL", L_KL)),
        (2, loss_c, student.value("L_recon_c", L_recon_c), student.value("L_KL_c", L_KL_c)),
    )
    for number, *values in scenarios:
        total, recon, kl_mean = (as_number(v, f"a number of scenario {number}") for v in values)
        if abs(total - (recon + 0.2 * kl_mean)) > ROUNDING:
            judge_sum(total, recon, kl_mean, 0.2, POINTS, f"scenario {number}: ")
    return "both losses are L_recon + 0.2 * L_KL"


def judge_numbers(encoder: tuple[Map, Map], X_true: Any, L_recon: Any, L_KL: Any, loss: Any) -> str:
    """Compare reported numbers with those of the very same points: the KL exactly, the error up to its noise."""
    X = as_array(X_true, "X_true")
    reported = (as_number(v, name) for v, name in ((L_recon, "L_recon"), (L_KL, "L_KL"), (loss, "the loss")))
    recon, kl_mean, total = reported
    mu, logvar = (affine(X) for affine in encoder)
    judge_reported_kl(kl_mean, mu, logvar, encoder, X)
    judge_reported_error(recon, X, mu, logvar)
    if abs(total - recon - kl_mean) > ROUNDING:
        judge_sum(total, recon, kl_mean, 1.0, len(X), "the loss: ")
    return f"L_recon = {recon:.4g}, L_KL = {kl_mean:.4g} and their sum agree with what your {len(X)} points give"


def judge_reported_kl(value: float, mu: Array, logvar: Array, encoder: tuple[Map, Map], X: Array) -> None:
    right = float(kl_from_standard(mu, np.exp(logvar / 2)).mean())
    if abs(value - right) < ROUNDING:
        return
    other = float(kl_from_standard(encoder[0].other_side(X), np.exp(encoder[1].other_side(X) / 2)).mean())
    forms = ((2 * right, "kl_no_half"), (right / 2, "kl_halved"), (-right, "kl_sign"), (other, "matrix_side"),
             (len(X) * right, "kl_sum_batch"))  # fmt: skip
    form, code = min(forms, key=lambda form: abs(value - form[0]))
    near = abs(value - form) < min(ROUNDING, 0.2 * abs(form))
    text = f"L_KL: yours is {value:.4g}, your points give {right:.4g}"
    raise Mistake(text, code if near else "kl_sign" if value < 0 else "")


def judge_reported_error(value: float, X: Array, mu: Array, logvar: Array) -> None:
    sigma = np.sqrt(np.exp(logvar))
    right, luck = error_of(X, mu, sigma)
    if abs(value - right) < ERRORS * luck + ROUNDING:
        return
    others: list[tuple[tuple[float, float], str]] = [
        (error_of(X, mu, 0 * sigma), "no_noise"), (error_of(X, mu, logvar), "logvar_as_std"),
        (error_of(X, mu, sigma**2), "std_no_half"), ((right / 2, luck / 2), "recon_mean"),
        ((len(X) * right, len(X) * luck), "nll_sum_batch"),
    ]  # fmt: skip
    (form, off), code = min(others, key=lambda other: abs(value - other[0][0]) / (other[0][1] + ROUNDING))
    near = abs(value - form) < ERRORS * off + ROUNDING
    text = f"L_recon: yours is {value:.4g}, your points give {right:.4g}, up to {ERRORS * luck:.2g} of luck"
    raise Mistake(text, code if near else "")


def error_of(X: Array, mu: Array, spread: Array) -> tuple[float, float]:
    """Return the mean squared error for codes with this spread, and how far one draw of the noise is from it."""
    noise = np.random.default_rng(5)
    errors = [np.square(X - DECODER(mu + spread * noise.normal(size=mu.shape))).sum(1).mean() for _ in range(DRAWS)]
    return float(np.mean(errors)), float(np.std(errors))
