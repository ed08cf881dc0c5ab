"""Operations of derived networks of cells and the fixed parts of a cell, as in DARTS.

The supernet has the operations of the same names in `fairdarts.supernet.stacked_ops`, and the fixed
parts of this file without affine parameters (`affine`), as DARTS has them (arXiv:1806.09055).

Shapes: every operation maps (B, C, H, W) to (B, C, H / stride, W / stride). ReLU comes first, batch
norm last.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from fairdarts.operations.functional import avg_pool_3x3, depthwise_conv, even_and_odd_pixels
from fairdarts.spaces import SKIP

# A symbolic tracer (torch.fx) records calls of these instead of following them.
torch.fx.wrap("avg_pool_3x3")
torch.fx.wrap("depthwise_conv")
torch.fx.wrap("even_and_odd_pixels")


class ReLUConvBN(nn.Sequential):
    """ReLU, 1x1 convolution, batch norm: fits the channels of a cell's input to the cell.

    `rectified`: the input already is, since two cells share the ReLU.
    """

    def __init__(
        self, in_channels: int, out_channels: int, affine: bool, rectified: bool = False
    ) -> None:
        super().__init__(
            nn.Identity() if rectified else nn.ReLU(),
            nn.Conv2d(in_channels, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels, affine=affine),
        )


class FactorizedReduce(nn.Module):
    """Halve H and W: half of the channels are 1x1 convolutions of even pixels, half of odd ones.

    `rectified`: see `ReLUConvBN`.
    """

    def __init__(
        self, in_channels: int, out_channels: int, affine: bool, rectified: bool = False
    ) -> None:
        super().__init__()
        self.relu = nn.Identity() if rectified else nn.ReLU()
        half = out_channels // 2
        self.conv_even = nn.Conv2d(in_channels, half, 1, bias=False)
        self.conv_odd = nn.Conv2d(in_channels, out_channels - half, 1, bias=False)
        self.norm = nn.BatchNorm2d(out_channels, affine=affine)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C_in, H, W) to (B, C_out, H / 2, W / 2); H and W must be even."""
        x = self.relu(x)
        # The sums of two strided convolutions, computed otherwise: in channels-last memory, with
        # fewer than 16 channels, those corrupt memory on a CPU (oneDNN issue 6035).
        even, odd = even_and_odd_pixels(x)
        halves = [self.conv_even(even), self.conv_odd(odd)]
        reduced: Tensor = self.norm(torch.cat(halves, dim=1))
        return reduced


class DepthwiseConv(nn.Conv2d):
    """One kernel for each channel, padded to keep H and W at stride 1; see `depthwise_conv`."""

    def __init__(self, channels: int, kernel: int, stride: int, dilation: int) -> None:
        super().__init__(
            channels,
            channels,
            kernel,
            stride=stride,
            padding=dilation * (kernel - 1) // 2,
            dilation=dilation,
            groups=channels,
            bias=False,
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, H / stride, W / stride)."""
        return depthwise_conv(x, self.weight, self.stride[0], self.dilation[0])


def _depthwise_stage(channels: int, kernel: int, stride: int, dilation: int = 1) -> list[nn.Module]:
    return [
        nn.ReLU(),
        DepthwiseConv(channels, kernel, stride, dilation),
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels),
    ]


def max_pool(channels: int, stride: int) -> nn.Module:
    """3x3 max pooling."""
    return nn.MaxPool2d(3, stride=stride, padding=1)


class AvgPool(nn.Module):
    """3x3 average pooling over the pixels inside the image; see `avg_pool_3x3`."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, H / stride, W / stride)."""
        return avg_pool_3x3(x, self.stride)


def avg_pool(channels: int, stride: int) -> nn.Module:
    """3x3 average pooling over the pixels inside the image."""
    return AvgPool(stride)


def skip(channels: int, stride: int) -> nn.Module:
    """Identity, or a factorised reduction where the cell halves the image."""
    return nn.Identity() if stride == 1 else FactorizedReduce(channels, channels, affine=True)


def sep_conv(kernel: int, channels: int, stride: int) -> nn.Module:
    """Depthwise-separable convolution, applied twice."""
    return nn.Sequential(
        *_depthwise_stage(channels, kernel, stride), *_depthwise_stage(channels, kernel, 1)
    )


def dil_conv(kernel: int, channels: int, stride: int) -> nn.Module:
    """Depthwise-separable convolution with dilation 2."""
    return nn.Sequential(*_depthwise_stage(channels, kernel, stride, dilation=2))


OPERATIONS: dict[str, Callable[[int, int], nn.Module]] = {
    "max_pool_3x3": max_pool,
    "avg_pool_3x3": avg_pool,
    SKIP: skip,
    "sep_conv_3x3": partial(sep_conv, 3),
    "sep_conv_5x5": partial(sep_conv, 5),
    "dil_conv_3x3": partial(dil_conv, 3),
    "dil_conv_5x5": partial(dil_conv, 5),
}
"""Name to what builds the operation, from its channels and its stride: 1, or 2 on the inputs of a
reduction cell."""
