"""What makes training steps faster: products in bfloat16, halves of a batch side by side, and memory that is reused.

The first two wrap an objective, and are asked for by those whose networks are large enough to gain.
"""

import ctypes
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from helpers.core import settings
from helpers.core.batches import Batch, Objective, Scalars

Precision = Literal["auto", "float32", "bfloat16"]


# ---------------------------------------------------------------- precision


def in_precision(precision: Precision, objective: Objective, device: torch.device) -> Objective:
    """Make the training steps of an objective multiply matrices in :func:`training_dtype`.

    Evaluation, which needs no gradients, stays in float32.
    """
    dtype = training_dtype(device, precision)
    if dtype == torch.float32:
        return objective

    def reduced(batch: Batch) -> tuple[Tensor, Scalars]:
        with torch.autocast(device.type, dtype, enabled=torch.is_grad_enabled()):
            return objective(batch)

    return reduced


def training_dtype(device: torch.device, precision: Precision = "auto") -> torch.dtype:
    """Choose the type that a training step multiplies matrices in: bfloat16 where the processor has such products.

    The environment's ``PRECISION`` stands in for "auto".

    Args:
        precision: "auto", "float32" or "bfloat16".

    Raises:
        ValueError: another word.
    """
    word = settings.precision() if precision == "auto" else precision
    if word not in get_args(Precision):
        raise ValueError(f"precision must be one of {', '.join(get_args(Precision))}, got {word!r}")
    if word == "auto":
        word = "bfloat16" if _multiplies_bfloat16(device) else "float32"
    return getattr(torch, word)


def _multiplies_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability() >= (8, 0)  # before Ampere it is emulated
    return device.type == "cpu" and _cpu_has_bfloat16()


def _cpu_has_bfloat16() -> bool:
    probes = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(probe() for probe in probes if probe is not None)


# ---------------------------------------------------------------- halves of a batch


class HalvesSideBySide:
    """Compute an objective on the two halves of a batch at the same time, each on half of the processor's cores.

        with HalvesSideBySide(objective, model) as in_halves:
            fit(model, optimizer, loader, in_halves, num_epochs=15)

    PyTorch splits every operation over all cores. For the gradients of small convolutions that can be slower than
    one core alone, where the cores do not share a cache; here they meet once a step. On one core, on another device,
    without gradients or for a single example the objective is computed in the plain way.

    Args:
        objective: its loss must be a mean over independent examples (no batch normalisation), and it must draw no
            noise of its own: see :class:`~helpers.core.batches.WithNoise`.
        model: whose parameters receive the gradients.
    """

    def __init__(self, objective: Objective, model: nn.Module) -> None:
        self.objective = objective
        self.parameters = list(model.parameters())
        self.threads = torch.get_num_threads()
        self.pool: ThreadPoolExecutor | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Return what decides the result: halves change no more than the rounding, so a kept training needs no more."""
        return {"objective": self.objective}

    def __enter__(self) -> "HalvesSideBySide":
        if self.threads > 1 and self.parameters[0].device.type == "cpu":
            self.pool = ThreadPoolExecutor(1)
            torch.set_num_threads(self.threads // 2)
        return self

    def __exit__(self, *_: object) -> None:
        if self.pool is not None:
            self.pool.shutdown()
            self.pool = None
            torch.set_num_threads(self.threads)

    def __call__(self, batch: Batch) -> tuple[Tensor, Scalars]:
        size = len(batch[0])
        if self.pool is None or size < 2 or not torch.is_grad_enabled():
            return self.objective(batch)
        first, second = zip(*(t.tensor_split(2) for t in batch), strict=True)
        other_half = self.pool.submit(self._half, second, len(second[0]) / size)
        loss, gradients, scalars = self._half(first, len(first[0]) / size)
        other_loss, other_gradients, other_scalars = other_half.result()
        sums = [one + other for one, other in zip(gradients, other_gradients, strict=True)]
        whole = _WithGradients.apply(loss + other_loss, sums, *self.parameters)
        return whole, {name: value + other_scalars[name] for name, value in scalars.items()}

    def _half(self, batch: Batch, share: float) -> tuple[Tensor, tuple[Tensor, ...], Scalars]:
        """Compute a half's loss, gradients and scalars, weighted by its share of the batch."""
        loss, scalars = self.objective(batch)
        loss = share * loss
        gradients = torch.autograd.grad(loss, self.parameters)
        return loss.detach(), gradients, {name: share * value.detach() for name, value in scalars.items()}


class _WithGradients(torch.autograd.Function):
    """Give a loss the gradients that are known already, so that the backward pass hands them to the parameters."""

    @staticmethod
    def forward(ctx: Any, loss: Tensor, gradients: list[Tensor], *parameters: Tensor) -> Tensor:
        ctx.gradients = gradients
        return loss.clone()

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Any:
        return None, None, *(g.mul_(grad_outputs[0]) for g in ctx.gradients)


# ---------------------------------------------------------------- memory


def keep_freed_memory(device: torch.device) -> None:
    """Ask the GNU C library to keep up to 1 GB of what tensors free, for this process from now on.

    It matters on the CPU: else the library gives the memory back to the system after every step of a network of some
    megabytes, and the next step takes it again, page by page. Other C libraries are left alone.
    """
    if device.type != "cpu":
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, TypeError, AttributeError):
        return
    for parameter in (-1, -3):  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h
        mallopt(parameter, 2**30)
