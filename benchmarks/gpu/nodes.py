"""All mixed operations that leave a node, the plain ones against ours, and each of our kernels.

Shapes as in `fairdarts.supernet.mixed_ops`.
"""

from functools import partial

import torch
from torch import Tensor, nn

from benchmarks.gpu.ceilings import copy_tb_per_s
from benchmarks.gpu.measure import Work, forget, piece_ms
from benchmarks.gpu.readings import Reading, Report, Setup
from benchmarks.plain_supernet import PlainMixedOp
from fairdarts.kernels.engine import HAS_TRITON
from fairdarts.spaces import CellSpace, get_space
from fairdarts.supernet.mixed_ops import MixedOps
from fairdarts.training.precision import float32_products

NUM_EDGES = 4
SPACE = get_space("s1")


class PlainNode(nn.Module):
    """A plain mixed operation for each edge."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        assert isinstance(SPACE, CellSpace)
        self.edges = nn.ModuleList(PlainMixedOp(SPACE, channels, 1) for _ in range(NUM_EDGES))

    def forward(self, x: Tensor, gates: Tensor) -> list[Tensor]:
        """As `MixedOps`."""
        return [edge(x, gate) for edge, gate in zip(self.edges, gates, strict=True)]


def measure(setup: Setup, report: Report) -> None:
    """Report forward and all gradients of a node, in float32, and the kernels one by one."""
    assert isinstance(SPACE, CellSpace)
    device, sizes = torch.device(setup.device), setup.sizes
    with float32_products("float32"):
        bandwidth = copy_tb_per_s(sizes, device)
        for channels, height in sizes.stages:
            forget(device)
            shape = (sizes.batch_size, channels, height, height)
            where = f"C = {channels} at {height} x {height}"
            edges = PlainNode(channels).to(device)
            plain = _passes(edges, torch.randn(shape, device=device))
            plain_ms = piece_ms([plain], sizes, device)
            report(Reading(f"node of {NUM_EDGES} edges, {where}: plain", plain_ms, "ms"))
            del plain, edges
            node = MixedOps(SPACE, channels, NUM_EDGES, 1).to(device)
            x = torch.randn(shape, device=device).contiguous(memory_format=torch.channels_last)
            ours = _passes(node, x)
            ours_ms = piece_ms([ours], sizes, device)
            note = f"{plain_ms / ours_ms:.2f}x as fast"
            report(Reading(f"node of {NUM_EDGES} edges, {where}: ours", ours_ms, "ms", note))
            for number, (name, replay, traffic_bytes) in enumerate(launched(ours), 1):
                ms = piece_ms([replay], sizes, device)
                note = f"{traffic_bytes / bandwidth / 1e9 / ms:.0%} of the traffic bound"
                report(Reading(f"{where}: kernel {number}, {name}", ms, "ms", note))


def _passes(module: nn.Module, x: Tensor) -> Work:
    """Forward and the gradients of everything."""
    assert isinstance(SPACE, CellSpace)
    x.requires_grad_()
    gates = torch.rand(NUM_EDGES, len(SPACE.operations), device=x.device, requires_grad=True)
    leaves = [x, gates, *module.parameters()]
    slopes = [torch.randn_like(x.detach()) for _ in range(NUM_EDGES)]
    return lambda: torch.autograd.grad([*module(x, gates)], leaves, slopes)


def launched(work: Work) -> list[tuple[str, Work, int]]:
    """Name, repetition and least memory traffic of each kernel of ours that `work` launches."""
    if not HAS_TRITON:
        return []
    from fairdarts.kernels.launch import Launch, launch, launches

    found: list[Launch] = []
    with launches(found.append):
        work()
    return [
        (
            one.kernel.fn.__name__,
            partial(
                launch,
                one.kernel,
                one.grid,
                *one.args,
                num_warps=one.num_warps,
                **one.constants,
            ),
            one.traffic_bytes,
        )
        for one in found
    ]
