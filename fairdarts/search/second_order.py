"""The second-order gradient of DARTS: alphas look one step of the weights ahead."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Loss = Callable[[], Tensor]


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
    at w +- eps v with eps = radius / |v|. Weights are changed on the way and come back bit by bit.

    Args:
        train_loss: L_train at the present weights and alphas, a scalar.
        val_loss: L_val likewise, with all that depends on alpha alone.
        weights: Require gradients.
        alphas: Require gradients.
        step_of: Gradients of L_train in the weights to the step that the optimiser would take with
            them, before the learning rate.
        lr: Learning rate of the weights.
        radius: Of the difference, in the norm of the weights.
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
