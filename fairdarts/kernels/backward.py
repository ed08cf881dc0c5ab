"""The gradients of the mixed operations of a node, launch by launch.

From the mixed features back to the features that all edges read. Weights get their gradients on the
way, in parts that `weight_gradients` adds up. Shapes as in `fairdarts.kernels.launch`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from fairdarts.kernels import inputs, mix, norms, pools, projections
from fairdarts.kernels.forward import Pooled, Stage, final, of_convolutions
from fairdarts.kernels.launch import launch
from fairdarts.kernels.sizes import FIRST_TAPS, SECOND_TAPS, SUMMANDS, WARPS_OF_POOLS, Sizes
from fairdarts.kernels.tap_gradients import tap_gradients
from fairdarts.kernels.taps import add_taps

BLOCK = 256
"""Sums that a program adds up."""


class Kept(NamedTuple):
    """What the forward pass keeps for the gradient."""

    x: Tensor
    gates: Tensor
    taps: Tensor
    pooled: Pooled
    first: Stage
    second: Stage


class Slopes(NamedTuple):
    """What the gradients of the mixed features come to, before any weight."""

    gates: Tensor
    """Gradients of the gates, (E, O)."""
    totals: Tensor
    """Sums over all pixels of each edge's gradient, and of it times each candidate, (E, 8, C)."""
    gated: Tensor | None
    """Of pools and identity, (3, P, C); see `fairdarts.kernels.mix.mix_sums`."""


