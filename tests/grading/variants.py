# ruff: noqa: E501 a table: one mistake a line
"""Mistakes that students and public code make, and honest variants: each a few replacements in ``reference.py``."""

import re
from pathlib import Path
from typing import NamedTuple

REFERENCE = Path(__file__).with_name("reference.py").read_text(encoding="utf-8")
Swap = tuple[str, str]


class Mistake(NamedTuple):
    name: str
    task: str
    codes: tuple[str, ...]  # hints that name it
    swaps: tuple[Swap, ...]
    listed: bool = False  # whether the issue lists it


def apply(swaps: tuple[Swap, ...], source: str = REFERENCE) -> str:
    for old, new in swaps:
        assert old in source, f"nothing to replace: {old!r}"
        source = source.replace(old, new)
    return source


def cells(source: str) -> list[str]:
    return [c.strip("\n") for c in re.split(r"^# %%\n", source, flags=re.M)[1:]]


KL = "kl = 0.5 * (mean**2 + logvar.exp() - logvar - 1).sum(1).mean()"
NLL = "nll = 0.5 * ((x - x_pred) ** 2 / x_logvar.exp() + x_logvar + np.log(2 * np.pi)).sum(1).mean()"
EPS = "eps = torch.randn_like(std)\n        z = mean + std * eps"
STD = "std = torch.exp(0.5 * logvar)\n        z = self.sample_posterior"
ELBO = "elbo = -(nll + kl)"
LOSS = "loss = nll + beta * kl"
FRAME = "img[:, i * w : (i + 1) * w] = x_hat.reshape(28, 28).cpu().numpy()"
CELL = "img[(n - 1 - i) * w : (n - i) * w, j * w : (j + 1) * w] = x_hat.reshape(28, 28).cpu().numpy()"


def m(name: str, task: str, codes: str, *swaps: Swap, listed: bool = False) -> Mistake:
    return Mistake(name, task, tuple(codes.split()), swaps, listed)


