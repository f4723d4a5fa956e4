"""Training that is done once: the same outcome to the last bit, and never for anything that differs."""

import functools

import numpy as np
import pytest
import torch
from torch import nn, optim

from course.bench.rows import AssignedVAE
from helpers import swiss_roll, toy_vae
from helpers.core import kept as checkpoints
from helpers.core.batches import TensorBatches
from helpers.core.kept import fingerprint, fit_once
from helpers.core.speed import in_precision
from helpers.core.training import fit

SCALE = 1.0


@pytest.fixture
def fits(monkeypatch, tmp_path):
    """How often ``fit`` has run; checkpoints lie in a folder of this test's own."""
    calls = []

    def counted(*parts, **options):
        calls.append(options)
        return fit(*parts, **options)

    monkeypatch.setattr(checkpoints, "fit", counted)
    monkeypatch.setenv("CHECKPOINTS_DIR", str(tmp_path / "kept"))
    return calls


def train(seed=0, rows=40, width=3, lr=0.01, batch_size=8, shuffle=True, beta=1.0, schedule=None, **options):
    """A small VAE trained once, from a fresh start."""
    torch.manual_seed(seed)
    model = toy_vae.VAE(2, 1, [width], [])
    optimizer = optim.Adam(model.parameters(), lr)
    x = torch.linspace(-1, 1, 2 * rows).reshape(rows, 2)
    if schedule is not None:
        options["schedule"] = schedule(optimizer).step
    objective = in_precision(
        options.pop("precision", "float32"), toy_vae.vae_objective(model, beta), torch.device("cpu")
    )
    history = fit_once(
        model, optimizer, TensorBatches(x, batch_size=batch_size, shuffle=shuffle), objective,
        val_loader=TensorBatches(x[:16], batch_size=16), **{"num_epochs": 2, **options},
    )  # fmt: skip
    return model, history


def one_cycle(optimizer):
    return optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=10)


def test_the_second_time_loads_what_the_first_left_to_the_last_bit(fits):
    first, history = train(schedule=one_cycle)
    drawn = torch.randn(3)
    second, again = train(schedule=one_cycle)
    assert len(fits) == 1
    assert torch.equal(torch.randn(3), drawn), "what comes after draws as if training had been done"
    for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    assert again.steps_per_epoch == history.steps_per_epoch == 5
    for part in ("train", "val"):
        assert getattr(again, part).keys() == {"elbo", "kl", "nll"}
        for name, values in getattr(history, part).items():
            np.testing.assert_array_equal(getattr(again, part)[name], values)


def test_a_description_names_the_file_whatever_it_holds(fits, tmp_path):
    train(description="../dataset 1/3, beta = 2.5")
    (file,) = (tmp_path / "kept").iterdir()
    assert file.name.startswith("_dataset_1_3_beta_2_5_")


def test_it_is_what_fit_leaves(fits):
    model, _ = train()
    torch.manual_seed(0)
    plain = toy_vae.VAE(2, 1, [3], [])
    x = torch.linspace(-1, 1, 80).reshape(40, 2)
    fit(plain, optim.Adam(plain.parameters(), 0.01), TensorBatches(x, batch_size=8, shuffle=True),
        toy_vae.vae_objective(plain), val_loader=TensorBatches(x[:16], batch_size=16), num_epochs=2)  # fmt: skip
    for a, b in zip(model.parameters(), plain.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1}, {"rows": 41}, {"width": 4}, {"lr": 0.02}, {"batch_size": 9}, {"shuffle": False}, {"beta": 2.0},
        {"num_epochs": 3}, {"max_norm": 2.0}, {"precision": "bfloat16"}, {"schedule": one_cycle},
        {"schedule": lambda optimizer: optim.lr_scheduler.OneCycleLR(optimizer, 0.2, total_steps=10)},
    ],
    ids=lambda change: "-".join(change),
)  # fmt: skip
def test_whatever_differs_is_trained_anew(fits, change):
    train()
    train(**change)
    assert len(fits) == 2
    train()
    assert len(fits) == 2, "and the first is kept beside it"


@pytest.mark.parametrize("around", ["random", "source", "torch", "precision"])
def test_so_is_what_training_finds_around_it(fits, monkeypatch, around):
    train()
    if around == "random":
        monkeypatch.setattr(torch, "manual_seed", lambda seed: torch.random.default_generator.manual_seed(seed + 1))
    elif around == "source":
        changed = [*checkpoints.SOURCES[:-1], "# changed"]
        monkeypatch.setattr(checkpoints, "SOURCES", changed)
        monkeypatch.setattr(checkpoints, "sources", lambda: changed)
    elif around == "torch":
        monkeypatch.setattr(checkpoints.torch, "__version__", "2.99.0")
    else:
        other = "float32" if checkpoints.training_dtype(torch.device("cpu")) == torch.bfloat16 else "bfloat16"
        monkeypatch.setenv("PRECISION", other)
    train()
    assert len(fits) == 2
    train()
    assert len(fits) == 2


