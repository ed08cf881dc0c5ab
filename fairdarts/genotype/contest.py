"""What derivations of all spaces have in common: the contest for a place, and the result."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar, assert_never

from fairdarts.config import DeriveConfig
from fairdarts.errors import GenotypeError

GenotypeT = TypeVar("GenotypeT")


@dataclass(frozen=True)
class Derivation(Generic[GenotypeT]):
    """What was read off the gates."""

    genotype: GenotypeT
    """As the rule gives it."""
    pruned: GenotypeT
    """Without the parts that have no effect: the genotype to count and to retrain."""
    margins: dict[str, float | None]
    """Of `normal` and `reduce`, or of `layers`: the smallest margin of all contests there.

    None: no contest has one, see `contest`.
    """


def check_gates(gates: Iterable[float], owner: str) -> None:
    """Refuse gates that no derivation can read.

    Args:
        gates: All gates of one cell or layer.
        owner: The name of that cell or layer, for the message.
    Raises:
        GenotypeError: If a gate is outside [0, 1], or NaN after a diverged search.
    """
    # Not `gate < 0 or gate > 1`, which NaN would pass.
    bad = next((gate for gate in gates if not 0.0 <= gate <= 1.0), None)
    if bad is not None:
        raise GenotypeError(
            f"A gate of {owner} (={bad}) must lie in [0, 1]: pass the sigmoid or softmax of alpha; "
            "nan means that the search diverged and has to be run again."
        )


def places_and_threshold(config: DeriveConfig) -> tuple[int, float]:
    """How many candidates of one edge (in S2: one layer) may stay, and their lowest gate."""
    match config.rule:
        case "threshold" | "darts":
            places = 1
        case "threshold_edge":
            places = 2
        case _:
            assert_never(config.rule)
    return places, config.threshold or 0.0  # No gate is below 0.


def contest(gates: Sequence[float], places: int, threshold: float) -> tuple[list[int], list[float]]:
    """Let candidates compete for places by their gates; a tie goes to the lower index.

    Args:
        gates: Of all candidates.
        places: How many candidates may stay.
        threshold: The lowest gate that may stay.
    Returns:
        Indices of the candidates that stay, best first; and the margin, the lowest gate that stays
        minus the highest that does not: a list of one, or empty if all stay or none.
    """
    # Sorting is stable: equal gates keep the order of their indices.
    ranking = sorted(range(len(gates)), key=lambda index: -gates[index])
    kept = [index for index in ranking[:places] if gates[index] >= threshold]
    if not kept or len(kept) == len(gates):
        return kept, []
    return kept, [gates[kept[-1]] - gates[ranking[len(kept)]]]
