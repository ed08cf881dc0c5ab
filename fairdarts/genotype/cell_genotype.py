"""Genotypes of S1: the discrete architecture of two cells, read off gates, pruned, kept as JSON.

Nodes 0 and 1 are the outputs of cells k-2 and k-1; nodes 2..5 are intermediate. No torch here.
Shapes: E edges of a cell, O candidate operations of an edge (14 and 7 in S1).
"""

import itertools
import json
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from fairdarts.config import DeriveConfig
from fairdarts.errors import GenotypeError
from fairdarts.genotype.contest import Derivation, check_gates, contest, places_and_threshold
from fairdarts.spaces import CELL_KINDS, NUM_INPUTS, S1, SKIP, CellSpace, all_cells


@dataclass(frozen=True, order=True)
class Edge:
    """Operation `op` applied to node `src`, added to node `dst`."""

    op: str
    src: int
    dst: int


@dataclass(frozen=True)
class Genotype:
    """The edges of the normal and of the reduction cell.

    Edges are kept sorted by (dst, src, op), so that equal architectures are equal objects.
    """

    space: ClassVar = S1.name
    """Name of the search space whose presets fit a genotype that a person gives."""

    normal: tuple[Edge, ...]
    reduce: tuple[Edge, ...]

    def __post_init__(self) -> None:
        for kind in CELL_KINDS:
            edges = sorted(self.cell(kind), key=lambda edge: (edge.dst, edge.src, edge.op))
            object.__setattr__(self, kind, tuple(edges))

    def cell(self, kind: str) -> tuple[Edge, ...]:
        """Edges of the cell of that kind, `normal` or `reduce`."""
        return {"normal": self.normal, "reduce": self.reduce}[kind]

    @property
    def num_nodes(self) -> int:
        """Intermediate nodes of a cell: 4 as in S1, or more if an edge leads to a later one."""
        last = max((edge.dst for kind in CELL_KINDS for edge in self.cell(kind)), default=0)
        return max(S1.num_nodes, last - NUM_INPUTS + 1)

    def live_nodes(self, kind: str) -> tuple[int, ...]:
        """Intermediate nodes that an input of the cell reaches, in ascending order.

        The output of the cell concatenates them.
        """
        return tuple(sorted({edge.dst for edge in _live_edges(self.cell(kind))}))

    def pruned(self) -> Self:
        """The genotype without edges that start at a node which no input reaches."""
        return type(self)(_live_edges(self.normal), _live_edges(self.reduce))

    def num_skips(self, kind: str) -> int:
        """Skip connections in the cell of that kind."""
        return sum(edge.op == SKIP for edge in self.cell(kind))

    def invalid_reason(self) -> str | None:
        """Why no network can be built, without a full stop; None if one can."""
        for kind in CELL_KINDS:
            if not self.live_nodes(kind):
                return f"the {kind} cell has no live node, as no edge leaves one of its inputs"
        return None

    def summary(self) -> dict[str, int]:
        """Counts that tables show."""
        return {
            "num_skips_normal": self.num_skips("normal"),
            "num_skips_reduce": self.num_skips("reduce"),
            "num_edges_normal": len(self.normal),
            "num_edges_reduce": len(self.reduce),
        }

    def to_dict(self) -> dict[str, list[dict[str, str | int]]]:
        """Plain lists: {"normal": [{"op": ..., "from": ..., "to": ...}, ...], "reduce": [...]}."""
        return {
            kind: [{"op": edge.op, "from": edge.src, "to": edge.dst} for edge in self.cell(kind)]
            for kind in CELL_KINDS
        }

    def to_json(self) -> str:
        """One line of JSON; see `to_dict`."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_dict(cls, values: object) -> Self:
        """Build what `to_dict` describes, from any source.

        It may have the operations and nodes of all spaces of cells in `fairdarts.spaces.SPACES`.

        Raises:
            GenotypeError: One sentence that names the first fault.
        """
        cells = _fields(values, CELL_KINDS, "A genotype")
        space = all_cells()
        return cls(**{kind: _read_cell(cells[kind], kind, space) for kind in CELL_KINDS})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote.

        Raises:
            GenotypeError: One sentence that names the first fault.
        """
        return cls.from_dict(json_object(text))


def _live_edges(edges: Sequence[Edge]) -> tuple[Edge, ...]:
    # One pass reaches the fixed point: edges are sorted by destination and lead to later nodes.
    live: list[Edge] = []
    reached = set(range(NUM_INPUTS))
    for edge in edges:
        if edge.src in reached:
            reached.add(edge.dst)
            live.append(edge)
    return tuple(live)


def json_object(text: str) -> object:
    """Read JSON from any source.

    Raises:
        GenotypeError: If the text is not JSON, or an object repeats a key.
    """
    try:
        return json.loads(text, object_pairs_hook=_object_without_repeats)
    # ValueError also covers integers of thousands of digits, RecursionError deep nesting.
    except (ValueError, RecursionError) as error:
        fault = str(error).splitlines()[0]
        raise GenotypeError(f"A genotype must be JSON text: {fault}.") from None


def _object_without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise GenotypeError(f"A genotype must not repeat a key: got {reprlib.repr(list(values))}.")
    return values


