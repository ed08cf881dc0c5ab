"""The second-order gradient of DARTS: alphas look one step of the weights ahead."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from fairdarts.config import SearchConfig
from fairdarts.data.stream import Batch
from fairdarts.search.objectives import alpha_objective, weight_objective
from fairdarts.search.state import SearchState
from fairdarts.supernet.perturbation import Perturbation
from fairdarts.training.recompute import StatisticsKept

Loss = Callable[[], Tensor]


def step_alphas_ahead(
    state: SearchState,
    train: Batch,
    val: Batch,
    config: SearchConfig,
    perturbation: Perturbation | None = None,
) -> list[Tensor]:
    """Upper level of second order, see `unrolled_gradient`; running statistics stay.

    Returns:
        `ARCH_METRICS` at the weights one step ahead, scalars on the device; the alphas of
        `state` are changed in place.
    """
    supernet = state.supernet
    weights, alphas = supernet.weight_parameters(), supernet.architecture_parameters()
    (group,) = state.weight_optimizer.param_groups
    metrics: list[Tensor] = []

    def train_loss() -> Tensor:
        loss, _ = weight_objective(state, perturbation, train)
        return loss

    def val_loss() -> Tensor:
        total, metrics[:] = alpha_objective(state, config, perturbation, val)
        return total

    def step_of(slopes: Sequence[Tensor]) -> list[Tensor]:
        # What SGD would do next, written out: the optimiser itself must not move yet.
        steps = []
        for weight, slope in zip(weights, slopes, strict=True):
            velocity = state.weight_optimizer.state[weight].get("momentum_buffer")
            step = slope + group["weight_decay"] * weight.detach()
            steps.append(step if velocity is None else step + group["momentum"] * velocity)
        return steps

    with StatisticsKept(supernet):
        gradients = unrolled_gradient(train_loss, val_loss, weights, alphas, step_of, group["lr"])
    for alpha, gradient in zip(alphas, gradients, strict=True):
        alpha.grad = gradient
    state.alpha_optimizer.step()
    return metrics


def unrolled_gradient(
    train_loss: Loss,
    val_loss: Loss,
    weights: Sequence[Tensor],
    alphas: Sequence[Tensor],
    step_of: Callable[[Sequence[Tensor]], Sequence[Tensor]],
    lr: float,
    radius: float = 0.01,
) -> list[Tensor]:
    """Gradient in alpha of L_val(w - lr * step, alpha), the step a function of w and alpha.

    The product with the Hessian of L_train, d^2 L_train / (d alpha d w) v, is a central difference
    at w +- eps v with eps = radius / |v|.

    Args:
        train_loss: L_train at the present weights and alphas, a scalar.
        val_loss: L_val likewise, with all that depends on alpha alone.
        weights: Require gradients.
        alphas: Require gradients.
        step_of: Gradients of L_train in the weights to the step that the optimiser would take with
            them, before the learning rate.
        lr: Learning rate of the weights.
        radius: Of the difference, in the norm of the weights.
    Returns:
        The gradient of each of the alphas. The weights are changed on the way and restored bit by
        bit; alphas and gradients (`grad`) are not touched.
    Source:
        DARTS, arXiv:1806.09055, Eq. 7 and 8.
    """
    before = [weight.detach().clone() for weight in weights]

    def move_to(targets: Sequence[Tensor]) -> None:
        with torch.no_grad():
            torch._foreach_copy_(list(weights), list(targets))

    slopes = torch.autograd.grad(train_loss(), weights)
    steps = step_of(slopes)
    move_to([weight - lr * step for weight, step in zip(before, steps, strict=True)])
    both = torch.autograd.grad(val_loss(), [*alphas, *weights])
    direct, directions = both[: len(alphas)], both[len(alphas) :]
    norm = torch.linalg.vector_norm(torch.stack([d.norm() for d in directions]))
    eps = radius / norm
    shifted = []
    for sign in (1, -1):
        targets = [w + sign * eps * d for w, d in zip(before, directions, strict=True)]
        move_to(targets)
        shifted.append(torch.autograd.grad(train_loss(), alphas))
    move_to(before)
    return [
        plain - lr * (ahead - behind) / (2 * eps)
        for plain, ahead, behind in zip(direct, *shifted, strict=True)
    ]
