"""What the import of a notebook's module brings with it: nothing that only one of its functions needs."""

import subprocess
import sys

import pytest

MODULES = ("toy_vae", "swiss_roll", "mnist_beta_vae", "mnist_conv_vae", "fashion_latent_space", "core.data", "notebook")
HEAVY = ("sklearn", "scipy", "torchvision", "pandas")  # each takes about half as long as torch


@pytest.mark.parametrize(
    ("modules", "heavy"),
    [(MODULES, HEAVY), (("numpy_vae", "notebook"), ("torch", *HEAVY))],
    ids=["all", "numpy_vae"],
)
def test_importing_a_notebooks_modules_brings_nothing_heavy(modules, heavy):
    lines = [f"import helpers.{name}" for name in modules]
    script = "\n".join(["import sys", *lines, f"print(sorted(set({heavy!r}) & set(sys.modules)))"])
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]", ran.stdout
