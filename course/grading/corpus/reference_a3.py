# A compact honest submission of assignment 3, in cells (# %%), for the grader's tests: mistakes are put into it.
# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn

torch.manual_seed(42)
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")


# %%
def generate_swiss_roll(n_samples=1000):
    angle = 1.5 * np.pi * (1 + 2 * torch.rand(n_samples))
    return torch.stack((angle * angle.cos(), angle * angle.sin()), dim=1) / 15.0


class VAE(nn.Module):
    def __init__(self, latent_dim=2, hidden_dim=256):
        super().__init__()
        h = hidden_dim
        self.encoder = nn.Sequential(nn.Linear(2, h), nn.ReLU(), nn.Linear(h, h), nn.ReLU(), nn.Linear(h, h), nn.ReLU())
        self.fc_mu, self.fc_logvar = nn.Linear(h, latent_dim), nn.Linear(h, latent_dim)
        hidden = (nn.Linear(h, h), nn.ReLU(), nn.Linear(h, h), nn.ReLU())
        self.decoder = nn.Sequential(nn.Linear(latent_dim, h), nn.ReLU(), *hidden, nn.Linear(h, 2))

    def encode(self, x):
        features = self.encoder(x)
        return self.fc_mu(features), self.fc_logvar(features)

    def reparameterize(self, mu, logvar):
        std = (logvar / 2).exp()
        noise = torch.randn_like(std)
        return mu + noise * std

    def decode(self, z):
        return self.decoder(z)

    def forward(self, x):
        mu, logvar = self.encode(x)
        return self.decode(self.reparameterize(mu, logvar)), mu, logvar


# %%
def compute_vae_loss(model, x, beta):
    x_hat, mu, logvar = model(x)
    error = ((x_hat - x) ** 2).mean()
    kl = 0.5 * (mu**2 + logvar.exp() - logvar - 1).mean()
    return error + beta * kl


def train_vae(n_steps=1000, batch_size=128, lr=1e-3, beta=0.01, latent_dim=2):
    model = VAE(latent_dim).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    losses = []
    for _ in range(n_steps):
        loss = compute_vae_loss(model, generate_swiss_roll(batch_size).to(device), beta)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return model, losses, device


# %%
model, losses, device = train_vae()
print(f"final loss: {np.mean(losses[-50:]):.4f}")
plt.plot(losses)
plt.title("Training Loss")
plt.show()

# %%
wide, _, _ = train_vae(latent_dim=8)
