"""Checks of assignment 4: a convolutional VAE on MNIST."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli

from helpers.checks.base import Mistake, Unclear, checks
from helpers.checks.oracles import Array, as_array, as_number, close, judge_draws, kl_from_standard, listed
from helpers.checks.pictures import judge_frames
from helpers.checks.student import Student, replaced
from helpers.checks.training import POINTS, Run, judge_steps, loader, plain_fit, watched

PIXELS, LATENTS, DRAWS, BATCH = 784, 3, 800, 5


class KnownVAE(nn.Module):
    """Give known posteriors and logits, where the student's own networks are still open."""

    def __init__(self) -> None:
        super().__init__()
        self.latent_dim = LATENTS
        self.encoder, self.decoder = nn.Linear(PIXELS, 2 * LATENTS), nn.Linear(LATENTS, PIXELS)

    def encode(self, x: Tensor) -> tuple[Tensor, ...]:
        return self.encoder(x.flatten(1)).chunk(2, dim=1)

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(z).reshape(-1, 1, 28, 28)


def model_of(student: Student) -> Any:
    """Make the student's own VAE, which says whether its decoder gives logits or probabilities; else a known one."""
    try:
        model = student.get("mnist_conv_vae.VAE")(LATENTS).eval()
        strengthen(model)
        with torch.no_grad():
            mu, logvar = model.encode(torch.rand(2, 1, 28, 28))
            model.decode(mu)
        if mu.shape == logvar.shape == (2, LATENTS):
            return model
    except Exception:
        pass  # its own checks say what is wrong with it
    model = KnownVAE()
    strengthen(model)
    return model


