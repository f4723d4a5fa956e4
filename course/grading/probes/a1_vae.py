"""Probe a VAE: what perturbed networks return for a few points, the distribution of z, gradients, samples, flags."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from .models import build, decode, five, perturb, plain, scalar

REPEATS, SAMPLES = 20_000, 8000
CASES = 4
COPIES = 6
LEAST_SPREAD = 1e-12
STEP = 1e-5  # of central differences
Make = Callable[[], Any]


@contextlib.contextmanager
def outputs_of(model: Any) -> Iterator[dict[str, torch.Tensor]]:
    """Collect what the encoder and the decoder networks returned last, where they have those names."""
    outputs: dict[str, torch.Tensor] = {}
    handles = []
    for name in ("encoder", "decoder"):
        part = getattr(model, name) if hasattr(model, name) else None
        if part is not None and isinstance(part, nn.Module):

            def hook(_: Any, inputs: Any, out: Any, name: str = name) -> None:
                if isinstance(out, torch.Tensor):
                    outputs[name] = out.detach()

            handles.append(part.register_forward_hook(hook))
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


def probe_network(make: Make) -> dict[str, Any]:
    """Probe one perturbed network by a few points, by a batch, by its gradients and by its samples."""
    model = perturb(make())
    size = model_size(model)
    cases = []
    for _ in range(CASES):
        x = torch.randn(1, size) * 1.5
        with torch.no_grad():
            cases.append(probe_point(model, x))
    batch = torch.randn(7, size)
    with torch.no_grad():
        shapes = [list(torch.as_tensor(t).shape) for t in five(model, batch)]
        torch.manual_seed(7)
        copies, one = (scalar(five(model, batch[:1].expand(n, -1))[3]) for n in (COPIES, 1))
    result = {"cases": cases, "shapes": shapes, "kl_of_six": copies, "kl_of_one": one}
    with contextlib.suppress(Exception):
        result["gradients"] = gradient_check(make)
    with contextlib.suppress(Exception), torch.no_grad():
        result["sample"] = probe_sample(model)
    return result


def model_size(model: Any) -> int:
    size = getattr(model, "input_size", None)
    if isinstance(size, int):
        return size
    return next(p.shape[-1] for p in model.parameters() if p.ndim > 1)


def probe_point(model: Any, x: torch.Tensor) -> dict[str, Any]:
    """Send what forward returns for one point, and the distribution of z and of decoded noise over many copies."""
    with outputs_of(model) as outputs:
        x_pred, z, elbo, kl, nll = five(model, x)
        case = {"x": plain(x[0]), "z": plain(z[0]), "x_pred": plain(x_pred.reshape(-1)), "elbo": scalar(elbo)}
        case |= {"kl": scalar(kl), "nll": scalar(nll)}
        for name, out in outputs.items():
            case[f"{name}_out"] = plain(out.reshape(-1))
    copies = x.expand(REPEATS, -1)
    case |= distribution(model, copies)
    with contextlib.suppress(Exception):
        draws = decode(model, z.expand(REPEATS, -1), True).reshape(REPEATS, -1)
        mean = decode(model, z, False).reshape(-1)
        case |= {"d_mean": plain(draws.mean(0)), "d_std": plain(draws.std(0)), "d_clean": plain(mean)}
        case |= {"d_clean_again": plain(decode(model, z, False).reshape(-1))}
    with contextlib.suppress(Exception):
        own = model.encode_latent(copies)
        case |= {"own_mean": plain(own.mean(0)), "own_std": plain(own.std(0))}
    return case


def distribution(model: Any, copies: torch.Tensor) -> dict[str, Any]:
    """Send moments of z, and how much x_pred varies, over many copies of one point."""
    x_pred, z, *terms = five(model, copies)
    again = five(model, copies[:8])[1]
    centred = (z - z.mean(0)) / z.std(0).clamp_min(LEAST_SPREAD)
    return {
        "z_mean": plain(z.mean(0)), "z_std": plain(z.std(0)), "z_kurtosis": plain((centred**4).mean(0)),
        "z_corr": plain((centred.T @ centred / len(centred))[0, 1]) if z.shape[-1] > 1 else 0.0,
        "z_between_calls": float((five(model, copies[:8])[1] - again).abs().max()),
        "x_pred_std": plain(x_pred.reshape(len(copies), -1).std(0)), "of_many": [scalar(t) for t in terms],
    }  # fmt: skip


def probe_sample(model: Any) -> dict[str, Any]:
    """Send moments of samples, and of decoded draws of the prior, with and without the decoder's noise."""
    noisy, clean = model.sample(SAMPLES, decoder_noise=True), model.sample(SAMPLES, decoder_noise=False)
    latent = int(getattr(model, "latent_size", 0) or five(model, torch.randn(2, model_size(model)))[1].shape[-1])
    z = torch.randn(SAMPLES, latent)
    return {
        "shape": list(model.sample(5).shape), "noisy": moments(noisy), "clean": moments(clean),
        "direct": moments(decode(model, z, False)), "direct_noisy": moments(decode(model, z, True)),
    }  # fmt: skip


