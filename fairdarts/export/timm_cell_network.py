"""A derived network of S1 with the interface that timm's own models have.

Shapes: B batch, C channels, H W space, K classes.
"""

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

from fairdarts.errors import ConfigError
from fairdarts.export.timm_interface import TimmInterface
from fairdarts.genotype.cell_genotype import Genotype
from fairdarts.network.cell_network import DerivedNetwork
from fairdarts.training.recompute import recomputed
from fairdarts.vocabulary import DropPathMode


class TimmNetwork(TimmInterface, DerivedNetwork):  # type: ignore[misc] # logits alone
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
        self.drop_path_rate = drop_path_rate
        reductions = [index for index, cell in enumerate(self.cells) if cell.kind == "reduce"]
        self.stage_ends = [*(index - 1 for index in reductions), num_cells - 1]
        self.feature_info = [
            {
                "num_chs": self.cells[end].out_channels,
                "reduction": 2**stage,
                "module": f"cells.{end}",
            }
            for stage, end in enumerate(self.stage_ends)
        ]
        self.num_features = self.feature_info[-1]["num_chs"]
        self.reset_classifier(num_classes, global_pool)

    def outputs(self, x: Tensor) -> Iterator[Tensor]:
        """Images to the output of each cell in turn."""
        return self.cell_outputs(x, self.drop_path_rate)

    def keep_outputs(self, number: int) -> None:
        """Drop the cells after the first so many."""
        self.cells = self.cells[:number]

    def compute_cell(
        self, cell: nn.Module, older: Tensor, newer: Tensor, drop_path_prob: float
    ) -> Tensor:
        """As in `DerivedNetwork`, or keeping only the cell's inputs for the gradient."""
        if not self.grad_checkpointing:
            return super().compute_cell(cell, older, newer, drop_path_prob)
        output: Tensor = recomputed(cell, older, newer, drop_path_prob, draws=True)
        return output

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Patterns of parameter names by depth: the stem, then each cell (`coarse`: the same)."""
        return {"stem": r"^stem", "blocks": r"^cells\.(\d+)"}
