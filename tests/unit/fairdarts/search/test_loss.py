import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from fairdarts.search.loss import architecture_loss, zero_one_loss

NUM_GATES = 196
DECAY = 1e-3


def pull(alpha: float, weight: float) -> float:
    """What the alpha step descends on one of N equal alphas: gradient plus weight decay."""
    alphas = torch.full((NUM_GATES,), alpha, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(weight * zero_one_loss(alphas.sigmoid()), alphas)
    return float(gradient[0]) + DECAY * alpha


def fixed_point(weight: float) -> float:
    """The gate above 0.5 where loss and decay balance, by bisection over alpha."""
    low, high = 0.05, 20.0  # the loss wins at the low end, the decay at the high one
    assert pull(low, weight) < 0 < pull(high, weight)
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if pull(middle, weight) < 0 else (low, middle)
    return 1 / (1 + math.exp(-low))


@pytest.mark.parametrize(
    ("gates", "loss"),
    [
        ([0.5, 0.5], 0.0),
        ([0.0, 1.0], -0.25),
        ([0.5, 1.0], -0.125),
        ([0.2, 0.4, 0.9], -(0.09 + 0.01 + 0.16) / 3),
        ([[0.7, 0.5], [0.5, 0.5]], -0.01),
    ],
)
def test_zero_one_loss_by_hand(gates: list[float], loss: float) -> None:
    assert zero_one_loss(torch.tensor(gates, dtype=torch.float64)).item() == pytest.approx(loss)


def test_zero_one_gradient_is_zero_at_half_and_points_to_the_nearer_end() -> None:
    gates = torch.tensor([0.5, 0.3, 0.8], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(zero_one_loss(gates), gates)
    assert gradient.tolist() == pytest.approx([0.0, 2 * 0.2 / 3, -2 * 0.3 / 3])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_zero_one_loss_of_gates_lies_between_minus_a_quarter_and_zero(gates: list[float]) -> None:
    assert -0.25 <= zero_one_loss(torch.tensor(gates, dtype=torch.float64)).item() <= 0


def two_class_batch() -> tuple[Tensor, Tensor, float]:
    """Logits, labels and their cross-entropy worked out by hand."""
    logits = torch.tensor([[0.0, 1.0], [2.0, 0.0]], dtype=torch.float64)
    cross_entropy = (math.log(1 + math.exp(-1)) + math.log(1 + math.exp(2))) / 2
    return logits, torch.tensor([1, 1]), cross_entropy


def test_total_is_cross_entropy_plus_weighted_zero_one_loss() -> None:
    logits, labels, cross_entropy = two_class_batch()
    gates = torch.tensor([0.5, 1.0], dtype=torch.float64)
    total, validation, zero_one = architecture_loss(logits, labels, gates, 10.0)
    assert validation.item() == pytest.approx(cross_entropy)
    assert zero_one.item() == pytest.approx(-0.125)
    assert total.item() == pytest.approx(cross_entropy - 1.25)


def test_weight_zero_leaves_the_zero_one_loss_out_but_still_reports_it() -> None:
    logits, labels, cross_entropy = two_class_batch()
    gates = torch.tensor([0.5, 1.0], dtype=torch.float64, requires_grad=True)
    total, _, zero_one = architecture_loss(logits, labels, gates, 0.0)
    assert total.item() == pytest.approx(cross_entropy)
    assert zero_one.item() == pytest.approx(-0.125)
    (gradient,) = torch.autograd.grad(total, gates)
    assert gradient.tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("weight", "gate", "tolerance"),
    [
        (10.0, 0.9356, 5e-5),
        (15.0, 0.9542, 5e-5),
        (2.0, 0.70, 5e-3),
        (3.0, 0.81, 5e-3),
        (3.8, 0.85, 5e-3),
    ],
)
def test_loss_and_weight_decay_balance_at_the_known_gate(
    weight: float, gate: float, tolerance: float
) -> None:
    assert fixed_point(weight) == pytest.approx(gate, abs=tolerance)


def test_below_weight_1_57_decay_draws_every_gate_back_to_half() -> None:
    alphas = [0.01, *(step / 10 for step in range(1, 100))]
    assert all(pull(alpha, 1.56) > 0 for alpha in alphas)
    assert pull(0.01, 1.58) < 0
    assert pull(0.0, 10.0) == 0
