"""Candidate operations of S1 on all E edges that leave one node: their channels are stacked.

They compute what `fairdarts.operations.cell_operations` computes for one edge, without affine
parameters. Their input has been through a ReLU already, and the gates scale their output.

Shapes: B batch, C channels of an edge, C' stacked channels of some edges, H W space.
"""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fairdarts.kernels.engine import serves_products
from fairdarts.kernels.products import grouped_1x1
from fairdarts.operations.cell_operations import AvgPool
from fairdarts.operations.functional import depthwise_conv, even_and_odd_pixels
from fairdarts.operations.norm import Channels, Norm
from fairdarts.spaces import SKIP


class SharedPool(nn.Module):
    """Pooling, then batch norm: without it the scale of the output would sway the gate."""

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
    "avg_pool_3x3": AvgPool,
}


class StackedConv(nn.Module):
    """Depthwise convolution, 1x1 convolution and batch norm of E edges."""

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
        # One group for each edge: its channels are mixed with one another only.
        x = _grouped_1x1(x, self.pointwise[part], x.shape[1] // self.channels)
        normalised: Tensor = self.norm(x, part, scale)
        return normalised


class StackedSepConv(nn.Module):
    """Depthwise-separable convolution, applied twice."""

    def __init__(self, kernel: int, channels: int, num_edges: int, stride: int) -> None:
        super().__init__()
        self.first = StackedConv(kernel, 1, channels, num_edges, stride)
        self.second = StackedConv(kernel, 1, channels, num_edges, stride=1)

    def forward(self, x: Tensor, part: Channels, scale: Tensor | None = None) -> Tensor:
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

    def forward(self, x: Tensor, part: Channels, scale: Tensor | None = None) -> Tensor:
        """Shapes as in `StackedConv`; C, H and W must be even."""
        even, odd = (torch.split(half, self.channels, dim=1) for half in even_and_odd_pixels(x))
        # Two groups for each edge: even pixels give half of its channels, odd ones the other half.
        pixels = [half for edge in zip(even, odd, strict=True) for half in edge]
        x = _grouped_1x1(torch.cat(pixels, dim=1), self.pointwise[part], len(pixels))
        normalised: Tensor = self.norm(x, part, scale)
        return normalised

    def of_shared(self, x: Tensor, scale: Tensor) -> Tensor:
        """The same of all edges from what they all read, (B, C, H, W), which is not repeated."""
        weights = self.pointwise.view(-1, 2, self.channels // 2, self.channels, 1, 1)
        halves = [
            grouped_1x1(pixels, weights[:, first].flatten(0, 1), groups=1)
            for first, pixels in enumerate(even_and_odd_pixels(x))
        ]
        # By rows of pixels, so that the result is channels last: (B, H, W, E, C / 2) each.
        rows = [torch.unflatten(half.permute(0, 2, 3, 1), 3, (len(weights), -1)) for half in halves]
        stacked = torch.cat(rows, dim=-1).flatten(3).permute(0, 3, 1, 2)
        normalised: Tensor = self.norm(stacked, ..., scale)
        return normalised


SEPARATE: dict[str, Callable[[int, int, int], nn.Module]] = {
    SKIP: StackedReduce,
    "sep_conv_3x3": partial(StackedSepConv, 3),
    "sep_conv_5x5": partial(StackedSepConv, 5),
    "dil_conv_3x3": partial(StackedConv, 3, 2),
    "dil_conv_5x5": partial(StackedConv, 5, 2),
}


def _grouped_1x1(x: Tensor, weight: Tensor, groups: int) -> Tensor:
    if serves_products(x):
        return grouped_1x1(x, weight, groups)
    return F.conv2d(x, weight, groups=groups)


def _conv_weight(out_channels: int, in_channels: int, kernel: int) -> nn.Parameter:
    """A fresh weight, drawn as torch draws that of the convolution of a single edge."""
    weight = nn.Parameter(torch.empty(out_channels, in_channels, kernel, kernel))
    nn.init.kaiming_uniform_(weight, a=math.sqrt(5))
    return weight
