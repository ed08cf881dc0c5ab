"""Learning rates as functions of the epoch (timm's schedules), so checkpoints need none of it."""

from timm.scheduler import CosineLRScheduler, StepLRScheduler
from timm.scheduler.scheduler import Scheduler
from torch.optim import Optimizer

EXPONENTIAL_DECAY = 0.97


def cosine(
    optimizer: Optimizer, num_epochs: int, end: float = 0.0, warmup_epochs: int = 0
) -> Scheduler:
    """A cosine from the rate of the optimiser to `end`, the rate of the epoch after the last one.

    Call `step(epoch)` before each epoch; it sets the rate of that epoch, whatever came before.

    Args:
        optimizer: Its rate is the first one, and is changed in place by every `step`.
        num_epochs: Epochs in all.
        end: Lowest rate.
        warmup_epochs: Epochs at the start in which the rate grows linearly.
    """
    return CosineLRScheduler(
        optimizer,
        # timm warns of a schedule of one epoch, whose rate is that of the start in any case.
        t_initial=max(num_epochs - warmup_epochs, 2),
        lr_min=end,
        warmup_t=warmup_epochs,
        warmup_lr_init=_first_rate(optimizer, warmup_epochs),
        warmup_prefix=True,
    )


def exponential(optimizer: Optimizer, decay_epochs: float, warmup_epochs: int = 0) -> Scheduler:
    """The rate of the optimiser, times 0.97 whenever `decay_epochs` have passed; see `cosine`."""
    return StepLRScheduler(
        optimizer,
        decay_t=decay_epochs,
        decay_rate=EXPONENTIAL_DECAY,
        warmup_t=warmup_epochs,
        warmup_lr_init=_first_rate(optimizer, warmup_epochs),
        warmup_prefix=True,
    )


def current_lr(optimizer: Optimizer) -> float:
    """The rate of an optimiser whose groups all have the same rate."""
    rate: float = optimizer.param_groups[0]["lr"]
    return rate


def _first_rate(optimizer: Optimizer, warmup_epochs: int) -> float:
    # Not 0, at which the first epoch would learn nothing.
    return current_lr(optimizer) / (warmup_epochs + 1)
