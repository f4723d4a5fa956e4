"""Runs inside the sandbox, alone: execute a submission's cells, try its functions, send back raw numbers.

Nothing here knows a right answer: it sends what the functions returned for the inputs that they were given, and
``oracles`` judges, in the grader's process. So a submission that reads this file learns what is asked, no more.

The job (``job.json``): ``cells`` (sources), ``mode`` (``"full"``, or ``"definitions"``: imports, functions, classes and
constants only, for notebooks whose training does not end in time), ``assignment``, ``seed``.
"""

import ast
import builtins
import contextlib
import copy
import functools
import inspect
import json
import os
import sys
import warnings
from typing import NamedTuple

RESULT = os.dup(int(os.environ.pop("RESULT_FD")))
with open("job.json", encoding="utf-8") as file:
    JOB = json.load(file)
DATA = os.environ.get("GRADER_DATA")
REPEATS = 20_000
DRAWN = ("plot_latent2D", "plot_reconstructed", "interpolate")
RECORDED = ("train_vae", "train_ae", "train", *DRAWN)
KEPT = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)

warnings.filterwarnings("ignore")
import numpy as np  # noqa: E402
import torch  # noqa: E402
from matplotlib import pyplot as plt  # noqa: E402
from torch import nn  # noqa: E402

torch.set_num_threads(1)
answers: dict = {"calls": [], "optimizers": {}, "errors": [], "probes": {}, "versions": {}}


def plain(value, digits: int = 7):
    """Tensors and arrays as nested lists of floats."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().double().numpy()
    return np.round(np.asarray(value, dtype=np.float64), digits).tolist()


# ---------------------------------------------------------------- watching a notebook train


class Entered(NamedTuple):
    """What went into an outermost module: points of the plane, or images of which some bear the test set's mark."""

    module: str
    rows: np.ndarray | None  # a point as one integer
    marked: int = 0
    images: int = 0


class Watch:
    """What is seen of any training, own loops included: losses, stale gradients, the rows that were trained on.

    Trained on is what a gradient has flowed back to: many evaluate without ``no_grad``, and that is no mistake.
    """

    def __init__(self) -> None:
        self.rows_trained: dict[str, list] = {}
        self.rows_seen: dict[str, list] = {}
        self.tagged: dict[str, list] = {}  # per module class: [test images trained on, images trained on]
        self.pending: list = []
        self.undecided: dict[int, Entered] = {}
        self.current: Entered | None = None
        self.depth = 0
        self.on = True

    def enter(self, module, inputs) -> None:
        """Before a module's forward: note what goes into the outermost one."""
        self.depth += 1
        if self.on and self.depth == 1:
            self.current = self.entered(type(module).__name__, id(module), inputs)

    def entered(self, name: str, number: int, inputs) -> Entered | None:
        x = inputs[0] if inputs else None
        if not isinstance(x, torch.Tensor) or not x.is_floating_point() or x.ndim < 2 or not len(x):
            return None
        if x.ndim == 2 and x.shape[1] == 2:
            rows = x.detach().float().contiguous().cpu().numpy().view(np.int64).ravel().copy()
            return Entered(f"{name} {number}", rows)
        if x[0].numel() == 784:
            corner = x.detach().reshape(len(x), -1)[:, :2]  # the mark, and its unmarked neighbour
            return Entered(name, None, int(((corner[:, 0] - corner[:, 1]).abs() > 1e-4).sum()), len(x))
        return None

    def leave(self, module, inputs, output) -> None:
        self.depth = max(self.depth - 1, 0)
        if self.depth or self.current is None:
            return
        note, self.current = self.current, None
        outs = output.values() if isinstance(output, dict) else output if isinstance(output, tuple | list) else [output]
        outs = [t for t in outs if isinstance(t, torch.Tensor) and t.requires_grad]
        if not outs:
            self.keep(note, False)
            return
        self.undecided[id(note)] = note
        for t in outs:
            t.register_hook(lambda _, note=note: self.flowed(note))
        while len(self.undecided) > 20:
            self.keep(self.undecided.pop(next(iter(self.undecided))), False)

    def flowed(self, note: Entered) -> None:
        if self.undecided.pop(id(note), None) is not None:
            self.keep(note, True)

    def keep(self, note: Entered, trained: bool) -> None:
        if note.rows is None:
            if trained:
                count = self.tagged.setdefault(note.module, [0, 0])
                count[0] += note.marked
                count[1] += note.images
            return
        lists = (self.rows_trained if trained else self.rows_seen).setdefault(note.module, [])
        lists.append(note.rows)
        if sum(map(len, lists)) > 300_000:
            lists[:] = [np.unique(np.concatenate(lists))]

    def end(self) -> None:
        for note in self.undecided.values():
            self.keep(note, False)
        self.undecided.clear()
        self.on = False

    def backward(self, loss) -> None:
        if self.on and isinstance(loss, torch.Tensor) and loss.numel() == 1:
            self.pending.append(float(loss.detach()))

    def step(self, optimizer) -> None:
        if not self.on:
            return
        kept = answers["optimizers"].setdefault(str(id(optimizer)), {"losses": [], "stale": 0, "steps": 0, "lr": 0.0})
        kept["steps"] += 1
        kept["lr"] = float(optimizer.param_groups[0].get("lr", 0))
        if self.pending and len(kept["losses"]) < 20_000:
            kept["losses"].append(self.pending[-1])
        self.pending.clear()
        self.depth = 0  # a forward that failed never left
        for group in optimizer.param_groups:
            for p in group["params"]:
                p._consumed = True


WATCH = Watch()


