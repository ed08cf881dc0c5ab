"""The fast and the plain search side by side in float64, for the tests of exactness."""

import copy
from collections.abc import Iterator

import torch
from torch import Tensor

from benchmarks.plain import PlainState, copy_weights, plain_step
from fairdarts.config import SearchConfig
from fairdarts.data.stream import Batch
from fairdarts.presets import METHODS
from fairdarts.search.state import SearchState
from fairdarts.search.step import search_step

TOLERANCE = 1e-9
"""Of the largest entry of a tensor."""
CPU = torch.device("cpu")


def config_of(method: str, **changes: object) -> SearchConfig:
    small = {"init_channels": 4, "num_cells": 4, "batch_size": 4, "alpha_init_std": 1.0}
    return SearchConfig.build(METHODS[method]["search"] | small | changes)


def states(config: SearchConfig, device: torch.device = CPU) -> tuple[SearchState, PlainState]:
    """Both in float64 with the same random weights, alphas and running statistics."""
    torch.manual_seed(0)
    fast = SearchState(config, 10, device)
    fast.supernet.double().train()
    plain = PlainState.of(config, 10, device)
    plain.supernet.double()
    copy_weights(fast.supernet, plain.supernet)
    return fast, plain


def batches(
    size: int, num: int, seed: int = 0, device: torch.device = CPU, batch_size: int = 4
) -> Iterator[Batch]:
    """The same numbers on every device."""
    draw = torch.Generator().manual_seed(seed)
    for _ in range(num):
        images = torch.randn(batch_size, 3, size, size, dtype=torch.float64, generator=draw)
        labels = torch.randint(10, (batch_size,), generator=draw)
        yield images.to(device), labels.to(device)


def in_format(batch: Batch, config: SearchConfig) -> Batch:
    last = torch.channels_last if config.channels_last else torch.contiguous_format
    return batch[0].contiguous(memory_format=last), batch[1]


def assert_same_steps(
    fast: SearchState, plain: PlainState, config: SearchConfig, size: int, num: int
) -> None:
    """Both take `num` steps: their losses agree, and every tensor of the fast one moves."""
    before = copy.deepcopy(fast.supernet.state_dict())
    drawn = (batches(size, num, seed, fast.device, config.batch_size) for seed in (0, 1))
    for train, val in zip(*drawn, strict=True):
        weight_metrics, arch_metrics = search_step(
            fast, in_format(train, config), in_format(val, config), config
        )
        loss, _, _, validation = plain_step(plain, train, val, config)
        assert_same(weight_metrics[0], loss, "train_loss")
        assert_same(arch_metrics[0], validation, "arch_loss")
    moved = fast.supernet.state_dict()
    assert all(not torch.equal(moved[name], before[name]) for name in before if "num_b" not in name)


def differentiate_alike(logits: Tensor, expected: Tensor) -> None:
    """Take the gradients of both along one random direction."""
    direction = torch.randn_like(expected)
    torch.autograd.backward((logits * direction).sum())
    torch.autograd.backward((expected * direction).sum())


def assert_same(actual: Tensor, expected: Tensor, name: str) -> None:
    """Within `TOLERANCE` of the largest entry."""
    scale = max(1.0, expected.abs().max().item())
    error = (actual - expected).abs().max().item() / scale
    assert error <= TOLERANCE, f"{name}: {error:.1e}"
