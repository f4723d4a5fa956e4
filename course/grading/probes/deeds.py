"""Note what a notebook's own code does, whatever it is called: what its losses are made of, what its figures show.

Modules and functions are told by what goes in and comes out: rows of points or images, codes, reconstructions. For
the first steps of each optimizer the parts that a loss could be made of are computed, and the grader, outside, finds
out of which it is made. Of each figure its tiles are looked for among the images that were decoded since the last
step, and its points among the codes.
"""

import contextlib
import functools
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib import pyplot as plt
from torch import nn

PLANE, PIXELS, SIDE = 2, 784, 28
WIDEST_CODE = 128
MOST_STEPS, MOST_PARTS = 24, 240  # of an optimizer; candidates for a part of its loss
LEAST_LOGVAR = math.log(1e-6)  # of a Gaussian in PyTorch's own loss
ENOUGH_STEPS, FITS = 6, 1e-3  # for a fit; what it may leave over, as a share of how much the loss varies
MOST_DECODED, MOST_CODES = 4000, 30_000  # images, and rows of codes, since the last step
MOST_FIGURES, MOST_TILES, MOST_POINTS = 60, 640, 12_000
SAME_TILE, SAME_DRAW = 0.99, 0.25  # correlation of a tile with the image; with the one whose pixels were drawn
SAME_POINT, MOST_COMPARED = 1e-3, 6000  # distance of a point from a code; codes that others are compared with
DEEPEST = 2


class Known(NamedTuple):
    """Images that were decoded: by whom, from which codes."""

    who: list[str]
    codes: list[np.ndarray]
    images: np.ndarray  # such that products are correlations
    encoded: list[np.ndarray]  # codes that were made of images

    def looked_up(self, tiles: np.ndarray) -> dict[str, Any]:
        """Return of which codes tiles are the images, and who decoded most of them."""
        likeness = centred(tiles.reshape(-1, PIXELS)) @ self.images.T
        best = likeness.argmax(1)
        binary = bool(((tiles == 0) | (tiles == tiles.max())).all())
        right = likeness[np.arange(len(best)), best] > (SAME_DRAW if binary else SAME_TILE)
        codes = [np.round(self.codes[i], 4).tolist() if ok else None for i, ok in zip(best, right, strict=True)]
        names = [self.who[i] for i in best[right]]
        near = self.nearness(np.array([code for code in codes if code]))
        return {"shape": list(tiles.shape[:2]), "who": max(names, key=names.count, default=""), "codes": codes,
                "near": near}  # fmt: skip

    def nearness(self, codes: np.ndarray) -> float:
        """Return how far codes are from the nearest code of an image, a latent, in the median."""
        if codes.ndim != 2:
            return -1.0
        latents = codes.shape[1]
        pool = [rows[:, :latents] for rows in self.encoded if rows.shape[1] in (latents, 2 * latents)]
        if not pool:
            return -1.0
        known = np.concatenate(pool)[-MOST_COMPARED:]
        squares = (codes**2).sum(1)[:, None] + (known**2).sum(1) - 2 * codes @ known.T
        return float(np.sqrt(np.median(np.maximum(squares.min(1), 0)) / latents))


