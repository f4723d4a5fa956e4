"""The one training loop, what it remembers, and evaluation.

Nothing here waits for the device inside an epoch: per-step numbers stay tensors and are read once, at its end.
"""

import contextlib
import ctypes
import math
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from helpers.core import settings

Batch = tuple[Tensor, ...]
Scalars = dict[str, Tensor]
Precision = Literal["auto", "float32", "bfloat16"]
Objective = Callable[[Batch], tuple[Tensor, Scalars]]  # batch -> (loss to minimise, scalars to remember)


def best_device() -> torch.device:
    """CUDA where there is one, then Apple's MPS, then the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def training_dtype(device: torch.device, precision: Precision = "auto") -> torch.dtype:
    """What matrix products of a training step are computed in: bfloat16 where the processor multiplies it itself.

    Evaluation is always in float32, whatever this says. The environment's ``PRECISION`` stands in for "auto".

    Args:
        precision: "auto", "float32" or "bfloat16".

    Raises:
        ValueError: another word.
    """
    asked = settings.precision() if precision == "auto" else precision
    if asked not in get_args(Precision):
        raise ValueError(f"precision must be one of {', '.join(get_args(Precision))}, got {asked!r}")
    if asked == "auto":
        has_it = {"cuda": _cuda_has_bfloat16, "cpu": _cpu_has_bfloat16}.get(device.type, lambda: False)()
        asked = "bfloat16" if has_it else "float32"
    return getattr(torch, asked)


def _cuda_has_bfloat16() -> bool:
    return torch.cuda.get_device_capability() >= (8, 0)  # before Ampere it is emulated


def _cpu_has_bfloat16() -> bool:
    probes = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(probe() for probe in probes if probe is not None)


class TensorBatches:
    """Mini-batches sliced from tensors that are already in memory, on the device where they lie.

    A stand-in for ``DataLoader(TensorDataset(...))`` that takes one slice a batch instead of collating
    single examples. Iterating gives tuples of tensors; the last batch may be smaller.

    Args:
        tensors: the same number of examples along the first axis of each.
        batch_size: examples in a batch.
        shuffle: a new order every epoch.
        generator: source of that order where it must not depend on what ran before.

    Raises:
        ValueError: nothing to iterate over, unequal lengths, a batch size below 1, or a number that is not finite.
    """

    def __init__(
        self,
        *tensors: Tensor,
        batch_size: int,
        shuffle: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        lengths = {len(t) for t in tensors}
        if len(lengths) != 1 or 0 in lengths:
            raise ValueError(
                f"TensorBatches expected tensors of one length, at least 1, got {sorted(lengths) or 'none'}: "
                "pass data and labels of the same examples"
            )
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        for t in tensors:
            # a finite sum shows that all are, and takes one pass and no copies of the data
            if t.is_floating_point() and not t.sum().isfinite() and not t.isfinite().all():
                raise ValueError(
                    f"the data hold {int((~t.isfinite()).sum())} values that are NaN or infinite: "
                    "remove or replace them before training"
                )
        self.tensors = tensors
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.generator = generator

    def __len__(self) -> int:
        return -(-len(self.tensors[0]) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        n = len(self.tensors[0])
        if not self.shuffle:
            yield from zip(*(t.split(self.batch_size) for t in self.tensors), strict=True)
            return
        order = torch.randperm(n, generator=self.generator).to(self.tensors[0].device)
        for chunk in order.split(self.batch_size):
            yield tuple(t.index_select(0, chunk) for t in self.tensors)


@dataclass(frozen=True)
class WithNoise:
    """Batches with eps ~ N(0, I), shape (B, size), as their last tensor: for objectives that must draw nothing."""

    loader: Iterable[Batch]
    size: int

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Batch]:
        for batch in self.loader:
            yield *batch, torch.randn(len(batch[0]), self.size, device=batch[0].device)


@dataclass
class History:
    """What training remembers, by name of the scalar: one number a step, and one an epoch of validation."""

    steps_per_epoch: int
    train: dict[str, np.ndarray] = field(default_factory=dict)
    val: dict[str, np.ndarray] = field(default_factory=dict)

    def append(self, part: str, values: dict[str, np.ndarray]) -> None:
        kept = getattr(self, part)
        for name, new in values.items():
            kept[name] = np.concatenate([kept.get(name, np.empty(0)), new])


def progress(steps: Iterable, description: str) -> tqdm:
    """A progress bar, as a widget in notebooks; silent where ``TQDM_DISABLE`` is set (tqdm's own name for it)."""
    return tqdm(steps, desc=description, leave=False, disable=not settings.is_live())


def fit(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    loader: Iterable[Batch],
    objective: Objective,
    *,
    num_epochs: int,
    val_loader: Iterable[Batch] | None = None,
    max_norm: float = 1.0,
    schedule: Callable[[], None] | None = None,
    on_epoch: Callable[[int], None] | None = None,
    precision: Precision = "float32",
    side_by_side: bool = False,
    description: str = "training",
) -> History:
    """Minimise ``objective`` over the batches of ``loader``.

    Args:
        model: its parameters are clipped; batches are moved to its device.
        optimizer: steps once a batch.
        loader: yields tuples of tensors, the data first. Needs a length.
        objective: gives a batch's loss and the scalars to remember.
        num_epochs: passes over ``loader``; a scheduler's total is ``num_epochs * len(loader)``.
        val_loader: evaluated after each epoch, without gradients.
        max_norm: bound on the gradient's norm. One step on an outlier under a tiny learned variance has a
            gradient thousands of times the usual one, and ruins Adam's averages without this bound. ``math.inf``: none.
        schedule: called after every step (``scheduler.step``).
        on_epoch: called after every epoch with its number, from 1: for drawing.
        precision: of matrix products in a training step, see :func:`training_dtype`.
        side_by_side: compute the halves of a batch at the same time on a processor of several cores. The loss must be
            a mean over independent examples (no batch normalisation) that draws no noise of its own: see
            :class:`WithNoise`.
        description: beside the progress bar.

    Raises:
        ValueError: the loader is empty, or the precision unknown.
        FloatingPointError: a remembered scalar is NaN or infinite.
    """
    if len(loader) == 0:
        raise ValueError("the training loader is empty: expected at least one batch of data")
    device = next(model.parameters()).device
    dtype = training_dtype(device, precision)
    parameters = list(model.parameters())
    history = History(steps_per_epoch=len(loader))
    if device.type == "cpu":
        _keep_freed_memory()
    in_halves = side_by_side and device.type == "cpu" and torch.get_num_threads() > 1
    bar = progress(range(1, num_epochs + 1), description)
    for epoch in bar:
        model.train()
        remembered: list[Scalars] = []
        with (backward_in_halves if in_halves else backward_whole)(objective, parameters, device, dtype) as backward:
            for batch in loader:
                optimizer.zero_grad(set_to_none=True)
                remembered.append(backward(tuple(t.to(device, non_blocking=True) for t in batch)))
                if max_norm < math.inf:  # the norm alone costs a tenth of a small network's step
                    nn.utils.clip_grad_norm_(parameters, max_norm)
                optimizer.step()
                if schedule is not None:
                    schedule()
        values = _read(remembered, f"epoch {epoch}")
        history.append("train", values)
        bar.set_postfix({name: f"{v.mean():.4g}" for name, v in values.items()})
        if val_loader is not None:
            values = evaluate(model, val_loader, objective)
            history.append("val", {name: np.array([value]) for name, value in values.items()})
        if on_epoch is not None:
            on_epoch(epoch)
    return history


Backward = Callable[[Batch], Scalars]  # leaves a batch's gradients in the parameters


@contextlib.contextmanager
def backward_whole(
    objective: Objective, parameters: list[nn.Parameter], device: torch.device, dtype: torch.dtype
) -> Iterator[Backward]:
    """The plain way."""

    def backward(batch: Batch) -> Scalars:
        with products_in(device, dtype):
            loss, scalars = objective(batch)
        loss.backward()
        return {name: value.detach() for name, value in scalars.items()}

    yield backward


@contextlib.contextmanager
def backward_in_halves(
    objective: Objective, parameters: list[nn.Parameter], device: torch.device, dtype: torch.dtype
) -> Iterator[Backward]:
    """Two threads, each with half of the batch and half of the processor's cores.

    PyTorch splits every operation over all cores. For the gradients of small convolutions that can be slower than
    one core alone, where the cores do not share a cache; here they meet once a step.
    """

    def half(batch: Batch, share: float) -> tuple[tuple[Tensor, ...], Scalars]:
        with products_in(device, dtype):
            loss, scalars = objective(batch)
        gradients = torch.autograd.grad(share * loss, parameters)
        return gradients, {name: share * value.detach() for name, value in scalars.items()}

    def backward(batch: Batch) -> Scalars:
        first, second = zip(*(t.tensor_split(2) for t in batch), strict=True)
        shares = [len(part[0]) / len(batch[0]) for part in (first, second)]
        if 0 in shares:
            return plain(batch)
        other = pool.submit(half, second, shares[1])
        gradients, scalars = half(first, shares[0])
        others_gradients, others_scalars = other.result()
        for parameter, one, two in zip(parameters, gradients, others_gradients, strict=True):
            parameter.grad = one + two
        return {name: value + others_scalars[name] for name, value in scalars.items()}

    threads = torch.get_num_threads()
    torch.set_num_threads(threads // 2)
    try:
        with ThreadPoolExecutor(1) as pool, backward_whole(objective, parameters, device, dtype) as plain:
            yield backward
    finally:
        torch.set_num_threads(threads)


def _keep_freed_memory() -> None:
    """Ask the GNU C library to keep up to 1 GB of what tensors free, for this process from now on.

    Else it gives the memory back to the system after every step of a network of some megabytes, and the next step
    takes it again, page by page. Other C libraries are left alone.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, TypeError, AttributeError):
        return
    for parameter in (-1, -3):  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h
        mallopt(parameter, 2**30)


def products_in(device: torch.device, dtype: torch.dtype) -> contextlib.AbstractContextManager:
    """Matrix products of ``dtype`` inside."""
    return torch.autocast(device.type, dtype) if dtype != torch.float32 else contextlib.nullcontext()


@torch.no_grad()
def evaluate(model: nn.Module, loader: Iterable[Batch], objective: Objective) -> dict[str, float]:
    """Mean of each scalar of ``objective`` over the examples of ``loader``; batches weigh by their size.

    Raises:
        ValueError: the loader is empty.
        FloatingPointError: a mean is NaN or infinite.
    """
    device = next(model.parameters()).device
    training = model.training
    model.eval()
    remembered, sizes = [], []
    for batch in loader:
        _, scalars = objective(tuple(t.to(device, non_blocking=True) for t in batch))
        remembered.append(scalars)
        sizes.append(len(batch[0]))
    model.train(training)
    if not sizes:
        raise ValueError("the loader to evaluate on is empty: expected at least one batch of data")
    values = _read(remembered, "evaluation")
    return {name: float(np.average(v, weights=sizes)) for name, v in values.items()}


def _read(remembered: list[Scalars], where: str) -> dict[str, np.ndarray]:
    """Bring an epoch's scalars to the CPU, in one transfer a name, and refuse what is not finite."""
    values = {name: torch.stack([s[name] for s in remembered]).cpu().double().numpy() for name in remembered[0]}
    for name, v in values.items():
        if not np.isfinite(v).all():
            step = int(np.flatnonzero(~np.isfinite(v))[0]) + 1
            raise FloatingPointError(
                f"{name} was {v[step - 1]} at step {step} of {where}, expected a finite number: "
                "look for NaN in the data, or lower the learning rate"
            )
    return values
