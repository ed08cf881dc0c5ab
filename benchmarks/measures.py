"""What the page about the experiments says of gates, as functions of arrays.

Shapes: T epochs, E edges of a cell, O operations of an edge, N gates.
"""

import numpy as np
from numpy.typing import NDArray

from fairdarts.genotype.dominance import dominant_operations
from fairdarts.spaces import CELL_KINDS, SKIP, CellSpace

Gates = NDArray[np.float64]
Counts = NDArray[np.int64]

NEAR = 0.1
"""How close to 0 or 1 a gate counts as decided."""
LEAD = 0.05
"""How far from 0.5 a gate must have been to count as having led."""


def polarised(gates: Gates) -> float:
    """Share of gates at most 0.1 from 0 or 1; any shape."""
    return float(np.mean(np.minimum(gates, 1 - gates) <= NEAR))


def histogram(gates: Gates) -> Counts:
    """Gates in each tenth of [0, 1], shape (10,); any shape."""
    counts: Counts = np.histogram(gates, bins=10, range=(0, 1))[0]
    return counts


def settled_at(gates: Gates) -> Counts:
    """For each gate the epoch, from 1, from which on it stays on its last side of 0.5.

    Args:
        gates: Shape (T, N).
    Returns:
        Shape (N,).
    """
    on_last_side = (gates > 0.5) == (gates[-1] > 0.5)
    epochs_settled: Counts = np.logical_and.accumulate(on_last_side[::-1]).sum(axis=0)
    return len(gates) - epochs_settled + 1


def half_polarised_at(gates: Gates) -> int | None:
    """First epoch, from 1, at which half of the gates or more are polarised; None: never.

    Args:
        gates: Shape (T, N).
    """
    return next((t for t, now in enumerate(gates, 1) if polarised(now) >= 0.5), None)


def num_turned(gates: Gates) -> int:
    """Gates that end on one side of 0.5 and were once on the other, by 0.05 or more.

    Args:
        gates: Shape (T, N).
    """
    last_side = np.sign(gates[-1] - 0.5)
    return int(((gates - 0.5) * last_side <= -LEAD).any(axis=0).sum())


def mass(gates: Gates) -> Gates:
    """Mean of each operation over edges, times the number of operations: 1 is uniform.

    Args:
        gates: Softmax values, shape (E, O).
    Returns:
        Shape (O,).
    """
    masses: Gates = gates.mean(axis=0) * gates.shape[1]
    return masses


def ranked(gates: Gates) -> Gates:
    """Largest, second largest, ... value of an edge, mean over the edges of both cells.

    Args:
        gates: Shape (2, E, O).
    Returns:
        Shape (O,), descending.
    """
    means: Gates = np.sort(gates, axis=-1).mean(axis=(0, 1))
    return means[::-1]


def dominant_skips(gates: Gates, space: CellSpace) -> dict[str, int]:
    """Skip connections among the 8 dominant operations of each cell of a softmax search.

    Args:
        gates: Shape (2, E, O).
        space: Names of the edges and operations.
    """
    cells = dict(zip(CELL_KINDS, gates.tolist(), strict=True))
    dominant = dominant_operations(cells, "softmax", space)
    half = len(dominant) // 2  # as many in the one cell as in the other
    cells_dominant = (dominant[:half], dominant[half:])
    return {
        kind: sum(edge.op == SKIP for edge in edges)
        for kind, edges in zip(CELL_KINDS, cells_dominant, strict=True)
    }