class Deeds:
    """The records of one run."""

    def __init__(self) -> None:
        self.on = True
        self.losses: dict[str, list[dict[str, float]]] = {}  # by optimizer: a loss and its possible parts, step by step
        self.parts: dict[str, float] = {}  # since the last backward
        self.batch: torch.Tensor | None = None  # the rows that went in first since then
        self.loss: dict[str, float] | None = None
        self.wanted = True
        self.decoded: list[tuple[str, torch.Tensor, torch.Tensor]] = []  # who, codes, images; since the last step
        self.codes: list[tuple[str, torch.Tensor]] = []
        self.figures: list[dict[str, Any]] = []
        self.seen: set[int] = set()

    def install(self, cell: Callable[[], int]) -> None:
        """Look at figures before they are closed."""
        plain_close = plt.close

        def close(*args: Any) -> None:
            if self.on:
                self.look(cell())
            plain_close(*args)

        plt.close = close

    # ------------------------------------------------------------ modules and functions

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a function of the notebook's so that what goes in and comes out is looked at."""

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            value = function(*args, **kwargs)
            if self.on and value is not None:
                whose = id(args[0]) if args and not isinstance(args[0], torch.Tensor | int | float | str) else ""
                self.note(f"{function.__qualname__} {whose}", [*args, *kwargs.values()], value)
            return value

        return wrapper

    def note(self, who: str, inputs: Any, output: Any) -> None:
        """Look at one call; nothing that goes wrong here is the notebook's business."""
        with contextlib.suppress(Exception):
            ins, outs = list(tensors_in(inputs)), list(tensors_in(output))
            in_training = any(t.requires_grad for t in outs)
            with torch.no_grad():
                if self.wanted and in_training:
                    self.note_parts(who, ins, outs)
                self.note_codes(who, ins, outs)

    def note_parts(self, who: str, ins: list[torch.Tensor], outs: list[torch.Tensor]) -> None:
        """Compute what a loss may be made of: a KL of each pair of outputs, an error of each reconstruction."""
        data = [t for t in ins if not t.requires_grad and len(t) > 1 and row_size(t) in (PLANE, PIXELS)]
        if data and (self.batch is None or data[0].data_ptr() != self.batch.data_ptr()):
            self.batch, self.parts = flat(data[0].detach()), {}
        if self.batch is None or len(self.parts) > MOST_PARTS:
            return
        outs = [t.detach() for t in outs if len(t) == len(self.batch)]
        for number, (mean, spread) in enumerate(pairs_of(outs)):
            self.parts |= {f"{who} {number} {name}": value for name, value in divergences(mean, spread).items()}
        for number, t in enumerate(outs):
            self.parts |= {f"{who} {number} {name}": value for name, value in errors_of(flat(t), self.batch).items()}

    def note_codes(self, who: str, ins: list[torch.Tensor], outs: list[torch.Tensor]) -> None:
        """Keep codes with the images that were made of them, and codes that were made of rows."""
        for out in outs:
            rows = image_rows(out)
            for code in sorted(ins, key=lambda t: t.requires_grad) if rows else ():  # weights come last
                if code.ndim <= 2 and code.shape[-1] <= WIDEST_CODE and code.numel() == rows * code.shape[-1]:
                    self.decoded.append((who, code.detach().reshape(rows, -1), out.detach().reshape(rows, -1)))
                    break
            if out.ndim == 2 and out.shape[1] <= WIDEST_CODE and any(image_rows(t) == len(out) for t in ins):
                self.codes.append((who, out.detach()))
        trim(self.decoded, MOST_DECODED)
        trim(self.codes, MOST_CODES)

    # ------------------------------------------------------------ training

    def backward(self, loss: torch.Tensor) -> None:
        """Before ``backward``: the loss, and what it may be made of."""
        if self.wanted and self.parts and self.batch is not None and loss.numel() == 1:
            sizes = {"rows": len(self.batch), "features": row_size(self.batch)}
            self.loss = {"loss": float(loss.detach()), **sizes, **self.parts}
        self.parts, self.batch = {}, None

    def step(self, optimizer: str) -> None:
        """After an optimizer's step: the loss was its."""
        records = self.losses.setdefault(optimizer, [])
        if self.loss is not None and len(records) < MOST_STEPS:
            records.append(self.loss)
        self.loss, self.wanted = None, len(records) < MOST_STEPS
        self.parts, self.batch = {}, None
        self.decoded.clear()
        self.codes.clear()

    # ------------------------------------------------------------ figures

    def look(self, cell: int) -> None:
        """Look at the figures that are open at the end of a cell."""
        for number in plt.get_fignums():
            figure = plt.figure(number)
            if id(figure) not in self.seen and len(self.figures) < MOST_FIGURES:
                self.seen.add(id(figure))
                with contextlib.suppress(Exception):
                    self.figures.append(
                        {"cell": cell, "pictures": self.pictures(figure), "planes": self.planes(figure)}
                    )

    def pictures(self, figure: Any) -> list[dict[str, Any]]:
        """Return which codes the images on a figure were decoded from, tile by tile, from the top left."""
        known = self.known_images()
        found, room = [], MOST_TILES
        if known is None:
            return []
        for ax in figure.axes:
            for image in ax.get_images():
                tiles = tiles_of(image)
                room -= 0 if tiles is None else tiles.shape[0] * tiles.shape[1]
                if tiles is not None and room >= 0:
                    found.append({"at": place_of(ax), "extent": [float(e) for e in image.get_extent()],
                                  **known.looked_up(tiles)})  # fmt: skip
        return found

    def known_images(self) -> "Known | None":
        """Return the images that were decoded since the last step; of logits their sigmoids, too."""
        who, codes, images = [], [], []
        for name, rows, decoded in self.decoded:
            pixels = array(decoded)
            beyond = pixels.min() < 0 or pixels.max() > 1
            for form in [pixels, 1 / (1 + np.exp(-np.clip(pixels, -50, 50)))] if beyond else [pixels]:
                who += [name] * len(form)
                codes += list(array(rows))
                images.append(form)
        encoded = [array(rows) for _, rows in self.codes]
        return Known(who, codes, centred(np.concatenate(images)), encoded) if images else None

    def planes(self, figure: Any) -> list[dict[str, Any]]:
        """Return how many points of each axes' scatters are codes of images, and how many colours they have."""
        pools: dict[str, list[np.ndarray]] = {}
        for who, rows in self.codes:
            pools.setdefault(who, []).append(array(rows[:, :PLANE]))
        found = []
        for ax in figure.axes if pools else ():
            offsets, colours = [np.empty((0, 2))], set()
            for collection in ax.collections:
                points = np.asarray(collection.get_offsets(), dtype=float)
                values = collection.get_array()
                if type(collection).__name__ == "PathCollection" and len(points):
                    offsets.append(points)
                    colours |= set(np.asarray(values).ravel().tolist()[:MOST_POINTS]) if values is not None else {
                        tuple(c) for c in np.asarray(collection.get_facecolors())[:20].tolist()}  # fmt: skip
            points = np.concatenate(offsets)[:MOST_POINTS]
            shares = {who: among(points, np.concatenate(parts)) for who, parts in pools.items()} if len(points) else {}
            if shares:
                best = max(shares, key=lambda who: shares[who])
                found.append({"points": len(points), "share": shares[best], "who": best, "colours": len(colours),
                              "title": str(ax.get_title())[:200]})  # fmt: skip
        return found

    # ------------------------------------------------------------ what the losses are made of

    def fits(self) -> dict[str, Any]:
        """Return for each optimizer its losses, and the two parts, a KL and an error, that they are best made of."""
        return {number: fit for number, records in self.losses.items() if (fit := best_fit(records))}


