# ruff: noqa: B905 written as students write
# A second solution of assignment 5 in another style, for the tests of the checks: read as text, and executed.
import numpy as np
import torch
from torch import nn


class VAE(nn.Module):
    def __init__(self, latent_dim=32):
        super().__init__()
        self.latent_dim = latent_dim
        self.encoder, self.decoder = nn.Linear(784, 2 * latent_dim), nn.Linear(latent_dim, 784)

    def reparameterize(self, mu, logvar):
        noise = torch.randn(mu.shape)
        return mu + noise.mul(logvar.mul(0.5).exp())


def vae_loss(recon_x, x, mu, logvar, beta=1.0):
    total = 0.0
    for r, t, m, v in zip(recon_x, x, mu, logvar):
        total = total - (t * r.log() + (1 - t) * (1 - r).log()).sum()
        total = total - beta * 0.5 * (1 + v - m * m - v.exp()).sum()
    return total


def attribute_direction(codes_with, codes_without):
    return (sum(codes_with) / len(codes_with) - sum(codes_without) / len(codes_without)).unsqueeze(0)


def add_direction(z, direction, amount=1.0):
    return torch.stack([code + direction[0] * amount for code in z])


def region_map(model, dimensions=(0, 1), limit=3.0, grid_size=10):
    pictures = []
    for up in np.linspace(limit, -limit, grid_size):
        for right in np.linspace(-limit, limit, grid_size):
            z = torch.zeros(1, model.latent_dim)
            z[0, dimensions[0]], z[0, dimensions[1]] = float(right), float(up)
            pictures.append(model.decode(z)[0, 0])
    return torch.stack(pictures)


def neighbourhood(codes, n, scale, *, isotropic, seed=0):
    torch.manual_seed(seed)
    centre = codes.mean(0)
    if isotropic:
        return centre + scale * torch.randn(n, codes.shape[1])
    covariance = (codes - centre).T @ (codes - centre) / (len(codes) - 1)
    return torch.distributions.MultivariateNormal(centre, scale**2 * covariance).sample((n,))
