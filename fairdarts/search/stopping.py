"""Rules that end a search before its last epoch: cures of other papers for DARTS's collapse.

Each is a small class and an entry of `RULES`, and `fairdarts.cures` has its name for the settings.
"""

from collections.abc import Sequence
from statistics import fmean
from typing import Protocol

from fairdarts.config import DeriveConfig
from fairdarts.data.stream import Batch
from fairdarts.genotype.cell_genotype import cell_gates, derive
from fairdarts.search.hessian import largest_eigenvalue
from fairdarts.search.state import SearchState
from fairdarts.spaces import CellSpace
from fairdarts.supernet.base import flat


class StoppingRule(Protocol):
    """What is measured after every epoch, and at which values the search ends."""

    def measure(self, state: SearchState, batch: Batch) -> float:
        """A number that describes the supernet; `batch` comes from the half that trains alphas."""

    def chosen_epoch(self, values: Sequence[float]) -> int | None:
        """The epoch whose alphas to derive from, given the values so far; None: search on."""


class TwoSkips:
    """Stop once the normal cell that DARTS would derive has two skip connections.

    Source:
        DARTS+, arXiv:1909.06035, Section 3.2.
    """

    def measure(self, state: SearchState, batch: Batch) -> float:
        """Skip connections in the normal cell by the `darts` rule."""
        space = state.supernet.space
        assert isinstance(space, CellSpace)  # `SearchConfig` refuses any other
        gates = cell_gates(flat(state.supernet.gates()).tolist(), space)
        return derive(gates, DeriveConfig(rule="darts"), space).genotype.num_skips("normal")

    def chosen_epoch(self, values: Sequence[float]) -> int | None:
        """The last epoch, once two skips are reached."""
        return len(values) - 1 if values and values[-1] >= 2 else None


class Eigenvalue:
    """Stop when the largest eigenvalue of the alphas' Hessian grows too fast.

    The mean over 5 epochs is compared with that 5 epochs earlier, whose alphas are taken if it has
    grown by more than 1.3.

    Source:
        After RobustDARTS, arXiv:1909.09656, Section 4.3, with whole windows compared.
    """

    WINDOW = 5
    FACTOR = 1.3

    def measure(self, state: SearchState, batch: Batch) -> float:
        """Largest eigenvalue of the Hessian of the validation loss in all alphas."""
        return largest_eigenvalue(state.supernet, batch)

    def chosen_epoch(self, values: Sequence[float]) -> int | None:
        """The epoch one window back, once the mean has grown too fast."""
        if len(values) < 2 * self.WINDOW:
            return None
        now = fmean(values[-self.WINDOW :])
        before = fmean(values[-2 * self.WINDOW : -self.WINDOW])
        return len(values) - 1 - self.WINDOW if now > self.FACTOR * before else None


RULES: dict[str, StoppingRule] = {"two_skips": TwoSkips(), "eigenvalue": Eigenvalue()}
