"""Random genotypes: the baseline a search has to beat (arXiv:1911.12126, Section 6.3, Table 3).

A genotype is drawn uniformly: two distinct inputs for every node and one of the operations on each.
It is kept if its normal cell has the given number of skips and its MultAdds lie in the window, so
that those kept are uniform among all that qualify. The reduction cell is not constrained, as in
supplementary Tables 7 and 8.
"""

import functools
import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from fairdarts.config import SampleConfig
from fairdarts.errors import ConfigError
from fairdarts.genotype.cell_genotype import Edge, Genotype
from fairdarts.network.cell_network import DerivedCell, DerivedNetwork
from fairdarts.network.cost import multadds_by_layer
from fairdarts.seeding import mix_seed
from fairdarts.spaces import CELL_KINDS, NUM_INPUTS, SKIP, CellSpace, get_space

INPUTS_PER_NODE = 2
MAX_MISSES = 10_000
"""Candidates with the right skips that may fail in a row before the window counts as empty."""


@dataclass(frozen=True)
class Sample:
    """A random genotype and the candidates passed over before it."""

    genotype: Genotype
    rejected: dict[str, int]
    """How many had the wrong `skips`, lay outside the `multadds` window or were a `duplicate`."""


def sample(config: SampleConfig) -> Sample:
    """Draw from the stream of `config.seed` the distinct qualifying genotype `config.index`.

    Raises:
        ConfigError: If the MultAdds window seems empty; it states the range seen.
    """
    space = get_space(config.space)
    assert isinstance(space, CellSpace)  # `SampleConfig` allows no other
    has_window = config.min_multadds_m is not None or config.max_multadds_m is not None
    lowest, highest = config.min_multadds_m or 0.0, config.max_multadds_m or math.inf
    rng = random.Random(mix_seed("random genotype", config.seed))  # noqa: S311 - no secret
    rejected = {"skips": 0, "multadds": 0, "duplicate": 0}
    accepted: set[Genotype] = set()
    missed_m: list[float] = []  # MultAdds of the candidates since the last one accepted
    while len(missed_m) < MAX_MISSES:
        normal_operations = _draw_operations(rng, space)
        if normal_operations.count(SKIP) != config.num_skips:
            rejected["skips"] += 1
            continue
        genotype = Genotype(
            normal=_wire(rng, space, normal_operations),
            reduce=_wire(rng, space, _draw_operations(rng, space)),
        )
        multadds_m = _multadds(genotype, space) / 1e6 if has_window else 0.0
        if not lowest <= multadds_m <= highest:
            rejected["multadds"] += 1
            missed_m.append(multadds_m)
        elif genotype in accepted:
            rejected["duplicate"] += 1
        else:
            accepted.add(genotype)
            missed_m.clear()
            if len(accepted) > config.index:
                return Sample(genotype, rejected)
    raise ConfigError(
        f"min_multadds_m (={config.min_multadds_m}) and max_multadds_m (={config.max_multadds_m}) "
        f"refuse {MAX_MISSES} random genotypes with {config.num_skips} skips in a row: theirs lie "
        f"between {min(missed_m):.1f}M and {max(missed_m):.1f}M, so choose a wider window there."
    )


def _draw_operations(rng: random.Random, space: CellSpace) -> list[str]:
    return rng.choices(space.operations, k=INPUTS_PER_NODE * space.num_nodes)


def _wire(rng: random.Random, space: CellSpace, operations: Sequence[str]) -> tuple[Edge, ...]:
    """Give every node two distinct inputs, and each of these links the next operation."""
    links = [
        (src, dst)
        for dst in range(NUM_INPUTS, NUM_INPUTS + space.num_nodes)
        for src in rng.sample(range(dst), INPUTS_PER_NODE)
    ]
    return tuple(Edge(op, *link) for op, link in zip(operations, links, strict=True))


def _multadds(genotype: Genotype, space: CellSpace) -> int:
    """MultAdds of a sample at the scale of `SampleConfig`'s window.

    They add up over edges, since every node of a sample is live. Building the network of each
    candidate would take a fifth of a second.
    """
    fixed, added = _multadds_parts(space)
    return fixed + sum(
        added[kind, edge.op, edge.src < NUM_INPUTS]
        for kind in CELL_KINDS
        for edge in genotype.cell(kind)
    )


@functools.cache
def _multadds_parts(space: CellSpace) -> tuple[int, dict[tuple[str, str, bool], int]]:
    """Count one network that has every operation on a cell's input and on an intermediate node.

    Returns:
        MultAdds outside the edges, and those that an edge adds to the whole network, by cell kind,
        operation and whether the edge leaves an input of the cell.
    """
    last_node = NUM_INPUTS + space.num_nodes
    chain = [(dst - 1, dst) for dst in range(NUM_INPUTS, last_node)]  # every node is live
    edges = tuple(Edge(op, *link) for op in space.operations for link in chain)
    with torch.random.fork_rng(devices=[]):
        network = DerivedNetwork(
            Genotype(edges, edges),
            num_classes=10,
            init_channels=36,
            num_cells=20,
            auxiliary=False,
        )
    by_layer = multadds_by_layer(network, (3, 32, 32))
    fixed = sum(by_layer.values())
    by_edge: Counter[tuple[str, Edge]] = Counter()
    for cell in network.cells:
        assert isinstance(cell, DerivedCell)
        for edge, operation in zip(cell.edges, cell.operations, strict=True):
            layers = (layer for layer in operation.modules() if layer in by_layer)
            multadds = sum(by_layer[layer] for layer in layers)
            by_edge[cell.kind, edge] += multadds
            fixed -= multadds
    added = {
        (kind, edge.op, edge.src < NUM_INPUTS): count for (kind, edge), count in by_edge.items()
    }
    return fixed, added
