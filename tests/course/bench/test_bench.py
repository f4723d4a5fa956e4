"""The benchmark: both ways train the same thing, and no training step waits for the device. No time is judged."""

import json
import math
from collections import Counter

import pytest
import torch
from torch import nn, optim
from torch.utils._python_dispatch import TorchDispatchMode
from typer.testing import CliRunner

from course import __main__ as cli
from course.bench import command, growth, measure, rows
from course.bench.assigned import TorchvisionImages, as_assigned
from helpers import fashion_latent_space, mnist_beta_vae, mnist_conv_vae, swiss_roll, toy_vae
from helpers.core.batches import TensorBatches
from helpers.core.data import ImageSet
from helpers.core.training import fit


@pytest.fixture(scope="module")
def images():
    x, y = torch.rand(256, 1, 28, 28), torch.arange(256) % 10
    return ImageSet("digits", False, (x * 255).round() / 255, y, x[:100], y[:100])


class Reads(TorchDispatchMode):
    """Counts what makes the host wait for the device: reading a number, or a shape that depends on numbers."""

    WAITING = ("aten._local_scalar_dense", "aten.nonzero", "aten.equal", "aten.is_nonzero", "aten.masked_select")

    def __init__(self):
        super().__init__()
        self.seen = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = str(func)
        self.seen[name] += name.startswith(self.WAITING)
        return func(*args, **(kwargs or {}))


def reads(train, steps):
    """How often an epoch of so many steps reads numbers from the device."""
    with Reads() as counted:
        train(steps)
    return counted.seen.total()


def images_of(steps, size):
    return torch.rand(steps * size, 1, 28, 28), torch.zeros(steps * size, dtype=torch.long)


def train_toy(steps):
    model = toy_vae.VAE(2, 2, [4], [])
    toy_vae.fit_vae(model, adam(model), TensorBatches(torch.randn(8 * steps, 2), batch_size=8, shuffle=True), None, 1)


def train_digits(steps):
    model = rows.mean_head()
    loader = mnist_beta_vae.train_loader(*images_of(steps, 8), batch_size=8)
    toy_vae.fit_vae(model, adam(model), loader, None, 1, precision="bfloat16")


def train_ae(steps):
    model = mnist_beta_vae.Autoencoder(2)
    mnist_beta_vae.train_ae(model, mnist_beta_vae.train_loader(*images_of(steps, 8), batch_size=8), adam(model), 1)


def train_conv(steps):
    model = mnist_conv_vae.VAE()
    loader = TensorBatches(images_of(steps, 8)[0], batch_size=8, shuffle=True)
    mnist_conv_vae.train(model, adam(model), loader, None, 1)


def train_fashion(steps):
    fashion_latent_space.train_vae(images_of(steps, 8)[0], fashion_latent_space.Recipe(num_epochs=1, batch_size=8))


def adam(model):
    return optim.Adam(model.parameters(), lr=1e-3, fused=True)


@pytest.mark.parametrize("train", [train_toy, train_digits, train_ae, train_conv, train_fashion])
def test_no_training_step_waits_for_the_device(train):
    assert reads(train, 6) == reads(train, 2), "what is read does not grow with the steps"


def test_a_swiss_roll_pass_reads_once():
    few = reads(lambda n: swiss_roll.train_vae(n_steps=n), swiss_roll.STEPS_PER_READ)
    assert reads(lambda n: swiss_roll.train_vae(n_steps=n), 2 * swiss_roll.STEPS_PER_READ) - few <= 1


def test_a_step_that_waits_is_noticed():
    def train(steps):
        model = nn.Linear(2, 1)

        def objective(batch):
            loss = model(batch[0]).square().mean()
            loss.item()
            return loss, {"loss": loss}

        fit(model, adam(model), TensorBatches(torch.randn(4 * steps, 2), batch_size=4), objective, num_epochs=1)

    assert reads(train, 6) == reads(train, 2) + 4


