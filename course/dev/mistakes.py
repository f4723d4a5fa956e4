"""Which check catches which mistake: the solutions broken as students break them, one at a time, in a scratch copy.

    python -m course.dev.mistakes               # the fast tests of the broken module, about a minute
    python -m course.dev.mistakes --notebooks   # the regression run of a notebook that uses it, too: minutes each

Prints a table "mistake -> caught by". Exits with 1 where a mistake goes unnoticed, or where the unbroken copy fails.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from course.paths import ROOT

COPIED = ("helpers", "course", "tests", "notebooks", "student_figures/expected")


class Mistake(NamedTuple):
    """Break ``file`` below helpers/: ``old``, which stands there once, becomes ``new``."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]  # files below tests/helpers/
    notebook: str


GAUSSIAN, TOY, NUMPY = ("core/test_gaussian.py", "core/test_bounds.py"), ("test_toy_vae.py",), ("test_numpy_vae.py",)
MISTAKES = (
    Mistake("KL without its half", "core/gaussian.py", "return 0.5 * (mu.square() + logvar.exp() - logvar - 1)",
            "return mu.square() + logvar.exp() - logvar - 1", GAUSSIAN, "02"),
    Mistake("KL averaged over latents", "core/gaussian.py", "return kl_per_latent(mu, logvar).sum(dim=-1)",
            "return kl_per_latent(mu, logvar).mean(dim=-1)", GAUSSIAN, "02"),
    Mistake("log-variance used as sigma", "core/gaussian.py",
            "return rsample(mu, torch.exp(0.5 * logvar), generator, eps)",
            "return rsample(mu, logvar, generator, eps)", GAUSSIAN, "02"),
    Mistake("variance used as sigma", "toy_vae.py", "std = torch.exp(0.5 * logvar)",
            "std = torch.exp(logvar)", TOY, "02"),
    Mistake("no noise", "core/gaussian.py", "return mu + std * noise",
            "return mu + 0 * std * noise", GAUSSIAN, "02"),
    Mistake("NLL without the log-variance term", "core/gaussian.py",
            "-0.5 * (residual * torch.exp(-logvar) + logvar + LOG_2PI).sum(dim=-1)",
            "-0.5 * (residual * torch.exp(-logvar) + LOG_2PI).sum(dim=-1)", GAUSSIAN, "02"),
    Mistake("a shared log-variance counted once for all features", "core/gaussian.py",
            "x.shape[-1] * (logvar + LOG_2PI)", "1 * (logvar + LOG_2PI)", GAUSSIAN, "04"),
    Mistake("beta on the wrong term", "core/objective.py", "(nll + beta * kl).mean()",
            "(beta * nll + kl).mean()", GAUSSIAN, "04"),
    Mistake("decoder noise flag inverted", "toy_vae.py", "reparameterize(x_mu, x_logvar) if noise else x_mu",
            "x_mu if noise else reparameterize(x_mu, x_logvar)", TOY, "02"),
    Mistake("grid rows upside down", "core/latent.py", "torch.linspace(r1[1], r1[0], n)",
            "torch.linspace(r1[0], r1[1], n)", ("core/test_latent.py", "test_mnist_beta_vae.py"), "04"),
    Mistake("labels shuffled", "mnist_beta_vae.py", "labels = torch.cat([y for _, y in batches])",
            "labels = torch.cat([y for _, y in batches]).flip(0)", ("test_mnist_beta_vae.py",), "04"),
    Mistake("by hand: KL without its half", "numpy_vae.py", "kl = 0.5 * (np.exp(logvar) + mu**2 - logvar - 1)",
            "kl = (np.exp(logvar) + mu**2 - logvar - 1)", NUMPY, "01"),
    Mistake("by hand: KL averaged over latents", "numpy_vae.py",
            "kl = 0.5 * (np.exp(logvar) + mu**2 - logvar - 1).sum(axis=-1)",
            "kl = 0.5 * (np.exp(logvar) + mu**2 - logvar - 1).mean(axis=-1)", NUMPY, "01"),
    Mistake("by hand: log-variance used as sigma", "numpy_vae.py", "z = mu + np.exp(0.5 * logvar) * eps",
            "z = mu + logvar * eps", NUMPY, "01"),
    Mistake("by hand: no noise", "numpy_vae.py", "z = mu + np.exp(0.5 * logvar) * eps",
            "z = mu + 0 * np.exp(0.5 * logvar) * eps", NUMPY, "01"),
)  # fmt: skip