def install_watch() -> None:
    from torch.optim.optimizer import register_optimizer_step_post_hook

    register_optimizer_step_post_hook(lambda optimizer, *_: WATCH.step(optimizer))
    nn.modules.module.register_module_forward_pre_hook(WATCH.enter)
    nn.modules.module.register_module_forward_hook(WATCH.leave)
    plain_backward = torch.Tensor.backward
    parameters: dict[int, nn.Parameter] = {}

    def remember(optimizer, *_):
        for group in optimizer.param_groups:
            for p in group["params"]:
                parameters[id(p)] = p
                p._owner = str(id(optimizer))

    from torch.optim.optimizer import register_optimizer_step_pre_hook

    register_optimizer_step_pre_hook(remember)

    def backward(self, *args, **kwargs):
        if WATCH.on:
            WATCH.backward(self)
            stale = set()
            for p in parameters.values():
                if getattr(p, "_consumed", False):
                    p._consumed = False
                    if p.grad is not None and bool(p.grad.any()):
                        stale.add(p._owner)
            for owner in stale:  # a gradient that a step has used already, and that this backward adds to
                if owner in answers["optimizers"]:
                    answers["optimizers"][owner]["stale"] += 1
        return plain_backward(self, *args, **kwargs)

    torch.Tensor.backward = backward


