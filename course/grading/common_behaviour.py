"""Checks by behaviour that several assignments share. A check takes (answers, task); what else is here helps one."""

import math
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from course.assignments.task import Task
from course.grading.answers import Answers, close, number, numbers
from course.grading.mathematics import gaussian_kl
from course.grading.verdicts import Finding
from course.notebooks.visible import named

# ---------------------------------------------------------------- what the run itself showed

STALE_STEPS = 2  # gradients that a step had used already and a backward added to: more are no accident
LEAST_LOSSES = 30
TENTH, LEAST_TENTH = 10, 3  # the first and the last tenth of the losses are compared


def zero_grad(answers: Answers, task: Task) -> Iterator[Finding]:
    """Find optimizers whose gradients add up over steps, in loops that nobody could call, too."""
    stale = [record for record in answers.records("optimizers").values() if number(record["stale"]) > STALE_STEPS]
    if stale:
        evidence = f"{len(stale)} optimizers reused a gradient that a step had consumed"
        yield Finding("FAIL", "zero_grad", evidence)


def losses_fall(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge whether the losses of each optimizer are finite, and end lower than they begin."""
    yield from judge_losses(list(answers.records("optimizers").values()))


def judge_losses(records: list[dict[str, Any]]) -> Iterator[Finding]:
    """Judge losses step by step; one that is not finite may be the fault of the small images that stand in.

    An infinite loss of the first steps is an unlucky start, from which a training recovers.
    """
    rising = 0
    for record in records:
        losses = numbers(record["losses"])
        start = len(losses) // TENTH
        wrong = start + np.flatnonzero(~np.isfinite(losses[start:]))
        if len(wrong):
            yield Finding("LOOK", "not_finite", f"step {int(wrong[0]) + 1} of {len(losses)}")
        first, last = ends_of(losses)
        rising += len(losses) >= LEAST_LOSSES and last > first
    if records:
        evidence = f"{len(records) - rising} of {len(records)} trainings end lower than they begin"
        yield Finding("LOOK", "not_decreasing", evidence) if rising else Finding("PASS", "losses_fall", evidence)


def ends_of(losses: np.ndarray) -> tuple[float, float]:
    """Return the mean of the first tenth of the losses, and that of the last."""
    tenth = max(len(losses) // TENTH, LEAST_TENTH)
    return float(losses[:tenth].mean()), float(losses[-tenth:].mean())


def trains_on_test(answers: Answers, task: Task) -> Iterator[Finding]:
    """Find models that were trained on test images."""
    yield from (finding for _, finding in trained_on_test(answers))


def trained_on_test(answers: Answers) -> Iterator[tuple[str, Finding]]:
    """Yield models that gradients were taken of on test images: by their mark, or by what is in the middle of them."""
    known = {name: [int(number(value)) for value in row] for name, row in answers.records("known").items()}
    for name, record in answers.records("tagged").items():
        marked, count = (int(number(value)) for value in record)
        if marked and not contradicted(marked / max(count, 1), *known.get(name, (0, 0, 0))[1:]):
            yield name, Finding("FAIL", "trains_on_test", f"{named(name)}: {marked} of {count} images are test images")
    for name, (same, alike, count) in known.items():
        if same >= LEAST_SAME:
            evidence = f"{named(name)}: {same} of {count} images, drawn from those trained on, are test images"
            yield name, Finding("FAIL", "trains_on_test", evidence)
        elif alike > MOST_ALIKE * count and count >= LEAST_DRAWN:
            evidence = (
                f"{named(name)}: {alike} of {count} images, drawn from those trained on, are most like test images"
            )
            yield name, Finding("LOOK", "trains_on_test", evidence)


def contradicted(share: float, alike: int, drawn: int) -> bool:
    """Say whether images that bear the mark are unlike any test image: noise, or turned images, may bear it, too."""
    expected = share * drawn
    return expected >= LEAST_EXPECTED and alike < expected / 4


LEAST_EXPECTED = 8
LEAST_SAME, LEAST_DRAWN, MOST_ALIKE = 2, 32, 0.6  # of all known images a third is the test set's


LEAST_STEPS, LEAST_MOVED = 10, 1e-3  # of an optimizer, and of some parameter as a share of its length
LEARNED = 0.97  # the error on data of ours, as a share of what it was before


def trained(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge whether trainings were seen, and whether their models reconstruct data of ours better than before."""
    yield from judge_trainings(answers, trainings_of(answers))


def trainings_of(answers: Answers, kind: str = "") -> list[dict[str, Any]]:
    """Return the trainings that were seen: of models of the plane, or of images, where a kind is asked for."""
    records = answers.content.get("trainings")
    return [r for r in records if not kind or data_of(answers, r) == kind] if isinstance(records, list) else []


def data_of(answers: Answers, record: dict[str, Any]) -> str:
    """Return what a model was trained on: as it reconstructs it, or as the batches were from which its losses came."""
    losses = answers.records("losses").get(record.get("number", ""), {})
    return record["kind"] or {2: "plane", 784: "image"}.get(losses.get("features"), "")


def judge_trainings(answers: Answers, records: list[dict[str, Any]], least: int = 1) -> Iterator[Finding]:
    """Judge whether enough trainings changed their models for the better."""
    if answers.content.get("mode") == "definitions":
        return  # the grader itself is tried: nothing was to be trained
    better = [r for r in records if r["moved"] > LEAST_MOVED and improved(r)]
    learned = [r for r in better if r["steps"] >= LEAST_STEPS and not r.get("elsewhere")]
    if len(learned) < least:
        seen = f"{len(learned)} of at least {least} trainings were seen to change a model for the better"
        loaded = sum(r.get("elsewhere") is True for r in better)
        empty = sum(r["moved"] > LEAST_MOVED and r["steps"] < LEAST_STEPS <= steps_taken(answers, r) for r in records)
        unknown = sum("after" not in r and r["steps"] >= LEAST_STEPS for r in records)
        if loaded:
            evidence = f"{seen}; {loaded} more ended with weights that no step of an optimizer had made"
            yield Finding("LOOK", "weights_from_elsewhere", evidence)
        elif empty:
            evidence = (
                f"{seen}; {empty} more moved weights by steps without a gradient from data, or by an own optimizer"
            )
            yield Finding("LOOK", "no_training_seen", evidence)
        elif unknown:
            yield Finding("LOOK", "no_training_seen", f"{seen}; {unknown} more changed a model that cannot be measured")
        else:
            yield Finding("LOOK", "no_training_seen", seen)
        return
    best = learned[0]
    of_loss = f"its error on data of the grader's from {best['before']:.3g} to {best['after']:.3g}"
    yield Finding("PASS", "trained", f"{len(learned)} trainings seen; the longest: {best['steps']} steps, {of_loss}")


def steps_taken(answers: Answers, record: dict[str, Any]) -> int:
    """Return how many steps a training's optimizer took, of whatever kind."""
    return len(answers.records("optimizers").get(record.get("number", ""), {}).get("losses", ()))


def improved(record: dict[str, Any]) -> bool:
    """Say whether a model reconstructs data of the grader's better than before; what is printed of it says nothing."""
    return "after" in record and record["after"] < LEARNED * record["before"]


# ---------------------------------------------------------------- what the run printed


def again(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Say of findings about printed numbers that a rerun printed them."""
    for finding in findings:
        yield finding._replace(evidence=f"rerun: {finding.evidence}")


# ---------------------------------------------------------------- reparameterize(mu, logvar)

MEAN, STD = np.array([3.0, -1.0]), np.array([1.0, 2.0])  # of the two latents that the probe asks for
SILENT = 1e-6  # a spread below this is no noise
STD_OFF, MEAN_OFF, LOGVAR_OFF = 0.03, 0.08, 0.01
SAME_NOISE = 0.9  # a correlation beyond this is one noise for two latents
NORMAL_KURTOSIS, KURTOSIS_OFF = 3, 0.4
MU_SLOPE_OFF, LOGVAR_SLOPE_OFF = 1e-3, 1e-2


def reparameterize(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge z = mu + exp(logvar / 2) * eps by its mean, its spread, its noise and its gradients."""
    probe = answers.probe("reparameterize")
    mean, std = numbers(probe["mean"]), numbers(probe["std"])
    logvar = 2 * np.log(STD)
    evidence = f"mu (3, -1), sigma (1, 2): mean {mean.round(2).tolist()}, spread {std.round(2).tolist()}"
    if std.max() < SILENT:
        yield Finding("FAIL", "shared_noise" if number(probe["between"]) > SILENT else "no_noise", evidence)
    elif close(std, STD, STD_OFF) and close(mean, MEAN, 0, MEAN_OFF):
        yield judge_noise(probe) or judge_slopes(probe) or Finding("PASS", "reparameterize", evidence)
    elif close(std, np.abs(logvar), STD_OFF, LOGVAR_OFF):
        yield Finding("FAIL", "logvar_as_std", evidence)
    elif close(std, np.exp(logvar), STD_OFF):
        yield Finding("FAIL", "std_no_half", evidence)
    else:
        yield Finding("FAIL", "not_normal", evidence)


def judge_noise(probe: dict[str, Any]) -> Finding | None:
    if abs(number(probe["corr"])) > SAME_NOISE:
        return Finding("FAIL", "shared_noise_latents", "both latents have the same noise")
    kurtosis = numbers(probe["kurtosis"])
    if np.abs(kurtosis - NORMAL_KURTOSIS).max() > KURTOSIS_OFF:
        return Finding("FAIL", "not_normal", f"kurtosis {kurtosis.round(2).tolist()}")
    return None


def judge_slopes(probe: dict[str, Any]) -> Finding | None:
    mu, logvar = probe["grad_mu"], probe["grad_logvar"]
    cut = mu is None or logvar is None or not close(numbers(mu), 1, MU_SLOPE_OFF)
    if cut or number(logvar) > LOGVAR_SLOPE_OFF:
        return Finding("FAIL", "gradient_cut", "gradients for mu and logvar are not 1 and (z - mu) / 2")
    return None


# ---------------------------------------------------------------- a loss at three betas

FIT = 1e-3
NO_SLOPE = 1e-9


class Loss(NamedTuple):
    """A loss taken apart: its slope in beta is the KL term, its value at beta = 0 the reconstruction."""

    slope: float
    base: float
    linear: bool  # in beta
    kl: np.ndarray  # of each example, as it should be
    latents: int
    reconstructions: dict[str, float]  # of the example, under each reduction


def loss_of(probe: dict[str, Any]) -> Loss:
    """Read the loss at beta = 0, 1 and 3, and compute what it may be made of."""
    x, recon, mu, logvar = (numbers(probe[name]) for name in ("x", "recon", "mu", "logvar"))
    values = {float(beta): number(value) for beta, value in probe["values"].items()}
    kl = np.array([gaussian_kl(m, np.exp(half / 2)) for m, half in zip(mu, logvar, strict=True)])
    error = (x - recon) ** 2
    bce = -(x * np.log(recon) + (1 - x) * np.log(1 - recon))
    reconstructions = {
        "mean squared error": error.mean(), "summed squared error": error.sum(1).mean(), "bce": bce.sum(),
        "bce mean": bce.sum(1).mean(), "total squared error": error.sum(), "half the error": error.mean() / 2,
    }  # fmt: skip
    slope, base = values[1.0] - values[0.0], values[0.0]
    linear = abs(slope) >= NO_SLOPE and close(values[3.0] - base, 3 * slope, FIT)
    return Loss(slope, base, linear, kl, mu.shape[1], reconstructions)


def judge_loss(loss: Loss, right: float, reconstruction: str) -> Iterator[Finding]:
    """Judge the KL term against the assigned one, and the reconstruction against the assigned kind."""
    evidence = f"KL term {loss.slope:.4f}, expected {right:.4f}; without it {loss.base:.4f}"
    if any(close(loss.slope, value, FIT) for value in loss.reconstructions.values()):
        yield Finding("FAIL", "beta_on_nll", evidence)
        return
    if not loss.linear:
        yield Finding("FAIL", "beta_ignored", evidence)
        return
    code = kl_term_fault(loss, right)
    if code == "own":
        yield Finding("LOOK", "recon_reduction", f"{evidence}: another reduction of the KL")
    else:
        yield Finding("FAIL" if code else "PASS", code or "kl", evidence)
    kind = next((name for name, value in loss.reconstructions.items() if close(loss.base, value, FIT)), "unknown")
    if kind == reconstruction:
        yield Finding("PASS", "nll", f"reconstruction is the {kind}")
    elif loss.base < 0:
        yield Finding("FAIL", "nll_sign", evidence)
    else:
        yield Finding("LOOK", "recon_reduction", f"reconstruction {loss.base:.4f} ({kind})")


def kl_term_fault(loss: Loss, right: float) -> str | None:
    """Return the hint for a KL term, ``own`` for another honest reduction, None where it is as assigned."""
    per_example, total = loss.kl.mean(), loss.kl.sum()
    forms = (
        (right, None), (per_example, "own"), (2 * right, "kl_no_half"), (right / 2, "kl_half_twice"),
        (-right, "kl_sign"), (-2 * right, "kl_sign"), (-per_example, "kl_sign"), (2 * per_example, "kl_no_half"),
        (per_example / loss.latents, "kl_mean_latents"), (total, "kl_sum_batch"), (right / math.log(2), "kl_log2"),
    )  # fmt: skip
    return next((code for value, code in forms if close(loss.slope, value, FIT)), "kl_wrong")