@contextmanager
def scratch_copy(mistake: Mistake | None = None) -> Iterator[Path]:
    """Copy the project, and break the copy by a mistake.

    Raises:
        ValueError: the line to break is not there exactly once: the solution has moved on, and this list has not.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in COPIED:
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", copy)
        if mistake is not None:
            file = copy / "helpers" / mistake.file
            source = file.read_text(encoding="utf-8")
            if source.count(mistake.old) != 1:
                raise ValueError(
                    f"{mistake.name}: helpers/{mistake.file} holds {source.count(mistake.old)} times what is to be "
                    f"broken, expected once: {mistake.old!r}"
                )
            file.write_text(source.replace(mistake.old, mistake.new), encoding="utf-8")
        yield copy


def _python(copy: Path, *arguments: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1", "DATA_ROOT": _data()}
    environment.pop("CI", None)
    process = subprocess.run([sys.executable, *arguments], cwd=copy, env=environment, capture_output=True, text=True)
    return process.stdout + process.stderr


def _data() -> str:
    return os.environ.get("DATA_ROOT") or str(ROOT / "data")


def failing_tests(copy: Path, tests: tuple[str, ...]) -> list[str]:
    """List the names of the fast tests that fail there."""
    files = [f"tests/helpers/{name}" for name in tests]
    output = _python(copy, "-m", "pytest", "-q", "--tb=no", "-rfE", "-m", "not slow", "-p", "no:cacheprovider", *files)
    if not re.search(r"\d+ (passed|failed|error)", output):
        return [f"the tests did not start: {output[-300:]}"]
    names = re.findall(r"^(?:FAILED|ERROR) \S*?::(\S+)", output, re.MULTILINE)
    return sorted({re.sub(r"\[.*", "", name) for name in names})


def failing_in_notebook(copy: Path, notebook: str) -> list[str]:
    """List what the regression run of a notebook finds there: claims whose verdict flips, and figures."""
    output = _python(copy, "-m", "course", "check", notebook)
    claims = [f"claim: {c.strip()}" for c in re.findall(r"✗ FAILS \| ([^|]+)", output)]
    figures = [f"figure: {f}" for f in re.findall(r"figure (\w+): (?!ok|not)\w+", output)]
    others = [f"cell {c}: {why}" for c, why in re.findall(r"Cell (\d+): (Cell execution caused an exception)", output)]
    return list(dict.fromkeys(claims + figures + others))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--notebooks", action="store_true", help="run the regression run of a notebook, too")
    parser.add_argument("--only", default="", help="mistakes whose name holds this")
    options = parser.parse_args()
    mistakes = [m for m in MISTAKES if options.only in m.name]
    columns = ["mistake", "in", "fast tests that fail", *(["in the notebook"] if options.notebooks else [])]
    table = Table(title="mistake -> caught by", show_lines=True)
    for column in columns:
        table.add_column(column, overflow="fold")
    with scratch_copy() as copy:
        failing = failing_tests(copy, tuple(sorted(set().union(*(mistake.tests for mistake in mistakes)))))
    table.add_row(*["(none: the solution as it is)", "", _listed(failing), ""][: len(columns)])
    problems = [bool(failing)] + [_is_missed(mistake, table) for mistake in mistakes]
    Console(width=None if sys.stdout.isatty() else 160).print(table)
    return int(any(problems))


def _is_missed(mistake: Mistake, table: Table) -> bool:
    """Enter into the table what catches a mistake, and return whether nothing does."""
    with_notebook = len(table.columns) > 3
    with scratch_copy(mistake) as copy:
        failing = failing_tests(copy, mistake.tests)
        differences = failing_in_notebook(copy, mistake.notebook) if with_notebook else []
    notebook = [f"{mistake.notebook}: {_listed(differences)}"] if with_notebook else []
    table.add_row(mistake.name, mistake.file, _listed(failing), *notebook)
    return not failing and not differences


def _listed(names: list[str], most: int = 4) -> str:
    more = f"\nand {len(names) - most} more" if len(names) > most else ""
    return "\n".join(names[:most]) + more if names else "none"


if __name__ == "__main__":
    sys.exit(main())
