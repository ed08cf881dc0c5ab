"""Batch norm across tiles: statistics, their running means, and sums in a fixed order."""

# mypy: ignore-errors
# Triton compiles these functions; their arguments have no Python types.

import triton
import triton.language as tl

from fairdarts.kernels.choose import choose


@triton.jit(do_not_specialize=["num_blocks"])
def combine_statistics(
    parts, mean, rstd, running_means, running_vars, num_blocks, P, CT, total,
    C: tl.constexpr, ROWS: tl.constexpr, NUM_STACKED: tl.constexpr,
    EPS: tl.constexpr, MOMENTUM: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """Grid (total / C,): mean and 1 / standard deviation of C channels from those of all blocks.

    By Chan's formula: squared distances from the blocks' own means, and from those to the mean.

    Args:
        parts: Number, mean and squared distances of each block, (blocks, 3, total).
        mean, rstd: Where to write them, (total,).
        running_means, running_vars: Of each batch norm: NUM_STACKED of CT channels, the rest of C.
        MOMENTUM: Share of the new statistics in the running ones; 0 leaves those as they are.
    """
    channel = tl.program_id(0) * C
    c = channel + tl.arange(0, C)
    acc = tl.zeros((ROWS, C), ACC)
    for start in range(0, num_blocks, ROWS):
        t = start + tl.arange(0, ROWS)
        ok = (t < num_blocks)[:, None]
        at = parts + (t * 3 * total)[:, None] + c[None, :]
        acc += tl.load(at, mask=ok, other=0.0) * tl.load(at + total, mask=ok, other=0.0)
    mu = tl.sum(acc, 0) / P
    acc = tl.zeros((ROWS, C), ACC)
    for start in range(0, num_blocks, ROWS):
        t = start + tl.arange(0, ROWS)
        ok = (t < num_blocks)[:, None]
        at = parts + (t * 3 * total)[:, None] + c[None, :]
        count = tl.load(at, mask=ok, other=0.0)
        distance = tl.load(at + total, mask=ok, other=0.0) - mu[None, :]
        acc += tl.load(at + 2 * total, mask=ok, other=0.0) + count * distance * distance
    squares = tl.sum(acc, 0)
    deviation = squares / P + EPS
    deviation = tl.sqrt_rn(deviation) if tl.float32 == ACC else tl.sqrt(deviation)
    tl.store(mean + c, mu)
    tl.store(rstd + c, 1.0 / deviation)
    if MOMENTUM > 0:
        stacked = NUM_STACKED * CT
        norm = tl.where(channel < stacked, channel // CT, NUM_STACKED + (channel - stacked) // C)
        at = tl.where(channel < stacked, channel % CT, 0) + tl.arange(0, C)
        old_mean = choose(running_means, norm) + at
        old_var = choose(running_vars, norm) + at
        tl.store(old_mean, (1 - MOMENTUM) * tl.load(old_mean) + MOMENTUM * mu)
        variance = squares / (P - 1)
        tl.store(old_var, (1 - MOMENTUM) * tl.load(old_var) + MOMENTUM * variance)


@triton.jit(do_not_specialize=["num_rows"])
def add_rows(
    parts, sums, num_rows, width, BLOCK: tl.constexpr, ROWS: tl.constexpr, ACC: tl.constexpr
):
    """Grid (width / BLOCK,): add up rows, (num_rows, width) to (width,)."""
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    ok = (at < width)[None, :]
    acc = tl.zeros((ROWS, BLOCK), ACC)
    for start in range(0, num_rows, ROWS):
        r = start + tl.arange(0, ROWS)
        here = parts + (r.to(tl.int64) * width)[:, None] + at[None, :]
        acc += tl.load(here, mask=ok & (r < num_rows)[:, None], other=0.0)
    tl.store(sums + at, tl.sum(acc, 0), mask=at < width)
