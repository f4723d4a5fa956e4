"""What training remembers: numbers only, so that drawing them needs no torch."""

from dataclasses import dataclass, field

import numpy as np


@dataclass
class History:
    """Hold the curves of a training by name of the scalar: one number a step, and one an epoch of validation."""

    steps_per_epoch: int
    train: dict[str, np.ndarray] = field(default_factory=dict)
    val: dict[str, np.ndarray] = field(default_factory=dict)


def extend(curves: dict[str, np.ndarray], values: dict[str, np.ndarray]) -> None:
    """Append new values to the curves of the same names, in place."""
    for name, new in values.items():
        curves[name] = np.concatenate([curves.get(name, np.empty(0)), new])
