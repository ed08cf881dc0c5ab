"""The float32 supernet is as near to float64 as the plain one in the same memory format."""

import pytest
from float32_search import assert_gradients_as_near, assert_logits_as_near, fast_plain_exact


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("channels_last", [True, False], ids=["nhwc", "nchw"])
def test_logits_are_as_near_to_float64_as_the_plain_ones(seed: int, channels_last: bool) -> None:
    assert_logits_as_near(fast_plain_exact(seed, channels_last))


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("channels_last", [True, False], ids=["nhwc", "nchw"])
def test_gradients_are_as_near_to_float64_as_the_plain_ones(seed: int, channels_last: bool) -> None:
    assert_gradients_as_near(fast_plain_exact(seed, channels_last))
