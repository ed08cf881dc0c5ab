"""Both poolings of a node in one kernel."""

# mypy: ignore-errors
# Triton compiles these functions; their arguments have no Python types.

import triton
import triton.language as tl

from fairdarts.kernels.stage import tile_statistics


@triton.jit
def pools_forward(
    x, pooled, winners, parts, P, total,
    H: tl.constexpr, W: tl.constexpr, C: tl.constexpr, STRIDE: tl.constexpr, PIX: tl.constexpr,
    ACC: tl.constexpr,
):  # fmt: skip
    """Grid (tiles,): 3 x 3 max and average pooling, the average over the pixels inside the image.

    Args:
        x: (P', C).
        pooled: Where to write maxima and averages, (2, P, C).
        winners: Likewise which of the 9 pixels is the maximum, (P, C); the first among equals.
        parts: Likewise statistics of each tile, those of a pool `total` apart: (tiles, 2, 2 C).
    """
    OH: tl.constexpr = (H - 1) // STRIDE + 1
    OW: tl.constexpr = (W - 1) // STRIDE + 1
    t = tl.program_id(0)
    c = tl.arange(0, C)
    p = t * PIX + tl.arange(0, PIX)
    inside = p < P
    h = p // OW % OH * STRIDE - 1
    w = p % OW * STRIDE - 1
    corner = x + (((p // (OH * OW)) * H + h) * W + w)[:, None] * C + c[None, :]
    highest = tl.full((PIX, C), float("-inf"), ACC)
    winner = tl.full((PIX, C), 4, tl.int32)
    added = tl.zeros((PIX, C), ACC)
    count = tl.zeros((PIX,), ACC)
    for i in tl.static_range(3):
        for j in tl.static_range(3):
            ok = inside & (h + i >= 0) & (h + i < H) & (w + j >= 0) & (w + j < W)
            value = tl.load(corner + (i * W + j) * C, mask=ok[:, None], other=0.0).to(ACC)
            added += value
            count += ok.to(ACC)
            wins = ok[:, None] & ((value > highest) | (value != value))
            highest = tl.where(wins, value, highest)
            winner = tl.where(wins, i * 3 + j, winner)
    rows = (p * C)[:, None] + c[None, :]
    kind = pooled.dtype.element_ty
    highest = highest.to(kind)
    average = (added / tl.maximum(count, 1.0)[:, None]).to(kind)
    tl.store(pooled + rows, highest, mask=inside[:, None])
    tl.store(pooled + P * C + rows, average, mask=inside[:, None])
    tl.store(winners + rows, winner.to(tl.int8), mask=inside[:, None])
    ours = parts + t * 2 * total + c
    tile_statistics(highest.to(ACC), inside, ours, P, t, total, PIX, ACC)
    tile_statistics(average.to(ACC), inside, ours + C, P, t, total, PIX, ACC)
