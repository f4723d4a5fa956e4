"""Tasks of ``helpers/core/networks.py``."""

import torch
from torch import nn

from helpers.core import networks


def kinds(network):
    return {type(part) for part in network.modules()}


def test_core_networks_ConvEncoder___init__():
    network = networks.ConvEncoder(6, channels=(4, 8), hidden=16).eval()
    assert network(torch.rand(3, 1, 28, 28)).shape == (3, 6)
    assert {nn.Conv2d, nn.Linear} <= kinds(network), "convolutions, then fully connected layers"


def test_core_networks_ConvDecoder___init__():
    network = networks.ConvDecoder(3, channels=(4, 8), hidden=16).eval()
    assert network(torch.randn(5, 3)).shape == (5, 1, 28, 28)
    assert {nn.Linear, nn.ConvTranspose2d} <= kinds(network), "fully connected layers, then transposed convolutions"
