"""Weights of depthwise convolutions, tap by tap: how kernels read them, and their gradients."""

# mypy: ignore-errors
# Triton compiles these functions; their arguments have no Python types.

import triton
import triton.language as tl

from fairdarts.kernels.choose import choose


@triton.jit
def pack_taps(taps, weights, CT, C: tl.constexpr):
    """Grid (E, candidates): weights (CT, 1, K, K) of all candidates to rows, (taps, CT).

    Args:
        taps: Where to write them.
        weights: Of both stages, in pairs of 5 x 5 and 3 x 3.
    """
    n = tl.program_id(1)
    c = tl.program_id(0) * C + tl.arange(0, C)
    tap = tl.arange(0, 32)[:, None]
    size = tl.where(n % 2 == 0, 25, 9)
    weight = tl.load(choose(weights, n) + c[None, :] * size + tap, mask=tap < size)
    first = n // 2 * 34 + n % 2 * 25
    tl.store(taps + (first + tap) * CT + c[None, :], weight, mask=tap < size)


@triton.jit
def gathered(
    acc, grad, features, taps, parts, b, h, w, inside, c, CT, dilation,
    OH: tl.constexpr, OW: tl.constexpr, K: tl.constexpr, STRIDE: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """Add to `acc` what the outputs that have read each pixel say of it.

    Args:
        acc: Gradients of the pixels of a tile, (PIX, C).
        grad: Gradients of the outputs, (P_OUT, CT).
        features: What the convolution read of the tile, (PIX, C).
        taps: (K * K, CT).
        parts: Where to write what the tile says of each tap, (K * K, CT); None: nowhere.
        b, h, w: Image, row and column of each pixel; `inside`: whether it is one.
        c: Channels of the edge among all CT.
    """
    pad = dilation * (K - 1) // 2
    # Rows in a loop: unrolled, a 5 x 5 kernel needs more registers than there are.
    for i in tl.range(K):
        hh = h + pad - i * dilation
        row_ok = inside & (hh >= 0) & (hh % STRIDE == 0) & (hh // STRIDE < OH)
        row = (b * OH + hh // STRIDE) * OW
        for j in tl.static_range(K):
            ww = w + pad - j * dilation
            ok = row_ok & (ww >= 0) & (ww % STRIDE == 0) & (ww // STRIDE < OW)
            at = ((row + ww // STRIDE) * CT)[:, None] + c[None, :]
            g = tl.load(grad + at, mask=ok[:, None], other=0.0).to(ACC)
            tap = (i * K + j) * CT + c
            acc += g * tl.load(taps + tap).to(ACC)[None, :]
            if parts is not None:
                tl.store(parts + tap, tl.sum(g * features, 0))
    return acc


@triton.jit(do_not_specialize=["num_tiles"])
def add_taps(
    parts, sums, num_tiles, num_taps, CT, first, C: tl.constexpr, ROWS: tl.constexpr,
    ACC: tl.constexpr,
):  # fmt: skip
    """Grid (taps, E): add up the tiles of `gathered`, and lay taps out as weights do.

    Args:
        parts: (tiles, taps, CT).
        sums: Where to write weights (CT, 1, K, K), candidate after candidate, from `first` on.
    """
    tap = tl.program_id(0)
    c = tl.program_id(1) * C + tl.arange(0, C)
    acc = tl.zeros((ROWS, C), ACC)
    for start in range(0, num_tiles, ROWS):
        t = start + tl.arange(0, ROWS)
        at = ((t.to(tl.int64) * num_taps + tap) * CT)[:, None] + c[None, :]
        acc += tl.load(parts + at, mask=(t < num_tiles)[:, None], other=0.0)
    is_five = tap % 34 < 25
    size = tl.where(is_five, 25, 9)
    nth = tl.where(is_five, tap % 34, tap % 34 - 25)
    tl.store(sums + first + (tap - nth) * CT + c * size + nth, tl.sum(acc, 0))
