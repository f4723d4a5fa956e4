"""Fashion-MNIST's latent space: the assigned model and loss, trainings that are loaded, the judge."""

import math
from dataclasses import fields, replace
from functools import partial

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from sklearn.neighbors import KNeighborsClassifier
from torch import nn
from torch.distributions import Bernoulli, Normal, kl_divergence
from torch.nn.functional import one_hot
from torch.utils.data import TensorDataset

from helpers import fashion_latent_space as fashion
from helpers import plots
from helpers.core import kept, latent
from helpers.core.batches import TensorBatches
from helpers.core.data import ImageSet
from helpers.core.training import fit
from helpers.fashion_latent_space import (
    CATEGORY_NAMES,
    VAE,
    Judgement,
    Recipe,
    encode_to_mu,
    get_items_by_category,
    judge,
    measurements,
    nearest_distance,
    vae_loss,
    vae_terms,
)
from helpers.plots.fashion import arithmetic, code_plane, probability_curves, rate_bars, region_maps


@pytest.fixture
def data():
    """A tiny image set: class k's images are bright in row 2k + 4."""
    y = torch.arange(40) % 10
    x = 0.2 * torch.rand(40, 1, 28, 28)
    x[torch.arange(40), 0, 2 * y + 4] += 0.7
    return ImageSet("Tiny", True, x[:30], y[:30], x[30:], y[30:])


@pytest.fixture
def pairs(data):
    return list(zip(data.train_x, data.train_y, strict=True))


# ---------------------------------------------------------------- model and loss


def test_layers_are_the_assigned_ones():
    shapes = {name: tuple(p.shape) for name, p in VAE().named_parameters()}
    assert shapes == {
        "encoder.0.weight": (32, 1, 3, 3), "encoder.0.bias": (32,),
        "encoder.2.weight": (64, 32, 3, 3), "encoder.2.bias": (64,),
        "fc_mu.weight": (32, 3136), "fc_mu.bias": (32,),
        "fc_logvar.weight": (32, 3136), "fc_logvar.bias": (32,),
        "decoder_fc.weight": (3136, 32), "decoder_fc.bias": (3136,),
        "decoder.0.weight": (64, 32, 3, 3), "decoder.0.bias": (32,),
        "decoder.2.weight": (32, 1, 3, 3), "decoder.2.bias": (1,),
    }  # fmt: skip
    model = VAE(5)
    assert [type(layer) for layer in model.encoder] == [nn.Conv2d, nn.ReLU, nn.Conv2d, nn.ReLU, nn.Flatten]
    assert [type(layer) for layer in model.decoder] == [nn.ConvTranspose2d, nn.ReLU, nn.ConvTranspose2d, nn.Sigmoid]
    assert model.encoder[:1](torch.rand(1, 1, 28, 28)).shape == (1, 32, 14, 14)
    assert model.decoder[:1](torch.rand(1, 64, 7, 7)).shape == (1, 32, 14, 14)


@pytest.mark.parametrize(("batch", "latents"), [(1, 32), (7, 32), (3, 1)])
def test_shapes(batch, latents):
    model, x = VAE(latents), torch.rand(batch, 1, 28, 28)
    recon, mu, logvar = model(x)
    assert recon.shape == x.shape and mu.shape == logvar.shape == (batch, latents)
    assert recon.min() >= 0 and recon.max() <= 1
    assert model.decode(mu).shape == x.shape
    assert all(term.shape == (batch,) for term in vae_terms(model, x))
    assert encode_to_mu(x, model).shape == (batch, latents)
    assert fashion.decode_images(model, mu).shape == (batch, 28, 28)


def test_the_code_is_drawn_with_the_encoders_own_mean_and_spread():
    mu, logvar = torch.tensor([[1.0, -2.0]]), torch.tensor([[0.0, -2.0]])
    z = VAE(2).reparameterize(mu.expand(20_000, 2), logvar.expand(20_000, 2), torch.Generator().manual_seed(0))
    torch.testing.assert_close(z.mean(0), mu[0], atol=0.03, rtol=0)
    torch.testing.assert_close(z.std(0), logvar[0].div(2).exp(), atol=0.02, rtol=0.02)


