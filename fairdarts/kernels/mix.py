"""The sum of all gated candidates on each edge (Eq. 6), and the sums that its gradient needs."""

# mypy: ignore-errors
# Triton compiles these functions; their arguments have no Python types.

import triton
import triton.language as tl

from fairdarts.kernels.choose import choose

# The seven candidates of an edge, in this order: four convolutions, maximum, average, identity.
# `COLUMNS` says which column of the gates each has; -1: it is not there.


@triton.jit
def _normalised(z, rows, mean, rstd, inside, ACC: tl.constexpr):
    features = tl.load(z + rows, mask=inside, other=0.0).to(ACC)
    return (features - tl.load(mean)[None, :]) * tl.load(rstd)[None, :]


@triton.jit
def mix_forward(
    x, outputs, zs, means, rstds, pooled, mean, rstd, gates, P, CT, first,
    C: tl.constexpr, PIX: tl.constexpr, COLUMNS: tl.constexpr, NUM_GATES: tl.constexpr,
    ACC: tl.constexpr,
):  # fmt: skip
    """Grid (tiles, E): add up the candidates of an edge, each normalised and times its gate.

    Args:
        x: (P, C), for the identity.
        outputs: Where to write the mixed features of each edge, (P, C).
        zs: What the convolutions put out, (P, CT).
        means, rstds: Of their batch norms, (CT,).
        pooled: (2, P, C).
        mean, rstd: Of the batch norms of the first stage; those of the pools begin at `first`.
        gates: (E, NUM_GATES).
    """
    e = tl.program_id(1)
    c = tl.arange(0, C)
    cz = e * C + c
    p = tl.program_id(0) * PIX + tl.arange(0, PIX)
    inside = (p < P)[:, None]
    rows = (p * C)[:, None] + c[None, :]
    stacked = (p * CT)[:, None] + cz[None, :]
    gate = gates + e * NUM_GATES
    total = tl.zeros((PIX, C), ACC)
    for n in tl.static_range(4):
        z = _normalised(zs[n], stacked, means[n] + cz, rstds[n] + cz, inside, ACC)
        total += z * tl.load(gate + COLUMNS[n]).to(ACC)
    for pool in tl.static_range(2):
        at = first + pool * C + c
        z = _normalised(pooled + pool * P * C, rows, mean + at, rstd + at, inside, ACC)
        total += z * tl.load(gate + COLUMNS[4 + pool]).to(ACC)
    if COLUMNS[6] >= 0:
        features = tl.load(x + rows, mask=inside, other=0.0).to(ACC)
        total += features * tl.load(gate + COLUMNS[6]).to(ACC)
    output = choose(outputs, e)
    tl.store(output + rows, total.to(output.dtype.element_ty), mask=inside)


@triton.jit
def mix_sums(
    x, grads, zs, means, rstds, pooled, mean, rstd, parts, P, CT, first, E,
    C: tl.constexpr, PIX: tl.constexpr, IDENTITY: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """Grid (tiles, E): sums over a tile of the gradient, and of it times each candidate.

    They are what the gradients of the gates and of the batch norms need.

    Args:
        grads: Gradients of the mixed features of each edge, (P, C).
        parts: Where to write the sums, (tiles, E, 8, C): of the gradient; times each of seven.
        x, zs, means, rstds, pooled, mean, rstd, first: See `mix_forward`.
    """
    t, e = tl.program_id(0), tl.program_id(1)
    c = tl.arange(0, C)
    cz = e * C + c
    p = t * PIX + tl.arange(0, PIX)
    inside = (p < P)[:, None]
    rows = (p * C)[:, None] + c[None, :]
    stacked = (p * CT)[:, None] + cz[None, :]
    grad = tl.load(choose(grads, e) + rows, mask=inside, other=0.0).to(ACC)
    part = parts + (t * E + e) * 8 * C + c
    tl.store(part, tl.sum(grad, 0))
    for n in tl.static_range(4):
        z = _normalised(zs[n], stacked, means[n] + cz, rstds[n] + cz, inside, ACC)
        tl.store(part + (1 + n) * C, tl.sum(grad * z, 0))
    for pool in tl.static_range(2):
        at = first + pool * C + c
        z = _normalised(pooled + pool * P * C, rows, mean + at, rstd + at, inside, ACC)
        tl.store(part + (5 + pool) * C, tl.sum(grad * z, 0))
    if IDENTITY:
        features = tl.load(x + rows, mask=inside, other=0.0).to(ACC)
        tl.store(part + 7 * C, tl.sum(grad * features, 0))
    else:
        tl.store(part + 7 * C, tl.zeros((C,), ACC))


@triton.jit
def gate_gradients(
    parts, sums, grad_gates, num_tiles, E,
    C: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, NUM_GATES: tl.constexpr,
    ACC: tl.constexpr,
):  # fmt: skip
    """Grid (E, 8): add up the tiles of `mix_sums`, and over channels for the gates.

    Args:
        sums: Where to write the sums over all pixels, (E, 8, C).
        grad_gates: Likewise the gradients of the gates, (E, NUM_GATES).
    """
    e, j = tl.program_id(0), tl.program_id(1)
    c = tl.arange(0, C)
    acc = tl.zeros((ROWS, C), ACC)
    for start in range(0, num_tiles, ROWS):
        t = start + tl.arange(0, ROWS)
        rows = ((t * E + e) * 8 + j) * C
        acc += tl.load(parts + rows[:, None] + c[None, :], mask=(t < num_tiles)[:, None], other=0.0)
    total = tl.sum(acc, 0)
    tl.store(sums + (e * 8 + j) * C + c, total)
    column = choose(COLUMNS, j - 1)
    if (j > 0) & (column >= 0):
        tl.store(grad_gates + e * NUM_GATES + column, tl.sum(total, 0))
