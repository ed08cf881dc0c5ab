"""Blocks of four rows, which share what they read.

A depthwise convolution reads every feature once a tap, and these reads, though all from the cache
of a multiprocessor, are what its time goes into. So a program computes four rows at once: a row
that it has read serves all of them, and so does a tap.

A block is four rows of M columns. Columns of all images are counted in one, Q = B * W of them, so
that narrow images fill a block, too. Several blocks in succession are a chunk.
"""

# mypy: ignore-errors
# ruff: noqa: RUF005
# Triton compiles these functions; their arguments have no Python types, and it does not unpack.

import triton
import triton.language as tl


@triton.jit
def block_rows(t, Q, H: tl.constexpr, W: tl.constexpr, M: tl.constexpr):
    """First row of block t, and image, column and "is one" of its M columns."""
    blocks: tl.constexpr = (H + 3) // 4
    q = t // blocks * M + tl.arange(0, M)
    return t % blocks * 4, q // W, q % W, q < Q


@triton.jit
def block_pixels(t, Q, H: tl.constexpr, W: tl.constexpr, M: tl.constexpr):
    """Image, row, column and "is one" of the 4 * M pixels of block t, row by row."""
    blocks: tl.constexpr = (H + 3) // 4
    k = tl.arange(0, 4 * M)
    q = t // blocks * M + k % M
    h = t % blocks * 4 + k // M
    return q // W, h, q % W, (q < Q) & (h < H)


@triton.jit
def four_rows(M: tl.constexpr, C: tl.constexpr, ACC: tl.constexpr):
    """Sums that begin with zero, four of (M, C)."""
    return (tl.zeros((M, C), ACC),) * 4


@triton.jit
def stacked(rows, M: tl.constexpr, C: tl.constexpr):
    """Four of (M, C) as (4 * M, C), in the order of `block_pixels`."""
    pairs = tl.join(tl.join(rows[0], rows[2]), tl.join(rows[1], rows[3]))
    return tl.reshape(tl.permute(pairs, (2, 3, 0, 1)), (4 * M, C))


@triton.jit
def column_of_taps(taps, j, c, CT, K: tl.constexpr, ACC: tl.constexpr):
    """The K taps of column j of a K x K kernel, (1, C) each; `taps` are (K * K, CT)."""
    column = ()
    for i in tl.static_range(K):
        column = column + (tl.load(taps + (i * K + j) * CT + c).to(ACC)[None, :],)
    return column


@triton.jit
def plus(sums, i: tl.constexpr, summand):
    """Several sums, with something added to one of them."""
    return sums[:i] + (sums[i] + summand,) + sums[i + 1 :]


@triton.jit
def plus_row(
    acc, r: tl.constexpr, x, tap, distance: tl.constexpr, K: tl.constexpr, DILATION: tl.constexpr
):
    """Add to row r of a block what it reads with the tap `distance` rows from the first, if any."""
    if distance >= 0 and distance % DILATION == 0 and distance // DILATION < K:
        acc = plus(acc, r, x * tap[distance // DILATION])
    return acc


@triton.jit
def gathered(
    acc, grad, taps, row, b, w, inside, c, CT,
    OH: tl.constexpr, OW: tl.constexpr, K: tl.constexpr, DILATION: tl.constexpr,
    STRIDE: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """Add to the four rows of a block what the outputs that have read each pixel say of it.

    Args:
        acc: Gradients of the rows.
        grad: Gradients of the outputs, (P_OUT, CT).
        taps: (K * K, CT).
        row, b, w, inside: Of `block_rows`.
        c: Channels of the edge among all CT.
    """
    pad: tl.constexpr = DILATION * (K - 1) // 2
    for j in tl.range(K):
        tap = column_of_taps(taps, j, c, CT, K, ACC)
        ww = w + pad - j * DILATION
        column_ok = inside & (ww >= 0) & (ww % STRIDE == 0) & (ww // STRIDE < OW)
        column = grad + ((b * OH * OW + ww // STRIDE) * CT)[:, None] + c[None, :]
        for v in tl.static_range(-(pad // STRIDE), (3 + pad) // STRIDE + 1):
            hh = row // STRIDE + v
            ok = (column_ok & (hh >= 0) & (hh < OH))[:, None]
            g = tl.load(column + hh * OW * CT, mask=ok, other=0.0).to(ACC)
            for r in tl.static_range(4):
                acc = plus_row(acc, r, g, tap, r + pad - v * STRIDE, K, DILATION)
    return acc
