"""An exported decoder draws what PyTorch draws; the networks are untrained, which changes nothing of that."""

import json

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from course.dev import export_decoders
from helpers.core import latent
from helpers.fashion_latent_space import VAE


@pytest.fixture
def plane() -> export_decoders.Plane:
    torch.manual_seed(0)
    first, last = nn.Linear(2, 64), nn.Linear(64, 784)
    with torch.no_grad():
        last.bias[:100] -= 30  # pixels that stay black
    return export_decoders.Plane("any", "Any", first, last, torch.zeros(1, 2), ((-3.5, 3.5), (-2, 2)))


def drawn(path, codes) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path))
    return np.concatenate([session.run(None, {"z": z[None].numpy()})[0] for z in codes])


@torch.no_grad()
def test_pixels_that_stay_black_are_left_out_and_drawn_black(plane):
    pixels = export_decoders.visible_pixels(plane)
    assert len(pixels) == 684 and pixels.min() == 100
    whole = nn.Sequential(plane.first, nn.ReLU(), plane.last, nn.Sigmoid())
    z = latent.grid(*plane.corners, 9)
    visible = export_decoders.Visible(plane.first, plane.last, pixels)(z)
    assert (visible - whole(z)).abs().max() < export_decoders.INVISIBLE
    assert not visible[:, :100].any()


@torch.no_grad()
def test_a_garments_decoder_is_exported_as_it_draws(tmp_path):
    torch.manual_seed(0)
    vae, codes = VAE().eval(), torch.randn(5, 32)
    network = export_decoders.Garment(vae)
    export_decoders.export(network, network, codes, tmp_path / "garment.onnx")
    assert (tmp_path / "garment.onnx").stat().st_size < 300_000  # half precision
    expected = vae.decode(codes).flatten(1).numpy()
    assert np.abs(drawn(tmp_path / "garment.onnx", codes) - expected).max() < 1e-3


@torch.no_grad()
def test_weights_are_not_rounded_where_that_could_be_seen(tmp_path, plane, capsys):
    plane.last.weight *= 100
    whole = nn.Sequential(plane.first, nn.ReLU(), plane.last, nn.Sigmoid())
    z = latent.grid(*plane.corners, 9)
    export_decoders.export(whole, whole, z, tmp_path / "any.onnx")
    assert "so it is not done" in capsys.readouterr().out
    assert np.abs(drawn(tmp_path / "any.onnx", z) - whole(z).numpy()).max() < 1e-5


def test_a_notebook_runs_only_until_its_names_are_there(tmp_path, monkeypatch):
    cells = ["a = 1", "b = a + 1", "raise RuntimeError"]
    notebook = {"cells": [{"cell_type": "code", "id": f"c{i}", "metadata": {}, "source": source, "outputs": [],
                           "execution_count": None} for i, source in enumerate(cells)],
                "metadata": {}, "nbformat": 4, "nbformat_minor": 5}  # fmt: skip
    path = tmp_path / "01_any.ipynb"
    path.write_text(json.dumps(notebook))
    monkeypatch.setattr(export_decoders, "notebook_paths", lambda names: [path])
    assert export_decoders.names_of("01", ("a", "b"))["b"] == 2