@torch.no_grad()
def strengthen(model: Any) -> None:
    """Change weights so that images have different posteriors of a few nats, and pixels are not gray."""
    for network, factor in ((model.encoder, 3.0), (model.decoder, 2.0)):
        for part in network.modules():
            if isinstance(part, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                part.weight.mul_(factor)


class Parts(NamedTuple):
    """What a model's own parts were asked for, and gave."""

    mu: Array
    logvar: Array
    z: Array
    decoded: Array  # (B, 784)


@contextlib.contextmanager
def noted(model: Any) -> Iterator[list[Parts]]:
    """Note each decoding of a model, with the posterior that came before it."""
    encode, decode = model.encode, model.decode
    posterior: list[Array] = [np.zeros(0), np.zeros(0)]
    parts: list[Parts] = []

    def noting_encode(x: Tensor) -> Any:
        result = encode(x)
        posterior[:] = [as_array(part, "a posterior") for part in result]
        return result

    def noting_decode(z: Tensor) -> Any:
        result = decode(z)
        decoded = as_array(result, "decode(z)").reshape(len(z), -1)
        parts.append(Parts(posterior[0], posterior[1], as_array(z, "z"), decoded))
        return result

    model.encode, model.decode = noting_encode, noting_decode
    try:
        yield parts
    finally:
        del model.encode, model.decode


def likelihood(decoded: Array, x: Array) -> Array:
    """Compute log p(x|z) of binary pixels, from logits, or from probabilities where all values are some."""
    values = torch.from_numpy(decoded)
    logits = torch.logit(values, 1e-7) if is_probability(decoded) else values
    return as_array(Bernoulli(logits=logits).log_prob(torch.from_numpy(x)).sum(1), "log p(x|z)")


def is_probability(decoded: Array) -> bool:
    return bool(decoded.min() >= 0 and decoded.max() <= 1)


# ---------------------------------------------------------------- task 1


@checks("1", "Task 1, calc_elbo", "mnist_conv_vae.calc_elbo", stops=True)
def calc_elbo(student: Student) -> str:
    function, model = student.get("mnist_conv_vae.calc_elbo"), model_of(student)
    judge_posterior(function, model)
    x = (torch.rand(BATCH, 1, 28, 28) < 0.5).float()
    terms: list[dict[str, float]] = []
    for _ in range(3):
        with noted(model) as parts:
            values = values_of(function(model, x))
        if not parts:
            raise Unclear("the model's decode was not called, so this check cannot tell what was decoded")
        kl = kl_from_standard(parts[-1].mu, np.exp(parts[-1].logvar / 2))
        log_p = likelihood(parts[-1].decoded, as_array(x, "x").reshape(BATCH, -1))
        terms.append(name_terms(values, float(log_p.mean()), float(kl.mean())))
    judge_gradient(function, model, x)
    kinds = ", ".join(terms[-1])
    return f"gives {kinds}, as the model's own posterior and pixels have them ({len(terms)} draws)"


def judge_posterior(function: Callable[..., Any], model: Any) -> None:
    """Compare what is decoded with draws of the posterior."""
    x = (torch.rand(1, 1, 28, 28) < 0.5).float().repeat(DRAWS, 1, 1, 1)
    with torch.no_grad(), noted(model) as parts:
        function(model, x)
        function(model, x)
    if len(parts) > 1:
        first, again = parts[0], parts[-1]
        judge_draws(first.z, again.z, first.mu[0], np.exp(first.logvar[0] / 2))


def judge_gradient(function: Callable[..., Any], model: Any, x: Tensor) -> None:
    """Raise a mistake where no gradient reaches the encoder."""
    result = function(model, x)
    tensors = list(result.values()) if isinstance(result, Mapping) else result
    tensors = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    total = sum((i + 1.5) * t.sum() for i, t in enumerate(tensors) if t.requires_grad)  # no sum of terms that cancel
    if not isinstance(total, Tensor):
        raise Mistake("what it gives has no gradient", "gradient_cut")
    slopes = torch.autograd.grad(total, list(model.encoder.parameters()), allow_unused=True)
    if all(slope is None or not slope.any() for slope in slopes):
        raise Mistake("its gradient does not reach the encoder", "gradient_cut")


def values_of(result: Any) -> list[float]:
    """Return the numbers that calc_elbo gave, whatever it is called and packed in; averaged over the batch."""
    if result is None:
        raise NotImplementedError("calc_elbo gives nothing back yet.")
    parts = list(result.values()) if isinstance(result, Mapping) else result
    parts = [parts] if isinstance(parts, Tensor | float | int) else list(parts)
    return [float(as_array(part, "a result").mean()) for part in parts]


EXACT = 2e-5, 2e-3  # relative and absolute: the very same numbers, in float32


def name_terms(values: list[float], log_p: float, kl: float) -> dict[str, float]:
    """Name the numbers that calc_elbo gave.

    Raises:
        Mistake: one is what a usual mistake makes of it.
        Unclear: one is unknown.
    """
    right = {"ELBO": log_p - kl, "log-likelihood": log_p, "NLL": -log_p, "KL": kl}
    right |= {f"{name} of the batch": BATCH * value for name, value in right.items()}
    named = {name: form for name, form in right.items() if any(close(value, form, *EXACT) for value in values)}
    unknown = [value for value in values if not any(close(value, form, *EXACT) for form in right.values())]
    if unknown:  # what is nearest to 0 is the KL, if there is one: it says more than a sum with it
        raise fault_of(min(unknown, key=abs), log_p, kl)
    if "ELBO" not in named and "ELBO of the batch" not in named:
        raise Unclear(f"none of the numbers {listed(np.array(values))} is the ELBO, {log_p - kl:.4g}")
    return named


def fault_of(value: float, log_p: float, kl: float) -> Mistake | Unclear:
    """Tell what a wrong number is."""
    text = f"{value:.4g} is not among what the model's own parts give: log p(x|z) {log_p:.4g}, KL {kl:.4g}, ELBO "
    text += f"{log_p - kl:.4g}"
    factors = ((2.0, "kl_no_half"), (0.5, "kl_halved"), (-1.0, "kl_sign"), (-2.0, "kl_sign"),
               (1 / LATENTS, "kl_mean_latents"))  # fmt: skip
    for factor, code in factors:
        wrong = factor * kl
        if close(value, wrong, *EXACT) or close(value, log_p - wrong, *EXACT):
            return Mistake(text, "elbo_kl_sign" if close(value, log_p + kl, *EXACT) else code)
    if close(value, kl - log_p, *EXACT):
        return Unclear(f"{value:.4g} is the negative of the ELBO, {log_p - kl:.4g}")
    if close(value, -log_p - kl, *EXACT):
        return Mistake(text, "nll_sign")
    means = (log_p / PIXELS, -log_p / PIXELS)
    if any(close(value, form, *EXACT) for mean in means for form in (mean, mean - kl)):
        return Mistake(text, "nll_mean_features")
    return Mistake(text, "elbo_wrong")


# ---------------------------------------------------------------- task 2


@checks("2", "Task 2, sample", "mnist_conv_vae.sample")
def sample(student: Student) -> str:
    function, model = student.get("mnist_conv_vae.sample"), model_of(student)
    with noted(model) as parts, replaced(function, device=next(model.parameters()).device):
        images = as_array(function(model, DRAWS), "the samples")
    if images.size != DRAWS * PIXELS or len(images) != DRAWS:
        raise Mistake(f"{DRAWS} samples have the shape {images.shape}, expected ({DRAWS}, 28, 28)", "shape")
    if not parts:
        raise Unclear("the model's decode was not called, so this check cannot tell what was decoded")
    z, decoded = (np.concatenate([p[i] for p in parts]) for i in (2, 3))
    noise = np.random.default_rng(0).normal(size=z.shape)
    try:
        judge_draws(z, noise, np.zeros(z.shape[1]), np.ones(z.shape[1]))
    except Mistake as mistake:
        raise Mistake(mistake.evidence, "not_prior") from None
    p = decoded if is_probability(decoded) else 1 / (1 + np.exp(-decoded))
    pixels = images.reshape(DRAWS, -1)
    if close(pixels, p, 0, 1e-3):
        return f"{DRAWS} codes from N(0, I), decoded to pixel probabilities"
    if set(np.unique(pixels)) <= {0.0, 1.0}:
        if abs(float((pixels - p).mean())) > 0.01:
            raise Mistake(f"of the drawn pixels {pixels.mean():.3f} are white, their probabilities say {p.mean():.3f}")
        return f"{DRAWS} codes from N(0, I), decoded, and their pixels drawn"
    if pixels.min() < -1e-6 or pixels.max() > 1 + 1e-6:
        raise Mistake(f"pixels lie between {pixels.min():.2f} and {pixels.max():.2f}", "sigmoid_missing")
    raise Mistake("the samples are not what the model decodes")


# ---------------------------------------------------------------- task 3


def kinds(network: nn.Module) -> set[type[nn.Module]]:
    return {type(part) for part in network.modules()}


def network_of(student: Student, name: str, part: str, *arguments: Any) -> Any:
    """Make the student's own network by itself, or take it out of their VAE."""
    own = student.space.get(name.rpartition(".")[2])
    if callable(own) or not callable(student.space.get("VAE")):
        return student.get(name)(*arguments).eval()
    return getattr(student.get("mnist_conv_vae.VAE")(LATENTS).eval(), part)


@checks("3", "Task 3, the encoder", "core.networks.ConvEncoder.__init__")
def encoder(student: Student) -> str:
    network = network_of(student, "core.networks.ConvEncoder", "encoder", 2 * LATENTS)
    features = as_array(network(torch.rand(4, 1, 28, 28)), "the encoder's output")
    if features.ndim != 2 or len(features) != 4:
        raise Mistake(f"4 images give the shape {features.shape}, expected a row of numbers each", "shape")
    if nn.Conv2d not in kinds(network) or nn.Linear not in kinds(network):
        raise Mistake("it is not made of convolutions (Conv2d) and fully connected layers (Linear) after them")
    return f"convolutions, then fully connected layers, down to {features.shape[1]} numbers"


@checks("3", "Task 3, the decoder", "core.networks.ConvDecoder.__init__")
def decoder(student: Student) -> str:
    network = network_of(student, "core.networks.ConvDecoder", "decoder", LATENTS)
    images = as_array(network(torch.randn(4, LATENTS)), "the decoder's output")
    if images.shape not in ((4, 1, 28, 28), (4, 28, 28), (4, PIXELS)):
        raise Mistake(f"4 codes give the shape {images.shape}, expected (4, 1, 28, 28)", "shape")
    if nn.ConvTranspose2d not in kinds(network) or nn.Linear not in kinds(network):
        raise Mistake("it is not made of fully connected layers (Linear) and transposed convolutions (ConvTranspose2d)")
    return "fully connected layers, then transposed convolutions, up to 28 x 28 pixels"


# ---------------------------------------------------------------- tasks 4 and 5


class StubVAE(nn.Module):
    """A model whose ELBO is -(w - 3)^2 - 1, whatever the images."""

    latent_dim = LATENTS

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor([2.0]))