def test_code_that_changed_after_its_import_is_not_guessed_at(fits, monkeypatch, tmp_path):
    monkeypatch.setattr(checkpoints, "sources", lambda: [*checkpoints.SOURCES[:-1], "# edited since"])
    train()
    train()
    assert len(fits) == 2 and not (tmp_path / "kept").exists()


def test_the_sources_are_those_of_the_objectives_and_of_the_loop():
    text = "\n".join(checkpoints.SOURCES)
    for telltale in ("def vae_objective(", "def kl_per_latent(", "def fit(", "class TensorBatches", "def calc_elbo("):
        assert telltale in text


def test_code_whose_text_is_not_in_the_key_is_not_taken_for_known():
    with pytest.raises(TypeError, match="cannot be told"):
        fingerprint(AssignedVAE())


def squared(x):
    return SCALE * x.square()


def cubed(x):
    return SCALE * x.square() * x


def through(inner):
    def loss(x):
        return [inner(part) for part in x]

    return loss


def test_a_function_counts_with_its_code_what_it_encloses_and_what_it_names(monkeypatch):
    assert fingerprint(squared) == fingerprint(squared) != fingerprint(cubed)
    before = fingerprint(through(squared))
    assert before == fingerprint(through(squared)) != fingerprint(through(cubed))
    monkeypatch.setitem(globals(), "SCALE", 2.0)
    assert fingerprint(through(squared)) != before


def test_a_network_counts_with_its_activations():
    first, second = (toy_vae.VAE(2, 1, [3], [], hidden_activation=f) for f in (torch.relu, torch.tanh))
    second.load_state_dict(first.state_dict())
    assert fingerprint(first) != fingerprint(second)
    second.encoder.hidden_activation = second.decoder.hidden_activation = torch.relu
    assert fingerprint(first) == fingerprint(second)


class Own(nn.Linear):
    """A network from outside the helpers: its code may change unseen."""


def summed(model):
    def objective(batch):
        loss = model(batch[0]).sum()
        return loss, {"loss": loss}

    return objective


def test_what_cannot_be_told_is_trained_every_time(fits, tmp_path):
    for unknown in (Own(2, 1), functools.partial(squared), iter([1])):
        with pytest.raises(TypeError, match="it cannot be told whether"):
            fingerprint(unknown)
    x = TensorBatches(torch.ones(4, 2), batch_size=2)
    for _ in range(2):
        torch.manual_seed(0)
        model = Own(2, 1)
        fit_once(model, optim.Adam(model.parameters()), x, summed(model), num_epochs=1)
    assert len(fits) == 2 and not (tmp_path / "kept").exists()


def test_a_full_disk_costs_the_checkpoint_and_not_the_training(fits, monkeypatch):
    def full(path, content):
        raise OSError("No space left on device: free some")

    monkeypatch.setattr(checkpoints, "write_whole", full)
    with pytest.warns(UserWarning, match="could not be kept, so the next run trains again: No space left"):
        _, history = train()
    assert len(history.train["elbo"]) == 10


@pytest.mark.parametrize("damage", ["empty", "cut", "another's"])
def test_a_damaged_file_is_trained_over(fits, tmp_path, damage):
    first, _ = train()
    (file,) = (tmp_path / "kept").iterdir()
    content = file.read_bytes()
    if damage == "another's":
        train(seed=1)
        (other,) = set((tmp_path / "kept").iterdir()) - {file}
        content = other.read_bytes()
    file.write_bytes({"empty": b"", "cut": content[:-20], "another's": content}[damage])
    before = len(fits)
    second, _ = train()
    assert len(fits) == before + 1
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b), "from the initial weights that it was given"


def test_the_swiss_roll_is_trained_once_unless_its_drawing_looks_on(fits, capsys):
    first, losses, _ = swiss_roll.train_vae(20, seed=3, keep=True)
    again, loaded, _ = swiss_roll.train_vae(20, seed=3, keep=True)
    assert len(fits) == 1
    assert loaded == losses
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    swiss_roll.train_vae(20, seed=3, keep=True, batch_size=64)
    assert len(fits) == 2, "what a loader of the helpers holds is part of the key"
    for _ in range(2):
        swiss_roll.train_vae(20, seed=3, keep=True, on_step=lambda model, step: print(step), every=10)
    assert capsys.readouterr().out.split() == ["0", "10", "20"] * 2
    assert len(fits) == 4
