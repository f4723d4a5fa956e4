"""Ask a VAE: what it returns for a few points under weights of ours, how z is spread, gradients, samples, flags."""

import contextlib
from typing import Any

import numpy as np

from course.grading.answers import Tampered
from course.grading.rerun.questions.asking import Asker, NotAnswered, array, plain

NETWORKS, CASES, COPIES = 3, 4, 6
INPUTS, LATENTS, HIDDEN = 3, 5, 12
REPEATS, SAMPLES, DRAWN_AGAIN = 20_000, 8000, 8
DIRECTIONS = 3
LEAST_SPREAD = 1e-12
STEP = 1e-5  # of central differences
PIXELS = 784


def ask_networks(ask: Asker, version: int) -> list[dict[str, Any]]:
    return [ask_network(ask, version) for _ in range(NETWORKS)]


def new_model(ask: Asker, version: int, **flags: bool) -> tuple[int, list[Any]]:
    built = ask("build", version=version, input_size=INPUTS, latent_size=LATENTS, hidden=HIDDEN, flags=flags)
    return int(built["model"]), built["shapes"]


def ask_network(ask: Asker, version: int) -> dict[str, Any]:
    """Ask one network with weights of ours about a few points, a batch, its gradients and its samples."""
    model, shapes = new_model(ask, version)
    ask("load", model=model, weights=ask.weights(shapes))
    cases = [ask_point(ask, model, ask.normal(1, INPUTS) * 1.5) for _ in range(CASES)]
    batch = ask.normal(7, INPUTS)
    out = ask("forward", model=model, x=batch)
    seed = int(ask.rng.integers(2**31))
    copies, one = (ask("forward", model=model, x=batch[:1], copies=n, seed=seed)["terms"][1] for n in (COPIES, 1))
    result = {
        "cases": cases, "shapes": [list(np.shape(out["x_pred"])), list(np.shape(out["z"]))],
        "kl_of_six": copies, "kl_of_one": one,
    }  # fmt: skip
    with contextlib.suppress(NotAnswered):
        result["gradients"] = ask_gradients(ask, version)
    with contextlib.suppress(NotAnswered):
        result["sample"] = ask_sample(ask, model)
    return result


def ask_point(ask: Asker, model: int, x: np.ndarray) -> dict[str, Any]:
    """Ask what forward returns for one point, and how z and decoded noise are spread over many copies of it."""
    out = ask("forward", model=model, x=x)
    elbo, kl, nll = out["terms"]
    z = array(out["z"], 1, -1)
    case = {"x": plain(x[0]), "z": plain(z[0]), "x_pred": plain(array(out["x_pred"]).reshape(-1)), "elbo": elbo}
    case |= {"kl": kl, "nll": nll}
    for name, value in out["outputs"].items():
        case[f"{name}_out"] = plain(array(value).reshape(-1))
    case |= distribution(ask, model, x)
    with contextlib.suppress(NotAnswered):
        z32 = z.astype(np.float32)
        draws = array(ask("decode", model=model, z=z32, noise=True, copies=REPEATS)).reshape(REPEATS, -1)
        mean = array(ask("decode", model=model, z=z32, noise=False)).reshape(-1)
        again = array(ask("decode", model=model, z=z32, noise=False)).reshape(-1)
        case |= {"d_mean": plain(draws.mean(0)), "d_std": plain(draws.std(0, ddof=1)), "d_clean": plain(mean)}
        case |= {"d_clean_again": plain(again)}
    with contextlib.suppress(NotAnswered):
        own = array(ask("encode_latent", model=model, x=x, copies=REPEATS), REPEATS, -1)
        case |= {"own_mean": plain(own.mean(0)), "own_std": plain(own.std(0, ddof=1))}
    return case


