"""The search step written the obvious way: the oracle of the tests and the baseline of speed.

NCHW, gradients of everything in both levels, metrics read after every step.
"""

import copy
import math
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.plain_layers import PlainLayerSupernet
from benchmarks.plain_supernet import PlainSupernet
from benchmarks.twins import copy_weights as copy_weights
from benchmarks.twins import twins as twins
from fairdarts.config import SearchConfig

AnyPlainSupernet = PlainSupernet | PlainLayerSupernet
CPU = torch.device("cpu")
Batch = tuple[Tensor, Tensor]
"""Images (B, 3, H, W) and labels (B)."""


@dataclass(frozen=True)
class PlainState:
    """The plain supernet and its optimisers."""

    supernet: AnyPlainSupernet
    weight_optimizer: torch.optim.Optimizer
    alpha_optimizer: torch.optim.Optimizer

    @classmethod
    def of(cls, config: SearchConfig, num_classes: int, device: torch.device = CPU) -> Self:
        """Build it with random weights, in training mode and in NCHW."""
        build = PlainLayerSupernet if config.space.startswith("s2") else PlainSupernet
        # Drawn on the CPU, so that the numbers of a seed are the same on every device.
        supernet = build(config, num_classes).train().to(device)
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
                capturable=config.is_captured(device.type),
                # As ours: Adam's kinds differ on CUDA by 1e-8, in how they correct its moments.
                fused=device.type == "cuda" or None,
            ),
        )


def plain_step(state: PlainState, train: Batch, val: Batch, config: SearchConfig) -> list[Tensor]:
    """One bi-level step: alphas on `val`, then weights on `train`; both on `train` if single-level.

    Returns:
        Loss and logits of the training batch, total and validation loss of the other; `state` is
        changed in place.
    """
    supernet = state.supernet
    state.alpha_optimizer.zero_grad()
    state.weight_optimizer.zero_grad()
    if config.optimization == "single_level":
        total, loss, logits = _total_loss(supernet, train, config)
        torch.autograd.backward(total)
        nn.utils.clip_grad_norm_(supernet.weight_parameters(), config.grad_clip)
        state.alpha_optimizer.step()
        state.weight_optimizer.step()
        return [loss.detach(), logits.detach(), total.detach(), loss.detach()]
    if config.order == 2:
        total, validation = _unrolled_backward(state, train, val, config)
    else:
        total, validation, _ = _total_loss(supernet, val, config)
        torch.autograd.backward(total)
    state.alpha_optimizer.step()

    state.weight_optimizer.zero_grad()
    images, labels = train
    logits = supernet(images, supernet.gates())
    loss = F.cross_entropy(logits, labels)
    torch.autograd.backward(loss)
    nn.utils.clip_grad_norm_(supernet.weight_parameters(), config.grad_clip)
    state.weight_optimizer.step()
    return [loss.detach(), logits.detach(), total.detach(), validation.detach()]


def _total_loss(
    supernet: AnyPlainSupernet, batch: Batch, config: SearchConfig
) -> tuple[Tensor, Tensor, Tensor]:
    """The loss of Eq. 8, its first term and the logits."""
    images, labels = batch
    gates = supernet.gates()
    logits = supernet(images, gates)
    validation = F.cross_entropy(logits, labels)
    distance = torch.cat([gate.flatten() for gate in gates.values()]) - 0.5
    zero_one = -(distance**2 if config.zero_one_form == "l2" else distance.abs()).mean()
    return validation + config.zero_one_weight * zero_one, validation, logits


def _unrolled_backward(
    state: PlainState, train: Batch, val: Batch, config: SearchConfig
) -> tuple[Tensor, Tensor]:
    """Second order (DARTS, arXiv:1806.09055, Eq. 7 and 8), each gradient on a copy of its own."""
    lr = state.weight_optimizer.param_groups[0]["lr"]

    def train_slopes(supernet: AnyPlainSupernet, of: list[nn.Parameter]) -> tuple[Tensor, ...]:
        loss = F.cross_entropy(supernet(train[0], supernet.gates()), train[1])
        return torch.autograd.grad(loss, of)

    def moved(steps: list[Tensor]) -> AnyPlainSupernet:
        twin = copy.deepcopy(state.supernet)
        with torch.no_grad():
            for weight, step in zip(twin.weight_parameters(), steps, strict=True):
                weight.add_(step)
        return twin

    twin = copy.deepcopy(state.supernet)
    steps = []
    for weight, slope in zip(
        state.supernet.weight_parameters(),
        train_slopes(twin, twin.weight_parameters()),
        strict=True,
    ):
        velocity = state.weight_optimizer.state[weight].get("momentum_buffer", 0)
        steps.append(
            -lr * (slope + config.weight_decay * weight.detach() + config.momentum * velocity)
        )
    ahead = moved(steps)
    total, validation, _ = _total_loss(ahead, val, config)
    torch.autograd.backward(total)
    directions = [weight.grad for weight in ahead.weight_parameters()]
    norm = math.sqrt(sum(float((d**2).sum()) for d in directions if d is not None))
    eps = 0.01 / norm
    plus, minus = (moved([sign * eps * d for d in directions if d is not None]) for sign in (1, -1))
    for alpha, direct, above, below in zip(
        state.supernet.architecture_parameters(),
        ahead.architecture_parameters(),
        train_slopes(plus, plus.architecture_parameters()),
        train_slopes(minus, minus.architecture_parameters()),
        strict=True,
    ):
        assert direct.grad is not None
        alpha.grad = direct.grad - lr * (above - below) / (2 * eps)
    return total, validation