def best_fit(records: list[dict[str, float]]) -> dict[str, Any] | None:
    """Return the losses of batches of one size with the parts that explain them; None where none do.

    A training without a KL is explained by its error alone.
    """
    sizes = [record["rows"] for record in records]
    usual = max(set(sizes), key=sizes.count, default=0)
    rows = [record for record in records if record["rows"] == usual and math.isfinite(record["loss"])]
    if len(rows) < ENOUGH_STEPS:
        return None
    names = [name for name in rows[0] if all(math.isfinite(row.get(name, math.nan)) for row in rows)]
    loss = np.array([row["loss"] for row in rows])
    series = {name: np.array([row[name] for row in rows]) for name in names if name not in ("loss", "rows", "features")}
    kls = [None, *(name for name in series if " kl" in name)]
    best, least = None, FITS * max(float(loss.std()), 1e-12)
    for error in (name for name in series if " kl" not in name):
        for kl in kls:
            parts = [series[error], np.ones_like(loss)] + ([series[kl]] if kl else [])
            weights, *_ = np.linalg.lstsq(np.stack(parts, 1), loss, rcond=None)
            off = float((np.stack(parts, 1) @ weights - loss).std())
            if off < (least if best is None or kl is None or best["kl"] else 0.1 * least):
                best, least = {"error": error, "kl": kl}, off
    if best is None:
        return None
    return {
        "loss": loss.tolist(), "error": series[best["error"]].tolist(), "error_kind": kind_of(best["error"]),
        "kl": series[best["kl"]].tolist() if best["kl"] else None, "kl_kind": kind_of(best["kl"] or ""),
        "features": int(rows[0]["features"]),
    }  # fmt: skip


