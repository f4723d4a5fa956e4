"""Judge what a submission's functions returned, against independent mathematics. Runs in the grader's process.

Input is JSON from the sandbox, which a submission may have tampered with: every number is read through
:func:`number`, and whatever does not fit leads to LOOK, never to an exception that leaves this module.
"""

import itertools
import math
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch.distributions import Independent, Normal, kl_divergence

from course.assignments.rubric import LOG_2PI

Level = Literal["PASS", "FAIL", "LOOK"]


class Finding(NamedTuple):
    """One observation about one task."""

    task: str
    level: Level
    code: str  # of its hint; for a PASS, of what holds
    evidence: str


class Tampered(ValueError):
    """The answers do not have the form in which probes send them."""


def numbers(value: Any, most: int = 100_000) -> np.ndarray:
    """Nested lists of numbers as an array.

    Raises:
        Tampered: anything else.
    """
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise Tampered("expected numbers") from error
    if array.size > most:
        raise Tampered("expected fewer numbers")
    return array


def number(value: Any) -> float:
    """One number.

    Raises:
        Tampered: anything else.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Tampered("expected a number")
    return float(value)


def close(a, b, relative: float = 1e-3, absolute: float = 1e-4) -> bool:
    return bool(np.allclose(a, b, rtol=relative, atol=absolute))


def oracle_kl(mean: np.ndarray, std: np.ndarray) -> float:
    """KL of N(mean, std^2) from N(0, I), by torch.distributions."""
    mean, std = torch.as_tensor(mean), torch.as_tensor(np.maximum(std, 1e-12))
    prior = Independent(Normal(torch.zeros_like(mean), torch.ones_like(std)), 1)
    return float(kl_divergence(Independent(Normal(mean, std), 1), prior))


def oracle_nll(x: np.ndarray, mean: np.ndarray, std: np.ndarray) -> float:
    """-log N(x; mean, std^2), by torch.distributions."""
    q = Independent(Normal(torch.as_tensor(mean), torch.as_tensor(np.maximum(std, 1e-12))), 1)
    return -float(q.log_prob(torch.as_tensor(x)))


# ---------------------------------------------------------------- the VAE of assignment 1


def judge_vae(probe: Any) -> Iterator[Finding]:
    """KL, posterior samples, NLL, ELBO, gradients, decoder noise and samples of perturbed networks."""
    cases = [case for network in probe for case in network["cases"]]
    if not cases:
        raise Tampered("no cases")
    yield from judge_posterior(cases)
    yield from judge_kl(cases)
    yield from judge_nll(cases)
    yield from judge_elbo(cases)
    yield from judge_decoder(cases)
    yield from judge_reductions(probe)
    yield from judge_shapes(probe[0])
    yield from judge_gradients([network.get("gradients") for network in probe])
    samples = [network["sample"] for network in probe if "sample" in network]
    if samples:
        yield from judge_sample(samples)
    else:
        yield Finding("A1", "LOOK", "own_way", "sample could not be called as sample(batch_size, decoder_noise=...)")


def posterior_std(case: dict) -> np.ndarray:
    return numbers(case["z_std"])


def judge_posterior(cases: list[dict]) -> Iterator[Finding]:
    std = np.array([posterior_std(c) for c in cases])
    between = np.array([number(c["z_between_calls"]) for c in cases])
    if (std < 1e-6).all():
        code = "no_noise" if (between < 1e-6).all() else "shared_noise"
        yield Finding("A1", "FAIL", code, f"20,000 draws of z for one x have a spread of {std.max():.2g}")
        return
    if (between < 1e-9).all():
        yield Finding("A1", "FAIL", "frozen_noise", "two calls give exactly the same z")
    corr = np.array([number(c["z_corr"]) for c in cases])
    if (np.abs(corr) > 0.98).all():
        yield Finding("A1", "FAIL", "shared_noise_latents", f"the latents' noise correlates by {corr.mean():.3f}")
    kurtosis = np.concatenate([numbers(c["z_kurtosis"])[s > 1e-6] for c, s in zip(cases, std, strict=True)])
    if np.median(np.abs(kurtosis - 3)) > 0.3:
        yield Finding(
            "A1", "FAIL", "not_normal", f"kurtosis of the noise is {np.median(kurtosis):.2f}; a normal's is 3"
        )
    else:
        yield Finding("A1", "PASS", "posterior", "z has normal noise of its own for every example, latent and call")
    own = [c for c in cases if "own_std" in c]
    if own:
        ratio = np.array([numbers(c["own_std"]) / posterior_std(c) for c in own])
        shift = np.array([(numbers(c["own_mean"]) - numbers(c["z_mean"])) / posterior_std(c) for c in own])
        if np.abs(np.log(np.maximum(ratio, 1e-9))).max() > 0.1 or np.abs(shift).max() > 0.15:
            evidence = f"spread of encode_latent over that of forward: {ratio.min():.2f} to {ratio.max():.2f}"
            yield Finding("A1", "FAIL", "encode_latent", evidence)


def kl_of(case: dict, std: Callable[[np.ndarray], np.ndarray] | None = None) -> float:
    """Of q(z|x) as its samples show it; or of the encoder's raw output under some reading of its second half."""
    if std is None:
        return oracle_kl(numbers(case["z_mean"]), posterior_std(case))
    half = np.split(numbers(case["encoder_out"]), 2)
    return oracle_kl(half[0], std(half[1]))


def log_ratio(case: dict) -> float:
    """log q(z|x) - log p(z) of the returned z, by torch.distributions: what the KL is the mean of."""
    mean, logvar = np.split(numbers(case["encoder_out"]), 2)
    z, zero = numbers(case["z"]), np.zeros_like(mean)
    return oracle_nll(z, zero, zero + 1) - oracle_nll(z, mean, np.exp(logvar / 2))


def judge_kl(cases: list[dict]) -> Iterator[Finding]:
    got = np.array([number(c["kl"]) for c in cases])
    expected = np.array([kl_of(c) for c in cases])
    latents = len(numbers(cases[0]["z_mean"]))
    z_std = np.array([posterior_std(c) for c in cases])
    if not np.isfinite(got).all():
        yield Finding("A1", "LOOK", "unclear", "the KL of a perturbed network is not finite")
        return

    def fits(factor: float) -> bool:
        return close(got, factor * expected, 0.06, 0.03 * abs(factor))

    # five latents: one, two and a half of a mean over them differ from one, two and a half of the sum
    table = {1.0: None, 2.0: "kl_no_half", 0.5: "kl_half_twice", -1.0: "kl_sign", -2.0: "kl_sign", -0.5: "kl_sign"}
    table |= {1 / latents: "kl_mean_latents", 2 / latents: "kl_mean_latents", 1 / math.log(2): "kl_log2"}
    evidence = f"KL {got[0]:.3f}, {got[1]:.3f}; of the sampled q(z|x) {expected[0]:.3f}, {expected[1]:.3f}"
    for factor, code in table.items():
        if fits(factor):
            yield Finding("A1", "FAIL" if code else "PASS", code or "kl", evidence)
            return
    noise_ok = (z_std > 1e-6).all()
    if all("encoder_out" in c and len(numbers(c["encoder_out"])) == 2 * latents for c in cases):
        raw = np.array([np.split(numbers(c["encoder_out"]), 2)[1] for c in cases])
        right = np.array([kl_of(c, lambda h: np.exp(h / 2)) for c in cases])
        # the sampled spread against what the encoder put out: which of the two is wrong?
        readings = {"logvar_as_std": np.abs(raw), "std_no_half": np.exp(raw), "noise_unscaled": np.ones_like(raw)}
        for code, reading in readings.items():
            if noise_ok and close(z_std, reading, 0.04, 0.01):
                yield Finding("A1", "FAIL", code, f"{evidence}; z spreads like {code.replace('_', ' ')}")
                return
        if close(got, [log_ratio(c) for c in cases], 1e-3, 1e-3):
            yield Finding("A1", "PASS", "kl", "KL is log q(z|x) - log p(z) of the drawn z, an estimate without bias")
            return
        for factor, code in table.items():
            if close(got, factor * right, 1e-2, 1e-2):
                if code:
                    yield Finding("A1", "FAIL", code, evidence)
                elif noise_ok:
                    code = "posterior_mean" if close(z_std, np.exp(raw / 2), 0.04, 0.01) else "kl_wrong"
                    yield Finding("A1", "FAIL", code, evidence)
                return
    if noise_ok:
        yield Finding("A1", "FAIL", "kl_sign" if (got < -0.01).any() else "kl_wrong", evidence)


