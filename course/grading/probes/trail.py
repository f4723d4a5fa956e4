"""Tell weights that an optimizer's step made from weights that came into a model in another way.

After each step a few numbers of each parameter are kept as one hash, at places that nobody else knows. Weights that
are loaded again later, as early stopping does, are among them; weights that were stored in the notebook are not.
"""

import random
from collections.abc import Iterable, Sequence

import numpy as np
import torch

PLACES, MOST_TRACED, MOST_MADE = 6, 24, 20_000  # numbers of a parameter; parameters of an optimizer; steps


class Trail:
    """The weights that steps made."""

    def __init__(self) -> None:
        self.random = random.SystemRandom()  # the notebook's own random numbers stay as they are
        self.places: dict[int, np.ndarray] = {}
        self.made: dict[int, set[int]] = {}
        self.kept: list[torch.Tensor] = []  # so that no other parameter gets the number of one that is gone

    def begin(self, parameters: Sequence[torch.Tensor]) -> None:
        """Choose what of an optimizer's parameters is followed."""
        for p in self.random.sample(parameters, min(len(parameters), MOST_TRACED)):
            if id(p) not in self.places and p.numel():
                self.kept.append(p)
                self.places[id(p)] = np.array([self.random.randrange(p.numel()) for _ in range(PLACES)])
                self.made[id(p)] = set()

    def note(self, parameters: Iterable[torch.Tensor]) -> None:
        """After a step: keep what it made."""
        for p in parameters:
            made = self.made.get(id(p))
            if made is not None and len(made) < MOST_MADE:
                made.add(self.hash_of(p))

    def leads_to(self, parameters: Iterable[torch.Tensor]) -> bool:
        """Say whether some step made the weights as they are now; of more steps than are kept, any may have."""
        return all(
            self.hash_of(p) in self.made[id(p)] or len(self.made[id(p)]) >= MOST_MADE
            for p in parameters
            if id(p) in self.made
        )

    def hash_of(self, p: torch.Tensor) -> int:
        return hash(p.detach().cpu().float().numpy().ravel()[self.places[id(p)]].tobytes())
