"""Training that is done once: the same outcome to the last bit, and never for anything that differs."""

import functools
import math
import os
import shutil
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from sklearn.preprocessing import scale
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

from helpers import swiss_roll, toy_vae
from helpers.core import gaussian, kept
from helpers.core.batches import TensorBatches, WithNoise
from helpers.core.kept import NoKeyError, digest, fingerprint, fit_once, key_of
from helpers.core.settings import checkpoints_folder
from helpers.core.speed import HalvesSideBySide, in_precision
from helpers.core.training import fit


@pytest.fixture
def fits(monkeypatch, tmp_path):
    """The calls of ``fit``; its files lie in a folder of this test's own."""
    calls = []

    def counted(*parts, **options):
        calls.append(options)
        return fit(*parts, **options)

    monkeypatch.setattr(kept, "fit", counted)
    monkeypatch.setenv("CHECKPOINTS_DIR", str(tmp_path / "kept"))
    return calls


def train(seed=0, rows=40, width=3, lr=0.01, batch_size=8, shuffle=True, beta=1.0, schedule=None, **options):
    """Train a small VAE once, from a fresh start."""
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


@pytest.mark.parametrize("around", ["random", "code", "number", "torch", "precision"])
def test_so_is_what_training_finds_around_it(fits, monkeypatch, around):
    train()
    if around == "random":
        monkeypatch.setattr(torch, "manual_seed", lambda seed: torch.random.default_generator.manual_seed(seed + 1))
    elif around == "code":
        monkeypatch.setattr(gaussian.rsample, "__code__", (lambda mean, std: mean + 2 * std).__code__)
    elif around == "number":
        monkeypatch.setattr(toy_vae, "MAX_NORM", 2.0)
    elif around == "torch":
        monkeypatch.setattr(kept.torch, "__version__", "2.99.0")
    else:
        other = "float32" if kept.training_dtype(torch.device("cpu")) == torch.bfloat16 else "bfloat16"
        monkeypatch.setenv("PRECISION", other)
    train()
    assert len(fits) == 2
    train()
    assert len(fits) == 2


AUTORELOAD = """
    import os, pathlib
    from IPython.core.interactiveshell import InteractiveShell

    def run(code):
        InteractiveShell.instance().run_cell(code).raise_error()

    def edit(old, new):
        path = pathlib.Path("helpers/core/objective.py")
        path.write_text(path.read_text().replace(old, new))
        edits.append(old)
        os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 2 * len(edits) * 10**9))

    edits = []
    run("from helpers import toy_vae; from helpers.core.kept import key_of; import torch")
    run("torch.manual_seed(0); print(key_of(toy_vae.VAE(2, 1, [3], [])))")
    edit("return", "return 0 +")
    run("torch.manual_seed(0); print(key_of(toy_vae.VAE(2, 1, [3], [])))")
    run("%load_ext autoreload\\n%autoreload 2")
    edit("return 0 +", "return 1 *")
    run("torch.manual_seed(0); print(key_of(toy_vae.VAE(2, 1, [3], [])))")
    edit("return 1 *", "return")
    run("torch.manual_seed(0); print(key_of(toy_vae.VAE(2, 1, [3], [])))")
"""


