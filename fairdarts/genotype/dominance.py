"""Dominant operations: what the paper counts to show that skip connections take over."""

from collections.abc import Mapping, Sequence
from typing import assert_never

from fairdarts.genotype.cell_genotype import Edge, cell_gates
from fairdarts.spaces import (
    CELL_KINDS,
    LAYER_SKIP,
    NUM_INPUTS,
    S1,
    SKIP,
    CellSpace,
    LayerSpace,
    Space,
)
from fairdarts.vocabulary import Relaxation

DOMINANT_GATE = 0.75


def dominant_operations(
    gates: Mapping[str, Sequence[Sequence[float]]], relaxation: Relaxation, space: CellSpace = S1
) -> list[Edge]:
    """The dominant operations of both cells.

    Args:
        gates: For `normal` and `reduce`, (E, O) values, see `derive` in
            `fairdarts.genotype.cell_genotype`.
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
        match relaxation:
            case "sigmoid":
                dominant += [edge for gate, edge in candidates if gate > DOMINANT_GATE]
            case "softmax":
                for node in range(NUM_INPUTS, NUM_INPUTS + space.num_nodes):
                    into_node = [candidate for candidate in candidates if candidate[1].dst == node]
                    into_node.sort(key=lambda candidate: -candidate[0])  # stable: ties by index
                    dominant += [edge for _, edge in into_node[:2]]
            case _:
                assert_never(relaxation)
    return dominant


def dominant_choices(
    flat_gates: Sequence[float], relaxation: Relaxation, space: LayerSpace
) -> list[tuple[int, str]]:
    """The dominant choices of S2: number of the layer, and name.

    Args:
        flat_gates: Of all layers, in order.
        relaxation: `softmax`: the highest of each layer (paper Section 3.2); `sigmoid`: gates above
            0.75 (paper footnote 5).
        space: Names of the choices.
    """
    rows = space.by_layer(flat_gates)
    dominant: list[tuple[int, str]] = []
    for index, (names, gates) in enumerate(zip(space.choices(len(rows)), rows, strict=True)):
        match relaxation:
            case "sigmoid":
                chosen = [number for number, gate in enumerate(gates) if gate > DOMINANT_GATE]
            case "softmax":
                chosen = [max(range(len(gates)), key=gates.__getitem__)]  # the first of equals
            case _:
                assert_never(relaxation)
        dominant += [(index, names[number]) for number in chosen]
    return dominant


def count_dominant(
    flat_gates: Sequence[float], relaxation: Relaxation, space: Space
) -> tuple[int, int]:
    """Dominant operations of a supernet of any space, and how many of them are skips."""
    if isinstance(space, CellSpace):
        names = [
            edge.op
            for edge in dominant_operations(cell_gates(flat_gates, space), relaxation, space)
        ]
    else:
        names = [name for _, name in dominant_choices(flat_gates, relaxation, space)]
    return len(names), sum(name in (SKIP, LAYER_SKIP) for name in names)
