"""The clock of ``bench quality`` counts training, goes on as long as it should, and says what was never reached."""

import pytest
import torch

from course.bench import quality, with_pythae
from course.paths import NOTEBOOKS
from helpers.core.data import ImageSet
from helpers.mnist_conv_vae import VAE


def images(num):
    x = torch.rand(num, 1, 28, 28).round()
    return ImageSet("noise", False, x, torch.zeros(num, dtype=torch.long), x[:10], torch.zeros(10, dtype=torch.long))


@pytest.fixture(autouse=True)
def without_pythae(monkeypatch):
    monkeypatch.setattr(with_pythae, "is_installed", lambda: False)


def test_a_target_that_all_reach_stops_the_assigned_way_after_an_epoch():
    results = quality.ways(images(200), 1e6, 3, num_val=50)
    assert [way.reached(1e6) for way in results] == [(1, way.seconds[0]) for way in results]
    assert [len(way.worse) for way in results] == [1, quality.OUR_EPOCHS, quality.OUR_EPOCHS]
    assert all(100 < worse < 2000 for way in results for worse in way.worse)


def test_a_target_that_none_reaches_lets_all_train_on():
    results = quality.ways(images(150), 1.0, 2, num_val=50)
    assert [len(way.worse) for way in results] == [2, quality.OUR_EPOCHS, quality.OUR_EPOCHS]
    assert all(way.reached(1.0) is None and way.seconds == sorted(way.seconds) for way in results)
    columns = quality.table(results, 1.0).columns
    assert next(iter(columns[1].cells)) == f"not in 2: {min(results[0].worse):.2f}"
    assert next(iter(columns[5].cells)) == f"{results[0].worse[-1]:.2f} after 2"


@pytest.mark.skipif(not with_pythae.is_installed(), reason="pip install --no-deps pythae imageio")
def test_pythae_trains_our_networks_on_pixels_drawn_anew_and_stops_when_told():
    network, seen = VAE(hidden=16), []
    before = [p.clone() for p in network.parameters()]
    with_pythae.train_conv_vae(network, images(300), 5, 100, lambda model: seen.append(model) or len(seen) == 2)
    assert seen == [network] * 2
    assert all(not torch.equal(p, old) for p, old in zip(network.parameters(), before, strict=True))


def test_one_thing_differs_between_the_two_last_ways():
    torch.manual_seed(0)
    model = VAE(hidden=16)
    x = torch.rand(5, 1, 28, 28)
    before = model.encode(x)[0]
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    other = quality.with_relu(model)
    assert all(torch.equal(value, weights[name]) or "running" in name or "num_batches" in name
               for name, value in other.state_dict().items())  # fmt: skip
    assert not any(isinstance(m, torch.nn.SiLU) for m in other.modules())
    assert not torch.equal(other.encode(x)[0], before)


def test_our_way_is_the_notebooks():
    text = (NOTEBOOKS / "05_mnist_conv_vae.ipynb").read_text(encoding="utf-8")
    assert f"num_epochs = budget({quality.OUR_EPOCHS})" in text
    assert f"TensorBatches(train_x, batch_size={quality.OUR_BATCH_SIZE}, shuffle=True)" in text
    assert f"Muon(model.parameters(), lr={quality.OUR_LR}, adam_lr={quality.OUR_ADAM_LR})" in text
    assert f"VAE(latent_dim=24, hidden={quality.OUR_HIDDEN})" in text


def test_the_first_epoch_at_the_target_counts():
    way = quality.Way("", [10.0, 20.0, 30.0], [99.0, 94.9, 95.0])
    assert way.reached(95) == (2, 20.0) and way.reached(90) is None
    slow = quality.Way("", [60.0], [95.0])
    assert list(quality.table([slow, way], 95).columns[4].cells) == ["1.0", "3.0"]
