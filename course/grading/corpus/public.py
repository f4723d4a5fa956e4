# ruff: noqa: E501 a table: one notebook a line
"""Notebooks in other people's styles, with their outputs: honest ones, and ones with a mistake in the source and in what it showed."""

from typing import NamedTuple

from course.grading.corpus import pages

Swap = tuple[str, str]


class Variant(NamedTuple):
    """A page with replacements."""

    name: str
    page: str
    swaps: tuple[Swap, ...] = ()

    @property
    def text(self) -> str:
        text = pages.text_of(self.page)
        for old, new in self.swaps:
            if old not in text:
                raise ValueError(f"{self.page}, {self.name}: nothing to replace: {old!r}")
            text = text.replace(old, new)
        return text


class PublicMistake(NamedTuple):
    variant: Variant
    task: str
    codes: tuple[str, ...]  # hints that name it
    shown: bool  # whether the outputs, or the source beside them, show it


def h(page: str, name: str, *swaps: Swap) -> Variant:
    return Variant(name, page, swaps)


def m(page: str, name: str, task: str, codes: str, *swaps: Swap, shown: bool = True) -> PublicMistake:
    return PublicMistake(
        Variant(name, page, tuple(sorted(swaps, key=lambda swap: (bool(swap[1]), -len(swap[0]))))),
        task,
        tuple(codes.split()),
        shown,
    )


def drop(page: str, begin: str, end: str | None = None) -> Swap:
    """Return the swap that leaves out what stands between two marks of a page: from the first, up to the second."""
    text = pages.text_of(page)
    start = text.index(begin)
    return text[start : text.index(end, start + 1) if end else len(text)], ""