def test_an_edited_file_counts_once_it_is_loaded_and_no_earlier(tmp_path):
    shutil.copytree(kept.Path(kept.__file__).parents[1], tmp_path / "helpers")
    script = textwrap.dedent(AUTORELOAD)
    environment = os.environ | {
        "PYTHONPATH": str(tmp_path),
        "IPYTHONDIR": str(tmp_path),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    before, edited, loaded, back = run.stdout.split()[-4:]
    assert before == edited, run.stderr
    assert loaded not in (before, back)


def test_the_code_is_that_of_the_objectives_and_of_the_loop_and_not_of_the_drawing():
    code = kept.running_code()
    names = {f"{module}.{name}" for module, parts in code.items() for name in parts}
    for telltale in (
        "toy_vae.vae_objective", "core.gaussian.kl_per_latent", "core.training.fit", "core.batches.TensorBatches",
        "core.speed.HalvesSideBySide", "core.gaussian.rsample", "toy_vae.MAX_NORM", "toy_vae.VAE",
    ):  # fmt: skip
        assert f"helpers.{telltale}" in names
    assert {"forward", "sample", "decoder_heads"} <= code["helpers.toy_vae"]["VAE"].keys()
    assert not [name for name in names if name.startswith(("helpers.plots", "helpers.notebook", "helpers.checks"))]


def test_training_is_not_skipped_where_somebody_looks_on(fits, capsys):
    for _ in range(2):
        train(on_epoch=print)
    assert capsys.readouterr().out.split() == ["1", "2"] * 2
    assert len(fits) == 2


# ---------------------------------------------------------------- keys


def cell(source, **names):
    """Execute a notebook's cell; return its names, of which those given here are global ones besides."""
    scope = {"__name__": "__main__", "np": np, "torch": torch, "nn": nn, **names}
    exec(compile(textwrap.dedent(source), "<cell>", "exec"), scope)
    return scope


OBJECTIVE = """
    def outer(weight):
        def scaled(x, power=2):
            return SCALE * weight * x**power

        def objective(batch):
            if mode in {"plain", "squared", "cubed"}:
                return scaled(batch[0])
            return batch[0]

        return objective

    objective = outer(3.0)
"""


def objective_key(source=OBJECTIVE, **names):
    return fingerprint(cell(source, **{"SCALE": 1.0, "mode": "plain"} | names)["objective"])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return batch[0]", "return batch[1]"),
        ("weight * x", "weight + x"),
        ("power=2", "power=3"),
        ("outer(3.0)", "outer(4.0)"),
        ('"cubed"', '"other"'),
        ("SCALE * weight", "OTHER * weight"),
    ],
    ids=["a line of a closure", "a nested function", "a default", "a value enclosed", "a constant", "another global"],
)
def test_a_function_counts_with_every_line(old, new):
    assert OBJECTIVE.count(old) == 1
    assert objective_key(OTHER=2.0) == objective_key(OTHER=2.0)
    assert objective_key(OBJECTIVE.replace(old, new), OTHER=2.0) != objective_key(OTHER=2.0)


@pytest.mark.parametrize("change", [{"SCALE": 2.0}, {"mode": "squared"}, {"SCALE": torch.ones(())}], ids=str)
def test_a_function_counts_with_the_globals_that_it_names(change):
    assert objective_key() == objective_key(unused=1.0)
    assert objective_key(**change) != objective_key()


def test_neither_comments_nor_the_place_of_a_function_count():
    moved = "# a comment\n\n" + textwrap.dedent(OBJECTIVE).replace("return objective", "return objective  # so")
    assert objective_key(moved) == objective_key()


def test_a_global_that_shares_the_name_of_an_attribute_does_not_count():
    """``batch.shape`` says nothing of a notebook's ``shape``; co_names holds both."""
    source = "def objective(batch): return batch.shape"
    assert objective_key(source, shape=1) == objective_key(source, shape=2)


def test_functions_may_call_themselves_and_one_another():
    source = """
        def objective(n): return other(n - 1) if n else SCALE
        def other(n): return objective(n) + STEP
    """
    assert objective_key(source, STEP=1) == objective_key(source, STEP=1) != objective_key(source, STEP=2)
    assert objective_key(source, STEP=1) != objective_key(source.replace("n - 1", "n - 2"), STEP=1)


NETWORK = """
    class Net(nn.Linear):
        kinds = {"a", "bb", "ccc"}

        def forward(self, x):
            return super().forward(x).relu()

    torch.manual_seed(0)
    net = Net(2, 1)
"""


def test_a_network_of_the_notebook_counts_with_its_code(fits):
    keys = [fingerprint(cell(source)["net"]) for source in (NETWORK, NETWORK, NETWORK.replace("relu", "tanh"))]
    assert keys[0] == keys[1] != keys[2]
    for source in (NETWORK, NETWORK, NETWORK.replace("relu", "tanh")):
        torch.manual_seed(0)
        net = cell(source)["net"]
        fit_once(net, optim.Adam(net.parameters()), [(torch.ones(4, 2),)], summed(net), num_epochs=1)
    assert len(fits) == 2


