# pyright: basic, reportArgumentType=false, reportCallIssue=false
# ruff: noqa: B007, B905, RUF007 written as students write
# A compact honest submission of assignment 1, in cells (# %%), for the grader's tests: mistakes are put into it.
# %%
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torchvision
from matplotlib import pyplot as plt
from torch import optim
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")


# %%
def ellipse(rand):
    return rand.standard_normal((100_000, 2)) * np.array([5.0, 1.0])


def sample_data_1():
    return ellipse(np.random.RandomState(0)) + np.array([1.0, 2.0])


def sample_data_2():
    quarter_turn = np.array([[1.0, 1.0], [-1.0, 1.0]]) / np.sqrt(2)
    return ellipse(np.random.RandomState(0)) @ quarter_turn + np.array([1.0, 2.0])


def sample_data_3():
    rand, third = np.random.RandomState(0), 33_333
    left, right = (rand.standard_normal((third, 2)) * 0.2 + [side, 2.5] for side in (-1.5, 1.5))
    angle = np.linspace(0, np.pi, third)
    arc = np.stack([2 * np.cos(angle), -np.sin(angle)], axis=1) + rand.standard_normal((third, 2)) * 0.2
    points, blob_of = np.concatenate([left, right, arc]), np.arange(3).repeat(third)
    order = rand.permutation(3 * third)
    return points[order], blob_of[order]


def split(X, n_test):
    X = torch.as_tensor(X, dtype=torch.float32)
    return [TensorDataset(part) for part in (X[: -n_test - 5000], X[-n_test - 5000 : -n_test], X[-n_test:])]


train_dataset1, val_dataset1, test_dataset1 = split(sample_data_1(), 5000)
train_dataset2, val_dataset2, test_dataset2 = split(sample_data_2(), 5000)
X3, y3 = sample_data_3()
train_dataset3, val_dataset3, test_dataset3 = split(X3, 20000)


# %%
class MLP(nn.Module):
    def __init__(self, input_size, hidden_sizes, output_size, hidden_activation=F.relu):
        super().__init__()
        self.hidden_activation = hidden_activation
        sizes = [input_size, *hidden_sizes, output_size]
        self.layers = nn.ModuleList([nn.Linear(i, o) for i, o in zip(sizes[:-1], sizes[1:])])

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = self.hidden_activation(layer(x))
        return self.layers[-1](x)


class VAE(nn.Module):
    def __init__(
        self,
        input_size,
        latent_size,
        encoder_sizes,
        decoder_sizes,
        hidden_activation=F.relu,
        flatten=False,
        sigmoid=False,
    ):
        super().__init__()
        self.input_size = input_size
        self.latent_size = latent_size
        self.flatten = flatten
        self.sigmoid = sigmoid
        options = {"hidden_activation": hidden_activation}  # each network gives means and log-variances
        self.encoder = MLP(input_size, encoder_sizes, latent_size * 2, **options)
        self.decoder = MLP(latent_size, decoder_sizes, input_size * 2, **options)

    def forward(self, x):
        if self.flatten:
            x = x.flatten(1)
        mean, logvar = self.encode(x)
        std = torch.exp(0.5 * logvar)
        z = self.sample_posterior(mean, std)
        x_pred, x_logvar = self.decode_both(z)
        nll = 0.5 * ((x - x_pred) ** 2 / x_logvar.exp() + x_logvar + np.log(2 * np.pi)).sum(1).mean()
        kl = 0.5 * (mean**2 + logvar.exp() - logvar - 1).sum(1).mean()
        elbo = -(nll + kl)
        return x_pred, z, elbo, kl, nll

    def encode(self, x):
        mean, logvar = self.encoder(x).chunk(2, dim=1)
        return mean, logvar

    def decode_both(self, z):
        mean, logvar = self.decoder(z).chunk(2, dim=1)
        if self.sigmoid:
            mean = torch.sigmoid(mean)
        return mean, logvar

    def decode(self, z, noise=True):
        x_pred, logvar = self.decode_both(z)
        if noise:
            x_pred = x_pred + torch.exp(0.5 * logvar) * torch.randn_like(x_pred)
        return x_pred

    def sample(self, batch_size, decoder_noise=False):
        with torch.no_grad():
            z = self.sample_prior(batch_size)
            x_sampled = self.decode(z, noise=decoder_noise)
            return x_sampled

    def sample_prior(self, batch_size, device=None):
        if device is None:
            device = next(self.parameters()).device
        return torch.randn(batch_size, self.latent_size, device=device)

    def sample_posterior(self, mean, std):
        eps = torch.randn_like(std)
        z = mean + std * eps
        return z

    def encode_latent(self, x):
        if self.flatten:
            x = x.flatten(1)
        mean, logvar = self.encode(x)
        std = torch.exp(0.5 * logvar)
        return self.sample_posterior(mean, std)