def kind_of(name: str) -> str:
    kinds = ("squared error", "cross-entropy", "Gaussian likelihood", "kl")
    return next((name[name.index(kind) :] for kind in kinds if kind in name), "")


def place_of(ax: Any) -> list[int] | None:
    """Return the row and the column of axes in their figure."""
    spec = ax.get_subplotspec()
    return None if spec is None else [spec.rowspan.start, spec.colspan.start]


# ---------------------------------------------------------------- tensors


def tensors_in(value: Any, depth: int = 0, *, scalars: bool = False) -> Iterator[torch.Tensor]:
    """Yield the float tensors in a value: in tuples, dictionaries, dataclasses and plain objects, too."""
    if isinstance(value, torch.Tensor):
        if value.is_floating_point() and (value.ndim or scalars):
            yield value
        return
    if isinstance(value, torch.distributions.Normal):
        yield from (value.loc, 2 * torch.log(value.scale))
        return
    if isinstance(value, torch.distributions.Independent):
        yield from tensors_in(value.base_dist, depth, scalars=scalars)
        return
    if isinstance(value, nn.Module) or depth > DEEPEST:
        return
    if isinstance(value, dict):
        parts = list(value.values())
    elif isinstance(value, list | tuple):
        parts = list(value)
    else:
        parts = list(vars(value).values()) if hasattr(value, "__dict__") and not callable(value) else []
    for part in parts[:20]:
        yield from tensors_in(part, depth + 1, scalars=scalars)


def flat(t: torch.Tensor) -> torch.Tensor:
    return t.reshape(len(t), -1)


def row_size(t: torch.Tensor) -> int:
    return t.numel() // len(t) if len(t) else 0


def image_rows(t: torch.Tensor) -> int:
    """Return how many images a tensor holds, none where it holds something else."""
    if t.numel() % PIXELS or not t.numel():
        return 0
    images = t.shape[-2:] == (SIDE, SIDE) or t.shape[-1] == PIXELS
    return t.numel() // PIXELS if images and t.ndim <= 4 else 0


def array(t: torch.Tensor) -> np.ndarray:
    return t.detach().cpu().float().numpy().copy()


def trim(parts: list[Any], most: int) -> None:
    """Forget the oldest entries beyond as many rows."""
    while len(parts) > 1 and sum(len(part[1]) for part in parts) > most:
        parts.pop(0)


