# ruff: noqa: B905, RUF005 written as students write
# A second solution of assignment 1 in another style, for the tests of the checks: read as text, and executed.
import math

import numpy as np
import torch
from matplotlib import pyplot as plt
from torch import nn


def multilayer(sizes, activation):
    parts = []
    for i in range(len(sizes) - 1):
        parts.append(nn.Linear(sizes[i], sizes[i + 1]))
        if i < len(sizes) - 2:
            parts.append(activation())
    return nn.Sequential(*parts)


class VAE(nn.Module):
    def __init__(
        self,
        input_size,
        latent_size,
        encoder_sizes,
        decoder_sizes,
        hidden_activation=None,
        flatten=False,
        sigmoid=False,
    ):
        super().__init__()
        self.k, self.d, self.squash, self.flat = latent_size, input_size, sigmoid, flatten
        self.latent_size = latent_size
        self.encoder = multilayer([input_size] + list(encoder_sizes) + [2 * latent_size], nn.Tanh)
        self.decoder = multilayer([latent_size] + list(decoder_sizes) + [2 * input_size], nn.Tanh)

    def encode(self, x):
        out = self.encoder(x.reshape(x.size(0), -1))
        return out[:, : self.k], out[:, self.k :]

    def two_heads(self, z):
        out = self.decoder(z)
        m = out[:, : self.d]
        return (1 / (1 + torch.exp(-m)) if self.squash else m), out[:, self.d :]

    def forward(self, x):
        x = x.reshape(x.size(0), -1)
        m, log_var = self.encode(x)
        code = self.sample_posterior(m, log_var.exp().sqrt())
        guess, guess_log_var = self.two_heads(code)
        divergence, surprise = torch.zeros(()), torch.zeros(())
        for j in range(self.k):
            divergence = divergence + torch.mean(-0.5 * (1 + log_var[:, j] - m[:, j].pow(2) - log_var[:, j].exp()))
        for i in range(self.d):
            term = (x[:, i] - guess[:, i]).pow(2) * torch.exp(-guess_log_var[:, i])
            surprise = surprise + torch.mean(0.5 * (term + guess_log_var[:, i] + math.log(2 * math.pi)))
        return guess, code, -surprise - divergence, divergence, surprise

    def decode(self, z, noise=True):
        guess, log_var = self.two_heads(z)
        return torch.normal(guess, log_var.exp().sqrt()) if noise else guess

    def sample_prior(self, batch_size, device=None):
        return torch.normal(torch.zeros(batch_size, self.k), torch.ones(batch_size, self.k))

    def sample(self, batch_size, decoder_noise=False):
        with torch.no_grad():
            rows = [self.decode(self.sample_prior(1), decoder_noise) for _ in range(batch_size)]
            return torch.cat(rows)

    def sample_posterior(self, mean, std):
        return torch.addcmul(mean, std, torch.empty_like(std).normal_())

    def encode_latent(self, x):
        m, log_var = self.encode(x)
        return self.sample_posterior(m, (log_var / 2).exp())


def train_vae(model, optimizer, train_loader, val_loader, test_loader=None, figtitle=None, num_epochs=10, beta=1.0):
    log = {"elbo": [], "kl": [], "nll": []}
    epoch = 0
    while epoch < num_epochs:
        for points, *_ in train_loader:
            results = model(points)
            objective = results[4].add(results[3], alpha=beta)
            for p in model.parameters():
                p.grad = None
            objective.backward()
            optimizer.step()
            for name, value in zip(log, results[2:]):
                log[name].append(float(value))
        epoch += 1
    figure, axes = plt.subplots(3, 1)
    for ax, (name, values) in zip(axes, log.items()):
        ax.plot(values, label=name)
    if test_loader is None:
        return figure, None
    with torch.no_grad():
        totals = [[float(t) for t in model(batch[0])[2:]] for batch in test_loader]
    print("test", [sum(column) / len(totals) for column in zip(*totals)])
    second, ax = plt.subplots()
    ax.plot(*model.sample(50, True).T.numpy(), ".")
    return figure, second


class Encoder(nn.Module):
    def __init__(self, latent_dims):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(784, 512), nn.GELU(), nn.Linear(512, latent_dims))

    def forward(self, x):
        return self.net(x)


class Decoder(nn.Module):
    def __init__(self, latent_dims):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(latent_dims, 512), nn.GELU(), nn.Linear(512, 784), nn.Sigmoid())

    def forward(self, z):
        return self.net(z).unflatten(1, (1, 28, 28))


class Autoencoder(nn.Module):
    def __init__(self, latent_dims):
        super().__init__()
        self.encoder, self.decoder = Encoder(latent_dims), Decoder(latent_dims)

    def decode(self, z):
        return self.decoder(z)

    def forward(self, x):
        code = self.encoder(x)
        return self.decode(code), code


def train_ae(autoencoder, data, opt, num_epochs=20):
    criterion = nn.MSELoss(reduction="sum")
    for _ in range(num_epochs):
        for images, _labels in data:
            opt.zero_grad(set_to_none=False)
            back = autoencoder.decode(autoencoder.encoder(images))
            (criterion(back, images) / images.numel()).backward()
            opt.step()
    return autoencoder


def plot_latent2D(model, data, num_batches=8, title=None, plot_idx=0):
    ax = plt.subplot(1, 4, plot_idx + 1)
    points = {digit: [] for digit in range(10)}
    for number, (images, labels) in enumerate(data):
        if number >= num_batches:
            break
        codes = model.encode_latent(images) if hasattr(model, "encode_latent") else model.encoder(images)
        for code, label in zip(codes.tolist(), labels.tolist()):
            points[label].append(code)
    for digit, codes in points.items():
        dots = ax.scatter([c[0] for c in codes], [c[1] for c in codes], label=str(digit))
    plt.colorbar(dots)  # its collections are no points


def plot_reconstructed(model, r0=(-5, 5), r1=(-5, 5), vae=False, n=12, title=None, plot_idx=0):
    columns, rows = np.linspace(r0[0], r0[1], n), np.linspace(r1[0], r1[1], n)
    picture = np.zeros((0, 28 * n))
    for second in reversed(rows):
        strip = []
        for first in columns:
            z = torch.tensor([[first, second]]).float()
            strip.append((model.decode(z, noise=False) if vae else model.decode(z)).view(28, 28).tolist())
        picture = np.concatenate([picture, np.concatenate([np.array(s) for s in strip], axis=1)])
    ax = plt.subplot(1, 4, plot_idx + 1)
    ax.matshow(picture, extent=(r0[0], r0[1], r1[0], r1[1]))


def interpolate(model, x_1, x_2, n=20, vae=False, title=None, plot_idx=0):
    both = torch.stack([x_1.view(28, 28), x_2.view(28, 28)]).unsqueeze(1)
    a, b = model.encode(both)[0] if vae else model.encoder(both)
    tiles = []
    for step in range(n):
        share = step / (n - 1)
        z = (a * (1 - share) + b * share).unsqueeze(0)
        tiles.append((model.decode(z, noise=False) if vae else model.decode(z)).view(28, 28).numpy())
    plt.subplot(4, 1, plot_idx + 1).imshow(np.hstack(tiles), cmap="magma")