def nll_candidates(case: dict) -> dict[str, float]:
    """What an NLL could be, under its right form and under known mistakes, for one example."""
    x = numbers(case["x"])
    if "decoder_out" in case and len(numbers(case["decoder_out"])) == 2 * len(x):
        mean, logvar = np.split(numbers(case["decoder_out"]), 2)
    elif "d_mean" in case:
        mean, logvar = numbers(case["d_clean"]), 2 * np.log(np.maximum(numbers(case["d_std"]), 1e-9))
    else:
        mean, logvar = numbers(case["x_pred"]), np.zeros_like(x)
    return candidates(x, mean, logvar)


def candidates(x: np.ndarray, mean: np.ndarray, logvar: np.ndarray) -> dict[str, float]:
    d2, v, n = (x - mean) ** 2, np.exp(np.clip(logvar, -50, 50)), len(x)
    full = oracle_nll(x, mean, np.sqrt(v))
    s = np.exp(0.5 * np.clip(logvar, -50, 50))
    return {
        "full": full,
        "without log(2 pi)": full - 0.5 * n * LOG_2PI,
        "half of log(2 pi) once": full - 0.5 * n * LOG_2PI + 0.5 * LOG_2PI,
        "squared error": d2.sum(), "half the squared error": 0.5 * d2.sum(), "mean squared error": d2.mean(),
        "half the mean squared error": 0.5 * d2.mean(),
        "unit variance": oracle_nll(x, mean, np.ones(n)),
        "nll_no_logvar": 0.5 * (d2 / v).sum(), "nll_no_logvar 2": (d2 / v).sum(),
        "nll_no_logvar 3": 0.5 * (d2 / v).sum() + 0.5 * n * LOG_2PI, "nll_no_logvar 4": 0.5 * (d2 / v).mean(),
        "nll_mean_features": full / n, "nll_mean_features 2": (full - 0.5 * n * LOG_2PI) / n,
        "nll_sign": -full, "nll_sign 2": -(full - 0.5 * n * LOG_2PI), "nll_sign 3": -d2.sum(), "nll_sign 4": -d2.mean(),
        "nll_sign 5": 0.5 * (d2 / v).sum() - 0.5 * logvar.sum(), "nll_sign 6": 0.5 * (d2 / v).sum() - 0.5 * logvar.sum()
        + 0.5 * n * LOG_2PI,
        "nll_std_for_variance": (0.5 * d2 / s + 0.5 * logvar).sum(),
        "nll_std_for_variance 2": (0.5 * d2 / s + 0.5 * logvar).sum() + 0.5 * n * LOG_2PI,
        "nll_std_for_variance 3": (0.5 * d2 / v**2 + logvar).sum() + 0.5 * n * LOG_2PI,
        "nll_std_for_variance 4": (0.5 * d2 / logvar**2).sum() if np.all(logvar) else math.inf,
        "nll_no_half": (0.5 * d2 / v + logvar).sum(), "nll_no_half 2": (d2 / v + 0.5 * logvar).sum(),
        "nll_no_half 3": (0.5 * d2 / v + logvar).sum() + 0.5 * n * LOG_2PI, "nll_no_half 4": (d2 / v + logvar).sum(),
        "nll_no_half 5": (d2 / v + logvar).sum() + n * LOG_2PI, "nll_no_half 6": 2 * full,
    }  # fmt: skip


HONEST_NLL = (
    "full", "without log(2 pi)", "half of log(2 pi) once", "squared error", "half the squared error",
    "mean squared error", "half the mean squared error", "unit variance",
)  # fmt: skip


def judge_nll(cases: list[dict]) -> Iterator[Finding]:
    """The returned nll against candidates. A mean is taken for a decoder's own; the rest is told by fit."""
    got = np.array([number(c["nll"]) for c in cases])
    tables = [nll_candidates(c) for c in cases]
    exact = all("decoder_out" in c for c in cases)
    relative, absolute = (2e-3, 2e-3) if exact else (0.05, 0.08)
    for name in tables[0]:
        if close(got, [t[name] for t in tables], relative, absolute):
            code = name.split(" ")[0]
            evidence = (
                f"nll is the {name}" if name in HONEST_NLL else f"nll {got[0]:.3f}, {got[1]:.3f} fits this mistake"
            )
            yield (
                Finding("A1", "PASS", "nll", evidence) if name in HONEST_NLL else Finding("A1", "FAIL", code, evidence)
            )
            return
    # an own decoder (softplus, a shared variance, a clamp): what it samples tells its distribution
    if all("d_std" in c for c in cases):
        sampled = [candidates(numbers(c["x"]), numbers(c["d_clean"]), 2 * np.log(np.maximum(numbers(c["d_std"]), 1e-9)))
                   for c in cases]  # fmt: skip
        for name in HONEST_NLL:
            if close(got, [t[name] for t in sampled], 0.06, 0.1):
                yield Finding("A1", "PASS", "nll", f"nll is the {name} of the decoder as it samples")
                return
        for name in sampled[0]:
            if name not in HONEST_NLL and close(got, [t[name] for t in sampled], 0.05, 0.08):
                yield Finding("A1", "FAIL", name.split(" ")[0], f"nll {got[0]:.3f} fits this mistake")
                return
    x_pred = [numbers(c["x_pred"]) for c in cases]
    errors = np.array([((numbers(c["x"]) - p) ** 2).sum() for c, p in zip(cases, x_pred, strict=True)])
    if np.ptp(got / np.maximum(errors, 1e-9)) < 1e-3 * abs(got / np.maximum(errors, 1e-9)).max():
        ratio = float((got / errors).mean())
        level = "PASS" if ratio > 0 else "FAIL"
        yield Finding("A1", level, "nll" if ratio > 0 else "nll_sign", f"nll is {ratio:.3g} times the squared error")
        return
    closest = tables[0]["full"]
    yield Finding("A1", "FAIL", "nll_wrong", f"nll {got[0]:.3f}; -log p(x|z) is {closest:.3f}, no squared error fits")


def judge_elbo(cases: list[dict]) -> Iterator[Finding]:
    for which, terms in (
        ("one example", np.array([[number(c[k]) for k in ("elbo", "kl", "nll")] for c in cases])),
        ("20,000 examples", np.array([numbers(c["of_many"]) for c in cases])),
    ):
        elbo, kl, nll = terms.T
        evidence = f"{which}: elbo {elbo[0]:.4f}, kl {kl[0]:.4f}, nll {nll[0]:.4f}"
        found = identity_finding(elbo, kl, nll, 1e-3, evidence)
        if found.level != "PASS":
            break
    yield found


def identity_finding(elbo, kl, nll, tolerance: float, evidence: str) -> Finding:
    scale = float(np.max(np.abs(kl) + np.abs(nll))) + 1.0
    fits = {
        "elbo": -(nll + kl), "elbo_sign": nll + kl, "elbo_kl_sign": kl - nll, "elbo_kl_sign 2": nll - kl,
    }  # fmt: skip
    for name, value in fits.items():
        if np.max(np.abs(elbo - value)) < tolerance * scale:
            return Finding("A1", "PASS" if name == "elbo" else "FAIL", name.split(" ")[0], evidence)
    return Finding("A1", "FAIL", "elbo_wrong", evidence)