def test_a_network_counts_with_its_activations():
    first, second = (toy_vae.VAE(2, 1, [3], [], hidden_activation=f) for f in (torch.relu, torch.tanh))
    second.load_state_dict(first.state_dict())
    assert fingerprint(first) != fingerprint(second)
    second.encoder.hidden_activation = second.decoder.hidden_activation = torch.relu
    assert fingerprint(first) == fingerprint(second)


def one_pixel_more(x):
    x = x.copy() if isinstance(x, np.ndarray) else x.clone()
    x[1, 2] += 1
    return x


@pytest.mark.parametrize(
    ("thing", "other"),
    [
        (torch.zeros(3, 4), one_pixel_more(torch.zeros(3, 4))),
        (torch.zeros(3, 4), torch.zeros(4, 3)),
        (torch.zeros(3), torch.zeros(3, dtype=torch.int32)),
        (torch.zeros(3), torch.zeros(3, requires_grad=True)),
        (torch.zeros(3, dtype=torch.bfloat16), torch.ones(3, dtype=torch.bfloat16)),
        (np.zeros((3, 4)), one_pixel_more(np.zeros((3, 4)))),
        (np.zeros((3, 4)), np.zeros((3, 4), np.float32)),
        (np.array(["a", None]), np.array(["b", None])),
        (torch.float32, torch.bfloat16),
        (torch.Generator().manual_seed(0), torch.Generator().manual_seed(1)),
        (optim.SGD([torch.zeros(2)], lr=0.1), optim.SGD([torch.zeros(2)], lr=0.2)),
        (functools.partial(torch.relu), functools.partial(torch.tanh)),
        (nn.functional.relu, nn.functional.silu),
        (nn.ReLU, nn.Tanh),
        (1, True), (0.0, -0.0), ([1], (1,)), ({"a": 1}, {"a": 2}), ({1, 2}, {1, 3}), (None, False), ("1", b"1"),
    ],
    ids=lambda thing: type(thing).__name__,  # no address: the workers of xdist must agree
)  # fmt: skip
def test_different_things_have_different_keys(thing, other):
    assert fingerprint(thing) != fingerprint(other)
    assert fingerprint(thing) == fingerprint(thing)


def test_a_loader_of_torch_counts_with_its_data_and_its_order():
    def loader(fill=0.0, seed=0):
        data = TensorDataset(torch.full((4, 2), fill))
        return fingerprint(DataLoader(data, 2, shuffle=True, generator=torch.Generator().manual_seed(seed)))

    assert loader() == loader()
    assert len({loader(), loader(fill=1.0), loader(seed=1)}) == 3


def test_equal_things_have_equal_keys_whether_they_are_one_or_two():
    word, again = "an apple", "".join(["an ", "apple"])
    point, twin = (1.5, "x"), tuple([1.5, "x"])
    assert word is not again and point is not twin
    assert fingerprint([word, word]) == fingerprint([word, again])
    assert fingerprint([point, point]) == fingerprint([point, twin])
    squares = [cell("def f(x): return x * x")["f"] for _ in range(2)]
    assert fingerprint([squares[0], squares[0]]) == fingerprint(squares)
    ones = np.ones(3)
    assert fingerprint([ones, ones]) == fingerprint([ones, ones.copy()])
    assert fingerprint(np.ones((2, 3))) == fingerprint(np.asfortranarray(np.ones((2, 3))))
    assert fingerprint(torch.ones(2, 3)) == fingerprint(torch.ones(3, 2).T)


def test_tensors_and_generators_that_are_one_are_not_two():
    """Tied weights train in another way than equal ones; so does a shared generator, and a copy's optimizer."""
    weight, seed = nn.Parameter(torch.ones(2)), torch.Generator().manual_seed(0)
    assert fingerprint([weight, weight]) != fingerprint([weight, nn.Parameter(torch.ones(2))])
    assert fingerprint([seed, seed]) != fingerprint([seed, torch.Generator().manual_seed(0)])


def test_how_a_batch_is_halved_does_not_count():
    model = nn.Linear(2, 1)
    plain, busy = (HalvesSideBySide(summed(model), model) for _ in range(2))
    busy.threads = plain.threads + 1
    with busy:
        assert fingerprint(plain) == fingerprint(busy)
    assert fingerprint(plain) != fingerprint(HalvesSideBySide(doubled(model), model))