@pytest.mark.parametrize("beta", [0.0, 1.0, 3.0])
def test_loss_is_that_of_torch_distributions(beta):
    x, recon = torch.rand(5, 1, 28, 28), torch.rand(5, 1, 28, 28).clamp(0.01, 0.99)
    mu, logvar = torch.randn(5, 4), torch.randn(5, 4)
    nll = (
        -Bernoulli(probs=recon, validate_args=False).log_prob(x).sum()
    )  # continuous targets: its support is not checked
    kl = kl_divergence(Normal(mu, logvar.exp().sqrt()), Normal(0.0, 1.0)).sum()
    torch.testing.assert_close(vae_loss(recon, x, mu, logvar, beta), nll + beta * kl)
    torch.testing.assert_close(vae_loss(recon, x, mu, logvar), nll + kl)


def test_training_minimises_the_assigned_loss_per_image():
    model, x = VAE(4), torch.rand(6, 1, 28, 28)
    nll, kl = vae_terms(model, x, torch.Generator().manual_seed(1))
    mu, logvar = model.encode(x)
    recon = model.decode(model.reparameterize(mu, logvar, torch.Generator().manual_seed(1)))
    torch.testing.assert_close((nll + 2 * kl).mean(), vae_loss(recon, x, mu, logvar, beta=2.0) / 6)


def test_the_loss_from_logits_does_not_round_at_0_and_1():
    """A decoder that is surely wrong by 150 nats must be told so; from probabilities the cross-entropy stops at 100."""
    model = VAE(2)
    nn.init.zeros_(model.decoder[2].weight)
    nn.init.constant_(model.decoder[2].bias, 150.0)
    nll, _ = vae_terms(model, torch.zeros(1, 1, 28, 28))
    assert nll.item() == pytest.approx(150 * 784)
    nll.sum().backward()
    assert model.decoder[2].bias.grad.item() == pytest.approx(784)


def test_gradients_reach_every_parameter():
    model = VAE()
    recon, mu, logvar = model(torch.rand(3, 1, 28, 28))
    vae_loss(recon, torch.rand(3, 1, 28, 28), mu, logvar).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_without_kl_the_loss_leaves_the_variance_to_the_reconstruction():
    mu, logvar = torch.randn(2, 3, requires_grad=True), torch.randn(2, 3, requires_grad=True)
    vae_loss(torch.full((2, 1, 28, 28), 0.5), torch.rand(2, 1, 28, 28), mu, logvar, beta=0.0).backward()
    assert not mu.grad.any() and not logvar.grad.any()


def test_pixel_entropy_bounds_the_cross_entropy():
    x = torch.rand(4, 1, 28, 28)
    floor = fashion.pixel_entropy(x)
    zero = torch.zeros(4, 2)
    assert float(vae_loss(x, x, zero, zero)) == pytest.approx(float(floor.sum()), rel=1e-5)
    for _ in range(5):
        assert vae_loss(torch.rand_like(x), x, zero, zero) > floor.sum()
    assert fashion.pixel_entropy(torch.tensor([0.0, 1.0, 0.5]).reshape(3, 1, 1, 1)).tolist() == pytest.approx(
        [0, 0, math.log(2)]
    )


