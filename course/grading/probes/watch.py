"""Watch a notebook train, own loops included: losses, stale gradients, rows and images that were trained on.

Trained on is what a gradient has flowed back to: many evaluate without ``no_grad``, and that is no mistake.
"""

import contextlib
import functools
import inspect
import itertools
import random
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from .deeds import Deeds, tensors_in
from .reconstructing import reconstruct
from .trail import Trail


def plain(value: Any, digits: int = 7) -> Any:
    """Return tensors and arrays as nested lists of floats."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().double().numpy()
    return np.round(np.asarray(value, dtype=np.float64), digits).tolist()


PLOTS = ("plot_latent2D", "plot_reconstructed", "interpolate")
TRAINING_AND_PLOTS = ("train_vae", "train_ae", "train", *PLOTS)
PIXELS, MOST_CHANNELS = 784, 3
MOST_CALLS, MOST_LOSSES, MOST_ROWS, MOST_UNDECIDED, MOST_MODELS, MOST_TITLE = 200, 20_000, 300_000, 20, 50, 200
MARK, MOST_MARK = 1e-4, 0.1  # difference of a marked corner from its neighbour; at most, as a share of all grey tones
MOST_KEPT, KEPT_OF_BATCH, MOST_CLASSES = 256, 4, 8  # images that a model was trained on: in all, of a batch; models
OPTIMIZERS = frozenset(value for value in vars(torch.optim).values() if inspect.isclass(value))
INTERIOR = slice(4, 24)  # rows and columns of an image by which it is known again


class Entered(NamedTuple):
    """What went into an outermost module: points of the plane, or images of which some bear the test set's mark."""

    module: str
    rows: np.ndarray | None  # a point as one integer
    marked: int = 0
    images: int = 0
    some: np.ndarray | None = None  # a few of the images, their interiors


