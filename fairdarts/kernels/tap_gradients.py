"""Gradients of the weights of depthwise convolutions, in parts that `add_taps` adds up."""

# mypy: ignore-errors
# ruff: noqa: RUF005
# Triton compiles these functions; their arguments have no Python types, and it does not unpack.

import triton
import triton.language as tl

from fairdarts.kernels.rows import block_rows, plus
from fairdarts.kernels.stage import rectified


@triton.jit
def _plus_tap(acc, product, distance: tl.constexpr, K: tl.constexpr, DILATION: tl.constexpr):
    """As `plus_row`, for the gradient of the tap that many rows from the first one."""
    if distance >= 0 and distance % DILATION == 0 and distance // DILATION < K:
        acc = plus(acc, distance // DILATION, product)
    return acc


@triton.jit
def _of_column(
    x, mean, rstd, grad, part, j, first_block, last_block, Q, cx, cz, CX, CT, num_taps,
    H: tl.constexpr, W: tl.constexpr, C: tl.constexpr, K: tl.constexpr, DILATION: tl.constexpr,
    STRIDE: tl.constexpr, M: tl.constexpr, AFFINE: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    OH: tl.constexpr = (H - 1) // STRIDE + 1
    OW: tl.constexpr = (W - 1) // STRIDE + 1
    pad: tl.constexpr = DILATION * (K - 1) // 2
    mu, rs = 0.0, 0.0
    if AFFINE:
        mu, rs = tl.load(mean + cx)[None, :], tl.load(rstd + cx)[None, :]
    acc = (tl.zeros((M, C), ACC),) * K
    for block in tl.range(first_block, last_block):
        row, b, w, inside = block_rows(block, Q, OH, OW, M)
        slopes = grad + ((b * OH * OW + w) * CT)[:, None] + cz[None, :]
        g = ()
        for r in tl.static_range(4):
            ok = (inside & (row + r < OH))[:, None]
            slope = tl.load(slopes + (row + r) * OW * CT, mask=ok, other=0.0).to(ACC)
            g = g + (slope,)
        top, column = row * STRIDE - pad, w * STRIDE - pad + j * DILATION
        column_ok = inside & (column >= 0) & (column < W)
        features_0 = x + ((b * H * W + column) * CX)[:, None] + cx[None, :]
        for v in tl.static_range(0, 3 * STRIDE + 2 * pad + 1, 1 + (STRIDE - 1) * (DILATION - 1)):
            ok = (column_ok & (top + v >= 0) & (top + v < H))[:, None]
            features = rectified(features_0 + (top + v) * W * CX, ok, mu, rs, AFFINE, ACC)
            for r in tl.static_range(4):
                acc = _plus_tap(acc, features * g[r], v - r * STRIDE, K, DILATION)
    quarter = part + tl.arange(0, 4)[:, None] * num_taps * CT + cz[None, :]
    for i in tl.static_range(K):
        # The columns of a quarter lie in one warp: adding them up, warps need not wait for others.
        quarters = tl.reshape(acc[i], (4, M // 4, C))
        tl.store(quarter + (i * K + j) * CT, tl.sum(quarters, 1))


@triton.jit(do_not_specialize=["num_blocks"])
def tap_gradients(
    x, mean, rstd, grad, parts, P, Q, x_step, norm_step, CX, CT, num_taps, num_blocks,
    H: tl.constexpr, W: tl.constexpr, C: tl.constexpr, STRIDE: tl.constexpr, M: tl.constexpr,
    SHARED: tl.constexpr, AFFINE: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """Grid (columns of taps, E, chunks): what a chunk says of one column of taps on one edge.

    Columns are those of all candidates, eight of a pair of 5 x 5 and 3 x 3: programs that run at
    the same time read the same features.

    Args:
        grad: Gradients of the results of the convolutions, (candidates, P, CT).
        parts: Where to write what each quarter of a chunk says, (chunks * 4, taps, CT).
        x, mean, rstd: What the convolutions read; see `fairdarts.kernels.stage.stage_forward`.
        num_blocks: Of a chunk.
    """
    pair, j = tl.program_id(0) // 8, tl.program_id(0) % 8
    e, t = tl.program_id(1), tl.program_id(2)
    is_three = (j >= 5).to(tl.int32)
    n = 2 * pair + is_three
    first_block = t * num_blocks
    last_block = tl.minimum(
        first_block + num_blocks, (Q + M - 1) // M * (((H - 1) // STRIDE + 4) // 4)
    )
    c = tl.arange(0, C)
    cx = c if SHARED else e * C + c
    cz = e * C + c
    part = parts + (t.to(tl.int64) * 4 * num_taps + pair * 34 + is_three * 25) * CT
    x += n.to(tl.int64) * x_step
    slopes = grad + n.to(tl.int64) * P * CT
    mu, rs = mean, rstd
    if AFFINE:
        mu, rs = mean + n * norm_step, rstd + n * norm_step
    for k in tl.static_range(4 if SHARED else 2):  # those with dilation have no second stage
        if n == k:
            _of_column(x, mu, rs, slopes, part, j - k % 2 * 5, first_block, last_block, Q,
                       cx, cz, CX, CT, num_taps, H, W, C, 5 - k % 2 * 2, 1 + k // 2, STRIDE, M,
                       AFFINE, ACC)  # fmt: skip