def test_bad_input_gets_one_sentence():
    model, x, z = VAE(4), torch.rand(2, 1, 28, 28), torch.zeros(2, 4)
    with pytest.raises(ValueError, match=r"images of shape \(B, 1, 28, 28\), got \(2, 28, 28\): add the missing axes"):
        model.encode(x[:, 0])
    with pytest.raises(ValueError, match=r"codes of shape \(B, 4\), got \(4,\): give a single code its batch axis"):
        model.decode(z[0])
    with pytest.raises(ValueError, match=r"one shape, got \(2, 1, 28, 28\) and \(1, 1, 28, 28\)"):
        vae_loss(x, x[:1], z, z)
    with pytest.raises(ValueError, match=r"expected x in \[0, 1\], got [-0-9.e]+ to 255"):
        vae_loss(x, x.clone().index_fill_(0, torch.tensor([0]), 255.0), z, z)
    with pytest.raises(ValueError, match=r"recon_x in .* got nan to nan"):
        vae_loss(x * math.nan, x, z, z)
    with pytest.raises(ValueError, match="mu and logvar of one shape"):
        vae_loss(x, x, z, z[:, :3])


def test_measured_loss_is_the_mean_over_images_and_the_same_each_time(data):
    model = VAE(4)
    first = fashion.measure_loss(model, data.train_x)
    assert first == fashion.measure_loss(model, data.train_x)
    assert first["loss"] == pytest.approx(first["nll"] + first["kl"])
    mu, logvar = model.encode(data.train_x)
    kl = kl_divergence(Normal(mu, logvar.exp().sqrt()), Normal(0.0, 1.0))
    assert first["kl"] == pytest.approx(kl.sum(1).mean().item(), rel=1e-4)
    torch.testing.assert_close(fashion.latent_rates(model, data.train_x), kl.mean(0))


# ---------------------------------------------------------------- training, and loading what was trained


def test_training_depends_on_data_and_recipe_alone_and_lowers_the_loss(data):
    recipe = Recipe(latent_dim=3, num_epochs=3, batch_size=8)
    first, history = fashion.train_vae(data.train_x, recipe)
    state = torch.get_rng_state()
    torch.rand(7)
    second, _ = fashion.train_vae(data.train_x, recipe)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    torch.set_rng_state(state)
    fashion.train_vae(data.train_x, recipe)
    assert torch.equal(torch.get_rng_state(), state)
    loss = history.train["loss"]
    assert history.steps_per_epoch == 4 and len(loss) == 12 and loss[-1] < loss[0]
    assert not first.training


@pytest.fixture
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv("CHECKPOINTS_DIR", str(tmp_path / "kept"))
    return tmp_path / "kept"


TINY = Recipe(latent_dim=2, num_epochs=1, batch_size=8)


@pytest.fixture
def trainings(monkeypatch):
    """The descriptions of the trainings that were not loaded."""
    descriptions = []

    def counted(*parts, **options):
        descriptions.append(options["description"])
        return fit(*parts, **options)

    monkeypatch.setattr(kept, "fit", counted)
    return descriptions


def test_the_second_time_what_was_trained_is_loaded(data, folder, trainings):
    first, history = fashion.train_vae(data.train_x, TINY, keep=True)
    state = torch.get_rng_state()
    torch.rand(7)
    second, again = fashion.train_vae(data.train_x, TINY, keep=True)
    assert trainings == ["VAE, beta = 1"] and not second.training
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert again.steps_per_epoch == history.steps_per_epoch == 4
    assert {name: v.tolist() for name, v in again.train.items()} == {n: v.tolist() for n, v in history.train.items()}
    torch.set_rng_state(state)
    fashion.train_vae(data.train_x, TINY, keep=True)
    assert torch.equal(torch.get_rng_state(), state), "loading leaves the random state alone"


def test_what_is_loaded_is_what_training_gives(data, folder, trainings):
    for _ in range(2):
        model, _ = fashion.train_vae(data.train_x, TINY, keep=True)
    plain, _ = fashion.train_vae(data.train_x, TINY)
    assert len(trainings) == 1
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), plain.parameters(), strict=True))


@pytest.mark.parametrize("name", [field.name for field in fields(Recipe)])
def test_another_recipe_is_trained_anew(data, folder, trainings, name):
    fashion.train_vae(data.train_x, TINY, keep=True)
    fashion.train_vae(data.train_x, replace(TINY, **{name: 2 * getattr(TINY, name)}), keep=True)
    assert len(trainings) == len(list(folder.iterdir())) == 2


