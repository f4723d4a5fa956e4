"""The training loop, and evaluation.

Nothing here waits for the device inside an epoch: the numbers of the steps stay tensors and are read once, at its end.
"""

import math
from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from helpers.core import settings
from helpers.core.batches import Batch, Loader, Objective, Scalars
from helpers.core.history import History, extend
from helpers.core.speed import keep_freed_memory

EARLY = 10  # steps after which a loss that is not finite is no longer the initial weights' doing
PIXELS = 100.0  # data that reach beyond it and are never negative are pixels from 0 to 255


def best_device() -> torch.device:
    """Choose CUDA where there is one, then Apple's MPS, then the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def fit(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    loader: Loader,
    objective: Objective,
    *,
    num_epochs: int,
    val_loader: Loader | None = None,
    max_norm: float = 1.0,
    schedule: Callable[[], None] | None = None,
    on_epoch: Callable[[int], None] | None = None,
    description: str = "training",
) -> History:
    """Minimise ``objective`` over the batches of ``loader``.

    Args:
        model: its parameters' gradients are clipped; batches are moved to its device.
        optimizer: steps once a batch.
        loader: yields tuples of tensors, the data first.
        objective: gives a batch's loss and the scalars to remember.
        num_epochs: passes over ``loader``; a scheduler's total is ``num_epochs * len(loader)``.
        val_loader: evaluated after each epoch, without gradients.
        max_norm: bound on the gradient's norm. One step on an outlier under a tiny learned variance has a
            gradient thousands of times the usual one, and ruins Adam's averages without this bound. ``math.inf``: none.
        schedule: called after every step (``scheduler.step``).
        on_epoch: called after every epoch with its number, from 1: for drawing.
        description: beside the progress bar.

    Raises:
        ValueError: the loader is empty.
        FloatingPointError: a remembered scalar is NaN or infinite.
    """
    if len(loader) == 0:
        raise ValueError("the training loader is empty: expected at least one batch of data")
    parameters = list(model.parameters())
    device = parameters[0].device
    keep_freed_memory(device)
    history = History(steps_per_epoch=len(loader))
    bar = progress(range(1, num_epochs + 1), description)
    for epoch in bar:
        model.train()
        steps: list[Scalars] = []
        for batch in loader:
            batch = _to(device, batch)
            ### START CODE HERE ###
            optimizer.zero_grad()
            loss, scalars = objective(batch)
            loss.backward()
            if max_norm < math.inf:  # the norm alone costs a tenth of a small network's step
                nn.utils.clip_grad_norm_(parameters, max_norm)
            optimizer.step()
            ### END CODE HERE ###
            steps.append(_detached(scalars))
            if schedule is not None:
                schedule()
        values = _read(steps, f"epoch {epoch}", batch)
        extend(history.train, values)
        bar.set_postfix({name: f"{v.mean():.4g}" for name, v in values.items()})
        if val_loader is not None:
            means = evaluate(model, val_loader, objective)
            extend(history.val, {name: np.array([mean]) for name, mean in means.items()})
        if on_epoch is not None:
            on_epoch(epoch)
    return history


@torch.no_grad()
def evaluate(model: nn.Module, loader: Loader, objective: Objective) -> dict[str, float]:
    """Average each scalar of ``objective`` over the examples of ``loader``; batches weigh by their size.

    Raises:
        ValueError: the loader is empty.
        FloatingPointError: a mean is NaN or infinite.
    """
    device = next(model.parameters()).device
    training = model.training
    model.eval()
    steps, sizes = [], []
    for batch in loader:
        _, scalars = objective(_to(device, batch))
        steps.append(scalars)
        sizes.append(len(batch[0]))
    model.train(training)
    if not sizes:
        raise ValueError("the loader to evaluate on is empty: expected at least one batch of data")
    return {name: float(np.average(v, weights=sizes)) for name, v in _read(steps, "evaluation", batch).items()}


def progress(steps: Iterable, description: str) -> tqdm:
    """Show a progress bar, as a widget in notebooks; silent where ``TQDM_DISABLE`` is set (tqdm's own name for it)."""
    return tqdm(steps, desc=description, leave=False, disable=not settings.is_live())


def _to(device: torch.device, batch: Batch) -> Batch:
    return tuple(t.to(device, non_blocking=True) for t in batch)


def _detached(scalars: Scalars) -> Scalars:
    return {name: value.detach() for name, value in scalars.items()}


def _read(steps: list[Scalars], where: str, batch: Batch) -> dict[str, np.ndarray]:
    """Bring the scalars of many steps to the CPU, in one transfer a name, and refuse what is not finite."""
    values = {name: torch.stack([s[name] for s in steps]).cpu().double().numpy() for name in steps[0]}
    for name, v in values.items():
        if not np.isfinite(v).all():
            step = int(np.flatnonzero(~np.isfinite(v))[0]) + 1
            raise FloatingPointError(
                f"{name} was {v[step - 1]} at step {step} of {where}, expected a finite number: "
                + _cause(batch[0].detach().cpu(), early=step <= EARLY and where in ("epoch 1", "evaluation"))
            )
    return values


def _cause(x: Tensor, early: bool) -> str:
    """Say why a term of a loss is usually not finite, by what the data and the time tell."""
    if not x.isfinite().all():
        return "the data hold NaN or infinite values; remove or replace them"
    if x.min() >= 0 and x.max() > PIXELS:
        return f"the data go up to {x.max():g}, as pixels do that nobody has divided; divide images by 255"
    if early:
        return (
            "the network has hardly been trained, so its first log-variances were too large, and their exp overflows; "
            "start the last layers with small weights, bound the log-variances, or take another seed"
        )
    return "lower the learning rate, or bound the log-variances"
