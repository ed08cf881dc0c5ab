"""Gradients of what depthwise convolutions have read.

Gathered: each pixel asks every output that has read it. No two programs add to the same number.
"""

# mypy: ignore-errors
# Triton compiles these functions; their arguments have no Python types.

import triton
import triton.language as tl

from fairdarts.kernels.rows import block_rows, four_rows, gathered


@triton.jit
def depthwise_gradient(
    grad_x, grad, x, mean, rstd, taps, sums, P, Q, CT, norm_step,
    H: tl.constexpr, W: tl.constexpr, C: tl.constexpr, M: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """Grid (2, E, blocks): the second depthwise convolutions of both separable candidates.

    Args:
        grad_x: Where to write gradients of the normalised features before the ReLU, (2, P, CT).
        grad: Gradients of the results, (2, P, CT).
        x: The features before batch norm, (2, P, CT).
        mean, rstd: Of the batch norm, (CT,), `norm_step` apart.
        taps: (taps, CT).
        sums: Where to write what each block says of the batch norm, (blocks, 2, 2, CT): sums of the
            gradient, and of its products with the normalised features, of both candidates.
    """
    n, e, t = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    c = e * C + tl.arange(0, C)
    row, b, w, inside = block_rows(t, Q, H, W, M)
    of_candidate = n.to(tl.int64) * P * CT
    acc = four_rows(M, C, ACC)
    if n == 0:
        acc = gathered(acc, grad, taps, row, b, w, inside, c, CT, H, W, 5, 1, 1, ACC)
    else:
        acc = gathered(acc, grad + of_candidate, taps + 25 * CT, row, b, w, inside, c, CT,
                       H, W, 3, 1, 1, ACC)  # fmt: skip
    norm = n * norm_step + c
    mu, rs = tl.load(mean + norm)[None, :], tl.load(rstd + norm)[None, :]
    total = tl.zeros((M, C), ACC)
    product = total
    for r in tl.static_range(4):
        ok = (inside & (row + r < H))[:, None]
        at = (((b * H + row + r) * W + w) * CT)[:, None] + c[None, :]
        hat = (tl.load(x + of_candidate + at, mask=ok, other=0.0).to(ACC) - mu) * rs
        passed = tl.where(ok & (hat > 0), acc[r], 0.0)
        total += passed
        product += passed * hat
        tl.store(grad_x + of_candidate + at, passed.to(grad_x.dtype.element_ty), mask=ok)
    sums += (t * 4 + n) * CT + c
    tl.store(sums, tl.sum(total, 0))
    tl.store(sums + 2 * CT, tl.sum(product, 0))


@triton.jit(do_not_specialize=["E"])
def input_gradient(
    grad_x, x, others, grads, taps, Q, P_OUT, CT, E,
    H: tl.constexpr, W: tl.constexpr, C: tl.constexpr, STRIDE: tl.constexpr, M: tl.constexpr,
    ACC: tl.constexpr,
):  # fmt: skip
    """Grid (blocks,): add up what all that has read a pixel says of it.

    Args:
        grad_x: Where to write the gradient of x, (P, C).
        x: (P, C).
        others: What pools and identity say, (P, C).
        grads: Gradients of the results of the first depthwise convolutions, (4, P_OUT, CT).
        taps: (taps, CT).
    """
    OH: tl.constexpr = (H - 1) // STRIDE + 1
    OW: tl.constexpr = (W - 1) // STRIDE + 1
    t = tl.program_id(0)
    c = tl.arange(0, C)
    row, b, w, inside = block_rows(t, Q, H, W, M)
    acc = four_rows(M, C, ACC)
    five = grads
    for pair in tl.static_range(2):  # of 5 x 5 and 3 x 3, without dilation and with dilation 2
        three = five + P_OUT * CT
        fives, threes = taps + pair * 34 * CT, taps + (pair * 34 + 25) * CT
        for e in tl.range(E):
            acc = gathered(acc, five, fives, row, b, w, inside, e * C + c, CT,
                           OH, OW, 5, 1 + pair, STRIDE, ACC)  # fmt: skip
            acc = gathered(acc, three, threes, row, b, w, inside, e * C + c, CT,
                           OH, OW, 3, 1 + pair, STRIDE, ACC)  # fmt: skip
        five = three + P_OUT * CT
    for r in tl.static_range(4):
        ok = (inside & (row + r < H))[:, None]
        at = (((b * H + row + r) * W + w) * C)[:, None] + c[None, :]
        features = tl.load(x + at, mask=ok, other=0.0).to(ACC)
        total = tl.where(features > 0, acc[r], 0.0) + tl.load(others + at, mask=ok, other=0.0)
        tl.store(grad_x + at, total.to(grad_x.dtype.element_ty), mask=ok)
