"""The kernels on the device: the same bits twice, and that they are used."""

import pytest
import torch
from torch import Tensor

from fairdarts.spaces import CellSpace, get_space
from fairdarts.supernet.mixed_ops import MixedOps
from fairdarts.training.precision import autocast
from fairdarts.vocabulary import Precision

pytest.importorskip("triton", reason="Triton comes with torch's CUDA wheels for Linux alone")
from fairdarts.kernels.launch import Launch, launches

pytestmark = pytest.mark.gpu
NUM_EDGES = 3


def results(
    device: torch.device, num_passes: int = 1, precision: Precision = "float32"
) -> list[list[Tensor]]:
    """Mixed features, all gradients and statistics of a node, each time from the same numbers."""
    space = get_space("s1")
    assert isinstance(space, CellSpace)
    passes = []
    for _ in range(num_passes):
        torch.manual_seed(0)
        node = MixedOps(space, 16, NUM_EDGES, 1).to(device)
        x = torch.randn(5, 16, 12, 12).to(device)
        x = x.contiguous(memory_format=torch.channels_last).requires_grad_()
        gates = torch.rand(NUM_EDGES, len(space.operations)).to(device)
        with autocast(device, precision):
            mixed = node(x, gates.requires_grad_())
        slopes = [torch.randn(features.shape).to(features) for features in mixed]
        grads = torch.autograd.grad(mixed, [x, gates, *node.parameters()], slopes)
        passes.append([*mixed, *grads, *node.buffers()])
    return passes


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_node_gives_the_same_bits_twice(precision: Precision, device: torch.device) -> None:
    first, second = results(device, 2, precision)
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


def test_a_node_is_computed_by_the_kernels(cuda: torch.device) -> None:
    found: list[Launch] = []
    with launches(found.append):
        results(cuda)
    assert found