class Watch:
    """The records of one run."""

    ACTS = ("reconstruct",)

    def __init__(self) -> None:
        self.cell = 0
        self.deeds = Deeds()
        self.trainings: list[dict[str, Any]] = []  # what the optimizers did, for the grader
        self.starts: dict[str, list[tuple[nn.Parameter, torch.Tensor]]] = {}  # by optimizer: parameters as they were
        self.steps: dict[str, int] = {}  # with a gradient that came from data
        self.trail = Trail()
        self.fed: set[int] = set()  # parameters of models through which a gradient flowed from data, since their step
        self.kept: dict[str, list[np.ndarray]] = {}  # per module class: some images that it was trained on
        self.random = random.SystemRandom()  # the notebook's own random numbers stay as they are
        self.points: dict[str, np.ndarray] = {}  # by module: some rows that it was trained on
        self.seen: dict[int, nn.Module] = {}  # outermost modules
        self.trained: list[tuple[list[nn.Module], list[tuple[nn.Parameter, torch.Tensor]]]] = []
        self.calls: list[dict[str, Any]] = []
        self.optimizers: dict[str, dict[str, Any]] = {}
        self.rows_trained: dict[str, list[np.ndarray]] = {}
        self.rows_evaluated: dict[str, list[np.ndarray]] = {}
        self.tagged: dict[str, list[int]] = {}  # per module class: [test images trained on, images trained on]
        self.pending: list[float] = []
        self.undecided: dict[int, Entered] = {}
        self.current: Entered | None = None
        self.outermost: nn.Module | None = None
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
            "object": id(owner), "number": number, "elsewhere": not self.trail.leads_to(p for p, _ in start),
        }  # fmt: skip
        measured = [owner] if owner is not None else outermost_of(modules, mine)
        if measured:
            record["model"] = len(self.trained)
            self.trained.append((measured, start))
        if owner is not None:
            record["rows"] = self.rows_of_class(type(owner).__name__, id(owner))
        return record

    def rows_of_class(self, name: str, number: int) -> int:
        """Return how many rows went into a model with a gradient: of points, or of images."""
        points = sum(map(len, self.rows_trained.get(f"{name} {number}", [])))
        return points or self.tagged.get(name, [0, 0])[1]

    def reconstruct(self, model: int, x: torch.Tensor, before: bool) -> torch.Tensor:
        """Return what a trained model makes of inputs, with its parameters as they are or as they were before."""
        modules, start = self.trained[model]
        now = [(p, p.detach().clone()) for p, _ in start]
        modes = [module.training for module in modules]
        try:
            with torch.no_grad():
                for p, value in start if before else []:
                    p.copy_(value)
                for module in modules:
                    module.eval()
                return reconstruct(modules, x)
        finally:
            for module, mode in zip(modules, modes, strict=True):
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
            self.outermost = module
            self.current = self.entered(module, inputs)
        elif self.on and self.current is None and self.outermost is not None:
            # the outermost got it by a keyword, or in a form that it turned into an image itself
            self.current = self.entered(self.outermost, inputs)

    def leave(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        """After it: wait until a gradient flows back through one of its outputs, for a while."""
        if self.on:
            self.deeds.note(f"{type(module).__name__} {id(module)}", inputs, output)
        self.depth = max(self.depth - 1, 0)
        if self.depth or self.current is None:
            return
        note, self.current, outermost = self.current, None, self.outermost
        tensors = [t for t in tensors_in(output, scalars=True) if t.requires_grad]
        if not tensors:
            self.record_rows(note, trained=False)
            return
        self.undecided[id(note)] = note
        for tensor in tensors:
            tensor.register_hook(lambda _, note=note: self.flow(note, outermost))
        while len(self.undecided) > MOST_UNDECIDED:
            self.record_rows(self.undecided.pop(next(iter(self.undecided))), trained=False)

    def flow(self, note: Entered, module: nn.Module | None) -> None:
        """A gradient came back: the model was trained on what had entered it, if its optimizer makes a step of it."""
        if module is not None and self.undecided.pop(id(note), None) is not None:
            self.record_rows(note, trained=True)
            self.fed.update(map(id, module.parameters()))

    def record_rows(self, note: Entered, *, trained: bool) -> None:
        if note.rows is None:
            if trained:
                count = self.tagged.setdefault(note.module, [0, 0])
                self.keep(note, count[1])
                count[0] += note.marked
                count[1] += note.images
            return
        parts = (self.rows_trained if trained else self.rows_evaluated).setdefault(note.module, [])
        parts.append(note.rows)
        if sum(map(len, parts)) > MOST_ROWS:
            parts[:] = [np.unique(np.concatenate(parts))]

    def keep(self, note: Entered, before: int) -> None:
        """Keep a few of the images that a model is trained on, each of all with the same chance."""
        if note.some is None or (note.module not in self.kept and len(self.kept) >= MOST_CLASSES):
            return
        kept = self.kept.setdefault(note.module, [])
        for image in note.some:
            if len(kept) < MOST_KEPT:
                kept.append(image)
            elif self.random.randrange(before + note.images) < MOST_KEPT * note.images / len(note.some):
                kept[self.random.randrange(MOST_KEPT)] = image

    def entered(self, module: nn.Module, inputs: tuple[Any, ...]) -> Entered | None:
        """Return what entered a module, where it is a batch of points or of images."""
        x = inputs[0] if inputs else None
        if not isinstance(x, torch.Tensor) or not x.is_floating_point() or x.ndim < 2 or not len(x) or x.requires_grad:
            return None  # what needs a gradient is no data
        name = type(module).__name__
        if x.ndim == 2 and x.shape[1] == 2:
            rows = x.detach().float().contiguous().cpu().numpy().view(np.int64).ravel().copy()
            return Entered(f"{name} {id(module)}", rows)
        images = images_of(x.detach())
        if images is None:
            return None
        places = self.random.sample(range(len(images)), min(len(images), KEPT_OF_BATCH))
        some = images[places][:, INTERIOR, INTERIOR].reshape(len(places), -1).cpu().float().numpy()
        return Entered(name, None, marked_of(images), len(images), some)

    # ------------------------------------------------------------ what an optimizer does

    def remember(self, optimizer: torch.optim.Optimizer) -> None:
        """Before a step: note whose parameters these are."""
        if optimizer not in self.numbers:
            self.numbers[optimizer] = str(next(self.count))
            if self.on and len(self.starts) < MOST_MODELS:
                self.starts[self.numbers[optimizer]] = [(p, p.detach().clone()) for p in parameters_of(optimizer)]
                self.trail.begin(parameters_of(optimizer))
        for parameter in parameters_of(optimizer):
            self.parameters[id(parameter)] = parameter
            self.owners[id(parameter)] = self.numbers[optimizer]

    def step(self, optimizer: torch.optim.Optimizer) -> None:
        """After a step: its loss, and that the gradients are used."""
        if not self.on:
            return
        number, mine = self.numbers[optimizer], parameters_of(optimizer)
        self.deeds.step(number)
        self.trail.note(mine)
        fed = any(id(p) in self.fed and p.grad is not None and bool(p.grad.any()) for p in mine)
        self.steps[number] = self.steps.get(number, 0) + (fed and type(optimizer) in OPTIMIZERS)
        self.fed.difference_update(map(id, mine))
        record = self.optimizers.setdefault(number, {"losses": [], "stale": 0, "cell": self.cell})
        if self.pending and len(record["losses"]) < MOST_LOSSES:
            record["losses"].append(self.pending[-1])
        self.pending.clear()
        self.depth = 0  # a forward that failed never left
        self.consumed.update(map(id, mine))

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


def outermost_of(modules: list[nn.Module], mine: set[int]) -> list[nn.Module]:
    """Return the models that an optimizer's parameters are spread over, and none that is a part of another."""
    having = list({id(m): m for m in modules if any(id(p) in mine for p in m.parameters())}.values())
    inner: set[int] = set()
    for module in having:
        inner.update(id(m) for m in module.modules() if m is not module)
    return [m for m in having if id(m) not in inner]


def marked_of(images: torch.Tensor) -> int:
    """Return how many images have the faint mark: a corner that differs a little from its neighbour.

    Where black and white pixels were drawn, the two differ by much, or not at all.
    """
    off = (images[:, 0, 0] - images[:, 0, 1]).abs()
    some, off = images[off > MARK].flatten(1), off[off > MARK]
    return int((off < MOST_MARK * (some.amax(1) - some.amin(1))).sum()) if len(off) else 0


def images_of(x: torch.Tensor) -> torch.Tensor | None:
    """Return a batch as images, (count, 28, 28): flat ones, of several channels, in a margin of 2 pixels, too."""
    if x[0].numel() == PIXELS:
        return x.reshape(len(x), 28, 28)
    if x.ndim == 4 and x.shape[1] <= MOST_CHANNELS and x.shape[-2:] in ((28, 28), (32, 32)):
        first = x[:, 0]
        return first if first.shape[-1] == 28 else first[:, 2:30, 2:30]
    return None


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
