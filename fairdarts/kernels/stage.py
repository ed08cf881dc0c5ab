"""ReLU, depthwise convolution, 1x1 convolution and the statistics of the result, in one kernel.

For all candidates of a node and all edges at once. Candidates come in pairs of 5 x 5 and 3 x 3,
34 taps together: the first pair without dilation, the second with dilation 2.
"""

# mypy: ignore-errors
# Triton compiles these functions; their arguments have no Python types.

import triton
import triton.language as tl

from fairdarts.kernels.choose import choose


@triton.jit
def rectified(pointers, ok, mean, rstd, AFFINE: tl.constexpr, ACC: tl.constexpr):
    """ReLU of features, or of their batch norm; 0 outside of the image, also after a batch norm."""
    x = tl.load(pointers, mask=ok, other=0.0).to(ACC)
    if AFFINE:
        x = tl.where(ok, (x - mean) * rstd, 0.0)
    # A search that diverges must show: NaN stays NaN, as in torch.
    return tl.maximum(x, 0.0, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def _stage(
    x, mean, rstd, depthwise, pointwise, z, mid, parts, P, CX, CT, channel, total, dilation,
    H: tl.constexpr, W: tl.constexpr, C: tl.constexpr, K: tl.constexpr, STRIDE: tl.constexpr,
    PIX: tl.constexpr, SHARED: tl.constexpr, AFFINE: tl.constexpr, ACC: tl.constexpr,
    DOT: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    e, t = tl.program_id(1), tl.program_id(2)
    OH: tl.constexpr = (H - 1) // STRIDE + 1
    OW: tl.constexpr = (W - 1) // STRIDE + 1
    c = tl.arange(0, C)
    cx = c if SHARED else e * C + c
    cz = e * C + c
    p = t * PIX + tl.arange(0, PIX)
    inside = p < P
    pad = dilation * (K - 1) // 2
    h = p // OW % OH * STRIDE - pad
    w = p % OW * STRIDE - pad
    corner = x + (((p // (OH * OW)) * H + h) * W + w)[:, None] * CX + cx[None, :]
    mu, rs = 0.0, 0.0
    if AFFINE:
        mu, rs = tl.load(mean + cx)[None, :], tl.load(rstd + cx)[None, :]
    acc = tl.zeros((PIX, C), ACC)
    # Rows in a loop: unrolled, a 5 x 5 kernel needs more registers than there are.
    for i in tl.range(K):
        row_ok = inside & (h + i * dilation >= 0) & (h + i * dilation < H)
        row = corner + i * dilation * W * CX
        for j in tl.static_range(K):
            ok = (row_ok & (w + j * dilation >= 0) & (w + j * dilation < W))[:, None]
            tap = tl.load(depthwise + (i * K + j) * CT + cz).to(ACC)
            acc += rectified(row + j * dilation * CX, ok, mu, rs, AFFINE, ACC) * tap[None, :]
    rows = (p * CT)[:, None] + cz[None, :]
    if mid is not None:
        tl.store(mid + rows, acc, mask=inside[:, None])
    # (C in, C out), which the parameter has the other way round.
    weight = tl.load(pointwise + (e * C + c[None, :]) * C + c[:, None]).to(DOT)
    acc = tl.dot(acc.to(DOT), weight, input_precision=PRECISION, out_dtype=ACC)
    stored = acc.to(z.dtype.element_ty)
    tl.store(z + rows, stored, mask=inside[:, None])
    tile_statistics(
        stored.to(ACC), inside, parts + t * 2 * total + channel + cz, P, t, total, PIX, ACC
    )


@triton.jit
def tile_statistics(z, inside, parts, P, t, total, PIX: tl.constexpr, ACC: tl.constexpr):
    """Write the mean of tile t, and its squared distances from that mean, which do not cancel."""
    z = tl.where(inside[:, None], z, 0.0)
    mean = tl.sum(z, 0) / tl.minimum(P - t * PIX, PIX).to(ACC)
    distance = tl.where(inside[:, None], z - mean[None, :], 0.0)
    tl.store(parts, mean)
    tl.store(parts + total, tl.sum(distance * distance, 0))


@triton.jit
def stage_forward(
    x, mean, rstd, depthwise, pointwise, z, mid, parts, P, x_step, norm_step, CX, CT, total,
    H: tl.constexpr, W: tl.constexpr, C: tl.constexpr, STRIDE: tl.constexpr, PIX: tl.constexpr,
    SHARED: tl.constexpr, AFFINE: tl.constexpr, ACC: tl.constexpr,
    DOT: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Grid (candidates, E, tiles): convolve the features of one edge with one candidate.

    Args:
        x: (P', C), which all read (SHARED), or those of each candidate, `x_step` apart: (P', CT).
        mean, rstd: Of the batch norm before the ReLU (AFFINE), (CT,), `norm_step` apart.
        depthwise: Taps of all candidates, (taps, CT).
        pointwise: 1x1 weights of each candidate, (CT, C).
        z: Where to write the results, (candidates, P, CT).
        mid: Likewise those of the depthwise convolutions; None: nowhere.
        parts: Likewise mean and squared distances of each tile, (tiles, 2, total).
    """
    n = tl.program_id(0)
    weights = choose(pointwise, n)
    dilation = 1 + n // 2
    depthwise += (n // 2 * 34 + n % 2 * 25) * CT
    x += n.to(tl.int64) * x_step
    out = z + n.to(tl.int64) * P * CT
    kept = mid
    if mid is not None:
        kept = mid + n.to(tl.int64) * P * CT
    mu, rs = mean, rstd
    if AFFINE:
        mu, rs = mean + n * norm_step, rstd + n * norm_step
    if n % 2 == 0:
        _stage(x, mu, rs, depthwise, weights, out, kept, parts, P, CX, CT, n * CT, total, dilation,
               H, W, C, 5, STRIDE, PIX, SHARED, AFFINE, ACC, DOT, PRECISION)  # fmt: skip
    else:
        _stage(x, mu, rs, depthwise, weights, out, kept, parts, P, CX, CT, n * CT, total, dilation,
               H, W, C, 3, STRIDE, PIX, SHARED, AFFINE, ACC, DOT, PRECISION)  # fmt: skip
