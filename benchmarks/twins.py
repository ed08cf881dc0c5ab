"""Where each number of the plain supernet lies in the fast one."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmarks.plain_supernet import (
    PlainCell,
    PlainFactorizedReduce,
    PlainMixedOp,
    PlainSupernet,
)
from fairdarts.operations.norm import Channels, Norm
from fairdarts.supernet.cell_supernet import CellSupernet, SearchCell
from fairdarts.supernet.mixed_ops import MixedOps
from fairdarts.supernet.stacked_ops import SharedPool, StackedConv, StackedReduce


@dataclass(frozen=True)
class Twin:
    """A tensor of the plain supernet and where the same numbers lie in the fast one."""

    name: str
    plain: Tensor
    fast: Tensor
    part: Channels = ...


def twins(plain: PlainSupernet, fast: CellSupernet) -> Iterator[Twin]:
    """Every parameter and running statistic of the plain supernet with its twin."""
    for kind, alpha in plain.alphas.items():
        yield Twin(f"alphas.{kind}", alpha, fast.alphas[kind])
    yield from _same_modules("stem", plain.stem, fast.stem)
    yield from _same_modules("classifier", plain.classifier, fast.classifier)
    for number, (plain_cell, fast_cell) in enumerate(zip(plain.cells, fast.cells, strict=True)):
        assert isinstance(plain_cell, PlainCell)
        assert isinstance(fast_cell, SearchCell)
        for name in ("fit_older", "fit_newer"):
            yield from _same_modules(
                f"{number}.{name}", getattr(plain_cell, name), getattr(fast_cell, name)
            )
        for source, edges in enumerate(plain.space.edges_from):
            mixed_ops = fast_cell.mixed_ops[source]
            assert isinstance(mixed_ops, MixedOps)
            for position, edge in enumerate(edges):
                mixed_op = plain_cell.mixed_ops[edge]
                assert isinstance(mixed_op, PlainMixedOp)
                start = position * mixed_ops.channels
                part = slice(start, start + mixed_ops.channels)
                for name, candidate in zip(
                    plain.space.operations, mixed_op.candidates, strict=True
                ):
                    where = f"{number}.{edge}.{name}"
                    yield from _twins_of_candidate(where, candidate, mixed_ops, name, part)


def copy_weights(fast: CellSupernet, plain: PlainSupernet) -> None:
    """Overwrite the parameters and running statistics of the plain supernet by the fast one's."""
    with torch.no_grad():
        for twin in twins(plain, fast):
            twin.plain.copy_(twin.fast[twin.part])


def _same_modules(where: str, plain: nn.Module, fast: nn.Module) -> Iterator[Twin]:
    theirs = dict(fast.named_parameters()) | dict(fast.named_buffers())
    for name, tensor in (*plain.named_parameters(), *plain.named_buffers()):
        if not name.endswith("num_batches_tracked"):
            yield Twin(f"{where}.{name}", tensor, theirs[name])


def _twins_of_candidate(
    where: str, candidate: nn.Module, mixed_ops: MixedOps, name: str, part: slice
) -> Iterator[Twin]:
    if isinstance(candidate, PlainFactorizedReduce):
        reduce = mixed_ops.separate[name]
        assert isinstance(reduce, StackedReduce)
        middle = part.start + mixed_ops.channels // 2
        even, odd = slice(part.start, middle), slice(middle, part.stop)
        yield Twin(f"{where}.even", candidate.conv_even.weight, reduce.pointwise, even)
        yield Twin(f"{where}.odd", candidate.conv_odd.weight, reduce.pointwise, odd)
        yield from _twins_of_norm(where, candidate.norm, reduce.norm, part)
        return
    convs = [module for module in candidate.modules() if isinstance(module, nn.Conv2d)]
    norms = [module for module in candidate.modules() if isinstance(module, nn.BatchNorm2d)]
    if name in mixed_ops.shared:  # its norm is one for all edges
        for norm in norms:
            pool = mixed_ops.shared[name]
            assert isinstance(pool, SharedPool)
            yield from _twins_of_norm(where, norm, pool.norm, ...)
        return
    stages = [m for m in mixed_ops.separate[name].modules() if isinstance(m, StackedConv)]
    for stage, (depthwise, pointwise), norm in zip(
        stages, zip(convs[::2], convs[1::2], strict=True), norms, strict=True
    ):
        yield Twin(f"{where}.depthwise", depthwise.weight, stage.depthwise, part)
        yield Twin(f"{where}.pointwise", pointwise.weight, stage.pointwise, part)
        yield from _twins_of_norm(where, norm, stage.norm, part)


def _twins_of_norm(where: str, plain: nn.BatchNorm2d, fast: Norm, part: Channels) -> Iterator[Twin]:
    assert plain.running_mean is not None
    assert plain.running_var is not None
    yield Twin(f"{where}.running_mean", plain.running_mean, fast.running_mean, part)
    yield Twin(f"{where}.running_var", plain.running_var, fast.running_var, part)
