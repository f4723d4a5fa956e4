# A second solution of assignment 4 in another style, for the tests of the checks: read as text, and executed.
import torch
from torch import nn


class VAE(nn.Module):
    """Its decoder gives probabilities, not logits."""

    def __init__(self, latent_dim=24):
        super().__init__()
        self.latent_dim = latent_dim
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 8, 3, 2, 1), nn.SiLU(), nn.Conv2d(8, 8, 3, 2, 1), nn.Flatten(), nn.Linear(392, 2 * latent_dim)
        )
        self.decoder = nn.Sequential(
            nn.Linear(latent_dim, 392),
            nn.Unflatten(1, (8, 7, 7)),
            nn.ConvTranspose2d(8, 8, 4, 2, 1),
            nn.SiLU(),
            nn.ConvTranspose2d(8, 1, 4, 2, 1),
            nn.Sigmoid(),
        )

    def encode(self, x):
        return torch.chunk(self.encoder(x), 2, 1)

    def decode(self, z):
        return self.decoder(z)


def calc_elbo(model, x, generator=None):
    m, v = model.encode(x)
    q = torch.distributions.Normal(m, torch.sqrt(torch.exp(v)))
    p = model.decode(q.rsample()).clamp(1e-7, 1 - 1e-7)
    right = torch.where(x > 0.5, p, 1 - p).log().flatten(1).sum(1)
    divergence = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum(1)
    return {"bound": (right - divergence).mean(), "divergence": divergence.mean(), "nll": -right.mean()}


def sample(model, n):
    with torch.no_grad():
        pictures = [model.decode(torch.randn(1, model.latent_dim)) for _ in range(n)]
    return torch.cat(pictures).bernoulli()


def train(model, optimizer, train_loader, val_loader, num_epochs):
    for _ in range(num_epochs):
        for gray, _labels in train_loader:
            terms = calc_elbo(model, torch.bernoulli(gray))
            bound = terms["bound"] if isinstance(terms, dict) else terms[0].mean()
            model.zero_grad()
            bound.neg().backward()
            optimizer.step()