# %%
def train_vae(model, optimizer, train_loader, val_loader, test_loader=None, figtitle=None, num_epochs=10, beta=1.0):
    history = []
    for epoch in range(num_epochs):
        for minibatch in train_loader:
            x = minibatch[0].to(device)
            _, _, elbo, kl, nll = model(x)
            loss = nll + beta * kl
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 3.0)
            optimizer.step()
            history.append([elbo.item(), kl.item(), nll.item()])
    fig, axes = plt.subplots(1, 3, figsize=(12, 3))
    for ax, curve, name in zip(axes, np.array(history).T, ["ELBO", "KL divergence", "Negative log likelihood"]):
        ax.plot(curve, label="train")
        ax.set_title(name)
    fig.suptitle(figtitle)
    fig2 = None
    if test_loader is not None:
        with torch.no_grad():
            elbo, kl, nll = np.mean([[t.item() for t in model(b[0].to(device))[2:]] for b in test_loader], axis=0)
        print(f"Final test performance: ELBO = {elbo:.5f}, KL = {kl:.5f}, NLL = {nll:.5f}")
        fig2, axes = plt.subplots(1, 3, figsize=(12, 3), sharex=True, sharey=True)
        axes[0].scatter(*torch.cat([b[0] for b in test_loader]).cpu().numpy().T, s=2)
        axes[1].scatter(*model.sample(5000, decoder_noise=True).cpu().numpy().T, s=2)
        axes[2].scatter(*model.sample(5000, decoder_noise=False).cpu().numpy().T, s=2)
        for ax, name in zip(axes, ["Original data", "Samples (with decoder noise)", "Samples (without decoder noise)"]):
            ax.set_title(name)
    return fig, fig2


# %%
batch_size, num_epochs = 512, 10
train_loader = DataLoader(train_dataset1, shuffle=True, batch_size=batch_size)
val_loader = DataLoader(val_dataset1, batch_size=batch_size)
test_loader = DataLoader(test_dataset1, batch_size=batch_size)
model = VAE(2, 2, [20], []).to(device)
optimizer = optim.Adam(model.parameters(), 1e-2)
fig, fig2 = train_vae(model, optimizer, train_loader, val_loader, test_loader, "Dataset 1, VAE 1", num_epochs)

# %%
train_loader = DataLoader(train_dataset2, shuffle=True, batch_size=batch_size)
val_loader = DataLoader(val_dataset2, batch_size=batch_size)
test_loader = DataLoader(test_dataset2, batch_size=batch_size)
model = VAE(2, 2, [20], []).to(device)
optimizer = optim.Adam(model.parameters(), 1e-2)
fig, fig2 = train_vae(model, optimizer, train_loader, val_loader, test_loader, "Dataset 2, VAE 1", num_epochs)

# %%
train_loader = DataLoader(train_dataset3, batch_size=500, shuffle=True)
val_loader = DataLoader(val_dataset3, batch_size=500)
test_loader = DataLoader(test_dataset3, batch_size=500)
model = VAE(2, 2, [150, 250], [250, 150]).to(device)
optimizer = optim.Adam(model.parameters(), 1e-4)
fig, fig2 = train_vae(model, optimizer, train_loader, val_loader, test_loader, "Dataset 3, VAE 1", num_epochs)
plt.figure()
plt.title("Latent Space Representation")
first = torch.tensor(X3[:500]).float().to(device)
plt.scatter(*model.encode_latent(first).detach().cpu().numpy().T, c=y3[:500])
plt.show()

# %%
to_tensor = torchvision.transforms.ToTensor()
train_images = torchvision.datasets.MNIST("./data", transform=to_tensor, download=True)
test_images = torchvision.datasets.MNIST("./data", transform=to_tensor, train=False)
data = DataLoader(train_images, batch_size=512, shuffle=True)
val_data = DataLoader(test_images, batch_size=1024, shuffle=False)


# %%
class Encoder(nn.Module):
    def __init__(self, latent_dims):
        super().__init__()
        self.actv1 = nn.ReLU()
        self.linear1 = nn.Linear(28 * 28, 512)
        self.linear2 = nn.Linear(512, latent_dims)

    def forward(self, x):
        out = self.linear2(self.actv1(self.linear1(x.flatten(1))))
        return out


class Decoder(nn.Module):
    def __init__(self, latent_dims):
        super().__init__()
        self.actv1 = nn.ReLU()
        self.linear1 = nn.Linear(latent_dims, 512)
        self.linear2 = nn.Linear(512, 28 * 28)

    def forward(self, z):
        out = torch.sigmoid(self.linear2(self.actv1(self.linear1(z))))
        return out.reshape(-1, 1, 28, 28)