def distribution(ask: Asker, model: int, x: np.ndarray) -> dict[str, Any]:
    """Return moments of z, and how much x_pred varies, over many copies of one point."""
    out = ask("forward", model=model, x=x, copies=REPEATS)
    z = array(out["z"], REPEATS, -1)
    first, second = (array(ask("forward", model=model, x=x, copies=DRAWN_AGAIN)["z"]) for _ in range(2))
    spread = z.std(0, ddof=1)
    centred = (z - z.mean(0)) / np.maximum(spread, LEAST_SPREAD)
    x_pred = array(out["x_pred"]).reshape(REPEATS, -1)
    return {
        "z_mean": plain(z.mean(0)), "z_std": plain(spread), "z_kurtosis": plain((centred**4).mean(0)),
        "z_corr": plain((centred[:, 0] * centred[:, 1]).mean()) if z.shape[1] > 1 else 0.0,
        "z_between_calls": float(np.abs(first - second).max()),
        "x_pred_std": plain(x_pred.std(0, ddof=1)), "of_many": list(out["terms"]),
    }  # fmt: skip


def ask_sample(ask: Asker, model: int) -> dict[str, Any]:
    """Return moments of samples, and of decoded draws of the prior, with and without the decoder's noise."""
    noisy, clean = (array(ask("sample", model=model, count=SAMPLES, noise=noise)) for noise in (True, False))
    few = array(ask("sample", model=model, count=5))
    z = ask.normal(SAMPLES, LATENTS)
    direct, loud = (array(ask("decode", model=model, z=z, noise=noise)) for noise in (False, True))
    return {
        "shape": list(few.shape), "noisy": moments(noisy), "clean": moments(clean), "direct": moments(direct),
        "direct_noisy": moments(loud),
    }  # fmt: skip


def moments(t: np.ndarray) -> list[Any]:
    t = t.reshape(len(t), -1)
    return [
        plain(t.mean(0)),
        plain(t.std(0, ddof=1)),
        plain(np.quantile(t, 0.1, axis=0)),
        plain(np.quantile(t, 0.9, axis=0)),
    ]


def ask_gradients(ask: Asker, version: int) -> dict[str, Any]:
    """Compare autograd and central differences under common random numbers, for elbo, kl, nll, along directions."""
    model, shapes = new_model(ask, version)
    weights = [w.astype(np.float64) for w in ask.weights(shapes)]
    x = ask.normal(6, INPUTS).astype(np.float64)
    seed = int(ask.rng.integers(2**31))

    def terms(values: list[np.ndarray]) -> np.ndarray:
        ask("load", model=model, weights=values, double=True)
        return array(ask("forward", model=model, x=x, seed=seed)["terms"], 3)

    if (terms(weights) != terms(weights)).any():
        return {"not_repeatable": True}
    analytic, numeric = [], []
    for _ in range(DIRECTIONS):
        direction = [ask.rng.standard_normal(w.shape) / 10 for w in weights]
        ends = [terms([w + sign * STEP * d for w, d in zip(weights, direction, strict=True)]) for sign in (1, -1)]
        numeric.append(plain((ends[0] - ends[1]) / (2 * STEP)))
        ask("load", model=model, weights=weights, double=True)
        analytic.append(plain(array(ask("slopes", model=model, x=x, seed=seed, direction=direction), 3)))
    return {"analytic": analytic, "numeric": numeric}


def ask_flat(ask: Asker, version: int) -> dict[str, Any]:
    """Return the range of decoded images with sigmoid=True and with sigmoid=False."""
    result = {}
    for sigmoid in (True, False):
        flags = {"flatten": True, "sigmoid": sigmoid}
        built = ask("build", version=version, input_size=PIXELS, latent_size=2, hidden=16, flags=flags)
        model = int(built["model"])
        ask("load", model=model, weights=ask.weights(built["shapes"], 3.0))
        out = array(ask("forward", model=model, x=ask.rng.random((32, 1, 28, 28), np.float32))["x_pred"])
        clean = array(ask("decode", model=model, z=ask.normal(32, 2), noise=False))
        if not out.size or not clean.size:
            raise Tampered("expected images")
        result["sigmoid" if sigmoid else "linear"] = [float(f(t)) for t in (out, clean) for f in (np.min, np.max)]
    return result
