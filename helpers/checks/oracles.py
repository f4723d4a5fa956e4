"""What is right, computed in another way than a solution would, and how a wrong number is told to be a usual mistake.

NumPy alone, so that the checks of notebook 01 do without torch. A wrong KL or NLL is taken apart by least squares: over
many cases its weights on the sums that it could be made of (of mu^2, of log sigma^2, ...) are found, and named.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from helpers.checks.base import Mistake

Array = np.ndarray
NODES = 40  # of the quadrature: exact for what is integrated here, a polynomial of degree 2
SAME = 1e-3  # relative difference of numbers that count as one
HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


# ---------------------------------------------------------------- what came back


def as_array(value: Any, name: str) -> Array:
    """Return what a student's function gave back as an array of float64.

    Raises:
        Mistake: it is no array, tensor or number, or holds NaN or infinity.
    """
    if value is None:
        raise NotImplementedError(f"{name} is None: the function returns nothing yet.")
    try:
        array = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value, dtype=np.float64)
    except (TypeError, ValueError):
        raise Mistake(f"{name} is a {type(value).__name__}, expected numbers") from None
    if not np.isfinite(array).all():
        raise Mistake(f"{name} holds NaN or infinity where all inputs are finite numbers")
    return array


def in_shape(value: Any, shape: tuple[int, ...], name: str) -> Array:
    """Return an array that has to be of one shape.

    Raises:
        Mistake: it has another.
    """
    array = as_array(value, name)
    if array.shape != shape:
        raise Mistake(f"{name} has the shape {array.shape}, expected {shape}", "shape")
    return array


def as_number(value: Any, name: str) -> float:
    """Return what has to be one number."""
    array = as_array(value, name)
    if array.size != 1:
        raise Mistake(f"{name} has the shape {array.shape}, expected one number: the mean over the batch", "shape")
    return float(array.reshape(()))


def close(a: Any, b: Any, relative: float = SAME, absolute: float = 1e-4) -> bool:
    """Say whether numbers agree, all of them."""
    return bool(np.allclose(a, b, rtol=relative, atol=absolute))


def compared(values: Any, right: Any, unit: str = "") -> str:
    """Say where two rows of numbers differ most: "yours gives -8.2, right is 0.44"."""
    values, right = np.ravel(values), np.ravel(right)
    worst = int(np.argmax(np.abs(values - right)))
    return f"yours gives {values[worst]:.4g}{unit}, right is {right[worst]:.4g}{unit}"


def weights(features: dict[str, Array], values: Array) -> dict[str, float] | None:
    """Find the weights with which some features add up to the values, or None where they do not."""
    matrix = np.stack(list(features.values()), axis=1)
    solution = np.linalg.lstsq(matrix, values, rcond=None)[0]
    if not close(matrix @ solution, values, 1e-2, 1e-3 * (1 + np.abs(values).max())):
        return None
    return dict(zip(features, np.round(solution, 3).tolist(), strict=True))


def judge_forms(value: Any, right: Any, forms: Sequence[tuple[Any, str]], remark: str = "") -> None:
    """Compare numbers with the right ones, and with what usual mistakes make of them.

    Raises:
        Mistake: they are not right.
    """
    if close(value, right):
        return
    code = next((code for form, code in forms if np.shape(form) == np.shape(value) and close(value, form)), "")
    raise Mistake(f"{remark}{compared(value, right)}", code)


# ---------------------------------------------------------------- Gaussians


def kl_from_standard(mean: Array, std: Array) -> Array:
    """Integrate log q(z) - log N(z; 0, I) over q = N(mean, std^2) by quadrature, summed over the last axis."""
    nodes, mass = np.polynomial.hermite_e.hermegauss(NODES)
    z = mean[..., None] + std[..., None] * nodes
    log_ratio = 0.5 * (z**2 - nodes**2) - np.log(std)[..., None]
    return (log_ratio @ mass / mass.sum()).sum(axis=-1)


def nll_of(x: Array, mean: Array, std: Array) -> Array:
    """Compute -log N(x; mean, std^2), one feature at a time, summed over the last axis."""
    total = np.zeros(np.broadcast_shapes(x.shape, mean.shape)[:-1])
    for i in range(x.shape[-1]):
        distance = (x[..., i] - mean[..., i]) / std[..., i]
        total = total + distance**2 / 2 + np.log(std[..., i]) + HALF_LOG_2PI
    return total


KL_FACTORS = (
    (2.0, "kl_no_half"), (0.5, "kl_half_twice"), (-1.0, "kl_sign"), (-2.0, "kl_sign"), (-0.5, "kl_sign"),
    (1 / math.log(2), "kl_log2"),
)  # fmt: skip


def judge_kl(values: Array, means: Sequence[Array], logvars: Sequence[Array]) -> None:
    """Compare KL divergences of several cases, best of several numbers of latents, with the exact ones.

    Raises:
        Mistake: they are others; it names which usual ones they are.
    """
    right = np.array([kl_from_standard(m, np.exp(v / 2)) for m, v in zip(means, logvars, strict=True)])
    if close(values, right):
        return
    evidence = compared(values, right)
    latents = np.array([len(m) for m in means])
    for factor, code in ((1 / latents, "kl_mean_latents"), (2 / latents, "kl_mean_latents"), *KL_FACTORS):
        if close(values, factor * right):
            raise Mistake(evidence, code)
    raise Mistake(f"{evidence}. {_kl_parts(values, means, logvars)}", "kl_wrong")


def _kl_parts(values: Array, means: Sequence[Array], logvars: Sequence[Array]) -> str:
    """Say what a wrong KL is made of, as far as its parts can be told."""
    features = {
        "mu^2": [(m**2).sum() for m in means], "mu": [m.sum() for m in means],
        "sigma^2": [np.exp(v).sum() for v in logvars], "sigma": [np.exp(v / 2).sum() for v in logvars],
        "log sigma^2": [v.sum() for v in logvars], "1": [float(len(m)) for m in means],
    }  # fmt: skip
    found = weights({name: np.array(column) for name, column in features.items()}, values)
    if found is None:
        return ""
    usual = (
        (found["mu^2"] == 0 and found["mu"] == 0, "the mean does not enter it"),
        (found["mu^2"] == 0 and found["mu"] != 0, "mu is not squared"),
        (found["sigma^2"] == 0 and found["sigma"] != 0, "sigma stands where sigma^2 belongs"),
        (found["sigma^2"] == 0 and found["sigma"] == 0, "sigma^2 does not enter it"),
        (found["log sigma^2"] > 0, "log sigma^2 has the wrong sign"),
        (close(found["log sigma^2"], -0.25), "log sigma stands where log sigma^2 belongs"),
        (found["log sigma^2"] == 0, "log sigma^2 does not enter it"),
        (found["1"] == 0, "the -1 is missing"),
    )
    told = [text for holds, text in usual if holds]
    sums = " ".join(f"{w:+.3g} sum({name})" for name, w in found.items() if w)
    return f"In yours {' and '.join(told)}" if told else f"Yours is {sums}"


NLL_RIGHT = {"r^2/s^2": 0.5, "r^2/s": 0.0, "r^2": 0.0, "log s^2": 0.5, "1": HALF_LOG_2PI}
NLL_HONEST = (
    ("-log p(x|z) of a Gaussian", NLL_RIGHT),
    ("-log p(x|z) of a Gaussian without its log(2 pi)", NLL_RIGHT | {"1": 0.0}),
    ("the squared error", dict.fromkeys(NLL_RIGHT, 0.0) | {"r^2": 1.0}),
    ("half the squared error", dict.fromkeys(NLL_RIGHT, 0.0) | {"r^2": 0.5}),
)


def judge_nll(values: Array, x: Array, mean: Array, logvar: Array) -> str:
    """Say which honest negative log-likelihood some numbers are, one a row of ``x``.

    Raises:
        Mistake: they are none; it names which usual one they are.
    """
    right = nll_of(x, mean, np.exp(logvar / 2))
    squares, features = (x - mean) ** 2, x.shape[-1]
    columns = {
        "r^2/s^2": (squares / np.exp(logvar)).sum(-1), "r^2/s": (squares / np.exp(logvar / 2)).sum(-1),
        "r^2": squares.sum(-1), "log s^2": logvar.sum(-1), "1": np.full(len(x), float(features)),
    }  # fmt: skip
    found = weights(columns, values)
    evidence = compared(values, right)
    if found is None:
        raise Mistake(evidence, "nll_wrong")
    for name, form in NLL_HONEST:
        if _same(found, form):
            return name
    if _same(found, NLL_HONEST[2][1], 1 / features):
        return "the squared error, averaged over the features"
    raise Mistake(evidence, _nll_fault(found, features))


def _same(found: dict[str, float], form: dict[str, float], factor: float = 1.0) -> bool:
    return close([found[name] for name in form], [factor * w for w in form.values()], 0, 0.02 * abs(factor))


def _nll_fault(found: dict[str, float], features: int) -> str:
    honest = [form for _, form in NLL_HONEST]
    if any(_same(found, form, 1 / features) for form in honest):
        return "nll_mean_features"
    if any(_same(found, form, -1) for form in honest):
        return "nll_sign"
    error, by_std, logvar = found["r^2/s^2"], found["r^2/s"], found["log s^2"]
    if close(by_std, 0.5, 0, 0.02) and close(error, 0, 0, 0.02):
        return "nll_std_for_variance"
    if close(error, [0.5], 0, 0.02) and close(logvar, 0, 0, 0.02):
        return "nll_no_logvar"
    if min(abs(error), abs(logvar)) > 0.2 and min(error, logvar) > 0:
        return "nll_no_half"
    return "nll_wrong"


# ---------------------------------------------------------------- draws

NORMAL_KURTOSIS, KURTOSIS_OFF = 3.0, 0.4
SILENT = 1e-6  # a spread below this is no noise
SAME_NOISE = 0.98  # a correlation beyond this is one noise for two latents
ERRORS = 5.0  # standard errors that a mean or a spread may be off


def moments_fit(draws: Array, mean: Array, std: Array) -> bool:
    """Say whether N draws, along the first axis, have this mean and this spread, up to luck."""
    n = math.sqrt(len(draws))
    near = np.abs(draws.mean(0) - mean) < ERRORS * std / n + 1e-5
    alike = np.abs(draws.std(0) - std) < ERRORS * std / n + 1e-5
    return bool(near.all() and alike.all())


def judge_draws(draws: Array, again: Array, mean: Array, std: Array) -> None:
    """Compare draws for equal rows, and those of a second call, with N(mean, std^2).

    Raises:
        Mistake: they are others; it names which usual ones they are.
    """
    spread, centre = draws.std(0), draws.mean(0)
    worst = int(np.argmax(np.abs(spread - std) + np.abs(centre - mean)))
    evidence = (
        f"for mu = {mean[worst]:.2f} and sigma = {std[worst]:.2f}, draws have the mean {centre[worst]:.2f} and the "
    )
    evidence += f"spread {spread[worst]:.2f}"
    if spread.max() < SILENT:
        raise Mistake(evidence, "shared_noise" if np.abs(draws[0] - again[0]).max() > SILENT else "no_noise")
    if np.abs(draws - again).max() < SILENT:
        raise Mistake("two calls give exactly the same draws", "frozen_noise")
    noisy = spread > SILENT
    correlation = np.corrcoef(draws[:, noisy].T) if noisy.sum() > 1 else np.eye(2)
    if np.abs(correlation[0, 1]) > SAME_NOISE:
        raise Mistake(f"the latents' noise correlates by {correlation[0, 1]:.2f}", "shared_noise_latents")
    kurtosis = float(np.median((((draws - centre)[:, noisy] / spread[noisy]) ** 4).mean(0)))
    if abs(kurtosis - NORMAL_KURTOSIS) > KURTOSIS_OFF:
        raise Mistake(f"the kurtosis of the noise is {kurtosis:.2f}, a normal's is 3", "not_normal")
    if moments_fit(draws, mean, std):
        return
    logvar = 2 * np.log(std)
    for name, other in (("noise_unscaled", np.ones_like(std)), ("logvar_as_std", np.abs(logvar)),
                        ("std_no_half", std**2)):  # fmt: skip
        if moments_fit(draws, mean, other):
            raise Mistake(evidence, name)
    raise Mistake(evidence, "noise_size" if moments_fit(draws, mean, spread) else "posterior_mean")


def listed(values: Array) -> str:
    """Write a few numbers: (1, -0.5)."""
    return f"({', '.join(f'{value:.3g}' for value in np.ravel(values))})"