def record_call(function):
    """Around the assignment's functions: what they were called with, and whether training moved anything."""

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        if not WATCH.on or len(answers["calls"]) > 200:
            return function(*args, **kwargs)
        note = {"name": function.__name__}
        model = None
        with contextlib.suppress(TypeError):
            bound = inspect.signature(function).bind(*args, **kwargs)
            bound.apply_defaults()
            for name, value in bound.arguments.items():
                if isinstance(value, nn.Module) and model is None:
                    model = value
                else:
                    note |= told(name, value)
        if model is not None:
            note["model"], note["class"] = id(model), type(model).__name__
            note["size"], note["latent"] = (int(getattr(model, f"{n}_size", 0) or 0) for n in ("input", "latent"))
        trains = model is not None and function.__name__ not in DRAWN
        before = [p.detach().clone() for p in model.parameters()] if trains else []
        value = function(*args, **kwargs)
        if trains:
            note["moved"] = any(not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
        answers["calls"].append(note)
        return value

    return wrapper


def told(name: str, value) -> dict:
    """An argument, where it is a number, a range, a title or an image."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return {name: float(value)}
    if isinstance(value, str):
        return {name: value[:200]}
    if isinstance(value, tuple | list) and len(value) == 2 and all(isinstance(v, int | float) for v in value):
        return {name: [float(v) for v in value]}
    if isinstance(value, torch.Tensor) and value.numel() == 784:
        return {f"image {name}": plain(value.reshape(-1), 4)}
    return {}


class Rewrite(ast.NodeTransformer):
    """No accelerator in here; and the training functions tell what they are called with."""

    def visit_Constant(self, node):
        if isinstance(node.value, str) and (node.value.split(":")[0] in ("cuda", "mps")):
            return ast.copy_location(ast.Constant("cpu"), node)
        return node

    def visit_FunctionDef(self, node):
        self.generic_visit(node)
        if node.name in RECORDED:
            node.decorator_list.insert(0, ast.copy_location(ast.Name("__record_call__", ast.Load()), node))
        return node


def definitions(tree: ast.Module) -> ast.Module:
    """Only what defines: calls that could train are left out."""

    def keeps(node) -> bool:
        if isinstance(node, KEPT):
            return True
        if isinstance(node, ast.Try):
            return all(map(keeps, node.body))
        if isinstance(node, ast.Assign):
            calls = [ast.unparse(n.func) for n in ast.walk(node.value) if isinstance(n, ast.Call)]
            return all(c in ("torch.device", "torch.cuda.is_available", "Path", "dict", "float", "int") for c in calls)
        return False

    tree.body = [node for node in tree.body if keeps(node)]
    return tree


def execute() -> dict:
    """All cells, in order, as IPython would; after a failing cell, only what later ones define."""
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    shell.colors = "nocolor" if hasattr(shell, "colors") else shell.colors
    shell.ast_transformers.append(Rewrite())
    space = shell.user_ns
    space["__record_call__"] = record_call
    if DATA:
        point_torchvision_at(DATA)
    torch.Tensor.cuda = lambda self, *a, **k: self
    nn.Module.cuda = lambda self, *a, **k: self
    plt.show = lambda *a, **k: None
    for number, source in enumerate(JOB["cells"]):
        if JOB["mode"] == "definitions":
            try:
                tree = definitions(ast.parse(shell.transform_cell(source)))
                source = ast.unparse(tree)
            except SyntaxError as error:
                answers["errors"].append([number, f"SyntaxError: {error}"])
                continue
        outcome = shell.run_cell(source, store_history=False)
        note_versions(space)
        error = outcome.error_before_exec or outcome.error_in_exec
        if error is not None:
            answers["errors"].append([number, f"{type(error).__name__}: {error}"[:500]])
            JOB["mode"] = "definitions"  # "run all" would stop here; what is defined further down can still be tried
    plt.close("all")
    return space


VERSIONS: dict[str, list] = {}


def note_versions(space: dict) -> None:
    """A name that is defined twice is tried twice: which of the two a figure came from cannot be known."""
    for name, value in list(space.items()):
        if callable(value) and getattr(value, "__module__", None) == "__main__" and not name.startswith("_"):
            known = VERSIONS.setdefault(name, [])
            if not known or known[-1] is not value:
                known.append(value)


def point_torchvision_at(folder: str) -> None:
    """Wherever a notebook wants its data, they are in the one folder that is there."""
    from torchvision import datasets

    plain_init = datasets.MNIST.__init__

    def init(self, root=None, *args, **kwargs):
        kwargs.pop("download", None)
        plain_init(self, folder, *args[:3], **kwargs)

    datasets.MNIST.__init__ = init


# ---------------------------------------------------------------- building and perturbing models


def build(cls, input_size: int, latent_size: int, hidden: int, **flags):
    """An instance by the assignment's signature, or by what the parameters' names say."""
    try:
        return cls(input_size, latent_size, [hidden], [hidden], **flags)
    except Exception:
        pass
    given = {}
    for name, p in inspect.signature(cls).parameters.items():
        low = name.lower()
        if low in flags:
            given[name] = flags[low]
        elif "latent" in low or low in ("z_dim", "zdim", "n_z"):
            given[name] = latent_size
        elif "enc" in low or "dec" in low or "hidden_sizes" in low or "layers" in low:
            given[name] = [hidden]
        elif "hidden" in low and "act" not in low:
            given[name] = hidden
        elif "input" in low or low in ("in_dim", "x_dim", "data_dim", "n_in", "dim"):
            given[name] = input_size
        elif p.default is p.empty and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY):
            raise TypeError(f"no value known for {name}")
    return cls(**given)


def perturb(model: nn.Module, scale: float = 1.0) -> nn.Module:
    """Weights far from their start, so that every term matters."""
    with torch.no_grad():
        for p in model.parameters():
            width = p.shape[-1] ** 0.5 if p.ndim > 1 else 1.5
            p.copy_(torch.randn_like(p) * scale / width)
    return model.eval()


def five(model, x):
    out = model(x)
    if not isinstance(out, tuple | list) or len(out) != 5:
        raise TypeError(f"forward returned {type(out).__name__} of {len(out) if hasattr(out, '__len__') else 1}, not 5")
    return out


def scalar(value) -> float:
    value = torch.as_tensor(value)
    return float(value.detach().double().mean())


def decode(model, z, noise: bool):
    try:
        return model.decode(z, noise=noise)
    except TypeError:
        return model.decode(z, noise)


@contextlib.contextmanager
def outputs_of(model):
    """What the encoder and the decoder networks were given and returned last, where they have those names."""
    seen, handles = {}, []
    for name in ("encoder", "decoder"):
        part = getattr(model, name, None)
        if isinstance(part, nn.Module):

            def hook(_, inputs, out, name=name):
                if isinstance(out, torch.Tensor):
                    seen[name] = (inputs[0].detach(), out.detach())

            handles.append(part.register_forward_hook(hook))
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def probe_vae_case(make) -> dict:
    """One perturbed network, a few points: what forward returns, and the distribution of z and of decoded noise."""
    model = perturb(make())
    size = model_size(model)
    cases = []
    for _ in range(4):
        x = torch.randn(1, size) * 1.5
        with torch.no_grad(), outputs_of(model) as seen:
            x_pred, z, elbo, kl, nll = five(model, x)
            case = {"x": plain(x[0]), "z": plain(z[0]), "x_pred": plain(x_pred.reshape(-1)), "elbo": scalar(elbo)}
            case |= {"kl": scalar(kl), "nll": scalar(nll)}
            for name, (_, out) in seen.items():
                case[f"{name}_out"] = plain(out.reshape(-1))
            if "decoder" in seen:
                case["decoder_in"] = plain(seen["decoder"][0].reshape(-1))
            many = x.expand(REPEATS, -1)
            x_many, z_many, *sums = five(model, many)
            again = five(model, many[:8])[1]
            centred = (z_many - z_many.mean(0)) / z_many.std(0).clamp_min(1e-12)
            case |= {
                "z_mean": plain(z_many.mean(0)),
                "z_std": plain(z_many.std(0)),
                "z_kurtosis": plain((centred**4).mean(0)),
                "z_corr": plain((centred.T @ centred / len(centred))[0, 1]) if z.shape[-1] > 1 else 0.0,
                "z_between_calls": float((five(model, many[:8])[1] - again).abs().max()),
                "x_pred_std": plain(x_many.reshape(REPEATS, -1).std(0)), "of_many": [scalar(t) for t in sums],
            }  # fmt: skip
            with contextlib.suppress(Exception):
                draws = decode(model, z.expand(REPEATS, -1), True).reshape(REPEATS, -1)
                mean = decode(model, z, False).reshape(-1)
                case |= {"d_mean": plain(draws.mean(0)), "d_std": plain(draws.std(0)), "d_clean": plain(mean)}
                kurtosis = (((draws - draws.mean(0)) / draws.std(0).clamp_min(1e-12)) ** 4).mean(0)
                case |= {"d_kurtosis": plain(kurtosis), "d_clean_again": plain(decode(model, z, False).reshape(-1))}
            with contextlib.suppress(Exception):
                own = model.encode_latent(many)
                case |= {"own_mean": plain(own.mean(0)), "own_std": plain(own.std(0))}
        cases.append(case)
    result = {"cases": cases}
    batch = torch.randn(7, size)
    with torch.no_grad():
        shapes = [list(torch.as_tensor(t).shape) for t in five(model, batch)]
        torch.manual_seed(7)
        whole = [scalar(t) for t in five(model, batch[:1].expand(6, -1))[2:4]]
        one = [scalar(t) for t in five(model, batch[:1])[2:4]]
    result |= {"shapes": shapes, "kl_of_six": whole[1], "kl_of_one": one[1]}
    with contextlib.suppress(Exception):
        result["gradients"] = gradient_check(make)
    with contextlib.suppress(Exception), torch.no_grad():
        result["sample"] = probe_sample(model)
    return result


def model_size(model) -> int:
    size = getattr(model, "input_size", None)
    if isinstance(size, int):
        return size
    return next(p.shape[-1] for p in model.parameters() if p.ndim > 1)


def probe_sample(model) -> dict:
    def moments(t):
        t = t.reshape(len(t), -1)
        return [plain(t.mean(0)), plain(t.std(0)), plain(t.quantile(0.1, dim=0)), plain(t.quantile(0.9, dim=0))]

    noisy, clean = model.sample(8000, decoder_noise=True), model.sample(8000, decoder_noise=False)
    latent = int(getattr(model, "latent_size", 0) or five(model, torch.randn(2, model_size(model)))[1].shape[-1])
    z = torch.randn(8000, latent)
    return {
        "shape": list(model.sample(5).shape), "noisy": moments(noisy), "clean": moments(clean),
        "direct": moments(decode(model, z, False)), "direct_noisy": moments(decode(model, z, True)),
        "default": moments(model.sample(8000)), "grad": bool(noisy.requires_grad),
    }  # fmt: skip


def gradient_check(make) -> dict:
    """Autograd against central differences under common random numbers, for elbo, kl and nll, in random directions."""
    model = perturb(make()).double()
    x = torch.randn(6, model_size(model), dtype=torch.float64)
    parameters = [p for p in model.parameters() if p.requires_grad]

    def terms():
        torch.manual_seed(3)
        return [torch.as_tensor(t).mean() for t in five(model, x)[2:]]

    with torch.no_grad():
        if any(float(a) != float(b) for a, b in zip(terms(), terms(), strict=True)):
            return {"not_repeatable": True}
    found = {"analytic": [], "numeric": []}
    for _ in range(3):
        direction = [torch.randn_like(p) / 10 for p in parameters]
        row = []
        for term in range(3):
            value = terms()[term]
            grads = torch.autograd.grad(value, parameters, allow_unused=True) if value.requires_grad else []
            row.append(sum(float((g * d).sum()) for g, d in zip(grads, direction, strict=False) if g is not None))
        found["analytic"].append(row)
        ends = []
        for sign in (1, -2, 1):
            with torch.no_grad():
                for p, d in zip(parameters, direction, strict=True):
                    p.add_(d, alpha=sign * 1e-5)
                if sign != 1 or not ends:
                    ends.append([float(t) for t in terms()])
        found["numeric"].append([(a - b) / 2e-5 for a, b in zip(*ends, strict=True)])
    return found


def probe_flat(cls) -> dict:
    """For images: flatten and sigmoid."""
    result = {}
    for sigmoid in (True, False):
        model = perturb(build(cls, 784, 2, 16, flatten=True, sigmoid=sigmoid), 3.0)
        with torch.no_grad():
            out = five(model, torch.rand(32, 1, 28, 28))
            clean = decode(model, torch.randn(32, 2), False)
        key = "sigmoid" if sigmoid else "linear"
        result[key] = [float(out[0].min()), float(out[0].max()), float(clean.min()), float(clean.max())]
        result["shapes"] = [list(out[0].shape), list(clean.shape)]
    return result


# ---------------------------------------------------------------- training functions


class Stub(nn.Module):
    """Stands for a VAE: nll = |x - b|^2 / 2, kl = |a - 1|^2 / 2, so each gradient tells what it came from."""

    def __init__(self, size: int = 2) -> None:
        super().__init__()
        self.a, self.b = nn.Parameter(torch.full((2,), 1.05)), nn.Parameter(torch.zeros(size))
        self.input_size = self.latent_size = size
        self.flatten = self.sigmoid = False
        self.used: list = []

    def forward(self, x):
        self.used.append([float(x.detach().reshape(len(x), -1)[0, 0]), torch.is_grad_enabled()])
        flat = x.reshape(len(x), -1)
        nll = 0.5 * ((flat - self.b) ** 2).sum(1).mean()
        kl = 0.5 * ((self.a - 1) ** 2).sum()
        return (self.b + 0 * flat).reshape(x.shape), self.a + 0 * flat[:, :2], -(nll + kl), kl, nll

    def sample(self, n, decoder_noise=False):
        return torch.randn(n, len(self.b))

    def encode_latent(self, x):
        return x.reshape(len(x), -1)[:, :2]

    def decode(self, z, noise=True):
        return z


class Recording(torch.optim.SGD):
    """Notes parameters and gradients at each step; moves next to nothing."""

    def __init__(self, parameters) -> None:
        super().__init__(parameters, lr=1e-9)
        self.seen: list = []

    def step(self, closure=None):
        ps = [p for group in self.param_groups for p in group["params"]]
        self.seen.append([None if p.grad is None else plain(p.grad.reshape(-1)[:4], 12) for p in ps])
        return super().step(closure)


def loader(value: float, batches: int, size: tuple, labels: bool = False):
    x = torch.full((batches * 4, *size), value)
    tensors = (x, torch.zeros(len(x), dtype=torch.long)) if labels else (x,)
    return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*tensors), batch_size=4)


def probe_train_vae(train) -> dict:
    names = list(inspect.signature(train).parameters)
    epochs = next((n for n in names if "epoch" in n), None)
    beta_name = next((n for n in names if "beta" in n), None)
    runs = {}
    for beta in (1.0, 5.0):
        stub = Stub()
        optimizer = Recording(stub.parameters())
        given = {}
        if epochs:
            given[epochs] = 2
        if beta_name:
            given[beta_name] = beta
        if "test_loader" in names:
            given["test_loader"] = loader(0.07, 2, (2,))
        train(stub, optimizer, loader(0.05, 3, (2,)), loader(0.06, 2, (2,)), **given)
        plt.close("all")
        runs[f"{beta:g}"] = {"steps": optimizer.seen[:12], "count": len(optimizer.seen), "used": stub.used[:40]}
    return {"runs": runs, "has_beta": beta_name is not None, "has_epochs": epochs is not None}


class StubAutoencoder(nn.Module):
    """Pixels of two levels, so that squared error and cross-entropy have different gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.b, self.c = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.full((2,), 0.3))

    def encoder(self, x):
        return self.c.expand(len(x), 2)

    def decoder(self, z):
        level = torch.sigmoid(self.b + torch.tensor([0.0, 2.0]))
        return level.repeat_interleave(392).reshape(1, 1, 28, 28).expand(len(z), 1, 28, 28) + 0 * z.sum()

    decode = decoder

    def encode(self, x):
        return self.encoder(x)

    def forward(self, x):
        z = self.encoder(x)
        return self.decoder(z), z


