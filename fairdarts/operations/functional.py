"""Functions that equal torch's, with gradients that a CPU computes faster.

oneDNN computes the gradients of dilated, strided and 5x5 depthwise convolutions at 1-6 GFLOP/s, but
forward passes at 30-60. Here every gradient is a convolution of a fast kind: the same sums, in
another order. Gradients are also dense and keep the memory format; otherwise the gradients of the
layers before would be slow.

Shapes: B batch, C channels, H W space, k kernel size (odd).
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

is_scripting = torch.jit.is_scripting  # type: ignore[attr-defined]

FAST_KERNELS = (3, 5)
"""Sizes of depthwise kernels whose gradients are computed here; torch computes those of others."""


def depthwise_conv(x: Tensor, weight: Tensor, stride: int, dilation: int) -> Tensor:
    """Convolve each channel with its own kernel, padded to keep H and W at stride 1.

    Args:
        x: (B, C, H, W).
        weight: (C, 1, k, k).
        stride: 1 or 2.
        dilation: 1 or 2.
    Returns:
        (B, C, ceil(H / stride), ceil(W / stride)).
    """
    # TorchScript knows no gradients but its own. It compiles no branch that it never takes.
    if is_scripting() or x.device.type != "cpu":
        output = _conv(x, weight, stride, dilation)
    else:
        if stride == 2 and dilation == 2:  # it reads every second pixel only
            x, stride, dilation = every_second_pixel(x, 0), 1, 1
        fast = weight.shape[-1] in FAST_KERNELS
        output = (_DepthwiseConv.apply if fast else _conv)(x, weight, stride, dilation)
    return output


def avg_pool_3x3(x: Tensor, stride: int) -> Tensor:
    """Average over the pixels of each 3 x 3 window that are inside the image.

    Args:
        x: (B, C, H, W).
        stride: 1 or 2.
    Returns:
        (B, C, ceil(H / stride), ceil(W / stride)), in the memory format of x.
    """
    if is_scripting() or x.device.type != "cuda":
        pooled = F.avg_pool2d(x, 3, stride, padding=1, count_include_pad=False)
    else:
        # In channels last, gradients are wrong on CUDA in torch of before July 2026 (issue 188344).
        is_last = x.is_contiguous(memory_format=torch.channels_last)
        pooled = F.avg_pool2d(x.contiguous(), 3, stride, padding=1, count_include_pad=False)
        if is_last:
            pooled = pooled.contiguous(memory_format=torch.channels_last)
    return pooled


def every_second_pixel(x: Tensor, first: int) -> Tensor:
    """Rows and columns `first`, `first + 2`, ... of (B, C, H, W), in its memory format."""
    if is_scripting():  # noqa: SIM108 - both sides of an expression would be compiled
        pixels = x[:, :, first::2, first::2]
    else:
        pixels = _EverySecondPixel.apply(x, first)
    return pixels


def even_and_odd_pixels(x: Tensor) -> tuple[Tensor, Tensor]:
    """What `every_second_pixel` gives from 0 and from 1 on; the gradients of both meet in one."""
    if is_scripting():
        even, odd = x[:, :, ::2, ::2], x[:, :, 1::2, 1::2]
    else:
        even, odd = _EvenAndOddPixels.apply(x)
    return even, odd


def concatenate(features: list[Tensor]) -> Tensor:
    """Features (B, C, H, W) of one shape in one tensor (B, sum of C, H, W)."""
    if is_scripting() or features[0].device.type != "cpu":
        whole = torch.cat(features, dim=1)
    else:
        whole = torch.cat([_DenseGradient.apply(feature) for feature in features], dim=1)
    return whole


def _conv(x: Tensor, weight: Tensor, stride: int, dilation: int) -> Tensor:
    padding = dilation * (weight.shape[-1] - 1) // 2
    return F.conv2d(x, weight, None, stride, padding, dilation, groups=len(weight))


class _DepthwiseConv(torch.autograd.Function):
    @staticmethod
    @torch.amp.custom_fwd(device_type="cpu", cast_inputs=torch.bfloat16)  # type: ignore[untyped-decorator]
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int, dilation: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.dilation = stride, dilation
        return _conv(x, weight, stride, dilation)

    @staticmethod
    @torch.amp.custom_bwd(device_type="cpu")  # type: ignore[untyped-decorator]
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        x, weight = ctx.saved_tensors
        grad = grads[0]
        if ctx.stride == 2:  # as with stride 1, where the pixels left out have gradient 0
            grad = _spread(grad, x)
        grad_x = grad_weight = None
        if ctx.needs_input_grad[0]:
            # With padding that keeps the size, this is a convolution with the kernel turned round.
            grad_x = _conv(grad, weight.flip(2, 3), 1, ctx.dilation)
        if ctx.needs_input_grad[1]:
            if ctx.dilation == 2:  # without dilation on every second row and column
                x, grad = _lattices(x), _lattices(grad)
            grad_weight = _weight_gradient(x, grad, weight.shape[-1])
        return grad_x, grad_weight, None, None


class _EverySecondPixel(torch.autograd.Function):
    # Not by slicing: the gradient of a slice is in NCHW whatever x is, and so are all gradients
    # of the layers before it.
    @staticmethod
    def forward(ctx: Any, x: Tensor, first: int) -> Tensor:
        ctx.save_for_backward(x)
        ctx.first = first
        return _every_second_pixel(x, first)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return _spread(grads[0], x, ctx.first), None


class _EvenAndOddPixels(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(x)
        return _every_second_pixel(x, 0), _every_second_pixel(x, 1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        spread = _spread(grads[0], x)
        spread[:, :, 1::2, 1::2] = grads[1]
        return spread


class _DenseGradient(torch.autograd.Function):
    # Concatenation hands each input a strip of one large gradient, on which the gradient of batch
    # norm is slow.
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.memory_format = _memory_format(x)
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return grads[0].contiguous(memory_format=ctx.memory_format)


def _memory_format(x: Tensor) -> torch.memory_format:
    last = x.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if last else torch.contiguous_format


def _every_second_pixel(x: Tensor, first: int) -> Tensor:
    pixels = x[:, :, first::2, first::2]
    return torch.empty_like(pixels, memory_format=_memory_format(x)).copy_(pixels)


def _spread(grad: Tensor, x: Tensor, first: int = 0) -> Tensor:
    """Zeros like x, with `grad` on every second row and column from `first`."""
    spread = torch.zeros_like(x, dtype=grad.dtype)
    spread[:, :, first::2, first::2] = grad
    return spread


def _lattices(x: Tensor) -> Tensor:
    """(B, C, H, W) to (4 B, C, H / 2, W / 2): even and odd rows and columns, separated."""
    height, width = x.shape[-2:]
    if height % 2 or width % 2:
        x = F.pad(x, (0, width % 2, 0, height % 2))
    return torch.cat([x[:, :, row::2, column::2] for row in (0, 1) for column in (0, 1)])


def _weight_gradient(x: Tensor, grad: Tensor, kernel_size: int) -> Tensor:
    """Gradient of an undilated (C, 1, k, k) kernel, k = 3 or 5, from x and grad (B, C, H, W)."""
    if kernel_size == 3:
        return _native_weight_gradient(x, grad, 3)
    # oneDNN is fast for kernels of three columns. So compute columns 0-2 and columns 2-4, each from
    # images that a column of zeros shifts. Images must also have as many rows as the kernel.
    rows = max(0, kernel_size - x.shape[-2])
    left = _native_weight_gradient(F.pad(x, (1, 0, 0, rows)), F.pad(grad, (0, 1, 0, rows)), 5)
    right = _native_weight_gradient(F.pad(x, (0, 1, 0, rows)), F.pad(grad, (1, 0, 0, rows)), 5)
    return torch.cat([left, right[..., 1:]], dim=-1)


def _native_weight_gradient(x: Tensor, grad: Tensor, num_rows: int) -> Tensor:
    """Gradient of a (C, 1, num_rows, 3) kernel."""
    channels = x.shape[1]
    gradients: tuple[Tensor, Tensor, Tensor] = torch.ops.aten.convolution_backward(
        grad,
        x,
        weight=x.new_empty(channels, 1, num_rows, 3),
        bias_sizes=None,
        stride=[1, 1],
        padding=[num_rows // 2, 1],
        dilation=[1, 1],
        transposed=False,
        output_padding=[0, 0],
        groups=channels,
        output_mask=[False, True, False],
    )
    return gradients[1]
