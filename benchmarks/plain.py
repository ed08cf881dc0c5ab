"""The search step written the obvious way: the oracle of the tests and the baseline of speed.

NCHW, gradients of everything in both levels, metrics read after every step.
"""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.plain_supernet import PlainSupernet
from benchmarks.twins import copy_weights as copy_weights
from benchmarks.twins import twins as twins
from fairdarts.config import SearchConfig

Batch = tuple[Tensor, Tensor]
"""Images (B, 3, H, W) and labels (B)."""


@dataclass(frozen=True)
class PlainState:
    """The plain supernet and its optimisers."""

    supernet: PlainSupernet
    weight_optimizer: torch.optim.Optimizer
    alpha_optimizer: torch.optim.Optimizer

    @classmethod
    def of(cls, config: SearchConfig, num_classes: int) -> Self:
        """Build it with random weights, in training mode."""
        supernet = PlainSupernet(config, num_classes).train()
        return cls(
            supernet,
            torch.optim.SGD(
                supernet.weight_parameters(),
                lr=config.weight_lr,
                momentum=config.momentum,
                weight_decay=config.weight_decay,
            ),
            torch.optim.Adam(
                supernet.architecture_parameters(),
                lr=config.alpha_lr,
                betas=(config.alpha_beta1, 0.999),
                weight_decay=config.alpha_weight_decay,
            ),
        )


def plain_step(state: PlainState, train: Batch, val: Batch, config: SearchConfig) -> list[Tensor]:
    """One bi-level step, first order: alphas on `val`, then weights on `train`.

    Returns:
        Loss and logits of the training batch, total and validation loss of the other.
    """
    supernet = state.supernet
    images, labels = val
    state.alpha_optimizer.zero_grad()
    gates = supernet.gates()
    validation = F.cross_entropy(supernet(images, gates), labels)
    zero_one = torch.stack([-((gate - 0.5) ** 2).mean() for gate in gates.values()]).mean()
    total = validation + config.zero_one_weight * zero_one
    torch.autograd.backward(total)
    state.alpha_optimizer.step()

    images, labels = train
    state.weight_optimizer.zero_grad()
    logits = supernet(images, supernet.gates())
    loss = F.cross_entropy(logits, labels)
    torch.autograd.backward(loss)
    nn.utils.clip_grad_norm_(supernet.weight_parameters(), config.grad_clip)
    state.weight_optimizer.step()
    return [loss.detach(), logits.detach(), total.detach(), validation.detach()]
