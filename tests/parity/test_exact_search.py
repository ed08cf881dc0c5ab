"""The search step computes what the plain one does, in float64, every tensor."""

import copy
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from benchmarks.plain import PlainState, copy_weights, plain_step, twins
from fairdarts import mixed_ops
from fairdarts.config import SearchConfig
from fairdarts.presets import METHODS
from fairdarts.search import Batch, SearchState, search_step

TOLERANCE = 1e-9
CPU = torch.device("cpu")


def config_of(method: str, **changes: object) -> SearchConfig:
    small = {"init_channels": 4, "num_cells": 4, "batch_size": 4, "alpha_init_std": 1.0}
    return SearchConfig.build(METHODS[method]["search"] | small | changes)


def states(config: SearchConfig) -> tuple[SearchState, PlainState]:
    """Both in float64 with the same random weights, alphas and running statistics."""
    torch.manual_seed(0)
    fast = SearchState(config, 10, CPU)
    fast.supernet.double().train()
    plain = PlainState.of(config, 10)
    plain.supernet.double()
    copy_weights(fast.supernet, plain.supernet)
    return fast, plain


def batches(size: int, num: int, seed: int = 0) -> Iterator[Batch]:
    draw = torch.Generator().manual_seed(seed)
    for _ in range(num):
        images = torch.randn(4, 3, size, size, dtype=torch.float64, generator=draw)
        yield images, torch.randint(10, (4,), generator=draw)


def in_format(batch: Batch, config: SearchConfig) -> Batch:
    last = torch.channels_last if config.channels_last else torch.contiguous_format
    return batch[0].contiguous(memory_format=last), batch[1]


def assert_same(actual: Tensor, expected: Tensor, name: str) -> None:
    """Within `TOLERANCE` of the largest entry."""
    scale = max(1.0, expected.abs().max().item())
    error = (actual - expected).abs().max().item() / scale
    assert error <= TOLERANCE, f"{name}: {error:.1e}"


@pytest.mark.parametrize("cache_bytes", [0, 1 << 14, 1 << 40], ids=["each", "some", "all"])
@pytest.mark.parametrize("channels_last", [True, False], ids=["nhwc", "nchw"])
@pytest.mark.parametrize("size", [8, 12])
def test_logits_and_all_gradients_are_those_of_the_plain_supernet(
    size: int, channels_last: bool, cache_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mixed_ops, "CPU_CACHE_BYTES", cache_bytes)  # edges computed at once
    config = config_of("fairdarts", channels_last=channels_last)
    fast, plain = states(config)
    (batch,) = batches(size, 1)
    images, _ = in_format(batch, config)
    logits = fast.supernet(images, fast.supernet.gates())
    expected = plain.supernet(batch[0], plain.supernet.gates())
    assert_same(logits, expected, "logits")
    direction = torch.randn_like(expected)
    torch.autograd.backward((logits * direction).sum())
    torch.autograd.backward((expected * direction).sum())
    compared = 0
    for twin in twins(plain.supernet, fast.supernet):
        if twin.plain.requires_grad:
            assert twin.plain.grad is not None
            assert twin.fast.grad is not None
            assert_same(twin.fast.grad[twin.part], twin.plain.grad, twin.name)
            compared += twin.plain.numel()
    assert compared == sum(weight.numel() for weight in fast.supernet.parameters())


@pytest.mark.parametrize(
    ("method", "changes"),
    [
        ("fairdarts", {}),
        ("fairdarts", {"channels_last": False}),
        ("fairdarts", {"zero_one_form": "l1"}),
        ("fairdarts", {"optimization": "single_level"}),
        ("darts", {}),
        ("darts", {"zero_one_weight": 10.0}),
        ("darts", {"space": "s1_no_skip"}),
        ("darts", {"order": 2}),
    ],
    ids=str,
)
def test_three_whole_steps_are_those_of_the_plain_search(
    method: str, changes: dict[str, object]
) -> None:
    config = config_of(method, **changes)
    fast, plain = states(config)
    before = copy.deepcopy(fast.supernet.state_dict())
    for train, val in zip(batches(16, 3), batches(16, 3, seed=1), strict=True):
        weight_metrics, arch_metrics = search_step(
            fast, in_format(train, config), in_format(val, config), config
        )
        loss, _, _, validation = plain_step(plain, train, val, config)
        assert_same(weight_metrics[0], loss, "train_loss")
        assert_same(arch_metrics[0], validation, "arch_loss")
    for twin in twins(plain.supernet, fast.supernet):
        assert_same(twin.fast[twin.part], twin.plain, twin.name)
    moved = fast.supernet.state_dict()
    assert all(not torch.equal(moved[name], before[name]) for name in before if "num_b" not in name)
