"""Positions of nodes, operations and arrows in the picture of a cell: layers from left to right.

Nodes are in even layers; the longest path to a node decides its layer. Operations are in the odd
layers between them. An edge that passes several layers takes a place in each of them. Places in a
layer do not overlap, and arrows bend only between layers, so an arrow never crosses a node or the
name of an operation.

Lengths are in inches, y points down.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from fairdarts.genotype.cell_genotype import Edge
from fairdarts.spaces import NUM_INPUTS

NODE_WIDTH = 0.46
NODE_HEIGHT = 0.34
NODE_GAP = 0.14
"""Free space between a node and the next one in its layer."""
PORT_GAP = 0.085
"""Distance of two arrows at the same side of a node; nodes with many arrows are taller."""
LABEL_HEIGHT = 0.2
LABEL_MARGIN = 0.05
LANE_HEIGHT = 0.1
"""Height that an arrow takes where it passes through a layer."""
BEND = 0.3
"""Width of the gap between two layers, in which arrows bend."""
BEND_PER_CLIMB = 0.12
"""Added to `BEND` for every inch of height that the steepest arrow crosses."""
NUM_SWEEPS = 24
NUM_SETTLING_SWEEPS = 100


@dataclass(eq=False)
class _Vertex:
    """What takes a place in a layer: a node, the name of an operation, or a passing arrow."""

    layer: int
    width: float = 0.0
    height: float = LANE_HEIGHT
    is_node: bool = False
    sources: "list[_Vertex]" = field(default_factory=list)
    targets: "list[_Vertex]" = field(default_factory=list)
    x: float = 0.0
    y: float = 0.0
    """x and y are those of the centre. While layers are being ordered, y is the rank in the
    layer."""

    @property
    def room(self) -> float:
        """Height that is kept free of other vertices of the layer."""
        return self.height + (NODE_GAP if self.is_node else 0.0)


@dataclass(frozen=True)
class Box:
    """Centre and size of a node."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Arrow:
    """The arrow of one operation, or from a live node to the output of the cell."""

    edge: Edge | None
    """None: an arrow to the output."""
    points: tuple[tuple[float, float], ...]
    """Where its pieces meet. Bends and straight pieces take turns, from a bend to a bend."""
    label: Box | None
    """The name of the operation."""


@dataclass(frozen=True)
class CellLayout:
    """A laid-out cell, from (0, 0) at the top left to (width, height)."""

    width: float
    height: float
    nodes: Mapping[int, Box]
    """By number as in a genotype; the output is the last."""
    arrows: tuple[Arrow, ...]


def lay_out(
    edges: Sequence[Edge], live: Sequence[int], num_nodes: int, label_width: Callable[[str], float]
) -> CellLayout:
    """Lay out one cell.

    Args:
        edges: Its operations.
        live: Nodes that lead to the output.
        num_nodes: Inputs and intermediate nodes; the output gets this number.
        label_width: Width of an operation's name in inches.
    Source:
        K. Sugiyama, S. Tagawa, M. Toda, Methods for Visual Understanding of Hierarchical System
        Structures, IEEE Transactions on Systems, Man, and Cybernetics 11(2), 1981.
    """
    nodes = _nodes(edges, num_nodes)
    chains = [(edge, _chain(nodes[edge.src], nodes[edge.dst])) for edge in edges]
    for edge, chain in chains:
        # The name is just before the target node of the operation: there is most room.
        chain[-2].width = label_width(edge.op) + 2 * LABEL_MARGIN
        chain[-2].height = LABEL_HEIGHT
    output_chains = [_chain(nodes[number], nodes[num_nodes]) for number in live]
    passing = [vertex for _, chain in chains for vertex in chain[1:-1]]
    passing += [vertex for chain in output_chains for vertex in chain[1:-1]]

    layers: list[list[_Vertex]] = [[] for _ in range(nodes[num_nodes].layer + 1)]
    lonely: list[_Vertex] = []
    for vertex in [*nodes.values(), *passing]:
        num_ports = max(len(vertex.sources), len(vertex.targets))
        if vertex.is_node:
            vertex.height = max(NODE_HEIGHT, PORT_GAP * (num_ports + 1))
        (layers[vertex.layer] if num_ports else lonely).append(vertex)
    _order(layers)
    _settle(layers)
    for vertex in lonely:
        _append(layers[vertex.layer], vertex)
    height = _move_to_top(layers)
    width = _place_horizontally(layers)
    return CellLayout(
        width,
        height,
        {n: Box(node.x, node.y, node.width, node.height) for n, node in nodes.items()},
        (
            *(_arrow(edge, chain) for edge, chain in chains),
            *(_arrow(None, chain) for chain in output_chains),
        ),
    )


def _nodes(edges: Sequence[Edge], num_nodes: int) -> dict[int, _Vertex]:
    layer = {number: 0 if number < NUM_INPUTS else 2 for number in range(num_nodes)}
    for edge in sorted(edges, key=lambda edge: edge.dst):
        layer[edge.dst] = max(layer[edge.dst], layer[edge.src] + 2)
    layer[num_nodes] = max(layer.values()) + 1  # There are no names before the output.
    return {number: _Vertex(layer[number], NODE_WIDTH, is_node=True) for number in layer}


def _chain(source: _Vertex, target: _Vertex) -> list[_Vertex]:
    """Link two nodes through a vertex in every layer between them; return all vertices."""
    passing = [_Vertex(layer) for layer in range(source.layer + 1, target.layer)]
    chain = [source, *passing, target]
    for left, right in itertools.pairwise(chain):
        left.targets.append(right)
        right.sources.append(left)
    return chain


