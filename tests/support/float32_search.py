"""The fast and the plain supernet in float32, beside the same one in float64."""

import copy
from functools import lru_cache

import torch
from torch import Tensor

from benchmarks.plain import PlainState, copy_weights, twins
from fairdarts.config import SearchConfig
from fairdarts.presets import METHODS
from fairdarts.search.state import SearchState
from fairdarts.training.precision import float32_products

CPU = torch.device("cpu")
Results = tuple[Tensor, Tensor]
"""Logits, and all gradients in one vector, in the order of the plain supernet's parameters."""


@lru_cache
def fast_plain_exact(
    seed: int, channels_last: bool, device: torch.device = CPU, init_channels: int = 8
) -> list[Results]:
    """Fast and plain supernet in float32 and the fast one in float64, of the same numbers."""
    small = {"init_channels": init_channels, "num_cells": 4, "alpha_init_std": 1.0, "seed": seed}
    config = SearchConfig.build(
        METHODS["fairdarts"]["search"] | small | {"channels_last": channels_last}
    )
    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    fast = SearchState(config, 10, device).supernet.train()
    plain = PlainState.of(config, 10, device).supernet
    copy_weights(fast, plain)
    plain.to(memory_format=memory_format)
    exact = copy.deepcopy(fast).double()

    draw = torch.Generator().manual_seed(seed)
    images = torch.randn(8, 3, 16, 16, generator=draw).to(device)
    images = images.contiguous(memory_format=memory_format)
    direction = torch.randn(8, 10, generator=draw).to(device)
    with float32_products("float32"):
        logits = [supernet(images, supernet.gates()) for supernet in (fast, plain)]
        logits.append(exact(images.double(), exact.gates()))
        for output in logits:
            torch.autograd.backward((output * direction).sum())

    gradients: list[list[Tensor]] = [[], [], []]
    for twin, exact_twin in zip(twins(plain, fast), twins(plain, exact), strict=True):
        if twin.plain.requires_grad:
            stacked = (twin.fast, twin.plain, exact_twin.fast)
            parts = (twin.part, ..., twin.part)
            for row, tensor, part in zip(gradients, stacked, parts, strict=True):
                assert tensor.grad is not None
                row.append(tensor.grad[part].flatten())
    return [
        (output.detach(), torch.cat(row)) for output, row in zip(logits, gradients, strict=True)
    ]


def assert_logits_as_near(results: list[Results]) -> None:
    """Those of the fast supernet are as near to float64 as those of the plain one."""
    (fast, _), (plain, _), (exact, _) = results
    scale = exact.abs().max()
    error, plain_error = ((logits - exact).abs().max() / scale for logits in (fast, plain))
    assert error <= 1e-4
    assert error <= 2 * plain_error


def assert_gradients_as_near(results: list[Results]) -> None:
    """Likewise by norm."""
    (_, fast), (_, plain), (_, exact) = results
    error, plain_error = ((grads - exact).norm() / exact.norm() for grads in (fast, plain))
    assert error <= 1e-2
    # Rounding may carry a value over the kink of a ReLU or a max pool, in one of the two alone:
    # that moves the gradient by up to 1e-3, where rounding itself moves it by 1e-6.
    assert error <= 2 * plain_error + 1e-3
