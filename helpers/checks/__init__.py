"""Checks of the tasks, one function a task, each against an oracle that shares nothing with the solution.

The check of ``toy_vae.VAE.forward`` is ``VAE_forward`` in ``checks/toy_vae.py``; that of ``core.training.fit`` is
``fit`` in ``checks/training.py``. A check replaces what other tasks ask for, so it needs none of them to be solved. It
returns nothing where the task is solved, and raises otherwise: ``NotImplementedError`` where it is still open.
"""

import importlib
from collections.abc import Callable


def place(task: str) -> tuple[str, str]:
    """Return the module of this package, and its function, that check a task such as ``toy_vae.VAE.forward``."""
    module, _, function = task.removeprefix("core.").partition(".")
    return module, function.replace(".", "_")


def find(task: str) -> Callable[[], None]:
    """Return the check of a task such as ``toy_vae.VAE.forward``.

    Raises:
        ValueError: it has none.
    """
    module, function = place(task)
    try:
        return getattr(importlib.import_module(f"helpers.checks.{module}"), function)
    except (ModuleNotFoundError, AttributeError) as error:
        raise ValueError(f"{task} has no check: write {function} in helpers/checks/{module}.py") from error
