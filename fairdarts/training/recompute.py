"""Activation checkpointing: a module computed again in the backward pass instead of remembered."""

from contextlib import nullcontext
from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint

from fairdarts.operations.norm import Norm


def recomputed(module: nn.Module, *inputs: Any, draws: bool = False) -> Any:
    """`module(*inputs)`, of which only the inputs are kept for the gradient.

    A module that draws random numbers must say so (`draws`), to draw the same the second time.
    """
    return checkpoint(
        module,
        *inputs,
        use_reentrant=False,
        preserve_rng_state=draws,
        context_fn=lambda: (nullcontext(), StatisticsKept(module)),
    )


class StatisticsKept:
    """Inside, a forward in training mode leaves running means and variances as they are.

    A class: torch enters it anew for each backward through what it recomputes.
    """

    def __init__(self, module: nn.Module) -> None:
        self._norms = [m for m in module.modules() if isinstance(m, Norm | nn.BatchNorm2d)]
        self._momenta = [norm.momentum for norm in self._norms]

    def __enter__(self) -> None:
        for norm in self._norms:
            norm.momentum = 0.0

    def __exit__(self, *exception: object) -> None:
        for norm, momentum in zip(self._norms, self._momenta, strict=True):
            norm.momentum = momentum
