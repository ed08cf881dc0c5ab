"""Kernels of ours, compiled ahead of the first step by two processes for each kind of node.

One process compiles its kernels one after the other, and a step of the search has some 120 of them.
Triton keeps what it has compiled on disk, where all processes find it.
"""

import itertools
import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.context import ForkProcess

import torch
from torch import Tensor

from benchmarks.gpu.readings import Reading, Report, Setup
from fairdarts.kernels.engine import kernels_fault
from fairdarts.spaces import S1
from fairdarts.supernet.mixed_ops import MixedOps
from fairdarts.training.gradients import frozen
from fairdarts.training.precision import autocast, float32_products
from fairdarts.vocabulary import Precision

MOST_EDGES = 4
"""That leave a node."""
Level = Callable[[MixedOps, Tensor, Tensor, list[Tensor] | None], list[Tensor]]
"""Forward and backward of a node, given its edges' sums so far; returns those after it."""


def compile_ahead(setup: Setup, report: Report, precisions: tuple[Precision, ...]) -> None:
    """Compile what a step of the paper's search takes; report the seconds.

    Args:
        setup: Where to measure.
        report: Called with the reading.
        precisions: All at the same time.
    """
    if setup.device != "cuda":
        return
    context = multiprocessing.get_context("fork")  # nothing has touched the device yet
    processes: list[ForkProcess] = []
    started = time.perf_counter()
    for precision in precisions:
        for kind, level in itertools.product(_kinds(setup), (_weights_level, _alphas_level)):
            arguments = (setup, precision, *kind, level)
            process = context.Process(target=_compile, args=arguments, daemon=True)
            process.start()
            processes.append(process)
    for process in processes:
        process.join()
    failed = sum(process.exitcode != 0 for process in processes)
    note = f"{len(processes)} processes" + (f", {failed} failed, see the log" if failed else "")
    report(Reading("compiling the kernels", time.perf_counter() - started, "s", note))


def _kinds(setup: Setup) -> list[tuple[int, int, int]]:
    """Channels, height and stride of the nodes of all cells."""
    kinds = []
    for channels, height in setup.sizes.stages:
        kinds.append((channels, height, 1))
        if (channels, height) != setup.sizes.stages[-1]:
            kinds.append((2 * channels, height, 2))
    return kinds


def _compile(
    setup: Setup, precision: Precision, channels: int, height: int, stride: int, level: Level
) -> None:
    """One level of a step on nodes with one edge and more."""
    device = torch.device(setup.device)
    if kernels_fault(device) is not None:
        return
    shape = (setup.sizes.batch_size, channels, height, height)
    x = torch.randn(shape, device=device).contiguous(memory_format=torch.channels_last)
    for num_edges in range(MOST_EDGES, 0, -1) if stride == 1 else (MOST_EDGES,):
        node = MixedOps(S1, channels, num_edges, stride).to(device)
        gates = torch.rand(num_edges, len(S1.operations), device=device)
        sums: list[Tensor] | None = None
        with float32_products(precision), autocast(device, precision):
            for _ in range(2):  # without sums, then with them
                sums = level(node, x, gates, sums)


def _weights_level(
    node: MixedOps, x: Tensor, gates: Tensor, sums: list[Tensor] | None
) -> list[Tensor]:
    mixed = node(x.requires_grad_(), gates, sums=sums)
    torch.autograd.backward([features.sum() for features in mixed])
    return [features.detach() for features in mixed]


def _alphas_level(
    node: MixedOps, x: Tensor, gates: Tensor, sums: list[Tensor] | None
) -> list[Tensor]:
    with frozen(list(node.parameters())):
        for needs_x in (True, False):
            mixed = node(x.requires_grad_(needs_x), gates.requires_grad_(), sums=sums)
            torch.autograd.backward([features.sum() for features in mixed])
    return [features.detach() for features in mixed]
