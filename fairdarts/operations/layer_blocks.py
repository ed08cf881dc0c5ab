"""What networks of S2 are made of: inverted bottlenecks, projections and the fixed parts.

Shapes: B batch, C channels, H W space. A layer of stride s maps (B, C_in, H, W) to
(B, C_out, H / s, W / s), H and W rounded up. A width multiplies all channels at width 1.
"""

from timm.layers.conv_bn_act import ConvNormAct
from timm.layers.create_act import get_act_layer
from timm.layers.helpers import make_divisible
from timm.layers.squeeze_excite import SqueezeExcite
from torch import Tensor, fx, nn

from fairdarts.operations.functional import every_second_pixel
from fairdarts.spaces import LAYER_SKIP, Layer, LayerSpace

ACTIVATION = "relu6"

fx.wrap("every_second_pixel")  # A symbolic tracer records calls of it instead of following them.


def scaled(channels: int, width: float) -> int:
    """Channels at a width, a multiple of 8 as in MobileNetV2."""
    multiple: int = make_divisible(channels * width)  # type: ignore[no-untyped-call]
    return multiple


class InvertedBottleneck(nn.Sequential):
    """Expand by a 1x1 convolution, convolve each channel, project by another; no residual.

    Args:
        in_channels: C_in.
        out_channels: C_out.
        stride: Of the depthwise convolution.
        expansion: The depthwise convolution has this many times C_in channels; 1: the first 1x1
            convolution is left out.
        kernel_size: Of the depthwise convolution.
        squeeze_excite: Whether channels are weighted before the projection, through a quarter of
            C_in (EfficientNet, arXiv:1905.11946).
        activation: timm's name of the activation; none follows the projection.
    Source:
        MobileNetV2, arXiv:1801.04381. Its residual is left out, as a skip is a choice of its own
        (Fair DARTS, arXiv:1911.12126, supplementary Section 3.2).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int,
        expansion: int,
        kernel_size: int,
        squeeze_excite: bool = False,
        activation: str = ACTIVATION,
    ) -> None:
        super().__init__()
        hidden = in_channels * expansion
        if expansion > 1:
            self.expand = ConvNormAct(in_channels, hidden, act_layer=activation)
        self.depthwise = ConvNormAct(
            hidden, hidden, kernel_size, stride, groups=hidden, act_layer=activation
        )
        if squeeze_excite:
            self.excite = SqueezeExcite(
                hidden, rd_channels=max(1, in_channels // 4), act_layer=get_act_layer(activation)
            )
        self.project = ConvNormAct(hidden, out_channels, apply_act=False)


class Projection(ConvNormAct):
    """The skip where the shape changes: a 1x1 convolution of the layer's stride, and batch norm."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__(in_channels, out_channels, apply_act=False)
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """(B, C_in, H, W) to (B, C_out, H / s, W / s)."""
        # The sums of a strided convolution, computed otherwise: in channels-last memory, with fewer
        # than 16 channels, that corrupts memory on a CPU (oneDNN issue 6035).
        pixels = x if self.stride == 1 else every_second_pixel(x, 0)
        output: Tensor = super().forward(pixels)  # type: ignore[no-untyped-call]
        return output


def build_choice(
    name: str,
    layer: Layer,
    width: float,
    squeeze_excite: bool = False,
    activation: str = ACTIVATION,
) -> nn.Module:
    """The candidate of that name, such as `E3K5` or `skip`, of a layer."""
    channels = scaled(layer.in_channels, width), scaled(layer.out_channels, width)
    if name == LAYER_SKIP:
        return Projection(*channels, layer.stride) if layer.changes_shape else nn.Identity()
    expansion, kernel_size = map(int, name.removeprefix("E").split("K"))
    return InvertedBottleneck(
        *channels, layer.stride, expansion, kernel_size, squeeze_excite, activation
    )


def build_stem(
    space: LayerSpace, width: float, image_channels: int = 3, activation: str = ACTIVATION
) -> nn.Sequential:
    """All before the first layer: a 3x3 convolution of stride 2, a bottleneck without expansion."""
    stem, first = scaled(space.stem_channels, width), scaled(space.first_channels, width)
    return nn.Sequential(
        ConvNormAct(image_channels, stem, 3, stride=2, act_layer=activation),
        InvertedBottleneck(
            stem, first, stride=1, expansion=1, kernel_size=3, activation=activation
        ),
    )


def build_head(space: LayerSpace, width: float, activation: str = ACTIVATION) -> nn.Module:
    """The 1x1 convolution between the last layer and pooling; see `head_channels`."""
    last = scaled(space.stages[-1][0], width)
    return ConvNormAct(last, scaled(space.head_channels, width), act_layer=activation)