def probe_train_ae(train) -> dict:
    stub = StubAutoencoder()
    optimizer = Recording(stub.parameters())
    names = list(inspect.signature(train).parameters)
    epochs = next((n for n in names if "epoch" in n), None)
    train(stub, loader(0.4, 3, (1, 28, 28), labels=True), optimizer, **({epochs: 2} if epochs else {}))
    return {"steps": optimizer.seen[:12], "count": len(optimizer.seen), "has_epochs": epochs is not None}


# ---------------------------------------------------------------- images and plots

BLOCKS = {"z1": (slice(3, 12), slice(3, 12)), "z2": (slice(3, 12), slice(16, 25)), "one": (slice(17, 25), slice(3, 12)),
          "zero": (slice(17, 25), slice(16, 25))}  # fmt: skip


class StubEncoder(nn.Module):
    def __init__(self, head: int = 2) -> None:
        super().__init__()
        self.head = head

    def forward(self, x):
        x = x.reshape(-1, 28, 28)
        z = torch.stack([x[:, 3:12, 3:12].mean((1, 2)), x[:, 3:12, 16:25].mean((1, 2))], 1) * 16 - 8
        return z if self.head == 2 else torch.cat([z, torch.full_like(z, -40.0)], 1)


class StubDecoder(nn.Module):
    def forward(self, z):
        z = z.reshape(-1, 2)
        image = torch.full((len(z), 1, 28, 28), 0.5)
        image[:, 0, 3:12, 3:12] = torch.sigmoid(z[:, 0] / 4)[:, None, None]
        image[:, 0, 3:12, 16:25] = torch.sigmoid(z[:, 1] / 4)[:, None, None]
        image[:, 0, 17:25, 3:12], image[:, 0, 17:25, 16:25] = 0.98, 0.02
        return image


