"""ReLU, depthwise convolution, 1x1 convolution and the statistics of the result, in one kernel.

For all candidates of a node and all edges at once. Candidates come in pairs of 5 x 5 and 3 x 3,
34 taps together: the first pair without dilation, the second with dilation 2.
"""

# mypy: ignore-errors
# Triton compiles these functions; their arguments have no Python types.

import triton
import triton.language as tl

from fairdarts.kernels.choose import choose
from fairdarts.kernels.rows import (
    block_pixels,
    block_rows,
    column_of_taps,
    four_rows,
    plus_row,
    stacked,
)


@triton.jit
def rectified(pointers, ok, mean, rstd, AFFINE: tl.constexpr, ACC: tl.constexpr):
    """ReLU of features, or of their batch norm; 0 outside of the image, also after a batch norm."""
    x = tl.load(pointers, mask=ok, other=0.0).to(ACC)
    if AFFINE:
        x = tl.where(ok, (x - mean) * rstd, 0.0)
    # A search that diverges must show: NaN stays NaN, as in torch.
    return tl.maximum(x, 0.0, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def _convolved(
    acc, x, mean, rstd, depthwise, row, b, w, inside, cx, cz, CX, CT,
    H: tl.constexpr, W: tl.constexpr, K: tl.constexpr, DILATION: tl.constexpr,
    STRIDE: tl.constexpr, AFFINE: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    pad: tl.constexpr = DILATION * (K - 1) // 2
    top, left = row * STRIDE - pad, w * STRIDE - pad
    corner = x + ((b * H * W + left) * CX)[:, None] + cx[None, :]
    mu, rs = 0.0, 0.0
    if AFFINE:
        mu, rs = tl.load(mean + cx)[None, :], tl.load(rstd + cx)[None, :]
    for j in tl.range(K):
        tap = column_of_taps(depthwise, j, cz, CT, K, ACC)
        column = left + j * DILATION
        column_ok = inside & (column >= 0) & (column < W)
        for v in tl.static_range(0, 3 * STRIDE + 2 * pad + 1, 1 + (STRIDE - 1) * (DILATION - 1)):
            ok = (column_ok & (top + v >= 0) & (top + v < H))[:, None]
            features = corner + ((top + v) * W + j * DILATION) * CX
            features = rectified(features, ok, mu, rs, AFFINE, ACC)
            for r in tl.static_range(4):
                acc = plus_row(acc, r, features, tap, v - r * STRIDE, K, DILATION)
    return acc


@triton.jit
def block_statistics(z, inside, parts, total, ACC: tl.constexpr):
    """Write number and mean of a block, and squared distances from that mean: they don't cancel."""
    z = tl.where(inside[:, None], z, 0.0)
    added = tl.sum(z, 0)
    count = tl.sum(inside.to(ACC), 0)
    mean = added / tl.maximum(count, 1.0)
    distance = tl.where(inside[:, None], z - mean[None, :], 0.0)
    tl.store(parts, tl.zeros_like(mean) + count)
    tl.store(parts + total, mean)
    tl.store(parts + 2 * total, tl.sum(distance * distance, 0))


@triton.jit
def stage_forward(
    x, mean, rstd, depthwise, pointwise, z, mid, parts, P, Q, x_step, norm_step, CX, CT, total,
    H: tl.constexpr, W: tl.constexpr, C: tl.constexpr, STRIDE: tl.constexpr, M: tl.constexpr,
    SHARED: tl.constexpr, AFFINE: tl.constexpr, ACC: tl.constexpr,
    DOT: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Grid (candidates, E, blocks): convolve the features of one edge with one candidate.

    Args:
        x: (P', C), which all read (SHARED), or those of each candidate, `x_step` apart: (P', CT).
        mean, rstd: Of the batch norm before the ReLU (AFFINE), (CT,), `norm_step` apart.
        depthwise: Taps of all candidates, (taps, CT).
        pointwise: 1x1 weights of each candidate, (CT, C).
        z: Where to write the results, (candidates, P, CT).
        mid: Likewise those of the depthwise convolutions; None: nowhere.
        parts: Likewise statistics of each block, (blocks, 3, total).
    """
    n, e, t = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    OH: tl.constexpr = (H - 1) // STRIDE + 1
    OW: tl.constexpr = (W - 1) // STRIDE + 1
    c = tl.arange(0, C)
    cx = c if SHARED else e * C + c
    cz = e * C + c
    taps = depthwise + (n // 2 * 34 + n % 2 * 25) * CT
    x += n.to(tl.int64) * x_step
    mu, rs = mean, rstd
    if AFFINE:
        mu, rs = mean + n * norm_step, rstd + n * norm_step
    row, b, w, inside = block_rows(t, Q, OH, OW, M)
    acc = four_rows(M, C, ACC)
    for k in tl.static_range(4 if SHARED else 2):  # those with dilation have no second stage
        if n == k:
            acc = _convolved(acc, x, mu, rs, taps, row, b, w, inside, cx, cz, CX, CT,
                             H, W, 5 - k % 2 * 2, 1 + k // 2, STRIDE, AFFINE, ACC)  # fmt: skip
    of_candidate = n.to(tl.int64) * P * CT
    if mid is not None:
        for r in tl.static_range(4):
            p = (b * OH + row + r) * OW + w
            ok = (inside & (row + r < OH))[:, None]
            tl.store(mid + of_candidate + (p * CT)[:, None] + cz[None, :], acc[r], mask=ok)
    # (C in, C out), which the parameter has the other way round.
    weight = tl.load(choose(pointwise, n) + (e * C + c[None, :]) * C + c[:, None]).to(DOT)
    out = tl.dot(stacked(acc, M, C).to(DOT), weight, input_precision=PRECISION, out_dtype=ACC)
    stored = out.to(z.dtype.element_ty)
    b, h, w, inside = block_pixels(t, Q, OH, OW, M)
    p = (b * OH + h) * OW + w
    tl.store(z + of_candidate + (p * CT)[:, None] + cz[None, :], stored, mask=inside[:, None])
    of_block = parts + t * 3 * total + n * CT + cz
    block_statistics(stored.to(ACC), inside, of_block, total, ACC)
