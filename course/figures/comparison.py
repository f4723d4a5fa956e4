"""Whether two figures show the same: structure and text exactly, numbers within the tolerance of their figure.

Every tolerance stands in :data:`TOLERANCES`, and the table of its assignment says which one a figure has. A comparison
also returns how far it was from failing, so that the table can be set from runs on other machines (``make matrix``).
"""

import base64
import binascii
import functools
import itertools
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
from skimage.metrics import structural_similarity

from course.assignments import FIGURES
from course.figures.fingerprint import QUANTILES
from course.figures.pictures import picture
from course.figures.png import FigureError, read_fingerprint


@dataclass(frozen=True)
class Tolerance:
    """How much two figures may differ; of every number the larger is the more tolerant."""

    reason: str
    numbers: float  # positions, quantiles, means, means of stretches: as a share of the axis' range
    extremes: float  # limits, smallest and largest values: as a share of the axis' range
    correlations: float  # of x and y: absolute
    shares: float  # how well colours are apart, sizes of groups: absolute
    text: float  # decimals in annotations, legends and tick labels: relative
    ssim: float  # of images: 1 - SSIM of the thumbnails
    cell: float  # of images: mean difference within the worst window, as a share of the colour range
    pixels: float  # mean difference of the blurred pictures: a guard against a picture that is not its fingerprint
    layout: bool = True  # False: positions are not compared at all


TOLERANCES: Mapping[str, Tolerance] = {
    "exact": Tolerance(
        "data and closed forms: the same on every machine but for the last digits of exp and log",
        numbers=0.002, extremes=0.002, correlations=0.005, shares=0.005, text=0.002, ssim=0.01, cell=0.02, pixels=0.02,
    ),
    "trained": Tolerance(
        "after training: other processors and thread counts add in another order, and thousands of steps amplify that",
        numbers=0.10, extremes=0.35, correlations=0.50, shares=0.15, text=0.15, ssim=0.30, cell=0.12, pixels=0.08,
    ),
    "noisy": Tolerance(
        "curves of training with large steps: each epoch's value swings, and swings otherwise on another processor",
        numbers=0.35, extremes=0.60, correlations=0.60, shares=0.35, text=0.30, ssim=0.30, cell=0.12, pixels=0.08,
    ),
    "decoded": Tolerance(
        "images decoded where training saw few codes or none, or from latents picked by rank: after training on "
        "another processor another garment may stand there; titles, ticks, number and size of images stay",
        numbers=0.35, extremes=1, correlations=1, shares=0.40, text=0.30, ssim=0.85, cell=0.50, pixels=0.12,
    ),
    "drawn": Tolerance(
        "draws from a distribution that was fitted to trained codes: on another processor another image stands in each "
        "place, and a curve over a few of them runs otherwise; titles, ticks, number, size and brightness stay",
        numbers=0.60, extremes=1, correlations=2, shares=0.60, text=0.30, ssim=1.5, cell=1, pixels=0.20,
    ),
    "ranked": Tolerance(
        "maps over the latents that carry most: where two carry nearly the same, another may come second (it did under "
        "torch 2.4), and the map over it shows other garments; titles, ticks, number and size of images stay",
        numbers=0.35, extremes=1, correlations=1, shares=0.40, text=0.30, ssim=1.2, cell=0.50, pixels=0.12,
    ),
    "free": Tolerance(
        "t-SNE of trained codes: the map may come out turned or folded, but who is whose neighbour stays",
        numbers=math.inf, extremes=math.inf, correlations=2, shares=0.10, text=0.15, ssim=1, cell=1, pixels=0.15,
        layout=False,
    ),
}  # fmt: skip

DECIMAL = re.compile(r"[-+−]?(?<!\d)\d+\.\d+(?:e[-+]?\d+)?")
KINDS = tuple(f.name for f in fields(Tolerance) if f.name not in ("reason", "layout"))
VISIBLE = 0.02  # of the axis' range: a correlation is compared where both coordinates vary by more
GUARD_BLOCK = 20  # pixels: wider than any move of a text between Matplotlib's versions


class Comparison(NamedTuple):
    """``problems`` are sentences, none for figures that agree; ``measured`` is the largest difference of each kind."""

    problems: list[str]
    measured: dict[str, float]


def tolerance(name: str) -> Tolerance:
    """Return how much the figure of this name may differ, as its assignment's table says.

    Raises:
        FigureError: no table has a figure of this name.
    """
    if name not in FIGURES:
        raise FigureError(
            f"no assignment's table has the figure {name}, so nothing says how much it may differ: add it to the "
            "figures in course/assignments, with its tolerance"
        )
    return TOLERANCES[FIGURES[name].tolerance]


