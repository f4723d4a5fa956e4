# A second solution of assignment 3 in another style, for the tests of the checks: read as text, and executed.
import math

import torch
from matplotlib import pyplot as plt
from torch import nn


class VAE(nn.Module):
    def __init__(self, latent_dim=2, hidden_dim=32):
        super().__init__()
        self.latent_dim = latent_dim
        self.down = nn.Sequential(nn.Linear(2, hidden_dim), nn.Tanh(), nn.Linear(hidden_dim, 2 * latent_dim))
        self.up = nn.Sequential(nn.Linear(latent_dim, hidden_dim), nn.Tanh(), nn.Linear(hidden_dim, 2))

    def encode(self, x):
        out = self.down(x)
        return out[:, : self.latent_dim], out[:, self.latent_dim :]

    def reparameterize(self, mu, logvar):
        return torch.distributions.Normal(mu, logvar.exp().pow(0.5)).rsample()

    def decode(self, z):
        return self.up(z)

    def forward(self, x):
        mu, logvar = self.encode(x)
        return self.decode(self.reparameterize(mu, logvar)), mu, logvar


def compute_vae_loss(model, x, beta):
    back, m, v = model(x)
    total = 0
    for j in range(m.shape[1]):
        total = total - 0.5 * torch.mean(1 + v[:, j] - m[:, j] ** 2 - torch.exp(v[:, j]))
    return nn.functional.mse_loss(back, x) + beta * total / m.shape[1]


def score_function_loss(model, x, beta):
    m, v = model.encode(x)
    z = model.reparameterize(m, v).detach()
    error = ((model.decode(z) - x) ** 2).mean(1)
    log_q = torch.distributions.Normal(m, (v / 2).exp()).log_prob(z).sum(1)
    surrogate = (error.detach() * log_q).mean()
    kl = torch.distributions.kl_divergence(
        torch.distributions.Normal(m, (v / 2).exp()), torch.distributions.Normal(0.0, 1.0)
    )
    return error.mean() + surrogate - surrogate.detach() + beta * kl.mean()


def draw_points(count):
    t = torch.empty(count).uniform_(1.5 * math.pi, 4.5 * math.pi)
    return torch.stack([t * t.cos(), t * t.sin()], 1) / 15


def train_vae(n_steps=1000, batch_size=128, lr=1e-3, beta=0.01):
    model, curve = VAE(), []
    opt = torch.optim.Adam(model.parameters(), lr)
    while len(curve) < n_steps:
        opt.zero_grad()
        value = compute_vae_loss(model, draw_points(batch_size), beta)
        value.backward()
        opt.step()
        curve.append(value.detach())
    return model, curve, torch.device("cpu")


def train_vae_with_visualization(n_steps=1000, batch_size=128, lr=1e-3, beta=0.01, viz_interval=100):
    model, curve = VAE(), []
    opt = torch.optim.Adam(model.parameters(), lr)
    for step in range(n_steps + 1):
        if step % viz_interval == 0:
            with torch.no_grad():
                decoded = model.decode(torch.randn(100, 2))
            plt.figure()
            plt.plot(decoded[:, 0], decoded[:, 1], ".")
            plt.show()
        if step < n_steps:
            opt.zero_grad()
            value = compute_vae_loss(model, draw_points(batch_size), beta)
            value.backward()
            opt.step()
            curve.append(value.item())
    return model, curve, "cpu"
