"""The mixed operations of all edges that leave a node, computed and differentiated by our kernels.

Shapes as in `fairdarts.kernels.launch`.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from fairdarts.kernels import backward, forward
from fairdarts.kernels.candidates import Candidates
from fairdarts.kernels.engine import autocast_type, channels_last
from fairdarts.kernels.sizes import Sizes

NUM_WEIGHTS = 12
"""Six depthwise and six 1x1 convolutions."""


def mixed_operations(
    x: Tensor, gates: Tensor, candidates: Candidates, sums: Sequence[Tensor] | None
) -> tuple[Tensor, ...]:
    """Add up the gated candidates on each edge (Eq. 6), and update the running statistics.

    Args:
        x: Features (B, C, H, W), channels last.
        gates: (E, O).
        candidates: Weights and batch norms.
        sums: Features that are added to those of each edge, of the shape of the result.
    Returns:
        E tensors (B, C, H / stride, W / stride), channels last.
    """
    x = x.to(autocast_type(x))
    weights = (*candidates.depthwise, *candidates.pointwise)
    sums = () if sums is None else tuple(channels_last(total.to(x.dtype)) for total in sums)
    mixed: tuple[Tensor, ...] = _MixedOperations.apply(x, gates, candidates, *weights, *sums)
    return mixed


class _MixedOperations(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, gates: Tensor, candidates: Candidates, *tensors: Tensor
    ) -> tuple[Tensor, ...]:
        weights, sums = tensors[:NUM_WEIGHTS], tensors[NUM_WEIGHTS:]
        gates = gates.contiguous()
        size = Sizes(x, gates, candidates)
        keeps_mid = any(ctx.needs_input_grad[3 : 3 + NUM_WEIGHTS])
        taps = forward.packed_taps(weights[:6], size)
        pooled, first = forward.first_stage(x, taps, weights[6:10], candidates, size, keeps_mid)
        second = forward.second_stage(first, taps, weights[10:], candidates, size)
        ctx.save_for_backward(x, gates, taps, *pooled, *first, *second, *weights)
        ctx.size = size
        return forward.mixed(x, gates, sums or None, pooled, first, second, size)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        saved, size = ctx.saved_tensors, ctx.size
        x, gates, taps = saved[:3]
        pooled = forward.Pooled(*saved[3:5])
        first, second = forward.Stage(*saved[5:9]), forward.Stage(*saved[9:13])
        kept = backward.Kept(x, gates, taps, pooled, first, second)
        weights = saved[13:]
        pointwise = weights[6:]
        needs_weights = any(ctx.needs_input_grad[3 : 3 + NUM_WEIGHTS])
        gates_only = not (needs_weights or ctx.needs_input_grad[0])
        grads = tuple(map(channels_last, grads))
        of_sums = grads if len(ctx.needs_input_grad) > 3 + NUM_WEIGHTS else ()

        slopes = backward.slopes_of(grads, kept, size, gates_only)
        if gates_only:
            return None, slopes.gates, None, *[None] * NUM_WEIGHTS, *of_sums
        parts = backward.WeightParts(size) if needs_weights else None
        of_first, of_second = backward.through_last_products(
            grads, slopes, pointwise, kept, size, parts
        )
        backward.through_second_stage(of_first, of_second, pointwise, kept, size, parts)
        grad_x = backward.input_gradient(of_first, slopes, kept, size, parts)
        of_weights: tuple[Tensor | None, ...] = (None,) * NUM_WEIGHTS
        if parts is not None:
            of_weights = backward.weight_gradients(parts, weights, size)
        return grad_x, slopes.gates, None, *of_weights, *of_sums
