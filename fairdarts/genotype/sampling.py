"""Random genotypes: the baseline a search has to beat (arXiv:1911.12126, Section 6.3, Table 3).

A genotype is drawn uniformly among all that qualify: two distinct inputs for every node, one of the
operations on each, exactly the given number of skips in the normal cell, MultAdds in the window.
The reduction cell may have any skips, as in supplementary Tables 7 and 8.

Nothing is thrown away: the genotypes that qualify are counted, which numbers them, and the numbers
are drawn. MultAdds add up over edges, so cells are counted by their sums, node by node.
"""

import bisect
import functools
import itertools
import math
import random
from collections import Counter

from fairdarts.config import SampleConfig
from fairdarts.errors import ConfigError
from fairdarts.genotype.cell_cost import CellPlan, cell_plans, edge_cost, ends_cost, frame_cost
from fairdarts.genotype.cell_genotype import Edge, Genotype
from fairdarts.spaces import CELL_KINDS, NUM_INPUTS, SKIP, CellSpace, get_space

INIT_CHANNELS = 36
NUM_CELLS = 20
IMAGE_SIZE = 32
NUM_CLASSES = 10
"""Scale of the network whose MultAdds the window is about."""

Sums = tuple[int, int]
"""Skips of some edges of a cell, and what these edges add to the MultAdds of the network."""


def sample(config: SampleConfig) -> Genotype:
    """Draw from the stream of `config.seed` the distinct qualifying genotype `config.index`.

    Raises:
        ConfigError: If fewer genotypes qualify.
    """
    return samples(config, config.index + 1)[-1]


def samples(config: SampleConfig, count: int) -> list[Genotype]:
    """The first `count` distinct qualifying genotypes of the stream; `config.index` is not used.

    Raises:
        ConfigError: If fewer qualify; it states which MultAdds are possible.
    """
    candidates = check_sample(config, count)
    # Text as a seed is hashed in the same way everywhere.
    chance = random.Random(f"random genotype {config.seed}")  # noqa: S311 - no secret
    # A shuffle of all numbers of which only the beginning is made: no number comes twice.
    moved: dict[int, int] = {}
    drawn = []
    for position in range(count):
        other = chance.randrange(position, len(candidates))
        drawn.append(candidates.genotype(moved.get(other, other)))
        moved[other] = moved.get(position, position)
    return drawn


def check_sample(config: SampleConfig, count: int) -> "Candidates":
    """The genotypes that qualify, if there are `count` of them.

    Raises:
        ConfigError: If fewer qualify; it states which MultAdds are possible.
    """
    window = config.min_multadds_m, config.max_multadds_m
    candidates = _candidates(config.space, config.num_skips, *window)
    if len(candidates) >= count:
        return candidates
    bounds = [f"num_skips = {config.num_skips}"]
    if config.min_multadds_m is not None:
        bounds.append(f"min_multadds_m = {config.min_multadds_m:g}")
    if config.max_multadds_m is not None:
        bounds.append(f"max_multadds_m = {config.max_multadds_m:g}")
    if len(candidates):
        fault = f"only {len(candidates):,} exist, and {count:,} are asked for"
    else:
        fault = "none exists"
    possible = sorted(_candidates(config.space, config.num_skips, None, None).multadds_m)
    raise ConfigError(
        f"random genotypes with {', '.join(bounds)}: {fault}; that many skips allow MultAdds from "
        f"{possible[0]:.1f}M to {possible[-1]:.1f}M{_nearest(possible, *window)}."
    )


def _nearest(possible: list[float], lowest: float | None, highest: float | None) -> str:
    """The possible MultAdds on both sides of a window that lies between two of them."""
    below = [value for value in possible if lowest is not None and value < lowest]
    above = [value for value in possible if highest is not None and value > highest]
    if len(below) + len(above) < len(possible) or not (below and above):
        return ""
    return f", next to this window {below[-1]:.3f}M and {above[0]:.3f}M"


