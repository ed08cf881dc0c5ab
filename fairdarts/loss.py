"""The losses of the architecture step: validation cross-entropy and the zero-one loss."""

from torch import Tensor
from torch.nn import functional as F


def zero_one_loss(gates: Tensor) -> Tensor:
    """Push every gate towards 0 or 1 (L2 form, Eq. 7).

    Args:
        gates: What the operations are multiplied by, any shape, N values of all cells together.
    Returns:
        Scalar -mean((gate - 0.5)^2), unweighted: 0 at gates of 0.5, -0.25 at gates of 0 and 1. Its
        gradient is 0 at 0.5, so a gate can wander before it is drawn to an end.
    Source:
        Fair DARTS, arXiv:1911.12126, Eq. 7.
    """
    return -(gates - 0.5).square().mean()


def architecture_loss(
    logits: Tensor, labels: Tensor, gates: Tensor, zero_one_weight: float
) -> tuple[Tensor, Tensor, Tensor]:
    """The total loss for alpha, L_val + w_{0-1} L_{0-1} (Eq. 8).

    Args:
        logits: Supernet output on the alpha half, shape (B, classes).
        labels: Shape (B,).
        gates: All gates, shape (N,).
        zero_one_weight: w_{0-1}; 0 leaves the second term out.
    Returns:
        (total, cross-entropy, zero-one loss), scalars.
    """
    validation = F.cross_entropy(logits, labels)
    zero_one = zero_one_loss(gates)
    return validation + zero_one_weight * zero_one, validation, zero_one
