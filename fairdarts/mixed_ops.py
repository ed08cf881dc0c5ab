"""Mixed operations: every candidate on every edge, each scaled by its gate (Eq. 6).

All edges that leave a node read the same features, so their candidates are computed together:
pools and identity once for all of them, and the convolutions of E edges as one of E * C channels.

Shapes: B batch, C channels, H W space, E edges that leave the node, O candidate operations.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from fairdarts.spaces import SKIP, CellSpace
from fairdarts.stacked_ops import POOLS, SEPARATE, Channels, SharedPool

CPU_CACHE_BYTES = 2 << 20
"""A CPU computes so many bytes of features at once: the next operation finds them in its cache."""


class MixedOps(nn.Module):
    """The mixed operations of all edges that leave one node (Eq. 6; Eq. 2 with softmax gates)."""

    def __init__(self, space: CellSpace, channels: int, num_edges: int, stride: int) -> None:
        super().__init__()
        self.channels = channels
        self.num_edges = num_edges
        self.shared = nn.ModuleDict()  # no weights: the same result on every edge
        self.separate = nn.ModuleDict()  # weights of its own on every edge
        for name in space.operations:
            if name in POOLS:
                self.shared[name] = SharedPool(POOLS[name], channels, stride)
            elif name == SKIP and stride == 1:
                self.shared[name] = nn.Identity()
            else:
                self.separate[name] = SEPARATE[name](channels, num_edges, stride)
        self._shared_columns = [space.operations.index(name) for name in self.shared]
        self._separate_columns = [space.operations.index(name) for name in self.separate]

    def forward(self, x: Tensor, gates: Tensor) -> list[Tensor]:
        """Features (B, C, H, W) and gates (E, O) to the mixed features of each edge.

        Returns:
            E tensors (B, C, H / stride, W / stride): sum over o of gate[e, o] * operation o of x.
        """
        by_operation = gates.unbind(dim=1)
        shared = gated_sums(
            torch.stack([by_operation[column] for column in self._shared_columns], dim=1),
            [operation(x) for operation in self.shared.values()],
        )
        # Batch norm multiplies by the gate as its weight, one value for each channel. Contiguous:
        # its CPU gradient reads beyond a weight of stride 0.
        scales = [
            by_operation[column][:, None].expand(-1, self.channels).flatten().contiguous()
            for column in self._separate_columns
        ]
        separate: list[Tensor] = []
        rectified = x.relu()
        for num_edges, part in self._parts(x):
            stacked = torch.cat([rectified] * num_edges, dim=1) if num_edges > 1 else rectified
            total = sum_in_place(
                operation(stacked, part, scale[part])
                for operation, scale in zip(self.separate.values(), scales, strict=True)
            )
            separate += torch.split(total, self.channels, dim=1)
        return [a + b for a, b in zip(shared, separate, strict=True)]

    def _parts(self, x: Tensor) -> list[tuple[int, Channels]]:
        """Edges to compute at once: how many, and which of the stacked channels are theirs."""
        together = self.num_edges
        if x.device.type == "cpu":  # a GPU wants few, large kernels
            together = min(max(1, CPU_CACHE_BYTES // x.nbytes), self.num_edges)
        if together == self.num_edges:
            return [(self.num_edges, ...)]
        parts: list[tuple[int, Channels]] = []
        for first in range(0, self.num_edges, together):
            last = min(first + together, self.num_edges)
            parts.append((last - first, slice(first * self.channels, last * self.channels)))
        return parts


def gated_sums(gates: Tensor, features: list[Tensor]) -> tuple[Tensor, ...]:
    """Gates (E, S) and S features of one shape and memory format to E sums of them."""
    first = features[0]
    channels_last = first.is_contiguous(memory_format=torch.channels_last)
    # One matrix product over the features as they lie in memory.
    order, back = ((0, 2, 3, 1), (0, 3, 1, 2)) if channels_last else ((0, 1, 2, 3),) * 2
    rows = torch.stack([feature.permute(order) for feature in features])
    sums = (gates @ rows.flatten(1)).view(-1, *rows.shape[1:])
    return tuple(total.permute(back) for total in sums.unbind())


def sum_in_place(terms: Iterator[Tensor]) -> Tensor:
    """Add each term to the first, whose values no gradient may need."""
    total = next(terms)
    for term in terms:
        total.add_(term)
    return total
