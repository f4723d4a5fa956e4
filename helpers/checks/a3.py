"""Checks of assignment 3: a VAE on the Swiss roll."""

import contextlib
import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from helpers.checks.base import Mistake, Unclear, checks
from helpers.checks.losses import Case, cases_of, draws_and_slopes, judge_beta_loss, squared_mean, squared_sum
from helpers.checks.oracles import Array, as_array
from helpers.checks.student import Student, replaced
from helpers.checks.training import ADDS_UP, plain_fit

STEPS, SHORT, LR = 6, 80, 1e-3
FALLS_TO = 0.7  # of its first value, in a short training
RISES_TO = 1.5  # of its first value: more than chance does, however short a training was
REACHES = 0.25  # of its first value, in the assigned training
ASSIGNED_STEPS = 1000
NEAR = 0.5  # of the roll's own spread: a mean squared error of reconstructions


@checks("reparameterize", "reparameterize", "swiss_roll.VAE.reparameterize", stops=True)
def reparameterize(student: Student) -> str:
    draws, _ = draws_and_slopes(student.get("swiss_roll.VAE")(2, 8).reparameterize)
    return f"{len(draws)} draws have the mean and the spread that were asked for, and gradients reach both"


class KnownVAE(nn.Module):
    """Reconstruct points and code them as a case says, whatever comes in."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        self.case, self.latent_dim = case, case.mu.shape[1]
        self.weight = nn.Parameter(torch.zeros(()))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.case.mu, self.case.logvar

    def reparameterize(self, mu: Tensor, logvar: Tensor) -> Tensor:
        return mu

    def decode(self, z: Tensor) -> Tensor:
        return self.case.recon

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.case.recon, self.case.mu, self.case.logvar


def judge_loss(function: Callable[..., Any]) -> str:
    """Say whether a loss for points is the squared error plus beta times the KL, both averaged."""
    forms = {"the mean squared error": squared_mean, "the squared error, summed over the coordinates": squared_sum}
    return judge_beta_loss(lambda case, beta: function(KnownVAE(case), case.x, beta), cases_of(2), "mean", forms)


@checks("KL", "compute_vae_loss", "swiss_roll.compute_vae_loss", stops=True)
def loss(student: Student) -> str:
    return judge_loss(student.get("swiss_roll.compute_vae_loss"))


@checks("KL", "score_function_loss", "swiss_roll.score_function_loss", stops=True)
def score_function(student: Student) -> str:
    return judge_loss(student.get("swiss_roll.score_function_loss"))


# ---------------------------------------------------------------- training


def flat_loss(model: nn.Module, x: Tensor, beta: float) -> Tensor:
    """Stand in for the loss: its gradient is the same at every step."""
    return torch.stack([p.mean() for p in model.parameters()]).sum()


def squared_error(model: nn.Module, x: Tensor, beta: float) -> Tensor:
    """Stand in for the loss while it is still open: the squared error alone."""
    recon = model(x)[0]
    return torch.nn.functional.mse_loss(recon, x)


def call_train(student: Student, loss: Callable[..., Any] | None, **options: Any) -> Any:
    """Call the student's train_vae with another loss, or with their own where it is None."""
    train = student.get("swiss_roll.train_vae")
    others: dict[str, Any] = {} if loss is None else {"compute_vae_loss": loss}
    if loss is not None and "loss" in inspect.signature(train).parameters:
        options["loss"] = loss
    for loop in ({}, {"fit": plain_fit}):  # the loop of assignment 1, as long as that is open
        try:
            with replaced(train, **others, **loop):
                return train(**options)
        except NotImplementedError:
            if loop:
                raise
    return None


