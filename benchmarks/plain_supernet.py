"""The supernet written the obvious way, one module per edge and candidate.

Every convolution is torch's and has torch's own gradient, as in DARTS (arXiv:1806.09055): settings
are shared with the package, computations are not.

Shapes: B batch, C channels, H W space, E = 14 edges, O = 7 operations. An operation maps
(B, C, H, W) to (B, C, H / stride, W / stride).
"""

import torch
from torch import Tensor, nn

from fairdarts.config import SearchConfig
from fairdarts.seeding import generator
from fairdarts.spaces import CELL_KINDS, CellSpace, get_space, reduction_cells

STEM_MULTIPLIER = 3


class PlainReLUConvBN(nn.Sequential):
    """ReLU, 1x1 convolution, batch norm."""

    def __init__(self, in_channels: int, out_channels: int, affine: bool) -> None:
        super().__init__(
            nn.ReLU(),
            nn.Conv2d(in_channels, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels, affine=affine),
        )


class PlainFactorizedReduce(nn.Module):
    """Two 1x1 convolutions of stride 2, one of them shifted by a pixel, half of C each.

    For NCHW in float32: channels last, oneDNN's strided 1x1 convolution corrupts memory.
    """

    def __init__(self, in_channels: int, out_channels: int, affine: bool) -> None:
        super().__init__()
        half = out_channels // 2
        self.conv_even = nn.Conv2d(in_channels, half, 1, stride=2, bias=False)
        self.conv_odd = nn.Conv2d(in_channels, out_channels - half, 1, stride=2, bias=False)
        self.norm = nn.BatchNorm2d(out_channels, affine=affine)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C_in, H, W) to (B, C_out, H / 2, W / 2); H and W must be even."""
        x = x.relu()
        halves = [self.conv_even(x), self.conv_odd(x[:, :, 1:, 1:])]
        reduced: Tensor = self.norm(torch.cat(halves, dim=1))
        return reduced


def plain_operation(name: str, channels: int, stride: int, affine: bool) -> nn.Module:
    """The candidate of that name."""
    match name:
        case "max_pool_3x3":
            return nn.MaxPool2d(3, stride, padding=1)
        case "avg_pool_3x3":
            return nn.AvgPool2d(3, stride, padding=1, count_include_pad=False)
        case "skip_connect" if stride == 1:
            return nn.Identity()
        case "skip_connect":
            return PlainFactorizedReduce(channels, channels, affine)
        case "sep_conv_3x3" | "sep_conv_5x5":
            kernel = int(name[-1])
            return nn.Sequential(
                *_separable_conv(channels, kernel, stride, 1, affine),
                *_separable_conv(channels, kernel, 1, 1, affine),
            )
        case "dil_conv_3x3" | "dil_conv_5x5":
            return nn.Sequential(*_separable_conv(channels, int(name[-1]), stride, 2, affine))
    raise ValueError(f"{name!r} is no operation of S1")


def _separable_conv(
    channels: int, kernel: int, stride: int, dilation: int, affine: bool
) -> list[nn.Module]:
    padding = dilation * (kernel - 1) // 2
    return [
        nn.ReLU(),
        nn.Conv2d(
            channels, channels, kernel, stride, padding, dilation, groups=channels, bias=False
        ),
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels, affine=affine),
    ]


class PlainMixedOp(nn.Module):
    """The candidates of one edge, summed by their gates (Eq. 6; Eq. 2 with softmax gates)."""

    def __init__(self, space: CellSpace, channels: int, stride: int) -> None:
        super().__init__()
        self.candidates = nn.ModuleList()
        for name in space.operations:
            operation = plain_operation(name, channels, stride, affine=False)
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
        fit_older = PlainFactorizedReduce if halve_older else PlainReLUConvBN
        self.fit_older = fit_older(in_channels[0], channels, affine=False)
        self.fit_newer = PlainReLUConvBN(in_channels[1], channels, affine=False)
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
        space = get_space(config.space)
        assert isinstance(space, CellSpace)
        self.space = space
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
        reductions = reduction_cells(config.num_cells)
        for index in range(config.num_cells):
            reduction = index in reductions
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
