"""The network of one genotype of S2.

Shapes: B batch, C channels, H W space, K classes. Images may have any size; H and W are halved five
times, rounded up.
"""

from collections.abc import Iterator
from typing import Any

from torch import Tensor, fx, nn
from torch.nn import functional as F

from fairdarts.errors import GenotypeError
from fairdarts.genotype.layer_genotype import LayerGenotype
from fairdarts.network.cell_network import drop_path
from fairdarts.operations.layer_blocks import (
    ACTIVATION,
    build_choice,
    build_head,
    build_stem,
    scaled,
)
from fairdarts.spaces import LAYER_SKIP, S2, Layer

fx.wrap("drop_path")  # A symbolic tracer records calls of it instead of following them.


class DerivedLayer(nn.Module):
    """The sum of the choices of one layer; a layer without a block is an identity.

    Args:
        choices: Their names.
        layer: Channels and stride.
        width: What channels are multiplied by.
        squeeze_excite: See `InvertedBottleneck`.
        activation: Likewise.
    """

    def __init__(
        self,
        choices: tuple[str, ...],
        layer: Layer,
        width: float,
        squeeze_excite: bool,
        activation: str,
    ) -> None:
        super().__init__()
        self.out_channels = scaled(layer.out_channels, width)
        operations = {
            name: build_choice(name, layer, width, squeeze_excite, activation) for name in choices
        }
        self.skip = operations.pop(LAYER_SKIP, None)
        self.blocks = nn.ModuleDict(operations)

    def forward(self, x: Tensor, drop_path_prob: float) -> Tensor:
        """(B, C, H, W) to (B, C', H', W'); only blocks beside a skip are dropped."""
        outputs: list[Tensor] = [block(x) for block in self.blocks.values()]
        if self.skip is not None:
            if self.training:
                outputs = [drop_path(output, drop_path_prob) for output in outputs]
            outputs = [self.skip(x), *outputs]
        # Not sum(outputs), which would first add the number 0 to the features.
        return sum(outputs[1:], outputs[0])


class LayerNetwork(nn.Module):
    """Stem, the layers of a genotype, 1x1 convolution, pooling and a linear classifier.

    Args:
        genotype: Raw or pruned; the network is that of the pruned one.
        num_classes: K.
        width: What all channels are multiplied by.
        squeeze_excite: Whether the blocks of the layers have squeeze-and-excitation.
        activation: timm's name of the activation of the whole network: `relu6`, `swish`.
        dropout: Probability of dropping a feature before the classifier.
        image_channels: Channels of an image.
    Raises:
        GenotypeError: If a layer that changes the shape has no block.
    """

    auxiliary_head = None
    """Always None: only networks of cells may have one."""

    def __init__(
        self,
        genotype: LayerGenotype,
        num_classes: int,
        width: float = 1.0,
        squeeze_excite: bool = False,
        activation: str = ACTIVATION,
        dropout: float = 0.0,
        image_channels: int = 3,
    ) -> None:
        super().__init__()
        self.genotype = genotype.pruned()
        if reason := self.genotype.invalid_reason():
            raise GenotypeError(f"This genotype builds no network: {reason}.")
        self.dropout = dropout
        self.stem = build_stem(S2, width, image_channels, activation)
        self.layers = nn.ModuleList(
            DerivedLayer(choices, layer, width, squeeze_excite, activation)
            for choices, layer in zip(self.genotype.layers, self.genotype.shapes, strict=True)
        )
        self.head = build_head(S2, width, activation)
        self.classifier = nn.Linear(scaled(S2.head_channels, width), num_classes)

    def forward(self, images: Tensor, drop_path_prob: float = 0.0) -> tuple[Tensor, Tensor | None]:
        """Classify.

        Args:
            images: Shape (B, image_channels, H, W).
            drop_path_prob: Probability of dropping a block of the last layer, below 1; that of
                earlier layers grows linearly from 0. Without effect in evaluation.
        Returns:
            Logits (B, K), and None: there is no auxiliary head.
        """
        x = images
        for output in self.outputs(images, drop_path_prob):
            x = output
        pooled = F.dropout(self.head(x).mean(dim=(2, 3)), self.dropout, self.training)
        return self.classifier(pooled), None

    def outputs(self, images: Tensor, drop_path_prob: float = 0.0) -> Iterator[Tensor]:
        """The output of the stem, (B, C, H / 2, W / 2), then of each layer; see `forward`."""
        x = self.stem(images)
        yield x
        # As in EfficientNet: never in the first layer, with the full probability in the last.
        deepest = len(self.genotype.layers) - 1
        for index, layer in enumerate(self.layers):
            x = self.compute(layer, x, drop_path_prob * index / deepest)
            yield x

    def compute(self, layer: nn.Module, *inputs: Any) -> Tensor:
        """Output of one layer of this network; `inputs` are those of `DerivedLayer.forward`."""
        output: Tensor = layer(*inputs)
        return output
