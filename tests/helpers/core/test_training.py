"""The one training loop, and evaluation."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam

from helpers.core.batches import TensorBatches
from helpers.core.settings import budget
from helpers.core.training import evaluate, fit


def squared_error(model):
    def objective(batch):
        loss = (model(batch[0]) - batch[1]).square().mean()
        return loss, {"mse": loss, "first": batch[0].mean()}

    return objective


@pytest.fixture
def linear():
    x = torch.randn(250, 3)
    return nn.Linear(3, 1), x, x @ torch.tensor([[1.0], [-2.0], [0.5]]) + 3


def test_fit_finds_the_least_squares_solution(linear):
    model, x, y = linear
    history = fit(
        model, Adam(model.parameters(), 0.1), TensorBatches(x, y, batch_size=50, shuffle=True), squared_error(model),
        num_epochs=60, val_loader=TensorBatches(x, y, batch_size=64),
    )  # fmt: skip
    torch.testing.assert_close(model.weight.detach(), torch.tensor([[1.0, -2.0, 0.5]]), atol=1e-2, rtol=0)
    assert len(history.train["mse"]) == 300 and len(history.val["mse"]) == 60
    assert history.steps_per_epoch == 5 and history.val["mse"][-1] < 1e-3 < history.val["mse"][0]


def test_evaluation_weighs_batches_by_their_size(linear):
    model, x, y = linear
    whole = evaluate(model, TensorBatches(x, y, batch_size=250), squared_error(model))
    in_parts = evaluate(model, TensorBatches(x, y, batch_size=99), squared_error(model))
    assert in_parts == pytest.approx(whole)
    means = [squared_error(model)(b)[0].item() for b in TensorBatches(x, y, batch_size=99)]
    assert np.mean(means) != pytest.approx(whole["mse"])  # what an unweighted mean would have said


def test_evaluation_leaves_mode_and_gradients_alone(linear):
    model, x, y = linear
    model.train()
    evaluate(model, TensorBatches(x, y, batch_size=99), squared_error(model))
    assert model.training and model.weight.grad is None


def test_one_outlier_cannot_throw_the_weights_away(linear):
    model, _x, _y = linear
    outlier = (torch.full((1, 3), 1e4), torch.zeros(1, 1))

    def moved(max_norm):
        nn.init.zeros_(model.weight)
        fit(model, SGD(model.parameters(), 0.1), [outlier], squared_error(model), num_epochs=1, max_norm=max_norm)
        return model.weight.norm().item()

    with torch.no_grad():
        model.bias.fill_(1.0)
    assert moved(3.0) < 0.301
    with torch.no_grad():
        model.bias.fill_(1.0)
    assert moved(float("inf")) > 1000  # the same step without the bound


def test_callbacks_and_schedules_are_called(linear):
    model, x, y = linear
    epochs, steps = [], []
    fit(
        model, SGD(model.parameters(), 0.0), TensorBatches(x, y, batch_size=100), squared_error(model),
        num_epochs=2, on_epoch=epochs.append, schedule=lambda: steps.append(1),
    )  # fmt: skip
    assert epochs == [1, 2] and len(steps) == 6


def test_empty_loaders_are_refused(linear):
    model, *_ = linear
    with pytest.raises(ValueError, match="training loader is empty"):
        fit(model, SGD(model.parameters(), 0.1), [], squared_error(model), num_epochs=1)
    with pytest.raises(ValueError, match="loader to evaluate on is empty"):
        evaluate(model, [], squared_error(model))


def test_nan_is_reported_with_its_step(linear):
    model, x, y = linear
    batches = [(x[:5], y[:5]), (x[5:10], y[5:10] * float("nan"))]
    with pytest.raises(FloatingPointError, match="mse was nan at step 2 of epoch 1, expected a finite number"):
        fit(model, SGD(model.parameters(), 0.1), batches, squared_error(model), num_epochs=1)


def test_quick_mode_shrinks_budgets(monkeypatch):
    assert budget(40, 2) == 40
    monkeypatch.setenv("QUICK", "1")
    assert budget(40, 2) == 2


@pytest.mark.parametrize(
    ("data", "value", "says"),
    [
        (torch.full((4, 3), torch.nan), torch.nan, "the data hold NaN"),
        (torch.full((4, 3), 255.0), torch.nan, "go up to 255, as pixels do that nobody has divided"),
        (torch.randn(4, 3), -torch.inf, "hardly been trained, so its first log-variances were too large"),
    ],
)
def test_what_is_not_finite_is_told_its_usual_cause(data, value, says):
    model = nn.Linear(3, 1)

    def objective(batch):
        loss = model(batch[0]).nan_to_num().sum()
        return loss, {"elbo": loss.detach() * 0 + value}

    with pytest.raises(FloatingPointError, match=says):
        fit(model, SGD(model.parameters(), 0.0), [(data,)], objective, num_epochs=1)
    with pytest.raises(FloatingPointError, match=says):
        evaluate(model, [(data,)], objective)


def test_late_in_training_the_learning_rate_is_the_cause():
    model, steps = nn.Linear(3, 1), iter(range(100))

    def objective(batch):
        loss = model(batch[0]).sum()
        return loss, {"elbo": loss.detach() * 0 + (torch.inf if next(steps) == 15 else 0.0)}

    with pytest.raises(FloatingPointError, match=r"step 16 of epoch 1.*lower the learning rate"):
        fit(model, SGD(model.parameters(), 0.0), [(torch.randn(4, 3),)] * 20, objective, num_epochs=1)