class Autoencoder(nn.Module):
    def __init__(self, latent_dims):
        super().__init__()
        self.encoder = Encoder(latent_dims)
        self.decoder = Decoder(latent_dims)

    def forward(self, x):
        code = self.encoder(x)
        return self.decode(code), code

    def decode(self, z):
        return self.decoder(z)


def train_ae(autoencoder, data, opt, num_epochs=20):
    for _ in range(num_epochs):
        for x, y in data:
            x = x.to(device)
            x_hat, _ = autoencoder(x)
            error = F.mse_loss(x_hat, x)
            opt.zero_grad()
            error.backward()
            opt.step()
    return autoencoder


# %%
latent_dim = 2
num_epochs = 15
autoencoder = Autoencoder(latent_dim).to(device)
train_ae(autoencoder, data, optim.Adam(autoencoder.parameters(), 1e-3), num_epochs)
vaes = {}
for beta in [1, 3, 10]:
    vaes[beta] = VAE(28 * 28, latent_dim, [512], [512], flatten=True, sigmoid=True).to(device)
    optimizer = optim.Adam(vaes[beta].parameters(), 1e-3)
    train_vae(vaes[beta], optimizer, data, val_data, num_epochs=num_epochs, beta=beta)


# %%
def plot_latent2D(model, data, num_batches=8, title=None, plot_idx=0):
    plt.subplot(1, 4, 1 + plot_idx)
    codes, labels = [], []
    with torch.no_grad():
        for i, (x, y) in enumerate(data):
            if i == num_batches:
                break
            z = model.encoder(x.to(device)) if isinstance(model, Autoencoder) else model.encode_latent(x.to(device))
            codes.append(z.cpu())
            labels.append(y)
    z, y = torch.cat(codes), torch.cat(labels)
    plt.scatter(z[:, 0], z[:, 1], c=y, cmap="tab10", s=4)
    plt.title(title)


random_test = DataLoader(test_images, batch_size=256, shuffle=True)
plt.figure(figsize=(16, 4))
plot_latent2D(autoencoder, random_test, title="Autoencoder", plot_idx=0)
for i, (beta, vae) in enumerate(vaes.items()):
    plot_latent2D(vae, random_test, title=f"Latent space, beta = {beta}", plot_idx=i + 1)
plt.savefig("part_b_latent_space.png")
plt.show()


# %%
def plot_reconstructed(model, r0=(-5, 5), r1=(-5, 5), vae=False, n=12, title=None, plot_idx=0):
    w, img = 28, np.full((28 * n, 28 * n), 0.0)
    for i, y in enumerate(np.linspace(r1[0], r1[1], n)):
        for j, x in enumerate(np.linspace(*r0, n)):
            z = torch.tensor([[x, y]], dtype=torch.float32, device=device)
            with torch.no_grad():
                x_hat = model.decode(z, noise=False) if vae else model.decode(z)
            img[(n - 1 - i) * w : (n - i) * w, j * w : (j + 1) * w] = x_hat.reshape(28, 28).cpu().numpy()
    plt.subplot(1, 4, plot_idx + 1)
    plt.imshow(img, extent=[*r0, *r1])
    plt.title(title)


plt.figure(figsize=(24, 5))
plot_reconstructed(autoencoder, title="Autoencoder")
for i, (beta, vae) in enumerate(vaes.items()):
    plot_reconstructed(vae, (-3, 3), (-3, 3), vae=True, title=f"beta = {beta}", plot_idx=i + 1)
plt.savefig("part_b_reconstructions.png")
plt.show()


# %%
def interpolate(model, x_1, x_2, n=20, vae=False, title=None, plot_idx=0):
    w, img = 28, np.full((28, 28 * n), 0.0)
    x_1, x_2 = x_1.reshape(1, 1, 28, 28).to(device), x_2.reshape(1, 1, 28, 28).to(device)
    with torch.no_grad():
        z_1 = model.encode_latent(x_1) if vae else model.encoder(x_1)
        z_2 = model.encode_latent(x_2) if vae else model.encoder(x_2)
        for i, t in enumerate(np.linspace(0, 1, n)):
            z = z_1 + (z_2 - z_1) * float(t)
            x_hat = model.decode(z, noise=False) if vae else model.decode(z)
            img[:, i * w : (i + 1) * w] = x_hat.reshape(28, 28).cpu().numpy()
    plt.subplot(4, 1, plot_idx + 1)
    plt.imshow(img)
    plt.title(title)


x_1 = next(x for x, y in test_images if y == 0)
x_2 = next(x for x, y in test_images if y == 1)
plt.figure(figsize=(27, 8))
interpolate(autoencoder, x_1, x_2, 15, title="Autoencoder")
for i, (beta, vae) in enumerate(vaes.items()):
    interpolate(vae, x_1, x_2, 15, vae=True, title=f"beta = {beta}", plot_idx=i + 1)
plt.savefig("part_b_interpolations.png")
plt.show()
