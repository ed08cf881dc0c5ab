"""The losses of the architecture step: validation cross-entropy and the zero-one loss."""

from typing import assert_never

from torch import Tensor
from torch.nn import functional as F

from fairdarts.vocabulary import ZeroOneForm


def zero_one_loss(gates: Tensor, form: ZeroOneForm = "l2") -> Tensor:
    """Push every gate towards 0 or 1 (Eq. 7), or its control (Eq. 9).

    Args:
        gates: The factors of the operations, any shape, N values of all cells together.
        form: `l2`, or `l1` for the control.
    Returns:
        Scalar, unweighted. `l2`: -mean((gate - 0.5)^2), 0 at gates of 0.5, -0.25 at gates of 0 and
        1. Its gradient is 0 at 0.5, so a gate can move freely before it is pulled to one end. `l1`:
        -mean(|gate - 0.5|), down to -0.5. It pulls every gate equally hard, so a gate goes to the
        end that it happens to be nearer to early on.
    Source:
        Fair DARTS, arXiv:1911.12126, Eq. 7 and 9.
    """
    distance = gates - 0.5
    match form:
        case "l2":
            return -distance.square().mean()
        case "l1":
            return -distance.abs().mean()
        case _:
            assert_never(form)


def architecture_loss(
    logits: Tensor, labels: Tensor, gates: Tensor, zero_one_weight: float, form: ZeroOneForm = "l2"
) -> tuple[Tensor, Tensor, Tensor]:
    """The total loss for alpha, L_val + w_{0-1} L_{0-1} (Eq. 8).

    Args:
        logits: Supernet output on the alpha half, shape (B, classes).
        labels: Shape (B,).
        gates: All gates, shape (N,).
        zero_one_weight: w_{0-1}; 0 leaves the second term out.
        form: That of the zero-one loss.
    Returns:
        (total, cross-entropy, zero-one loss), scalars.
    """
    validation = F.cross_entropy(logits, labels)
    zero_one = zero_one_loss(gates, form)
    return validation + zero_one_weight * zero_one, validation, zero_one