def pairs_of(outs: list[torch.Tensor]) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield what could be means and spreads of codes: two outputs of one shape, or the halves of one."""
    codes = [t for t in outs if t.ndim == 2 and t.shape[1] <= WIDEST_CODE]
    for one in codes[:4]:
        for other in codes[:4]:
            if one is not other and one.shape == other.shape:
                yield one, other
    for t in codes[:4]:
        if t.shape[1] % 2 == 0:
            yield t.chunk(2, 1)[0], t.chunk(2, 1)[1]
            yield t[:, ::2], t[:, 1::2]


def divergences(mean: torch.Tensor, spread: torch.Tensor) -> dict[str, float]:
    """Return the KL of N(mean, sigma^2) from N(0, 1), where the spread is log sigma^2, log sigma, or another form."""
    mean, spread = mean.double(), spread.double()
    forms = {"kl": spread, "kl of log sigma": 2 * spread, "kl of softplus": 2 * torch.log(F.softplus(spread))}
    if spread.min() > 0:
        forms["kl of sigma"] = 2 * torch.log(spread)
    return {name: float(0.5 * (mean**2 + s.exp() - s - 1).sum(1).mean()) for name, s in forms.items()}


def errors_of(out: torch.Tensor, x: torch.Tensor) -> dict[str, float]:
    """Return the errors of a reconstruction: summed over features, in the mean over the batch."""
    size, found = x.shape[1], dict[str, torch.Tensor]()
    images = size == PIXELS
    if out.shape[1] == size:
        found["squared error"] = (out - x) ** 2
        if images:
            found["squared error of logits"] = (out.sigmoid() - x) ** 2
            found["cross-entropy of logits"] = F.binary_cross_entropy_with_logits(out, x, reduction="none")
            if out.min() >= 0 and out.max() <= 1:
                found["cross-entropy"] = F.binary_cross_entropy(out, x, reduction="none")
    if out.shape[1] == 2 * size:
        mean, s = out.chunk(2, 1)
        for name, m in {"": mean, " of logits": mean.sigmoid()}.items() if images else [("", mean)]:
            # the second as F.gaussian_nll_loss has it
            for bounded, logvar in {"": s, ", bounded": s.clamp(min=LEAST_LOGVAR)}.items():
                likelihood = 0.5 * (math.log(2 * math.pi) + logvar + (x - m) ** 2 * torch.exp(-logvar))
                found[f"Gaussian likelihood{name}{bounded}"] = likelihood
            found[f"squared error{name}"] = (m - x) ** 2
    return {name: float(t.double().sum(1).mean()) for name, t in found.items()}


# ---------------------------------------------------------------- tiles and points


def tiles_of(image: Any) -> np.ndarray | None:
    """Cut an image on the screen into tiles of 28 x 28 pixels, (rows, columns, 784); None where it has none."""
    pixels = np.asarray(image.get_array(), dtype=float)
    pixels = pixels[..., 0] if pixels.ndim == 3 else pixels
    pixels = pixels[::-1] if image.origin == "lower" else pixels
    height, width = pixels.shape
    for margin in (0, 2, 1):
        side = SIDE + margin
        if (height - margin) % side == 0 and (width - margin) % side == 0 and min(height, width) >= SIDE + 2 * margin:
            rows, columns = (height - margin) // side, (width - margin) // side
            inner = pixels[margin:, margin:].reshape(rows, side, columns, side).swapaxes(1, 2)[:, :, :SIDE, :SIDE]
            return inner.reshape(rows, columns, PIXELS)
    return None


def centred(images: np.ndarray) -> np.ndarray:
    """Return images whose products are their correlations."""
    images = images - images.mean(1, keepdims=True)
    return images / np.maximum(np.linalg.norm(images, axis=1, keepdims=True), 1e-9)


def among(points: np.ndarray, codes: np.ndarray) -> float:
    """Return the share of points that are one of the codes."""
    if codes.shape[1] != PLANE:
        return 0.0
    order = codes[np.argsort(codes[:, 0])]
    low = np.searchsorted(order[:, 0], points[:, 0] - SAME_POINT)
    high = np.searchsorted(order[:, 0], points[:, 0] + SAME_POINT)
    hits = sum(
        bool((np.abs(order[a:b, 1] - y) < SAME_POINT).any()) for a, b, y in zip(low, high, points[:, 1], strict=True)
    )
    return hits / len(points)
