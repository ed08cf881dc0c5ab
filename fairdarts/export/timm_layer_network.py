"""A derived network of S2 with the interface that timm's own models have.

Shapes: B batch, C channels, H W space, K classes.
"""

from typing import Any

from torch import Tensor, nn

from fairdarts.export.timm_interface import Stage, TimmInterface
from fairdarts.genotype.layer_genotype import LayerGenotype
from fairdarts.network.layer_network import LayerNetwork
from fairdarts.operations.layer_blocks import ACTIVATION, scaled
from fairdarts.spaces import S2


class TimmLayerNetwork(TimmInterface, LayerNetwork):  # type: ignore[misc] # logits alone
    """`LayerNetwork` with timm's interface; its weights have the same names.

    Args:
        genotype: Raw or pruned; it is pruned here.
        num_classes: K; 0 leaves the classifier out.
        in_chans: Channels of an image.
        width: Factor of all channels.
        squeeze_excite: Whether the blocks of the layers have squeeze-and-excitation.
        act_layer: timm's name of the activation.
        global_pool: timm's name of a pooling: `avg`, `max`, `avgmax`, `catavgmax`; empty: none.
        drop_rate: Dropout before the classifier.
        drop_path_rate: Probability of dropping a block of the last layer, see `LayerNetwork`.
    Raises:
        GenotypeError: If the genotype builds no network.
    """

    def __init__(
        self,
        genotype: LayerGenotype,
        num_classes: int = 1000,
        in_chans: int = 3,
        width: float = 1.0,
        squeeze_excite: bool = False,
        act_layer: str = ACTIVATION,
        global_pool: str = "avg",
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
    ) -> None:
        super().__init__(
            genotype,
            num_classes=1,  # of no effect: `set_up` builds another classifier
            width=width,
            squeeze_excite=squeeze_excite,
            activation=act_layer,
            image_channels=in_chans,
        )
        strides = [layer.stride for layer in self.genotype.shapes]
        ends = [*(index for index, stride in enumerate(strides) if stride == 2), len(strides)]
        channels: list[Any] = [layer.out_channels for layer in self.layers]
        channels.insert(0, scaled(S2.first_channels, width))  # of the stem, the first output
        stages = [
            Stage(end, channels[end], 2 ** (number + 1), f"layers.{end - 1}" if end else "stem")
            for number, end in enumerate(ends)
        ]
        self.set_up(
            stages,
            scaled(S2.head_channels, width),
            in_chans=in_chans,
            num_classes=num_classes,
            global_pool=global_pool,
            drop_rate=drop_rate,
            drop_path_rate=drop_path_rate,
        )

    def keep_outputs(self, number: int) -> None:
        """Drop the layers after the first `number` outputs, and the convolution before pooling."""
        self.layers = self.layers[: number - 1]
        self.head = nn.Identity()

    def finish(self, x: Tensor) -> Tensor:
        """Output of the last layer to the features before pooling, of `num_features` channels."""
        features: Tensor = self.head(x)
        return features

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Patterns of parameter names by depth: the stem, each layer, and the head at the end."""
        return {"stem": r"^stem", "blocks": [(r"^layers\.(\d+)", None), (r"^head", (99999,))]}
