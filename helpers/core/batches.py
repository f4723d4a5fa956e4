"""Mini-batches of tensors that are in memory already, and what an objective makes of one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

Batch = tuple[Tensor, ...]
Scalars = dict[str, Tensor]
Objective = Callable[[Batch], tuple[Tensor, Scalars]]  # batch -> (loss to minimise, scalars to remember)


class Loader(Protocol):
    """Yield batches (tuples of tensors, the data first) and know their number: as a ``DataLoader`` or a list does."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Batch]: ...


class TensorBatches:
    """Cut mini-batches out of tensors, on the device where they lie.

    It stands in for ``DataLoader(TensorDataset(...))``, and takes one slice a batch instead of collating single
    examples. Iterating gives tuples of tensors; the last batch may be smaller.

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
            _require_finite(t)
        self.tensors = tensors
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.generator = generator

    def __len__(self) -> int:
        return -(-len(self.tensors[0]) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        if not self.shuffle:
            yield from zip(*(t.split(self.batch_size) for t in self.tensors), strict=True)
            return
        order = torch.randperm(len(self.tensors[0]), generator=self.generator, device="cpu").to(self.tensors[0].device)
        for rows in order.split(self.batch_size):
            yield tuple(t.index_select(0, rows) for t in self.tensors)


def _require_finite(t: Tensor) -> None:
    # a finite sum shows that all numbers are finite, and takes one pass and no copies of the data
    if t.is_floating_point() and not t.sum().isfinite() and not t.isfinite().all():
        raise ValueError(
            f"the data hold {int((~t.isfinite()).sum())} values that are NaN or infinite: "
            "remove or replace them before training"
        )


@dataclass(frozen=True)
class WithNoise:
    """Add eps ~ N(0, I), shape (B, size), to each batch as its last tensor, for objectives that must draw nothing."""

    loader: Loader
    size: int

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Batch]:
        for batch in self.loader:
            yield *batch, torch.randn(len(batch[0]), self.size, device=batch[0].device)