MISTAKES = (
    m("KL without 1/2", "A1", "kl_no_half", (KL, KL.replace("0.5 * ", "")), listed=True),
    m("KL wrong sign", "A1", "kl_sign", (KL, KL.replace("0.5", "-0.5")), listed=True),
    m("KL averaged over latents", "A1", "kl_mean_latents", (KL, KL.replace(".sum(1).mean()", ".mean()")), listed=True),
    m("log-variance as standard deviation", "A1", "logvar_as_std", (STD, STD.replace("torch.exp(0.5 * logvar)", "logvar")),
      listed=True),
    m("no noise", "A1", "no_noise", ("mean + std * eps", "mean"), listed=True),
    m("noise shared across the batch", "A1", "shared_noise", ("randn_like(std)", "randn(1, std.shape[1])"), listed=True),
    m("NLL without the log-variance", "A1", "nll_no_logvar", (NLL, NLL.replace(" + x_logvar +", " +")), listed=True),
    m("NLL averaged over pixels", "A1", "nll_mean_features", (NLL, NLL.replace(".sum(1).mean()", ".mean()")), listed=True),
    m("ELBO wrong sign", "A1", "elbo_sign", (ELBO, "elbo = nll + kl"), listed=True),
    m("beta on the reconstruction", "A2", "beta_on_nll", (LOSS, "loss = beta * nll + kl"), listed=True),
    m("gradient cut in reparameterize", "A1", "gradient_cut", ("mean + std * eps", "(mean + std * eps).detach()"), listed=True),
    m("noise flag inverted in decode", "A1", "noise_flag", ("        if noise:", "        if not noise:"), listed=True),
    m("noise flag inverted in sample", "A1", "noise_flag", ("noise=decoder_noise)", "noise=not decoder_noise)"), listed=True),
    m("sigmoid missing in the decoder", "B1", "sigmoid_missing",
      ("torch.sigmoid(self.linear2(self.actv1(self.linear1(z))))", "self.linear2(self.actv1(self.linear1(z)))"), listed=True),
    m("sigmoid missing in the VAE", "A1", "sigmoid_missing", ("mean = torch.sigmoid(mean)", "pass"), listed=True),
    m("no reshape", "B1", "no_reshape", ("return out.reshape(-1, 1, 28, 28)", "return out"),
      ("F.mse_loss(x_hat, x)", "F.mse_loss(x_hat, x.flatten(1))"), listed=True),
    m("interpolation never reaches its end", "B5", "interpolation_end",
      ("np.linspace(0, 1, n)", "np.arange(n) / n"), listed=True),
    m("grid flipped", "B4", "grid_flipped", (CELL, CELL.replace("(n - 1 - i) * w : (n - i) * w", "i * w : (i + 1) * w")),
      listed=True),
    m("no zero_grad", "A2", "zero_grad", ("            optimizer.zero_grad()\n", ""), listed=True),
    m("no zero_grad, autoencoder", "B1", "zero_grad", ("            opt.zero_grad()\n", ""), listed=True),
    m("test set used for training", "A2", "trains_on_test", ("DataLoader(train_dataset1,", "DataLoader(test_dataset1,"),
      ("DataLoader(train_dataset2,", "DataLoader(test_dataset2,"), listed=True),
    # further ones
    m("KL halved twice", "A1", "kl_half_twice", (KL, KL.replace("0.5", "0.25"))),
    m("KL: log-variance with the wrong sign", "A1", "kl_wrong kl_sign", (KL, KL.replace("- logvar", "+ logvar"))),
    m("KL without the mean", "A1", "kl_wrong kl_sign", (KL, KL.replace("mean**2 + ", ""))),
    m("KL without the -1", "A1", "kl_wrong", (KL, KL.replace(" - 1)", ")"))),
    m("KL: mean not squared", "A1", "kl_wrong kl_sign", (KL, KL.replace("mean**2", "mean"))),
    m("KL: sigma instead of its square", "A1", "kl_wrong kl_sign", (KL, KL.replace("logvar.exp()", "std"))),
    m("KL from a prior of variance 4", "A1", "kl_wrong kl_sign",
      (KL, "kl = 0.5 * ((mean**2 + logvar.exp()) / 4 - logvar + np.log(4) - 1).sum(1).mean()")),
    m("KL the other way round", "A1", "kl_wrong", (KL, "kl = 0.5 * ((1 + mean**2) / logvar.exp() + logvar - 1).sum(1).mean()")),
    m("KL summed over the batch", "A1", "kl_sum_batch kl_wrong", (KL, KL.replace(".sum(1).mean()", ".sum()"))),
    m("KL in bits", "A1", "kl_log2", (KL, KL.replace(".mean()", ".mean() / np.log(2)"))),
    m("sigma without its 1/2", "A1", "std_no_half", (STD, STD.replace("0.5 * ", ""))),
    m("sigma halved twice", "A1", "kl_wrong kl_sign", (STD, STD.replace("0.5", "0.25"))),
    m("encode_latent passes the log-variance", "A1", "encode_latent",
      ("        std = torch.exp(0.5 * logvar)\n        return self.sample_posterior(mean, std)",
       "        return self.sample_posterior(mean, logvar)")),
    m("uniform noise", "A1", "not_normal posterior_mean kl_wrong", ("randn_like(std)", "rand_like(std)")),
    m("uniform noise of unit variance", "A1", "not_normal", ("torch.randn_like(std)", "(torch.rand_like(std) - 0.5) * 12**0.5")),
    m("the same noise at each call", "A1", "frozen_noise",
      ("eps = torch.randn_like(std)", "eps = torch.randn(std.shape, generator=torch.Generator().manual_seed(0))")),
    m("the same noise for all latents", "A1", "shared_noise_latents", ("randn_like(std)", "randn(len(std), 1)")),
    m("noise of the wrong size", "A1", "kl_wrong", ("std * eps", "0.5 * std * eps")),
    m("gradient cut for sigma only", "A1", "gradient_cut", ("mean + std * eps", "mean + std.detach() * eps")),
    m("gradient cut by no_grad", "A1", "gradient_cut",
      (EPS, "with torch.no_grad():\n            z = mean + std * torch.randn_like(std)")),
    m("Normal.sample instead of rsample", "A1", "gradient_cut", (EPS, "z = torch.distributions.Normal(mean, std).sample()")),
    m("KL without gradient", "A1", "gradient_cut", (KL, KL + ".detach()")),
    m("decodes the mean, not the sample", "A1", "decodes_mean", ("self.decode_both(z)\n        nll", "self.decode_both(mean)\n        nll")),
    m("NLL of the wrong sign", "A1", "nll_sign", (NLL, NLL.replace("0.5", "-0.5"))),
    m("NLL divides by sigma", "A1", "nll_std_for_variance", (NLL, NLL.replace("x_logvar.exp()", "(0.5 * x_logvar).exp()"))),
    m("NLL: 1/2 missing at the log-variance", "A1", "nll_no_half", (NLL, NLL.replace("x_logvar + np", "2 * x_logvar + np"))),
    m("NLL: log-variance with the wrong sign", "A1", "nll_sign nll_wrong", (NLL, NLL.replace("+ x_logvar +", "- x_logvar +"))),
    m("NLL of the shuffled batch", "A1", "nll_wrong x_pred",
      (NLL, NLL.replace("(x - x_pred)", "(x - x_pred.roll(1, dims=1))"))),
    m("ELBO = kl - nll", "A1", "elbo_kl_sign", (ELBO, "elbo = kl - nll")),
    m("ELBO forgets the KL", "A1", "elbo_wrong", (ELBO, "elbo = -nll")),
    m("sample: uniform codes", "A1", "not_prior", ("torch.randn(batch_size, self.latent_size", "torch.rand(batch_size, self.latent_size")),
    m("sample: codes too wide", "A1", "not_prior", ("z = self.sample_prior(batch_size)", "z = 3 * self.sample_prior(batch_size)")),
    m("sample ignores the flag", "A1", "noise_always", ("noise=decoder_noise)", "noise=True)")),
    m("decoder noise: variance as spread", "A1", "noise_scale", ("x_pred + torch.exp(0.5 * logvar)", "x_pred + torch.exp(logvar)")),
    m("sigmoid always", "A1", "sigmoid_always", ("        if self.sigmoid:\n            mean", "        if True:\n            mean")),
    m("beta ignored", "A2", "beta_ignored", (LOSS, "loss = nll + kl")),
    m("beta on both", "A2", "beta_ignored", (LOSS, "loss = beta * (nll + kl)")),
    m("KL left out", "A2", "kl_left_out", (LOSS, "loss = nll")),
    m("reconstruction left out", "A2", "nll_left_out", (LOSS, "loss = beta * kl")),
    m("minimises the ELBO", "A2", "maximises", (LOSS, "loss = elbo")),
    m("KL subtracted in the loss", "A2", "maximises", (LOSS, "loss = nll - beta * kl")),
    m("zero_grad once an epoch", "A2", "zero_grad",
      ("        for minibatch in train_loader:", "        optimizer.zero_grad()\n        for minibatch in train_loader:"),
      ("            optimizer.zero_grad()\n            loss", "            loss")),
    m("zero_grad after backward", "A2", "no_gradient",
      ("            optimizer.zero_grad()\n            loss.backward()", "            loss.backward()\n            optimizer.zero_grad()")),
    m("no step", "A2", "never_steps", ("            optimizer.step()\n", "")),
    m("one step an epoch", "A2", "never_steps", ("            optimizer.step()\n", ""),
      ("            history.append(", "            history.append("),
      ("    fig, axes = plt.subplots(1, 3, figsize=(12, 3))\n    for ax, curve", "        optimizer.step()\n    fig, axes = plt.subplots(1, 3, figsize=(12, 3))\n    for ax, curve")),
    m("trains on the validation loader", "A2", "trains_on_val", ("for minibatch in train_loader:", "for minibatch in val_loader:")),
    m("trains on the test loader", "A2", "trains_on_test",
      ("for minibatch in train_loader:", "for minibatch in (test_loader or train_loader):")),
    m("optimizer of another model", "B2", "nothing_learned",
      ("optimizer = optim.Adam(vaes[beta].parameters(), 1e-3)", "optimizer = optim.Adam(model.parameters(), 1e-3)")),
    m("learning rate 0", "A2", "nothing_learned",
      ("optimizer = optim.Adam(model.parameters(), 1e-2)", "optimizer = optim.Adam(model.parameters(), 0.0)")),
    m("one beta for all", "B2", "one_beta", ("num_epochs=num_epochs, beta=beta)", "num_epochs=num_epochs)")),
    m("one model for all betas", "B2", "same_model",
      ("    vaes[beta] = VAE(28 * 28, latent_dim, [512], [512], flatten=True, sigmoid=True).to(device)",
       "    vaes[beta] = vaes[1] if vaes else VAE(784, latent_dim, [512], [512], flatten=True, sigmoid=True)")),
    m("autoencoder trained on test images", "B1", "trains_on_test", ("train_ae(autoencoder, data, optim", "train_ae(autoencoder, val_data, optim")),
    m("encoder without activation", "B1", "encoder_linear", ("self.actv1(self.linear1(x.flatten(1)))", "self.linear1(x.flatten(1))")),
    m("encoder with a last ReLU", "B1", "encoder_relu_out", ("out = self.linear2(self.actv1(self.linear1(x.flatten(1))))",
      "out = self.actv1(self.linear2(self.actv1(self.linear1(x.flatten(1)))))")),
    m("autoencoder's error of the wrong sign", "B1", "maximises", ("error = F.mse_loss(x_hat, x)", "error = -F.mse_loss(x_hat, x)")),
    m("labels shuffled in the plot", "B3", "labels_shuffled", ("c=y, cmap", "c=y[torch.randperm(len(y))], cmap")),
    m("latent axes swapped in the plot", "B3", "latent_swapped", ("plt.scatter(z[:, 0], z[:, 1], c=y, cmap", "plt.scatter(z[:, 1], z[:, 0], c=y, cmap")),
    m("one latent drawn twice", "B3", "latent_axes", ("plt.scatter(z[:, 0], z[:, 1], c=y, cmap", "plt.scatter(z[:, 0], z[:, 0], c=y, cmap")),
    m("grid transposed", "B4", "grid_transposed", ("torch.tensor([[x, y]]", "torch.tensor([[y, x]]")),
    m("grid mirrored", "B4", "grid_mirrored", ("enumerate(np.linspace(*r0, n))", "enumerate(np.linspace(*r0, n)[::-1])")),
    m("images transposed in the grid", "B4", "image_transposed", (CELL, CELL.replace(".cpu()", ".T.cpu()"))),
    m("grid over half the range", "B4", "grid_range", ("torch.tensor([[x, y]]", "torch.tensor([[x / 2, y / 2]]")),
    m("grid leaves out its end", "B4", "grid_range", ("enumerate(np.linspace(*r0, n))", "enumerate(np.linspace(*r0, n, endpoint=False))")),
    m("interpolation in pixels", "B5", "interpolation_pixels",
      (FRAME, "img[:, i * w : (i + 1) * w] = ((1 - t) * x_1 + t * x_2).reshape(28, 28).cpu().numpy()")),
    m("interpolation reversed", "B5", "interpolation_reversed", ("z_1 + (z_2 - z_1) * float(t)", "z_2 + (z_1 - z_2) * float(t)")),
    m("interpolation: t squared", "B5", "interpolation_uneven", ("(z_2 - z_1) * float(t)", "(z_2 - z_1) * float(t) ** 2")),
    m("interpolation starts late", "B5", "interpolation_start", ("np.linspace(0, 1, n)", "np.linspace(1 / n, 1, n)")),
    m("interpolation: z_1 + z_2 t", "B5", "interpolation_end", ("z_1 + (z_2 - z_1) * float(t)", "z_1 + z_2 * float(t)")),
)  # fmt: skip

