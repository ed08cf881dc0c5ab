"""Gradients of the convolutions: through batch norm and 1x1, then through depthwise ones.

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
        p = (tl.program_id(0) * num_tiles + k) * PIX + tl.arange(0, PIX)
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


@triton.jit
def project_outputs(
    grad_mids, grads, zs, mids, means, rstds, gates, sums, pointwise, parts, P, CT, num_tiles, M,
    C: tl.constexpr, PIX: tl.constexpr, COLUMNS: tl.constexpr, NUM_GATES: tl.constexpr,
    ACC: tl.constexpr, DOT: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Grid (chunks, E, 4): from the mixed features back to the results of depthwise convolutions.

    Args:
        grad_mids: Where to write those gradients, (P, CT) each.
        grads: Gradients of the mixed features of each edge, (P, C).
        zs, means, rstds: See `fairdarts.kernels.mix.mix_forward`.
        mids: Results of the depthwise convolutions, (P, CT) each; None: weights need no gradient.
        sums: Of `gate_gradients`, (E, 8, C).
        pointwise: 1x1 weights of each candidate, (CT, C).
        parts: Where to write what each chunk says of them, (chunks, M): candidate by candidate.
        num_tiles: Of a chunk.
    """
    s, e, n = tl.program_id(0), tl.program_id(1), tl.program_id(2)
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


