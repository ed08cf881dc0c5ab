"""Grouped 1x1 convolutions as batched matrix products, on channels-last features as they lie.

cuDNN computes such a convolution group by group, with copies between layouts.

Shapes: B batch, H W space, P = B * H * W pixels, G groups, C channels of a group going in, C'
coming out.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from fairdarts.kernels.engine import autocast_type, channels_last

LEAST_PIXELS = 1024
"""Of one part of the sum over pixels that the gradient of a weight is."""
MOST_PARTS = 64


def grouped_1x1(x: Tensor, weight: Tensor, groups: int) -> Tensor:
    """What `F.conv2d(x, weight, groups=groups)` computes, under autocast in its precision.

    Args:
        x: (B, G * C, H, W); copied unless it is channels last.
        weight: (G * C', C, 1, 1).
        groups: G.
    Returns:
        (B, G * C', H, W), channels last.
    """
    precision = autocast_type(x)
    output: Tensor = _Grouped1x1.apply(x.to(precision), weight.to(precision), groups)
    return output


class _Grouped1x1(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, groups: int) -> Tensor:
        x = channels_last(x)
        ctx.save_for_backward(x, weight)
        ctx.groups = groups
        shape = (x.shape[0], len(weight), *x.shape[2:])
        output = torch.empty(
            shape, dtype=x.dtype, device=x.device, memory_format=torch.channels_last
        )
        by_group = weight.reshape(groups, -1, weight.shape[1])  # (G, C', C)
        torch.bmm(_rows(x, groups), by_group.transpose(1, 2), out=_rows(output, groups))
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        (x, weight), groups = ctx.saved_tensors, ctx.groups
        grad = channels_last(grads[0])
        grad_x = grad_weight = None
        if ctx.needs_input_grad[0]:
            grad_x = torch.empty_like(x)
            by_group = weight.reshape(groups, -1, weight.shape[1])
            torch.bmm(_rows(grad, groups), by_group, out=_rows(grad_x, groups))
        if ctx.needs_input_grad[1]:
            grad_weight = _weight_gradient(_rows(x, groups), _rows(grad, groups))
            grad_weight = grad_weight.to(weight.dtype).view_as(weight)
        return grad_x, grad_weight, None


def _rows(features: Tensor, groups: int) -> Tensor:
    """Channels-last features (B, G * C, H, W) as (G, P, C), a view."""
    pixels = features.permute(0, 2, 3, 1).flatten(0, 2)
    return pixels.view(len(pixels), groups, -1).transpose(0, 1)


def _weight_gradient(x: Tensor, grad: Tensor) -> Tensor:
    """(G, P, C) and (G, P, C') to (G, C', C).

    A tiny product of very long vectors: it is cut into parts, which a GPU computes side by side,
    and which are added up in the same order every time.
    """
    groups, pixels, _ = x.shape
    parts = 1
    while (
        parts < MOST_PARTS and pixels % (2 * parts) == 0 and pixels // (2 * parts) >= LEAST_PIXELS
    ):
        parts *= 2
    if parts == 1:
        return torch.bmm(grad.transpose(1, 2), x)
    sums = x.new_empty(groups, parts, grad.shape[2], x.shape[2])
    for group in range(groups):  # a group and a part cannot both be the batch of one product
        # Views: the rows of a part are as far apart as those of the whole.
        of_grad, of_x = (torch.unflatten(t[group], 0, (parts, -1)) for t in (grad, x))
        torch.bmm(of_grad.transpose(1, 2), of_x, out=sums[group])
    return sums.sum(dim=1)