@checks("4", "Task 4, train", "mnist_conv_vae.train", stops=True)
def train(student: Student) -> str:
    function, model, seen = student.get("mnist_conv_vae.train"), StubVAE(), []

    def known_elbo(model: Any, x: Tensor, *_: Any, **__: Any) -> Any:
        seen.append(x)
        each = -(model.w - 3).square().expand(len(x))
        return terms(each - 1, each, torch.ones(len(x)))

    terms = getattr(function, "__globals__", {}).get("ElboTerms", lambda *values: values)
    optimizer, steps = watched(model)
    gray = loader(0.4, 1, 28, 28)
    for others in ({}, {"fit": plain_fit}):
        try:
            with replaced(function, calc_elbo=known_elbo, **others):
                function(model, optimizer, gray, gray, 2)
            break
        except NotImplementedError:
            if others:
                raise
    judge_steps(Run(steps, [(POINTS["train"], True)]))
    slope = steps[0][0]
    if slope is None or float(slope.sum()) > 0:
        raise Mistake("the gradient points to a smaller ELBO", "maximises")
    if any(set(x.unique().tolist()) - {0.0, 1.0} for x in seen):
        raise Mistake("gray images went into calc_elbo: draw binary pixels first, else it is no likelihood")
    return "maximises the ELBO of binary images, one step a batch"