NO_COUNTS = ("counts: yes", "counts: none")
PNG_TO_SVG = ("<< png", "<< svg")
HONEST = (
    *(Variant("as it is", page) for page in pages.names()),
    h("a1_handout", "as Colab stores it", NO_COUNTS),
    h("a1_handout", "figures as SVG", PNG_TO_SVG),
    h("a1_handout", "two decimals", ("-4.44911, KL = 0.00873, NLL = 4.44038", "-4.45, KL = 0.01, NLL = 4.44"), ("-4.45820, KL = 1.61172, NLL = 2.84648", "-4.46, KL = 1.61, NLL = 2.85"), ("-2.76130, KL = 1.20417, NLL = 1.55713", "-2.76, KL = 1.20, NLL = 1.56")),
    h("a1_handout", "test_betas", ("for beta in [1, 3, 10]:", "test_betas = [1, 3, 10]\nfor beta in test_betas:")),
    h("a1_handout", "prints the loss of each beta", ("    vae_dict[beta] = model\n", "    vae_dict[beta] = model\n    print(f'beta {beta}: loss {-model(next(iter(data))[0].to(device))[2].item():.2f}')\n>> beta 1: loss -812.41\n>> beta 3: loss -795.02\n>> beta 10: loss -744.18\n")),
    h("a1_handout", "a GPU line and a pip line", ("print(f\"Using device {device}\")", "!pip install -q torch\n!nvidia-smi\nprint(f\"Using device {device}\")")),
    h("a1_handout", "one figure per model in the latent plot", ("<< png points 1x4", "<< png points 1x1\n<< png points 1x1\n<< png points 1x1\n<< png points 1x1"), ('plt.savefig(outdir / "part_b_latent_space.png")', "plt.show()"), ("    panel = plt.gcf().add_subplot(1, 4, 1 + plot_idx)\n", "    panel = plt.figure().add_subplot()\n")),
    h("a1_handout", "a grid of the top, as the skeleton has it", ("    up = up.flip(0)\n", "")),
    h("a1_handout", "a drive mounted", ("import matplotlib.pyplot as plt, torchvision, os", "import matplotlib.pyplot as plt, torchvision, os\nfrom google.colab import drive\ndrive.mount('/content/drive')"), (">> Using device cuda:0", ">> Mounted at /content/drive\n>> Using device cuda:0")),
    h("a1_handout", "bits of a progress bar", (">> Final test performance: ELBO = -4.44911", ">> " + "100%|##########| 10/10 [00:31<00:00,  3.1s/it]" * 3 + "\n>> Final test performance: ELBO = -4.44911")),
    h("a1_handout", "a warning with a path", (">> Using device cuda:0", ">> /tmp/ipykernel_812/223.py:3: UserWarning: something is deprecated\n>> Using device cuda:0")),
    h("a1_german", "decimal commas", ("-4.4531, KL = 0.0214, NLL = 4.4317", "-4,4531, KL = 0,0214, NLL = 4,4317"), ("-4.4622, KL = 1.6203, NLL = 2.8419", "-4,4622, KL = 1,6203, NLL = 2,8419"), ("-2.7514, KL = 1.1930, NLL = 1.5584", "-2,7514, KL = 1,1930, NLL = 1,5584")),
    h("a1_german", "counted", ("counts: none", "counts: yes")),
    h("a1_german", "positive log-likelihood", ("Test: ELBO = -4.4531, KL = 0.0214, NLL = 4.4317", "Test: ELBO = -4.4531, KL = 0.0214, log-likelihood = -4.4317"), ("Test: ELBO = -4.4622, KL = 1.6203, NLL = 2.8419", "Test: ELBO = -4.4622, KL = 1.6203, log-likelihood = -2.8419"), ("Test: ELBO = -2.7514, KL = 1.1930, NLL = 1.5584", "Test: ELBO = -2.7514, KL = 1.1930, log-likelihood = -1.5584")),
    h("a1_onecell", "rounded to two decimals", ("ELBO -4.450 = -(NLL 4.441 + KL 0.009)", "ELBO -4.45 = -(NLL 4.44 + KL 0.01)"), ("ELBO -4.459 = -(NLL 2.843 + KL 1.616)", "ELBO -4.46 = -(NLL 2.84 + KL 1.62)"), ("ELBO -2.743 = -(NLL 1.541 + KL 1.202)", "ELBO -2.74 = -(NLL 1.54 + KL 1.20)")),
    h("a1_functional", "no counts", NO_COUNTS),
    h("a1_functional", "20 epochs written out", ("for e in range(20):", "EPOCHS = 20\nfor e in range(EPOCHS):")),
    h("a2_table", "as Colab stores it", NO_COUNTS),
    h("a2_table", "as Markdown", ("<< html <table><thead><tr><th></th><th>L_recon</th><th>L_KL</th><th>Loss</th><th>Loss (beta = 0.2)</th></tr></thead><tbody><tr><th>Szenario 1</th><td>2.021</td><td>1.263</td><td>3.284</td><td>2.274</td></tr><tr><th>Szenario 2</th><td>8.612</td><td>0.015</td><td>8.627</td><td>8.615</td></tr></tbody></table>",
      "<< markdown |  | L_recon | L_KL | Loss | Loss (beta = 0.2) |\n|---|---|---|---|---|\n| Szenario 1 | 2.021 | 1.263 | 3.284 | 2.274 |\n| Szenario 2 | 8.612 | 0.015 | 8.627 | 8.615 |")),
    h("a2_table", "decimal commas", ("2.021", "2,021"), ("1.263", "1,263"), ("3.284", "3,284"), ("2.274", "2,274"), ("8.612", "8,612"), ("0.015", "0,015"), ("8.627", "8,627"), ("8.615", "8,615")),
    h("a2_functions", "two decimals", ("2.0914", "2.09"), ("1.2498", "1.25"), ("3.3412", "3.34"), ("8.7803", "8.78"), ("0.015\n", "0.02\n"), ("8.7953", "8.80"), ("2.3414", "2.34"), ("8.7833", "8.78"), (", 4))", ", 2))")),
    h("a2_functions", "one line a scenario", (">> Scenario 1 (standard)\n>>   reconstruction: 2.0914\n>>   KL:             1.2498\n>>   loss:           3.3412", ">> standard: recon=2.0914 kl=1.2498 total=3.3412"), (">> Scenario 2 (collapse)\n>>   reconstruction: 8.7803\n>>   KL:             0.015\n>>   loss:           8.7953", ">> collapse: recon=8.7803 kl=0.0150 total=8.7953")),
    h("a2_functions", "full precision", ("2.0914", "2.0914213562373097"), ("1.2498", "1.2498201147719913"), ("3.3412", "3.341241471009301"), ("8.7803", "8.780311948120177"), ("0.015\n", "0.01502871662109\n"), ("8.7953", "8.795340664741267")),
    h("a2_russian", "as Colab stores it", NO_COUNTS),
    h("a2_russian", "the loss first", (">> Ошибка реконструкции: 2.118\n>> KL-дивергенция: 1.271\n>> Функция потерь: 3.389", ">> Функция потерь: 3.389\n>> KL-дивергенция: 1.271\n>> Ошибка реконструкции: 2.118")),
    h("a2_torch", "tensors printed", ("L_recon: 2.0377\n>> L_KL:    1.2411\n>> Loss:    3.2788", "tensor(2.0377) tensor(1.2411) tensor(3.2788)"), ('print(f"L_recon: {L_recon:.4f}")\nprint(f"L_KL:    {L_KL:.4f}")\nprint(f"Loss:    {L_recon + L_KL:.4f}")', "print(L_recon, L_KL, L_recon + L_KL)")),
    h("a2_torch", "no optional figures", ("<< png points 1x1\n", "")),
    h("a2_torch", "results as a dictionary", (">> L_recon: 2.0377\n>> L_KL:    1.2411\n>> Loss:    3.2788", ">> {'L_recon': 2.0377, 'L_KL': 1.2411, 'Loss': 3.2788}")),
    h("a3_script", "as Colab stores it", NO_COUNTS),
    h("a3_script", "figures as SVG", PNG_TO_SVG),
    h("a3_script", "KL summed", ("torch.mean(1 + logvar - mu ** 2 - logvar.exp())", "torch.mean((1 + logvar - mu ** 2 - logvar.exp()).sum(1))")),
    h("a3_german", "counted", ("counts: none", "counts: yes")),
    h("a3_german", "rsample", ("        streuung = torch.exp(0.5 * logvar)\n        return mu + streuung * torch.randn_like(streuung)", "        return torch.distributions.Normal(mu, torch.exp(0.5 * logvar)).rsample()")),
    h("a3_german", "the width changed", ("for d in (1, 16):\n    m, l, _ = train_vae_with_visualization(latent_dim=d, zeichne=False)\n    print(f\"latent_dim = {d}", "for d in (32, 1024):\n    m, l, _ = train_vae_with_visualization(hidden_dim=d, zeichne=False)\n    print(f\"hidden_dim = {d}"), ("latent_dim = 1:", "hidden_dim = 32:"), ("latent_dim = 16:", "hidden_dim = 1024:"), ("viz_interval=250, latent_dim=2, zeichne", "viz_interval=250, hidden_dim=256, zeichne"), ("VAE(latent_dim).to", "VAE(2, hidden_dim).to")),
    h("a4_pytorch", "as Colab stores it", NO_COUNTS),
    h("a4_pytorch", "a Gaussian decoder", ("-118.2211 (log-likelihood -94.9120, KL 23.3091)", "912.3310 (log-likelihood 935.6401, KL 23.3091)"), ("-102.4480 (log-likelihood -77.1033, KL 25.3447)", "1145.2015 (log-likelihood 1170.5462, KL 25.3447)"), ("-100.1874 (log-likelihood -74.5150, KL 25.6724)", "1201.4410 (log-likelihood 1227.1134, KL 25.6724)"), ('-F.binary_cross_entropy(recon, x, reduction="sum")', 'torch.distributions.Normal(recon, 0.1).log_prob(x).sum()'), ("Average ELBO: -158.7314", "Average ELBO: 702.1120"), ("Average ELBO: -103.6411", "Average ELBO: 1140.3310"), ("Average ELBO: -100.9920", "Average ELBO: 1196.1221")),
    h("a4_pytorch", "two decimals", ("-118.2211 (log-likelihood -94.9120, KL 23.3091)", "-118.22 (log-likelihood -94.91, KL 23.31)"), ("-102.4480 (log-likelihood -77.1033, KL 25.3447)", "-102.45 (log-likelihood -77.10, KL 25.34)"), ("-100.1874 (log-likelihood -74.5150, KL 25.6724)", "-100.19 (log-likelihood -74.51, KL 25.67)")),
    h("a4_pytorch", "a walk of several rows", ("<< png strips 1x10", "<< png digits 5x10")),
    h("a4_trainer", "no counts", NO_COUNTS),
    h("a4_trainer", "printed", ("<< result elbo     -80.914\nlog_px   -60.771\nkl        20.143\ndtype: float64", ">> {'elbo': -80.914, 'log_px': -60.771, 'kl': 20.143}")),
    h("a4_functional", "negative ELBO", ("test            elbo:   -92.77 nats", "test   negative elbo:    92.77 nats")),
    h("a4_functional", "no counts", NO_COUNTS),
    h("a4_functional", "bits of pandas", ("%load_ext autoreload\n%autoreload 2", "import pandas as pd\nimport seaborn as sns\nsns.set_theme()")),
    h("a5_own", "no counts", NO_COUNTS),
    h("a5_own", "averages of pixels times 784", ("BCE 225.4, KL 15.4, Summe 240.8", "BCE 225.38, KL 15.44, Summe 240.82")),
    h("a5_own", "Russian prose", ("In der Nähe des Mittelpunkts ändern sich vor allem die Länge und die Helligkeit des Kleides; bei manchen Richtungen kommen Ärmel dazu. Auf dem Weg zum Mantel werden die Schultern breiter, erst dann erscheinen die Ärmel. Die Richtung vom Kleid zum Mantel steuert also die Breite und die Ärmel.", "Возле центра меняются в основном длина и яркость платья, в некоторых направлениях появляются рукава. По пути к пальто сначала становятся шире плечи, потом появляются рукава. Значит, направление от платья к пальто управляет шириной и рукавами.")),
)  # fmt: skip

