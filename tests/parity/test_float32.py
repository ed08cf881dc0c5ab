"""The float32 supernet is as near to float64 as the plain one in the same memory format."""

import copy
from functools import lru_cache

import pytest
import torch
from torch import Tensor

from benchmarks.plain import PlainState, copy_weights, twins
from fairdarts.config import SearchConfig
from fairdarts.presets import METHODS
from fairdarts.search.state import SearchState

CPU = torch.device("cpu")
Results = tuple[Tensor, Tensor]
"""Logits, and all gradients in one vector, in the order of the plain supernet's parameters."""


@lru_cache
def fast_plain_exact(seed: int, channels_last: bool) -> list[Results]:
    """Fast and plain supernet in float32 and the fast one in float64, of the same numbers."""
    small = {"init_channels": 8, "num_cells": 4, "alpha_init_std": 1.0, "seed": seed}
    config = SearchConfig.build(
        METHODS["fairdarts"]["search"] | small | {"channels_last": channels_last}
    )
    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    fast = SearchState(config, 10, CPU).supernet.train()
    plain = PlainState.of(config, 10).supernet
    copy_weights(fast, plain)
    plain.to(memory_format=memory_format)
    exact = copy.deepcopy(fast).double()

    draw = torch.Generator().manual_seed(seed)
    images = torch.randn(8, 3, 16, 16, generator=draw).contiguous(memory_format=memory_format)
    direction = torch.randn(8, 10, generator=draw)
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


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("channels_last", [True, False], ids=["nhwc", "nchw"])
def test_logits_are_as_near_to_float64_as_the_plain_ones(seed: int, channels_last: bool) -> None:
    (fast, _), (plain, _), (exact, _) = fast_plain_exact(seed, channels_last)
    scale = exact.abs().max()
    error, plain_error = ((logits - exact).abs().max() / scale for logits in (fast, plain))
    assert error <= 1e-4
    assert error <= 2 * plain_error


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("channels_last", [True, False], ids=["nhwc", "nchw"])
def test_gradients_are_as_near_to_float64_as_the_plain_ones(seed: int, channels_last: bool) -> None:
    (_, fast), (_, plain), (_, exact) = fast_plain_exact(seed, channels_last)
    error, plain_error = ((grads - exact).norm() / exact.norm() for grads in (fast, plain))
    assert error <= 1e-2
    # Rounding may carry a value over the kink of a ReLU or a max pool, in one of the two alone:
    # that moves the gradient by up to 1e-3, where rounding itself moves it by 1e-6.
    assert error <= 2 * plain_error + 1e-3
