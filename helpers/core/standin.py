"""The offline stand-in: images of ten classes for machines where no data set can be reached, never called MNIST.

A file of under a megabyte holds a generative model: for each class a Gaussian mixture over the codes of a VAE, and
that VAE's decoder. ``course/dev/make_standin.py`` fitted it to the genuine training images and measured how good it is.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from safetensors.numpy import load_file

NOTICE = "STAND-IN DATA, generated offline: numbers and figures differ from those on the genuine images"
NUM_TRAIN, NUM_TEST = 60_000, 10_000
TITLES = {"mnist": "Stand-in digits", "fashion": "Stand-in garments"}


class StandIn(NamedTuple):
    """The images and their labels: 60,000 to train on, then 10,000 to test on."""

    images: np.ndarray  # (70000, 28, 28), float32 in [0, 1]
    labels: np.ndarray  # (70000,), int64


def weights_path(name: str) -> Path:
    """Return the file of the generative model for "mnist" or "fashion"."""
    return Path(__file__).with_name("standin") / f"{name}.safetensors"


def make(name: str, seed: int = 0) -> StandIn:
    """Draw labels, then codes from the label's mixture, then decode; the same images for the same seed."""
    w = {key: value.astype(np.float32) for key, value in load_file(weights_path(name)).items()}
    count = NUM_TRAIN + NUM_TEST
    rand = np.random.RandomState(seed)
    labels = rand.permutation(np.arange(count) % 10)
    codes = np.empty((count, w["means"].shape[-1]), np.float32)
    for label in range(10):
        rows = np.flatnonzero(labels == label)
        shares = w["shares"][label].astype(np.float64)
        component = rand.choice(len(shares), size=len(rows), p=shares / shares.sum())
        noise = rand.standard_normal((len(rows), codes.shape[1])).astype(np.float32)
        codes[rows] = w["means"][label, component] + np.einsum("nij,nj->ni", w["factors"][label, component], noise)
    images = np.empty((count, 784), np.float32)
    for part in np.array_split(np.arange(count), 14):
        hidden = np.maximum(codes[part] @ w["layers.0.weight"].T + w["layers.0.bias"], 0)
        images[part] = 1 / (1 + np.exp(-(hidden @ w["layers.1.weight"].T + w["layers.1.bias"])))
    # eight bits, as genuine images have, so that faint haze becomes a true black background
    images = np.round(images * 255) / np.float32(255)
    return StandIn(images.reshape(-1, 28, 28), labels.astype(np.int64))