def stub_image_models(space) -> list:
    """The submission's own classes with known networks inside, so that ``isinstance`` and methods are as they were."""
    found = []
    cls = space.get("Autoencoder")
    if inspect.isclass(cls):
        with contextlib.suppress(Exception):
            model = cls(2).eval()
            model.encoder, model.decoder = StubEncoder(), StubDecoder()
            found.append((model, False))
    cls = space.get("VAE")
    if inspect.isclass(cls):
        with contextlib.suppress(Exception):
            model = build(cls, 784, 2, 4, flatten=True, sigmoid=True).eval()
            used: list = []

            def decode_stub(z, noise=True):
                used.append(bool(noise))
                return StubDecoder()(z).reshape(-1, 784)

            encoder = StubEncoder()
            model.decode, model.encode_latent, model.noise_used = decode_stub, encoder.forward, used
            model.encoder = StubEncoder(4)
            found.append((model, True))
    return found


def flexible_call(function, model, vae: bool, *args, **kwargs):
    names = inspect.signature(function).parameters
    given = {k: v for k, v in kwargs.items() if k in names}
    if "vae" in names:
        given["vae"] = vae
    plt.close("all")
    plt.figure(figsize=(8, 4))
    with torch.no_grad():
        function(model, *args, **given)


def tiles(columns: int, rows: int) -> dict:
    """The drawn picture cut into its images: the known blocks of each, row by row from the top of the screen."""
    images = [im for ax in plt.gcf().axes for im in ax.get_images()]
    arrays = [np.asarray(im.get_array(), dtype=float) for im in images]
    arrays = [a[..., 0] if a.ndim == 3 else a for a in arrays]
    # as it stands on the screen, whichever end the array begins at
    arrays = [a[::-1] if im.origin == "lower" else a for a, im in zip(arrays, images, strict=True)]
    whole = [i for i, a in enumerate(arrays) if a.shape == (28 * rows, 28 * columns)]
    note = {"count": len(arrays), "shapes": [list(a.shape) for a in arrays[:4]]}
    if whole:
        index = whole[-1]
        note |= {"extent": [float(e) for e in images[index].get_extent()]}
        note["cells"] = [
            [blocks(arrays[index][28 * r : 28 * r + 28, 28 * c : 28 * c + 28]) for c in range(columns)]
            for r in range(rows)
        ]
    elif len(arrays) == rows * columns and all(a.shape == (28, 28) for a in arrays):
        note["cells"] = [[blocks(arrays[r * columns + c]) for c in range(columns)] for r in range(rows)]
        note["separate"] = True
    return note


def blocks(image) -> list:
    return [round(float(image[where].mean()), 5) for where in BLOCKS.values()]


def probe_grid(function, space) -> list:
    found = []
    for model, vae in stub_image_models(space):
        with contextlib.suppress(Exception):
            side = (-3.0, 3.0) if vae else (-5.0, 5.0)
            flexible_call(function, model, vae, r0=side, r1=(side[0], side[1] - 1), n=6, plot_idx=0)
            found.append(tiles(6, 6) | {"vae": vae, "r0": side, "r1": [side[0], side[1] - 1], "noise": noise(model)})
    return found


def noise(model) -> list:
    return list(getattr(model, "noise_used", []))[:3]