SOFTPLUS = (
    ("logvar = self.encoder(x).chunk(2, dim=1)\n        return mean, logvar",
     "raw = self.encoder(x).chunk(2, dim=1)\n        return mean, 2 * torch.log(F.softplus(raw) + 1e-6)"),
)  # fmt: skip
DISTRIBUTIONS = (
    (
        STD + "(mean, std)\n        x_pred",
        "q = torch.distributions.Normal(mean, torch.exp(0.5 * logvar))\n        z = q.rsample()\n        x_pred",
    ),
    (KL, "kl = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum(1).mean()"),
    (NLL, "nll = -torch.distributions.Normal(x_pred, (0.5 * x_logvar).exp()).log_prob(x).sum(1).mean()"),
)
OWN_LOOP = (
    ("def train_vae(model, optimizer, train_loader, val_loader, test_loader=None, figtitle=None, num_epochs=10, beta=1.0):",
     "def fit_my_vae(net, opt, batches, validation, test_loader=None, figtitle=None, num_epochs=10, beta=1.0):\n"
     "    model, optimizer, train_loader = net, opt, batches"),
    ("fig, fig2 = train_vae(", "fig, fig2 = fit_my_vae("), ("    train_vae(vaes", "    fit_my_vae(vaes"),
)  # fmt: skip

