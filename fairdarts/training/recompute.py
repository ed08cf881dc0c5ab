"""Activation checkpointing: the backward pass computes features again instead of keeping them."""

from contextlib import nullcontext
from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint

from fairdarts.operations.norm import Norm


def recomputed(module: nn.Module, *inputs: Any, draws: bool = False) -> Any:
    """Compute `module(*inputs)` and keep only the inputs for the gradient.

    Args:
        module: Computed in the forward pass, and once more in the backward pass.
        inputs: Its arguments.
        draws: Whether it draws random numbers; they are then drawn again the same.
    Returns:
        What the module returns; its running statistics are updated once, in the forward pass.
    """
    return checkpoint(
        module,
        *inputs,
        use_reentrant=False,
        preserve_rng_state=draws,
        context_fn=lambda: (nullcontext(), StatisticsKept(module)),
    )


class StatisticsKept:
    """Inside, a forward pass in training mode leaves running means and variances as they are.

    A class and not a generator: torch enters the same object again for every backward pass.
    """

    def __init__(self, module: nn.Module) -> None:
        self._norms = [m for m in module.modules() if isinstance(m, Norm | nn.BatchNorm2d)]
        self._momenta = [norm.momentum for norm in self._norms]

    def __enter__(self) -> None:
        for norm in self._norms:
            norm.momentum = 0.0  # the share of the new statistics in the running ones

    def __exit__(self, *exception: object) -> None:
        for norm, momentum in zip(self._norms, self._momenta, strict=True):
            norm.momentum = momentum
