# A solution of assignment 1 written from the released text alone, in another style than ours: distributions in place of
# formulas, its own loops, nothing of the helpers. Each cell (# %%) replaces a released cell with a task in it, in order.
# ruff: noqa
# pyright: basic
# %%
from torch.distributions import Normal, kl_divergence


class VAE(nn.Module):
    """Gaussians on both sides; log-variances are kept within limits, so that nothing explodes on black pixels."""

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
        self.latent_size, self.input_size = latent_size, input_size
        self.flatten, self.sigmoid = flatten, sigmoid
        self.encoder = MLP(input_size, encoder_sizes, 2 * latent_size, hidden_activation)
        self.decoder = MLP(latent_size, decoder_sizes, 2 * input_size, hidden_activation)

    def rows(self, x):
        return torch.flatten(x, start_dim=1) if self.flatten else x

    def posterior(self, x):
        mean, logvar = self.encode(x)
        return Normal(mean, (logvar / 2).exp())

    def p_of_x(self, z):
        numbers = self.decoder(z)
        mean, logvar = numbers[:, : self.input_size], numbers[:, self.input_size :].clamp(-6, 6)
        if self.sigmoid:
            mean = mean.sigmoid()
        return Normal(mean, torch.exp(logvar / 2))

    def forward(self, x):
        q = self.posterior(x)
        z = q.rsample()
        p = self.p_of_x(z)
        kl = kl_divergence(q, Normal(0.0, 1.0)).sum(dim=-1).mean()
        nll = p.log_prob(self.rows(x)).sum(dim=-1).mean().neg()
        return p.mean, z, -nll - kl, kl, nll

    def encode(self, x):
        numbers = self.encoder(self.rows(x))
        return numbers[:, : self.latent_size], numbers[:, self.latent_size :]

    def decode(self, z, noise=True):
        p = self.p_of_x(z)
        return p.sample() if noise else p.mean

    @torch.no_grad()
    def sample(self, batch_size, decoder_noise=False):
        z = torch.randn((batch_size, self.latent_size), device=next(self.parameters()).device)
        return self.decode(z, noise=decoder_noise)

    def sample_posterior(self, mean, std):
        return Normal(mean, std).rsample()

    def encode_latent(self, x):
        return self.posterior(x).rsample()


# %%
def train_vae(model, optimizer, train_loader, val_loader, test_loader=None, figtitle=None, num_epochs=10, beta=1.0):
    dev = next(model.parameters()).device
    seen, validated = [], []
    for _ in range(num_epochs):
        for points, *_rest in train_loader:
            optimizer.zero_grad(set_to_none=True)
            *_, elbo, kl, nll = model(points.to(dev))
            (nll + beta * kl).backward()
            torch.nn.utils.clip_grad_value_(model.parameters(), 1.0)
            optimizer.step()
            seen.append([float(elbo), float(kl), float(nll)])
        validated.append(mean_terms(model, val_loader))
    return draw_training(model, seen, validated, len(train_loader), test_loader, figtitle)


# %%
class Encoder(nn.Module):
    def __init__(self, latent_dims):
        super().__init__()
        self.linear1, self.actv1 = nn.Linear(784, 512), nn.ReLU()
        self.linear2 = nn.Linear(512, latent_dims)

    def forward(self, x):
        hidden = self.actv1(self.linear1(x.view(len(x), -1)))
        return self.linear2(hidden)


class Decoder(nn.Module):
    def __init__(self, latent_dims):
        super().__init__()
        self.linear1, self.actv1 = nn.Linear(latent_dims, 512), nn.ReLU()
        self.linear2 = nn.Linear(512, 784)

    def forward(self, z):
        hidden = self.actv1(self.linear1(z))
        return self.linear2(hidden).sigmoid().view(len(z), 1, 28, 28)


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
    criterion = nn.MSELoss()
    dev = next(autoencoder.parameters()).device
    for _ in range(num_epochs):
        for images, _digits in data:
            images = images.to(dev)
            opt.zero_grad()
            criterion(autoencoder(images)[0], images).backward()
            opt.step()
    return autoencoder


# %%
latent_dim, num_epochs = 2, 15
autoencoder = Autoencoder(latent_dim).to(device)
autoencoder = train_ae(autoencoder, data, optim.Adam(autoencoder.parameters(), lr=0.001), num_epochs)

