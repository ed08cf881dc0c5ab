"""The network of one genotype of S1, built like that of DARTS (arXiv:1806.09055).

Shapes: B batch, C channels of the first cell, H W space, N live nodes of a cell, K classes.
Cells at a third and two thirds of the depth halve H and W and double the channels.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from fairdarts.errors import ConfigError, GenotypeError
from fairdarts.genotype.cell_genotype import Genotype
from fairdarts.image_size import size_fault
from fairdarts.operations.cell_operations import OPERATIONS, FactorizedReduce, ReLUConvBN
from fairdarts.operations.functional import concatenate
from fairdarts.spaces import NUM_INPUTS, reduction_cells
from fairdarts.vocabulary import DropPathMode, Stem

# A symbolic tracer (torch.fx) records calls of these instead of following them: they look at sizes.
torch.fx.wrap("check_size")
torch.fx.wrap("concatenate")
torch.fx.wrap("drop_path")


class DerivedCell(nn.Module):
    """One cell of a genotype; its output concatenates its live nodes.

    Args:
        genotype: Pruned, so that every edge leaves a live node or an input.
        kind: `normal`, or `reduce`, where operations on the cell's inputs halve H and W.
        in_channels: Channels of the outputs of cells k-2 and k-1.
        channels: Channels of every node.
        halve_older: Whether cell k-1 is a reduction cell: the output of cell k-2 is then twice as
            large.
        drop_path_mode: See `DerivedNetwork`.
    """

    def __init__(
        self,
        genotype: Genotype,
        kind: str,
        in_channels: tuple[int, int],
        channels: int,
        halve_older: bool,
        drop_path_mode: DropPathMode,
    ) -> None:
        super().__init__()
        self.kind = kind
        self.edges = genotype.cell(kind)
        self.live_nodes = genotype.live_nodes(kind)
        self.out_channels = len(self.live_nodes) * channels
        self.drop_path_mode = drop_path_mode
        fit_older = FactorizedReduce if halve_older else ReLUConvBN
        self.fit_older = fit_older(in_channels[0], channels, affine=True)
        self.fit_newer = ReLUConvBN(in_channels[1], channels, affine=True)
        input_stride = 2 if kind == "reduce" else 1
        self.operations = nn.ModuleList(
            OPERATIONS[edge.op](channels, input_stride if edge.src < NUM_INPUTS else 1)
            for edge in self.edges
        )

    def forward(self, older: Tensor, newer: Tensor, drop_path_prob: float) -> Tensor:
        """Outputs of cells k-2 and k-1 to (B, N * channels, H, W), H and W halved if it reduces."""
        states = {0: self.fit_older(older), 1: self.fit_newer(newer)}
        for node in self.live_nodes:
            terms = [
                self._drop_operation(operation, operation(states[edge.src]), drop_path_prob)
                for edge, operation in zip(self.edges, self.operations, strict=True)
                if edge.dst == node
            ]
            total = sum(terms[1:], terms[0])
            if self.drop_path_mode == "node" and self.training:
                total = drop_path(total, drop_path_prob)
            states[node] = total
        return concatenate([states[node] for node in self.live_nodes])

    def _drop_operation(self, operation: nn.Module, output: Tensor, prob: float) -> Tensor:
        # The code of DARTS never drops an identity.
        if self.drop_path_mode == "node" or isinstance(operation, nn.Identity):
            return output
        return drop_path(output, prob) if self.training else output


def drop_path(x: Tensor, prob: float) -> Tensor:
    """Zero each image of (B, C, H, W) with probability `prob`.

    The other images are scaled by 1 / (1 - prob), which keeps the mean. The probability grows epoch
    by epoch; unlike timm's function this one is compiled once for all of them.
    """
    if prob == 0:
        return x
    kept = torch.rand(len(x), 1, 1, 1, dtype=x.dtype, device=x.device) >= prob
    return x * (kept / (1 - prob)).to(x.dtype)


def check_size(images: Tensor, stem: Stem, auxiliary: bool) -> None:
    """Refuse images that a network cannot take; arguments as of `size_fault`.

    Raises:
        ConfigError: Says which sizes it takes.
    """
    height, width = images.shape[2:]
    if fault := size_fault(height, width, stem, auxiliary):
        raise ConfigError(f"{fault}.")


class AuxiliaryHead(nn.Sequential):
    """Second classifier at two thirds of the depth, used in training only.

    DARTS has no global pooling before the classifier. Here it lets larger images work; at the
    smallest size there is one position left, and pooling changes nothing.

    Args:
        in_channels: Channels of the cell that it follows.
        num_classes: K.
        stem: That of the network. Pooling has stride 3 after `cifar` (which leaves 8 x 8 pixels
            here) and 2 after `imagenet` (7 x 7).
    """

    def __init__(self, in_channels: int, num_classes: int, stem: Stem) -> None:
        super().__init__(
            nn.ReLU(),
            nn.AvgPool2d(5, stride=3 if stem == "cifar" else 2, count_include_pad=False),
            nn.Conv2d(in_channels, 128, 1, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.Conv2d(128, 768, 2, bias=False),
            nn.BatchNorm2d(768),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(768, num_classes),
        )


def _cifar_stem(image_channels: int, channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(image_channels, 3 * channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(3 * channels),
    )


def _imagenet_stem(image_channels: int, channels: int) -> nn.Sequential:
    """To a quarter of the image; `_second_imagenet_stem` goes on to an eighth."""
    return nn.Sequential(
        nn.Conv2d(image_channels, channels // 2, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(channels // 2),
        nn.ReLU(),
        nn.Conv2d(channels // 2, channels, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(channels),
    )


def _second_imagenet_stem(channels: int) -> nn.Module:
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(channels, channels, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(channels),
    )


class DerivedNetwork(nn.Module):
    """Stem, `num_cells` cells and a linear classifier.

    Args:
        genotype: Raw or pruned; the network is that of the pruned one.
        num_classes: K.
        init_channels: C of the first cell.
        num_cells: At least 3; see `fairdarts.spaces.reduction_cells`.
        auxiliary: Whether to build the auxiliary head.
        drop_path_mode: `node` drops the sum of a node, skips included (official FairDARTS code);
            `edge` drops the output of each operation, never an identity skip (DARTS).
        image_channels: Channels of an image.
        stem: `cifar` keeps H and W and has 3 * C channels; `imagenet` halves them three times.
    Raises:
        GenotypeError: If a cell of the pruned genotype has no live node.
    """

    def __init__(
        self,
        genotype: Genotype,
        num_classes: int,
        init_channels: int,
        num_cells: int,
        auxiliary: bool,
        drop_path_mode: DropPathMode = "node",
        image_channels: int = 3,
        stem: Stem = "cifar",
    ) -> None:
        super().__init__()
        self.genotype = genotype.pruned()
        if reason := self.genotype.invalid_reason():
            raise GenotypeError(f"This genotype builds no network: {reason}.")
        channels = init_channels
        self.stem_kind = stem
        self.second_stem: nn.Module | None = None
        if stem == "cifar":
            self.stem = _cifar_stem(image_channels, channels)
            in_channels = (3 * channels, 3 * channels)
        else:
            self.stem = _imagenet_stem(image_channels, channels)
            self.second_stem = _second_imagenet_stem(channels)
            in_channels = (channels, channels)
        self.cells = nn.ModuleList()
        reductions = reduction_cells(num_cells)
        self.auxiliary_after = reductions[-1]
        self.auxiliary_head: AuxiliaryHead | None = None
        # The second stem halves what the first one put out, like a reduction cell.
        follows_reduction = self.second_stem is not None
        for index in range(num_cells):
            reduces = index in reductions
            channels *= 2 if reduces else 1
            cell = DerivedCell(
                self.genotype,
                "reduce" if reduces else "normal",
                in_channels,
                channels,
                halve_older=follows_reduction,
                drop_path_mode=drop_path_mode,
            )
            self.cells.append(cell)
            in_channels = (in_channels[1], cell.out_channels)
            follows_reduction = reduces
            if auxiliary and index == self.auxiliary_after:
                self.auxiliary_head = AuxiliaryHead(in_channels[1], num_classes, stem)
        self.classifier = nn.Linear(in_channels[1], num_classes)

    def forward(self, images: Tensor, drop_path_prob: float = 0.0) -> tuple[Tensor, Tensor | None]:
        """Classify.

        Args:
            images: Shape (B, image_channels, H, W).
            drop_path_prob: Probability of dropping a path, below 1; without effect in evaluation.
        Returns:
            Logits (B, K), and those of the auxiliary head when training with one, else None.
        Raises:
            ConfigError: If H or W cannot be halved twice or is too small for the auxiliary head.
        """
        auxiliary_logits: Tensor | None = None
        for index, features in enumerate(self.outputs(images, drop_path_prob)):
            if self.training and index == self.auxiliary_after and self.auxiliary_head is not None:
                auxiliary_logits = self.auxiliary_head(features)
        return self.classifier(features.mean(dim=(2, 3))), auxiliary_logits

    def outputs(self, images: Tensor, drop_path_prob: float = 0.0) -> Iterator[Tensor]:
        """The output of each cell in turn, see `DerivedCell.forward`; arguments as in `forward`."""
        check_size(images, self.stem_kind, self.auxiliary_head is not None)
        older = newer = self.stem(images)
        if self.second_stem is not None:
            newer = self.second_stem(older)
        for cell in self.cells:
            older, newer = newer, self.compute(cell, older, newer, drop_path_prob)
            yield newer

    def compute(self, cell: nn.Module, *inputs: Any) -> Tensor:
        """Output of one cell of this network; `inputs` are those of `DerivedCell.forward`."""
        output: Tensor = cell(*inputs)
        return output
