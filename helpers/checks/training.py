"""Stub models whose gradients say what a loss is made of, and what a training loop did with them, step by step.

The stub for ``train_vae`` has nll = |x - b|^2 / 2 and kl = |a - 1|^2 / 2: a gradient of ``a`` comes from the KL, one of
``b`` from the NLL. All batches of a loader are equal, and the learning rate is 0, so every step should have the same
gradient. Each loader's points have a value of their own, which tells what the gradients were taken on.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from helpers.checks.base import Mistake, Unclear
from helpers.checks.oracles import close

BATCHES, BATCH, EPOCHS = 3, 4, 2
ALL_STEPS = BATCHES * EPOCHS
POINTS = {"train": 0.05, "val": 0.06, "test": 0.07}
A_OFF = 0.05  # of ``a`` from where its KL is least
ADDS_UP = 2.2  # the third step's gradient over the first's: three times as large where gradients add up
BETAS = (1, 5)
SAME_WEIGHT = 0.4, 2.5  # of the KL against the NLL at beta 1: reductions of other honest losses


class StubVAE(nn.Module):
    """Give five results as a VAE of part A does, and remember what gradients were taken on."""

    latent_size = input_size = 2

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor([1 + A_OFF]))
        self.b = nn.Parameter(torch.zeros(1))
        self.seen: list[tuple[float, bool]] = []  # the points of a batch, and whether gradients were asked for

    def forward(self, x: Tensor, **_: Any) -> tuple[Tensor, ...]:
        self.seen.append((round(float(x.mean()), 3), torch.is_grad_enabled()))
        x_pred = self.b.expand_as(x)
        nll = 0.5 * (x - x_pred).square().sum(1).mean()
        kl = 0.5 * (self.a - 1).square().sum()
        return x_pred, torch.zeros(len(x), 2), -(nll + kl), kl, nll

    def sample(self, batch_size: int, decoder_noise: bool = False) -> Tensor:
        return torch.randn(batch_size, 2)


class Run(NamedTuple):
    """A training of a stub: the gradients of each parameter at each step, and what they were taken on."""

    steps: list[list[Tensor | None]]
    seen: list[tuple[float, bool]]

    @property
    def trained_on(self) -> set[float]:
        """The points that gradients were asked for; a loop that never stops asking counts by its first batch."""
        return {point for point, gradients in self.seen[:ALL_STEPS] if gradients}

    @property
    def norms(self) -> list[float]:
        squares = [sum(float(g.square().sum()) for g in step if g is not None) for step in self.steps]
        return [s**0.5 for s in squares]


def watched(model: nn.Module) -> tuple[torch.optim.Optimizer, list[list[Tensor | None]]]:
    """Make an optimizer that changes nothing and notes the gradients of each step."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    noted: list[list[Tensor | None]] = []

    def note(*_: Any) -> None:
        noted.append([None if p.grad is None else p.grad.detach().clone() for p in model.parameters()])

    optimizer.register_step_pre_hook(note)
    return optimizer, noted


def loader(point: float, *shape: int) -> DataLoader:
    """Make batches whose numbers are all the same."""
    x = torch.full((BATCHES * BATCH, *shape), point)
    return DataLoader(TensorDataset(x, torch.zeros(len(x), dtype=torch.long)), batch_size=BATCH)


def trainings(train_vae: Callable[..., Any], stub: Callable[[], Any]) -> dict[int, Run]:
    """Train a stub with beta 1 and with beta 5."""
    runs = {}
    for beta in BETAS:
        model = stub()
        optimizer, noted = watched(model)
        train, val, test = (loader(point, 2) for point in POINTS.values())
        train_vae(model, optimizer, train, val, test, "a check", num_epochs=EPOCHS, beta=beta)
        runs[beta] = Run(noted, model.seen)
    return runs


def judge_steps(run: Run) -> str:
    """Say whether there was one step for each batch of the training loader, with a fresh gradient."""
    count, norms = len(run.steps), run.norms
    if count < ALL_STEPS:
        raise Mistake(f"{count} steps for {EPOCHS} epochs of {BATCHES} batches, right is {ALL_STEPS}", "never_steps")
    if not any(norms):
        raise Mistake("the gradient was zero at every step", "no_gradient")
    if norms[0] > 0 and norms[2] > ADDS_UP * norms[0]:
        sizes = ", ".join(f"{norm / norms[0]:.3g}" for norm in norms[:3])
        raise Mistake(
            f"on equal batches the gradients of the first steps have sizes {sizes}, right is 1, 1, 1", "zero_grad"
        )
    for name in ("val", "test"):
        if POINTS[name] in run.trained_on and POINTS["train"] not in run.trained_on:
            raise Mistake(f"gradients were taken on the {name} loader", f"trains_on_{name}")
    return f"one step a batch, each with a fresh gradient ({count} steps)"


