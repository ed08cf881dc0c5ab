import copy

import pytest
import torch
from torch import Tensor

from fairdarts.spaces import S1
from fairdarts.supernet.mixed_ops import MixedOps, gated_sums

FORMATS = [
    pytest.param(torch.channels_last, id="nhwc"),
    pytest.param(torch.contiguous_format, id="nchw"),
]
each_format = pytest.mark.parametrize("memory_format", FORMATS)


def random(*shape: int, seed: int = 0) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(shape, dtype=torch.float64, generator=draw)


@each_format
@pytest.mark.parametrize("num_edges", [1, 3])
def test_gated_sums_are_plain_sums_in_the_memory_format_of_the_features(
    num_edges: int, memory_format: torch.memory_format
) -> None:
    gates = random(num_edges, 2).requires_grad_()
    features = [
        random(2, 3, 4, 5, seed=seed).contiguous(memory_format=memory_format).requires_grad_()
        for seed in (1, 2)
    ]
    directions = random(num_edges, 2, 3, 4, 5, seed=3)
    sums = gated_sums(gates, features)
    expected = [gate[0] * features[0] + gate[1] * features[1] for gate in gates]
    for total, plain in zip(sums, expected, strict=True):
        torch.testing.assert_close(total, plain, rtol=1e-12, atol=1e-12)
        assert total.is_contiguous(memory_format=memory_format)
    wanted = torch.autograd.grad(expected, (gates, *features), directions.unbind())
    gradients = torch.autograd.grad(sums, (gates, *features), directions.unbind())
    for gradient, plain in zip(gradients, wanted, strict=True):
        torch.testing.assert_close(gradient, plain, rtol=1e-12, atol=1e-12)
    assert all(grad.is_contiguous(memory_format=memory_format) for grad in gradients[1:])


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("num_edges", [1, 2])
def test_float32_gradients_of_gates_channels_last_are_those_of_float64(
    num_edges: int, stride: int
) -> None:
    # Of one edge, the gate expanded to a weight of batch norm is a view of stride 0, beyond which
    # the channels-last gradient of a CPU reads: wrong numbers or NaN, and no error.
    torch.manual_seed(0)
    module = MixedOps(S1, 16, num_edges, stride)
    exact = copy.deepcopy(module).double()
    x, gates = random(4, 16, 8, 8), random(num_edges, 7, seed=1)
    directions = [random(4, 16, 8 // stride, 8 // stride, seed=2 + e) for e in range(num_edges)]

    def gradients(module: MixedOps, *tensors: Tensor) -> tuple[Tensor, ...]:
        x, gates, *along = tensors
        inputs = x.requires_grad_(), gates.requires_grad_()
        return torch.autograd.grad(module(*inputs), inputs, along)

    def rounded(image: Tensor) -> Tensor:
        return image.float().contiguous(memory_format=torch.channels_last)

    actual = gradients(
        module.to(memory_format=torch.channels_last),
        *(rounded(x), gates.float(), *map(rounded, directions)),
    )
    for gradient, expected in zip(actual, gradients(exact, x, gates, *directions), strict=True):
        assert (gradient - expected).norm() <= 1e-4 * expected.norm()
