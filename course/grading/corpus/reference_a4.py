# A compact honest submission of assignment 4, in cells (# %%), for the grader's tests: mistakes are put into it.
# %%
import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
import torchvision
from torch import nn

torch.manual_seed(1)
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
to_tensor = torchvision.transforms.ToTensor()
train_set = torchvision.datasets.MNIST("./data", train=True, download=True, transform=to_tensor)
test_set = torchvision.datasets.MNIST("./data", train=False, download=True, transform=to_tensor)
train_loader = torch.utils.data.DataLoader(train_set, batch_size=64, shuffle=True)
test_loader = torch.utils.data.DataLoader(test_set, batch_size=256)


# %%
class VAE(nn.Module):
    def __init__(self, latent_dim=16):
        super().__init__()
        self.latent_dim = latent_dim
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 16, 4, stride=2, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 4, stride=2, padding=1), nn.ReLU(),
            nn.Flatten(), nn.Linear(32 * 49, 2 * latent_dim),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            nn.Linear(latent_dim, 32 * 49), nn.ReLU(), nn.Unflatten(1, (32, 7, 7)),
            nn.ConvTranspose2d(32, 16, 4, stride=2, padding=1), nn.ReLU(),
            nn.ConvTranspose2d(16, 1, 4, stride=2, padding=1),
        )  # fmt: skip

    def encode(self, x):
        return self.encoder(x).chunk(2, dim=1)

    def decode(self, z):
        return self.decoder(z)


def calc_elbo(model, x):
    mu, logvar = model.encode(x)
    z = mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)
    logits = model.decode(z)
    log_likelihood = -F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(1)
    kl = 0.5 * (mu**2 + logvar.exp() - logvar - 1).sum(1)
    elbo = log_likelihood - kl
    return elbo.mean(), log_likelihood.mean(), kl.mean()


@torch.no_grad()
def sample(model, n):
    z = torch.randn(n, model.latent_dim, device=device)
    return torch.sigmoid(model.decode(z))


# %%
model = VAE().to(device)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for epoch in range(3):
    for x, _ in train_loader:
        elbo, log_likelihood, kl = calc_elbo(model, x.to(device))
        loss = -elbo
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch}: ELBO {elbo.item():.2f}, log-likelihood {log_likelihood.item():.2f}, KL {kl.item():.2f}")
with torch.no_grad():
    scores = torch.stack([torch.stack(calc_elbo(model, x.to(device))) for x, _ in test_loader]).mean(0)
elbo, log_likelihood, kl = scores.tolist()
print(f"test ELBO {elbo:.2f}, log-likelihood {log_likelihood:.2f}, KL {kl:.2f}")

# %%
plt.imshow(torchvision.utils.make_grid(sample(model, 16).cpu(), nrow=4)[0], cmap="gray")
plt.title("samples")
plt.show()

# %%
images = torch.stack([next(x for x, y in test_set if y == digit) for digit in (3, 8)]).to(device)
with torch.no_grad():
    first, second = model.encode(images)[0]
    steps = torch.linspace(0, 1, 10, device=device)[:, None]
    frames = torch.sigmoid(model.decode((1 - steps) * first + steps * second))
plt.imshow(torchvision.utils.make_grid(frames.cpu(), nrow=10)[0], cmap="gray")
plt.title("latent traversal")
plt.show()