class Weights(NamedTuple):
    """How much each term weighs in the loss."""

    kl: float
    nll: float

    @property
    def ratio(self) -> float:
        return self.kl / self.nll if self.nll else 0.0


def weights_at(run: Run, step: int) -> Weights:
    """Read the weights of the two terms from the gradients of one step."""
    a, b = (0.0 if g is None else float(g.sum()) for g in run.steps[step])
    point = POINTS["train"] if POINTS["train"] in run.trained_on else max(run.trained_on)
    return Weights(a / A_OFF, -b / (2 * point))


def judge_loss(runs: dict[int, Run]) -> str:
    """Say whether the loss is nll + beta * kl, from the gradients alone: clipping scales both terms alike."""
    if any(not run.steps or not any(run.norms) for run in runs.values()):
        raise Unclear("no step had a gradient, so the loss cannot be told: look at the training steps first")
    one, five = (weights_at(runs[beta], 0) for beta in BETAS)
    if one.nll == 0:
        raise Mistake("no gradient comes from the reconstruction", "nll_left_out")
    if one.kl == 0 and five.kl == 0:
        raise Mistake("no gradient comes from the KL", "kl_left_out")
    if (one.nll < 0 and one.kl != 0) or one.kl < 0:
        raise Mistake(f"the NLL weighs {one.nll:+.2g} and the KL {one.kl:+.2g}, both must be positive", "maximises")
    factor = five.ratio / one.ratio
    evidence = f"from beta = 1 to beta = 5 the weight of the KL against the NLL changes by a factor of {factor:.3g}"
    if not close(factor, 5, 0.02):
        raise Mistake(f"{evidence}, right is 5", "beta_on_nll" if close(factor, 0.2, 0.02) else "beta_ignored")
    if not SAME_WEIGHT[0] <= one.ratio <= SAME_WEIGHT[1]:
        if not close(one.ratio, weights_at(runs[1], -1).ratio, 0.05):
            raise Unclear(
                "the weight of the KL changes from step to step: a schedule, which the assignment does not ask for"
            )
        raise Mistake(f"at beta = 1 the KL weighs {one.ratio:.3g} times the NLL, right is 1", "hidden_beta")
    return "is NLL + beta * KL, told by its gradients at beta = 1 and 5"


def judge_evaluation(run: Run) -> str:
    """Say whether the points of the test loader went into the model, and no gradient was taken on them."""
    if all(point != POINTS["test"] for point, _ in run.seen):
        raise Mistake("with a test loader given, none of its points goes into the model", "evaluates_on_train")
    return "the test loader's points are what the test performance is computed on"


def plain_fit(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    batches: Iterable[Any],
    objective: Callable[..., Any],
    *,
    num_epochs: int,
    val_loader: Iterable[Any] | None = None,
    **_: Any,
) -> Any:
    """Stand in for ``helpers.core.training.fit`` where that is a task of its own, and still open."""
    import numpy as np

    from helpers.core.history import History

    curves: tuple[dict[str, list[float]], dict[str, list[float]]] = {}, {}
    parameters = list(model.parameters())
    for _epoch in range(num_epochs):
        for batch in batches:
            value, terms = objective(tuple(batch))
            slopes = torch.autograd.grad(value, parameters, allow_unused=True)
            for parameter, slope in zip(parameters, slopes, strict=True):
                parameter.grad = slope
            optimizer.step()
            for name, term in terms.items():
                curves[0].setdefault(name, []).append(float(term.detach()))
        for batch in val_loader or ():
            with torch.no_grad():
                for name, term in objective(tuple(batch))[1].items():
                    curves[1].setdefault(name, []).append(float(term))
    history = History(len(list(batches)))
    for into, values in zip((history.train, history.val), curves, strict=True):
        into.update({name: np.array(numbers) for name, numbers in values.items()})
    return history
