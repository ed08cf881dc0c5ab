"""The search step computes what the plain one does, in float64, every tensor."""

import pytest
from exact_search import (
    assert_same,
    assert_same_steps,
    batches,
    config_of,
    differentiate_alike,
    in_format,
    states,
)

from benchmarks.plain import twins
from fairdarts.supernet import mixed_ops


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
    differentiate_alike(logits, expected)
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
        pytest.param("darts", {"order": 2}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_three_whole_steps_are_those_of_the_plain_search(
    method: str, changes: dict[str, object]
) -> None:
    config = config_of(method, **changes)
    fast, plain = states(config)
    assert_same_steps(fast, plain, config, size=16, num=3)
    for twin in twins(plain.supernet, fast.supernet):
        assert_same(twin.fast[twin.part], twin.plain, twin.name)