MISTAKES = (
    # a1, part A
    m("a1_german", "KL without its half", "A1", "kl_no_half out_of_band below_entropy numbers_contradict", ("torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum(1).mean()", "(mu ** 2 + logvar.exp() - logvar - 1).sum(1).mean()"), ("-4.4531, KL = 0.0214, NLL = 4.4317", "-4.4544, KL = 0.0090, NLL = 4.4454"), ("-4.4622, KL = 1.6203, NLL = 2.8419", "-5.4112, KL = 0.0108, NLL = 5.4004")),
    m("a1_german", "KL of the wrong sign, printed negative", "A1", "kl_sign out_of_band below_entropy", ("ELBO = -4.4622, KL = 1.6203, NLL = 2.8419", "ELBO = 52.1031, KL = -54.9450, NLL = 2.8419"), ("ELBO = -4.4531, KL = 0.0214, NLL = 4.4317", "ELBO = 48.2010, KL = -52.6327, NLL = 4.4317")),
    m("a1_german", "ELBO printed with the wrong sign", "A1", "elbo_sign", ("ELBO = -4.4531", "ELBO = 4.4531"), ("ELBO = -4.4622", "ELBO = 4.4622"), ("ELBO = -2.7514", "ELBO = 2.7514"), ("return -(self.nll + self.kl)", "return self.nll + self.kl")),
    m("a1_german", "ELBO = KL - NLL", "A1", "elbo_kl_sign", ("ELBO = -4.4622", "ELBO = -1.2216"), ("ELBO = -4.4531", "ELBO = -4.4103"), ("ELBO = -2.7514", "ELBO = -0.3654"), ("return -(self.nll + self.kl)", "return self.kl - self.nll")),
    m("a1_german", "better than the entropy allows", "A2", "below_entropy out_of_band kl_halved kl_mean_latents", ("-4.4622, KL = 1.6203, NLL = 2.8419", "-3.3008, KL = 0.9102, NLL = 2.3906"), ("kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum(1).mean()", "kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).mean()")),
    m("a1_german", "NLL averaged over features", "A1", "nll_mean_features below_entropy out_of_band", ("flatten(1)).sum(1).mean()\n        kl", "flatten(1)).mean()\n        kl"), ("-4.4531, KL = 0.0214, NLL = 4.4317", "-2.2301, KL = 0.0101, NLL = 2.2200"), ("-4.4622, KL = 1.6203, NLL = 2.8419", "-2.7011, KL = 0.0098, NLL = 2.6913"), ("-2.7514, KL = 1.1930, NLL = 1.5584", "-1.8301, KL = 0.0092, NLL = 1.8209")),
    m("a1_german", "collapsed on the second set", "A1", "collapsed out_of_band", ("-4.4622, KL = 1.6203, NLL = 2.8419", "-5.4030, KL = 0.0002, NLL = 5.4028")),
    m("a1_german", "results of two sets only", "A2", "results_missing", (">> Test: ELBO = -2.7514, KL = 1.1930, NLL = 1.5584\n", ""), ('Datensatz 3")\nbewerte(m3, test)', 'Datensatz 3")')),
    m("a1_german", "no results printed", "A1", "numbers_missing", (">> Test: ELBO = -4.4531, KL = 0.0214, NLL = 4.4317\n", ""), (">> Test: ELBO = -4.4622, KL = 1.6203, NLL = 2.8419\n", ""), (">> Test: ELBO = -2.7514, KL = 1.1930, NLL = 1.5584\n", "")),
    m("a1_german", "a loss that rises", "A2", "not_decreasing", ("Epoche 1: Verlust 4.742", "Epoche 1: Verlust 4.463"), ("Epoche 10: Verlust 4.463", "Epoche 10: Verlust 14.742"), ("Epoche 5: Verlust 4.471", "Epoche 5: Verlust 8.471")),
    m("a1_german", "a loss that is NaN", "A2", "not_finite out_of_band", ("Epoche 5: Verlust 2.884\n>> Epoche 10: Verlust 2.749", "Epoche 5: Verlust nan\n>> Epoche 10: Verlust nan"), ("-2.7514, KL = 1.1930, NLL = 1.5584", "nan, KL = nan, NLL = nan")),
    m("a1_german", "gradients never zeroed", "A2", "zero_grad", ("            optimierer.zero_grad()\n", "")),
    m("a1_german", "training on the test set", "A2", "trains_on_test", ("for stapel in train:", "for stapel in test_lader:")),
    m("a1_german", "no training curves", "A2", "figure_unseen", ("<< png curves 1x3\n", ""), ("    fig.suptitle(titel); plt.show()\n    fig, achsen", "    fig, achsen"), ("        a.plot(kurve); a.set_title(name)\n", "        pass\n")),
    m("a1_german", "noise without its spread", "A1", "noise_unscaled", ("z = q.rsample()", "z = q.mean + torch.randn_like(q.mean)"), shown=False),
    m("a1_german", "sample instead of rsample", "A1", "gradient_cut", ("z = q.rsample()", "z = q.sample()"), shown=False),
    m("a1_german", "the decoder is given the mean", "A1", "decodes_mean no_noise", ("p = self.bild_verteilung(z)\n        nll", "p = self.bild_verteilung(q.mean)\n        nll"), shown=False),
    m("a1_onecell", "the second and third set skipped", "A2", "results_missing", ("<< png curves 1x3\n>> data set 2: test ELBO -4.459 = -(NLL 2.843 + KL 1.616)\n<< png points 1x3\n<< png curves 1x3\n>> data set 3: test ELBO -2.743 = -(NLL 1.541 + KL 1.202)\n<< png points 1x3\n", "")),
    m("a1_onecell", "ELBO printed as NLL plus KL", "A1", "elbo_sign", ("ELBO -4.450 = -(NLL", "ELBO 4.450 = (NLL"), ("ELBO -4.459 = -(NLL", "ELBO 4.459 = (NLL"), ("ELBO -2.743 = -(NLL", "ELBO 2.743 = (NLL")),
    m("a1_onecell", "numbers that do not add up", "A1", "elbo_wrong", ("ELBO -4.459 = -(NLL 2.843 + KL 1.616)", "ELBO -2.843 = -(NLL 2.843 + KL 1.616)")),
    m("a1_onecell", "no samples drawn", "A2", "figure_unseen", ("<< png points 1x3\n", "")),
    m("a1_onecell", "zero_grad after backward", "A2", "no_gradient zero_grad", ("            opt.zero_grad()\n            (out[4] + beta * out[3]).backward()\n", "            (out[4] + beta * out[3]).backward()\n            opt.zero_grad()\n"), shown=False),
    m("a1_onecell", "autoencoder's loss does not fall", "B1", "not_decreasing", ("AE epoch 8 mse 0.0421", "AE epoch 8 mse 0.0572"), ("AE epoch 15 mse 0.0402", "AE epoch 15 mse 0.0984"), ("opt.zero_grad(); loss.backward(); opt.step(); tot", "opt.zero_grad(); (-loss).backward(); opt.step(); tot")),
    m("a1_onecell", "beta 1 and 10 only", "B2", "betas_missing one_beta", ("for beta in (1., 3., 10.):", "for beta in (1., 10.):"), (">> beta = 3: first loss 1301.2, last loss -790.1\n", ""), ("<< png points 1x4", "<< png points 1x3"), ("<< png digits4 12x12", "<< png digits 12x36"), ("<< png strips 4x15", "<< png strips 3x15")),
    m("a1_onecell", "no latent planes", "B3", "figure_missing", ("<< png points 1x4\n", ""), ("    s = a.scatter(*code(m, xs).cpu().T, c=ys, cmap=\"tab10\", s=4); a.set_title(\"latent codes: \" + name)\nplt.colorbar(s, ax=ax); plt.show()", "    pass\nplt.close()")),
    m("a1_onecell", "no grids", "B4", "figure_missing", ("<< png digits4 12x12\n", ""), drop("a1_onecell", "fig, ax = plt.subplots(1, 4, figsize=(24, 6))", "x1, x2 =")),
    m("a1_onecell", "no interpolation", "B5", "figure_missing", ("<< png strips 4x15\n", ""), drop("a1_onecell", "t = torch.linspace(0, 1, 15", "<< png curves")),
    m("a1_functional", "the table's ELBO is the loss", "A1", "elbo_sign", ("<td>-4.4512</td>", "<td>4.4512</td>"), ("<td>-4.4603</td>", "<td>4.4603</td>"), ("<td>-2.7489</td>", "<td>2.7489</td>")),
    m("a1_functional", "KL halved in the table", "A2", "kl_halved elbo_wrong below_entropy out_of_band", ("<td>-4.4603</td><td>1.6150</td>", "<td>-3.6528</td><td>0.8075</td>")),
    m("a1_functional", "no table", "A1", "numbers_missing", drop("a1_functional", "%% code\npd.DataFrame(rows)", "%% text\n## Part B")),
    m("a1_functional", "beta always 1", "B2", "betas_missing one_beta", ("vaes = {beta: init([784, 512, 4], [2, 512, 1568]) for beta in (1, 3, 10)}", "vaes = {beta: init([784, 512, 4], [2, 512, 1568]) for beta in (1,)}"), (">> VAE with beta = 3: KL 7.42, NLL -811.7\n>> VAE with beta = 10: KL 5.05, NLL -778.0\n", ""), ('("autoencoder", "beta = 1", "beta = 3", "beta = 10")', '("autoencoder", "VAE")'), ("<< png points 1x4", "<< png points 1x2"), ("<< png digits4 12x12", "<< png digits 12x24"), ("<< png strips 4x15", "<< png strips 2x15")),
    m("a1_functional", "the KL does not fall with beta", "B2", "beta_ignored", ("beta = 3: KL 7.42, NLL -811.7", "beta = 3: KL 9.80, NLL -830.1"), ("beta = 10: KL 5.05, NLL -778.0", "beta = 10: KL 9.83, NLL -830.4"), ('loss = out["nll"] + beta * out["kl"]', 'loss = out["nll"] + out["kl"]')),
    m("a1_functional", "no autoencoder", "B1", "not_trained", drop("a1_functional", "def autoencode", "vaes = {"), (">> plain autoencoder: final mean squared error 0.0398\n", ""), ("planes = [autoencode(ae, test_images[pick])[1], *(", "planes = [*("), ('("autoencoder", "beta = 1"', '("beta = 1"'), ('[("autoencoder", ae, 5), *((', '[*(('), ('[("autoencoder", ae), *((', '[*(('), ("params is not ae", "True"), ("1, 4, figsize", "1, 3, figsize"), ("4, 1, figsize", "3, 1, figsize"), ("<< png points 1x4", "<< png points 1x3"), ("<< png digits4 12x12", "<< png digits 12x36"), ("<< png strips 4x15", "<< png strips 3x15")),
    m("a1_functional", "interpolates the pixels", "B5", "interpolation_pixels", ("picture(params, z1 + (z2 - z1) * t, params is not ae)", "(zero + (one - zero) * t)"), shown=False),
    m("a1_functional", "three panels of four", "B3", "figure_panels", ("<< png points 1x4", "<< png points 1x3"), ('("autoencoder", "beta = 1", "beta = 3", "beta = 10")', '("autoencoder", "beta = 1", "beta = 3")')),
    m("a1_functional", "one row for four models", "B5", "figure_panels", ("<< png strips 4x15", "<< png strips 1x15"), ('zip(ax, [("autoencoder", ae), *((f"beta = {b}", p) for b, p in vaes.items())])', 'zip([ax], [("beta = 1", vaes[1])])')),
    # a1, part B in the handout's names
    m("a1_handout", "autoencoder without a loop", "B1", "not_trained", drop("a1_handout", "    for _ in range(num_epochs):\n        for x, y in data:", "    return autoencoder")),
    m("a1_handout", "B1 left out", "B1", "not_trained", drop("a1_handout", "%% text\n### Task B1", "%% text\n### Task B2"), ("autoencoder = Autoencoder(2).to(device)\nautoencoder = train_ae(autoencoder, data, optim.Adam(autoencoder.parameters(), 1e-3))\n", "")),
    m("a1_handout", "B2: one beta", "B2", "betas_missing one_beta", ("for beta in [1, 3, 10]:", "digits = [1, 2, 3, 10]\nfor beta in [1]:"), ("<< png curves 1x3\n<< png curves 1x3\n<< png curves 1x3", "<< png curves 1x3")),
    m("a1_handout", "B2: betas 1, 2, 4", "B2", "betas_missing one_beta", ("for beta in [1, 3, 10]:", "for beta in [1, 2, 4]:")),
    m("a1_handout", "B2: the same beta for all three", "B2", "one_beta betas_missing", ("num_epochs=20, beta=beta, figtitle", "num_epochs=20, beta=1, figtitle"), shown=False),
    m("a1_handout", "B2: five epochs", "B2", "few_epochs", ("num_epochs=20, beta=beta", "num_epochs=5, beta=beta")),
    m("a1_handout", "B3 left out", "B3", "figure_missing", drop("a1_handout", "%% text\n### Task B3", "%% text\n### Task B4")),
    m("a1_handout", "B3: only the autoencoder", "B3", "figure_panels", ("<< png points 1x4", "<< png points 1x1"), ('for i, beta in enumerate(vae_dict):\n    plot_latent2D(vae_dict[beta], shuffled, title=f"VAE beta={beta}", plot_idx=i + 1)\n', "")),
    m("a1_handout", "B3: blank", "B3", "figure_blank", ("<< png points 1x4", "<< png blank 1x4")),
    m("a1_handout", "B4 left out", "B4", "figure_missing", drop("a1_handout", "%% text\n### Task B4", "%% text\n### Task B5")),
    m("a1_handout", "B4: originals beside reconstructions", "B4", "figure_missing figure_panels", drop("a1_handout", "def plot_reconstructed", "<< png digits4"), ("<< png digits4 12x12", "fig, ax = plt.subplots(2, 8)\nax[0, 0].set_title('original'); ax[1, 0].set_title('reconstructed')\nplt.show()\n<< png strips 2x8")),
    m("a1_handout", "B4: one model", "B4", "figure_panels", ("<< png digits4 12x12", "<< png digits 12x12"), ('for i, beta in enumerate(vae_dict):\n    plot_reconstructed(vae_dict[beta], (-3, 3), (-3, 3), vae=True, title=f"VAE beta={beta}", plot_idx=i + 1)\n', "")),
    m("a1_handout", "B4: blank", "B4", "figure_blank", ("<< png digits4 12x12", "<< png blank 1x4")),
    m("a1_handout", "B4: the picture of B5", "B4", "figure_twice figure_panels", ("<< png digits4 12x12", "<< png strips 4x15 77"), ("<< png strips 4x15\n", "<< png strips 4x15 77\n")),
    m("a1_handout", "B5 left out", "B5", "figure_missing", drop("a1_handout", "%% text\n### Task B5")),
    m("a1_handout", "B5: two models", "B5", "figure_panels", ("<< png strips 4x15", "<< png strips 2x15"), ("for i, beta in enumerate(vae_dict):\n    interpolate(vae_dict[beta]", "for i, beta in enumerate([1]):\n    interpolate(vae_dict[beta]")),
    m("a1_handout", "B5: an error instead of a figure", "B5", "figure_missing error_output", ("<< png strips 4x15", ">> the kernel ran out of memory")),
    m("a1_handout", "A1: dataset 2 has the numbers of dataset 1", "A1", "out_of_band collapsed numbers_contradict", ("ELBO = -4.45820, KL = 1.61172, NLL = 2.84648", "ELBO = -4.44911, KL = 0.00873, NLL = 4.44038")),
    m("a1_handout", "A1: results on the training loss only", "A1", "numbers_missing", (">> Final test performance: ELBO = -4.44911, KL = 0.00873, NLL = 4.44038", ">> epoch 10 train loss 4.45"), (">> Final test performance: ELBO = -4.45820, KL = 1.61172, NLL = 2.84648", ">> epoch 10 train loss 4.46"), (">> Final test performance: ELBO = -2.76130, KL = 1.20417, NLL = 1.55713", ">> epoch 10 train loss 2.77")),
    m("a1_handout", "A1: the third set is not learned", "A2", "out_of_band collapsed", ("ELBO = -2.76130, KL = 1.20417, NLL = 1.55713", "ELBO = -3.64100, KL = 0.00010, NLL = 3.64090")),
    m("a1_handout", "the cell of the results was emptied", "file", "source_missing", drop("a1_handout", "rand = np.random.RandomState(0)\ns = np.sqrt(2)", ">> Final test performance: ELBO = -4.45820")),
    m("a1_handout", "A2: trains on the test loader", "A2", "trains_on_test", ("for minibatch in train_loader:", "for minibatch in test_loader:")),
    m("a1_handout", "A2: the test set as training set", "A2", "trains_on_test", ("(X[:-n_test - 5000], True)", "(X[-n_test:], True)"), shown=False),
    m("a1_handout", "A2: no zero_grad", "A2", "zero_grad", ("            optimizer.zero_grad()\n", "")),
    # a2
    m("a2_table", "KL without its half", "3", "kl_no_half", ("0.5 * np.sum(np.exp(ls)", "np.sum(np.exp(ls)"), ("<td>1.263</td><td>3.284</td><td>2.274</td>", "<td>2.526</td><td>4.547</td><td>2.526</td>"), ("<td>0.015</td><td>8.627</td>", "<td>0.030</td><td>8.642</td>")),
    m("a2_table", "error averaged over the dimensions", "3", "recon_mean", ("<td>2.021</td><td>1.263</td><td>3.284</td><td>2.274</td>", "<td>1.011</td><td>1.263</td><td>2.274</td><td>1.264</td>"), ("<td>8.612</td><td>0.015</td><td>8.627</td><td>8.615</td>", "<td>4.306</td><td>0.015</td><td>4.321</td><td>4.309</td>")),
    m("a2_table", "no discussion", "5", "text_missing", drop("a2_table", "%% text\n## beta-VAE")),
    m("a2_table", "no analysis", "4", "text_missing", drop("a2_table", "%% text\n## Szenario 2: Kollaps", "%% text\n## beta-VAE")),
    m("a2_table", "no beta", "5", "numbers_missing text_missing", ("<th>Loss (beta = 0.2)</th>", ""), ("<td>2.274</td>", ""), ("<td>8.615</td>", ""), ('tabelle["Loss (beta = 0.2)"] = tabelle["L_recon"] + 0.2 * tabelle["L_KL"]\n', "")),
    m("a2_functions", "no noise", "3", "no_noise below_least out_of_band", ("z = m + np.exp(0.5 * lv) * eps", "z = m"), ("2.0914", "0.1841"), ("3.3412", "1.4339"), ("2.3414", "0.4341")),
    m("a2_functions", "KL of the wrong sign", "3", "kl_sign", ("1.2498", "-1.2498"), ("3.3412", "0.8416"), ("KL:             0.015\n", "KL:             -0.015\n"), ("8.7953", "8.7653")),
    m("a2_functions", "KL averaged over latents", "3", "kl_halved kl_mean_latents", ("KL:             1.2498", "KL:             0.6249"), ("3.3412", "2.7163"), ("KL:             0.015\n", "KL:             0.0075\n"), ("8.7953", "8.7878")),
    m("a2_functions", "loss = recon - KL", "3", "loss_kl_sign", ("loss:           3.3412", "loss:           0.8416")),
    m("a2_functions", "no collapse", "4", "numbers_missing", drop("a2_functions", "%% code\nrec_c, kl_c", "%% code\nfor name, r, k"), (">> beta=0.2, collapse: 8.7833\n", "")),
    m("a2_functions", "the matrix on the wrong side", "4", "matrix_side", ("KL:             0.015\n", "KL:             0.0075\n"), ("8.7953", "8.7878")),
    m("a2_functions", "beta on the reconstruction", "5", "beta_on_nll", ("{r + 0.2 * k:.4f}", "{0.2 * r + k:.4f}"), ("standard: 2.3414", "standard: 1.6681"), ("collapse: 8.7833", "collapse: 1.7711")),
    m("a2_functions", "sigma without its half", "3", "std_no_half", ("np.exp(0.5 * lv) * eps", "np.exp(lv) * eps"), ("2.0914", "1.0702"), ("3.3412", "2.3200")),
    m("a2_russian", "variance used as sigma", "3", "std_no_half logvar_as_std", ("sigma = np.exp(logvar / 2)", "sigma = np.exp(logvar)"), ("2.118", "1.118"), ("3.389", "2.389")),
    m("a2_russian", "no answers", "5", "text_missing", drop("a2_russian", "%% text\nЕсли beta")),
    m("a2_russian", "error summed over all points", "3", "nll_sum_batch recon_mean recon_reduction", ("Ошибка реконструкции: 2.118", "Ошибка реконструкции: 2118.410"), ("Функция потерь: 3.389", "Функция потерь: 2119.681"), ("8.571", "8571.220"), ("8.586", "8571.235")),
    m("a2_russian", "the first scenario printed twice", "4", "numbers_missing numbers_contradict out_of_band", ("8.571", "2.118"), ("KL-дивергенция: 0.015", "KL-дивергенция: 1.271"), ("8.586", "3.389")),
    m("a2_torch", "KL of the other order", "3", "kl_wrong out_of_band", ("L_KL:    1.2411", "L_KL:    2.9310"), ("Loss:    3.2788", "Loss:    4.9687"), ("kl_divergence(q, torch.distributions.Normal(0, 1))", "kl_divergence(torch.distributions.Normal(0, 1), q)")),
    m("a2_torch", "beta = 2", "5", "out_of_band beta_on_nll numbers_missing", ("beta = 0.2\n", "beta = 2.0\n"), ("Loss(beta=0.2) = 2.2859", "Loss(beta=2) = 4.5199"), ("Loss_c(beta=0.2) = 8.8145", "Loss_c(beta=2) = 8.8415")),
    m("a2_torch", "numbers that do not add up", "3", "loss_wrong loss_kl_sign out_of_band", ("Loss:    3.2788", "Loss:    2.0377")),
    # a3
    m("a3_script", "the noise is left out", "reparameterize", "no_noise", ("return mu + torch.exp(logvar / 2) * torch.randn_like(mu)", "return mu")),
    m("a3_script", "log-variance as sigma", "reparameterize", "logvar_as_std", ("mu + torch.exp(logvar / 2) * torch", "mu + logvar * torch"), shown=False),
    m("a3_script", "KL added with the wrong sign", "KL", "kl_sign", ("F.mse_loss(x_rec, x) - beta * 0.5", "F.mse_loss(x_rec, x) + beta * 0.5"), shown=False),
    m("a3_script", "no pictures of the latent space", "visualize", "figure_missing", ("<< png roll 1x1\n", ""), drop("a3_script", "    g = torch.linspace(-2, 2, 32)", "def run("), drop("a3_script", "fig, ax = plt.subplots(1, 2", "%% text\nNow other")),
    m("a3_script", "only the loss curve", "visualize", "figure_missing", ("<< png roll 1x1\n", ""), drop("a3_script", "    g = torch.linspace(-2, 2, 32)", "def run("), drop("a3_script", "%% code\nx = roll(1000)", "%% text\nNow other")),
    m("a3_script", "no experiment", "experiment", "experiment_missing", drop("a3_script", "%% text\nNow other", "%% text\n**Observations"), ("def run(latent=2, width=256, beta", "def run(beta"), ("SwissVAE(latent, width)", "SwissVAE()")),
    m("a3_script", "no report", "report", "text_missing", drop("a3_script", "%% text\n**Observations"), drop("a3_script", "%% text\nWhy the", "%% code\ndef snapshot")),
    m("a3_script", "the loss does not fall", "train", "not_decreasing", ("step  400  loss 0.0228", "step  400  loss 0.0300"), ("step  600  loss 0.0219", "step  600  loss 0.0411"), ("step  800  loss 0.0214", "step  800  loss 0.0720"), ("step 1000  loss 0.0211\n<< png roll 1x1", "step 1000  loss 0.1011\n<< png roll 1x1")),
    m("a3_german", "no training", "train", "numbers_missing figure_missing not_executed", drop("a3_german", "model, losses, device = train_vae_with_visualization()", "%% code\ndef visualize_rec"), drop("a3_german", "visualize_reconstructions(model)\n<<", "%% code\nfor d in"), drop("a3_german", "%% code\nfor d in", "%% text\n**Warum")),
    m("a3_german", "no zero_grad", "train", "zero_grad", ("optimizer.zero_grad(); loss.backward()", "loss.backward()")),
    # a4
    m("a4_pytorch", "ELBO = LL + KL", "1", "elbo_kl_sign", ("return ll - kl, ll, kl", "return ll + kl, ll, kl"), ("ELBO: -118.2211", "ELBO: -71.6029"), ("ELBO: -102.4480", "ELBO: -51.7586"), ("ELBO: -100.1874", "ELBO: -48.8426")),
    m("a4_pytorch", "a negative KL", "1", "kl_sign", ("KL 23.3091)", "KL -23.3091)"), ("KL 25.3447)", "KL -25.3447)"), ("KL 25.6724)", "KL -25.6724)"), ("ELBO: -118.2211", "ELBO: -71.6029"), ("ELBO: -102.4480", "ELBO: -51.7586"), ("ELBO: -100.1874", "ELBO: -48.8426")),
    m("a4_pytorch", "a mean over pixels", "1", "nll_mean_features out_of_band", ("-118.2211 (log-likelihood -94.9120, KL 23.3091)", "-0.2712 (log-likelihood -0.2651, KL 0.0061)"), ("-102.4480 (log-likelihood -77.1033, KL 25.3447)", "-0.2634 (log-likelihood -0.2632, KL 0.0002)"), ("-100.1874 (log-likelihood -74.5150, KL 25.6724)", "-0.2634 (log-likelihood -0.2633, KL 0.0001)")),
    m("a4_pytorch", "no test ELBO", "4", "numbers_missing", ("    test()\n", ""), (">> ====> Test set ELBO: -118.2211 (log-likelihood -94.9120, KL 23.3091)\n", ""), (">> ====> Test set ELBO: -102.4480 (log-likelihood -77.1033, KL 25.3447)\n", ""), (">> ====> Test set ELBO: -100.1874 (log-likelihood -74.5150, KL 25.6724)\n", ""), drop("a4_pytorch", "def test():", "for epoch in range(1")),
    m("a4_pytorch", "no samples", "2", "figure_missing", drop("a4_pytorch", "%% text\n## Samples", "%% text\n## Latent")),
    m("a4_pytorch", "no traversal", "5", "figure_missing", drop("a4_pytorch", "%% text\n## Latent")),
    m("a4_pytorch", "no convolution", "3", "no_convolution", ("self.conv1 = nn.Conv2d(1, 32, 4, 2, 1)", "self.conv1 = nn.Linear(784, 400)"), ("self.conv2 = nn.Conv2d(32, 64, 4, 2, 1)", "self.conv2 = nn.Linear(400, 3136)"), ("nn.ConvTranspose2d(64, 32, 4, 2, 1)", "nn.Linear(3136, 400)"), ("nn.ConvTranspose2d(32, 1, 4, 2, 1)", "nn.Linear(400, 784)")),
    m("a4_pytorch", "trains on the test loader", "4", "trains_on_test", ("    for data, _ in train_loader:", "    for data, _ in test_loader:")),
    m("a4_trainer", "samples are reconstructions", "2", "figure_missing not_prior own_way", drop("a4_trainer", "_, ax = plt.subplots(4, 8", "%% code\nx, y = next")),
    m("a4_trainer", "collapsed", "4", "collapsed out_of_band", ("<< result elbo     -80.914\nlog_px   -60.771\nkl        20.143", "<< result elbo    -206.210\nlog_px  -206.209\nkl        0.001")),
    m("a4_trainer", "the traversal is blank", "5", "figure_blank", ("<< png strips 1x12", "<< png blank 1x12")),
    m("a4_functional", "KL doubled", "1", "kl_no_half elbo_wrong", ("kl:    25.65", "kl:    51.30")),
    m("a4_functional", "no numbers", "4", "numbers_missing", drop("a4_functional", "for name in (\"elbo\"", "%% code\ndef tile")),
    # a5
    m("a5_own", "no words", "5", "text_missing", drop("a5_own", "%% text\nIn der Nähe")),
    m("a5_own", "no map", "4", "figure_missing", drop("a5_own", "%% text\n## Aufgabe 4", "%% text\n## Aufgabe 5")),
    m("a5_own", "no latent walk", "2", "figure_missing figure_panels", ('reihe(latent, "Weg im latenten Raum")\n', ""), ("<< png strips 1x8\n<< png strips 1x8\n%% text\n## Aufgabe 3", "<< png strips 1x8\n%% text\n## Aufgabe 3")),
    m("a5_own", "loss not falling", "VAE", "not_decreasing", ("Epoche 5: BCE 230.2, KL 15.2, Summe 245.4", "Epoche 5: BCE 430.2, KL 15.2, Summe 445.4"), ("Epoche 15: BCE 225.4, KL 15.4, Summe 240.8", "Epoche 15: BCE 525.4, KL 15.4, Summe 540.8")),
)  # fmt: skip
