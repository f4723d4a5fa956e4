"""Mini-batches of tensors in memory."""

import pytest
import torch

from helpers.core.batches import TensorBatches, WithNoise


@pytest.mark.parametrize("shuffle", [False, True])
def test_batches_hold_every_example_once_with_its_label(shuffle):
    x, y = torch.arange(23.0)[:, None], torch.arange(23)
    batches = TensorBatches(x, y, batch_size=5, shuffle=shuffle)
    seen = list(batches)
    assert len(seen) == len(batches) == 5 and len(seen[-1][0]) == 3
    order = torch.cat([b[1] for b in seen])
    assert torch.equal(torch.cat([b[0] for b in seen])[:, 0].long(), order)
    assert torch.equal(order.sort().values, y)
    assert torch.equal(order, y) != shuffle
    assert shuffle == (not torch.equal(torch.cat([b[1] for b in batches]), order))


def test_a_generator_fixes_the_order():
    def order():
        batches = TensorBatches(
            torch.arange(50), batch_size=7, shuffle=True, generator=torch.Generator().manual_seed(1)
        )
        return torch.cat([b[0] for b in batches])

    assert torch.equal(order(), order())


@pytest.mark.parametrize(
    ("tensors", "size", "message"),
    [
        ((), 4, "got none"),
        ((torch.zeros(0, 2),), 4, r"got \[0\]"),
        ((torch.zeros(3), torch.zeros(4)), 4, r"got \[3, 4\]"),
        ((torch.zeros(3),), 0, "batch_size must be at least 1, got 0"),
        ((torch.tensor([1.0, float("nan"), float("inf")]),), 1, "hold 2 values that are NaN or infinite"),
    ],
)
def test_batches_of_bad_data_are_refused(tensors, size, message):
    with pytest.raises(ValueError, match=message):
        TensorBatches(*tensors, batch_size=size)


def test_finite_data_whose_sum_is_not_are_accepted():
    (batch,) = TensorBatches(torch.full((4, 2), 3e38), batch_size=4)
    assert batch[0].isfinite().all() and not batch[0].sum().isfinite()


def test_noise_is_the_last_tensor_and_new_in_every_pass():
    batches = WithNoise(TensorBatches(torch.arange(20.0)[:, None], batch_size=8), 3)
    first, second = ([eps for _, eps in batches] for _ in range(2))
    assert len(batches) == 3 and [eps.shape for eps in first] == [(8, 3), (8, 3), (4, 3)]
    assert not torch.equal(first[0], second[0])
