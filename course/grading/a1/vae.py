"""Checks of the VAE of part A: what perturbed networks returned, against closed forms of their own outputs.

Each network has five latents and three features, so that a mean over either differs from known multiples of a sum.
A *case* is one point that went through one network.
"""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from course.assignments.task import Task
from course.grading.a1.nll import GAUSSIAN, Decoded, decoded_by, judge_fit, named_fit
from course.grading.answers import Answers, Tampered, close, number, numbers
from course.grading.common_behaviour import NORMAL_KURTOSIS, SAME_NOISE, SILENT
from course.grading.mathematics import gaussian_kl, gaussian_nll
from course.grading.verdicts import Finding

REPEATED = 1e-9  # two draws that are nearer than this are one
KURTOSIS_OFF = 0.3
LEAST_SPREAD = 1e-9
OWN_SPREAD, OWN_MEAN = 0.1, 0.15  # encode_latent against forward: logarithm of spreads, means in spreads

BATCH_SHAPES = (7, 3), (7, 5)  # of x_pred and z


def networks(answers: Answers) -> list[dict[str, Any]]:
    """Return what was measured of each perturbed network.

    Raises:
        Tampered: there are no cases in them.
    """
    probe = answers.probe("vae")
    if not any(network["cases"] for network in probe):
        raise Tampered("no cases")
    return probe


def cases_of(answers: Answers) -> list[dict[str, Any]]:
    """Return the cases of all networks."""
    cases = []
    for network in networks(answers):
        cases += network["cases"]
    return cases


def spread_of(case: dict[str, Any]) -> np.ndarray:
    """Return the standard deviation of z in 20,000 draws for one point."""
    return numbers(case["z_std"])


def spreads_of(cases: list[dict[str, Any]]) -> np.ndarray:
    return np.array([spread_of(case) for case in cases])


def values_of(cases: list[dict[str, Any]], name: str) -> np.ndarray:
    return np.array([number(case[name]) for case in cases])


# ---------------------------------------------------------------- samples of q(z|x)