@contextlib.contextmanager
def steps_noted() -> Iterator[list[float]]:
    """Note the norm of the gradient at each step of any optimizer."""
    norms: list[float] = []

    def note(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        slopes = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        norms.append(math.sqrt(sum(float(g.square().sum()) for g in slopes)))

    hook = register_optimizer_step_pre_hook(note)
    try:
        yield norms
    finally:
        hook.remove()


@checks("train", "train_vae", "swiss_roll.train_vae", stops=True)
def train_vae(student: Student) -> str:
    with steps_noted() as norms:
        call_train(student, flat_loss, n_steps=STEPS, batch_size=8, lr=0.0)
    if len(norms) < STEPS:
        raise Mistake(f"{len(norms)} steps where {STEPS} were asked for", "never_steps")
    if not any(norms):
        raise Mistake("the gradient was zero at every step", "no_gradient")
    if norms[2] > ADDS_UP * norms[0]:
        sizes = ", ".join(f"{norm / norms[0]:.3g}" for norm in norms[:3])
        raise Mistake(
            f"for a loss with a constant gradient, the first steps have sizes {sizes}, right is 1, 1, 1", "zero_grad"
        )
    try:
        _, losses, _ = call_train(student, None, n_steps=SHORT, batch_size=64, lr=LR)
    except NotImplementedError:
        _, losses, _ = call_train(student, squared_error, n_steps=SHORT, batch_size=64, lr=LR)
    values = losses_of(losses)
    if len(values) != SHORT:
        raise Mistake(f"{len(values)} losses for {SHORT} steps, expected one each")
    judge_fall(values, FALLS_TO, f"in {SHORT} steps", SHORT)
    return f"one step with a fresh gradient for each loss, and in {SHORT} steps the loss falls"


def judge_fall(values: Array, reaches: float, when: str, steps: int) -> None:
    """Compare the last losses of a training with its first ones.

    Args:
        reaches: what share of its first value the loss falls to in that many steps.

    Raises:
        Mistake: the loss grew, or it fell too little although there were steps enough.
        Unclear: there were too few steps to tell.
    """
    first, last = values[:5].mean(), values[-min(50, max(len(values) // 4, 1)) :].mean()
    text = f"{when} the loss went from {first:.3g} to {last:.3g}"
    if last > (reaches if len(values) >= steps else RISES_TO) * first:
        raise Mistake(text, "not_decreasing")
    if last > reaches * first:
        raise Unclear(f"{text}, so this check cannot tell yet: train longer, for the assigned {steps} steps")


def losses_of(losses: Any) -> Array:
    """Return losses as numbers: they may be tensors."""
    return np.array([float(as_array(value, "a loss")) for value in losses])


@checks("train", "the trained VAE")
def trained(student: Student, model: Any, losses: Sequence[Any]) -> str:
    """``model``, ``losses``: what train_vae returned."""
    values = losses_of(losses)
    if not len(values):
        raise Mistake("no losses were given, expected one for each step")
    judge_fall(values, REACHES, f"in {len(values)} steps", ASSIGNED_STEPS)
    t = 1.5 * math.pi * (1 + 2 * torch.rand(2000))
    x = torch.stack([t * torch.cos(t), t * torch.sin(t)], dim=1) / 15
    with torch.no_grad():
        recon = as_array(model(x.to(next(model.parameters()).device))[0], "the reconstruction")
    points = as_array(x, "x")
    error, spread = np.square(recon - points).sum(1).mean(), points.var(0).sum()
    if error > NEAR * spread:
        text = (
            f"new points of the roll come back {math.sqrt(error):.2f} away, its own spread is {math.sqrt(spread):.2f}"
        )
        if len(values) < ASSIGNED_STEPS:
            raise Unclear(
                f"{text}, so this check cannot tell yet: train longer, for the assigned {ASSIGNED_STEPS} steps"
            )
        raise Mistake(f"{text}: is this the model that was trained?")
    return "the loss fell, and new points of the roll come back to their place"


# ---------------------------------------------------------------- pictures


@checks("visualize", "train_vae_with_visualization", "swiss_roll.train_vae_with_visualization")
def visualization(student: Student) -> str:
    function = student.get("swiss_roll.train_vae_with_visualization")
    figures: list[Figure] = []
    options: dict[str, Any] = {"n_steps": 4, "batch_size": 16, "viz_interval": 2}
    if "show" in inspect.signature(function).parameters:
        options["show"] = figures.append
    with patch.object(plt, "show", lambda *_, **__: figures.append(plt.gcf())):
        for others in ({}, {"fit": plain_fit, "compute_vae_loss": squared_error}):  # as long as these are open
            try:
                with replaced(function, **others):
                    result = function(**options)
                break
            except NotImplementedError:
                if others:
                    raise
    if not isinstance(result, tuple | list) or len(result) != 3:
        raise Mistake("it gives back something else than model, losses and device")
    figures += [plt.figure(number) for number in plt.get_fignums()]
    panels = sum(bool(axes.collections or axes.lines) for figure in dict.fromkeys(figures) for axes in figure.axes)
    if panels < 3:
        raise Mistake(f"4 steps with a picture every 2 gave {panels} panels, expected three: before, during and after")
    return "draws the latent space before, during and after the training, and gives back model, losses, device"


@checks("experiment", "other sizes")
def sizes(student: Student, models: Mapping[Any, Any] | Sequence[Any]) -> str:
    """``models``: those that were trained with other sizes."""
    listed = list(models.values()) if isinstance(models, Mapping) else list(models)
    counts = [sum(p.numel() for p in model.parameters()) for model in listed]
    assigned = sum(p.numel() for p in student.get("swiss_roll.VAE")().parameters())
    others = {count for count in counts if count != assigned}
    if not others:
        raise Mistake("all models have the assigned 2 latents and 256 units", "experiment_missing")
    if any(not torch.isfinite(p).all() for model in listed for p in model.parameters()):
        raise Unclear("a model has weights that are not finite numbers: its training broke down")
    return f"{len(listed)} models were given, of {len(set(counts))} sizes"