@checks("4", "Task 4, the test ELBO")
def test_elbo(student: Student, model: Any, images: Any, elbo: Any) -> str:
    """``images``: what the ELBO was computed on, binary; ``elbo``: the mean that is reported."""
    device = next(model.parameters()).device
    x = torch.as_tensor(as_array(images, "images"), dtype=torch.float32).reshape(-1, 1, 28, 28)
    total = 0.0
    for part in x.split(500):
        with torch.no_grad():
            mu, logvar = (t.cpu().double() for t in model.encode(part.to(device)))
            z = torch.distributions.Normal(mu, (logvar / 2).exp()).sample()
            decoded = as_array(model.decode(z.float().to(device)), "decode(z)").reshape(len(part), -1)
        kl = kl_from_standard(as_array(mu, "mu"), np.exp(as_array(logvar, "logvar") / 2))
        total += float((likelihood(decoded, as_array(part, "x").reshape(len(part), -1)) - kl).sum())
    right, value = total / len(x), as_number(elbo, "the ELBO")
    if abs(value - right) > 0.02 * abs(right):
        code = "elbo_sign" if close(value, -right, 0.02) else "elbo_wrong"
        raise Mistake(f"the ELBO of the {len(x)} images given is {right:.1f} nats, yours is {value:.1f}", code)
    return f"is what the model's own posterior and pixels give on {len(x)} images"


@checks("5", "Task 5, the walk")
def walk(student: Student, model: Any, frames: Any, images: Any) -> str:
    """``frames``: the decoded images on the way; ``images``: the two that it leads from and to."""
    shown = as_array(frames, "frames").reshape(-1, 28, 28)
    device = next(model.parameters()).device
    ends = torch.as_tensor(as_array(images, "images"), dtype=torch.float32).reshape(2, 1, 28, 28)
    t = torch.linspace(0, 1, len(shown), device=device)[:, None]
    with torch.no_grad():
        first, last = model.encode(ends.to(device))[0]
        decoded = as_array(model.decode((1 - t) * first + t * last), "decode(z)")
    decoded = decoded if is_probability(decoded) else 1 / (1 + np.exp(-decoded))
    return judge_frames(shown, decoded.reshape(-1, 28, 28), as_array(ends, "images").reshape(2, 28, 28))
