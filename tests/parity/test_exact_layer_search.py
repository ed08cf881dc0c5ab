"""The search step in S2 computes what the plain one does, in float64, every tensor."""

import pytest
import torch
from exact_search import assert_same, assert_same_steps, batches, differentiate_alike, in_format

from benchmarks.plain import PlainState
from benchmarks.plain_layers import same_numbers
from fairdarts.config import SearchConfig
from fairdarts.presets import presets
from fairdarts.search.state import SearchState

NUM_CLASSES = 10


def config_of(method: str, space: str = "s2", **changes: object) -> SearchConfig:
    small = {"width": 0.25, "num_layers": 6, "batch_size": 4, "alpha_init_std": 1.0}
    values = presets(method, space)["search"] | small | {"space": space}
    return SearchConfig.build(values | changes)


def states(config: SearchConfig) -> tuple[SearchState, PlainState]:
    """Both in float64 with the same random weights, alphas and running statistics."""
    fast = SearchState(config, NUM_CLASSES, torch.device("cpu"))
    fast.supernet.double().train()
    plain = PlainState.of(config, NUM_CLASSES)
    plain.supernet.double()
    with torch.no_grad():
        for _, ours, theirs in same_numbers(plain.supernet, fast.supernet):
            ours.copy_(theirs)
    return fast, plain


@pytest.mark.parametrize(
    ("method", "changes"),
    [
        ("fairdarts", {}),
        ("fairdarts", {"channels_last": False, "num_layers": 11}),
        ("fairdarts", {"space": "s2_identity_skip", "num_layers": 11}),
        ("fairdarts", {"recompute": True}),
        ("darts", {}),
        ("darts", {"space": "s2_identity_skip"}),
    ],
    ids=str,
)
def test_logits_and_all_gradients_are_those_of_the_plain_supernet(
    method: str, changes: dict[str, object]
) -> None:
    config = config_of(method, **changes)
    fast, plain = states(config)
    (batch,) = batches(64, 1)
    logits = fast.supernet(in_format(batch, config)[0], fast.supernet.gates())
    expected = plain.supernet(batch[0], plain.supernet.gates())
    assert_same(logits, expected, "logits")
    differentiate_alike(logits, expected)
    compared = 0
    for name, ours, theirs in same_numbers(plain.supernet, fast.supernet):
        if ours.requires_grad:
            assert ours.grad is not None
            assert theirs.grad is not None
            assert_same(theirs.grad, ours.grad, name)
            compared += ours.numel()
    assert compared == sum(weight.numel() for weight in fast.supernet.parameters())


@pytest.mark.parametrize(
    ("method", "changes"),
    [
        ("fairdarts", {}),
        ("fairdarts", {"optimization": "single_level"}),
        ("fairdarts", {"zero_one_form": "l1", "space": "s2_identity_skip"}),
        ("fairdarts", {"zero_one_weight": 1.0, "alpha_weight_decay": 0.0}),
        ("darts", {}),
        ("darts", {"order": 2}),
    ],
    ids=str,
)
def test_two_whole_steps_are_those_of_the_plain_search(
    method: str, changes: dict[str, object]
) -> None:
    config = config_of(method, **changes)
    fast, plain = states(config)
    assert_same_steps(fast, plain, config, size=64, num=2)
    for name, ours, theirs in same_numbers(plain.supernet, fast.supernet):
        assert_same(theirs, ours, name)
