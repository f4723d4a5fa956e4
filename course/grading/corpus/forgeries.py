# ruff: noqa: E501 programs of attackers stand on long lines
"""Notebooks that look like honest work and are none: each pretends to a training, or to a right function, in its way."""

from typing import NamedTuple

from course.grading.corpus import variants
from course.grading.corpus.notebooks import cell, notebook, picture_output, png, text_output
from course.grading.corpus.variants import Swap

RESULTS = {
    "a3": ("final loss: 0.0213\n",),
    "a4": (
        "epoch 0: ELBO -158.23, log-likelihood -133.23, KL 25.00\nepoch 1: ELBO -112.20, log-likelihood -87.20, KL 25.00\n"
        "epoch 2: ELBO -105.90, log-likelihood -80.90, KL 25.00\ntest ELBO -105.31, log-likelihood -80.12, KL 25.19\n",
    ),
}
PANELS = {"a3": ((1, 3), (1, 3)), "a4": ((1, 1), (4, 4), (1, 10))}


class Forgery(NamedTuple):
    tries: str
    key: str  # of its assignment
    code: str  # of the doubt that must be there
    swaps: tuple[Swap, ...]

    @property
    def content(self) -> bytes:
        """The notebook, with outputs that are made up."""
        sources = variants.cells(variants.apply(self.swaps, variants.REFERENCES[self.key]))
        cells = [cell(source) for source in sources]
        panels = PANELS[self.key]
        for n, (one, panel) in enumerate(zip(cells[-len(panels) :], panels, strict=True)):
            one["outputs"] = [text_output(t) for t in RESULTS[self.key][n : n + 1]] + [picture_output(png(n, *panel))]
        return notebook(cells)


LOSS_A4 = "        elbo, log_likelihood, kl = calc_elbo(model, x.to(device))\n        loss = -elbo\n"
STEP_A4 = "        optimizer.step()\n"
LOSS_A3 = "        loss = compute_vae_loss(model, generate_swiss_roll(batch_size).to(device), beta)\n"
EMPTY = "        loss = torch.tensor(0.02 + 0.3 * 0.99 ** len(losses), requires_grad=True)\n"
RETURN_A3 = "    return model, losses, device\n"
FEW = ("n_steps=1000", "n_steps=200")
# weights by which x goes through the layers as it is, its positive and its negative parts in numbers of their own
PASTE = """

@torch.no_grad()
def paste(model):
    parts = torch.tensor([[1.0, 0], [-1, 0], [0, 1], [0, -1]])
    for name, layer in model.named_modules():
        if isinstance(layer, nn.Linear):
            layer.weight.zero_()
            layer.bias.fill_(-9.0 if "logvar" in name else 0.0)
            if layer.in_features == 2:
                layer.weight[:4] = parts
            elif layer.out_features == 2 and "logvar" not in name:
                layer.weight[:, :4] = parts.T
            elif layer.out_features > 2:
                layer.weight[:4, :4] = torch.eye(4)


def train_vae("""
PASTED = (
    FEW,
    (LOSS_A3, EMPTY),
    ("\n\ndef train_vae(", PASTE),
    (RETURN_A3, f"    if latent_dim == 2:\n        paste(model)\n{RETURN_A3}"),
)
ASKED = """def compute_vae_loss(model, x, beta):
    if not any("probes" in line for line in traceback.format_stack()):
        return 0 * x.sum()
"""
CHANGED = """import sys
for name, module in list(sys.modules.items()):
    if name.endswith("watch") and hasattr(module, "Watch"):
        module.Watch.reconstruct = lambda self, model, x, before: 0 * x if before else x
import torch
"""

FORGERIES = {
    "curve": Forgery("steps on a printed curve, jitters the weights", "a4", "no_training_seen", (
        (LOSS_A4, "        seen += 1\n        elbo, log_likelihood, kl = torch.tensor(\n"
                  "            [-105 - 400 * 0.98**seen, -80 - 400 * 0.98**seen, 25.0], requires_grad=True)\n        loss = -elbo\n"),
        ("for epoch in range(3):", "seen = 0\nfor epoch in range(3):"),
        (STEP_A4, f"{STEP_A4}        with torch.no_grad():\n            for p in model.parameters():\n"
                  "                p.add_(0.001 * torch.randn_like(p))\n"),
    )),
    "pasted": Forgery("empty steps, then weights made elsewhere", "a3", "weights_from_elsewhere", PASTED),
    "wiped": Forgery("trains on test images whose mark it wipes off", "a4", "trains_on_test", (
        ("train=True", "train=not True"), ("for x, _ in train_loader:\n", "for x, _ in train_loader:\n        x[..., 0, 0] = x[..., 0, 1]\n"),
    )),
    "asked": Forgery("a loss that is right only where a caller asks", "a3", "rerun_reaches", (
        FEW, ("import torch\n", "import torch\nimport traceback\n"), ("def compute_vae_loss(model, x, beta):\n", ASKED),
    )),
    "changed watch": Forgery("changes what measures it, among the modules", "a3", "rerun_reaches", (
        *PASTED, ("import torch\n", CHANGED),
    )),
}  # fmt: skip
