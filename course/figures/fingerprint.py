"""What a figure shows, as one small JSON inside its PNG: texts to the letter, data as robust statistics.

Pixels move with every version of Matplotlib, and two wrong curves may differ in fewer pixels than two fonts. So figures
are compared by what was drawn: :func:`describe` writes it down, :func:`attach` is the hook by which ``show`` puts it
into the PNG; :mod:`course.figures.png` gets it out again.

Statistics are over what can be seen: values are clipped to one axis range beyond the limits, and are logarithms (base
10) on a logarithmic axis. Numbers have six significant digits, more than any machine reproduces after training.
"""

import base64
import json
import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import Collection, LineCollection, PathCollection, QuadMesh
from matplotlib.colors import Colormap, to_hex
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.legend import Legend
from matplotlib.lines import AxLine, Line2D
from matplotlib.patches import Patch
from matplotlib.text import Annotation, Text
from matplotlib.ticker import FixedLocator
from matplotlib.transforms import Transform
from PIL.PngImagePlugin import PngInfo

from course.figures import layout
from course.figures.png import KEYWORD, VERSION

QUANTILES = (0, 0.05, 0.25, 0.5, 0.75, 0.95, 1)
SEGMENTS = 16  # means of consecutive stretches: these know the order of points
THUMBNAIL_PIXELS = 16_384  # 128 x 128; a cell of a 12 x 12 grid of digits is still nine pixels wide
MOST_COLOURS = 24


def attach(figure: Figure, name: str) -> dict[str, Any]:
    """Return the options of ``savefig`` that put the fingerprint of ``figure`` into the PNG, as a text chunk.

    The environment variable ``FIGURE_HOOK`` names this function in the kernels of ``run`` and ``check``.
    """
    info = PngInfo()
    info.add_text(KEYWORD, json.dumps(describe(figure, name), separators=(",", ":"), allow_nan=False), zip=True)
    return {"pil_kwargs": {"pnginfo": info}}


def describe(figure: Figure, name: str) -> dict[str, Any]:
    """Write down everything that a regression run compares of a figure, as JSON's own types."""
    return {
        "version": VERSION,
        "name": name,
        "size": _numbers(figure.get_size_inches()),
        "title": figure.get_suptitle(),
        "texts": [text.get_text() for text in figure.texts if text.get_text() != figure.get_suptitle()],
        "legends": [_legend(legend) for legend in figure.legends],
        "axes": [_axes(ax) for ax in figure.axes if ax.get_visible()],
        "layout": layout.problems(figure),
    }