class Candidates:
    """All genotypes that qualify, numbered.

    Args:
        space: Whose operations they have.
        num_skips: Skip connections in the normal cell, exactly.
        lowest: Fewest MultAdds of the network, in millions.
        highest: Most.
    """

    def __init__(self, space: CellSpace, num_skips: int, lowest: float, highest: float) -> None:
        self._normal, self._reduce = (_cells(kind, space) for kind in CELL_KINDS)
        fixed = _multadds_of_the_rest(space)
        self._blocks: list[tuple[Sums, Sums]] = []
        """Sums of the normal and of the reduction cell: pairs that qualify, by these sums."""
        self._ends: list[int] = []
        """How many genotypes there are up to the end of each block."""
        self.multadds_m: set[float] = set()
        """What occurs, in millions."""
        end = 0
        for normal, num_normal in self._normal.counts.items():
            if normal[0] != num_skips:
                continue
            for reduce, num_reduce in self._reduce.counts.items():
                multadds_m = (fixed + normal[1] + reduce[1]) / 1e6
                if lowest <= multadds_m <= highest:
                    end += num_normal * num_reduce
                    self._blocks.append((normal, reduce))
                    self._ends.append(end)
                    self.multadds_m.add(multadds_m)

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def genotype(self, number: int) -> Genotype:
        """The genotype of that number, from 0."""
        block = bisect.bisect_right(self._ends, number)
        normal, reduce = self._blocks[block]
        within = number - (self._ends[block - 1] if block else 0)
        first, second = divmod(within, self._reduce.counts[reduce])
        return Genotype(self._normal.cell(normal, first), self._reduce.cell(reduce, second))


@functools.cache
def _candidates(
    space: str, num_skips: int, lowest: float | None, highest: float | None
) -> Candidates:
    cells = get_space(space)
    assert isinstance(cells, CellSpace)  # `SampleConfig` allows no other
    return Candidates(cells, num_skips, lowest or 0.0, math.inf if highest is None else highest)


class Cells:
    """All cells of one kind that a sample may have, counted by their sums and numbered."""

    def __init__(self, kind: str, space: CellSpace) -> None:
        plans = [plan for plan in _plans(space) if plan.kind == kind]
        nodes = range(NUM_INPUTS, NUM_INPUTS + space.num_nodes)
        self._nodes = [_pairs_into(node, space, plans) for node in nodes]
        # For each node: how many choices of it and of the nodes after it come to which sums.
        self._counts = [Counter({(0, 0): 1})]
        for pairs in reversed(self._nodes):
            counts: Counter[Sums] = Counter()
            for own, choices in pairs.items():
                for later, number in self._counts[0].items():
                    counts[own[0] + later[0], own[1] + later[1]] += len(choices) * number
            self._counts.insert(0, counts)

    @property
    def counts(self) -> Counter[Sums]:
        """How many cells have which sums."""
        return self._counts[0]

    def cell(self, sums: Sums, number: int) -> tuple[Edge, ...]:
        """The cell of that number, from 0, among those with these sums."""
        edges: list[Edge] = []
        for pairs, later in zip(self._nodes, self._counts[1:], strict=True):
            for own, choices in pairs.items():
                rest = sums[0] - own[0], sums[1] - own[1]
                size = len(choices) * later[rest]
                if number < size:
                    break
                number -= size
            choice, number = divmod(number, later[rest])
            edges += choices[choice]
            sums = rest
        return tuple(edges)


_cells = functools.cache(Cells)


def _plans(space: CellSpace) -> list[CellPlan]:
    live = dict.fromkeys(CELL_KINDS, space.num_nodes)  # A node with two inputs is never isolated.
    return list(cell_plans(live, INIT_CHANNELS, NUM_CELLS, IMAGE_SIZE, "cifar"))


def _multadds_of_the_rest(space: CellSpace) -> int:
    """MultAdds of all that is not on an edge."""
    plans = _plans(space)
    out_channels = space.num_nodes * plans[-1].channels
    ends = ends_cost(out_channels, INIT_CHANNELS, IMAGE_SIZE, NUM_CLASSES, "cifar")
    return ends.multadds + sum(frame_cost(plan).multadds for plan in plans)


def _pairs_into(
    node: int, space: CellSpace, plans: list[CellPlan]
) -> dict[Sums, list[tuple[Edge, Edge]]]:
    """Every pair of edges into a node that a sample may have, by the sums of the two."""
    costs = {
        (operation, from_input): sum(
            edge_cost(plan, operation, from_input).multadds for plan in plans
        )
        for operation in space.operations
        for from_input in (True, False)
    }
    pairs: dict[Sums, list[tuple[Edge, Edge]]] = {}
    for sources in itertools.combinations(range(node), 2):
        for operations in itertools.product(space.operations, repeat=2):
            edges = [
                Edge(operation, source, node)
                for operation, source in zip(operations, sources, strict=True)
            ]
            multadds = sum(costs[edge.op, edge.src < NUM_INPUTS] for edge in edges)
            pairs.setdefault((operations.count(SKIP), multadds), []).append((edges[0], edges[1]))
    return pairs