PROCESS = """
    import functools
    import numpy as np, torch
    from torch import nn, optim
    from helpers import toy_vae
    from helpers.core.batches import TensorBatches
    from helpers.core.kept import key_of

    WORDS = {{"alpha", "beta", "gamma", "delta"}}
    SETTINGS = {{word: {{word, word.upper(), None}} for word in ("one", "two")}}

    class Net(nn.Module):
        kinds = frozenset({{"a", "bb", "ccc", "dddd"}})

        def __init__(self):
            super().__init__()
            self.layer, self.words = nn.Linear(2, 1), set(WORDS)
            self.register_buffer("first", torch.zeros(1), persistent=False)
            self.register_buffer("second", torch.zeros(1), persistent=False)

        def forward(self, x):
            return self.layer(x) if "a" in {{"a", "bb", "ccc", "dddd"}} else x

    def objective(batch, names=frozenset(WORDS)):
        loss = model(batch[0]).sum() if SETTINGS and np.pi and names else other(batch)
        return loss, {{"loss": loss}}

    def other(batch):
        return objective(batch)

    torch.manual_seed(0)
    model, vae = Net(), toy_vae.VAE(2, 1, [3], [], hidden_activation=torch.relu)
    optimizer = optim.Adam(model.parameters())
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=10)
    cosine = optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 1 / (1 + epoch))
    order = torch.Generator().manual_seed(1)
    loader = TensorBatches(torch.arange(8.0).reshape(4, 2), batch_size=2, shuffle=True, generator=order)
    print(key_of(model, optimizer, schedule.step, cosine.step, loader, objective, toy_vae.vae_objective(vae),
                 WORDS, SETTINGS, functools.partial(other, 1), np.random.RandomState(0)))
"""


