# ruff: noqa: E501 a table: one mistake a line
"""Mistakes that students and public code make, and honest variants: each a few replacements in a reference."""

import re
from pathlib import Path
from typing import NamedTuple

REFERENCES = {
    key: Path(__file__).with_name(f"reference_{key}.py").read_text(encoding="utf-8")
    for key in ("a1", "a2", "a3", "a4", "a5")
}
REFERENCE = REFERENCES["a1"]
Swap = tuple[str, str]


class Mistake(NamedTuple):
    name: str
    task: str
    codes: tuple[str, ...]  # hints that name it
    swaps: tuple[Swap, ...]
    listed: bool = False  # among the best known ones
    assignment: str = "a1"


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


def m(name: str, task: str, codes: str, *swaps: Swap, listed: bool = False, on: str = "a1") -> Mistake:
    return Mistake(name, task, tuple(codes.split()), swaps, listed, on)


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
    m("sigma halved twice", "A1", "kl_wrong kl_sign noise_size", (STD, STD.replace("0.5", "0.25"))),
    m("encode_latent passes the log-variance", "A1", "encode_latent",
      ("        std = torch.exp(0.5 * logvar)\n        return self.sample_posterior(mean, std)",
       "        return self.sample_posterior(mean, logvar)")),
    m("uniform noise", "A1", "not_normal posterior_mean kl_wrong", ("randn_like(std)", "rand_like(std)")),
    m("uniform noise of unit variance", "A1", "not_normal", ("torch.randn_like(std)", "(torch.rand_like(std) - 0.5) * 12**0.5")),
    m("the same noise at each call", "A1", "frozen_noise",
      ("eps = torch.randn_like(std)", "eps = torch.randn(std.shape, generator=torch.Generator().manual_seed(0))")),
    m("the same noise for all latents", "A1", "shared_noise_latents", ("randn_like(std)", "randn(len(std), 1)")),
    m("noise of the wrong size", "A1", "kl_wrong noise_size", ("std * eps", "0.5 * std * eps")),
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
    # further still, found after the checks were written
    m("eps not multiplied by sigma", "A1", "noise_unscaled", ("mean + std * eps", "mean + eps")),
    m("decoder sees a detached z", "A1", "gradient_cut", ("self.decode_both(z)\n        nll", "self.decode_both(z.detach())\n        nll")),
    m("KL with log sigma for log sigma^2", "A1", "kl_wrong kl_sign", (KL, KL.replace("- logvar", "- std.log()"))),
    m("NLL summed over the batch", "A1", "nll_sum_batch", (NLL, NLL.replace(".sum(1).mean()", ".sum()"))),
    m("ELBO divided by the batch size", "A1", "elbo_wrong", (ELBO, "elbo = -(nll + kl) / len(x)")),
    m("sample: one code for all", "A1", "not_prior", ("z = self.sample_prior(batch_size)", "z = 0 * self.sample_prior(batch_size)")),
    m("decoder noise without its spread", "A1", "noise_scale", ("torch.exp(0.5 * logvar) * torch.randn_like(x_pred)", "torch.randn_like(x_pred)")),
    m("sigmoid twice in the VAE", "A1", "sigmoid_twice", ("mean = torch.sigmoid(mean)", "mean = torch.sigmoid(torch.sigmoid(mean))")),
    m("encoder's mean through tanh in forward only", "A1", "posterior_mean kl_wrong", ("self.sample_posterior(mean, std)\n        x_pred", "self.sample_posterior(torch.tanh(mean), std)\n        x_pred")),
    m("KL weighted by 1/784", "A2", "hidden_beta", (LOSS, "loss = nll + beta * kl / 784")),
    m("KL divided by the batch size again", "A2", "hidden_beta", (LOSS, "loss = nll + beta * kl / len(x)")),
    m("test performance on training points", "A2", "evaluates_on_train", ("for b in test_loader], axis=0)", "for b in train_loader], axis=0)")),
    m("test performance on validation points", "A2", "evaluates_on_train", ("for b in test_loader], axis=0)", "for b in val_loader], axis=0)")),
    m("second model evaluated on the first set", "A2", "mixed_sets", ("test_loader = DataLoader(test_dataset2,", "test_loader = DataLoader(test_dataset1,")),
    m("optimizer of the toy model before", "A2", "nothing_learned",
      ("model = VAE(2, 2, [150, 250], [250, 150]).to(device)\noptimizer = optim.Adam(model.parameters(), 1e-4)", "optimizer = optim.Adam(model.parameters(), 1e-4)\nmodel = VAE(2, 2, [150, 250], [250, 150])")),
    m("decoder without activation", "B1", "decoder_linear", ("self.actv1(self.linear1(z))", "self.linear1(z)")),
    m("encoder with a last tanh", "B1", "encoder_relu_out", ("out = self.linear2(self.actv1(self.linear1(x.flatten(1))))",
      "out = torch.tanh(self.linear2(self.actv1(self.linear1(x.flatten(1)))))")),
    m("sigmoid twice in the decoder", "B1", "sigmoid_twice",
      ("torch.sigmoid(self.linear2(self.actv1(self.linear1(z))))", "torch.sigmoid(torch.sigmoid(self.linear2(self.actv1(self.linear1(z)))))")),
    m("noise in the autoencoder's code", "B1", "encoder_random", ("        return out\n\n\nclass Decoder", "        return out + torch.randn_like(out)\n\n\nclass Decoder")),
    m("twenty latents in part B", "B2", "latent_size", ("VAE(28 * 28, latent_dim, [512]", "VAE(28 * 28, 20, [512]")),
    m("betas mixed up between panels", "B3", "panels_mixed", ('title=f"Latent space, beta = {beta}"', 'title=f"Latent space, beta = {list(vaes)[-1 - i]}"')),
    m("betas mixed up in the grids", "B4", "panels_mixed", ('vae=True, title=f"beta = {beta}", plot_idx=i + 1)\nplt.savefig("part_b_rec', 'vae=True, title=f"beta = {list(vaes)[-1 - i]}", plot_idx=i + 1)\nplt.savefig("part_b_rec')),
    m("one model in all panels", "B3", "same_panel", ("plot_latent2D(vae, random_test", "plot_latent2D(vaes[10], random_test")),
    m("one model in all interpolations", "B5", "same_panel", ("interpolate(vae, x_1, x_2, 15", "interpolate(vaes[1], x_1, x_2, 15")),
    m("only the last batch in the plot", "B3", "latent_few", ("z, y = torch.cat(codes), torch.cat(labels)", "z, y = codes[-1], labels[-1]")),
    m("one digit only in the plot", "B3", "latent_few", ("z, y = torch.cat(codes), torch.cat(labels)", "z, y = torch.cat(codes), torch.cat(labels)\n    z, y = z[y == 1], y[y == 1]")),
    m("noise drawn as the latent plane", "B3", "latent_axes", ("z, y = torch.cat(codes), torch.cat(labels)", "z, y = torch.randn(len(torch.cat(codes)), 2), torch.cat(labels)")),
    m("the autoencoder's range for the VAEs", "B4", "grid_range", ("plot_reconstructed(vae, (-3, 3), (-3, 3), vae=True", "plot_reconstructed(vae, vae=True")),
    m("one picture repeated in the grid", "B4", "grid_wrong grid_range", ("torch.tensor([[x, y]], dtype", "torch.tensor([[r0[0], r1[0]]], dtype")),
    m("interpolation between identical images", "B5", "interpolation_digits", ("for x, y in test_images if y == 1)", "for x, y in test_images if y == 0)")),
    m("interpolation from a 0 to a 7", "B5", "interpolation_digits", ("for x, y in test_images if y == 1)", "for x, y in test_images if y == 7)")),
    m("interpolation of the first frame only", "B5", "interpolation_end", ("z_1 + (z_2 - z_1) * float(t)", "z_1")),
    # the other assignments
    m("a2: KL without 1/2", "3", "kl_no_half", ("0.5 * (sigma**2", "(sigma**2"), on="a2"),
    m("a2: KL averaged over latents", "3", "kl_halved", ("- 1).sum(axis=1).mean()", "- 1).mean()"), on="a2"),
    m("a2: KL of the wrong sign", "3", "kl_sign", ("L_KL = 0.5", "L_KL = -0.5"), on="a2"),
    m("a2: error averaged over dimensions", "3", "recon_mean", ("((X_true - X_prime) ** 2).sum(axis=1).mean()", "((X_true - X_prime) ** 2).mean()"), on="a2"),
    m("a2: error summed over the points", "3", "nll_sum_batch", ("((X_true - X_prime) ** 2).sum(axis=1).mean()", "((X_true - X_prime) ** 2).sum()"), on="a2"),
    m("a2: no noise", "3", "no_noise", ("mu + sigma * rand.randn(N, 2)", "mu"), on="a2"),
    m("a2: log-variance as standard deviation", "3", "logvar_as_std", ("mu + sigma *", "mu + logvar *"), on="a2"),
    m("a2: sigma without its 1/2", "3", "std_no_half", ("mu + sigma *", "mu + np.exp(logvar) *"), on="a2"),
    m("a2: the matrix on the wrong side", "4", "matrix_side", ("X_true @ W_mu.T", "X_true @ W_mu"), on="a2"),
    m("a2: KL subtracted", "3", "loss_kl_sign", ("loss = L_recon + L_KL", "loss = L_recon - L_KL"), on="a2"),
    m("a2: beta on the reconstruction", "5", "beta_on_nll",
      ("L_recon + beta * L_KL, L_recon_c + beta * L_KL_c", "beta * L_recon + L_KL, beta * L_recon_c + L_KL_c"), on="a2"),
    m("a2: data of another mean", "1", "data_wrong", ("[3.0, 2.0]", "[2.0, 3.0]"), on="a2"),
    m("a3: KL without 1/2", "KL", "kl_no_half", ("kl = 0.5 * ", "kl = "), on="a3"),
    m("a3: KL of the wrong sign", "KL", "kl_sign", ("kl = 0.5", "kl = -0.5"), on="a3"),
    m("a3: log-variance with the wrong sign", "KL", "kl_wrong kl_sign", ("- logvar - 1", "+ logvar - 1"), on="a3"),
    m("a3: KL summed over the batch", "KL", "kl_sum_batch", ("logvar - 1).mean()", "logvar - 1).sum()"), on="a3"),
    m("a3: beta on the error", "KL", "beta_on_nll", ("error + beta * kl", "beta * error + kl"), on="a3"),
    m("a3: beta ignored", "KL", "beta_ignored", ("error + beta * kl", "error + kl"), on="a3"),
    m("a3: log-variance as standard deviation", "reparameterize", "logvar_as_std", ("std = (logvar / 2).exp()", "std = logvar"), on="a3"),
    m("a3: sigma without its 1/2", "reparameterize", "std_no_half", ("(logvar / 2).exp()", "logvar.exp()"), on="a3"),
    m("a3: uniform noise", "reparameterize", "not_normal", ("randn_like", "rand_like"), on="a3"),
    m("a3: no noise", "reparameterize", "no_noise", ("mu + noise * std", "mu"), on="a3"),
    m("a3: one noise for the batch", "reparameterize", "shared_noise", ("torch.randn_like(std)", "torch.randn(std.shape[-1])"), on="a3"),
    m("a3: gradient cut", "reparameterize", "gradient_cut", ("mu + noise * std", "torch.normal(mu, std)"), on="a3"),
    m("a3: no zero_grad", "train", "zero_grad", ("        optimizer.zero_grad()\n", ""), on="a3"),
    m("a4: KL without 1/2", "1", "kl_no_half", ("kl = 0.5 * ", "kl = "), on="a4"),
    m("a4: KL averaged over latents", "1", "kl_mean_latents", ("- logvar - 1).sum(1)", "- logvar - 1).mean(1)"), on="a4"),
    m("a4: KL of the wrong sign", "1", "kl_sign", ("kl = 0.5", "kl = -0.5"), on="a4"),
    m("a4: KL added to the bound", "1", "elbo_kl_sign", ("elbo = log_likelihood - kl", "elbo = log_likelihood + kl"), on="a4"),
    m("a4: likelihood averaged over pixels", "1", "nll_mean_features", (".flatten(1).sum(1)", ".flatten(1).mean(1)"), on="a4"),
    m("a4: likelihood of the wrong sign", "1", "nll_sign", ("log_likelihood = -F", "log_likelihood = F"), on="a4"),
    m("a4: samples not from the prior", "2", "not_prior", ("z = torch.randn(n, model", "z = 0.3 * torch.rand(n, model"), on="a4"),
    m("a4: trains on test images", "4", "trains_on_test", ("DataLoader(train_set, batch", "DataLoader(test_set, batch"), on="a4"),
    m("a4: no zero_grad", "4", "zero_grad", ("        optimizer.zero_grad()\n", ""), on="a4"),
    m("a5: KL without 1/2", "VAE", "kl_no_half", ("kl = 0.5 * ", "kl = "), on="a5"),
    m("a5: KL averaged", "VAE", "kl_mean_latents kl_wrong", ("logvar - 1).sum()", "logvar - 1).mean()"), on="a5"),
    m("a5: log-variance as standard deviation", "VAE", "logvar_as_std", ("(0.5 * logvar).exp()", "logvar"), on="a5"),
    m("a5: direction reversed", "3", "direction_reversed", ("z_ankle_boot_avg - z_sneaker_avg", "z_sneaker_avg - z_ankle_boot_avg"), on="a5"),
    m("a5: direction subtracted", "3", "arithmetic", ("z_sandal_avg + boot", "z_sandal_avg - boot"), on="a5"),
    m("a5: bags for boots", "3", "category", ("test_dataset, 9, 20", "test_dataset, 8, 20"), on="a5"),
    m("a5: pixels blended on the walk", "2", "interpolation_pixels", ("model.decode(z_t).squeeze().cpu()", "((1 - t) * image_A + t * image_B).squeeze()"), on="a5"),
    m("a5: the walk stops short", "2", "interpolation_end", ("(1 - t) * z_A + t * z_B", "(1 - t) * z_A + t * z_B * 0.5"), on="a5"),
    m("a5: the walk reversed", "2", "interpolation_reversed", ("(1 - t) * z_A + t * z_B", "t * z_A + (1 - t) * z_B"), on="a5"),
    m("a5: grid upside down", "4", "grid_flipped", ("torch.linspace(3, -3, 10)", "torch.linspace(-3, 3, 10)"), on="a5"),
    m("a5: grid transposed", "4", "grid_transposed", ("z[0, 0], z[0, 1] = first, second", "z[0, 1], z[0, 0] = -first, -second"), on="a5"),
    m("a5: trains on test images", "VAE", "trains_on_test", ("DataLoader(train_dataset,", "DataLoader(test_dataset,"), on="a5"),
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

