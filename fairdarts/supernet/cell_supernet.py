"""The S1 supernet: cells whose nodes sum the mixed operations of their incoming edges.

Shapes: B batch, C channels, H W space, E = 14 edges, O operations (7 in S1).
"""

from functools import partial

import torch
from torch import Tensor, nn

from fairdarts.config import SearchConfig
from fairdarts.operations.cell_operations import FactorizedReduce, ReLUConvBN
from fairdarts.operations.functional import concatenate
from fairdarts.spaces import CELL_KINDS, NUM_INPUTS, CellSpace, reduction_cells
from fairdarts.supernet.base import Gates, Supernet
from fairdarts.supernet.mixed_ops import MixedOps
from fairdarts.supernet.perturbation import Perturbation
from fairdarts.training.recompute import recomputed

STEM_MULTIPLIER = 3


class SearchCell(nn.Module):
    """A normal or reduction cell of the supernet (Eq. 1)."""

    def __init__(
        self,
        space: CellSpace,
        in_channels: tuple[int, int],
        channels: int,
        reduction: bool,
        halve_older: bool,
    ) -> None:
        super().__init__()
        self.num_nodes = space.num_nodes
        # The output of cell k-2 is twice as large where cell k-1 was a reduction cell.
        fit_older = FactorizedReduce if halve_older else ReLUConvBN
        self.fit_older = fit_older(in_channels[0], channels, affine=False, rectified=True)
        self.fit_newer = ReLUConvBN(in_channels[1], channels, affine=False, rectified=True)
        self.mixed_ops = nn.ModuleList(
            MixedOps(space, channels, len(edges), stride=2 if reduction and source < 2 else 1)
            for source, edges in enumerate(space.edges_from)
        )
        self.destinations = [[space.edges[edge][1] for edge in edges] for edges in space.edges_from]

    def forward(
        self,
        older: Tensor,
        newer: Tensor,
        gates: list[Tensor],
        perturbation: Perturbation | None = None,
    ) -> Tensor:
        """Add up the mixed operations on the way into each node.

        Args:
            older: Output of cell k-2, rectified.
            newer: Output of cell k-1, rectified.
            gates: For each node but the last, the gates (edges, O) of the edges that leave it.
            perturbation: What disturbs the operations.
        Returns:
            All intermediate nodes in one tensor (B, num_nodes * C, H', W').
        """
        nodes = {0: self.fit_older(older), 1: self.fit_newer(newer)}
        # Edges leave a node only for later ones: when its turn comes, its sum is complete.
        for source, mixed_ops in enumerate(self.mixed_ops):
            ends = self.destinations[source]
            so_far = [nodes[end] for end in ends] if source > 0 else None
            sums = mixed_ops(nodes[source], gates[source], perturbation, so_far)
            nodes.update(zip(ends, sums, strict=True))
        return concatenate([nodes[NUM_INPUTS + node] for node in range(self.num_nodes)])


class CellSupernet(Supernet):
    """Stem, cells that share two sets of alphas, and a classifier."""

    def __init__(self, config: SearchConfig, space: CellSpace, num_classes: int) -> None:
        shape = (len(space.edges), len(space.operations))
        super().__init__(config, space, dict.fromkeys(CELL_KINDS, shape))
        self.edges_from = space.edges_from
        channels = config.init_channels
        stem_channels = STEM_MULTIPLIER * channels
        self.stem = nn.Sequential(
            nn.Conv2d(3, stem_channels, 3, padding=1, bias=False), nn.BatchNorm2d(stem_channels)
        )
        self.cells = nn.ModuleList()
        self.cell_kinds: list[str] = []
        in_channels = (stem_channels, stem_channels)
        follows_reduction = False
        reductions = reduction_cells(config.num_cells)
        for index in range(config.num_cells):
            reduction = index in reductions
            if reduction:
                channels *= 2
            cell = SearchCell(space, in_channels, channels, reduction, follows_reduction)
            self.cells.append(cell)
            self.cell_kinds.append("reduce" if reduction else "normal")
            in_channels = (in_channels[1], space.num_nodes * channels)
            follows_reduction = reduction
        self.classifier = nn.Linear(in_channels[1], num_classes)

    def logits(self, images: Tensor, gates: Gates, perturbation: Perturbation | None) -> Tensor:
        """See `Supernet`."""
        # Not by an index: a list of edges would be copied to the GPU in every step.
        by_source = {
            kind: [torch.stack([rows[edge] for edge in edges]) for edges in self.edges_from]
            for kind, rows in ((kind, gate.unbind()) for kind, gate in gates.items())
        }
        output = self.stem(images)
        older: Tensor | None = None
        for kind, cell in zip(self.cell_kinds, self.cells, strict=True):
            compute = partial(recomputed, cell) if self.recompute else cell
            newer = output.relu()  # once, although two cells read it
            output = compute(
                newer if older is None else older, newer, by_source[kind], perturbation
            )
            older = newer
        logits: Tensor = self.classifier(output.mean(dim=(2, 3)))
        return logits
