"""What derivations of all spaces have in common: the contest for a place, and the result."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

GenotypeT = TypeVar("GenotypeT")


@dataclass(frozen=True)
class Derivation(Generic[GenotypeT]):
    """What was read off the gates."""

    genotype: GenotypeT
    """As the rule gives it."""
    pruned: GenotypeT
    """Without what does nothing: the one to count and retrain."""
    margins: dict[str, float | None]
    """`normal` and `reduce`, or `layers`, to the distance of its closest call; None: no contest."""


def contest(gates: Sequence[float], places: int, threshold: float) -> tuple[list[int], list[float]]:
    """Indices that win a place, best first, and the margin: a list of one, or of none.

    The margin is the gate of the last kept minus that of the first dropped: near 0, noise decided.
    """
    ranking = sorted(range(len(gates)), key=lambda index: -gates[index])  # stable: ties by index
    kept = [index for index in ranking[:places] if gates[index] >= threshold]
    if not kept or len(kept) == len(gates):
        return kept, []
    return kept, [gates[kept[-1]] - gates[ranking[len(kept)]]]
