"""Both poolings of a node in one kernel, forward and backward."""

# mypy: ignore-errors
# Triton compiles these functions; their arguments have no Python types.

import triton
import triton.language as tl

from fairdarts.kernels.rows import block_pixels
from fairdarts.kernels.stage import block_statistics


@triton.jit
def pools_forward(
    x, pooled, winners, parts, Q, total,
    H: tl.constexpr, W: tl.constexpr, C: tl.constexpr, STRIDE: tl.constexpr, M: tl.constexpr,
    ACC: tl.constexpr,
):  # fmt: skip
    """Grid (blocks,): 3 x 3 max and average pooling, the average over the pixels inside the image.

    Args:
        x: (P', C).
        pooled: Where to write maxima and averages, (2, P, C).
        winners: Likewise which of the 9 pixels is the maximum, (P, C); the first among equals.
        parts: Likewise statistics of each block, (blocks, 3, total), of both pools.
    """
    OH: tl.constexpr = (H - 1) // STRIDE + 1
    OW: tl.constexpr = (W - 1) // STRIDE + 1
    t = tl.program_id(0)
    c = tl.arange(0, C)
    b, row, column, inside = block_pixels(t, Q, OH, OW, M)
    h, w = row * STRIDE - 1, column * STRIDE - 1
    corner = x + ((b * H + h) * W + w)[:, None] * C + c[None, :]
    highest = tl.full((4 * M, C), float("-inf"), ACC)
    winner = tl.full((4 * M, C), 4, tl.int32)
    added = tl.zeros((4 * M, C), ACC)
    count = tl.zeros((4 * M,), ACC)
    for i in tl.static_range(3):
        for j in tl.static_range(3):
            ok = inside & (h + i >= 0) & (h + i < H) & (w + j >= 0) & (w + j < W)
            value = tl.load(corner + (i * W + j) * C, mask=ok[:, None], other=0.0).to(ACC)
            added += value
            count += ok.to(ACC)
            wins = ok[:, None] & ((value > highest) | (value != value))
            highest = tl.where(wins, value, highest)
            winner = tl.where(wins, i * 3 + j, winner)
    rows = (((b * OH + row) * OW + column) * C)[:, None] + c[None, :]
    kind = pooled.dtype.element_ty
    highest = highest.to(kind)
    average = (added / tl.maximum(count, 1.0)[:, None]).to(kind)
    tl.store(pooled + rows, highest, mask=inside[:, None])
    tl.store(pooled + Q * OH * C + rows, average, mask=inside[:, None])
    tl.store(winners + rows, winner.to(tl.int8), mask=inside[:, None])
    of_block = parts + t * 3 * total + c
    block_statistics(highest.to(ACC), inside, of_block, total, ACC)
    block_statistics(average.to(ACC), inside, of_block + C, total, ACC)


@triton.jit(do_not_specialize=["E"])
def pools_gradient(
    grad_x, gated, winners, pooled, mean, rstd, gates, sums, P, P_OUT, first, E,
    H: tl.constexpr, W: tl.constexpr, C: tl.constexpr, STRIDE: tl.constexpr, PIX: tl.constexpr,
    COLUMNS: tl.constexpr, NUM_GATES: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """Grid (tiles,): what both pools and the identity say of the pixels that they have read.

    Gathered: each pixel asks every window that it lies in.

    Args:
        grad_x: Where to write it, (P, C).
        gated: Of `fairdarts.kernels.mix.mix_sums`, (3, P_OUT, C).
        winners, pooled: Of `pools_forward`.
        mean, rstd: Of the batch norms of the first stage; those of the pools begin at `first`.
        gates: (E, NUM_GATES); `COLUMNS` are those of the candidates.
        sums: Of `fairdarts.kernels.mix.gate_gradients`, (E, 8, C).
    """
    OH: tl.constexpr = (H - 1) // STRIDE + 1
    OW: tl.constexpr = (W - 1) // STRIDE + 1
    c = tl.arange(0, C)
    p = tl.program_id(0) * PIX + tl.arange(0, PIX)
    inside = p < P
    b, h, w = p // (H * W), p // W % H, p % W
    rows = (p * C)[:, None] + c[None, :]
    mean += first + c
    rstd += first + c
    # What batch norm takes off the gradients of all edges: their mean, and their share of the
    # normalised features.
    offset_0 = tl.zeros((C,), ACC)
    offset_1, slope_0, slope_1 = offset_0, offset_0, offset_0
    for e in tl.range(E):
        of_edge = sums + e * 8 * C + c
        gate_0 = tl.load(gates + e * NUM_GATES + COLUMNS[4]).to(ACC) / P_OUT
        gate_1 = tl.load(gates + e * NUM_GATES + COLUMNS[5]).to(ACC) / P_OUT
        offset_0 += gate_0 * tl.load(of_edge)
        offset_1 += gate_1 * tl.load(of_edge)
        slope_0 += gate_0 * tl.load(of_edge + 5 * C)
        slope_1 += gate_1 * tl.load(of_edge + 6 * C)
    mean_0, mean_1 = tl.load(mean)[None, :], tl.load(mean + C)[None, :]
    scale_0, scale_1 = tl.load(rstd)[None, :], tl.load(rstd + C)[None, :]
    acc = tl.zeros((PIX, C), ACC)
    if COLUMNS[6] >= 0:
        acc += tl.load(gated + 2 * P_OUT * C + rows, mask=inside[:, None], other=0.0)
    for i in tl.range(3):
        hh = h + 1 - i
        row_ok = inside & (hh >= 0) & (hh % STRIDE == 0) & (hh // STRIDE < OH)
        high = 1 + (hh > 0).to(tl.int32) + (hh < H - 1).to(tl.int32)
        for j in tl.static_range(3):
            # The pixel is number 3 i + j of the window whose centre is here.
            ww = w + 1 - j
            ok = (row_ok & (ww >= 0) & (ww % STRIDE == 0) & (ww // STRIDE < OW))[:, None]
            at = (((b * OH + hh // STRIDE) * OW + ww // STRIDE) * C)[:, None] + c[None, :]
            hat = (tl.load(pooled + at, mask=ok, other=0.0).to(ACC) - mean_0) * scale_0
            grad = tl.load(gated + at, mask=ok, other=0.0)
            grad = (grad - offset_0[None, :] - hat * slope_0[None, :]) * scale_0
            winner = tl.load(winners + at, mask=ok, other=-1)
            acc += tl.where(winner == 3 * i + j, grad, 0.0)
            hat = (tl.load(pooled + P_OUT * C + at, mask=ok, other=0.0).to(ACC) - mean_1) * scale_1
            grad = tl.load(gated + P_OUT * C + at, mask=ok, other=0.0)
            grad = (grad - offset_1[None, :] - hat * slope_1[None, :]) * scale_1
            wide = 1 + (ww > 0).to(tl.int32) + (ww < W - 1).to(tl.int32)
            acc += tl.where(ok, grad / (high * wide).to(ACC)[:, None], 0.0)
    tl.store(grad_x + rows, acc, mask=inside[:, None])
