"""Search spaces as data: where the search has a choice, and between which candidates.

S1 is the DARTS cell without the `none` operation (supplementary Section 2). Nodes 0 and 1 are the
outputs of cells k-2 and k-1; nodes 2..5 are intermediate. Edge order is supplementary Table 2.

S2 is a chain of 19 layers, each of which chooses between six inverted bottlenecks and a skip.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from fairdarts.errors import ConfigError

CELL_KINDS = ("normal", "reduce")
CELL_NAMES = {"normal": "normal cell", "reduce": "reduction cell"}
"""Names of the kinds in texts for people."""
NUM_INPUTS = 2
"""Number of input nodes of a cell: the outputs of the two cells before it."""
SKIP = "skip_connect"


def reduction_cells(num_cells: int) -> tuple[int, int]:
    """Positions of the two reduction cells: at a third and two thirds of the depth, as in DARTS."""
    return num_cells // 3, 2 * num_cells // 3


@dataclass(frozen=True)
class CellSpace:
    """A cell-based search space: every edge of the cell offers every operation."""

    kind: ClassVar = "cells"
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
        """Numbers of the edges that leave each node except the last; they are computed together."""
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


BLOCKS = tuple(f"E{expansion}K{kernel}" for expansion in (3, 6) for kernel in (3, 5, 7))
"""Inverted bottlenecks of S2: rate of expansion and kernel size."""
LAYER_SKIP = "skip"


@dataclass(frozen=True)
class Layer:
    """One searchable layer at width 1."""

    in_channels: int
    out_channels: int
    stride: int

    @property
    def changes_shape(self) -> bool:
        """Whether a skip must be a projection, because the features change in size or channels."""
        return self.stride == 2 or self.in_channels != self.out_channels


@dataclass(frozen=True)
class LayerSpace:
    """A chain of layers of inverted bottlenecks, after a stem and a fixed block of stride 1.

    Source:
        Supplementary Section 2 gives the layers and their choices, but no channels. The channels
        are those of the authors' FairNAS (arXiv:1907.01845), after MobileNetV2 (arXiv:1801.04381).
    """

    kind: ClassVar = "layers"
    name: str
    projects: bool
    """Whether layers that change the shape also offer a skip, as a 1x1 convolution."""
    # Constants, not fields: a genotype of layers does not say which stages it belongs to.
    stages: ClassVar[tuple[tuple[int, int, int], ...]] = (
        (32, 2, 2),
        (40, 4, 2),
        (80, 4, 2),
        (96, 4, 1),
        (192, 4, 2),
        (320, 1, 1),
    )
    """Channels, number of layers, and stride of the first layer; only this one changes the
    shape."""
    stem_channels: ClassVar = 32
    first_channels: ClassVar = 16
    """Channels of the fixed block before the first layer."""
    head_channels: ClassVar = 1280

    @property
    def depths(self) -> tuple[int, ...]:
        """Numbers of layers that a network may have, with at most 1, 2, 3, ... in each stage."""
        deepest = max(num_layers for _, num_layers, _ in self.stages)
        return tuple(
            sum(min(num_layers, most) for _, num_layers, _ in self.stages)
            for most in range(1, deepest + 1)
        )

    def layers(self, num_layers: int) -> tuple[Layer, ...]:
        """The layers of a network of that depth, first to last.

        Raises:
            ConfigError: If there is no such depth.
        """
        if num_layers not in self.depths:
            allowed = ", ".join(map(str, self.depths))
            raise ConfigError(
                f"num_layers (={num_layers}) must be one of {allowed}: all layers of {self.name}, "
                "or at most one, two or three of each of its stages."
            )
        most = self.depths.index(num_layers) + 1
        outputs = [
            (channels, stride if position == 0 else 1)
            for channels, num_in_stage, stride in self.stages
            for position in range(min(num_in_stage, most))
        ]
        # Each layer reads the output of the one before; no layer reads the output of the last.
        inputs = [self.first_channels, *(channels for channels, _ in outputs)]
        return tuple(
            Layer(in_channels, *output)
            for in_channels, output in zip(inputs, outputs, strict=False)
        )

    def choices(self, num_layers: int) -> tuple[tuple[str, ...], ...]:
        """Candidates of each layer of a network of that depth, in the order of its alphas."""
        return tuple(
            (*BLOCKS, LAYER_SKIP) if self.projects or not layer.changes_shape else BLOCKS
            for layer in self.layers(num_layers)
        )

    def by_layer(self, flat: Sequence[float]) -> list[list[float]]:
        """Split the values of all choices into one row for each layer; their number gives the
        depth.

        Raises:
            ConfigError: If no depth has this number of values.
        """
        # No two depths have the same number of choices.
        for depth in self.depths:
            sizes = [len(names) for names in self.choices(depth)]
            if sum(sizes) == len(flat):
                ends = list(itertools.accumulate(sizes, initial=0))
                return [list(flat[start:end]) for start, end in itertools.pairwise(ends)]
        raise ConfigError(f"{len(flat)} values do not fit the layers of {self.name}.")


S2 = LayerSpace(name="s2", projects=True)

S2_IDENTITY_SKIP = LayerSpace(name="s2_identity_skip", projects=False)

Space = CellSpace | LayerSpace
SPACES: dict[str, Space] = {space.name: space for space in (S1, S1_NO_SKIP, S2, S2_IDENTITY_SKIP)}


def all_cells() -> CellSpace:
    """Every operation and node of the spaces of cells in one: S1, unless another was added."""
    spaces = [space for space in SPACES.values() if isinstance(space, CellSpace)]
    operations = dict.fromkeys(name for space in spaces for name in space.operations)
    return CellSpace("cells", tuple(operations), max(space.num_nodes for space in spaces))


def get_space(name: str) -> Space:
    """The search space of that name.

    Raises:
        ConfigError: If no space has that name.
    """
    if name not in SPACES:
        allowed = ", ".join(SPACES)
        raise ConfigError(f"space (={name!r}) is not known; allowed: {allowed}.", "search.space")
    return SPACES[name]
