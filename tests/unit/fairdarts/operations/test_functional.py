from itertools import product

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from fairdarts.operations.functional import (
    depthwise_conv,
    even_and_odd_pixels,
    every_second_pixel,
)

SIZES = [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (7, 7), (8, 8), (12, 12), (1, 5), (6, 3), (9, 4)]
KERNELS = list(product((3, 5), (1, 2), (1, 2)))
FORMATS = [
    pytest.param(torch.channels_last, id="nhwc"),
    pytest.param(torch.contiguous_format, id="nchw"),
]
each_format = pytest.mark.parametrize("memory_format", FORMATS)
NAMES = ("size", "stride", "dilation")
each_kernel = pytest.mark.parametrize(NAMES, KERNELS)
OTHER_KERNELS = list(product((1, 7), (1, 2), (1, 2)))


def tensors(
    size: int,
    image: tuple[int, int] = (7, 8),
    channels: int = 3,
    memory_format: torch.memory_format = torch.contiguous_format,
) -> tuple[Tensor, Tensor]:
    """Random float64 images and kernels that want gradients."""
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(2, channels, *image, generator=draw, dtype=torch.float64)
    weight = torch.randn(channels, 1, size, size, generator=draw, dtype=torch.float64)
    return x.contiguous(memory_format=memory_format).requires_grad_(), weight.requires_grad_()


