"""Checks of the tasks in ``helpers/core/networks.py``."""

import torch
from torch import nn

from helpers.core import networks


def _kinds(network):
    return {type(part) for part in network.modules()}


def ConvEncoder___init__() -> None:
    network = networks.ConvEncoder(6, channels=(4, 8), hidden=16).eval()
    assert network(torch.rand(3, 1, 28, 28)).shape == (3, 6)
    assert {nn.Conv2d, nn.Linear} <= _kinds(network), "convolutions, then fully connected layers"


def ConvDecoder___init__() -> None:
    network = networks.ConvDecoder(3, channels=(4, 8), hidden=16).eval()
    assert network(torch.randn(5, 3)).shape == (5, 1, 28, 28)
    assert {nn.Linear, nn.ConvTranspose2d} <= _kinds(network), "fully connected layers, then transposed convolutions"