HONEST_A1: dict[str, tuple[Swap, ...]] = {
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
    "evaluates without no_grad": (("        with torch.no_grad():\n            elbo, kl, nll = np.mean", "        if True:\n            elbo, kl, nll = np.mean"),
                                  ("    with torch.no_grad():\n        for i, (x, y) in enumerate(data):", "    if True:\n        for i, (x, y) in enumerate(data):"),
                                  ("codes.append(z.cpu())", "codes.append(z.detach().cpu())")),
    "GaussianNLLLoss": ((NLL, 'nll = nn.GaussianNLLLoss(full=True, reduction="none")(x_pred, x, x_logvar.exp()).sum(1).mean()'),),
    "nn.Sequential": (("self.encoder = MLP(input_size, encoder_sizes, latent_size * 2, **options)",
                       "h = (encoder_sizes or [20])[0]\n        self.encoder = nn.Sequential(nn.Linear(input_size, h), nn.ReLU(), nn.Linear(h, 2 * latent_size))"),),
    "a trainer class": (
        ("def train_vae(model, optimizer, train_loader, val_loader, test_loader=None, figtitle=None, num_epochs=10, beta=1.0):\n    history = []",
         "class Trainer:\n    def __init__(self, model, optimizer, beta):\n        self.model, self.optimizer, self.beta = model, optimizer, beta\n\n"
         "    def training_step(self, batch):\n        _, _, elbo, kl, nll = self.model(batch[0].to(device))\n        return elbo, kl, nll, nll + self.beta * kl\n\n\n"
         "def train_vae(model, optimizer, train_loader, val_loader, test_loader=None, figtitle=None, num_epochs=10, beta=1.0):\n    history = []\n    trainer = Trainer(model, optimizer, beta)"),
        ("            x = minibatch[0].to(device)\n            _, _, elbo, kl, nll = model(x)\n            loss = nll + beta * kl\n", "            elbo, kl, nll, loss = trainer.training_step(minibatch)\n"),
    ),
    "both terms summed over the batch": ((KL, KL.replace(".sum(1).mean()", ".sum()")), (NLL, NLL.replace(".sum(1).mean()", ".sum()"))),
    "KL by one sample": ((KL, "kl = (0.5 * (z**2 - (z - mean) ** 2 / logvar.exp() - logvar)).sum(1).mean()"),),
    "minus ELBO plus the rest": ((LOSS, "loss = -elbo + (beta - 1) * kl"),),
    "a KL warm-up": ((LOSS, "loss = nll + beta * min(1.0, (len(history) + 1) / 20) * kl"),),
    "a schedule for the learning rate": (("    history = []", "    history = []\n    schedule = optim.lr_scheduler.StepLR(optimizer, 5, 0.5)"),
                                         ("    fig, axes = plt.subplots(1, 3, figsize=(12, 3))\n    for ax, curve", "        schedule.step()\n    fig, axes = plt.subplots(1, 3, figsize=(12, 3))\n    for ax, curve")),
    ".cuda() and pinned memory": (("            x = x.to(device)", "            x = x.cuda()"), ("DataLoader(train_images, batch_size=512,", "DataLoader(train_images, batch_size=512, pin_memory=True,"),
                                  ("torch.manual_seed(0)", "torch.manual_seed(0)\ntorch.cuda.manual_seed_all(0)\ntorch.backends.cudnn.deterministic = True")),
    "workers for loading": (("DataLoader(train_images, batch_size=512,", "DataLoader(train_images, batch_size=512, num_workers=2, persistent_workers=True,"),),
    "inverted images": (("to_tensor = torchvision.transforms.ToTensor()", "to_tensor = torchvision.transforms.Compose([torchvision.transforms.ToTensor(), lambda x: 1 - x])"),),
    "from a 1 to a 0": (("if y == 0)\nx_2 = next(x for x, y in test_images if y == 1)", "if y == 1)\nx_2 = next(x for x, y in test_images if y == 0)"),),
    "means in the latent plot": (("else model.encode_latent(x.to(device))", "else model.encode(x.to(device).flatten(1))[0]"),),
    "a named tuple": (("        return x_pred, z, elbo, kl, nll", '        from collections import namedtuple\n\n        return namedtuple("Out", "x_pred z elbo kl nll")(x_pred, z, elbo, kl, nll)'),),
    "panels of its own": (("    plt.subplot(1, 4, plot_idx + 1)\n    plt.imshow(img, extent=[*r0, *r1])\n    plt.title(title)", "    ax = plt.gcf().add_subplot(1, 4, plot_idx + 1)\n    ax.imshow(img, extent=[*r0, *r1], interpolation=\"nearest\")\n    ax.set_title(title)"),),
    "make_grid": (("    plt.subplot(1, 4, plot_idx + 1)\n    plt.imshow(img, extent", "    img = torchvision.utils.make_grid(torch.tensor(img)[None, None], padding=2)[0].numpy()\n    plt.subplot(1, 4, plot_idx + 1)\n    plt.imshow(img, extent"),),
}  # fmt: skip

