"""What the import of a notebook's module brings with it: nothing that only one of its functions needs."""

import subprocess
import sys

OF_NUMPY = ("numpy_vae", "notebook")
OF_TORCH = ("toy_vae", "swiss_roll", "mnist_beta_vae", "mnist_conv_vae", "fashion_latent_space", "core.data")
HEAVY = {"sklearn", "scipy", "torchvision", "pandas"}  # each takes about half as long as torch


def test_importing_a_notebooks_modules_brings_nothing_heavy():
    lines = ["import sys"]
    for modules, heavy in ((OF_NUMPY, {"torch", *HEAVY}), (OF_TORCH, HEAVY)):
        lines += [f"import helpers.{name}" for name in modules]
        lines += [f"print(sorted({heavy!r} & set(sys.modules)))"]
    ran = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["[]", "[]"], ran.stdout