def plain_conv(x: Tensor, weight: Tensor, stride: int, dilation: int) -> Tensor:
    padding = dilation * (weight.shape[-1] // 2)
    return F.conv2d(x, weight, None, stride, padding, dilation, groups=len(weight))


def direction_of(output: Tensor) -> Tensor:
    draw = torch.Generator().manual_seed(1)
    direction = torch.randn(output.shape, generator=draw, dtype=torch.float64)
    return torch.empty_like(output, dtype=torch.float64).copy_(direction)


def assert_near(actual: Tensor, expected: Tensor, tolerance: float = 1e-12) -> None:
    """Within `tolerance` of the largest entry."""
    assert actual.shape == expected.shape
    assert (actual - expected).abs().max() <= tolerance * max(1.0, expected.abs().max().item())


@each_format
@pytest.mark.parametrize(NAMES, KERNELS + OTHER_KERNELS)
@pytest.mark.parametrize("image", SIZES, ids=lambda image: "x".join(map(str, image)))
def test_output_and_gradients_are_those_of_the_plain_convolution(
    size: int,
    stride: int,
    dilation: int,
    image: tuple[int, int],
    memory_format: torch.memory_format,
) -> None:
    x, weight = tensors(size, image, memory_format=memory_format)
    output = depthwise_conv(x, weight, stride, dilation)
    expected = plain_conv(x, weight, stride, dilation)
    assert_near(output, expected)
    direction = direction_of(output)
    gradients = torch.autograd.grad(output, (x, weight), direction)
    for actual, wanted in zip(
        gradients, torch.autograd.grad(expected, (x, weight), direction), strict=True
    ):
        assert_near(actual, wanted)


@each_format
@each_kernel
def test_everything_comes_in_the_memory_format_of_the_input(
    size: int, stride: int, dilation: int, memory_format: torch.memory_format
) -> None:
    x, weight = tensors(size, memory_format=memory_format)
    output = depthwise_conv(x, weight, stride, dilation)
    (gradient,) = torch.autograd.grad(output, x, direction_of(output))
    assert output.is_contiguous(memory_format=memory_format)
    assert gradient.is_contiguous(memory_format=memory_format)


@each_kernel
def test_gradient_of_one_argument_does_not_need_that_of_the_other(
    size: int, stride: int, dilation: int
) -> None:
    x, weight = tensors(size)
    output = depthwise_conv(x, weight, stride, dilation)
    direction = direction_of(output)
    both = torch.autograd.grad(output, (x, weight), direction)
    alone = (
        torch.autograd.grad(depthwise_conv(x, weight.detach(), stride, dilation), x, direction),
        torch.autograd.grad(
            depthwise_conv(x.detach(), weight, stride, dilation), weight, direction
        ),
    )
    for (actual,), expected in zip(alone, both, strict=True):
        assert torch.equal(actual, expected)


@each_kernel
def test_gradients_are_those_of_finite_differences(size: int, stride: int, dilation: int) -> None:
    arguments = tensors(size, image=(5, 4), channels=2)
    torch.autograd.gradcheck(
        lambda x, weight: depthwise_conv(x, weight, stride, dilation), arguments
    )


@each_kernel
@pytest.mark.parametrize("channels", [2, 4, 16, 64])
def test_float32_channels_last_is_right_for_few_channels_too(
    size: int, stride: int, dilation: int, channels: int
) -> None:
    # oneDNN corrupts memory in some strided channels-last convolutions of few channels.
    exact = tensors(size, channels=channels, memory_format=torch.channels_last)
    x, weight = (tensor.detach().float().requires_grad_() for tensor in exact)
    expected = plain_conv(*exact, stride, dilation)
    output = depthwise_conv(x, weight, stride, dilation)
    assert_near(output, expected, 1e-4)
    direction = direction_of(output)
    gradients = torch.autograd.grad(output, (x, weight), direction.float())
    for actual, wanted in zip(
        gradients, torch.autograd.grad(expected, exact, direction), strict=True
    ):
        assert_near(actual, wanted, 1e-4)


@each_format
@each_kernel
def test_autocast_computes_in_bfloat16_near_float32(
    size: int, stride: int, dilation: int, memory_format: torch.memory_format
) -> None:
    x, weight = (
        tensor.detach().float().requires_grad_()
        for tensor in tensors(size, channels=16, memory_format=memory_format)
    )
    with torch.autocast("cpu", torch.bfloat16):
        output = depthwise_conv(x, weight, stride, dilation)
    expected = depthwise_conv(x, weight, stride, dilation)
    assert output.dtype == torch.bfloat16
    assert_near(output, expected, 0.05)
    direction = direction_of(output)
    gradients = torch.autograd.grad(output, (x, weight), direction.bfloat16())
    for actual, wanted in zip(
        gradients, torch.autograd.grad(expected, (x, weight), direction.float()), strict=True
    ):
        assert actual.dtype == torch.float32
        assert_near(actual, wanted, 0.05)


@each_format
@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("image", [(2, 2), (5, 7), (8, 6)])
def test_every_second_pixel_is_a_slice_in_the_same_memory_format(
    first: int, image: tuple[int, int], memory_format: torch.memory_format
) -> None:
    x, _ = tensors(3, image, memory_format=memory_format)
    pixels = every_second_pixel(x, first)
    expected = x[:, :, first::2, first::2]
    assert torch.equal(pixels, expected)
    direction = direction_of(pixels)
    (gradient,) = torch.autograd.grad(pixels, x, direction)
    assert torch.equal(gradient, torch.autograd.grad(expected, x, direction)[0])
    assert pixels.is_contiguous(memory_format=memory_format)
    assert gradient.is_contiguous(memory_format=memory_format)


@each_format
@pytest.mark.parametrize("image", [(2, 2), (8, 6)])
def test_even_and_odd_pixels_and_their_gradient_are_those_of_slices(
    image: tuple[int, int], memory_format: torch.memory_format
) -> None:
    x, _ = tensors(3, image, memory_format=memory_format)
    halves = even_and_odd_pixels(x)
    expected = x[:, :, ::2, ::2], x[:, :, 1::2, 1::2]
    directions = [direction_of(half) for half in halves]
    (gradient,) = torch.autograd.grad(halves, x, directions)
    assert torch.equal(gradient, torch.autograd.grad(expected, x, directions)[0])
    for half, slice_ in zip(halves, expected, strict=True):
        assert torch.equal(half, slice_)
        assert half.is_contiguous(memory_format=memory_format)
    assert gradient.is_contiguous(memory_format=memory_format)