def judge_decoder(cases: list[dict]) -> Iterator[Finding]:
    varies = np.array([numbers(c["x_pred_std"]).max() for c in cases])
    z_varies = np.array([posterior_std(c).max() for c in cases])
    if (varies < 1e-6).all() and (z_varies > 1e-6).all():
        yield Finding("A1", "FAIL", "decodes_mean", "x_pred is the same for different z")
    drawn = [c for c in cases if "d_std" in c]
    if not drawn:
        yield Finding("A1", "LOOK", "own_way", "decode could not be called as decode(z, noise=...)")
        return
    noisy = np.array([numbers(c["d_std"]).max() for c in drawn])
    clean = np.array([np.abs(numbers(c["d_clean"]) - numbers(c["d_clean_again"])).max() for c in drawn])
    if (noisy < 1e-6).all() and (clean > 1e-6).all():
        yield Finding("A1", "FAIL", "noise_flag", "decode(noise=True) repeats itself, decode(noise=False) does not")
        return
    if (clean > 1e-6).all():
        yield Finding("A1", "FAIL", "noise_always", "decode(noise=False) gives another result each time")
        return
    if (noisy < 1e-6).all():
        # with a squared error as NLL there is no variance to draw with; else the flag does nothing
        yield Finding("A1", "LOOK", "noise_missing", "decode(noise=True) gives the same result each time")
        return
    centre = max(np.abs(numbers(c["d_mean"]) - numbers(c["d_clean"])).max() / numbers(c["d_std"]).max() for c in drawn)
    if centre > 0.1:
        yield Finding("A1", "FAIL", "not_normal", f"decoder noise is off-centre by {centre:.2f} of its spread")
    with_head = [c for c in drawn if "decoder_out" in c and len(numbers(c["decoder_out"])) == 2 * len(numbers(c["x"]))]
    if with_head:
        raw = np.array([np.split(numbers(c["decoder_out"]), 2)[1] for c in with_head])
        spread = np.array([numbers(c["d_std"]) for c in with_head])
        got, tables = [number(c["nll"]) for c in with_head], [nll_candidates(c) for c in with_head]
        gaussian = ("full", "without log(2 pi)")
        nll_uses_it = any(close(got, [t[name] for t in tables], 2e-3, 2e-3) for name in gaussian)
        if nll_uses_it and not close(spread, np.exp(raw / 2), 0.05, 0.01):
            yield Finding(
                "A1", "FAIL", "noise_scale", f"spread {spread[0, 0]:.3f}, expected {np.exp(raw / 2)[0, 0]:.3f}"
            )
    same = [c for c in cases if "d_clean" in c and close(numbers(c["x_pred"]), numbers(c["d_clean"]), 1e-3, 1e-3)]
    if len(same) < len(drawn) and (varies > 1e-6).any():
        yield Finding("A1", "LOOK", "x_pred", "x_pred differs from decode(z, noise=False): a noisy draw?")
    else:
        yield Finding("A1", "PASS", "decode", "decode gives the mean without noise, draws with it")


def judge_reductions(probe: list[dict]) -> Iterator[Finding]:
    """Sums over the batch where means are asked for: of one term alone they are a hidden beta."""
    ratios = np.array([number(n["kl_of_six"]) / number(n["kl_of_one"]) for n in probe if number(n["kl_of_one"])])
    one = np.array([[number(c["nll"]), numbers(c["of_many"])[2]] for n in probe for c in n["cases"]])
    kl = bool(len(ratios)) and close(ratios, 6.0, 0.02, 0)
    nll = float(np.median(np.abs(one[:, 1]) / np.maximum(np.abs(one[:, 0]), 0.1))) > 300
    evidence = f"nll of one example {one[0, 0]:.4g}, of 20,000 copies of it {one[0, 1]:.4g}"
    if kl and nll:
        yield Finding("A1", "LOOK", "both_summed", evidence)
    elif kl:
        yield Finding("A1", "FAIL", "kl_sum_batch", "the KL of six copies of one example is six times that of one")
    elif nll:
        yield Finding("A1", "FAIL", "nll_sum_batch", evidence)


def judge_shapes(network: dict) -> Iterator[Finding]:
    shapes = [tuple(int(number(n)) for n in s) for s in network["shapes"]]
    if shapes[0] != (7, 3) or shapes[1] != (7, 5):
        yield Finding("A1", "FAIL", "shape", f"x_pred {shapes[0]} and z {shapes[1]}, expected (7, 3) and (7, 5)")


def judge_gradients(checks: Iterable[Any]) -> Iterator[Finding]:
    checks = [c for c in checks if isinstance(c, dict) and "analytic" in c]
    if not checks:
        yield Finding("A1", "LOOK", "unclear", "the gradient could not be checked: draws differ under the same seed")
        return
    analytic = numbers([c["analytic"] for c in checks]).reshape(-1, 3)
    numeric = numbers([c["numeric"] for c in checks]).reshape(-1, 3)
    wrong = ~np.isclose(analytic, numeric, rtol=0.02, atol=1e-3 * (1 + np.abs(numeric).max()))
    names = ("elbo", "kl", "nll")
    if wrong.mean() > 0.2:
        worst = int(wrong.sum(axis=0).argmax())
        where = np.flatnonzero(wrong[:, worst])[0]
        evidence = f"{names[worst]}: autograd {analytic[where, worst]:.4f}, numeric {numeric[where, worst]:.4f}"
        yield Finding("A1", "FAIL", "gradient_cut", evidence)
    else:
        yield Finding("A1", "PASS", "gradients", "autograd agrees with central differences for elbo, kl and nll")


def judge_sample(samples: list[dict]) -> Iterator[Finding]:
    shape = samples[0]["shape"]
    if list(shape) != [5, 3]:
        yield Finding("A1", "FAIL", "shape", f"sample(5) has shape {shape}, expected [5, 3]")
        return
    noisy, clean, direct, loud = (
        numbers([s[k] for s in samples]) for k in ("noisy", "clean", "direct", "direct_noisy")
    )
    spread = np.maximum(direct[:, 1], 1e-6)

    def away(a: np.ndarray, b: np.ndarray) -> float:
        """Largest distance of means, log-spreads and deciles, relative to the spread."""
        means = np.abs(a[:, [0, 2, 3]] - b[:, [0, 2, 3]]) / np.maximum(b[:, 1:2], 1e-6)
        return float(max(means.max(), np.abs(np.log(np.maximum(a[:, 1], 1e-9) / np.maximum(b[:, 1], 1e-9))).max()))

    noise_adds = float(np.log(np.maximum(loud[:, 1], 1e-9) / spread).max())
    if noise_adds > 0.1 and away(noisy, direct) < 0.12 and away(clean, loud) < 0.12:
        yield Finding("A1", "FAIL", "noise_flag", "sample(decoder_noise=True) has less spread than with False")
    elif away(clean, direct) > 0.2 and away(clean, loud) > 0.2:
        evidence = f"spread {clean[0, 1].round(2).tolist()}, of decoded N(0, I) {direct[0, 1].round(2).tolist()}"
        yield Finding("A1", "FAIL", "not_prior", evidence)
    elif noise_adds > 0.1 and away(clean, loud) < 0.12 and away(noisy, loud) < 0.12:
        yield Finding("A1", "FAIL", "noise_always", "sample adds noise whatever decoder_noise says")
    elif noise_adds > 0.1 and away(noisy, direct) < 0.12:
        yield Finding("A1", "FAIL", "noise_missing", "sample(decoder_noise=True) has no noise")
    else:
        yield Finding("A1", "PASS", "sample", "sample agrees with decoding the prior, with and without noise")


def judge_flat(probe: dict) -> Iterator[Finding]:
    squashed, linear = numbers(probe["sigmoid"]), numbers(probe["linear"])
    if squashed.min() > 0.45:
        evidence = f"sigmoid=True, decoded {squashed.min():.2f} to {squashed.max():.2f}"
        yield Finding("A1", "FAIL", "sigmoid_twice", evidence)
    elif squashed.min() < -1e-6 or squashed.max() > 1 + 1e-6:
        yield Finding(
            "A1", "FAIL", "sigmoid_missing", f"sigmoid=True, decoded {squashed.min():.2f} to {squashed.max():.2f}"
        )
    elif linear.min() >= 0 and linear.max() <= 1:
        yield Finding(
            "A1", "FAIL", "sigmoid_always", f"sigmoid=False, decoded {linear.min():.2f} to {linear.max():.2f}"
        )
    else:
        yield Finding("A1", "PASS", "flags", "sigmoid=True keeps decoded images in [0, 1]")


# ---------------------------------------------------------------- training functions


