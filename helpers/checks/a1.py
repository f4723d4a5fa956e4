"""Checks of assignment 1, part A: the VAE on toy data, and its training.

The VAE is the student's own class, its weights drawn anew. Three features and five latents, so that a mean over either
differs from known multiples of a sum. How the encoder's ten numbers are meant (mean and log-variance, or the other way
round, or a logarithm of sigma) is told from the draws: what counts is that the draws and the KL mean the same.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Normal

from helpers.checks.base import Mistake, Unclear, checks
from helpers.checks.oracles import (
    Array,
    as_array,
    as_number,
    close,
    compared,
    in_shape,
    judge_draws,
    judge_kl,
    judge_nll,
    kl_from_standard,
    listed,
    moments_fit,
)
from helpers.checks.student import Student, is_open, replaced
from helpers.checks.training import Run, StubVAE, judge_evaluation, judge_loss, judge_steps, plain_fit, trainings

FEATURES, LATENTS, DRAWS, CASES = 3, 5, 4000, 24
VAE_CLASS, FORWARD = "toy_vae.VAE", "toy_vae.VAE.forward"
METHODS = ("encode", "sample_posterior", "decode")  # which others call: right ones take the place of open ones


# ---------------------------------------------------------------- the student's VAE, with weights of ours


def vae_of(student: Student, checked: str = "", features: int = FEATURES, **options: Any) -> Any:
    """Make a VAE of the student's class with new weights; methods still open are right ones, but for ``checked``."""
    model: Any = student.get(VAE_CLASS)(features, LATENTS, [8], [8], **options)
    if not hasattr(model, "parameters") or not hasattr(model, "encoder") or not hasattr(model, "decoder"):
        raise Unclear("your VAE has no encoder and decoder of these names, so this check cannot look into it")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.4)
    x, z = torch.rand(2, features), torch.randn(2, LATENTS)
    calls = {
        "encode": lambda: model.encode(x),
        "sample_posterior": lambda: model.sample_posterior(z, z.exp()),
        "decode": lambda: model.decode(z, noise=False),
    }
    right = {"encode": _encode, "sample_posterior": _sample_posterior, "decode": _decode}
    for name in METHODS:
        if name != checked and hasattr(model, name) and is_open(calls[name]):
            setattr(model, name, right[name](model))
    return model


def _encode(model: Any) -> Callable[..., Any]:
    return lambda x: tuple(model.encoder(x.flatten(1)).chunk(2, dim=-1))


def _sample_posterior(model: Any) -> Callable[..., Any]:
    return lambda mean, std: Normal(mean, std).rsample()


def _decode(model: Any) -> Callable[..., Any]:
    def decode(z: Tensor, noise: bool = True) -> Tensor:
        mean, logvar = model.decoder(z).chunk(2, dim=-1)
        mean = mean.sigmoid() if getattr(model, "sigmoid", False) else mean
        return Normal(mean, (logvar / 2).exp()).rsample() if noise else mean

    return decode


class Pass(NamedTuple):
    """What forward gave back for a batch."""

    x: Array
    x_pred: Array
    z: Array
    elbo: float
    kl: float
    nll: float
    tensors: tuple[Tensor, ...]  # elbo, kl, nll


def forward_of(model: Any, x: Tensor) -> Pass:
    """Call forward, and read its five results."""
    results = model(x)
    if not isinstance(results, tuple | list) or len(results) != 5:
        raise Mistake("forward gives something else than its five results x_pred, z, elbo, kl, nll", "shape")
    x_pred, z, elbo, kl, nll = results
    means, codes = as_array(x_pred, "x_pred").reshape(len(x), -1), in_shape(z, (len(x), LATENTS), "z")
    if means.shape != (len(x), FEATURES):
        raise Mistake(f"x_pred has the shape {tuple(x_pred.shape)}, expected that of x, {tuple(x.shape)}", "shape")
    numbers = [as_number(value, name) for value, name in ((elbo, "elbo"), (kl, "kl"), (nll, "nll"))]
    return Pass(as_array(x, "x"), means, codes, numbers[0], numbers[1], numbers[2], (elbo, kl, nll))


def single_passes(model: Any, count: int = CASES) -> list[Pass]:
    """Call forward for single points, so that each term belongs to one."""
    return [forward_of(model, 1.5 * torch.randn(1, FEATURES)) for _ in range(count)]


