from typing import Any

import pytest
import torch

from fairdarts.config import SearchConfig
from fairdarts.search.state import SearchState
from fairdarts.search.step import search_step
from fairdarts.training.precision import float32_products

CUDNN: Any = torch.backends.cudnn


def rounding() -> list[str]:
    return [torch.backends.cuda.matmul.fp32_precision, CUDNN.conv.fp32_precision]


@pytest.mark.parametrize(
    ("precision", "inside"), [("float32", "ieee"), ("bfloat16", "ieee"), ("tf32", "tf32")]
)
def test_products_are_rounded_to_tf32_only_where_asked_and_only_inside(
    precision: str, inside: str
) -> None:
    before = rounding()
    with pytest.raises(KeyError), float32_products(precision):
        assert rounding() == [inside, inside]
        raise KeyError
    assert rounding() == before


def test_bfloat16_search_keeps_float32_weights_and_comes_near_the_float32_one() -> None:
    losses = {}
    for precision in ("float32", "bfloat16"):
        config = SearchConfig.build(
            {"init_channels": 4, "num_cells": 4, "batch_size": 8, "precision": precision}
        )
        state = SearchState(config, 10, torch.device("cpu"))
        draw = torch.Generator().manual_seed(0)
        images, labels = torch.randn(8, 3, 16, 16, generator=draw), torch.arange(8)
        weight_metrics, _ = search_step(state, (images, labels), (images, labels), config)
        losses[precision] = weight_metrics[0].item()
        assert {tensor.dtype for tensor in state.supernet.parameters()} == {torch.float32}
        assert all(tensor.isfinite().all() for tensor in state.supernet.parameters())
    assert losses["bfloat16"] != losses["float32"]
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.05)
