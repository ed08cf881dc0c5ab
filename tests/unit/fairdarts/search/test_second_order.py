from collections.abc import Sequence

import torch
from torch import Tensor

from fairdarts.search.second_order import unrolled_gradient


def vector(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def plain_step(slopes: Sequence[Tensor]) -> Sequence[Tensor]:
    return slopes


def test_gradient_of_the_toy_problem_of_darts_is_the_known_one() -> None:
    # DARTS, arXiv:1806.09055, Section 2.3: L_val = alpha w - 2 alpha + 1 and
    # L_train = w^2 - 2 alpha w + alpha^2. One step of lr leads to w' = w - lr (2 w - 2 alpha), so
    # d L_val(w', alpha) / d alpha = w' - 2 + 2 lr alpha.
    w, alpha, lr = vector(1.5), vector(0.7), 0.1
    (gradient,) = unrolled_gradient(
        lambda: (w**2 - 2 * alpha * w + alpha**2).sum(),
        lambda: (alpha * w - 2 * alpha + 1).sum(),
        [w],
        [alpha],
        plain_step,
        lr,
    )
    ahead = 1.5 - lr * (2 * 1.5 - 2 * 0.7)
    torch.testing.assert_close(gradient, vector(ahead - 2 + 2 * lr * 0.7).detach())
    assert w.item() == 1.5


def test_gradient_equals_autograd_through_the_step_with_momentum_and_decay() -> None:
    draw = torch.Generator().manual_seed(0)
    w, a, v, mix = (
        torch.randn(4, dtype=torch.float64, generator=draw).requires_grad_() for _ in range(4)
    )
    lr, decay, momentum = 0.05, 0.1, 0.9

    def train(weights: Tensor, alphas: Tensor) -> Tensor:
        return (weights.sin() * alphas.cos() * mix.detach()).sum()

    def val(weights: Tensor, alphas: Tensor) -> Tensor:
        return (weights * alphas).tanh().sum() + (alphas**2).sum()

    slopes = torch.autograd.grad(train(w, a), w, create_graph=True)[0]
    ahead = w - lr * (slopes + decay * w + momentum * v.detach())
    expected = torch.autograd.grad(val(ahead, a), a)[0]

    before = w.detach().clone()
    (gradient,) = unrolled_gradient(
        lambda: train(w, a),
        lambda: val(w, a),
        [w],
        [a],
        lambda slopes: [slopes[0] + decay * w.detach() + momentum * v.detach()],
        lr,
        radius=1e-4,
    )
    torch.testing.assert_close(gradient, expected, rtol=1e-6, atol=1e-8)
    assert torch.equal(w, before)