def compare(name: str, expected: bytes, actual: bytes) -> Comparison:
    """Compare two PNGs that ``show`` wrote under one name."""
    try:
        old, new = read_fingerprint(expected), read_fingerprint(actual)
        if old is None:
            return Comparison(["the expected file carries no fingerprint: write it anew with make figures"], {})
        if new is None:
            return Comparison(["the figure carries no fingerprint: display it with show"], {})
        judge = _Judge(tolerance(name))
        try:
            judge.figure(old, new)
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            judge.problems.append(f"its fingerprint has another form than expected ({type(error).__name__}: {error})")
        judge.measure("pixels", "picture: mean difference of the blurred pixels", _guard(expected, actual))
    except FigureError as error:
        return Comparison([str(error)], {})
    return Comparison(judge.problems, {kind: round(v, 6) for kind, v in judge.measured.items()})


class _Range(NamedTuple):
    """An axis of the expected figure."""

    size: float
    logarithmic: bool = False


class _Judge:
    """Walks two fingerprints side by side and collects what differs."""

    def __init__(self, allowed: Tolerance) -> None:
        self.allowed = allowed
        self.problems: list[str] = []
        self.measured: dict[str, float] = {}

    # ---- the three ways to compare

    def same(self, what: str, old: Any, new: Any) -> bool:
        if old == new:
            return True
        self.problems.append(f"{what}: expected {_short(old)}, got {_short(new)}")
        return False

    def measure(self, kind: str, what: str, difference: float) -> None:
        """A difference that speaks for itself."""
        limit = getattr(self.allowed, kind)
        self.measured[kind] = max(self.measured.get(kind, 0.0), difference)
        if not difference <= limit:
            self.problems.append(f"{what} is {difference:.3g}, allowed {limit:g}")

    def number(self, kind: str, what: str, old: float | None, new: float | None, scale: float = 1.0) -> None:
        if old is None or new is None:
            self.same(what, old, new)
            return
        limit = getattr(self.allowed, kind)
        difference = abs(new - old) / scale if scale > 0 else math.inf if new != old else 0.0
        self.measured[kind] = max(self.measured.get(kind, 0.0), min(difference, 1e6))
        if not difference <= limit:
            self.problems.append(f"{what} {new:.4g}, expected {old:.4g} ± {limit * scale:.2g}")

    def text(self, what: str, old: str, new: str) -> None:
        """Words to the letter; decimals, which were measured, as numbers."""
        if not isinstance(new, str) or DECIMAL.split(old) != DECIMAL.split(new):
            self.same(what, old, new)
            return
        for before, after in zip(DECIMAL.findall(old), DECIMAL.findall(new), strict=True):
            a, b = (float(number.replace("−", "-")) for number in (before, after))
            last_digit = 10.0 ** -len(before.partition("e")[0].partition(".")[2])
            beyond = max(0.0, abs(a - b) - last_digit) / max(abs(a), last_digit)
            self.measured["text"] = max(self.measured.get("text", 0.0), beyond)
            if beyond > self.allowed.text:
                self.problems.append(f"{what}: expected {_short(old)}, got {_short(new)}")
                return

    # ---- a figure, from outside in

    def figure(self, old: dict, new: dict) -> None:
        for key in ("name", "title"):
            self.same(key, old[key], new.get(key))
        for side, before, after in zip(("width", "height"), old["size"], new["size"], strict=True):
            self.number("extremes", f"{side} in inches", before, after, before)  # some follow from the data's spans
        self.texts("figure's text", old["texts"], new["texts"])
        self.lists("legend of the figure", old["legends"], new["legends"], self.legend)
        self.lists("axes", old["axes"], new["axes"], self.axes)

    def lists(self, what: str, old: list, new: list, compare_one: Any) -> None:
        if len(old) != len(new):
            self.problems.append(f"{what}: expected {len(old)}, got {len(new)}")
        for i, (before, after) in enumerate(zip(old, new, strict=False), start=1):
            compare_one(f"{what} {i}" if max(len(old), len(new)) > 1 else what, before, after)

    def texts(self, what: str, old: list[str], new: list[str]) -> None:
        if len(old) != len(new):
            self.same(what, old, new)
            return
        for before, after in zip(old, new, strict=True):
            self.text(what, before, after)

    def legend(self, where: str, old: dict | None, new: dict | None) -> None:
        if old is None or new is None:
            if old is not new:
                self.problems.append(f"{where}: expected {'none' if old is None else _short(old['texts'])}, got "
                                     f"{'none' if new is None else _short(new['texts'])}")  # fmt: skip
            return
        self.same(f"{where}, title", old["title"], new["title"])
        self.texts(where, old["texts"], new["texts"])
        self.same(f"{where}, colours", old["colours"], new["colours"])

    def axes(self, where: str, old: dict, new: dict) -> None:
        for key in ("panel", "title", "xlabel", "ylabel", "xscale", "yscale", "equal", "frame"):
            self.same(f"{where} {key}", old[key], new[key])
        self.same(f"{where} colour bar", old.get("colorbar"), new.get("colorbar"))
        ranges = tuple(_range(old[f"{c}lim"], old[f"{c}scale"]) for c in "xy")
        for c, axis in zip("xy", ranges, strict=True):
            if self.allowed.layout:
                for end, before, after in zip(("first", "last"), old[f"{c}lim"], new[f"{c}lim"], strict=True):
                    if axis.logarithmic and before > 0 and after > 0:
                        before, after = math.log10(before), math.log10(after)
                    self.number("extremes", f"{where} {end} {c} limit", before, after, axis.size)
            self.ticks(f"{where} {c} ticks", old[f"{c}ticks"], new[f"{c}ticks"], axis)
        self.legend(f"{where} legend", old["legend"], new["legend"])
        if old["artists"] and not new["artists"]:
            self.problems.append(f"{where}: expected {len(old['artists'])} artists, got empty axes")
            return
        compare_artists = functools.partial(self.artist, ranges=ranges)
        self.lists(f"{where} artist", old["artists"], new["artists"], compare_artists)
        self.lists(f"{where} inset", old.get("insets", []), new.get("insets", []), self.axes)

    def ticks(self, where: str, old: dict | None, new: dict | None, axis: _Range) -> None:
        if old is None or new is None or len(old["at"]) != len(new["at"]):
            self.same(where, old and old["labels"], new and new["labels"])
            return
        self.texts(where, old["labels"], new["labels"])
        if self.allowed.layout and not axis.logarithmic:
            for before, after in zip(old["at"], new["at"], strict=True):
                self.number("numbers", where, before, after, axis.size)

    def artist(self, where: str, old: dict, new: dict, ranges: tuple[_Range, ...]) -> None:
        where = f"{where} ({old['kind']}{' ' + _short(old['label']) if 'label' in old else ''})"
        if not self.marks(where, old, new):
            return
        if "text" in old:
            self.text(where, old["text"], new["text"])
        if "thumbnail" in old:
            self.thumbnail(where, old["thumbnail"], new["thumbnail"])
        if self.allowed.layout:
            self.places(where, old, new, ranges)
        self.invariants(where, old, new)
        if self.allowed.layout:
            self.groups(where, old, new, ranges)

    def marks(self, where: str, old: dict, new: dict) -> bool:
        """Compare what kind of thing is drawn, and how; False where the kinds differ, so that nothing else tells."""
        exact = ("kind", "label", "colours", "dashes", "marker", "shape", "paths", "sizes", "origin", "data", "scale")
        loose = ("colours", "scale")  # hold measured limits
        for key in exact:
            if key in loose and isinstance(old.get(key), dict) and isinstance(new.get(key), dict):
                self.scale(f"{where} {key}", old[key], new[key])
            elif not self.same(f"{where} {key}", old.get(key), new.get(key)) and key == "kind":
                return False
        return True

    def places(self, where: str, old: dict, new: dict, ranges: tuple[_Range, ...]) -> None:
        """Compare where it is drawn."""
        for c, before, after in zip("xy", old.get("at") or (), new.get("at") or (), strict=False):
            axis = ranges["xy".index(c)]
            self.number("numbers", f"{where} {c}", _log(before, axis), _log(after, axis), axis.size)
        self.same(f"{where} has a place in the data", "at" in old, "at" in new)
        for i, (before, after) in enumerate(zip(old.get("extent", ()), new.get("extent", ()), strict=True)):
            self.number("extremes", f"{where} extent", before, after, ranges[i // 2].size)
        if "n" in old:
            self.cloud(where, old, new, ranges)
        if "value" in old:
            limits = old["colours"]["limits"]
            self.summary(f"{where} value", old["value"], new["value"], _Range(abs(limits[1] - limits[0])))

    def groups(self, where: str, old: dict, new: dict, ranges: tuple[_Range, ...]) -> None:
        """Compare the points of each colour that both have."""
        others = new.get("groups") or {}
        for name, group in (old.get("groups") or {}).items():
            if name in others:
                self.cloud(f"{where} colour {name}", group, others[name], ranges, total=old["n"])

    def cloud(self, where: str, old: dict, new: dict, ranges: tuple[_Range, ...], total: int | None = None) -> None:
        if total is None:
            self.same(f"{where}, number of points", old["n"], new["n"])
        for c, axis in zip("xy", ranges, strict=True):
            self.summary(f"{where} {c}", old[c], new[c], axis)
        spans = [_span(old[c]) / axis.size for c, axis in zip("xy", ranges, strict=True)]
        if "correlation" in old and "correlation" in new and min(spans) > VISIBLE:
            self.number("correlations", f"{where} correlation of x and y", old["correlation"], new["correlation"])

    def summary(self, where: str, old: dict, new: dict, axis: _Range) -> None:
        of_log = " (log10)" if axis.logarithmic else ""
        if not self.same(f"{where}, numbers missing", old["missing"], new["missing"]):
            return
        names = [{0: "minimum", 0.5: "median", 1: "maximum"}.get(q, f"quantile {q:g}") for q in QUANTILES]
        for name, before, after in zip(names, old["quantiles"], new["quantiles"], strict=bool(old["quantiles"])):
            kind = "extremes" if name in ("minimum", "maximum") else "numbers"
            self.number(kind, f"{where} {name}{of_log}", before, after, axis.size)
        self.number("numbers", f"{where} mean{of_log}", old["mean"], new["mean"], axis.size)
        if len(old["stretches"]) == len(new["stretches"]):
            for i, (before, after) in enumerate(zip(old["stretches"], new["stretches"], strict=True), start=1):
                self.number(
                    "numbers", f"{where} stretch {i} of {len(old['stretches'])}{of_log}", before, after, axis.size
                )

    def invariants(self, where: str, old: dict, new: dict) -> None:
        """What stays where a whole plane is turned."""
        groups, others = old.get("groups") or {}, new.get("groups") or {}
        if not self.same(f"{where}, colours of its groups", sorted(groups), sorted(others)):
            return
        self.same(f"{where}, number of points", old.get("n"), new.get("n"))
        for name, group in groups.items():
            self.number(
                "shares", f"{where} share of colour {name}", group["n"] / old["n"], others[name]["n"] / old["n"]
            )
        for key, words in (("separation", "how far colours are apart"), ("neighbours", "neighbours of one colour")):
            if key in old:
                self.number("shares", f"{where} {words}", old[key], new[key])

    def scale(self, where: str, old: dict, new: dict) -> None:
        for key in ("map", "samples", "norm"):
            self.same(f"{where} {key}", old[key], new[key])
        self.number("extremes", f"{where} gamma", old["gamma"], new["gamma"])
        limits = old["limits"]
        size = abs(limits[1] - limits[0]) if None not in limits else 0.0
        for before, after in zip(limits, new["limits"], strict=True):
            self.number("extremes", f"{where} limit", before, after, size)

    def thumbnail(self, where: str, old: dict, new: dict) -> None:
        if not self.same(f"{where}, shape of the image", old["shape"], new["shape"]):
            return
        a, b = _pixels(old), _pixels(new)
        side = min(7, min(a.shape[:2]) - (1 - min(a.shape[:2]) % 2))
        if side >= 3:
            alike: Any = structural_similarity(a, b, win_size=side, data_range=1.0, channel_axis=2)
            self.measure("ssim", f"{where}, 1 - SSIM,", float(1 - alike))
        self.measure("cell", f"{where}, difference within its worst window,", _worst_window(np.abs(a - b).mean(axis=2)))


def _range(limits: list[float], scale: str) -> _Range:
    low, high = (math.log10(v) for v in limits) if scale == "log" else limits
    return _Range(abs(high - low) or 1.0, scale == "log")


def _log(value: float | None, axis: _Range) -> float | None:
    return math.log10(value) if axis.logarithmic and value and value > 0 else value


def _span(summary: dict) -> float:
    q = summary["quantiles"]
    return abs(q[-1] - q[0]) if q else 0.0


def _short(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:117]}..."


def _pixels(thumbnail: dict) -> np.ndarray:
    try:
        raw = base64.b64decode(thumbnail["bytes"], validate=True)
    except binascii.Error as error:
        raise ValueError(f"a thumbnail is not base64: {error}") from error
    return np.frombuffer(raw, np.uint8).reshape(thumbnail["shape"]) / 255


def _worst_window(difference: np.ndarray, side: int = 9) -> float:
    """Largest mean over a window of side x side, or over the whole of a smaller image."""
    rows, columns = (min(side, n) for n in difference.shape)
    sums = np.pad(difference.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    windows = sums[rows:, columns:] - sums[:-rows, columns:] - sums[rows:, :-columns] + sums[:-rows, :-columns]
    return float(windows.max() / (rows * columns))


def _guard(expected: bytes, actual: bytes) -> float:
    """Mean absolute difference of two pictures, blurred: 0 to 1."""
    a, b = picture(expected), picture(actual)
    b = b if a.size == b.size else b.resize(a.size)  # versions round inches to pixels differently
    small = [np.asarray(p.reduce(GUARD_BLOCK), dtype=float) / 255 for p in (a, b)]
    return float(np.abs(small[0] - small[1]).mean())


def worst(measured: list[dict[str, float]]) -> dict[str, float]:
    """The largest measured difference of each kind over several comparisons."""
    kinds = dict.fromkeys(itertools.chain.from_iterable(measured))
    return {kind: max(m.get(kind, 0.0) for m in measured) for kind in KINDS if kind in kinds}
