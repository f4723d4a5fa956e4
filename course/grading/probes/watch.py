"""Watch a notebook train, own loops included: losses, stale gradients, rows and images that were trained on.

Trained on is what a gradient has flowed back to: many evaluate without ``no_grad``, and that is no mistake.
"""

import contextlib
import functools
import inspect
import itertools
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from .deeds import Deeds


def plain(value: Any, digits: int = 7) -> Any:
    """Return tensors and arrays as nested lists of floats."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().double().numpy()
    return np.round(np.asarray(value, dtype=np.float64), digits).tolist()


PLOTS = ("plot_latent2D", "plot_reconstructed", "interpolate")
TRAINING_AND_PLOTS = ("train_vae", "train_ae", "train", *PLOTS)
PIXELS = 784
MOST_CALLS, MOST_LOSSES, MOST_ROWS, MOST_UNDECIDED, MOST_MODELS, MOST_TITLE = 200, 20_000, 300_000, 20, 50, 200
MARK = 1e-4  # least difference of a marked corner from its neighbour


class Entered(NamedTuple):
    """What went into an outermost module: points of the plane, or images of which some bear the test set's mark."""

    module: str
    rows: np.ndarray | None  # a point as one integer
    marked: int = 0
    images: int = 0


class Watch:
    """The records of one run."""

    ACTS = ("reconstruct",)

    def __init__(self) -> None:
        self.cell = 0
        self.deeds = Deeds()
        self.trainings: list[dict[str, Any]] = []  # what the optimizers did, for the grader
        self.starts: dict[str, list[tuple[nn.Parameter, torch.Tensor]]] = {}  # by optimizer: parameters as they were
        self.steps: dict[str, int] = {}
        self.points: dict[str, np.ndarray] = {}  # by module: some rows that it was trained on
        self.seen: dict[int, nn.Module] = {}  # outermost modules
        self.trained: list[tuple[nn.Module, list[tuple[nn.Parameter, torch.Tensor]]]] = []
        self.calls: list[dict[str, Any]] = []
        self.optimizers: dict[str, dict[str, Any]] = {}
        self.rows_trained: dict[str, list[np.ndarray]] = {}
        self.rows_evaluated: dict[str, list[np.ndarray]] = {}
        self.tagged: dict[str, list[int]] = {}  # per module class: [test images trained on, images trained on]
        self.pending: list[float] = []
        self.undecided: dict[int, Entered] = {}
        self.current: Entered | None = None
        self.depth = 0
        self.on = True
        # an optimizer that is gone may leave its id to the next one, so each has a number of its own
        self.numbers: weakref.WeakKeyDictionary[torch.optim.Optimizer, str] = weakref.WeakKeyDictionary()
        self.count = itertools.count()
        self.parameters: dict[int, nn.Parameter] = {}
        self.owners: dict[int, str] = {}  # of parameters: their optimizer
        self.consumed: set[int] = set()  # parameters whose gradient a step has used

    def install(self) -> None:
        """Hook into modules, optimizers and ``backward``."""
        self.deeds.install(lambda: self.cell)
        register_optimizer_step_pre_hook(lambda optimizer, *_: self.remember(optimizer))
        register_optimizer_step_post_hook(lambda optimizer, *_: self.step(optimizer))
        nn.modules.module.register_module_forward_pre_hook(self.enter)
        nn.modules.module.register_module_forward_hook(self.leave)
        plain_backward = torch.Tensor.backward

        def backward(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> None:
            if self.on:
                self.backward(tensor)
            plain_backward(tensor, *args, **kwargs)

        torch.Tensor.backward = backward  # type: ignore[method-assign]

    def end(self, space: dict[str, Any]) -> None:
        """Stop watching; what is undecided was not trained on. Sum up what was trained."""
        for note in self.undecided.values():
            self.record_rows(note, trained=False)
        self.undecided.clear()
        self.on = self.deeds.on = False
        modules = [*modules_in(space), *self.seen.values()]
        for number, start in list(self.starts.items())[:MOST_MODELS]:
            self.trainings.append(self.training(number, start, modules))

    def training(
        self, number: str, start: list[tuple[nn.Parameter, torch.Tensor]], modules: list[nn.Module]
    ) -> dict[str, Any]:
        """Sum up what one optimizer did: to which model, in how many steps, and how far its parameters moved."""
        mine = {id(p) for p, _ in start}
        owners = [m for m in modules if mine <= {id(p) for p in m.parameters()}]
        owner = max(owners, key=lambda m: sum(1 for _ in m.modules()), default=None)
        moved = [float((p.detach() - before).norm() / before.norm().clamp_min(1e-12)) for p, before in start]
        record: dict[str, Any] = {
            "class": type(owner).__name__[:80] if owner is not None else "", "steps": self.steps.get(number, 0),
            "moved": max(moved, default=0.0), "cell": self.optimizers.get(number, {}).get("cell", 0), "model": None,
            "object": id(owner), "number": number,
        }  # fmt: skip
        if owner is not None:
            record["model"] = len(self.trained)
            self.trained.append((owner, start))
            record["rows"] = self.rows_of_class(type(owner).__name__, id(owner))
        return record

    def rows_of_class(self, name: str, number: int) -> int:
        """Return how many rows went into a model with a gradient: of points, or of images."""
        points = sum(map(len, self.rows_trained.get(f"{name} {number}", [])))
        return points or self.tagged.get(name, [0, 0])[1]

    def reconstruct(self, model: int, x: torch.Tensor, before: bool) -> torch.Tensor:
        """Return what a trained model makes of inputs, with its parameters as they are or as they were before."""
        module, start = self.trained[model]
        now = [(p, p.detach().clone()) for p, _ in start]
        mode = module.training
        try:
            with torch.no_grad():
                for p, value in start if before else []:
                    p.copy_(value)
                module.eval()
                return first_like(module, x)
        finally:
            module.train(mode)
            with torch.no_grad():
                for p, value in now:
                    p.copy_(value)

    # ------------------------------------------------------------ what enters a model

    def enter(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        """Before a module's forward: note what goes into the outermost one."""
        self.depth += 1
        if self.on and self.depth == 1:
            if len(self.seen) < MOST_MODELS:
                self.seen[id(module)] = module
            self.current = entered(type(module).__name__, id(module), inputs)

    def leave(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        """After it: wait until a gradient flows back through one of its outputs, for a while."""
        if self.on:
            self.deeds.note(f"{type(module).__name__} {id(module)}", inputs, output)
        self.depth = max(self.depth - 1, 0)
        if self.depth or self.current is None:
            return
        note, self.current = self.current, None
        tensors = [t for t in flat(output) if isinstance(t, torch.Tensor) and t.requires_grad]
        if not tensors:
            self.record_rows(note, trained=False)
            return
        self.undecided[id(note)] = note
        for tensor in tensors:
            tensor.register_hook(lambda _, note=note: self.flow(note))
        while len(self.undecided) > MOST_UNDECIDED:
            self.record_rows(self.undecided.pop(next(iter(self.undecided))), trained=False)

    def flow(self, note: Entered) -> None:
        if self.undecided.pop(id(note), None) is not None:
            self.record_rows(note, trained=True)

    def record_rows(self, note: Entered, *, trained: bool) -> None:
        if note.rows is None:
            if trained:
                count = self.tagged.setdefault(note.module, [0, 0])
                count[0] += note.marked
                count[1] += note.images
            return
        parts = (self.rows_trained if trained else self.rows_evaluated).setdefault(note.module, [])
        parts.append(note.rows)
        if sum(map(len, parts)) > MOST_ROWS:
            parts[:] = [np.unique(np.concatenate(parts))]

    # ------------------------------------------------------------ what an optimizer does

    def remember(self, optimizer: torch.optim.Optimizer) -> None:
        """Before a step: note whose parameters these are."""
        if optimizer not in self.numbers:
            self.numbers[optimizer] = str(next(self.count))
            if self.on and len(self.starts) < MOST_MODELS:
                self.starts[self.numbers[optimizer]] = [(p, p.detach().clone()) for p in parameters_of(optimizer)]
        for parameter in parameters_of(optimizer):
            self.parameters[id(parameter)] = parameter
            self.owners[id(parameter)] = self.numbers[optimizer]

    def step(self, optimizer: torch.optim.Optimizer) -> None:
        """After a step: its loss, and that the gradients are used."""
        if not self.on:
            return
        number = self.numbers[optimizer]
        self.deeds.step(number)
        self.steps[number] = self.steps.get(number, 0) + 1
        record = self.optimizers.setdefault(number, {"losses": [], "stale": 0, "cell": self.cell})
        if self.pending and len(record["losses"]) < MOST_LOSSES:
            record["losses"].append(self.pending[-1])
        self.pending.clear()
        self.depth = 0  # a forward that failed never left
        self.consumed.update(map(id, parameters_of(optimizer)))

    def backward(self, loss: torch.Tensor) -> None:
        """Before ``backward``: its loss, and which gradients it adds to that a step has used already."""
        self.deeds.backward(loss)
        if loss.numel() == 1:
            self.pending.append(float(loss.detach()))
        stale = set()
        for key in self.consumed & self.parameters.keys():
            gradient = self.parameters[key].grad
            if gradient is not None and bool(gradient.any()):
                stale.add(self.owners[key])
        self.consumed.clear()
        for owner in stale & self.optimizers.keys():
            self.optimizers[owner]["stale"] += 1

    # ------------------------------------------------------------ calls of the assignment's functions

    def record(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a function so that its calls are recorded, and whether its training moved anything."""

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            if not self.on or len(self.calls) > MOST_CALLS:
                return function(*args, **kwargs)
            note, model = call_of(function, args, kwargs)
            note["cell"] = self.cell
            if model is not None:
                note["trained"] = any(id(p) in self.owners for p in model.parameters())
            trains = model is not None and function.__name__ not in PLOTS
            before = [p.detach().clone() for p in model.parameters()] if model is not None and trains else []
            value = function(*args, **kwargs)
            if model is not None and trains:
                note["moved"] = any(not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
            self.calls.append(note)
            return value

        return wrapper


def modules_in(space: dict[str, Any]) -> list[nn.Module]:
    """Return the models that a notebook holds by name, in lists, tuples and dicts too, or as another object's part."""
    modules: list[nn.Module] = []
    for value in list(space.values()):
        if isinstance(value, nn.Module):
            modules.append(value)
        elif isinstance(value, list | tuple | dict):
            parts = value.values() if isinstance(value, dict) else value
            for part in itertools.islice(parts, MOST_CALLS):
                inner = part if isinstance(part, list | tuple) else [part]
                modules += [m for m in inner if isinstance(m, nn.Module)]
        elif hasattr(value, "__dict__") and type(value).__module__ == "__main__":
            modules += [m for m in vars(value).values() if isinstance(m, nn.Module)]
    return modules


def first_like(module: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Return the first of a model's outputs that has as many numbers as its input, tried in the shapes that are usual.

    Raises:
        TypeError: there is none.
    """
    shapes = [x.shape] if x.ndim == 2 and x.shape[1] == 2 else [(len(x), 1, 28, 28), (len(x), PIXELS), (len(x), 28, 28)]
    for shape in shapes:
        with contextlib.suppress(Exception):
            out = module(x.reshape(shape))
            values = (
                list(vars(out).values())
                if hasattr(out, "__dict__") and not isinstance(out, torch.Tensor)
                else flat(out)
            )
            for value in values:
                if isinstance(value, torch.Tensor) and value.numel() == x.numel():
                    return value.reshape(len(x), -1).float()
    raise TypeError("its forward gives no reconstruction")


def entered(name: str, number: int, inputs: tuple[Any, ...]) -> Entered | None:
    """Return what entered a module, where it is a batch of points or of images."""
    if not inputs:
        return None
    x = inputs[0]
    if not isinstance(x, torch.Tensor) or not x.is_floating_point() or x.ndim < 2 or not len(x):
        return None
    if x.ndim == 2 and x.shape[1] == 2:
        rows = x.detach().float().contiguous().cpu().numpy().view(np.int64).ravel().copy()
        return Entered(f"{name} {number}", rows)
    if x[0].numel() == PIXELS:
        corner = x.detach().reshape(len(x), -1)[:, :2]  # the mark, and its unmarked neighbour
        marked = (corner[:, 0] - corner[:, 1]).abs() > MARK
        return Entered(name, None, int(marked.sum()), len(x))
    return None


def flat(output: Any) -> list[Any]:
    """Return a module's outputs as a list."""
    if isinstance(output, dict):
        return list(output.values())
    return list(output) if isinstance(output, tuple | list) else [output]


def parameters_of(optimizer: torch.optim.Optimizer) -> list[nn.Parameter]:
    parameters = []
    for group in optimizer.param_groups:
        parameters += group["params"]
    return parameters


def call_of(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[dict[str, Any], nn.Module | None]:
    """Return what a function is called with, and the first model among its arguments."""
    note: dict[str, Any] = {"name": function.__name__}
    model = None
    with contextlib.suppress(TypeError):
        bound = inspect.signature(function).bind(*args, **kwargs)
        bound.apply_defaults()
        for name, value in bound.arguments.items():
            if isinstance(value, nn.Module) and model is None:
                model = value
            else:
                note |= argument(name, value)
    if model is not None:
        note["model"], note["class"] = id(model), type(model).__name__
        note["size"], note["latent"] = (int(getattr(model, f"{n}_size", 0) or 0) for n in ("input", "latent"))
    return note, model


def argument(name: str, value: Any) -> dict[str, Any]:
    """Return an argument where it is a number, a range, a title or an image."""
    if isinstance(value, torch.Tensor):
        return {f"image {name}": plain(value.reshape(-1), 4)} if value.numel() == PIXELS else {}
    if isinstance(value, int | float) and not isinstance(value, bool):
        return {name: float(value)}
    if isinstance(value, str):
        return {name: value[:MOST_TITLE]}
    if isinstance(value, tuple | list) and len(value) == 2 and all(isinstance(v, int | float) for v in value):
        return {name: [float(v) for v in value]}
    return {}


# ---------------------------------------------------------------- whose rows they were

TOY_SETS = {"sample_data_1": 5000, "sample_data_2": 5000, "sample_data_3": 20_000}  # and their test points, the last


def rows_of(points: Any) -> np.ndarray:
    return np.ascontiguousarray(np.asarray(points), dtype=np.float32).view(np.int64).ravel()


def toy_rows(space: dict[str, Any]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return all rows and the test rows of each toy set, from the submission's own copy of its function."""
    sets = {}
    for name, count in TOY_SETS.items():
        with contextlib.suppress(Exception):
            points = space[name]()
            rows = rows_of(points[0] if isinstance(points, tuple) else points)
            sets[name[-1]] = rows, rows[-count:]
    return sets


def summarize_rows(watch: Watch, space: dict[str, Any]) -> dict[str, Any]:
    """Count, per model and toy set, the points trained on, the test points trained on, and those evaluated."""
    sets, result = toy_rows(space), {}
    for name in list(dict.fromkeys([*watch.rows_trained, *watch.rows_evaluated]))[:MOST_MODELS]:
        trained, evaluated = (
            np.unique(np.concatenate(rows.get(name, [np.empty(0, np.int64)])))
            for rows in (watch.rows_trained, watch.rows_evaluated)
        )
        counts = {}
        for key, (rows, last) in sets.items():
            counts[key] = {
                "trained": int(np.isin(trained, rows).sum()), "trained_test": int(np.isin(trained, last).sum()),
                "evaluated_test": int(np.isin(evaluated, last).sum()),
            }  # fmt: skip
        result[name] = {"trained": len(trained), "evaluated": len(evaluated), "sets": counts}
    return result
