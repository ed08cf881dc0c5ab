"""Pools and their gradients on the device are those of a CPU: torch's have been wrong on CUDA."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from fairdarts.operations.cell_operations import avg_pool, max_pool

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last], ids=str)
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("pool", [avg_pool, max_pool])
def test_pools_and_their_gradients_are_those_of_a_cpu(
    pool: Callable[[int, int], nn.Module],
    stride: int,
    memory_format: torch.memory_format,
    device: torch.device,
) -> None:
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(2, 16, 6, 5, dtype=torch.float64, generator=draw)
    slopes = torch.randn(2, 16, -(-6 // stride), -(-5 // stride), generator=draw).double()

    def results(where: torch.device, kept: torch.memory_format) -> tuple[Tensor, Tensor]:
        features = x.to(where).contiguous(memory_format=kept).requires_grad_()
        pooled = pool(16, stride)(features)
        assert pooled.is_contiguous(memory_format=kept)
        (gradient,) = torch.autograd.grad(pooled, features, slopes.to(where))
        return pooled.detach().cpu(), gradient.cpu()

    expected = results(torch.device("cpu"), torch.contiguous_format)
    for ours, exact in zip(results(device, memory_format), expected, strict=True):
        torch.testing.assert_close(ours, exact, rtol=1e-12, atol=1e-12, check_stride=False)
