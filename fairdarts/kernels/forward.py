"""The forward pass of the mixed operations of a node, launch by launch.

Two stages: each of the four convolutions once, then the separable ones a second time. Every
launch takes all candidates and all edges at once, since one candidate of a small image leaves most
of a GPU idle. Shapes as in `fairdarts.kernels.launch`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from fairdarts.kernels import mix, norms, pools, stage
from fairdarts.kernels.candidates import Candidates
from fairdarts.kernels.launch import launch
from fairdarts.kernels.sizes import FIRST_TAPS, SECOND_TAPS, SUMMANDS, WARPS_OF_POOLS, Sizes
from fairdarts.kernels.taps import pack_taps

EPS = 1e-5


class Pooled(NamedTuple):
    """Results of both pools."""

    features: Tensor
    """Maxima and averages, (2, P, C)."""
    winners: Tensor
    """Which pixel of a window is the maximum, (P, C)."""


class Stage(NamedTuple):
    """Results of one stage of N convolutions."""

    z: Tensor
    """(N, P, CT)."""
    mid: Tensor | None
    """Between the depthwise and the 1x1 convolutions, (N, P, CT); None: weights are constant."""
    mean: Tensor
    rstd: Tensor
    """Of the batch norms of the convolutions, and of the first stage also of both pools."""


def final(
    first: Tensor | Sequence[Tensor], second: Tensor | Sequence[Tensor]
) -> tuple[Tensor, ...]:
    """Of each convolution its last stage, by the first dimension: separable ones have two."""
    return second[0], second[1], first[2], first[3]


def packed_taps(weights: tuple[Tensor, ...], size: Sizes) -> Tensor:
    """Weights of all depthwise convolutions as (taps, CT)."""
    taps = weights[0].new_empty(FIRST_TAPS + SECOND_TAPS, size.stacked)
    launch(pack_taps, (size.edges, len(weights)), taps, weights, size.stacked, C=size.channels)
    return taps


def first_stage(
    x: Tensor,
    taps: Tensor,
    pointwise: tuple[Tensor, ...],
    candidates: Candidates,
    size: Sizes,
    keeps_mid: bool,
) -> tuple[Pooled, Stage]:
    """Both pools and the first stage of all convolutions, and their batch norms' statistics.

    Args:
        x: (B, C, H, W), channels last.
        taps: Of `packed_taps`.
        pointwise: Weights of the 1x1 convolutions of this stage.
        candidates: For the running statistics, which are updated.
        size: Of the node.
        keeps_mid: Whether the weights will need gradients.
    """
    c, ct, blocks, p = size.channels, size.stacked, size.blocks_out, size.pixels_out
    parts = size.sums(blocks, 3, size.first_total)
    pooled = Pooled(x.new_empty(2, p, c), x.new_empty(p, c, dtype=torch.int8))
    launch(pools.pools_forward, (blocks,), x, *pooled, parts[..., size.first_norms :],
           size.columns_out, size.first_total, num_warps=WARPS_OF_POOLS, **size.block,
           **size.image)  # fmt: skip
    z = x.new_empty(4, p, ct)
    mid = torch.empty_like(z) if keeps_mid else None
    launch(stage.stage_forward, (4, size.edges, blocks), x, None, None, taps, pointwise, z, mid,
           parts[..., : size.first_norms], p, size.columns_out, 0, 0, c, ct, size.first_total,
           SHARED=True, AFFINE=False, num_warps=size.warps_of_stage, **size.block, **size.dots,
           **size.image)  # fmt: skip
    statistics = _statistics(parts, candidates, slice(0, 6), 4, size)
    return pooled, Stage(z, mid, *statistics)


def second_stage(
    first: Stage,
    taps: Tensor,
    pointwise: tuple[Tensor, ...],
    candidates: Candidates,
    size: Sizes,
) -> Stage:
    """The second stage of both separable convolutions; see `first_stage`."""
    ct, blocks, p = size.stacked, size.blocks_out, size.pixels_out
    parts = size.sums(blocks, 3, size.second_total)
    z = first.z.new_empty(2, p, ct)
    mid = None if first.mid is None else torch.empty_like(z)
    launch(stage.stage_forward, (2, size.edges, blocks), first.z[:2], first.mean, first.rstd,
           taps[FIRST_TAPS:], pointwise, z, mid, parts, p, size.columns_out, p * ct, ct, ct, ct,
           size.second_total, SHARED=False, AFFINE=True, STRIDE=1,
           num_warps=size.warps_of_stage, **size.block, **size.dots,
           **size.image_out)  # fmt: skip
    return Stage(z, mid, *_statistics(parts, candidates, slice(6, 8), 2, size))


def mixed(
    x: Tensor,
    gates: Tensor,
    sums: tuple[Tensor, ...] | None,
    pooled: Pooled,
    first: Stage,
    second: Stage,
    size: Sizes,
) -> tuple[Tensor, ...]:
    """The gated sum of all candidates on each edge (Eq. 6), and of `sums`, if there are any."""
    ct = size.stacked
    # No views, which could not be added to in place.
    outputs = tuple(
        torch.empty(size.output, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
        for _ in range(size.edges)
    )
    launch(mix.mix_forward, (size.edges, size.tiles_out), x, outputs, sums,
           *of_convolutions(first, second, size), pooled.features, first.mean, first.rstd, gates,
           size.pixels_out, ct, size.first_norms, **size.gated, **size.tile)  # fmt: skip
    return outputs


def of_convolutions(
    first: Stage, second: Stage, size: Sizes
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Of each convolution what it puts out, and mean and 1 / deviation of that."""
    ct = size.stacked
    return (
        final(first.z, second.z),
        final(torch.split(first.mean, ct), torch.split(second.mean, ct)),
        final(torch.split(first.rstd, ct), torch.split(second.rstd, ct)),
    )


def _statistics(
    parts: Tensor, candidates: Candidates, norms_of_stage: slice, num_stacked: int, size: Sizes
) -> Tensor:
    """Mean and 1 / deviation of all channels of a stage, (2, channels)."""
    statistics = size.sums(2, parts.shape[2])
    mean, rstd = statistics
    launch(norms.combine_statistics, (len(mean) // size.channels,), parts, mean, rstd,
           candidates.means[norms_of_stage], candidates.variances[norms_of_stage],
           size.blocks_out, size.pixels_out, size.stacked, len(mean), C=size.channels,
           ROWS=SUMMANDS // size.channels, NUM_STACKED=num_stacked, EPS=EPS,
           MOMENTUM=candidates.momentum, ACC=size.sum_type, num_warps=8)  # fmt: skip
    return statistics
