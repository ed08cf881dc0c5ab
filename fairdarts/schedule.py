"""Learning rates and drop path as functions of the epoch: nothing to save, nothing to step."""

import math

from torch.optim import Optimizer


def cosine(epoch: int, num_epochs: int, start: float, end: float = 0.0) -> float:
    """Cosine from `start` in epoch 0 towards `end`, which the epoch after the last would have."""
    return end + (start - end) * (1 + math.cos(math.pi * epoch / num_epochs)) / 2


def set_lr(optimizer: Optimizer, lr: float) -> None:
    """Give every parameter group this learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = lr