class WeightParts:
    """Gradients of the weights in parts: what single programs know of them."""

    def __init__(self, size: Sizes) -> None:
        products = 4 * size.stacked * size.channels
        self.pointwise = size.sums(size.chunks, products + products // 2)
        # Of the last 1x1 convolution of each candidate, and of the first of the separable ones.
        self.last, self.earlier = self.pointwise[:, :products], self.pointwise[:, products:]
        self.first_taps = size.sums(4 * size.chunks_of_taps, FIRST_TAPS, size.stacked)
        self.second_taps = size.sums(4 * size.chunks_of_taps, SECOND_TAPS, size.stacked)


def slopes_of(grads: tuple[Tensor, ...], kept: Kept, size: Sizes, gates_only: bool) -> Slopes:
    """The gradients of the gates, and what all others need.

    Args:
        grads: Of the mixed features of each edge, (B, C, H', W'), channels last.
        kept: By the forward pass.
        size: Of the node.
        gates_only: Whether no others are wanted.
    """
    c, tiles, p, e = size.channels, size.tiles_out, size.pixels_out, size.edges
    parts, totals = size.sums(tiles, e, 8, c), size.sums(e, 8, c)
    gated = None if gates_only else size.sums(3 if size.has_identity else 2, p, c)
    launch(mix.mix_sums, (tiles,), kept.x, grads, *of_convolutions(kept.first, kept.second, size),
           kept.pooled.features, kept.first.mean, kept.first.rstd, kept.gates, gated, parts, p,
           size.stacked, size.first_norms, e, **size.gated, **size.tile)  # fmt: skip
    grad_gates = torch.zeros_like(kept.gates)
    launch(mix.gate_gradients, (e, 8), parts, totals, grad_gates, tiles, e, C=c,
           ROWS=SUMMANDS // c // 4,
           ACC=size.sum_type, **size.gated)  # fmt: skip
    return Slopes(grad_gates, totals, gated)


def through_last_products(
    grads: tuple[Tensor, ...],
    slopes: Slopes,
    pointwise: tuple[Tensor, ...],
    kept: Kept,
    size: Sizes,
    parts: WeightParts | None,
) -> tuple[Tensor, Tensor]:
    """Through the last batch norm and 1x1 convolution of each candidate.

    Returns:
        Gradients of the results of the depthwise convolutions of both stages, (4, P, CT) and
        (2, P, CT). `through_second_stage` writes those of the separable ones' first stage.
    """
    first, second = torch.empty_like(kept.first.z), torch.empty_like(kept.second.z)
    mids = None
    if kept.first.mid is not None and kept.second.mid is not None:
        mids = final(kept.first.mid, kept.second.mid)
    launch(projections.project_outputs, (4, size.edges, size.chunks), final(first, second), grads,
           *of_convolutions(kept.first, kept.second, size), mids, kept.gates, slopes.totals,
           final(pointwise[:4], pointwise[4:]), parts and parts.last, size.pixels_out,
           size.stacked, size.tiles_of_chunk, 6 * size.stacked * size.channels,
           num_warps=size.warps_of_projections, **size.tile, **size.dots, **size.gated)  # fmt: skip
    return first, second


def through_second_stage(
    grad_first: Tensor,
    grad_second: Tensor,
    pointwise: tuple[Tensor, ...],
    kept: Kept,
    size: Sizes,
    parts: WeightParts | None,
) -> None:
    """Through the second depthwise, and the first batch norm and 1x1, of the separable ones.

    Args:
        grad_first, grad_second: Of `through_last_products`; the former is completed.
        pointwise: Weights of all 1x1 convolutions.
        kept, size: As in `slopes_of`.
        parts: None if the weights need no gradients.
    """
    ct, p, q, first = size.stacked, size.pixels_out, size.columns_out, kept.first
    between = torch.empty_like(grad_second)
    norm_parts = size.sums(size.blocks_out, 2 * size.second_total)
    launch(inputs.depthwise_gradient, (2, size.edges, size.blocks_out), between, grad_second,
           first.z[:2], first.mean, first.rstd, kept.taps[FIRST_TAPS:], norm_parts, p, q, ct, ct,
           **size.block, **size.image_out)  # fmt: skip
    if parts is not None:
        launch(tap_gradients, (8, size.edges, size.chunks_of_taps), first.z[:2],
               first.mean, first.rstd, grad_second, parts.second_taps, p, q, p * ct, ct, ct, ct,
               SECOND_TAPS, size.blocks_of_chunk, SHARED=False, AFFINE=True, STRIDE=1, **size.block,
               **size.image_out)  # fmt: skip
    norm_totals = _added(norm_parts, size)
    launch(projections.project_firsts, (2, size.edges, size.chunks), grad_first[:2], between,
           first.z[:2], None if first.mid is None else first.mid[:2], first.mean, first.rstd,
           norm_totals, pointwise[:2], parts and parts.earlier, p, p * ct, ct, ct,
           size.tiles_of_chunk, 6 * ct * size.channels, num_warps=size.warps_of_projections,
           **size.tile, **size.dots)  # fmt: skip


def input_gradient(
    grad_first: Tensor, slopes: Slopes, kept: Kept, size: Sizes, parts: WeightParts | None
) -> Tensor:
    """Through the first depthwise convolutions, pools and identity: the gradient of x."""
    others = size.sums(size.pixels, size.channels)
    launch(pools.pools_gradient, (size.tiles,), others, slopes.gated, kept.pooled.winners,
           kept.pooled.features, kept.first.mean, kept.first.rstd, kept.gates, slopes.totals,
           size.pixels, size.pixels_out, size.first_norms, size.edges,
           num_warps=WARPS_OF_POOLS, **size.gated, **size.tile, **size.image)  # fmt: skip
    grad_x = torch.empty_like(kept.x)
    launch(inputs.input_gradient, (size.blocks,), grad_x, kept.x, others, grad_first, kept.taps,
           size.columns, size.pixels_out, size.stacked, size.edges, **size.block,
           **size.image)  # fmt: skip
    if parts is not None:
        launch(tap_gradients, (16, size.edges, size.chunks_of_taps), kept.x, None, None,
               grad_first, parts.first_taps, size.pixels_out, size.columns_out, 0, 0,
               size.channels, size.stacked, FIRST_TAPS, size.blocks_of_chunk, SHARED=True,
               AFFINE=False, **size.block, **size.image)  # fmt: skip
    return grad_x


def weight_gradients(
    parts: WeightParts, weights: tuple[Tensor, ...], size: Sizes
) -> tuple[Tensor, ...]:
    """Gradients of the six depthwise and the six 1x1 weights, from all parts of them."""
    ct = size.stacked
    depthwise = size.sums((FIRST_TAPS + SECOND_TAPS) * ct)
    for of_chunks, start in ((parts.first_taps, 0), (parts.second_taps, FIRST_TAPS)):
        chunks, num_taps, _ = of_chunks.shape
        launch(add_taps, (num_taps, size.edges), of_chunks, depthwise, chunks, num_taps, ct,
               start * ct, C=size.channels, ROWS=SUMMANDS // size.channels // 4,
               ACC=size.sum_type)  # fmt: skip
    pointwise = _added(parts.pointwise, size)
    second_0, second_1, *others, first_0, first_1 = _split(pointwise, weights[6:])
    return (*_split(depthwise, weights[:6]), first_0, first_1, *others, second_0, second_1)


def _added(parts: Tensor, size: Sizes) -> Tensor:
    """Rows of parts, added up."""
    sums = size.sums(parts.shape[1])
    launch(norms.add_rows, (-(-len(sums) // BLOCK),), parts, sums, len(parts), len(sums),
           BLOCK=BLOCK, ROWS=SUMMANDS // BLOCK, ACC=size.sum_type)  # fmt: skip
    return sums


def _split(flat: Tensor, weights: Sequence[Tensor]) -> list[Tensor]:
    """Gradients of weights, one after the other, as views with the weights' own strides."""
    sizes = [weight.numel() for weight in weights]
    parts = torch.split(flat.to(weights[0].dtype), sizes)
    return [
        part.as_strided(weight.shape, weight.stride(), part.storage_offset())
        for part, weight in zip(parts, weights, strict=True)
    ]
