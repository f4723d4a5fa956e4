"""Export what the site's latent plane draws with: decoders of notebooks 04 and 06, codes, test images (make decoders).

    python -m course.dev.export_decoders

The networks are those that the notebooks train: kept trainings are loaded from ``checkpoints``, others are trained
first. So export after a run that stored 04 or 06; a test compares what is committed with the figures that the notebooks
store. Weights are stored in 16 bits and used in float32. ``checked.json`` holds what PyTorch draws with the networks as
they were trained, for the test in the browser. Everything goes into ``docs/_static/play``.
"""

import contextlib
import io
import json
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from course.paths import ROOT, notebook_paths
from helpers import plots
from helpers.core import latent
from helpers.core.data import ImageSet
from helpers.core.files import write_whole

FOLDER = ROOT / "docs" / "_static" / "play"
NUM_CODES = 1000  # of the test set: what the plane shows, and where the nearest ones come from
COLUMNS = 40  # of images side by side in the picture that holds them all
VAE_SIDE = 3.5  # the plane of a VAE: its prior has all but a thousandth of its mass inside
FEW = 5000  # weights of a layer that are not worth rounding: the first layer's, whose errors all others multiply
MOST = 2**15 - 1  # of 16 bits: half precision has as many, and is five times coarser on these weights
ROUNDED = 8e-4  # where rounding changes a pixel more than this, it is not done; the browser may differ by 1e-3
PER_CHECK = 3  # places at which a decoder is compared in the browser


class Plane(NamedTuple):
    """One model of notebook 04: a decoder from the plane to pixel means, and the codes of test images."""

    name: str  # of its file
    title: str
    first: nn.Linear
    last: nn.Linear
    codes: Tensor  # (NUM_CODES, 2)
    corners: tuple[tuple[float, float], tuple[float, float]]  # (least, largest) of each latent


# ---------------------------------------------------------------- the networks for the browser


class Garment(nn.Module):
    """The decoder of notebook 06, shape (1, 32) to (1, 784)."""

    def __init__(self, vae: Any) -> None:
        super().__init__()
        self.decoder_fc, self.decoder = vae.decoder_fc, vae.decoder

    def forward(self, z: Tensor) -> Tensor:
        return self.decoder(self.decoder_fc(z).reshape(-1, 64, 7, 7)).flatten(1)


class Rounded(nn.Module):
    """A network whose matrices are stored as integers of 16 bits, with a scale a row, and used in float32."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.names = [name for name, _ in network.named_parameters()]
        for place, value in enumerate(network.parameters()):
            value, scale = value.detach(), torch.ones(())
            if value.numel() > FEW:
                scale = value.abs().amax(tuple(range(1, value.ndim)), keepdim=True) / MOST
                value = (value / scale).round().short()
            self.register_buffer(f"stored{place}", value)
            self.register_buffer(f"scale{place}", scale)

    def forward(self, z: Tensor) -> Tensor:
        weights = {
            name: self.get_buffer(f"stored{place}").float() * self.get_buffer(f"scale{place}")
            for place, name in enumerate(self.names)
        }
        return torch.func.functional_call(self.network, weights, (z,))


def export(network: nn.Module, z: Tensor, path: Path) -> None:
    """Write a network with one input ``z`` and one output ``image`` as an ONNX file, whole or not at all.

    Args:
        z: the codes to try rounded weights on, shape (N, latents).
    """
    rounded = Rounded(network).eval()
    error = float((rounded(z) - network(z)).abs().max())
    stored = rounded if error < ROUNDED else network.eval()
    outcome = "" if stored is rounded else ", so it is not done"
    print(f"{path.name}: rounding changes a pixel by {error:.1e} at most{outcome}")
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # of the exporter's own ways
        program = torch.onnx.export(
            stored,
            (z[:1],),
            input_names=["z"],
            output_names=["image"],
            dynamo=True,
            optimize=False,
            verbose=False,
        )
    assert program is not None  # it is, with dynamo
    write_whole(path, program.model_proto.SerializeToString())


# ---------------------------------------------------------------- what the notebooks train


def names_of(notebook: str, names: Iterable[str]) -> dict[str, Any]:
    """Run a notebook's cells, in order, until they have defined ``names``; return all that is defined then."""
    (path,) = notebook_paths([notebook])
    defined: dict[str, Any] = {"__name__": "__main__"}
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(cell.source, path.name, "exec"), defined)
        if all(name in defined for name in names):
            return defined
    raise ValueError(f"{path.name} defines no {', '.join(name for name in names if name not in defined)}")


