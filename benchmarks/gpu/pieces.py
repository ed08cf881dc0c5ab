"""The pieces of a stage, each the ways there are to compute it, against the memory traffic bound.

The bound is the time to read and write once what must be, at the bandwidth of a copy. Shapes as in
`fairdarts.supernet.stacked_ops`, with the channels of `NUM_EDGES` edges stacked.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.gpu.ceilings import copy_tb_per_s
from benchmarks.gpu.measure import Work, forget, piece_ms
from benchmarks.gpu.readings import Reading, Report, Setup, Sizes
from fairdarts.training.precision import float32_products

NUM_EDGES = 4
DEPTHWISE = ((3, 1), (5, 1), (3, 2), (5, 2))
"""Kernel sizes and dilations."""
Compute = Callable[[Tensor, Tensor], object]
"""Of the features of all edges and a gradient like them."""


@dataclass(frozen=True)
class Features:
    """Some sets of features (B, E * C, H, W) and of gradients like them."""

    channels_last: list[tuple[Tensor, Tensor]]
    contiguous: list[tuple[Tensor, Tensor]]

    @classmethod
    def of(cls, sizes: Sizes, channels: int, height: int, device: torch.device) -> "Features":
        """Of noise, and as many sets as no cache holds."""
        shape = (sizes.batch_size, NUM_EDGES * channels, height, height)
        contiguous = [_pair(shape, device)]
        nbytes = contiguous[0][0].nbytes
        contiguous += [_pair(shape, device) for _ in range(sizes.rotated_bytes // nbytes)]
        last = [
            (
                x.contiguous(memory_format=torch.channels_last),
                grad.contiguous(memory_format=torch.channels_last),
            )
            for x, grad in contiguous
        ]
        return cls(last, contiguous)


def _pair(shape: tuple[int, ...], device: torch.device) -> tuple[Tensor, Tensor]:
    return torch.randn(shape, device=device), torch.randn(shape, device=device)


def measure(setup: Setup, report: Report) -> None:
    """Report every way of every piece in float32, in every size of features that S1 has."""
    device, sizes = torch.device(setup.device), setup.sizes
    with float32_products("float32"):
        bandwidth = copy_tb_per_s(sizes, device)
        for channels, height in sizes.stages:
            forget(device)
            features = Features.of(sizes, channels, height, device)
            for what, passes, ways in _pieces(channels, device):
                bound_ms = passes * features.contiguous[0][0].nbytes / bandwidth / 1e9
                for how, (compute, channels_last) in ways.items():
                    sets = features.channels_last if channels_last else features.contiguous
                    calls: list[Work] = [partial(compute, *one) for one in sets]
                    name = f"{what}, C = {channels} at {height} x {height}: {how}"
                    report(_reading(name, calls, bound_ms, sizes, device))


def _reading(
    what: str, calls: list[Work], bound_ms: float, sizes: Sizes, device: torch.device
) -> Reading:
    try:
        ms = piece_ms(calls, sizes, device)
    except RuntimeError as error:  # the next way may do
        return Reading(what, note=str(error).partition("\n")[0][:150])
    return Reading(what, ms, "ms", f"{bound_ms / ms:.0%} of the traffic bound")


Ways = dict[str, tuple[Compute, bool]]
"""By name: what is computed, and whether of features that lie channels last."""


def _pieces(channels: int, device: torch.device) -> Iterator[tuple[str, int, Ways]]:
    """Name, how many times the features pass through memory at least, and the ways."""
    for kernel, dilation in DEPTHWISE:
        yield from _depthwise(channels, kernel, dilation, device)
    yield from _pointwise(channels, device)
    yield from _norm(channels, device)


def _depthwise(
    channels: int, kernel: int, dilation: int, device: torch.device
) -> Iterator[tuple[str, int, Ways]]:
    groups = NUM_EDGES * channels
    weight = torch.randn(groups, 1, kernel, kernel, device=device) / kernel
    forward = _conv(weight, groups, dilation)
    backward = _conv_backward(weight, groups, dilation)
    name = f"depthwise {kernel} x {kernel}, dilation {dilation}"
    for what, passes, compute in (
        (f"{name}, forward", 2, forward),
        (f"{name}, both gradients", 3, backward),
    ):
        yield (
            what,
            passes,
            {
                "cuDNN, channels last": (compute, True),
                "torch's own, NCHW": (_without_cudnn(compute), False),
            },
        )


def _pointwise(channels: int, device: torch.device) -> Iterator[tuple[str, int, Ways]]:
    weight = torch.randn(NUM_EDGES * channels, channels, 1, 1, device=device)
    for what, passes, compute, as_products in (
        ("forward", 2, _conv(weight, NUM_EDGES, 1), _products(weight)),
        ("both gradients", 4, _conv_backward(weight, NUM_EDGES, 1), _products_backward(weight)),
    ):
        yield (
            f"grouped 1 x 1, {what}",
            passes,
            {
                "cuDNN, channels last": (compute, True),
                "cuDNN, NCHW": (compute, False),
                "batched products": (as_products, True),
            },
        )


def _norm(channels: int, device: torch.device) -> Iterator[tuple[str, int, Ways]]:
    gate = torch.rand(NUM_EDGES * channels, device=device)

    def compute(x: Tensor, grad: Tensor) -> object:
        x = x.detach().requires_grad_()
        return torch.autograd.grad(F.batch_norm(x, None, None, gate, training=True), x, grad)

    ways: Ways = {"torch, channels last": (compute, True), "torch, NCHW": (compute, False)}
    # Statistics read x once more, forward; so do the sums of the gradient with x and itself.
    yield "batch norm, forward and gradient", 8, ways


def _conv(weight: Tensor, groups: int, dilation: int) -> Compute:
    padding = dilation * (weight.shape[-1] - 1) // 2
    return lambda x, _: F.conv2d(x, weight, None, 1, padding, dilation, groups)


def _conv_backward(weight: Tensor, groups: int, dilation: int) -> Compute:
    padding = dilation * (weight.shape[-1] - 1) // 2
    both, sides = [True, True, False], [padding, padding]

    def compute(x: Tensor, grad: Tensor) -> object:
        return torch.ops.aten.convolution_backward(
            grad,
            x,
            weight,
            None,
            [1, 1],
            sides,
            [dilation] * 2,
            False,
            [0, 0],
            groups,
            both,
        )

    return compute


def _products(weight: Tensor) -> Compute:
    by_edge = weight.view(NUM_EDGES, -1, weight.shape[1]).transpose(1, 2)

    def compute(x: Tensor, _: Tensor) -> object:
        out = torch.empty_like(x)
        return torch.bmm(_rows(x), by_edge, out=_rows(out))

    return compute


def _products_backward(weight: Tensor) -> Compute:
    by_edge = weight.view(NUM_EDGES, -1, weight.shape[1])

    def compute(x: Tensor, grad: Tensor) -> object:
        out = torch.empty_like(x)
        torch.bmm(_rows(grad), by_edge, out=_rows(out))
        return out, torch.bmm(_rows(grad).transpose(1, 2), _rows(x))

    return compute


def _rows(x: Tensor) -> Tensor:
    """(B, E * C, H, W) as it lies channels last, to (E, B * H * W, C)."""
    rows = x.permute(0, 2, 3, 1)
    return rows.view(-1, NUM_EDGES, x.shape[1] // NUM_EDGES).transpose(0, 1)


def _without_cudnn(compute: Compute) -> Compute:
    @contextmanager
    def disabled() -> Iterator[None]:
        # Not `torch.backends.cudnn.flags`, which refuses after a change of `fp32_precision`.
        torch.backends.cudnn.enabled = False
        try:
            yield
        finally:
            torch.backends.cudnn.enabled = True

    def run(x: Tensor, grad: Tensor) -> object:
        with disabled():
            return compute(x, grad)

    return run
