"""Parameters and MultAdds of a network of cells, by arithmetic: no network is built, no torch.

The convention is that of `fairdarts.network.cost`, which counts built networks and agrees exactly.
Shapes: C channels of the first cell, H = W pixels a side, K classes.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from fairdarts.errors import ConfigError, GenotypeError
from fairdarts.genotype.cell_genotype import Genotype
from fairdarts.image_size import size_fault
from fairdarts.spaces import NUM_INPUTS, SKIP, reduction_cells
from fairdarts.vocabulary import Stem


@dataclass(frozen=True)
class NetworkCost:
    """What one derived network costs; plain numbers, not millions."""

    params: int
    """Without the auxiliary head."""
    params_with_auxiliary: int
    """Equal to `params` where there is no such head."""
    multadds: int
    """For one image."""


class Cost(NamedTuple):
    """Learnable numbers of a layer, and its multiply-adds for one image."""

    params: int
    multadds: int


class CellPlan(NamedTuple):
    """Size of one cell of a network."""

    kind: str
    """`normal` or `reduce`."""
    channels: int
    """Of every node."""
    in_channels: tuple[int, int]
    """Of the outputs of cells k-2 and k-1."""
    in_size: int
    """H of the output of cell k-1, to which that of cell k-2 is fitted."""
    out_size: int
    """H of the nodes: half of `in_size` in a reduction cell."""


def _conv(in_channels: int, out_channels: int, kernel: int, out_size: int, groups: int = 1) -> Cost:
    """A convolution without bias, followed by a batch norm of its own."""
    weights = in_channels // groups * out_channels * kernel**2
    return Cost(weights, weights * out_size**2)


def _norm(channels: int) -> Cost:
    return Cost(2 * channels, 0)


def _total(costs: list[Cost]) -> Cost:
    return Cost(sum(cost.params for cost in costs), sum(cost.multadds for cost in costs))


def operation_cost(name: str, channels: int, stride: int, out_size: int) -> Cost:
    """Cost of one candidate operation, see `fairdarts.operations.cell_operations`.

    Args:
        name: Of the operation.
        channels: In and out.
        stride: 1, or 2 on the inputs of a reduction cell.
        out_size: H of its output.
    Raises:
        GenotypeError: If the operation is not one of S1.
    """
    kind, _, kernel_text = name.rpartition("_")
    if name == SKIP:
        if stride == 1:
            return Cost(0, 0)
        return _total([_conv(channels, channels, 1, out_size), _norm(channels)])
    if kind in ("max_pool", "avg_pool"):
        return Cost(0, 0)
    if kind not in ("sep_conv", "dil_conv"):
        raise GenotypeError(f"the cost of the operation {name!r} is not known.")
    kernel = int(kernel_text.partition("x")[0])
    once = [
        _conv(channels, channels, kernel, out_size, groups=channels),
        _conv(channels, channels, 1, out_size),
        _norm(channels),
    ]
    return _total(once * (2 if kind == "sep_conv" else 1))


def cell_plans(
    live_nodes: dict[str, int], init_channels: int, num_cells: int, image_size: int, stem: Stem
) -> Iterator[CellPlan]:
    """The cells of a network, first to last.

    Args:
        live_nodes: How many nodes the cell of each kind concatenates.
        init_channels: C.
        num_cells: Those at a third and two thirds are reduction cells.
        image_size: H of an image.
        stem: `cifar` has 3 C channels and keeps H; `imagenet` divides H by 8.
    """
    channels = init_channels
    stem_channels = 3 * channels if stem == "cifar" else channels
    in_channels = (stem_channels, stem_channels)
    size = image_size if stem == "cifar" else image_size // 8
    reductions = reduction_cells(num_cells)
    for index in range(num_cells):
        reduces = index in reductions
        kind = "reduce" if reduces else "normal"
        channels *= 2 if reduces else 1
        out_size = size // 2 if reduces else size
        yield CellPlan(kind, channels, in_channels, size, out_size)
        in_channels = (in_channels[1], live_nodes[kind] * channels)
        size = out_size


@functools.cache
def edge_cost(cell: CellPlan, operation: str, from_input: bool) -> Cost:
    """Cost of an operation in one cell; `from_input`: it reads an input of the cell."""
    stride = 2 if cell.kind == "reduce" and from_input else 1
    return operation_cost(operation, cell.channels, stride, cell.out_size)


@functools.cache
def frame_cost(cell: CellPlan) -> Cost:
    """What fits the two inputs of a cell to its channels: all of it but its operations."""
    older, newer = cell.in_channels
    return _total(
        [
            _conv(older, cell.channels, 1, cell.in_size),
            _conv(newer, cell.channels, 1, cell.in_size),
            _norm(cell.channels),
            _norm(cell.channels),
        ]
    )


def ends_cost(
    out_channels: int, init_channels: int, image_size: int, num_classes: int, stem: Stem
) -> Cost:
    """The stem, and the classifier of the last cell's `out_channels`."""
    classifier = Cost((out_channels + 1) * num_classes, out_channels * num_classes)
    c = init_channels
    if stem == "cifar":
        return _total([_conv(3, 3 * c, 3, image_size), _norm(3 * c), classifier])
    layers = [
        _conv(3, c // 2, 3, image_size // 2),
        _norm(c // 2),
        _conv(c // 2, c, 3, image_size // 4),
        _norm(c),
        _conv(c, c, 3, image_size // 8),
        _norm(c),
    ]
    return _total([*layers, classifier])


def _auxiliary_params(in_channels: int, num_classes: int) -> int:
    layers = [_conv(in_channels, 128, 1, 1), _norm(128), _conv(128, 768, 2, 1), _norm(768)]
    return _total(layers).params + (768 + 1) * num_classes


def cell_network_cost(
    genotype: Genotype,
    *,
    init_channels: int = 36,
    num_cells: int = 20,
    image_size: int = 32,
    num_classes: int = 10,
    auxiliary: bool = True,
    stem: Stem = "cifar",
) -> NetworkCost:
    """Cost of the network that a genotype builds, as `fairdarts.network.cost` counts it.

    The defaults are the paper's network for CIFAR-10.

    Args:
        genotype: Raw or pruned.
        init_channels: C.
        num_cells: Cells in the network, 3 or more.
        image_size: H.
        num_classes: K.
        auxiliary: Whether the network has an auxiliary head.
        stem: What stands before the cells.
    Raises:
        GenotypeError: If the genotype builds no network.
        ConfigError: If the network cannot take images of this size.
    """
    pruned = genotype.pruned()
    if reason := pruned.invalid_reason():
        raise GenotypeError(f"This genotype builds no network: {reason}.")
    if fault := size_fault(image_size, image_size, stem, auxiliary):
        raise ConfigError(f"{fault}.")
    live = {kind: len(pruned.live_nodes(kind)) for kind in ("normal", "reduce")}
    cells = list(cell_plans(live, init_channels, num_cells, image_size, stem))
    out_channels = [live[cell.kind] * cell.channels for cell in cells]
    costs = [ends_cost(out_channels[-1], init_channels, image_size, num_classes, stem)]
    for cell in cells:
        costs.append(frame_cost(cell))
        costs += [
            edge_cost(cell, edge.op, edge.src < NUM_INPUTS) for edge in pruned.cell(cell.kind)
        ]
    params, multadds = _total(costs)
    before_head = out_channels[reduction_cells(num_cells)[-1]]
    head = _auxiliary_params(before_head, num_classes) if auxiliary else 0
    return NetworkCost(params, params + head, multadds)
