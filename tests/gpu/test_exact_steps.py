"""On the device the fast step computes what the plain one does there."""

import pytest
import torch
from exact_search import (
    assert_same,
    assert_same_steps,
    batches,
    config_of,
    differentiate_alike,
    in_format,
    states,
)
from float32_search import assert_gradients_as_near, assert_logits_as_near, fast_plain_exact

from benchmarks.plain import PlainState, twins
from benchmarks.plain_layers import same_numbers
from fairdarts.config import SearchConfig
from fairdarts.presets import presets
from fairdarts.search.state import SearchState

pytestmark = pytest.mark.gpu
SMALL = {"init_channels": 16, "num_cells": 3}


@pytest.mark.parametrize(
    ("method", "changes", "num_steps"),
    [
        ("fairdarts", {}, 3),
        ("fairdarts", {"init_channels": 4}, 1),  # fewer channels than a tile of the kernels has
        ("fairdarts", {"channels_last": False}, 1),
        ("fairdarts", {"optimization": "single_level"}, 1),
        ("fairdarts", {"recompute": True}, 1),
        ("darts", {"space": "s1_no_skip"}, 1),
        ("darts", {"order": 2}, 1),
    ],
    ids=str,
)
def test_float64_steps_are_those_of_the_plain_search(
    method: str, changes: dict[str, object], num_steps: int, device: torch.device
) -> None:
    config = config_of(method, **(SMALL | changes))
    fast, plain = states(config, device)
    assert_same_steps(fast, plain, config, size=16, num=num_steps)
    for twin in twins(plain.supernet, fast.supernet):
        assert_same(twin.fast[twin.part], twin.plain, twin.name)


def test_all_float64_gradients_are_those_of_the_plain_supernet(device: torch.device) -> None:
    config = config_of("fairdarts", **SMALL)
    fast, plain = states(config, device)
    (batch,) = batches(12, 1, device=device)
    logits = fast.supernet(in_format(batch, config)[0], fast.supernet.gates())
    expected = plain.supernet(batch[0], plain.supernet.gates())
    assert_same(logits, expected, "logits")
    differentiate_alike(logits, expected)
    for twin in twins(plain.supernet, fast.supernet):
        if twin.plain.requires_grad:
            assert twin.plain.grad is not None
            assert twin.fast.grad is not None
            assert_same(twin.fast.grad[twin.part], twin.plain.grad, twin.name)


@pytest.mark.parametrize("channels_last", [True, False], ids=["nhwc", "nchw"])
def test_float32_is_as_near_to_float64_as_the_plain_supernet(
    channels_last: bool, device: torch.device
) -> None:
    results = fast_plain_exact(0, channels_last, device, init_channels=16)
    assert_logits_as_near(results)
    assert_gradients_as_near(results)


@pytest.mark.parametrize("recompute", [False, True])
def test_float64_steps_in_s2_are_those_of_the_plain_search(
    recompute: bool, device: torch.device
) -> None:
    small = {"width": 0.25, "num_layers": 6, "batch_size": 4, "alpha_init_std": 1.0}
    config = SearchConfig.build(
        presets("fairdarts", "s2")["search"] | small | {"space": "s2", "recompute": recompute}
    )
    fast, plain = SearchState(config, 10, device), PlainState.of(config, 10, device)
    fast.supernet.double().train()
    plain.supernet.double()
    with torch.no_grad():
        for _, theirs, ours in same_numbers(plain.supernet, fast.supernet):
            ours.copy_(theirs)
    assert_same_steps(fast, plain, config, size=64, num=2)
    for name, theirs, ours in same_numbers(plain.supernet, fast.supernet):
        assert_same(ours, theirs, name)
