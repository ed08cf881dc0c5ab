"""The mixed operations of one node by the kernels and by torch, for the tests of the kernels."""

import copy
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from fairdarts.kernels.engine import torch_only
from fairdarts.spaces import CellSpace
from fairdarts.supernet.mixed_ops import MixedOps


@dataclass(frozen=True)
class Node:
    """One case: random weights, features and slopes that are the same in every precision."""

    space: CellSpace
    channels: int
    edges: int
    stride: int
    batch: int
    size: tuple[int, int]
    adds: bool = False
    """Whether the ends of the edges have features already, to which the mixed ones are added."""

    def results(
        self,
        dtype: torch.dtype,
        device: str,
        by_torch: bool,
        needs: tuple[str, ...] = ("x", "gates", "weights", "sums"),
    ) -> dict[str, Tensor]:
        """Outputs, the gradients that are needed, and running statistics, as float64 on the CPU."""
        draw = torch.Generator().manual_seed(0)

        def random(*shape: int) -> Tensor:
            drawn = torch.randn(shape, dtype=torch.float64, generator=draw)
            return drawn.to(device, dtype)

        torch.manual_seed(0)
        module = MixedOps(self.space, self.channels, self.edges, self.stride)
        module = copy.deepcopy(module).to(device, dtype).to(memory_format=torch.channels_last)
        x = random(self.batch, self.channels, *self.size)
        x = x.contiguous(memory_format=torch.channels_last)
        gates = random(self.edges, len(self.space.operations)).sigmoid()
        leaves = {
            "x": x.requires_grad_("x" in needs),
            "gates": gates.requires_grad_("gates" in needs),
        }
        for name, weight in module.named_parameters():
            leaves[name] = weight.requires_grad_("weights" in needs)
        sums = None
        if self.adds:
            shape = [-(-length // self.stride) for length in self.size]
            for edge in range(self.edges):
                total = random(self.batch, self.channels, *shape)
                leaves[f"sum {edge}"] = total.requires_grad_("sums" in needs)
            sums = [leaves[f"sum {edge}"].clone() for edge in range(self.edges)]
        with torch_only() if by_torch else nullcontext():
            outputs = module(x, gates, sums=sums)
        slopes = [random(*output.shape) for output in outputs]
        wanted = {name: leaf for name, leaf in leaves.items() if leaf.requires_grad}
        gradients = torch.autograd.grad(outputs, list(wanted.values()), slopes)
        results = {f"output {edge}": output for edge, output in enumerate(outputs)}
        results |= dict(zip(wanted, gradients, strict=True))
        results |= dict(module.named_buffers())
        return {name: value.detach().cpu().double() for name, value in results.items()}


def error(actual: Tensor, exact: Tensor) -> float:
    """Largest distance, as a share of the largest entry."""
    return float((actual - exact).abs().max() / exact.abs().max())