def judge_train_vae(probe: dict) -> Iterator[Finding]:
    """From the gradients at each step of a stub with nll = |x - b|^2 / 2 and kl = |a - 1|^2 / 2, at beta 1 and 5."""
    runs = probe["runs"]
    ratios, first, found = {}, {}, []
    for beta, run in runs.items():
        steps, count = run["steps"], int(number(run["count"]))
        expected_count = 6 if probe["has_epochs"] else None
        if count == 0 or (expected_count and count < expected_count):
            yield Finding("A2", "FAIL", "never_steps", f"{count} steps for 2 epochs of 3 batches")
            if count == 0:
                return
        if all(g is None or not np.any(numbers(g)) for step in steps for g in step):
            yield Finding("A2", "FAIL", "no_gradient", "every step had a gradient of zero")
            return
        norms = [math.sqrt(sum(float((numbers(g) ** 2).sum()) for g in step if g is not None)) for step in steps]
        if len(norms) >= 3 and norms[0] > 0 and norms[2] > 2.2 * norms[0]:
            found.append(Finding("A2", "FAIL", "zero_grad", f"gradient norms of the first steps: {norms[0]:.3g}, "
                                 f"{norms[1]:.3g}, {norms[2]:.3g}, on equal batches"))  # fmt: skip
        trained_on = {0.05: "train", 0.06: "val", 0.07: "test"}
        with_gradient = {round(number(v), 3) for v, grad in run["used"] if grad}
        for value, name in trained_on.items():
            if name != "train" and value in with_gradient and 0.05 not in with_gradient:
                found.append(Finding("A2", "FAIL", f"trains_on_{name}", f"gradients were taken on the {name} loader"))
        point = 0.05 if 0.05 in with_gradient else max(with_gradient, default=0.05)
        ratios[beta], first[beta] = weights(steps[-1], point), weights(steps[0], point)
    yield from dict.fromkeys(found)
    (a1, b1), (a5, b5) = ratios["1"], ratios["5"]
    if any(f.code.startswith("trains_on") for f in found):
        return
    if b1 == 0:
        yield Finding("A2", "FAIL", "nll_left_out", "no gradient comes from the reconstruction")
    elif a1 == 0 and a5 == 0:
        yield Finding("A2", "FAIL", "kl_left_out", "no gradient comes from the KL")
    elif (b1 < 0 and a1 < 0) or (b1 < 0 < a1) or (a1 < 0 < b1):
        yield Finding(
            "A2", "FAIL", "maximises", f"weight of the nll {b1:.3g}, of the kl {a1:.3g}; both must be positive"
        )
    elif not probe["has_beta"]:
        yield Finding("A2", "LOOK", "own_way", "the training function takes no beta")
    else:
        # a clipped gradient scales both alike, so only their ratio is judged
        factor = (a5 / b5) / (a1 / b1) if b5 and a1 else 0.0
        evidence = f"from beta 1 to 5 the weight of the KL against the NLL changes by {factor:.3g}"
        relative, before = a1 / b1, first["1"][0] / first["1"][1] if first["1"][1] else 0.0
        if close(factor, 5, 0.02) and 0.4 <= relative <= 2.5:
            yield Finding("A2", "PASS", "objective", evidence)
        elif close(factor, 5, 0.02):
            # a weight that changes from step to step is a schedule, which a person must look at
            level = "FAIL" if close(relative, before, 0.05) else "LOOK"
            yield Finding("A2", level, "hidden_beta", f"at beta 1 the KL weighs {relative:.3g} times the NLL")
        elif close(factor, 0.2, 0.02):
            yield Finding("A2", "FAIL", "beta_on_nll", evidence)
        else:
            yield Finding("A2", "FAIL", "beta_ignored", evidence)


def weights(step: list, point: float) -> tuple[float, float]:
    """Weights of kl and nll in the loss, from the gradients that the stub's two parameters had at a step."""
    a, b = (0.0 if g is None else float(numbers(g)[0]) for g in (*step, None, None)[:2])
    return a / 0.05, -b / point


def judge_train_ae(probe: dict) -> Iterator[Finding]:
    steps, count = probe["steps"], int(number(probe["count"]))
    if count == 0 or (probe["has_epochs"] and count < 6):
        yield Finding("B1", "FAIL", "never_steps", f"{count} steps for 2 epochs of 3 batches")
        if count == 0:
            return
    grads = [[np.zeros(2) if g is None else numbers(g) for g in step] for step in steps]
    norms = [math.sqrt(sum(float((g**2).sum()) for g in step)) for step in grads]
    if norms[0] == 0:
        yield Finding("B1", "FAIL", "no_gradient", "every step had a gradient of zero")
        return
    if len(norms) >= 3 and norms[2] > 2.2 * norms[0]:
        yield Finding("B1", "FAIL", "zero_grad", f"gradient norms {norms[0]:.3g}, {norms[1]:.3g}, {norms[2]:.3g}")
    p = 1 / (1 + np.exp(-np.array([0.0, 2.0])))
    x, got = 0.4, grads[0][0]
    mse, bce = (p - x) * p * (1 - p), p - x
    if (got * mse < 0).all():
        yield Finding("B1", "FAIL", "maximises", "the gradient points away from the smaller error")
    elif close(got[0] / got[1], mse[0] / mse[1], 0.02):
        yield Finding("B1", "PASS", "train_ae", "the gradient is that of the mean squared error")
    else:
        kind = "cross-entropy" if close(got[0] / got[1], bce[0] / bce[1], 0.02) else "another loss"
        yield Finding("B1", "FAIL" if kind == "another loss" and got[0] * mse[0] < 0 else "LOOK", "ae_loss",
                      f"the gradient is that of {kind}")  # fmt: skip
    if np.abs(grads[0][1]).max() > 1e-3 * norms[0]:
        yield Finding("B1", "LOOK", "ae_regularized", "the codes have a gradient of their own")


# ---------------------------------------------------------------- part B


def judge_parts(probe: dict) -> Iterator[Finding]:
    good = True
    if "encoder" in probe:
        encoder = probe["encoder"]
        findings = []
        if list(encoder["shape"]) != [5, 2]:
            findings.append(("FAIL", "shape", f"encoder: {encoder['shape']}, expected [5, 2]"))
        if number(encoder["nonlinear"]) < 1e-4:
            findings.append(("FAIL", "encoder_linear", "the encoder is an affine function of the image"))
        if number(encoder["negative"]) >= 0:
            findings.append(("FAIL", "encoder_relu_out", "200 random images, no negative code"))
        elif number(encoder.get("largest", 9.0)) < 1.001:
            findings.append(("FAIL", "encoder_relu_out", "no code beyond 1, however large the image"))
        if not encoder["repeatable"]:
            findings.append(("FAIL", "encoder_random", "the same image has two codes"))
        good = not findings
        yield from (Finding("B1", level, code, text) for level, code, text in findings)
    if "decoder" in probe:
        decoder = probe["decoder"]
        shape, low, high = list(decoder["shape"]), number(decoder["low"]), number(decoder["high"])
        if shape not in ([64, 1, 28, 28], [64, 28, 28]):
            good = False
            yield Finding("B1", "FAIL", "no_reshape", f"decoder: {shape}, expected [64, 1, 28, 28]")
        if low < -1e-6 or high > 1 + 1e-6:
            good = False
            yield Finding("B1", "FAIL", "sigmoid_missing", f"decoded pixels from {low:.2f} to {high:.2f}")
        elif low > 0.45:
            good = False
            yield Finding("B1", "FAIL", "sigmoid_twice", f"decoded pixels from {low:.2f} to {high:.2f}")
        elif number(decoder.get("nonlinear", 1.0)) < 1e-3:
            good = False
            yield Finding("B1", "FAIL", "decoder_linear", "before its sigmoid the decoder is an affine function")
    if "encoder" not in probe and "decoder" not in probe:
        yield Finding("B1", "LOOK", "own_way", "no Encoder and Decoder as the assignment names them")
    elif good:
        yield Finding("B1", "PASS", "parts", "encoder and decoder have the right shapes and range")


def codes_of(cells: Any) -> tuple[np.ndarray, np.ndarray]:
    """Codes that a picture's tiles stand for, shape (rows, columns, 2), and how far each is from a decoded tile."""
    levels = numbers(cells)
    if levels.ndim != 3 or levels.shape[-1] != 4:
        raise Tampered("expected four numbers a tile")
    z = 4 * np.log(np.clip(levels[..., :2], 1e-6, 1 - 1e-6) / (1 - np.clip(levels[..., :2], 1e-6, 1 - 1e-6)))
    return z, np.maximum(np.abs(levels[..., 2] - 0.98), np.abs(levels[..., 3] - 0.02))


def tiled(drawn: list[dict]) -> list[tuple[dict, str, np.ndarray, np.ndarray]]:
    """Pictures that were cut into tiles: whose, the codes that they show, and how far those are from decoded ones."""
    return [(d, "VAE" if d["vae"] else "autoencoder", *codes_of(d["cells"])) for d in drawn if "cells" in d]


