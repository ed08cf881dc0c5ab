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


@triton.jit(do_not_specialize=["num_chunks"])
def add_taps(
    parts, sums, num_chunks, num_taps, CT, first, C: tl.constexpr, ROWS: tl.constexpr,
    ACC: tl.constexpr,
):  # fmt: skip
    """Grid (taps, E): add up the chunks of `tap_gradients`, and lay taps out as weights do.

    Args:
        parts: (chunks, taps, CT).
        sums: Where to write weights (CT, 1, K, K), candidate after candidate, from `first` on.
    """
    tap = tl.program_id(0)
    c = tl.program_id(1) * C + tl.arange(0, C)
    acc = tl.zeros((ROWS, C), ACC)
    for start in range(0, num_chunks, ROWS):
        t = start + tl.arange(0, ROWS)
        at = ((t.to(tl.int64) * num_taps + tap) * CT)[:, None] + c[None, :]
        acc += tl.load(parts + at, mask=(t < num_chunks)[:, None], other=0.0)
    is_five = tap % 34 < 25
    size = tl.where(is_five, 25, 9)
    nth = tl.where(is_five, tap % 34, tap % 34 - 25)
    tl.store(sums + first + (tap - nth) * CT + c * size + nth, tl.sum(acc, 0))