def posterior(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge whether z has normal noise of its own for every example, latent and call."""
    cases = cases_of(answers)
    std, between = spreads_of(cases), values_of(cases, "z_between_calls")
    if (std < SILENT).all():
        code = "no_noise" if (between < SILENT).all() else "shared_noise"
        yield Finding("FAIL", code, f"20,000 draws of z for one x have a spread of {std.max():.2g}")
        return
    if (between < REPEATED).all():
        yield Finding("FAIL", "frozen_noise", "two calls give exactly the same z")
    correlation = values_of(cases, "z_corr")
    if (np.abs(correlation) > SAME_NOISE).all():
        yield Finding("FAIL", "shared_noise_latents", f"the latents' noise correlates by {correlation.mean():.3f}")
    kurtosis = np.concatenate([numbers(c["z_kurtosis"])[s > SILENT] for c, s in zip(cases, std, strict=True)])
    if np.median(np.abs(kurtosis - NORMAL_KURTOSIS)) > KURTOSIS_OFF:
        yield Finding("FAIL", "not_normal", f"kurtosis of the noise is {np.median(kurtosis):.2f}; a normal's is 3")
    else:
        yield Finding("PASS", "posterior", "z has normal noise of its own for every example, latent and call")


def encode_latent(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge whether encode_latent draws from the distribution that forward draws from."""
    cases = cases_of(answers)
    own = [case for case in cases if "own_std" in case]
    if not own or (spreads_of(cases) < SILENT).all():
        return
    ratio = np.array([numbers(c["own_std"]) / spread_of(c) for c in own])
    shift = np.array([(numbers(c["own_mean"]) - numbers(c["z_mean"])) / spread_of(c) for c in own])
    if np.abs(np.log(np.maximum(ratio, LEAST_SPREAD))).max() > OWN_SPREAD or np.abs(shift).max() > OWN_MEAN:
        evidence = f"spread of encode_latent over that of forward: {ratio.min():.2f} to {ratio.max():.2f}"
        yield Finding("FAIL", "encode_latent", evidence)


# ---------------------------------------------------------------- the KL divergence

SAMPLED = 0.06, 0.03  # relative and absolute: a KL against that of 20,000 samples
SAMPLED_SPREAD = 0.04, 0.01  # a spread of samples against the encoder's own
ENCODED = 1e-2, 1e-2  # a KL against that of the encoder's output
ONE_SAMPLE = 1e-3, 1e-3  # a KL against log q(z|x) - log p(z)
NEGATIVE_KL = -0.01


class Divergence(NamedTuple):
    """The KL that forward returned in each case, and what it is measured by."""

    values: np.ndarray
    sampled: np.ndarray  # of q(z|x) as its samples show it
    spread: np.ndarray  # of z, one row a case
    evidence: str

    @property
    def has_noise(self) -> bool:
        return bool((self.spread > SILENT).all())


def kl(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge the KL against the divergence of the sampled q(z|x), then against the encoder's output."""
    cases = cases_of(answers)
    values = values_of(cases, "kl")
    sampled = np.array([gaussian_kl(numbers(c["z_mean"]), spread_of(c)) for c in cases])
    if not np.isfinite(values).all():
        yield Finding("LOOK", "unclear", "the KL of a perturbed network is not finite")
        return
    evidence = f"KL {values[0]:.3f}, {values[1]:.3f}; of the sampled q(z|x) {sampled[0]:.3f}, {sampled[1]:.3f}"
    divergence = Divergence(values, sampled, spreads_of(cases), evidence)
    finding = sampled_kl(divergence) or encoded_kl(divergence, cases)
    if finding is not None:
        yield finding
    elif divergence.has_noise:
        code = "kl_sign" if (values < NEGATIVE_KL).any() else "kl_wrong"
        yield Finding("FAIL", code, evidence)


def kl_factors(latents: int) -> tuple[tuple[float, str], ...]:
    """Return by which factor each known mistake is off; no hint stands beside the right one."""
    return (
        (1.0, ""), (2.0, "kl_no_half"), (0.5, "kl_half_twice"), (-1.0, "kl_sign"), (-2.0, "kl_sign"),
        (-0.5, "kl_sign"), (1 / latents, "kl_mean_latents"), (2 / latents, "kl_mean_latents"),
        (1 / math.log(2), "kl_log2"),
    )  # fmt: skip


def sampled_kl(divergence: Divergence) -> Finding | None:
    """Judge the KL as a multiple of that of the samples."""
    relative, absolute = SAMPLED
    for factor, code in kl_factors(divergence.spread.shape[1]):
        if close(divergence.values, factor * divergence.sampled, relative, absolute * abs(factor)):
            return Finding("FAIL" if code else "PASS", code or "kl", divergence.evidence)
    return None


def encoded_kl(divergence: Divergence, cases: list[dict[str, Any]]) -> Finding | None:
    """Tell which of the two is wrong where KL and samples differ, from what the encoder put out."""
    latents = divergence.spread.shape[1]
    if not all("encoder_out" in c and len(numbers(c["encoder_out"])) == 2 * latents for c in cases):
        return None
    raw = np.array([np.split(numbers(c["encoder_out"]), 2)[1] for c in cases])
    return (
        wrong_spread(divergence, raw) or one_sample_kl(divergence, cases) or multiple_of_encoded(divergence, cases, raw)
    )


def wrong_spread(divergence: Divergence, raw: np.ndarray) -> Finding | None:
    """Recognise samples that spread by a misread second half of the encoder's output."""
    readings = {"logvar_as_std": np.abs(raw), "std_no_half": np.exp(raw), "noise_unscaled": np.ones_like(raw)}
    for code, reading in readings.items():
        if divergence.has_noise and close(divergence.spread, reading, *SAMPLED_SPREAD):
            return Finding("FAIL", code, f"{divergence.evidence}; z spreads like {code.replace('_', ' ')}")
    return None


def one_sample_kl(divergence: Divergence, cases: list[dict[str, Any]]) -> Finding | None:
    """Recognise log q(z|x) - log p(z) of the returned z, of which the KL is the mean."""
    if close(divergence.values, [log_ratio(case) for case in cases], *ONE_SAMPLE):
        return Finding("PASS", "kl", "KL is log q(z|x) - log p(z) of the returned z, an estimate without bias")
    return None


def log_ratio(case: dict[str, Any]) -> float:
    """Compute log q(z|x) - log p(z) of the returned z."""
    mean, logvar = np.split(numbers(case["encoder_out"]), 2)
    z, zero = numbers(case["z"]), np.zeros_like(mean)
    return gaussian_nll(z, zero, zero + 1) - gaussian_nll(z, mean, np.exp(logvar / 2))


def multiple_of_encoded(divergence: Divergence, cases: list[dict[str, Any]], raw: np.ndarray) -> Finding | None:
    """Judge the KL as a multiple of that of the encoder's output; a right one has samples that do not fit it."""
    means = [np.split(numbers(case["encoder_out"]), 2)[0] for case in cases]
    right = np.array([gaussian_kl(mean, np.exp(half / 2)) for mean, half in zip(means, raw, strict=True)])
    for factor, code in kl_factors(raw.shape[1]):
        if not close(divergence.values, factor * right, *ENCODED):
            continue
        if not code and not divergence.has_noise:
            return None
        fits = close(divergence.spread, np.exp(raw / 2), *SAMPLED_SPREAD)
        return Finding("FAIL", code or ("posterior_mean" if fits else "kl_wrong"), divergence.evidence)
    return None


# ---------------------------------------------------------------- the negative log-likelihood

EXACT_FIT = 2e-3, 2e-3  # relative and absolute: where the decoder's own output is known
LOOSE_FIT = 0.05, 0.08  # where it is estimated from samples
HONEST_SAMPLED_FIT = 0.06, 0.1  # more lenient for an honest convention
PROPORTIONAL = 1e-3


def nll(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge the NLL: a convention that fits, a known mistake, a multiple of the squared error, or none of these."""
    cases = [case for case in cases_of(answers) if math.isfinite(number(case["nll"]))]
    if not cases:
        yield Finding("LOOK", "unclear", "the NLL of perturbed networks is not finite")
        return
    values = values_of(cases, "nll")
    outputs = [decoded_by(case) for case in cases]
    tolerance = EXACT_FIT if all("decoder_out" in case for case in cases) else LOOSE_FIT
    finding = judge_fit(values, outputs, tolerance, tolerance)
    if finding is None and all("d_std" in case for case in cases):
        # the assignment's formula of an own decoder (softplus, a shared variance, a clamp), as its samples show it
        sampled = [sampled_decoder(case) for case in cases]
        finding = judge_fit(values, sampled, HONEST_SAMPLED_FIT, LOOSE_FIT)
    yield finding or judge_proportion(values, cases, outputs[0])


def sampled_decoder(case: dict[str, Any]) -> Decoded:
    """Return mean and log-variance of the decoder as it samples."""
    logvar = 2 * np.log(np.maximum(numbers(case["d_std"]), LEAST_SPREAD))
    return Decoded(numbers(case["x"]), numbers(case["d_clean"]), logvar)


def judge_proportion(values: np.ndarray, cases: list[dict[str, Any]], first: Decoded) -> Finding:
    """Accept any positive multiple of the squared error, of which a convention may be made.

    Any other value fails only where the spread of the decoder's Gaussian is known: own classes may not show it.
    """
    errors = np.array([((numbers(c["x"]) - numbers(c["x_pred"])) ** 2).sum() for c in cases])
    ratios = values / np.maximum(errors, LEAST_SPREAD)
    if np.ptp(ratios) < PROPORTIONAL * abs(ratios).max():
        ratio = float((values / errors).mean())
        level, code = ("PASS", "nll") if ratio > 0 else ("FAIL", "nll_sign")
        return Finding(level, code, f"nll is {ratio:.3g} times the squared error")
    right = gaussian_nll(first.x, first.mean, first.std)
    if not all("decoder_out" in case or "d_std" in case for case in cases):
        return Finding("LOOK", "unclear", f"nll {values[0]:.3f}: how wide the decoder's Gaussian is could not be asked")
    return Finding("FAIL", "nll_wrong", f"nll {values[0]:.3f}; -log p(x|z) is {right:.3f}, no squared error fits")


# ---------------------------------------------------------------- the bound, and its reductions

IDENTITY = 1e-3  # of the terms' size
SUMMED_COPIES = 6.0, 0.02  # copies of one example, and how far their KL may be from that multiple
SUMMED_NLL = 300  # of 20,000 copies against one: a sum over the batch is beyond, a mean far below
SMALL_NLL = 0.1


def elbo(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge ELBO = -(NLL + KL), for one example and for 20,000 copies of it."""
    cases = cases_of(answers)
    one = np.array([[number(case[name]) for name in ("elbo", "kl", "nll")] for case in cases])
    many = np.array([numbers(case["of_many"]) for case in cases])
    finding = identity("one example", one)
    if finding.level == "PASS":
        finding = identity("20,000 examples", many)
    yield finding


def identity(which: str, terms: np.ndarray) -> Finding:
    """Judge the identity of the three terms, or recognise one of its forms with wrong signs.

    A perturbed network may have a variance of nearly zero somewhere: an infinite NLL is no mistake.
    """
    terms = terms[np.isfinite(terms).all(axis=1)]
    if not len(terms):
        return Finding("LOOK", "unclear", f"{which}: elbo, kl or nll of perturbed networks is not finite")
    bound, kl, nll = terms.T
    evidence = f"{which}: elbo {bound[0]:.4f}, kl {kl[0]:.4f}, nll {nll[0]:.4f}"
    scale = float(np.max(np.abs(kl) + np.abs(nll))) + 1.0
    forms = (("elbo", -(nll + kl)), ("elbo_sign", nll + kl), ("elbo_kl_sign", kl - nll), ("elbo_kl_sign", nll - kl))
    for code, value in forms:
        if np.max(np.abs(bound - value)) < IDENTITY * scale:
            return Finding("PASS" if code == "elbo" else "FAIL", code, evidence)
    return Finding("FAIL", "elbo_wrong", evidence)


def reductions(answers: Answers, task: Task) -> Iterator[Finding]:
    """Find sums over the batch where the assignment says means: of one term alone they are a hidden beta."""
    probe = networks(answers)
    ratios = np.array([number(n["kl_of_six"]) / number(n["kl_of_one"]) for n in probe if number(n["kl_of_one"])])
    cases = cases_of(answers)
    one, many = values_of(cases, "nll"), np.array([numbers(case["of_many"])[2] for case in cases])
    copies, tolerance = SUMMED_COPIES
    kl = bool(len(ratios)) and close(ratios, copies, tolerance, 0)
    nll = float(np.median(np.abs(many) / np.maximum(np.abs(one), SMALL_NLL))) > SUMMED_NLL
    evidence = f"nll of one example {one[0]:.4g}, of 20,000 copies of it {many[0]:.4g}"
    if kl and nll:
        yield Finding("LOOK", "both_summed", evidence)
    elif kl:
        yield Finding("FAIL", "kl_sum_batch", "the KL of six copies of one example is six times that of one")
    elif nll:
        yield Finding("FAIL", "nll_sum_batch", evidence)


def shapes(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge the shapes of x_pred and z for a batch of seven."""
    sizes = [tuple(int(number(n)) for n in shape) for shape in networks(answers)[0]["shapes"]]
    if (sizes[0], sizes[1]) != BATCH_SHAPES:
        yield Finding("FAIL", "shape", f"x_pred {sizes[0]} and z {sizes[1]}, expected (7, 3) and (7, 5)")


# ---------------------------------------------------------------- gradients

GRADIENT_RELATIVE, GRADIENT_ABSOLUTE = 0.02, 1e-3
MOST_WRONG = 0.2  # share of slopes that may differ: a ReLU's kink lies between some central differences


def gradients(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge autograd against central differences, for elbo, kl and nll."""
    records = [network.get("gradients") for network in networks(answers)]
    checks = [record for record in records if isinstance(record, dict) and "analytic" in record]
    if not checks:
        yield Finding("LOOK", "unclear", "the gradient could not be checked: draws differ under the same seed")
        return
    analytic = numbers([check["analytic"] for check in checks]).reshape(-1, 3)
    numeric = numbers([check["numeric"] for check in checks]).reshape(-1, 3)
    tolerance = GRADIENT_ABSOLUTE * (1 + np.abs(numeric).max())
    wrong = ~np.isclose(analytic, numeric, rtol=GRADIENT_RELATIVE, atol=tolerance)
    if wrong.mean() > MOST_WRONG:
        worst = int(wrong.sum(axis=0).argmax())
        where = np.flatnonzero(wrong[:, worst])[0]
        term = ("elbo", "kl", "nll")[worst]
        evidence = f"{term}: autograd {analytic[where, worst]:.4f}, numeric {numeric[where, worst]:.4f}"
        yield Finding("FAIL", "gradient_cut", evidence)
    else:
        yield Finding("PASS", "gradients", "autograd agrees with central differences for elbo, kl and nll")


# ---------------------------------------------------------------- the decoder's noise

OFF_CENTRE = 0.1  # of the noise's spread
NOISE_SCALE = 0.05, 0.01  # the noise's spread against the decoder's own
SAME_MEAN = 1e-3, 1e-3


def decode(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge what the decoder gets, and what its noise flag does."""
    cases = cases_of(answers)
    varies = np.array([numbers(case["x_pred_std"]).max() for case in cases])
    z_varies = np.array([spread_of(case).max() for case in cases])
    if (varies < SILENT).all() and (z_varies > SILENT).all():
        yield Finding("FAIL", "decodes_mean", "x_pred is the same for different z")
    decoders = [case for case in cases if "d_std" in case]
    if not decoders:
        yield Finding("LOOK", "own_way", "decode could not be called as decode(z, noise=...)")
        return
    flag = judge_noise_flag(decoders)
    if flag is not None:
        yield flag
        return
    yield from judge_noise(decoders)
    same = [c for c in cases if "d_clean" in c and close(numbers(c["x_pred"]), numbers(c["d_clean"]), *SAME_MEAN)]
    if len(same) < len(decoders) and (varies > SILENT).any():
        yield Finding("LOOK", "x_pred", "x_pred differs from decode(z, noise=False): a noisy draw?")
    else:
        yield Finding("PASS", "decode", "decode gives the mean without noise, draws with it")


def judge_noise_flag(decoders: list[dict[str, Any]]) -> Finding | None:
    """Return a finding where noise=True or noise=False does not do what it says."""
    noisy = np.array([numbers(c["d_std"]).max() for c in decoders])
    clean = np.array([np.abs(numbers(c["d_clean"]) - numbers(c["d_clean_again"])).max() for c in decoders])
    if (noisy < SILENT).all() and (clean > SILENT).all():
        return Finding("FAIL", "noise_flag", "decode(noise=True) repeats itself, decode(noise=False) does not")
    if (clean > SILENT).all():
        return Finding("FAIL", "noise_always", "decode(noise=False) gives another result each time")
    if (noisy < SILENT).all():
        # with a squared error as NLL there is no variance to draw with; else the flag does nothing
        return Finding("LOOK", "noise_missing", "decode(noise=True) gives the same result each time")
    return None


def judge_noise(decoders: list[dict[str, Any]]) -> Iterator[Finding]:
    """Judge centre and spread of the decoder's noise."""
    centre = max(
        np.abs(numbers(c["d_mean"]) - numbers(c["d_clean"])).max() / numbers(c["d_std"]).max() for c in decoders
    )
    if centre > OFF_CENTRE:
        yield Finding("FAIL", "not_normal", f"decoder noise is off-centre by {centre:.2f} of its spread")
    heads = [c for c in decoders if "decoder_out" in c and len(numbers(c["decoder_out"])) == 2 * len(numbers(c["x"]))]
    if not heads:
        return
    right = np.array([np.exp(np.split(numbers(c["decoder_out"]), 2)[1] / 2) for c in heads])
    spread = np.array([numbers(c["d_std"]) for c in heads])
    convention = named_fit(values_of(heads, "nll"), [decoded_by(c) for c in heads], GAUSSIAN, EXACT_FIT)
    if convention and not close(spread, right, *NOISE_SCALE):
        yield Finding("FAIL", "noise_scale", f"spread {spread[0, 0]:.3f}, expected {right[0, 0]:.3f}")


# ---------------------------------------------------------------- samples of the model

NOISE_ADDS = 0.1  # logarithm of the spread that decoder noise adds, where it can be told at all
SAME_SAMPLES, OTHER_SAMPLES = 0.12, 0.2  # distances, relative to the spread
SAMPLE_SHAPE = [5, 3]


def sample(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge samples against decoded draws of the prior, with and without the decoder's noise."""
    samples = [network["sample"] for network in networks(answers) if "sample" in network]
    if not samples:
        yield Finding("LOOK", "own_way", "sample could not be called as sample(batch_size, decoder_noise=...)")
        return
    shape = list(samples[0]["shape"])
    if shape != SAMPLE_SHAPE:
        yield Finding("FAIL", "shape", f"sample(5) has shape {shape}, expected {SAMPLE_SHAPE}")
        return
    noisy, clean, direct, loud = (
        numbers([s[name] for s in samples]) for name in ("noisy", "clean", "direct", "direct_noisy")
    )
    spread = np.maximum(direct[:, 1], SILENT)
    adds = float(np.log(np.maximum(loud[:, 1], LEAST_SPREAD) / spread).max()) > NOISE_ADDS
    if adds and away(noisy, direct) < SAME_SAMPLES and away(clean, loud) < SAME_SAMPLES:
        yield Finding("FAIL", "noise_flag", "sample(decoder_noise=True) has less spread than with False")
    elif away(clean, direct) > OTHER_SAMPLES and away(clean, loud) > OTHER_SAMPLES:
        evidence = f"spread {clean[0, 1].round(2).tolist()}, of decoded N(0, I) {direct[0, 1].round(2).tolist()}"
        yield Finding("FAIL", "not_prior", evidence)
    elif adds and away(clean, loud) < SAME_SAMPLES and away(noisy, loud) < SAME_SAMPLES:
        yield Finding("FAIL", "noise_always", "sample adds noise whatever decoder_noise says")
    elif adds and away(noisy, direct) < SAME_SAMPLES:
        yield Finding("FAIL", "noise_missing", "sample(decoder_noise=True) has no noise")
    else:
        yield Finding("PASS", "sample", "sample agrees with decoding the prior, with and without noise")


def away(a: np.ndarray, b: np.ndarray) -> float:
    """Return the largest distance of means, log-spreads and deciles, relative to the spread."""
    means = np.abs(a[:, [0, 2, 3]] - b[:, [0, 2, 3]]) / np.maximum(b[:, 1:2], SILENT)
    spreads = np.abs(np.log(np.maximum(a[:, 1], LEAST_SPREAD) / np.maximum(b[:, 1], LEAST_SPREAD)))
    return float(max(means.max(), spreads.max()))


# ---------------------------------------------------------------- the sigmoid

TWICE = 0.45  # the sigmoid of a sigmoid is never below one half
BEYOND = 1e-6


def flags(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge whether the sigmoid is there when requested, once, and only then."""
    probe = answers.probe("flat")
    squashed, linear = numbers(probe["sigmoid"]), numbers(probe["linear"])
    evidence = f"sigmoid=True, decoded {squashed.min():.2f} to {squashed.max():.2f}"
    if squashed.min() > TWICE:
        yield Finding("FAIL", "sigmoid_twice", evidence)
    elif squashed.min() < -BEYOND or squashed.max() > 1 + BEYOND:
        yield Finding("FAIL", "sigmoid_missing", evidence)
    elif linear.min() >= 0 and linear.max() <= 1:
        evidence = f"sigmoid=False, decoded {linear.min():.2f} to {linear.max():.2f}"
        yield Finding("FAIL", "sigmoid_always", evidence)
    else:
        yield Finding("PASS", "flags", "sigmoid=True keeps decoded images in [0, 1]")