def probe_interpolation(function, space) -> list:
    found = []
    x_1, x_2 = torch.rand(1, 28, 28) * 0.1, torch.rand(1, 28, 28) * 0.1
    for x, (left, right) in ((x_1, (0.25, 0.65)), (x_2, (0.85, 0.35))):
        x[0, 3:12, 3:12], x[0, 3:12, 16:25] = left, right
    ends = [plain(StubEncoder()(x)[0]) for x in (x_1, x_2)]
    for model, vae in stub_image_models(space):
        for shape in ((1, 28, 28), (1, 1, 28, 28)):
            with contextlib.suppress(Exception):
                flexible_call(function, model, vae, x_1.reshape(shape), x_2.reshape(shape), n=9, plot_idx=0)
                found.append(tiles(9, 1) | {"vae": vae, "ends": ends, "noise": noise(model)})
                break
    return found


def probe_latent_plot(function, space) -> list:
    found = []
    x, y = torch.rand(192, 1, 28, 28), torch.randint(0, 10, (192,))
    levels = torch.rand(192, 2)
    x[:, 0, 3:12, 3:12], x[:, 0, 3:12, 16:25] = levels[:, :1, None], levels[:, 1:, None]
    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=64)
    codes = StubEncoder()(x)
    for model, vae in stub_image_models(space):
        with contextlib.suppress(Exception):
            flexible_call(function, model, vae, data, num_batches=3, plot_idx=0)
            drawn = []
            for ax in plt.gcf().axes:
                for collection in ax.collections:
                    array = collection.get_array()
                    offsets = np.asarray(collection.get_offsets())[:300]
                    colours = None if array is None else plain(np.asarray(array)[:300])
                    drawn.append([plain(offsets, 4), colours])
            found.append({"drawn": drawn[:24], "codes": plain(codes, 4), "labels": y.tolist(), "vae": vae})
    return found


def probe_parts(space) -> dict:
    """Encoder, Decoder, Autoencoder of part B."""
    result = {}
    with contextlib.suppress(Exception), torch.no_grad():
        encoder = perturb(space["Encoder"](2), 2.0)
        a, b = torch.randn(1, 1, 28, 28), torch.randn(1, 1, 28, 28)
        f = [encoder(t) for t in (a, b, a + b, torch.zeros_like(a))]
        superposition = float((f[0] + f[1] - f[2] - f[3]).abs().max() / f[2].abs().max().clamp_min(1e-9))
        result["encoder"] = {"shape": list(encoder(torch.rand(5, 1, 28, 28)).shape), "nonlinear": superposition}
        result["encoder"]["negative"] = float(encoder(torch.randn(200, 1, 28, 28)).min())
        result["encoder"]["repeatable"] = bool(torch.equal(encoder(a), encoder(a)))
        result["encoder"]["largest"] = float(encoder(100 * torch.randn(200, 1, 28, 28)).abs().max())
    with contextlib.suppress(Exception), torch.no_grad():
        decoder = perturb(space["Decoder"](2), 3.0)
        out = decoder(torch.randn(64, 2) * 2)
        result["decoder"] = {"shape": list(out.shape), "low": float(out.min()), "high": float(out.max())}
        decoder, (a, b) = perturb(decoder), torch.randn(2, 1, 2)
        f = [torch.logit(decoder(t).double(), 1e-9) for t in (a, b, a + b, torch.zeros_like(a))]
        result["decoder"]["nonlinear"] = float((f[0] + f[1] - f[2] - f[3]).abs().max() / f[2].abs().max())
    with contextlib.suppress(Exception), torch.no_grad():
        model = perturb(space["Autoencoder"](2))
        out = model(torch.rand(5, 1, 28, 28))
        result["autoencoder"] = [list(t.shape) for t in out] if isinstance(out, tuple | list) else [list(out.shape)]
    return result


# ---------------------------------------------------------------- the other assignments


class Fixed(nn.Module):
    """A model that returns what it is told: the loss alone is tried."""

    def __init__(self, *out) -> None:
        super().__init__()
        self.out = out
        self.p = nn.Parameter(torch.zeros(()))

    def forward(self, x):
        return self.out


def probe_reparameterize(cls) -> dict:
    model = cls()
    mu, logvar = torch.tensor([[3.0, -1.0]]).expand(REPEATS, 2), torch.tensor([[0.0, 2 * np.log(2)]]).expand(REPEATS, 2)
    m, s = mu.clone().float().requires_grad_(), logvar.clone().float().requires_grad_()
    z = model.reparameterize(m, s)
    grads = torch.autograd.grad(z.sum(), (m, s), allow_unused=True) if z.requires_grad else (None, None)
    c = (z - z.mean(0)) / z.std(0).clamp_min(1e-12)
    expected = 0.5 * (z - m).detach()
    return {
        "mean": plain(z.mean(0)), "std": plain(z.std(0)), "kurtosis": plain((c**4).mean(0)),
        "corr": float((c[:, 0] * c[:, 1]).mean()),
        "between": float((model.reparameterize(m[:8], s[:8]) - model.reparameterize(m[:8], s[:8])).abs().max()),
        "grad_mu": None if grads[0] is None else plain(grads[0].mean(0)),
        "grad_logvar": None if grads[1] is None else float((grads[1] - expected).abs().max()),
    }  # fmt: skip


def probe_losses(space) -> dict:
    x, recon = torch.rand(6, 2), torch.rand(6, 2) * 0.8 + 0.1
    mu, logvar = torch.randn(6, 4), torch.randn(6, 4)
    result = {"x": plain(x), "recon": plain(recon), "mu": plain(mu), "logvar": plain(logvar), "values": {}}
    for beta in (0.0, 1.0, 3.0):
        if "compute_vae_loss" in space:
            value = space["compute_vae_loss"](Fixed(recon, mu, logvar), x, beta)
        else:
            value = space["vae_loss"](recon, x, mu, logvar, beta)
        result["values"][f"{beta:g}"] = scalar(value)
    return result