def test_so_are_other_images_and_another_precision(data, folder, trainings, monkeypatch):
    pixel = data.train_x.clone()
    pixel[17, 0, 3, 3] += 1 / 255
    monkeypatch.setenv("PRECISION", "float32")
    for images in (data.train_x, pixel, data.train_x[:-1], data.train_x):
        fashion.train_vae(images, TINY, keep=True)
    assert len(trainings) == 3
    monkeypatch.setenv("PRECISION", "bfloat16")
    fashion.train_vae(data.train_x, TINY, keep=True)
    assert len(trainings) == 4


def test_the_recipe_is_the_assigned_one_where_none_is_given(data, monkeypatch):
    monkeypatch.setattr(fashion, "fit", lambda *parts, **options: options["num_epochs"])
    model, epochs = fashion.train_vae(data.train_x)
    assert epochs == 15 and model.latent_dim == 32


def test_the_classifier_is_loaded_too(data, folder, trainings):
    first, second = (fashion.train_classifier(data.train_x, data.train_y, num_epochs=1, keep=True) for _ in range(2))
    assert trainings == ["classifier"]
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    fashion.train_classifier(data.train_x, (data.train_y + 1) % 10, num_epochs=1, keep=True)
    assert len(trainings) == 2, "labels count"


# ---------------------------------------------------------------- the judge and its rulers


