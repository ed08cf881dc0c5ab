"""Activation checkpointing: a module computed again in the backward pass instead of remembered."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint

from fairdarts.stacked_ops import Norm


def recomputed(module: nn.Module, *inputs: Any) -> Any:
    """`module(*inputs)`, of which only the inputs are kept for the gradient.

    The module may draw no random numbers: they would differ the second time.
    """
    return checkpoint(
        module,
        *inputs,
        use_reentrant=False,
        preserve_rng_state=False,
        context_fn=lambda: (nullcontext(), statistics_kept(module)),
    )


@contextmanager
def statistics_kept(module: nn.Module) -> Iterator[None]:
    """Inside, a forward in training mode leaves running means and variances as they are."""
    norms = [norm for norm in module.modules() if isinstance(norm, Norm | nn.BatchNorm2d)]
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, before, strict=True):
            norm.momentum = momentum
