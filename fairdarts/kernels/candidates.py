"""What the kernels know: the seven candidates of an edge, in the order of the kernels."""

from dataclasses import dataclass

from torch import Tensor

CONVOLUTIONS = ("sep_conv_5x5", "sep_conv_3x3", "dil_conv_5x5", "dil_conv_3x3")
"""Depthwise-separable, in pairs of 5 x 5 and 3 x 3; `sep` twice, `dil` once and with dilation 2."""
SEPARABLE = ("sep_conv_5x5", "sep_conv_3x3")
POOLS = ("max_pool_3x3", "avg_pool_3x3")
IDENTITY = "skip_connect"
"""Where the stride is 1; otherwise it is none of the kernels'."""


@dataclass(frozen=True)
class Candidates:
    """What the mixed operations of a node are made of, in the order of the kernels."""

    stride: int
    columns: tuple[int, ...]
    """Of the gates: those of `CONVOLUTIONS`, of `POOLS`, of the identity; -1 if it is absent."""
    depthwise: tuple[Tensor, ...]
    """Weights (CT, 1, K, K) of the first stage's four convolutions, then of the second's two."""
    pointwise: tuple[Tensor, ...]
    """Weights (CT, C, 1, 1), likewise."""
    means: tuple[Tensor, ...]
    """Running means of the four batch norms of the first stage, of those of both pools, and of the
    two of the second stage."""
    variances: tuple[Tensor, ...]
    momentum: float