vaes, curves = {}, {}
for beta in [1, 3, 10]:
    vae = VAE(
        input_size=784, latent_size=latent_dim, encoder_sizes=[512], decoder_sizes=[512], flatten=True, sigmoid=True
    )
    vae.to(device)
    opt = optim.Adam(vae.parameters(), lr=0.001)
    curves[beta], _ = train_vae(vae, opt, data, val_data, figtitle=f"beta {beta}", num_epochs=num_epochs, beta=beta)
    vaes[beta] = vae
save(curves[1], "part_b_training")


# %%
def plot_latent2D(model, data, num_batches=8, title=None, plot_idx=0):
    axes = plt.subplot(1, 4, 1 + plot_idx)
    points, digits = np.empty((0, 2)), np.empty(0)
    for number, (images, labels) in enumerate(data):
        if number >= num_batches:
            break
        with torch.no_grad():
            images = images.to(device)
            code = model.encode_latent(images) if hasattr(model, "encode_latent") else model.encoder(images)
        points, digits = np.append(points, code.cpu().numpy(), axis=0), np.append(digits, labels.numpy())
    dots = axes.scatter(points[:, 0], points[:, 1], c=digits, s=5, cmap=plt.cm.tab10)
    plt.colorbar(dots)
    axes.set_title(title)


# %%
fig = plt.figure(figsize=(22, 4.5))
random_test = DataLoader(test_images, shuffle=True, batch_size=300)
everyone = {"AE": autoencoder, **{f"beta={beta}": vae for beta, vae in vaes.items()}}
for place, (label, one) in enumerate(everyone.items()):
    plot_latent2D(one, random_test, num_batches=7, title=label, plot_idx=place)
save(fig, "part_b_latent_space")


# %%
def plot_reconstructed(model, r0=(-5, 5), r1=(-5, 5), vae=False, n=12, title=None, plot_idx=0):
    first, second = torch.linspace(r0[0], r0[1], n), torch.linspace(r1[1], r1[0], n)
    codes = torch.stack([torch.stack([a, b]) for b in second for a in first]).to(device)
    with torch.no_grad():
        images = (model.decode(codes, noise=False) if vae else model.decode(codes)).cpu().view(n, n, 28, 28)
    page = images.permute(0, 2, 1, 3).reshape(28 * n, 28 * n)
    axes = plt.subplot(1, 4, 1 + plot_idx)
    axes.imshow(page, cmap="Greys_r", extent=(*r0, *r1))
    axes.set_title(title)


# %%
fig = plt.figure(figsize=(22, 5.5))
plot_reconstructed(autoencoder, title="AE")
for place, (beta, vae) in enumerate(vaes.items()):
    plot_reconstructed(vae, r0=(-3, 3), r1=(-3, 3), vae=True, title=f"beta={beta}", plot_idx=place + 1)
save(fig, "part_b_reconstructions")


# %%
def interpolate(model, x_1, x_2, n=20, vae=False, title=None, plot_idx=0):
    def code(x):
        x = x.reshape(1, 1, 28, 28).to(device)
        return model.encode(x)[0] if vae else model.encoder(x)

    with torch.no_grad():
        t = torch.linspace(0, 1, n, device=device).view(-1, 1)
        way = code(x_1) * (1 - t) + code(x_2) * t
        frames = model.decode(way, noise=False) if vae else model.decode(way)
    row = torch.cat(list(frames.cpu().view(n, 28, 28)), dim=1)
    axes = plt.subplot(4, 1, 1 + plot_idx)
    axes.imshow(row, cmap="Greys_r")
    axes.axis("off")
    axes.set_title(title)


# %%
fig = plt.figure(figsize=(15, 6))
by_digit = {digit: [x for x, y in test_images if y == digit] for digit in (0, 1)}
x_1, x_2 = (by_digit[digit][torch.randint(len(by_digit[digit]), ()).item()] for digit in (0, 1))
for place, (label, one) in enumerate(everyone.items()):
    interpolate(one, x_1, x_2, n=15, vae=label != "AE", title=label, plot_idx=place)
save(fig, "part_b_interpolations")
