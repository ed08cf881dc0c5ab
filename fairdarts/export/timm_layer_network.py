"""A derived network of S2 with the interface that timm's own models have.

Shapes: B batch, C channels, H W space, K classes.
"""

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

from fairdarts.export.timm_interface import TimmInterface
from fairdarts.genotype.layer_genotype import LayerGenotype
from fairdarts.network.layer_network import LayerNetwork
from fairdarts.operations.layer_blocks import ACTIVATION, scaled
from fairdarts.spaces import S2
from fairdarts.training.recompute import recomputed


class TimmLayerNetwork(TimmInterface, LayerNetwork):  # type: ignore[misc] # logits alone
    """`LayerNetwork` whose weights have the same names.

    Args:
        genotype: Pruned here, so that a raw one will do.
        num_classes: K; 0 leaves the classifier out.
        in_chans: Channels of an image.
        width: What all channels are multiplied by.
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
            num_classes=1,  # any: the classifier is built anew below
            width=width,
            squeeze_excite=squeeze_excite,
            activation=act_layer,
            image_channels=in_chans,
        )
        self.in_chans = in_chans
        self.drop_rate = drop_rate
        self.drop_path_rate = drop_path_rate
        strides = [layer.stride for layer in self.genotype.plan]
        self.stage_ends = [*(i for i, stride in enumerate(strides) if stride == 2), len(strides)]
        self.feature_info = [
            {
                "num_chs": self.layers[end - 1].out_channels
                if end
                else scaled(S2.first_channels, width),
                "reduction": 2 ** (stage + 1),
                "module": f"layers.{end - 1}" if end else "stem",
            }
            for stage, end in enumerate(self.stage_ends)
        ]
        self.num_features = scaled(S2.head_channels, width)
        self.reset_classifier(num_classes, global_pool)

    def outputs(self, x: Tensor) -> Iterator[Tensor]:
        """Images to the output of the stem, and of each layer in turn."""
        return self.layer_outputs(x, self.drop_path_rate)

    def keep_outputs(self, number: int) -> None:
        """Drop the layers after the first so many outputs, and the convolution before pooling."""
        self.layers = self.layers[: number - 1]
        self.head = nn.Identity()

    def forward_features(self, x: Tensor) -> Tensor:
        """Images to the features before pooling, (B, num_features, H / 32, W / 32)."""
        features: Tensor = self.head(super().forward_features(x))
        return features

    def compute_layer(self, layer: nn.Module, x: Tensor, drop_path_prob: float) -> Tensor:
        """As in `LayerNetwork`, or keeping only the layer's input for the gradient."""
        if not self.grad_checkpointing:
            return super().compute_layer(layer, x, drop_path_prob)
        output: Tensor = recomputed(layer, x, drop_path_prob, draws=True)
        return output

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Patterns of parameter names by depth: stem, then each layer, the last with the head."""
        return {"stem": r"^stem", "blocks": [(r"^layers\.(\d+)", None), (r"^head", (99999,))]}
