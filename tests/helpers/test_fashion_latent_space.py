"""Fashion-MNIST's latent space: the assigned model and loss, checkpoints that are never trusted blindly, the judge."""

import json
import math
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from sklearn.neighbors import KNeighborsClassifier
from torch import nn
from torch.distributions import Bernoulli, Normal, kl_divergence
from torch.nn.functional import one_hot
from torch.utils.data import TensorDataset

from helpers import fashion_latent_space as fashion
from helpers.core import latent
from helpers.core.batches import TensorBatches
from helpers.core.data import ImageSet
from helpers.core.kept import digest, source_of
from helpers.core.settings import checkpoints_folder
from helpers.core.training import History
from helpers.fashion_latent_space import (
    CATEGORY_NAMES,
    VAE,
    Recipe,
    Verdict,
    checkpoint_key,
    encode_to_mu,
    get_items_by_category,
    judge,
    load_or_train,
    measurements,
    nearest_distance,
    vae_loss,
    vae_terms,
)


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
    assert encode_to_mu(model, x).shape == (batch, latents)
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


# ---------------------------------------------------------------- training and checkpoints


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


class Trainer:
    """Trains nothing: counts its calls, and gives a model that can be told from any other."""

    def __init__(self):
        self.calls = 0

    def __call__(self, images, recipe):
        self.calls += 1
        model = VAE(recipe.latent_dim)
        nn.init.constant_(model.fc_mu.bias, float(self.calls))
        return model, History(2, train={"loss": np.array([3.0, 2.0]), "kl": np.array([0.0, 0.5])})


@pytest.fixture
def trainer():
    return Trainer()


@pytest.fixture
def ask(data, tmp_path, trainer):
    """Load or train with the fake trainer; returns what came and how often was trained so far."""

    def asked(data=data, recipe=Recipe(latent_dim=2), **options):  # noqa: B008 (it is frozen)
        return load_or_train(data, recipe, folder=tmp_path / "kept", train=trainer, **options), trainer.calls

    return asked


def only_file(tmp_path):
    (path,) = (tmp_path / "kept").iterdir()
    return path


def test_the_second_time_the_checkpoint_is_used(ask):
    first, calls = ask()
    assert calls == 1 and not first.from_checkpoint
    second, calls = ask()
    assert calls == 1 and second.from_checkpoint
    assert all(torch.equal(a, b) for a, b in zip(first.model.parameters(), second.model.parameters(), strict=True))
    assert second.history.steps_per_epoch == 2 and not second.model.training
    assert {name: v.tolist() for name, v in second.history.train.items()} == {"loss": [3, 2], "kl": [0, 0.5]}


def test_loading_leaves_the_random_state_alone(ask):
    ask()
    state = torch.get_rng_state()
    assert ask()[0].from_checkpoint
    assert torch.equal(torch.get_rng_state(), state)


def test_retrain_ignores_the_checkpoint_and_replaces_it(ask, tmp_path):
    ask()
    assert ask(retrain=True)[1] == 2
    third, calls = ask()
    assert calls == 2 and third.model.fc_mu.bias[0] == 2
    assert only_file(tmp_path).suffix == ".safetensors"


def changed(recipe, name):
    return replace(recipe, **{name: getattr(recipe, name) + 1})


@pytest.mark.parametrize("name", [field.name for field in fields(Recipe)])
def test_another_recipe_is_another_checkpoint(data, name):
    assert checkpoint_key(data, changed(Recipe(), name)) != checkpoint_key(data, Recipe())


def test_the_key_depends_on_images_origin_code_torch_and_precision(data, monkeypatch):
    monkeypatch.setenv("PRECISION", "float32")
    keys = {checkpoint_key(data, Recipe())}
    assert keys == {checkpoint_key(data, Recipe())}

    pixel = data.train_x.clone()
    pixel[17, 0, 3, 3] += 1 / 255
    for other in (
        replace(data, train_x=pixel),
        replace(data, train_x=data.train_x[:-1]),
        replace(data, train_x=data.train_x.reshape(15, 2, 28, 28)),
        replace(data, title="Other"),
        replace(data, genuine=False),
    ):
        keys.add(checkpoint_key(other, Recipe()))
    for i in range(len(fashion.SOURCES)):
        with monkeypatch.context() as patched:
            patched.setattr(fashion, "SOURCES", [s + "#" * (i == j) for j, s in enumerate(fashion.SOURCES)])
            keys.add(checkpoint_key(data, Recipe()))
    monkeypatch.setenv("PRECISION", "bfloat16")
    keys.add(checkpoint_key(data, Recipe()))
    monkeypatch.setattr(torch, "__version__", "9.9")
    keys.add(checkpoint_key(data, Recipe()))
    assert len(keys) == 1 + 5 + len(fashion.SOURCES) + 2


def test_the_key_reads_the_code_of_model_loss_and_loop():
    code = "\n".join(fashion.SOURCES)
    for telltale in (
        "class VAE(",
        "def vae_terms(",
        "def train_vae(",
        "def fit(",
        "class HalvesSideBySide",
        "class TensorBatches",
        "def rsample(",
    ):
        assert telltale in code
    assert source_of(len) != source_of(len), "code that cannot be read matches nothing"


def truncate(path):
    path.write_bytes(path.read_bytes()[:-1000])


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)


