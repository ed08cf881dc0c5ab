"""The kernels compute what torch computes: outputs, all gradients, running statistics.

Without a GPU Triton interprets them, in a process of its own: `TRITON_INTERPRET=1 pytest
tests/kernels`, which `tests/unit/fairdarts/kernels/test_interpreted.py` does. With one: `pytest -m
gpu tests/kernels`.
"""

import pytest
import torch
from kernel_nodes import Node, error

from fairdarts.kernels.engine import HAS_TRITON, INTERPRETED
from fairdarts.spaces import S1, S1_NO_SKIP

pytestmark = pytest.mark.skipif(not HAS_TRITON, reason="needs Triton")
on_each_device = pytest.mark.parametrize(
    "device",
    [
        pytest.param(
            "cpu",
            marks=pytest.mark.skipif(
                not INTERPRETED, reason="Triton interprets if TRITON_INTERPRET=1 from the start"
            ),
        ),
        pytest.param(
            "cuda",
            marks=[
                pytest.mark.gpu,
                pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
            ],
        ),
    ],
)

# Tiles of 128 pixels at 16 channels: one that is not full, two, odd sizes.
ONE_TILE = Node(S1, 16, 1, 1, 2, (5, 7), adds=True)
REDUCTION = Node(S1, 16, 2, 2, 3, (6, 4))
NODES = {
    "two tiles, one not full": Node(S1, 16, 1, 1, 1, (12, 12)),
    "a reduction": REDUCTION,
    "one image, odd sizes, stride 2, no skip": Node(S1_NO_SKIP, 32, 1, 2, 1, (5, 3)),
}
LARGER = {
    "a reduction, added": Node(S1, 16, 2, 2, 3, (6, 4), adds=True),
    "64 channels": Node(S1, 64, 2, 1, 2, (6, 6)),
    "128 channels, four edges, added": Node(S1, 128, 4, 1, 2, (4, 4), adds=True),
}


@on_each_device
@pytest.mark.parametrize("node", NODES.values(), ids=NODES)
def test_kernels_in_float64_are_torch(node: Node, device: str) -> None:
    exact = node.results(torch.float64, device, by_torch=True)
    ours = node.results(torch.float64, device, by_torch=False)
    assert ours.keys() == exact.keys()
    wrong = {name: e for name in exact if (e := error(ours[name], exact[name])) > 1e-11}
    assert wrong == {}


@pytest.mark.slow
@on_each_device
@pytest.mark.parametrize("node", LARGER.values(), ids=LARGER)
def test_kernels_of_more_channels_in_float64_are_torch(node: Node, device: str) -> None:
    test_kernels_in_float64_are_torch(node, device)


@on_each_device
def test_kernels_in_float32_are_as_near_to_float64_as_torch(device: str) -> None:
    node = ONE_TILE
    exact = node.results(torch.float64, device, by_torch=True)
    torchs = node.results(torch.float32, device, by_torch=True)
    ours = node.results(torch.float32, device, by_torch=False)
    for name in exact:
        bound = max(2.5 * error(torchs[name], exact[name]), 1e-6)
        assert error(ours[name], exact[name]) <= bound, name
    again = node.results(torch.float32, device, by_torch=False)
    for name in ours:
        assert torch.equal(ours[name], again[name]), f"{name} differs the second time"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="the interpreter has no bfloat16")
def test_kernels_in_bfloat16_add_in_float32() -> None:
    exact = ONE_TILE.results(torch.float64, "cuda", by_torch=True)
    ours = ONE_TILE.results(torch.bfloat16, "cuda", by_torch=False)
    # Features are rounded to 8 bits several times on the way.
    for name in exact:
        assert error(ours[name], exact[name]) < 0.1, name


@on_each_device
@pytest.mark.parametrize(
    "needs",
    [
        ("gates",),
        *(pytest.param(n, marks=pytest.mark.slow) for n in (("x", "gates"), ("x", "weights"))),
    ],
    ids=str,
)
def test_only_the_gradients_that_a_level_needs(needs: tuple[str, ...], device: str) -> None:
    exact = REDUCTION.results(torch.float64, device, by_torch=True, needs=needs)
    ours = REDUCTION.results(torch.float64, device, by_torch=False, needs=needs)
    assert ours.keys() == exact.keys()
    for name in exact:
        assert error(ours[name], exact[name]) <= 1e-11, name
