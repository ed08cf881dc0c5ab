"""Mixed operations: every candidate on every edge, each scaled by its gate (Eq. 6).

All edges that leave a node read the same features, so their candidates are computed together:
pools and identity once for all of them, and the convolutions of E edges as one of E * C channels.

Shapes: B batch, C channels, H W space, E edges that leave the node, O candidate operations.
"""

import math
from collections.abc import Callable, Iterator
from functools import partial
from types import EllipsisType

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fairdarts.functional import depthwise_conv, every_second_pixel
from fairdarts.spaces import SKIP, CellSpace

Channels = slice | EllipsisType
"""Which of the stacked E * C channels: those of some edges, or all (`...`)."""

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


class Norm(nn.Module):
    """Batch norm without affine parameters, of some of its channels."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self.momentum = 0.1

    def forward(self, x: Tensor, part: Channels = ..., scale: Tensor | None = None) -> Tensor:
        """Normalise (B, C', H, W), C' the channels of `part`, and multiply by `scale` (C')."""
        return F.batch_norm(
            x,
            self.running_mean[part],
            self.running_var[part],
            weight=scale,
            training=self.training,
            momentum=self.momentum,
        )


class SharedPool(nn.Module):
    """Pooling and batch norm: pooling has no norm of its own, and gates compare scales."""

    def __init__(self, pool: Callable[[int], nn.Module], channels: int, stride: int) -> None:
        super().__init__()
        self.pool = pool(stride)
        self.norm = Norm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, H / stride, W / stride)."""
        pooled: Tensor = self.norm(self.pool(x))
        return pooled


POOLS: dict[str, Callable[[int], nn.Module]] = {
    "max_pool_3x3": lambda stride: nn.MaxPool2d(3, stride, padding=1),
    "avg_pool_3x3": lambda stride: nn.AvgPool2d(3, stride, padding=1, count_include_pad=False),
}


class StackedConv(nn.Module):
    """Depthwise and 1x1 convolution and batch norm of E edges (the input is rectified already)."""

    def __init__(
        self, kernel: int, dilation: int, channels: int, num_edges: int, stride: int
    ) -> None:
        super().__init__()
        stacked = num_edges * channels
        self.channels = channels
        self.stride = stride
        self.dilation = dilation
        self.depthwise = _conv_weight(stacked, 1, kernel)
        self.pointwise = _conv_weight(stacked, channels, 1)
        self.norm = Norm(stacked)

    def forward(self, x: Tensor, part: Channels, scale: Tensor | None = None) -> Tensor:
        """(B, C', H, W) to (B, C', H / stride, W / stride), C' the stacked channels of `part`."""
        x = depthwise_conv(x, self.depthwise[part], self.stride, self.dilation)
        x = F.conv2d(x, self.pointwise[part], groups=x.shape[1] // self.channels)
        normalised: Tensor = self.norm(x, part, scale)
        return normalised


class StackedSepConv(nn.Module):
    """Depthwise-separable convolution, applied twice."""

    def __init__(self, kernel: int, channels: int, num_edges: int, stride: int) -> None:
        super().__init__()
        self.first = StackedConv(kernel, 1, channels, num_edges, stride)
        self.second = StackedConv(kernel, 1, channels, num_edges, stride=1)

    def forward(self, x: Tensor, part: Channels, scale: Tensor) -> Tensor:
        """Shapes as in `StackedConv`."""
        output: Tensor = self.second(self.first(x, part).relu_(), part, scale)
        return output


class StackedReduce(nn.Module):
    """Factorised reduction: 1x1 convolutions of even and of odd pixels, half of C each."""

    def __init__(self, channels: int, num_edges: int, stride: int) -> None:
        super().__init__()
        self.channels = channels
        self.pointwise = _conv_weight(num_edges * channels, channels, 1)
        self.norm = Norm(num_edges * channels)

    def forward(self, x: Tensor, part: Channels, scale: Tensor) -> Tensor:
        """Shapes as in `StackedConv`; C, H and W must be even."""
        even = torch.split(every_second_pixel(x, 0), self.channels, dim=1)
        odd = torch.split(every_second_pixel(x, 1), self.channels, dim=1)
        pixels = [half for edge in zip(even, odd, strict=True) for half in edge]
        x = F.conv2d(torch.cat(pixels, dim=1), self.pointwise[part], groups=len(pixels))
        normalised: Tensor = self.norm(x, part, scale)
        return normalised


SEPARATE: dict[str, Callable[[int, int, int], nn.Module]] = {
    SKIP: StackedReduce,
    "sep_conv_3x3": partial(StackedSepConv, 3),
    "sep_conv_5x5": partial(StackedSepConv, 5),
    "dil_conv_3x3": partial(StackedConv, 3, 2),
    "dil_conv_5x5": partial(StackedConv, 5, 2),
}


def _conv_weight(out_channels: int, in_channels: int, kernel: int) -> nn.Parameter:
    """Drawn as torch's convolutions are, whose fan-in is that of one edge's convolution."""
    weight = nn.Parameter(torch.empty(out_channels, in_channels, kernel, kernel))
    nn.init.kaiming_uniform_(weight, a=math.sqrt(5))
    return weight