def _fields(values: object, names: Sequence[str], what: str) -> dict[str, object]:
    if not isinstance(values, dict) or set(values) != set(names):
        given = list(values) if isinstance(values, dict) else values
        raise GenotypeError(
            f"{what} must have exactly the keys {', '.join(names)}: got {reprlib.repr(given)}."
        )
    return values


def _read_cell(values: object, kind: str, space: CellSpace) -> tuple[Edge, ...]:
    if not isinstance(values, list):
        raise GenotypeError(f"{kind} (={reprlib.repr(values)}) must be a list of edges.")
    edges: list[Edge] = []
    for index, value in enumerate(values):
        edge = _read_edge(value, f"{kind}[{index}]", space)
        if edge in edges:
            raise GenotypeError(
                f"{kind}[{index}] repeats {edge.op} from node {edge.src} to node {edge.dst}: "
                "an operation may stand once on an edge."
            )
        edges.append(edge)
    return tuple(edges)


def _read_edge(value: object, where: str, space: CellSpace) -> Edge:
    fields = _fields(value, ("op", "from", "to"), where)
    op, src, dst = fields["op"], fields["from"], fields["to"]
    if not isinstance(op, str) or op not in space.operations:
        raise GenotypeError(
            f"{where}: op (={reprlib.repr(op)}) is not an operation of cells; allowed: "
            f"{', '.join(space.operations)}."
        )
    # `type`, not `isinstance`: JSON's true is an int in Python.
    if type(src) is not int or type(dst) is not int or (src, dst) not in space.edges:
        last = space.edges[-1][1]
        raise GenotypeError(
            f"{where}: from (={reprlib.repr(src)}) and to (={reprlib.repr(dst)}) must be whole "
            f"numbers, to a node in {NUM_INPUTS}..{last} from an earlier one in 0..{last - 1}."
        )
    return Edge(op, src, dst)


def derive(
    gates: Mapping[str, Sequence[Sequence[float]]], config: DeriveConfig, space: CellSpace = S1
) -> Derivation[Genotype]:
    """Read a genotype off the gates.

    The rules, in all of which a tie goes to the lower index:

    - `threshold`: into every node the two edges with the highest best gate, on each the best
      operation, and only if its gate is at or above `op_threshold`.
    - `threshold_edge`: on every edge up to two operations, the best at or above `op_threshold`.
    - `darts`: as `threshold`, without a threshold.

    Edges compete for a node by their best gate; the operations of a kept edge compete for that
    edge. The margin of such a contest is the lowest gate that was kept minus the highest that was
    dropped, and a cell's margin is the smallest of its contests: where it is near 0, noise has
    decided. A contest that keeps everything or nothing has no margin; a cell with such contests
    alone has the margin None.

    Args:
        gates: For `normal` and `reduce`, (E, O) values in [0, 1], the factors of the operations
            in the forward pass: sigmoid or softmax of alpha, rows and columns as in `space`.
        config: Rule and threshold.
        space: Names of the rows and columns.
    Raises:
        GenotypeError: If the gates have another shape or range (NaN after a diverged search).
    Source:
        Fair DARTS, arXiv:1911.12126, Section 5.1; `darts`: arXiv:1806.09055, Section 2.4.
    """
    cells = {}
    margins = {}
    for kind in CELL_KINDS:
        cell_gates = _checked_gates(gates, kind, space)
        cells[kind], margins[kind] = _derive_cell(cell_gates, config, space)
    genotype = Genotype(**cells)
    return Derivation(genotype, genotype.pruned(), margins)


def _derive_cell(
    gates: Sequence[Sequence[float]], config: DeriveConfig, space: CellSpace
) -> tuple[tuple[Edge, ...], float | None]:
    max_ops, threshold = places_and_threshold(config)
    max_edges = len(gates) if config.rule == "threshold_edge" else 2
    kept: list[Edge] = []
    gaps: list[float] = []
    for node in range(NUM_INPUTS, NUM_INPUTS + space.num_nodes):
        rows = [row for row, (_, dst) in enumerate(space.edges) if dst == node]
        best = [max(gates[row]) for row in rows]
        kept_rows, gap = contest(best, max_edges, threshold)
        gaps += gap
        for row in (rows[index] for index in kept_rows):
            kept_ops, gap = contest(gates[row], max_ops, threshold)
            gaps += gap
            kept += [Edge(space.operations[op], *space.edges[row]) for op in kept_ops]
    return tuple(kept), min(gaps, default=None)


def _checked_gates(
    gates: Mapping[str, Sequence[Sequence[float]]], kind: str, space: CellSpace
) -> Sequence[Sequence[float]]:
    shape = (len(space.edges), len(space.operations))
    rows = gates.get(kind, ())
    if len(rows) != shape[0] or any(len(row) != shape[1] for row in rows):
        raise GenotypeError(
            f"The gates of the {kind} cell must have shape {shape} in {space.name}."
        )
    check_gates(itertools.chain.from_iterable(rows), f"the {kind} cell")
    return rows


def cell_gates(flat: Sequence[float], space: CellSpace = S1) -> dict[str, list[list[float]]]:
    """Gates in one row (normal cell first, edge by edge) as the (E, O) rows of each cell."""
    width = len(space.operations)
    rows = [list(flat[start : start + width]) for start in range(0, len(flat), width)]
    num_edges = len(space.edges)
    return {
        kind: rows[index * num_edges : (index + 1) * num_edges]
        for index, kind in enumerate(CELL_KINDS)
    }
