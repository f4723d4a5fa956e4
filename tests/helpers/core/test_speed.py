"""Precision and halves of a batch: what makes steps faster leaves the results as they are."""

import ctypes
import threading

import numpy as np
import pytest
import torch
from torch import nn, optim

from helpers import fashion_latent_space
from helpers.core import speed
from helpers.core.batches import TensorBatches, WithNoise
from helpers.core.speed import HalvesSideBySide
from helpers.core.training import evaluate, fit


def adam(model):
    return optim.Adam(model.parameters(), lr=1e-3, fused=True)


def test_precision_is_one_visible_choice(monkeypatch):
    cpu = torch.device("cpu")
    monkeypatch.delenv("PRECISION", raising=False)
    for has_it, dtype in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(speed, "_cpu_has_bfloat16", lambda has_it=has_it: has_it)
        assert speed.training_dtype(cpu) == dtype
        assert speed.training_dtype(cpu, "float32") == torch.float32
    monkeypatch.setenv("PRECISION", "bfloat16")
    assert speed.training_dtype(cpu) == torch.bfloat16
    assert speed.training_dtype(cpu, "float32") == torch.float32, "what the code asks for wins"
    monkeypatch.setenv("PRECISION", "half")
    with pytest.raises(ValueError, match="one of auto, float32, bfloat16, got 'half'"):
        speed.training_dtype(cpu)


def test_reduced_precision_is_for_training_steps_only():
    model = nn.Linear(3, 3)
    seen = []

    def objective(batch):
        y = model(batch[0])
        seen.append((torch.is_grad_enabled(), y.dtype))
        loss = (y.float() - batch[0]).square().mean()
        return loss, {"loss": loss}

    x = torch.randn(8, 3)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    before = [p.detach().clone() for p in model.parameters()]
    reduced = speed.in_precision("bfloat16", objective, torch.device("cpu"))
    batches = TensorBatches(x, batch_size=8)
    fit(model, optimizer, batches, reduced, num_epochs=1, val_loader=batches)
    assert seen == [(True, torch.bfloat16), (False, torch.float32)]
    assert all(
        p.dtype == torch.float32 and not torch.equal(p, b) for p, b in zip(model.parameters(), before, strict=True)
    )


@pytest.mark.parametrize("threads", [1, 3])
def test_halves_side_by_side_have_the_losses_and_gradients_of_the_whole(threads):
    """Two threads with an odd batch between them, against one thread with all of it; noise included."""
    x = torch.rand(21, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    recorded = {}
    before = torch.get_num_threads()
    for side_by_side in (False, True):
        torch.manual_seed(1)
        model = fashion_latent_space.VAE(4)

        def objective(batch, model=model):
            nll, kl = fashion_latent_space.vae_terms(model, batch[0], eps=batch[1])
            return (nll + kl).mean(), {"nll": nll.mean(), "kl": kl.mean()}

        torch.set_num_threads(threads)
        batches = WithNoise(TensorBatches(x, batch_size=10, shuffle=True), 4)
        with HalvesSideBySide(objective, model) as in_halves:
            history = fit(model, adam(model), batches, in_halves if side_by_side else objective, num_epochs=2)
        assert torch.get_num_threads() == threads, "as many as before"
        torch.set_num_threads(before)
        recorded[side_by_side] = [*history.train.values(), *(p.detach().numpy() for p in model.parameters())]
    assert len(recorded[True][0]) == 6, "the last batch holds a single image"
    for one, other in zip(recorded[True], recorded[False], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=2e-5)


def test_halves_run_at_the_same_time_with_half_of_the_threads():
    seen = []
    both = threading.Barrier(2, timeout=20)
    model, before = nn.Linear(2, 1), torch.get_num_threads()

    def objective(batch):
        both.wait()  # passes only where the other half is being computed meanwhile
        seen.append((threading.get_ident(), torch.get_num_threads(), len(batch[0])))
        loss = model(batch[0]).square().mean()
        return loss, {"loss": loss}

    torch.set_num_threads(4)
    try:
        with HalvesSideBySide(objective, model) as in_halves:
            fit(model, adam(model), TensorBatches(torch.randn(9, 2), batch_size=9), in_halves, num_epochs=1)
    finally:
        torch.set_num_threads(before)
    assert len({thread for thread, _, _ in seen}) == 2
    assert sorted(size for _, _, size in seen) == [4, 5] and {threads for _, threads, _ in seen} == {2}


def test_halves_are_for_training_steps_only():
    sizes = []
    model, before = nn.Linear(2, 1), torch.get_num_threads()

    def objective(batch):
        sizes.append(len(batch[0]))
        loss = model(batch[0]).square().mean()
        return loss, {"loss": loss}

    torch.set_num_threads(2)
    try:
        with HalvesSideBySide(objective, model) as in_halves:
            evaluate(model, TensorBatches(torch.randn(9, 2), batch_size=9), in_halves)
    finally:
        torch.set_num_threads(before)
    assert sizes == [9]


def test_halves_obey_a_loss_that_is_scaled_afterwards():
    x, model, before = torch.randn(8, 2), nn.Linear(2, 1), torch.get_num_threads()

    def objective(batch):
        loss = model(batch[0]).square().mean()
        return loss, {"loss": loss}

    def gradient(compute):
        return torch.autograd.grad(3 * compute((x,))[0], model.weight)[0]

    torch.set_num_threads(2)
    try:
        with HalvesSideBySide(objective, model) as in_halves:
            torch.testing.assert_close(gradient(in_halves), gradient(objective))
    finally:
        torch.set_num_threads(before)


def test_training_asks_the_c_library_to_keep_freed_memory(monkeypatch):
    calls = []

    class Library:
        def mallopt(self, parameter, value):
            calls.append((parameter, value))

    monkeypatch.setattr(ctypes, "CDLL", lambda name: Library())
    model = nn.Linear(2, 1)
    fit(
        model, adam(model), [(torch.zeros(3, 2),)], lambda batch: (model(batch[0]).mean(), {}), num_epochs=1
    )  # fmt: skip
    assert calls == [(-1, 2**30), (-3, 2**30)]


def test_other_c_libraries_are_left_alone(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    speed.keep_freed_memory(torch.device("cpu"))
