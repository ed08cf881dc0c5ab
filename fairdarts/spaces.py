"""Search spaces as data: which edges a cell has and which candidates compete on each.

S1 is the DARTS cell without the `none` operation (supplementary Section 2). Nodes 0 and 1 are the
outputs of cells k-2 and k-1; nodes 2..5 are intermediate. Edge order is supplementary Table 2.
"""

from dataclasses import dataclass

from fairdarts.errors import ConfigError

CELL_KINDS = ("normal", "reduce")
NUM_INPUTS = 2
"""Nodes of a cell that are outputs of earlier cells."""
SKIP = "skip_connect"


@dataclass(frozen=True)
class CellSpace:
    """A cell-based search space: every edge of the cell offers every operation."""

    name: str
    operations: tuple[str, ...]
    """Candidate operations of an edge, in the order of the columns of alpha."""
    num_nodes: int = 4
    """Intermediate nodes of a cell."""

    @property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """(source node, destination node) of every edge, in the order of the rows of alpha."""
        nodes = range(NUM_INPUTS, NUM_INPUTS + self.num_nodes)
        return tuple((src, dst) for dst in nodes for src in range(dst))

    @property
    def edges_from(self) -> tuple[tuple[int, ...], ...]:
        """Numbers of the edges that leave each node, for all nodes but the last."""
        sources = range(NUM_INPUTS + self.num_nodes - 1)
        return tuple(
            tuple(number for number, (src, _) in enumerate(self.edges) if src == source)
            for source in sources
        )


S1 = CellSpace(
    name="s1",
    operations=(
        "max_pool_3x3",
        "avg_pool_3x3",
        SKIP,
        "sep_conv_3x3",
        "sep_conv_5x5",
        "dil_conv_3x3",
        "dil_conv_5x5",
    ),
)

S1_NO_SKIP = CellSpace(
    name="s1_no_skip", operations=tuple(name for name in S1.operations if name != SKIP)
)

SPACES = {space.name: space for space in (S1, S1_NO_SKIP)}


def get_space(name: str) -> CellSpace:
    """The search space of that name.

    Raises:
        ConfigError: If there is none.
    """
    if name not in SPACES:
        raise ConfigError(f"space (={name!r}) is not known; allowed: {', '.join(SPACES)}.")
    return SPACES[name]
