"""What every number in the columns `alphas` and `gates` of the table `epochs` stands for.

A search writes all its alphas as one list for each epoch. Which edge and operation a place in the
list belongs to follows from two settings of the search, which the plan keeps in
`trials.config_json`: the search space, and in S2 the number of layers.

- S1 (`s1`, `s1_no_skip`): two cells, first the normal one, then the reduction cell. A cell has the
  nodes 0 to 5; 0 and 1 are its inputs. Every later node has an edge from each node before it, which
  makes 14 edges: 0-2, 1-2, 0-3, 1-3, 2-3, ... Every edge has each operation once, in the order of
  `OPERATIONS`. So there are 2 x 14 x 7 = 196 numbers, without skip connections 168.
- S2 (`s2`, `s2_identity_skip`): layers, first to last. Every layer has the choices of `BLOCKS`, and
  then `skip`. In `s2_identity_skip` the first layer of each stage of the backbone has no skip,
  because it changes the shape of the features. That makes 133 or 127 numbers for 19 layers.

This repeats what `fairdarts.spaces` says, because a store must be readable without the method; a
test compares the two.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from results.query.configs import Stage, searched

if TYPE_CHECKING:
    import pyarrow as pa

OPERATIONS = (
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
"""Operations of an edge of S1, in the order of its alphas."""
CELL_SPACES = {
    "s1": OPERATIONS,
    "s1_no_skip": tuple(name for name in OPERATIONS if name != "skip_connect"),
}
NUM_INPUTS = 2
NUM_NODES = 6
"""Nodes of a cell, of which the first two are its inputs."""
BLOCKS = ("E3K3", "E3K5", "E3K7", "E6K3", "E6K5", "E6K7")
"""Inverted bottlenecks of a layer of S2, in the order of its alphas."""
LAYER_SPACES = {"s2": True, "s2_identity_skip": False}
"""For each space of layers whether layers that change the shape offer a skip, too."""
BACKBONE = (2, 4, 4, 4, 4, 1)
"""Layers of each stage of the backbone of S2; the first layer of a stage changes the shape."""

Space = tuple[str, int | None]
"""Name of a search space and, of those that have them, the number of layers."""
Place = tuple[str, int, int | None, int | None, str]
"""Cell, edge, source, destination and operation."""


@dataclass(frozen=True)
class Position:
    """One place in the lists `alphas` and `gates`."""

    position: int
    """Index in the list, from 0."""
    cell: str
    """`normal` or `reduce`; in S2 `layers`."""
    edge: int
    """Number of the edge in its cell, from 0; in S2 of the layer."""
    source: int | None
    """Node where the edge begins; None in S2."""
    destination: int | None
    """Node where the edge ends; None in S2."""
    operation: str


def positions(space: str, num_layers: int | None = None) -> list[Position]:
    """Name the places in the lists of alphas and gates of a search.

    Args:
        space: Name of the search space.
        num_layers: Layers of the network searched; only S2 has them.
    Returns:
        A position for each number of the list, in order; none for a space that is not known here.
    """
    if space in CELL_SPACES:
        places = _of_cells(CELL_SPACES[space])
    elif space in LAYER_SPACES and num_layers is not None:
        places = _of_layers(LAYER_SPACES[space], num_layers)
    else:
        return []
    return [Position(number, *place) for number, place in enumerate(places)]


def space_of(stages: Sequence[Stage]) -> Space | None:
    """Take the search space and the number of layers from the settings of a trial.

    Args:
        stages: See `results.query.configs.stages_of`.
    Returns:
        The arguments of `positions`; None if the trial has no search, or none of its settings.
    """
    search = searched(stages)
    if search is None:
        return None
    space = search["space"]
    return space, search.get("num_layers") if space in LAYER_SPACES else None


UNKNOWN = -1
"""Layout of a search whose space is not known here: its positions have no names."""
MOST_UNKNOWN = 4096
"""Positions of such a search."""


def positions_table(spaces: Sequence[Space]) -> "pa.Table":
    """The positions of several spaces; the column `layout` has the number of the space."""
    import pyarrow as pa

    from results.schema import I16, STR

    types = {"cell": STR, "operation": STR}
    columns = ("layout", *Position.__dataclass_fields__)
    rows = [
        {"layout": layout, **asdict(position)}
        for layout, space in enumerate(spaces)
        for position in positions(*space)
    ]
    return pa.Table.from_pylist(rows, pa.schema([(name, types.get(name, I16)) for name in columns]))


def unnamed_positions(schema: "pa.Schema") -> "pa.Table":
    """The rows of `positions_table` for the layout `UNKNOWN`."""
    import pyarrow as pa

    rows = [{"layout": UNKNOWN, "position": number} for number in range(MOST_UNKNOWN)]
    return pa.Table.from_pylist(rows, schema)


def ops_table(spaces: Sequence[Space], schema: "pa.Schema") -> "pa.Table":
    """The table `ops`: the positions of several spaces, with the names of these."""
    import pyarrow as pa

    rows = [
        {"space": space, "num_layers": num_layers, **asdict(position)}
        for space, num_layers in spaces
        for position in positions(space, num_layers)
    ]
    return pa.Table.from_pylist(rows, schema)


def _of_cells(operations: Sequence[str]) -> Iterator[Place]:
    edges = [(source, node) for node in range(NUM_INPUTS, NUM_NODES) for source in range(node)]
    for cell in ("normal", "reduce"):
        for number, (source, destination) in enumerate(edges):
            for operation in operations:
                yield cell, number, source, destination, operation


def _of_layers(all_skip: bool, num_layers: int) -> Iterator[Place]:
    for layer, changes_shape in enumerate(_layers(num_layers)):
        for choice in (*BLOCKS, "skip") if all_skip or not changes_shape else BLOCKS:
            yield "layers", layer, None, None, choice


def _layers(num_layers: int) -> list[bool]:
    """For each layer whether it changes the shape. A smaller network has fewer in each stage."""
    for most in range(1, max(BACKBONE) + 1):
        layers = [place == 0 for number in BACKBONE for place in range(min(number, most))]
        if len(layers) == num_layers:
            return layers
    return []
