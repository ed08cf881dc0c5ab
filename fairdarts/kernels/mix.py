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
    x, outputs, sums, zs, means, rstds, pooled, mean, rstd, gates, P, CT, first,
    C: tl.constexpr, PIX: tl.constexpr, COLUMNS: tl.constexpr, NUM_GATES: tl.constexpr,
    ACC: tl.constexpr,
):  # fmt: skip
    """Grid (E, tiles): add up the candidates of an edge, each normalised and times its gate.

    Args:
        x: (P, C), for the identity.
        outputs: Where to write the mixed features of each edge, (P, C).
        sums: Features that are added to those of each edge, (P, C); None: nothing is.
        zs: What the convolutions put out, (P, CT).
        means, rstds: Of their batch norms, (CT,).
        pooled: (2, P, C).
        mean, rstd: Of the batch norms of the first stage; those of the pools begin at `first`.
        gates: (E, NUM_GATES).
    """
    e = tl.program_id(0)
    c = tl.arange(0, C)
    cz = e * C + c
    p = tl.program_id(1) * PIX + tl.arange(0, PIX)
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
    if sums is not None:
        total += tl.load(choose(sums, e) + rows, mask=inside, other=0.0).to(ACC)
    output = choose(outputs, e)
    tl.store(output + rows, total.to(output.dtype.element_ty), mask=inside)


@triton.jit(do_not_specialize=["E"])
def mix_sums(
    x, grads, zs, means, rstds, pooled, mean, rstd, gates, gated, parts, P, CT, first, E,
    C: tl.constexpr, PIX: tl.constexpr, COLUMNS: tl.constexpr, NUM_GATES: tl.constexpr,
    ACC: tl.constexpr,
):  # fmt: skip
    """Grid (tiles,): sums over a tile of the gradient of each edge, and of it times each candidate.

    They are what the gradients of the gates and of the batch norms need.

    Args:
        grads: Gradients of the mixed features of each edge, (P, C).
        gated: Where to write those of both pools and of the identity before batch norm: the sum
            over the edges of gate times gradient, (3, P, C); None: nowhere.
        parts: Where to write the sums, (tiles, E, 8, C): of the gradient; times each of seven.
        x, zs, means, rstds, pooled, mean, rstd, gates, first: See `mix_forward`.
    """
    t = tl.program_id(0)
    c = tl.arange(0, C)
    p = t * PIX + tl.arange(0, PIX)
    inside = (p < P)[:, None]
    rows = (p * C)[:, None] + c[None, :]
    at = first + c
    highest = _normalised(pooled, rows, mean + at, rstd + at, inside, ACC)
    average = _normalised(pooled + P * C, rows, mean + at + C, rstd + at + C, inside, ACC)
    features = tl.zeros((PIX, C), ACC)
    if COLUMNS[6] >= 0:
        features = tl.load(x + rows, mask=inside, other=0.0).to(ACC)
    of_highest = tl.zeros((PIX, C), ACC)
    of_average = of_highest
    of_identity = of_highest
    for e in tl.range(E):
        grad = tl.load(choose(grads, e) + rows, mask=inside, other=0.0).to(ACC)
        cz = e * C + c
        stacked = (p * CT)[:, None] + cz[None, :]
        part = parts + (t * E + e) * 8 * C + c
        tl.store(part, tl.sum(grad, 0))
        for n in tl.static_range(4):
            z = _normalised(zs[n], stacked, means[n] + cz, rstds[n] + cz, inside, ACC)
            tl.store(part + (1 + n) * C, tl.sum(grad * z, 0))
        tl.store(part + 5 * C, tl.sum(grad * highest, 0))
        tl.store(part + 6 * C, tl.sum(grad * average, 0))
        tl.store(part + 7 * C, tl.sum(grad * features, 0))
        if gated is not None:
            gate = gates + e * NUM_GATES
            of_highest += grad * tl.load(gate + COLUMNS[4]).to(ACC)
            of_average += grad * tl.load(gate + COLUMNS[5]).to(ACC)
            if COLUMNS[6] >= 0:
                of_identity += grad * tl.load(gate + COLUMNS[6]).to(ACC)
    if gated is not None:
        tl.store(gated + rows, of_highest, mask=inside)
        tl.store(gated + P * C + rows, of_average, mask=inside)
        if COLUMNS[6] >= 0:
            tl.store(gated + 2 * P * C + rows, of_identity, mask=inside)


@triton.jit(do_not_specialize=["E", "num_tiles"])
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