def test_the_fast_path_and_the_plain_one_have_the_same_losses_in_float32():
    """Batches from memory, fused Adam and deferred reading against DataLoader, plain Adam and ``.item()``."""
    x = torch.randn(96, 2, generator=torch.Generator().manual_seed(0))
    recorded: dict[str, list[float]] = {"plain": [], "ours": []}

    def recording(model, way):
        inner = toy_vae.vae_objective(model)

        def objective(batch):
            loss, scalars = inner(batch)
            recorded[way].append(loss.detach())
            return loss, scalars

        return objective

    def new():
        torch.manual_seed(1)
        return toy_vae.VAE(2, 2, [16], [])

    plain = new()
    own = torch.Generator()  # else the loader draws from the state that the model's noise comes from
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x), batch_size=32, generator=own)
    as_assigned(plain, loader, recording(plain, "plain"), epochs=4, lr=1e-2)
    ours = new()
    fit(ours, optim.Adam(ours.parameters(), 1e-2, fused=True), TensorBatches(x, batch_size=32),
        recording(ours, "ours"), num_epochs=4, max_norm=math.inf)  # fmt: skip
    assert len(recorded["ours"]) == 12
    torch.testing.assert_close(torch.stack(recorded["ours"]), torch.stack(recorded["plain"]), rtol=1e-5, atol=1e-5)
    for a, b in zip(ours.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_the_assigned_network_differs_by_a_half_that_its_loss_does_not_use():
    assigned, ours = rows.AssignedVAE(), rows.mean_head()
    x = torch.rand(4, 1, 28, 28)
    toy_vae.vae_objective(assigned)((x,))[0].backward()
    gradient = assigned.decoder.layers[-1].weight.grad
    assert gradient[:784].abs().sum() > 0 == gradient[784:].abs().sum()
    assert sum(p.numel() for p in assigned.parameters()) - sum(p.numel() for p in ours.parameters()) == 784 * 513


def test_products_are_counted_by_hand():
    """A linear map of B x m to n: B m n multiply-adds forward, as many for the weights; none for the data."""
    layer = nn.Linear(7, 5, bias=False)
    assert measure.flops(lambda: layer(torch.randn(3, 7)).sum()) == 2 * (2 * 3 * 7 * 5)


def test_torchvision_s_way_gives_the_same_images(images):
    batch, labels = next(iter(torch.utils.data.DataLoader(TorchvisionImages(images), batch_size=8)))
    torch.testing.assert_close(batch, images.train_x[:8])
    assert torch.equal(labels, images.train_y[:8])


def test_every_row_is_measured_and_tested(images, monkeypatch):
    monkeypatch.setattr(measure, "PEAK_SIZE", 64)
    cases = rows.cases(images, images)
    assert [c.name for c in cases] == [
        "toy 1", "toy 3", "MNIST VAE", "MNIST VAE, mean head only", "MNIST autoencoder", "Swiss roll",
        "conv VAE on MNIST", "Fashion VAE",
    ]  # fmt: skip
    for case in cases[2:5] + cases[6:]:
        lines = measure.measure(case, rounds=1)
        assert [line.precision for line in lines] == list(case.precisions)
        for row in lines:
            assert row.ratio > 0 and row.gflops > 0 and math.isfinite(row.ours_test)
            assert abs(row.ours_test - row.assigned_test) < 0.2 * abs(row.assigned_test), "both trained the same"


def test_json_on_stdout_and_the_table_on_stderr(images, monkeypatch):
    row = measure.Row("toy 1", "epoch", "float32", 0.4, 0.2, 2.0, 1.0, 0.1, None, None, "-ELBO", 4.5, 0.1, 4.46)
    monkeypatch.setattr(command, "run", lambda *arguments: [row])
    monkeypatch.setattr(command, "load_images", lambda name: images)
    result = CliRunner().invoke(cli.app, ["bench", "speed", "toy", "--json"])
    printed = json.loads(result.stdout)["rows"]
    assert printed[0] | {"name": "toy 1", "assigned_s": 0.4, "ours_s": 0.2, "ratio": 2.0} == printed[0]
    assert {"gflops", "peak_share"} <= set(printed[0]) and "toy 1" in result.stderr


def test_an_unknown_row_is_named(images):
    with pytest.raises(ValueError, match="no row holds nonsense: expected a part of toy 1, toy 3, MNIST VAE"):
        measure.run(images, images, ["nonsense"], rounds=1)


def test_growth_is_drawn(images):
    figure = growth.growth(images, sizes=(128, 512), latents=(2, 4), rounds=1)
    assert [ax.get_xlabel() for ax in figure.axes] == ["training images", "latents"]
    assert all(len(ax.lines[0].get_xdata()) == 2 for ax in figure.axes)