HONEST: dict[str, dict[str, tuple[Swap, ...]]] = {
    "a1": HONEST_A1,
    "a2": {
        "as it is": (),
        "another seed": (("RandomState(7)", "RandomState(2024)"),),
        "columns, and a loop": (
            ("((X_true - X_prime) ** 2).sum(axis=1).mean()", "np.mean([np.sum((a - b) ** 2) for a, b in zip(X_true, X_prime)])"),
            ("mu = X_true @ W_mu.T + b_mu", "mu = (W_mu @ X_true.T).T + b_mu"),
        ),
        "two decimals": ((":.4f", ":.2f"), ("L_KL_c = {L_KL_c:.2f}", "L_KL_c = {L_KL_c:.4f}"), ("L_recon + beta * L_KL, L_recon_c + beta * L_KL_c", "round(L_recon + beta * L_KL, 2), round(L_recon_c + beta * L_KL_c, 2)")),
    },
    "a3": {
        "as it is": (),
        "KL in the formula's other form": (("kl = 0.5 * (mu**2 + logvar.exp() - logvar - 1).mean()", "kl = -0.5 * torch.mean(1 + logvar - mu.pow(2) - logvar.exp())"),),
        "torch.distributions": (
            ("return mu + noise * std", "return torch.distributions.Normal(mu, std).rsample()"),
            ("kl = 0.5 * (mu**2 + logvar.exp() - logvar - 1).mean()", "q = torch.distributions.Normal(mu, (logvar / 2).exp())\n    kl = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).mean()"),
        ),
        "KL summed over latents, as the formula says": (("logvar - 1).mean()", "logvar - 1).sum(1).mean()"),),
        "F.mse_loss": (("((x_hat - x) ** 2).mean()", "nn.functional.mse_loss(x_hat, x)"),),
    },
    "a4": {
        "as it is": (),
        "the elbo alone": (("return elbo.mean(), log_likelihood.mean(), kl.mean()", "return elbo.mean()"), ("elbo, log_likelihood, kl = calc_elbo(model, x.to(device))", "elbo = calc_elbo(model, x.to(device))"),
                           (', log-likelihood {log_likelihood.item():.2f}, KL {kl.item():.2f}")\nwith', '")\nwith'), ("torch.stack([torch.stack(calc_elbo(model, x.to(device))) for x, _ in test_loader]).mean(0)", "torch.stack([calc_elbo(model, x.to(device)) for x, _ in test_loader]).mean(0)"),
                           ("elbo, log_likelihood, kl = scores.tolist()", "elbo = log_likelihood = kl = scores.item()")),
        "per example": (("return elbo.mean(), log_likelihood.mean(), kl.mean()", "return elbo, log_likelihood, kl"), ("elbo, log_likelihood, kl = calc_elbo(model, x.to(device))", "elbo, log_likelihood, kl = [t.mean() for t in calc_elbo(model, x.to(device))]"),
                        ("torch.stack(calc_elbo(model, x.to(device)))", "torch.stack([t.mean() for t in calc_elbo(model, x.to(device))])")),
        "a dictionary, with the NLL": (("return elbo.mean(), log_likelihood.mean(), kl.mean()", 'return {"elbo": elbo.mean(), "nll": -log_likelihood.mean(), "kl": kl.mean()}'), ("elbo, log_likelihood, kl = calc_elbo(model, x.to(device))", "elbo, log_likelihood, kl = calc_elbo(model, x.to(device)).values()"),
                                       ("torch.stack(calc_elbo(model, x.to(device)))", "torch.stack(list(calc_elbo(model, x.to(device)).values()))")),
        "probabilities": (("nn.ConvTranspose2d(16, 1, 4, stride=2, padding=1),", "nn.ConvTranspose2d(16, 1, 4, stride=2, padding=1), nn.Sigmoid(),"), ("F.binary_cross_entropy_with_logits(logits", "F.binary_cross_entropy(logits"),
                          ("return torch.sigmoid(model.decode(z))", "return model.decode(z)"), ("frames = torch.sigmoid(model.decode((1 - steps) * first + steps * second))", "frames = model.decode((1 - steps) * first + steps * second)")),
        "drawn pixels": (("return torch.sigmoid(model.decode(z))", "return torch.bernoulli(torch.sigmoid(model.decode(z)))"),),
        "trains on drawn pixels": (("calc_elbo(model, x.to(device))\n        loss", "calc_elbo(model, torch.bernoulli(x).to(device))\n        loss"),),
    },
    "a5": {
        "as it is": (),
        "averages, not sums": (('reduction="sum")', 'reduction="none").flatten(1).sum(1).mean()'), ("logvar - 1).sum()", "logvar - 1).sum(1).mean()"), ("total += loss.item()", "total += loss.item() * len(batch)")),
        "directions on other pairs": (("test_dataset, 7, 20", "test_dataset, 7, 30"), ("test_dataset, 9, 20", "test_dataset, 9, 30")),
    },
}  # fmt: skip

# small enough that training takes seconds, large enough for every check but the bands of the third toy set
SMALL: dict[str, tuple[Swap, ...]] = {
    "a1": (("100_000", "30_000"), ("33_333", "13_333"), ("num_epochs = 512, 10", "num_epochs = 512, 4")),
    "a3": (("n_steps=1000", "n_steps=60"),),
    "a5": (("range(15)", "range(4)"),),
}