@pytest.mark.slow
def test_keys_are_the_same_in_every_process_whatever_the_hashes_and_the_place(tmp_path):
    keys = set()
    for seed in ("1", "2"):
        script = tmp_path / f"ipykernel_{seed}" / "cell.py"  # the kernel's files, too, are elsewhere every time
        script.parent.mkdir()
        script.write_text("\n" * int(seed) + textwrap.dedent(PROCESS.format()))
        root = os.pathsep.join([str(kept.Path(kept.__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": root}
        run = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
        keys.add(run.stdout)
    assert len(keys) == 1


def test_the_sets_are_what_would_make_the_difference(monkeypatch):
    """With the substitute for sets left out, equal sets that were filled in another order differ."""
    one, two = {8, 0}, {0, 8}  # both in the same slot, so in the order of their coming
    assert list(one) != list(two)
    assert fingerprint(one) == fingerprint(two)
    monkeypatch.setattr(kept, "_substitute", lambda thing, pickler: None)
    assert fingerprint(one) != fingerprint(two)


def test_the_memo_of_pickle_is_what_would_make_the_difference(monkeypatch):
    class WithMemo(kept._Pickler):
        fast = property(lambda self: False, lambda self, value: None)

    word, again = "an apple", "".join(["an ", "apple"])
    monkeypatch.setattr(kept, "_Pickler", WithMemo)
    assert fingerprint([word, word]) != fingerprint([word, again])


def summed(model):
    def objective(batch):
        loss = model(batch[0]).sum()
        return loss, {"loss": loss}

    return objective


def doubled(model):
    def objective(batch):
        loss = 2 * model(batch[0]).sum()
        return loss, {"loss": loss}

    return objective


class Own(nn.Linear):
    """A network that a notebook would import from elsewhere: its code may change unseen."""


def test_code_of_other_packages_is_not_taken_for_known(monkeypatch):
    monkeypatch.setitem(sys.modules, "mine", type(sys)("mine"))
    monkeypatch.setattr(sys.modules["mine"], "Own", Own, raising=False)
    monkeypatch.setattr(Own, "__module__", "mine")
    for thing, name in ((Own(2, 1), "Own"), (scale, "scale"), (pytest, "pytest")):
        with pytest.raises(NoKeyError, match=f"{name} is of .*, whose code may change unseen"):
            fingerprint(thing)


def test_what_cannot_be_told_is_trained_every_time(fits, tmp_path):
    for unknown in ((x for x in [1]), sys._getframe(), threading.Lock()):
        with pytest.raises(NoKeyError, match="it cannot be told whether"):
            fingerprint(unknown)
    model = nn.Linear(2, 1)
    for _ in range(2):
        stream = (batch for batch in [])
        objective = functools.partial(lambda model, stream, batch: summed(model)(batch), model, stream)
        fit_once(model, optim.Adam(model.parameters()), [(torch.ones(4, 2),)], objective, num_epochs=1)
    assert len(fits) == 2 and not (tmp_path / "kept").exists()


def test_the_order_of_settings_does_not_count(fits):
    model = nn.Linear(2, 1)
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    for options in ({"num_epochs": 1, "max_norm": 2.0}, {"max_norm": 2.0, "num_epochs": 1}):
        model.load_state_dict(weights)
        optimizer = optim.SGD(model.parameters())
        torch.manual_seed(0)
        fit_once(model, optimizer, WithNoise([(torch.ones(4, 2),)], 1), summed(model), **options)
    assert len(fits) == 1


# ---------------------------------------------------------------- files


def test_a_full_disk_costs_the_file_and_not_the_training(fits, monkeypatch, tmp_path):
    def full(self, content):
        self.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kept.Path, "write_bytes", full)
    with pytest.warns(
        UserWarning, match=r"could not be kept, so the next run trains again: .*No space left.*free some"
    ):
        _, history = train()
    assert len(history.train["elbo"]) == 10
    assert not list((tmp_path / "kept").iterdir()), "nothing half-written stays behind"


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)


def rewrite(path, change_tensors=lambda tensors: None, **about):
    """Store a changed file the way an editor of it would: valid, and the digest fits unless ``about`` has another."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    tensors = load_file(path)
    change_tensors(tensors)
    save_file(tensors, path, metadata | {"digest": digest(tensors)} | about)


BIAS = "model.decoder.layers.0.bias"
DAMAGE = {
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-20]),
    "one bit flipped": flip_a_bit,
    "no safetensors": lambda path: path.write_text("weights"),
    "another key inside": lambda path: rewrite(path, key="0" * 16),
    "no metadata": lambda path: save_file(load_file(path), path),
    "a tensor missing": lambda path: rewrite(path, lambda tensors: tensors.pop(BIAS)),
    "a tensor too many": lambda path: rewrite(path, lambda tensors: tensors.update({"model.extra": torch.zeros(1)})),
    "another shape": lambda path: rewrite(path, lambda tensors: tensors.update({BIAS: torch.zeros(7)})),
    "not finite": lambda path: rewrite(path, lambda tensors: tensors[BIAS].fill_(math.nan)),
    "no random state": lambda path: rewrite(path, lambda tensors: tensors.pop("random.cpu")),
    "steps no number": lambda path: rewrite(path, steps_per_epoch="many"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_trained_over(fits, tmp_path, damage):
    first, _ = train()
    (file,) = (tmp_path / "kept").iterdir()
    assert BIAS in load_file(file)
    DAMAGE[damage](file)
    second, _ = train()
    assert len(fits) == 2
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b), "from the initial weights that it was given"
    train()
    assert len(fits) == 2, "and the new file is sound"


def test_a_file_under_anothers_name_is_not_trusted(fits, tmp_path):
    train()
    (file,) = (tmp_path / "kept").iterdir()
    train(seed=1)
    (other,) = set((tmp_path / "kept").iterdir()) - {file}
    file.write_bytes(other.read_bytes())
    train()
    assert len(fits) == 3


def test_a_file_says_in_clear_what_it_is(fits, tmp_path):
    train(description="data set 1")
    (file,) = (tmp_path / "kept").iterdir()
    with safe_open(file, framework="pt") as content:
        assert content.metadata()["training"] == "data set 1"


def test_files_lie_in_a_folder_that_git_ignores(monkeypatch):
    monkeypatch.delenv("CHECKPOINTS_DIR", raising=False)
    folder = checkpoints_folder()
    assert f"{folder.name}/" in (folder.parent / ".gitignore").read_text(encoding="utf-8").split()


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


def test_a_key_depends_on_the_random_state_and_on_nothing_that_was_drawn_from_a_fork():
    torch.manual_seed(0)
    key = key_of(1)
    with torch.random.fork_rng():
        torch.rand(3)
    assert key_of(1) == key
    torch.rand(1)
    assert key_of(1) != key
