"""Muon against the singular value decomposition, and against PyTorch's own where it has one."""

import copy

import pytest
import torch
from torch import nn

from helpers.core.muon import Muon, as_matrix, orthogonal


@pytest.mark.parametrize("shape", [(16, 16), (8, 40), (40, 8), (2, 300)])
def test_singular_values_come_near_one_and_vectors_stay(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    u, s, v = torch.linalg.svd(matrix, full_matrices=False)
    inner = u.T @ orthogonal(matrix) @ v.T  # diagonal, where the singular vectors are the same
    large = s > 0.05 * s.norm()  # the iteration needs more than five steps for what is nearly zero
    assert torch.allclose(inner, inner.diagonal().diag(), atol=1e-3)
    assert inner.diagonal()[large].min() > 0.65 and inner.diagonal().max() < 1.25


def test_the_step_is_that_of_pytorch_where_there_is_one():
    theirs = getattr(torch.optim, "Muon", None)
    if theirs is None:
        pytest.skip("this version of torch has no Muon")
    torch.manual_seed(0)
    ours = nn.Sequential(nn.Linear(6, 10), nn.Tanh(), nn.Linear(10, 3))
    other = copy.deepcopy(ours)
    x = torch.randn(50, 6)
    mine = Muon(ours.parameters(), lr=0.02, adam_lr=0.01)
    matrices = [p for p in other.parameters() if p.ndim == 2]
    pair = [
        theirs(matrices, lr=0.02, weight_decay=0.0, momentum=0.95, nesterov=True, adjust_lr_fn="original"),
        torch.optim.Adam([p for p in other.parameters() if p.ndim == 1], lr=0.01),
    ]
    for _ in range(3):
        for model, optimizers in ((ours, [mine]), (other, pair)):
            model.zero_grad()
            model(x).square().sum().backward()
            for optimizer in optimizers:
                optimizer.step()
    for a, b in zip(ours.parameters(), other.parameters(), strict=True):
        assert torch.allclose(a, b, atol=2e-3), "theirs multiplies in bfloat16, so by rounding only"


def test_a_convolution_is_stepped_as_a_matrix_and_a_vector_by_adam():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4))
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    optimizer = Muon(model.parameters(), lr=0.1, adam_lr=0.01)
    model(torch.randn(3, 2, 8, 8)).square().mul(torch.arange(4.0)[:, None, None]).sum().backward()
    optimizer.step()
    moved = {name: value.detach() - before[name] for name, value in model.named_parameters()}
    values = torch.linalg.svdvals(as_matrix(moved["0.weight"])) / 0.1
    assert values.max() < 1.25 and values[0] > 0.65
    assert torch.allclose(moved["1.bias"].abs().max(), torch.tensor(0.01), rtol=0.01)


def test_one_schedule_moves_both_learning_rates():
    model = nn.Linear(4, 3)
    optimizer = Muon(model.parameters(), lr=0.02, adam_lr=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / 10)
    model(torch.ones(1, 4)).sum().backward()
    before = model.bias.detach().clone()
    for _ in range(5):
        optimizer.step()
        schedule.step()
    optimizer.step()
    assert [group["lr"] for group in optimizer.param_groups] == [0.01, 0.005]
    assert optimizer.adam.param_groups[0]["lr"] == 0.005
    assert (model.bias - before).abs().max() < 0.06, "five steps of at most 0.01, and one of half"


def test_a_model_without_matrices_is_refused():
    with pytest.raises(ValueError, match="use Adam"):
        Muon([nn.Parameter(torch.zeros(3))])
