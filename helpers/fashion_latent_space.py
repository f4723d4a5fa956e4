"""The latent space of a Fashion-MNIST VAE, explored (notebook 06; assignment "Exploring Latent Spaces").

Reading order: the model and its loss; training it, or loading what was trained before; a small classifier as the
judge of what decoded images show; the exercises; the figures, which return a ``Figure`` and neither show nor save.
"""

import hashlib
import inspect
import json
import math
import os
import uuid
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from helpers.core import gaussian, latent, plots
from helpers.core.data import ImageSet
from helpers.core.gaussian import kl_per_latent, kl_standard_normal
from helpers.core.objective import Terms, beta_objective
from helpers.core.training import Batch, History, Scalars, TensorBatches, evaluate, fit

IMAGE = (1, 28, 28)
LATENT_DIM = 32
CATEGORY_NAMES = [
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
]  # fmt: skip


# ---------------------------------------------------------------- the model and its loss


class VAE(nn.Module):
    """Convolutional VAE of the assignment: image, shape (B, 1, 28, 28), to (mean image, mu, logvar).

    No activation stands between ``decoder_fc`` and the first transposed convolution, so the decoder is an affine
    map, one ReLU, another affine map, and the sigmoid.
    """

    def __init__(self, latent_dim: int = LATENT_DIM) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 32, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
        )
        self.fc_mu = nn.Linear(3136, latent_dim)
        self.fc_logvar = nn.Linear(3136, latent_dim)
        self.decoder_fc = nn.Linear(latent_dim, 3136)
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(64, 32, 3, stride=2, padding=1, output_padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 1, 3, stride=2, padding=1, output_padding=1),
            nn.Sigmoid(),
        )

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """mu and logvar of q(z|x), shape (B, latent_dim) each."""
        if x.dim() != 4 or x.shape[1:] != IMAGE:
            raise ValueError(
                f"encode expected images of shape (B, 1, 28, 28), got {tuple(x.shape)}: "
                "add the missing axes, images[:, None] for the channel"
            )
        hidden = self.encoder(x)
        return self.fc_mu(hidden), self.fc_logvar(hidden)

    def reparameterize(self, mu: Tensor, logvar: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """z = mu + exp(logvar / 2) * eps; see :func:`helpers.core.gaussian.rsample`."""
        return gaussian.reparameterize(mu, logvar, generator)

    def decode_logits(self, z: Tensor) -> Tensor:
        """The decoder without its last layer, for a loss that does not round at 0 and 1."""
        if z.dim() != 2 or z.shape[1] != self.latent_dim:
            raise ValueError(
                f"decode expected codes of shape (B, {self.latent_dim}), got {tuple(z.shape)}: "
                "give a single code its batch axis, z[None]"
            )
        return self.decoder[:-1](self.decoder_fc(z).reshape(-1, 64, 7, 7))

    def decode(self, z: Tensor) -> Tensor:
        """Mean image, in [0, 1], shape (B, 1, 28, 28): never a noisy draw."""
        return self.decoder[-1](self.decode_logits(z))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mu, logvar = self.encode(x)
        return self.decode(self.reparameterize(mu, logvar)), mu, logvar


def vae_loss(recon_x: Tensor, x: Tensor, mu: Tensor, logvar: Tensor, beta: float = 1.0) -> Tensor:
    """Cross-entropy + beta * KL, in nats, summed over pixels, latents *and* the batch, as assigned.

        sum_pixels -(x log p + (1 - x) log(1 - p)) + beta KL(q(z|x) || N(0, I)),   p = recon_x

    Divide by ``len(x)`` for nats per image. Training uses the same two terms, from logits: :func:`vae_terms`.

    Raises:
        ValueError: images of another shape than the reconstructions, or values outside [0, 1].
    """
    if recon_x.shape != x.shape:
        raise ValueError(
            f"vae_loss expected reconstructions and images of one shape, got {tuple(recon_x.shape)} and "
            f"{tuple(x.shape)}: compare each image with its own reconstruction"
        )
    for name, values in (("recon_x", recon_x), ("x", x)):
        if not ((values >= 0) & (values <= 1)).all():
            raise ValueError(
                f"vae_loss expected {name} in [0, 1], got {values.min():.3g} to {values.max():.3g}: "
                "scale images to [0, 1], and pass probabilities, not logits"
            )
    return F.binary_cross_entropy(recon_x, x, reduction="sum") + beta * kl_standard_normal(mu, logvar).sum()


def vae_terms(model: VAE, x: Tensor, generator: torch.Generator | None = None) -> Terms:
    """The two terms of :func:`vae_loss` for each image, shape (B,), from one draw z ~ q(z|x)."""
    mu, logvar = model.encode(x)
    logits = model.decode_logits(model.reparameterize(mu, logvar, generator))
    nll = F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(1)
    return Terms(nll, kl_standard_normal(mu, logvar))


def measure_loss(model: VAE, images: Tensor, seed: int = 0) -> dict[str, float]:
    """Mean ``loss``, ``nll`` and ``kl`` in nats per image, beta = 1; the same draws z ~ q(z|x) on every call."""
    generator = torch.Generator(device=images.device).manual_seed(seed)

    def objective(batch: Batch) -> tuple[Tensor, Scalars]:
        nll, kl = vae_terms(model, batch[0], generator)
        loss = beta_objective(nll, kl, 1.0)
        return loss, {"loss": loss, "nll": nll.mean(), "kl": kl.mean()}

    return evaluate(model, TensorBatches(images, batch_size=1000), objective)


def pixel_entropy(images: Tensor) -> Tensor:
    """What the cross-entropy of each image cannot go below, whatever the decoder says, in nats, shape (B,).

        min_p -(x log p + (1 - x) log(1 - p)) = H(x),   at p = x

    Zero for black and white pixels, ln 2 for a pixel of 0.5.
    """
    return (torch.special.entr(images) + torch.special.entr(1 - images)).flatten(1).sum(1)


# ---------------------------------------------------------------- train, or load what was trained


@dataclass(frozen=True)
class Recipe:
    """Everything that training can be told; the defaults are the assignment's."""

    latent_dim: int = LATENT_DIM
    beta: float = 1.0
    num_epochs: int = 15
    batch_size: int = 128
    lr: float = 1e-3
    seed: int = 42


def train_vae(images: Tensor, recipe: Recipe) -> tuple[VAE, History]:
    """Minimise :func:`vae_loss` per image with Adam, on the device where ``images`` lie.

    The mean over a batch in place of the assignment's sum changes nothing that Adam sees but its epsilon. The
    result depends on ``images`` and ``recipe``, not on what ran before, and leaves torch's random state as it was.
    """
    device = images.device
    with torch.random.fork_rng([torch.cuda.current_device()] if device.type == "cuda" else []):
        torch.manual_seed(recipe.seed)
        model = VAE(recipe.latent_dim).to(device)
        order = torch.Generator().manual_seed(recipe.seed)
        loader = TensorBatches(images, batch_size=recipe.batch_size, shuffle=True, generator=order)

        def objective(batch: Batch) -> tuple[Tensor, Scalars]:
            nll, kl = vae_terms(model, batch[0])
            loss = beta_objective(nll, kl, recipe.beta)
            return loss, {"loss": loss, "nll": nll.mean(), "kl": kl.mean()}

        optimizer = torch.optim.Adam(model.parameters(), lr=recipe.lr, fused=True)
        history = fit(
            model, optimizer, loader, objective,
            num_epochs=recipe.num_epochs, max_norm=math.inf, description=f"VAE, beta = {recipe.beta:g}",
        )  # fmt: skip
    return model.eval(), history


class Trained(NamedTuple):
    model: VAE  # in evaluation mode
    history: History
    from_checkpoint: bool


def load_or_train(
    data: ImageSet,
    recipe: Recipe | None = None,
    *,
    folder: Path | None = None,
    retrain: bool = False,
    train: Callable[[Tensor, Recipe], tuple[VAE, History]] = train_vae,
) -> Trained:
    """The model of ``recipe`` on ``data``'s training images: from its checkpoint where there is a sound one.

    A checkpoint's name is a hash of all it depends on (:func:`checkpoint_key`), so after a change nothing fits and
    training starts anew. A file that is broken, or holds something else than its name says, is trained over.

    Args:
        folder: where checkpoints lie; ``checkpoints`` in the repository where not given.
        retrain: train whatever is there, and replace it.
        train: what trains, :func:`train_vae`.

    Returns:
        The model on the device of ``data``, the same whether it was loaded or trained.
    """
    recipe = Recipe() if recipe is None else recipe
    key = checkpoint_key(data, recipe)
    path = (checkpoints_folder() if folder is None else Path(folder)) / f"fashion_vae_{key}.safetensors"
    if not retrain:
        loaded = _load(path, key, recipe)
        if loaded is not None:
            model, history = loaded
            return Trained(model.to(data.train_x.device).eval(), history, True)
    model, history = train(data.train_x, recipe)
    try:
        _save(path, key, recipe, model, history)
    except OSError as error:  # what was trained is worth more than its checkpoint
        warnings.warn(
            f"the trained VAE could not be kept in {path} ({error.strerror}), so the next run trains again: "
            "free some space there, or make the folder writable",
            stacklevel=2,
        )
    return Trained(model.eval(), history, False)


def checkpoints_folder() -> Path:
    """``checkpoints`` in the repository, which git ignores; where there is none, in the working directory."""
    root = Path(__file__).resolve().parents[1]
    return (root if (root / "pyproject.toml").is_file() else Path.cwd()) / "checkpoints"


def checkpoint_key(data: ImageSet, recipe: Recipe) -> str:
    """A hash of all that training depends on: the recipe, the very images and their origin, the code, and torch.

    The kind of device is left out: it changes the result no more than another CPU would.
    """
    pixels = (data.train_x * 255).round().to(torch.uint8).cpu().contiguous()
    depends_on = {
        "recipe": asdict(recipe),
        "data": [data.title, data.genuine, list(pixels.shape), hashlib.sha256(pixels.numpy()).hexdigest()],
        "code": SOURCES,
        "torch": torch.__version__,
    }
    return hashlib.sha256(json.dumps(depends_on, sort_keys=True).encode()).hexdigest()[:16]


def _save(path: Path, key: str, recipe: Recipe, model: VAE, history: History) -> None:
    """Weights and history in one file, which appears whole or not at all."""
    tensors = {f"model.{name}": value.cpu().contiguous() for name, value in model.state_dict().items()}
    tensors |= {f"history.{name}": torch.from_numpy(values) for name, values in history.train.items()}
    about = {
        "key": key,
        "recipe": json.dumps(asdict(recipe)),
        "steps_per_epoch": str(history.steps_per_epoch),
        "digest": _digest(tensors),
    }
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(save(tensors, about))
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def _load(path: Path, key: str, recipe: Recipe) -> tuple[VAE, History] | None:
    """What :func:`_save` kept, or None where it is missing, damaged or another's."""
    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dictionary)
        if about.get("key") != key or about.get("digest") != _digest(tensors):
            return None
        with torch.random.fork_rng([]):  # the initial weights that are about to be replaced
            model = VAE(recipe.latent_dim)
        model.load_state_dict(_below("model.", tensors))
        kept = {name: values.numpy() for name, values in _below("history.", tensors).items()}
        return model, History(int(about["steps_per_epoch"]), train=kept)
    except (OSError, SafetensorError, KeyError, ValueError, RuntimeError):
        return None


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _digest(tensors: Mapping[str, Tensor]) -> str:
    content = hashlib.sha256()
    for name in sorted(tensors):
        content.update(f"{name} {tensors[name].dtype} {tuple(tensors[name].shape)}".encode())
        content.update(tensors[name].numpy())
    return content.hexdigest()


def _source(part: Callable) -> str:
    """The text of a function or class; where it cannot be had, something that never matches."""
    try:
        return inspect.getsource(part)
    except (OSError, TypeError):
        return uuid.uuid4().hex


# read on import, together with the code that will run, not when a key is asked for: the file may change in between
SOURCES = [
    _source(part)
    for part in (
        VAE, vae_terms, train_vae, beta_objective, fit, TensorBatches,
        gaussian.rsample, gaussian.reparameterize, gaussian.kl_standard_normal, gaussian.kl_per_latent,
    )
]  # fmt: skip
