from collections.abc import Iterator
from typing import Any

import pytest
import torch

from fairdarts.config import SearchConfig
from fairdarts.search.state import SearchState
from fairdarts.search.step import search_step
from fairdarts.training.precision import float32_products

BACKENDS: Any = torch.backends  # whose annotations lack `conv` and `rnn`
CUDNN = BACKENDS.cudnn


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


def older_names() -> list[object]:
    return [
        torch.get_float32_matmul_precision(),
        torch.backends.cuda.matmul.allow_tf32,
        CUDNN.allow_tf32,
    ]


def newer_names() -> list[str]:
    return [*rounding(), CUDNN.rnn.fp32_precision, BACKENDS.mkldnn.matmul.fp32_precision]


def allow_tf32_by_older_names() -> None:
    torch.backends.cuda.matmul.allow_tf32 = True
    CUDNN.allow_tf32 = False


def round_by_newer_names() -> None:
    torch.backends.cuda.matmul.fp32_precision = "tf32"
    CUDNN.conv.fp32_precision = "ieee"


CALLERS = {
    "torch's own settings": lambda: None,
    "older names": allow_tf32_by_older_names,
    "medium products": lambda: torch.set_float32_matmul_precision("medium"),
    "newer names": round_by_newer_names,
}


@pytest.fixture
def fresh_settings() -> Iterator[None]:
    """Torch's settings as they are at first, whatever the test makes of them."""
    precisions = newer_names()
    yield
    torch.set_float32_matmul_precision("highest")
    CUDNN.allow_tf32 = True
    backends = (torch.backends.cuda.matmul, CUDNN.conv, CUDNN.rnn, BACKENDS.mkldnn.matmul)
    for backend, value in zip(backends, precisions, strict=True):
        backend.fp32_precision = value


@pytest.mark.usefixtures("fresh_settings")
@pytest.mark.parametrize("precision", ["float32", "tf32"])
@pytest.mark.parametrize("caller", CALLERS)
def test_every_name_of_these_settings_can_be_used_inside(caller: str, precision: str) -> None:
    CALLERS[caller]()

    with float32_products(precision):
        is_tf32 = precision == "tf32"
        assert older_names() == ["high" if is_tf32 else "highest", is_tf32, is_tf32]
        with CUDNN.flags(enabled=True, benchmark=True, allow_tf32=not is_tf32):
            assert CUDNN.allow_tf32 is not is_tf32
        assert CUDNN.allow_tf32 is is_tf32


@pytest.mark.usefixtures("fresh_settings")
@pytest.mark.parametrize("caller", [name for name in CALLERS if name != "newer names"])
def test_the_caller_finds_its_settings_again_by_every_name(caller: str) -> None:
    CALLERS[caller]()
    before = [*older_names(), *newer_names()]

    with float32_products("tf32" if before[1] is False else "float32"):
        torch.set_float32_matmul_precision("high")

    assert [*older_names(), *newer_names()] == before


@pytest.mark.usefixtures("fresh_settings")
def test_a_caller_who_set_newer_names_alone_finds_them_again() -> None:
    round_by_newer_names()
    before = newer_names()

    with float32_products("float32"):
        pass

    assert newer_names() == before


@pytest.mark.usefixtures("fresh_settings")
def test_the_flags_of_cudnn_may_stand_around_it() -> None:
    with CUDNN.flags(enabled=True, allow_tf32=False), float32_products("float32"):
        assert rounding() == ["ieee", "ieee"]
    assert older_names() == ["highest", False, True]


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