class Rows(nn.Module):
    """A judge that needs no training: the brightness of rows 4, 6, 8, ... are the classes' logits."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(20.0))

    def forward(self, x):
        return self.scale * x[:, 0, 4:24:2].mean(2)


def test_the_judge_names_classes_and_how_sure_it_is(data):
    verdict = judge(Rows(), data.train_x)
    assert torch.equal(verdict.label, data.train_y)
    torch.testing.assert_close(verdict.probabilities.sum(1), torch.ones(30))
    torch.testing.assert_close(verdict.confidence, verdict.probabilities.max(1).values)
    assert torch.equal(verdict.probabilities, judge(Rows(), data.train_x[:, 0]).probabilities), (
        "with or without channel"
    )
    assert verdict.share(3) == pytest.approx(0.1)
    head, line = fashion.judge_table(
        Judgement(one_hot(torch.tensor([8]), 10) * 0.5), ["a picture"], (9, 8)
    ).splitlines()
    assert head.split() == ["Ankle", "boot", "Bag"] and line.split() == ["a", "picture", "0.00", "0.50"]


def test_the_classifier_learns_and_depends_on_nothing_else(data):
    x, y = data.train_x.repeat(20, 1, 1, 1), data.train_y.repeat(20)
    first = fashion.train_classifier(x, y, num_epochs=4)
    state = torch.get_rng_state()
    second = fashion.train_classifier(x, y, num_epochs=4)
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert (judge(first, data.test_x).label == data.test_y).all()
    assert sum(p.numel() for p in first.parameters()) < 110_000, "it is to stay tiny"


def test_nearest_distance_against_all_pairs():
    images, real = torch.rand(5, 28, 28), torch.rand(11, 1, 28, 28)
    expected = (images.flatten(1)[:, None] - real.flatten(1)).norm(dim=2).amin(1)
    torch.testing.assert_close(nearest_distance(images, real), expected, rtol=1e-4, atol=1e-4)
    assert nearest_distance(real[3:4], real).item() == pytest.approx(0, abs=1e-2)


@pytest.mark.parametrize("brightness", [1.0, 0.2])
def test_the_ruler_measures_a_box_bright_or_dark(brightness):
    image = torch.zeros(2, 28, 28)
    image[0, 3:15, 10:20] = brightness  # 12 rows, 10 columns
    measured = {name: float(v[0]) for name, v in measurements(image).items()}
    assert measured == pytest.approx({"height": 12, "width": 10, "area": 120, "brightness": brightness})
    assert all(v[1] == 0 for v in measurements(image).values()), "an empty image measures 0"


def test_sharpness_is_the_outline_of_a_box():
    image = torch.zeros(1, 28, 28)
    image[0, 3:15, 10:20] = 0.5
    assert fashion.sharpness(image).item() == pytest.approx(0.5 * 2 * (12 + 10))


# ---------------------------------------------------------------- the exercises


def test_items_of_a_category_are_the_first_ones_in_order(data, pairs):
    items = get_items_by_category(pairs, 3, n=2)
    assert items.shape == (2, 1, 28, 28)
    assert torch.equal(items, data.train_x[data.train_y == 3][:2])
    assert torch.equal(items, get_items_by_category(TensorDataset(data.train_x, data.train_y), 3, n=2))


def test_items_that_are_not_there(pairs):
    with pytest.raises(ValueError, match="asked for 4 images of Dress, found 3: ask for"):
        get_items_by_category(pairs, 3, n=4)
    with pytest.raises(ValueError, match="asked for 0 images"):
        get_items_by_category(pairs, 3, n=0)
    with pytest.raises(ValueError, match="category_idx must be 0 to 9, got 10"):
        get_items_by_category(pairs, 10)
    assert len(CATEGORY_NAMES) == 10 and CATEGORY_NAMES[9] == "Ankle boot"


def test_codes_are_means_not_draws(data):
    model = VAE(4)
    first = encode_to_mu(data.train_x, model)
    assert torch.equal(first, encode_to_mu(data.train_x, model)) and not first.requires_grad
    torch.testing.assert_close(first, model.encode(data.train_x)[0].detach())


def test_codes_are_asked_for_as_assigned_and_of_another_model_besides(data):
    model, other = VAE(4), VAE(3)
    of_the_notebook = partial(encode_to_mu, model=model)
    assert torch.equal(of_the_notebook(data.train_x), encode_to_mu(data.train_x, model))
    assert torch.equal(of_the_notebook(data.train_x, model=other), encode_to_mu(data.train_x, other))


def test_paths_end_where_they_should(data):
    model, (a, b) = VAE(4), data.train_x[:2]
    blend, walk = fashion.pixel_path(a, b, 5), fashion.latent_path(model, a, b, 5)
    assert blend.shape == walk.shape == (5, 28, 28)
    torch.testing.assert_close(blend, torch.stack([(1 - t) * a[0] + t * b[0] for t in (0, 0.25, 0.5, 0.75, 1)]))
    z = encode_to_mu(data.train_x[:2], model)
    ends = fashion.decode_images(model, torch.stack([z[0], (z[0] + z[1]) / 2, z[1]]))
    torch.testing.assert_close(walk[[0, 2, 4]], ends)


def test_arithmetic():
    with_it, without = torch.randn(20, 3) + torch.tensor([5.0, 0, 0]), torch.randn(15, 3)
    direction = fashion.attribute_direction(with_it, without)
    assert direction.shape == (1, 3)
    torch.testing.assert_close(fashion.add_direction(without.mean(0), direction)[0], with_it.mean(0))
    torch.testing.assert_close(fashion.add_direction(without, direction, -0.5), without - 0.5 * direction)


class Corner(nn.Module):
    """A decoder whose images say which code they were made from: pixel (0, j) is latent j."""

    latent_dim = 6

    def __init__(self):
        super().__init__()
        self.anchor = nn.Parameter(torch.zeros(1))

    def decode(self, z):
        images = torch.zeros(len(z), 1, 28, 28)
        images[:, 0, 0, : z.shape[1]] = z
        return images


def test_the_map_moves_two_latents_and_only_them():
    images = fashion.region_map(Corner(), (4, 1), limit=3, grid_size=10)
    z = images[:, 0, :6].reshape(10, 10, 6)
    assert images.shape == (100, 28, 28) and not z[..., [0, 2, 3, 5]].any()
    assert z[0, 0, [4, 1]].tolist() == [-3, 3], "top left: the first of the two smallest, the second largest"
    assert z[9, 9, [4, 1]].tolist() == [3, -3]
    assert (z[:, 1:, 4] > z[:, :-1, 4]).all() and (z[1:, :, 1] < z[:-1, :, 1]).all()


def test_a_neighbourhood_has_the_mean_and_the_shape_it_should():
    codes = torch.randn(500, 3) @ torch.tensor([[2.0, 1, 0], [0, 0.5, 0], [0, 0, 0.1]]) + 4
    shaped = fashion.neighbourhood(codes, 20_000, 0.5, isotropic=False)
    torch.testing.assert_close(shaped.mean(0), codes.mean(0), atol=0.05, rtol=0)
    torch.testing.assert_close(torch.cov(shaped.T), 0.25 * torch.cov(codes.T), atol=0.03, rtol=0.05)
    even = fashion.neighbourhood(codes, 20_000, 0.5, isotropic=True)
    torch.testing.assert_close(torch.cov(even.T), 0.25 * torch.eye(3), atol=0.02, rtol=0)
    assert torch.equal(even, fashion.neighbourhood(codes, 20_000, 0.5, isotropic=True))


def test_spread_is_the_root_mean_square_distance_from_the_mean():
    images = torch.rand(9, 28, 28)
    expected = sum((image - images.mean(0)).square().sum() for image in images) / 9
    assert fashion.spread(images) == pytest.approx(float(expected.sqrt()), rel=1e-5)


# ---------------------------------------------------------------- latent helpers that this notebook brought


def test_walk_and_plane():
    z, direction = torch.randn(4), torch.randn(1, 4)
    moved = latent.walk(z, direction, torch.tensor([-1.0, 0, 2]))
    torch.testing.assert_close(moved, torch.stack([z - direction[0], z, z + 2 * direction[0]]))
    codes = latent.plane(torch.tensor([[1.0, 2.0]]), (3, 0), 5)
    assert codes.tolist() == [[2, 0, 0, 1, 0]]
    for pair in ((1, 1), (0, 5), (-1, 2)):
        with pytest.raises(ValueError, match="two different latents among 0 to 4"):
            latent.plane(torch.zeros(1, 2), pair, 5)


def test_principal_directions_of_a_known_cloud():
    rotation = torch.linalg.qr(torch.randn(4, 4)).Q
    codes = (torch.randn(20_000, 4) * torch.tensor([3.0, 2.0, 1.0, 0.1])) @ rotation.T + 7
    directions, deviations = latent.principal_directions(codes, 2)
    torch.testing.assert_close(deviations, torch.tensor([3.0, 2.0]), rtol=0.03, atol=0)
    assert ((directions @ rotation[:, :2]).diagonal().abs() > 0.999).all()
    assert (directions.gather(1, directions.abs().argmax(1, keepdim=True)) > 0).all(), "the sign is settled"
    torch.testing.assert_close(directions, latent.principal_directions(codes.flip(0), 2)[0], atol=1e-4, rtol=0)
    with pytest.raises(ValueError, match="3 codes of 4 latents do not show 3 directions"):
        latent.principal_directions(codes[:3], 3)


def test_leave_one_out_against_scikit_learn():
    codes, labels = torch.randn(1203, 3), torch.arange(1203) % 3
    codes += 1.5 * one_hot(labels, 3)
    found = latent.leave_one_out(codes, labels, neighbours=5)
    for i in (0, 500, 1000, 1202):
        others = torch.arange(1203) != i
        knn = KNeighborsClassifier(5).fit(codes[others].numpy(), labels[others].numpy())
        assert found[i] == knn.predict(codes[i : i + 1].numpy())[0]
    assert 0.5 < (found == labels).float().mean() < 0.95
    with pytest.raises(ValueError, match="3 codes do not have 3 neighbours each"):
        latent.leave_one_out(codes[:3], labels[:3], 3)


def test_leave_one_out_leaves_out_the_code_itself():
    """Pairs of equal codes with unequal labels: whoever counts himself is right, whoever does not is wrong."""
    codes = torch.arange(50.0)[:, None].repeat_interleave(2, 0)
    labels = torch.arange(100) % 2
    assert not (latent.leave_one_out(codes, labels, 1) == labels).any()


# ---------------------------------------------------------------- figures


def drawn(figure):
    return [ax for ax in figure.axes if ax.images]


def test_grid_and_strips():
    images = torch.rand(7, 1, 28, 28)
    missed = torch.tensor([False, True] + [False] * 5)
    grid = fashion.show_grid(images, nrow=5, title="T", missed=missed)
    assert len(drawn(grid)) == 7 and len(grid.axes) == 10 and grid.get_suptitle() == "T"
    assert [ax.spines["left"].get_visible() for ax in drawn(grid)] == missed.tolist()
    assert np.array_equal(np.asarray(drawn(grid)[6].images[0].get_array()), images[6, 0])
    strip = fashion.show_interpolation_strip(list(images), labels=["a", "b"], title="T")
    assert [ax.get_title() for ax in strip.axes] == ["a", "b"] + [""] * 5
    rows = fashion.show_interpolation_strip({"x": images[:3], "y": images[3:6]}, labels=["a", "b", "c"])
    assert len(drawn(rows)) == 6 and rows.axes[3].get_ylabel() == "y" and rows.axes[3].get_title() == ""


def test_the_difference_of_two_pictures_is_drawn_with_its_sign():
    boot, sneaker, start, result = torch.rand(4, 28, 28)
    figure = arithmetic(boot, sneaker, start, result, list("abcde"))
    torch.testing.assert_close(torch.from_numpy(np.asarray(figure.axes[2].images[0].get_array())), boot - sneaker)


def test_maps_colour_each_cell_by_its_verdict():
    images = torch.rand(4, 28, 28)
    verdict = Judgement(one_hot(torch.tensor([9, 1, 2, 3]), 10).float())
    figure = region_maps(
        {"m": images}, {"m": verdict.label}, {"m": verdict.confidence}, {"m": ("x", "y")}, CATEGORY_NAMES
    )
    decoded = np.asarray(figure.axes[0].images[0].get_array())
    np.testing.assert_array_equal(decoded, latent.tile(images, 2))
    page = np.asarray(figure.axes[1].images[0].get_array())
    assert page.shape == (2, 2, 3)
    np.testing.assert_allclose(page[0, 0], to_rgb(plots.CLASS_COLOURS[9]))
    np.testing.assert_allclose(page[1, 1], to_rgb(plots.CLASS_COLOURS[3]))


def test_bars_fall_and_codes_are_named():
    bars = rate_bars(torch.tensor([0.5, 2.0, 1.0]), "T").axes[0].patches
    assert [bar.get_height() for bar in bars] == [2, 1, 0.5]
    plane = code_plane(np.zeros((3, 2)), np.array([9, 1, 9]), CATEGORY_NAMES, "T")
    assert [text.get_text() for text in plane.axes[0].get_legend().get_texts()] == ["1  Trouser", "9  Ankle boot"]


def test_curves_of_probabilities_share_their_names_and_scale():
    groups = {name: {"a": np.array([0.0, 1.0]), "b": np.array([1.0, 0.0])} for name in ("left", "right")}
    figure = probability_curves([0, 1], groups, title="T", xlabel="x", ylabel="p")
    assert [ax.get_title() for ax in figure.axes] == ["left", "right"] and figure.axes[0].get_ylim() == (-0.03, 1.03)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]
    assert figure.axes[1].lines[1].get_ydata().tolist() == [1, 0]


def test_training_loaders_refuse_nan(data):
    broken = data.train_x.clone()
    broken[0, 0, 0, 0] = math.nan
    with pytest.raises(ValueError, match="NaN or infinite"):
        fashion.train_vae(broken, Recipe(num_epochs=1))
    assert len(TensorBatches(data.train_x, batch_size=7)) == 5