def probe_fashion(space) -> dict:
    result = {}
    for name in ("boot_direction", "z_result", "z_ankle_boot_avg", "z_sneaker_avg", "z_sandal_avg"):
        if isinstance(space.get(name), torch.Tensor):
            result[name] = plain(space[name].reshape(-1)[:64], 6)
    grid, model = space.get("decoded_grid"), space.get("model")
    with contextlib.suppress(Exception), torch.no_grad():
        images = np.asarray(grid, dtype=np.float32).reshape(10, 10, 28, 28)
        side = torch.linspace(-3, 3, 10)
        z = torch.zeros(10, 10, model.latent_dim)
        z[..., 0], z[..., 1] = side[None, :], side.flip(0)[:, None]
        right = model.decode(z.reshape(100, -1)).reshape(10, 10, 28, 28).numpy()
        turned = {"right": right, "flipped": right[::-1], "swapped": right.transpose(1, 0, 2, 3)}
        turned["mirrored"] = right[:, ::-1]
        result["grid"] = {name: float(np.abs(images - other).mean()) for name, other in turned.items()}
        result["grid"]["spread"] = float(images.std(axis=(0, 1)).mean())
    with contextlib.suppress(Exception), torch.no_grad():
        from torchvision import datasets

        test = datasets.FashionMNIST(DATA, train=False)
        codes = model.encode(test.data[:, None].float() / 255)[0]
        result["class_codes"] = [plain(codes[test.targets == k].mean(0), 5) for k in range(10)]
    with contextlib.suppress(Exception), torch.no_grad():
        result["strips"] = probe_strips(space, model)
    return result


def probe_strips(space, model) -> dict:
    """How far the walk's ends and middle are from the decoded codes, and from the blended images."""
    pixels, walk = (torch.stack([torch.as_tensor(i).reshape(784) for i in space[n]]).float()
                    for n in ("pixel_interp", "latent_interp"))  # fmt: skip
    first, last = (space[n].reshape(784).float() for n in ("image_A", "image_B"))
    decoded = [model.decode(space[n].reshape(1, -1)).reshape(784) for n in ("z_A", "z_B")]
    t = torch.linspace(0, 1, len(walk))[:, None]
    codes = (1 - t) * space["z_A"].reshape(1, -1) + t * space["z_B"].reshape(1, -1)

    def off(a, b) -> float:
        return float((a - b).abs().mean())

    blend, straight = (1 - t) * first + t * last, model.decode(codes).reshape(len(walk), 784)
    return {
        "start": off(walk[0], decoded[0]), "end": off(walk[-1], decoded[1]), "swapped": off(walk[0], decoded[1]),
        "walk": off(walk, straight), "walk_blended": off(walk, blend), "scale": off(straight, blend),
        "pixels": off(pixels, blend) if len(pixels) == len(walk) else None, "apart": off(decoded[0], decoded[1]),
    }  # fmt: skip


def probe_data(space) -> dict:
    points = np.asarray(space["X_true"], dtype=float)
    flat = points.reshape(len(points), -1)
    return {"shape": list(points.shape), "mean": plain(flat.mean(0)), "covariance": plain(np.cov(flat.T))}


def conv_models(space) -> list:
    """Trained ones as the notebook has them, then a new one; in evaluation mode."""
    found = [copy.deepcopy(m).eval() for m in space.values() if isinstance(m, nn.Module) and hasattr(m, "encode")]
    for versions in VERSIONS.values():
        if inspect.isclass(versions[-1]) and issubclass(versions[-1], nn.Module) and hasattr(versions[-1], "encode"):
            with contextlib.suppress(Exception):
                found.append(perturb(versions[-1]()))
    return found


def by_name(function, model, x) -> tuple:
    """Arguments as their names ask for them: a model, images, or what the model makes of images."""
    given, out = [], None
    for name, p in inspect.signature(function).parameters.items():
        low = name.lower()
        if low in ("model", "vae", "net", "network"):
            given.append(model)
        elif low in ("x", "batch", "images", "imgs", "data", "inputs", "x_true", "target"):
            given.append(x)
        elif p.default is not p.empty or p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
            break
        else:
            out = list(model(x)) if out is None else out
            flat = [t for t in out if t.ndim == 2 and t.shape[1] != 784]
            images = [t for t in out if t[0].numel() == 784]
            wanted = images[0] if "rec" in low or "hat" in low or "logit" in low else flat["var" in low or "std" in low]
            given.append(wanted)
    return tuple(given)


def probe_elbo(space) -> dict:
    """calc_elbo on eight black and white images, eight times; and what the model's parts give for the same."""
    x = (torch.rand(8, 1, 28, 28) < torch.linspace(0.05, 0.6, 8)[:, None, None, None]).float()
    for model in conv_models(space):
        function = first_named("calc_elbo") or getattr(model, "calc_elbo", None)
        if function is None:
            raise TypeError("there is no calc_elbo")
        with contextlib.suppress(Exception), torch.no_grad():
            rows, names = [], []
            for _ in range(8):
                out = function(*by_name(function, model, x))
                names = list(getattr(out, "_fields", out.keys() if isinstance(out, dict) else []))
                out = out.values() if isinstance(out, dict) else out if isinstance(out, tuple | list) else [out]
                rows.append([scalar(t) for t in out if torch.as_tensor(t).numel() in (1, len(x))])
            mu, logvar = model.encode(x)
            decoded = [model.decode(mu + torch.exp(logvar / 2) * torch.randn_like(mu)) for _ in range(8)]
            return {
                "values": plain(rows, 5), "names": names, "mu": plain(mu), "logvar": plain(logvar),
                "x": plain(x.reshape(8, -1), 0), "decoded": plain(torch.stack(decoded).reshape(8, 8, -1), 4),
            }  # fmt: skip
    raise TypeError("calc_elbo could not be called with a model and images")