def heads(network: nn.Module, rows: Array) -> tuple[Array, Array]:
    """Return the two halves of what a network gives."""
    with torch.no_grad():
        out = as_array(network(torch.as_tensor(rows, dtype=torch.float32)), "the network's output")
    return out[:, : out.shape[1] // 2], out[:, out.shape[1] // 2 :]


MEANINGS: dict[str, Callable[[Array, Array], tuple[Array, Array]]] = {
    "mean and log-variance": lambda a, b: (a, b),
    "log-variance and mean": lambda a, b: (b, a),
    "mean and log sigma": lambda a, b: (a, 2 * b),
    "mean and softplus of sigma": lambda a, b: (a, 2 * np.log(np.log1p(np.exp(b)) + 1e-6)),
}


def meaning_of(model: Any) -> str:
    """Tell from draws how the encoder's numbers are meant; as the assignment has them, where it cannot be told."""
    x = torch.randn(1, FEATURES).repeat(DRAWS, 1)
    a, b = (half[0] for half in heads(model.encoder, as_array(x[:1], "x")))
    z = forward_of(model, x).z
    for name, meaning in MEANINGS.items():
        mean, logvar = meaning(a, b)
        if moments_fit(z, mean, np.exp(logvar / 2)):
            return name
    return next(iter(MEANINGS))


# ---------------------------------------------------------------- task A1


@checks("A1", "A1, encode", "toy_vae.VAE.encode")
def encode(student: Student) -> str:
    model = vae_of(student, "encode")
    x = torch.randn(7, FEATURES)
    result = model.encode(x)
    if not isinstance(result, tuple | list) or len(result) != 2:
        raise Mistake("it gives back something else than mean and log-variance of q(z|x), a pair", "shape")
    first, second = (in_shape(part, (7, LATENTS), name) for part, name in zip(result, ("mean", "logvar"), strict=True))
    halves = heads(model.encoder, as_array(x, "x"))
    if not any(close(part, half) for part in (first, second) for half in halves):
        raise Mistake("neither of the two is a half of what the encoder gives for x: split its output in two")
    return "gives the encoder's two halves, shape (batch, latents) each"


@checks("A1", "A1, sample_posterior", "toy_vae.VAE.sample_posterior", stops=True)
def sample_posterior(student: Student) -> str:
    model = vae_of(student, "sample_posterior")
    mean, std = np.array([1.0, -1.0, 0.0]), np.array([0.5, 2.0, 1.2])
    means, stds = (torch.tensor(row, dtype=torch.float32).repeat(DRAWS, 1).requires_grad_() for row in (mean, std))
    z, again = model.sample_posterior(means, stds), model.sample_posterior(means, stds)
    draws = in_shape(z, (DRAWS, 3), "z")
    judge_draws(draws, in_shape(again, (DRAWS, 3), "z"), mean, std)
    right = (np.ones_like(draws), (draws - mean) / std)
    for name, slope, expected in zip(("mean", "std"), slopes(z.sum(), means, stds), right, strict=True):
        if slope is None or not close(slope, expected, 1e-2, 1e-2):
            raise Mistake(f"the gradient of z with respect to {name} is not what mean + std * eps has", "gradient_cut")
    return f"{DRAWS} draws have the mean and the spread that were asked for, and gradients reach both"


def slopes(value: Tensor, *of: Tensor) -> list[Array | None]:
    """Return gradients as arrays; None where there is none."""
    if not isinstance(value, Tensor) or not value.requires_grad:
        return [None] * len(of)
    found = torch.autograd.grad(value, of, allow_unused=True, retain_graph=True)
    return [None if slope is None else as_array(slope, "the gradient") for slope in found]


@checks("A1", "A1, KL", FORWARD, stops=True)
def kl(student: Student) -> str:
    model = vae_of(student)
    if is_estimate(model):
        return judge_estimate(model)
    passes = single_passes(model, CASES)
    values = np.array([p.kl for p in passes])
    a, b = heads(model.encoder, np.concatenate([p.x for p in passes]))
    mean, logvar = MEANINGS["mean and log-variance"](a, b)
    try:
        judge_kl(values, list(mean), list(logvar))
    except Mistake:  # is it right for another meaning of the encoder's numbers, which the draws have, too?
        mean, logvar = MEANINGS[meaning_of(model)](a, b)
        judge_kl(values, list(mean), list(logvar))
    alone = judge_growth(model, "kl_sum_batch")
    if no_slope(alone.tensors[1], model.encoder):
        raise Mistake("it has no gradient, so the encoder cannot learn from it", "gradient_cut")
    return f"agrees with the closed form on {CASES} cases"


def is_estimate(model: Any) -> bool:
    """Say whether the KL of one point differs from call to call."""
    x = torch.randn(1, FEATURES)
    return not close(forward_of(model, x).kl, forward_of(model, x).kl)


def judge_estimate(model: Any) -> str:
    """Judge a KL that is estimated from the draw of z, which is honest, by its mean over many draws."""
    for _ in range(4):
        x = torch.randn(1, FEATURES)
        a, b = (half[0] for half in heads(model.encoder, as_array(x, "x")))
        mean, logvar = MEANINGS[meaning_of(model)](a, b)
        value = forward_of(model, x.repeat(10 * DRAWS, 1)).kl
        right = kl_from_standard(mean, np.exp(logvar / 2))
        if not close(value, right, 0.05, 0.1):
            raise Mistake(f"averaged over {10 * DRAWS} draws, {compared(value, right)}", "kl_wrong")
    return "is estimated from the draw of z, and agrees in the mean with the closed form, which is exact"


@checks("A1", "A1, NLL", FORWARD, stops=True)
def nll(student: Student) -> str:
    model = vae_of(student)
    passes = single_passes(model)
    x, x_pred = (np.concatenate([p[i] for p in passes]) for i in (0, 1))
    mean, logvar = decoded(model, passes, x_pred)
    kind = judge_nll(np.array([p.nll for p in passes]), x, mean, logvar)
    alone = judge_growth(model, "nll_sum_batch")
    for name, network in (("decoder", model.decoder), ("encoder", model.encoder)):
        if no_slope(alone.tensors[2], network):
            raise Mistake(f"it has no gradient that reaches the {name}", "gradient_cut")
    return f"is {kind} on {CASES} points, and its gradient reaches the encoder"


def judge_growth(model: Any, code: str) -> Pass:
    """Compare a batch of copies of one point with the point alone, which is returned: terms are means over the batch.

    Raises:
        Mistake: the term that ``code`` is about is a sum over the batch, and the other is not.
        Unclear: both are.
    """
    x = torch.randn(1, FEATURES)
    many, alone = forward_of(model, x.repeat(DRAWS, 1)), forward_of(model, x)
    grows = {
        "kl_sum_batch": abs(many.kl) > DRAWS / 10 * abs(alone.kl),
        "nll_sum_batch": abs(many.nll) > DRAWS / 40 * max(abs(alone.nll), 1),
    }
    name = "KL" if code == "kl_sum_batch" else "NLL"
    values = (alone.kl, many.kl) if name == "KL" else (alone.nll, many.nll)
    text = f"one example has a {name} of {values[0]:.4g}, {DRAWS} copies of it have {values[1]:.4g}"
    if all(grows.values()):
        raise Unclear(f"{text}, and the other term grows alike: the assignment means averages over the batch")
    if grows[code]:
        raise Mistake(text, code)
    return alone


def no_slope(value: Tensor, network: nn.Module) -> bool:
    """Say whether a term has no gradient with respect to a network."""
    return all(slope is None or not slope.any() for slope in slopes(value, *network.parameters()))


def decoded(model: Any, passes: list[Pass], x_pred: Array) -> tuple[Array, Array]:
    """Return the decoder's mean and log-variance for what was decoded: the sample z, or, by mistake, the mean."""
    codes = [np.concatenate([p.z for p in passes]), *heads(model.encoder, np.concatenate([p.x for p in passes]))]
    for code in codes:
        halves = heads(model.decoder, code)
        for mean, logvar in (halves, halves[::-1]):
            if close(x_pred, mean, 1e-2, 1e-3):
                return mean, logvar
    return heads(model.decoder, codes[0])


@checks("A1", "A1, ELBO", FORWARD, stops=True)
def elbo(student: Student) -> str:
    model = vae_of(student)
    passes = [*single_passes(model, 3), forward_of(model, torch.randn(4, FEATURES))]
    values, kls, nlls = (np.array([getattr(p, name) for p in passes]) for name in ("elbo", "kl", "nll"))
    if close(values, -(nlls + kls)):
        return f"is -(NLL + KL) on {len(passes)} batches"
    for form, code in ((nlls + kls, "elbo_sign"), (kls - nlls, "elbo_kl_sign")):
        if close(values, form):
            raise Mistake(compared(values, -(nlls + kls)), code)
    remark = ". The KL is left out" if close(values, -nlls) else ""
    remark = ". It is divided by the batch size" if close(values[:3], -(nlls + kls)[:3]) else remark
    raise Mistake(compared(values, -(nlls + kls)) + remark, "elbo_wrong")


@checks("A1", "A1, forward", FORWARD, stops=True)
def forward(student: Student) -> str:
    model = vae_of(student)
    x = torch.randn(1, FEATURES).repeat(DRAWS, 1)
    batch, again = forward_of(model, x), forward_of(model, x)
    judge_posterior(model, batch, again)
    if close(batch.x_pred, batch.x_pred[:1]):
        raise Mistake("x_pred is the same for different z", "decodes_mean")
    if not any(close(batch.x_pred, half, 1e-2, 1e-3) for half in heads(model.decoder, batch.z)):
        raise Mistake("", "x_pred")
    return "z is drawn from q(z|x), anew for each example, and x_pred is the decoder's mean for it"


def judge_posterior(model: Any, batch: Pass, again: Pass) -> None:
    """Compare draws with the distribution whose KL forward gives, for one of the meanings of the encoder's numbers."""
    a, b = (half[0] for half in heads(model.encoder, batch.x[:1]))
    faults = []
    for meaning in MEANINGS.values():
        mean, logvar = meaning(a, b)
        try:
            judge_draws(batch.z, again.z, mean, np.exp(logvar / 2))
        except Mistake as mistake:
            faults.append(mistake)
            continue
        if meaning is MEANINGS["mean and log sigma"] and _is_kl(batch.kl, a, b):
            raise faults[0]  # the KL takes the same numbers for a log-variance
        return
    raise faults[0]


def _is_kl(value: float, mean: Array, logvar: Array) -> bool:
    try:
        judge_kl(np.array([value]), [mean], [logvar])
    except Mistake:
        return False
    return True


@checks("A1", "A1, decode", "toy_vae.VAE.decode", stops=True)
def decode(student: Student) -> str:
    model = vae_of(student, "decode")
    z = torch.randn(1, LATENTS)
    with torch.no_grad():
        clean, twice = (as_array(model.decode(z, noise=False), "decode(z, noise=False)") for _ in range(2))
        noisy = in_shape(model.decode(z.repeat(DRAWS, 1), noise=True), (DRAWS, FEATURES), "decode(z, noise=True)")
    is_quiet, is_loud = close(clean, twice, 0, 1e-6), noisy.std(0).max() > 1e-6
    if not is_quiet:
        raise Mistake("two calls with noise=False differ", "noise_always" if is_loud else "noise_flag")
    if not is_loud:
        raise Mistake("all draws with noise=True are the same", "noise_missing")
    clean = clean.reshape(-1)
    halves = [half[0] for half in heads(model.decoder, as_array(z, "z"))]
    others = [half for i, half in enumerate(halves) if close(clean, halves[1 - i], 1e-2, 1e-3)]
    if not others:
        raise Mistake(
            f"decode(z, noise=False) gives {listed(clean)}, the decoder's mean is {listed(halves[0])}", "x_pred"
        )
    std = np.exp(others[0] / 2)
    if not moments_fit(noisy, clean, std):
        text = f"draws have mean {listed(noisy.mean(0))} and spread {listed(noisy.std(0))}"
        raise Mistake(f"{text}, right are {listed(clean)} and {listed(std)}", "noise_scale")
    return f"gives the mean without noise, and with it draws of the right spread ({DRAWS} of them)"


@checks("A1", "A1, sigmoid", FORWARD)
def sigmoid(student: Student) -> str:
    ranges = {}
    for flag in (True, False):
        model = vae_of(student, features=12, flatten=True, sigmoid=flag)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(1.5)
            images = torch.rand(200, 1, 3, 4)
            pixels = as_array(model(images)[0], "x_pred")
        if pixels.size != images.numel():
            raise Mistake(f"x_pred has the shape {pixels.shape} for images of shape {tuple(images.shape)}", "shape")
        ranges[flag] = (pixels.min(), pixels.max())
    low, high = ranges[True]
    evidence = f"with sigmoid=True, decoded pixels lie between {low:.2f} and {high:.2f}"
    if low < -1e-6 or high > 1 + 1e-6:
        raise Mistake(evidence, "sigmoid_missing")
    if low > 0.45:
        raise Mistake(evidence, "sigmoid_twice")
    if ranges[False][0] >= 0 and ranges[False][1] <= 1:
        raise Mistake("with sigmoid=False, too, all decoded numbers lie in [0, 1]", "sigmoid_always")
    return "images are flattened, and decoded pixels lie in [0, 1] where sigmoid=True"


NOISE_ADDS, SAME_SAMPLES, OTHER_SAMPLES = 0.1, 0.12, 0.2  # in logarithms of spreads, and in spreads


@checks("A1", "A1, sample", "toy_vae.VAE.sample")
def sample(student: Student) -> str:
    model = vae_of(student)
    results = [model.sample(DRAWS, decoder_noise=flag) for flag in (True, False)]
    if any(result is not None and result.requires_grad for result in results):
        raise Mistake("samples have a gradient: leave them inside torch.no_grad()")
    noisy, clean = (in_shape(result, (DRAWS, FEATURES), f"sample({DRAWS})") for result in results)
    with torch.no_grad():
        z = torch.randn(DRAWS, LATENTS)
        means, draws = (as_array(model.decode(z, noise=flag), "decode") for flag in (False, True))
    adds = float(np.log(draws.std(0) / means.std(0)).max()) > NOISE_ADDS
    evidence = f"sample has spread {listed(clean.std(0))} without noise; decoded z ~ N(0, I) has {listed(means.std(0))}"
    if adds and _away(noisy, means) < SAME_SAMPLES and _away(clean, draws) < SAME_SAMPLES:
        raise Mistake("samples with decoder_noise=True have less spread than with False", "noise_flag")
    if _away(clean, means) > OTHER_SAMPLES and _away(clean, draws) > OTHER_SAMPLES:
        raise Mistake(evidence, "not_prior")
    if adds and _away(clean, draws) < SAME_SAMPLES:
        raise Mistake("samples with decoder_noise=False have the spread of noisy ones", "noise_always")
    if adds and _away(noisy, means) < SAME_SAMPLES:
        raise Mistake("samples with decoder_noise=True have the spread of means", "noise_missing")
    return f"{DRAWS} samples agree with decoded draws of the prior, with noise and without"


def _away(a: Array, b: Array) -> float:
    """Return by how much two samples differ, in their means, spreads and deciles."""
    spread = np.maximum(b.std(0), 1e-9)
    places = [np.abs(f(a) - f(b)) / spread for f in (_mean, _low, _high)]
    widths = np.abs(np.log(np.maximum(a.std(0), 1e-9) / spread))
    return float(max(np.max(places), widths.max()))


def _mean(a: Array) -> Array:
    return a.mean(0)


def _low(a: Array) -> Array:
    return np.quantile(a, 0.1, axis=0)


def _high(a: Array) -> Array:
    return np.quantile(a, 0.9, axis=0)


@checks("A1", "A1, encode_latent", "toy_vae.VAE.encode_latent")
def encode_latent(student: Student) -> str:
    model = vae_of(student, "encode_latent")
    x = torch.randn(1, FEATURES).repeat(DRAWS, 1)
    with torch.no_grad():
        z = in_shape(model.encode_latent(x), (DRAWS, LATENTS), "encode_latent(x)")
    a, b = (half[0] for half in heads(model.encoder, as_array(x[:1], "x")))
    wanted = MEANINGS if is_open(lambda: model(x)) else {"": MEANINGS[meaning_of(model)]}
    for meaning in wanted.values():
        mean, logvar = meaning(a, b)
        if moments_fit(z, mean, np.exp(logvar / 2)):
            return f"{DRAWS} draws have the mean and the spread of q(z|x)"
    mean, logvar = next(iter(wanted.values()))(a, b)
    text = f"draws have mean {listed(z.mean(0))} and spread {listed(z.std(0))}"
    raise Mistake(f"{text}, right are {listed(mean)} and {listed(np.exp(logvar / 2))}", "encode_latent")


# ---------------------------------------------------------------- task A2


@checks("A2", "A2, loss", "toy_vae.train_vae", "toy_vae.vae_objective", stops=True)
def loss(student: Student) -> str:
    return judge_loss(_trainings(student, fit=plain_fit))  # the loop may still be open


@checks("A2", "A2, training steps", "toy_vae.train_vae", "core.training.fit", stops=True)
def steps(student: Student) -> str:
    return judge_steps(_trainings(student, vae_objective=_objective)[1])  # the loss may still be open


@checks("A2", "A2, test performance", "toy_vae.train_vae")
def evaluation(student: Student) -> str:
    return judge_evaluation(_trainings(student, fit=plain_fit, vae_objective=_objective)[1])


def _trainings(student: Student, **others: Callable[..., Any]) -> dict[int, Run]:
    """Train stubs by the student's train_vae; with others in the place of tasks that are still open."""
    train_vae = student.get("toy_vae.train_vae")
    try:
        return trainings(train_vae, StubVAE)
    except NotImplementedError:
        with replaced(train_vae, **others):
            return trainings(train_vae, StubVAE)


def _objective(model: Any, beta: float = 1.0) -> Callable[..., Any]:
    def objective(batch: tuple[Tensor, ...]) -> tuple[Tensor, dict[str, Tensor]]:
        terms: dict[str, Tensor] = dict(zip(("elbo", "kl", "nll"), model(batch[0])[2:], strict=True))
        return beta * terms["kl"] + terms["nll"], terms

    return objective