def _order(layers: list[list[_Vertex]]) -> None:
    """Sort layers by the mean rank of neighbours, in sweeps to both sides; keep the best order."""
    _rank(layers)
    best, fewest = [list(layer) for layer in layers], _num_crossings(layers)
    for sweep in range(NUM_SWEEPS):
        to_the_right = sweep % 2 == 0
        for layer in layers if to_the_right else reversed(layers):
            means = {
                vertex: _mean_y(vertex.sources if to_the_right else vertex.targets, vertex.y)
                for vertex in layer
            }
            layer.sort(key=means.__getitem__)
            _rank([layer])
        if (crossings := _num_crossings(layers)) < fewest:
            best, fewest = [list(layer) for layer in layers], crossings
    layers[:] = best


def _rank(layers: list[list[_Vertex]]) -> None:
    for layer in layers:
        for rank, vertex in enumerate(layer):
            vertex.y = float(rank)


def _mean_y(vertices: Sequence[_Vertex], default: float) -> float:
    return sum(vertex.y for vertex in vertices) / len(vertices) if vertices else default


def _num_crossings(layers: list[list[_Vertex]]) -> int:
    count = 0
    for layer in layers:
        links = [(left.y, right.y) for left in layer for right in left.targets]
        pairs = itertools.combinations(links, 2)
        count += sum((a - c) * (b - d) < 0 for (a, b), (c, d) in pairs)
    return count


def _settle(layers: list[list[_Vertex]]) -> None:
    """Make arrows as straight as the order and the size of their neighbours allow."""
    filled = [layer for layer in layers if layer]
    for layer in filled:
        _settle_layer(layer, [0.0] * len(layer))
    for sweep in range(NUM_SETTLING_SWEEPS):
        for layer in filled if sweep % 2 else reversed(filled):
            wanted = []
            for vertex in layer:
                links = [(other, _tension(vertex, other)) for other in vertex.sources]
                links += [(other, _tension(vertex, other)) for other in vertex.targets]
                total = sum(tension for _, tension in links)
                wanted.append(sum(other.y * tension for other, tension in links) / total)
            _settle_layer(layer, wanted)


def _tension(vertex: _Vertex, other: _Vertex) -> float:
    """How strongly a link is pulled straight: most of all in the middle of a long arrow."""
    return (1.0, 2.0, 8.0)[2 - vertex.is_node - other.is_node]


def _settle_layer(layer: list[_Vertex], wanted: list[float]) -> None:
    """Put the vertices of a layer, in order, as close to their wanted places as possible.

    Least squares in a fixed order is isotonic regression: vertices that would overlap are pooled.
    """
    offsets = [0.0]
    for above, below in itertools.pairwise(layer):
        offsets.append(offsets[-1] + (above.room + below.room) / 2)
    pools: list[tuple[float, int]] = []
    for want, offset in zip(wanted, offsets, strict=True):
        mean, size = want - offset, 1
        while pools and pools[-1][0] > mean:
            other_mean, other_size = pools.pop()
            mean = (mean * size + other_mean * other_size) / (size + other_size)
            size += other_size
        pools.append((mean, size))
    means = [mean for mean, size in pools for _ in range(size)]
    for vertex, mean, offset in zip(layer, means, offsets, strict=True):
        vertex.y = mean + offset


def _append(layer: list[_Vertex], vertex: _Vertex) -> None:
    if layer:
        vertex.y = layer[-1].y + (layer[-1].room + vertex.room) / 2
    layer.append(vertex)


def _move_to_top(layers: list[list[_Vertex]]) -> float:
    """Move all so that the highest vertex touches y = 0; return where the lowest ends."""
    vertices = [vertex for layer in layers for vertex in layer]
    top = min(vertex.y - vertex.height / 2 for vertex in vertices)
    for vertex in vertices:
        vertex.y -= top
    return max(vertex.y + vertex.height / 2 for vertex in vertices)


def _place_horizontally(layers: list[list[_Vertex]]) -> float:
    """Give every layer the width of its widest vertex; return the total width."""
    right = 0.0
    for layer in layers:
        width = max((vertex.width for vertex in layer), default=0.0)
        for vertex in layer:
            vertex.x = right + width / 2
            vertex.width = vertex.width or width  # An arrow is straight where it passes a layer.
        climbs = [abs(left.y - other.y) for left in layer for other in left.targets]
        right += width
        if layer is not layers[-1]:
            right += BEND + BEND_PER_CLIMB * max(climbs, default=0.0)
    return right


def _arrow(edge: Edge | None, chain: list[_Vertex]) -> Arrow:
    start, *passing, end = chain
    points = [(start.x + start.width / 2, _port(start, start.targets, chain[1]))]
    for vertex in passing:
        points += [(vertex.x - vertex.width / 2, vertex.y), (vertex.x + vertex.width / 2, vertex.y)]
    points.append((end.x - end.width / 2, _port(end, end.sources, chain[-2])))
    label = None
    if edge is not None:
        name = passing[-1]
        label = Box(name.x, name.y, name.width, name.height)
    return Arrow(edge, tuple(points), label)


def _port(node: _Vertex, around: list[_Vertex], neighbour: _Vertex) -> float:
    """Height at which the arrow from or to `neighbour` meets the node's side."""
    rank = sorted(around, key=lambda vertex: vertex.y).index(neighbour)
    return node.y + (rank - (len(around) - 1) / 2) * PORT_GAP
