"""Dominant operations: what the paper counts to show that skip connections take over."""

from collections.abc import Mapping, Sequence

from fairdarts.genotype import Edge
from fairdarts.spaces import CELL_KINDS, NUM_INPUTS, S1, CellSpace

DOMINANT_GATE = 0.75


def dominant_operations(
    gates: Mapping[str, Sequence[Sequence[float]]], relaxation: str, space: CellSpace = S1
) -> list[Edge]:
    """The dominant operations of both cells.

    Args:
        gates: For `normal` and `reduce`, (E, O) values, see `fairdarts.genotype.derive`.
        relaxation: `softmax`: the two highest of all candidates into each node (8 a cell, paper
            Section 3.2); `sigmoid`: gates above 0.75 (paper footnote 5).
        space: Names of the rows and columns.
    """
    dominant: list[Edge] = []
    for kind in CELL_KINDS:
        candidates = [
            (gate, Edge(operation, src, dst))
            for (src, dst), row in zip(space.edges, gates[kind], strict=True)
            for operation, gate in zip(space.operations, row, strict=True)
        ]
        if relaxation == "sigmoid":
            dominant += [edge for gate, edge in candidates if gate > DOMINANT_GATE]
            continue
        for node in range(NUM_INPUTS, NUM_INPUTS + space.num_nodes):
            into_node = [candidate for candidate in candidates if candidate[1].dst == node]
            into_node.sort(key=lambda candidate: -candidate[0])  # stable: ties by index
            dominant += [edge for _, edge in into_node[:2]]
    return dominant