def moments(t: torch.Tensor) -> list[Any]:
    t = t.reshape(len(t), -1)
    return [plain(t.mean(0)), plain(t.std(0)), plain(t.quantile(0.1, dim=0)), plain(t.quantile(0.9, dim=0))]


# ---------------------------------------------------------------- gradients


def gradient_check(make: Make) -> dict[str, Any]:
    """Compare autograd and central differences under common random numbers, for elbo, kl, nll, along directions."""
    model = perturb(make()).double()
    x = torch.randn(6, model_size(model), dtype=torch.float64)
    parameters = [p for p in model.parameters() if p.requires_grad]

    def terms() -> list[torch.Tensor]:
        torch.manual_seed(3)
        return [torch.as_tensor(t).mean() for t in five(model, x)[2:]]

    with torch.no_grad():
        if any(float(a) != float(b) for a, b in zip(terms(), terms(), strict=True)):
            return {"not_repeatable": True}
    analytic, numeric = [], []
    for _ in range(3):
        direction = [torch.randn_like(p) / 10 for p in parameters]
        analytic.append([slope(terms()[term], parameters, direction) for term in range(3)])
        numeric.append(central_difference(terms, parameters, direction))
    return {"analytic": analytic, "numeric": numeric}


def slope(value: torch.Tensor, parameters: list[nn.Parameter], direction: list[torch.Tensor]) -> float:
    """Return a term's derivative along a direction, by autograd."""
    grads = torch.autograd.grad(value, parameters, allow_unused=True) if value.requires_grad else []
    return sum(float((g * d).sum()) for g, d in zip(grads, direction, strict=False) if g is not None)


def central_difference(
    terms: Callable[[], list[torch.Tensor]], parameters: list[nn.Parameter], direction: list[torch.Tensor]
) -> list[float]:
    """Return the terms' derivatives along a direction, by two evaluations; the parameters are moved and put back."""
    ends = []
    for steps in (1, -2):
        move(parameters, direction, steps * STEP)
        with torch.no_grad():
            ends.append([float(t) for t in terms()])
    move(parameters, direction, STEP)
    return [(a - b) / (2 * STEP) for a, b in zip(*ends, strict=True)]


def move(parameters: list[nn.Parameter], direction: list[torch.Tensor], size: float) -> None:
    with torch.no_grad():
        for p, d in zip(parameters, direction, strict=True):
            p.add_(d, alpha=size)


# ---------------------------------------------------------------- for images


def probe_flat(cls: type) -> dict[str, Any]:
    """Send the range of decoded images with sigmoid=True and with sigmoid=False."""
    result = {}
    for sigmoid in (True, False):
        model = perturb(build(cls, 784, 2, 16, flatten=True, sigmoid=sigmoid), 3.0)
        with torch.no_grad():
            out = five(model, torch.rand(32, 1, 28, 28))
            clean = decode(model, torch.randn(32, 2), False)
        key = "sigmoid" if sigmoid else "linear"
        result[key] = [float(out[0].min()), float(out[0].max()), float(clean.min()), float(clean.max())]
    return result