def planes_of(run: Mapping[str, Any]) -> list[Plane]:
    """Return the autoencoder and the three VAEs with a learned variance, from what notebook 04 defines."""
    images = run["test"][0][:NUM_CODES]
    autoencoder = run["autoencoder"]
    codes = run["codes"](autoencoder, images, vae=False)[0].cpu()
    low, high = codes.quantile(torch.tensor([0.005, 0.995]), dim=0).tolist()
    decoder = autoencoder.decoder
    corners = ((low[0], high[0]), (low[1], high[1]))
    found = [Plane("autoencoder", "Autoencoder", decoder.linear1, decoder.linear2, codes, corners)]
    for beta, vae in run["models"].items():
        first, last = vae.decoder.layers
        codes = run["codes"](vae, images, vae=True)[0].cpu()
        side = (-VAE_SIDE, VAE_SIDE)
        found.append(Plane(f"beta{beta}", f"VAE, β = {beta}", first, last, codes, (side, side)))
    return [plane._replace(first=plane.first.cpu(), last=plane.last.cpu()) for plane in found]


# ---------------------------------------------------------------- files


def shortened(values: Tensor, digits: int) -> list[Any]:
    """Return numbers with so many digits after the point, as JSON takes them."""
    return np.round(values.detach().double().cpu().numpy(), digits).tolist()


def sheet(images: Tensor) -> bytes:
    """Return a PNG of all images, shape (N, 28, 28), in rows of ``COLUMNS``."""
    tiled = latent.tile(images, COLUMNS)
    buffer = io.BytesIO()
    Image.fromarray((255 * tiled).round().byte().cpu().numpy()).save(buffer, format="png", optimize=True)
    return buffer.getvalue()


def notice_of(data: ImageSet) -> str:
    """Return what the page says of the data: nothing of the genuine ones."""
    return "" if data.genuine else f"These networks were trained on {data.title}, not on the real images."


def write_json(path: Path, content: Any) -> None:
    write_whole(path, json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode())


def checks(draw: nn.Module, codes: Tensor) -> list[dict[str, Any]]:
    """Return codes, and the pixels that a network as trained draws from them."""
    return [{"z": shortened(z, 6), "pixels": shortened(draw(z[None].round(decimals=6))[0], 5)} for z in codes]


@torch.no_grad()
def write_planes(run: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Export notebook 04's four models; return what each draws at a few places."""
    about, checked = [], {}
    for plane in planes_of(run):
        whole = nn.Sequential(plane.first, nn.ReLU(), plane.last, nn.Sigmoid())
        export(whole, latent.grid(*plane.corners, 61), folder / f"{plane.name}.onnx")
        about.append(
            {"name": plane.name, "title": plane.title, "corners": plane.corners, "codes": shortened(plane.codes, 3)}
        )
        inside = latent.grid(*plane.corners, 7)[[10, 24, 36]]
        checked[plane.name] = checks(whole, inside)
    images, labels = run["test"][0][:NUM_CODES, 0], run["test"][1][:NUM_CODES]
    write_whole(folder / "digits.png", sheet(images))
    colours, notice = plots.CLASS_COLOURS, notice_of(run["data"])
    content = {"notice": notice, "columns": COLUMNS, "colours": colours, "labels": labels.tolist(), "models": about}
    write_json(folder / "planes.json", content)
    return checked


@torch.no_grad()
def write_garment(run: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Export notebook 06's decoder and the codes of one garment a category; return what it draws of some of them."""
    vae, names = run["model"].cpu(), run["CATEGORY_NAMES"]
    test_x, test_y = run["test_x"].cpu(), run["test_y"].cpu()
    firsts = [int((test_y == category).nonzero()[0]) for category in range(len(names))]
    codes = run["encode_to_mu"](test_x[firsts], model=vae).cpu()
    export(Garment(vae), codes, folder / "garment.onnx")
    best = run["latent_rates"](vae, test_x).topk(6)
    dials = [
        {"latent": j, "nats": round(rate, 2)}
        for j, rate in zip(best.indices.tolist(), best.values.tolist(), strict=True)
    ]
    start = [{"name": name, "code": shortened(code, 4)} for name, code in zip(names, codes, strict=True)]
    write_json(folder / "garment.json", {"notice": notice_of(run["data"]), "dials": dials, "start": start})
    return {"garment": checks(Garment(vae), codes[:PER_CHECK])}


def main() -> None:
    """Write all files, and print how large they are together."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    planes = write_planes(names_of("04", ("autoencoder", "models", "plain")), FOLDER)
    garment = write_garment(names_of("06", ("model",)), FOLDER)
    write_json(FOLDER / "checked.json", planes | garment)
    sizes = {path.name: path.stat().st_size for path in sorted(FOLDER.iterdir())}
    for name, size in sizes.items():
        print(f"{size / 1e6:6.2f} MB  {name}")
    print(f"{sum(sizes.values()) / 1e6:6.2f} MB  in {FOLDER}")


if __name__ == "__main__":
    main()