@triton.jit
def project_firsts(
    grad_mid, grad, z, mid, mean, rstd, sums, pointwise, parts, P, z_step, norm_step, CT,
    num_tiles, M,
    C: tl.constexpr, PIX: tl.constexpr, ACC: tl.constexpr, DOT: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    """Grid (chunks, E, 2): likewise from between the two stages of both separable convolutions.

    Args:
        grad_mid: Where to write the gradients, `z_step` apart, as are z and mid: (P, CT).
        grad: Gradients of the normalised features, (2, P, CT).
        mean, rstd: Of their batch norms, (CT,), `norm_step` apart.
        sums: Of the gradients, and of their products with the features: (2, 2, CT).
        pointwise, parts, num_tiles: See `project_outputs`.
    """
    s, n = tl.program_id(0), tl.program_id(2)
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


@triton.jit
def _depthwise(
    grad_x, grad, x, mean, rstd, depthwise, parts, sums, P, CX, CT, E, tap0, num_taps, dilation,
    H: tl.constexpr, W: tl.constexpr, C: tl.constexpr, K: tl.constexpr, STRIDE: tl.constexpr,
    PIX: tl.constexpr, SHARED: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    t = tl.program_id(0)
    OH: tl.constexpr = (H - 1) // STRIDE + 1
    OW: tl.constexpr = (W - 1) // STRIDE + 1
    c = tl.arange(0, C)
    cx = c if SHARED else tl.program_id(1) * C + c
    p = t * PIX + tl.arange(0, PIX)
    inside = p < P
    b, h, w = p // (H * W), p // W % H, p % W
    rows = (p * CX)[:, None] + cx[None, :]
    hat = tl.load(x + rows, mask=inside[:, None], other=0.0).to(ACC)
    if not SHARED:
        hat = (hat - tl.load(mean + cx)[None, :]) * tl.load(rstd + cx)[None, :]
    positive = inside[:, None] & (hat > 0)
    features = tl.where(positive, hat, 0.0)
    pad = dilation * (K - 1) // 2
    acc = tl.zeros((PIX, C), ACC)
    # Gathered: each pixel asks every output that has read it.
    for k in range(E if SHARED else 1):
        cg = k * C + c if SHARED else cx
        for i in tl.range(K):
            hh = h + pad - i * dilation
            row_ok = inside & (hh >= 0) & (hh % STRIDE == 0) & (hh // STRIDE < OH)
            row = (b * OH + hh // STRIDE) * OW
            for j in tl.static_range(K):
                ww = w + pad - j * dilation
                ok = row_ok & (ww >= 0) & (ww % STRIDE == 0) & (ww // STRIDE < OW)
                at = ((row + ww // STRIDE) * CT)[:, None] + cg[None, :]
                g = tl.load(grad + at, mask=ok[:, None], other=0.0).to(ACC)
                acc += g * tl.load(depthwise + (i * K + j) * CT + cg).to(ACC)[None, :]
                if parts is not None:
                    tap = tap0 + i * K + j
                    tl.store(parts + (t * num_taps + tap) * CT + cg, tl.sum(g * features, 0))
    if not SHARED:
        acc = tl.where(positive, acc, 0.0)
        tl.store(sums + cx, tl.sum(acc, 0))
        tl.store(sums + 2 * CT + cx, tl.sum(acc * hat, 0))
    tl.store(grad_x + rows, acc.to(grad_x.dtype.element_ty), mask=inside[:, None])


@triton.jit
def depthwise_backward(
    grad_x, grad, x, mean, rstd, depthwise, parts, sums, P, P_OUT, x_step, norm_step, CX, CT, E,
    num_taps,
    H: tl.constexpr, W: tl.constexpr, C: tl.constexpr, STRIDE: tl.constexpr, PIX: tl.constexpr,
    SHARED: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """Grid (tiles, edges, candidates): gradients of the input and of the weights, in one pass.

    Of the first stage (SHARED) one program serves all edges and writes the gradient of the
    rectified features; of the second it writes that of the normalised ones.

    Args:
        grad_x: Where to write it, (candidates, P, CX).
        grad: Gradients of the results, (candidates, P_OUT, CT).
        x, mean, rstd, depthwise: See `fairdarts.kernels.stage.stage_forward`.
        parts: Where to write what each tile says of each tap, (tiles, taps, CT); None: nowhere.
        sums: Likewise of a batch norm before the ReLU, (tiles, 2, candidates, CT): sums of the
            gradient, and of its products with the normalised features.
    """
    t, n = tl.program_id(0), tl.program_id(2)
    out = grad_x + n.to(tl.int64) * P * CX
    g = grad + n.to(tl.int64) * P_OUT * CT
    dilation = 1 + n // 2
    tap = n // 2 * 34 + n % 2 * 25
    depthwise += tap * CT
    total = sums
    mu, rs = mean, rstd
    if not SHARED:
        x += n.to(tl.int64) * x_step
        mu, rs = mean + n * norm_step, rstd + n * norm_step
        total = sums + t * 4 * CT + n * CT
    if n % 2 == 0:
        _depthwise(out, g, x, mu, rs, depthwise, parts, total, P, CX, CT, E, tap, num_taps,
                   dilation, H, W, C, 5, STRIDE, PIX, SHARED, ACC)  # fmt: skip
    else:
        _depthwise(out, g, x, mu, rs, depthwise, parts, total, P, CX, CT, E, tap, num_taps,
                   dilation, H, W, C, 3, STRIDE, PIX, SHARED, ACC)  # fmt: skip


@triton.jit
def add_taps(
    parts, sums, num_tiles, num_taps, CT, first, C: tl.constexpr, ROWS: tl.constexpr,
    ACC: tl.constexpr,
):  # fmt: skip
    """Grid (taps, E): add up the tiles of `depthwise_backward`, and lay taps out as weights do.

    Args:
        parts: (tiles, taps, CT).
        sums: Where to write weights (CT, 1, K, K), candidate after candidate, from `first` on.
    """
    tap = tl.program_id(0)
    c = tl.program_id(1) * C + tl.arange(0, C)
    acc = tl.zeros((ROWS, C), ACC)
    for start in range(0, num_tiles, ROWS):
        t = start + tl.arange(0, ROWS)
        at = ((t * num_taps + tap) * CT)[:, None] + c[None, :]
        acc += tl.load(parts + at, mask=(t < num_tiles)[:, None], other=0.0)
    is_five = tap % 34 < 25
    size = tl.where(is_five, 25, 9)
    nth = tl.where(is_five, tap % 34, tap % 34 - 25)
    tl.store(sums + first + (tap - nth) * CT + c * size + nth, tl.sum(acc, 0))


@triton.jit
def pack_taps(taps, weights, CT, C: tl.constexpr):
    """Grid (25, E, candidates): weights (CT, 1, K, K) of all candidates to rows, (taps, CT).

    Args:
        taps: Where to write them.
        weights: Of both stages, in pairs of 5 x 5 and 3 x 3.
    """
    tap, n = tl.program_id(0), tl.program_id(2)
    c = tl.program_id(1) * C + tl.arange(0, C)
    size = tl.where(n % 2 == 0, 25, 9)
    first = n // 2 * 34 + n % 2 * 25
    if tap < size:
        tl.store(taps + (first + tap) * CT + c, tl.load(choose(weights, n) + c * size + tap))
