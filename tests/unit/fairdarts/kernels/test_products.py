"""Batched products are grouped 1x1 convolutions, gradients included."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from fairdarts.kernels.products import grouped_1x1


def results(convolve: object, x: Tensor, weight: Tensor, groups: int) -> list[Tensor]:
    assert callable(convolve)
    leaves = [x.clone().requires_grad_(), weight.clone().requires_grad_()]
    output = convolve(*leaves, groups=groups)
    slopes = torch.arange(output.numel(), dtype=torch.float64).cos().view(output.shape)
    return [output.detach(), *torch.autograd.grad(output, leaves, slopes)]


@pytest.mark.parametrize("size", [(6, 7), (32, 64)])
@pytest.mark.parametrize(
    ("groups", "channels", "outputs"), [(1, 16, 16), (4, 16, 16), (8, 16, 8), (2, 64, 32)]
)
def test_batched_products_are_grouped_convolutions(
    groups: int, channels: int, outputs: int, size: tuple[int, int]
) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, groups * channels, *size, dtype=torch.float64)
    weight = torch.randn(groups * outputs, channels, 1, 1, dtype=torch.float64)
    expected = results(F.conv2d, x, weight, groups)
    for features in (x, x.contiguous(memory_format=torch.channels_last)):
        actual = results(grouped_1x1, features, weight, groups)
        for ours, theirs in zip(actual, expected, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-11, atol=1e-11)
        assert actual[0].is_contiguous(memory_format=torch.channels_last)
        assert actual[1].is_contiguous(memory_format=torch.channels_last)


def test_products_under_autocast_are_of_its_precision() -> None:
    x, weight = torch.randn(2, 32, 4, 4), torch.randn(32, 16, 1, 1, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        output = grouped_1x1(x, weight, 2)
    assert output.dtype == torch.bfloat16
    (gradient,) = torch.autograd.grad(output.float().square().sum(), weight)
    assert gradient.dtype == torch.float32
