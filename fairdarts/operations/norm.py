"""Batch norm of stacked channels: those of all edges that leave a node, or of some of them."""

from types import EllipsisType

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Channels = slice | EllipsisType
"""Which of the stacked E * C channels: those of some edges, or all (`...`)."""


class Norm(nn.Module):
    """Batch norm without affine parameters, which can be applied to some of its channels alone."""

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
