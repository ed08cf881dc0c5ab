"""Both poolings of a node in one kernel, and the gradient of everything that reads its features."""

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
        parts: Likewise statistics of each tile, (tiles, 2, total); the last 2 C channels are ours.
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
    ours = parts + t * 2 * total + total - 2 * C + c
    tile_statistics(highest.to(ACC), inside, ours, P, total, PIX, ACC)
    tile_statistics(average.to(ACC), inside, ours + C, P, total, PIX, ACC)


@triton.jit
def pools_backward(
    slopes, grads, gates, pooled, mean, rstd, sums, P, first,
    H: tl.constexpr, W: tl.constexpr, C: tl.constexpr, STRIDE: tl.constexpr, PIX: tl.constexpr,
    NUM: tl.constexpr, COLUMNS: tl.constexpr, NUM_GATES: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """Grid (tiles,): gradients of maxima, of averages (per pixel) and of the identity, (3, P, C).

    Args:
        slopes: Where to write them.
        grads: Gradients of the mixed features of each edge, (P, C).
        gates: (E, NUM_GATES); `COLUMNS` are those of the candidates, the pools and the identity.
        pooled: (2, P, C).
        mean, rstd: Of the batch norms of the first stage; those of the pools begin at `first`.
        sums: Of `fairdarts.kernels.mix.mix_sums`, (E, 8, C).
    """
    OH: tl.constexpr = (H - 1) // STRIDE + 1
    OW: tl.constexpr = (W - 1) // STRIDE + 1
    c = tl.arange(0, C)
    p = tl.program_id(0) * PIX + tl.arange(0, PIX)
    inside = (p < P)[:, None]
    rows = (p * C)[:, None] + c[None, :]
    highest, average = first + c, first + C + c
    scale_0, scale_1 = tl.load(rstd + highest)[None, :], tl.load(rstd + average)[None, :]
    hat_0 = tl.load(pooled + rows, mask=inside, other=0.0).to(ACC)
    hat_0 = (hat_0 - tl.load(mean + highest)[None, :]) * scale_0
    hat_1 = tl.load(pooled + P * C + rows, mask=inside, other=0.0).to(ACC)
    hat_1 = (hat_1 - tl.load(mean + average)[None, :]) * scale_1
    slope_0 = tl.zeros((PIX, C), ACC)
    slope_1 = slope_0
    same = slope_0
    for e in tl.static_range(NUM):
        grad = tl.load(grads[e] + rows, mask=inside, other=0.0).to(ACC)
        gate = gates + e * NUM_GATES
        if COLUMNS[6] >= 0:
            same += grad * tl.load(gate + COLUMNS[6]).to(ACC)
        of_edge = sums + e * 8 * C + c
        grad -= (tl.load(of_edge) / P)[None, :]
        slope = grad - hat_0 * (tl.load(of_edge + 5 * C) / P)[None, :]
        slope_0 += slope * tl.load(gate + COLUMNS[4]).to(ACC)
        slope = grad - hat_1 * (tl.load(of_edge + 6 * C) / P)[None, :]
        slope_1 += slope * tl.load(gate + COLUMNS[5]).to(ACC)
    h, w = p // OW % OH * STRIDE, p % OW * STRIDE
    high = 1 + (h > 0).to(tl.int32) + (h < H - 1).to(tl.int32)
    wide = 1 + (w > 0).to(tl.int32) + (w < W - 1).to(tl.int32)
    slope_1 /= (high * wide).to(ACC)[:, None]
    tl.store(slopes + rows, slope_0 * scale_0, mask=inside)
    tl.store(slopes + P * C + rows, slope_1 * scale_1, mask=inside)
    if COLUMNS[6] >= 0:
        tl.store(slopes + 2 * P * C + rows, same, mask=inside)


@triton.jit
def input_gradient(
    grad_x, x, slopes, winners, parts, P, P_OUT,
    H: tl.constexpr, W: tl.constexpr, C: tl.constexpr, STRIDE: tl.constexpr, PIX: tl.constexpr,
    IDENTITY: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """Grid (tiles,): add up what pools, identity and the four convolutions say of each pixel.

    Args:
        grad_x: Where to write the gradient of x, (P, C).
        x: (P, C).
        slopes: Of `pools_backward`, (3, P_OUT, C).
        winners: Of `pools_forward`.
        parts: Gradients of the rectified features by each convolution, (4, P, C).
    """
    OH: tl.constexpr = (H - 1) // STRIDE + 1
    OW: tl.constexpr = (W - 1) // STRIDE + 1
    c = tl.arange(0, C)
    p = tl.program_id(0) * PIX + tl.arange(0, PIX)
    inside = p < P
    rows = (p * C)[:, None] + c[None, :]
    total = tl.zeros((PIX, C), ACC)
    for n in tl.static_range(4):
        total += tl.load(parts + n * P * C + rows, mask=inside[:, None], other=0.0)
    features = tl.load(x + rows, mask=inside[:, None], other=0.0).to(ACC)
    total = tl.where(features > 0, total, 0.0)
    b, h, w = p // (H * W), p // W % H, p % W
    for i in tl.range(3):
        hh = h + 1 - i
        row_ok = inside & (hh >= 0) & (hh % STRIDE == 0) & (hh // STRIDE < OH)
        for j in tl.static_range(3):
            # The pixel is number 3 i + j of the window whose centre is here.
            ww = w + 1 - j
            ok = row_ok & (ww >= 0) & (ww % STRIDE == 0) & (ww // STRIDE < OW)
            at = (((b * OH + hh // STRIDE) * OW + ww // STRIDE) * C)[:, None] + c[None, :]
            winner = tl.load(winners + at, mask=ok[:, None], other=-1)
            of_maximum = tl.load(slopes + at, mask=ok[:, None], other=0.0)
            total += tl.where(winner == 3 * i + j, of_maximum, 0.0)
            total += tl.load(slopes + P_OUT * C + at, mask=ok[:, None], other=0.0)
    if IDENTITY:
        total += tl.load(slopes + 2 * P_OUT * C + rows, mask=inside[:, None], other=0.0)
    tl.store(grad_x + rows, total.to(grad_x.dtype.element_ty), mask=inside[:, None])
