"""Dominant operations, by the definition with which a search counts them in `epochs`.

This repeats `fairdarts.genotype.dominance`, because a store must be readable without the method; a
test compares the two.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from results.query.positions import Position

if TYPE_CHECKING:
    from numpy.typing import NDArray

DOMINANT_GATE = 0.75
NUM_SELECTED = {"layers": 1}
"""How many candidates of softmax gates would be selected: one of a layer, two of a node."""


def dominant(gates: "NDArray[Any]", places: Sequence[Position], relaxation: str) -> "NDArray[Any]":
    """Tell which gates are dominant.

    Args:
        gates: A row for each search and epoch, a column for each place.
        places: What the columns stand for.
        relaxation: `sigmoid`: gates above 0.75 (paper footnote 5). `softmax`: the two highest of
            all candidates into each node, or the highest of each layer (paper Section 3.2).
    Returns:
        Booleans of the same shape; a gate that is no number is not dominant.
    """
    import numpy as np

    if relaxation == "sigmoid":
        return gates > DOMINANT_GATE
    contests: dict[tuple[str, int | None], list[int]] = {}
    for place in places:
        rivals = place.edge if place.destination is None else place.destination
        contests.setdefault((place.cell, rivals), []).append(place.position)
    chosen = np.zeros(gates.shape, dtype=bool)
    rows = np.arange(len(gates))[:, None]
    for (cell, _), columns in contests.items():
        ranked = np.argsort(-gates[:, columns], axis=1, kind="stable")  # Ties by index.
        winners = ranked[:, : NUM_SELECTED.get(cell, 2)]
        chosen[rows, np.asarray(columns)[winners]] = True
    chosen &= np.isfinite(gates)
    return chosen
