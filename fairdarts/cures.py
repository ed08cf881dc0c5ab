"""Names of the perturbations and stopping rules of a search, and what each needs.

Checking settings and planning sweeps needs only these. The classes of the same names are in
`fairdarts.supernet.perturbation` and `fairdarts.search.stopping`, which import torch.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Needs:
    """Where a perturbation or a stopping rule makes sense."""

    needs_skips: bool = False
    """Whether it does nothing in a space without skip connections."""
    needs_cells: bool = False
    """Whether it looks at cells, which S2 does not have."""
    strength_below: float = math.inf
    """The strength of a perturbation must be below this; 1 if it is a probability."""


PERTURBATIONS: dict[str, Needs] = {
    "skip_noise": Needs(needs_skips=True),
    "alpha_noise": Needs(),
    "skip_dropout": Needs(needs_skips=True, strength_below=1.0),
    "drop_path": Needs(strength_below=1.0),
}

STOPPING_RULES: dict[str, Needs] = {
    "two_skips": Needs(needs_skips=True, needs_cells=True),
    "eigenvalue": Needs(),
}
