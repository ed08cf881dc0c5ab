"""The mixed operations of all edges that leave a node, computed and differentiated by our kernels.

Two stages: each of the four convolutions once, then the separable ones a second time. Every
launch takes all candidates and all edges at once, since one candidate of a small image leaves most
of a GPU idle. Shapes as in `fairdarts.kernels.launch`.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from fairdarts.kernels import gradients, mix, norms, pools, stage
from fairdarts.kernels.candidates import Candidates
from fairdarts.kernels.engine import autocast_type, channels_last
from fairdarts.kernels.launch import (
    MOST_CHUNKS,
    factor_type,
    launch,
    num_tiles,
    products_precision,
    sum_type,
    tile_pixels,
)

FIRST_TAPS, SECOND_TAPS = 2 * (25 + 9), 25 + 9
EPS = 1e-5
BLOCK = 256
ROWS = 64
"""Rows of partial sums that a program reads at once."""


def mixed_operations(x: Tensor, gates: Tensor, candidates: Candidates) -> tuple[Tensor, ...]:
    """Add up the gated candidates on each edge (Eq. 6), and update the running statistics.

    Args:
        x: Features (B, C, H, W), channels last.
        gates: (E, O).
        candidates: Weights and batch norms.
    Returns:
        E tensors (B, C, H / stride, W / stride), channels last.
    """
    x = x.to(autocast_type(x))
    weights = (*candidates.depthwise, *candidates.pointwise)
    mixed: tuple[Tensor, ...] = _MixedOperations.apply(x, gates, candidates, *weights)
    return mixed


class _Sizes:
    """Numbers and constants that all launches of a node share."""

    def __init__(self, x: Tensor, num_edges: int, stride: int) -> None:
        batch, self.channels, self.height, self.width = x.shape
        self.stride = stride
        self.edges = num_edges
        self.stacked = num_edges * self.channels
        self.height_out, self.width_out = -(-self.height // stride), -(-self.width // stride)
        self.batch = batch
        self.pixels = batch * self.height * self.width
        self.pixels_out = batch * self.height_out * self.width_out
        self.tiles = num_tiles(self.pixels, self.channels)
        self.tiles_out = num_tiles(self.pixels_out, self.channels)
        self.first_total = 4 * self.stacked + 2 * self.channels  # channels of all batch norms
        self.second_total = 2 * self.stacked
        self.sums = sum_type(x.dtype)
        self.sum_dtype = torch.float64 if x.dtype == torch.float64 else torch.float32
        self.tile = {"C": self.channels, "PIX": tile_pixels(self.channels), "ACC": self.sums}
        self.dots = {"DOT": factor_type(x.dtype), "PRECISION": products_precision()}
        self.image = {"H": self.height, "W": self.width, "STRIDE": stride}
        self.image_out = {"H": self.height_out, "W": self.width_out, "STRIDE": 1}


class _MixedOperations(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, gates: Tensor, candidates: Candidates, *weights: Tensor
    ) -> tuple[Tensor, ...]:
        size = _Sizes(x, len(gates), candidates.stride)
        c, ct, tiles, p = size.channels, size.stacked, size.tiles_out, size.pixels_out
        gates = gates.contiguous()
        depthwise, pointwise = weights[:6], weights[6:]
        needs_weights = any(ctx.needs_input_grad[3:])

        sums = partial(torch.empty, dtype=size.sum_dtype, device=x.device)

        taps = depthwise[0].new_empty(FIRST_TAPS + SECOND_TAPS, ct)
        launch(gradients.pack_taps, (25, size.edges, 6), taps, depthwise, ct, C=c)
        pooled = x.new_empty(2, p, c)
        winners = x.new_empty(p, c, dtype=torch.int8)
        parts = sums(tiles, 2, size.first_total)
        launch(pools.pools_forward, (tiles,), x, pooled, winners, parts, p, size.first_total,
               **size.tile, **size.image)  # fmt: skip
        first = x.new_empty(4, p, ct)
        first_mid = torch.empty_like(first) if needs_weights else None
        launch(stage.stage_forward, (tiles, size.edges, 4), x, None, None, taps, pointwise[:4],
               first, first_mid, parts, p, 0, 0, c, ct, size.first_total,
               SHARED=True, AFFINE=False, **size.tile, **size.dots,
               **size.image)  # fmt: skip
        mean, rstd = sums(2, size.first_total)
        _combine(size, parts, mean, rstd, candidates, slice(0, 6), 4)
        second = x.new_empty(2, p, ct)
        second_mid = torch.empty_like(second) if needs_weights else None
        parts = sums(tiles, 2, size.second_total)
        launch(stage.stage_forward, (tiles, size.edges, 2), first[:2], mean, rstd,
               taps[FIRST_TAPS:], pointwise[4:], second, second_mid, parts, p, p * ct, ct, ct, ct,
               size.second_total, SHARED=False, AFFINE=True, **size.tile,
               **size.dots, **size.image_out)  # fmt: skip
        second_mean, second_rstd = sums(2, size.second_total)
        _combine(size, parts, second_mean, second_rstd, candidates, slice(6, 8), 2)
        shape = (size.batch, c, size.height_out, size.width_out)
        # No views, which could not be added to in place.
        outputs = tuple(
            torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
            for _ in range(size.edges)
        )
        launch(mix.mix_forward, (tiles, size.edges), x, outputs, _finals(first, second),
               _finals(mean.split(ct), second_mean.split(ct)),
               _finals(rstd.split(ct), second_rstd.split(ct)), pooled, mean, rstd, gates, p, ct,
               4 * ct, COLUMNS=candidates.columns, NUM_GATES=gates.shape[1],
               **size.tile)  # fmt: skip
        ctx.save_for_backward(x, gates, taps, pooled, winners, first, first_mid, second, second_mid,
                              mean, rstd, second_mean, second_rstd, *weights)  # fmt: skip
        ctx.candidates = candidates.stride, candidates.columns
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        (x, gates, taps, pooled, winners, first, first_mid, second, second_mid, mean, rstd,
         second_mean, second_rstd, *weights) = ctx.saved_tensors  # fmt: skip
        stride, columns = ctx.candidates
        size = _Sizes(x, len(gates), stride)
        c, ct, tiles, p, e = (
            size.channels, size.stacked, size.tiles_out, size.pixels_out, size.edges,
        )  # fmt: skip
        pointwise = tuple(weights[6:])
        needs_weights = any(ctx.needs_input_grad[3:])
        grads = tuple(map(channels_last, grads))
        identity = columns[6] >= 0
        gated = {"COLUMNS": columns, "NUM_GATES": gates.shape[1]}
        zs = _finals(first, second)
        means = _finals(mean.split(ct), second_mean.split(ct))
        rstds = _finals(rstd.split(ct), second_rstd.split(ct))

        sums = partial(torch.empty, dtype=size.sum_dtype, device=x.device)

        parts, totals = sums(tiles, e, 8, c), sums(e, 8, c)
        launch(mix.mix_sums, (tiles, e), x, grads, zs, means, rstds, pooled, mean, rstd, parts, p,
               ct, 4 * ct, e, IDENTITY=identity, **size.tile)  # fmt: skip
        grad_gates = torch.zeros_like(gates)
        launch(mix.gate_gradients, (e, 8), parts, totals, grad_gates, tiles, e, C=c, ROWS=ROWS,
               ACC=size.sums, **gated)  # fmt: skip
        if not (needs_weights or ctx.needs_input_grad[0]):
            return None, grad_gates, None, *[None] * len(weights)

        # Through the batch norms and 1x1 convolutions of what the edges read.
        chunks = min(tiles, max(1, MOST_CHUNKS // e))
        per_chunk = -(-tiles // chunks)
        chunks = -(-tiles // per_chunk)
        num_pointwise = 6 * ct * c
        # Both launches that follow write parts of the same rows: outputs first, then firsts.
        point_parts = sums(chunks if needs_weights else 0, num_pointwise)
        grad_first = torch.empty_like(first)
        grad_second = torch.empty_like(second)
        mids = _finals(first_mid, second_mid) if needs_weights else None
        # In the order of `zs`; where a candidate has two stages, this is about its second.
        targets = _finals(grad_first, grad_second)
        last = _finals(pointwise[:4], pointwise[4:])
        launch(gradients.project_outputs, (chunks, e, 4), targets, grads, zs, mids, means, rstds,
               gates, totals, last, point_parts, p, ct, per_chunk, num_pointwise, **size.tile,
               **size.dots, **gated)  # fmt: skip
        # Through the second depthwise convolutions of the separable ones.
        between = torch.empty_like(second)
        norm_parts = sums(tiles, size.second_total * 2)
        tap_parts = sums(tiles if needs_weights else 0, SECOND_TAPS, ct)
        launch(gradients.depthwise_backward, (tiles, e, 2), between, grad_second, first[:2],
               mean, rstd, taps[FIRST_TAPS:], tap_parts if needs_weights else None, norm_parts,
               p, p, p * ct, ct, ct, ct, e, SECOND_TAPS, SHARED=False,
               **size.tile, **size.image_out)  # fmt: skip
        norm_totals = sums(size.second_total * 2)
        _add_rows(norm_parts, norm_totals, size)
        launch(gradients.project_firsts, (chunks, e, 2), grad_first[:2], between, first[:2],
               first_mid[:2] if needs_weights else None,
               mean, rstd, norm_totals, pointwise[:2], point_parts[:, 4 * ct * c :],
               p, p * ct, ct, ct, per_chunk, num_pointwise, **size.tile,
               **size.dots)  # fmt: skip
        # Through the first depthwise convolutions, pools and identity.
        needs_x = ctx.needs_input_grad[0]
        rectified = sums(4, size.pixels, c)
        first_parts = sums(size.tiles if needs_weights else 0, FIRST_TAPS, ct)
        launch(gradients.depthwise_backward, (size.tiles, 1, 4), rectified, grad_first, x, None,
               None, taps, first_parts if needs_weights else None, None, size.pixels, p,
               0, 0, c, ct, e, FIRST_TAPS, SHARED=True, **size.tile,
               **size.image)  # fmt: skip
        grad_x = None
        if needs_x:
            grad_x = torch.empty_like(x)
            slopes = sums(3, p, c)
            launch(pools.pools_backward, (tiles,), slopes, grads, gates, pooled, mean, rstd, totals,
                   p, 4 * ct, NUM=e, **size.tile, **size.image, **gated)  # fmt: skip
            launch(pools.input_gradient, (size.tiles,), grad_x, x, slopes, winners, rectified,
                   size.pixels, p, IDENTITY=identity, **size.tile, **size.image)  # fmt: skip
        if not needs_weights:
            return grad_x, grad_gates, None, *[None] * len(weights)
        point = sums(num_pointwise)
        _add_rows(point_parts, point, size)
        depth = sums((FIRST_TAPS + SECOND_TAPS) * ct)
        for tile_parts, start in ((first_parts, 0), (tap_parts, FIRST_TAPS)):
            num_taps = tile_parts.shape[1]
            launch(gradients.add_taps, (num_taps, e), tile_parts, depth, len(tile_parts), num_taps,
                   ct, start * ct, C=c, ROWS=ROWS, ACC=size.sums)  # fmt: skip
        second_0, second_1, *others, first_0, first_1 = _split(point, weights[6:])
        of_pointwise = (first_0, first_1, *others, second_0, second_1)
        return grad_x, grad_gates, None, *_split(depth, weights[:6]), *of_pointwise


def _finals(
    first: Tensor | Sequence[Tensor], second: Tensor | Sequence[Tensor]
) -> tuple[Tensor, ...]:
    """Of each convolution its last stage, by the first dimension: separable ones have two."""
    return second[0], second[1], first[2], first[3]


def _combine(
    size: _Sizes,
    parts: Tensor,
    mean: Tensor,
    rstd: Tensor,
    candidates: Candidates,
    norms_of_stage: slice,
    num_stacked: int,
) -> None:
    launch(norms.combine_statistics, (len(mean) // size.channels,), parts, mean, rstd,
           candidates.means[norms_of_stage], candidates.variances[norms_of_stage],
           size.tiles_out, size.pixels_out, size.stacked, len(mean), ROWS=ROWS,
           NUM_STACKED=num_stacked, EPS=EPS, MOMENTUM=candidates.momentum, **size.tile)  # fmt: skip


def _add_rows(parts: Tensor, sums: Tensor, size: _Sizes) -> None:
    launch(norms.add_rows, (-(-len(sums) // BLOCK),), parts, sums, len(parts), len(sums),
           BLOCK=BLOCK, ROWS=ROWS // 4, ACC=size.sums)  # fmt: skip


def _split(flat: Tensor, weights: Sequence[Tensor]) -> list[Tensor]:
    """Gradients of weights, one after the other, as views with the weights' own strides."""
    parts = torch.split(flat, [weight.numel() for weight in weights])
    return [
        part.to(weight.dtype).as_strided(weight.shape, weight.stride(), part.storage_offset())
        for part, weight in zip(parts, weights, strict=True)
    ]