def judge_grid(drawn: list[dict]) -> Iterator[Finding]:
    pictures = tiled(drawn)
    if not pictures:
        yield Finding("B4", "LOOK", "own_way", "plot_reconstructed drew no picture of 28 x 28 cells")
    for d, who, z, off in pictures:
        (low1, high1), (low2, high2) = d["r0"], d["r1"]
        n = len(z)
        first, second = np.linspace(low1, high1, n), np.linspace(low2, high2, n)
        if off.max() > 0.1:
            yield Finding("B4", "FAIL", *marker_fault(d["cells"], who))
            continue
        options = {  # what the picture shows, from its top row down
            "down": np.stack(np.meshgrid(first, second), -1), "up": np.stack(np.meshgrid(first, second[::-1]), -1),
            "mirrored": np.stack(np.meshgrid(first[::-1], second), -1),
            "mirrored up": np.stack(np.meshgrid(first[::-1], second[::-1]), -1),
        }  # fmt: skip
        options |= {f"{k} swapped": v[..., ::-1] for k, v in options.items()} | {
            f"{k} swapped axes": v.transpose(1, 0, 2) for k, v in options.items()
        }
        shown = next((k for k, v in options.items() if close(z, v, 0, 0.05)), None)
        if shown is None:
            inside = z.reshape(-1, 2)
            ranged = close([inside.min(0), inside.max(0)], [[low1, low2], [high1, high2]], 0, 0.05)
            code = "grid_wrong" if ranged else "grid_range"
            evidence = f"{who}: codes from {inside.min(0).round(2).tolist()} to {inside.max(0).round(2).tolist()}"
            yield Finding("B4", "FAIL", code, evidence)
            continue
        yield orientation(shown, d, who, n)
        if d["vae"] and any(d["noise"]):
            yield Finding("B4", "LOOK", "noisy_picture", "decode was called with noise=True")


def orientation(shown: str, drawn: dict, who: str, n: int) -> Finding:
    """The picture against its axis: which way does the second latent grow, and which way do the labels say?"""
    extent = drawn.get("extent")
    pixels = extent is None or max(abs(numbers(extent))) > 20  # no axis in latent units: orientation is a convention
    if "swapped" in shown:
        return Finding(
            "B4", "LOOK" if pixels else "FAIL", "grid_transposed", f"{who}: the rows follow the first latent"
        )
    if "mirrored" in shown:
        return Finding("B4", "FAIL", "grid_mirrored", f"{who}: the first latent grows to the left")
    if pixels:
        return Finding("B4", "PASS", "grid", f"{who}: {n} x {n} decoded codes; the axis is not in latent units")
    bottom, top = extent[2:]
    if (shown == "up") == (top > bottom):
        return Finding("B4", "PASS", "grid", f"{who}: decoded codes agree with the axis")
    return Finding("B4", "FAIL", "grid_flipped", f"{who}: the axis says upwards, the cells go downwards")


def marker_fault(cells: Any, who: str) -> tuple[str, str]:
    """Which way the known corners of a tile went."""
    levels = numbers(cells).reshape(-1, 4)
    one, zero = levels[:, 2], levels[:, 3]
    if (np.abs(levels[:, 1] - 0.98) < 0.1).all() or (np.abs(levels[:, 0] - 0.98) < 0.1).all() or (
        (np.abs(one - 0.02) < 0.1).all() and (np.abs(zero - 0.98) < 0.1).all()
    ):  # fmt: skip
        return "image_transposed", f"{who}: the corners of each image are in other places"
    return "grid_wrong", f"{who}: the cells are not what decode returned"


def judge_interpolation(drawn: list[dict]) -> Iterator[Finding]:
    pictures = tiled(drawn)
    if not pictures:
        yield Finding("B5", "LOOK", "own_way", "interpolate drew no row of n images")
    for d, who, (z, *_), (off, *_) in pictures:
        start, end = numbers(d["ends"])
        if off.max() > 0.1:
            levels = numbers(d["cells"])[0]
            blended = (levels[1:-1, 2] < 0.3).all() and (levels[1:-1, 3] < 0.3).all()
            code = "interpolation_pixels" if blended else marker_fault(d["cells"], who)[0]
            yield Finding("B5", "FAIL", code, f"{who}: the frames between are not decoded codes")
            continue
        straight = start + np.linspace(0, 1, len(z))[:, None] * (end - start)
        evidence = f"{who}: from {z[0].round(2).tolist()} to {z[-1].round(2).tolist()}, expected " \
                   f"{start.round(2).tolist()} to {end.round(2).tolist()}"  # fmt: skip
        if close(z, straight, 0, 0.05):
            yield Finding("B5", "PASS", "interpolation", evidence)
        elif close(z, straight[::-1], 0, 0.05):
            yield Finding("B5", "FAIL", "interpolation_reversed", evidence)
        elif not close(z[0], start, 0, 0.05):
            yield Finding("B5", "FAIL", "interpolation_start", evidence)
        elif not close(z[-1], end, 0, 0.05):
            yield Finding("B5", "FAIL", "interpolation_end", evidence)
        else:
            yield Finding("B5", "FAIL", "interpolation_uneven", evidence)
        if d["vae"] and any(d["noise"]):
            yield Finding("B5", "LOOK", "noisy_picture", "decode was called with noise=True")


def judge_latent_plot(plots: list[dict]) -> Iterator[Finding]:
    if not any(p["drawn"] for p in plots):
        yield Finding("B3", "LOOK", "own_way", "plot_latent2D drew no scatter plot")
    for p in plots:
        codes, labels = numbers(p["codes"]), numbers(p["labels"])
        points = [numbers(offsets).reshape(-1, 2) for offsets, _ in p["drawn"]]
        if not points or not sum(map(len, points)):
            continue
        drawn = np.concatenate(points)
        colours = [None if c is None or numbers(c).ndim != 1 else numbers(c) for _, c in p["drawn"]]
        who = "VAE" if p["vae"] else "autoencoder"

        def nearest(a: np.ndarray, codes: np.ndarray = codes) -> tuple[np.ndarray, float]:
            distance = np.abs(a[:, None] - codes[None]).max(-1)
            return distance.argmin(1), float(np.median(distance.min(1)))

        which, far = nearest(drawn)
        if far > 0.05:
            if nearest(drawn[:, ::-1])[1] < 0.05:
                yield Finding("B3", "FAIL", "latent_swapped", f"{who}: drawn points are the codes with axes swapped")
            else:
                yield Finding("B3", "FAIL", "latent_axes", f"{who}: points are off by {far:.2f} from the codes")
        elif len(drawn) < 0.5 * len(codes):
            yield Finding("B3", "FAIL", "latent_few", f"{who}: {len(drawn)} points for {len(codes)} images")
        elif len(colours) == 1 and colours[0] is not None and len(colours[0]) == len(drawn):
            pairs = set(zip(labels[which], colours[0], strict=True))
            right = len({label for label, _ in pairs}) == len(pairs)
            level, code = ("PASS", "latent_plot") if right else ("FAIL", "labels_shuffled")
            yield Finding("B3", level, code, f"{who}: {len(drawn)} codes, {len(pairs)} pairs of digit and colour")
        elif len(points) > 1:  # one scatter a digit
            pure = all(len(set(labels[nearest(part)[0]])) == 1 for part in points if len(part))
            level, code = ("PASS", "latent_plot") if pure else ("FAIL", "labels_shuffled")
            yield Finding("B3", level, code, f"{who}: one scatter plot a digit")
        else:
            yield Finding("B3", "LOOK", "unclear", f"{who}: how digits are coloured could not be read")


# ---------------------------------------------------------------- what the run itself showed