HONEST: dict[str, tuple[Swap, ...]] = {
    "as it is": (),
    "another seed": (("torch.manual_seed(0)", "torch.manual_seed(123)"),),
    "other widths": (("[20], []", "[32, 16], [8]"), ("[512], [512]", "[256, 64], [64]")),
    "20 epochs on images": (("num_epochs = 15", "num_epochs = 20"),),
    "own loop, own names": OWN_LOOP,
    "torch.distributions": DISTRIBUTIONS,
    "softplus standard deviation": SOFTPLUS,
    "squared error, summed": ((NLL, "nll = ((x - x_pred) ** 2).sum(1).mean()"),),
    "squared error, F.mse_loss": ((NLL, "nll = F.mse_loss(x_pred, x)"),),
    "squared error, halved": ((NLL, "nll = 0.5 * ((x - x_pred) ** 2).sum(1).mean()"),),
    "without log(2 pi)": ((NLL, NLL.replace(" + np.log(2 * np.pi)", "")),),
    "clamped log-variances": (
        ("mean, logvar = self.decoder(z).chunk(2, dim=1)",
         "mean, logvar = self.decoder(z).chunk(2, dim=1)\n        logvar = logvar.clamp(-6, 6)"),
        ("mean, logvar = self.encoder(x).chunk(2, dim=1)",
         "mean, logvar = self.encoder(x).chunk(2, dim=1)\n        logvar = logvar.clamp(-8, 8)"),
    ),
    "log-variance first": (
        ("mean, logvar = self.encoder(x).chunk(2, dim=1)", "logvar, mean = self.encoder(x).chunk(2, dim=1)"),
    ),
    "logarithm of sigma": (
        ("mean, logvar = self.encoder(x).chunk(2, dim=1)", "mean, logstd = self.encoder(x).chunk(2, dim=1)\n        logvar = 2 * logstd"),
    ),
    "other colours": (('cmap="tab10", s=4', 'cmap="viridis", s=9, alpha=0.5'), ("plt.imshow(img)", 'plt.imshow(img, cmap="gray")')),
    "origin lower": (
        (CELL, CELL.replace("(n - 1 - i) * w : (n - i) * w", "i * w : (i + 1) * w").replace(".reshape(28, 28)", ".reshape(28, 28).flip(0)")),
        ("plt.imshow(img, extent=[*r0, *r1])", 'plt.imshow(img, extent=[*r0, *r1], origin="lower")'),
    ),
    "grid without an axis": (("plt.imshow(img, extent=[*r0, *r1])", 'plt.imshow(img, cmap="gray")\n    plt.axis("off")'),),
    "one scatter a digit": (
        ('plt.scatter(z[:, 0], z[:, 1], c=y, cmap="tab10", s=4)',
         "for d in range(10):\n        plt.scatter(z[y == d, 0], z[y == d, 1], s=4, label=str(d))"),
    ),
    "renamed class": (("class VAE(nn.Module)", "class MyVariationalNet(nn.Module)"), ("VAE(2, 2,", "MyVariationalNet(2, 2,"),
                      ("VAE(28 * 28,", "MyVariationalNet(28 * 28,")),
    "renamed everything": (("plot_latent2D", "scatter_codes"), ("plot_reconstructed", "show_map"), ("interpolate(", "walk("),
                           ("train_ae", "fit_ae"), ("class Encoder", "class Enc"), ("Encoder(latent_dims)", "Enc(latent_dims)"),
                           ("class Decoder", "class Dec"), ("Decoder(latent_dims)", "Dec(latent_dims)")),
    "all in one cell": (("# %%\n", "\n"), ("# A compact honest", "# %%\n# A compact honest")),
    "German comments": (("    history = []", "    # Verlauf der Verlustfunktion: größer heißt schlechter\n    history = []"),),
    "a GPU, hard-coded": (('torch.device("cuda" if torch.cuda.is_available() else "cpu")', 'torch.device("cuda")'),),
    "magics and shell": (("torch.manual_seed(0)", "%matplotlib inline\n!echo ready\ntorch.manual_seed(0)"),),
    "gradient set to None": (("optimizer.zero_grad()", "optimizer.zero_grad(set_to_none=True)"),),
    "no clipping": (("            nn.utils.clip_grad_norm_(model.parameters(), 3.0)\n", ""),),
    "mean squared error in the loop": (
        ("_, _, elbo, kl, nll = model(x)", "x_hat, _, elbo, kl, nll = model(x)"),
        (LOSS, "loss = F.mse_loss(x_hat, x.reshape(x_hat.shape)) + beta * kl"),
    ),
    "torch.linspace": (("np.linspace(0, 1, n)", "torch.linspace(0, 1, n)"),),
    "deeper log": (("history.append([elbo.item(), kl.item(), nll.item()])",
                    "history.append([t.detach().item() for t in (elbo, kl, nll)])"),),
}  # fmt: skip
