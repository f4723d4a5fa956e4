"""An exported decoder draws what PyTorch draws (tried on untrained networks); those of the site are the notebooks'."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from course.dev import export_decoders
from course.figures.png import read_fingerprint
from course.paths import EXPECTED
from helpers.core import latent
from helpers.fashion_latent_space import VAE


def drawn(path, codes) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path))
    return np.concatenate([session.run(None, {"z": z[None].numpy()})[0] for z in codes])


@torch.no_grad()
def test_a_garments_decoder_is_exported_as_it_draws(tmp_path):
    torch.manual_seed(0)
    vae, codes = VAE().eval(), torch.randn(5, 32)
    network = export_decoders.Garment(vae)
    export_decoders.export(network, codes, tmp_path / "garment.onnx")
    assert (tmp_path / "garment.onnx").stat().st_size < 300_000  # 16 bits
    expected = vae.decode(codes).flatten(1).numpy()
    assert np.abs(drawn(tmp_path / "garment.onnx", codes) - expected).max() < 1e-3


@pytest.mark.parametrize(("size", "limit"), [(0.1, 8e-4), (1000.0, 1e-5)], ids=["rounded", "too large to be rounded"])
@torch.no_grad()
def test_weights_are_rounded_only_where_that_cannot_be_seen(tmp_path, capsys, size, limit):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 784), nn.Sigmoid())
    network[2].weight *= size
    z = latent.grid((-3.5, 3.5), (-2, 2), 9)
    export_decoders.export(network, z, tmp_path / "any.onnx")
    assert ("so it is not done" in capsys.readouterr().out) == (size > 1)
    assert ((tmp_path / "any.onnx").stat().st_size < 150_000) == (size < 1)
    assert np.abs(drawn(tmp_path / "any.onnx", z) - network(z).numpy()).max() < limit


def test_a_notebook_runs_only_until_its_names_are_there(tmp_path, monkeypatch):
    cells = ["a = 1", "b = a + 1", "raise RuntimeError"]
    notebook = {"cells": [{"cell_type": "code", "id": f"c{i}", "metadata": {}, "source": source, "outputs": [],
                           "execution_count": None} for i, source in enumerate(cells)],
                "metadata": {}, "nbformat": 4, "nbformat_minor": 5}  # fmt: skip
    path = tmp_path / "01_any.ipynb"
    path.write_text(json.dumps(notebook))
    monkeypatch.setattr(export_decoders, "notebook_paths", lambda names: [path])
    assert export_decoders.names_of("01", ("a", "b"))["b"] == 2


# ------------------------------------------------------------------------------- what is committed

GRIDS = {  # a decoder's file: its title in the notebook's figure, and the sides of the square that is decoded there
    "autoencoder": ("Autoencoder", 5),
    "beta1": ("learned, beta = 1", 3),
    "beta3": ("learned, beta = 3", 3),
    "beta10": ("learned, beta = 10", 3),
}
ONE_GREY = 1.01  # of 255: what rounding may do


def images_of(figure: str) -> dict[str, np.ndarray]:
    """The images of a figure as the notebook stores it, by their titles, in square blocks of 255 grey levels."""
    record: Any = read_fingerprint((EXPECTED / f"{figure}.png").read_bytes())
    thumbnails = {
        axes["title"]: artist["thumbnail"]
        for axes in record["axes"]
        for artist in axes["artists"]
        if artist["kind"] == "image"
    }
    return {
        title: np.frombuffer(base64.b64decode(t["bytes"]), np.uint8).reshape(t["shape"])[..., 0].astype(float)
        for title, t in thumbnails.items()
    }


@pytest.mark.parametrize("name", GRIDS)
def test_a_digits_decoder_draws_the_grid_that_its_notebook_shows(name):
    title, side = GRIDS[name]
    shown = images_of("part_b_reconstructions")[title]
    codes = latent.grid((-side, side), (-side, side), 12)
    grid = latent.tile(torch.from_numpy(drawn(export_decoders.FOLDER / f"{name}.onnx", codes)).reshape(-1, 28, 28), 12)
    blocks = 255 * grid.reshape(112, 3, 112, 3).mean((1, 3)).numpy()
    assert np.abs(blocks - shown).max() < ONE_GREY, "another training of notebook 04: make decoders"


def test_the_garments_decoder_draws_the_boot_that_its_notebook_shows():
    about = json.loads((export_decoders.FOLDER / "garment.json").read_text(encoding="utf-8"))
    code = torch.tensor(next(start["code"] for start in about["start"] if start["name"] == "Ankle boot"))
    for dial in about["dials"]:
        code[dial["latent"]] = code[dial["latent"]].clamp(-3, 3)
    picture = 255 * drawn(export_decoders.FOLDER / "garment.onnx", code[None]).reshape(28, 28)
    shown = images_of("fashion_explore")["decoded"]
    assert np.abs(picture - shown).max() < ONE_GREY, "another training of notebook 06: make decoders"


def test_each_decoder_draws_what_pytorch_drew_and_the_page_lacks_no_file():
    folder = Path(export_decoders.FOLDER)
    checked = json.loads((folder / "checked.json").read_text(encoding="utf-8"))
    assert set(checked) == {*GRIDS, "garment"}
    for name, cases in checked.items():
        codes = torch.tensor([case["z"] for case in cases])
        assert np.abs(drawn(folder / f"{name}.onnx", codes) - [case["pixels"] for case in cases]).max() < 1e-3, name
    about = json.loads((folder / "planes.json").read_text(encoding="utf-8"))
    assert {model["name"] for model in about["models"]} == set(GRIDS) and not about["notice"]
    assert (folder / "digits.png").is_file()