def judge_run(answers: dict) -> Iterator[Finding]:
    """Stale gradients, losses, test points in training, betas: for loops that nobody could call."""
    optimizers = list(answers.get("optimizers", {}).values())
    stale = [o for o in optimizers if number(o["stale"]) > 2]
    if stale:
        yield Finding("A2", "FAIL", "zero_grad", f"{len(stale)} optimizers reused a gradient that a step had consumed")
    rising = 0
    for o in optimizers:
        losses = numbers(o["losses"])
        if len(losses) and not np.isfinite(losses).all():
            evidence = f"step {int(np.flatnonzero(~np.isfinite(losses))[0]) + 1} of {len(losses)}"
            yield Finding("A2", "FAIL", "not_finite", evidence)
        tenth = max(len(losses) // 10, 3)
        if len(losses) >= 30 and losses[-tenth:].mean() > losses[:tenth].mean():
            rising += 1
    if optimizers:
        level = "PASS" if not rising else "LOOK"
        evidence = f"{len(optimizers) - rising} of {len(optimizers)} trainings end lower than they begin"
        yield Finding("A2", level, "losses_fall" if not rising else "not_decreasing", evidence)
    yield from judge_rows(list(answers.get("rows", {}).values()), bool(answers.get("errors")))
    for name, (tagged, count) in answers.get("tagged", {}).items():
        if number(tagged) > 0:
            task = "B1" if "auto" in name.lower() else "B2"
            yield Finding(
                task, "FAIL", "trains_on_test", f"{name}: {int(tagged)} of {int(count)} images are test images"
            )
    calls = [c for c in answers.get("calls", []) if isinstance(c, dict)]
    yield from judge_calls(calls)
    yield from judge_panels(calls)


def judge_rows(rows: list[dict], stopped: bool) -> Iterator[Finding]:
    """What the models of the plane were trained on and evaluated on, against the assignment's own split."""
    homes, elsewhere = 0, set()
    for row in rows:
        counts = {k: {n: number(v) for n, v in c.items()} for k, c in row["sets"].items()}
        trained = max(number(row["trained"]), 1)
        leaked = sum(c["trained_test"] for c in counts.values())
        if leaked > 0.5 * trained:
            yield Finding("A2", "FAIL", "trains_on_test", f"{int(leaked)} test points were trained on")
        elif leaked > 0.01 * trained:
            yield Finding("A2", "LOOK", "trains_on_test", f"{int(leaked)} of the assignment's test points")
        home = next((k for k, c in counts.items() if c["trained"] > 1000 and not leaked), None)
        homes += home is not None
        tested = {k for k, c in counts.items() if c["seen_test"] > 0}
        if home and tested and home not in tested:
            evidence = f"trained on data set {home}, evaluated on the test points of {', '.join(sorted(tested))}"
            yield Finding("A2", "FAIL", "mixed_sets", evidence)
        elsewhere |= tested
    if homes and not elsewhere:
        level = "LOOK" if stopped else "FAIL"
        yield Finding("A2", level, "evaluates_on_train", f"{homes} models were trained; no test point went into any")


def judge_calls(calls: list[dict]) -> Iterator[Finding]:
    for c in calls:
        if c.get("moved") is False:
            task = "A2" if c.get("size") == 2 else "B2"
            yield Finding(task, "FAIL", "nothing_learned", f"{c.get('name')} left {c.get('class')} as it was")
    image = [c for c in calls if c.get("name") == "train_vae" and c.get("size") == 784]
    if not image:
        yield Finding("B2", "LOOK", "own_way", "no call of train_vae for images was seen")
        return
    betas = sorted({number(c["beta"]) for c in image if "beta" in c})
    if {1.0, 3.0, 10.0} <= set(betas):
        yield Finding("B2", "PASS", "models", f"trained with beta {betas}")
    elif any("beta" in c for c in image):
        yield Finding("B2", "FAIL", "one_beta", f"trained with beta {betas}")
    by_model: dict[Any, set] = {}
    for c in image:
        by_model.setdefault(c.get("model"), set()).add(c.get("beta"))
    if any(len(b) > 1 for b in by_model.values()):
        yield Finding("B2", "FAIL", "same_model", "one model object was trained with several betas")
    wide = sorted({number(c["latent"]) for c in image if c.get("latent")} - {2.0})
    if wide:
        yield Finding("B2", "FAIL", "latent_size", f"{wide[0]:g} latents; the assignment has 2")
    epochs = [number(c["num_epochs"]) for c in image if "num_epochs" in c]
    if epochs and min(epochs) < 10:
        yield Finding("B2", "LOOK", "few_epochs", f"{min(epochs):g} epochs")


PLOTS = {"plot_latent2D": "B3", "plot_reconstructed": "B4", "interpolate": "B5"}


def judge_panels(calls: list[dict]) -> Iterator[Finding]:
    """What the plot functions were called with: which model under which title, which range, which two digits."""
    betas = {c.get("model"): number(c["beta"]) for c in calls if c.get("name") == "train_vae" and "beta" in c}
    for name, task in PLOTS.items():
        mine = [c for c in calls if c.get("name") == name]
        if len(mine) >= 4 and len({c.get("model") for c in mine}) < 4:
            evidence = f"{len(mine)} panels, {len({c.get('model') for c in mine})} models"
            yield Finding(task, "FAIL", "same_panel", evidence)
        for c in mine:
            said = re.search(r"(?:beta|β)\D{0,8}(\d+)", str(c.get("title", "")), re.I)
            if said and c.get("model") in betas and float(said[1]) != betas[c["model"]]:
                evidence = f"{str(c['title'])[:60]!r} over the model of beta = {betas[c['model']]:g}"
                yield Finding(task, "FAIL", "panels_mixed", evidence)
    for vae, side in ((False, 5.0), (True, 3.0)):
        ranges = [
            [numbers(c["r0"]), numbers(c["r1"])] for c in calls
            if c.get("name") == "plot_reconstructed" and (c.get("model") in betas) == vae and {"r0", "r1"} <= c.keys()
        ]  # fmt: skip
        if ranges and betas and not any(close(r, [[-side, side]] * 2) for r in ranges):
            who = "VAE" if vae else "autoencoder"
            evidence = f"{who}: {ranges[0][0].tolist()}, expected {[-side, side]}"
            yield Finding("B4", "FAIL", "grid_range", evidence)
    walks = [c for c in calls if c.get("name") == "interpolate"]
    for c in walks:
        digits = c.get("digits")
        if isinstance(digits, list) and len(digits) == 2 and None not in digits and set(digits) != {0, 1}:
            yield Finding("B5", "FAIL", "interpolation_digits", f"from a {digits[0]} to a {digits[1]}")
    if walks and all("n" in c for c in walks) and not any(number(c["n"]) == 15 for c in walks):
        yield Finding("B5", "LOOK", "interpolation_steps", f"{number(walks[0]['n']):g} steps")


# ---------------------------------------------------------------- the other assignments


def judge_data(probe: dict) -> Iterator[Finding]:
    mean, covariance = numbers(probe["mean"]), numbers(probe["covariance"])
    evidence = f"X_true {list(probe['shape'])}: mean {mean.round(3).tolist()}"
    if list(probe["shape"]) not in ([1000, 2], [2, 1000]) or mean.shape != (2,):
        yield Finding("1", "LOOK", "shape", evidence)
    elif close(mean, [3, 2], 0, 4.5 / math.sqrt(1000)) and close(covariance, np.eye(2), 0, 4.5 * math.sqrt(2 / 1000)):
        yield Finding("1", "PASS", "data", evidence)
    else:
        yield Finding("1", "FAIL", "data_wrong", f"{evidence}, covariance {covariance.round(3).tolist()}")


def judge_elbo_function(probe: dict) -> Iterator[Finding]:
    """What calc_elbo returned, in any order: the KL to the digit, the likelihood by its mean over draws, their sum."""
    values, x = numbers(probe["values"]), numbers(probe["x"])
    mu, logvar = numbers(probe["mu"]), numbers(probe["logvar"])
    decoded = numbers(probe["decoded"])
    kl = np.array([oracle_kl(m, np.exp(v / 2)) for m, v in zip(mu, logvar, strict=True)])
    likelihood = np.array([[bernoulli(d, t) for d, t in zip(draw, x, strict=True)] for draw in decoded])
    got, batch, latents = values.mean(axis=0), len(x), mu.shape[1]
    log_p, spread = float(likelihood.mean()), float(likelihood.mean(axis=1).std()) + 0.02 * abs(likelihood.mean())
    if values.ndim != 2 or not np.isfinite(values).all() or not len(got):
        yield Finding("1", "LOOK", "unclear", "calc_elbo returned no numbers")
        return
    exact = {"kl": 1.0, "kl_no_half": 2.0, "kl_halved": 0.5, "kl_sign": -1.0, "kl_sign 2": -2.0,
             "kl_mean_latents": 1 / latents, "kl_sum_batch": float(batch)}  # fmt: skip
    fixed = [i for i in range(len(got)) if np.ptp(values[:, i]) < 1e-4 * (1 + abs(got[i]))]
    code, place = next(
        ((c.split(" ")[0], i) for i in fixed for c, f in exact.items() if close(got[i], f * kl.mean(), 2e-3, 1e-3)),
        (None, None),
    )
    evidence = f"returned {got.round(3).tolist()}; log p(x|z) {log_p:.2f}, KL {kl.mean():.3f}"
    if place is None and len(got) > 1:
        yield Finding("1", "LOOK", "own_way", f"{evidence}: which is the KL could not be told")
        return
    if place is not None and code not in ("kl", "kl_sum_batch"):
        yield Finding("1", "FAIL", code, evidence)
        return
    scale = batch if code == "kl_sum_batch" else 1  # sums over the batch are as good, where all are
    log_p, spread, divergence = log_p * scale, spread * scale, kl.mean() * scale
    others = [i for i in range(len(got)) if i != place]
    bound = log_p - divergence
    names = {
        "elbo": bound, "elbo_kl_sign": log_p + divergence, "elbo_sign": -bound, "elbo_sign 2": -(log_p + divergence),
        "nll_mean_features": log_p / 784 - divergence, "nll_mean_features 2": -log_p / 784 + divergence,
        "elbo 2": log_p * batch - divergence * batch,
    }  # fmt: skip
    if len(others) <= 1:
        value = got[others[0]] if others else math.nan
        fits = {n: abs(value - v) for n, v in names.items()}
        best = min(fits, key=fits.get)
        code = best.split(" ")[0]
        if not fits[best] < 4 * spread:
            yield Finding("1", "LOOK", "unclear", evidence)
        else:  # a function that returns the loss, not the bound, is an own way
            yield Finding("1", {"elbo": "PASS", "elbo_sign": "LOOK"}.get(code, "FAIL"), code, evidence)
        return
    for i, j in itertools.permutations(others, 2):
        bound, term = values[:, i], values[:, j]
        signs = {"elbo": term - got[place], "elbo_kl_sign": term + got[place], "elbo 2": -term - got[place],
                 "loss": term + got[place]}  # fmt: skip
        code = next((n for n, v in signs.items() if np.abs(bound - v).max() < 2e-3 * (1 + np.abs(v).max())), None)
        if code is None:
            continue
        yield from judge_likelihood(code, float(got[j]), log_p, spread, evidence)
        return
    yield Finding("1", "FAIL", "elbo_wrong", evidence)


def judge_likelihood(code: str, term: float, log_p: float, spread: float, evidence: str) -> Iterator[Finding]:
    """The identity holds in one of its forms; is the other term a log-likelihood, or its negative?"""
    near = abs(abs(term) - abs(log_p)) < 4 * spread
    if abs(abs(term) * 784 / log_p + 1) < 0.1 or abs(abs(term) * 784 / log_p - 1) < 0.1:
        yield Finding("1", "FAIL", "nll_mean_features", evidence)
    elif near and code == "elbo" and term > 0:
        yield Finding("1", "FAIL", "nll_sign", evidence)
    elif code in ("elbo_kl_sign", "loss") and term < 0:
        yield Finding("1", "FAIL", "elbo_kl_sign", evidence)
    elif code in ("elbo_kl_sign", "loss"):
        yield Finding("1", "LOOK", "elbo_sign", f"{evidence}: the negative of the bound")
    elif near:
        yield Finding("1", "PASS", "elbo", evidence)
    else:
        yield Finding("1", "LOOK", "recon_reduction", f"{evidence}: no Bernoulli log-likelihood")


def bernoulli(decoded: np.ndarray, x: np.ndarray) -> float:
    """log p(x) of pixels that are 0 or 1, from probabilities, or from logits where values leave [0, 1]."""
    p = torch.as_tensor(decoded)
    known = {"probs": p.clamp(1e-6, 1 - 1e-6)} if decoded.min() >= 0 and decoded.max() <= 1 else {"logits": p}
    return float(torch.distributions.Bernoulli(**known).log_prob(torch.as_tensor(x)).sum())


def judge_images(probe: dict) -> Iterator[Finding]:
    mean, spread, low, high, pixels = numbers(probe["drawn"])
    mean_of, spread_of = numbers(probe["direct"])[:2]
    evidence = f"samples: mean {mean:.3f}, spread {spread:.3f}; decoded N(0, I): {mean_of:.3f}, {spread_of:.3f}"
    if int(number(probe["count"])) != 400 or pixels != 784:
        yield Finding("2", "LOOK", "shape", f"{probe['count']} samples of {pixels:g} pixels, expected 400 of 784")
    elif low < -1e-6 or high > 1 + 1e-6:
        yield Finding("2", "LOOK", "sigmoid_missing", f"samples from {low:.2f} to {high:.2f}: logits?")
    elif abs(mean - mean_of) > 0.05 or (not probe["binary"] and abs(math.log(max(spread, 1e-9) / spread_of)) > 0.15):
        yield Finding("2", "FAIL", "not_prior", evidence)
    else:
        yield Finding("2", "PASS", "sample", evidence)


def judge_reparameterize(probe: dict, task: str) -> Iterator[Finding]:
    mean, std = numbers(probe["mean"]), numbers(probe["std"])
    evidence = f"mu (3, -1), sigma (1, 2): mean {mean.round(2).tolist()}, spread {std.round(2).tolist()}"
    logvar = np.array([0.0, 2 * math.log(2)])
    if std.max() < 1e-6:
        yield Finding(task, "FAIL", "shared_noise" if number(probe["between"]) > 1e-6 else "no_noise", evidence)
    elif close(std, [1, 2], 0.03) and close(mean, [3, -1], 0, 0.08):
        if abs(number(probe["corr"])) > 0.9:
            yield Finding(task, "FAIL", "shared_noise_latents", "both latents have the same noise")
        elif np.abs(numbers(probe["kurtosis"]) - 3).max() > 0.4:
            yield Finding(task, "FAIL", "not_normal", f"kurtosis {numbers(probe['kurtosis']).round(2).tolist()}")
        elif probe["grad_mu"] is None or not close(numbers(probe["grad_mu"]), 1, 1e-3) or probe["grad_logvar"] is None \
                or number(probe["grad_logvar"]) > 1e-2:  # fmt: skip
            yield Finding(task, "FAIL", "gradient_cut", "gradients for mu and logvar are not 1 and (z - mu) / 2")
        else:
            yield Finding(task, "PASS", "reparameterize", evidence)
    elif close(std, np.abs(logvar), 0.03, 0.01):
        yield Finding(task, "FAIL", "logvar_as_std", evidence)
    elif close(std, np.exp(logvar), 0.03):
        yield Finding(task, "FAIL", "std_no_half", evidence)
    else:
        yield Finding(task, "FAIL", "not_normal", evidence)


def judge_losses(probe: dict, assignment: str, task: str) -> Iterator[Finding]:
    """The loss at three betas, taken apart: its slope is the KL term, its value at beta = 0 the reconstruction."""
    x, recon, mu, logvar = (numbers(probe[k]) for k in ("x", "recon", "mu", "logvar"))
    values = {float(k): number(v) for k, v in probe["values"].items()}
    per_example = np.array([oracle_kl(m, np.exp(lv / 2)) for m, lv in zip(mu, logvar, strict=True)])
    error = (x - recon) ** 2
    bce = -(x * np.log(recon) + (1 - x) * np.log(1 - recon))
    fits = {"mean squared error": error.mean(), "summed squared error": error.sum(1).mean(), "bce": bce.sum(),
            "bce mean": bce.sum(1).mean(), "total squared error": error.sum(), "half the error": error.mean() / 2,
            }  # fmt: skip
    slope, base = values[1.0] - values[0.0], values[0.0]
    mean, total = per_example.mean() / mu.shape[1], per_example.sum()
    right, wanted = (mean, "mean squared error") if assignment == "a3" else (total, "bce")
    evidence = f"KL term {slope:.4f}, expected {right:.4f}; without it {base:.4f}"
    code = kl_term_fault(slope, right, per_example.mean(), total, mean)
    if any(close(slope, v, 1e-3) for v in fits.values()):
        yield Finding(task, "FAIL", "beta_on_nll", evidence)
        return
    if abs(slope) < 1e-9 or not close(values[3.0] - base, 3 * slope, 1e-3):
        yield Finding(task, "FAIL", "beta_ignored", evidence)
        return
    if code == "own":
        yield Finding(task, "LOOK", "recon_reduction", f"{evidence}: another reduction of the KL")
    else:
        yield Finding(task, "FAIL" if code else "PASS", code or "kl", evidence)
    name = next((k for k, v in fits.items() if close(base, v, 1e-3)), "unknown")
    if name == wanted:
        yield Finding(task, "PASS", "nll", f"reconstruction is the {name}")
    elif base < 0:
        yield Finding(task, "FAIL", "nll_sign", evidence)
    else:
        yield Finding(task, "LOOK", "recon_reduction", f"reconstruction {base:.4f} ({name})")


def kl_term_fault(slope: float, right: float, per_example: float, total: float, mean: float) -> str | None:
    """The hint for a KL term, ``own`` for another honest reduction, None where it is as assigned."""
    known = (
        (right, None), (per_example, "own"), (2 * right, "kl_no_half"), (right / 2, "kl_half_twice"),
        (-right, "kl_sign"), (-2 * right, "kl_sign"), (-per_example, "kl_sign"), (2 * per_example, "kl_no_half"),
        (mean, "kl_mean_latents"), (total, "kl_sum_batch"), (right / math.log(2), "kl_log2"),
    )  # fmt: skip
    return next((code for value, code in known if close(slope, value, 1e-3)), "kl_wrong")


CATEGORIES = {"z_sandal_avg": 5, "z_sneaker_avg": 7, "z_ankle_boot_avg": 9}


def judge_categories(have: dict[str, np.ndarray], class_codes: Any) -> Iterator[Finding]:
    """Whether each average code is nearest to the mean code of the category that its name says."""
    if class_codes is None:
        return
    means = numbers(class_codes)
    for name, category in CATEGORIES.items():
        if name in have and have[name].shape == means[0].shape:
            nearest = int(np.square(means - have[name]).sum(axis=1).argmin())
            if nearest != category:
                yield Finding("3", "FAIL", "category", f"{name} is nearest to category {nearest}, expected {category}")


def judge_strips(off: dict[str, float]) -> Iterator[Finding]:
    """The walk in the plane of codes: mean distances per pixel of its frames from what they should be."""
    near = 0.05 * max(off["apart"], 1e-6)
    evidence = f"frames off by {off['walk']:.4f} from the decoded straight line"
    if off["walk"] < near:
        yield Finding("2", "PASS", "strips", evidence)
    elif off["walk_blended"] < near:
        yield Finding("2", "FAIL", "interpolation_pixels", evidence)
    elif off["swapped"] < near:
        yield Finding("2", "FAIL", "interpolation_reversed", evidence)
    elif off["start"] > near:
        yield Finding("2", "FAIL", "interpolation_start", evidence)
    elif off["end"] > near:
        yield Finding("2", "FAIL", "interpolation_end", evidence)
    else:
        yield Finding("2", "FAIL", "interpolation_uneven", evidence)


def judge_fashion(probe: dict) -> Iterator[Finding]:
    have = {k: numbers(v) for k, v in probe.items() if k != "grid" and isinstance(v, list)}
    if {"boot_direction", "z_ankle_boot_avg", "z_sneaker_avg"} <= have.keys():
        difference = have["z_ankle_boot_avg"] - have["z_sneaker_avg"]
        if close(have["boot_direction"], difference, 1e-3):
            yield Finding("3", "PASS", "arithmetic", "the direction is boots minus sneakers")
        else:
            code = "direction_reversed" if close(have["boot_direction"], -difference, 1e-3) else "arithmetic"
            yield Finding("3", "FAIL", code, "boot_direction is not z_ankle_boot_avg - z_sneaker_avg")
        if {"z_result", "z_sandal_avg"} <= have.keys() and not close(
            have["z_result"], have["z_sandal_avg"] + have["boot_direction"], 1e-3
        ):
            yield Finding("3", "FAIL", "arithmetic", "z_result is not z_sandal_avg + boot_direction")
        yield from judge_categories(have, probe.get("class_codes"))
    else:
        yield Finding("3", "LOOK", "own_way", "no variables under the assignment's names")
    if isinstance(probe.get("strips"), dict):
        yield from judge_strips({k: number(v) for k, v in probe["strips"].items() if v is not None})
    grid = probe.get("grid")
    if isinstance(grid, dict):
        distance = {k: number(v) for k, v in grid.items() if k != "spread"}
        best = min(distance, key=distance.get)
        codes = {
            "right": "region_map",
            "flipped": "grid_flipped",
            "swapped": "grid_transposed",
            "mirrored": "grid_mirrored",
        }
        if distance[best] > 0.02:
            yield Finding("4", "LOOK", "grid_wrong", f"off by {distance[best]:.3f} from the decoded grid")
        elif best == "right" or distance["right"] < 1e-4:
            yield Finding("4", "PASS", "region_map", "the grid shows decoded codes in the assignment's order")
        else:
            yield Finding("4", "FAIL", codes.get(best, "grid_wrong"), f"the grid is {best}")
    else:
        yield Finding("4", "LOOK", "own_way", "no decoded_grid under the assignment's name")


# ---------------------------------------------------------------- all of it

JUDGES_A1: dict[str, tuple[str, Callable[[Any], Iterator[Finding]]]] = {
    "vae": ("A1", judge_vae), "flat": ("A1", judge_flat), "train_vae": ("A2", judge_train_vae),
    "train_ae": ("B1", judge_train_ae), "parts": ("B1", judge_parts), "plot_latent2D": ("B3", judge_latent_plot),
    "plot_reconstructed": ("B4", judge_grid), "interpolate": ("B5", judge_interpolation),
}  # fmt: skip


JUDGES: dict[str, dict[str, tuple[str, Callable[[Any], Iterator[Finding]]]]] = {
    "a2": {"data": ("1", judge_data)},
    "a3": {
        "reparameterize": ("reparameterize", lambda p: judge_reparameterize(p, "reparameterize")),
        "losses": ("KL", lambda p: judge_losses(p, "a3", "KL")),
    },
    "a4": {"elbo": ("1", judge_elbo_function), "sample": ("2", judge_images)},
    "a5": {
        "reparameterize": ("VAE", lambda p: judge_reparameterize(p, "VAE")),
        "losses": ("VAE", lambda p: judge_losses(p, "a5", "VAE")),
        "fashion": ("3", judge_fashion),
    },
}
TRAINING = {"a3": "train", "a4": "4", "a5": "VAE"}  # the task that training belongs to


def judge(answers: dict, assignment: str) -> list[Finding]:
    """Everything that a rerun sent, judged; a part that cannot be read gives LOOK."""
    probes = answers.get("probes")
    if not isinstance(probes, dict):
        return [Finding("file", "LOOK", "unclear", "the rerun's answers could not be read")]
    found: list[Finding] = []
    if assignment == "a1":
        for name, (task, judging) in JUDGES_A1.items():
            if name not in probes:
                found.append(Finding(task, "LOOK", "own_way", f"{name} was not found"))
                continue
            found += settle(
                [attempt(task, judging, probes[key]) for key in probes if key == name or key.startswith(f"{name}@")]
            )
        found += attempt("A2", judge_run, answers)
        return found
    for name, (task, judging) in JUDGES[assignment].items():
        missing = [Finding(task, "LOOK", "own_way", f"{name}: no function or variable of the assignment's name")]
        found += attempt(task, judging, probes[name]) if name in probes else missing
    if assignment in TRAINING:
        run = attempt("A2", judge_run, {**answers, "calls": [], "rows": {}})
        kept = ("zero_grad", "losses_fall", "not_decreasing", "not_finite", "trains_on_test")
        found += [f._replace(task=TRAINING[assignment]) for f in run if f.code in kept]
    return found


def attempt(task: str, judging: Callable[[Any], Iterator[Finding]], probe: Any) -> list[Finding]:
    if isinstance(probe, dict) and set(probe) == {"error"}:
        return [Finding(task, "LOOK", "own_way", f"it could not be called as assigned: {str(probe['error'])[:200]}")]
    try:
        return list(judging(probe))
    except (Tampered, KeyError, IndexError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        return [Finding(task, "LOOK", "unclear", f"the answers could not be judged ({type(error).__name__})")]


def settle(versions: list[list[Finding]]) -> list[Finding]:
    """Of several definitions of one name, the last counts; but which of them made the figures nobody knows."""
    last, earlier = versions[0], list(itertools.chain(*versions[1:]))
    if len(versions) > 1 and any(f.level == "FAIL" for f in last) and not any(f.level == "FAIL" for f in versions[-1]):
        return [f._replace(level="LOOK") if f.level == "FAIL" else f for f in last]
    if earlier and any(f.level == "FAIL" for f in earlier) and not any(f.level == "FAIL" for f in last):
        return [*last, *(f._replace(level="LOOK") for f in earlier if f.level == "FAIL")]
    return last
