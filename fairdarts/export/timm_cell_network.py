"""A derived network of S1 with the interface that timm's own models have.

Shapes: B batch, C channels, H W space, K classes.
"""

from typing import Any

from fairdarts.errors import ConfigError
from fairdarts.export.timm_interface import Stage, TimmInterface
from fairdarts.genotype.cell_genotype import Genotype
from fairdarts.image_size import HALVINGS
from fairdarts.network.cell_network import DerivedNetwork
from fairdarts.vocabulary import DropPathMode, Stem


class TimmNetwork(TimmInterface, DerivedNetwork):  # type: ignore[misc] # logits alone
    """`DerivedNetwork` without auxiliary head; its weights have the same names.

    Args:
        genotype: Raw or pruned; it is pruned here.
        num_classes: K; 0 leaves the classifier out.
        in_chans: Channels of an image.
        init_channels: C of the first cell; the default is the paper's for CIFAR-10.
        num_cells: At least 3; the default is the paper's, too.
        global_pool: timm's name of a pooling: `avg`, `max`, `avgmax`, `catavgmax`; empty: none.
        drop_rate: Dropout before the classifier.
        drop_path_rate: Probability of dropping a path, the same in every cell and epoch.
        drop_path_mode: See `DerivedNetwork`.
        stem: See `DerivedNetwork`.
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
        stem: Stem = "cifar",
    ) -> None:
        if num_cells < 3:
            raise ConfigError(
                f"num_cells (={num_cells}) must be at least 3: two cells halve the image, and one "
                "comes before them."
            )
        super().__init__(
            genotype,
            num_classes=1,  # of no effect: `set_up` builds another classifier
            init_channels=init_channels,
            num_cells=num_cells,
            auxiliary=False,
            drop_path_mode=drop_path_mode,
            image_channels=in_chans,
            stem=stem,
        )
        reductions = [index for index, cell in enumerate(self.cells) if cell.kind == "reduce"]
        ends = [*(index - 1 for index in reductions), num_cells - 1]
        before = 2 ** HALVINGS[stem] // 2 ** len(reductions)
        channels: list[Any] = [cell.out_channels for cell in self.cells]
        stages = [
            Stage(end, channels[end], before * 2**number, f"cells.{end}")
            for number, end in enumerate(ends)
        ]
        self.set_up(
            stages,
            stages[-1].channels,
            in_chans=in_chans,
            num_classes=num_classes,
            global_pool=global_pool,
            drop_rate=drop_rate,
            drop_path_rate=drop_path_rate,
        )

    def keep_outputs(self, number: int) -> None:
        """Drop the cells after the first `number`."""
        self.cells = self.cells[:number]

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Patterns of parameter names by depth: the stem, then each cell; also if `coarse`."""
        return {"stem": r"^(?:second_)?stem", "blocks": r"^cells\.(\d+)"}
