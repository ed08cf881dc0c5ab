"""A derived network with the interface that timm's own models have.

Shapes: B batch, C channels, H W space, K classes.
"""

from collections.abc import Sequence
from itertools import islice
from typing import Any

from timm.layers.adaptive_avgmax_pool import SelectAdaptivePool2d
from timm.layers.classifier import create_classifier
from torch import Tensor, nn
from torch.nn import functional as F

from fairdarts.errors import ConfigError
from fairdarts.genotype import Genotype
from fairdarts.network import DerivedNetwork, DropPathMode
from fairdarts.recompute import recomputed


class TimmNetwork(DerivedNetwork):
    """`DerivedNetwork` without auxiliary head; its weights have the same names.

    Args:
        genotype: Pruned here, so that a raw one will do.
        num_classes: K; 0 leaves the classifier out.
        in_chans: Channels of an image.
        init_channels: C of the first cell; the default is the paper's for CIFAR-10.
        num_cells: At least 3; the same.
        global_pool: timm's name of a pooling: `avg`, `max`, `avgmax`, `catavgmax`; empty: none.
        drop_rate: Dropout before the classifier.
        drop_path_rate: Probability of dropping a path, the same in every cell and epoch.
        drop_path_mode: See `DerivedNetwork`.
    Raises:
        GenotypeError: If a cell of the pruned genotype has no live node.
        ConfigError: If there are fewer than 3 cells.
    """

    global_pool: SelectAdaptivePool2d

    def __init__(
        self,
        genotype: Genotype,
        num_classes: int = 10,
        in_chans: int = 3,
        init_channels: int = 36,
        num_cells: int = 20,
        global_pool: str = "avg",
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        drop_path_mode: DropPathMode = "node",
    ) -> None:
        if num_cells < 3:
            raise ConfigError(
                f"num_cells (={num_cells}) must be at least 3: two cells halve the image, and one "
                "stands before them."
            )
        super().__init__(
            genotype,
            num_classes=1,  # any: the classifier is built anew below
            init_channels=init_channels,
            num_cells=num_cells,
            auxiliary=False,
            drop_path_mode=drop_path_mode,
            image_channels=in_chans,
        )
        self.in_chans = in_chans
        self.drop_rate = drop_rate
        self.drop_path_prob = drop_path_rate
        self.grad_checkpointing = False
        reductions = [index for index, cell in enumerate(self.cells) if cell.kind == "reduce"]
        self._stage_ends = [*(index - 1 for index in reductions), num_cells - 1]
        self.feature_info: list[dict[str, Any]] = [
            {
                "num_chs": self.cells[end].out_channels,
                "reduction": 2**stage,
                "module": f"cells.{end}",
            }
            for stage, end in enumerate(self._stage_ends)
        ]
        self.num_features: int = self.feature_info[-1]["num_chs"]
        self.reset_classifier(num_classes, global_pool)

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override] # timm's models return logits
        """Images (B, in_chans, H, W) to logits (B, K)."""
        return self.forward_head(self.forward_features(x))

    def forward_features(self, x: Tensor) -> Tensor:
        """Images to the output of the last cell, (B, num_features, H / 4, W / 4)."""
        for features in self.cell_outputs(x):
            x = features
        return x

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Output of the last cell to logits, or to what the classifier would be given."""
        pooled: Tensor = F.dropout(self.global_pool(x), self.drop_rate, self.training)
        return pooled if pre_logits else self.classifier(pooled)

    def forward_intermediates(
        self,
        x: Tensor,
        indices: int | Sequence[int] | None = None,
        norm: bool = False,
        stop_early: bool = False,
        output_fmt: str = "NCHW",
        intermediates_only: bool = False,
    ) -> list[Tensor] | tuple[Tensor, list[Tensor]]:
        """Images to the output of the last cell, and to that of the last cell of each image size.

        Args:
            x: Images.
            indices: Which sizes (full, half, quarter): the last so many, or positions in
                `feature_info`; None: all.
            norm: Without effect: no norm follows the last cell.
            stop_early: Leave out the cells after the last one asked for.
            output_fmt: `NCHW`.
            intermediates_only: Return only the list.
        """
        if output_fmt != "NCHW":
            raise ConfigError(f"output_fmt (={output_fmt!r}) must be 'NCHW'.")
        ends = [self._stage_ends[position] for position in self._positions(indices)]
        num_cells = max(ends) + 1 if stop_early else len(self.cells)
        intermediates = []
        for index, features in enumerate(islice(self.cell_outputs(x), num_cells)):
            x = features
            if index in ends:
                intermediates.append(features)
        return intermediates if intermediates_only else (x, intermediates)

    def prune_intermediate_layers(
        self,
        indices: int | Sequence[int] = 1,
        prune_norm: bool = False,
        prune_head: bool = True,
    ) -> list[int]:
        """Drop the cells after the last one asked for, and the classifier with them.

        Args:
            indices: As in `forward_intermediates`, which takes the positions returned from then on.
            prune_norm: Without effect.
            prune_head: Drop the classifier even if every cell stays.
        Returns:
            The positions of `indices` in `feature_info`.
        """
        positions = self._positions(indices)
        num_cells = self._stage_ends[max(positions)] + 1
        if prune_head or num_cells < len(self.cells):
            self.cells = self.cells[:num_cells]
            self.num_features = self.feature_info[max(positions)]["num_chs"]
            self.reset_classifier(0, "")
        return positions

    def compute_cell(self, cell: nn.Module, older: Tensor, newer: Tensor) -> Tensor:
        """As in `DerivedNetwork`, or keeping only the cell's inputs for the gradient."""
        if not self.grad_checkpointing:
            return super().compute_cell(cell, older, newer)
        output: Tensor = recomputed(cell, older, newer, self.drop_path_prob, draws=True)
        return output

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Compute each cell again in the backward pass instead of remembering it."""
        self.grad_checkpointing = enable

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Patterns of parameter names by depth: the stem, then each cell (`coarse`: the same)."""
        return {"stem": r"^stem", "blocks": r"^cells\.(\d+)"}

    def get_classifier(self) -> nn.Module:
        """The linear layer, or an identity if there is none."""
        return self.classifier

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Replace the classifier by a fresh one; 0 classes: by an identity; None: same pooling."""
        if global_pool is None:
            global_pool = self.global_pool.pool_type
        self.num_classes = num_classes
        pooling, classifier = create_classifier(self.num_features, num_classes, global_pool)
        self.global_pool = pooling.train(self.training)
        self.classifier = classifier.to(self.stem[0].weight).train(self.training)
        self.head_hidden_size = self.num_features * pooling.feat_mult()

    def _positions(self, indices: int | Sequence[int] | None) -> list[int]:
        stages = range(len(self._stage_ends))
        if indices is None:
            return list(stages)
        if isinstance(indices, int):
            indices = range(-indices, 0)
        return [stages[index] for index in indices]