def probe_images(space) -> dict:
    """Samples beside decoded draws of the prior, as mean, spread and range over pixels."""

    def moments(t) -> list:
        t = t.reshape(len(t), -1).float()
        return [float(t.mean()), float(t.std(0).mean()), float(t.min()), float(t.max()), float(t[0].numel())]

    for model in conv_models(space):
        function = first_named("sample") or getattr(model, "sample", None)
        if function is None:
            raise TypeError("there is no sample")
        latents = model.encode(torch.rand(2, 1, 28, 28))[0].shape[-1]
        direct = model.decode(torch.randn(400, latents)).reshape(400, -1)
        if direct.min() < 0 or direct.max() > 1:
            direct = torch.sigmoid(direct)
        for arguments in ((model, 400), (400,), (400, model)):
            with contextlib.suppress(Exception), torch.no_grad():
                drawn = function(*arguments)
                drawn = drawn[0] if isinstance(drawn, tuple | list) else drawn
                return {"count": len(drawn), "drawn": moments(drawn), "direct": moments(direct),
                        "binary": bool(((drawn == 0) | (drawn == 1)).all())}  # fmt: skip
    raise TypeError("sample could not be called with a model and a number")


# ---------------------------------------------------------------- everything


def attempt(name: str, function, *args) -> None:
    """One failing probe is one answer less; the text of its error is the evidence."""
    torch.manual_seed(JOB["seed"])
    np.random.seed(JOB["seed"] % 2**31)
    try:
        answers["probes"][name] = function(*args)
    except Exception as error:
        answers["probes"][name] = {"error": f"{type(error).__name__}: {error}"[:300]}
    finally:
        plt.close("all")


def find_vae(space) -> list:
    if VERSIONS.get("VAE"):
        return VERSIONS["VAE"][-3:]
    found = []
    for versions in VERSIONS.values():
        cls = versions[-1]
        if inspect.isclass(cls) and issubclass(cls, nn.Module):
            with contextlib.suppress(Exception):
                five(build(cls, 3, 2, 8), torch.randn(4, 3))
                found.append(cls)
    return found[-2:]


def first_named(*names):
    return next((VERSIONS[name][-1] for name in names if name in VERSIONS), None)


def probe_a1(space) -> None:
    classes = find_vae(space)
    answers["versions"]["VAE"] = len(classes)
    for number, cls in enumerate(reversed(classes)):
        suffix = "" if number == 0 else f"@{number}"
        attempt(f"vae{suffix}", lambda c=cls: [probe_vae_case(lambda: build(c, 3, 5, 12)) for _ in range(3)])
        attempt(f"flat{suffix}", probe_flat, cls)
    if classes:
        space = dict(space) | {"VAE": classes[-1]}
    parts = {"train_vae": probe_train_vae, "train_ae": probe_train_ae}
    for name, probe in parts.items():
        function = first_named(name)
        if function is not None:
            attempt(name, probe, function)
    attempt("parts", probe_parts, space)
    plots = {"plot_latent2D": probe_latent_plot, "plot_reconstructed": probe_grid, "interpolate": probe_interpolation}
    for name, probe in plots.items():
        function = first_named(name)
        if function is not None:
            attempt(name, probe, function, space)


def probe_other(space) -> None:
    cls = first_named("VAE")
    if cls is not None and hasattr(cls, "reparameterize"):
        attempt("reparameterize", probe_reparameterize, cls)
    if first_named("compute_vae_loss", "vae_loss") is not None:
        attempt("losses", probe_losses, space)
    own = {
        "a2": {"data": probe_data},
        "a4": {"elbo": probe_elbo, "sample": probe_images},
        "a5": {"fashion": probe_fashion},
    }
    for name, probe in own.get(JOB["assignment"], {}).items():
        attempt(name, probe, space)


def rows_of(points) -> np.ndarray:
    return np.ascontiguousarray(np.asarray(points), dtype=np.float32).view(np.int64).ravel()


def summarize_rows(space) -> dict:
    """Per model and data set: how many of its points were trained on, of its test points trained on, and evaluated.

    The sets come from the submission's own copy of the functions that it was handed; test points are the last ones.
    """
    sets = {}
    for name, count in (("sample_data_1", 5000), ("sample_data_2", 5000), ("sample_data_3", 20_000)):
        with contextlib.suppress(Exception):
            points = space[name]()
            rows = rows_of(points[0] if isinstance(points, tuple) else points)
            sets[name[-1]] = rows, rows[-count:]
    result = {}
    for name in list(dict.fromkeys([*WATCH.rows_trained, *WATCH.rows_seen]))[:50]:
        trained, seen = (
            np.unique(np.concatenate(kept.get(name, [np.empty(0, np.int64)])))
            for kept in (WATCH.rows_trained, WATCH.rows_seen)
        )
        result[name] = {"trained": len(trained), "seen": len(seen), "sets": {
            k: {"trained": int(np.isin(trained, rows).sum()), "trained_test": int(np.isin(trained, last).sum()),
                "seen_test": int(np.isin(seen, last).sum())} for k, (rows, last) in sets.items()
        }}  # fmt: skip
    return result


def main() -> None:
    builtins.input = lambda *a: ""
    install_watch()
    space = execute()
    WATCH.end()
    answers["rows"], answers["tagged"] = summarize_rows(space), WATCH.tagged
    (probe_a1 if JOB["assignment"] == "a1" else probe_other)(space)
    answers["names"] = sorted(VERSIONS)[:200]
    sys.stdout.flush()
    payload = json.dumps(answers).encode()
    while payload:
        payload = payload[os.write(RESULT, payload) :]
    os._exit(0)  # threads that a notebook left behind must not keep this process alive


if __name__ == "__main__":
    main()
