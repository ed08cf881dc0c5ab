"""The supernet of S2: layers that sum all their choices (Eq. 5 and 6).

Batch norms are affine, as in the backbone. Shapes: B batch, C channels, H W space, O choices.
"""

from functools import partial

from torch import Tensor, nn

from fairdarts.config import SearchConfig
from fairdarts.operations.layer_blocks import build_choice, build_head, build_stem, scaled
from fairdarts.spaces import LAYER_SKIP, Layer, LayerSpace
from fairdarts.supernet.base import Gates, Supernet
from fairdarts.supernet.mixed_ops import sum_in_place
from fairdarts.supernet.perturbation import Perturbation
from fairdarts.training.recompute import recomputed

PROJECTION = "projection"
"""The name that perturbations see for a skip that changes the shape, so is not an identity."""


class GatedChoice(nn.Module):
    """One candidate of a layer, scaled by its gate."""

    def __init__(self, name: str, layer: Layer, width: float) -> None:
        super().__init__()
        self.name = PROJECTION if name == LAYER_SKIP and layer.changes_shape else name
        self.stride = layer.stride
        self.operation = build_choice(name, layer, width)

    def forward(self, x: Tensor, gate: Tensor, perturbation: Perturbation | None = None) -> Tensor:
        """(B, C, H, W) and a scalar to (B, C', H', W'); see `fairdarts.operations.layer_blocks`."""
        features: Tensor = self.operation(x)
        if perturbation is not None and perturbation.touches(self.name, self.stride):
            # Perturbations see edges side by side; here there is one.
            features = perturbation.on_output(self.name, features[:, None]).squeeze(1)
        return gate * features


class MixedLayer(nn.ModuleList):
    """All choices of one layer."""

    def __init__(self, choices: tuple[str, ...], layer: Layer, width: float) -> None:
        super().__init__(GatedChoice(name, layer, width) for name in choices)

    def forward(
        self, x: Tensor, gates: Tensor, recompute: bool, perturbation: Perturbation | None = None
    ) -> Tensor:
        """(B, C, H, W) and gates (O,) to the sum over o of gate[o] * choice o of x."""
        return sum_in_place(
            (partial(recomputed, choice) if recompute else choice)(x, gate, perturbation)
            for choice, gate in zip(self, gates.unbind(), strict=True)
        )


class LayerSupernet(Supernet):
    """Stem, mixed layers, 1x1 convolution, pooling and classifier; each layer has its alphas."""

    def __init__(self, config: SearchConfig, space: LayerSpace, num_classes: int) -> None:
        choices = space.choices(config.num_layers)
        groups = {f"layer_{index}": (len(names),) for index, names in enumerate(choices)}
        super().__init__(config, space, groups)
        self.stem = build_stem(space, config.width)
        self.layers = nn.ModuleList(
            MixedLayer(names, layer, config.width)
            for names, layer in zip(choices, space.layers(config.num_layers), strict=True)
        )
        self.head = build_head(space, config.width)
        self.classifier = nn.Linear(scaled(space.head_channels, config.width), num_classes)

    def logits(self, images: Tensor, gates: Gates, perturbation: Perturbation | None) -> Tensor:
        """See `Supernet`."""
        x = self.stem(images)
        for layer, layer_gates in zip(self.layers, gates.values(), strict=True):
            x = layer(x, layer_gates, self.recompute, perturbation)
        logits: Tensor = self.classifier(self.head(x).mean(dim=(2, 3)))
        return logits
