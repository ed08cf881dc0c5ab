"""The float32 supernet is as near to float64 as the plain one in the same memory format."""

import pytest
from float32_search import assert_gradients_as_near, assert_logits_as_near, fast_plain_exact

FORMATS = pytest.mark.parametrize(
    ("seed", "channels_last"), [(0, True), (1, False)], ids=["nhwc", "nchw"]
)


@FORMATS
def test_logits_are_as_near_to_float64_as_the_plain_ones(seed: int, channels_last: bool) -> None:
    assert_logits_as_near(fast_plain_exact(seed, channels_last))


@FORMATS
def test_gradients_are_as_near_to_float64_as_the_plain_ones(seed: int, channels_last: bool) -> None:
    assert_gradients_as_near(fast_plain_exact(seed, channels_last))