def rewrite(path, change_tensors=lambda t: None, **about):
    """Store a changed file the way an editor of it would: valid, with the digest made to fit where not given."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    tensors = load_file(path)
    change_tensors(tensors)
    save_file(tensors, path, metadata | {"digest": digest(tensors)} | about)


DAMAGE = {
    "truncated": truncate,
    "one bit flipped": flip_a_bit,
    "empty": lambda path: path.write_bytes(b""),
    "no safetensors": lambda path: path.write_text("weights"),
    "another key inside": lambda path: rewrite(path, key="0" * 16),
    "no metadata": lambda path: save_file(load_file(path), path),
    "a tensor missing": lambda path: rewrite(path, lambda t: t.pop("model.fc_mu.bias")),
    "a tensor too many": lambda path: rewrite(path, lambda t: t.update({"model.extra": torch.zeros(1)})),
    "another shape": lambda path: rewrite(path, lambda t: t.update({"model.fc_mu.bias": torch.zeros(3)})),
    "not finite": lambda path: rewrite(path, lambda t: t["model.fc_mu.bias"].fill_(math.nan)),
    "steps no number": lambda path: rewrite(path, steps_per_epoch="many"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_broken_or_stale_checkpoint_is_trained_over(ask, tmp_path, damage):
    ask()
    DAMAGE[damage](only_file(tmp_path))
    second, calls = ask()
    assert calls == 2 and not second.from_checkpoint and second.model.fc_mu.bias[0] == 2
    assert ask()[0].from_checkpoint, "and the new one is sound"


def test_a_checkpoint_under_anothers_name_is_not_trusted(ask, tmp_path):
    ask(recipe=Recipe(latent_dim=2))
    old = only_file(tmp_path)
    ask(recipe=Recipe(latent_dim=2, lr=0.1))
    (new,) = set((tmp_path / "kept").iterdir()) - {old}
    new.write_bytes(old.read_bytes())
    assert ask(recipe=Recipe(latent_dim=2, lr=0.1))[1] == 3


def test_it_is_written_whole_or_not_at_all_and_training_is_not_lost(ask, tmp_path, monkeypatch):
    ask()
    before = only_file(tmp_path).read_bytes()

    def full(self, content):
        self.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fashion.Path, "write_bytes", full)
    with pytest.warns(UserWarning, match=r"could not be kept, .*No space left on device.*free some space"):
        trained, calls = ask(retrain=True)
    assert calls == 2 and trained.model.fc_mu.bias[0] == 2
    assert only_file(tmp_path).read_bytes() == before


def test_a_checkpoint_says_in_clear_what_it_is(ask, tmp_path):
    ask()
    with safe_open(only_file(tmp_path), framework="pt") as file:
        assert json.loads(file.metadata()["recipe"])["latent_dim"] == 2


def test_checkpoints_lie_in_a_folder_that_git_ignores(monkeypatch):
    monkeypatch.delenv("CHECKPOINTS_DIR", raising=False)
    folder = checkpoints_folder()
    assert f"{folder.name}/" in (folder.parent / ".gitignore").read_text(encoding="utf-8").split()


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
    head, line = fashion.judge_table(Verdict(one_hot(torch.tensor([8]), 10) * 0.5), ["a picture"], (9, 8)).splitlines()
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
    first = encode_to_mu(model, data.train_x)
    assert torch.equal(first, encode_to_mu(model, data.train_x)) and not first.requires_grad
    torch.testing.assert_close(first, model.encode(data.train_x)[0].detach())


def test_paths_end_where_they_should(data):
    model, (a, b) = VAE(4), data.train_x[:2]
    blend, walk = fashion.pixel_path(a, b, 5), fashion.latent_path(model, a, b, 5)
    assert blend.shape == walk.shape == (5, 28, 28)
    torch.testing.assert_close(blend, torch.stack([(1 - t) * a[0] + t * b[0] for t in (0, 0.25, 0.5, 0.75, 1)]))
    z = encode_to_mu(model, data.train_x[:2])
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
    figure = fashion.show_arithmetic(boot, sneaker, start, result, list("abcde"))
    torch.testing.assert_close(torch.from_numpy(np.asarray(figure.axes[2].images[0].get_array())), boot - sneaker)


def test_maps_colour_each_cell_by_its_verdict():
    images = torch.rand(4, 28, 28)
    verdict = Verdict(one_hot(torch.tensor([9, 1, 2, 3]), 10).float())
    figure = fashion.show_regions({"m": images}, {"m": verdict}, {"m": ("x", "y")})
    page = np.asarray(figure.axes[1].images[0].get_array())
    assert page.shape == (2, 2, 3)
    np.testing.assert_allclose(page[0, 0], fashion.to_rgb(fashion.plots.CLASS_COLOURS[9]))
    np.testing.assert_allclose(page[1, 1], fashion.to_rgb(fashion.plots.CLASS_COLOURS[3]))


def test_training_loaders_refuse_nan(data):
    broken = data.train_x.clone()
    broken[0, 0, 0, 0] = math.nan
    with pytest.raises(ValueError, match="NaN or infinite"):
        fashion.train_vae(broken, Recipe(num_epochs=1))
    assert len(TensorBatches(data.train_x, batch_size=7)) == 5