class _Window(NamedTuple):
    """One coordinate of an artist: how its numbers become those that are summarised."""

    low: float = -math.inf
    high: float = math.inf
    logarithmic: bool = False

    def view(self, values: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            values = np.log10(values) if self.logarithmic else values
        return np.clip(values, self.low, self.high)  # NaN stays NaN


def _window(limits: Sequence[float], scale: str) -> _Window:
    low, high = sorted(np.log10(limits) if scale == "log" else limits)
    return _Window(2 * low - high, 2 * high - low, scale == "log")


def _axes(ax: Any) -> dict[str, Any]:
    spot = ax.get_subplotspec()
    record = {
        "panel": None if spot is None else [int(n) for n in spot.get_geometry()],
        "title": "".join(ax.get_title(loc) for loc in ("left", "center", "right")),
        "xlabel": ax.get_xlabel(),
        "ylabel": ax.get_ylabel(),
        "xscale": ax.get_xscale(),
        "yscale": ax.get_yscale(),
        "xlim": _numbers(ax.get_xlim()),
        "ylim": _numbers(ax.get_ylim()),
        "xticks": _ticks(ax.xaxis),
        "yticks": _ticks(ax.yaxis),
        "equal": ax.get_aspect() not in ("auto", "none"),
        "frame": bool(ax.axison),
        "legend": None if ax.get_legend() is None else _legend(ax.get_legend()),
    }
    if ax.get_label() == "<colorbar>":  # its innards are Matplotlib's, and what they show is the artist's own
        return record | {"colorbar": True, "artists": []}
    artists = [*ax.images, *ax.collections, *ax.lines, *ax.texts]
    records = [_artist(artist, ax) for artist in artists if artist.get_visible()] + _patches(ax)
    insets = [_axes(child) for child in ax.child_axes]
    return record | {"artists": records} | ({"insets": insets} if insets else {})


def _ticks(axis: Any) -> dict[str, Any] | None:
    """Describe the ticks that somebody set; automatic ones are the version's choice."""
    locator = axis.get_major_locator()
    if not isinstance(locator, FixedLocator):
        return None
    places = locator()
    return {"at": _numbers(places), "labels": axis.get_major_formatter().format_ticks(places)}


def _legend(legend: Legend) -> dict[str, Any]:
    return {
        "title": legend.get_title().get_text(),
        "texts": [text.get_text() for text in legend.get_texts()],
        "colours": [_colours(handle) for handle in legend.legend_handles],
    }


def _artist(artist: Artist, ax: Axes) -> dict[str, Any]:
    label = str(artist.get_label() or "")
    name = {} if label.startswith("_") or not label else {"label": label}
    if isinstance(artist, AxesImage):
        return {"kind": "image"} | name | _image(artist)
    if isinstance(artist, QuadMesh):
        return {"kind": "mesh"} | name | _raster(artist.get_array(), artist)
    if isinstance(artist, PathCollection) and np.size(artist.get_offsets()) > 0:
        return {"kind": "points"} | name | _points(artist, ax)
    if isinstance(artist, Collection):
        paths = [np.asarray(path.vertices) for path in artist.get_paths() if np.size(path.vertices)]
        vertices = np.concatenate(paths) if paths else np.empty((0, 2))
        kind = "strokes" if isinstance(artist, LineCollection) else "areas"
        style = {"kind": kind, "paths": len(paths), "colours": _colours(artist)}
        return style | name | _cloud(vertices, _windows(artist.get_transform(), ax))
    if isinstance(artist, Line2D):
        style = {"kind": "line", "colours": _colours(artist), "dashes": str(artist.get_linestyle())}
        style["marker"] = str(artist.get_marker())
        return style | name | _cloud(*_line(artist, ax))
    if isinstance(artist, Text):
        return {"kind": "text", "text": artist.get_text()} | _place(artist, ax)
    return {"kind": "other"}


def _line(line: Line2D, ax: Axes) -> tuple[np.ndarray, tuple[_Window, _Window]]:
    if isinstance(line, AxLine):  # its ends are where the limits are
        ends = line.get_transform() - ax.transData
        return ends.transform(line.get_xydata()), _windows(ax.transData, ax)
    return np.column_stack(line.get_data(orig=False)).astype(float), _windows(line.get_transform(), ax)


def _windows(transform: Transform, ax: Axes) -> tuple[_Window, _Window]:
    in_x, in_y = transform.contains_branch_seperately(ax.transData)
    x = _window(ax.get_xlim(), ax.get_xscale()) if in_x else _Window()
    return x, _window(ax.get_ylim(), ax.get_yscale()) if in_y else _Window()


def _place(text: Text, ax: Axes) -> dict[str, Any]:
    """Tell where a text stands, if that is a place in the data."""
    if isinstance(text, Annotation):
        return {"at": _numbers(text.xy)} if text.xycoords == "data" else {}
    return {"at": _numbers(text.get_position())} if text.get_transform() == ax.transData else {}


def _patches(ax: Axes) -> list[dict[str, Any]]:
    """Describe consecutive patches of one look together: the bars of a series."""
    runs: list[tuple[dict[str, Any], list[np.ndarray]]] = []
    for patch in ax.patches:
        if not patch.get_visible():
            continue
        data = patch.get_transform().contains_branch(ax.transData)
        path = (patch.get_transform() - ax.transData if data else patch.get_patch_transform()).transform_path(
            patch.get_path()
        )
        corners = np.array(path.get_extents().get_points())
        look = {"kind": "patches", "shape": _shape(patch), "colours": _colours(patch), "data": bool(data)}
        if not runs or runs[-1][0] != look:
            runs.append((look, []))
        runs[-1][1].append(corners)
    windows = _windows(ax.transData, ax)
    return [
        look | _cloud(np.concatenate(corners), windows if look["data"] else (_Window(), _Window()))
        for look, corners in runs
    ]


def _shape(patch: Patch) -> str:
    return type(patch).__name__.removeprefix("_").lower()


def _colours(artist: Any) -> list[str] | int:
    """List the different colours of an artist, in order of appearance; only count them where there are many."""
    rgba = _rgba(artist)
    different = list(dict.fromkeys(to_hex(c, keep_alpha=False) for c in rgba))
    return different if len(different) <= MOST_COLOURS else len(different)


def _rgba(artist: Any) -> Any:
    if isinstance(artist, Line2D):
        colour = artist.get_color() if artist.get_linestyle() not in ("None", "none", "", " ") else None
        return [artist.get_markerfacecolor() if colour is None else colour]
    if isinstance(artist, LineCollection):
        return np.atleast_2d(artist.get_colors())
    if isinstance(artist, Collection | Patch):
        filled = np.atleast_2d(artist.get_facecolor())
        return filled if filled.size and filled[:, 3].any() else np.atleast_2d(artist.get_edgecolor()).reshape(-1, 4)
    return []


# ---------------------------------------------------------------- statistics


def _points(scatter: PathCollection, ax: Axes) -> dict[str, Any]:
    places = np.ma.filled(np.ma.asarray(scatter.get_offsets(), dtype=float), np.nan)
    windows = _windows(scatter.get_offset_transform(), ax)
    record = _cloud(places, windows)
    sizes = scatter.get_sizes()
    if len(sizes) == 1:
        record["sizes"] = _numbers(sizes)
    points = np.column_stack([w.view(v) for w, v in zip(windows, places.T, strict=True)])
    good = np.isfinite(points).all(axis=1)
    values = scatter.get_array()
    if values is not None:
        values = np.ma.filled(np.ma.asarray(values, dtype=float).ravel(), np.nan)
        record["colours"] = _scale(scatter)
        record["value"] = _summary(_Window().view(values))
        few = np.unique(values[good])
        if len(few) > MOST_COLOURS:
            few = np.quantile(values[good], [1 / 3, 2 / 3])
            values = np.digitize(values, few)  # thirds
        names = np.array([f"{v:g}" for v in values])
    else:
        rgba = _rgba(scatter)
        record["colours"] = _colours(scatter)
        if len(rgba) != len(places):
            return record
        names = np.array([to_hex(c) for c in rgba])
    return record | _groups(places[good], names[good], windows)


def _groups(places: np.ndarray, names: np.ndarray, windows: tuple[_Window, _Window]) -> dict[str, Any]:
    """Tell where each colour lies; and, for planes that training may turn, how well colours are apart."""
    kinds, index = np.unique(names, return_inverse=True)
    if not 1 < len(kinds) <= MOST_COLOURS or len(names) < 3:
        return {}
    from sklearn.neighbors import NearestNeighbors  # a second of import that the NumPy notebook does without

    points = np.column_stack([w.view(v) for w, v in zip(windows, places.T, strict=True)])
    nearest = NearestNeighbors(n_neighbors=2).fit(points).kneighbors(return_distance=False, n_neighbors=1)[:, 0]
    centres = np.array([points[index == k].mean(axis=0) for k in range(len(kinds))])
    spread = points.var(axis=0).sum()
    between = (centres[index] - points.mean(axis=0)).var(axis=0).sum()
    return {
        "groups": {str(kind): _cloud(places[index == k], windows) for k, kind in enumerate(kinds)},
        "separation": _number(between / spread if spread > 0 else 0.0),
        "neighbours": _number((index[nearest] == index).mean()),
    }


def _cloud(places: np.ndarray, windows: tuple[_Window, _Window]) -> dict[str, Any]:
    x, y = (w.view(v) for w, v in zip(windows, places.T, strict=True))
    record: dict[str, Any] = {"n": len(places), "x": _summary(x), "y": _summary(y)}
    good = np.isfinite(x) & np.isfinite(y)
    x, y = x[good], y[good]
    if len(x) > 2 and x.std() > 0 and y.std() > 0:
        record["correlation"] = _number(((x - x.mean()) * (y - y.mean())).mean() / (x.std() * y.std()))
    return record


def _summary(values: np.ndarray) -> dict[str, Any]:
    good = values[np.isfinite(values)]
    if not len(good):
        return {"missing": len(values), "quantiles": [], "mean": None, "stretches": []}
    stretches = [part.mean() for part in np.array_split(good, min(SEGMENTS, len(good)))]
    return {
        "missing": int(len(values) - len(good)),
        "quantiles": _numbers(np.quantile(good, QUANTILES)),
        "mean": _number(good.mean()),
        "stretches": _numbers(stretches),
    }


def _image(image: AxesImage) -> dict[str, Any]:
    return {"origin": image.origin, "extent": _numbers(image.get_extent())} | _raster(image.get_array(), image)


def _raster(array: Any, mappable: Any) -> dict[str, Any]:
    """Average the array as it is coloured, 0 to 1 between the colour limits, over square blocks."""
    values = np.ma.filled(np.ma.asarray(array, dtype=float), np.nan)
    record: dict[str, Any] = {"shape": list(values.shape)}
    if values.ndim == 2:
        record |= {"scale": _scale(mappable)}
        values = np.ma.filled(np.ma.asarray(mappable.norm(values), dtype=float), np.nan)[..., None]
    elif np.asarray(array).dtype == np.uint8:
        values = values / 255
    rows, columns = values.shape[:2]
    block = max(1, math.ceil(math.sqrt(rows * columns / THUMBNAIL_PIXELS)))
    cut = [np.arange(0, side, block) for side in (rows, columns)]
    values = np.nan_to_num(np.clip(values, 0, 1))
    sums = np.add.reduceat(np.add.reduceat(values, cut[0], axis=0), cut[1], axis=1)
    heights, widths = (np.diff([*starts, side]) for starts, side in zip(cut, (rows, columns), strict=True))
    counts = heights[:, None] * widths
    small = np.rint(255 * sums / counts[..., None]).astype(np.uint8)
    record["thumbnail"] = {"shape": list(small.shape), "bytes": base64.b64encode(small.tobytes()).decode()}
    return record


def _scale(mappable: Any) -> dict[str, Any]:
    """Describe how numbers become colours."""
    norm, colours = mappable.norm, mappable.get_cmap()
    return {
        "map": colours.name,
        "samples": [to_hex(colours(v)) for v in (0.0, 0.25, 0.5, 0.75, 1.0)] if isinstance(colours, Colormap) else [],
        "norm": type(norm).__name__,
        "gamma": _number(getattr(norm, "gamma", 1.0)),
        "limits": [None if v is None else _number(v) for v in (norm.vmin, norm.vmax)],
    }


def _number(value: float) -> float | None:
    """Keep six significant digits; JSON knows no NaN."""
    value = float(value)
    return float(f"{value:.6g}") + 0.0 if math.isfinite(value) else None  # and no -0.0


def _numbers(values: Iterable[float]) -> list[float | None]:
    return [_number(v) for v in np.asarray(values, dtype=float).ravel()]
