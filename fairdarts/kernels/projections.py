"""Gradients through batch norm and 1x1 convolution, and those of the 1x1 weights.

No two programs add to the same number: each writes what it knows of a weight, and the parts are
added up afterwards, in the same order every time.
"""

# mypy: ignore-errors
# Triton compiles these functions; their arguments have no Python types.

import triton
import triton.language as tl

from fairdarts.kernels.choose import choose


@triton.jit
def _project(
    grad, z, mid, mean, rstd, gate, sum_grad, sum_product, pointwise, grad_mid, weights,
    P, GT, CT, num_tiles,
    C: tl.constexpr, PIX: tl.constexpr, SHARED: tl.constexpr, ACC: tl.constexpr, DOT: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    e = tl.program_id(1)
    c = tl.arange(0, C)
    cz = e * C + c
    cg = c if SHARED else cz
    mu, rs = tl.load(mean + cz)[None, :], tl.load(rstd + cz)[None, :]
    offset = (tl.load(sum_grad + cg) / P)[None, :]
    slope = (tl.load(sum_product + cg) / P)[None, :]
    by_output = tl.load(pointwise + (e * C + c[:, None]) * C + c[None, :]).to(DOT)
    acc = tl.zeros((C, C), ACC)
    for k in range(num_tiles):
        p = (tl.program_id(2) * num_tiles + k) * PIX + tl.arange(0, PIX)
        inside = (p < P)[:, None]
        rows = (p * CT)[:, None] + cz[None, :]
        hat = (tl.load(z + rows, mask=inside, other=0.0).to(ACC) - mu) * rs
        g = tl.load(grad + (p * GT)[:, None] + cg[None, :], mask=inside, other=0.0).to(ACC)
        g = tl.where(inside, gate * rs * (g - offset - hat * slope), 0.0).to(DOT)
        back = tl.dot(g, by_output, input_precision=PRECISION, out_dtype=ACC)
        tl.store(grad_mid + rows, back.to(grad_mid.dtype.element_ty), mask=inside)
        if mid is not None:
            m = tl.load(mid + rows, mask=inside, other=0.0).to(DOT)
            acc += tl.dot(tl.trans(g), m, input_precision=PRECISION, out_dtype=ACC)
    if mid is not None:
        tl.store(weights + (e * C + c[:, None]) * C + c[None, :], acc)


@triton.jit(do_not_specialize=["num_tiles"])
def project_outputs(
    grad_mids, grads, zs, means, rstds, mids, gates, sums, pointwise, parts, P, CT, num_tiles, M,
    C: tl.constexpr, PIX: tl.constexpr, COLUMNS: tl.constexpr, NUM_GATES: tl.constexpr,
    ACC: tl.constexpr, DOT: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Grid (4, E, chunks): from the mixed features back to the results of depthwise convolutions.

    Args:
        grad_mids: Where to write those gradients, (P, CT) each.
        grads: Gradients of the mixed features of each edge, (P, C).
        zs, means, rstds: See `fairdarts.kernels.mix.mix_forward`.
        mids: Results of the depthwise convolutions, (P, CT) each; None: weights need no gradient.
        sums: Of `fairdarts.kernels.mix.gate_gradients`, (E, 8, C).
        pointwise: 1x1 weights of each candidate, (CT, C).
        parts: Where to write what each chunk says of them, (chunks, M): candidate by candidate.
        num_tiles: Of a chunk.
    """
    n, e, s = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    mid = mids
    weights = parts
    if mids is not None:
        mid = choose(mids, n)
        weights = parts + s * M + n * CT * C
    gate = tl.load(gates + e * NUM_GATES + choose(COLUMNS, n)).to(ACC)
    total = sums + e * 8 * C
    _project(
        choose(grads, e), choose(zs, n), mid, choose(means, n), choose(rstds, n), gate, total,
        total + (1 + n) * C, choose(pointwise, n), choose(grad_mids, n), weights,
        P, C, CT, num_tiles, C, PIX, True, ACC, DOT, PRECISION,
    )  # fmt: skip


@triton.jit(do_not_specialize=["num_tiles"])
def project_firsts(
    grad_mid, grad, z, mid, mean, rstd, sums, pointwise, parts, P, z_step, norm_step, CT,
    num_tiles, M,
    C: tl.constexpr, PIX: tl.constexpr, ACC: tl.constexpr, DOT: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    """Grid (2, E, chunks): likewise from between the two stages of both separable convolutions.

    Args:
        grad_mid: Where to write the gradients, `z_step` apart, as are z and mid: (P, CT).
        grad: Gradients of the normalised features, (2, P, CT).
        mean, rstd: Of their batch norms, (CT,), `norm_step` apart.
        sums: Of the gradients, and of their products with the features: (2, 2, CT).
        pointwise, parts, num_tiles: See `project_outputs`.
    """
    n, s = tl.program_id(0), tl.program_id(2)
    at = n.to(tl.int64) * z_step
    kept = mid
    weights = parts
    if mid is not None:
        kept = mid + at
        weights = parts + s * M + n * CT * C
    total = sums + n * CT
    _project(
        grad + n.to(tl.int64) * P * CT, z + at, kept, mean + n * norm_step, rstd + n * norm_step,
        1.0, total, total + 2 * CT, choose(pointwise, n), grad_mid + at, weights,
        P, CT, CT, num_tiles, C, PIX, False, ACC, DOT, PRECISION,
    )  # fmt: skip
