"""Gradients of what depthwise convolutions and pools have read.

Gathered: each pixel asks every output that has read it. No two programs add to the same number.
"""

# mypy: ignore-errors
# Triton compiles these functions; their arguments have no Python types.

import triton
import triton.language as tl

from fairdarts.kernels.taps import gathered


@triton.jit
def depthwise_backward(
    grad_x, grad, x, mean, rstd, taps, parts, sums, P, CT, norm_step, num_taps,
    H: tl.constexpr, W: tl.constexpr, C: tl.constexpr, PIX: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """Grid (2, E, tiles): the second depthwise convolutions of both separable candidates.

    Gradients of their weights, and of the normalised features before the ReLU, in one pass.

    Args:
        grad_x: Where to write the latter, (2, P, CT).
        grad: Gradients of the results, (2, P, CT).
        x: The features before batch norm, (2, P, CT).
        mean, rstd: Of the batch norm, (CT,), `norm_step` apart.
        taps: (taps, CT).
        parts: Where to write what each tile says of each tap, (tiles, taps, CT); None: nowhere.
        sums: Likewise what it says of the batch norm, (tiles, 2, 2, CT): sums of the gradient, and
            of its products with the normalised features, of both candidates.
    """
    n, e, t = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    c = e * C + tl.arange(0, C)
    p = t * PIX + tl.arange(0, PIX)
    inside = p < P
    rows = (p * CT)[:, None] + c[None, :]
    of_candidate = n.to(tl.int64) * P * CT
    hat = tl.load(x + of_candidate + rows, mask=inside[:, None], other=0.0).to(ACC)
    norm = n * norm_step + c
    hat = (hat - tl.load(mean + norm)[None, :]) * tl.load(rstd + norm)[None, :]
    features = tl.where(inside[:, None] & (hat > 0), hat, 0.0)
    b, h, w = p // (H * W), p // W % H, p % W
    part = parts
    if parts is not None:
        part = parts + (t.to(tl.int64) * num_taps + n * 25) * CT
    acc = tl.zeros((PIX, C), ACC)
    grad += of_candidate
    if n == 0:
        acc = gathered(acc, grad, features, taps, part, b, h, w, inside, c, CT, 1,
                       H, W, 5, 1, ACC)  # fmt: skip
    else:
        acc = gathered(acc, grad, features, taps + 25 * CT, part, b, h, w, inside, c, CT, 1,
                       H, W, 3, 1, ACC)  # fmt: skip
    acc = tl.where(features > 0, acc, 0.0)
    sums += (t * 4 + n) * CT + c
    tl.store(sums, tl.sum(acc, 0))
    tl.store(sums + 2 * CT, tl.sum(acc * features, 0))
    tl.store(grad_x + of_candidate + rows, acc.to(grad_x.dtype.element_ty), mask=inside[:, None])


@triton.jit(do_not_specialize=["E"])
def input_gradient(
    grad_x, x, grads, taps, parts, gated, winners, pooled, mean, rstd, gates, sums, P, P_OUT, CT,
    first, E, num_taps,
    H: tl.constexpr, W: tl.constexpr, C: tl.constexpr, STRIDE: tl.constexpr, PIX: tl.constexpr,
    COLUMNS: tl.constexpr, NUM_GATES: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """Grid (tiles,): add up what everything that has read a pixel says of it.

    These are the first depthwise convolutions of all candidates and edges, whose weights get their
    gradients in the same pass, both pools and the identity.

    Args:
        grad_x: Where to write the gradient of x, (P, C).
        x: (P, C).
        grads: Gradients of the results of the convolutions, (4, P_OUT, CT).
        taps: (taps, CT).
        parts: Where to write what each tile says of each tap, (tiles, taps, CT); None: nowhere.
        gated: Of `fairdarts.kernels.mix.mix_sums`, (3, P_OUT, C).
        winners, pooled: Of `fairdarts.kernels.pools.pools_forward`.
        mean, rstd: Of the batch norms of the first stage; those of the pools begin at `first`.
        gates: (E, NUM_GATES); `COLUMNS` are those of the candidates.
        sums: Of `fairdarts.kernels.mix.gate_gradients`, (E, 8, C).
    """
    OH: tl.constexpr = (H - 1) // STRIDE + 1
    OW: tl.constexpr = (W - 1) // STRIDE + 1
    t = tl.program_id(0)
    c = tl.arange(0, C)
    p = t * PIX + tl.arange(0, PIX)
    inside = p < P
    rows = (p * C)[:, None] + c[None, :]
    b, h, w = p // (H * W), p // W % H, p % W
    others = _through_pools(gated, winners, pooled, mean + first + c, rstd + first + c, gates, sums,
                            b, h, w, inside, c, P_OUT, E, H, W, C, STRIDE, PIX, COLUMNS, NUM_GATES,
                            ACC)  # fmt: skip
    if COLUMNS[6] >= 0:
        others += tl.load(gated + 2 * P_OUT * C + rows, mask=inside[:, None], other=0.0)
    features = tl.load(x + rows, mask=inside[:, None], other=0.0).to(ACC)
    features = tl.where(features > 0, features, 0.0)
    acc = tl.zeros((PIX, C), ACC)
    five = grads
    for pair in tl.range(2):  # of 5 x 5 and 3 x 3, without dilation and with dilation 2
        three = five + P_OUT * CT
        fives, threes = taps + pair * 34 * CT, taps + (pair * 34 + 25) * CT
        part_5, part_3 = parts, parts
        if parts is not None:
            part_5 = parts + (t.to(tl.int64) * num_taps + pair * 34) * CT
            part_3 = part_5 + 25 * CT
        for e in tl.range(E):
            acc = gathered(acc, five, features, fives, part_5, b, h, w, inside, e * C + c, CT,
                           1 + pair, OH, OW, 5, STRIDE, ACC)  # fmt: skip
            acc = gathered(acc, three, features, threes, part_3, b, h, w, inside, e * C + c, CT,
                           1 + pair, OH, OW, 3, STRIDE, ACC)  # fmt: skip
        five = three + P_OUT * CT
    acc = tl.where(features > 0, acc, 0.0) + others
    tl.store(grad_x + rows, acc.to(grad_x.dtype.element_ty), mask=inside[:, None])


@triton.jit
def _through_pools(
    gated, winners, pooled, mean, rstd, gates, sums, b, h, w, inside, c, P_OUT, E,
    H: tl.constexpr, W: tl.constexpr, C: tl.constexpr, STRIDE: tl.constexpr, PIX: tl.constexpr,
    COLUMNS: tl.constexpr, NUM_GATES: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    OH: tl.constexpr = (H - 1) // STRIDE + 1
    OW: tl.constexpr = (W - 1) // STRIDE + 1
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
    return acc
