"""The search step written the obvious way: the oracle of the tests and the baseline of speed.

One module per edge and candidate, NCHW, gradients of everything in both levels, metrics read after
every step; nothing is shared with `fairdarts.supernet` but the fixed parts of a cell.

Shapes: B batch, C channels, H W space, E = 14 edges, O = 7 operations.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fairdarts.config import SearchConfig
from fairdarts.mixed_ops import Channels, MixedOps, Norm, SharedPool, StackedConv, StackedReduce
from fairdarts.operations import FactorizedReduce, ReLUConvBN, build_operation
from fairdarts.search import Batch
from fairdarts.seeding import generator
from fairdarts.spaces import CELL_KINDS, CellSpace, get_space
from fairdarts.supernet import SearchCell, Supernet

STEM_MULTIPLIER = 3


class PlainMixedOp(nn.Module):
    """The candidates of one edge, summed by their gates (Eq. 6; Eq. 2 with softmax gates)."""

    def __init__(self, space: CellSpace, channels: int, stride: int) -> None:
        super().__init__()
        self.candidates = nn.ModuleList()
        for name in space.operations:
            operation = build_operation(name, channels, stride, affine=False)
            if "pool" in name:  # Keep: pooling has no norm of its own, and gates compare scales.
                operation = nn.Sequential(operation, nn.BatchNorm2d(channels, affine=False))
            self.candidates.append(operation)

    def forward(self, x: Tensor, gates: Tensor) -> Tensor:
        """(B, C, H, W) and gates (O,) to (B, C, H / stride, W / stride)."""
        return _sum([gate * op(x) for gate, op in zip(gates, self.candidates, strict=True)])


class PlainCell(nn.Module):
    """A normal or reduction cell of the supernet (Eq. 1)."""

    def __init__(
        self,
        space: CellSpace,
        in_channels: tuple[int, int],
        channels: int,
        reduction: bool,
        halve_older: bool,
    ) -> None:
        super().__init__()
        self.num_nodes = space.num_nodes
        # The output of cell k-2 is twice as large where cell k-1 was a reduction cell.
        fit_older = FactorizedReduce if halve_older else ReLUConvBN
        self.fit_older = fit_older(in_channels[0], channels, affine=False)
        self.fit_newer = ReLUConvBN(in_channels[1], channels, affine=False)
        self.mixed_ops = nn.ModuleList(
            PlainMixedOp(space, channels, stride=2 if reduction and src < 2 else 1)
            for src, _ in space.edges
        )

    def forward(self, older: Tensor, newer: Tensor, gates: Tensor) -> Tensor:
        """Outputs of cells k-2 and k-1 and gates (E, O) to (B, num_nodes * C, H', W')."""
        nodes = [self.fit_older(older), self.fit_newer(newer)]
        edge = iter(zip(self.mixed_ops, gates, strict=True))
        for _ in range(self.num_nodes):
            # Edges are ordered by destination, so the next len(nodes) ones lead to this node.
            incoming = zip(list(nodes), edge, strict=False)
            nodes.append(_sum([mixed_op(x, gate) for x, (mixed_op, gate) in incoming]))
        return torch.cat(nodes[2:], dim=1)


def _sum(tensors: list[Tensor]) -> Tensor:
    total = tensors[0]
    for tensor in tensors[1:]:
        total = total + tensor
    return total


class PlainSupernet(nn.Module):
    """Stem, cells that share two sets of alphas, and a classifier."""

    def __init__(self, config: SearchConfig, num_classes: int) -> None:
        super().__init__()
        self.space = space = get_space(config.space)
        self.relaxation = config.relaxation
        channels = config.init_channels
        stem_channels = STEM_MULTIPLIER * channels
        self.stem = nn.Sequential(
            nn.Conv2d(3, stem_channels, 3, padding=1, bias=False), nn.BatchNorm2d(stem_channels)
        )
        self.cells = nn.ModuleList()
        self.cell_kinds: list[str] = []
        in_channels = (stem_channels, stem_channels)
        follows_reduction = False
        for index in range(config.num_cells):
            reduction = index in (config.num_cells // 3, 2 * config.num_cells // 3)
            if reduction:
                channels *= 2
            cell = PlainCell(space, in_channels, channels, reduction, follows_reduction)
            self.cells.append(cell)
            self.cell_kinds.append("reduce" if reduction else "normal")
            in_channels = (in_channels[1], space.num_nodes * channels)
            follows_reduction = reduction
        self.classifier = nn.Linear(in_channels[1], num_classes)

        draw = generator("cpu", config.seed, "alphas")
        shape = (len(space.edges), len(space.operations))
        self.alphas = nn.ParameterDict(
            {
                kind: nn.Parameter(config.alpha_init_std * torch.randn(shape, generator=draw))
                for kind in CELL_KINDS
            }
        )

    def gates(self) -> dict[str, Tensor]:
        """What each operation is multiplied by, per cell kind, shape (E, O).

        `sigmoid` gates are independent (Eq. 6), `softmax` ones share each edge (Eq. 2).
        """
        if self.relaxation == "sigmoid":
            return {kind: alpha.sigmoid() for kind, alpha in self.alphas.items()}
        return {kind: alpha.softmax(dim=-1) for kind, alpha in self.alphas.items()}

    def forward(self, images: Tensor, gates: dict[str, Tensor]) -> Tensor:
        """Images (B, 3, H, W) and the gates of both cell kinds to logits (B, classes)."""
        older = newer = self.stem(images)
        for kind, cell in zip(self.cell_kinds, self.cells, strict=True):
            older, newer = newer, cell(older, newer, gates[kind])
        logits: Tensor = self.classifier(newer.mean(dim=(2, 3)))
        return logits

    def architecture_parameters(self) -> list[nn.Parameter]:
        """The alphas of both cell kinds."""
        return list(self.alphas.values())

    def weight_parameters(self) -> list[nn.Parameter]:
        """Every parameter that is no alpha."""
        alphas = {id(alpha) for alpha in self.alphas.values()}
        return [weight for weight in self.parameters() if id(weight) not in alphas]


@dataclass(frozen=True)
class PlainState:
    """The plain supernet and its optimisers."""

    supernet: PlainSupernet
    weight_optimizer: torch.optim.Optimizer
    alpha_optimizer: torch.optim.Optimizer

    @classmethod
    def of(cls, config: SearchConfig, num_classes: int) -> Self:
        """Build it with random weights, in training mode."""
        supernet = PlainSupernet(config, num_classes).train()
        return cls(
            supernet,
            torch.optim.SGD(
                supernet.weight_parameters(),
                lr=config.weight_lr,
                momentum=config.momentum,
                weight_decay=config.weight_decay,
            ),
            torch.optim.Adam(
                supernet.architecture_parameters(),
                lr=config.alpha_lr,
                betas=(config.alpha_beta1, 0.999),
                weight_decay=config.alpha_weight_decay,
            ),
        )


def plain_step(state: PlainState, train: Batch, val: Batch, config: SearchConfig) -> list[Tensor]:
    """One bi-level step, first order: alphas on `val`, then weights on `train`.

    Returns:
        Loss and logits of the training batch, total and validation loss of the other.
    """
    supernet = state.supernet
    images, labels = val
    state.alpha_optimizer.zero_grad()
    gates = supernet.gates()
    validation = F.cross_entropy(supernet(images, gates), labels)
    zero_one = torch.stack([-((gate - 0.5) ** 2).mean() for gate in gates.values()]).mean()
    total = validation + config.zero_one_weight * zero_one
    torch.autograd.backward(total)
    state.alpha_optimizer.step()

    images, labels = train
    state.weight_optimizer.zero_grad()
    logits = supernet(images, supernet.gates())
    loss = F.cross_entropy(logits, labels)
    torch.autograd.backward(loss)
    nn.utils.clip_grad_norm_(supernet.weight_parameters(), config.grad_clip)
    state.weight_optimizer.step()
    return [loss.detach(), logits.detach(), total.detach(), validation.detach()]


@dataclass(frozen=True)
class Twin:
    """A tensor of the plain supernet and where the same numbers lie in the fast one."""

    name: str
    plain: Tensor
    fast: Tensor
    part: Channels = ...


def twins(plain: PlainSupernet, fast: Supernet) -> Iterator[Twin]:
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


def copy_weights(fast: Supernet, plain: PlainSupernet) -> None:
    """Give the plain supernet the parameters and running statistics of the fast one."""
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
    if isinstance(candidate, FactorizedReduce):
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
